//! Vision encoder of Qwen3-VL: what runs before prefill when a request has images.

use crate::model::Vit;
use crate::ops::{ATTENTION, Collective, CommQuant, Op, OpKind};
use crate::quant::{FmhaQuant, Quant};

/// Family of the tables that only the encoder reads.
pub const TABLE: &str = "encoder_attention";

/// Start of the names of projector operators.
const PROJECTOR: &str = "projector_";
/// The exchange after which every rank has the tokens of all images.
const EXCHANGE: &str = "dp_all_gather";

/// How the ranks of a worker share the encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Every rank holds all of it and encodes a part of the images.
    Images,
    /// Every rank holds a part of it and sees all images.
    Weights,
}

/// Tokens of one image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageTokens {
    /// Patches, which the encoder sees.
    pub patches: u32,
    /// Merged patches, which projector and language model see.
    pub merged: u32,
}

impl ImageTokens {
    /// Tokens of an image of this size, pixels.
    pub fn of(vit: &Vit, height: u32, width: u32) -> Self {
        let stride = (vit.patch * vit.merge).max(1);
        let blocks = |pixels: u32| {
            let whole = (f64::from(pixels) / f64::from(stride)).round_ties_even() as u32;
            whole.max(1)
        };
        let merged = blocks(height) * blocks(width);
        Self { patches: merged * vit.merge * vit.merge, merged }
    }
}

/// Operators of the encoder on one of `tp` ranks, 16-bit throughout.
pub fn operators(vit: &Vit, tp: u32, sharing: Sharing) -> Vec<Op> {
    let shards = if sharing == Sharing::Weights { tp } else { 1 };
    let mut out = Encoder { ops: Vec::new(), shards };
    layers(&mut out, vit);
    projectors(&mut out, vit);
    if sharing == Sharing::Images && tp > 1 {
        let elements = f64::from(vit.out) * f64::from(vit.projector_instances) * f64::from(tp);
        let (collective, dtype) = (Collective::AllGather, CommQuant::Half);
        out.op(EXCHANGE, 1, OpKind::Nccl { collective, elements, gpus: tp, dtype });
    }
    out.ops
}

/// Whether an operator sees merged patches: the projectors and the exchange after them.
pub fn sees_merged(op: &Op) -> bool {
    op.name.starts_with(PROJECTOR) || op.name == EXCHANGE
}

/// An encoder's list under construction.
struct Encoder {
    ops: Vec<Op>,
    shards: u32,
}

impl Encoder {
    fn op(&mut self, name: impl Into<String>, count: u32, kind: OpKind) {
        let count = f64::from(count);
        self.ops.push(Op { name: name.into(), count, seq_split: 1, token_divisor: 1, kind });
    }

    fn elementwise(&mut self, name: impl Into<String>, count: u32, width: u32) {
        self.op(name, count, OpKind::Elementwise { bytes_per_token: 4.0 * f64::from(width) });
    }

    fn gemm(&mut self, name: impl Into<String>, count: u32, n: u32, k: u32, low_precision_input: bool) {
        let quant = Quant::Bf16;
        let kind = OpKind::Gemm { n, k, quant, low_precision_input, roofline_below: false };
        self.op(name, count, kind);
    }

    fn all_reduce(&mut self, name: &str, count: u32, hidden: u32) {
        self.op(name, count, OpKind::AllReduce { hidden, gpus: self.shards });
    }
}

fn layers(out: &mut Encoder, vit: &Vit) {
    let Vit { depth, hidden, ffn, .. } = *vit;
    let (heads, head_dim) = (vit.heads / out.shards, hidden / vit.heads.max(1));
    out.elementwise("add_norm_1", depth, 2 * hidden);
    out.gemm("qkv_gemm", depth, 3 * vit.heads * head_dim / out.shards, hidden, false);
    out.op(ATTENTION, depth, OpKind::EncoderAttention { heads, head_dim, fmha: FmhaQuant::Bf16 });
    out.gemm("proj_gemm", depth, hidden, vit.heads * head_dim / out.shards, true);
    out.all_reduce("ar_1", depth, hidden);
    out.elementwise("add_norm_2", depth, 2 * hidden);
    out.gemm("ffn1_gemm", depth, ffn / out.shards, hidden, false);
    out.elementwise("act", depth, ffn / out.shards);
    out.gemm("ffn2_gemm", depth, hidden, ffn / out.shards, true);
    out.all_reduce("ar_2", depth, hidden);
    // Rotary embedding of queries and keys, a pass of its own here.
    out.elementwise("rope_apply", depth, 6 * heads * head_dim);
}

