//! Precisions that a checkpoint runs with on an engine and a GPU.

use perf_data::PackEntry;

use crate::backend::Backend;
use crate::model::{Family, ModelSpec};
use crate::perf::{Part, PerfDb};
use crate::quant::{FmhaQuant, Precision, Quant};
use crate::scenario::Scenario;
use crate::system::SystemSpec;

/// Precisions a worker runs with: the checkpoint's, unless the user chose, the backend cannot or no data exist.
pub(super) fn precision(
    scenario: &Scenario,
    model: &ModelSpec,
    system: &SystemSpec,
    pack: Option<&PackEntry>,
) -> Precision {
    let choice = scenario.quant;
    let mut out = model.quant;
    out.kv = choice.kv.unwrap_or(out.kv);
    if let Some(fmha) = choice.fmha {
        out.fmha = fmha;
    } else if out.fmha == FmhaQuant::Fp8 {
        let has = |fmha: FmhaQuant| {
            pack.is_some_and(|pack| pack.file("context_attention", &format!("{fmha}-{}", out.kv)).is_some())
        };
        // Sparse attention of these families runs in 16 bits unless told otherwise.
        let sparse = matches!(model.family, Family::DeepseekV32 | Family::DeepseekV4);
        if sparse || scenario.backend == Backend::Vllm || (!has(FmhaQuant::Fp8) && has(FmhaQuant::Bf16)) {
            out.fmha = FmhaQuant::Bf16;
        }
    }
    if model.family == Family::DeepseekV4 && scenario.backend == Backend::Sglang {
        out.moe = sglang_fp4_experts(out.moe, system);
    }
    // vLLM runs the 16-bit activations of Nemotron's 4-bit experts in 4 bits.
    if model.family == Family::NemotronH && scenario.backend == Backend::Vllm && out.moe == Quant::W4a16Nvfp4
    {
        out.moe = Quant::Nvfp4;
    }
    if let Some(gemm) = choice.gemm {
        out.gemm = gemm;
    } else if system.sm_version.is_none_or(|sm| sm < 100) {
        // Only Blackwell multiplies 4-bit floats; elsewhere the weights are unpacked to 16 bits.
        let unpacked = |quant| {
            if quant == Quant::Nvfp4 { Quant::Nvfp4Wo } else { quant }
        };
        out.gemm = unpacked(out.gemm);
        out.moe = unpacked(out.moe);
    }
    if out.moe == Quant::W4a16Mxfp4 && promotes_experts(model, scenario.backend, system) {
        out.moe = Quant::W4a8Mxfp4Mxfp8;
    }
    // SGLang also quantises what goes into the experts of Kimi K3 where the GPU multiplies 4-bit floats.
    let quantises = model.family == Family::KimiK3 && scenario.backend == Backend::Sglang;
    if quantises && out.moe == Quant::W4a16Mxfp4 && system.sm_version.is_some_and(|sm| sm >= 100) {
        out.moe = Quant::W4a8Mxfp4Mxfp8;
    }
    out
}

/// Whether TensorRT-LLM also quantises what goes into the 4-bit experts: those of GPT-OSS, on Blackwell.
pub(super) fn promotes_experts(model: &ModelSpec, backend: Backend, system: &SystemSpec) -> bool {
    let blackwell = system.sm_version.is_some_and(|sm| sm >= 100);
    model.arch == "GptOssForCausalLM" && backend == Backend::Trtllm && blackwell
}

/// The kernel that SGLang runs FP4 experts with.
fn sglang_fp4_experts(moe: Quant, system: &SystemSpec) -> Quant {
    match (moe, system.sm_version) {
        (Quant::W4a8Mxfp4Mxfp8, Some(100..)) => Quant::W4a8Mxfp4Mxfp8Trtllm,
        (Quant::W4a8Mxfp4Mxfp8, Some(90)) => Quant::W4a16Mxfp4Cutlass,
        _ => moe,
    }
}

/// Precision of latent prefill attention: 16 bits where only those were measured at this KV precision.
pub(super) fn measured_latent_attention(db: &PerfDb, precision: Precision) -> FmhaQuant {
    let has = |fmha: FmhaQuant| {
        let key = [Part::Text(fmha.name()), Part::Text(precision.kv.name())];
        let tables = ["context_mla", "mla_context_module"];
        tables
            .iter()
            .flat_map(|table| db.slices(table))
            .any(|slice| key[0].is(&slice.key[0]) && key[1].is(&slice.key[1]))
    };
    let only_16_bits = precision.fmha == FmhaQuant::Fp8 && !has(FmhaQuant::Fp8) && has(FmhaQuant::Bf16);
    if only_16_bits { FmhaQuant::Bf16 } else { precision.fmha }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;

    #[test]
    fn experts_run_in_8_bits_on_blackwell_with_tensorrt_llm_alone() {
        let catalog = Catalog::embedded();
        let promoted = |model: &str, backend, system: &str| {
            let (model, system) = (catalog.model(model).expect("a model"), catalog.system(system));
            promotes_experts(model, backend, system.expect("a system"))
        };
        assert!(promoted("openai/gpt-oss-20b", Backend::Trtllm, "rtx_pro_6000_server"));
        assert!(promoted("openai/gpt-oss-120b", Backend::Trtllm, "gb200"));
        assert!(!promoted("openai/gpt-oss-120b", Backend::Trtllm, "h200_sxm"));
        assert!(!promoted("openai/gpt-oss-120b", Backend::Vllm, "b200_sxm"));
        assert!(!promoted("Qwen/Qwen3-235B-A22B", Backend::Trtllm, "b200_sxm"));
    }
}
