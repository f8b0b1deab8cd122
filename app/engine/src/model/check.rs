//! Which facts make sense: nothing after this divides by zero or leaves the range of its numbers.

use super::{Family, ModelSpec};

/// A fact that makes no sense, by the name of its key in `config.json`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key} is {value}; it must be {must}")]
pub struct FactError {
    /// The key.
    pub key: &'static str,
    /// Its value.
    pub value: String,
    /// What it must be.
    pub must: String,
}

type Outcome = Result<(), FactError>;

/// Widest matrix of a feed-forward part.
const WIDTH: u32 = 1 << 20;
/// Largest hidden size and largest rank of a projection.
const HIDDEN: u32 = 1 << 16;
/// Most heads, most layers, largest head.
const HEADS: u32 = 1 << 10;
/// Longest context, tokens.
const TOKENS: u32 = 1 << 30;

/// A key, its value, and the smallest and largest it can be.
type Range = (&'static str, u32, u32, u32);

fn ranges(list: &[Range]) -> Outcome {
    match list.iter().find(|(_, value, low, high)| !(low..=high).contains(&value)) {
        None => Ok(()),
        Some((key, value, low, high)) => refuse(key, value, &format!("a whole number from {low} to {high}")),
    }
}

fn refuse(key: &'static str, value: &dyn ToString, must: &str) -> Outcome {
    Err(FactError { key, value: value.to_string(), must: must.to_owned() })
}

/// Refuses a number that `part` does not divide; 0 divides everything.
fn multiple(key: &'static str, value: u32, part: u32, of: &str) -> Outcome {
    if part == 0 || value.is_multiple_of(part) {
        return Ok(());
    }
    refuse(key, &value, &format!("a multiple of the {part} {of}"))
}

fn layers_add_up(model: &ModelSpec, key: &'static str, layers: u64) -> Outcome {
    if layers == u64::from(model.layers) {
        return Ok(());
    }
    refuse(key, &format!("a list of {layers} layers"), &format!("a list of the {} layers", model.layers))
}

impl ModelSpec {
    /// Checks every fact that a search computes with.
    pub fn check(&self) -> Result<(), FactError> {
        ranges(&[
            ("num_hidden_layers", self.layers, 1, HEADS),
            ("hidden_size", self.hidden, 1, HIDDEN),
            ("num_attention_heads", self.heads, 1, HEADS),
            ("num_key_value_heads", self.kv_heads, u32::from(self.family != Family::NemotronNas), HEADS),
            ("head_dim", self.head_dim, 1, HEADS),
            ("intermediate_size", self.ffn, u32::from(!self.is_moe() && self.nas_blocks.is_empty()), WIDTH),
            ("vocab_size", self.vocab, 1, 1 << 23),
            ("max_position_embeddings", self.max_pos, 1, TOKENS),
            ("num_nextn_predict_layers", self.mtp_layers, 0, 64),
        ])?;
        multiple("num_attention_heads", self.heads, self.kv_heads, "KV heads")?;
        check_names(self)?;
        check_experts(self)?;
        check_blocks(self)?;
        self.check_sparse()?;
        self.check_states()?;
        self.check_kinds()?;
        check_vision(self)
    }

    fn check_sparse(&self) -> Outcome {
        if let Some(mla) = self.mla {
            ranges(&[
                ("kv_lora_rank", mla.kv_lora_rank, 0, HIDDEN),
                ("qk_rope_head_dim", mla.qk_rope_head_dim, 0, HEADS),
                ("v_head_dim", mla.v_head_dim, 0, HEADS),
            ])?;
        }
        if let Some(dsa) = self.dsa {
            ranges(&[
                ("q_lora_rank", dsa.q_lora_rank, 1, HIDDEN),
                ("kv_lora_rank", dsa.kv_lora_rank, 1, HIDDEN),
                ("qk_nope_head_dim", dsa.qk_nope_head_dim, 1, HEADS),
                ("qk_rope_head_dim", dsa.qk_rope_head_dim, 1, HEADS),
                ("v_head_dim", dsa.v_head_dim, 1, HEADS),
                ("index_head_dim", dsa.index_head_dim, 1, HEADS),
                ("index_n_heads", dsa.index_n_heads, 1, HEADS),
                ("index_topk", dsa.index_topk, 1, WIDTH),
                ("index_topk_freq", dsa.full_layers, 0, self.layers),
            ])?;
        }
        let Some(facts) = &self.dsv4 else { return Ok(()) };
        ranges(&[
            ("q_lora_rank", facts.q_lora_rank, 1, HIDDEN),
            ("o_lora_rank", facts.o_lora_rank, 1, HIDDEN),
            ("o_groups", facts.o_groups, 1, HEADS),
            ("head_dim", facts.head_dim, 1, HEADS),
            ("qk_rope_head_dim", facts.qk_rope_head_dim, 1, HEADS),
            ("index_head_dim", facts.index_head_dim, 1, HEADS),
            ("index_n_heads", facts.index_n_heads, 1, HEADS),
            ("index_topk", facts.index_topk, 1, WIDTH),
            ("sliding_window", facts.sliding_window, 1, WIDTH),
            ("hc_mult", facts.hc_mult, 1, 64),
            ("hc_sinkhorn_iters", facts.hc_sinkhorn_iters, 0, HEADS),
        ])?;
        let known = facts.layers_by_ratio.keys().all(|ratio| matches!(ratio, 0 | 4 | 128));
        let mut seen = facts.first_seen.clone();
        seen.sort_unstable();
        if !known || !seen.iter().eq(facts.layers_by_ratio.keys()) {
            return refuse("compress_ratios", &format!("{:?}", facts.first_seen), "a list of 0, 4 and 128");
        }
        layers_add_up(self, "compress_ratios", facts.layers_by_ratio.values().map(|&n| u64::from(n)).sum())
    }

    fn check_states(&self) -> Outcome {
        if let Some(gdn) = self.gdn {
            ranges(&[
                ("linear_num_key_heads", gdn.num_key_heads, 1, HEADS),
                ("linear_key_head_dim", gdn.key_head_dim, 1, HEADS),
                ("linear_num_value_heads", gdn.num_value_heads, 1, HEADS),
                ("linear_value_head_dim", gdn.value_head_dim, 1, HEADS),
                ("linear_conv_kernel_dim", gdn.conv_kernel_dim, 1, 256),
                ("shared_expert_intermediate_size", gdn.shared_ffn, 0, WIDTH),
            ])?;
            multiple("linear_num_value_heads", gdn.num_value_heads, gdn.num_key_heads, "key heads")?;
            layers_add_up(self, "layer_types", u64::from(gdn.linear) + u64::from(gdn.full))?;
        }
        if let Some(k3) = self.k3 {
            ranges(&[
                ("linear_attn_config.kda_layers", k3.kda_layers, 1, self.layers),
                ("linear_attn_config.num_heads", k3.kda_heads, 1, HEADS),
                ("linear_attn_config.head_dim", k3.kda_head_dim, 1, HEADS),
                ("linear_attn_config.short_conv_kernel_size", k3.conv, 1, 256),
                ("q_lora_rank", k3.q_lora_rank, 1, HIDDEN),
                ("kv_lora_rank", k3.kv_lora_rank, 1, HIDDEN),
                ("qk_nope_head_dim", k3.qk_nope_head_dim, 1, HEADS),
                ("qk_rope_head_dim", k3.qk_rope_head_dim, 1, HEADS),
                ("v_head_dim", k3.v_head_dim, 1, HEADS),
                ("routed_expert_hidden_size", k3.routed_expert_hidden_size, 0, HIDDEN),
                ("num_shared_experts", k3.num_shared_experts, 0, 64),
                ("first_k_dense_replace", k3.first_k_dense_replace, 0, self.layers),
                ("attn_res_block_size", k3.attn_res_block_size, 0, HEADS),
            ])?;
        }
        let Some(nemh) = self.nemh else { return Ok(()) };
        ranges(&[
            ("mamba_num_heads", nemh.mamba_heads, 1, HEADS),
            ("mamba_head_dim", nemh.mamba_head_dim, 1, HEADS),
            ("ssm_state_size", nemh.state, 1, 4096),
            ("conv_kernel", nemh.conv, 1, 256),
            ("n_groups", nemh.n_groups, 1, HEADS),
            ("chunk_size", nemh.chunk, 1, WIDTH),
            ("moe_shared_expert_intermediate_size", nemh.shared_ffn, 0, WIDTH),
            ("moe_latent_size", nemh.latent, 0, HIDDEN),
            ("n_routed_experts", self.experts, u32::from(nemh.routed > 0), u32::MAX),
        ])?;
        multiple("mamba_num_heads", nemh.mamba_heads, nemh.n_groups, "groups")?;
        let layers = [nemh.mamba, nemh.routed, nemh.attention, nemh.dense];
        layers_add_up(self, "hybrid_override_pattern", layers.into_iter().map(u64::from).sum())
    }

    fn check_kinds(&self) -> Outcome {
        if let Some(kinds) = self.hybrid {
            ranges(&[
                ("sliding_window", kinds.window, 0, TOKENS),
                ("attention_other_setting.num_attention_heads", kinds.swa_heads, 0, HEADS),
                ("swa_num_key_value_heads", kinds.swa_kv, 0, HEADS),
                ("swa_head_dim", kinds.swa_hd, 0, HEADS),
                ("swa_v_head_dim", kinds.swa_vhd, 0, HEADS),
                ("v_head_dim", kinds.glob_vhd, 0, HEADS),
                ("intermediate_size_mlp", kinds.dense_ffn, 0, WIDTH),
                ("share_expert_dim", kinds.shared_ffn, 0, WIDTH),
            ])?;
            let or = |own: u32, model| if own > 0 { own } else { model };
            let (heads, kv) = (or(kinds.swa_heads, self.heads), or(kinds.swa_kv, self.kv_heads));
            multiple("swa_num_attention_heads", heads, kv, "KV heads")?;
            let layers = [kinds.global_moe, kinds.swa_moe, kinds.swa_dense, kinds.global_dense];
            layers_add_up(self, "layer_types", layers.into_iter().map(u64::from).sum())?;
        }
        let Some(kinds) = self.gemma4 else { return Ok(()) };
        ranges(&[
            ("num_key_value_heads", kinds.swa_kv, 1, HEADS),
            ("head_dim", kinds.swa_hd, 1, HEADS),
            ("num_global_key_value_heads", kinds.g_kv, 1, HEADS),
            ("global_head_dim", kinds.g_hd, 1, HEADS),
            ("sliding_window", kinds.window, 0, TOKENS),
        ])?;
        multiple("num_attention_heads", self.heads, kinds.swa_kv, "KV heads")?;
        multiple("num_attention_heads", self.heads, kinds.g_kv, "global KV heads")?;
        layers_add_up(self, "layer_types", u64::from(kinds.swa) + u64::from(kinds.full))
    }
}

/// A family has the facts that its operators need, and its names are names.
fn check_names(model: &ModelSpec) -> Outcome {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if model.arch.is_empty() || model.arch.len() > 64 || !model.arch.chars().all(is_name) {
        return refuse("architectures", &format!("{:?}", model.arch), "the name of a class");
    }
    let family = model.family;
    let parts = [
        ("kv_lora_rank", model.mla.is_some(), matches!(family, Family::Deepseek | Family::KimiK25)),
        ("index_topk", model.dsa.is_some(), family == Family::DeepseekV32),
        ("compress_ratios", model.dsv4.is_some(), family == Family::DeepseekV4),
        ("layer_types", model.hybrid.is_some(), matches!(family, Family::HybridMoe | Family::Step3p7)),
        ("layer_types", model.gemma4.is_some(), family == Family::Gemma4Mix),
        ("hybrid_override_pattern", model.nemh.is_some(), family == Family::NemotronH),
        ("block_configs", !model.nas_blocks.is_empty(), family == Family::NemotronNas),
        ("layer_types", model.gdn.is_some(), family == Family::Qwen35),
        ("linear_attn_config", model.k3.is_some(), family == Family::KimiK3),
        ("vision_config", model.vit.is_some(), matches!(family, Family::Qwen3Vl | Family::Qwen3VlMoe)),
    ];
    match parts.into_iter().find(|(_, has, needs)| has != needs) {
        Some((key, has, _)) => {
            let (value, must) = if has { ("given", "left out") } else { ("left out", "given") };
            refuse(key, &value, &format!("{must} for {}", model.arch))
        }
        None => Ok(()),
    }
}

fn check_experts(model: &ModelSpec) -> Outcome {
    let (low, high) = match model.family {
        Family::Llama | Family::Qwen3Vl | Family::NemotronNas => (0, 0),
        Family::Gemma4Mix | Family::NemotronH | Family::Qwen35 => (0, 8192),
        _ => (1, 8192),
    };
    ranges(&[("num_experts", model.experts, low, high)])?;
    if model.is_moe() {
        ranges(&[
            ("num_experts_per_tok", model.topk, 1, model.experts),
            ("moe_intermediate_size", model.moe_ffn, 1, WIDTH),
        ])?;
    }
    let known = |names: &[String], known: &[&str]| {
        names.len() <= known.len() && names.iter().all(|name| known.contains(&name.as_str()))
    };
    if known(&model.attn_unquantized, &["indexer", "kv", "o", "q"])
        && known(&model.unquantized_patterns, &["self_attn", "linear_attn", "mlp", "mlp_not_shared"])
    {
        return Ok(());
    }
    refuse("quantization_config.ignore", &"a list of unknown parts", "a list of known ones")
}

fn check_blocks(model: &ModelSpec) -> Outcome {
    if model.nas_blocks.is_empty() {
        return Ok(());
    }
    for block in &model.nas_blocks {
        if let Some(group) = block.group {
            ranges(&[("block_configs.attention.n_heads_in_group", group, 1, model.heads)])?;
            multiple("num_attention_heads", model.heads, group, "heads of a group")?;
        }
        if let Some(width) = block.ffn.filter(|width| !(*width > 0.0 && *width <= 64.0)) {
            return refuse("block_configs.ffn.ffn_mult", &width, "above 0 and at most 64");
        }
    }
    layers_add_up(model, "block_configs", model.nas_blocks.iter().map(|block| u64::from(block.count)).sum())
}

fn check_vision(model: &ModelSpec) -> Outcome {
    let Some(vit) = &model.vit else { return Ok(()) };
    ranges(&[
        ("vision_config.depth", vit.depth, 1, HEADS),
        ("vision_config.hidden_size", vit.hidden, 1, HIDDEN),
        ("vision_config.num_heads", vit.heads, 1, HEADS),
        ("vision_config.intermediate_size", vit.ffn, 1, WIDTH),
        ("vision_config.patch_size", vit.patch, 1, 4096),
        ("vision_config.spatial_merge_size", vit.merge, 1, 16),
        ("vision_config.out_hidden_size", vit.out, 1, HIDDEN),
        ("vision_config.deepstack_visual_indexes", vit.projector_instances, 1, HEADS),
    ])?;
    multiple("vision_config.hidden_size", vit.hidden, vit.heads, "heads of the encoder")?;
    let merged = vit.hidden * vit.merge * vit.merge;
    if vit.projector == [[merged, merged], [merged, vit.out]] {
        return Ok(());
    }
    refuse("vision_config.hidden_size", &vit.hidden, "the width that the projectors read")
}

#[cfg(test)]
mod tests {
    use crate::catalog::Catalog;

    #[test]
    fn the_catalogue_makes_sense() {
        for model in &Catalog::embedded().models {
            assert_eq!(model.check(), Ok(()), "{}", model.id);
        }
    }
}
