//! From a script of what a publisher and its network do to the arrival log that comes of it, and the truth about it.

use std::collections::{BTreeMap, BTreeSet};

use broadcast::{
    CapturedAt, Container, Cut, Digest, Event, EventIndex, Format, FormatId, Init, LastSeq, LogEntry, MediaDuration,
    MediaTime, Millis, Missing, Opened, RenditionName, Segment, Seq, SeqRange, StoreTime,
};

use crate::script::{Before, Closed, Delivery, Fate, Finish, Script};

/// When every recording begins.
pub(crate) const START_MS: i64 = 1_790_000_000_000;
const TICKS_PER_MS: i64 = 90;
const TS_WRAP: i64 = 1 << 33;

/// A log, and what really happened.
pub(crate) struct Recording {
    pub(crate) log: Vec<LogEntry>,
    pub(crate) names: Vec<RenditionName>,
    pub(crate) truth: BTreeMap<(RenditionName, Seq), Truth>,
}

/// What is known of a segment beyond what the log says.
#[derive(Clone, Debug)]
pub(crate) struct Truth {
    pub(crate) segment: Segment,
    /// Counts the breaks of the media timeline.
    pub(crate) epoch: u64,
    /// Its start on the timeline of its epoch, in ticks that never wrap.
    pub(crate) media: i64,
    /// When the store had it, if ever.
    pub(crate) stored_at: Option<StoreTime>,
}

impl Recording {
    pub(crate) fn new(script: &Script) -> Self {
        let mut camera = Camera::new(script);
        script.slots.iter().enumerate().for_each(|(index, _)| camera.record(index));
        camera.finish()
    }

    pub(crate) fn end_at(&self) -> StoreTime {
        self.log.last().expect("a log begins with Opened").at
    }

    /// How many entries there are with a time of at most `at`.
    pub(crate) fn known_at(&self, at: StoreTime) -> usize {
        self.log.partition_point(|entry| entry.at <= at)
    }
}

/// Records slot after slot; all times are in true time since [`START_MS`].
struct Camera<'a> {
    script: &'a Script,
    now_ticks: i64,
    /// Time that the media's timestamps have left out.
    left_out_ticks: i64,
    epoch: u64,
    epoch_ticks: i64,
    clock_ms: i64,
    formats: Vec<u8>,
    outages: Vec<(i64, i64, Delivery)>,
    events: Vec<(i64, Event)>,
    lost: Vec<Segment>,
    truth: BTreeMap<(RenditionName, Seq), Truth>,
}

impl<'a> Camera<'a> {
    fn new(script: &'a Script) -> Self {
        Self {
            script,
            now_ticks: 0,
            left_out_ticks: 0,
            epoch: 0,
            epoch_ticks: 0,
            clock_ms: script.skew_ms,
            formats: vec![1; script.renditions.len()],
            outages: Vec::new(),
            events: Vec::new(),
            lost: Vec::new(),
            truth: BTreeMap::new(),
        }
    }

    fn now_ms(&self) -> i64 {
        self.now_ticks / TICKS_PER_MS
    }

    fn record(&mut self, index: usize) {
        self.before(&self.script.slots[index].before);
        let start = self.now_ticks;
        let end = start + i64::from(self.script.slots[index].ticks);
        for rendition in 0..self.script.renditions.len() {
            // Audio is cut at its own frames, so its boundaries are a little off.
            let shift = |slot: usize| self.script.shift_ticks(rendition, slot);
            let segment = self.segment(index, rendition, start + shift(index), end + shift(index + 1));
            self.send(index, rendition, segment, end / TICKS_PER_MS);
        }
        self.now_ticks = end;
    }

    fn before(&mut self, before: &Before) {
        match before {
            Before::Nothing => {}
            Before::Pause { ms, timestamps_go_on } => {
                let from = self.now_ms();
                self.events.push((from, Event::Paused));
                self.events.push((from + ms, Event::Resumed));
                self.now_ticks += ms * TICKS_PER_MS;
                self.left_out_ticks += if *timestamps_go_on { 0 } else { ms * TICKS_PER_MS };
            }
            Before::Restart { away_ms } => {
                self.now_ticks += away_ms * TICKS_PER_MS;
                self.epoch += 1;
                (self.epoch_ticks, self.left_out_ticks) = (self.now_ticks, 0);
            }
            Before::ClockJump { ms } => self.clock_ms += ms,
            Before::NewFormat => self.formats.iter_mut().for_each(|format| *format += 1),
            Before::Outage { ms, delivery } => {
                let from = self.now_ms();
                self.outages.push((from, from + ms, *delivery));
            }
            Before::EndHint => self.events.push((self.now_ms() + self.script.latency_ms, Event::EndHinted)),
        }
    }

