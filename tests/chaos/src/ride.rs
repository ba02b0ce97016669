//! One broadcast from beginning to end: a publisher behind a bad link, viewers, and what has to be true afterwards.

use std::ops::ControlFlow;
use std::time::Duration;

use headwater_tests::{Poller, Program, Recording, Relay, Tap};
use testkit::{Headwater, Link, Namespace, NewBroadcast, Tool, eventually, every};

use crate::faults::{Fault, Round, Stops};
use crate::fleet::Fleet;
use crate::frames::Frames;
use crate::source::{Source, segment_files, segments_of};
use crate::status::{Arrived, arrived, live_edge};
use crate::stopwatch::{Stopwatch, let_pass, now_ms};

/// Where the publisher takes what the encoder pushes, in its own network.
const RELAY: &str = "127.0.0.1:8090";
/// Longest until something recorded has arrived, once all is mended.
const ARRIVAL_MAX: Duration = Duration::from_secs(600);
/// Longest until the encoder has given its last segment.
const ENCODER_END_MAX: Duration = Duration::from_secs(30);
/// The most of the film that is cut off with a publisher, beside what the encoder kept while there was none.
const CUT_MAX: Duration = Duration::from_secs(3);
/// Longest until a broadcast that has ended is complete.
const COMPLETE_MAX: Duration = Duration::from_secs(60);

/// How often is looked whether something has come.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// What lasts as long as this must have been felt.
const FELT_AFTER: Duration = Duration::from_secs(4);

/// A broadcast on its way.
#[derive(Debug)]
pub(crate) struct Ride<'a> {
    name: &'a str,
    pub(crate) fleet: Fleet,
    pub(crate) link: &'a Link,
    pub(crate) relay: Relay,
    near: &'a Namespace,
    source: Source,
    encoder: Program,
    tap: Tap,
    kills: Kills,
    /// Its publisher has stopped before its encoder.
    has_stopped: bool,
    broadcast: NewBroadcast,
    viewers: Vec<Poller>,
    began: Stopwatch,
}

/// How often the publisher was killed.
#[derive(Clone, Copy, Debug, Default)]
struct Kills {
    count: usize,
    /// The longest that it was away.
    away_max: Duration,
    since: Option<Stopwatch>,
    /// What the encoder had sent by the end of the last one.
    sent: usize,
}

/// How long it took after a fault was mended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Back {
    /// Until the live playlist showed what was captured after it.
    pub live: Duration,
    /// Until nothing that was captured before it was missing.
    pub complete: Duration,
}

impl<'a> Ride<'a> {
    /// Begins to record `source`, for a fleet in the network of the caller.
    pub(crate) fn begin(name: &'a str, (near, link): (&'a Namespace, &'a Link), fleet: Fleet, source: Source) -> Self {
        let creator = &fleet.recorders[0];
        let broadcast = creator.create_broadcast();
        // The publisher is given the balancer's address, which takes no segments itself.
        let to = broadcast.push_url.replace(creator.url(), fleet.balancer.url());
        let (relay, tap, encoder) = near.inside(|| {
            let mut relay = Relay::listening(&to, RELAY, &["--quota", "1000000000"]);
            let push_url = relay.push_url();
            let tap = Tap::before(&format!("http://{RELAY}"));
            let encoder = source.push(&tap.by_way(&push_url));
            (relay, tap, encoder)
        });
        let folder = format!("{}/hls/{}/main", fleet.playlist.url(), broadcast.id);
        let viewers = ["live.m3u8", "dvr.m3u8"].map(|view| Poller::start(&format!("{folder}/{view}"))).into();
        let (kills, began) = (Kills::default(), Stopwatch::start());
        let has_stopped = false;
        Self { name, fleet, link, relay, near, source, encoder, tap, kills, has_stopped, broadcast, viewers, began }
    }

    /// Tells what goes on.
    #[expect(clippy::print_stderr, reason = "for whoever watches")]
    pub(crate) fn say(&self, what: &str) {
        eprintln!("{:>6.1} s  {}: {what}", self.began.time().as_secs_f64(), self.name);
    }

    /// How many segments have been recorded.
    pub(crate) fn recorded(&self) -> usize {
        segment_files(self.relay.spool()).len()
    }

    /// Waits until so many segments are far away.
    #[track_caller]
    pub(crate) fn until_stored(&self, count: u64) {
        self.until(&format!("{count} segments far away"), |arrived| arrived.stored >= count);
    }

    #[track_caller]
    fn until(&self, what: &str, is_so: impl Fn(&Arrived) -> bool) {
        eventually(what, ARRIVAL_MAX, || match self.arrived() {
            Some(arrived) if is_so(&arrived) => Ok(()),
            seen => Err(format!("{seen:?}, {} recorded", self.recorded())),
        });
    }

