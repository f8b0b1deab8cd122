//! The answer that stands in `index.html` before anything has loaded is the answer of the search.
//!
//! After a change of the model or the data: `UPDATE_FIRST_PAINT=1 cargo test -p ui --test first_paint`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use engine::catalog::Catalog;
use engine::problem::{Plan, Problem};
use engine::rows::Rows;
use engine::scenario::Scenario;
use engine::search::Search;
use perf_data::{Index, Pack};

const BEGIN: &str = "<!-- first answer -->\n";
const END: &str = "\n<!-- /first answer -->";

fn answer(scenario: &Scenario) -> Rows {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../perf-data/packs");
    let read = |name: &str| fs::read(folder.join(name)).expect("a shipped file");
    let index = Index::from_json(&String::from_utf8(read("index.json")).expect("text")).expect("an index");
    let plan = Plan::resolve(scenario, Catalog::embedded(), &index).expect("the first question is sound");
    let packs: BTreeMap<String, Arc<Pack>> = plan
        .files()
        .iter()
        .map(|file| (file.name.clone(), Arc::new(Pack::from_bytes(&read(&file.name)).expect("a pack"))))
        .collect();
    let problem = Problem::new(plan, |name| packs.get(name).cloned()).expect("every table is there");
    let mut search = Search::new(problem);
    while !search.advance(u32::MAX).is_done() {}
    search.rows().clone()
}

#[test]
fn the_first_paint_shows_the_answer_of_the_first_search() {
    let scenario = Scenario::default();
    let markup = ui::prerender::prerender(&answer(&scenario), &scenario);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("index.html");
    let page = fs::read_to_string(&path).expect("index.html");
    let from = page.find(BEGIN).expect("where the first answer begins") + BEGIN.len();
    let to = page.find(END).expect("where the first answer ends");
    if std::env::var_os("UPDATE_FIRST_PAINT").is_some() {
        let updated = format!("{}{markup}{}", &page[..from], &page[to..]);
        fs::write(&path, updated).expect("index.html can be written");
        return;
    }
    assert!(
        page[from..to] == markup,
        "index.html shows another answer than the search gives; run UPDATE_FIRST_PAINT=1 cargo test -p ui --test first_paint"
    );
}
