//! A stock HLS pusher, as ffmpeg is one: it sends everything once, in order or over several connections, whatever is answered
//! and whatever becomes of it, to the one address that it was given. It may be killed, and start again with other timestamps,
//! another init section under the same name, and numbers from 0.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use broadcast::{BroadcastId, Claims, Container, Digest, Scope};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::Request;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use publisher::{RequestBody, Transport};
use service::{Clock, Tasks};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::camera::{Epoch, Form, Made};
use crate::dice::Dice;
use crate::network::{Condition, Link, Network, tokio_now};
use crate::node::{Nodes, token_key};
use crate::signal::Signal;
use crate::truth::{Place, Truth};

/// Into how many pieces a segment is cut that is sent while it is encoded.
const PIECES: u64 = 4;
/// How much waits for a connection; what comes then is never sent.
const WAITING_MAX: usize = 40;
/// How long a run lasts at most, in milliseconds, and the pause before the next one.
const RUN_MS_MAX: u64 = 600_000;
const PAUSE_MS_MAX: u64 = 100_000;

/// One pusher and its broadcast.
#[derive(Clone, Debug)]
pub(crate) struct Pusher {
    pub(crate) id: BroadcastId,
    pub(crate) dice: Dice,
    pub(crate) clock: Clock,
    pub(crate) link: Link,
    pub(crate) nodes: Nodes,
    pub(crate) truth: Truth,
    pub(crate) habits: Habits,
    /// There are as many streams as renditions; what these are called is decided where they are received.
    pub(crate) form: Form,
}

/// How it pushes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Habits {
    pub(crate) segment_ms: u64,
    pub(crate) until: Instant,
    /// How many uploads it has open at a time.
    pub(crate) connections: usize,
    pub(crate) sends: Sends,
    pub(crate) names: Names,
    /// How many segments its playlists have at most.
    pub(crate) window: usize,
    /// How long it waits for an answer.
    pub(crate) gives_up: Duration,
    /// How many of a thousand runs close their playlists at the end; the others are killed.
    pub(crate) closes: u64,
    /// How many of a thousand runs are sent elsewhere than the one before.
    pub(crate) moves: u64,
}

/// When a segment's request begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sends {
    /// Once it is whole.
    Whole,
    /// With its first frame.
    AsEncoded,
}

/// What segments are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Names {
    /// By their number, counted from this.
    Numbers { from: u64 },
    /// By the time at which they begin.
    Times,
}

/// What a request carries, for those who look from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) id: BroadcastId,
    pub(crate) run: u64,
    pub(crate) stream: usize,
    pub(crate) what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Init {
        digest: Digest,
    },
    /// The nth one of its run.
    Segment {
        nth: u64,
        digest: Digest,
    },
    Playlist {
        listed: Listed,
    },
    /// A playlist with an end.
    Closed {
        listed: Listed,
    },
}

/// Which segments of its run a playlist lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) from: u64,
    pub(crate) until: u64,
}

impl Sent {
    /// Of a segment or an init section.
    pub(crate) fn digest(&self) -> Option<Digest> {
        match self.what {
            What::Init { digest } | What::Segment { digest, .. } => Some(digest),
            What::Playlist { .. } | What::Closed { .. } => None,
        }
    }
}

/// From its start to its end.
struct Run {
    number: u64,
    host: String,
    epoch: Epoch,
    began: Instant,
    tasks: Tasks,
    connections: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    /// What its playlists list: name and duration of each segment.
    listed: Vec<(String, u64)>,
}

/// A segment of each stream, as it is made.
struct Making {
    nth: u64,
    name: String,
    began: Instant,
    duration_ms: u64,
    made: Vec<Made>,
}

impl Pusher {
    /// Pushes for as long as it is meant to, and waits for what it has on its way.
    pub(crate) async fn live(&self) {
        let mut host = self.nodes.any(&self.dice);
        for number in 0.. {
            if tokio_now() >= self.habits.until {
                return;
            }
            self.run(number, &host).await;
            if self.dice.chance(self.habits.moves) {
                host = self.nodes.any(&self.dice);
            }
            tokio::time::sleep(Duration::from_millis(self.dice.between(0, PAUSE_MS_MAX))).await;
        }
    }

