//! Cancelling a start: only after the same wish, on the same replicas, has stood for a while.

use super::shape::PerRole;
use super::signal::{Inventory, Targets};

/// A wish to cancel a start, and what became of the last one.
#[derive(Clone, Debug, Default)]
pub(super) struct Cancel {
    standing: Option<Standing>,
    /// Replicas when the last one was sent; nothing is sent until they differ.
    sent: Option<Replicas>,
}

#[derive(Clone, Copy, Debug)]
struct Standing {
    targets: Targets,
    replicas: Replicas,
    since_secs: f64,
}

/// Ready replicas, and with those that start.
type Replicas = (PerRole<u32>, PerRole<u32>);

fn replicas(inventory: Inventory) -> Replicas {
    (inventory.ready(), inventory.with_pending())
}

/// What becomes of a wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Sent now.
    Send,
    /// Must stand longer.
    Stand,
    /// The last one is not carried out yet.
    Drain,
}

impl Cancel {
    /// Replicas were read: what was sent is done once they differ.
    pub(super) fn see(&mut self, inventory: Inventory) {
        if self.sent.is_some_and(|sent| sent != replicas(inventory)) {
            self.sent = None;
        }
    }

    /// Whether the last one is not carried out yet.
    pub(super) fn drains(&self) -> bool {
        self.sent.is_some()
    }

    /// Nothing is to be cancelled.
    pub(super) fn forget(&mut self) {
        self.standing = None;
    }

    /// A wish, freshly made.
    pub(super) fn wish(
        &mut self,
        targets: Targets,
        inventory: Inventory,
        at_secs: f64,
        stand_secs: f64,
    ) -> Step {
        if self.drains() {
            return Step::Drain;
        }
        let replicas = replicas(inventory);
        let same = self.standing.filter(|old| old.targets == targets && old.replicas == replicas);
        let standing = same.unwrap_or(Standing { targets, replicas, since_secs: at_secs });
        if at_secs - standing.since_secs >= stand_secs {
            self.standing = None;
            self.sent = Some(replicas);
            return Step::Send;
        }
        self.standing = Some(standing);
        Step::Stand
    }
}
