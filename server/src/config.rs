//! The command line. Every flag has an environment variable of the same meaning.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Serves the AI Configurator's page.
#[derive(Debug, Clone, Parser)]
#[command(name = "server", version)]
pub struct Config {
    /// Address and port to listen on. Only loopback addresses are allowed.
    #[arg(long, env = "CONFIGURATOR_LISTEN", default_value = "127.0.0.1:8080", value_parser = parse_listen, value_name = "ADDRESS:PORT")]
    pub listen: SocketAddr,

    /// Folder that holds the built page.
    #[arg(long, env = "CONFIGURATOR_SITE", default_value = "target/site", value_name = "DIR")]
    pub site: PathBuf,

    /// How log lines are written to standard error.
    #[arg(long, env = "CONFIGURATOR_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,

    /// Which log lines are written: a level, or rules such as `warn,tower_http=debug`.
    #[arg(long, env = "CONFIGURATOR_LOG", default_value = "info", value_name = "RULES")]
    pub log: String,
}

/// Shape of the log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line, for collectors.
    Json,
}

fn parse_listen(text: &str) -> Result<SocketAddr, String> {
    if let Some(port) = text.strip_prefix("localhost:")
        && let Ok(port) = port.parse()
    {
        return Ok(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
    }
    text.parse()
        .map_err(|_| "expected an address and a port, for example 127.0.0.1:8080 or [::1]:8080".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        use clap::CommandFactory as _;
        Config::command().debug_assert();
    }

    #[test]
    fn every_flag_has_an_environment_variable() {
        use clap::CommandFactory as _;
        let command = Config::command();
        for arg in command.get_arguments().filter(|arg| !matches!(arg.get_id().as_str(), "help" | "version"))
        {
            let flag = arg.get_long().unwrap_or_default();
            let expected = format!("CONFIGURATOR_{}", flag.replace('-', "_").to_uppercase());
            let env = arg.get_env().and_then(|name| name.to_str()).unwrap_or_default();
            assert_eq!(env, expected);
        }
    }

    #[test]
    fn addresses_are_read_as_people_write_them() {
        assert_eq!(parse_listen("127.0.0.1:9000"), Ok(([127, 0, 0, 1], 9000).into()));
        assert_eq!(parse_listen("localhost:9000"), Ok(([127, 0, 0, 1], 9000).into()));
        assert!(parse_listen("[::1]:80").is_ok_and(|addr| addr.is_ipv6()));
        for bad in ["", "8080", ":8080", "localhost", "localhost:x", "127.0.0.1:70000"] {
            assert!(parse_listen(bad).is_err_and(|text| text.contains("127.0.0.1:8080")), "{bad}");
        }
    }
}