/// Split along the inner width: first layers by columns, the last one by rows.
fn projectors(out: &mut Encoder, vit: &Vit) {
    let instances = vit.projector_instances;
    let last = vit.projector.len().saturating_sub(1);
    for (at, &[inner, outer]) in vit.projector.iter().enumerate() {
        let by_rows = at == last && last > 0;
        let (n, k) = if by_rows { (outer, inner / out.shards) } else { (outer / out.shards, inner) };
        out.gemm(format!("{PROJECTOR}fc{at}_gemm"), instances, n, k, false);
        if at < last {
            out.elementwise(format!("{PROJECTOR}fc{at}_act"), instances, outer / out.shards);
        }
    }
    if let Some(&[_, outer]) = vit.projector.last() {
        out.all_reduce(&format!("{PROJECTOR}ar"), instances, outer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;

    fn vit() -> &'static Vit {
        Catalog::embedded().model("Qwen/Qwen3-VL-8B-Instruct").unwrap().vit.as_ref().unwrap()
    }

    fn shape(ops: &[Op], name: &str) -> (f64, u32, u32) {
        let op = ops.iter().find(|op| op.name == name).unwrap();
        match op.kind {
            OpKind::Gemm { n, k, .. } => (op.count, n, k),
            OpKind::EncoderAttention { heads, head_dim, .. } => (op.count, heads, head_dim),
            OpKind::AllReduce { hidden, gpus } => (op.count, hidden, gpus),
            OpKind::Nccl { elements, gpus, .. } => (op.count, elements as u32, gpus),
            ref other => panic!("{other:?}"),
        }
    }

    #[test]
    fn ranks_that_share_images_hold_all_weights() {
        let ops = operators(vit(), 4, Sharing::Images);
        assert_eq!(shape(&ops, "qkv_gemm"), (27.0, 3 * 1152, 1152));
        assert_eq!(shape(&ops, "attention"), (27.0, 16, 72));
        assert_eq!(shape(&ops, "ar_1"), (27.0, 1152, 1));
        assert_eq!(shape(&ops, "projector_fc0_gemm"), (4.0, 4608, 4608));
        assert_eq!(shape(&ops, "projector_fc1_gemm"), (4.0, 4096, 4608));
        assert_eq!(shape(&ops, "dp_all_gather"), (1.0, 4096 * 4 * 4, 4));
        assert_eq!(ops.len(), 11 + 4 + 1);
    }

    #[test]
    fn ranks_that_share_weights_split_every_layer() {
        let ops = operators(vit(), 4, Sharing::Weights);
        assert_eq!(shape(&ops, "qkv_gemm"), (27.0, 3 * 1152 / 4, 1152));
        assert_eq!(shape(&ops, "attention"), (27.0, 4, 72));
        assert_eq!(shape(&ops, "ffn2_gemm"), (27.0, 1152, 4304 / 4));
        assert_eq!(shape(&ops, "ar_2"), (27.0, 1152, 4));
        assert_eq!(shape(&ops, "projector_fc0_gemm"), (4.0, 4608 / 4, 4608));
        assert_eq!(shape(&ops, "projector_fc1_gemm"), (4.0, 4096, 4608 / 4));
        assert_eq!(shape(&ops, "projector_ar"), (4.0, 4096, 4));
        assert!(!ops.iter().any(|op| op.name == "dp_all_gather"));
    }

    #[test]
    fn images_are_rounded_to_whole_merged_patches() {
        let of = |height, width| ImageTokens::of(vit(), height, width);
        assert_eq!(of(1024, 1024), ImageTokens { patches: 64 * 64, merged: 32 * 32 });
        // 1080 / 32 = 33.75, 1920 / 32 = 60.
        assert_eq!(of(1080, 1920), ImageTokens { patches: 4 * 34 * 60, merged: 34 * 60 });
        assert_eq!(of(1, 48), ImageTokens { patches: 8, merged: 2 });
    }
}
