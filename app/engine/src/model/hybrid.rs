//! Models whose layers differ: global and sliding attention, dense and routed feed-forward, state space.

use serde::{Deserialize, Serialize};

/// Kinds of layers of MiMo-V2, Llama 4 and Step 3.7. A size of 0 means that of the whole model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hybrid {
    /// Window of sliding attention, tokens.
    pub window: u32,
    /// Query heads of sliding attention.
    pub swa_heads: u32,
    /// KV heads of sliding attention.
    pub swa_kv: u32,
    /// Head size of sliding attention.
    pub swa_hd: u32,
    /// Value width of a head of sliding attention.
    pub swa_vhd: u32,
    /// Value width of a head of global attention.
    pub glob_vhd: u32,
    /// Width of the dense feed-forward layers.
    pub dense_ffn: u32,
    /// Whether queries and keys are normalised.
    pub qk_norm: bool,
    /// Whether each head's output is gated.
    pub gate: bool,
    /// Width of the shared expert.
    #[serde(default, rename = "share_expert_dim_top_level")]
    pub shared_ffn: u32,
    /// Layers with global attention and routed experts.
    pub global_moe: u32,
    /// Layers with sliding attention and routed experts.
    pub swa_moe: u32,
    /// Layers with sliding attention and a dense feed-forward part.
    pub swa_dense: u32,
    /// Layers with global attention and a dense feed-forward part.
    pub global_dense: u32,
}

/// Kinds of layers of Gemma 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gemma4 {
    /// Layers with sliding attention.
    pub swa: u32,
    /// Layers with global attention.
    pub full: u32,
    /// KV heads of sliding attention.
    pub swa_kv: u32,
    /// Head size of sliding attention.
    pub swa_hd: u32,
    /// KV heads of global attention.
    pub g_kv: u32,
    /// Head size of global attention.
    pub g_hd: u32,
    /// Window of sliding attention, tokens.
    pub window: u32,
    /// Whether global attention uses its keys as values.
    pub k_eq_v: bool,
}

/// Layers of Nemotron-H by what they do, and the sizes of its Mamba-2 layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NemotronH {
    /// Mamba-2 layers.
    #[serde(rename = "M")]
    pub mamba: u32,
    /// Layers of routed experts.
    #[serde(rename = "E")]
    pub routed: u32,
    /// Attention layers.
    #[serde(rename = "A")]
    pub attention: u32,
    /// Dense feed-forward layers.
    #[serde(rename = "D")]
    pub dense: u32,
    /// Mamba heads.
    pub mamba_heads: u32,
    /// Size of one Mamba head.
    pub mamba_head_dim: u32,
    /// Size of the state.
    #[serde(rename = "ssm_state")]
    pub state: u32,
    /// Width of the convolution, tokens.
    pub conv: u32,
    /// Groups that share their state projections.
    pub n_groups: u32,
    /// Tokens that a prefill kernel scans at once.
    pub chunk: u32,
    /// Width of the shared expert.
    pub shared_ffn: u32,
    /// Width of the space that the experts work in; 0 means the hidden size.
    pub latent: u32,
}

/// A run of equal blocks of Nemotron-NAS.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "NasTuple", into = "NasTuple")]
pub struct NasBlocks {
    /// Query heads that share a KV head; none without attention.
    pub group: Option<u32>,
    /// Width of the feed-forward part as a multiple of the hidden size; none without that part.
    pub ffn: Option<f64>,
    /// Blocks in the run.
    pub count: u32,
}

/// As the catalogue has it: heads per group, no attention, multiple, no feed-forward part, count.
type NasTuple = (Option<u32>, bool, f64, bool, u32);

impl From<NasTuple> for NasBlocks {
    fn from((group, no_attention, ffn, no_ffn, count): NasTuple) -> Self {
        Self { group: group.filter(|_| !no_attention), ffn: (!no_ffn).then_some(ffn), count }
    }
}

impl From<NasBlocks> for NasTuple {
    fn from(NasBlocks { group, ffn, count }: NasBlocks) -> Self {
        (group, group.is_none(), ffn.unwrap_or_default(), ffn.is_none(), count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_keep_what_the_catalogue_says() {
        for (text, want) in [
            ("[8,false,5.25,false,3]", NasBlocks { group: Some(8), ffn: Some(5.25), count: 3 }),
            ("[null,true,0.5,false,2]", NasBlocks { group: None, ffn: Some(0.5), count: 2 }),
            ("[4,false,0.0,true,1]", NasBlocks { group: Some(4), ffn: None, count: 1 }),
        ] {
            let got: NasBlocks = serde_json::from_str(text).unwrap();
            assert_eq!(got, want);
            assert_eq!(serde_json::to_string(&got).unwrap(), text);
        }
    }
}
