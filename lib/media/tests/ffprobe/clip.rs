//! Clips made by ffmpeg: a few seconds of test picture and tone, cut into segments by its HLS muxer.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use headwater_media::{Container, InitSection, InspectError, Inspection, Inspector};
use tempfile::TempDir;

const INPUT: &[&str] =
    &["-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=3", "-f", "lavfi", "-i", "sine=f=440:r=48000:d=3", "-ac", "2"];

/// How to make a clip.
pub(crate) struct Clip {
    container: Container,
    arguments: Vec<&'static str>,
}

impl Clip {
    pub(crate) fn ts(arguments: &[&[&'static str]]) -> Self {
        Self { container: Container::MpegTs, arguments: arguments.concat() }
    }

    pub(crate) fn fmp4(arguments: &[&[&'static str]]) -> Self {
        Self { container: Container::Fmp4, arguments: arguments.concat() }
    }

    pub(crate) fn make(&self) -> Made {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let mut command = tool("ffmpeg", directory.path());
        command.args(["-hide_banner", "-nostdin", "-loglevel", "error"]).args(INPUT);
        command.args(["-f", "hls", "-hls_time", "1", "-hls_list_size", "0"]).args(&self.arguments);
        command.args(match self.container {
            Container::MpegTs => ["-hls_segment_filename", "%d.ts"].as_slice(),
            Container::Fmp4 => &["-hls_segment_type", "fmp4", "-hls_segment_filename", "%d.m4s"],
        });
        run(command.arg("out.m3u8"));
        let file = |number: usize| directory.path().join(format!("{number}.{}", self.container.extension()));
        let segments = (0..).map_while(|number| fs::read(file(number)).ok()).collect();
        let init = fs::read(directory.path().join("init.mp4")).ok();
        Made { container: self.container, init, segments, directory }
    }
}

/// A clip that was made.
pub(crate) struct Made {
    pub(crate) container: Container,
    pub(crate) init: Option<Vec<u8>>,
    pub(crate) segments: Vec<Vec<u8>>,
    directory: TempDir,
}

impl Made {
    pub(crate) fn inspect(&self, segment: &[u8]) -> Result<Inspection, InspectError> {
        let mut inspector = match &self.init {
            None => Inspector::mpeg_ts(),
            Some(init) => Inspector::fmp4(&InitSection::parse(init).expect("ffmpeg's init sections are good")),
        };
        inspector.push(segment)?;
        inspector.finish()
    }

    /// A file that can be played: the segment with its init section before it.
    pub(crate) fn playable(&self, segment: &[u8]) -> PathBuf {
        let path = self.directory.path().join("playable");
        let init = self.init.as_deref().unwrap_or_default();
        fs::write(&path, [init, segment].concat()).expect("the temporary directory is writable");
        path
    }

    /// Decodes all of it, and any error is fatal.
    pub(crate) fn decode(&self, segment: &[u8]) {
        let mut command = tool("ffmpeg", self.directory.path());
        command.args(["-nostdin", "-v", "error", "-xerror", "-i"]).arg(self.playable(segment));
        run(command.args(["-f", "null", "-"]));
    }
}

pub(crate) fn tool(name: &str, directory: &Path) -> Command {
    let mut command = Command::new(name);
    command.current_dir(directory).stdin(Stdio::null());
    command
}

/// Runs to the end; gives what was printed.
pub(crate) fn run(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap_or_else(|error| {
        panic!(
            "{:?}: {error}: these tests need ffmpeg and ffprobe on PATH (Debian: apt-get install ffmpeg)",
            command.get_program()
        )
    });
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}: {errors}", output.status);
    output.stdout
}
