//! The screens and what frames them.

mod coverage;
mod explore;
mod export;
mod live;
mod pins;
mod replay;
mod scenario;
mod top_bar;

pub(crate) use coverage::Coverage;
pub(crate) use explore::Explore;
pub(crate) use export::{Export, findings};
pub(crate) use live::Live;
pub(crate) use pins::PinTray;
pub(crate) use replay::Replay;
pub(crate) use scenario::ScenarioBar;
pub(crate) use top_bar::{LiveRegion, TopBar};
