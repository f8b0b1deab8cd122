//! What the host and whoever drives it tell each other.

use crate::protocol::Reply;

/// A file next to the page.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    /// The list of packs.
    Index,
    /// The pack file with this name.
    Pack(String),
}

impl Resource {
    /// File name.
    pub fn name(&self) -> &str {
        match self {
            Self::Index => "index.json",
            Self::Pack(name) => name,
        }
    }

    /// Address, relative to the page.
    pub fn url(&self) -> String {
        format!("packs/{}", self.name())
    }
}

/// What the host says and wants.
#[allow(clippy::large_enum_variant, reason = "events are few and handled at once")]
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Tell the page.
    Reply(Reply),
    /// Fetch this file and report with `Host::received` and `Host::fetched`.
    Fetch {
        /// The file.
        resource: Resource,
        /// Past every cache: the copy that came before was not usable.
        fresh: bool,
    },
    /// Nobody waits for this file any more.
    Abandon(Resource),
}

/// A file that did not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost {
    /// HTTP status; none when nothing answered.
    pub status: Option<u16>,
}
