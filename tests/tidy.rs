//! The rules of ARCHITECTURE.md that a compiler does not check.

use std::fs;
use std::path::{Path, PathBuf};

/// Files below `folder` with this ending, build results left out.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut out = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").filter_map(Result::ok) {
        let (path, name) = (entry.path(), entry.file_name());
        if path.is_dir() {
            if name != "target" && name != "node_modules" && !name.to_string_lossy().starts_with('.') {
                out.extend(files(&path, ending));
            }
        } else if path.extension().is_some_and(|have| have == ending) {
            out.push(path);
        }
    }
    out.sort();
    out
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn short(path: &Path) -> String {
    path.strip_prefix(tests::root()).unwrap_or(path).display().to_string()
}

/// Code without comment lines and without the unit tests at the end.
fn code(text: &str) -> String {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

#[test]
fn engine_modules_import_only_from_above() {
    let source = tests::root().join("app/engine/src");
    let order: Vec<String> = read(&source.join("lib.rs"))
        .lines()
        .filter_map(|line| Some(line.strip_prefix("pub mod ")?.strip_suffix(';')?.to_owned()))
        .collect();
    assert!(order.len() > 20, "{order:?}");
    let mut wrong = Vec::new();
    for path in files(&source, "rs") {
        let inside = path.strip_prefix(&source).expect("below the sources");
        let first = inside.components().next().expect("a name").as_os_str().to_string_lossy().into_owned();
        let module = first.trim_end_matches(".rs").to_owned();
        let Some(own) = order.iter().position(|name| *name == module) else { continue };
        let text = code(&read(&path));
        for (at, name) in order.iter().enumerate() {
            let imports =
                text.contains(&format!("crate::{name}::")) || text.contains(&format!("crate::{name};"));
            if imports && at > own {
                wrong.push(format!("{} imports {name}, which stands below it", short(&path)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_stay_small() {
    let long: Vec<String> = ["rs", "ts", "css"]
        .iter()
        .flat_map(|ending| files(&tests::root(), ending))
        .filter_map(|path| {
            let lines = read(&path).lines().count();
            (lines > 600).then(|| format!("{}: {lines} lines", short(&path)))
        })
        .collect();
    assert!(long.is_empty(), "which noun is missing?\n{}", long.join("\n"));
}

#[test]
fn view_models_know_no_browser() {
    for path in files(&tests::root().join("app/ui/src/view_model"), "rs") {
        let text = code(&read(&path));
        for banned in ["leptos", "web_sys", "gloo", "wasm_bindgen"] {
            assert!(!text.contains(banned), "{} names {banned}", short(&path));
        }
    }
}

#[test]
fn only_services_touch_the_browser() {
    for path in files(&tests::root().join("app/ui/src"), "rs") {
        let at = short(&path);
        if at.contains("/services/") {
            continue;
        }
        let text = code(&read(&path));
        for banned in ["gloo::net", "gloo::storage", "wasm_bindgen::", "js_sys::"] {
            assert!(!text.contains(banned), "{at} names {banned}; only services do");
        }
    }
}

#[test]
fn the_engine_is_pure() {
    for crate_folder in ["app/engine/src", "perf-data/src"] {
        for path in files(&tests::root().join(crate_folder), "rs") {
            if short(&path).contains("/bin/") {
                continue;
            }
            let text = code(&read(&path));
            for banned in ["std::fs", "std::env", "std::time", "std::thread", "std::net", "cfg(target"] {
                assert!(!text.contains(banned), "{} names {banned}", short(&path));
            }
        }
    }
}

/// The order of a hash map differs from run to run; answers must not.
#[test]
fn the_engine_hashes_nothing() {
    for path in files(&tests::root().join("app/engine/src"), "rs") {
        let text = code(&read(&path));
        assert!(!text.contains("HashMap") && !text.contains("HashSet"), "{}", short(&path));
    }
}

#[test]
fn nothing_reads_outside_the_repository() {
    let endings = ["rs", "ts", "md", "toml", "json", "html", "css"];
    for path in endings.iter().flat_map(|ending| files(&tests::root(), ending)) {
        if path.ends_with("tests/tidy.rs") {
            continue;
        }
        let text = read(&path);
        assert!(!text.contains("../shared"), "{}", short(&path));
    }
}

#[test]
fn documents_name_paths_that_exist() {
    let root = tests::root();
    let tops = ["app/", "server/", "perf-data/", "public/", "tests/", ".ci/"];
    for name in ["README.md", "ARCHITECTURE.md", "NOTICE"] {
        for word in read(&root.join(name)).split(['`', '(', ')', ' ', '\n', ',']) {
            let word = word.trim_end_matches(['.', ':', ';']);
            let is_path =
                tops.iter().any(|top| word.starts_with(top)) && !word.contains(['*', '<', '{', '…']);
            if is_path {
                assert!(root.join(word).exists(), "{name} names {word}, which does not exist");
            }
        }
    }
}
