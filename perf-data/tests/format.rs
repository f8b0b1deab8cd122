//! The container: what goes in comes out, and nothing else gets in.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use perf_data::{FORMAT_VERSION, FileInfo, Grid, Key, Level, Pack, PackError, Slice, Table, TableInfo};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

/// A grid whose nodes draw their keys from `lists` and whose values come from `values`, both in turn.
fn grid(axes: usize, lists: &[Vec<u32>], values: &[f64], borrowed: bool) -> Grid {
    let mut lists = lists.iter().cycle();
    let mut levels: Vec<Level> = Vec::new();
    for _ in 0..axes {
        let nodes = levels.last().map_or(1, |level| level.keys.len());
        let mut level = Level { keys: Vec::new(), starts: vec![0] };
        for _ in 0..nodes {
            level.keys.extend(lists.next().unwrap());
            level.starts.push(level.keys.len() as u32);
        }
        levels.push(level);
    }
    let places = levels.last().map_or(0, |level| level.keys.len());
    let values: Vec<_> = values.iter().copied().cycle().take(places).collect();
    let tiers =
        if borrowed { (0..places).map(|place| u8::from(place % 2 == 0)).collect() } else { Vec::new() };
    Grid { levels, values, tiers }
}

fn table(name: &str, exact: bool, slices: Vec<Slice>, axes: usize) -> Table {
    let rows = slices.iter().map(|slice| slice.grid.values.len() as u64).sum();
    let info = TableInfo {
        name: name.into(),
        key: vec!["dtype".into(), "heads".into()],
        axes: (0..axes).map(|axis| format!("axis{axis}")).collect(),
        unit: "ms".into(),
        exact,
        lanes: vec!["fa3".into()],
        rows,
    };
    Table { info, slices }
}

fn pack(tables: Vec<Table>) -> Pack {
    let info = FileInfo {
        system: "h100_sxm".into(),
        backend: "trtllm".into(),
        version: "1".into(),
        family: "gemm".into(),
        precision: "fp8".into(),
        source: "made up".into(),
        tables: tables.iter().map(|table| table.info.clone()).collect(),
    };
    Pack { info, tables }
}

fn some_slices(axes: usize, exact: bool) -> impl Strategy<Value = Vec<Slice>> {
    let key = (0..3_usize, -5_i64..1 << 40);
    let lists =
        vec(btree_set(0_u32..=u32::MAX, 1..4).prop_map(|keys| keys.into_iter().collect::<Vec<_>>()), 1..4);
    let value = (0.0_f64..1e6).prop_map(move |value| if exact { value } else { f64::from(value as f32) });
    vec((key, lists, vec(value, 1..9), any::<bool>()), 0..5).prop_map(move |drawn| {
        let mut slices: Vec<Slice> = Vec::new();
        for ((dtype, heads), lists, values, borrowed) in drawn {
            let key = vec![Key::from(["bfloat16", "fp8", "nvfp4"][dtype]), Key::from(heads)];
            if slices.iter().all(|slice| slice.key != key) {
                slices.push(Slice { key, grid: grid(axes, &lists, &values, borrowed) });
            }
        }
        slices
    })
}

fn some_pack() -> impl Strategy<Value = Pack> {
    let one = (1_usize..4, any::<bool>()).prop_flat_map(|(axes, exact)| {
        some_slices(axes, exact).prop_map(move |slices| table("some", exact, slices, axes))
    });
    vec(one, 0..3).prop_map(pack)
}

fn sample() -> Pack {
    let slice = |name: &str, heads: i64| Slice {
        key: vec![name.into(), heads.into()],
        grid: grid(2, &[vec![1, 8, 32], vec![2]], &[0.5, 0.25, 3.0], heads > 1),
    };
    pack(vec![table("first", false, vec![slice("fp8", 1), slice("bfloat16", 1), slice("fp8", 8)], 2)])
}

proptest! {
    #[test]
    fn what_is_written_is_read(pack in some_pack()) {
        let bytes = pack.to_bytes().unwrap();
        prop_assert_eq!(Pack::from_bytes(&bytes).unwrap(), pack.clone());
        prop_assert_eq!(pack.to_bytes().unwrap(), bytes);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in vec(any::<u8>(), 0..200), magic in any::<bool>()) {
        let start = [b"PERF".as_slice(), &FORMAT_VERSION.to_le_bytes()].concat();
        let bytes = if magic { [start, bytes].concat() } else { bytes };
        prop_assert!(Pack::from_bytes(&bytes).is_err());
    }
}

#[test]
fn every_truncation_is_noticed() {
    let bytes = sample().to_bytes().unwrap();
    for length in 0..bytes.len() {
        let error = Pack::from_bytes(&bytes[..length]).unwrap_err();
        assert!(matches!(error, PackError::Truncated | PackError::Checksum), "{length}: {error}");
    }
    assert_eq!(Pack::from_bytes(&bytes[..3]).unwrap_err(), PackError::Truncated);
    assert_eq!(Pack::from_bytes(&bytes[..bytes.len() - 1]).unwrap_err(), PackError::Truncated);
}

