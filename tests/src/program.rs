//! Somebody else's program at work beside the test, with what it says kept for when it fails.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::process::{Child, ExitStatus, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use testkit::{Headwater, Tool, eventually};

/// How much of what it said a failed test shows, in bytes.
const SAID_MAX: usize = 6_000;

/// A running program. It is killed when this is dropped.
#[derive(Debug)]
pub struct Program {
    name: String,
    child: Child,
    dir: TempDir,
}

impl Program {
    /// Starts it.
    ///
    /// # Panics
    /// If that cannot be done.
    pub fn start<S: AsRef<OsStr>>(tool: &Tool, args: impl IntoIterator<Item = S>) -> Self {
        let dir = TempDir::new().expect("a temporary folder");
        let out = File::create(dir.path().join("said")).expect("a file");
        let mut command = tool.command();
        command.args(args).stdin(Stdio::piped()).stdout(out.try_clone().expect("a file")).stderr(out);
        let child = command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        Self { name: format!("{command:?}"), child, dir }
    }

    /// Starts `headwater publish` of a picture of so many seconds, in segments of one.
    ///
    /// # Panics
    /// If that cannot be done.
    pub fn publish(seconds: u32, to: &str, spool: &str, more: &[&str]) -> Self {
        let input = format!("-re -f lavfi -t {seconds}");
        let what = ["publish", "testsrc2=s=160x120:r=15", "--ffmpeg-input", &input, "--segment-duration", "1"];
        Self::start(&Headwater::tool(), [&what[..], &["--to", to, "--spool", spool], more].concat())
    }

    /// Waits until it ends, and says how.
    ///
    /// # Panics
    /// If it runs longer than this.
    #[track_caller]
    pub fn end(&mut self, within: Duration) -> ExitStatus {
        let what = format!("the end of {}", self.name);
        eventually(&what, within, || match self.child.try_wait().expect("a child can be waited for") {
            Some(status) => Ok(status),
            None => Err(self.said()),
        })
    }

    /// Waits until it ends well.
    ///
    /// # Panics
    /// If it ends otherwise.
    #[track_caller]
    pub fn end_well(&mut self, within: Duration) {
        let status = self.end(within);
        assert!(status.success(), "{} ended with {status}:\n{}", self.name, self.said());
    }

    /// Types a line.
    ///
    /// # Panics
    /// If it does not listen.
    pub fn types(&mut self, line: &str) {
        let stdin = self.child.stdin.as_mut().expect("it has one");
        writeln!(stdin, "{line}").expect("it listens");
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The end of what it has said so far.
    pub fn said(&self) -> String {
        let said = self.said_whole();
        let from = said.len().saturating_sub(SAID_MAX);
        said[said.ceil_char_boundary(from)..].to_owned()
    }

    /// All that it has said so far.
    pub fn said_whole(&self) -> String {
        let said = std::fs::read(self.dir.path().join("said")).unwrap_or_default();
        String::from_utf8_lossy(&said).into_owned()
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}
