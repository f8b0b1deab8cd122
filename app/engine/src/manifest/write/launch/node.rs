//! Which workers run on which node.

use std::cmp::Reverse;

use crate::manifest::write::pool::Pool;

/// A worker, or the part of one, on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Member {
    /// Which kind of worker.
    pub(super) pool: usize,
    /// Which of its kind.
    pub(super) number: u32,
    /// Which part of it.
    pub(super) rank: u32,
    /// Parts of it.
    pub(super) parts: u32,
    /// Node of its first part; the others follow.
    pub(super) first_node: usize,
    /// First of its GPUs on the node.
    pub(super) first_gpu: u32,
}

impl Member {
    /// Nodes of the worker.
    pub(super) fn nodes(&self) -> impl Iterator<Item = usize> + use<> {
        self.first_node..self.first_node + self.parts as usize
    }
}

/// What runs on each node: the largest workers first, each on the first node with room.
pub(super) fn place(pools: &[Pool<'_>]) -> Vec<Vec<Member>> {
    let mut nodes: Vec<(Vec<Member>, &str, u32)> = Vec::new();
    let mut order: Vec<usize> = (0..pools.len()).collect();
    order.sort_by_key(|&at| Reverse(pools[at].gpus()));
    for at in order {
        let pool = &pools[at];
        let (system, size) = (pool.system.id.as_str(), pool.system.gpus_per_node);
        for number in 0..pool.count {
            let room = |(_, other, used): &(Vec<Member>, &str, u32)| {
                *other == system && used + pool.gpus_per_node <= size
            };
            let free = if pool.nodes == 1 { nodes.iter().position(room) } else { None };
            let first_node = free.unwrap_or(nodes.len());
            for rank in 0..pool.nodes {
                let node = first_node + rank as usize;
                if node == nodes.len() {
                    nodes.push((Vec::new(), system, 0));
                }
                let (members, _, used) = &mut nodes[node];
                members.push(Member {
                    pool: at,
                    number,
                    rank,
                    parts: pool.nodes,
                    first_node,
                    first_gpu: *used,
                });
                *used += pool.gpus_per_node;
            }
        }
    }
    nodes.into_iter().map(|(members, ..)| members).collect()
}
