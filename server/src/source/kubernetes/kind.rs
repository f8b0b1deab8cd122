//! The kinds of objects that are read, and where the API server has them.

use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use kube::core::Resource as _;
use serde_json::Value;

use super::facts::{Adapter, Event, Fact, Graph, Pod, Wanted};

/// What a source follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Scope {
    /// Namespace of the deployment.
    pub(super) namespace: String,
    /// Name of the deployment.
    pub(super) graph: String,
}

/// A kind of objects. Only the first is needed; without another one a status says less. The order is that in which
/// people are told what is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// The deployment.
    Graphs,
    /// Its pods.
    Pods,
    /// The adapters that scale it.
    Adapters,
    /// Events about all of these.
    Events,
    /// The request that made it.
    Requests,
    /// The planner's configuration.
    Settings,
}

/// Those that are listed and watched.
pub(super) const WATCHED: [Kind; 5] =
    [Kind::Graphs, Kind::Pods, Kind::Adapters, Kind::Events, Kind::Requests];

impl Kind {
    /// Group, version, kind and plural, the best first.
    const fn places(self) -> &'static [[&'static str; 4]] {
        match self {
            Self::Graphs => &[
                ["nvidia.com", "v1beta1", "DynamoGraphDeployment", "dynamographdeployments"],
                ["nvidia.com", "v1alpha1", "DynamoGraphDeployment", "dynamographdeployments"],
            ],
            Self::Adapters => &[
                ["nvidia.com", "v1beta1", "DynamoGraphDeploymentScalingAdapter", ADAPTERS],
                ["nvidia.com", "v1alpha1", "DynamoGraphDeploymentScalingAdapter", ADAPTERS],
            ],
            Self::Requests => &[
                ["nvidia.com", "v1beta1", "DynamoGraphDeploymentRequest", "dynamographdeploymentrequests"],
                ["nvidia.com", "v1alpha1", "DynamoGraphDeploymentRequest", "dynamographdeploymentrequests"],
            ],
            Self::Pods => &[["", "v1", "Pod", "pods"]],
            Self::Events => &[["events.k8s.io", "v1", "Event", "events"], ["", "v1", "Event", "events"]],
            Self::Settings => &[["", "v1", "ConfigMap", "configmaps"]],
        }
    }

    /// The path of this kind's objects, in the `at`th best version; none beyond the last.
    pub(super) fn path(self, at: usize, namespace: Option<&str>) -> Option<String> {
        let [group, version, kind, plural] = self.places().get(at)?;
        let resource =
            ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural);
        Some(DynamicObject::url_path(&resource, namespace))
    }

    /// As RBAC names it.
    pub(super) fn plural(self) -> &'static str {
        self.places()[0][3]
    }

    /// Whether the next version may be allowed where this one is not: rules of RBAC are for groups.
    pub(super) fn in_other_groups(self) -> bool {
        self.places().iter().any(|place| place[0] != self.places()[0][0])
    }

    /// What may not be read.
    pub(super) fn within(self, namespace: &str) -> String {
        format!("{} in namespace {namespace}", self.plural())
    }

    /// What there is not, where the API server does not know the kind.
    pub(super) fn absent(self) -> String {
        let [group, _, _, plural] = self.places()[0];
        if group.is_empty() {
            format!("{plural} in this cluster")
        } else {
            format!("{plural}.{group} in this cluster")
        }
    }

    /// Selectors by label and by field that leave what concerns a deployment.
    pub(super) fn selectors(self, scope: &Scope) -> (Option<String>, Option<String>) {
        match self {
            Self::Graphs => (None, Some(format!("metadata.name={}", scope.graph))),
            Self::Pods => (Some(format!("nvidia.com/dynamo-graph-deployment-name={}", scope.graph)), None),
            Self::Adapters | Self::Requests | Self::Events | Self::Settings => (None, None),
        }
    }

    /// What is kept of an object, if it concerns the deployment.
    pub(super) fn read(self, object: &Value, scope: &Scope) -> Option<Fact> {
        match self {
            Self::Graphs => {
                let graph = Graph::read(object).filter(|graph| graph.name == scope.graph)?;
                Some(Fact::Graph(Box::new(graph)))
            }
            Self::Adapters => {
                Adapter::read(object).filter(|adapter| adapter.graph == scope.graph).map(Fact::Adapter)
            }
            Self::Requests => {
                let wanted = Wanted::read(object)?;
                (wanted.graph.as_deref() == Some(scope.graph.as_str())).then_some(Fact::Request(wanted))
            }
            Self::Pods => Pod::read(object).map(|pod| Fact::Pod(Box::new(pod))),
            Self::Events => {
                Event::read(object).filter(|event| concerns(event, &scope.graph)).map(Fact::Event)
            }
            Self::Settings => None,
        }
    }
}

const ADAPTERS: &str = "dynamographdeploymentscalingadapters";

/// Everything that is made for a deployment begins with its name. Others may begin so too; what is shown is checked
/// against the objects that are known.
fn concerns(event: &Event, graph: &str) -> bool {
    event.name.strip_prefix(graph).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        || event.kind == "DynamoGraphDeploymentRequest"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_api() {
        let path = |kind: Kind, at| kind.path(at, Some("serving")).unwrap_or_default();
        assert_eq!(
            path(Kind::Graphs, 0),
            "/apis/nvidia.com/v1beta1/namespaces/serving/dynamographdeployments"
        );
        assert_eq!(
            path(Kind::Adapters, 1),
            "/apis/nvidia.com/v1alpha1/namespaces/serving/dynamographdeploymentscalingadapters"
        );
        assert_eq!(path(Kind::Pods, 0), "/api/v1/namespaces/serving/pods");
        assert_eq!(path(Kind::Pods, 1), "");
        assert_eq!(path(Kind::Events, 0), "/apis/events.k8s.io/v1/namespaces/serving/events");
        assert_eq!(Kind::Graphs.path(0, None).unwrap(), "/apis/nvidia.com/v1beta1/dynamographdeployments");
        assert!(Kind::Events.in_other_groups() && !Kind::Graphs.in_other_groups());
    }
}
