//! Names of objects and images.

/// Longest name of a request: `<name>-dgd` and its longest component, `Frontend`, share 45 characters.
pub const MAX_REQUEST_NAME: usize = 45 - "-dgd".len() - "Frontend".len();

/// A name for the request of this model: lower case, only letters, digits and dashes, never too long.
pub fn request_name(model: &str) -> String {
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
    if name.len() <= MAX_REQUEST_NAME {
        return name;
    }
    // Two long names that begin alike must stay apart.
    let hash = fnv1a(model) & 0xffff;
    let kept = name[..MAX_REQUEST_NAME - 5].trim_end_matches('-');
    format!("{kept}-{hash:04x}")
}

fn fnv1a(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash: u32, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
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
    fn labels() {
        assert!(is_dns_1035_label("a-1") && is_dns_1123_label("1-a") && is_dns_1123_subdomain("a.b"));
        for bad in ["", "-a", "a-", "A", "a_b", "é", "a."] {
            assert!(!is_dns_1123_label(bad) && !is_dns_1123_subdomain(bad), "{bad}");
        }
        assert!(!is_dns_1035_label("1a") && !is_dns_1123_label(&"a".repeat(64)));
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
