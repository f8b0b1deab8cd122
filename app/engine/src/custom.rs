//! A model of the user's own: its facts as a short text that fits into an address.
//!
//! The text is the version and JSON without quotes, `1(arch:LlamaForCausalLM,layers:32,…)`, with `(…)` for
//! objects and `!(…)` for lists. Facts that have their default are left out, so that later versions can add
//! some. Whoever holds a [`Custom`] holds facts that passed [`ModelSpec::check`].

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::{FactError, ModelSpec};

/// Version of the text.
const VERSION: &str = "1";
/// Longest text; that of the longest known model has less than half of it.
const MAX_TEXT: usize = 4096;
/// Longest name of a model, characters.
pub const MAX_NAME: usize = 96;
/// Name of a model that was given none.
pub const UNNAMED: &str = "custom-model";

/// Facts of a model that is not in the catalogue; their id is empty, the scenario names the model.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Custom {
    text: String,
    spec: Arc<ModelSpec>,
}

/// Why a text is no model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CustomError {
    /// It is longer than any model's.
    #[error("the facts of the model are too long")]
    TooLong,
    /// It was written by another version.
    #[error("the facts of the model have another version")]
    Version,
    /// It is cut or changed.
    #[error("the facts of the model are damaged")]
    Damaged,
    /// A fact makes no sense.
    #[error(transparent)]
    Fact(#[from] FactError),
}

impl Custom {
    /// A model with these facts; its id is left out.
    pub fn of(spec: &ModelSpec) -> Result<Self, CustomError> {
        let Ok(Value::Object(mut facts)) = serde_json::to_value(spec) else {
            return Err(CustomError::Damaged);
        };
        facts.remove("id");
        facts.retain(|key, value| !has_default(key, value));
        let mut text = VERSION.to_owned();
        write(&Value::Object(facts), &mut text);
        let read = Self::parse(&text)?;
        // A name that looks like a number would come back as one.
        if *read.spec == (ModelSpec { id: String::new(), ..spec.clone() }) {
            Ok(read)
        } else {
            Err(CustomError::Damaged)
        }
    }

    /// The model that a text describes.
    pub fn parse(text: &str) -> Result<Self, CustomError> {
        if text.len() > MAX_TEXT {
            return Err(CustomError::TooLong);
        }
        let facts = text.strip_prefix(VERSION).filter(|facts| facts.starts_with('('));
        let facts = facts.ok_or(CustomError::Version)?;
        let json = json(facts).ok_or(CustomError::Damaged)?;
        let spec: ModelSpec = serde_json::from_str(&json).map_err(|_| CustomError::Damaged)?;
        spec.check()?;
        Ok(Self { text: text.to_owned(), spec: Arc::new(spec) })
    }

    /// Its text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its facts.
    pub fn spec(&self) -> &ModelSpec {
        &self.spec
    }
}

impl PartialEq for Custom {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Custom {}

impl TryFrom<String> for Custom {
    type Error = CustomError;

    fn try_from(text: String) -> Result<Self, CustomError> {
        Self::parse(&text)
    }
}

impl From<Custom> for String {
    fn from(custom: Custom) -> Self {
        custom.text
    }
}

/// Whether a text can name a model: as the Hub has it, no spaces, nothing that an address would escape.
pub fn is_name(text: &str) -> bool {
    text.len() <= MAX_NAME
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(is_name_part)
}

fn is_name_part(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/')
}

/// A name like this text; [`UNNAMED`] when nothing of it is left.
pub fn name(text: &str) -> String {
    let text = text.trim().trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    let name: String = text.chars().map(|c| if is_name_part(c) { c } else { '-' }).take(MAX_NAME).collect();
    if name.is_empty() { UNNAMED.to_owned() } else { name }
}

/// Whether a fact has the value that is taken when it is left out.
fn has_default(key: &str, value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(items) => items.is_empty(),
        Value::Number(number) => {
            number.as_u64() == Some(0) && matches!(key, "experts" | "topk" | "moe_ffn" | "mtp_layers")
        }
        _ => false,
    }
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::String(text) => out.push_str(text),
        Value::Array(items) => {
            out.push_str("!(");
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at > 0 { "," } else { "" });
                write(item, out);
            }
            out.push(')');
        }
        Value::Object(items) => {
            out.push('(');
            for (at, (key, item)) in items.iter().enumerate() {
                out.push_str(if at > 0 { "," } else { "" });
                out.push_str(key);
                out.push(':');
                write(item, out);
            }
            out.push(')');
        }
        other => out.push_str(&other.to_string()),
    }
}

