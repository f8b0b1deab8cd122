//! The model that a text means.

use crate::catalog::Catalog;

/// The id in the catalogue of a model argument: a Hub id, a folder named after it, or a snapshot in a Hub cache;
/// none when it is none of the catalogue's.
pub(super) fn known(name: &str, catalog: &Catalog) -> Option<String> {
    let name = name.trim().trim_end_matches('/');
    if let Some(model) = catalog.model(name) {
        return Some(model.id.clone());
    }
    let cached = name.split('/').find_map(|part| part.strip_prefix("models--")?.split_once("--"));
    let cached = cached.map(|(org, model)| format!("{org}/{model}"));
    let tail: Vec<&str> = name.trim_start_matches("hf://").rsplit('/').take(2).collect();
    let hub = match tail.as_slice() {
        [model, org] => Some(format!("{org}/{model}")),
        _ => None,
    };
    let same = |id: &str, wanted: &str| id.eq_ignore_ascii_case(wanted);
    let by_id = |wanted: String| catalog.models.iter().find(|model| same(&model.id, &wanted));
    if let Some(model) = cached.into_iter().chain(hub).find_map(by_id) {
        return Some(model.id.clone());
    }
    // A folder without the organisation, where only one model is called so.
    let short = tail.first().copied().unwrap_or_default();
    let mut alike = catalog.models.iter().filter(|model| same(model.short_name(), short));
    match (alike.next(), alike.next()) {
        (Some(only), None) if is_path(name) => Some(only.id.clone()),
        _ => None,
    }
}

/// Whether a model argument is a place on a disk.
pub(super) fn is_path(name: &str) -> bool {
    name.starts_with(['/', '.', '~']) || !name.contains('/') || name.matches('/').count() > 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_found_by_id_folder_and_snapshot() {
        for (name, want) in [
            ("Qwen/Qwen3-32B-FP8", Some("Qwen/Qwen3-32B-FP8")),
            ("qwen/qwen3-32b-fp8", Some("Qwen/Qwen3-32B-FP8")),
            ("/models/Qwen/Qwen3-32B-FP8/", Some("Qwen/Qwen3-32B-FP8")),
            ("/models/Qwen3-32B-FP8", Some("Qwen/Qwen3-32B-FP8")),
            ("/hub/models--Qwen--Qwen3-32B-FP8/snapshots/0a1b", Some("Qwen/Qwen3-32B-FP8")),
            ("someone/Qwen3-32B-FP8", None),
            ("Qwen/Qwen3-33B", None),
            ("", None),
            ("/", None),
        ] {
            assert_eq!(known(name, Catalog::embedded()).as_deref(), want, "{name}");
        }
    }
}
