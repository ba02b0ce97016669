//! A publisher: a spool that is a recorder, an uplink, and somebody who records.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use broadcast::{BroadcastId, Claims, Opened, RenditionName, Scope, Seq, ViewPolicy};
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use metadata::{Broadcasts, Limits, Metadata, MetadataError, Sqlite, SqliteError};
use prometheus::Registry;
use publisher::{Address, HttpRemote, RecorderUrl, SegmentName, Status, Uplink, UplinkConfig, UplinkError};
use recorder::{Recorder, RecorderConfig};
use service::{Clock, Random, Tasks};
use storage::{Crash, Kept};
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::Instant;
use tower::ServiceExt;

use crate::camera::{Epoch, Form, Made};
use crate::captured::Lives;
use crate::dice::Dice;
use crate::network::{Link, Network};
use crate::node::{Nodes, OWNER_KEY, open_store, token_key};
use crate::truth::{Place, Truth};

/// One publisher and its broadcast.
#[derive(Debug)]
pub(crate) struct Phone {
    pub(crate) id: BroadcastId,
    pub(crate) dir: PathBuf,
    pub(crate) disk: Crash,
    pub(crate) clock: Clock,
    pub(crate) random: Random,
    pub(crate) dice: Dice,
    pub(crate) link: Link,
    pub(crate) nodes: Nodes,
    pub(crate) truth: Truth,
    /// Of the world.
    pub(crate) tasks: Tasks,
    pub(crate) habits: Habits,
    pub(crate) form: Form,
    /// How many timelines and formats there have been.
    pub(crate) epochs: AtomicU64,
    pub(crate) lives: Lives,
    /// Somebody kills the app, or the battery is empty.
    pub(crate) killed: Notify,
}

/// How somebody records.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Habits {
    pub(crate) segment_ms: u64,
    pub(crate) until: Instant,
    /// How many of a thousand segments are followed by a pause, by an encoder that starts again, by another format, and
    /// are shorter than the others.
    pub(crate) pauses: u64,
    pub(crate) resets: u64,
    pub(crate) formats: u64,
    pub(crate) short: u64,
    /// How much of what is safe stays on the phone, in bytes.
    pub(crate) keep_bytes: u64,
}

/// One run of the app.
struct Life {
    tasks: Tasks,
    router: Router,
    token: String,
    uplink: oneshot::Receiver<Result<(), UplinkError>>,
    status: watch::Receiver<Status>,
}

impl Phone {
    /// Records and sends, through all that befalls it, until all is safe.
    pub(crate) async fn live(&self) {
        loop {
            let mut life = self.start().await;
            self.lives.begins();
            let crashed = async {
                tokio::select! {
                    biased;
                    () = self.killed.notified() => {}
                    () = self.power_is_gone() => {}
                }
            };
            tokio::select! {
                biased;
                done = self.work(&mut life) => match done {
                    Some(()) => return self.end(life).await,
                    None => self.power_is_gone().await,
                },
                () = crashed => {}
            }
            self.end(life).await;
            self.lives.is_cut_short();
            let kept = [Kept::Everything, Kept::Names, Kept::Nothing][self.dice.index(3)];
            self.truth.note(&format_args!("phone {} stops, its disk keeps {kept:?}", self.id));
            self.disk.power_back(kept);
            tokio::time::sleep(Duration::from_millis(self.dice.between(100, 60_000))).await;
        }
    }

    /// How much it records.
    pub(crate) fn bytes_per_s(&self) -> u64 {
        let len = self.form.segment(self.form.epoch(0), 0, self.habits.segment_ms, 0).bytes.len() as u64;
        len * self.form.renditions.len() as u64 * 1_000 / self.habits.segment_ms
    }

