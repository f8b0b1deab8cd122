//! One table in bytes, before compression:
//!
//! * number of slices;
//! * each key column: its type, a dictionary if it holds names, then one number per slice;
//! * each level: a dictionary of distinct key lists, then one list number per node;
//! * all values, as byte planes; then all origins, if any value is borrowed.

use std::collections::HashMap;
use std::sync::Arc;

use crate::bytes::{Reader, put_planes, put_signed, put_varint, read_planes};
use crate::{Grid, Key, Level, Slice, Table, TableInfo, check};

const INT: u8 = 0;
const TEXT: u8 = 1;

/// Encodes a table that passes [`check::table`].
pub(crate) fn encode(table: &Table) -> Result<Vec<u8>, String> {
    check::table(table)?;
    let mut out = Vec::new();
    put_varint(&mut out, table.slices.len() as u64);
    for column in 0..table.info.key.len() {
        put_column(&mut out, &table.slices, column);
    }
    for level in 0..table.info.axes.len() {
        put_level(&mut out, &table.slices, level);
    }
    let values = || table.slices.iter().flat_map(|slice| &slice.grid.values);
    if table.info.exact {
        let words: Vec<_> = values().map(|value| value.to_bits().to_be_bytes()).collect();
        put_planes(&mut out, &words);
    } else {
        if let Some(value) = values().find(|value| !(**value as f32).is_finite()) {
            return Err(format!("{value} is too large"));
        }
        let words: Vec<_> = values().map(|value| (*value as f32).to_bits().to_be_bytes()).collect();
        put_planes(&mut out, &words);
    }
    let borrowed = table.slices.iter().any(|slice| slice.grid.tiers.contains(&1));
    out.push(u8::from(borrowed));
    if borrowed {
        for Slice { grid, .. } in &table.slices {
            let own = grid.values.len() - grid.tiers.len();
            out.extend_from_slice(&grid.tiers);
            out.resize(out.len() + own, 0);
        }
    }
    Ok(out)
}

fn put_column(out: &mut Vec<u8>, slices: &[Slice], column: usize) {
    if slices.iter().any(|slice| slice.key[column].as_text().is_some()) {
        let mut names = Vec::new();
        let mut numbers = HashMap::new();
        let mut used = Vec::with_capacity(slices.len());
        for text in slices.iter().filter_map(|slice| slice.key[column].as_text()) {
            used.push(*numbers.entry(text).or_insert_with(|| {
                names.push(text);
                names.len() as u64 - 1
            }));
        }
        out.push(TEXT);
        put_varint(out, names.len() as u64);
        for name in names {
            put_varint(out, name.len() as u64);
            out.extend_from_slice(name.as_bytes());
        }
        for number in used {
            put_varint(out, number);
        }
    } else {
        out.push(INT);
        slices.iter().filter_map(|slice| slice.key[column].as_int()).for_each(|value| put_signed(out, value));
    }
}

fn put_level(out: &mut Vec<u8>, slices: &[Slice], level: usize) {
    let mut lists: Vec<&[u32]> = Vec::new();
    let mut numbers = HashMap::new();
    let mut used = Vec::new();
    for level in slices.iter().map(|slice| &slice.grid.levels[level]) {
        for node in 0..level.starts.len() - 1 {
            let list = &level.keys[level.range(node)];
            used.push(*numbers.entry(list).or_insert_with(|| {
                lists.push(list);
                lists.len() as u64 - 1
            }));
        }
    }
    put_varint(out, lists.len() as u64);
    for list in lists {
        put_varint(out, list.len() as u64);
        let mut previous = 0;
        for key in list {
            put_varint(out, u64::from(key - previous));
            previous = *key;
        }
    }
    for number in used {
        put_varint(out, number);
    }
}

