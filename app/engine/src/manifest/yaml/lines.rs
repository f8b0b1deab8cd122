//! Where every value stands.

use std::collections::BTreeMap;

/// Lines of a value and of what is below it.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines {
    /// Line of its key, or of itself in a list; 0 where that is unknown.
    pub(super) line: u32,
    /// Line where a block of text begins, after its `|`.
    pub(super) block: Option<u32>,
    /// What it holds.
    pub(super) below: Below,
}

/// What a value holds.
#[derive(Clone, Debug, Default)]
pub(super) enum Below {
    #[default]
    Nothing,
    Items(Vec<Lines>),
    Entries(BTreeMap<String, Lines>),
}

impl Lines {
    /// The value at a dotted path, or the nearest parent.
    pub(super) fn nearest(&self, path: &str) -> &Self {
        self.walk(path).0
    }

    /// The value at a dotted path.
    pub(super) fn exact(&self, path: &str) -> Option<&Self> {
        let (found, rest) = self.walk(path);
        rest.is_empty().then_some(found)
    }

    /// How far a path leads, and what is left of it. Keys may hold dots themselves; the longest key wins.
    fn walk<'p>(&self, path: &'p str) -> (&Self, &'p str) {
        let (mut at, mut rest) = (self, path);
        while !rest.is_empty() {
            let Some((next, left)) = at.step(rest) else { break };
            (at, rest) = (next, left);
        }
        (at, rest)
    }

    fn step<'p>(&self, rest: &'p str) -> Option<(&Self, &'p str)> {
        let ends = rest.match_indices('.').map(|(at, _)| at).chain([rest.len()]).rev();
        let cut = |end: usize| (&rest[..end], rest.get(end + 1..).unwrap_or_default());
        match &self.below {
            Below::Nothing => None,
            Below::Items(items) => {
                let (key, left) = cut(rest.find('.').unwrap_or(rest.len()));
                Some((items.get(key.parse::<usize>().ok()?)?, left))
            }
            Below::Entries(entries) => ends.map(cut).find_map(|(key, left)| Some((entries.get(key)?, left))),
        }
    }
}
