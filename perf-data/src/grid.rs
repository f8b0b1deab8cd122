//! A ragged tree of sorted integer axes.

/// One axis of a [`Grid`] for all nodes above it.
///
/// Node `j` of this level owns `keys[starts[j]..starts[j + 1]]`, strictly increasing. The position of a
/// key in `keys` is the number of its child: a node of the next level, or, on the last level, a value.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Level {
    /// Axis keys of all nodes, node after node.
    pub keys: Vec<u32>,
    /// `nodes + 1` offsets into `keys`.
    pub starts: Vec<u32>,
}

impl Level {
    /// The range of positions owned by `node`.
    pub fn range(&self, node: usize) -> std::ops::Range<usize> {
        self.starts[node] as usize..self.starts[node + 1] as usize
    }
}

/// Ragged tree of sorted integer axes ending in one latency each.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Grid {
    /// Outermost axis first; the first level has exactly one node.
    pub levels: Vec<Level>,
    /// One latency per key of the last level, in the unit of the table.
    pub values: Vec<f64>,
    /// Where each value came from: 0 the version's own table, 1 a table it borrows from. Empty: all 0.
    pub tiers: Vec<u8>,
}
