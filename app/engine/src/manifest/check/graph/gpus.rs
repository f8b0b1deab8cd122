//! GPUs of the workers: what they ask for, and what their engines use.

use serde_json::Value;

use super::{Component, Framework, Graph, Role};
use crate::manifest::Check;
use crate::manifest::check::files::Files;
use crate::manifest::check::schema::shown;
use crate::manifest::yaml::join;

/// GPUs that one pod of a component asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Nothing,
    Gpus(u64),
    /// By another resource, or by something that is no number.
    Otherwise,
}

const GPU: &str = "nvidia.com/gpu";

/// More GPUs than any node has.
const MOST_PER_NODE: u64 = 72;

pub(super) fn check(graph: &Graph<'_>, files: &Files<'_>, out: &mut Vec<Check>) {
    for component in graph.components.iter().filter(|component| component.role.is_worker()) {
        worker(component, graph, files, out);
    }
}

/// GPUs of all components; none when one of them cannot be counted.
pub(super) fn total(graph: &Graph<'_>) -> Option<u64> {
    graph.components.iter().try_fold(0_u64, |sum, component| match asked(component, graph.alpha, "limits") {
        Asked::Nothing => Some(sum),
        Asked::Gpus(gpus) => {
            sum.checked_add(gpus.checked_mul(component.replicas)?.checked_mul(component.nodes)?)
        }
        Asked::Otherwise => None,
    })
}

/// GPUs of one replica.
pub(super) fn per_replica(component: &Component<'_>, alpha: bool) -> Option<u64> {
    match asked(component, alpha, "limits") {
        Asked::Gpus(gpus) => gpus.checked_mul(component.nodes),
        _ => None,
    }
}

fn path(component: &Component<'_>, alpha: bool, kind: &str) -> String {
    if alpha {
        component.at(&format!("resources.{kind}.gpu"))
    } else {
        join(&component.main_path, &format!("resources.{kind}.{GPU}"))
    }
}

fn asked(component: &Component<'_>, alpha: bool, kind: &str) -> Asked {
    let key = if alpha { "gpu" } else { GPU };
    let resources = if alpha {
        component.value.get("resources")
    } else {
        component.main.and_then(|main| main.get("resources"))
    };
    let Some(resources) = resources else { return Asked::Nothing };
    let claims = resources.get("claims").and_then(Value::as_array).is_some_and(|claims| !claims.is_empty());
    let kind = resources.get(kind);
    match kind.and_then(|kind| kind.get(key)) {
        Some(Value::String(text)) => text.parse().map_or(Asked::Otherwise, Asked::Gpus),
        Some(Value::Number(number)) => number.as_u64().map_or(Asked::Otherwise, Asked::Gpus),
        Some(Value::Null) | None => {
            let names = |map: Option<&Value>| {
                map.and_then(Value::as_object)
                    .is_some_and(|map| map.keys().any(|key| key.contains("gpu") || key.contains("/mig-")))
            };
            let other = names(kind.filter(|_| !alpha)) || names(kind.and_then(|kind| kind.get("custom")));
            if claims || other { Asked::Otherwise } else { Asked::Nothing }
        }
        Some(_) => Asked::Otherwise,
    }
}

fn worker(component: &Component<'_>, graph: &Graph<'_>, files: &Files<'_>, out: &mut Vec<Check>) {
    let alpha = graph.alpha;
    let (limit, request) = (asked(component, alpha, "limits"), asked(component, alpha, "requests"));
    let at = path(component, alpha, "limits");
    if component.main.is_none() && !alpha {
        // The missing container is what to repair.
        return;
    }
    for kind in ["limits", "requests"] {
        whole_number(component, alpha, kind, out);
    }
    let gpus = match (limit, request) {
        (Asked::Gpus(0) | Asked::Nothing, Asked::Nothing | Asked::Gpus(0)) => {
            let key = if alpha { "resources.limits.gpu" } else { "nvidia.com/gpu among the limits of main" };
            let message = format!("The worker asks for no GPU; set {key}.");
            out.push(Check::error(at, "gpus-missing", message));
            return;
        }
        (Asked::Nothing, _) => {
            let message =
                "GPUs are requested without a limit; a cluster wants the limit, equal to the request.";
            out.push(Check::error(at, "gpus-missing", message));
            return;
        }
        (Asked::Gpus(limit), Asked::Gpus(request)) if limit != request => {
            let message =
                format!("The GPU limit is {limit}, the request {request}; a cluster wants them equal.");
            out.push(Check::error(path(component, alpha, "requests"), "gpus-differ", message));
            return;
        }
        (Asked::Gpus(gpus), _) => gpus,
        (Asked::Otherwise, _) => return,
    };
    if gpus > MOST_PER_NODE {
        let message = format!(
            "{gpus} GPUs are asked for per pod, more than any node has; spread the worker with multinode.nodeCount."
        );
        out.push(Check::error(at, "gpus-per-pod", message));
        return;
    }
    uses(component, graph, files, gpus, &at, out);
}

