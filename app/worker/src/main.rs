//! The program that runs in the web worker.

fn main() {}
