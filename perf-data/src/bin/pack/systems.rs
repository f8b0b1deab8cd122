//! System descriptions in one file.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::Number;
use serde_yaml::Value;

#[derive(Deserialize)]
struct Published {
    gpu: Gpu,
    node: Fabric,
    misc: Misc,
}

#[derive(Deserialize)]
struct Gpu {
    sm_version: Option<u32>,
    mem_bw: Number,
    mem_bw_empirical_scaling_factor: Number,
    mem_empirical_constant_latency: Number,
    mem_capacity: Number,
    bfloat16_tc_flops: Option<Number>,
    int8_tc_flops: Option<Number>,
    fp8_tc_flops: Option<Number>,
    fp4_tc_flops: Option<Number>,
    power: Number,
}

#[derive(Deserialize)]
struct Fabric {
    num_gpus_per_node: u32,
    num_gpus_per_rack: Option<u32>,
    intra_node_bw: Number,
    inter_node_bw: Number,
    inter_rack_bw: Option<Number>,
    pcie_bw: Option<Number>,
    p2p_latency: Number,
    inter_rack_latency: Option<Number>,
}

#[derive(Deserialize)]
struct Misc {
    nccl_mem: BTreeMap<u32, Number>,
    other_mem: Number,
    nccl_version: String,
    oneccl_version: Option<String>,
}

#[derive(Serialize)]
struct System<'a> {
    id: &'a str,
    name: &'a str,
    sm_version: Option<u32>,
    gpus_per_node: u32,
    gpus_per_rack: Option<u32>,
    mem_bytes: Number,
    mem_bw_bytes_per_sec: Number,
    mem_bw_scale: Number,
    mem_latency_s: Number,
    flops: Flops,
    power_w: Number,
    intra_node_bw: Number,
    inter_node_bw: Number,
    inter_rack_bw: Option<Number>,
    pcie_bw: Option<Number>,
    p2p_latency_s: Number,
    inter_rack_latency_s: Option<Number>,
    nccl_mem_bytes: BTreeMap<u32, Number>,
    other_mem_bytes: Number,
    nccl_version: String,
    oneccl_version: Option<String>,
}

#[derive(Serialize)]
struct Flops {
    bfloat16: Option<Number>,
    int8: Option<Number>,
    fp8: Option<Number>,
    fp4: Option<Number>,
}

/// `systems.json` of the published descriptions.
pub(crate) fn json(systems: &BTreeMap<String, Value>) -> Result<String> {
    let mut all = Vec::new();
    for (id, description) in systems {
        all.push(system(id, description).with_context(|| format!("reading {id}.yaml"))?);
    }
    Ok(serde_json::to_string_pretty(&all)? + "\n")
}

fn system<'a>(id: &'a str, description: &Value) -> Result<System<'a>> {
    let Published { gpu, node, misc } = serde_yaml::from_value(description.clone())?;
    Ok(System {
        id,
        name: name(id),
        sm_version: gpu.sm_version,
        gpus_per_node: node.num_gpus_per_node,
        gpus_per_rack: node.num_gpus_per_rack,
        mem_bytes: gpu.mem_capacity,
        mem_bw_bytes_per_sec: gpu.mem_bw,
        mem_bw_scale: gpu.mem_bw_empirical_scaling_factor,
        mem_latency_s: gpu.mem_empirical_constant_latency,
        flops: Flops {
            bfloat16: gpu.bfloat16_tc_flops,
            int8: gpu.int8_tc_flops,
            fp8: gpu.fp8_tc_flops,
            fp4: gpu.fp4_tc_flops,
        },
        power_w: gpu.power,
        intra_node_bw: node.intra_node_bw,
        inter_node_bw: node.inter_node_bw,
        inter_rack_bw: node.inter_rack_bw,
        pcie_bw: node.pcie_bw,
        p2p_latency_s: node.p2p_latency,
        inter_rack_latency_s: node.inter_rack_latency,
        nccl_mem_bytes: misc.nccl_mem,
        other_mem_bytes: misc.other_mem,
        nccl_version: misc.nccl_version,
        oneccl_version: misc.oneccl_version,
    })
}

/// The name people use; a system without one keeps its id.
fn name(id: &str) -> &str {
    match id {
        "a100_pcie" => "A100 PCIe",
        "a100_sxm" => "A100 SXM",
        "a30" => "A30",
        "b200_sxm" => "B200 SXM",
        "b300_sxm" => "B300 SXM",
        "b60" => "Arc Pro B60",
        "gb200" => "GB200 NVL72",
        "gb300" => "GB300 NVL72",
        "h100_pcie" => "H100 PCIe",
        "h100_sxm" => "H100 SXM",
        "h200_sxm" => "H200 SXM",
        "l4" => "L4",
        "l40s" => "L40S",
        "rtx_pro_6000_server" => "RTX PRO 6000 Server",
        other => other,
    }
}