/// Decodes and checks a table.
pub(crate) fn decode(info: TableInfo, bytes: &[u8]) -> Result<Table, String> {
    let mut reader = Reader::new(bytes);
    let count = reader.count()?;
    let mut slices: Vec<_> = (0..count).map(|_| Slice { key: Vec::new(), grid: Grid::default() }).collect();
    for _ in &info.key {
        read_column(&mut reader, &mut slices)?;
    }
    for _ in &info.axes {
        read_level(&mut reader, &mut slices)?;
    }
    let total = slices.iter().map(|slice| places(&slice.grid)).sum();
    let mut values: Box<dyn Iterator<Item = f64>> = if info.exact {
        Box::new(read_planes::<8>(&mut reader, total)?.into_iter().map(f64::from_be_bytes))
    } else {
        Box::new(
            read_planes::<4>(&mut reader, total)?.into_iter().map(|word| f64::from(f32::from_be_bytes(word))),
        )
    };
    for Slice { grid, .. } in &mut slices {
        grid.values = values.by_ref().take(places(grid)).collect();
    }
    match reader.byte()? {
        0 => {}
        1 => {
            for Slice { grid, .. } in &mut slices {
                let tiers = reader.take(grid.values.len())?;
                if tiers.iter().any(|tier| *tier != 0) {
                    grid.tiers = tiers.to_vec();
                }
            }
        }
        other => return Err(format!("origins are marked with {other}")),
    }
    if reader.remaining() > 0 {
        return Err(format!("{} bytes too many", reader.remaining()));
    }
    let table = Table { info, slices };
    check::table(&table)?;
    Ok(table)
}

/// Nodes of the next level, or values under the last one.
fn places(grid: &Grid) -> usize {
    grid.levels.last().map_or(1, |level| level.keys.len())
}

fn read_column(reader: &mut Reader<'_>, slices: &mut [Slice]) -> Result<(), String> {
    match reader.byte()? {
        INT => {
            for slice in slices {
                slice.key.push(Key::Int(reader.signed()?));
            }
        }
        TEXT => {
            let count = reader.count()?;
            let mut names: Vec<Arc<str>> = Vec::with_capacity(count);
            for _ in 0..count {
                let length = reader.count()?;
                let text = std::str::from_utf8(reader.take(length)?).map_err(|_| "a name is not UTF-8")?;
                names.push(text.into());
            }
            for slice in slices {
                slice.key.push(Key::Text(pick(&names, reader.varint()?)?.clone()));
            }
        }
        other => return Err(format!("unknown column type {other}")),
    }
    Ok(())
}

fn read_level(reader: &mut Reader<'_>, slices: &mut [Slice]) -> Result<(), String> {
    let count = reader.count()?;
    let mut lists = Vec::with_capacity(count);
    for _ in 0..count {
        let length = reader.count()?;
        let mut list = Vec::with_capacity(length);
        let mut key = 0_u32;
        for _ in 0..length {
            let step = reader.varint()?;
            key = u32::try_from(step)
                .ok()
                .and_then(|step| key.checked_add(step))
                .ok_or("an axis key exceeds 32 bits")?;
            list.push(key);
        }
        lists.push(list);
    }
    let mut total = 0;
    for Slice { grid, .. } in slices {
        let nodes = places(grid);
        let mut level = Level { keys: Vec::new(), starts: vec![0] };
        for _ in 0..nodes {
            let list = pick(&lists, reader.varint()?)?;
            total += list.len();
            // Every key still owns a list number or a value further on.
            if total > reader.remaining() {
                return Err(format!("{total} keys with {} bytes left", reader.remaining()));
            }
            level.keys.extend_from_slice(list);
            level.starts.push(level.keys.len() as u32);
        }
        grid.levels.push(level);
    }
    Ok(())
}

fn pick<T>(items: &[T], number: u64) -> Result<&T, String> {
    usize::try_from(number)
        .ok()
        .and_then(|number| items.get(number))
        .ok_or_else(|| format!("entry {number} of a dictionary of {}", items.len()))
}
