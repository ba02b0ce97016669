//! A recorder on a machine of its own, and all of them together.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use broadcast::TokenKey;
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::BodyExt;
use metadata::Broadcasts;
use prometheus::Registry;
use recorder::{Deps, Recorder, RecorderConfig, ScanError};
use service::{Clock, Random, Tasks};
use storage::{Crash, Kept, LocalStore, OpenError, StorageConfig, Store};
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;
use tower::ServiceExt;

use crate::balancing::BALANCER;
use crate::dice::Dice;
use crate::hot::HotStore;
use crate::network::lock;
use crate::pusher::Sent;
use crate::reach::others;
use crate::signal::Away;
use crate::store::SharedStore;
use crate::truth::Truth;

/// What every machine has free, whatever the one that simulates has.
pub(crate) const DISK_FREE: u64 = 1 << 40;
pub(crate) const OWNER_KEY: &str = "the-owner-of-the-simulation";
/// How long to wait before a store that is away is looked for again.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

pub(crate) fn token_key() -> TokenKey {
    TokenKey::new(&[7; 32])
}

/// A directory that a crashed process has let go of.
pub(crate) async fn open_store(crash: &Crash, dir: &std::path::Path) -> LocalStore {
    let config = StorageConfig { reserve: 0, ..StorageConfig::default() };
    loop {
        match LocalStore::open_on_failing_disk(crash.clone(), DISK_FREE, dir, config.clone()).await {
            Ok(store) => return store,
            Err(_) if crash.crashed() => {
                tokio::time::sleep(LOOK_AGAIN).await;
                crash.power_back(Kept::Nothing);
            }
            // What it was doing ends when it is next looked at.
            Err(OpenError::Locked { .. }) => tokio::time::sleep(Duration::from_millis(1)).await,
            Err(error) => panic!("cannot open {}: {error}", dir.display()),
        }
    }
}

/// One machine with a recorder on it.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) dir: PathBuf,
    pub(crate) disk: Crash,
    pub(crate) clock: Clock,
    /// How wrong it is.
    pub(crate) skew_ms: AtomicI64,
    pub(crate) random: Random,
    pub(crate) metadata: Arc<SharedStore>,
    pub(crate) hot: Option<Arc<HotStore>>,
    pub(crate) config: RecorderConfig,
    pub(crate) life: Mutex<Option<Life>>,
    /// Something on its disk.
    pub(crate) unreadable: Away,
    /// Somebody kills the process.
    pub(crate) killed: Notify,
    /// How many times the process has ended.
    pub(crate) crashes: AtomicU64,
    /// Whether its disk goes too the next time that it does.
    pub(crate) loses_disk: AtomicBool,
}

/// One run of its process.
#[derive(Clone, Debug)]
pub(crate) struct Life {
    tasks: Tasks,
    router: Option<(Router, Instant)>,
}

impl Node {
    /// Starts the process: it serves once it has looked through its store.
    pub(crate) async fn start(&self, nodes: &Nodes, dice: &Dice) {
        let tasks = Tasks::new();
        *lock(&self.life) = Some(Life { tasks: tasks.clone(), router: None });
        let store = open_store(&self.disk, &self.dir).await;
        let deps = Deps {
            broadcasts: Broadcasts::new(self.metadata.clone(), tasks.clone(), self.clock.clone()),
            store,
            hot: self.hot.clone().map(|hot| hot as Arc<dyn Store>),
            others: Some(Arc::new(others(nodes, Some(&self.name), &self.metadata, self.clock.clone(), dice.fork()))),
            clock: self.clock.clone(),
            random: self.random.clone(),
            tasks: tasks.clone(),
            registry: &Registry::new(),
            tokens: token_key(),
            owner_key: OWNER_KEY.parse().expect("a key"),
            public_url: None,
        };
        let recorder = Recorder::build(self.config.clone(), deps).expect("a registry of its own");
        loop {
            match recorder.scan().await {
                Ok(_) => break,
                Err(ScanError::Metadata(error)) if error.is_retryable() => tokio::time::sleep(LOOK_AGAIN).await,
                // The power went while it looked.
                Err(_) if self.disk.crashed() => return,
                Err(error) => panic!("cannot look through {}: {error}", self.dir.display()),
            }
        }
        recorder.start();
        if let Some(life) = &mut *lock(&self.life) {
            life.router = Some((recorder.router(), self.clock.instant()));
        }
    }

    /// The process is gone. What the disk was not told to keep may be gone too.
    pub(crate) async fn crash(&self, kept: Kept) {
        self.crashes.fetch_add(1, Ordering::SeqCst);
        let life = lock(&self.life).take();
        if let Some(Life { tasks, router }) = life {
            tasks.abort();
            drop(router);
            tasks.shutdown().await;
        }
        self.disk.power_back(kept);
    }