    /// How it stands, if anybody knows.
    pub(crate) fn arrived(&self) -> Option<Arrived> {
        self.fleet.recorders.iter().find_map(|recorder| arrived(recorder, &self.broadcast))
    }

    /// Fails if faults that have lasted for some time changed nothing: a test of nothing.
    #[track_caller]
    pub(crate) fn assert_felt(&self, round: &Round, before: Option<&Arrived>) {
        // Where nothing is recorded there is nothing to miss.
        if round.lasts < FELT_AFTER || round.faults.contains(&Fault::PublisherKilled) {
            return;
        }
        let Some(now) = self.arrived() else {
            let expected = round.faults.contains(&Fault::RedisGone);
            assert!(expected, "{}: nobody answers while {:?}", self.name, round.faults);
            return;
        };
        let (recorded, stored_before) = (self.recorded() as u64, before.map_or(0, |before| before.stored));
        for fault in &round.faults {
            let is_felt = match fault.stops() {
                // Its replica has taken its place by now.
                Stops::Stored if *fault == Fault::RedisGone && self.fleet.has_replica() => true,
                Stops::Stored => now.stored + 2 <= recorded || now.stored <= stored_before,
                Stops::Safe => now.safe + 2 <= recorded,
                Stops::Recorded | Stops::Nothing => true,
            };
            assert!(is_felt, "{}: {fault:?} changed nothing: {now:?} of {recorded}, {before:?} before", self.name);
        }
    }

    /// Waits until viewers see live again, and until all that was recorded before now is far away.
    ///
    /// # Panics
    /// If that takes longer than it ever should.
    #[track_caller]
    pub(crate) fn back(&self) -> Back {
        let (live, complete) = self.back_within(ARRIVAL_MAX);
        let back = live.zip(complete).map(|(live, complete)| Back { live, complete });
        back.unwrap_or_else(|| {
            let relay = self.relay.said();
            panic!("{}: live {live:?}, complete {complete:?}, {:?}\n{relay}", self.name, self.arrived())
        })
    }

