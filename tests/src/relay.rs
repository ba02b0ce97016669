//! `headwater relay` and `headwater publish` at work, and what they say of themselves.

use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use testkit::{Headwater, eventually};

use crate::program::Program;

const START_MAX: Duration = Duration::from_secs(20);

/// A relay with a spool. It is killed when this is dropped.
#[derive(Debug)]
pub struct Relay {
    to: String,
    listen: String,
    options: Vec<String>,
    spool: TempDir,
    program: Option<Program>,
}

impl Relay {
    /// Starts a relay to the broadcast at this push address.
    pub fn start(to: &str) -> Self {
        Self::with(to, &[])
    }

    /// Starts one with these options too.
    pub fn with(to: &str, options: &[&str]) -> Self {
        Self::listening(to, "127.0.0.1:0", options)
    }

    /// Starts one that takes what is pushed to this address. With a port, it is there again after a restart.
    pub fn listening(to: &str, listen: &str, options: &[&str]) -> Self {
        let spool = TempDir::new().expect("a temporary folder");
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        let mut relay = Self { to: to.to_owned(), listen: listen.to_owned(), options, spool, program: None };
        relay.run();
        relay
    }

    /// Starts it again, killing it if it runs.
    pub fn run(&mut self) {
        self.kill();
        let spool = self.spool.path().to_str().expect("UTF-8");
        let args = ["relay", "--to", &self.to, "--spool", spool, "--listen", &self.listen, "--log", "info"];
        let args = args.into_iter().chain(self.options.iter().map(String::as_str));
        self.program = Some(Program::start(&Headwater::tool(), args));
    }

    pub fn kill(&mut self) {
        self.program.take();
    }

    pub fn program(&mut self) -> &mut Program {
        self.program.as_mut().expect("it runs")
    }

    /// The end of what it has said since its last start.
    pub fn said(&self) -> String {
        self.program.as_ref().map_or_else(String::new, Program::said)
    }

    /// Where to push to, once it listens: `http://127.0.0.1:PORT/push/TOKEN/`.
    #[track_caller]
    pub fn push_url(&mut self) -> String {
        let program = self.program();
        eventually("a relay that listens", START_MAX, || {
            let said = program.said();
            let line = said.lines().find_map(|line| line.split_once("-method PUT ")?.1.strip_suffix("out.m3u8"));
            line.map(str::to_owned).ok_or(said.clone())
        })
    }

    pub fn spool(&self) -> &Path {
        self.spool.path()
    }
}
