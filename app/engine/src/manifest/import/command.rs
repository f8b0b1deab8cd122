//! From the words of a command to the settings of a worker.

use serde_json::Value;

use super::flags::{self, Sets, Takes};
use super::node::Node;
use super::settings::{Notes, Role, Said, Settings, flag, joined, put, share, whole};
use super::shell::{self, File, Variables, Word};
use crate::backend::Backend;
use crate::manifest::yaml;
use crate::parallel::WorkerRole;
use crate::text::Why;

/// Deepest `bash -c "…"` that is looked into.
const MAX_DEPTH: u32 = 3;

/// An engine and what it was started with.
#[derive(Clone, Debug)]
pub(super) struct Worker {
    pub backend: Backend,
    pub settings: Settings,
    /// Line of its first word.
    pub line: u32,
}

/// What a command is.
enum Start {
    /// An engine; its arguments begin at this word, a model of its own before flags is allowed or not.
    Engine(Backend, usize, bool),
    /// A script in a word of this index.
    Script(usize),
    /// Something beside the engines.
    Beside,
    Unknown,
}

/// What a command finds around it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context<'a> {
    pub variables: &'a Variables,
    /// Files of the text; those of a `ConfigMap` are below its name.
    pub files: &'a [File],
    /// Where each `ConfigMap` is mounted: path and name.
    pub mounts: &'a [(String, String)],
}

/// The file that a path means: in a mounted `ConfigMap`, else the first of that name.
pub(super) fn file<'a>(path: &str, files: &'a [File], mounts: &[(String, String)]) -> Option<&'a File> {
    let mounted = mounts.iter().find_map(|(at, map)| {
        let key = path.strip_prefix(at.trim_end_matches('/'))?.strip_prefix('/')?;
        files.iter().find(|file| file.path.strip_prefix(map.as_str()).is_some_and(|rest| rest[1..] == *key))
    });
    let name = base(path);
    let alike = || {
        files
            .iter()
            .find(|file| file.path == path)
            .or_else(|| files.iter().find(|file| base(&file.path) == name))
    };
    mounted.or_else(alike)
}

/// Workers that a command starts.
pub(super) fn read(words: &[Word], context: &Context<'_>, notes: &mut Notes) -> Vec<Worker> {
    nested(words, context, notes, 0)
}

fn nested(words: &[Word], context: &Context<'_>, notes: &mut Notes, depth: u32) -> Vec<Worker> {
    let Some(first) = words.first() else { return Vec::new() };
    match start(words) {
        Start::Engine(backend, at, positional) => {
            let settings = settings(backend, &words[at..], positional, context, notes);
            vec![Worker { backend, settings, line: first.line }]
        }
        Start::Script(at) if depth < MAX_DEPTH => {
            let Word { text, line, .. } = &words[at];
            let script = shell::read(text, *line, context.variables);
            if let Some(line) = script.open_quote {
                notes.unread(Some(line), text, &Why::OpenQuote);
            }
            let files: Vec<File> = context.files.iter().chain(&script.files).cloned().collect();
            let inner = Context { files: &files, ..*context };
            script.commands.iter().flat_map(|command| nested(command, &inner, notes, depth + 1)).collect()
        }
        Start::Beside => Vec::new(),
        Start::Script(_) | Start::Unknown => {
            notes.unread(Some(first.line), &joined(words), &Why::UnknownCommand);
            Vec::new()
        }
    }
}

