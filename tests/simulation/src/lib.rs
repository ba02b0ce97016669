//! Publishers, recorders and a metadata store in simulated time: the real code, on networks, disks and clocks that
//! fail as one seed says.
//!
//! Whoever sends is a [`publisher::Uplink`] with a spool; whoever receives is a [`recorder::Recorder`] on a local store, and
//! reads from the hot store and the others' disks; the log is the embedded store; half of the worlds have a balancer. They
//! speak the publish protocol to each other, over a network of our own. What is recorded is MPEG-TS or fragmented MP4, in
//! one to three renditions, by encoders that start again, pause and change their format (`camera`, `phone`).
//!
//! In some worlds stock pushers send to recorders too, each thing once (`pusher`), and disks cannot be read for a while.
//!
//! What must hold at each moment is in `viewer` and `judge` (the seven rules of the views), `spool` and `truth`; what must
//! hold in the end is in `world`, `captured` and `pushed`.

mod balancing;
mod camera;
mod captured;
mod dice;
mod disks;
mod faults;
mod hot;
mod judge;
mod network;
mod node;
mod operator;
mod phone;
mod pushed;
mod pusher;
mod reach;
mod signal;
mod spool;
mod store;
mod truth;
mod viewer;
mod within_reach;
mod world;

pub use service::Safeguard;

/// How large a world may be.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The longest recording, in minutes.
    pub minutes_max: u64,
    pub phones_max: u64,
    /// The fewest recorders.
    pub recorders_min: u64,
    /// The fewest stock pushers.
    pub pushers_min: u64,
    /// What the code has to go without.
    pub without: Option<Safeguard>,
    /// Whether to keep what happened, line by line.
    pub tell: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { minutes_max: 20, phones_max: 2, recorders_min: 1, pushers_min: 0, without: None, tell: false }
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
