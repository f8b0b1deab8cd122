//! Decoded pack files, kept up to a byte budget; the least recently used goes first.

use std::sync::Arc;

use perf_data::Pack;

pub(crate) struct Packs {
    budget: usize,
    used: usize,
    /// Least recently used first.
    entries: Vec<Entry>,
}

struct Entry {
    name: String,
    bytes: usize,
    pack: Arc<Pack>,
}

impl Packs {
    pub(crate) fn new(budget: usize) -> Self {
        Self { budget, used: 0, entries: Vec::new() }
    }

    /// The pack file called `name`, which becomes the most recently used.
    pub(crate) fn get(&mut self, name: &str) -> Option<Arc<Pack>> {
        let at = self.entries.iter().position(|entry| entry.name == name)?;
        self.entries[at..].rotate_left(1);
        self.entries.last().map(|entry| Arc::clone(&entry.pack))
    }

    /// Keeps a pack file; one that is larger than the whole budget is not kept.
    pub(crate) fn put(&mut self, name: &str, pack: &Arc<Pack>) {
        if self.get(name).is_some() {
            return;
        }
        let bytes = size(pack);
        if bytes > self.budget {
            return;
        }
        self.used += bytes;
        self.entries.push(Entry { name: name.to_owned(), bytes, pack: Arc::clone(pack) });
        while self.used > self.budget {
            self.used -= self.entries.remove(0).bytes;
        }
    }
}

/// What a decoded pack takes in memory, up to the small change of names and keys.
fn size(pack: &Pack) -> usize {
    let grids = pack.tables.iter().flat_map(|table| &table.slices).map(|slice| &slice.grid);
    grids
        .map(|grid| {
            let keys: usize = grid.levels.iter().map(|level| level.keys.len() + level.starts.len()).sum();
            4 * keys + 8 * grid.values.len() + grid.tiers.len()
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use perf_data::{FileInfo, Grid, Level, Slice, Table, TableInfo};

    use super::*;

    /// A pack of `values` values: 8 + 4 bytes each, and 8 for the offsets.
    fn pack(values: u32) -> Arc<Pack> {
        let level = Level { keys: (0..values).collect(), starts: vec![0, values] };
        let grid = Grid { levels: vec![level], values: vec![1.0; values as usize], tiers: Vec::new() };
        let slices = vec![Slice { key: Vec::new(), grid }];
        Arc::new(Pack {
            info: FileInfo::default(),
            tables: vec![Table { info: TableInfo::default(), slices }],
        })
    }

    #[test]
    fn the_least_recently_used_goes_first() {
        let mut packs = Packs::new(3 * (8 + 12 * 10));
        for name in ["a", "b", "c"] {
            packs.put(name, &pack(10));
        }
        assert!(packs.get("a").is_some());
        packs.put("d", &pack(10));
        assert!(packs.get("b").is_none());
        for name in ["a", "c", "d"] {
            assert!(packs.get(name).is_some(), "{name} is gone");
        }
        packs.put("large", &pack(20));
        assert!(packs.get("a").is_none() && packs.get("c").is_none());
        assert!(packs.get("d").is_some() && packs.get("large").is_some());
        assert_eq!(packs.used, 8 + 12 * 10 + 8 + 12 * 20);
    }

    #[test]
    fn what_exceeds_the_budget_is_not_kept() {
        let mut packs = Packs::new(200);
        packs.put("small", &pack(10));
        packs.put("small", &pack(10));
        packs.put("large", &pack(100));
        assert!(packs.get("large").is_none());
        assert!(packs.get("small").is_some());
        assert_eq!(packs.used, 128);
    }
}