/// What the arguments of an engine and the files that they name say.
fn settings(
    backend: Backend,
    words: &[Word],
    positional: bool,
    context: &Context<'_>,
    notes: &mut Notes,
) -> Settings {
    let mut settings = Settings::default();
    Arguments { backend, notes, settings: &mut settings, positional }.words(words);
    let named = std::mem::take(&mut settings.files);
    for Said { value: path, line } in &named {
        let Some(found) = file(path, context.files, context.mounts) else {
            notes.unread(Some(*line), path, &Why::MissingFile(path));
            continue;
        };
        let documents = match yaml::documents(&found.text) {
            Ok(documents) => documents,
            Err(check) => {
                notes.unread(Some(found.line), path, &Why::BadFile(&check.message));
                continue;
            }
        };
        for document in &documents {
            let node = Node::inside(document, found.line);
            let mut reader = Arguments { backend, notes, settings: &mut settings, positional: false };
            reader.fields(node.value(), &|below| node.line_of(below));
        }
    }
    // TensorRT-LLM lets its file win over arguments, the others do not.
    if backend != Backend::Trtllm && !named.is_empty() {
        let mut again = Notes::default();
        Arguments { backend, notes: &mut again, settings: &mut settings, positional }.words(words);
    }
    settings
}

/// Whether the words start an engine somewhere.
pub(super) fn starts_engine(words: &[Word]) -> bool {
    match start(words) {
        Start::Engine(..) => true,
        Start::Script(at) => ["vllm", "sglang", "trtllm"].iter().any(|name| words[at].text.contains(name)),
        Start::Beside | Start::Unknown => false,
    }
}

fn base(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

fn start(words: &[Word]) -> Start {
    let text = |at: usize| words.get(at).map_or("", |word| word.text.as_str());
    let containers = ["docker", "podman", "nerdctl"];
    let mut in_container = false;
    for at in 0..words.len() {
        let (word, next) = (text(at), text(at + 1));
        in_container |= containers.contains(&base(word));
        if word == "-m" {
            return module(next, text(at + 2), at + 2);
        }
        match (base(word), next) {
            ("vllm", "serve") => return Start::Engine(Backend::Vllm, at + 2, true),
            ("sglang", "serve") => return Start::Engine(Backend::Sglang, at + 2, true),
            ("trtllm-serve", "serve") => return Start::Engine(Backend::Trtllm, at + 2, true),
            ("trtllm-serve", "disaggregated" | "disaggregated_mpi_worker" | "mm_embedding_serve") => {
                return Start::Unknown;
            }
            ("trtllm-serve", _) => return Start::Engine(Backend::Trtllm, at + 1, true),
            ("bash" | "sh" | "zsh" | "dash", flags) if is_script_flag(flags) && at + 2 < words.len() => {
                return Start::Script(at + 2);
            }
            _ => {}
        }
    }
    if in_container && let Some(at) = words.iter().position(|word| word.text.contains("vllm-openai")) {
        // The image starts the server by itself.
        return Start::Engine(Backend::Vllm, at + 1, true);
    }
    let command = words.iter().find(|word| {
        shell::assignment(&word.text).is_none() && !matches!(word.text.as_str(), "sudo" | "env" | "exec")
    });
    let command = command.map_or("", |word| base(&word.text));
    if command.is_empty() || BESIDE.contains(&command) { Start::Beside } else { Start::Unknown }
}

fn is_script_flag(word: &str) -> bool {
    word.starts_with('-') && !word.starts_with("--") && word.ends_with('c')
}

/// What `python -m` starts.
fn module(name: &str, next: &str, at: usize) -> Start {
    let mut parts = name.split('.');
    match (parts.next(), parts.next()) {
        (Some("dynamo"), Some("vllm")) => Start::Engine(Backend::Vllm, at, false),
        (Some("dynamo"), Some("sglang")) | (Some("sglang"), Some("launch_server")) => {
            Start::Engine(Backend::Sglang, at, false)
        }
        (Some("dynamo"), Some("trtllm")) => Start::Engine(Backend::Trtllm, at, false),
        (Some("dynamo" | "sglang_router" | "pip"), _) => Start::Beside,
        (Some("vllm"), Some("entrypoints")) if name.ends_with("cli.main") && next == "serve" => {
            Start::Engine(Backend::Vllm, at + 1, true)
        }
        (Some("vllm"), Some("entrypoints")) => Start::Engine(Backend::Vllm, at, false),
        (Some("tensorrt_llm"), Some("commands")) if name.ends_with("serve") => {
            Start::Engine(Backend::Trtllm, at, true)
        }
        _ => Start::Unknown,
    }
}

/// Commands that people paste along.
const BESIDE: &[&str] = &[
    "cd",
    "set",
    "source",
    ".",
    "export",
    "unset",
    "echo",
    "printf",
    "cat",
    "tee",
    "mkdir",
    "sleep",
    "wait",
    "trap",
    "exit",
    "pip",
    "pip3",
    "uv",
    "apt",
    "apt-get",
    "curl",
    "wget",
    "git",
    "kubectl",
    "helm",
    "etcd",
    "nats-server",
    "nvidia-smi",
    "huggingface-cli",
    "hf",
    "ulimit",
    "kill",
    "genai-perf",
    "aiperf",
    "time",
    "true",
    "then",
    "fi",
    "do",
    "done",
    "else",
    "test",
    ":",
    "[",
    "if",
    "for",
    "while",
    "python",
    "python3",
    "dynamo-run",
];

/// Reads the arguments of one engine.
pub(super) struct Arguments<'a> {
    pub backend: Backend,
    pub notes: &'a mut Notes,
    pub settings: &'a mut Settings,
    /// Whether a model may stand before or between the flags.
    pub positional: bool,
}

