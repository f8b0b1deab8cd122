//! Which deployment, where one Prometheus watches many.
//!
//! `dynamo_namespace` is `{namespace}-{deployment}` under the operator; routers and workers write `_` for `-` and may
//! add a hash. The planner's gauges may have no such label: then the pod's name and namespace tell.

use std::collections::BTreeMap;

use engine::cluster::Trouble;

use super::ask;
use super::read::Row;

/// What the user chose.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) namespace: Option<String>,
    pub(crate) deployment: Option<String>,
}

/// A deployment, as far as labels tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Which {
    pub(crate) namespace: Option<String>,
    pub(crate) name: Option<String>,
    /// The label `dynamo_namespace`.
    dynamo: Option<String>,
}

/// Fewest digits of a hash behind a `dynamo_namespace`.
const HASH: usize = 6;

impl Which {
    fn of(row: &Row<'_>) -> Self {
        let namespace = row.label("namespace").map(str::to_owned);
        let dynamo = row.label("dynamo_namespace").map(str::to_owned);
        let name = match (&dynamo, &namespace) {
            (Some(dynamo), Some(namespace)) => Some(without(dynamo, namespace).to_owned()),
            (Some(dynamo), None) => Some(dynamo.clone()),
            (None, _) => row.label("pod").map(of_pod),
        };
        Self { namespace, name, dynamo }
    }

    /// Whether a row is about this deployment.
    pub(crate) fn has(&self, row: &Row<'_>) -> bool {
        let fits = |own: &Option<String>, label: &str| match (own, row.label(label)) {
            (Some(own), Some(given)) => own == given,
            _ => true,
        };
        if !fits(&self.namespace, "namespace") {
            return false;
        }
        let own = self
            .dynamo
            .clone()
            .or_else(|| Some(format!("{}-{}", self.namespace.as_ref()?, self.name.as_ref()?)));
        match (row.label("dynamo_namespace"), own) {
            (Some(given), Some(own)) => same(&own, given),
            (Some(_), None) => false,
            (None, _) => match (&self.name, row.label("pod")) {
                (Some(name), Some(pod)) => pod
                    .strip_prefix(name.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('-')),
                _ => true,
            },
        }
    }

    fn is(&self, wanted: &Wanted) -> bool {
        let dynamo = self.dynamo.as_deref().unwrap_or_default();
        let namespace = wanted.namespace.as_deref().is_none_or(|wanted| match &self.namespace {
            Some(own) => own == wanted || dynamo == wanted,
            None => dynamo == wanted || dynamo.strip_prefix(wanted).is_some_and(|rest| rest.starts_with('-')),
        });
        let deployment = wanted.deployment.as_deref().is_none_or(|deployment| {
            let long = wanted.namespace.as_ref().map(|namespace| format!("{namespace}-{deployment}"));
            self.name.as_deref() == Some(deployment)
                || dynamo == deployment
                || long.is_some_and(|long| same(&long, dynamo))
        });
        namespace && deployment
    }

    fn display(&self) -> String {
        let name = self.name.as_deref().unwrap_or("?");
        self.namespace.as_ref().map_or_else(|| name.to_owned(), |namespace| format!("{namespace}/{name}"))
    }
}

fn without<'a>(dynamo: &'a str, namespace: &str) -> &'a str {
    dynamo.strip_prefix(namespace).and_then(|rest| rest.strip_prefix(['-', '_'])).unwrap_or(dynamo)
}

/// The deployment's name in that of its planner's pod: `airline-planner-0`, with Grove `airline-0-planner-x7k2p`.
fn of_pod(pod: &str) -> String {
    let name = pod.find("-planner").map_or(pod, |at| &pod[..at]);
    name.strip_suffix("-0").unwrap_or(name).to_owned()
}

fn same(own: &str, given: &str) -> bool {
    let (own, given) = (own.replace('-', "_"), given.replace('-', "_"));
    match given.strip_prefix(own.as_str()) {
        Some("") => true,
        Some(rest) => rest
            .strip_prefix('_')
            .is_some_and(|hash| hash.len() >= HASH && hash.bytes().all(|byte| byte.is_ascii_hexdigit())),
        None => false,
    }
}

