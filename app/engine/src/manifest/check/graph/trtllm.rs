//! Settings of a TensorRT-LLM engine: a YAML file, flags, or both.

use serde_json::{Map, Value};

use super::Component;
use crate::manifest::Check;
use crate::manifest::check::files::{Files, Source, Text};
use crate::manifest::check::schema::{nearest, shown};
use crate::manifest::yaml::join;

/// What a setting may be.
#[derive(Clone, Copy)]
enum Kind {
    Any,
    Flag,
    /// A whole number of at least 1.
    Size,
    /// Above 0 and at most 1.
    Share,
    Map(&'static [(&'static str, Kind)]),
}

const SETTINGS: &[(&str, Kind)] = &[
    ("allreduce_strategy", Kind::Any),
    ("attention_dp_config", Kind::Any),
    ("attn_backend", Kind::Any),
    ("backend", Kind::Any),
    ("batch_wait_max_tokens_ratio", Kind::Any),
    ("batch_wait_timeout_iters", Kind::Any),
    ("batch_wait_timeout_ms", Kind::Any),
    ("cache_transceiver_config", Kind::Map(TRANSCEIVER)),
    ("checkpoint_format", Kind::Any),
    ("checkpoint_loader", Kind::Any),
    ("context_parallel_size", Kind::Size),
    ("cp_config", Kind::Any),
    ("cuda_graph_config", Kind::Map(CUDA_GRAPH)),
    ("disable_overlap_scheduler", Kind::Flag),
    ("dtype", Kind::Any),
    ("enable_attention_dp", Kind::Flag),
    ("enable_autotuner", Kind::Flag),
    ("enable_chunked_prefill", Kind::Flag),
    ("enable_iter_perf_stats", Kind::Flag),
    ("enable_iter_req_stats", Kind::Flag),
    ("enable_layerwise_nvtx_marker", Kind::Flag),
    ("enable_lm_head_tp_in_adp", Kind::Flag),
    ("enable_lora", Kind::Flag),
    ("enable_min_latency", Kind::Flag),
    ("env_overrides", Kind::Any),
    ("force_dynamic_quantization", Kind::Flag),
    ("garbage_collection_gen0_threshold", Kind::Any),
    ("gather_generation_logits", Kind::Flag),
    ("gpus_per_node", Kind::Size),
    ("guided_decoding_backend", Kind::Any),
    ("iter_stats_max_iterations", Kind::Any),
    ("kv_cache_config", Kind::Map(KV_CACHE)),
    ("kv_connector_config", Kind::Any),
    ("load_format", Kind::Any),
    ("lora_config", Kind::Any),
    ("max_batch_size", Kind::Size),
    ("max_beam_width", Kind::Size),
    ("max_input_len", Kind::Size),
    ("max_num_tokens", Kind::Size),
    ("max_seq_len", Kind::Size),
    ("mm_encoder_only", Kind::Flag),
    ("model", Kind::Any),
    ("moe_cluster_parallel_size", Kind::Any),
    ("moe_config", Kind::Any),
    ("moe_expert_parallel_size", Kind::Size),
    ("moe_tensor_parallel_size", Kind::Size),
    ("num_postprocess_workers", Kind::Any),
    ("nvfp4_gemm_config", Kind::Any),
    ("orchestrator_type", Kind::Any),
    ("peft_cache_config", Kind::Any),
    ("perf_metrics_max_requests", Kind::Any),
    ("pipeline_parallel_size", Kind::Size),
    ("postprocess_tokenizer_dir", Kind::Any),
    ("print_iter_log", Kind::Flag),
    ("quant_config", Kind::Any),
    ("reasoning_parser", Kind::Any),
    ("request_stats_max_iterations", Kind::Any),
    ("return_perf_metrics", Kind::Flag),
    ("revision", Kind::Any),
    ("sampler_type", Kind::Any),
    ("scheduler_config", Kind::Any),
    ("skip_tokenizer_init", Kind::Flag),
    ("sparse_attention_config", Kind::Any),
    ("speculative_config", Kind::Any),
    ("stream_interval", Kind::Size),
    ("tensor_parallel_size", Kind::Size),
    ("tokenizer", Kind::Any),
    ("tokenizer_mode", Kind::Any),
    ("tokenizer_revision", Kind::Any),
    ("torch_compile_config", Kind::Any),
    ("trust_remote_code", Kind::Flag),
];

