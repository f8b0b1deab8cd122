//! The measured data: a folder of packs.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::catalog::Catalog;
use engine::coverage::{self, Atlas};
use engine::problem::{Plan, Problem};
use engine::scenario::Place;
use engine::text;
use perf_data::{Index, Pack};

use crate::report::Failure;

const INDEX: &str = "index.json";
const COVERAGE: &str = "coverage.bin";

/// Where the data is, seen from a folder that a program or a user stands in.
const PLACES: [&str; 2] = ["perf-data/packs", "packs"];

/// A folder of packs.
#[derive(Debug)]
pub(crate) struct Data {
    folder: PathBuf,
    pub(crate) index: Index,
}

/// A place that was not searched.
#[derive(Debug, serde::Serialize)]
pub(crate) struct Left {
    #[serde(flatten)]
    pub(crate) place: Place,
    pub(crate) why: String,
}

impl Data {
    /// The folder that was named, or one at or above the current folder or this program.
    pub(crate) fn open(named: Option<&Path>) -> Result<Self, Failure> {
        let folder = match named {
            Some(folder) => folder.to_owned(),
            None => find().ok_or_else(|| {
                Failure(format!(
                    "No measured data found: neither the current folder nor the program's has {} above it. Name the folder with --data DIR or CONFIGURATOR_DATA.",
                    PLACES.join(" or ")
                ))
            })?,
        };
        let path = folder.join(INDEX);
        let json = fs::read_to_string(&path).map_err(|error| {
            Failure(format!(
                "{} cannot be read ({error}). Name the folder that holds {INDEX} with --data DIR or CONFIGURATOR_DATA.",
                path.display()
            ))
        })?;
        let index = Index::from_json(&json).map_err(|error| text::pack_failure(INDEX, &error.to_string()))?;
        Ok(Self { folder, index })
    }

    /// Which models answer where: the file beside the packs, or asked anew where it is of other data.
    pub(crate) fn coverage(&self) -> Result<Atlas, Failure> {
        let shipped = fs::read(self.folder.join(COVERAGE)).ok();
        let shipped = shipped.and_then(|bytes| Atlas::from_bytes(&bytes));
        if let Some(atlas) = shipped.filter(|atlas| atlas.data == self.index.identity()) {
            return Ok(atlas);
        }
        let catalog = Catalog::embedded();
        let mut columns = Vec::new();
        for place in coverage::places(&self.index) {
            let mut packs = BTreeMap::new();
            let entry = self.index.pack(&place.system, place.backend.name());
            for file in entry.iter().flat_map(|entry| &entry.files) {
                packs.insert(file.name.as_str(), Arc::new(self.pack(&file.name)?));
            }
            let find = |name: &str| packs.get(name).map(Arc::clone);
            columns.push(coverage::column(catalog, &self.index, &place, find));
        }
        Ok(Atlas::new(catalog, &self.index, &columns))
    }

    /// The plan with its tables.
    pub(crate) fn load(&self, plan: Plan) -> Result<Problem, Failure> {
        self.read(plan, &mut BTreeMap::new())
    }

    /// The plans with their tables, and those that could not be loaded with the reason; an error when none could.
    pub(crate) fn load_all(&self, plans: Vec<Plan>) -> Result<(Vec<Problem>, Vec<Left>), Failure> {
        let mut packs = BTreeMap::new();
        let (mut problems, mut left, mut first) = (Vec::new(), Vec::new(), None);
        for plan in plans {
            let place = plan.scenario().home();
            match self.read(plan, &mut packs) {
                Ok(problem) => problems.push(problem),
                Err(failure) => {
                    left.push(Left { place, why: failure.to_string() });
                    first.get_or_insert(failure);
                }
            }
        }
        match first {
            Some(failure) if problems.is_empty() => Err(failure),
            _ => Ok((problems, left)),
        }
    }

    /// The plan with its tables, those in `packs` decoded before.
    fn read(&self, plan: Plan, packs: &mut BTreeMap<String, Arc<Pack>>) -> Result<Problem, Failure> {
        for file in plan.files() {
            if !packs.contains_key(&file.name) {
                packs.insert(file.name.clone(), Arc::new(self.pack(&file.name)?));
            }
        }
        Ok(Problem::new(plan, |name| packs.get(name).map(Arc::clone))?)
    }

    fn pack(&self, name: &str) -> Result<Pack, Failure> {
        let path = self.folder.join(name);
        let bytes = fs::read(&path).map_err(|error| {
            Failure(format!(
                "{} cannot be read ({error}). {INDEX} names it; restore the folder.",
                path.display()
            ))
        })?;
        Ok(Pack::from_bytes(&bytes).map_err(|error| text::pack_failure(name, &error.to_string()))?)
    }
}

fn find() -> Option<PathBuf> {
    let here = std::env::current_dir().ok();
    let program = std::env::current_exe().ok();
    let folders = here.iter().chain(&program).flat_map(|path| path.ancestors());
    let places = folders.flat_map(|folder| PLACES.map(|place| folder.join(place)));
    places.into_iter().find(|place| place.join(INDEX).is_file())
}
