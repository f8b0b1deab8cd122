//! The server's program: reads the command line, opens the port, serves until a signal.

use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser as _;
use server::{Access, AppState, Clock, Config, Hub, LogFormat, StartError, TokenFile, bind, live, run};
use tracing::warn;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::prelude::*;

#[tokio::main]
async fn main() -> ExitCode {
    match start(Config::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn start(config: Config) -> Result<(), StartError> {
    init_log(&config)?;
    let access = match config.token_file.clone() {
        Some(path) => Access::Token(Arc::new(TokenFile::open(path).await?)),
        None => Access::Loopback,
    };
    let hub = Hub::new(Clock::System);
    let listener = bind(config.listen, &access).await?;
    let address =
        listener.local_addr().map_err(|source| StartError::Listen { address: config.listen, source })?;
    let state = AppState::new(config.site.clone(), hub.clone(), access);
    if let Some(message) = state.missing() {
        warn!("{message}");
    }
    live::start(&config, &hub)?;
    // The signals are caught before the address is announced: whoever reads it may send one.
    let signals = signals()?;
    // A closed standard output is no reason not to serve.
    let _ = writeln!(io::stdout(), "The page is at http://{address}/ (stop with Ctrl-C)");
    run(listener, state, signals).await
}

fn init_log(config: &Config) -> Result<(), StartError> {
    let rules = config
        .log
        .parse::<Targets>()
        .map_err(|why| StartError::LogRules { rules: config.log.clone(), why: why.to_string() })?;
    let mut lines = fmt::layer().with_writer(io::stderr);
    // Colours belong on a screen, not in a file.
    if !io::stderr().is_terminal() {
        lines = lines.with_ansi(false);
    }
    let log = tracing_subscriber::registry().with(rules);
    match config.log_format {
        LogFormat::Text => log.with(lines.with_target(false)).init(),
        LogFormat::Json => log.with(lines.json()).init(),
    }
    Ok(())
}

/// Completes at the first interrupt or request to end.
#[cfg(unix)]
fn signals() -> Result<impl Future<Output = ()>, StartError> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt()).map_err(StartError::Serve)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(StartError::Serve)?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Completes at the first interrupt.
#[cfg(not(unix))]
fn signals() -> Result<impl Future<Output = ()>, StartError> {
    Ok(async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}
