//! The real `headwater up`, or another of its roles, for one test: built from this tree, on a free port, with its data in a temporary folder.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use http::StatusCode;
use tempfile::TempDir;

use crate::http::{Answer, HttpClient};
use crate::tools::{Tool, workspace};

/// How much of the end of its log a failed test shows, in bytes.
const LOG_TAIL_LEN: u64 = 8_000;
/// What it says, on one line, when it can be used.
const UP: &str = "Headwater is up. Publish and watch: ";

/// A running Headwater. It is killed when this is dropped; if a test fails, the end of its log is shown.
#[derive(Debug)]
pub struct Headwater {
    dir: TempDir,
    launch: Launch,
    child: Option<Child>,
    url: String,
    owner_key: String,
    client: HttpClient,
}

/// How to start one otherwise than as it comes.
#[derive(Clone, Debug)]
pub struct Launch {
    command: Vec<String>,
    config: String,
    listen: SocketAddr,
    variables: Vec<(String, String)>,
    under: Vec<String>,
}

impl Launch {
    /// A command that serves, with options of its own: `recorder --metadata redis://…`.
    pub fn of(command: &[&str]) -> Self {
        let (config, variables, under) = Default::default();
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        Self { command: owned(command), config, listen, variables, under }
    }

    /// With these settings, in TOML.
    #[must_use]
    pub fn config(mut self, config: &str) -> Self {
        config.clone_into(&mut self.config);
        self
    }

    /// On a free port of this address, or on this port of it.
    #[must_use]
    pub fn listen(mut self, listen: SocketAddr) -> Self {
        self.listen = listen;
        self
    }

    /// With these variables in its environment.
    #[must_use]
    pub fn variables(mut self, variables: Vec<(String, String)>) -> Self {
        self.variables.extend(variables);
        self
    }

    /// By another program that runs, in its own place, what its arguments end with. `{data}` stands for the data folder.
    #[must_use]
    pub fn under(mut self, program: &[&str]) -> Self {
        self.under = owned(program);
        self
    }

    /// Starts it.
    ///
    /// # Panics
    /// If it cannot be built or started, saying why.
    pub fn start(self) -> Headwater {
        let dir = TempDir::new().expect("a temporary folder");
        std::fs::write(dir.path().join("headwater.toml"), &self.config).expect("the configuration can be written");
        let (url, owner_key) = Default::default();
        let mut headwater = Headwater { dir, launch: self, child: None, url, owner_key, client: HttpClient::default() };
        headwater.run();
        headwater
    }
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

/// A new broadcast, as it was answered.
#[derive(Clone, Debug)]
pub struct NewBroadcast {
    pub id: String,
    pub token: String,
    pub ingest_url: String,
    pub push_url: String,
    pub youtube_url: String,
    pub page_url: String,
    pub multivariant_url: String,
}

impl Headwater {
    /// Starts one as it comes.
    ///
    /// # Panics
    /// If it cannot be built or started, saying why.
    pub fn start() -> Self {
        Self::start_with("")
    }

    /// Starts one with these settings, in TOML.
    pub fn start_with(config: &str) -> Self {
        Self::start_as(&["up"], config)
    }

    /// Starts another command than `up` that serves, with these options of its own: `recorder --metadata redis://…`.
    pub fn start_as(command: &[&str], config: &str) -> Self {
        Launch::of(command).config(config).start()
    }

    /// Starts another command with these variables in its environment: those that lead to an S3 server.
    pub fn start_in(variables: Vec<(String, String)>, command: &[&str], config: &str) -> Self {
        Launch::of(command).config(config).variables(variables).start()
    }

    /// `http://127.0.0.1:PORT`. Another one after a restart.
    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn owner_key(&self) -> &str {
        &self.owner_key
    }

    /// Where its segments and metadata are.
    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// The file of its settings, read at each start.
    pub fn config_path(&self) -> PathBuf {
        self.dir.path().join("headwater.toml")
    }

    /// Its process, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Ends it at once, as a loss of power would, but for what the kernel has not written yet.
    pub fn kill9(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("a child that was not waited for can be killed");
            child.wait().expect("a child can be waited for");
        }
    }