    /// The same, for at most this long.
    pub(crate) fn back_within(&self, within: Duration) -> (Option<Duration>, Option<Duration>) {
        let (mended, mended_ms, recorded) = (Stopwatch::start(), now_ms(), self.recorded() as u64);
        let (mut live, mut complete) = (None, None);
        every(LOOK_AGAIN, || {
            if live.is_none() && live_edge(&self.fleet.playlist, &self.broadcast).is_some_and(|edge| edge >= mended_ms)
            {
                live = Some(mended.time());
            }
            if complete.is_none() && self.arrived().is_some_and(|arrived| arrived.stored >= recorded) {
                complete = Some(mended.time());
            }
            let is_over = (live.is_some() && complete.is_some()) || mended.time() > within;
            if is_over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        self.say(&format!("mended: live after {live:.1?}, all {recorded} there after {complete:.1?}"));
        (live, complete)
    }

    /// Kills the publisher. The encoder keeps what nobody takes; what is on its way is cut off.
    pub(crate) fn kill_publisher(&mut self) {
        self.near.inside(|| self.tap.shut());
        self.relay.kill();
        self.kills.since = Some(Stopwatch::start());
    }

    /// Starts the publisher again.
    pub(crate) fn restart_publisher(&mut self) {
        let (near, relay, tap) = (self.near, &mut self.relay, &mut self.tap);
        near.inside(|| {
            relay.run();
            relay.push_url();
            tap.open();
        });
        let away = self.kills.since.take().expect("it was killed").time();
        let (count, away_max) = (self.kills.count + 1, self.kills.away_max.max(away));
        self.kills = Kills { count, away_max, since: None, sent: self.tap.sent().len() };
    }

    /// Waits for the end of the recording, until all of it is safe, and judges everything.
    ///
    /// # Panics
    /// If something is missing, or there twice, or not what was recorded, or if viewers saw what must not be.
    pub(crate) fn end(mut self) -> Summary {
        self.end_encoder();
        self.until_taken_in();
        self.say("recorded; waiting until all of it is safe");
        let recorded = segments_of(self.relay.spool());
        let sent = recorded.len() as u64;
        self.until("everything safe", |arrived| arrived.stored >= sent && arrived.safe >= sent);
        self.say_end();
        self.until_complete();
        self.judge(&recorded)
    }

    /// The same, when its owner has ended it while its publisher was away for so long: that one sends what it has
    /// recorded until it hears of it, and stops; its encoder goes on.
    ///
    /// # Panics
    /// As above.
    pub(crate) fn end_in_a_black_out(mut self, lasts: Duration) -> Summary {
        self.link.black_out();
        self.say_end();
        let before = self.recorded();
        self.say(&format!("ended by its owner in a black-out of {:.1} s", lasts.as_secs_f64()));
        let_pass(lasts);
        let arrived = self.arrived().expect("nothing else is broken");
        let recorded = self.recorded();
        assert!(recorded >= before + 2 && arrived.stored + 2 <= recorded as u64, "{before}, {recorded}, {arrived:?}");
        self.link.light_up();
        self.relay.program().end_well(ARRIVAL_MAX);
        self.has_stopped = true;
        self.end_encoder();
        self.say("its publisher has stopped: everything is safe");
        self.until_complete();
        let recorded = segments_of(self.relay.spool());
        self.judge(&recorded)
    }

    fn end_encoder(&mut self) {
        Tool::find("kill").run(["-INT", &self.encoder.pid().to_string()]);
        self.encoder.end(ENCODER_END_MAX);
    }

    /// Waits until the publisher has taken in what the encoder has left behind: ffmpeg does not wait for answers.
    fn until_taken_in(&self) {
        eventually("an answer to all that was sent", ENCODER_END_MAX, || {
            let sent = self.tap.sent();
            let waiting = sent.iter().skip(self.kills.sent).filter(|sent| sent.is_segment() && sent.status.is_none());
            match waiting.count() {
                0 => Ok(()),
                waiting => Err(waiting),
            }
        });
    }

    /// Its owner says that the broadcast is over.
    fn say_end(&self) {
        let alive = || self.fleet.recorders.iter().find(|recorder| recorder.pid().is_some());
        let recorder: &Headwater = alive().expect("one recorder runs");
        recorder.owner("POST", &format!("/v1/broadcasts/{}/end", self.broadcast.id), "").expect(200);
    }

    fn until_complete(&self) {
        eventually("a complete broadcast", COMPLETE_MAX, || match self.arrived() {
            Some(arrived) if arrived.state == "complete" => Ok(()),
            seen => Err(format!("{seen:?}")),
        });
        self.say("complete; judging it");
    }

    /// What was acknowledged is recorded, in its order; and all that was sent, unless the publisher was killed or
    /// has stopped.
    fn assert_recorded(&self, recorded: &[Vec<u8>]) {
        let (name, acknowledged) = (self.name, self.tap.acknowledged());
        let mut left = recorded.iter();
        let lost = acknowledged.iter().position(|segment| !left.any(|kept| kept == segment));
        assert_eq!(lost, None, "{name}: of {} acknowledged segments this one is not recorded", acknowledged.len());
        if self.kills.count == 0 && !self.has_stopped {
            assert_eq!(self.tap.segments(), recorded, "{name}: what was pushed is not what was recorded");
        }
    }

    fn judge(mut self, recorded: &[Vec<u8>]) -> Summary {
        let name = self.name;
        let playlist = &self.fleet.playlist;
        eventually("the vod", COMPLETE_MAX, || {
            let answer = playlist.get(&format!("/hls/{}/main/vod.m3u8", self.broadcast.id));
            if answer.status == 200 && answer.text().contains("#EXT-X-ENDLIST") { Ok(()) } else { Err(answer.status) }
        });
        let vod = Recording::of_rendition(playlist, &self.broadcast.id, "main");
        vod.assert_is(name, recorded);
        self.assert_recorded(recorded);
        let in_hot = segment_files(&self.fleet.s3.bucket_dir()).len();
        assert_eq!(in_hot, recorded.len(), "{name}: segments in the hot store");
        let (film, seen) = (Frames::of_file(&self.source.file()), Frames::of_segments(&vod.segments));
        let missing = film.missing_in(&seen).unwrap_or_else(|wrong| panic!("{name}: {wrong}"));
        let lost_max = self.kills.frames_max(film.count() as f64 / f64::from(self.source.seconds));
        assert!(missing <= lost_max, "{name}: {missing} frames of the source are not in the vod, more than {lost_max}");
        let polls = self.viewers.drain(..).map(|viewer| viewer.judged().len()).sum();
        let took = self.began.time();
        Summary { segments: recorded.len(), frames: seen.count(), frames_missing: missing, polls, took }
    }
}

impl Kills {
    /// How many frames may be lost, each time what the encoder had on its way: what it kept while there was no publisher,
    /// and the segment after it.
    fn frames_max(&self, frames_per_s: f64) -> usize {
        let seconds = (self.away_max + CUT_MAX).as_secs_f64();
        self.count * (seconds * frames_per_s) as usize
    }
}

/// What was judged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    pub segments: usize,
    pub frames: usize,
    /// Frames of the source that nobody has recorded.
    pub frames_missing: usize,
    /// How often viewers looked.
    pub polls: usize,
    pub took: Duration,
}
