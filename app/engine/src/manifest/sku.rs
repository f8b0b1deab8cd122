//! GPU systems under the names that a request knows them by.

use super::Dynamo;
use crate::system::SystemSpec;

/// The value of `spec.hardware.gpuSku`; none when the release knows no such GPU.
pub fn gpu_sku(system: &str, release: Dynamo) -> Option<&'static str> {
    Some(match system {
        "a100_pcie" => "a100_pcie",
        "a100_sxm" => "a100_sxm",
        "a30" => "a30",
        "b200_sxm" => "b200_sxm",
        "b300_sxm" if release >= Dynamo::V1_6 => "b300_sxm",
        // Named without its module form since 1.6, which deprecates the old name.
        "gb200" if release >= Dynamo::V1_6 => "gb200",
        "gb200" => "gb200_sxm",
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
