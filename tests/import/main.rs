//! The way back: named layouts priced as the search prices them, and manifests and launch commands as questions.

#![allow(clippy::print_stdout, reason = "figures worth reading beside the verdict")]

mod price;
mod texts;
mod back;
mod odd;

use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

fn runner(cases: u32) -> TestRunner {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[11; 32]);
    TestRunner::new_with_rng(Config { cases, failure_persistence: None, ..Config::default() }, rng)
}