const KV_CACHE: &[(&str, Kind)] = &[
    ("attention_dp_events_gather_period_ms", Kind::Any),
    ("copy_on_partial_reuse", Kind::Flag),
    ("cross_kv_cache_fraction", Kind::Any),
    ("dtype", Kind::Any),
    ("enable_block_reuse", Kind::Flag),
    ("enable_partial_reuse", Kind::Flag),
    ("event_buffer_max_size", Kind::Any),
    ("free_gpu_memory_fraction", Kind::Share),
    ("host_cache_size", Kind::Any),
    ("mamba_ssm_cache_dtype", Kind::Any),
    ("max_attention_window", Kind::Any),
    ("max_gpu_total_bytes", Kind::Any),
    ("max_tokens", Kind::Size),
    ("max_util_for_resume", Kind::Any),
    ("onboard_blocks", Kind::Flag),
    ("secondary_offload_min_priority", Kind::Any),
    ("sink_token_length", Kind::Any),
    ("tokens_per_block", Kind::Size),
    ("use_kv_cache_manager_v2", Kind::Flag),
    ("use_uvm", Kind::Flag),
];

const CUDA_GRAPH: &[(&str, Kind)] =
    &[("batch_sizes", Kind::Any), ("enable_padding", Kind::Flag), ("max_batch_size", Kind::Any)];

const TRANSCEIVER: &[(&str, Kind)] = &[
    ("backend", Kind::Any),
    ("kv_transfer_sender_future_timeout_ms", Kind::Any),
    ("kv_transfer_timeout_ms", Kind::Any),
    ("max_tokens_in_buffer", Kind::Size),
    ("transceiver_runtime", Kind::Any),
];

/// Spellings of earlier versions, which are refused now.
const RETIRED: &[(&str, &str)] = &[
    ("cuda_graph_batch_sizes", "cuda_graph_config.batch_sizes"),
    ("cuda_graph_padding_enabled", "cuda_graph_config.enable_padding"),
    ("enable_overlap_scheduler", "disable_overlap_scheduler"),
    ("kv_cache_dtype", "kv_cache_config.dtype"),
    ("moe_backend", "moe_config.backend"),
    ("padding_enabled", "cuda_graph_config.enable_padding"),
    ("pytorch_backend_config", "the settings themselves, one level up"),
    ("use_cuda_graph", "cuda_graph_config"),
];

/// Whether a mapping holds settings of an engine.
pub(in crate::manifest::check) fn looks_like(value: &Value) -> bool {
    const TELLING: [&str; 6] = [
        "tensor_parallel_size",
        "kv_cache_config",
        "max_num_tokens",
        "cache_transceiver_config",
        "cuda_graph_config",
        "moe_expert_parallel_size",
    ];
    value.as_object().is_some_and(|map| TELLING.iter().any(|key| map.contains_key(*key)))
}

