//! The program itself: its first line, its messages, its end at a signal.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

fn program(listen: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_server"));
    command
        .args(["--listen", listen, "--site", "no/such/folder"])
        .env_remove("CONFIGURATOR_LOG")
        .env_remove("CONFIGURATOR_LOG_FORMAT");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Starts the program and returns the address it announces.
fn started(command: &mut Command) -> (Child, String) {
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (child, line)
}

fn refused(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn it_announces_its_address_and_ends_at_each_signal() {
    for signal in ["INT", "TERM"] {
        let (mut child, line) = started(&mut program("127.0.0.1:0"));
        assert!(line.contains("http://127.0.0.1:"), "{line}");
        let id = child.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &id]).status().unwrap().success());
        assert!(child.wait().unwrap().success(), "{signal}");
        let mut log = String::new();
        child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        assert!(log.contains("no/such/folder/index.html") && log.contains("make run"), "{log}");
    }
}

#[test]
fn environment_variables_stand_in_for_flags() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_server"));
    command
        .env("CONFIGURATOR_LISTEN", "127.0.0.1:0")
        .env("CONFIGURATOR_SITE", "no/such/folder")
        .env("CONFIGURATOR_LOG_FORMAT", "json")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let (mut child, line) = started(&mut command);
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let mut first = String::new();
    log.read_line(&mut first).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(line.contains("http://127.0.0.1:"), "{line}");
    assert!(first.starts_with('{') && first.contains("no/such/folder"), "{first}");
}

#[test]
fn what_is_wrong_is_said_in_words() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let message = refused(&mut program(&address.to_string()));
    assert!(
        message.contains(&format!("Port {}", address.port())) && message.contains("--listen"),
        "{message}"
    );

    let message = refused(&mut program("0.0.0.0:0"));
    assert!(message.contains("0.0.0.0:0") && message.contains("token"), "{message}");

    let message = refused(&mut program("8080"));
    assert!(message.contains("127.0.0.1:8080"), "{message}");

    let message = refused(program("127.0.0.1:0").args(["--log", "server=loud"]));
    assert!(message.contains("server=loud") && message.contains("info"), "{message}");

    let ca = ["--source", "prometheus", "--prometheus-url", "https://p:1", "--prometheus-ca", "/no/such/ca"];
    let message = refused(program("127.0.0.1:0").args(ca));
    assert!(message.contains("/no/such/ca") && message.contains("--prometheus-ca"), "{message}");

    let message = refused(program("127.0.0.1:0").args(["--source", "prometheus"]));
    assert!(message.contains("--prometheus-url"), "{message}");

    let message = refused(program("0.0.0.0:0").args(["--token-file", "/no/such/token"]));
    assert!(message.contains("/no/such/token") && message.contains("--token-file"), "{message}");
}
