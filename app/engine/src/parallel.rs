//! How one worker is spread over GPUs.

use serde::{Deserialize, Serialize};

/// What a worker does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum WorkerRole {
    /// Prefill and decode in the same steps.
    Agg,
    /// Prefill only.
    Prefill,
    /// Decode only.
    Decode,
}

/// Parallel sizes of one worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Parallel {
    /// Tensor parallel size of attention and dense layers.
    pub tp: u32,
    /// Pipeline parallel size.
    pub pp: u32,
    /// Attention data parallel size.
    pub dp: u32,
    /// Tensor parallel size of routed experts.
    pub moe_tp: u32,
    /// Expert parallel size.
    pub moe_ep: u32,
    /// Context parallel size (prefill only).
    pub cp: u32,
}

impl Parallel {
    /// A dense layout: tensor, pipeline and context parallel only.
    pub const fn dense(tp: u32, pp: u32, cp: u32) -> Self {
        Self { tp, pp, dp: 1, moe_tp: 1, moe_ep: 1, cp }
    }

    /// GPUs of one worker.
    pub const fn gpus(self) -> u32 {
        self.tp * self.pp * self.dp * self.cp
    }

    /// GPUs of one worker; none when they cannot be counted.
    pub fn checked_gpus(self) -> Option<u32> {
        self.tp.checked_mul(self.pp)?.checked_mul(self.dp)?.checked_mul(self.cp)
    }

    /// The label of the reference system, such as `tp4pp1dp1etp1ep1`.
    pub fn group_label(self) -> String {
        let Self { tp, pp, dp, moe_tp, moe_ep, cp } = self;
        let cp = if cp > 1 { format!("cp{cp}") } else { String::new() };
        format!("tp{tp}pp{pp}dp{dp}etp{moe_tp}ep{moe_ep}{cp}")
    }
}

/// Short form: only the sizes above one, such as `tp4` or `tp2 pp2`; `tp1` when all are one.
impl std::fmt::Display for Parallel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "tp{}", self.tp)?;
        for (name, size) in
            [("pp", self.pp), ("dp", self.dp), ("etp", self.moe_tp), ("ep", self.moe_ep), ("cp", self.cp)]
        {
            if size > 1 {
                write!(f, " {name}{size}")?;
            }
        }
        Ok(())
    }
}