/// The text as JSON, with an empty id; none when brackets do not match or a character is foreign.
fn json(text: &str) -> Option<String> {
    let mut out = String::with_capacity(2 * text.len());
    let mut open = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let word = rest.find(|c: char| !is_name_part(c)).unwrap_or(rest.len());
        if word > 0 {
            let (name, after) = rest.split_at(word);
            let is_plain = name.starts_with(|c: char| c.is_ascii_digit() || c == '-')
                || matches!(name, "true" | "false" | "null");
            let quote = if is_plain && !after.starts_with(':') { "" } else { "\"" };
            out.extend([quote, name, quote]);
            rest = after;
            continue;
        }
        rest = &rest[c.len_utf8()..];
        match c {
            ',' | ':' => out.push(c),
            '(' => {
                out.push('{');
                open.push('}');
            }
            '!' => {
                rest = rest.strip_prefix('(')?;
                out.push('[');
                open.push(']');
            }
            ')' => out.push(open.pop()?),
            _ => return None,
        }
    }
    open.is_empty().then(|| out.replacen('{', "{\"id\":\"\",", 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;

    #[test]
    fn every_model_of_the_catalogue_comes_back() {
        let mut lengths = Vec::new();
        for model in &Catalog::embedded().models {
            let custom = Custom::of(model).unwrap();
            let anonymous = ModelSpec { id: String::new(), ..model.clone() };
            assert_eq!(*custom.spec(), anonymous, "{}", model.id);
            assert_eq!(Custom::parse(custom.text()).as_ref(), Ok(&custom), "{}", model.id);
            lengths.push(custom.text().len());
        }
        lengths.sort_unstable();
        let (median, longest) = (lengths[lengths.len() / 2], lengths[lengths.len() - 1]);
        assert!(median < 400 && longest < MAX_TEXT / 2, "{median} {longest}");
    }

    /// Links outlive a build: this text must be read for ever.
    #[test]
    fn an_old_text_is_read() {
        let text = "1(arch:Qwen3ForCausalLM,family:LLAMA,ffn:12288,head_dim:128,heads:32,hidden:4096,kv_heads:8,\
                    layers:36,max_pos:40960,qk_norm:true,\
                    quant:(fmha:bfloat16,gemm:bfloat16,kv:bfloat16,moe:bfloat16),vocab:151936)";
        let custom = Custom::parse(text).unwrap();
        let model = Catalog::embedded().model("Qwen/Qwen3-8B").unwrap();
        assert_eq!(Custom::of(model).unwrap(), custom);
    }

    #[test]
    fn damage_is_noticed() {
        let text = Custom::of(&Catalog::embedded().models[0]).unwrap().text().to_owned();
        for cut in 0..text.len() {
            assert!(Custom::parse(&text[..cut]).is_err(), "{cut}");
        }
        assert_eq!(Custom::parse(&format!("2{}", &text[1..])), Err(CustomError::Version));
        assert_eq!(Custom::parse(&text.replace(':', "=")), Err(CustomError::Damaged));
        assert_eq!(Custom::parse(&format!("{text})")), Err(CustomError::Damaged));
        assert_eq!(Custom::parse(&"(".repeat(4000)), Err(CustomError::Version));
        assert_eq!(Custom::parse(&format!("1{}", "(".repeat(4000))), Err(CustomError::Damaged));
        assert_eq!(Custom::parse(&"1(".repeat(4000)), Err(CustomError::TooLong));
        let zero = text.replace(",heads:48", ",heads:0");
        assert!(matches!(Custom::parse(&zero), Err(CustomError::Fact(_))), "{zero}");
    }

    #[test]
    fn names_are_kept_plain() {
        assert_eq!(name("  my org/model é\n"), "my-org/model--");
        assert_eq!(name("../x"), "x");
        assert_eq!(name("é"), UNNAMED);
        assert_eq!(name(&"a".repeat(500)).len(), MAX_NAME);
        assert!(is_name("org/name-1.0") && is_name(UNNAMED) && !is_name("") && !is_name("a b"));
    }
}