impl Arguments<'_> {
    pub(super) fn words(&mut self, words: &[Word]) {
        let mut at = 0;
        while let Some(word) = words.get(at) {
            at += 1;
            let Some(name) = flag_name(&word.text) else {
                if std::mem::take(&mut self.positional) {
                    self.value(Sets::Model, std::slice::from_ref(word), word);
                } else {
                    self.notes.unread(Some(word.line), &word.text, &Why::Stray);
                }
                continue;
            };
            let (name, inline) = match name.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (name, None),
            };
            let free = words[at..].iter().take_while(|next| flag_name(&next.text).is_none()).count();
            let Some((takes, sets)) = self.find(name) else {
                let taken = if inline.is_some() { 0 } else { free.min(1) };
                let whole = joined(&words[at - 1..at + taken]);
                self.notes.unread(Some(word.line), &whole, &Why::UnknownFlag(self.backend));
                at += taken;
                continue;
            };
            let inline = inline.map(|value| Word { text: value.to_owned(), ..word.clone() });
            match (takes, inline) {
                (_, Some(value)) => self.value(sets, &[value], word),
                (Takes::None, None) => self.value(sets, &[], word),
                (Takes::One, None) => {
                    // A value may begin with a dash, as -1 does.
                    match words.get(at) {
                        Some(value) if free > 0 || whole(value.text.trim_start_matches('-')).is_some() => {
                            self.value(sets, std::slice::from_ref(value), word);
                            at += 1;
                        }
                        _ => self.notes.unread(Some(word.line), &word.text, &Why::NoValue),
                    }
                }
                (Takes::Many, None) => {
                    self.value(sets, &words[at..at + free], word);
                    at += free;
                }
            }
        }
    }

    fn find(&self, name: &str) -> Option<(Takes, Sets)> {
        if self.backend == Backend::Trtllm
            && let Some(path) = name.strip_prefix("trtllm.")
        {
            return Some((Takes::One, flags::field(path)?));
        }
        let name = name.replace('_', "-");
        let vllm = self.backend == Backend::Vllm;
        if vllm && name.len() == 2 && name.starts_with('O') {
            return Some((Takes::None, Sets::Nothing));
        }
        let lower = if vllm && name == "O" { "o" } else { name.as_str() };
        flags::find(self.backend, lower).or_else(|| {
            // JSON arguments may be given field by field.
            let (first, _) = lower.split_once('.').filter(|_| vllm)?;
            flags::find(self.backend, first).filter(|(takes, _)| *takes == Takes::One)
        })
    }

    /// Sets what a value says; `flag` is the word that it belongs to.
    pub(super) fn value(&mut self, sets: Sets, values: &[Word], flag_word: &Word) {
        let line = flag_word.line;
        let shown = || {
            let named = values.first().is_none_or(|value| flag_word.text.contains(value.text.as_str()));
            if named { flag_word.text.clone() } else { format!("{} {}", flag_word.text, joined(values)) }
        };
        if matches!(sets, Sets::Nothing | Sets::Served) && values.is_empty() {
            return;
        }
        if let Some(unset) = values.iter().find_map(|value| value.unset.as_deref())
            && sets != Sets::Nothing
        {
            self.notes.unread(Some(line), &shown(), &Why::Unset(unset));
            return;
        }
        let first = values.first().map(|value| value.text.as_str());
        let line = values.first().map_or(line, |value| value.line);
        if let Err(why) = self.set(sets, first, line) {
            self.notes.unread(Some(line), &shown(), &why);
        }
    }

    fn set(&mut self, sets: Sets, value: Option<&str>, line: u32) -> Result<(), Why<'static>> {
        let text = || value.map(str::trim).filter(|value| !value.is_empty()).ok_or(Why::NoValue);
        let number = || whole(text()?).ok_or(Why::NotWhole);
        let truth = || value.map_or(Some(true), flag).ok_or(Why::NotFlag);
        let settings = &mut *self.settings;
        match sets {
            Sets::Model => put(&mut settings.model, text()?.to_owned(), line),
            Sets::Served => put(&mut settings.served, text()?.to_owned(), line),
            Sets::Tp => put(&mut settings.tp, number()?, line),
            Sets::Pp => put(&mut settings.pp, number()?, line),
            Sets::Dp => put(&mut settings.dp, number()?, line),
            Sets::Cp => put(&mut settings.cp, number()?, line),
            Sets::MoeTp | Sets::MoeEp if is_unset_size(value) => {}
            Sets::MoeTp => put(&mut settings.moe_tp, number()?, line),
            Sets::MoeEp => put(&mut settings.moe_ep, number()?, line),
            Sets::ExpertParallel(on) => put(&mut settings.expert_parallel, truth()? == on, line),
            Sets::DpAttention => put(&mut settings.dp_attention, truth()?, line),
            Sets::Batch => put(&mut settings.batch, number()?, line),
            Sets::Chunk if value == Some("-1") => settings.tokens = None,
            Sets::Tokens | Sets::Chunk => put(&mut settings.tokens, number()?, line),
            Sets::PrefillTokens => put(&mut settings.prefill_tokens, number()?, line),
            Sets::Length if matches!(value, Some("auto" | "-1")) => {}
            Sets::Length => put(&mut settings.length, number()?, line),
            Sets::Memory => put(&mut settings.memory, share(text()?).ok_or(Why::NotShare)?, line),
            Sets::Kv => put(&mut settings.kv, text()?.to_ascii_lowercase(), line),
            Sets::Weights => put(&mut settings.weights, text()?.to_ascii_lowercase(), line),
            Sets::Role => put(&mut settings.role, role(text()?)?, line),
            Sets::IsPrefill if truth()? => {
                put(&mut settings.role, Role::Worker(WorkerRole::Prefill), line);
            }
            Sets::IsDecode if truth()? => put(&mut settings.role, Role::Worker(WorkerRole::Decode), line),
            Sets::KvTransfer => {
                let config = object(text()?)?;
                let side = config.get("kv_role").and_then(Value::as_str);
                // The role of Dynamo's own argument is plainer.
                let side = match side.filter(|_| settings.role.is_none()) {
                    Some("kv_producer") => Some(WorkerRole::Prefill),
                    Some("kv_consumer") => Some(WorkerRole::Decode),
                    _ => None,
                };
                if let Some(side) = side {
                    put(&mut settings.role, Role::Worker(side), line);
                }
            }
            Sets::Drafts => {
                let config = object(text()?)?;
                let part = |key: &str| config.get(key).and_then(Value::as_str);
                let drafts = &mut settings.drafts;
                if let Some(tokens) = config.get("num_speculative_tokens") {
                    put(&mut drafts.tokens, whole(&tokens.to_string()).ok_or(Why::NotWhole)?, line);
                }
                let method = part("method").unwrap_or("unnamed");
                put(&mut drafts.method, method.to_ascii_lowercase(), line);
                if let Some(model) = part("model") {
                    put(&mut drafts.model, model.to_owned(), line);
                }
            }
            Sets::DraftMethod => put(&mut settings.drafts.method, text()?.to_ascii_lowercase(), line),
            Sets::DraftTokens => put(&mut settings.drafts.tokens, number()?, line),
            Sets::DraftBranches => put(&mut settings.drafts.branches, number()?, line),
            Sets::DraftModel => put(&mut settings.drafts.model, text()?.to_owned(), line),
            Sets::Exchange => match text()? {
                "none" => {}
                _ => put(&mut settings.expert_parallel, true, line),
            },
            Sets::Rank => {
                let rank = text()?.parse().map_err(|_| Why::NotWhole)?;
                put(&mut settings.rank, rank, line);
            }
            Sets::Follows => put(&mut settings.rank, 1, line),
            Sets::File => settings.files.push(Said { value: text()?.to_owned(), line }),
            Sets::Override => {
                let config = Value::Object(object(text()?)?);
                self.fields(&config, &|_| line);
            }
            Sets::Nothing | Sets::IsPrefill | Sets::IsDecode => {}
            Sets::OnlyOne if number()? == 1 => {}
            Sets::NotModelled if value.is_some_and(|value| flag(value) == Some(false)) => {}
            Sets::OnlyOne | Sets::NotModelled => return Err(Why::NotModelled),
        }
        Ok(())
    }

    /// Reads the fields of an engine's own file; `line` finds the line of a dotted path.
    pub(super) fn fields(&mut self, config: &Value, line: &dyn Fn(&str) -> u32) {
        let mut leaves = Vec::new();
        flatten(config, "", &mut leaves);
        for (path, value) in leaves {
            let at = line(&path);
            let sets = match self.backend {
                Backend::Trtllm => flags::field(&path),
                // Files of the others hold arguments.
                Backend::Vllm | Backend::Sglang => {
                    flags::find(self.backend, &path.replace('_', "-")).map(|(_, sets)| sets)
                }
            };
            let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let word = |text: &str| Word { text: text.to_owned(), line: at, unset: None };
            match sets {
                None => {
                    let known_flag = Why::UnknownFlag(self.backend);
                    self.notes.unread(Some(at), &format!("{path}: {shown}"), &known_flag);
                }
                Some(_) if value.is_null() => {}
                Some(sets) => self.value(sets, &[word(&shown)], &word(&format!("{path}: {shown}"))),
            }
        }
    }
}

