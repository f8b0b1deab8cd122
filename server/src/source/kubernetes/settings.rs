//! The planner's configuration: targets and GPU budget, as far as they are written.
//!
//! What is not written has the planner's defaults, which differ from release to release; it stays unknown.

use engine::cluster::Slo;
use serde_json::{Map, Value};

use super::facts::positive;

/// What a configuration says.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Planned {
    /// The targets.
    pub(super) slo: Slo,
    /// Most GPUs.
    pub(super) most: Option<u32>,
    /// Fewest GPUs.
    pub(super) fewest: Option<u32>,
}

impl Planned {
    /// Reads JSON or YAML. The error is a sentence.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let value: Value = serde_yaml::from_str(text).map_err(|error| error.to_string())?;
        let map = value.as_object().ok_or_else(|| "it is not a group of settings".to_owned())?;
        Ok(Self {
            slo: Slo {
                ttft_ms: positive(map.get("ttft_ms").or_else(|| map.get("ttft"))),
                itl_ms: positive(map.get("itl_ms").or_else(|| map.get("itl"))),
            },
            most: budget(map, "max_gpu_budget"),
            fewest: budget(map, "min_gpu_budget"),
        })
    }

    /// Reads a `ConfigMap`: the entry of this name, or else the first that makes sense.
    pub(super) fn of_map(object: &Value, key: Option<&str>) -> Result<Self, String> {
        let data =
            object.get("data").and_then(Value::as_object).ok_or_else(|| "it has no data".to_owned())?;
        if let Some(text) = key.and_then(|key| data.get(key)).and_then(Value::as_str) {
            return Self::parse(text);
        }
        let mut parsed = data.values().filter_map(Value::as_str).map(Self::parse);
        parsed.find(Result::is_ok).unwrap_or_else(|| Err("none of its entries is a configuration".to_owned()))
    }
}

/// A budget; the planner takes a negative one for none.
fn budget(map: &Map<String, Value>, key: &str) -> Option<u32> {
    u32::try_from(map.get(key)?.as_i64()?).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_written_is_known() {
        let planned =
            Planned::parse(r#"{"ttft": 500.0, "itl_ms": 50, "max_gpu_budget": 8, "min_gpu_budget": -1}"#);
        let slo = Slo { ttft_ms: Some(500.0), itl_ms: Some(50.0) };
        assert_eq!(planned, Ok(Planned { slo, most: Some(8), fewest: None }));
        assert_eq!(Planned::parse("{}"), Ok(Planned::default()));
        assert_eq!(Planned::parse("mode: agg\nmax_gpu_budget: 4").map(|planned| planned.most), Ok(Some(4)));
        assert!(Planned::parse("[1").is_err() && Planned::parse("text").is_err());
    }

    #[test]
    fn the_entry_is_found() {
        let map = json!({"data": {"notes": "text", "planner_config.json": "{\"max_gpu_budget\": 4}"}});
        assert_eq!(Planned::of_map(&map, Some("planner_config.json")).unwrap().most, Some(4));
        assert_eq!(Planned::of_map(&map, Some("gone.json")).unwrap().most, Some(4));
        assert!(Planned::of_map(&json!({"data": {"notes": "text"}}), None).is_err());
        assert!(Planned::of_map(&json!({}), None).is_err());
    }
}
