//! A status of the rows of one moment. What no row tells stays unknown.

use std::time::Duration;

use engine::cluster::{
    ClusterStatus, Count, Deployment, Latency, Measured, PlannerSays, Pool, Role, Signal, Slo, SourceKind,
    Traffic, Trouble,
};

use super::ask;
use super::client::Series;
use super::which::Which;

/// A value of a series at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row<'a> {
    series: &'a Series,
    /// When it was asked for, Unix ms.
    pub(crate) at_ms: u64,
    value: f64,
}

impl<'a> Row<'a> {
    /// All values of a series.
    pub(crate) fn all(series: &'a Series) -> impl Iterator<Item = Self> {
        series.points.iter().map(move |&(at_ms, value)| Self { series, at_ms, value })
    }

    /// A label that is not empty.
    pub(crate) fn label(&self, name: &str) -> Option<&'a str> {
        self.series.labels.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Which figure it is.
    pub(crate) fn figure(&self) -> &'a str {
        let name = self.label("__name__").unwrap_or_default();
        self.label(ask::FIGURE).unwrap_or_else(|| name.strip_prefix(ask::PLANNER).unwrap_or(name))
    }
}

/// The rows of one deployment at one moment.
struct Figures<'a> {
    rows: Vec<Row<'a>>,
}

impl Figures<'_> {
    fn values<'s>(&'s self, figure: &'s str) -> impl Iterator<Item = f64> + 's {
        self.rows.iter().filter(move |row| row.figure() == figure).map(|row| row.value)
    }

    fn sum(&self, figure: &str) -> Option<f64> {
        self.values(figure).reduce(|a, b| a + b)
    }

    /// A gauge. While a pod is replaced there are two of it for a moment.
    fn gauge(&self, figure: &str) -> Option<f64> {
        self.values(figure).reduce(f64::max)
    }

    /// A gauge that is 0 as long as it was never set.
    fn positive(&self, figure: &str) -> Option<f64> {
        self.gauge(figure).filter(|value| *value > 0.0)
    }

    fn count(&self, figure: &str) -> Option<u32> {
        self.gauge(figure).map(|value| value.max(0.0).round() as u32)
    }

    fn time_ms(&self, figure: &str) -> Option<u64> {
        self.positive(figure).map(|seconds| (seconds * 1_000.0).round() as u64)
    }

    /// A sum over a count; nothing was counted, nothing is known.
    fn mean(&self, figure: &str) -> Option<f64> {
        let count = self.sum(&format!("{figure}_count")).filter(|count| *count > 0.0)?;
        Some(self.sum(&format!("{figure}_sum"))? / count)
    }

    fn word(&self, name: &str) -> Option<String> {
        let said = self.rows.iter().find_map(|row| row.label(name))?;
        (said != "unset").then(|| said.to_owned())
    }

    fn kv_usage(&self, components: &[&str]) -> Option<f64> {
        let of = |figure: &str| {
            let rows = self.rows.iter().filter(|row| row.figure() == figure);
            let rows = rows
                .filter(|row| row.label("dynamo_component").is_some_and(|name| components.contains(&name)));
            rows.map(|row| row.value).reduce(|a, b| a + b)
        };
        Some(of("kv_sum")? / of("kv_count").filter(|count| *count > 0.0)?)
    }

    fn observed(&self, window: Duration) -> Traffic {
        let measured = self.measured(window);
        if measured.requests_per_sec.is_some() { measured } else { self.observed_by_planner() }
    }

    /// Where neither frontends nor routers are scraped: what the planner saw last. Its gauges are 0 until then.
    fn observed_by_planner(&self) -> Traffic {
        Traffic {
            requests_per_sec: self.positive("observed_requests_per_second"),
            isl: self.positive("observed_input_sequence_tokens"),
            osl: self.positive("observed_output_sequence_tokens"),
            ttft_ms: self.positive("observed_ttft_ms"),
            itl_ms: self.positive("observed_itl_ms"),
            kv_hit_rate: self.mean("hit"),
            in_flight: self.sum("active").or_else(|| self.sum("inflight")),
        }
    }

    fn measured(&self, window: Duration) -> Traffic {
        let started = self.sum("started").or_else(|| self.sum("completed"));
        let router = started.is_none();
        let mean = |figure: &str| {
            if router { self.mean(&format!("router_{figure}")) } else { self.mean(figure) }
        };
        let requests =
            started.or_else(|| self.sum("router_started")).or_else(|| self.sum("router_completed"));
        Traffic {
            requests_per_sec: requests.map(|requests| requests / window.as_secs_f64()),
            isl: mean("isl"),
            osl: mean("osl"),
            ttft_ms: mean("ttft").map(|seconds| seconds * 1_000.0),
            itl_ms: mean("itl").map(|seconds| seconds * 1_000.0),
            kv_hit_rate: self.mean("hit"),
            in_flight: self.sum("active").or_else(|| self.sum("inflight")),
        }
    }

    /// What the throughput loop expects. Where it does not run its gauges stay 0, which is no forecast.
    fn predicted(&self, planner: &PlannerSays) -> Traffic {
        let runs = planner.throughput.as_deref().is_some_and(|said| said != "disabled");
        let figure = |name: &str| self.gauge(name).filter(|value| runs || *value > 0.0);
        Traffic {
            requests_per_sec: figure("predicted_requests_per_second"),
            isl: figure("predicted_input_sequence_tokens"),
            osl: figure("predicted_output_sequence_tokens"),
            ..Traffic::default()
        }
    }

    fn pools(&self, planner: &PlannerSays) -> Vec<Pool> {
        let decided = planner.load.is_some() || planner.throughput.is_some();
        let pool = |role, name: &str, components: &[&str]| {
            let ready = self.count(&format!("num_{name}_replicas"));
            let desired = self.count(&format!("predicted_num_{name}_replicas"));
            Pool {
                role,
                name: None,
                count: Count {
                    desired: desired.filter(|desired| *desired > 0 || (decided && ready == Some(0))),
                    ready,
                    ..Count::default()
                },
                gpus_per_replica: None,
                since_ms: None,
                lower_bound: None,
                capacity_per_sec: self.positive(&format!("engine_{name}_capacity_requests_per_second")),
                queued_tokens: None,
                kv_usage: self.kv_usage(components),
                workers: Vec::new(),
            }
        };
        let mut pools = vec![
            pool(Role::Prefill, "prefill", &["prefill"]),
            pool(Role::Decode, "decode", &["backend", "decode"]),
        ];
        // A deployment without prefill workers has the gauge all the same, at 0.
        pools.retain(|pool| {
            pool.count.ready.is_some_and(|ready| ready > 0)
                || pool.count.desired.is_some_and(|desired| desired > 0)
                || pool.kv_usage.is_some()
        });
        if let Some(first) = pools.first_mut() {
            first.queued_tokens = self.sum("engine_queued_prefill_tokens");
        }
        pools
    }

    fn signals(&self) -> Vec<Signal> {
        let traffic = ["traffic_at", "completed_at", "router_at"];
        [
            (Measured::Traffic, traffic.iter().find_map(|figure| self.time_ms(figure))),
            (Measured::Replicas, self.time_ms("planner_at")),
            (Measured::Planner, self.time_ms("planner_at")),
            (Measured::Engines, self.time_ms("engines_at")),
        ]
        .into_iter()
        .filter_map(|(what, at_ms)| Some(Signal { what, at_ms: at_ms?, source: SourceKind::Prometheus }))
        .collect()
    }

    /// The model, where all frontends serve the same.
    fn model(&self) -> Option<String> {
        let mut models = self.rows.iter().filter_map(|row| row.label("model"));
        let first = models.next()?;
        models.all(|model| model == first).then(|| first.to_owned())
    }
}