    async fn run(&self, number: u64, host: &str) {
        let lasts = Duration::from_millis(self.dice.between(1_000, RUN_MS_MAX));
        let until = self.habits.until.min(tokio_now() + lasts);
        let closes = self.dice.chance(self.habits.closes);
        let mut run = Run {
            number,
            host: host.to_owned(),
            epoch: self.form.epoch(number),
            began: tokio_now(),
            tasks: Tasks::new(),
            connections: Arc::new(Semaphore::new(self.habits.connections)),
            waiting: Arc::new(Semaphore::new(WAITING_MAX)),
            listed: Vec::new(),
        };
        self.truth.note(&format_args!("pusher {} starts run {number}, to {host}", self.id));
        self.announce(&run);
        if closes {
            while tokio_now() < until {
                self.encode(&mut run).await;
            }
            self.playlists(&run, |listed| What::Closed { listed });
            let all = u32::try_from(WAITING_MAX).expect("a few");
            let _nothing_waits = run.waiting.acquire_many(all).await;
        } else {
            let endless = async {
                loop {
                    self.encode(&mut run).await;
                }
            };
            let _ = tokio::time::timeout_at(until, endless).await;
        }
        self.truth.note(&format_args!("pusher {} ends run {number}, closed: {closes}", self.id));
        run.tasks.abort();
        run.tasks.shutdown().await;
    }

    /// What it sends before anything else.
    fn announce(&self, run: &Run) {
        if self.form.renditions.len() > 1 {
            let mut text = "#EXTM3U\n".to_owned();
            for stream in 0..self.form.renditions.len() {
                let _ = write!(text, "#EXT-X-STREAM-INF:BANDWIDTH=1000\n{}\n", self.path(stream, "out.m3u8"));
            }
            self.send(run, "master.m3u8", (0, What::Playlist { listed: Listed::default() }), whole(text.into()));
        }
        let Some(init) = self.form.init(run.epoch) else { return };
        for stream in 0..self.form.renditions.len() {
            self.send(
                run,
                &self.path(stream, "init.mp4"),
                (stream, What::Init { digest: init.digest }),
                whole(init.bytes.clone()),
            );
        }
    }

    /// One segment of each stream, and the playlists that list them.
    async fn encode(&self, run: &mut Run) {
        let began = tokio_now();
        let duration_ms = if self.dice.chance(30) {
            self.dice.between(60, self.habits.segment_ms / 4) * 4
        } else {
            self.habits.segment_ms
        };
        let after_ms = u64::try_from(began.duration_since(run.began).as_millis()).expect("a world is not that old");
        let nth = run.listed.len() as u64;
        let made = self.form.renditions.iter().map(|_| {
            let made = self.form.segment(run.epoch, after_ms, duration_ms, self.dice.roll());
            let place =
                Place { epoch: run.number, media_ms: after_ms.cast_signed(), duration_ms: duration_ms.cast_signed() };
            self.truth.made(self.id, made.digest, place);
            made
        });
        let made = made.collect();
        let digits = match self.habits.names {
            Names::Numbers { from } => nth + from,
            Names::Times => self.clock.now_ms().unsigned_abs(),
        };
        let name = format!("out{digits}.{}", self.form.container.extension());
        let making = Making { nth, name, began, duration_ms, made };
        let sends = self.habits.sends;
        if sends == Sends::AsEncoded {
            self.segments(run, &making);
        }
        tokio::time::sleep_until(began + Duration::from_millis(duration_ms)).await;
        if sends == Sends::Whole {
            self.segments(run, &making);
        }
        run.listed.push((making.name, duration_ms));
        self.playlists(run, |listed| What::Playlist { listed });
    }

    fn segments(&self, run: &Run, making: &Making) {
        for (stream, made) in making.made.iter().enumerate() {
            let body = match self.habits.sends {
                Sends::Whole => whole(made.bytes.clone()),
                Sends::AsEncoded => as_encoded(&made.bytes, making.began, making.duration_ms),
            };
            let what = What::Segment { nth: making.nth, digest: made.digest };
            self.send(run, &self.path(stream, &making.name), (stream, what), body);
        }
    }

    fn playlists(&self, run: &Run, what: impl Fn(Listed) -> What) {
        let until = run.listed.len();
        let from = until.saturating_sub(self.habits.window);
        let what = what(Listed { from: from as u64, until: until as u64 });
        for stream in 0..self.form.renditions.len() {
            let text = self.playlist(from, &run.listed[from..], matches!(what, What::Closed { .. }));
            self.send(run, &self.path(stream, "out.m3u8"), (stream, what), whole(text.into()));
        }
    }

