//! A real S3 server for one test: `s3s-fs` on a port of its own, with its buckets in a temporary folder.

use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::redis::next_port;
use crate::tools::Tool;
use crate::waiting::eventually;

/// How many ports in a row may be taken by others.
const PORT_TRIES_MAX: usize = 200;
/// How long it may take to start, on a busy machine.
const READY_MAX: Duration = Duration::from_secs(20);
const ACCESS_KEY: &str = "headwater-test";
const SECRET_KEY: &str = "not-a-secret-of-anybody";

/// A running server with one bucket; it is killed when this is dropped.
#[derive(Debug)]
pub struct S3Server {
    port: u16,
    dir: TempDir,
    child: Option<Child>,
}

impl S3Server {
    /// The bucket that is there from the start.
    pub const BUCKET: &'static str = "media";

    /// Starts a server.
    ///
    /// # Panics
    /// If `s3s-fs` is missing or does not start.
    pub fn start() -> Self {
        let dir = TempDir::new().expect("a temporary folder");
        std::fs::create_dir(dir.path().join(Self::BUCKET)).expect("a bucket is a folder");
        let mut server = Self { port: 0, dir, child: None };
        for _ in 0..PORT_TRIES_MAX {
            server.port = next_port();
            if server.run() {
                return server;
            }
        }
        panic!("all ports that were tried are taken, the last of them {}", server.port);
    }

    /// Where its bucket is, for `--hot`.
    pub fn url(&self) -> String {
        format!("s3://{}/live", Self::BUCKET)
    }

    /// The variables of the environment that lead to it.
    pub fn variables(&self) -> Vec<(String, String)> {
        let endpoint = format!("http://127.0.0.1:{}", self.port);
        let variables = [
            ("AWS_ENDPOINT_URL", endpoint.as_str()),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
            ("AWS_REGION", "us-east-1"),
        ];
        variables.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
    }

    /// The folder of its bucket: what it holds, as files.
    pub fn bucket_dir(&self) -> PathBuf {
        self.dir.path().join(Self::BUCKET)
    }

    /// Ends the server at once, as the loss of its machine would. What it holds stays.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("a child that was not waited for can be killed");
            child.wait().expect("a child can be waited for");
        }
    }

    /// Kills the server, if it runs, and starts it again, at the same address and with what it holds.
    ///
    /// # Panics
    /// If it does not start.
    pub fn restart(&mut self) {
        self.kill();
        assert!(self.run(), "the S3 server did not start again on port {}", self.port);
    }

    /// Whether it is there; not if its port is taken.
    fn run(&mut self) -> bool {
        let port = self.port;
        let answers = || TcpStream::connect(("127.0.0.1", port)).is_ok();
        if answers() {
            return false;
        }
        let mut command = Tool::s3_server().command();
        command.args(["--host", "127.0.0.1", "--port", &port.to_string()]);
        command.args(["--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY]).arg(self.dir.path());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let ended = eventually("the S3 server", READY_MAX, || {
            let ended = child.try_wait().expect("a child can be asked").is_some();
            if ended || answers() { Ok(ended) } else { Err("nobody listens") }
        });
        self.child = (!ended).then_some(child);
        !ended
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.kill();
    }
}
