//! From the command line to the sources of the live status.

use std::process;

use crate::config::{Config, SourceChoice};
use crate::hub::Hub;
use crate::source::PlannerSource;
use crate::source::kubernetes::Kubernetes;
use crate::source::prometheus::{Prometheus, Settings};
use crate::source::simulated::Simulated;
use crate::source::simulated::storm::Storm;
use crate::start::StartError;

/// Starts the sources that the command line names. They end with the hub.
pub fn start(config: &Config, hub: &Hub) -> Result<(), StartError> {
    match config.source {
        SourceChoice::Simulated => drive(hub, simulated(config)?),
        SourceChoice::Prometheus => drive(hub, prometheus(config)?),
        SourceChoice::Kubernetes => drive(hub, kubernetes(config)?),
        SourceChoice::Both => {
            drive(hub, prometheus(config)?);
            drive(hub, kubernetes(config)?);
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

fn kubernetes(config: &Config) -> Result<Kubernetes, StartError> {
    let Config { kubeconfig, kube_context, namespace, deployment, .. } = config.clone();
    Ok(Kubernetes::connect(kubeconfig, kube_context, namespace, deployment)?)
}

/// The airline storm, over and over.
fn simulated(config: &Config) -> Result<impl PlannerSource + use<>, StartError> {
    let storm =
        Storm::new().map_err(|why| StartError::Source(format!("The storm cannot be played: {why}.")))?;
    Ok(Simulated::new(move || storm.clone(), config.speed))
}
