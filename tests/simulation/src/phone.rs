//! A publisher: a spool that is a recorder, an uplink, and somebody who records.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use broadcast::{BroadcastId, Claims, Digest, Opened, Scope, Seq, ViewPolicy};
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use metadata::{Broadcasts, Limits, Metadata, MetadataError, Sqlite, SqliteError};
use prometheus::Registry;
use publisher::{Address, HttpRemote, RecorderUrl, Uplink, UplinkConfig, UplinkError};
use recorder::{Recorder, RecorderConfig};
use service::{Clock, Random, Tasks};
use storage::{Crash, Kept};
use tokio::sync::{Notify, oneshot};
use tower::ServiceExt;

use crate::dice::Dice;
use crate::network::{Link, Network};
use crate::node::{Nodes, OWNER_KEY, open_store, token_key};
use crate::truth::Truth;

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
    /// Somebody kills the app, or the battery is empty.
    pub(crate) killed: Notify,
}

/// How somebody records.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Habits {
    pub(crate) segment_ms: u64,
    pub(crate) padding_packets: usize,
    /// By the phone's clock.
    pub(crate) until_ms: i64,
    /// How many of a thousand segments are followed by a pause.
    pub(crate) pauses: u64,
    /// How much of what is safe stays on the phone, in bytes.
    pub(crate) keep_bytes: u64,
}

/// One run of the app.
struct Life {
    tasks: Tasks,
    router: Router,
    token: String,
    uplink: oneshot::Receiver<Result<(), UplinkError>>,
}

impl Phone {
    /// Records and sends, through all that befalls it, until all is safe.
    pub(crate) async fn live(&self) {
        loop {
            let mut life = self.start().await;
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
            let kept = [Kept::Everything, Kept::Names, Kept::Nothing][self.dice.index(3)];
            self.truth.note(&format_args!("phone {} stops, its disk keeps {kept:?}", self.id));
            self.disk.power_back(kept);
            tokio::time::sleep(Duration::from_millis(self.dice.between(100, 60_000))).await;
        }
    }

    /// How much it records.
    pub(crate) fn bytes_per_s(&self) -> u64 {
        let len = testkit::ts::segment(0, self.habits.segment_ms, 0, self.habits.padding_packets).len() as u64;
        len * 1_000 / self.habits.segment_ms
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
        let mut recorders: Vec<_> =
            self.nodes.all().iter().map(|node| RecorderUrl(format!("http://{}", node.name))).collect();
        let first = self.dice.index(recorders.len());
        recorders.rotate_left(first);
        let deps = publisher::Deps {
            metadata,
            store,
            remote: Arc::new(HttpRemote::over(Arc::new(network), address)),
            recorders,
            remembered: Vec::new(),
            clock: self.clock.clone(),
            random: self.random.clone(),
        };
        let config = UplinkConfig { keep_bytes: self.habits.keep_bytes, ..UplinkConfig::default() };
        let uplink = Uplink::new(self.id, deps, config).await.expect("the local log is one");
        let (tell, told) = oneshot::channel();
        tasks.spawn("uplink", async move {
            let _ = tell.send(uplink.run().await);
        });
        Life { tasks, router: recorder.router(), token, uplink: told }
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
            let stored =
                status["renditions"]["main"]["stored"].as_array().and_then(|ranges| ranges.last()?[1].as_u64());
            self.record(life, Seq(stored.map_or(0, |last| last + 1))).await?;
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

    async fn record(&self, life: &Life, mut seq: Seq) -> Option<()> {
        // After a pause that a crash fell into.
        self.say(life, "resume").await?;
        while self.clock.now_ms() < self.habits.until_ms {
            if self.dice.chance(self.habits.pauses) {
                self.say(life, "pause").await?;
                tokio::time::sleep(Duration::from_millis(self.dice.between(1_000, 60_000))).await;
                self.say(life, "resume").await?;
            }
            let captured_ms = self.clock.now_ms();
            tokio::time::sleep(Duration::from_millis(self.habits.segment_ms)).await;
            let start_ms = captured_ms.cast_unsigned() % 1_000_000_000;
            let mark = self.dice.roll();
            let bytes: Bytes =
                testkit::ts::segment(start_ms, self.habits.segment_ms, mark, self.habits.padding_packets).into();
            let digest = Digest::of_blake3(blake3::hash(&bytes).as_bytes());
            self.put(life, seq, captured_ms, bytes).await?;
            self.truth.recorded(self.id, seq, digest);
            seq = seq.next();
        }
        Some(())
    }

    async fn put(&self, life: &Life, seq: Seq, captured_ms: i64, bytes: Bytes) -> Option<()> {
        let request = Request::put(format!("/ingest/{}/main/{seq}.ts", self.id))
            .header("authorization", format!("Bearer {}", life.token))
            .header("segment-captured-at", captured_ms)
            .body(Body::from(bytes))
            .expect("a request");
        let (status, answer) = send(life, request).await;
        if !status.is_success() && !self.disk.crashed() {
            self.truth.violated(format!("the spool of {} refused segment {seq}: {status} {answer}", self.id));
        }
        // Without power, whether it was recorded will be seen.
        (status.is_success() && !self.disk.crashed()).then_some(())
    }

    async fn say(&self, life: &Life, what: &str) -> Option<()> {
        let request = Request::post(format!("/v1/broadcasts/{}/{what}", self.id))
            .header("authorization", format!("Bearer {OWNER_KEY}"))
            .body(Body::empty())
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