/// Checks the settings of an engine at a path.
pub(in crate::manifest::check) fn check(value: &Value, path: &str, out: &mut Vec<Check>) {
    let Some(map) = value.as_object() else { return };
    settings(map, SETTINGS, path, out);
    let get = |key: &str| value.pointer(key);
    if let Some((tokens, batch)) = size(get("/max_num_tokens")).zip(size(get("/max_batch_size")))
        && tokens < batch
    {
        let message = format!(
            "max_num_tokens is {tokens}, below max_batch_size, which is {batch}: a step could not decode the whole batch. Raise it."
        );
        out.push(Check::error(join(path, "max_num_tokens"), "batch-tokens", message));
    }
    if let Some(Value::Array(sizes)) = get("/cuda_graph_config/batch_sizes") {
        let at = join(path, "cuda_graph_config.batch_sizes");
        graph_sizes(sizes.iter().map(Value::as_u64), size(get("/max_batch_size")), &at, out);
    }
    if let Some(Value::String(backend)) = get("/cache_transceiver_config/backend")
        && !["DEFAULT", "UCX", "NIXL", "MPI", "MOONCAKE"].contains(&backend.to_ascii_uppercase().as_str())
    {
        let message = format!("{backend:?} is no backend for KV transfer; write DEFAULT, UCX, NIXL or MPI.");
        out.push(Check::error(join(path, "cache_transceiver_config.backend"), "engine-value", message));
    }
}

fn settings(map: &Map<String, Value>, known: &[(&str, Kind)], path: &str, out: &mut Vec<Check>) {
    for (key, value) in map {
        let at = join(path, key);
        let Some((_, kind)) = known.iter().find(|(name, _)| name == key) else {
            if let Some((_, now)) = RETIRED.iter().find(|(name, _)| name == key) {
                let message = format!("{key} is refused by TensorRT-LLM now; write {now}.");
                out.push(Check::error(at, "engine-retired", message));
            } else {
                let near = nearest(key, known.iter().map(|(name, _)| *name));
                let hint =
                    near.map_or_else(|| "Check its spelling.".to_owned(), |near| format!("Is {near} meant?"));
                let message = format!(
                    "{key} is not among the settings known here, and TensorRT-LLM refuses those it does not know. {hint}"
                );
                out.push(Check::warning(at, "engine-unknown", message));
            }
            continue;
        };
        let wanted = match kind {
            _ if value.is_null() => None,
            Kind::Flag if !value.is_boolean() => Some("true or false"),
            Kind::Size if value.as_u64().is_none_or(|size| size == 0) => Some("a whole number of at least 1"),
            Kind::Share if value.as_f64().is_none_or(|share| !(share > 0.0 && share <= 1.0)) => {
                Some("above 0 and at most 1")
            }
            Kind::Map(known) => match value.as_object() {
                Some(map) => {
                    settings(map, known, &at, out);
                    None
                }
                None => Some("a mapping"),
            },
            _ => None,
        };
        if let Some(wanted) = wanted {
            let message = format!("{key} is {}; it must be {wanted}.", shown(value));
            out.push(Check::error(at, "engine-value", message));
        }
    }
}

/// Sizes of CUDA graphs: each once, ascending, none above the batch.
pub(super) fn graph_sizes(
    sizes: impl Iterator<Item = Option<u64>>,
    batch: Option<u64>,
    path: &str,
    out: &mut Vec<Check>,
) {
    let Some(sizes) = sizes.collect::<Option<Vec<u64>>>() else { return };
    if sizes.windows(2).any(|pair| pair[0] >= pair[1]) {
        let message =
            "The sizes of CUDA graphs should ascend, each once; others cost start-up time and memory.";
        out.push(Check::warning(path, "graph-sizes", message));
    }
    if let Some(batch) = batch
        && let Some(above) = sizes.iter().find(|&&size| size > batch)
    {
        let message =
            format!("A CUDA graph for {above} requests is never used: the batch holds at most {batch}.");
        out.push(Check::warning(path, "graph-sizes", message));
    }
}

fn size(value: Option<&Value>) -> Option<u64> {
    value.and_then(Value::as_u64)
}

/// Where the settings of a component come from.
pub(super) struct Engine<'c, 'f, 'm> {
    component: &'c Component<'c>,
    /// The file, if it is one of this manifest.
    pub(super) file: Option<&'f Text<'m>>,
    overriding: Option<Value>,
    /// Whether everything that sets anything could be read.
    pub(super) known: bool,
}

