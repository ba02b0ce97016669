//! The far end: recorders, a balancer, a playlist server, with a real Redis and a real S3 server between them.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use testkit::{Headwater, Launch, Link, RedisServer, S3Server, SentinelRedis, eventually};

/// Longest until all of them know each other.
const START_MAX: Duration = Duration::from_secs(60);
/// So that nobody has to wait long for a node to be missed.
const SETTINGS: &str = "[node]\nrenew_every_ms = 500\ntime_to_live_ms = 2000\n";
/// The size of a small disk, in MiB.
const SMALL_DISK_MIB: u32 = 48;

/// What a fleet is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) recorders: usize,
    pub(crate) redis: RedisKind,
    pub(crate) recorder: RecorderKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RedisKind {
    /// One that keeps nothing on disk.
    Forgetful,
    /// With a replica, and Sentinels.
    Sentinel,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecorderKind {
    Ordinary,
    /// Its disk holds [`SMALL_DISK_MIB`].
    SmallDisk,
    /// Its clock is what a file says.
    WrongClock,
}

impl Plan {
    pub(crate) const ORDINARY: Self =
        Self { recorders: 2, redis: RedisKind::Forgetful, recorder: RecorderKind::Ordinary };
}

#[derive(Debug)]
pub(crate) enum Redis {
    Forgetful(RedisServer),
    Sentinel(SentinelRedis),
}

#[derive(Debug)]
pub(crate) struct Fleet {
    pub(crate) recorders: Vec<Headwater>,
    pub(crate) balancer: Headwater,
    pub(crate) playlist: Headwater,
    pub(crate) redis: Redis,
    pub(crate) s3: S3Server,
    clock: Clock,
}

impl Fleet {
    /// Starts it in the network of the caller.
    pub(crate) fn start(plan: Plan) -> Self {
        let redis = match plan.redis {
            RedisKind::Forgetful => Redis::Forgetful(RedisServer::start()),
            RedisKind::Sentinel => Redis::Sentinel(SentinelRedis::start()),
        };
        let metadata = match &redis {
            Redis::Forgetful(server) => server.url(),
            Redis::Sentinel(servers) => servers.url(),
        };
        let (s3, clock) = (S3Server::start(), Clock::new());
        let hot = s3.url();
        let launch = |command: &[&str]| {
            let launch = Launch::of(&[command, &["--metadata", &metadata, "--log", "info"]].concat());
            launch.config(SETTINGS).listen(SocketAddr::from((Link::FAR, 0)))
        };
        let recorder = |number| {
            let name = format!("r{number}");
            let recorder = launch(&["recorder", "--node-name", &name, "--hot", &hot]).variables(s3.variables());
            match plan.recorder {
                RecorderKind::Ordinary => recorder,
                RecorderKind::SmallDisk => {
                    // It would leave more to others than there is.
                    let recorder = recorder.config(&format!("{SETTINGS}[storage]\nreserve = 0\n"));
                    recorder.under(&small_disk().each_ref().map(String::as_str))
                }
                RecorderKind::WrongClock => recorder.variables(clock.variables()),
            }
        };
        let recorders: Vec<_> = (1..=plan.recorders).map(|number| recorder(number).start()).collect();
        let balancer = launch(&["balancer"]).start();
        let playlist = launch(&["playlist", "--hot", &hot]).variables(s3.variables()).start();
        let fleet = Self { recorders, balancer, playlist, redis, s3, clock };
        fleet.until_alive(plan.recorders);
        fleet
    }

    /// Until so many recorders are registered.
    fn until_alive(&self, count: usize) {
        eventually(&format!("{count} recorders"), START_MAX, || {
            let list = self.balancer.owner("GET", "/v1/nodes", "").expect(200).json();
            let alive = list["nodes"].as_array().map_or(0, Vec::len);
            if alive == count { Ok(()) } else { Err(list) }
        });
    }

    /// Loses what Redis has: kills it and starts it empty, or kills the primary for good.
    pub(crate) fn break_redis(&mut self) {
        match &mut self.redis {
            Redis::Forgetful(server) => server.kill(),
            Redis::Sentinel(servers) => servers.primary.kill(),
        }
    }

    /// Whether there is somebody to take the place of a Redis that is gone.
    pub(crate) fn has_replica(&self) -> bool {
        matches!(self.redis, Redis::Sentinel(_))
    }

    pub(crate) fn mend_redis(&mut self) {
        match &mut self.redis {
            Redis::Forgetful(server) => server.restart(),
            Redis::Sentinel(servers) => servers.until_replaced(),
        }
    }

    /// Takes all that is free on the first recorder's small disk.
    ///
    /// # Panics
    /// If that cannot be done.
    pub(crate) fn fill_disk(&self) {
        let zeros = vec![0; 64 << 10];
        let mut ballast = std::fs::File::create(self.ballast()).expect("a file can be made");
        while std::io::Write::write_all(&mut ballast, &zeros).is_ok() {}
    }

    /// Gives it back.
    pub(crate) fn empty_disk(&self) {
        std::fs::remove_file(self.ballast()).expect("it was made");
    }

    /// A file on the disk that only the first recorder sees.
    fn ballast(&self) -> PathBuf {
        let recorder = &self.recorders[0];
        let data = recorder.data();
        let inside = data.strip_prefix("/").expect("an absolute path");
        PathBuf::from(format!("/proc/{}/root", recorder.pid().expect("it runs"))).join(inside).join("ballast")
    }

    /// Sets the recorders' clocks wrong by so many seconds.
    pub(crate) fn set_clocks(&self, wrong_by_s: i64) {
        self.clock.set(wrong_by_s);
    }
}

/// Runs a program whose data folder is a small disk, which is gone with it.
fn small_disk() -> [String; 6] {
    let mount = format!("mkdir -p $0 && mount -t tmpfs -o size={SMALL_DISK_MIB}m headwater-chaos $0 && exec \"$@\"");
    ["unshare", "--mount", "sh", "-c", &mount, "{data}"].map(str::to_owned)
}

/// A clock for programs, set from outside: `libfaketime` reads it from a file.
#[derive(Debug)]
struct Clock {
    dir: tempfile::TempDir,
}

impl Clock {
    fn new() -> Self {
        let clock = Self { dir: tempfile::tempdir().expect("a temporary folder") };
        clock.set(0);
        clock
    }

    fn set(&self, wrong_by_s: i64) {
        // Never half written.
        let (file, new) = (self.file(), self.dir.path().join("new"));
        std::fs::write(&new, format!("{wrong_by_s:+}\n")).expect("a file");
        std::fs::rename(new, file).expect("a file");
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("wrong-by")
    }

    fn variables(&self) -> Vec<(String, String)> {
        let file = self.file().into_os_string().into_string().expect("UTF-8");
        let library = faketime().expect("libfaketime is missing: `make chaos` installs it");
        let library = library.into_os_string().into_string().expect("UTF-8");
        [
            ("LD_PRELOAD", library.as_str()),
            ("FAKETIME_TIMESTAMP_FILE", &file),
            ("FAKETIME_NO_CACHE", "1"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }
}

/// Where Debian puts the library, for whatever architecture.
pub(crate) fn faketime() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").ok()?.filter_map(Result::ok);
    folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1")).find(|path| path.is_file())
}
