//! GPU systems under the names that requests, node labels and shells know them by.

use crate::catalog::Catalog;

/// The system of this SKU, id or name of a product, such as `h100_sxm` or `NVIDIA-H100-80GB-HBM3`; none for GPUs
/// that are not in the catalogue.
pub(super) fn system(name: &str, catalog: &Catalog) -> Option<String> {
    let lower = name.trim().to_ascii_lowercase();
    let id = match lower.as_str() {
        "gb200_sxm" => "gb200",
        id if catalog.system(id).is_some() => id,
        _ => product(&lower)?,
    };
    catalog.system(id).map(|system| system.id.clone())
}

/// By the label `nvidia.com/gpu.product`, or as `nvidia-smi` writes it.
fn product(lower: &str) -> Option<&'static str> {
    let words: Vec<&str> =
        lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty()).collect();
    let has = |wanted: &str| words.contains(&wanted);
    let starts = |wanted: &str| words.iter().any(|word| word.starts_with(wanted));
    // Parts of a GPU and modules with other memory are other GPUs.
    if words.iter().any(|word| word.starts_with("mig") || matches!(*word, "nvl" | "64gb" | "40gb" | "shared"))
    {
        return None;
    }
    let pcie = has("pcie");
    Some(match () {
        () if has("gb300") => "gb300",
        () if has("gb200") => "gb200",
        () if has("b300") => "b300_sxm",
        () if has("b200") => "b200_sxm",
        () if has("h200") && !pcie => "h200_sxm",
        () if has("h100") && pcie => "h100_pcie",
        () if has("h100") && (starts("sxm") || has("hbm3")) => "h100_sxm",
        () if has("a100") && has("80gb") && pcie => "a100_pcie",
        () if has("a100") && has("80gb") && starts("sxm") => "a100_sxm",
        () if has("a30") => "a30",
        () if has("l40s") => "l40s",
        () if has("l4") => "l4",
        () if has("rtx") && has("pro") && has("6000") && has("server") => "rtx_pro_6000_server",
        () => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_become_systems_and_unlike_ones_do_not() {
        for (name, want) in [
            ("h100_sxm", Some("h100_sxm")),
            ("gb200_sxm", Some("gb200")),
            ("NVIDIA-H100-SXM5-80GB", Some("h100_sxm")),
            ("NVIDIA-H100-80GB-HBM3", Some("h100_sxm")),
            ("NVIDIA-H100-PCIe", Some("h100_pcie")),
            ("NVIDIA-H200", Some("h200_sxm")),
            ("NVIDIA-B200", Some("b200_sxm")),
            ("NVIDIA-GB200", Some("gb200")),
            ("NVIDIA-A100-SXM4-80GB", Some("a100_sxm")),
            ("NVIDIA-A100-80GB-PCIe", Some("a100_pcie")),
            ("NVIDIA-L40S", Some("l40s")),
            ("NVIDIA-RTX-PRO-6000-Blackwell-Server-Edition", Some("rtx_pro_6000_server")),
            ("NVIDIA-A100-SXM4-40GB", None),
            ("NVIDIA-H100-NVL", None),
            ("NVIDIA-H100-80GB-HBM3-MIG-3g.40gb", None),
            ("NVIDIA-H20", None),
            ("Tesla-T4", None),
            ("", None),
        ] {
            assert_eq!(system(name, Catalog::embedded()).as_deref(), want, "{name}");
        }
    }
}