fn whole_number(component: &Component<'_>, alpha: bool, kind: &str, out: &mut Vec<Check>) {
    let resources = if alpha {
        component.value.get("resources")
    } else {
        component.main.and_then(|main| main.get("resources"))
    };
    let value = resources
        .and_then(|resources| resources.get(kind))
        .and_then(|kind| kind.get(if alpha { "gpu" } else { GPU }));
    let fits = match value {
        Some(Value::String(text)) => text.parse::<u64>().is_ok(),
        Some(Value::Number(number)) => number.is_u64(),
        // The schema speaks about other kinds of values.
        _ => true,
    };
    if let Some(value) = value.filter(|_| !fits) {
        let message = format!("{} is no number of GPUs; write a whole number such as \"2\".", shown(value));
        out.push(Check::error(path(component, alpha, kind), "gpus", message));
    }
}

/// The engine uses what the pods have.
fn uses(
    component: &Component<'_>,
    graph: &Graph<'_>,
    files: &Files<'_>,
    gpus: u64,
    at: &str,
    out: &mut Vec<Check>,
) {
    let Some(framework) = component.framework(graph) else { return };
    let Some(layout) = component.layout(framework, files) else { return };
    let Some(used) = layout.gpus() else { return };
    let Some(have) = gpus.checked_mul(component.nodes) else { return };
    let pods = if component.nodes > 1 {
        format!("{} pods with {gpus} each give", component.nodes)
    } else {
        "its pod gives".to_owned()
    };
    if used > have {
        let cure = if used % component.nodes == 0 && used / component.nodes <= 8 {
            format!("set the limit to {}", used / component.nodes)
        } else {
            format!("set multinode.nodeCount to {}", used.div_ceil(gpus.max(1)))
        };
        let message = format!(
            "{} runs on {used} GPUs ({layout}), and {pods} {have}; {cure}, or make the engine smaller.",
            component.name
        );
        out.push(Check::error(at, "gpus-used", message));
    } else if used < have {
        let message = format!(
            "{} runs on {used} GPUs ({layout}), and {pods} {have}; {} of each replica stay idle.",
            component.name,
            have - used
        );
        out.push(Check::warning(at, "gpus-idle", message));
    }
    if component.nodes > 1 && used <= gpus.saturating_mul(component.nodes - 1) && used <= have {
        let message = format!(
            "{used} GPUs fit on {} of {} nodes; lower nodeCount.",
            used.div_ceil(gpus.max(1)),
            component.nodes
        );
        out.push(Check::warning(component.at("multinode.nodeCount"), "node-count", message));
    }
}

/// Sizes of an engine.
pub(super) struct Layout {
    pub(super) framework: Framework,
    pub(super) tp: u64,
    pub(super) pp: u64,
    /// Ranks that attention is split over beside TP; 1 where they are within it.
    pub(super) dp: u64,
}

impl Layout {
    fn gpus(&self) -> Option<u64> {
        self.tp.checked_mul(self.pp)?.checked_mul(self.dp)
    }
}

impl std::fmt::Display for Layout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TP {} × PP {}", self.tp, self.pp)?;
        if self.dp > 1 || self.framework == Framework::Vllm {
            write!(f, " × DP {}", self.dp)?;
        }
        Ok(())
    }
}

/// The planner's idea of an engine's GPUs is that of the deployment.
pub(super) fn told(graph: &Graph<'_>, role: Role) -> Option<u64> {
    let mut sizes = graph.with_role(role).map(|component| per_replica(component, graph.alpha));
    let first = sizes.next()??;
    sizes.all(|size| size == Some(first)).then_some(first)
}
