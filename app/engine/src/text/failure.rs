//! What went wrong and what to do about it.

use super::{Message, alternatives, capital, excerpt};
use crate::link::{Notice, Problem};
use crate::problem::{ScenarioError, Skipped};

/// Why a scenario cannot be answered.
pub fn scenario_error(error: &ScenarioError) -> Message {
    match error {
        ScenarioError::UnknownModel { id, close } => Message::new(
            "Unknown model",
            format!("“{}” is not in the model list.", excerpt(id)),
            pick("model", close),
        ),
        ScenarioError::ModelName { name } => Message::new(
            "This cannot name a model",
            format!("“{}” is not a name as on the Hub.", excerpt(name)),
            format!(
                "Use up to {} letters, digits, dashes, dots, underscores and slashes.",
                crate::custom::MAX_NAME
            ),
        ),
        ScenarioError::UnknownSystem { id, close } => Message::new(
            "Unknown GPU system",
            format!("“{}” is not in the list of GPU systems.", excerpt(id)),
            pick("GPU system", close),
        ),
        ScenarioError::UnknownVersion { system, backend, version, have } => Message::new(
            "No data for this version",
            format!("{backend} {} was not measured on {system}.", excerpt(version)),
            pick("version", have),
        ),
        ScenarioError::NoPack { system, backend, systems } => Message::new(
            "No data for this backend and GPU",
            format!("{backend} was not measured on {system}."),
            if systems.is_empty() {
                "Choose another backend.".to_owned()
            } else {
                format!(
                    "Choose another backend, or one of the systems with {backend} data: {}. Without data only \
                     the roofline can be searched.",
                    alternatives(systems)
                )
            },
        ),
        ScenarioError::Number { field, value, must } => Message::new(
            format!("{} does not make sense", capital(&field.to_string())),
            format!("{} is {}; it must be {must}.", capital(&field.to_string()), excerpt(value)),
            format!("Change {field}."),
        ),
        ScenarioError::NoTable { system, backend, table, precision, have } => Message::new(
            if precision.is_empty() { "No data for this kind of model" } else { "No data at this precision" },
            if precision.is_empty() {
                format!("{backend} on {system} has no {table} measurements.")
            } else {
                format!("{backend} on {system} has no {table} measurements at {precision}.")
            },
            if have.is_empty() {
                "Choose another GPU system or backend.".to_owned()
            } else {
                format!(
                    "Measured precisions: {}. Choose one of them, or another GPU system.",
                    alternatives(have)
                )
            },
        ),
        ScenarioError::NoVision { model, have } => Message::new(
            "The model takes no images",
            format!("{model} has no vision encoder, but the requests have images."),
            format!("Remove the images, or choose a model that takes them: {}.", alternatives(have)),
        ),
        ScenarioError::NoPeak { system, pipe } => Message::new(
            "The GPU cannot run this precision",
            format!("{system} has no {pipe} tensor cores."),
            "Choose a precision that the GPU has, or another GPU system.",
        ),
        ScenarioError::Nowhere { skipped } => Message::new(
            "No data for this model",
            super::not_searched(skipped.iter().map(|Skipped { place, why }| {
                (super::place(place.backend, &place.system), super::skip_reason(why))
            }))
            .unwrap_or_else(|| "No GPU system was measured.".to_owned()),
            "Choose another precision or model.",
        ),
    }
}

/// A file of measured tables is damaged, foreign or newer than the program.
pub fn pack_failure(name: &str, why: &str) -> Message {
    Message::new(
        "Measured data cannot be read",
        format!("{}: {}.", excerpt(name), excerpt(why).trim_end_matches('.')),
        "Reload the page; if it stays, the published data and the program do not match.",
    )
}

/// A file could not be fetched.
pub fn network_failure(url: &str, status: Option<u16>) -> Message {
    let name = excerpt(url.rsplit('/').next().unwrap_or(url));
    match status {
        None => Message::new(
            "Measured data did not arrive",
            format!("Nothing answered for {name}."),
            "Check the connection and try again. Data used before is still available offline.",
        ),
        Some(404 | 410) => Message::new(
            "Measured data is missing",
            format!("The server has no {name}."),
            "Reload the page: the data may have been replaced since it was opened.",
        ),
        Some(status) => Message::new(
            "Measured data did not arrive",
            format!("The server answered {status} for {name}."),
            "Try again in a moment.",
        ),
    }
}

