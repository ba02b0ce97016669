//! Publishers, recorders and a metadata store in simulated time: the real code, on networks, disks and clocks that
//! fail as one seed says.
//!
//! Whoever sends is a [`publisher::Uplink`] with a spool; whoever receives is a [`recorder::Recorder`] on a local store;
//! the log is the embedded store. They speak the publish protocol to each other, over a network of our own. What must
//! hold at each moment is in `viewer` and `truth`, and what must hold in the end in `world`.

mod dice;
mod disks;
mod faults;
mod hot;
mod network;
mod node;
mod phone;
mod signal;
mod store;
mod truth;
mod viewer;
mod world;

pub use service::Safeguard;

/// How large a world may be.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The longest recording, in minutes.
    pub minutes_max: u64,
    pub phones_max: u64,
    /// What the code has to go without.
    pub without: Option<Safeguard>,
    /// Whether to keep what happened, line by line.
    pub tell: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { minutes_max: 20, phones_max: 2, without: None, tell: false }
    }
}

/// What came of one seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub seed: u64,
    /// How long was recorded, in simulated milliseconds.
    pub recorded_ms: u64,
    pub segments: u64,
    /// What should not have been. Empty, if all is well.
    pub violations: Vec<String>,
    /// The same for the same seed.
    pub story: u64,
    /// What happened, if that was asked for.
    pub told: Vec<String>,
}

/// Runs the world of one seed. Takes over the thread: it is of no use for anything else afterwards.
///
/// # Panics
/// If there is no place for its disks.
pub fn run(seed: u64, options: &Options) -> Outcome {
    service::simulate_on_this_thread();
    if let Some(safeguard) = options.without {
        service::without(safeguard);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime without I/O");
    let memory = std::path::Path::new("/dev/shm");
    let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    let dir = dir.expect("a directory can be made");
    runtime.block_on(world::run(seed, dir.path(), options))
}