/// The one deployment that is meant.
pub(crate) fn choose(rows: &[Row<'_>], wanted: &Wanted) -> Result<Which, Trouble> {
    let mut known = candidates(rows, |figure| !figure.starts_with("router_") && !figure.starts_with("hit_"));
    if known.is_empty() {
        known = candidates(rows, |_| true);
    }
    if known.is_empty() {
        return Err(Trouble::Empty { what: format!("{} or {}", ask::TRAFFIC_SIGN, ask::PLANNER_SIGN) });
    }
    known.retain(|which| which.is(wanted));
    match known.as_slice() {
        [] => Err(Trouble::Empty { what: format!("metrics of deployment {}", wanted_name(wanted)) }),
        [one] => Ok(one.clone()),
        several => Err(Trouble::Ambiguous { names: several.iter().map(Which::display).collect() }),
    }
}

fn wanted_name(wanted: &Wanted) -> String {
    let part = |part: &Option<String>| part.clone().unwrap_or_else(|| "*".to_owned());
    format!("{}/{}", part(&wanted.namespace), part(&wanted.deployment))
}

/// Deployments with a frontend or a planner; workers alone do not make one.
fn candidates(rows: &[Row<'_>], counts: impl Fn(&str) -> bool) -> Vec<Which> {
    let rows = rows.iter().filter(|row| counts(row.figure()) && !row.figure().starts_with("kv_"));
    let rows = rows.filter(|row| row.figure() != "engines_at");
    let mut labelled: BTreeMap<String, Which> = BTreeMap::new();
    let mut others: Vec<(&Row<'_>, Which)> = Vec::new();
    for row in rows {
        let which = Which::of(row);
        match &which.dynamo {
            Some(dynamo) => {
                let known = labelled.entry(dynamo.clone()).or_insert_with(|| which.clone());
                if known.namespace.is_none() {
                    *known = which;
                }
            }
            None => others.push((row, which)),
        }
    }
    let mut known: Vec<Which> = labelled.into_values().collect();
    for (row, which) in others {
        if !known.iter().any(|known| known.has(row)) {
            known.push(which);
        }
    }
    known
}

#[cfg(test)]
mod tests {
    use super::super::client::Series;
    use super::*;

    fn series(figure: &str, labels: &[(&str, &str)]) -> Series {
        let mut labels: BTreeMap<String, String> =
            labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        labels.insert("figure".to_owned(), figure.to_owned());
        Series { labels, points: vec![(1, 1.0)] }
    }

    fn chosen(
        series: &[Series],
        namespace: Option<&str>,
        deployment: Option<&str>,
    ) -> Result<String, Trouble> {
        let rows: Vec<Row<'_>> = series.iter().flat_map(Row::all).collect();
        let wanted =
            Wanted { namespace: namespace.map(str::to_owned), deployment: deployment.map(str::to_owned) };
        choose(&rows, &wanted).map(|which| which.display())
    }

    #[test]
    fn one_deployment_is_chosen_by_itself_and_several_are_named() {
        let frontend = |ns, dynamo| series("started", &[("namespace", ns), ("dynamo_namespace", dynamo)]);
        let one = [frontend("serving", "serving-airline")];
        assert_eq!(chosen(&one, None, None).unwrap(), "serving/airline");
        let both = [frontend("serving", "serving-airline"), frontend("serving", "serving-hotel")];
        let names = vec!["serving/airline".to_owned(), "serving/hotel".to_owned()];
        assert_eq!(chosen(&both, None, None), Err(Trouble::Ambiguous { names }));
        assert_eq!(chosen(&both, None, Some("hotel")).unwrap(), "serving/hotel");
        assert_eq!(chosen(&both, Some("serving"), Some("airline")).unwrap(), "serving/airline");
        assert_eq!(chosen(&both, Some("serving-hotel"), None).unwrap(), "serving/hotel");
        assert!(
            matches!(chosen(&both, Some("other"), None), Err(Trouble::Empty { what }) if what.contains("other/*"))
        );
        assert!(matches!(chosen(&[], None, None), Err(Trouble::Empty { .. })));
    }

    #[test]
    fn a_planner_without_the_label_belongs_to_the_deployment_of_its_pod() {
        let rows = [
            series("started", &[("namespace", "serving"), ("dynamo_namespace", "serving-airline")]),
            series("num_decode_replicas", &[("namespace", "serving"), ("pod", "airline-0-planner-x7")]),
        ];
        assert_eq!(chosen(&rows, None, None).unwrap(), "serving/airline");
        let alone = &rows[1..];
        assert_eq!(chosen(alone, None, None).unwrap(), "serving/airline");
        let stranger = series("num_decode_replicas", &[("namespace", "serving"), ("pod", "hotel-planner-0")]);
        let rows = [rows.into_iter().next().unwrap(), stranger];
        assert!(matches!(chosen(&rows, None, None), Err(Trouble::Ambiguous { .. })));
    }

    #[test]
    fn routers_and_workers_write_the_name_with_underscores_and_a_hash() {
        let frontend = series("started", &[("dynamo_namespace", "my-ns-app")]);
        let rows: Vec<Row<'_>> = Row::all(&frontend).collect();
        let which = choose(&rows, &Wanted::default()).unwrap();
        for (name, own) in [
            ("my_ns_app", true),
            ("my-ns-app", true),
            ("my_ns_app_0a1b2c3d", true),
            ("my_ns_app_two", false),
            ("my_ns_ap", false),
            ("my_ns_app_", false),
        ] {
            let worker = series("kv_sum", &[("dynamo_namespace", name)]);
            assert_eq!(Row::all(&worker).all(|row| which.has(&row)), own, "{name}");
        }
    }
}
