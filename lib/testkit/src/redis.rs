//! A real Redis server for one test: `redis-server` on a port of its own, with its data in a temporary folder.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

use tempfile::TempDir;

use crate::tools::Tool;

/// The ports that are tried: below those that the kernel gives to outgoing connections, so that a server that was
/// killed finds its port free when it is started again.
const PORT_FIRST: u16 = 20_000;
const PORTS: u16 = 12_000;
/// How many ports in a row may be taken by others.
const PORT_TRIES_MAX: usize = 200;

/// A running `redis-server`; it is killed when this is dropped.
#[derive(Debug)]
pub struct RedisServer {
    port: u16,
    /// Where the nodes of a cluster talk to it, if it is one.
    bus_port: Option<u16>,
    options: Vec<String>,
    dir: TempDir,
    child: Option<Child>,
}

impl RedisServer {
    /// Starts a server that keeps nothing on disk.
    ///
    /// # Panics
    /// If `redis-server` is missing or does not start, saying why.
    pub fn start() -> Self {
        Self::start_with(&["--save", "", "--appendonly", "no"])
    }

    /// Starts a server that has everything on disk before it answers, and so has it again after a restart.
    pub fn start_durable() -> Self {
        Self::start_with(&["--save", "", "--appendonly", "yes", "--appendfsync", "always"])
    }

    /// Starts a server with these options beside its port and folder. The first may be a configuration file.
    pub fn start_with(options: &[&str]) -> Self {
        Self::start_on(std::iter::repeat_with(next_port).take(PORT_TRIES_MAX), options)
    }

    /// Starts a server that may become a node of a cluster, with these options besides.
    pub(crate) fn start_node(options: &[&str]) -> Self {
        let options = [&["--cluster-enabled", "yes"], options].concat();
        Self::start_on(std::iter::repeat_with(next_port).take(PORT_TRIES_MAX), &options)
    }

    /// Starts a server on the first of `ports` that is not taken.
    fn start_on(ports: impl IntoIterator<Item = u16>, options: &[&str]) -> Self {
        let dir = TempDir::new().expect("a temporary folder");
        let is_node = options.contains(&"--cluster-enabled");
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        let mut server = Self { port: 0, bus_port: None, options, dir, child: None };
        for port in ports {
            server.port = port;
            server.bus_port = is_node.then(next_port);
            match server.run() {
                Ok(()) => return server,
                Err(log) if log.contains("Address already in use") || log.contains("Failed listening") => {}
                Err(log) => panic!("redis-server did not start:\n{log}"),
            }
        }
        panic!("all ports that were tried are taken, the last of them {}", server.port);
    }

    /// Its address, as a URL. It stays the same over a restart.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn bus_port(&self) -> Option<u16> {
        self.bus_port
    }

    /// Where its files are.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Ends the server at once, as the loss of its machine would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("a child that was not waited for can be killed");
            child.wait().expect("a child can be waited for");
        }
    }

    /// Kills the server, if it runs, and starts it again, at the same address and with what it has on disk.
    ///
    /// # Panics
    /// If it does not start.
    pub fn restart(&mut self) {
        self.kill();
        self.run().unwrap_or_else(|log| panic!("redis-server did not start again:\n{log}"));
    }

    /// Starts the program and waits until it is ready; what it wrote if it ends instead.
    fn run(&mut self) -> Result<(), String> {
        let mut command = Tool::find("redis-server").command();
        // A configuration file comes before all options.
        command.args(&self.options).args(["--bind", "127.0.0.1", "--port", &self.port.to_string(), "--dir"]);
        command.arg(self.dir.path()).stdout(Stdio::piped());
        if let Some(port) = self.bus_port {
            command.args(["--cluster-port", &port.to_string()]);
        }
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let mut lines = BufReader::new(child.stdout.take().expect("its output is piped"));
        match ready(&mut lines) {
            Ok(()) => {
                // Somebody must read on, or the server would stand still once the pipe is full.
                std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
                self.child = Some(child);
                Ok(())
            }
            Err(log) => {
                child.wait().expect("a child can be waited for");
                Err(log)
            }
        }
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Reads until the server says that it is ready, or a Sentinel that it watches; all that was read if it ends before.
fn ready(lines: &mut BufReader<ChildStdout>) -> Result<(), String> {
    let mut log = String::new();
    while let Ok(1..) = lines.read_line(&mut log) {
        if log.contains("Ready to accept connections") || log.contains("+monitor master") {
            return Ok(());
        }
    }
    Err(log)
}

/// Another one each time, and elsewhere in each process.
pub(crate) fn next_port() -> u16 {
    static STARTED: AtomicU16 = AtomicU16::new(0);
    let of_process = u16::try_from(std::process::id() * 61 % u32::from(PORTS)).expect("less than PORTS");
    PORT_FIRST + (of_process + STARTED.fetch_add(1, Ordering::Relaxed)) % PORTS
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use super::*;

    /// The first `len` bytes of the answer to `command`.
    fn ask(server: &RedisServer, command: &str, len: usize) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
        stream.write_all(command.as_bytes()).unwrap();
        let mut answer = vec![0; len];
        stream.read_exact(&mut answer).unwrap();
        String::from_utf8(answer).unwrap()
    }

    #[test]
    fn each_server_answers_and_none_outlives_its_owner() {
        let (one, other) = (RedisServer::start(), RedisServer::start());
        assert_ne!(one.url(), other.url());
        assert_eq!(ask(&one, "PING\r\n", 7), "+PONG\r\n");
        assert_eq!(ask(&other, "PING\r\n", 7), "+PONG\r\n");
        let port = one.port();
        drop(one);
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    }

    #[test]
    fn only_a_durable_server_remembers() {
        let cases = [(RedisServer::start(), "$-1\r\n"), (RedisServer::start_durable(), "$1\r\nb")];
        for (mut server, remembered) in cases {
            let url = server.url();
            assert_eq!(ask(&server, "SET a b\r\n", 5), "+OK\r\n");
            server.restart();
            assert_eq!(server.url(), url);
            assert_eq!(ask(&server, "GET a\r\n", 5), remembered);
        }
    }

    #[test]
    fn a_taken_port_is_passed_over() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let taken_port = taken.local_addr().unwrap().port();
        let server = RedisServer::start_on([taken_port, next_port(), next_port()], &["--save", ""]);
        assert_ne!(server.port(), taken_port);
        assert_eq!(ask(&server, "PING\r\n", 7), "+PONG\r\n");
    }
}