/// The worker stopped; it has been started again.
pub fn crashed(why: &str) -> Message {
    let detail = if why.is_empty() {
        "It gave no reason.".to_owned()
    } else {
        format!("It said: {}.", excerpt(why).trim_end_matches('.'))
    };
    Message::new(
        "The calculation stopped by mistake",
        detail,
        "It has been started again. Change an input or reload the page; nothing you entered is lost.",
    )
}

/// The browser does not run the worker.
pub fn unsupported(why: &str) -> Message {
    let detail = if why.is_empty() {
        "The calculation needs WebAssembly in a module worker.".to_owned()
    } else {
        format!(
            "The calculation needs WebAssembly in a module worker: {}.",
            excerpt(why).trim_end_matches('.')
        )
    };
    Message::new("This browser cannot run the calculation", detail, "Open the page in a current browser.")
}

/// Page and worker come from different builds.
pub fn other_build(page: &str, worker: &str) -> Message {
    Message::new(
        "Parts of the page have different ages",
        format!("The page is build {}, its calculation {}.", excerpt(page), excerpt(worker)),
        "Close every tab of this page and open it again.",
    )
}

/// Something in a link that was not understood.
pub fn notice(notice: &Notice) -> String {
    let key = excerpt(&notice.key);
    let value = excerpt(&notice.value);
    match notice.problem {
        Problem::UnknownKey => {
            format!("The link has “{key}”, which is not an input. It was ignored.")
        }
        Problem::Repeated => format!("The link has “{key}” more than once. “{value}” was ignored."),
        Problem::SecondGoal => format!(
            "The link sets more than one of gpus, rate and concurrency. The first one counts; “{key}={value}” was ignored."
        ),
        Problem::OtherVersion => {
            format!(
                "The link was made by another version ({value}). Inputs it does not share have their defaults."
            )
        }
        Problem::NotWhole => {
            format!("“{key}={value}” in the link is not a whole number. The default is used.")
        }
        Problem::NotNumber => {
            format!("“{key}={value}” in the link is not a number. The default is used.")
        }
        Problem::NotSize => {
            format!(
                "“{key}={value}” in the link is not the size of an image, such as 1024x768. The default is used."
            )
        }
        Problem::NotOneOf(names) => {
            format!(
                "“{key}={value}” in the link is not known; it can be {}. The default is used.",
                alternatives(names)
            )
        }
        Problem::NotPrecision => {
            format!("“{key}={value}” in the link is not a known precision. The checkpoint's own is used.")
        }
        Problem::NotModel => format!(
            "“{key}={value}” in the link is not a whole description of a model. The model list is used instead."
        ),
        Problem::NotText => format!("“{key}={value}” in the link is not readable. It was ignored."),
    }
}

/// The link was made on other measured data than is at hand.
pub fn different_data(have: &str, link: &str) -> Message {
    Message::new(
        "The measured data has changed since this link was made",
        format!("The link used data {}; these numbers use data {}.", excerpt(link), excerpt(have)),
        "The question is the same; the figures may differ from those that were shared.",
    )
}