    /// Asks it to stop, and waits until it has.
    ///
    /// # Panics
    /// If it does not stop well.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            Tool::find("kill").run(["-TERM", &child.id().to_string()]);
            let status = child.wait().expect("a child can be waited for");
            assert!(status.success(), "headwater ended with {status}");
        }
    }

    /// Kills it, if it runs, and starts it again on the same data, at another address.
    ///
    /// # Panics
    /// If it does not start.
    pub fn restart(&mut self) {
        self.kill9();
        self.run();
    }

    /// POST of a broadcast without a title.
    ///
    /// # Panics
    /// If it is not created.
    pub fn create_broadcast(&self) -> NewBroadcast {
        let json = self.owner("POST", "/v1/broadcasts", "{}").expect(201).json();
        let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
        let (publish, watch) = (&json["publish"], &json["watch"]);
        NewBroadcast {
            id: text(&json["id"]),
            token: text(&publish["token"]),
            ingest_url: text(&publish["ingest_url"]),
            push_url: text(&publish["push_url"]),
            youtube_url: text(&publish["youtube_url"]),
            page_url: text(&watch["page_url"]),
            multivariant_url: text(&watch["multivariant_url"]),
        }
    }

    /// GET of a path, by somebody who has no key.
    ///
    /// # Panics
    /// If there is no answer.
    #[track_caller]
    pub fn get(&self, path: &str) -> Answer {
        self.client.get(&format!("{}{path}", self.url))
    }

    /// A request with the owner key and a body of JSON.
    ///
    /// # Panics
    /// If there is no answer.
    #[track_caller]
    pub fn owner(&self, method: &str, path: &str, json: &str) -> Answer {
        let bearer = format!("Bearer {}", self.owner_key);
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        self.send(method, path, &headers, json)
    }

    /// Any request.
    ///
    /// # Panics
    /// If there is no answer.
    #[track_caller]
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Answer {
        let answer = self.client.send(method, &format!("{}{path}", self.url), headers, body);
        answer.unwrap_or_else(|error| panic!("no answer to {method} {path}: {error}"))
    }

    /// How a broadcast stands: `GET /v1/broadcasts/{id}`.
    ///
    /// # Panics
    /// If it is not there.
    #[track_caller]
    pub fn broadcast(&self, id: &str) -> serde_json::Value {
        let answer = self.get(&format!("/v1/broadcasts/{id}"));
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        answer.json()
    }

    /// The program itself, for its other commands.
    pub fn tool() -> Tool {
        Tool::at(binary())
    }

    /// The end of what it has logged, over all its starts.
    pub fn log_tail(&self) -> String {
        let read = || -> std::io::Result<Vec<u8>> {
            let mut log = File::open(self.log_path())?;
            let len = log.metadata()?.len();
            log.seek(SeekFrom::Start(len.saturating_sub(LOG_TAIL_LEN)))?;
            let mut tail = Vec::new();
            log.read_to_end(&mut tail)?;
            Ok(tail)
        };
        read().map_or_else(|error| error.to_string(), |tail| String::from_utf8_lossy(&tail).into_owned())
    }

    fn log_path(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    /// The binary, or what it is to run under.
    fn program(&self) -> Command {
        let Some((program, args)) = self.launch.under.split_first() else { return Command::new(binary()) };
        let data = self.data().into_os_string().into_string().expect("UTF-8");
        let mut command = Command::new(program);
        command.args(args.iter().map(|arg| arg.replace("{data}", &data))).arg(binary());
        command
    }

    fn run(&mut self) {
        let log = File::options().create(true).append(true).open(self.log_path()).expect("the log can be written");
        let mut command = self.program();
        command.args(&self.launch.command).arg("--data").arg(self.data()).arg("--config").arg(self.config_path());
        command.args(["--listen", &self.launch.listen.to_string()]);
        // What whoever runs the tests has set for their own Headwater is none of ours.
        let theirs = std::env::vars_os().map(|(name, _)| name);
        theirs.filter(|name| name.to_string_lossy().starts_with("HEADWATER_")).for_each(|name| {
            command.env_remove(name);
        });
        command.envs(self.launch.variables.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let child =
            self.child.insert(command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}")));
        let mut lines = BufReader::new(child.stdout.take().expect("its output is piped"));
        let mut line = String::new();
        let read = lines.read_line(&mut line);
        let Some(address) = line.trim().strip_prefix(UP) else {
            panic!("headwater did not start ({read:?}, {line:?}):\n{}", self.log_tail());
        };
        let (url, fragment) = address.split_once('#').unwrap_or((address, ""));
        self.url = url.trim_end_matches('/').to_owned();
        // It is shown at the first start only.
        if let Some(key) = fragment.strip_prefix("owner-key=") {
            self.owner_key = key.to_owned();
        }
    }
}

impl Drop for Headwater {
    #[expect(clippy::print_stderr, reason = "for whoever reads why a test failed")]
    fn drop(&mut self) {
        self.kill9();
        if std::thread::panicking() {
            eprintln!("--- the end of headwater's log\n{}", self.log_tail());
        }
    }
}

/// The binary, built from this tree as it is now with the profile and the target folder of the running test.
fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let test = std::env::current_exe().expect("a test knows where it is");
        // target/PROFILE/deps/TEST, or target/PROFILE/PROGRAM
        let folder = test.parent().expect("a program is in a folder");
        let profile = if folder.ends_with("deps") { folder.parent() } else { Some(folder) };
        let profile = profile.expect("a test is in target/PROFILE/deps");
        let target = profile.parent().expect("a profile is in target");
        let mut cargo = Command::new(env!("CARGO"));
        // All of the workspace, so that its dependencies have the features that they are tested with.
        cargo.args(["build", "--quiet", "--locked", "--workspace", "--bin", "headwater", "--target-dir"]).arg(target);
        if profile.ends_with("release") {
            cargo.arg("--release");
        }
        // What cargo tells this test about itself would make build scripts that ask for it run again each time.
        let ours = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE"];
        for (name, _) in std::env::vars_os() {
            if ours.iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
                cargo.env_remove(name);
            }
        }
        let built = cargo.current_dir(workspace()).stdin(Stdio::null()).output().expect("cargo can be started");
        assert!(built.status.success(), "cannot build headwater:\n{}", String::from_utf8_lossy(&built.stderr));
        profile.join("headwater")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broadcast_outlives_a_kill() {
        let mut headwater = Headwater::start();
        let (first, id) = (headwater.url().to_owned(), headwater.create_broadcast().id);
        headwater.restart();
        assert_ne!(headwater.url(), first);
        assert_eq!(headwater.broadcast(&id)["state"], "created");
        assert!(headwater.log_tail().contains("serving"));
    }

    #[test]
    #[should_panic(expected = "headwater did not start")]
    fn a_wrong_configuration_is_told() {
        drop(Headwater::start_with("nonsense = true"));
    }
}
