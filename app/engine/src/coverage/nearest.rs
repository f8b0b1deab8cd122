//! From a cell without an answer to the nearest one that has one.

use super::{Atlas, Row, ask};
use crate::catalog::Catalog;
use crate::model::ModelSpec;
use crate::order;
use crate::scenario::{Place, QuantChoice, Scenario};
use crate::system::SystemSpec;

/// What has to change for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The serving mode: separate workers answer where one kind does not, or the other way round.
    Serving,
    /// Precisions the engine is told to use.
    Precision(QuantChoice),
    /// The engine.
    Backend,
    /// The checkpoint: the same model at another precision.
    Checkpoint,
    /// The GPU, and the engine where the same one has no data there.
    System,
}

/// The nearest cell that answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Nearest<'a> {
    /// What changes.
    pub step: Step,
    /// Model id.
    pub model: &'a str,
    /// GPU system and engine.
    pub place: &'a Place,
}

impl Nearest<'_> {
    /// The question of a scenario, asked here; its own precisions are those of the checkpoint.
    pub fn apply(&self, to: &Scenario) -> Scenario {
        let quant = match self.step {
            Step::Precision(with) => with,
            Step::Serving | Step::Backend | Step::Checkpoint | Step::System => QuantChoice::default(),
        };
        Scenario { quant, ..ask(to, self.model, self.place) }
    }
}

impl Atlas {
    /// The nearest cell that answers; `mode` is the serving mode, as a place in [`super::MODES`].
    ///
    /// In order: the same GPU and engine with another KV cache or attention precision, another engine, the
    /// other serving mode, another checkpoint of the same model, 16-bit weights; then the GPUs that are
    /// most alike, the same engine first. None for a model that answers nowhere, nor its other checkpoints.
    pub fn nearest<'a>(&'a self, row: &'a Row, at: usize, mode: usize) -> Option<Nearest<'a>> {
        let here = self.places.get(at)?;
        let own = self.cell(row, at)?;
        let answers = |row: &Row, at: usize| {
            self.cell(row, at).is_some_and(|cell| cell.get(mode).is_some_and(|verdict| verdict.is_measured()))
        };
        let found = |step, row: &'a Row, at: usize| {
            Some(Nearest { step, model: &row.model, place: self.places.get(at)? })
        };
        let stay = |step| Some(Nearest { step, model: &row.model, place: here });
        let own_verdict = own.get(mode)?;
        if own_verdict.is_measured() {
            return None;
        }
        let with = own_verdict.with();
        let flag = || with.filter(|with| with.gemm.is_none()).and_then(|with| stay(Step::Precision(with)));
        let backend = || {
            let other = |&at: &usize| self.places[at].system == here.system && answers(row, at);
            (0..self.places.len()).find(other).and_then(|at| found(Step::Backend, row, at))
        };
        let serving =
            || own.iter().any(|verdict| verdict.is_measured()).then(|| stay(Step::Serving)).flatten();
        let others = row.siblings.iter().filter_map(|&at| self.rows.get(usize::from(at)));
        let siblings: Vec<&Row> = others.collect();
        let checkpoint = || {
            let other = siblings.iter().find(|row| answers(row, at));
            other.and_then(|row| found(Step::Checkpoint, row, at))
        };
        let weights = || with.and_then(|with| stay(Step::Precision(with)));
        let system = || {
            let alike = self.alike.get(at)?;
            std::iter::once(&row).chain(&siblings).find_map(|&row| {
                let there = alike.iter().map(|&at| usize::from(at)).find(|&at| answers(row, at))?;
                found(Step::System, row, there)
            })
        };
        flag().or_else(backend).or_else(serving).or_else(checkpoint).or_else(weights).or_else(system)
    }
}

/// For each place, all of them by how much they are like it: the GPU's generation and memory, then the engine.
pub(super) fn alike(catalog: &Catalog, places: &[Place]) -> Vec<Vec<u16>> {
    let generation = |system: &SystemSpec| system.sm_version.unwrap_or(0) / 10;
    let order = |here: &Place| {
        let own = catalog.system(&here.system);
        let distance = |there: &Place| {
            let apart = own
                .zip(catalog.system(&there.system))
                .map(|(a, b)| (generation(a).abs_diff(generation(b)), a.mem_bytes.abs_diff(b.mem_bytes)));
            (apart.unwrap_or((u32::MAX, 0)), there.backend != here.backend)
        };
        let mut out: Vec<u16> = (0..places.len() as u16).collect();
        order::sort_by_key(&mut out, |&at| distance(&places[usize::from(at)]));
        out
    };
    places.iter().map(order).collect()
}

/// Other checkpoints of a model, as places in the catalogue.
pub(super) fn siblings(catalog: &Catalog, own: &ModelSpec) -> Vec<u16> {
    let same = |other: &&ModelSpec| other.id != own.id && is_sibling(own, other);
    let models = (0..).zip(&catalog.models);
    models.filter(|(_, other)| same(other)).map(|(at, _)| at).collect()
}

/// Whether two checkpoints are one model at different precisions.
fn is_sibling(a: &ModelSpec, b: &ModelSpec) -> bool {
    let shape = |model: &ModelSpec| {
        let ModelSpec { family, layers, hidden, heads, vocab, experts, moe_ffn, .. } = *model;
        (family, layers, hidden, heads, vocab, experts, moe_ffn)
    };
    shape(a) == shape(b) && stem(a) == stem(b)
}

/// The name of a model without the words for its precision.
fn stem(model: &ModelSpec) -> String {
    const PRECISION: [&str; 7] = ["fp8", "nvfp4", "bf16", "static", "pertensor", "fp4", "int4"];
    let name = model.short_name().to_lowercase();
    let words = name.split('-').filter(|word| !PRECISION.contains(word));
    words.collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkpoints_of_one_model_are_siblings() {
        let catalog = Catalog::embedded();
        let sibling = |a: &str, b: &str| {
            is_sibling(catalog.model(a).expect("a model"), catalog.model(b).expect("a model"))
        };
        assert!(sibling("Qwen/Qwen3-32B", "Qwen/Qwen3-32B-FP8-Static-PerTensor"));
        assert!(sibling("nvidia/Qwen3-235B-A22B-NVFP4", "Qwen/Qwen3-235B-A22B-FP8"));
        assert!(sibling("zai-org/GLM-5.2-FP8", "nvidia/GLM-5.2-NVFP4"));
        assert!(!sibling("zai-org/GLM-5.2", "zai-org/GLM-5.3"));
        assert!(!sibling("MiniMaxAI/MiniMax-M2.5", "MiniMaxAI/MiniMax-M2.7"));
    }
}
