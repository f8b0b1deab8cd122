//! Manifests of the reference system, fact by fact: counts, GPUs, flags, engine settings, benchmarks.
//!
//! Names, images and the API version differ on purpose, and so do the defects that a case lists as known: where
//! it asks for more GPUs than there are, ours must keep to the search and the budget.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use engine::backend::Backend;
use engine::catalog::Catalog;
use engine::manifest::{Extras, Format, Manifest, ModelCache, Options, PlannerUse, Selection, write};
use engine::parallel::Parallel;
use engine::reference::{Member, Row, Shape};
use engine::rows::MemoryUse;
use engine::scenario::{Goal, Policy, Scenario, Serving};
use engine::search::Search;
use engine::source::Evidence;
use engine::view::{Layout, Point, Worker};
use serde_json::{Map, Value, json};

use crate::ours::{Ours, Part, canonical, flags, parsed};
use crate::report::Report;
use crate::{folder, load, model_id, number, text, whole};

/// Batch, ISL and OSL of the reference's manifests without a search.
const NAIVE: (u32, u32, u32) = (128, 4000, 1000);

#[test]
fn manifests() {
    let Ok(files) = fs::read_dir(folder().join("manifests")) else {
        return Report::skipped("manifests");
    };
    let mut names: Vec<String> = files
        .filter_map(|file| file.ok()?.file_name().into_string().ok())
        .filter(|name| Path::new(name).extension().is_some_and(|kind| kind == "json"))
        .collect();
    names.sort();
    let mut report = Report::new("manifests");
    for name in names {
        let facts = load(&format!("manifests/{name}")).expect("listed above");
        if facts["schema"] != "manifest-facts/1" {
            continue;
        }
        let scenario = scenario(&facts["input"]);
        let found = facts["input"]["command"].eq("default").then(|| rows(&scenario));
        for (mode, facts_of_mode) in facts["modes"].as_object().expect("modes") {
            let case = Case {
                id: format!("{} {mode}", text(&facts, "case")),
                facts: facts_of_mode,
                input: &facts["input"],
                scenario: &scenario,
            };
            report.case(&case.id);
            let rows = found.as_ref().map(|found| found[mode.as_str()].as_slice());
            case.compare(rows, &mut report);
        }
    }
    report.finish();
}

fn scenario(input: &Value) -> Scenario {
    let mut out = Scenario { policy: Policy::Reference, ..Scenario::default() };
    model_id(text(input, "model")).clone_into(&mut out.model);
    text(input, "system").clone_into(&mut out.system);
    out.backend = Backend::from_name(text(input, "backend")).expect("a backend");
    out.goal = Goal::Gpus(whole(input, "total-gpus"));
    let or = |key: &str, otherwise: u32| input[key].as_u64().map_or(otherwise, |value| value as u32);
    out.workload.isl = or("isl", NAIVE.1);
    out.workload.osl = or("osl", NAIVE.2);
    out.sla.ttft_ms = f64::from(or("ttft", 2000));
    out.sla.itl_ms = f64::from(or("tpot", 30));
    if input["serving-mode"] == "agg" {
        out.serving = Serving::Agg;
    }
    out
}

/// Every row that the reference's search finds, by serving mode.
fn rows(scenario: &Scenario) -> BTreeMap<&'static str, Vec<Row>> {
    let mut search = Search::new(tests::problem(scenario).expect("data"));
    while !search.advance(u32::MAX).is_done() {}
    let found = search.reference();
    BTreeMap::from([("agg", found.agg), ("disagg", found.disagg)])
}

/// One serving mode of a case.
struct Case<'a> {
    id: String,
    facts: &'a Value,
    input: &'a Value,
    scenario: &'a Scenario,
}

/// A kind of worker as the reference found it.
#[derive(Clone, Copy)]
struct Found {
    parallel: Parallel,
    batch: u32,
    count: u32,
    /// Prefill tokens of a mixed step; ISL unless our search says otherwise.
    ctx_tokens: u32,
}

