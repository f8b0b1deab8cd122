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
