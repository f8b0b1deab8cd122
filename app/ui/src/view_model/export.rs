//! What can be taken away from an answer, and in which words it is offered.

use engine::link;
use engine::manifest::{Format, Options};
use engine::view::Point;
use serde_json::{Value, json};
use worker::papers::Ask;

use super::shown::Shown;

/// A tab of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tab {
    /// Files for a cluster.
    Files(Format),
    /// Figures and the chart.
    Figures,
}

impl Default for Tab {
    fn default() -> Self {
        Self::Files(Format::default())
    }
}

impl Tab {
    /// Every tab, in order.
    pub fn all() -> Vec<Self> {
        let files = Format::ALL.iter().map(|&format| Self::Files(format));
        files.chain([Self::Figures]).collect()
    }

    /// What the tab says.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Files(Format::Dgdr) => "Request",
            Self::Files(Format::Dgd) => "Deployment",
            Self::Files(Format::Planner) => "Planner",
            Self::Files(Format::Launch) => "Commands",
            Self::Files(Format::Benchmark) => "Benchmark",
            Self::Files(Format::LlmdKustomize) => "llm-d",
            Self::Files(Format::LlmdHelm) => "llm-d Helm",
            Self::Figures => "Figures",
        }
    }

    /// Name in the address.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Files(format) => format.name(),
            Self::Figures => "figures",
        }
    }

    /// The tab of this name.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::all().into_iter().find(|tab| tab.word() == word)
    }

    /// What it is called in full.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Files(Format::Dgdr) => "DynamoGraphDeploymentRequest",
            Self::Files(Format::Dgd) => "DynamoGraphDeployment",
            Self::Files(Format::Planner) => "PlannerConfig",
            Self::Files(Format::Launch) => "Launch commands",
            Self::Files(Format::Benchmark) => "Benchmark job",
            Self::Files(Format::LlmdKustomize) => "llm-d, Kustomize",
            Self::Files(Format::LlmdHelm) => "llm-d, Helm values",
            Self::Figures => "Figures and chart",
        }
    }

    /// What it is good for.
    pub const fn note(self) -> &'static str {
        match self {
            Self::Files(Format::Dgdr) => {
                "A DGDR is a request. It carries the model, the workload, the SLO and the hardware; Dynamo profiles and chooses TP and batch itself, so the layout above is not part of it."
            }
            Self::Files(Format::Dgd) => {
                "A DGD is the deployment itself: this layout, with the engine arguments of every role, ready to apply."
            }
            Self::Files(Format::Planner) => {
                "The settings of the SLO planner for this layout. It is part of the request and of the deployment; take it alone to change a planner that is running."
            }
            Self::Files(Format::Launch) => {
                "The same engines without Kubernetes: what to start on every node."
            }
            Self::Files(Format::Benchmark) => {
                "A job that loads the deployment at the predicted operating point and around it, so that you can hold the prediction against your cluster."
            }
            Self::Files(Format::LlmdKustomize) => {
                "Patches over the llm-d guide for this layout, without Dynamo."
            }
            Self::Files(Format::LlmdHelm) => "Values for the llm-d modelservice chart, without Dynamo.",
            Self::Figures => {
                "Each file ends with the inputs, the identity of the data and the link to this answer."
            }
        }
    }
}

/// The question to the worker that writes.
pub fn ask(shown: &Shown, point: &Point, format: Format, options: &Options) -> Ask {
    // The deployment of a pick has the pick's own backend and system.
    let scenario = Box::new(shown.scenario.at(&shown.place(point)));
    Ask::Write { format, scenario, point: Box::new(*point), options: Box::new(options.clone()) }
}

/// Where figures come from: for the foot of whatever leaves the page.
pub fn provenance(shown: &Shown, address: &str) -> Vec<(&'static str, String)> {
    let query = link::write(&shown.scenario, Some(&shown.data));
    let evidence = shown.best().map(|best| best.evidence).unwrap_or_default();
    vec![
        ("inputs", query.replace('&', " ")),
        ("data", shown.data.clone()),
        ("link", address.to_owned()),
        ("evidence", engine::text::evidence_detail(evidence)),
    ]
}

/// Every configuration with all its figures.
pub fn figures_json(shown: &Shown, address: &str) -> String {
    let indices = |list: &[usize]| list.iter().map(|&at| Value::from(at)).collect::<Vec<_>>();
    let points: Vec<Value> = shown
        .view
        .points
        .iter()
        .map(|point| {
            let mut value = serde_json::to_value(point).unwrap_or_default();
            if let Some(map) = value.as_object_mut() {
                map.insert("place".to_owned(), json!(shown.place(point)));
            }
            value
        })
        .collect();
    let foot: serde_json::Map<String, Value> =
        provenance(shown, address).into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
    let whole = json!({
        "provenance": foot,
        "scenario": shown.scenario,
        "picks": indices(&shown.view.picks),
        "frontier": indices(&shown.view.frontier),
        "funnel": shown.view.funnel,
        "points": points,
    });
    format!("{whole:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view_model::fixture;

    #[test]
    fn tabs_are_found_by_their_word() {
        for tab in Tab::all() {
            assert_eq!(Tab::from_word(tab.word()), Some(tab));
            assert!(!tab.label().is_empty() && !tab.title().is_empty() && tab.note().ends_with('.'));
        }
        assert_eq!(Tab::from_word("nonsense"), None);
    }

    #[test]
    fn figures_carry_every_point_and_where_they_come_from() {
        let shown = fixture::shown();
        let text = figures_json(&shown, "https://example.org/?v=1");
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["points"].as_array().unwrap().len(), shown.view.points.len());
        assert_eq!(value["points"][0]["place"]["backend"], json!(shown.scenario.backend));
        assert_eq!(value["provenance"]["link"], "https://example.org/?v=1");
        assert_eq!(value["picks"][0], json!(shown.view.picks[0]));
    }
}
