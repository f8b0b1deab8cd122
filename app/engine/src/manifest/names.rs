//! Names of objects and images.

/// Longest name of a request: `<name>-dgd` and its longest component, `Frontend`, share 45 characters.
pub const MAX_REQUEST_NAME: usize = 45 - "-dgd".len() - "Frontend".len();

/// Longest name of a deployment: it and its longest dependent, the job `<name>-benchmark`, share 63 characters.
pub const MAX_DEPLOYMENT_NAME: usize = 63 - "-benchmark".len();
/// Characters that a deployment and what Grove makes of a component share.
const GROVE: usize = 45;

/// A name for the request of this model: lower case, only letters, digits and dashes, never too long.
pub fn request_name(model: &str) -> String {
    object_name(model, MAX_REQUEST_NAME)
}

/// A name for the deployment of this model that Grove need not shorten; components by name and number of nodes.
pub(super) fn deployment_name<'a>(model: &str, components: impl Iterator<Item = (&'a str, u32)>) -> String {
    // A component over several nodes appears twice, the second time as leader or worker.
    let cost =
        |(name, nodes): (&str, u32)| if nodes > 1 { 2 * name.len() + "-ldr".len() } else { name.len() };
    let longest = components.map(cost).max().unwrap_or_default();
    object_name(model, GROVE.saturating_sub(longest).clamp(8, MAX_DEPLOYMENT_NAME))
}

