//! Parts that objects of several kinds share.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

#[derive(Serialize)]
pub(super) struct Metadata<'a> {
    pub(super) name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) namespace: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) annotations: BTreeMap<&'static str, &'a str>,
}

impl<'a> Metadata<'a> {
    pub(super) const fn new(name: &'a str, namespace: Option<&'a str>) -> Self {
        Self { name, namespace, annotations: BTreeMap::new() }
    }
}

/// A reference by name.
#[derive(Serialize)]
pub(super) struct Named<'a> {
    pub(super) name: &'a str,
}

/// An environment variable.
#[derive(Serialize)]
pub(super) struct Env<'a> {
    pub(super) name: &'a str,
    pub(super) value: &'a str,
}

/// A taint that a pod puts up with.
#[derive(Serialize)]
pub(super) struct Toleration {
    key: &'static str,
    operator: &'static str,
    effect: &'static str,
}

/// The taint that clusters put on nodes with GPUs.
pub(super) const GPU_TAINT: Toleration =
    Toleration { key: "nvidia.com/gpu", operator: "Exists", effect: "NoSchedule" };

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Claim<'a> {
    pub(super) claim_name: &'a str,
}

/// A number without a needless `.0`.
#[derive(Clone, Copy)]
pub(super) struct Number(pub(super) f64);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.fract() == 0.0 && self.0.abs() < 1e15 {
            serializer.serialize_i64(self.0 as i64)
        } else {
            serializer.serialize_f64(self.0)
        }
    }
}
