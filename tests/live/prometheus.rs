//! A Prometheus of our own: started, killed, started again.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use crate::LONG;

/// A running Prometheus with a folder of its own.
pub(crate) struct Process {
    pub(crate) address: SocketAddr,
    folder: PathBuf,
    child: Child,
}

impl Process {
    /// Scrapes these addresses every second.
    pub(crate) async fn start(targets: &[SocketAddr]) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("prometheus-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let targets: Vec<String> = targets.iter().map(|address| format!("\"{address}\"")).collect();
        let config = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 900ms, evaluation_interval: 1s}}\n\
             scrape_configs:\n  - job_name: dynamo\n    honor_labels: true\n    static_configs:\n      \
             - targets: [{}]\n",
            targets.join(", ")
        );
        fs::write(folder.join("prometheus.yml"), config).unwrap();
        let address = free_port().await;
        let child = spawn(&folder, address);
        let process = Self { address, folder, child };
        process.ready().await;
        process
    }

    pub(crate) async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// On the same port, with the same data.
    pub(crate) async fn restart(&mut self) {
        self.child = spawn(&self.folder, self.address);
        self.ready().await;
    }

    async fn ready(&self) {
        let ready = async {
            while !is_ready(self.address).await {
                sleep(Duration::from_millis(100)).await;
            }
        };
        timeout(LONG, ready).await.expect("Prometheus is ready in time");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It is killed with the test; its folder lies in the target folder and harms nobody if it stays.
        let _ = self.child.start_kill();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn spawn(folder: &Path, address: SocketAddr) -> Child {
    let log = fs::File::create(folder.join("log")).unwrap();
    Command::new("prometheus")
        .arg(format!("--config.file={}", folder.join("prometheus.yml").display()))
        .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
        .arg(format!("--web.listen-address={address}"))
        .arg("--log.level=warn")
        .stdout(Stdio::null())
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .expect("the program prometheus, as Debian's package of this name has it")
}

/// Prometheus does not choose a port by itself.
async fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

async fn is_ready(address: SocketAddr) -> bool {
    let Ok(mut socket) = TcpStream::connect(address).await else { return false };
    let request = "GET /-/ready HTTP/1.0\r\nhost: localhost\r\n\r\n";
    let mut answer = String::new();
    socket.write_all(request.as_bytes()).await.is_ok()
        && socket.read_to_string(&mut answer).await.is_ok()
        && answer.starts_with("HTTP/1.0 200")
}
