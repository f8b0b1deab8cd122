//! From a kubeconfig, or from inside a cluster, to a client.

use std::path::{Path, PathBuf};

use engine::cluster::Trouble;
use kube::config::{Kubeconfig, KubeconfigError};
use kube::{Client, Config};
use thiserror::Error;

use crate::source::SourceError;

/// Why there is no cluster to ask. Each sentence says what to do.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// The file cannot be read.
    #[error("The kubeconfig {} cannot be read: {why}. Name another file with --kubeconfig.", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system or the parser said.
        why: String,
    },
    /// There is no such context.
    #[error(
        "The kubeconfig {} has no context {name:?}; it has {have}. Name one of these with --kube-context.",
        .path.display()
    )]
    NoContext {
        /// The file.
        path: PathBuf,
        /// The context asked for.
        name: String,
        /// Those it has.
        have: String,
    },
    /// No context was asked for and none is current.
    #[error(
        "The kubeconfig {} has no current context; it has {have}. Name one of these with --kube-context.",
        .path.display()
    )]
    NoCurrent {
        /// The file.
        path: PathBuf,
        /// Those it has.
        have: String,
    },
    /// The context leads nowhere.
    #[error(
        "The context {context:?} of the kubeconfig {} cannot be used: {why}. Correct it, or name another one with --kube-context.",
        .path.display()
    )]
    Unusable {
        /// The file.
        path: PathBuf,
        /// The context.
        context: String,
        /// What is wrong.
        why: String,
    },
    /// There is neither a kubeconfig nor a service account.
    #[error(
        "There is no cluster to ask: {} does not exist, and this is no pod with a service account ({why}). Name a file with --kubeconfig.",
        .path.display()
    )]
    Nowhere {
        /// The kubeconfig looked for.
        path: PathBuf,
        /// Why there is no service account either.
        why: String,
    },
}

impl From<ConnectError> for SourceError {
    fn from(error: ConnectError) -> Self {
        let path = match &error {
            ConnectError::Unreadable { path, .. }
            | ConnectError::NoContext { path, .. }
            | ConnectError::NoCurrent { path, .. }
            | ConnectError::Unusable { path, .. }
            | ConnectError::Nowhere { path, .. } => path.display().to_string(),
        };
        Self::from(Trouble::Unreachable { url: path, why: error.to_string() })
    }
}

/// The client and the address to tell people. A named file or context is used or refused; with neither, the usual
/// kubeconfig, or else the service account of the pod that this runs in.
pub(super) fn connect(
    kubeconfig: Option<PathBuf>,
    context: Option<String>,
) -> Result<(Client, String), ConnectError> {
    let named = kubeconfig.is_some();
    let path = kubeconfig.unwrap_or_else(usual);
    let config = if named || context.is_some() || path.exists() {
        from_file(
            if named { Kubeconfig::read_from(&path) } else { merged(&path) },
            &path,
            context.as_deref(),
        )?
    } else {
        inside(&path)?
    };
    let address = address(&config);
    let unusable = |error: kube::Error| ConnectError::Unusable {
        path,
        context: context.unwrap_or_else(|| "current".to_owned()),
        why: error.to_string(),
    };
    Ok((Client::try_from(config).map_err(unusable)?, address))
}

/// Files that `$KUBECONFIG` lists.
fn listed() -> Vec<PathBuf> {
    let value = std::env::var_os("KUBECONFIG").unwrap_or_default();
    std::env::split_paths(&value).filter(|path| !path.as_os_str().is_empty()).collect()
}

/// The first file of `$KUBECONFIG` that is there, or `~/.kube/config`.
fn usual() -> PathBuf {
    let all = listed();
    let there = all.iter().find(|path| path.exists()).or(all.first()).cloned();
    there.unwrap_or_else(|| std::env::home_dir().unwrap_or_default().join(".kube").join("config"))
}

/// All files of `$KUBECONFIG` in one, as `kubectl` reads them; files that are not there count as empty.
fn merged(usual: &Path) -> Result<Kubeconfig, KubeconfigError> {
    let mut all = listed().into_iter().filter(|path| path.exists());
    let first = Kubeconfig::read_from(all.next().as_deref().unwrap_or(usual))?;
    all.try_fold(first, |file, path| file.merge(Kubeconfig::read_from(path)?))
}

fn from_file(
    read: Result<Kubeconfig, KubeconfigError>,
    path: &Path,
    context: Option<&str>,
) -> Result<Config, ConnectError> {
    let mut file = read.map_err(|error| {
        let why = match error {
            KubeconfigError::ReadConfig(error, _) => error.to_string(),
            error => error.to_string(),
        };
        ConnectError::Unreadable { path: path.to_owned(), why }
    })?;
    let names: Vec<&str> = file.contexts.iter().map(|one| one.name.as_str()).collect();
    let have = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let current = file.current_context.as_deref().filter(|name| !name.is_empty());
    let Some(name) = context.or(current).map(str::to_owned) else {
        return Err(ConnectError::NoCurrent { path: path.to_owned(), have });
    };
    if !names.contains(&name.as_str()) {
        return Err(ConnectError::NoContext { path: path.to_owned(), name, have });
    }
    file.current_context = Some(name.clone());
    let config = Config::try_from(file);
    let mut config = config.map_err(|error| ConnectError::Unusable {
        path: path.to_owned(),
        context: name,
        why: error.to_string(),
    })?;
    // Pauses are ours to make: what is asked too often is told to people.
    config.default_retry = false;
    Ok(config)
}

fn inside(path: &Path) -> Result<Config, ConnectError> {
    let config = Config::incluster();
    let mut config =
        config.map_err(|error| ConnectError::Nowhere { path: path.to_owned(), why: error.to_string() })?;
    config.default_retry = false;
    Ok(config)
}

/// The address without anything that opens a door.
fn address(config: &Config) -> String {
    let url = &config.cluster_url;
    let scheme = url.scheme_str().unwrap_or("https");
    let host = url.authority().map_or("", |authority| authority.as_str());
    let host = host.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}{}", url.path().trim_end_matches('/'))
}