    fn segment(&mut self, index: usize, rendition: usize, start: i64, end: i64) -> Segment {
        let media = start - self.epoch_ticks - self.left_out_ticks;
        // Far from where any earlier timeline can have come to.
        let base = if self.epoch == 0 { self.script.media_base } else { (self.epoch as i64) * 1_000_000_007 };
        let container = self.script.renditions[rendition].container;
        let wrapped = match container {
            Container::Ts => (base + media).rem_euclid(TS_WRAP),
            Container::M4s => base + media,
        };
        let duration = MediaDuration(u32::try_from(end - start).expect("segments are short"));
        let len = u64::from(duration.0 / 90) * 100;
        let cuts = (1..)
            .map(|n| n * self.script.slots[index].cut_every_ms)
            .take_while(|ms| self.script.slots[index].cut_every_ms > 0 && ms * 90 < duration.0);
        let segment = Segment {
            rendition: self.script.name(rendition),
            seq: Seq(index as u64),
            captured_at: CapturedAt(START_MS + start.div_euclid(TICKS_PER_MS) + self.clock_ms),
            duration,
            digest: Digest([index as u8, rendition as u8, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]),
            len,
            container,
            format: FormatId([self.formats[rendition], rendition as u8, 0, 0, 0, 0, 0, 0]),
            media_start: MediaTime(wrapped),
            keyframe_start: self.script.slots[index].keyframe_start,
            cuts: cuts.map(|ms| Cut { offset: u64::from(ms) * 100, after: MediaDuration(ms * 90) }).collect(),
            pushed: None,
        };
        let epoch = self.epoch * 1000 + u64::from(self.formats[rendition]);
        let truth = Truth { segment: segment.clone(), epoch, media, stored_at: None };
        self.truth.insert((segment.rendition.clone(), segment.seq), truth);
        segment
    }

    fn send(&mut self, index: usize, rendition: usize, segment: Segment, end_ms: i64) {
        let at = end_ms + self.script.latency_ms + self.script.jitter_ms(rendition, index);
        match self.script.slots[index].fates[rendition] {
            Fate::Sent => self.events.push((at, Event::Stored(segment))),
            Fate::Late { ms } => self.events.push((at + ms, Event::Stored(segment))),
            Fate::Twice { ms } => {
                self.events.push((at + ms, Event::Stored(segment.clone())));
                self.events.push((at, Event::Stored(segment)));
            }
            Fate::Abandoned { ms } => self.events.push((at + ms, abandoned(&segment))),
            Fate::Lost => self.lost.push(segment),
        }
    }

    fn finish(mut self) -> Recording {
        self.suffer_outages();
        let over = self.events.iter().map(|(at, _)| *at).max().unwrap_or(0).max(self.now_ms());
        let seq = (self.script.slots.len() as u64).checked_sub(1).map(Seq);
        let last = |r, missing| LastSeq { rendition: self.script.name(r), seq, missing };
        let ended =
            |missing| Event::Ended { last: (0..self.script.renditions.len()).map(|r| last(r, missing)).collect() };
        let lost = std::mem::take(&mut self.lost);
        let spaced = |event: fn(Segment) -> Event, from: i64| {
            lost.clone().into_iter().zip(1..).map(move |(segment, n)| (from + n * 137, event(segment)))
        };
        match self.script.finish {
            Finish::Running => {}
            Finish::Ended(missing) => self.events.push((over, ended(missing))),
            Finish::EndedEarly(missing) => self.events.push((self.now_ms(), ended(missing))),
            Finish::EndedFirst => {
                self.events.retain(|(_, event)| !is_word(event));
                self.events.push((-500, ended(Missing::Awaited)));
            }
            Finish::EndedThenRecovered => {
                self.events.push((over, ended(Missing::Awaited)));
                self.events.extend(spaced(Event::Stored, over + 5_000));
            }
            Finish::AbandonedThenEnded => {
                self.events.extend(spaced(|segment| abandoned(&segment), over));
                self.events.push((over + 60_000, ended(Missing::Awaited)));
            }
            Finish::Closed(closed) => self.close(closed, over, lost.clone(), ended),
        }
        self.into_recording()
    }

