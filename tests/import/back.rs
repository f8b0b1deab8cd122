//! What is written comes back as it was.

use engine::backend::Backend;
use engine::catalog::Catalog;
use engine::link::{self, layout_name};
use engine::manifest::{DgdApi, Extras, Format, Options, PlannerUse, Selection, import, write};
use engine::scenario::{Goal, Scenario};
use engine::search::price_limits;
use engine::view::view;

const QUESTIONS: &[(&str, &str, Backend, u32)] = &[
    ("Qwen/Qwen3-32B-FP8", "h200_sxm", Backend::Vllm, 16),
    ("Qwen/Qwen3-32B-FP8", "h100_sxm", Backend::Trtllm, 16),
    ("Qwen/Qwen3-32B-FP8", "h200_sxm", Backend::Sglang, 16),
    ("Qwen/Qwen3-235B-A22B-FP8", "h200_sxm", Backend::Vllm, 32),
    ("Qwen/Qwen3-235B-A22B-FP8", "h200_sxm", Backend::Trtllm, 32),
    ("Qwen/Qwen3-235B-A22B-FP8", "h200_sxm", Backend::Sglang, 32),
    ("deepseek-ai/DeepSeek-V3", "h200_sxm", Backend::Sglang, 64),
    ("meta-llama/Meta-Llama-3.1-8B", "a100_sxm", Backend::Vllm, 8),
];

/// Scripts and manifests as they are, files of settings as a script would write them.
fn pasted(name: &str, text: &str) -> String {
    if text.starts_with("#!") || text.contains("apiVersion") {
        text.to_owned()
    } else {
        format!("cat > {name} <<'EOF'\n{text}EOF\n")
    }
}

#[test]
fn written_deployments_import_to_the_same_point() {
    let catalog = Catalog::embedded();
    let (mut compared, mut refused) = (0, 0);
    for &(model, system, backend, gpus) in QUESTIONS {
        let (model, system) = (model.to_owned(), system.to_owned());
        let scenario = Scenario { model, system, backend, goal: Goal::Gpus(gpus), ..Scenario::default() };
        let search = tests::search(&scenario).expect("resolves");
        let view = view(search.rows(), &scenario);
        let spec = scenario.spec(catalog).expect("in the catalogue");
        let system = catalog.system(&scenario.system).expect("in the catalogue");
        for point in view.points.iter().step_by(1 + view.points.len() / 40) {
            let name = layout_name(&point.layout);
            let link = format!("https://a.b/?{}#explore:{name}", link::write(&scenario, None));
            for api in [DgdApi::V1Beta1, DgdApi::V1Alpha1] {
                let extras = Extras { api, planner: PlannerUse::Off, ..Extras::default() };
                let options = Options { link: Some(link.clone()), extras, ..Options::default() };
                let selection =
                    Selection { scenario: &scenario, model: &spec, system, decode_system: None, point };
                for format in [Format::Dgd, Format::Launch] {
                    let Ok(manifest) = write(format, &selection, &options) else {
                        refused += 1;
                        continue;
                    };
                    let text: String =
                        manifest.files.iter().map(|file| pasted(&file.name, &file.text)).collect();
                    let found = import(&text, &Scenario::default(), None, catalog);
                    let found = found.unwrap_or_else(|checks| panic!("{name}: {checks:?}\n{text}"));
                    assert_eq!(found.unread, [], "{name}\n{text}");
                    let layout = found.layout.unwrap_or_else(|| panic!("{name}: {found:?}\n{text}"));
                    assert_eq!(layout_name(&layout), name, "{text}");
                    let problem = tests::problem(&found.scenario).expect("resolves");
                    let priced = price_limits(&problem, &layout);
                    let priced = priced.unwrap_or_else(|error| panic!("{name}: {error:?}\n{text}")).point;
                    assert_eq!(
                        serde_json::to_string(&priced).expect("finite"),
                        serde_json::to_string(point).expect("finite"),
                        "{name}\n{text}"
                    );
                    compared += 1;
                    // Without the link the sizes and counts stand in the arguments all the same.
                    let kept: Vec<&str> = text.lines().filter(|line| !line.contains(&link)).collect();
                    let plain = kept.join("\n");
                    if format == Format::Dgd {
                        let found = import(&plain, &scenario, None, catalog).expect("still a manifest");
                        let layout = found.layout.unwrap_or_else(|| panic!("{name}: {found:?}\n{plain}"));
                        let sizes = |name: &str| {
                            let parts = name.split(['.', '-']);
                            parts.filter(|part| !part.starts_with('c')).collect::<Vec<_>>().join(".")
                        };
                        assert_eq!(sizes(&layout_name(&layout)), sizes(&name), "{plain}");
                    }
                }
            }
        }
    }
    println!("{compared} files came back, {refused} points have none");
    assert!(compared > 500, "{compared}");
}
