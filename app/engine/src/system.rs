//! GPU systems: peaks, bandwidths, memory.

use serde::Deserialize;

use crate::quant::Pipe;

/// One GPU system.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct SystemSpec {
    /// Id, such as `h100_sxm`.
    pub id: String,
    /// Name for people, such as `H100 SXM`.
    pub name: String,
    /// Compute capability, such as 90.
    pub sm_version: Option<u32>,
    /// GPUs per node.
    pub gpus_per_node: u32,
    /// GPUs per rack-scale domain, where there is one.
    pub gpus_per_rack: Option<u32>,
    /// Memory of one GPU, bytes.
    pub mem_bytes: u64,
    /// Peak memory bandwidth, bytes per second.
    pub mem_bw_bytes_per_sec: f64,
    /// Share of the peak that memory-bound operators reach.
    pub mem_bw_scale: f64,
    /// Constant part of a memory-bound operator, seconds.
    pub mem_latency_s: f64,
    /// Dense tensor-core peaks, FLOP/s.
    pub flops: Flops,
    /// Board power, watts.
    pub power_w: Option<f64>,
    /// Per GPU, one direction, inside a node, bytes per second.
    pub intra_node_bw: f64,
    /// Per GPU, one direction, between nodes, bytes per second.
    pub inter_node_bw: f64,
    /// Per GPU, one direction, between racks, bytes per second.
    pub inter_rack_bw: Option<f64>,
    /// Latency of a pipeline hop, seconds.
    pub p2p_latency_s: f64,
    /// Communication buffers for 1, 2, 4 and 8 GPUs, bytes.
    pub nccl_mem_bytes: NcclMem,
    /// Memory taken by the runtime, bytes.
    pub other_mem_bytes: u64,
}

/// Dense tensor-core peaks, FLOP/s; none where the GPU has no such pipe.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub struct Flops {
    /// 16-bit floating point.
    pub bfloat16: Option<f64>,
    /// 8-bit integer.
    pub int8: Option<f64>,
    /// 8-bit floating point.
    pub fp8: Option<f64>,
    /// 4-bit floating point.
    pub fp4: Option<f64>,
}

/// Communication buffers by number of GPUs, bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct NcclMem {
    /// One GPU.
    #[serde(rename = "1")]
    pub one: u64,
    /// Two GPUs.
    #[serde(rename = "2")]
    pub two: u64,
    /// Four GPUs.
    #[serde(rename = "4")]
    pub four: u64,
    /// Eight GPUs.
    #[serde(rename = "8")]
    pub eight: u64,
}

impl SystemSpec {
    /// Peak of a tensor-core pipe, FLOP/s; none when the GPU does not have it.
    pub fn peak(&self, pipe: Pipe) -> Option<f64> {
        let peak = match pipe {
            Pipe::Bf16 => self.flops.bfloat16,
            Pipe::Int8 => self.flops.int8,
            Pipe::Fp8 => self.flops.fp8,
            Pipe::Fp4 => self.flops.fp4,
        };
        peak.filter(|&flops| flops > 0.0)
    }

    /// Per-GPU bandwidth of a collective over `gpus` GPUs, bytes per second.
    pub fn fan_out_bw(&self, gpus: u32) -> f64 {
        if gpus <= self.gpus_per_node {
            self.intra_node_bw
        } else if self.gpus_per_rack.is_none_or(|rack| gpus <= rack) {
            self.inter_node_bw
        } else {
            self.inter_rack_bw.unwrap_or(self.inter_node_bw)
        }
    }

    /// Communication buffers of a worker with this tensor parallel size, bytes; none for other sizes than 1, 2, 4, 8.
    pub fn nccl_bytes(&self, tp: u32) -> Option<u64> {
        match tp.min(8) {
            1 => Some(self.nccl_mem_bytes.one),
            2 => Some(self.nccl_mem_bytes.two),
            4 => Some(self.nccl_mem_bytes.four),
            8 => Some(self.nccl_mem_bytes.eight),
            _ => None,
        }
    }
}