    /// Its owner ends it after half of it, before the rest has come.
    fn close(&mut self, closed: Closed, over: i64, lost: Vec<Segment>, ended: impl Fn(Missing) -> Event) {
        let said = self.now_ms() / 2;
        self.events.push((said, Event::Closing { grace_ms: 86_400_000 }));
        self.events.retain(|(at, event)| *at < said || !is_word(event));
        let sent = |from: i64| lost.clone().into_iter().zip(1..).map(move |(s, n)| (from + n * 137, Event::Stored(s)));
        match closed {
            Closed::Open => {}
            Closed::SaidThenSent => {
                self.events.push((over, ended(Missing::Awaited)));
                self.events.extend(sent(over + 5_000));
            }
            Closed::SentThenSaid => {
                self.events.extend(sent(over + 5_000));
                self.events.push((over + 60_000, ended(Missing::Awaited)));
            }
            Closed::GivenUp => self.events.push((over, ended(Missing::Abandoned))),
        }
    }

    /// What would have arrived during an outage arrives after it.
    fn suffer_outages(&mut self) {
        for (from, to, delivery) in std::mem::take(&mut self.outages) {
            let caught = |(at, event): &(i64, Event)| (from..to).contains(at) && !matches!(event, Event::Paused);
            let mut held: Vec<(i64, Event)> = self.events.extract_if(.., |event| caught(event)).collect();
            held.sort_by_key(|(at, _)| *at);
            if delivery == Delivery::NewestFirst {
                held.reverse();
            }
            let every = if delivery == Delivery::Trickled { self.script.base_ms * 2 / 3 } else { 50 };
            for ((_, event), n) in held.into_iter().zip(0..) {
                match (delivery, event) {
                    (Delivery::Lost, Event::Stored(segment)) => self.lost.push(segment),
                    (_, event) => self.events.push((to + n * every, event)),
                }
            }
        }
    }

    /// What comes after an end that abandons it is refused, and never in the log.
    fn refuse_abandoned(&mut self) {
        let abandons = |event: &Event| matches!(event, Event::Ended { last } if last.iter().any(|last| last.missing == Missing::Abandoned));
        let Some(end) = self.events.iter().position(|(_, event)| abandons(event)) else { return };
        let stored = |event: &Event| match event {
            Event::Stored(segment) => Some((segment.rendition.clone(), segment.seq)),
            _ => None,
        };
        let before: BTreeSet<_> = self.events[..end].iter().filter_map(|(_, event)| stored(event)).collect();
        let late = self.events.split_off(end);
        let taken = |(_, event): &(i64, Event)| stored(event).is_none_or(|segment| before.contains(&segment));
        self.events.extend(late.into_iter().filter(taken));
    }

    fn into_recording(mut self) -> Recording {
        self.events.sort_by_key(|(at, _)| *at);
        self.refuse_abandoned();
        let opened = Event::Opened(Opened {
            title: "a match".into(),
            target_duration: self.script.target,
            policy: self.script.policy,
            stored_is_safe: true,
        });
        let mut log = vec![(-1_000, opened)];
        let mut announced = BTreeSet::new();
        for (at, event) in self.events {
            if let Event::Stored(segment) = &event {
                if announced.insert((segment.rendition.clone(), segment.format)) {
                    log.push((at, Event::Format(format(segment))));
                }
                let truth = self.truth.get_mut(&(segment.rendition.clone(), segment.seq)).expect("it was recorded");
                truth.stored_at.get_or_insert(StoreTime(START_MS + at));
            }
            log.push((at, event));
        }
        let entry = |(index, (at, event))| LogEntry { index: EventIndex(index), at: StoreTime(START_MS + at), event };
        let names = (0..self.script.renditions.len()).map(|r| self.script.name(r)).collect();
        Recording { log: (0..).zip(log).map(entry).collect(), names, truth: self.truth }
    }
}

/// What is refused of a broadcast that is over.
fn is_word(event: &Event) -> bool {
    matches!(event, Event::Paused | Event::Resumed | Event::EndHinted)
}

fn abandoned(segment: &Segment) -> Event {
    Event::Abandoned { rendition: segment.rendition.clone(), seqs: SeqRange::one(segment.seq) }
}

fn format(segment: &Segment) -> Format {
    let init = Init { digest: Digest([segment.format.0[0]; 16]), len: 700 };
    Format {
        rendition: segment.rendition.clone(),
        id: segment.format,
        container: segment.container,
        codecs: "avc1.64001f,mp4a.40.2".into(),
        resolution: None,
        frame_rate_milli: None,
        init: (segment.container == Container::M4s).then_some(init),
    }
}

/// The distance between two clock readings, in milliseconds.
pub(crate) fn ms_between(earlier: StoreTime, later: StoreTime) -> i64 {
    (later - earlier).0
}

/// `at`, moved by some milliseconds.
pub(crate) fn moved(at: StoreTime, ms: i64) -> StoreTime {
    at + Millis(ms)
}
