//! Programs that are given bytes and answer with bytes: one process for each piece of work, and nothing of it outlives
//! whoever waits for the answer.
//!
//! What it is given may be hostile, so it may not cost more than its limits: of time, processor time, memory and answer.
//! It writes no file, has only what it needs of our environment, and yields to everybody else who wants to compute.
//! What it is asked to do is not decided here.

use std::ffi::OsString;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use rustix::process::{Pid, Resource, Rlimit};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, Command};

use crate::clock::Clock;

/// How much of what it complains about is kept, in bytes.
const COMPLAINT_LEN_MAX: usize = 500;
/// Whoever else wants to compute goes first.
const NICE: i32 = 15;
/// What it finds in its environment, if we do.
const ENVIRONMENT: [&str; 2] = ["PATH", "LD_LIBRARY_PATH"];

/// A program and what it is told.
#[derive(Clone, Debug)]
pub struct Filter {
    pub program: OsString,
    pub arguments: Vec<OsString>,
    pub limits: FilterLimits,
}

/// What one run may cost.
#[derive(Clone, Copy, Debug)]
pub struct FilterLimits {
    pub time_max: Duration,
    /// Processor time, rounded up to whole seconds.
    pub cpu_max: Duration,
    /// Address space, in bytes: more than what it really takes.
    pub memory_bytes_max: u64,
    /// Its answer, in bytes.
    pub answer_len_max: usize,
}

/// Why there is no answer. `E` is how the input fails.
#[derive(Debug, thiserror::Error)]
pub enum FilterError<E> {
    #[error("{program} is not installed here")]
    NotInstalled { program: String },
    #[error("{program} cannot be run")]
    Io { program: String, source: io::Error },
    #[error("its input broke off")]
    Input(#[source] E),
    #[error("it took longer than {} ms", .0.as_millis())]
    TooSlow(Duration),
    #[error("it answered more than {0} bytes")]
    TooLong(usize),
    #[error("it failed ({status}): {said}")]
    Failed { status: ExitStatus, said: String },
}

impl Filter {
    /// Runs it over `input`. It may stop reading before the end. If nobody waits any more, it is killed.
    pub async fn run<E>(
        &self,
        clock: &Clock,
        input: impl Stream<Item = Result<Bytes, E>> + Send,
    ) -> Result<Bytes, FilterError<E>> {
        let mut child = self.start()?;
        let limit = self.limits.time_max;
        tokio::select! {
            answer = self.answer(&mut child, input) => answer,
            () = clock.sleep(limit) => Err(FilterError::TooSlow(limit)),
        }
    }

    fn start<E>(&self) -> Result<Child, FilterError<E>> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).current_dir("/").env_clear();
        command.envs(ENVIRONMENT.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let child = command.spawn().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => FilterError::NotInstalled { program: self.name() },
            _ => self.io(error),
        })?;
        // It has been given nothing yet: until now it has cost what any program costs.
        self.limits.set_for(&child).map_err(|error| self.io(error.into()))?;
        Ok(child)
    }

    async fn answer<E>(
        &self,
        child: &mut Child,
        input: impl Stream<Item = Result<Bytes, E>> + Send,
    ) -> Result<Bytes, FilterError<E>> {
        let stdin = child.stdin.take().expect("it was asked for");
        let stdout = child.stdout.take().expect("it was asked for");
        let stderr = child.stderr.take().expect("it was asked for");
        let max = self.limits.answer_len_max;
        let read = async {
            let mut answer = Vec::new();
            stdout.take(max as u64 + 1).read_to_end(&mut answer).await.map_err(|error| self.io(error))?;
            if answer.len() > max { Err(FilterError::TooLong(max)) } else { Ok(answer) }
        };
        let write = async { write_all(stdin, input).await.map_err(FilterError::Input) };
        let (answer, (), said) = tokio::try_join!(read, write, async { Ok(beginning_of(stderr).await) })?;
        let status = child.wait().await.map_err(|error| self.io(error))?;
        if status.success() { Ok(answer.into()) } else { Err(FilterError::Failed { status, said }) }
    }

    fn name(&self) -> String {
        self.program.to_string_lossy().into_owned()
    }

    fn io<E>(&self, source: io::Error) -> FilterError<E> {
        FilterError::Io { program: self.name(), source }
    }
}

impl FilterLimits {
    fn set_for(&self, child: &Child) -> rustix::io::Result<()> {
        // None: it has ended by itself already.
        let Some(pid) = child.id().and_then(|pid| Pid::from_raw(pid.cast_signed())) else { return Ok(()) };
        let cpu_s = self.cpu_max.as_secs() + u64::from(self.cpu_max.subsec_nanos() > 0);
        let limits = [(Resource::As, self.memory_bytes_max), (Resource::Cpu, cpu_s), (Resource::Fsize, 0)];
        for (resource, max) in limits {
            let limit = Rlimit { current: Some(max), maximum: Some(max) };
            rustix::process::prlimit(Some(pid), resource, limit)?;
        }
        rustix::process::setpriority_process(Some(pid), NICE)
    }
}

