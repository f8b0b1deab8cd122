//! What the page says about models and GPU systems before the search is asked.
//!
//! `build.rs` takes it from the catalogue; the full facts stay with the worker.

use engine::quant::{KvQuant, Pipe, Quant};
use engine::scenario::Scenario;

/// A model.
#[derive(Debug)]
pub struct Model {
    /// Hub id, such as `Qwen/Qwen3-32B-FP8`.
    pub id: &'static str,
    /// Name of the architecture family.
    pub family: &'static str,
    /// Name of the precision of the checkpoint's dense weights.
    pub gemm: &'static str,
    /// Name of the precision of its KV cache.
    pub kv: &'static str,
}

/// A GPU system.
#[derive(Debug)]
pub struct System {
    /// Id, such as `h100_sxm`.
    pub id: &'static str,
    /// Name for people, such as `H100 SXM`.
    pub name: &'static str,
    /// Names of the tensor-core pipes it has.
    peaks: &'static [&'static str],
}

include!(concat!(env!("OUT_DIR"), "/catalog.rs"));

/// Every model, sorted by id.
pub fn models() -> &'static [Model] {
    MODELS
}

/// Every system, sorted by id.
pub fn systems() -> &'static [System] {
    SYSTEMS
}

/// The model with this id.
pub fn model(id: &str) -> Option<&'static Model> {
    MODELS.iter().find(|model| model.id == id)
}

/// The system with this id.
pub fn system(id: &str) -> Option<&'static System> {
    SYSTEMS.iter().find(|system| system.id == id)
}

/// Precisions of dense weights and KV cache of a checkpoint: the user's own model's, else the catalogue's.
pub fn precision(scenario: &Scenario) -> Option<(Quant, KvQuant)> {
    if let Some(custom) = &scenario.custom {
        let precision = custom.spec().quant;
        return Some((precision.gemm, precision.kv));
    }
    let model = model(&scenario.model)?;
    Some((Quant::from_name(model.gemm)?, KvQuant::from_name(model.kv)?))
}

impl System {
    /// Whether the GPU has this pipe.
    pub fn has(&self, pipe: Pipe) -> bool {
        self.peaks.contains(&pipe.name())
    }
}

#[cfg(test)]
mod tests {
    use engine::catalog::Catalog;

    use super::*;

    #[test]
    fn the_page_and_the_search_know_the_same_models_and_systems() {
        let full = Catalog::embedded();
        assert_eq!(models().len(), full.models.len());
        for (short, full) in models().iter().zip(&full.models) {
            let precision = full.quant;
            let expected = (&*full.id, full.family.name(), precision.gemm.name(), precision.kv.name());
            assert_eq!((short.id, short.family, short.gemm, short.kv), expected);
            let asked = Scenario { model: short.id.to_owned(), ..Scenario::default() };
            assert_eq!(super::precision(&asked), Some((precision.gemm, precision.kv)));
        }
        assert_eq!(systems().len(), full.systems.len());
        for (short, full) in systems().iter().zip(&full.systems) {
            assert_eq!((short.id, short.name), (&*full.id, &*full.name));
            for pipe in [Pipe::Bf16, Pipe::Int8, Pipe::Fp8, Pipe::Fp4] {
                assert_eq!(short.has(pipe), full.peak(pipe).is_some(), "{} {pipe:?}", short.id);
            }
        }
    }
}
