//! Which layouts, batches and step sizes a search tries.

use crate::backend::Backend;
use crate::model::{Family, ModelSpec};
use crate::parallel::Parallel;
use crate::system::SystemSpec;

/// What a worker does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WorkerRole {
    /// Prefill and decode in the same steps.
    Agg,
    /// Prefill only.
    Prefill,
    /// Decode only.
    Decode,
}

/// Largest batch that is tried.
pub const MAX_BATCH: u32 = 512;
/// Largest prefill batch that is tried.
pub const MAX_PREFILL_BATCH: u32 = 8;

/// Whether a family can split one sequence over several GPUs in prefill.
fn has_context_parallel(family: Family) -> bool {
    matches!(family, Family::Llama)
}

/// Layouts of one worker, in the order that breaks ties.
pub fn layouts(
    model: &ModelSpec,
    system: &SystemSpec,
    backend: Backend,
    role: WorkerRole,
    pipeline: bool,
) -> Vec<Parallel> {
    let rack = matches!(system.id.as_str(), "gb200" | "gb300");
    let tp: &[u32] = if rack { &[1, 2, 4, 8, 16] } else { &[1, 2, 4, 8] };
    let pp: &[u32] = if pipeline { &[1, 2, 4] } else { &[1] };
    let splits =
        backend == Backend::Sglang && role != WorkerRole::Decode && has_context_parallel(model.family);
    let cp: &[u32] = if splits { &[1, 2, 4, 8] } else { &[1] };
    let most = tp.iter().max().copied().unwrap_or(1) * pp.iter().max().copied().unwrap_or(1);
    let mut out = Vec::new();
    for &tp in tp.iter().filter(|&&tp| model.heads.is_multiple_of(tp)) {
        for &pp in pp {
            for &cp in cp {
                // Context parallel attention works on whole heads only.
                let legal = cp == 1 || tp == 1;
                if legal && tp * pp * cp <= most {
                    out.push(Parallel::dense(tp, pp, cp));
                }
            }
        }
    }
    out
}

/// Batches of aggregated serving.
pub fn agg_batches() -> Vec<u32> {
    let mut out: Vec<u32> = (1..16).collect();
    out.extend((16..32).step_by(4));
    out.extend((32..64).step_by(8));
    out.extend((64..256).step_by(16));
    out.extend((256..512).step_by(32));
    out.push(MAX_BATCH);
    out
}

/// Batches of a decode worker.
pub fn decode_batches() -> Vec<u32> {
    let mut out: Vec<u32> = (1..16).collect();
    out.extend((16..32).step_by(2));
    out.extend((32..128).step_by(4));
    out.extend((128..512).step_by(8));
    out.push(MAX_BATCH);
    out
}

/// Prefill tokens of a mixed step, ascending.
pub fn context_tokens(isl: u32, chunked: bool) -> Vec<u32> {
    let cap = (2 * isl).max(8192);
    let (mut small, mut large) = (512, (cap / 8).max(1024));
    if !chunked {
        small = isl.max(512);
        large = large.div_ceil(isl) * isl;
    }
    let mut out = Vec::new();
    let mut at = 0;
    loop {
        at += if at < 8192 { small } else { large };
        if at > cap {
            break;
        }
        out.push(at);
    }
    for whole in [isl, 2 * isl] {
        if !out.contains(&whole) {
            out.push(whole);
        }
    }
    out.sort_unstable();
    out
}

/// A mixed step must leave room for at least one decoding request.
pub fn leaves_a_decode(batch: u32, ctx_tokens: u32, isl: u32) -> bool {
    let prompts = ctx_tokens.div_ceil(isl);
    batch >= prompts && (batch == 1 || batch > prompts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_prompts_unless_chunked() {
        assert_eq!(context_tokens(4000, false), [4000, 8000]);
        assert_eq!(context_tokens(1024, false), (1..=8).map(|k| k * 1024).collect::<Vec<_>>());
        assert_eq!(context_tokens(4000, true).len(), 18);
    }

    #[test]
    fn batch_lists_end_at_the_limit() {
        assert_eq!((agg_batches().len(), agg_batches().last()), (44, Some(&512)));
        assert_eq!((decode_batches().len(), decode_batches().last()), (96, Some(&512)));
    }
}
