//! GPU systems under the names that a request and a cluster know them by.

use super::Dynamo;
use crate::system::SystemSpec;

/// The value of `spec.hardware.gpuSku`; none when the release knows no such GPU.
pub fn gpu_sku(system: &str, release: Dynamo) -> Option<&'static str> {
    if let Some((_, sku)) = release.facts().skus.iter().find(|(name, _)| *name == system) {
        return Some(sku);
    }
    Some(match system {
        "a100_pcie" => "a100_pcie",
        "a100_sxm" => "a100_sxm",
        "a30" => "a30",
        "b200_sxm" => "b200_sxm",
        "h100_pcie" => "h100_pcie",
        "h100_sxm" => "h100_sxm",
        "h200_sxm" => "h200_sxm",
        "l4" => "l4",
        "l40s" => "l40s",
        _ => return None,
    })
}

/// Memory of one GPU in MiB, as the driver reports it where that is known.
pub(super) fn vram_mb(system: &SystemSpec) -> u64 {
    match system.id.as_str() {
        "h100_sxm" | "h100_pcie" => 81_559,
        "h200_sxm" => 143_771,
        "a100_sxm" | "a100_pcie" => 81_920,
        "l40s" => 46_068,
        _ => system.mem_bytes >> 20,
    }
}

/// The label `nvidia.com/gpu.product` of nodes with this GPU; none when it is no GPU of NVIDIA.
pub(super) fn gpu_product(system: &str) -> Option<&'static str> {
    Some(match system {
        "a100_pcie" => "NVIDIA-A100-80GB-PCIe",
        "a100_sxm" => "NVIDIA-A100-SXM4-80GB",
        "a30" => "NVIDIA-A30",
        "b200_sxm" => "NVIDIA-B200",
        "b300_sxm" => "NVIDIA-B300-SXM6-AC",
        "gb200" => "NVIDIA-GB200",
        "gb300" => "NVIDIA-GB300",
        "h100_pcie" => "NVIDIA-H100-PCIe",
        "h100_sxm" => "NVIDIA-H100-SXM5-80GB",
        "h200_sxm" => "NVIDIA-H200",
        "l4" => "NVIDIA-L4",
        "l40s" => "NVIDIA-L40S",
        "rtx_pro_6000_server" => "NVIDIA-RTX-PRO-6000-Blackwell-Server-Edition",
        _ => return None,
    })
}

/// Whether its nodes have Arm processors and share `NVLink` across a rack.
pub(super) fn is_rack(system: &SystemSpec) -> bool {
    system.gpus_per_rack.is_some()
}

/// Whether it is a GPU for data centres of the Hopper generation or later.
fn is_large(system: &SystemSpec) -> bool {
    system.sm_version.is_some_and(|sm| (90..110).contains(&sm))
}

/// Environment that the collectives of workers on this GPU want.
pub(super) fn collective_env(system: &SystemSpec) -> Vec<(&'static str, &'static str)> {
    let mut out = Vec::new();
    if is_large(system) {
        out.push(("NCCL_CUMEM_ENABLE", "1"));
    }
    if is_rack(system) {
        out.extend([
            ("NCCL_MNNVL_ENABLE", "1"),
            ("NCCL_NVLS_ENABLE", "1"),
            ("NCCL_P2P_LEVEL", "NVL"),
            ("UCX_CUDA_IPC_ENABLE_MNNVL", "y"),
        ]);
    }
    out
}

/// Shared memory of a worker on this GPU; none leaves the operator's own.
pub(super) fn shared_memory(system: &SystemSpec, decodes: bool) -> Option<&'static str> {
    match (is_large(system), is_rack(system) && decodes) {
        (true, true) => Some("128Gi"),
        (true, false) => Some("64Gi"),
        (false, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;

    #[test]
    fn names_follow_the_release() {
        assert_eq!(gpu_sku("gb200", Dynamo::V1_6), Some("gb200"));
        assert_eq!(gpu_sku("gb200", Dynamo::V1_5), Some("gb200_sxm"));
        assert_eq!(gpu_sku("b300_sxm", Dynamo::V1_6), Some("b300_sxm"));
        for (system, release) in [("b300_sxm", Dynamo::V1_5), ("gb300", Dynamo::V1_6), ("b60", Dynamo::V1_6)]
        {
            assert_eq!(gpu_sku(system, release), None, "{system}");
        }
    }

    #[test]
    fn every_gpu_of_nvidia_has_a_product_label() {
        for system in &Catalog::embedded().systems {
            let product = gpu_product(&system.id);
            assert_eq!(product.is_none(), system.id == "b60", "{}", system.id);
            assert!(product.is_none_or(|label| label.len() <= 63));
        }
    }

    #[test]
    fn old_gpus_keep_the_defaults() {
        let system = |id| Catalog::embedded().system(id).expect("a system");
        assert_eq!(shared_memory(system("a100_sxm"), true), None);
        assert_eq!(collective_env(system("a100_sxm")), vec![]);
        assert_eq!(shared_memory(system("h200_sxm"), true), Some("64Gi"));
        assert_eq!(collective_env(system("h200_sxm")), [("NCCL_CUMEM_ENABLE", "1")]);
        assert_eq!(shared_memory(system("gb200"), true), Some("128Gi"));
        assert_eq!(collective_env(system("gb200")).len(), 5);
    }
}
