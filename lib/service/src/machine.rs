//! How busy this machine is: processors, disk and network, as Linux counts them. What it cannot tell counts as idle.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use tokio::time::Instant;

use crate::clock::Clock;

/// What a network is taken to carry whose speed is not known: 1 Gbit/s, in bytes per second.
const NETWORK_CAPACITY_DEFAULT: u64 = 125_000_000;
/// How much of what is shown was measured last; the rest is what was shown before.
const NEWEST_SHARE: f64 = 0.5;

/// How busy a machine is, over the last few measurements.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MachineLoad {
    /// Of all processors, from 0 to 1.
    pub cpu: f64,
    /// How much of the time the disk was at work, from 0 to 1.
    pub disk: f64,
    /// Bytes per second, in the busier direction.
    pub network: f64,
    /// How many there can be.
    pub network_capacity: u64,
}

/// Measures this machine, and the disk that a directory is on.
#[derive(Debug)]
pub struct Machine {
    clock: Clock,
    /// Where Linux counts for that disk. `None` for what is no block device.
    disk: Option<PathBuf>,
    last: Option<(Instant, Counters)>,
    load: MachineLoad,
}

/// What only ever grows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Counters {
    cpu: Cpu,
    disk_busy_ms: u64,
    network: Network,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Cpu {
    busy: u64,
    all: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Network {
    received: u64,
    sent: u64,
}

impl Machine {
    pub fn new(dir: &Path, clock: Clock) -> Self {
        let device = std::fs::metadata(dir).map(|metadata| metadata.dev());
        let disk = device.ok().map(|device| {
            // As Linux packs both numbers into one (makedev(3)).
            let major = ((device >> 8) & 0xfff) | ((device >> 32) & !0xfff);
            let minor = (device & 0xff) | ((device >> 12) & !0xff);
            PathBuf::from(format!("/sys/dev/block/{major}:{minor}/stat"))
        });
        Self { clock, disk, last: None, load: MachineLoad::default() }
    }

    /// How busy it is, by what has happened since the last call. The first one only knows how much the network can
    /// carry.
    pub fn measure(&mut self) -> MachineLoad {
        let (now, interfaces) = (self.clock.instant(), interfaces());
        let counters = Counters {
            cpu: cpu(&read("/proc/stat")).unwrap_or_default(),
            disk_busy_ms: self.disk.as_deref().and_then(|path| disk_busy_ms(&read(path))).unwrap_or(0),
            network: network(&read("/proc/net/dev"), &interfaces),
        };
        if let Some((before, known)) = self.last.replace((now, counters)) {
            let measured = between(&known, &counters, now.duration_since(before).as_secs_f64());
            let smooth = |shown: f64, measured: f64| shown + (measured - shown) * NEWEST_SHARE;
            self.load.cpu = smooth(self.load.cpu, measured.cpu);
            self.load.disk = smooth(self.load.disk, measured.disk);
            self.load.network = smooth(self.load.network, measured.network);
        }
        let known: u64 = interfaces.values().sum();
        self.load.network_capacity = if known > 0 { known } else { NETWORK_CAPACITY_DEFAULT };
        self.load
    }
}

#[expect(clippy::cast_precision_loss, reason = "shares and rates")]
fn between(before: &Counters, now: &Counters, secs: f64) -> MachineLoad {
    // Counters may begin again, with a new disk or interface.
    let grown = |from: u64, to: u64| to.saturating_sub(from) as f64;
    let secs = secs.max(0.001);
    let all = grown(before.cpu.all, now.cpu.all).max(1.0);
    let network =
        grown(before.network.received, now.network.received).max(grown(before.network.sent, now.network.sent));
    MachineLoad {
        cpu: (grown(before.cpu.busy, now.cpu.busy) / all).clamp(0.0, 1.0),
        disk: (grown(before.disk_busy_ms, now.disk_busy_ms) / 1000.0 / secs).clamp(0.0, 1.0),
        network: network / secs,
        network_capacity: 0,
    }
}

/// The first line of /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal; all but the waiting is busy.
fn cpu(stat: &str) -> Option<Cpu> {
    let fields = stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace().take(8);
    let ticks = fields.map(|field| field.parse().ok()).collect::<Option<Vec<u64>>>()?;
    let (all, waiting) = (ticks.iter().sum::<u64>(), ticks.get(3)? + ticks.get(4)?);
    Some(Cpu { busy: all - waiting, all })
}

/// The tenth field of a block device's stat: for how many milliseconds it had something to do.
fn disk_busy_ms(stat: &str) -> Option<u64> {
    stat.split_whitespace().nth(9)?.parse().ok()
}

/// The sums over `interfaces` of /proc/net/dev.
fn network(dev: &str, interfaces: &BTreeMap<String, u64>) -> Network {
    let rows = dev.lines().filter_map(|line| line.split_once(':'));
    let ours = rows.filter(|(name, _)| interfaces.contains_key(name.trim()));
    ours.fold(Network::default(), |sum, (_, counts)| {
        let counts: Vec<u64> = counts.split_whitespace().map(|count| count.parse().unwrap_or(0)).collect();
        let at = |position: usize| counts.get(position).copied().unwrap_or(0);
        Network { received: sum.received + at(0), sent: sum.sent + at(8) }
    })
}

/// The interfaces that lead out of this machine, with how many bytes per second each carries, as far as that is known:
/// those with hardware, so that what goes over a bridge does not count twice; or all, where none has any.
fn interfaces() -> BTreeMap<String, u64> {
    let Ok(entries) = std::fs::read_dir("/sys/class/net") else { return BTreeMap::new() };
    let found: Vec<_> = entries.flatten().filter(|entry| entry.file_name() != "lo").collect();
    let has_hardware = |entry: &std::fs::DirEntry| entry.path().join("device").exists();
    let any_hardware = found.iter().any(has_hardware);
    let ours = found.iter().filter(|entry| !any_hardware || has_hardware(entry));
    let speed = |entry: &std::fs::DirEntry| {
        let megabits: u64 = read(entry.path().join("speed")).trim().parse().unwrap_or(0);
        (entry.file_name().to_string_lossy().into_owned(), megabits * 125_000)
    };
    ours.map(speed).collect()
}

/// What cannot be read says nothing.
fn read(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counts_of_linux_are_read() {
        let stat = "cpu  100 5 40 1000 50 3 2 0 7 7\ncpu0 1 2 3 4 5 6 7 8 9 10\n";
        assert_eq!(cpu(stat), Some(Cpu { busy: 150, all: 1200 }));
        let disk = "  146 0 1168 24 51 0 100 5 0 1234 29 0 0 0 0 0 0\n";
        assert_eq!(disk_busy_ms(disk), Some(1234));
        let dev = "Inter-|   Receive                                                |  Transmit\n \
            face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs\n    \
            lo: 900 9 0 0 0 0 0 0 900 9 0 0 0 0 0 0\n  \
            eth0: 1000 10 0 0 0 0 0 0 200 2 0 0 0 0 0 0\n  \
            eth1:1 1 0 0 0 0 0 0 2 1 0 0 0 0 0 0\n";
        let ours = [("eth0".to_owned(), 0), ("eth1".to_owned(), 0)].into();
        assert_eq!(network(dev, &ours), Network { received: 1001, sent: 202 });
        for nonsense in ["", "cpu  1 2", "cpu  a b c d e", "intr 1"] {
            assert_eq!(cpu(nonsense), None, "{nonsense}");
        }
        assert_eq!((disk_busy_ms("1 2 3"), network("eth0: x", &ours)), (None, Network::default()));
    }

    #[test]
    fn what_has_grown_is_the_load() {
        let before = Counters { cpu: Cpu { busy: 100, all: 1_000 }, ..Counters::default() };
        let now = Counters {
            cpu: Cpu { busy: 150, all: 1_200 },
            disk_busy_ms: 500,
            network: Network { received: 4_000, sent: 6_000 },
        };
        let load = between(&before, &now, 2.0);
        assert_eq!(load, MachineLoad { cpu: 0.25, disk: 0.25, network: 3_000.0, network_capacity: 0 });
        let again = between(&now, &before, 2.0);
        assert_eq!((again.disk, again.network), (0.0, 0.0), "counters that began again");
    }

    #[tokio::test]
    async fn this_machine_can_be_measured() {
        let mut machine = Machine::new(&std::env::temp_dir(), Clock::system());
        machine.measure();
        let load = machine.measure();
        assert!((0.0..=1.0).contains(&load.cpu) && (0.0..=1.0).contains(&load.disk), "{load:?}");
        assert!(load.network >= 0.0 && load.network_capacity > 0, "{load:?}");
    }
}