/// TensorRT-LLM writes -1 for a size that it chooses itself.
fn is_unset_size(value: Option<&str>) -> bool {
    value == Some("-1")
}

/// The name of an argument, without its dashes; none for values.
fn flag_name(word: &str) -> Option<&str> {
    let name = word.strip_prefix("--").or_else(|| word.strip_prefix('-'))?;
    name.starts_with(|c: char| c.is_ascii_alphabetic()).then_some(name)
}

fn object(text: &str) -> Result<serde_json::Map<String, Value>, Why<'static>> {
    match serde_json::from_str(text) {
        Ok(Value::Object(map)) => Ok(map),
        _ => Err(Why::NotJson),
    }
}

fn role(name: &str) -> Result<Role, Why<'static>> {
    Ok(match name.to_ascii_lowercase().as_str() {
        "prefill" | "context" => Role::Worker(WorkerRole::Prefill),
        "decode" | "generation" => Role::Worker(WorkerRole::Decode),
        "agg" | "aggregated" | "prefill_and_decode" | "pd" | "null" | "none" => Role::Worker(WorkerRole::Agg),
        "encode" | "mm_encoder" => Role::Other,
        _ => return Err(Why::NotOneOf(&["prefill", "decode", "agg"])),
    })
}

/// Every value that is no group, by its dotted path; lists stay whole.
fn flatten(value: &Value, path: &str, out: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                flatten(value, &path, out);
            }
        }
        other => out.push((path.to_owned(), other.clone())),
    }
}
