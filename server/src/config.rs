//! The command line. Every flag has an environment variable of the same meaning.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use reqwest::Url;

/// Serves the AI Configurator's page, and the live status of a cluster.
#[derive(Debug, Clone, Parser)]
#[command(name = "server", version)]
pub struct Config {
    /// Address and port to listen on. Without --token-file only loopback addresses are allowed.
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

    /// Where the live status comes from.
    #[arg(long, env = "CONFIGURATOR_SOURCE", value_enum, default_value_t = SourceChoice::Simulated)]
    pub source: SourceChoice,

    /// Address of Prometheus, a path prefix included.
    #[arg(
        long, env = "CONFIGURATOR_PROMETHEUS_URL", value_parser = parse_url, value_name = "URL",
        required_if_eq_any([("source", "prometheus"), ("source", "both")])
    )]
    pub prometheus_url: Option<Url>,

    /// File with a bearer token for Prometheus; read again for every request.
    #[arg(long, env = "CONFIGURATOR_PROMETHEUS_TOKEN_FILE", value_name = "FILE")]
    pub prometheus_token_file: Option<PathBuf>,

    /// PEM file with the authorities that Prometheus' certificate may come from, instead of the system's.
    #[arg(long, env = "CONFIGURATOR_PROMETHEUS_CA", value_name = "FILE")]
    pub prometheus_ca: Option<PathBuf>,

    /// Kubernetes namespace of the deployment to show.
    #[arg(long, env = "CONFIGURATOR_NAMESPACE", value_name = "NAME")]
    pub namespace: Option<String>,

    /// Name of the deployment to show; needed where there are several.
    #[arg(long, env = "CONFIGURATOR_DEPLOYMENT", value_name = "NAME")]
    pub deployment: Option<String>,

    /// Time over which Prometheus averages traffic; the planner's throughput interval shows what the planner sees.
    #[arg(long, env = "CONFIGURATOR_WINDOW", default_value = "180s", value_parser = parse_window, value_name = "TIME")]
    pub window: Duration,

    /// Kubeconfig file; without it the usual places are tried, then the pod's own account.
    #[arg(long, env = "CONFIGURATOR_KUBECONFIG", value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,

    /// Context of the kubeconfig to use instead of its current one.
    #[arg(long, env = "CONFIGURATOR_KUBE_CONTEXT", value_name = "NAME")]
    pub kube_context: Option<String>,

    /// Simulated seconds per second.
    #[arg(long, env = "CONFIGURATOR_SPEED", default_value = "20", value_parser = parse_speed, value_name = "FACTOR")]
    pub speed: f64,

    /// File with the token that readers of the live status must show; read again when it changes.
    #[arg(long, env = "CONFIGURATOR_TOKEN_FILE", value_name = "FILE")]
    pub token_file: Option<PathBuf>,
}

/// Where the live status comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SourceChoice {
    /// A story that the server plays.
    Simulated,
    /// A Prometheus that scrapes the cluster.
    Prometheus,
    /// The cluster's API server.
    Kubernetes,
    /// Prometheus and the API server.
    Both,
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

fn parse_url(text: &str) -> Result<Url, String> {
    const EXAMPLE: &str =
        "for example http://prometheus.monitoring:9090 or https://metrics.example.com/prometheus";
    let url: Url = text.parse().map_err(|why| format!("{why}; {EXAMPLE}"))?;
    match url {
        _ if !matches!(url.scheme(), "http" | "https") => Err(format!("expected http or https, {EXAMPLE}")),
        _ if !url.username().is_empty() || url.password().is_some() => {
            Err("leave user and password out; a token goes into a file, --prometheus-token-file".to_owned())
        }
        _ if url.query().is_some() || url.fragment().is_some() => Err(format!("no ? and no #, {EXAMPLE}")),
        url => Ok(url),
    }
}

/// Shorter windows hold too few scrapes, longer ones hide everything.
const WINDOWS: std::ops::RangeInclusive<u64> = 10..=3_600;

fn parse_window(text: &str) -> Result<Duration, String> {
    let seconds = match (text.strip_suffix('s'), text.strip_suffix('m')) {
        (Some(seconds), _) => seconds.parse().ok(),
        (_, Some(minutes)) => minutes.parse::<u64>().ok().and_then(|minutes| minutes.checked_mul(60)),
        _ => None,
    };
    match seconds {
        Some(seconds) if WINDOWS.contains(&seconds) => Ok(Duration::from_secs(seconds)),
        _ => Err("expected seconds or minutes from 10s to 60m, for example 180s or 3m".to_owned()),
    }
}

const FASTEST: f64 = 1_000.0;

fn parse_speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if speed > 0.0 && speed <= FASTEST => Ok(speed),
        _ => Err(format!("expected a number above 0 and up to {FASTEST}, for example 20")),
    }
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

    fn parsed(args: &[&str]) -> Result<Config, String> {
        Config::try_parse_from([&["server"], args].concat()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_source_that_needs_an_address_asks_for_it() {
        for source in ["prometheus", "both"] {
            let message = parsed(&["--source", source]).unwrap_err();
            assert!(message.contains("--prometheus-url <URL>"), "{message}");
            let address = "http://127.0.0.1:9090/prefix/";
            let config = parsed(&["--source", source, "--prometheus-url", address]).unwrap();
            assert_eq!(config.prometheus_url.unwrap().as_str(), address);
        }
        assert_eq!(parsed(&[]).unwrap().source, SourceChoice::Simulated);
    }

    #[test]
    fn what_a_flag_takes_is_said_when_it_is_given_something_else() {
        for (flag, value, says) in [
            ("--prometheus-url", "prometheus:9090", "http or https"),
            ("--prometheus-url", "http://user:secret@host", "--prometheus-token-file"),
            ("--prometheus-url", "http://host?x=1", "no ?"),
            ("--prometheus-url", "http://", "for example"),
            ("--window", "180", "180s or 3m"),
            ("--window", "9s", "10s to 60m"),
            ("--window", "61m", "10s to 60m"),
            ("--window", "-5s", "10s to 60m"),
            ("--window", "99999999999999999999m", "10s to 60m"),
            ("--speed", "0", "above 0"),
            ("--speed", "NaN", "above 0"),
            ("--speed", "inf", "up to 1000"),
            ("--source", "grafana", "prometheus"),
        ] {
            let message = parsed(&[&format!("{flag}={value}")]).unwrap_err();
            assert!(message.contains(says), "{flag} {value}: {message}");
        }
        assert_eq!(parsed(&["--window", "3m"]).unwrap().window, Duration::from_mins(3));
    }
}
