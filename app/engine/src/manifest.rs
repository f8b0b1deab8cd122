//! Manifests: a selected point as files that apply, the checks that run before they leave, and the way back from
//! a manifest to a question.

mod finding;
mod release;
mod names;
mod grove;
mod sku;
mod yaml;
mod check;
mod write;
mod import;

pub use check::validate;
pub use finding::{Check, Severity};
pub use grove::{
    GROVE_ANNOTATION, GROVE_NAME, GroveName, GroveNames, grove_cost, grove_names, longest_grove_component,
};
pub use import::{Fixed, Imported, Kind, Unread, import};
pub use names::{MAX_DEPLOYMENT_NAME, MAX_REQUEST_NAME, request_name};
pub use release::Dynamo;
pub use sku::gpu_sku;
pub use write::{
    Command, DgdApi, Extras, File, Format, Manifest, ModelCache, Options, PlannerUse, Selection, Strategy,
    write,
};
pub use yaml::decode;
