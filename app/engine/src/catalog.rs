//! The models and systems this build knows, by id.

use std::sync::OnceLock;

use serde::Deserialize;

use crate::model::ModelSpec;
use crate::system::SystemSpec;

const MODELS: &str = include_str!("../../../perf-data/models.json");
const SYSTEMS: &str = include_str!("../../../perf-data/systems.json");

/// `models.json`: facts beside a note on their origin.
#[derive(Deserialize)]
struct Models {
    models: Vec<ModelSpec>,
}

/// Models and systems, sorted by id.
#[derive(Clone, Debug)]
pub struct Catalog {
    /// Models.
    pub models: Vec<ModelSpec>,
    /// GPU systems.
    pub systems: Vec<SystemSpec>,
}

impl Catalog {
    /// The catalogue built into this program.
    ///
    /// # Panics
    /// Never: the embedded files are checked by this crate's tests.
    pub fn embedded() -> &'static Self {
        static CATALOG: OnceLock<Catalog> = OnceLock::new();
        CATALOG.get_or_init(|| {
            let Models { mut models } = serde_json::from_str(MODELS).expect("embedded models are valid");
            let mut systems: Vec<SystemSpec> =
                serde_json::from_str(SYSTEMS).expect("embedded systems are valid");
            models.sort_by(|a, b| a.id.cmp(&b.id));
            systems.sort_by(|a, b| a.id.cmp(&b.id));
            Self { models, systems }
        })
    }

    /// The model with this id.
    pub fn model(&self, id: &str) -> Option<&ModelSpec> {
        self.models.iter().find(|model| model.id == id)
    }

    /// The system with this id.
    pub fn system(&self, id: &str) -> Option<&SystemSpec> {
        self.systems.iter().find(|system| system.id == id)
    }
}
