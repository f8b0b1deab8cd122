//! Shared by the tests that cross crates: the shipped packs, read from disk.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use engine::catalog::Catalog;
use engine::coverage::{self, Atlas};
use engine::parallel::Parallel;
use engine::places::Plans;
use engine::point::{Layout, MemoryUse, Worker};
use engine::problem::{Plan, Problem, ScenarioError};
use engine::scenario::Scenario;
use engine::search::Search;
use engine::searches::Searches;
use engine::simulate::Fleets;
use perf_data::{Index, Pack};

/// Requests that the storm's decode worker takes at once.
const STORM_BATCH: u32 = 64;

/// The repository's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The index of the shipped packs.
///
/// # Panics
/// When the repository's own index is damaged.
pub fn index() -> &'static Index {
    static INDEX: OnceLock<Index> = OnceLock::new();
    INDEX.get_or_init(|| {
        let text = fs::read_to_string(root().join("perf-data/packs/index.json")).expect("packs/index.json");
        Index::from_json(&text).expect("a valid index")
    })
}

/// A shipped pack file by name, decoded once.
///
/// # Panics
/// When a shipped file is damaged.
pub fn pack(name: &str) -> Option<Arc<Pack>> {
    static PACKS: OnceLock<Mutex<BTreeMap<String, Arc<Pack>>>> = OnceLock::new();
    let mut packs = PACKS.get_or_init(Mutex::default).lock().expect("no test panics here");
    if let Some(pack) = packs.get(name) {
        return Some(Arc::clone(pack));
    }
    let bytes = fs::read(root().join("perf-data/packs").join(name)).ok()?;
    let pack = Arc::new(Pack::from_bytes(&bytes).expect("a valid pack"));
    packs.insert(name.to_owned(), Arc::clone(&pack));
    Some(pack)
}

/// The problem behind a scenario, with its tables.
pub fn problem(scenario: &Scenario) -> Result<Problem, ScenarioError> {
    Problem::new(Plan::resolve(scenario, Catalog::embedded(), index())?, pack)
}

/// Finished searches of a scenario at every place it reaches.
pub fn searches(scenario: &Scenario) -> Result<Searches, ScenarioError> {
    let plans = Plans::resolve(scenario, Catalog::embedded(), index())?.plans;
    let problems = plans.into_iter().map(|plan| Problem::new(plan, pack)).collect::<Result<_, _>>()?;
    let mut searches = Searches::new(scenario.clone(), problems);
    while !searches.advance(u32::MAX).is_done() {}
    Ok(searches)
}

/// The coverage of every model on every shipped pack, found anew.
pub fn coverage() -> Atlas {
    let (catalog, index) = (Catalog::embedded(), index());
    let places = coverage::places(index);
    let columns: Vec<_> = places.iter().map(|place| coverage::column(catalog, index, place, pack)).collect();
    Atlas::new(catalog, index, &columns)
}

/// Workers of the storm: one for prefill and one for decode, each on one GPU, at the question the page opens on.
pub fn storm() -> Result<Fleets, String> {
    let scenario = Scenario::default();
    let problem = problem(&scenario).map_err(|error| error.to_string())?;
    let worker =
        |batch| Worker { parallel: Parallel::dense(1, 1, 1), batch, count: 1, memory: MemoryUse::default() };
    let layout = Layout::Disagg { prefill: worker(1), decode: worker(STORM_BATCH), encoders: None };
    engine::search::speeds(&problem, &layout).map_err(|error| format!("{error:?}"))
}

/// A finished search.
pub fn search(scenario: &Scenario) -> Result<Search, ScenarioError> {
    let mut search = Search::new(problem(scenario)?);
    while !search.advance(u32::MAX).is_done() {}
    Ok(search)
}
