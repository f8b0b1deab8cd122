//! Manifests by way of bytes, as the page asks for them.

use std::io::{Cursor, Read as _};

use engine::manifest::{Dynamo, Format, Options};
use engine::point::Point;
use engine::scenario::Scenario;
use worker::codec;
use worker::host::PACK_BUDGET;
use worker::papers::{Answer, Ask, Reply as Letter, reply};
use worker::protocol::Reply;

use crate::site::Site;

/// Asks by bytes, as number 7.
fn ask(ask: &Ask) -> Answer {
    match reply(&codec::encode(&(7_u32, ask)).expect("bytes")) {
        Ok(Letter::Answer { id: 7, answer }) => answer,
        other => panic!("{other:?}"),
    }
}

/// The best point of the scenario.
fn best(scenario: &Scenario) -> Point {
    let Reply::Found { rows, .. } = Site::new(PACK_BUDGET).answer(1, scenario) else { panic!("no answer") };
    let view = engine::view::view(&rows[0], scenario);
    *view.best().expect("a point within the SLO")
}

fn write(scenario: &Scenario, format: Format, point: &Point) -> Ask {
    let options = Box::new(Options::default());
    Ask::Write { format, scenario: Box::new(scenario.clone()), point: Box::new(*point), options }
}

#[test]
fn the_best_point_is_written_and_passes_its_checks() {
    let scenario = Scenario::default();
    let Answer::Written(Ok(manifest)) = ask(&write(&scenario, Format::Dgdr, &best(&scenario))) else {
        panic!("no manifest");
    };
    let text = manifest.files[0].text.clone();
    assert!(text.contains("model: Qwen/Qwen3-32B-FP8"), "{text}");
    assert_eq!(ask(&Ask::Check { text, release: Dynamo::default() }), Answer::Checked(vec![]));
}

#[test]
fn what_cannot_be_written_says_why() {
    let scenario = Scenario::default();
    let point = best(&scenario);
    let nowhere = Scenario { system: "abacus".to_owned(), ..scenario.clone() };
    let unheard_of = Scenario { model: "acme/none".to_owned(), ..scenario };
    for (scenario, path) in [(nowhere, "spec.hardware"), (unheard_of, "spec.model")] {
        let Answer::Written(Err(checks)) = ask(&write(&scenario, Format::Dgdr, &point)) else {
            panic!("written")
        };
        assert_eq!(checks[0].path, path);
        assert!(checks[0].is_error() && checks[0].message.contains("not in the catalogue"));
    }
    let text = "kind: [".to_owned();
    let Answer::Checked(checks) = ask(&Ask::Check { text, release: Dynamo::default() }) else {
        panic!("no checks")
    };
    assert!(checks[0].is_error());
}

#[test]
fn files_become_an_archive() {
    let files = vec![("a/x.yaml".to_owned(), "x: 1\n".to_owned()), ("b.sh".to_owned(), "é".to_owned())];
    let Answer::Zip(bytes) = ask(&Ask::Zip { files: files.clone() }) else { panic!("no archive") };
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    for (name, text) in files {
        let mut read = String::new();
        archive.by_name(&name).unwrap().read_to_string(&mut read).unwrap();
        assert_eq!(read, text);
    }
}

#[test]
fn foreign_bytes_are_refused() {
    assert!(reply(b"\xff\xff\xff\xff\xff\xff").is_err());
    assert!(reply(&[]).is_err());
}
