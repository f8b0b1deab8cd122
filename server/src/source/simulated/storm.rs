//! The airline storm: the story that plays unless a cluster is named.

use engine::cluster::{ClusterStatus, Deployment};
use engine::simulate::{Run, story};

use super::Story;

/// The storm under way.
#[derive(Clone, Debug)]
pub struct Storm {
    run: Run,
    length_ms: u64,
}

impl Storm {
    /// The storm at its beginning, or why it cannot be played.
    pub fn new() -> Result<Self, String> {
        let fleets = story::storm_fleets().map_err(|error| error.to_string())?;
        let setup = story::storm().setup(fleets);
        let length_ms = setup.length_ms() as u64;
        let run = Run::new(setup).map_err(|error| error.to_string())?;
        Ok(Self { run, length_ms })
    }
}

impl Story for Storm {
    fn step(&mut self, to_ms: u64) -> ClusterStatus {
        self.run.advance_to(to_ms as f64);
        let deployment = Deployment {
            name: Some("airline".to_owned()),
            model: Some("Qwen/Qwen3-32B-FP8".to_owned()),
            system: Some("h100_sxm".to_owned()),
            ..Deployment::default()
        };
        ClusterStatus { deployment, ..self.run.status() }
    }

    fn length_ms(&self) -> u64 {
        self.length_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::cluster::Role;

    #[test]
    fn a_second_prefill_worker_comes_and_the_slo_is_kept_again() {
        let mut storm = Storm::new().unwrap();
        let mut at = |secs: u64| storm.step(secs * 1000);
        let ready = |status: &ClusterStatus| status.pool(Role::Prefill).and_then(|pool| pool.count.ready);
        let calm = at(100);
        assert_eq!((ready(&calm), calm.decisions.len()), (Some(1), 0));
        assert!(calm.observed.ttft_ms.unwrap() < 500.0);
        let burst = at(200);
        assert_eq!(burst.pool(Role::Prefill).unwrap().count.starting, Some(1));
        assert_eq!(burst.decisions[0].reason.as_deref(), Some("scale_up"));
        assert!(burst.observed.ttft_ms.unwrap() > 500.0);
        assert_eq!(ready(&at(310)), Some(2));
        let held = at(600);
        assert!(held.observed.ttft_ms.unwrap() < 500.0 && ready(&held) == Some(2));
        assert_eq!(ready(&at(1100)), Some(1));
    }
}
