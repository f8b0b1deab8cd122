//! Descriptions of checkpoints, as the Hub has them, read as the facts of the catalogue.

use engine::catalog::Catalog;
use engine::checkpoint::read;
use engine::model::ModelSpec;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Fixtures {
    models: Vec<Fixture>,
}

/// The files of one model, shortened to the keys that are read.
#[derive(Deserialize)]
struct Fixture {
    id: String,
    config: Value,
    quant: Option<Value>,
}

fn fixtures() -> Vec<Fixture> {
    let path = tests::root().join("tests/fixtures/checkpoints.json");
    let text = std::fs::read_to_string(path).expect("a file");
    serde_json::from_str::<Fixtures>(&text).expect("fixtures").models
}

#[test]
fn every_model_of_the_catalogue_is_read_as_it_stands_there() {
    let fixtures = fixtures();
    let ids: Vec<_> = fixtures.iter().map(|fixture| &fixture.id).collect();
    let known: Vec<_> = Catalog::embedded().models.iter().map(|model| &model.id).collect();
    assert_eq!(ids, known);
    let mut wrong = Vec::new();
    for (Fixture { id, config, quant }, model) in fixtures.iter().zip(&Catalog::embedded().models) {
        let quant = quant.as_ref().map(Value::to_string);
        match read(&config.to_string(), quant.as_deref()) {
            Ok(checkpoint) => {
                let spec = ModelSpec { id: id.clone(), ..checkpoint.spec };
                if spec != *model {
                    wrong.push(format!("{id}\n  read {spec:?}\n  want {model:?}"));
                }
            }
            Err(error) => wrong.push(format!("{id}: {error}")),
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), known.len(), wrong.join("\n"));
}
