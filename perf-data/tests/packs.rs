//! The shipped packs against what the builder wrote down from the published rows.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;

use perf_data::{Index, IndexError, Key, Pack, PackEntry, Slice, Table, content_hash};

/// Rows of each table of each pack.
const ROWS: &str = include_str!("rows.tsv");
/// Ten values of each table of each pack.
const SPOTS: &str = include_str!("spots.tsv");
const INDEX: &str = include_str!("../packs/index.json");

/// Differences of kernels and selection steps that are published as zero where nothing is to be done.
const MAY_BE_ZERO: [&str; 3] = ["computescale", "dsv4_csa_topk_calib", "glm5_topk_module"];

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("packs")
}

fn index() -> Index {
    Index::from_json(INDEX).unwrap()
}

/// All tables of a pack, by name; one for each file that holds a part.
fn tables(entry: &PackEntry) -> BTreeMap<String, Vec<Table>> {
    let mut all: BTreeMap<String, Vec<Table>> = BTreeMap::new();
    for file in &entry.files {
        let bytes = std::fs::read(folder().join(&file.name)).unwrap();
        for table in Pack::from_bytes(&bytes).unwrap().into_tables() {
            all.entry(table.info.name.clone()).or_default().push(table);
        }
    }
    all
}

#[test]
fn every_file_is_what_its_name_and_the_index_say() {
    let index = index();
    let mut named = HashSet::new();
    for entry in &index.packs {
        assert_eq!(entry.id, PackEntry::identity(&entry.files));
        for file in &entry.files {
            let bytes = std::fs::read(folder().join(&file.name)).unwrap();
            assert_eq!(bytes.len() as u64, file.bytes, "{}", file.name);
            let dash = if file.precision.is_empty() { "" } else { "-" };
            let (system, backend) = (&entry.system, &entry.backend);
            let name = format!(
                "{system}.{backend}.{}{dash}{}.{}.pack",
                file.family,
                file.precision,
                content_hash(&bytes)
            );
            assert_eq!(file.name, name);
            let pack = Pack::from_bytes(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(
                (&pack.info.system, &pack.info.backend, &pack.info.version),
                (system, backend, &entry.version)
            );
            assert_eq!((&pack.info.family, &pack.info.precision), (&file.family, &file.precision));
            assert_eq!(pack.info.source, index.source);
            assert_eq!(
                pack.info.tables.iter().collect::<Vec<_>>(),
                pack.tables.iter().map(|table| &table.info).collect::<Vec<_>>()
            );
            assert!(named.insert(file.name.clone()), "{name} is listed twice");
        }
    }
    for entry in std::fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let list = ["index.json", "coverage.bin"].contains(&name.as_str());
        assert!(list || named.contains(&name), "{name} is not in the index");
    }
}

#[test]
fn all_measured_pairs_are_there() {
    let pairs: Vec<_> =
        index().packs.iter().map(|entry| (entry.system.clone(), entry.backend.clone())).collect();
    assert_eq!(pairs.len(), 28);
    assert!(pairs.is_sorted());
    assert!(index().pack("b60", "trtllm").is_none());
    let entry = index().pack("h100_sxm", "trtllm").cloned().unwrap();
    assert_eq!(entry.version, "1.3.0rc20");
    assert!(entry.file("gemm", "").is_none());
    assert!(entry.family("gemm").count() > 1);
}

#[test]
fn a_dense_model_is_a_small_download() {
    let index = index();
    let entry = index.pack("h100_sxm", "trtllm").unwrap();
    let wanted = [
        ("gemm", "fp8_block"),
        ("gemm", "bfloat16"),
        ("context_attention", "fp8-fp8"),
        ("generation_attention", "fp8"),
        ("comm", ""),
    ];
    let bytes: u64 =
        wanted.iter().map(|(family, precision)| entry.file(family, precision).unwrap().bytes).sum();
    assert!(bytes <= 600_000, "{bytes}");
}

#[test]
fn row_counts_are_those_of_the_sources() {
    let mut found = Vec::new();
    for entry in &index().packs {
        for (name, parts) in tables(entry) {
            let rows: u64 = parts.iter().map(|part| part.info.rows).sum();
            found.push(format!("{}\t{}\t{name}\t{rows}", entry.system, entry.backend));
        }
    }
    let mut wanted: Vec<_> = ROWS.lines().map(String::from).collect();
    found.sort();
    wanted.sort();
    assert_eq!(found, wanted);
}

