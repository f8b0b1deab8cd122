//! Numbers of a scenario that make no sense.

use super::{Field, MAX_DRAFT_TOKENS, MAX_GPUS, MAX_IMAGE_SIDE, MAX_IMAGES, MAX_TOKENS, ScenarioError};
use crate::catalog::Catalog;
use crate::model::ModelSpec;
use crate::models::vision::ImageTokens;
use crate::scenario::{EncoderPlace, Goal, Images, Scenario, Workload};

/// Tokens, targets, budgets and shares.
pub(super) fn check_numbers(scenario: &Scenario) -> Result<(), ScenarioError> {
    let refuse =
        |field, value: String, must: &str| Err(ScenarioError::Number { field, value, must: must.to_owned() });
    let positive = |field, value: f64| {
        if value.is_finite() && value > 0.0 && value <= 1e9 {
            return Ok(());
        }
        refuse(field, value.to_string(), "a number above 0, at most 1,000,000,000")
    };
    let tokens = |field, value: u32| {
        if (1..=MAX_TOKENS).contains(&value) {
            return Ok(());
        }
        refuse(field, value.to_string(), "a whole number from 1 to 10,000,000")
    };
    let workload = scenario.workload;
    tokens(Field::Isl, workload.isl)?;
    tokens(Field::Osl, workload.osl)?;
    if workload.prefix >= workload.isl {
        let must = format!("less than the {} input tokens", workload.isl);
        return refuse(Field::Prefix, workload.prefix.to_string(), &must);
    }
    positive(Field::Ttft, scenario.sla.ttft_ms)?;
    positive(Field::Itl, scenario.sla.itl_ms)?;
    if let Some(latency) = scenario.sla.request_latency_ms {
        positive(Field::RequestLatency, latency)?;
    }
    match scenario.goal {
        Goal::Gpus(gpus) if !(1..=MAX_GPUS).contains(&gpus) => {
            refuse(Field::Gpus, gpus.to_string(), "a whole number from 1 to 16,384")?;
        }
        Goal::RequestRate(rate) => positive(Field::RequestRate, rate)?,
        Goal::Concurrency(0) => refuse(Field::Concurrency, "0".to_owned(), "a whole number of at least 1")?,
        _ => {}
    }
    let fraction = scenario.engine.free_memory_fraction.unwrap_or(1.0);
    if !(fraction > 0.0 && fraction <= 1.0) {
        refuse(Field::FreeMemoryFraction, fraction.to_string(), "above 0 and at most 1")?;
    }
    if let Some(length) = scenario.engine.max_seq_len {
        tokens(Field::MaxSeqLen, length)?;
        if length < workload.isl + workload.osl {
            let must = format!("at least ISL + OSL = {}", workload.isl + workload.osl);
            return refuse(Field::MaxSeqLen, length.to_string(), &must);
        }
    }
    Ok(())
}

/// Requests as the language model sees them: every image adds its merged patches to the input.
pub(super) fn requests(
    scenario: &Scenario,
    model: &ModelSpec,
    catalog: &Catalog,
) -> Result<Workload, ScenarioError> {
    let Some(images) = scenario.workload.images else {
        if scenario.engine.encoder == EncoderPlace::Workers {
            let must = "images or weights while requests have no images".to_owned();
            return Err(ScenarioError::Number { field: Field::Encoder, value: "workers".to_owned(), must });
        }
        return Ok(scenario.workload);
    };
    let Some(vit) = &model.vit else {
        let see = catalog.models.iter().filter(|model| model.vit.is_some());
        let have = see.map(|model| model.id.clone()).collect();
        return Err(ScenarioError::NoVision { model: model.id.clone(), have });
    };
    let Images { count, width, height } = images;
    let limits = [
        (Field::Images, count, MAX_IMAGES),
        (Field::ImageWidth, width, MAX_IMAGE_SIDE),
        (Field::ImageHeight, height, MAX_IMAGE_SIDE),
    ];
    if let Some((field, value, most)) =
        limits.into_iter().find(|(_, value, most)| !(1..=*most).contains(value))
    {
        let must = format!("a whole number from 1 to {most}");
        return Err(ScenarioError::Number { field, value: value.to_string(), must });
    }
    let merged = u64::from(ImageTokens::of(vit, height, width).merged);
    let isl = u64::from(scenario.workload.isl) + u64::from(count) * merged;
    let Some(isl) = u32::try_from(isl).ok().filter(|&isl| isl <= MAX_TOKENS) else {
        let must = format!("so few that input and images have at most {MAX_TOKENS} tokens");
        return Err(ScenarioError::Number { field: Field::Images, value: count.to_string(), must });
    };
    Ok(Workload { isl, images: None, ..scenario.workload })
}

/// Speculative decoding cannot accept more than it drafts.
pub(super) fn check_drafts(scenario: &Scenario) -> Result<(), ScenarioError> {
    let (tokens, accepted) = (scenario.engine.draft_tokens, scenario.engine.draft_accepted);
    if tokens > MAX_DRAFT_TOKENS {
        let must = format!("a whole number from 0 to {MAX_DRAFT_TOKENS}");
        return Err(ScenarioError::Number { field: Field::DraftTokens, value: tokens.to_string(), must });
    }
    if !(accepted >= 0.0 && accepted <= f64::from(tokens)) {
        let must = format!("from 0 to the {tokens} draft tokens of a step");
        return Err(ScenarioError::Number { field: Field::DraftAccepted, value: accepted.to_string(), must });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::EngineOptions;

    fn refused(draft_tokens: u32, draft_accepted: f64) -> Option<Field> {
        let engine = EngineOptions { draft_tokens, draft_accepted, ..EngineOptions::default() };
        match check_drafts(&Scenario { engine, ..Scenario::default() }) {
            Err(ScenarioError::Number { field, .. }) => Some(field),
            _ => None,
        }
    }

    #[test]
    fn no_more_drafts_are_accepted_than_made() {
        assert_eq!(refused(0, 0.0), None);
        assert_eq!(refused(2, 2.0), None);
        assert_eq!(refused(2, 2.1), Some(Field::DraftAccepted));
        assert_eq!(refused(0, 0.5), Some(Field::DraftAccepted));
        assert_eq!(refused(2, f64::NAN), Some(Field::DraftAccepted));
        assert_eq!(refused(MAX_DRAFT_TOKENS + 1, 0.0), Some(Field::DraftTokens));
    }
}
