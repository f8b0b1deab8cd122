//! From an address to a running service, and its end.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tracing::{info, warn};

use crate::api::access::Access;
use crate::site::AppState;
use crate::source::kubernetes::ConnectError;
use crate::token::TokenError;

/// Time that open requests get to finish after the service was told to stop.
const GRACE: Duration = Duration::from_millis(1500);

/// Why the service could not start or go on.
#[derive(Debug, Error)]
pub enum StartError {
    /// The address is reachable by others.
    #[error(
        "{0} can be reached from other machines. Without a token only loopback addresses are allowed: use --listen 127.0.0.1:{port}, or name a file with a token: --token-file FILE.",
        port = .0.port()
    )]
    NotLoopback(SocketAddr),
    /// Somebody else listens there.
    #[error(
        "Port {port} of {ip} is taken by another program. Stop that program, or use another port: --listen {free} (with make: CONFIGURATOR_LISTEN={free} make run).",
        port = .0.port(), ip = .0.ip(), free = next_port(*.0)
    )]
    PortTaken(SocketAddr),
    /// The address cannot be used for another reason.
    #[error("Cannot listen on {address}: {source}. Try --listen 127.0.0.1:8080.")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
    /// The log rules cannot be read.
    #[error("The log rules `{rules}` cannot be read: {why}. Examples: info, or warn,tower_http=debug.")]
    LogRules {
        /// The rules given.
        rules: String,
        /// What is wrong with them.
        why: String,
    },
    /// The token file is of no use.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// A source of live status cannot even be set up. What is wrong and what to do, in a sentence.
    #[error("{0}")]
    Source(String),
    /// Kubernetes cannot even be connected to.
    #[error(transparent)]
    Kubernetes(#[from] ConnectError),
    /// The service ended by itself.
    #[error("The server stopped: {0}.")]
    Serve(#[source] io::Error),
}

fn next_port(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip(), address.port().checked_add(1).unwrap_or(8081))
}

/// Opens the port. Addresses that other machines can reach are refused unless a token is asked for.
pub async fn bind(address: SocketAddr, access: &Access) -> Result<TcpListener, StartError> {
    if matches!(access, Access::Loopback) && !address.ip().to_canonical().is_loopback() {
        return Err(StartError::NotLoopback(address));
    }
    TcpListener::bind(address).await.map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => StartError::PortTaken(address),
        _ => StartError::Listen { address, source },
    })
}

/// Serves until `shutdown` completes; then lets open requests finish, but not for long.
pub async fn run(
    listener: TcpListener,
    state: AppState,
    shutdown: impl Future<Output = ()>,
) -> Result<(), StartError> {
    let (stop, stopped) = oneshot::channel::<()>();
    // An event stream never ends by itself.
    let streams = state.hub().stop_token();
    let service = axum::serve(listener, crate::app(state)).with_graceful_shutdown(async move {
        // An error means that the sender is gone, which ends the service as well.
        let _ = stopped.await;
    });
    let deadline = async {
        shutdown.await;
        info!("stopping");
        streams.cancel();
        drop(stop);
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        ended = async { service.await } => ended.map_err(StartError::Serve),
        () = deadline => {
            warn!("some requests did not finish in time");
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_suggested_port_is_always_valid() {
        assert_eq!(next_port(([127, 0, 0, 1], 8080).into()), ([127, 0, 0, 1], 8081).into());
        assert_eq!(next_port(([127, 0, 0, 1], u16::MAX).into()), ([127, 0, 0, 1], 8081).into());
    }
}