#[test]
fn every_flipped_byte_is_noticed() {
    let bytes = sample().to_bytes().unwrap();
    for at in 0..bytes.len() {
        for mask in [1, 0x80, 0xff] {
            let mut damaged = bytes.clone();
            damaged[at] ^= mask;
            let error = Pack::from_bytes(&damaged).unwrap_err();
            match at {
                0..4 => assert_eq!(error, PackError::NotAPack),
                4..6 => assert!(matches!(error, PackError::Version { want: FORMAT_VERSION, .. }), "{error}"),
                6..10 => {
                    assert!(matches!(error, PackError::Truncated | PackError::Checksum), "{at}: {error}");
                }
                _ if at >= bytes.len() - 32 => assert_eq!(error, PackError::Checksum),
                _ => assert!(matches!(error, PackError::Truncated | PackError::Checksum), "{at}: {error}"),
            }
        }
    }
}

#[test]
fn another_format_is_named_before_the_checksum() {
    let mut bytes = sample().to_bytes().unwrap();
    bytes[4] = 9;
    assert_eq!(Pack::from_bytes(&bytes).unwrap_err(), PackError::Version { got: 9, want: FORMAT_VERSION });
}

/// Replaces the checksum by the right one, so that only the content can be at fault.
fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    use sha2::{Digest, Sha256};
    bytes.truncate(bytes.len() - 32);
    let checksum = Sha256::digest(&bytes);
    bytes.extend_from_slice(&checksum);
    bytes
}

/// The sample with `old` in its header replaced by `new`.
fn with_header(old: &str, new: &str) -> Vec<u8> {
    let bytes = sample().to_bytes().unwrap();
    let length = u32::from_le_bytes(bytes[6..10].try_into().unwrap()) as usize;
    let header = std::str::from_utf8(&bytes[10..10 + length]).unwrap();
    assert!(header.contains(old), "{header}");
    let header = header.replace(old, new);
    sealed(
        [&bytes[..6], &(header.len() as u32).to_le_bytes(), header.as_bytes(), &bytes[10 + length..]]
            .concat(),
    )
}

#[test]
fn a_sealed_lie_in_the_header_is_noticed() {
    let rows = sample().info.tables[0].rows;
    let refused = |old: &str, new: &str| Pack::from_bytes(&with_header(old, new)).unwrap_err();
    let table = |error: PackError| match error {
        PackError::Table { name, why } if name == "first" => why,
        other => panic!("{other}"),
    };
    assert!(table(refused(&format!("\"rows\":{rows}"), "\"rows\":7")).contains("instead of 7"));
    table(refused("\"axis0\",\"axis1\"", "\"axis0\""));
    table(refused("\"axis0\",\"axis1\"", "\"axis0\",\"axis1\",\"axis2\""));
    table(refused("\"dtype\",\"heads\"", "\"dtype\""));
    assert!(table(refused("\"ms\"", "\"h\"")).contains("\"h\""));
    assert!(matches!(refused("\"tables\"", "\"chairs\""), PackError::Header(_)));
}

#[test]
fn sealed_damage_inside_a_section_never_panics() {
    let bytes = sample().to_bytes().unwrap();
    let length = u32::from_le_bytes(bytes[6..10].try_into().unwrap()) as usize;
    for at in 10 + length..bytes.len() - 32 {
        for bit in 0..8 {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << bit;
            // A flip may hit a latency, which is still a latency; anything else has to be refused.
            match Pack::from_bytes(&sealed(damaged)) {
                Ok(pack) => assert_eq!(pack.info, sample().info),
                Err(error) => assert!(matches!(error, PackError::Table { .. }), "{error}"),
            }
        }
    }
}

#[test]
fn a_huge_claim_is_refused_before_it_is_unpacked() {
    let plain = sample().to_bytes().unwrap();
    let length = u32::from_le_bytes(plain[6..10].try_into().unwrap()) as usize;
    let header = std::str::from_utf8(&plain[10..10 + length]).unwrap();
    let size = header.rsplit_once(',').unwrap().1.trim_end_matches([']', '}']).to_owned();
    let error = Pack::from_bytes(&with_header(&format!(",{size}]]"), ",4000000000]]")).unwrap_err();
    assert!(error.to_string().contains("4000000000"), "{error}");
}

#[test]
fn the_writer_refuses_what_the_reader_would() {
    let refused = |change: fn(&mut Table)| {
        let mut pack = sample();
        change(&mut pack.tables[0]);
        match pack.to_bytes() {
            Err(PackError::Table { why, .. }) => why,
            other => panic!("{other:?}"),
        }
    };
    assert!(refused(|table| table.slices[0].grid.values[0] = -1.0).contains("-1"));
    assert!(refused(|table| table.slices[0].grid.values[0] = f64::NAN).contains("NaN"));
    assert!(refused(|table| table.slices[0].grid.values[0] = 1e300).contains("large"));
    assert!(refused(|table| table.slices[0].grid.levels[0].keys.swap(0, 1)).contains("ascend"));
    assert!(refused(|table| table.slices[0].grid.levels[1].starts[1] = 99).contains("ascend"));
    assert!(refused(|table| table.slices[1] = table.slices[0].clone()).contains("twice"));
    assert!(refused(|table| table.slices[1].key[1] = "eight".into()).contains("mixes"));
    assert!(refused(|table| table.slices[0].grid.tiers = vec![0]).contains("origins"));
    assert!(refused(|table| table.info.rows += 1).contains("instead of"));
}
