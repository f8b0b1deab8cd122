//! Deployments of ours, read back as the facts they are compared by.

use std::collections::BTreeMap;

use engine::manifest::{File, Manifest};
use serde::Deserialize;
use serde_json::{Value, json};

/// The documents of a file.
pub(crate) fn parsed(file: &File) -> Vec<Value> {
    let documents = serde_yaml::Deserializer::from_str(&file.text);
    documents.map(|document| Value::deserialize(document).expect("YAML")).collect()
}

/// One name for flags that have two.
pub(crate) fn canonical(flag: &str) -> &str {
    match flag {
        "--tp" => "--tensor-parallel-size",
        "--dp" => "--data-parallel-size",
        "--ep" => "--expert-parallel-size",
        "--cuda-graph-bs-decode" => "--cuda-graph-bs",
        flag => flag,
    }
}

/// Flags with what they were given: nothing is true, JSON is read, numbers are numbers.
pub(crate) fn flags(args: &[Value]) -> BTreeMap<String, Value> {
    let mut out: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    let mut last = String::new();
    for word in args.iter().filter_map(Value::as_str) {
        if word.starts_with("--") {
            canonical(word).clone_into(&mut last);
            out.insert(last.clone(), Vec::new());
        } else if let Some(values) = out.get_mut(&last) {
            values.push(serde_json::from_str(word).unwrap_or_else(|_| json!(word)));
        }
    }
    let value = |mut values: Vec<Value>| match values.len() {
        0 => json!(true),
        1 => values.remove(0),
        _ => Value::Array(values),
    };
    out.into_iter().map(|(flag, values)| (flag, value(values))).collect()
}

/// A deployment of ours, read back.
pub(crate) struct Ours {
    pub(crate) document: Value,
    pub(crate) parts: BTreeMap<String, Part>,
    pub(crate) engines: BTreeMap<String, Value>,
}

/// A component of it.
pub(crate) struct Part {
    pub(crate) value: Value,
    pub(crate) main: Value,
}

impl Ours {
    pub(crate) fn of(manifest: &Manifest) -> Self {
        let documents = parsed(&manifest.files[0]);
        let data = documents.iter().filter_map(|document| document["data"].as_object()).flatten();
        let engines = data
            .filter_map(|(name, text)| Some((name.clone(), serde_yaml::from_str(text.as_str()?).ok()?)))
            .collect();
        let document = documents.last().expect("a document").clone();
        let parts = document["spec"]["components"].as_array().expect("components").iter().map(|value| {
            let main = value["podTemplate"]["spec"]["containers"][0].clone();
            (value["name"].as_str().expect("a name").to_owned(), Part { value: value.clone(), main })
        });
        Self { parts: parts.collect(), document: document.clone(), engines }
    }

    pub(crate) fn gpus(&self) -> u64 {
        let all = self.parts.values().map(|part| {
            let (nodes, limit) = part.gpus();
            nodes * limit * part.value["replicas"].as_u64().expect("replicas")
        });
        all.sum()
    }
}

impl Part {
    /// Nodes of a worker and its GPUs on each.
    pub(crate) fn gpus(&self) -> (u64, u64) {
        let limit = self.main["resources"]["limits"]["nvidia.com/gpu"].as_str().unwrap_or("0");
        let nodes = self.value["multinode"]["nodeCount"].as_u64().unwrap_or(1);
        (nodes, limit.parse().expect("a number of GPUs"))
    }

    pub(crate) fn flags(&self) -> BTreeMap<String, Value> {
        flags(self.main["args"].as_array().expect("args"))
    }

    pub(crate) fn env(&self) -> BTreeMap<&str, &str> {
        let pairs = self.main["env"].as_array().into_iter().flatten();
        pairs.filter_map(|pair| Some((pair["name"].as_str()?, pair["value"].as_str()?))).collect()
    }

    pub(crate) fn names(&self, list: &str) -> Value {
        let items = self.value["podTemplate"]["spec"][list].as_array().into_iter().flatten();
        items.map(|item| item["name"].clone()).collect()
    }

    /// Claims and where they are mounted.
    pub(crate) fn claims(&self) -> Vec<(String, String)> {
        let pod = &self.value["podTemplate"]["spec"];
        let volumes = pod["volumes"].as_array().into_iter().flatten();
        let mounts = self.main["volumeMounts"].as_array();
        volumes
            .filter_map(|volume| {
                let claim = volume["persistentVolumeClaim"]["claimName"].as_str()?;
                let mount = mounts?.iter().find(|mount| mount["name"] == volume["name"])?;
                Some((claim.to_owned(), mount["mountPath"].as_str()?.to_owned()))
            })
            .collect()
    }
}
