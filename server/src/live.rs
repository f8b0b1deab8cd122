//! From the command line to the sources of the live status.

use std::process;

use crate::config::{Config, SourceChoice};
use crate::hub::Hub;
use crate::source::PlannerSource;
use crate::source::prometheus::{Prometheus, Settings};
use crate::start::StartError;

/// Starts the sources that the command line names. They end with the hub.
pub fn start(config: &Config, hub: &Hub) -> Result<(), StartError> {
    match config.source {
        SourceChoice::Simulated => {}
        SourceChoice::Prometheus => drive(hub, prometheus(config)?),
        SourceChoice::Kubernetes => kubernetes(config, hub)?,
        SourceChoice::Both => {
            drive(hub, prometheus(config)?);
            kubernetes(config, hub)?;
        }
    }
    Ok(())
}

/// Servers that start together do not ask together after an error.
fn drive(hub: &Hub, source: impl PlannerSource) {
    tokio::spawn(hub.drive(source, u64::from(process::id())));
}

fn prometheus(config: &Config) -> Result<Prometheus, StartError> {
    let Some(url) = config.prometheus_url.clone() else {
        return Err(StartError::Source(
            "Prometheus has no address. Name it with --prometheus-url.".to_owned(),
        ));
    };
    let settings = Settings {
        url,
        token_file: config.prometheus_token_file.clone(),
        ca: config.prometheus_ca.clone(),
        namespace: config.namespace.clone(),
        deployment: config.deployment.clone(),
        window: config.window,
    };
    Prometheus::new(settings).map_err(|why| {
        StartError::Source(format!("Prometheus cannot be asked: {why}. Check --prometheus-ca."))
    })
}

fn kubernetes(_config: &Config, _hub: &Hub) -> Result<(), StartError> {
    let why = "This build cannot ask Kubernetes. Use --source prometheus.";
    Err(StartError::Source(why.to_owned()))
}