#[test]
fn spot_values_are_those_of_the_sources() {
    let mut spots: BTreeMap<(&str, &str), Vec<Vec<&str>>> = BTreeMap::new();
    for line in SPOTS.lines() {
        let fields: Vec<_> = line.split('\t').collect();
        spots.entry((fields[0], fields[1])).or_default().push(fields[2..].to_vec());
    }
    let index = index();
    assert_eq!(spots.len(), index.packs.len());
    for ((system, backend), spots) in spots {
        let tables = tables(index.pack(system, backend).unwrap());
        for spot in spots {
            let [name, key, place, value] = spot[..] else { panic!("{spot:?}") };
            let parts = &tables[name];
            let slice = parts.iter().flat_map(|part| &part.slices).find(|slice| text(slice) == key);
            let found = slice.and_then(|slice| at(slice, place));
            let wanted: f64 = value.parse().unwrap();
            let wanted = if parts[0].info.exact { wanted } else { f64::from(wanted as f32) };
            assert_eq!(found, Some(wanted), "{system}/{backend} {name} {key} {place}");
        }
    }
}

fn text(slice: &Slice) -> String {
    let parts = slice.key.iter().map(|part| match part {
        Key::Int(value) => value.to_string(),
        Key::Text(text) => text.to_string(),
    });
    parts.collect::<Vec<_>>().join("|")
}

fn at(slice: &Slice, place: &str) -> Option<f64> {
    let mut node = 0;
    for (level, key) in slice.grid.levels.iter().zip(place.split(' ')) {
        let range = level.range(node);
        node = range.start + level.keys[range].binary_search(&key.parse().ok()?).ok()?;
    }
    slice.grid.values.get(node).copied()
}

#[test]
fn values_are_latencies() {
    for entry in &index().packs {
        for (name, parts) in tables(entry) {
            let smallest = parts
                .iter()
                .flat_map(|part| &part.slices)
                .flat_map(|slice| &slice.grid.values)
                .copied()
                .fold(f64::INFINITY, f64::min);
            let fits = if MAY_BE_ZERO.contains(&name.as_str()) { smallest >= 0.0 } else { smallest > 0.0 };
            assert!(fits, "{}/{} {name}: {smallest}", entry.system, entry.backend);
        }
    }
}

#[test]
fn split_tables_share_one_order_and_no_key() {
    for entry in &index().packs {
        for (name, parts) in tables(entry) {
            let mut keys = HashSet::new();
            for part in &parts {
                assert_eq!(part.info.lanes, parts[0].info.lanes, "{name}");
                assert!(
                    part.slices.iter().all(|slice| keys.insert(slice.key.clone())),
                    "{name} repeats a key"
                );
            }
            if name.ends_with("_attention") && name != "encoder_attention" || name == "gemm" || name == "moe"
            {
                let used: HashSet<_> = keys.iter().filter_map(|key| key[0].as_text()).collect();
                assert_eq!(used, parts[0].info.lanes.iter().map(String::as_str).collect(), "{name}");
            }
        }
    }
}

#[test]
fn lanes_follow_the_documented_defaults() {
    let index = index();
    let lanes = |system, backend, table: &str| {
        let entry = index.pack(system, backend).unwrap();
        let file = entry.family(table).next().unwrap();
        let bytes = std::fs::read(folder().join(&file.name)).unwrap();
        Pack::from_bytes(&bytes).unwrap().table(table).unwrap().info.lanes.clone()
    };
    assert_eq!(lanes("h200_sxm", "sglang", "context_attention"), ["fa3", "triton"]);
    assert_eq!(lanes("b200_sxm", "sglang", "context_attention"), ["triton", "trtllm_mha", "flashinfer"]);
    let l40s = lanes("l40s", "vllm", "context_attention");
    let position = |name| l40s.iter().position(|lane| lane == name).unwrap();
    assert!(position("vllm_flashinfer_fiprefill") < position("vllm_flashinfer_fidecode"));
}

#[test]
fn an_index_of_another_kind_is_refused() {
    let damaged = |old, new| Index::from_json(&INDEX.replacen(old, new, 1)).unwrap_err();
    assert_eq!(damaged("\"format\": 1", "\"format\": 2"), IndexError::Version { got: 2, want: 1 });
    assert!(matches!(damaged("\"packs\"", "\"sacks\""), IndexError::Json(_)));
    assert!(matches!(damaged("a100_sxm.sglang", "../a100_sxm.sglang"), IndexError::Name(_)));
}