    fn playlist(&self, first: usize, listed: &[(String, u64)], is_closed: bool) -> String {
        let target = self.habits.segment_ms.div_ceil(1_000);
        let mut text =
            format!("#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:{target}\n#EXT-X-MEDIA-SEQUENCE:{first}\n");
        if self.form.container == Container::M4s {
            text += "#EXT-X-MAP:URI=\"init.mp4\"\n";
        }
        for (name, duration_ms) in listed {
            let _ = write!(text, "#EXTINF:{}.{:03},\n{name}\n", duration_ms / 1_000, duration_ms % 1_000);
        }
        if is_closed {
            text += "#EXT-X-ENDLIST\n";
        }
        text
    }

    /// Several streams have a folder each.
    fn path(&self, stream: usize, file: &str) -> String {
        if self.form.renditions.len() > 1 { format!("v{stream}/{file}") } else { file.to_owned() }
    }

    /// Sends it as soon as there is a connection for it, once.
    fn send(&self, run: &Run, path: &str, (stream, what): (usize, What), body: RequestBody) {
        let sent = Sent { id: self.id, run: run.number, stream, what };
        let Ok(waits) = run.waiting.clone().try_acquire_owned() else {
            return self.truth.note(&format_args!("never sent: {sent:?}"));
        };
        let token = token_key().sign(&Claims { sub: self.id, scope: Scope::Publish, exp: None });
        let request = Request::put(format!("http://{}/push/{token}/{path}", run.host)).extension(sent).body(body);
        let request = request.expect("a request");
        let network = Network {
            link: self.link.clone(),
            nodes: self.nodes.clone(),
            dice: self.dice.fork(),
            tasks: run.tasks.clone(),
        };
        let (connections, gives_up, truth) = (run.connections.clone(), self.habits.gives_up, self.truth.clone());
        run.tasks.spawn("an upload", async move {
            let connection = connections.acquire_owned().await.expect("it is never closed");
            let answered = tokio::time::timeout(gives_up, network.send(request)).await;
            if !matches!(answered, Ok(Ok(_))) {
                truth.note(&format_args!("no answer to {sent:?}"));
            }
            drop((connection, waits));
        });
    }

    /// What befalls its way, until all faults are over.
    pub(crate) async fn befall(self, over: Signal<bool>, every_ms: u64) {
        let dice = self.dice.fork();
        let last = async |ms| {
            tokio::select! {
                biased;
                () = over.until(|over| over) => {}
                () = tokio::time::sleep(Duration::from_millis(ms)) => {}
            }
        };
        while !over.get() {
            last(dice.between(1, 4 * every_ms)).await;
            let bad = if dice.chance(500) {
                Condition { up: false, swallows: dice.chance(500), ..Condition::GOOD }
            } else {
                Condition {
                    bytes_per_s: dice.between(200, 20_000),
                    latency_ms: dice.between(10, 2_000),
                    torn: dice.between(0, 200),
                    deaf: dice.between(0, 200),
                    ..Condition::GOOD
                }
            };
            if over.get() {
                return;
            }
            self.truth.note(&format_args!("the way of pusher {} is {bad:?}", self.id));
            self.link.set(|condition| *condition = bad);
            last(dice.between(500, 120_000)).await;
            self.link.set(|condition| *condition = Condition::GOOD);
        }
    }
}

fn whole(bytes: Bytes) -> RequestBody {
    http_body_util::Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

/// A body that comes as it is encoded.
fn as_encoded(bytes: &Bytes, began: Instant, duration_ms: u64) -> RequestBody {
    let len = bytes.len();
    let cut = |nth: u64| len * usize::try_from(nth).expect("few") / usize::try_from(PIECES).expect("few");
    let pieces = (0..PIECES).map(|nth| {
        let piece = bytes.slice(cut(nth)..cut(nth + 1));
        (began + Duration::from_millis(duration_ms * (nth + 1) / PIECES), piece)
    });
    let pieces: Vec<(Instant, Bytes)> = pieces.collect();
    let frames = stream::iter(pieces).then(|(at, piece)| async move {
        tokio::time::sleep_until(at).await;
        Ok(Frame::data(piece))
    });
    StreamBody::new(frames).boxed_unsync()
}
