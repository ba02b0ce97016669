//! How soon a broadcast is whole again after an outage, over links of several speeds.

use std::thread;
use std::time::Duration;

use testkit::{Link, Namespace, Quality};

use crate::fleet::{Fleet, Plan};
use crate::ride::Ride;
use crate::source::Source;
use crate::stopwatch::{Stopwatch, let_pass};

/// What a link carries, as a multiple of the stream's bits per second.
pub const SPEEDS: [f64; 5] = [1.0, 1.5, 2.0, 4.0, 10.0];

/// In kilobits per second.
const PICTURE_KBIT: u32 = 800;
const DELAY: Duration = Duration::from_millis(25);
/// What is sent before the outage.
const BEFORE: u64 = 10;

/// What came of one speed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CaughtUp {
    pub speed: f64,
    pub link_bits_per_s: u64,
    /// Until viewers see what was captured after the network was back; `None`: not within the limit.
    pub live: Option<Duration>,
    /// Until everything is there that was captured before.
    pub complete: Option<Duration>,
    /// Of what the link could have carried until then, how much it has, in percent.
    pub used_percent: f64,
}

/// Measures all of [`SPEEDS`], at once, after an outage of this length; what takes longer than `within` is not waited
/// for. Needs root.
pub fn catch_up(outage: Duration, within: Duration) -> Vec<CaughtUp> {
    let film_s = u32::try_from((outage + within).as_secs()).expect("a short time") + 60;
    thread::scope(|scope| {
        let start = |speed| scope.spawn(move || one(speed, film_s, outage, within));
        let running = SPEEDS.map(start);
        running.map(|running| running.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).into()
    })
}

fn one(speed: f64, film_s: u32, outage: Duration, within: Duration) -> CaughtUp {
    let (near, far) = (Namespace::new(), Namespace::new());
    let perfect = Quality { delay: DELAY, ..Quality::PERFECT };
    let link = Link::between(&near, &far, perfect, 1);
    far.inside(|| {
        let fleet = Fleet::start(Plan { recorders: 1, ..Plan::ORDINARY });
        let source = Source::new(film_s, PICTURE_KBIT);
        let link_bits_per_s = (source.bits_per_s as f64 * speed) as u64;
        let name = format!("{speed} times the stream");
        let ride = Ride::begin(&name, (&near, &link), fleet, source);
        link.set(Quality { bits_per_s: Some(link_bits_per_s), ..perfect });
        ride.until_stored(BEFORE);
        link.black_out();
        let_pass(outage);
        link.light_up();
        let (before, lit) = (link.passed()[0].bytes, Stopwatch::start());
        let back = ride.back_within(within);
        let (bits, took) = ((link.passed()[0].bytes - before) * 8, lit.time().as_secs_f64());
        let used_percent = bits as f64 / (link_bits_per_s as f64 * took) * 100.0;
        CaughtUp { speed, link_bits_per_s, live: back.0, complete: back.1, used_percent }
    })
}
