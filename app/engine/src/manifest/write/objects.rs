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

/// A volume that pods mount.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Volume<'a> {
    pub(super) name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) persistent_volume_claim: Option<Claim<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) config_map: Option<Named<'a>>,
}

impl<'a> Volume<'a> {
    pub(super) const fn claimed(name: &'static str, claim_name: &'a str) -> Self {
        Self { name, persistent_volume_claim: Some(Claim { claim_name }), config_map: None }
    }
}

/// Where a container mounts a volume.
#[derive(Serialize)]
pub(super) struct Mount<'a> {
    pub(super) name: &'static str,
    #[serde(rename = "mountPath")]
    pub(super) at: &'a str,
    #[serde(rename = "readOnly", skip_serializing_if = "Option::is_none")]
    pub(super) is_read_only: Option<bool>,
}

impl<'a> Mount<'a> {
    pub(super) const fn new(name: &'static str, at: &'a str) -> Self {
        Self { name, at, is_read_only: None }
    }
}

/// All keys of a secret as environment.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EnvFrom {
    pub(super) secret_ref: Named<'static>,
}

/// What a container takes of a node.
#[derive(Serialize)]
pub(super) struct Resources {
    limits: BTreeMap<&'static str, String>,
}

impl Resources {
    pub(super) fn gpus(gpus: u32) -> Self {
        Self { limits: BTreeMap::from([("nvidia.com/gpu", gpus.to_string())]) }
    }
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
