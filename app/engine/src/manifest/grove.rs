//! Whether the names of a deployment leave room for what Grove makes of them.
//!
//! Grove names pods after the deployment and its component and keeps 45 characters for both; the operator shortens
//! the deployment's part first. With the annotation `nvidia.com/enable-grove: "false"` none of this applies.

use super::names::fnv1a;

/// Characters that deployment and component share.
pub const GROVE_NAME: usize = 45;

/// The annotation that leaves Grove out, with the value `"false"`.
pub const GROVE_ANNOTATION: &str = "nvidia.com/enable-grove";

/// Shortest that the operator makes the deployment's part.
const LEAST: usize = 8;

/// What the names of a deployment come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroveNames {
    /// The deployment's name, shortened where it has to be.
    pub name: String,
    /// Each component, in the order given.
    pub components: Vec<GroveName>,
}

/// What one component takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroveName {
    /// Name of the component.
    pub component: String,
    /// Characters that it adds to the deployment's.
    pub cost: usize,
    /// Characters of both together.
    pub total: usize,
    /// Whether it is spread over nodes, which takes its name twice.
    pub multinode: bool,
}

impl GroveName {
    /// Whether it stays within the limit.
    pub fn fits(&self) -> bool {
        self.total <= GROVE_NAME
    }
}

impl GroveNames {
    /// Whether every component stays within the limit.
    pub fn fit(&self) -> bool {
        self.components.iter().all(GroveName::fits)
    }
}

/// Characters that a component on this many nodes adds to the deployment's name.
pub fn grove_cost(component: &str, nodes: u32) -> usize {
    let length = component.chars().count();
    // Leader and workers are named twice: `<component>-…-<component>-ldr`.
    if nodes > 1 { 2 * length + "-ldr".len() } else { length }
}

/// Longest name of a component on this many nodes, whatever the deployment is called.
pub const fn longest_grove_component(nodes: u32) -> usize {
    let room = GROVE_NAME - LEAST;
    if nodes > 1 { (room - "-ldr".len()) / 2 } else { room }
}

/// What the names of a deployment and of its components, each with its number of nodes, come to.
pub fn grove_names(deployment: &str, components: &[(&str, u32)]) -> GroveNames {
    let most = components.iter().map(|(name, nodes)| grove_cost(name, *nodes)).max().unwrap_or_default();
    let room = GROVE_NAME.saturating_sub(most).max(LEAST);
    let name = if deployment.chars().count() > room {
        let kept: String = deployment.chars().take(room - 5).collect();
        format!("{kept}-{:04x}", fnv1a(deployment) & 0xffff)
    } else {
        deployment.to_owned()
    };
    let length = name.chars().count();
    let components = components
        .iter()
        .map(|&(component, nodes)| {
            let cost = grove_cost(component, nodes);
            let (component, multinode) = (component.to_owned(), nodes > 1);
            GroveName { component, cost, total: length + cost, multinode }
        })
        .collect();
    GroveNames { name, components }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shortened_for_the_longest_component() {
        let names =
            grove_names("a-very-long-deployment-name-for-production-use", &[("Frontend", 1), ("prefill", 2)]);
        assert_eq!((names.name.as_str(), names.fit()), ("a-very-long-deployment-6148", true));
        assert_eq!(grove_names("x", &[]).name, "x");
        assert_eq!(grove_names("ééééééééééééé", &[(&"a".repeat(40), 1)]).name.chars().count(), 8);
    }

    #[test]
    fn the_longest_component_fits_and_no_longer_one() {
        assert_eq!((longest_grove_component(1), longest_grove_component(2)), (37, 16));
        for nodes in [1, 2] {
            let longest = longest_grove_component(nodes);
            for (length, fits) in [(longest, true), (longest + 1, false)] {
                let name = "a".repeat(length);
                assert_eq!(grove_names("abcdefgh-i", &[(&name, nodes)]).fit(), fits, "{nodes} {length}");
            }
        }
    }
}