fn pick(noun: &str, close: &[String]) -> String {
    match close {
        [] => format!("Choose a {noun} from the list."),
        [one] => format!("Did you mean {one}?"),
        many => format!("Choose another {noun}: {}.", alternatives(many)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Backend;
    use crate::problem::Field;
    use crate::scenario::Place;

    fn strings(items: &[&str]) -> Vec<String> {
        items.iter().map(|&item| item.to_owned()).collect()
    }

    fn every_error() -> Vec<(ScenarioError, &'static [&'static str])> {
        vec![
            (
                ScenarioError::UnknownModel { id: "Qwen/Q".into(), close: strings(&["Qwen/Qwen3-8B"]) },
                &["Qwen/Q", "Qwen/Qwen3-8B"],
            ),
            (ScenarioError::ModelName { name: "a b".into() }, &["a b", "96 letters"]),
            (
                ScenarioError::UnknownSystem {
                    id: "h1000".into(),
                    close: strings(&["h100_sxm", "h200_sxm"]),
                },
                &["h1000", "h100_sxm or h200_sxm"],
            ),
            (
                ScenarioError::UnknownVersion {
                    system: "l4".into(),
                    backend: "vLLM".into(),
                    version: "0.1".into(),
                    have: strings(&["0.22.0"]),
                },
                &["vLLM 0.1", "l4", "0.22.0"],
            ),
            (
                ScenarioError::NoPack {
                    system: "l4".into(),
                    backend: "SGLang".into(),
                    systems: strings(&["h100_sxm"]),
                },
                &["SGLang", "l4", "h100_sxm"],
            ),
            (
                ScenarioError::Number { field: Field::Gpus, value: "0".into(), must: "at least 1".into() },
                &["GPUs is 0", "at least 1"],
            ),
            (
                ScenarioError::NoTable {
                    system: "a100_sxm".into(),
                    backend: "vLLM".into(),
                    table: "gemm".into(),
                    precision: "fp8".into(),
                    have: strings(&["bfloat16"]),
                },
                &["a100_sxm", "gemm", "fp8", "bfloat16"],
            ),
            (
                ScenarioError::NoVision { model: "a/b".into(), have: strings(&["c/vl"]) },
                &["a/b", "images", "c/vl"],
            ),
            (ScenarioError::NoPeak { system: "a100_sxm".into(), pipe: "fp8".into() }, &["a100_sxm", "fp8"]),
            (
                ScenarioError::Nowhere {
                    skipped: vec![Skipped {
                        place: Place { system: "a100_sxm".into(), backend: Backend::Vllm },
                        why: ScenarioError::NoPeak { system: "a100_sxm".into(), pipe: "fp8".into() },
                    }],
                },
                &["vLLM on a100_sxm", "fp8"],
            ),
            (ScenarioError::Nowhere { skipped: Vec::new() }, &["No GPU system"]),
        ]
    }

    #[test]
    fn errors_name_the_value_and_say_what_to_do() {
        for (error, parts) in every_error() {
            let message = scenario_error(&error);
            let text = message.to_string();
            assert!(parts.iter().all(|part| text.contains(part)), "{text}");
            assert!(!message.action.is_empty() && !text.contains('!') && !text.contains(".."), "{text}");
        }
    }

    #[test]
    fn failures_name_the_file_or_the_reason() {
        assert!(network_failure("https://x/packs/gemm-1a.bin", None).detail.contains("gemm-1a.bin"));
        assert!(network_failure("packs/a.bin", Some(404)).title.contains("missing"));
        assert!(network_failure("packs/a.bin", Some(503)).detail.contains("503"));
        assert!(pack_failure("a.bin", "checksum differs.").detail.contains("checksum differs."));
        assert!(!pack_failure("a.bin", "checksum differs.").detail.contains(".."));
        assert!(crashed("index out of range").detail.contains("index out of range"));
        assert!(!crashed("").detail.is_empty() && !unsupported("").detail.is_empty());
        assert!(other_build("aa", "bb").detail.contains("bb"));
        let data = different_data("new1", "old1").detail;
        assert!(data.contains("link used data old1") && data.contains("use data new1"), "{data}");
    }

    #[test]
    fn notices_quote_the_link() {
        for link in [
            "colour=red",
            "isl=4k",
            "itl=fast",
            "image=big",
            "backend=x",
            "gemm=x",
            "facts=1(x",
            "v=9",
            "model=a&model=b",
            "gpus=1&rate=2",
            "%FF=x",
        ] {
            let parsed = crate::link::parse(link);
            let [only] = parsed.notices.as_slice() else { panic!("{link}: {:?}", parsed.notices) };
            let text = notice(only);
            assert!(text.contains(&only.value) && text.ends_with('.'), "{text}");
        }
        let long = Notice { key: "k\n".repeat(500), value: "v".repeat(5000), problem: Problem::UnknownKey };
        assert!(notice(&long).len() < 300 && !notice(&long).contains('\n'));
    }
}
