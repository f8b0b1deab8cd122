//! Texts inside of `ConfigMap`s, which containers read as files.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::graph::{self, Graph};
use crate::manifest::Check;
use crate::manifest::yaml::{self, Document, MAX_VALUES, join};

/// One text of a `ConfigMap`.
pub(super) struct Text<'a> {
    /// Name of the `ConfigMap`.
    map: &'a str,
    /// Name of the text in it.
    pub(super) key: &'a str,
    /// Where it stands in its document, such as `data.engine.yaml`.
    pub(super) path: String,
    /// Line of its key.
    line: Option<u32>,
    /// Line of its first line, when it is written as a block.
    block: Option<u32>,
    content: Option<Document>,
    problem: Option<Check>,
}

impl Text<'_> {
    /// What it says, when it is a mapping.
    pub(super) fn value(&self) -> Option<&Value> {
        self.content.as_ref().map(|document| &document.value)
    }

    /// Why it cannot be read.
    pub(super) fn problem(&self) -> Option<Check> {
        self.problem.as_ref().map(|check| self.placed(check.clone()))
    }

    /// Words in it that mean something else than they seem to.
    pub(super) fn notes(&self) -> impl Iterator<Item = Check> {
        let notes = self.content.iter().flat_map(|document| &document.notes);
        notes.map(|note| self.placed(Check { path: join(&self.path, &note.path), ..note.clone() }))
    }

    /// A finding inside of it, whose path begins with the text's own, with its line in the whole file.
    pub(super) fn placed(&self, check: Check) -> Check {
        let inner = check.path.strip_prefix(&self.path).and_then(|rest| rest.strip_prefix('.'));
        let inside = match (&self.content, check.line) {
            (_, Some(line)) => Some(line),
            (Some(document), None) => document.line(inner.unwrap_or_default()),
            (None, None) => None,
        };
        let line = match (self.block, inside) {
            (Some(first), Some(inside)) => Some(first + inside - 1),
            _ => self.line,
        };
        Check { line, ..check }
    }
}

/// The texts of every `ConfigMap` of a file.
pub(super) struct Files<'a> {
    texts: Vec<Text<'a>>,
    /// Where the texts of each document begin, and where the last ones end.
    begins: Vec<usize>,
    /// Index of a text by the names of its `ConfigMap` and of itself.
    named: BTreeMap<(&'a str, &'a str), usize>,
    maps: BTreeSet<&'a str>,
    /// Whether the file has only one document, so that others may come from elsewhere.
    alone: bool,
    /// Texts that a planner reads, which are checked with its deployment.
    planners: BTreeSet<(String, String)>,
    /// How many values the texts may still have.
    left: usize,
}

/// What a name in a deployment leads to.
pub(super) enum Source<'f, 'a> {
    /// A text of this file.
    Text(&'f Text<'a>),
    /// The `ConfigMap` is here, and has no such text.
    NoKey,
    /// It is not in this file.
    Elsewhere,
}

impl<'a> Files<'a> {
    /// Reads the `ConfigMap`s among these documents.
    pub(super) fn new(documents: &'a [Document]) -> Self {
        let mut files = Self {
            texts: Vec::new(),
            begins: vec![0],
            named: BTreeMap::new(),
            maps: BTreeSet::new(),
            alone: documents.len() == 1,
            planners: BTreeSet::new(),
            left: MAX_VALUES,
        };
        for document in documents {
            files.add(document);
            files.begins.push(files.texts.len());
        }
        for document in
            documents.iter().filter(|document| kind(&document.value) == Some("DynamoGraphDeployment"))
        {
            let graph = Graph::below(&document.value, "");
            let read = graph::planner_file(&graph, &files).map(|(map, key)| (map.to_owned(), key));
            files.planners.extend(read);
        }
        files
    }

    fn add(&mut self, document: &'a Document) {
        let Some(map) =
            super::object::name(&document.value).filter(|_| kind(&document.value) == Some("ConfigMap"))
        else {
            return;
        };
        self.maps.insert(map);
        let data = document.value.get("data").and_then(Value::as_object).into_iter().flatten();
        for (key, content) in data.filter_map(|(key, value)| Some((key, value.as_str()?))) {
            self.named.entry((map, key)).or_insert(self.texts.len());
            self.texts.push(text(map, key, content, document, &mut self.left));
        }
    }

    /// Whether a planner of this file reads this text.
    pub(super) fn is_planners(&self, text: &Text<'_>) -> bool {
        self.planners.contains(&(text.map.to_owned(), text.key.to_owned()))
    }

    /// The texts of a document.
    pub(super) fn of(&self, document: usize) -> &[Text<'a>] {
        let range = self.begins.get(document).zip(self.begins.get(document + 1));
        range.and_then(|(from, until)| self.texts.get(*from..*until)).unwrap_or_default()
    }

    /// What a name of a `ConfigMap` and of a text in it lead to.
    pub(super) fn find(&self, map: &str, key: &str) -> Source<'_, 'a> {
        match self.named.get(&(map, key)).and_then(|at| self.texts.get(*at)) {
            Some(text) => Source::Text(text),
            None if self.maps.contains(map) => Source::NoKey,
            None => Source::Elsewhere,
        }
    }

    /// Whether a `ConfigMap` is needed that this file should have, but has not.
    pub(super) fn lacks(&self, map: &str) -> bool {
        !self.alone && !self.maps.contains(map)
    }
}

fn kind(value: &Value) -> Option<&str> {
    value.get("kind").and_then(Value::as_str)
}

fn text<'a>(map: &'a str, key: &'a str, content: &str, document: &Document, left: &mut usize) -> Text<'a> {
    let path = join("data", key);
    let (line, block) = (document.line(&path), document.block_line(&path));
    let structured = [".yaml", ".yml", ".json"].iter().any(|ending| key.ends_with(ending));
    let (content, problem) = match yaml::documents_within(content, left) {
        Ok(mut found) if found.len() == 1 => (found.pop(), None),
        // Short texts with aliases may be large, and there may be many of them; long lists of numbers are no mistake.
        Err(_) if *left == 0 => (
            None,
            Some(Check::warning(&path, "yaml", "The text is too long to be read here; it was not checked.")),
        ),
        Err(check) if structured => (None, Some(Check { path: path.clone(), ..check })),
        _ => (None, None),
    };
    Text { map, key, path, line, block, content, problem }
}
