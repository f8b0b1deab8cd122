//! How attention and experts share the GPUs of an engine.

use super::gpus::Layout;
use super::trtllm::Engine;
use super::{Component, Framework};
use crate::manifest::Check;
use crate::manifest::check::files::Files;

const SGLANG_TP: &[&str] = &["--tp", "--tp-size", "--tensor-parallel-size"];
const SGLANG_PP: &[&str] = &["--pp", "--pp-size", "--pipeline-parallel-size"];
const SGLANG_DP: &[&str] = &["--dp", "--dp-size", "--data-parallel-size"];
const SGLANG_EP: &[&str] = &["--ep", "--ep-size", "--expert-parallel-size"];
const DP_ATTENTION: &[&str] = &["--enable-dp-attention"];

/// Flags by which vLLM runs only some of its ranks here.
const PARTIAL: &[&str] = &[
    "--data-parallel-size-local",
    "-dpl",
    "--data-parallel-rank",
    "-dpn",
    "--data-parallel-hybrid-lb",
    "--data-parallel-external-lb",
];

impl Component<'_> {
    /// Sizes of its engine; none when they cannot be known.
    pub(super) fn layout(&self, framework: Framework, files: &Files<'_>) -> Option<Layout> {
        let args = &self.args;
        let (tp, pp, dp) = match framework {
            Framework::Vllm => {
                if args.has(PARTIAL) {
                    return None;
                }
                (
                    args.size(&["--tensor-parallel-size", "-tp"], 1)?,
                    args.size(&["--pipeline-parallel-size", "-pp"], 1)?,
                    args.size(&["--data-parallel-size", "-dp"], 1)?,
                )
            }
            Framework::Sglang => {
                let dp = if args.has(DP_ATTENTION) { 1 } else { args.size(SGLANG_DP, 1)? };
                (args.size(SGLANG_TP, 1)?, args.size(SGLANG_PP, 1)?, dp)
            }
            Framework::TrtLlm => {
                let engine = Engine::new(self, files);
                let tp = engine.size("tensor_parallel_size", 1)?;
                let cp = engine.size("context_parallel_size", 1)?;
                (tp.checked_mul(cp)?, engine.size("pipeline_parallel_size", 1)?, 1)
            }
        };
        Some(Layout { framework, tp, pp, dp })
    }
}

/// Sizes that must divide each other.
pub(super) fn check(
    component: &Component<'_>,
    framework: Framework,
    files: &Files<'_>,
    out: &mut Vec<Check>,
) {
    match framework {
        Framework::Vllm => {}
        Framework::Sglang => sglang(component, out),
        Framework::TrtLlm => trtllm(component, files, out),
    }
}

fn sglang(component: &Component<'_>, out: &mut Vec<Check>) {
    let args = &component.args;
    let Some(tp) = args.size(SGLANG_TP, 1) else { return };
    if let Some((flag, ep)) = args.flag(SGLANG_EP).zip(args.size(SGLANG_EP, 1))
        && tp % ep != 0
    {
        let message =
            format!("EP {ep} does not divide TP {tp}, which is the whole worker; choose a divisor.");
        out.push(Check::error(flag.value_path(), "expert-parallel", message));
    }
    let Some((flag, dp)) =
        args.flag(SGLANG_DP).zip(args.size(SGLANG_DP, 1)).filter(|_| args.has(DP_ATTENTION))
    else {
        return;
    };
    if tp % dp != 0 {
        let message = format!(
            "With --enable-dp-attention, DP lies within TP: DP {dp} does not divide TP {tp}. Choose a divisor."
        );
        out.push(Check::error(flag.value_path(), "attention-dp", message));
    }
    if let Some((flag, running)) =
        args.flag(&["--max-running-requests"]).zip(args.given(&["--max-running-requests"]))
        && running < dp
    {
        let message = format!(
            "--max-running-requests is {running} for all ranks together, below DP {dp}; give each rank one at least."
        );
        out.push(Check::error(flag.value_path(), "batch", message));
    }
}

fn trtllm(component: &Component<'_>, files: &Files<'_>, out: &mut Vec<Check>) {
    let engine = Engine::new(component, files);
    let Some(tp) = engine.size("tensor_parallel_size", 1) else { return };
    let given = |name: &str| engine.get(name).and_then(|value| value.as_u64()).filter(|&size| size > 0);
    let (moe_tp, moe_ep) = (given("moe_tensor_parallel_size"), given("moe_expert_parallel_size"));
    let problem = match (moe_tp, moe_ep) {
        (Some(moe_tp), Some(moe_ep)) if moe_tp.checked_mul(moe_ep) != Some(tp) => Some(format!(
            "moe_tensor_parallel_size {moe_tp} × moe_expert_parallel_size {moe_ep} must be tensor_parallel_size, which is {tp}."
        )),
        (Some(size), None) | (None, Some(size)) if tp % size != 0 => {
            Some(format!("The experts are split by {size}, which does not divide tensor_parallel_size {tp}."))
        }
        _ => None,
    };
    let Some(problem) = problem else { return };
    let name = if moe_ep.is_some() { "moe_expert_parallel_size" } else { "moe_tensor_parallel_size" };
    let check = |path: String| Check::error(path, "expert-parallel", problem);
    match engine.file {
        Some(text) if text.value().is_some_and(|value| value.get(name).is_some()) => {
            out.push(text.placed(check(format!("{}.{name}", text.path))));
        }
        _ => out.push(check(crate::manifest::yaml::join(&component.main_path, "args"))),
    }
}