/// Flags that name a setting.
const FLAGS: &[(&str, &str)] = &[
    ("tensor_parallel_size", "--tensor-parallel-size"),
    ("pipeline_parallel_size", "--pipeline-parallel-size"),
    ("moe_expert_parallel_size", "--expert-parallel-size"),
    ("max_batch_size", "--max-batch-size"),
    ("max_num_tokens", "--max-num-tokens"),
    ("max_seq_len", "--max-seq-len"),
    ("enable_attention_dp", "--enable-attention-dp"),
];

const FILE: &[&str] = &["--extra-engine-args", "--config"];
const OVERRIDE: &[&str] = &["--override-engine-args"];

impl<'c, 'f, 'm> Engine<'c, 'f, 'm> {
    pub(super) fn new(component: &'c Component<'c>, files: &'f Files<'m>) -> Self {
        let args = &component.args;
        let file = args.value(FILE).and_then(|path| component.file(path, files));
        let file = match file {
            Some((Source::Text(text), ..)) => Some(text),
            _ => None,
        };
        let overriding = args.value(OVERRIDE).map(serde_json::from_str::<Value>);
        let known = (args.has(FILE) == file.is_some())
            && file.is_none_or(|file| file.value().is_some())
            && !matches!(overriding, Some(Err(_)));
        Self { component, file, overriding: overriding.and_then(Result::ok), known }
    }

    /// A setting by its dotted name; flags before the file, and the file before ordinary flags.
    pub(super) fn get(&self, name: &str) -> Option<Value> {
        let args = &self.component.args;
        let pointer = format!("/{}", name.replace('.', "/"));
        let plain =
            |text: &str| serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
        self.overriding
            .as_ref()
            .and_then(|value| value.pointer(&pointer).cloned())
            .or_else(|| args.value(&[&format!("--trtllm.{name}")]).map(plain))
            .or_else(|| self.file?.value()?.pointer(&pointer).cloned())
            .or_else(|| {
                let (_, flag) = FLAGS.iter().find(|(setting, _)| *setting == name)?;
                let flag = args.flag(&[flag])?;
                Some(flag.values.first().map_or(Value::Bool(true), |value| plain(value)))
            })
    }

    /// A size; the default when nothing sets it, none when it cannot be known.
    pub(super) fn size(&self, name: &str, default: u64) -> Option<u64> {
        match self.get(name) {
            Some(Value::Null) | None => self.known.then_some(default),
            Some(value) => value.as_u64().filter(|&size| (1..=u64::from(u32::MAX)).contains(&size)),
        }
    }

    /// Problems of the sources themselves.
    pub(super) fn check(&self, files: &Files<'_>, out: &mut Vec<Check>) {
        let args = &self.component.args;
        let single = args.flags().iter().find(|flag| flag.name.starts_with("--trtllm."));
        if let Some(flag) = args.flag(OVERRIDE) {
            if single.is_some() {
                let message = "--override-engine-args and --trtllm.… exclude each other; keep one.";
                out.push(Check::error(flag.value_path(), "engine-args", message));
            }
            match &self.overriding {
                Some(value) if value.is_object() => check(value, flag.value_path(), out),
                _ => {
                    let message = "--override-engine-args must be a JSON object in quotes.";
                    out.push(Check::error(flag.value_path(), "engine-args", message));
                }
            }
        }
        let Some(flag) = args.flag(FILE) else { return };
        let Some(path) = flag.values.first() else { return };
        match self.component.file(path, files) {
            Some((Source::NoKey, map, key)) => {
                let message =
                    format!("{path} would be {key} in the ConfigMap {map}, which has no such text.");
                out.push(Check::error(flag.value_path(), "engine-args", message));
            }
            Some((Source::Text(text), ..)) if text.value().is_none() => {
                let message = format!("{path} is no YAML mapping of settings.");
                out.push(Check::error(flag.value_path(), "engine-args", message));
            }
            _ => {}
        }
    }
}
