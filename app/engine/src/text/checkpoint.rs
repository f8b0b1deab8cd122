//! What was read from the description of a checkpoint, or why it was not.

use super::{Message, alternatives, capital, excerpt, number_of};
use crate::checkpoint::{ARCHITECTURES, CheckpointError, MAX_BYTES, Note};
use crate::custom::CustomError;
use crate::format::count;
use crate::model::ModelSpec;

/// Why a description cannot be read.
pub fn checkpoint_error(error: &CheckpointError) -> Message {
    let correct = "Correct it, or take the file as the Hub has it.";
    match error {
        // A longer file may have been cut while it was opened, so that its size says nothing.
        CheckpointError::TooLarge { file, bytes: _ } => Message::new(
            format!("This is too long for a {file}"),
            format!("No more than {} bytes are read.", count(MAX_BYTES as u64)),
            "Give the description of the model, not its weights or its vocabulary.",
        ),
        CheckpointError::Syntax { file, line, column, why } => Message::new(
            format!("The {file} is not JSON"),
            format!("Line {line}, column {column}: {}.", excerpt(why)),
            "Give the whole file, from its first { to its last }.",
        ),
        CheckpointError::NotObject { file, found } => Message::new(
            format!("The {file} does not describe a model"),
            format!("It is {found}, not an object."),
            "Give the whole file, from its first { to its last }.",
        ),
        CheckpointError::Missing { key } => Message::new(
            "Something is missing",
            format!("There is no {}, which this architecture needs.", excerpt(key)),
            "Give the whole file, as the Hub has it.",
        ),
        CheckpointError::Kind { key, found, must } => Message::new(
            "A value is of the wrong kind",
            format!("{} is {found}; it must be {must}.", excerpt(key)),
            correct,
        ),
        CheckpointError::Value { key, value, must } => Message::new(
            "A value is not understood",
            format!("{} is {}; it must be {must}.", excerpt(key), excerpt(value)),
            correct,
        ),
        CheckpointError::Architecture { name, close } => {
            let known: Vec<&str> = ARCHITECTURES.iter().map(|known| known.name).collect();
            let close = if close.is_empty() { known.as_slice() } else { close };
            Message::new(
                "Unknown architecture",
                format!("No operators are known for “{}”.", excerpt(name)),
                format!("Known ones are {}.", alternatives(close)),
            )
        }
    }
}

/// Why facts that were read cannot be used.
pub fn unusable_model(error: &CustomError) -> Message {
    Message::new("This model cannot be used", capital(&error.to_string()), "Choose a model from the list.")
}

/// What a reading assumed or left out.
pub fn checkpoint_note(note: &Note) -> String {
    match note {
        Note::ArchitectureOfType { architecture } => {
            format!("The file names no architecture; {architecture} is taken from its model_type.")
        }
        Note::KvHeadsOfQueries { heads } => {
            format!("The file names no KV heads; there is one for each of the {} query heads.", count((*heads).into()))
        }
        Note::EightBitKv => {
            "The KV cache is taken as FP8, as engines run it with weights of 8 or 4 bits; choose another precision if yours does not."
                .to_owned()
        }
        Note::KvNotUnderstood { value } => {
            format!("The KV cache precision “{}” is not known; it follows the weights.", excerpt(value))
        }
        Note::WeightsNotRecognised { key } => {
            format!("{} names no format of weights that is known; 16 bits are taken.", excerpt(key))
        }
        Note::SixteenBits { dtype } => {
            format!("The weights are {}; engines load them, and this prices them, in 16 bits.", excerpt(dtype))
        }
        Note::LatentWidths { query_rank } => format!(
            "Latent attention was measured with a query rank of 1,536 and is priced with it; this model has {}.",
            count((*query_rank).into())
        ),
        Note::VisionLeftOut => "The encoder of images is not counted.".to_owned(),
        Note::WindowLeftOut { window } => format!(
            "Attention is priced over the whole sequence, not over its window of {} tokens.",
            count((*window).into())
        ),
    }
}

/// The facts of a model for people: names and values.
pub fn checkpoint_facts(spec: &ModelSpec) -> Vec<(&'static str, String)> {
    let number = |value: u32| count(u64::from(value));
    let mut out = vec![
        ("Architecture", spec.arch.clone()),
        ("Layers", layers(spec)),
        ("Hidden size", number(spec.hidden)),
        ("Heads", heads(spec)),
    ];
    if spec.ffn > 0 && !(spec.is_moe() && spec.ffn == spec.moe_ffn) {
        out.push(("Feed-forward width", number(spec.ffn)));
    }
    if spec.is_moe() {
        let (experts, topk, width) = (number(spec.experts), number(spec.topk), number(spec.moe_ffn));
        out.push(("Experts", format!("{experts}, {topk} per token, width {width}")));
    }
    if let Some(vit) = &spec.vit {
        out.push((
            "Vision encoder",
            format!("{}, width {}", number_of(vit.depth, "layer"), number(vit.hidden)),
        ));
    }
    if spec.mtp_layers > 0 {
        out.push(("Draft layers", number(spec.mtp_layers)));
    }
    out.push(("Vocabulary", number(spec.vocab)));
    out.push(("Longest sequence", number_of(spec.max_pos, "token")));
    let quant = spec.quant;
    let experts = if spec.is_moe() { format!("experts {}, ", quant.moe) } else { String::new() };
    out.push((
        "Precisions",
        format!("weights {}, {experts}prefill attention {}, KV cache {}", quant.gemm, quant.fmha, quant.kv),
    ));
    if !spec.attn_unquantized.is_empty() || spec.shared_expert_unquantized {
        let mut left: Vec<String> = Vec::new();
        if !spec.attn_unquantized.is_empty() {
            left.push(format!("attention ({})", spec.attn_unquantized.join(", ")));
        }
        left.extend(spec.shared_expert_unquantized.then(|| "shared experts".to_owned()));
        out.push(("Left in 16 bits", left.join(", ")));
    }
    out
}