fn object_name(model: &str, longest: usize) -> String {
    let mut name = String::new();
    for c in model.chars() {
        let c = c.to_ascii_lowercase();
        if c.is_ascii_alphanumeric() {
            name.push(c);
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
    }
    let name = name.trim_end_matches('-');
    let name = match name.chars().next() {
        Some(first) if first.is_ascii_lowercase() => name.to_owned(),
        Some(_) => format!("m-{name}"),
        None => "model".to_owned(),
    };
    if name.len() <= longest {
        return name;
    }
    // Two long names that begin alike must stay apart.
    let hash = fnv1a(model) & 0xffff;
    let kept = name[..longest - 5].trim_end_matches('-');
    format!("{kept}-{hash:04x}")
}

/// FNV-1a of 32 bits.
pub(super) fn fnv1a(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash: u32, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// A value for a label: what a label cannot hold becomes `_`, too long a text is cut and stays apart by a hash.
pub(super) fn label_value(text: &str) -> String {
    let value: String = text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let value = value.trim_matches('_');
    if value.len() <= 63 {
        return value.to_owned();
    }
    format!("{}_{:04x}", value[..58].trim_end_matches('_'), fnv1a(text) & 0xffff)
}

/// A label that may begin with a digit: names of namespaces.
pub(super) fn is_dns_1123_label(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 63
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !name.starts_with('-')
        && !name.ends_with('-')
}

/// A label that begins with a letter: names that become Services.
pub(super) fn is_dns_1035_label(name: &str) -> bool {
    is_dns_1123_label(name) && name.starts_with(|c: char| c.is_ascii_lowercase())
}

/// Dot-separated labels: names of objects.
pub(super) fn is_dns_1123_subdomain(name: &str) -> bool {
    name.len() <= 253 && name.split('.').all(is_dns_1123_label)
}

/// A quantity of a resource: a sign, a decimal number, then a suffix or an exponent.
pub(super) fn is_quantity(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let end = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
    let (number, suffix) = unsigned.split_at(end);
    is_decimal(number)
        && (matches!(
            suffix,
            "" | "n"
                | "u"
                | "m"
                | "k"
                | "M"
                | "G"
                | "T"
                | "P"
                | "E"
                | "Ki"
                | "Mi"
                | "Gi"
                | "Ti"
                | "Pi"
                | "Ei"
        ) || suffix
            .strip_prefix(['e', 'E'])
            .is_some_and(|exponent| is_decimal(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))))
}

fn is_decimal(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        && text.bytes().filter(|&byte| byte == b'.').count() <= 1
}

/// Name of an environment variable that every shell takes.
pub(super) fn is_env_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Name of a port: a label of at most 15 characters, one of them a letter.
pub(super) fn is_port_name(name: &str) -> bool {
    is_dns_1123_label(name) && name.len() <= 15 && name.bytes().any(|b| b.is_ascii_lowercase())
}

/// Value of a label; it may be empty.
pub(super) fn is_label_value(value: &str) -> bool {
    let ends = |c: Option<char>| c.is_none_or(|c| c.is_ascii_alphanumeric());
    value.len() <= 63
        && value.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        && ends(value.chars().next())
        && ends(value.chars().next_back())
}

/// Key of a label or an annotation: a name, perhaps after a domain and a slash.
pub(super) fn is_label_key(key: &str) -> bool {
    let (domain, name) = match key.split_once('/') {
        Some((domain, name)) => (Some(domain), name),
        None => (None, key),
    };
    domain.is_none_or(is_dns_1123_subdomain) && !name.is_empty() && is_label_value(name)
}

/// Name of a component of a deployment.
pub(super) fn is_component_name(name: &str) -> bool {
    name.len() <= 63
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !name.is_empty()
        && !name.starts_with('-')
        && !name.ends_with('-')
}

/// Last part of an image's path, without tag and digest, such as `vllm-runtime`.
pub(super) fn image_name(image: &str) -> &str {
    let path = image.split('@').next().unwrap_or_default();
    let last = path.rsplit('/').next().unwrap_or_default();
    last.split(':').next().unwrap_or_default()
}

/// `MAJOR.MINOR.PATCH`, each 0 to 9999 without leading zeros.
pub(super) fn semver_core(text: &str) -> Option<(u16, u16, u16)> {
    let mut parts = text.split('.').map(|part| {
        let well_formed = (1..=4).contains(&part.len())
            && part.bytes().all(|b| b.is_ascii_digit())
            && (part == "0" || !part.starts_with('0'));
        part.parse::<u16>().ok().filter(|_| well_formed)
    });
    let core = (parts.next()??, parts.next()??, parts.next()??);
    parts.next().is_none().then_some(core)
}

/// Version in the tag of an image: `v`, three numbers, then what a pre-release or build may add.
pub(super) fn image_version(image: &str) -> Option<(u16, u16, u16)> {
    let name = image.split('@').next()?;
    let last = name.rsplit('/').next()?;
    let (_, tag) = last.split_once(':')?;
    let tag = tag.strip_prefix('v').unwrap_or(tag);
    semver_core(tag.split(['-', '+']).next()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_become_names() {
        assert_eq!(MAX_REQUEST_NAME, 33);
        for (model, name) in [
            ("Qwen3-32B-FP8", "qwen3-32b-fp8"),
            ("meta-llama/Llama-3.1-70B_x", "meta-llama-llama-3-1-70b-x"),
            ("../..", "model"),
            ("", "model"),
            ("7B", "m-7b"),
            ("Été--Ünï", "t-n"),
        ] {
            assert_eq!(request_name(model), name, "{model}");
        }
    }

    #[test]
    fn long_names_are_cut_and_stay_apart() {
        let a = request_name("a-very-long-organisation/a-very-long-model-name-first");
        let b = request_name("a-very-long-organisation/a-very-long-model-name-second");
        assert_ne!(a, b);
        for name in [a, b] {
            assert!(name.len() <= MAX_REQUEST_NAME && is_dns_1035_label(&name), "{name}");
        }
    }

    #[test]
    fn deployments_leave_room_for_their_components() {
        let model = "a-very-long-model-name-for-production-use-everywhere";
        for (nodes, longest) in [(1, 37), (2, 27)] {
            let name = deployment_name(model, [("Frontend", 1), ("prefill", nodes)].into_iter());
            assert_eq!(name.len(), longest, "{name}");
            assert!(is_dns_1035_label(&name));
        }
        assert_eq!(deployment_name("Qwen3-8B", [("Frontend", 1)].into_iter()), "qwen3-8b");
    }

    #[test]
    fn label_values_are_bounded() {
        assert_eq!(label_value("Qwen/Qwen3-32B.FP8"), "Qwen_Qwen3_32B_FP8");
        assert_eq!(label_value("/é/"), "");
        let long = label_value(&format!("org/{}", "x".repeat(90)));
        assert!(long.len() == 63 && long != label_value(&format!("org/{}", "x".repeat(91))));
        assert!(is_env_name("_A1") && !is_env_name("1A") && !is_env_name("A-B") && !is_env_name(""));
    }

    #[test]
    fn labels() {
        assert!(is_dns_1035_label("a-1") && is_dns_1123_label("1-a") && is_dns_1123_subdomain("a.b"));
        for bad in ["", "-a", "a-", "A", "a_b", "é", "a."] {
            assert!(!is_dns_1123_label(bad) && !is_dns_1123_subdomain(bad), "{bad}");
        }
        assert!(!is_dns_1035_label("1a") && !is_dns_1123_label(&"a".repeat(64)));
    }

    #[test]
    fn quantities() {
        for good in ["8", "500m", "64Gi", "1.5", ".5", "5.", "-1", "+2", "1e3", "1E-3", "2e+.5"] {
            assert!(is_quantity(good), "{good}");
        }
        for bad in ["", "Gi", "1 Gi", "1GB", "1.2.3", "1e", "e3", "--1", ".", "64gi"] {
            assert!(!is_quantity(bad), "{bad}");
        }
    }

    #[test]
    fn smaller_names() {
        assert!(is_env_name("HF_HOME") && is_env_name("_a1"));
        for bad in ["", "1A", "A-B", "A.B", "É", "A B", "A="] {
            assert!(!is_env_name(bad), "{bad}");
        }
        assert!(is_port_name("http-1") && !is_port_name("80") && !is_port_name("a-name-of-sixteen"));
        for good in ["", "a", "A_b.c-1", "1"] {
            assert!(is_label_value(good), "{good}");
        }
        for bad in ["-a", "a-", "a/b", "é", "a b", &"a".repeat(64)] {
            assert!(!is_label_value(bad), "{bad}");
        }
        for good in ["a", "nvidia.com/enable-grove", "app.kubernetes.io/name"] {
            assert!(is_label_key(good), "{good}");
        }
        for bad in ["", "/a", "a/", "A.b/c", "a/b/c", "a b"] {
            assert!(!is_label_key(bad), "{bad}");
        }
        assert!(is_component_name("Frontend") && is_component_name("1-A"));
        for bad in ["", "-a", "a-", "a_b", "a.b", &"a".repeat(64)] {
            assert!(!is_component_name(bad), "{bad}");
        }
        for image in ["r:5000/a/vllm-runtime:1.6.1", "vllm-runtime@sha256:00", "vllm-runtime"] {
            assert_eq!(image_name(image), "vllm-runtime");
        }
    }

    #[test]
    fn versions() {
        assert_eq!(semver_core("1.6.1"), Some((1, 6, 1)));
        for bad in ["1.06.1", "1.6", "1.6.1.0", "latest", "10000.0.0", "1..1", "+1.2.3", ""] {
            assert_eq!(semver_core(bad), None, "{bad}");
        }
        assert_eq!(image_version("r:5000/a/dynamo-planner:v1.6.1-cuda13"), Some((1, 6, 1)));
        assert_eq!(image_version("a/b:1.5.0@sha256:00"), Some((1, 5, 0)));
        for bad in ["a/b", "a/b:latest", "r:5000/b", "a/b@sha256:00", "a/b:sha-123", "a/b:1.6"] {
            assert_eq!(image_version(bad), None, "{bad}");
        }
    }
}
