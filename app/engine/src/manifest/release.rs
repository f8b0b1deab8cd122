//! What changes with a release of NVIDIA Dynamo.

use serde::{Deserialize, Serialize};

use crate::backend::Backend;

/// A release of NVIDIA Dynamo that a manifest is written for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each variant is named by the release it stands for")]
pub enum Dynamo {
    V1_4,
    V1_5,
    #[default]
    V1_6,
}

/// Everything a writer has to know of a release.
#[derive(Debug)]
pub(super) struct Facts {
    /// Tag of its images.
    tag: &'static str,
    /// Versions of TensorRT-LLM, SGLang and vLLM inside, where they are known.
    engines: Option<[&'static str; 3]>,
    /// Names of GPU systems in requests that other releases do not have.
    pub(super) skus: &'static [(&'static str, &'static str)],
    /// Flag of SGLang for the batch sizes of captured decode graphs.
    pub(super) sglang_graph_sizes: &'static str,
    /// What makes SGLang split a prompt over the ranks of `--attn-cp-size`, both ends of it on each rank.
    pub(super) sglang_prompt_split: &'static [&'static str],
    /// Whether a request can ask for routing by cached prefixes (`features.kvRouter`).
    pub(super) request_router: bool,
    /// Whether a request can let the model bring code of its own (`overrides.trustRemoteCode`).
    pub(super) request_remote_code: bool,
}

const V1_4: Facts = Facts {
    tag: "1.4.0",
    engines: None,
    skus: &[("gb200", "gb200_sxm")],
    sglang_graph_sizes: "--cuda-graph-bs",
    sglang_prompt_split: &["--enable-prefill-context-parallel"],
    request_router: false,
    request_remote_code: false,
};

const V1_5: Facts = Facts { tag: "1.5.0", ..V1_4 };

const V1_6: Facts = Facts {
    tag: "1.6.1",
    engines: Some(["1.3.0rc29", "0.5.21", "0.31.0"]),
    // Named without its module form, which deprecates the old name.
    skus: &[("gb200", "gb200"), ("b300_sxm", "b300_sxm")],
    sglang_graph_sizes: "--cuda-graph-bs-decode",
    sglang_prompt_split: &["--enable-prefill-cp", "--cp-strategy", "zigzag"],
    request_router: true,
    request_remote_code: true,
};

impl Dynamo {
    /// Every release, newest first.
    pub const ALL: &'static [Self] = &[Self::V1_6, Self::V1_5, Self::V1_4];

    pub(super) const fn facts(self) -> &'static Facts {
        match self {
            Self::V1_4 => &V1_4,
            Self::V1_5 => &V1_5,
            Self::V1_6 => &V1_6,
        }
    }

    /// The image tag, such as `1.6.1`.
    pub const fn tag(self) -> &'static str {
        self.facts().tag
    }

    /// The release with this tag.
    pub fn from_tag(tag: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|release| release.tag() == tag)
    }

    /// Version of an engine in the images, where it is known.
    pub(super) fn engine(self, backend: Backend) -> Option<&'static str> {
        let [trtllm, sglang, vllm] = self.facts().engines?;
        Some(match backend {
            Backend::Trtllm => trtllm,
            Backend::Sglang => sglang,
            Backend::Vllm => vllm,
        })
    }
}

/// Last part of the name of an engine's image.
pub(super) const fn runtime_image(backend: Backend) -> &'static str {
    match backend {
        Backend::Trtllm => "tensorrtllm-runtime",
        Backend::Sglang => "sglang-runtime",
        Backend::Vllm => "vllm-runtime",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_name_their_release() {
        for &release in Dynamo::ALL {
            assert_eq!(Dynamo::from_tag(release.tag()), Some(release));
        }
        assert_eq!(Dynamo::from_tag("1.3.0"), None);
    }

    #[test]
    fn engines_are_named_where_they_are_known() {
        assert_eq!(Dynamo::V1_6.engine(Backend::Sglang), Some("0.5.21"));
        assert_eq!(Dynamo::V1_5.engine(Backend::Sglang), None);
    }
}