/// The number of layers, and the kinds of them where they differ.
fn layers(spec: &ModelSpec) -> String {
    let mut kinds: Vec<(u32, &str)> = Vec::new();
    if let Some(of) = spec.hybrid {
        kinds.extend([(of.global_moe + of.global_dense, "global"), (of.swa_moe + of.swa_dense, "sliding")]);
        kinds.push((of.global_moe + of.swa_moe, "with experts"));
    }
    if let Some(of) = spec.gemma4 {
        kinds.extend([(of.full, "global"), (of.swa, "sliding")]);
    }
    if let Some(of) = spec.nemh {
        let parts =
            [(of.mamba, "Mamba-2"), (of.attention, "attention"), (of.routed, "experts"), (of.dense, "dense")];
        kinds.extend(parts);
    }
    if let Some(of) = spec.gdn {
        kinds.extend([(of.linear, "delta rule"), (of.full, "attention")]);
    }
    if let Some(of) = spec.k3 {
        kinds.extend([(of.kda_layers, "delta attention"), (spec.layers - of.kda_layers, "latent attention")]);
    }
    if let Some(of) = spec.dsa.filter(|of| of.full_layers < spec.layers) {
        kinds.push((of.full_layers, "with an indexer of their own"));
    }
    let shown: Vec<String> = kinds
        .iter()
        .filter(|(layers, _)| *layers > 0)
        .map(|(layers, name)| format!("{layers} {name}"))
        .collect();
    let total = count(u64::from(spec.layers));
    if shown.is_empty() { total } else { format!("{total}: {}", shown.join(", ")) }
}

fn heads(spec: &ModelSpec) -> String {
    let query = count(u64::from(spec.heads));
    let latent = spec.mla.is_some() || spec.dsa.is_some() || spec.k3.is_some();
    match spec.kv_heads {
        _ if latent => format!("{query}, latent attention"),
        0 => format!("{query} query heads of {}, KV heads by block", spec.head_dim),
        kv => format!("{query} query and {} KV heads of {}", count(u64::from(kv)), spec.head_dim),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;
    use crate::checkpoint::File;

    #[test]
    fn errors_name_the_place_and_what_to_do() {
        let key = || "text_config.hidden_size".to_owned();
        let errors = [
            (CheckpointError::TooLarge { file: File::Config, bytes: 5_000_000 }, "4,194,304"),
            (
                CheckpointError::Syntax {
                    file: File::Config,
                    line: 3,
                    column: 7,
                    why: "expected `,`".into(),
                },
                "Line 3, column 7",
            ),
            (CheckpointError::NotObject { file: File::Quant, found: "a list" }, "a list"),
            (CheckpointError::Missing { key: key() }, "text_config.hidden_size"),
            (CheckpointError::Kind { key: key(), found: "text", must: "a whole number" }, "is text"),
            (
                CheckpointError::Value { key: key(), value: "0".into(), must: "at least 1".into() },
                "hidden_size is 0; it must be at least 1",
            ),
            (CheckpointError::Architecture { name: "Falcon".into(), close: Vec::new() }, "Falcon"),
        ];
        for (error, part) in errors {
            let message = checkpoint_error(&error);
            let text = message.to_string();
            assert!(text.contains(part) && !message.action.is_empty() && !text.contains(".."), "{text}");
        }
    }

    #[test]
    fn facts_are_for_people() {
        let facts = |id: &str| {
            let facts = checkpoint_facts(Catalog::embedded().model(id).unwrap());
            facts.into_iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>().join("; ")
        };
        assert_eq!(
            facts("Qwen/Qwen3-8B"),
            "Architecture: Qwen3ForCausalLM; Layers: 36; Hidden size: 4,096; Heads: 32 query and 8 KV heads of 128; \
             Feed-forward width: 12,288; Vocabulary: 151,936; Longest sequence: 40,960 tokens; \
             Precisions: weights bfloat16, prefill attention bfloat16, KV cache bfloat16"
        );
        let kimi = facts("moonshotai/Kimi-K2.5");
        assert!(
            kimi.contains("384, 8 per token, width 2,048") && kimi.contains("Left in 16 bits: attention"),
            "{kimi}"
        );
        assert!(facts("Qwen/Qwen3.5-27B").contains("64: 48 delta rule, 16 attention"));
    }
}