/// What these rows, all of one moment, tell of a deployment. Traffic is that of `window`.
pub(crate) fn status(rows: &[Row<'_>], which: &Which, window: Duration) -> ClusterStatus {
    let figures = Figures { rows: rows.iter().filter(|row| which.has(row)).copied().collect() };
    let planner = PlannerSays {
        load: figures.word(ask::LOAD),
        throughput: figures.word(ask::THROUGHPUT),
        gpu_hours: figures.gauge("gpu_hours"),
        ..PlannerSays::default()
    };
    ClusterStatus {
        now_ms: figures.rows.iter().map(|row| row.at_ms).max().unwrap_or(0),
        deployment: Deployment {
            name: which.name.clone(),
            namespace: which.namespace.clone(),
            model: figures.model(),
            ..Deployment::default()
        },
        slo: Slo {
            ttft_ms: figures.positive("sla_target_ttft_ms"),
            itl_ms: figures.positive("sla_target_itl_ms"),
        },
        pools: figures.pools(&planner),
        observed: figures.observed(window),
        predicted: figures.predicted(&planner),
        estimated: Latency {
            ttft_ms: figures.positive("estimated_ttft_ms"),
            itl_ms: figures.positive("estimated_itl_ms"),
        },
        signals: figures.signals(),
        planner,
        ..ClusterStatus::default()
    }
}

/// What is worth knowing of a status although there is one.
pub(crate) fn lacks(status: &ClusterStatus) -> Option<Trouble> {
    let has = |what| status.signals.iter().any(|signal| signal.what == what);
    let what = match (has(Measured::Planner), has(Measured::Traffic)) {
        (true, true) => return None,
        (false, _) => ask::PLANNER_SIGN,
        (true, false) => ask::TRAFFIC_SIGN,
    };
    Some(Trouble::Empty { what: what.to_owned() })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::which::{Wanted, choose};
    use super::*;

    const WINDOW: Duration = Duration::from_secs(100);

    fn read(rows: &[(&str, f64)]) -> ClusterStatus {
        let series: Vec<Series> = rows
            .iter()
            .map(|(figure, value)| {
                let (figure, label) = figure.split_once(' ').unwrap_or((figure, "namespace=a"));
                let (name, text) = label.split_once('=').unwrap();
                let labels = [(ask::FIGURE, figure), ("dynamo_namespace", "a-b"), (name, text)];
                let labels: BTreeMap<String, String> =
                    labels.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
                Series { labels, points: vec![(7_000, *value)] }
            })
            .collect();
        let rows: Vec<Row<'_>> = series.iter().flat_map(Row::all).collect();
        let which = choose(&rows, &Wanted::default()).unwrap();
        status(&rows, &which, WINDOW)
    }

    #[test]
    fn sums_are_divided_and_nothing_counted_is_nothing_known() {
        let two = [("started", 30.0), ("ttft_sum model=m", 8.0), ("ttft_count model=m", 10.0)];
        let more =
            [("ttft_sum model=n", 4.0), ("ttft_count model=n", 30.0), ("itl_sum", 0.0), ("itl_count", 0.0)];
        let observed = read(&[&two[..], &more].concat()).observed;
        assert_eq!((observed.requests_per_sec, observed.ttft_ms), (Some(0.3), Some(300.0)));
        assert_eq!((observed.itl_ms, observed.isl, observed.kv_hit_rate), (None, None, None));
        assert_eq!(
            read(&[("started", 0.0)]).observed.requests_per_sec,
            Some(0.0),
            "idle is known to be idle"
        );
    }

    #[test]
    fn the_router_stands_in_for_frontends_and_the_planner_for_both() {
        let router = [("router_started", 50.0), ("router_isl_sum", 90.0), ("router_isl_count", 3.0)];
        let planner =
            [("observed_requests_per_second", 4.0), ("observed_ttft_ms", 210.0), ("observed_itl_ms", 0.0)];
        let of = |rows: &[(&str, f64)]| {
            let observed = read(rows).observed;
            (observed.requests_per_sec, observed.isl, observed.ttft_ms, observed.itl_ms)
        };
        assert_eq!(of(&[&router[..], &planner].concat()), (Some(0.5), Some(30.0), None, None));
        assert_eq!(of(&planner), (Some(4.0), None, Some(210.0), None));
        let completed = [("completed", 20.0)];
        assert_eq!(of(&[&router[..], &completed].concat()).0, Some(0.2));
    }

    #[test]
    fn gauges_that_were_never_set_are_unknown() {
        let fresh = [
            ("num_prefill_replicas", 0.0),
            ("num_decode_replicas", 2.0),
            ("predicted_num_prefill_replicas", 0.0),
            ("predicted_num_decode_replicas", 0.0),
            ("predicted_requests_per_second", 0.0),
            ("sla_target_ttft_ms", 0.0),
            ("estimated_ttft_ms", 0.0),
            ("engine_decode_capacity_requests_per_second", 0.0),
            ("engine_queued_prefill_tokens", 5.0),
        ];
        let status = read(&fresh);
        assert_eq!(status.pools.len(), 1, "no prefill workers, no pool of them");
        let decode = &status.pools[0];
        assert_eq!((decode.role, decode.count.desired, decode.count.ready), (Role::Decode, None, Some(2)));
        assert_eq!((decode.capacity_per_sec, decode.queued_tokens), (None, Some(5.0)));
        assert_eq!((status.slo.ttft_ms, status.estimated.ttft_ms), (None, None));
        assert_eq!(status.predicted.requests_per_sec, None);
    }

    #[test]
    fn words_are_the_planners_own() {
        let load = format!("x {}=scale_up", ask::LOAD);
        let idle = format!("x {}=no_traffic_data", ask::THROUGHPUT);
        let status = read(&[(&load, 1.0), (&idle, 1.0), ("predicted_requests_per_second", 0.0)]);
        assert_eq!(status.planner.load.as_deref(), Some("scale_up"));
        assert_eq!(status.planner.throughput.as_deref(), Some("no_traffic_data"));
        assert_eq!(status.predicted.requests_per_sec, Some(0.0), "the loop runs and expects nobody");
        let unset = format!("x {}=unset", ask::LOAD);
        assert_eq!(read(&[(&unset, 1.0)]).planner.load, None);
    }

    #[test]
    fn what_is_missing_is_named() {
        let planner = ("planner_at", 6.0);
        let traffic = ("traffic_at", 6.5);
        let lack = |rows: &[(&str, f64)]| lacks(&read(rows));
        assert_eq!(lack(&[planner, traffic]), None);
        for (rows, sign) in [([planner], ask::TRAFFIC_SIGN), ([traffic], ask::PLANNER_SIGN)] {
            assert_eq!(lack(&rows), Some(Trouble::Empty { what: sign.to_owned() }));
        }
        let signals = read(&[planner, traffic]).signals;
        assert_eq!(signals.iter().map(|signal| signal.at_ms).collect::<Vec<_>>(), [6_500, 6_000, 6_000]);
    }
}