    async fn power_is_gone(&self) {
        while !self.disk.crashed() {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    async fn end(&self, life: Life) {
        let Life { tasks, router, uplink, .. } = life;
        tasks.abort();
        drop((router, uplink));
        tasks.shutdown().await;
    }

    async fn start(&self) -> Life {
        let tasks = Tasks::new();
        let store = open_store(&self.disk, &self.dir).await;
        let metadata = self.open_log().await;
        let deps = recorder::Deps {
            broadcasts: Broadcasts::new(metadata.clone(), tasks.clone(), self.clock.clone()),
            store: store.clone(),
            hot: None,
            others: None,
            clock: self.clock.clone(),
            random: self.random.clone(),
            tasks: tasks.clone(),
            registry: &Registry::new(),
            tokens: token_key(),
            owner_key: OWNER_KEY.parse().expect("a key"),
            public_url: None,
        };
        let recorder = Recorder::build(RecorderConfig::default(), deps).expect("a registry of its own");
        // Without power, the next life looks again.
        let _ = recorder.scan().await;
        let token = token_key().sign(&Claims { sub: self.id, scope: Scope::Publish, exp: None });
        let address = Address {
            server: RecorderUrl(format!("http://{}", self.nodes.all()[0].name)),
            broadcast: self.id,
            token: token.clone(),
        };
        let network = Network {
            link: self.link.clone(),
            nodes: self.nodes.clone(),
            dice: self.dice.fork(),
            tasks: self.tasks.clone(),
        };
        let mut recorders: Vec<_> = self.nodes.first_urls().into_iter().map(RecorderUrl).collect();
        let first = self.dice.index(recorders.len());
        recorders.rotate_left(first);
        // An earlier life has kept their names, if there was one.
        let names = self.nodes.all().iter().map(|node| RecorderUrl(format!("http://{}", node.name)));
        let remembered = if self.epochs.load(Ordering::SeqCst) > 0 { names.collect() } else { Vec::new() };
        let deps = publisher::Deps {
            metadata,
            store,
            remote: Arc::new(HttpRemote::over(Arc::new(network), address)),
            recorders,
            remembered,
            clock: self.clock.clone(),
            random: self.random.clone(),
        };
        let config = UplinkConfig { keep_bytes: self.habits.keep_bytes, ..UplinkConfig::default() };
        let uplink = Uplink::new(self.id, deps, config).await.expect("the local log is one");
        let (status, (tell, told)) = (uplink.status(), oneshot::channel());
        tasks.spawn("uplink", async move {
            let _ = tell.send(uplink.run().await);
        });
        Life { tasks, router: recorder.router(), token, uplink: told, status }
    }

    async fn open_log(&self) -> Arc<Sqlite> {
        let path = self.dir.join("metadata.sqlite");
        let sqlite = loop {
            match Sqlite::open(&path, Limits::default(), self.clock.clone()).await {
                Ok(sqlite) => break Arc::new(sqlite),
                Err(SqliteError::InUse { .. }) => tokio::time::sleep(Duration::from_millis(1)).await,
                Err(error) => panic!("cannot open {}: {error}", path.display()),
            }
        };
        let opened =
            Opened { title: String::new(), target_duration: None, policy: ViewPolicy::default(), stored_is_safe: true };
        match sqlite.open(self.id, &opened).await {
            Ok(_) | Err(MetadataError::AlreadyOpened { .. }) => sqlite,
            Err(error) => panic!("cannot open the log of the spool: {error}"),
        }
    }

    /// To the end of the recording, and until the uplink is done; nothing, if the disk fails.
    async fn work(&self, life: &mut Life) -> Option<()> {
        let status = self.ask(life, Method::GET, "", Body::empty()).await?;
        let ended = matches!(status["state"].as_str(), Some("ended" | "complete"));
        if !ended {
            let next = self.go_on_together(life, &status).await?;
            self.record(life, next).await?;
            self.say(life, "end").await?;
        }
        match (&mut life.uplink).await {
            Ok(Ok(())) => Some(()),
            Ok(Err(error)) => {
                self.truth.violated(format!("the uplink of {} gave up: {error}", self.id));
                Some(())
            }
            Err(_) => {
                self.truth.violated(format!("the uplink of {} is gone", self.id));
                Some(())
            }
        }
    }

    /// The number that all renditions go on with. What the end of the last life kept from some of them was never made.
    async fn go_on_together(&self, life: &Life, status: &serde_json::Value) -> Option<Seq> {
        let nexts = self.form.renditions.iter().map(|rendition| {
            let stored = status["renditions"][rendition.as_str()]["stored"].as_array();
            stored.and_then(|ranges| ranges.last()?[1].as_u64()).map_or(0, |last| last + 1)
        });
        let nexts: Vec<u64> = nexts.collect();
        let next = nexts.iter().copied().max().unwrap_or(0);
        for (rendition, first) in self.form.renditions.iter().zip(nexts).filter(|(_, first)| *first < next) {
            let gone = serde_json::json!({"rendition": rendition.as_str(), "first": first, "last": next - 1});
            self.post(life, "abandon", Body::from(gone.to_string())).await?;
        }
        Some(Seq(next))
    }

    /// Until it has recorded enough, or has heard that its owner has ended it.
    async fn record(&self, life: &Life, mut seq: Seq) -> Option<()> {
        // After a pause that a crash fell into.
        self.say(life, "resume").await?;
        let mut epoch = self.form.epoch(self.epochs.fetch_add(1, Ordering::SeqCst));
        let mut began = self.clock.instant();
        self.announce(life, epoch).await?;
        while self.clock.instant() < self.habits.until && !life.status.borrow().ended_by_owner {
            if self.dice.chance(self.habits.pauses) {
                self.say(life, "pause").await?;
                let pause = Duration::from_millis(self.dice.between(1_000, 60_000));
                tokio::time::sleep(pause).await;
                // Timestamps go on, or stand still meanwhile.
                began += if self.dice.chance(500) { pause } else { Duration::ZERO };
                self.say(life, "resume").await?;
            }
            if self.dice.chance(self.habits.resets) {
                epoch = self.form.epoch(self.epochs.fetch_add(1, Ordering::SeqCst));
                began = self.clock.instant();
                self.announce(life, epoch).await?;
            } else if self.form.init(epoch).is_some() && self.dice.chance(self.habits.formats) {
                epoch = epoch.reformatted(self.epochs.fetch_add(1, Ordering::SeqCst));
                self.announce(life, epoch).await?;
            }
            let after = self.clock.instant().duration_since(began);
            self.capture(life, epoch, after, seq).await?;
            seq = seq.next();
        }
        Some(())
    }

    /// Says what it takes to decode what comes.
    async fn announce(&self, life: &Life, epoch: Epoch) -> Option<()> {
        let Some(init) = self.form.init(epoch) else { return Some(()) };
        for rendition in &self.form.renditions {
            let request = self.request(life, rendition, "init.mp4");
            self.put(life, request.body(Body::from(init.bytes.clone())).expect("a request")).await?;
        }
        Some(())
    }

    /// Records one segment of each rendition.
    async fn capture(&self, life: &Life, epoch: Epoch, after: Duration, seq: Seq) -> Option<()> {
        let length = self.habits.segment_ms;
        let duration_ms =
            if self.dice.chance(self.habits.short) { self.dice.between(60, length / 4) * 4 } else { length };
        tokio::time::sleep(Duration::from_millis(duration_ms)).await;
        let after_ms = u64::try_from(after.as_millis()).expect("a world is not that old");
        // Whatever its clock said when the recording of it began.
        let captured_ms = self.clock.now_ms() - duration_ms.cast_signed();
        let captured = self.clock.instant() - Duration::from_millis(duration_ms);
        for rendition in &self.form.renditions {
            let Made { bytes, digest } = self.form.segment(epoch, after_ms, duration_ms, self.dice.roll());
            let (media_ms, duration_ms) = (after_ms.cast_signed(), duration_ms.cast_signed());
            self.truth.made(self.id, digest, Place { epoch: epoch.number, media_ms, duration_ms });
            let request = self.request(life, rendition, &format!("{seq}.{}", self.form.container.extension()));
            let request = request.header("segment-captured-at", captured_ms).body(Body::from(bytes));
            self.put(life, request.expect("a request")).await?;
            self.truth.recorded(self.id, SegmentName { rendition: rendition.clone(), seq }, digest, captured);
        }
        Some(())
    }

    fn request(&self, life: &Life, rendition: &RenditionName, file: &str) -> http::request::Builder {
        let path = format!("/ingest/{}/{rendition}/{file}", self.id);
        Request::put(path).header("authorization", format!("Bearer {}", life.token))
    }

    async fn put(&self, life: &Life, request: Request<Body>) -> Option<()> {
        let path = request.uri().path().to_owned();
        let (status, answer) = send(life, request).await;
        if !status.is_success() && !self.disk.crashed() {
            self.truth.violated(format!("the spool refused {path}: {status} {answer}"));
        }
        // Without power, whether it was recorded will be seen.
        (status.is_success() && !self.disk.crashed()).then_some(())
    }

    async fn say(&self, life: &Life, what: &str) -> Option<()> {
        self.post(life, what, Body::empty()).await
    }

    async fn post(&self, life: &Life, what: &str, body: Body) -> Option<()> {
        let request = Request::post(format!("/v1/broadcasts/{}/{what}", self.id))
            .header("authorization", format!("Bearer {}", life.token))
            .body(body)
            .expect("a request");
        let (status, answer) = send(life, request).await;
        if !status.is_success() {
            self.truth.violated(format!("the spool of {} refused {what}: {status} {answer}", self.id));
        }
        (!self.disk.crashed()).then_some(())
    }

    async fn ask(&self, life: &Life, method: Method, path: &str, body: Body) -> Option<serde_json::Value> {
        let request = Request::builder().method(method).uri(format!("/ingest/{}{path}", self.id));
        let request = request.header("authorization", format!("Bearer {}", life.token)).body(body).expect("a request");
        let (status, answer) = send(life, request).await;
        status.is_success().then_some(answer)
    }
}

async fn send(life: &Life, request: Request<Body>) -> (StatusCode, serde_json::Value) {
    let response = life.router.clone().oneshot(request).await.unwrap_or_else(|never| match never {});
    let (head, body) = response.into_parts();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    (head.status, serde_json::from_slice(&body).unwrap_or_default())
}
