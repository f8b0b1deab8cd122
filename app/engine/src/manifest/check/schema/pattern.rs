//! The patterns of the schemas, each checked by hand: a regular-expression engine would be larger than all the rest.

use crate::manifest::names::{is_component_name, is_dns_1123_label, is_label_key, is_quantity, semver_core};

/// A pattern as it stands in the schemas, whether a text fits it, and what it asks for.
type Pattern = (&'static str, fn(&str) -> bool, &'static str);

const PATTERNS: &[Pattern] = &[
    (
        r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$",
        is_quantity,
        "a quantity such as 8, 500m or 64Gi",
    ),
    (
        r"^(0|[1-9][0-9]{0,3})\.(0|[1-9][0-9]{0,3})\.(0|[1-9][0-9]{0,3})$",
        |text| semver_core(text).is_some(),
        "a version such as 1.6.1, without leading zeros",
    ),
    (
        r"^[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?$",
        is_component_name,
        "letters, digits and dashes, with no dash at either end",
    ),
    (r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", is_dns_1123_label, LABEL),
    (r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", is_dns_1123_label, LABEL),
    (
        r"^(([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*/)?([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)$",
        is_label_key,
        "the key of a label, such as topology.kubernetes.io/zone",
    ),
];

const LABEL: &str = "lower-case letters, digits and dashes, with no dash at either end";

/// What the pattern asks for, if the text does not fit it.
pub(super) fn misfit(text: &str, pattern: &str) -> Option<&'static str> {
    let (_, fits, wanted) = PATTERNS.iter().find(|(known, ..)| *known == pattern)?;
    (!fits(text)).then_some(*wanted)
}

#[cfg(test)]
pub(super) fn is_known(pattern: &str) -> bool {
    PATTERNS.iter().any(|(known, ..)| *known == pattern)
}