/// Whoever stops reading has what it needs.
async fn write_all<E>(mut stdin: ChildStdin, input: impl Stream<Item = Result<Bytes, E>> + Send) -> Result<(), E> {
    let mut input = std::pin::pin!(input);
    while let Some(piece) = input.next().await {
        if stdin.write_all(&piece?).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// All is read, so that it can go on; the beginning is kept.
async fn beginning_of(mut stderr: impl AsyncRead + Unpin) -> String {
    let (mut said, mut piece) = (Vec::new(), [0; 1024]);
    while let Ok(len @ 1..) = stderr.read(&mut piece).await {
        let room = COMPLAINT_LEN_MAX - said.len();
        said.extend_from_slice(&piece[..len.min(room)]);
    }
    String::from_utf8_lossy(&said).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::stream;

    use super::*;

    const LIMITS: FilterLimits = FilterLimits {
        time_max: Duration::from_secs(60),
        cpu_max: Duration::from_secs(2),
        memory_bytes_max: 100 << 20,
        answer_len_max: 1000,
    };

    fn sh(script: &str) -> Filter {
        let arguments = ["-c", script].map(OsString::from).to_vec();
        Filter { program: "sh".into(), arguments, limits: LIMITS }
    }

    async fn run(filter: &Filter, input: Bytes) -> Result<Bytes, FilterError<Infallible>> {
        filter.run(&Clock::system(), stream::iter([Ok(input)])).await
    }

    #[tokio::test]
    async fn it_answers_what_the_program_makes_of_the_input() {
        let answer = run(&sh("tr a-z A-Z"), Bytes::from_static(b"abc")).await.unwrap();
        assert_eq!(answer, "ABC");
        // More than a pipe holds, of which it reads a little.
        let answer = run(&sh("head -c 3"), Bytes::from(vec![b'x'; 10 << 20])).await.unwrap();
        assert_eq!(answer, "xxx");
    }

    #[tokio::test]
    async fn what_goes_wrong_is_told() {
        let missing = Filter { program: "no-such-program".into(), ..sh("") };
        assert!(matches!(run(&missing, Bytes::new()).await, Err(FilterError::NotInstalled { .. })));
        let Err(FilterError::Failed { said, .. }) = run(&sh("echo why >&2; exit 3"), Bytes::new()).await else {
            panic!("it failed")
        };
        assert_eq!(said, "why");
        let broken = stream::iter([Ok(Bytes::new()), Err("gone")]);
        let answer = sh("cat").run(&Clock::system(), broken).await;
        assert!(matches!(answer, Err(FilterError::Input("gone"))));
    }

    #[tokio::test]
    async fn it_costs_no_more_than_its_limits() {
        assert!(matches!(run(&sh("yes"), Bytes::new()).await, Err(FilterError::TooLong(1000))));
        let limits = FilterLimits { time_max: Duration::from_millis(50), ..LIMITS };
        let answer = run(&Filter { limits, ..sh("exec sleep 100") }, Bytes::new()).await;
        assert!(matches!(answer, Err(FilterError::TooSlow(_))));
        for (hungry, why) in [
            ("read x; while :; do :; done", "processor time"),
            ("read x; cat /dev/zero | tail -n 1", "memory"),
            ("read x; echo 1 > /tmp/headwater-filter-test", "a file"),
        ] {
            let answer = run(&sh(hungry), Bytes::from_static(b"\n")).await;
            assert!(matches!(answer, Err(FilterError::Failed { .. })), "{why}: {answer:?}");
        }
    }

    #[tokio::test]
    async fn it_yields_to_others_and_knows_nothing_of_us() {
        let answer = run(&sh("read x; nice; pwd; echo $HOME"), Bytes::from_static(b"\n")).await.unwrap();
        assert_eq!(answer, "15\n/\n\n");
    }

    #[tokio::test]
    async fn it_ends_with_whoever_waits() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        // It holds the pipe open for as long as it lives.
        let script = format!("exec 3> {}; echo started >&3; exec sleep 1000", pipe.display());
        let limits = FilterLimits { time_max: Duration::from_secs(1000), ..LIMITS };
        let (filter, clock) = (Filter { limits, ..sh(&script) }, Clock::system());
        let mut running = Box::pin(filter.run(&clock, stream::pending::<Result<Bytes, Infallible>>()));
        let mut held = tokio::select! {
            answer = &mut running => panic!("{answer:?}"),
            held = tokio::fs::File::open(&pipe) => held.unwrap(),
        };
        drop(running);
        // The end comes when nobody has it open for writing any more.
        let mut said = Vec::new();
        held.read_to_end(&mut said).await.unwrap();
    }
}