impl Case<'_> {
    fn is_disagg(&self) -> bool {
        self.id.ends_with("disagg")
    }

    fn found(&self, side: &str, count: &str) -> Found {
        let row = &self.facts["search_row"];
        let count = whole(&self.facts["workers"], count);
        let ctx_tokens = self.scenario.workload.isl;
        if row.is_null() {
            return Found { parallel: Parallel::dense(1, 1, 1), batch: NAIVE.0, count, ctx_tokens };
        }
        let size = |key: &str| whole(row, &format!("{side}{key}"));
        let parallel = Parallel {
            tp: size("tp"),
            pp: size("pp"),
            dp: size("dp"),
            moe_tp: size("moe_tp"),
            moe_ep: size("moe_ep"),
            cp: 1,
        };
        Found { parallel, batch: size("bs"), count, ctx_tokens }
    }

    /// The row of our search that is the reference's: same workers, same latencies.
    fn row<'r>(&self, rows: &'r [Row]) -> Option<&'r Row> {
        // The reference does not say how prompts are split, and leaves that out of its manifests.
        let is = |found: Found, member: &Member| {
            let parallel = Parallel { cp: 1, ..member.parallel };
            let unsplit = Parallel { cp: 1, ..found.parallel };
            let experts = |parallel: Parallel| (parallel.moe_tp, parallel.moe_ep);
            let same = (parallel.tp, parallel.pp, parallel.dp) == (unsplit.tp, unsplit.pp, unsplit.dp);
            same && (member.parallel.cp > 1 || experts(parallel) == experts(unsplit))
                && member.batch == found.batch
        };
        let want = &self.facts["search_row"];
        let near = |got: f64, key: &str| (got - number(want, key)).abs() <= 1e-3 * number(want, key);
        rows.iter().find(|row| {
            let workers = match &row.shape {
                Shape::Agg { worker, .. } => is(self.found("", "agg_workers"), worker),
                Shape::Disagg { prefill, decode } => {
                    is(self.found("(p)", "prefill_workers"), prefill)
                        && is(self.found("(d)", "decode_workers"), decode)
                }
            };
            workers
                && near(f64::from(row.gpus), "num_total_gpus")
                && near(row.ttft_ms, "ttft")
                && near(row.itl_ms, "tpot")
                && near(row.tokens_per_sec_per_gpu, "tokens/s/gpu")
        })
    }

    /// The point of the search row, and whether our search of the reference's kind finds the same.
    fn point(&self, rows: Option<&[Row]>, report: &mut Report) -> (Point, Vec<(&'static str, Found)>) {
        let row = rows.and_then(|rows| self.row(rows));
        if rows.is_some() && row.is_none() {
            report.fail(format!("{}: our search does not find {}", self.id, self.facts["search_row"]));
        }
        let fixed = |found: Found, same: Option<&Member>| Worker {
            parallel: found.parallel,
            batch: found.batch,
            count: found.count,
            memory: same.map_or(MemoryUse::default(), |member| member.memory),
        };
        let (layout, found) = if self.is_disagg() {
            let prefill = self.found("(p)", "prefill_workers");
            let decode = self.found("(d)", "decode_workers");
            let (p, d) = match row.map(|row| &row.shape) {
                Some(Shape::Disagg { prefill, decode }) => (Some(prefill), Some(decode)),
                _ => (None, None),
            };
            let layout =
                Layout::Disagg { prefill: fixed(prefill, p), decode: fixed(decode, d), encoders: None };
            (layout, vec![("prefill", prefill), ("decode", decode)])
        } else {
            let mut worker = self.found("", "agg_workers");
            let mut member = None;
            if let Some(Shape::Agg { worker: same, ctx_tokens }) = row.map(|row| &row.shape) {
                member = Some(same);
                worker.ctx_tokens = *ctx_tokens;
            }
            let (worker_of_point, ctx_tokens) = (fixed(worker, member), worker.ctx_tokens);
            let layout = Layout::Agg { worker: worker_of_point, ctx_tokens, encoders: None };
            (layout, vec![("worker", worker)])
        };
        let gpus: u32 = found.iter().map(|(_, found)| found.parallel.gpus() * found.count).sum();
        let row = &self.facts["search_row"];
        let latency = |key: &str| row[key].as_f64().unwrap_or(1.0);
        let point = Point {
            place: 0,
            layout,
            replicas: 1,
            gpus_used: gpus,
            ttft_ms: latency("ttft"),
            itl_ms: latency("tpot"),
            request_latency_ms: latency("request_latency"),
            tokens_per_sec_per_gpu: latency("tokens/s/gpu"),
            tokens_per_sec_per_user: latency("tokens/s/user"),
            requests_per_sec: latency("seq/s"),
            concurrency: 1,
            evidence: Evidence::default(),
            meets_ttft: true,
            meets_itl: true,
        };
        (point, found)
    }

    fn options(&self) -> Options {
        let words = |key: &str| self.input[key].as_str().map(str::to_owned);
        let model_cache = words("model-cache").map(|cache| {
            let mut parts = cache.split(':').map(str::to_owned);
            let claim = parts.next().expect("a claim");
            ModelCache { claim, mount: parts.next(), path: parts.next() }
        });
        // The reference turns a transport into variables; users of ours give variables.
        let workers = self.facts["services"].as_array().into_iter().flatten();
        let transport = workers.flat_map(|service| service["env"].as_object().into_iter().flatten());
        let env: BTreeMap<String, String> = transport
            .filter(|(name, _)| self.input.get("transport").is_some() && *name != "HF_HOME")
            .map(|(name, value)| (name.clone(), value.as_str().expect("text").to_owned()))
            .collect();
        Options {
            namespace: words("namespace"),
            extras: Extras {
                planner: PlannerUse::Off,
                pin_nodes: true,
                pull_secret: words("image-pull-secret"),
                model_cache,
                env: env.into_iter().collect(),
                ..Extras::default()
            },
            ..Options::default()
        }
    }

    fn write(&self, format: Format, point: &Point) -> Result<Manifest, String> {
        let catalog = Catalog::embedded();
        let scenario = self.scenario;
        let model = catalog.model(&scenario.model).expect("a model");
        let system = catalog.system(&scenario.system).expect("a system");
        let selection = Selection { scenario, model, system, decode_system: None, point };
        write(format, &selection, &self.options()).map_err(|checks| format!("{}: {checks:?}", self.id))
    }

    fn compare(&self, rows: Option<&[Row]>, report: &mut Report) {
        let (point, found) = self.point(rows, report);
        if self.facts.get("llmd").is_some() {
            match self.write(Format::LlmdHelm, &point) {
                Ok(manifest) => {
                    let values = parsed(&manifest.files[0]).remove(0);
                    self.compare_helm(&values, &found, report);
                }
                Err(why) => report.fail(why),
            }
            return;
        }
        let manifest = match self.write(Format::Dgd, &point) {
            Ok(manifest) => manifest,
            Err(why) => return report.fail(why),
        };
        let ours = Ours::of(&manifest);
        let budget = whole(self.input, "total-gpus");
        let sum = ours.gpus();
        if sum > u64::from(budget) {
            report.fail(format!("{}: {sum} GPUs of {budget}", self.id));
        }
        self.same(
            "namespace",
            &ours.document["metadata"]["namespace"],
            &json!(self.input["namespace"]),
            report,
        );
        for service in self.facts["services"].as_array().expect("services") {
            let role = match (service["type"].as_str(), service["subType"].as_str()) {
                (Some("frontend"), _) => "Frontend",
                (_, Some(role)) => role,
                _ => "worker",
            };
            let found = found.iter().find(|(name, _)| *name == role).map(|(_, found)| *found);
            self.compare_service(service, role, found, &ours, report);
        }
        match self.write(Format::Benchmark, &point) {
            Ok(bench) => self.compare_bench(&bench, &manifest.name, &found, report),
            Err(why) => report.fail(why),
        }
    }

    fn same(&self, what: &str, got: &Value, want: &Value, report: &mut Report) {
        if got != want {
            report.fail(format!("{} {what}: got {got}, want {want}", self.id));
        }
    }

    fn has_defect(&self, name: &str) -> bool {
        let known = self.facts["known_defects"].as_array().into_iter().flatten();
        known.filter_map(Value::as_str).any(|defect| defect.starts_with(name))
    }

    fn compare_service(
        &self,
        service: &Value,
        role: &str,
        found: Option<Found>,
        ours: &Ours,
        report: &mut Report,
    ) {
        let Some(part) = ours.parts.get(role) else {
            return report.fail(format!("{}: no component {role}", self.id));
        };
        let at = |what: &str| format!("{role} {what}");
        self.same(&at("replicas"), &part.value["replicas"], &service["replicas"], report);
        let (nodes, limit) = part.gpus();
        if !self.has_defect("over-budget") {
            self.same(&at("GPUs of a pod"), &json!(limit), &service["gpuLimitPerPod"], report);
            self.same(&at("nodes"), &json!(nodes), &service["nodeCount"], report);
        }
        let by_search = &self.facts["gpusPerWorkerBySearch"][if role == "worker" { "agg" } else { role }];
        if !by_search.is_null() {
            self.same(&at("GPUs of a worker"), &json!(nodes * limit), by_search, report);
        }
        let shared = &part.value["sharedMemorySize"];
        self.same(&at("shared memory"), shared, &service["sharedMemory"], report);
        self.same(&at("pull secrets"), &part.names("imagePullSecrets"), &service["imagePullSecrets"], report);
        let secret = &part.main["envFrom"][0]["secretRef"]["name"];
        self.same(&at("token"), secret, &service["envFromSecret"], report);
        self.compare_env(service, role, part, report);
        // The frontend needs no GPU, so ours ties it to no node.
        let selector = &part.value["podTemplate"]["spec"]["nodeSelector"];
        match (role, &service["nodeSelector"]) {
            ("Frontend", _) => self.same(&at("node selector"), selector, &Value::Null, report),
            (_, Value::Object(want)) if !want.is_empty() => {
                self.same(&at("node selector"), selector, &json!(want), report);
            }
            _ => {}
        }
        let flags = service["flags"].as_object().expect("flags");
        self.compare_flags(flags, role, found, &part.flags(), report);
        if let Some(want) = service["engine_yaml"].as_object() {
            let got = &ours.engines[&format!("{role}.yaml")];
            self.compare_engine(want, got, role, found.expect("a worker"), report);
        }
    }

    fn compare_env(&self, service: &Value, role: &str, part: &Part, report: &mut Report) {
        let mut got = part.env();
        for (name, want) in service["env"].as_object().into_iter().flatten() {
            let have = got.remove(name.as_str());
            if name == "HF_HOME" {
                // A folder on the volume is the model's own here, and what the engine loads.
                let flags = part.flags();
                let loaded = flags.get("--model").or_else(|| flags.get("--model-path"));
                let claims = part.claims();
                let mounted = claims
                    == self.input["model-cache"]
                        .as_str()
                        .and_then(|cache| {
                            let mut parts = cache.split(':');
                            Some(vec![(parts.next()?.to_owned(), parts.next()?.to_owned())])
                        })
                        .unwrap_or_default();
                self.same(&format!("{role} model folder"), loaded.unwrap_or(&Value::Null), want, report);
                if !mounted {
                    report.fail(format!("{} {role}: the volume is {claims:?}", self.id));
                }
            } else {
                self.same(&format!("{role} {name}"), &json!(have), want, report);
            }
        }
        if !got.is_empty() {
            report.fail(format!("{} {role}: more variables {got:?}", self.id));
        }
    }

    fn compare_flags(
        &self,
        want: &Map<String, Value>,
        role: &str,
        found: Option<Found>,
        got: &BTreeMap<String, Value>,
        report: &mut Report,
    ) {
        let mut left: BTreeMap<&str, &Value> =
            got.iter().map(|(flag, value)| (flag.as_str(), value)).collect();
        let isl = self.scenario.workload.isl;
        let beyond = found.map_or(0.0, |found| f64::from(found.ctx_tokens) - f64::from(isl));
        let requests = want.get("--max-num-seqs").and_then(Value::as_f64).unwrap_or_default();
        for (flag, want) in want {
            let flag = canonical(flag);
            let got = left.remove(flag);
            let what = format!("{role} {flag}");
            let expected = match (flag, found) {
                // The reference asks for at least 512 requests, whatever the search found.
                ("--max-num-seqs", Some(found)) => json!(found.batch),
                ("--max-running-requests", Some(found)) => json!(found.batch * found.parallel.dp),
                ("--max-num-batched-tokens", Some(found)) if role == "worker" => {
                    json!(
                        (want.as_f64().expect("a number") - requests + f64::from(found.batch) + beyond)
                            as u64
                    )
                }
                ("--max-prefill-tokens", Some(_)) if role == "worker" => {
                    json!((want.as_f64().expect("a number") + beyond.max(0.0)) as u64)
                }
                ("--data-parallel-size" | "--expert-parallel-size", _) if got.is_none() && *want == 1 => {
                    continue;
                }
                // The file is found elsewhere; its settings are compared one by one.
                ("--extra-engine-args", _) => continue,
                ("--model" | "--model-path", Some(_)) if self.input.get("model-cache").is_some() => continue,
                ("--cuda-graph-bs", Some(found)) => {
                    self.compare_graphs(&what, got.unwrap_or(&Value::Null), want, found.batch, report);
                    continue;
                }
                ("--kv-transfer-config", _) => {
                    let side = match role {
                        "prefill" => "kv_producer",
                        _ => "kv_consumer",
                    };
                    json!({"kv_connector": want["kv_connector"], "kv_role": side})
                }
                _ => want.clone(),
            };
            self.same(&what, got.unwrap_or(&Value::Null), &expected, report);
        }
        let mut more =
            vec!["--chunked-prefill-size", "--disaggregation-bootstrap-port", "--model-name", "--model-path"];
        if self.facts["search_row"].is_null() {
            // Without a search the reference knows no precision.
            more.push("--kv-cache-dtype");
        }
        for (flag, value) in left.into_iter().filter(|(flag, _)| !more.contains(flag)) {
            report.fail(format!("{} {role}: more flags {flag} {value}", self.id));
        }
    }

    /// Ours are some of the reference's, each once, in order, none above the batch and the batch among them.
    fn compare_graphs(&self, what: &str, got: &Value, want: &Value, batch: u32, report: &mut Report) {
        let sizes: Vec<u64> = match got {
            Value::Array(sizes) => sizes.iter().filter_map(Value::as_u64).collect(),
            one => one.as_u64().into_iter().collect(),
        };
        let known: BTreeSet<u64> = want["values_sorted_unique"]
            .as_array()
            .expect("sizes")
            .iter()
            .filter_map(Value::as_u64)
            .collect();
        let good = sizes.is_sorted_by(|a, b| a < b)
            && sizes.last() == Some(&u64::from(batch))
            && sizes.iter().all(|size| known.contains(size));
        if !good {
            report.fail(format!("{} {what}: {sizes:?} for batch {batch}, want some of {known:?}", self.id));
        }
    }

    fn compare_engine(
        &self,
        want: &Map<String, Value>,
        got: &Value,
        role: &str,
        found: Found,
        report: &mut Report,
    ) {
        let mut left = got.as_object().expect("settings").clone();
        for (key, want) in want {
            let got = left.remove(key).unwrap_or_default();
            let what = format!("{role} {key}");
            match key.as_str() {
                // Prefill replays no graphs, and those of the reference are larger than its batch.
                "cuda_graph_config" if role == "prefill" => self.same(&what, &got, &Value::Null, report),
                "cuda_graph_config" => {
                    self.same(&what, &got["enable_padding"], &want["enable_padding"], report);
                    self.compare_graphs(
                        &what,
                        &got["batch_sizes"],
                        &want["batch_sizes"],
                        found.batch,
                        report,
                    );
                }
                "max_num_tokens" if role == "worker" => {
                    let tokens = found.batch + found.ctx_tokens + 500;
                    self.same(&what, &got, &json!(tokens.next_multiple_of(32)), report);
                    if found.ctx_tokens == self.scenario.workload.isl {
                        self.same(&what, &got, want, report);
                    }
                }
                _ => self.same(&what, &got, want, report),
            }
        }
        if !left.is_empty() {
            report.fail(format!("{} {role}: more settings {left:?}", self.id));
        }
    }

    fn compare_bench(&self, manifest: &Manifest, name: &str, found: &[(&str, Found)], report: &mut Report) {
        let job = parsed(&manifest.files[0]).remove(0);
        let want = &self.facts["bench"];
        let script = job["spec"]["template"]["spec"]["containers"][0]["args"][0].as_str().expect("a script");
        let between = |start: &str, end: &str| {
            let rest = script.split_once(start).expect(start).1;
            rest.split_once(end).expect(end).0.to_owned()
        };
        let got: Vec<u64> = between("for concurrency in ", "; do")
            .split(' ')
            .map(|word| word.parse().expect("a number"))
            .collect();
        let (_, decoding) = found.last().expect("workers");
        let of_batch = u64::from(decoding.count * decoding.batch);
        // The reference forgets that each attention rank has a batch of its own.
        let around = |point: u64| {
            let all = [1, 2, 8, 16, 32, 64, 128].into_iter();
            all.chain([95, 100, 105].map(|percent| point * percent / 100)).collect::<BTreeSet<u64>>()
        };
        self.same("benchmark of the reference", &json!(around(of_batch)), &want["concurrency"], report);
        let expected = around(of_batch * u64::from(decoding.parallel.dp));
        self.same("benchmark", &json!(got), &json!(expected), report);
        self.same("benchmark job", &job["metadata"]["name"], &json!(format!("{name}-benchmark")), report);
        let reference = text(want, "endpointHost");
        let dgd = text(want, "jobName").strip_suffix("-benchmark").expect("a job");
        let host = reference.replacen(dgd, name, 1).replace(".None.svc.cluster.local", "");
        self.same(
            "benchmark address",
            &json!(between("url=", "\n")),
            &json!(format!("http://{host}")),
            report,
        );
        self.same(
            "benchmark namespace",
            &job["metadata"]["namespace"],
            &json!(self.input["namespace"]),
            report,
        );
    }

    fn compare_helm(&self, ours: &Value, found: &[(&str, Found)], report: &mut Report) {
        let want = &self.facts["llmd"];
        for key in ["accelerator", "multinode"] {
            self.same(key, &ours[key], &want[key], report);
        }
        for key in ["name", "labels", "uri", "size", "mountPath"] {
            self.same(key, &ours["modelArtifacts"][key], &want["modelArtifacts"][key], report);
        }
        self.same("servicePort", &ours["routing"]["servicePort"], &want["routing"]["servicePort"], report);
        for key in ["enabled", "targetPort", "connector", "zapLogLevel"] {
            self.same(key, &ours["routing"]["proxy"][key], &want["routing"]["proxy"][key], report);
        }
        for side in ["prefill", "decode"] {
            let (ours, want) = (&ours[side], &want[side]);
            self.same(&format!("{side} create"), &ours["create"], &json!(want.is_object()), report);
            let Some(want) = want.as_object() else { continue };
            let main = &ours["containers"][0];
            for key in ["replicas", "parallelism"] {
                self.same(&format!("{side} {key}"), &ours[key], &want[key], report);
            }
            self.same(&format!("{side} command"), &main["modelCommand"], &want["modelCommand"], report);
            self.same(&format!("{side} port"), &main["ports"][0]["containerPort"], &want["ports"][0], report);
            let limit =
                main["resources"]["limits"]["nvidia.com/gpu"].as_str().and_then(|limit| limit.parse().ok());
            self.same(
                &format!("{side} GPUs"),
                &json!(limit.unwrap_or(0_u32)),
                &want["limits"]["nvidia.com/gpu"],
                report,
            );
            let role = if self.is_disagg() { side } else { "worker" };
            let found = found.iter().find(|(name, _)| *name == role).map(|(_, found)| *found);
            let mut golden = flags(want["args"].as_array().expect("args"));
            // The chart itself names the model.
            golden.remove("--model");
            let mut got = flags(main["args"].as_array().expect("args"));
            let transfer = got.remove("--kv-transfer-config").unwrap_or_default();
            let both = json!({"kv_connector": "NixlConnector", "kv_role": "kv_both"});
            self.same(
                &format!("{side} transfer"),
                &transfer,
                if self.is_disagg() { &both } else { &Value::Null },
                report,
            );
            let golden = golden.into_iter().collect();
            self.compare_flags(&golden, role, found, &got, report);
        }
    }
}
