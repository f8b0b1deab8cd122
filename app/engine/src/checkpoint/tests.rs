//! What is read and what is refused.

use super::*;
use crate::quant::{KvQuant, Quant};
use serde_json::json;

fn llama() -> Value {
    json!({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "_name_or_path": "acme/llama",
        "num_hidden_layers": 32, "hidden_size": 4096, "num_attention_heads": 32, "num_key_value_heads": 8,
        "intermediate_size": 14336, "vocab_size": 128_256, "max_position_embeddings": 131_072,
        "torch_dtype": "bfloat16"
    })
}

/// Llama with one key changed, or without it.
fn with(key: &str, value: impl Into<Option<Value>>) -> Value {
    let mut config = llama();
    let map = config.as_object_mut().unwrap();
    match value.into() {
        Some(value) => map.insert(key.to_owned(), value),
        None => map.remove(key),
    };
    config
}

fn said(config: &Value) -> String {
    match read(&config.to_string(), None) {
        Ok(checkpoint) => format!("read: {:?}", checkpoint.notes),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_plain_model_is_read() {
    let checkpoint = read(&llama().to_string(), None).unwrap();
    assert_eq!(checkpoint.spec.head_dim, 128);
    assert_eq!(checkpoint.spec.quant.gemm, Quant::Bf16);
    assert_eq!((checkpoint.name.as_deref(), checkpoint.notes), (Some("acme/llama"), vec![]));
    assert_eq!(checkpoint.spec.id, "");
    let path = read(&with("_name_or_path", json!("/home/me/ckpt")).to_string(), None).unwrap();
    assert_eq!(path.name, None);
}

#[test]
fn texts_that_are_no_object_are_refused_with_their_place() {
    let refuse = |text: &str| read(text, None).unwrap_err();
    let syntax = refuse("{\n  \"hidden_size\": 4096,,\n}");
    assert!(matches!(syntax, CheckpointError::Syntax { line: 2, column: 23, .. }), "{syntax:?}");
    assert!(matches!(refuse(""), CheckpointError::Syntax { .. }));
    assert!(matches!(refuse("[1]"), CheckpointError::NotObject { found: "a list", .. }));
    assert!(matches!(refuse(&" ".repeat(MAX_BYTES + 1)), CheckpointError::TooLarge { .. }));
    assert!(matches!(refuse(&"[".repeat(100_000)), CheckpointError::Syntax { .. }));
    assert!(matches!(refuse(&"{\"a\":".repeat(100_000)), CheckpointError::Syntax { .. }));
    assert!(matches!(refuse("{\"hidden_size\": 1e999}"), CheckpointError::Syntax { .. }));
    let quant = read(&llama().to_string(), Some("{")).unwrap_err();
    assert!(matches!(quant, CheckpointError::Syntax { file: File::Quant, .. }), "{quant:?}");
}

#[test]
fn keys_are_refused_by_name() {
    for (config, part) in [
        (with("hidden_size", None), "hidden_size is missing"),
        (with("hidden_size", Value::Null), "hidden_size is missing"),
        (with("hidden_size", json!("4096")), "hidden_size is text"),
        (with("hidden_size", json!(-1)), "hidden_size is -1"),
        (with("hidden_size", json!(4096.5)), "hidden_size is 4096.5"),
        (with("hidden_size", json!(1u64 << 40)), "hidden_size is 1099511627776"),
        (with("hidden_size", json!(1u32 << 31)), "hidden_size is 2147483648"),
        (with("hidden_size", json!(4097)), "multiple of the 32 attention heads"),
        (with("num_attention_heads", json!(0)), "num_attention_heads is 0"),
        (with("num_attention_heads", json!(true)), "num_attention_heads is true or false"),
        (with("num_key_value_heads", json!(5)), "a multiple of the 5 KV heads"),
        (with("num_key_value_heads", json!(0)), "num_key_value_heads is 0"),
        (with("num_hidden_layers", json!(0)), "num_hidden_layers is 0"),
        (with("num_experts", json!(8)), "num_experts is 8"),
        (with("vocab_size", json!([])), "vocab_size is a list"),
        (with("quantization_config", json!("fp8")), "quantization_config is text"),
        (
            with("quantization_config", json!({"quant_method": "gptq"})),
            "quantization_config.quant_method is gptq",
        ),
        (with("architectures", json!([7])), "architectures is a number"),
        (with("architectures", json!(["FalconForCausalLM"])), "unknown architecture \"FalconForCausalLM\""),
    ] {
        let said = said(&config);
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn unknown_architectures_come_with_the_closest_ones() {
    let error = read(&with("architectures", json!(["Qwen4ForCausalLM"])).to_string(), None).unwrap_err();
    let CheckpointError::Architecture { close, .. } = error else { panic!("{error:?}") };
    assert!(close.len() <= 3 && close.iter().all(|name| name.starts_with("Qwen")), "{close:?}");
    let typed = with("architectures", None);
    assert!(said(&typed).contains("ArchitectureOfType"));
    let neither = json!({"hidden_size": 1});
    assert_eq!(said(&neither), "architectures is missing");
}

#[test]
fn what_is_assumed_is_noted() {
    for (config, part) in [
        (with("num_key_value_heads", None), "KvHeadsOfQueries { heads: 32 }"),
        (with("torch_dtype", json!("float32")), "SixteenBits"),
        (with("vision_config", json!({})), "VisionLeftOut"),
        (with("sliding_window", json!(4096)), "WindowLeftOut { window: 4096 }"),
        (with("quantization_config", json!({"quant_method": "fp8"})), "EightBitKv"),
        (with("quantization_config", json!({"quant_method": "compressed-tensors"})), "WeightsNotRecognised"),
    ] {
        let said = said(&config);
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn the_last_of_equal_keys_counts() {
    let text = llama().to_string().replacen("\"hidden_size\"", "\"hidden_size\":0,\"hidden_size\"", 1);
    assert_eq!(read(&text, None).unwrap().spec.hidden, 4096);
}

#[test]
fn the_other_file_counts_first() {
    let quant = json!({"quantization": {"quant_algo": "NVFP4", "kv_cache_quant_algo": "FP8", "exclude_modules": ["lm_head"]}});
    let checkpoint = read(&llama().to_string(), Some(&quant.to_string())).unwrap();
    assert_eq!((checkpoint.spec.quant.gemm, checkpoint.spec.quant.kv), (Quant::Nvfp4, KvQuant::Fp8));
}