    pub(crate) async fn power_is_gone(&self) {
        while !self.disk.crashed() {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    /// The machine is gone for good, with its disk, and another takes its place.
    pub(crate) fn lose_disk(&self) {
        // What is left of a directory that somebody writes to is of no use to anybody.
        let _ = std::fs::remove_dir_all(&self.dir);
    }

    /// Makes its clock wrong by so much; by how much that moves it.
    pub(crate) fn set_clock(&self, skew_ms: i64) -> i64 {
        let by_ms = skew_ms - self.skew_ms.swap(skew_ms, Ordering::SeqCst);
        self.clock.set_by_ms(by_ms);
        by_ms
    }

    /// Since when it answers, if it does.
    pub(crate) fn serving_since(&self) -> Option<Instant> {
        let since = lock(&self.life).as_ref()?.router.as_ref()?.1;
        (!self.disk.crashed()).then_some(since)
    }

    /// Whether it answers, and can do what it is asked to.
    pub(crate) fn is_well(&self) -> bool {
        let reaches_hot = self.hot.as_ref().is_none_or(|hot| !hot.away.is());
        self.serving_since().is_some() && !self.disk.is_full() && !self.unreadable.is() && reaches_hot
    }

    fn life(&self) -> Option<(Tasks, Router)> {
        let life = lock(&self.life).clone()?;
        Some((life.tasks, life.router?.0))
    }
}

/// Somebody who answers.
struct Served {
    tasks: Tasks,
    router: Router,
    disk: Crash,
}

/// All machines.
#[derive(Clone, Debug)]
pub(crate) struct Nodes {
    all: Arc<Vec<Arc<Node>>>,
    /// Whoever tells publishers where to send, if there is somebody, and whether it can be reached.
    balancer: Arc<Mutex<Option<(Tasks, Router)>>>,
    pub(crate) balancer_away: Away,
    truth: Truth,
    dice: Dice,
}

impl Nodes {
    pub(crate) fn new(all: Vec<Arc<Node>>, truth: Truth, dice: Dice) -> Self {
        Self { all: Arc::new(all), balancer: Arc::default(), balancer_away: Away::default(), truth, dice }
    }

    /// The same, by other dice.
    pub(crate) fn with_dice(&self, dice: Dice) -> Self {
        Self { dice, ..self.clone() }
    }

    pub(crate) fn all(&self) -> &[Arc<Node>] {
        &self.all
    }

    pub(crate) fn any(&self, dice: &Dice) -> String {
        self.all[dice.index(self.all.len())].name.clone()
    }

    pub(crate) fn add_balancer(&self, tasks: Tasks, router: Router) {
        *lock(&self.balancer) = Some((tasks, router));
    }

    /// Nobody serves any more. Who serves knows of all machines, and so of itself: its files would stay open.
    pub(crate) fn let_go(&self) {
        for node in self.all.iter() {
            lock(&node.life).take();
        }
        lock(&self.balancer).take();
    }

    /// Where publishers are told to begin.
    pub(crate) fn first_urls(&self) -> Vec<String> {
        let names = self.all.iter().map(|node| node.name.as_str());
        let names: Vec<&str> = if lock(&self.balancer).is_some() { vec![BALANCER] } else { names.collect() };
        names.into_iter().map(|name| format!("http://{name}")).collect()
    }

    fn whom(&self, host: &str) -> Option<Served> {
        if host == BALANCER {
            let (tasks, router) = lock(&self.balancer).clone().filter(|_| !self.balancer_away.is())?;
            return Some(Served { tasks, router, disk: Crash::default() });
        }
        let node = self.all.iter().find(|node| node.name == host)?;
        let (tasks, router) = node.life()?;
        Some(Served { tasks, router, disk: node.disk.clone() })
    }

    /// Gives a request to a machine; nothing, if no process answers there. The answer does not come if the process
    /// ends before it.
    pub(crate) fn serve(&self, host: &str, mut request: Request<Body>) -> Option<oneshot::Receiver<Response<Bytes>>> {
        let Served { tasks, router, disk } = self.whom(host)?;
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 1))));
        let (mut tell, told) = oneshot::channel();
        let (truth, notices) = (self.truth.clone(), self.dice.chance(500));
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let (pushed, by) = (request.extensions_mut().remove::<Sent>(), host.to_owned());
        tasks.spawn("request", async move {
            let answer = async {
                let response = router.oneshot(request).await.unwrap_or_else(|never| match never {});
                let (head, body) = response.into_parts();
                let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
                Response::from_parts(head, body)
            };
            // A server may notice that its client has gone, or not.
            let answer = tokio::select! {
                biased;
                answer = answer => answer,
                () = tell.closed(), if notices => return,
            };
            // A machine without power says nothing.
            if disk.crashed() {
                return;
            }
            if let Some(sent) = pushed {
                truth.answered_push(sent, &by, answer.status());
            } else if method == Method::PUT {
                truth.answered(&path, answer.status(), answer.body());
            }
            let _ = tell.send(answer);
        });
        Some(told)
    }
}
