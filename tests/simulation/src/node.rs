//! A recorder on a machine of its own, and all of them together.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use broadcast::TokenKey;
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::BodyExt;
use metadata::{Broadcasts, Metadata};
use prometheus::Registry;
use recorder::{Deps, Recorder, RecorderConfig, ScanError};
use service::{Clock, Random, Tasks};
use storage::{Crash, Kept, LocalStore, OpenError, StorageConfig, Store};
use tokio::sync::{Notify, oneshot};
use tower::ServiceExt;

use crate::dice::Dice;
use crate::hot::HotStore;
use crate::network::lock;
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
    pub(crate) random: Random,
    pub(crate) metadata: Arc<dyn Metadata>,
    pub(crate) hot: Option<Arc<HotStore>>,
    pub(crate) config: RecorderConfig,
    pub(crate) life: Mutex<Option<Life>>,
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
    router: Option<Router>,
}

impl Node {
    /// Starts the process: it serves once it has looked through its store.
    pub(crate) async fn start(&self) {
        let tasks = Tasks::new();
        *lock(&self.life) = Some(Life { tasks: tasks.clone(), router: None });
        let store = open_store(&self.disk, &self.dir).await;
        let deps = Deps {
            broadcasts: Broadcasts::new(self.metadata.clone(), tasks.clone(), self.clock.clone()),
            store,
            hot: self.hot.clone().map(|hot| hot as Arc<dyn Store>),
            others: None,
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
            life.router = Some(recorder.router());
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

    fn life(&self) -> Option<(Tasks, Router)> {
        let life = lock(&self.life).clone()?;
        Some((life.tasks, life.router?))
    }
}

/// All machines.
#[derive(Clone, Debug)]
pub(crate) struct Nodes {
    all: Arc<Vec<Arc<Node>>>,
    truth: Truth,
    dice: Dice,
}

impl Nodes {
    pub(crate) fn new(all: Vec<Arc<Node>>, truth: Truth, dice: Dice) -> Self {
        Self { all: Arc::new(all), truth, dice }
    }

    pub(crate) fn all(&self) -> &[Arc<Node>] {
        &self.all
    }

    pub(crate) fn any(&self, dice: &Dice) -> String {
        self.all[dice.index(self.all.len())].name.clone()
    }

    /// Gives a request to a machine; nothing, if no process answers there. The answer does not come if the process
    /// ends before it.
    pub(crate) fn serve(&self, host: &str, request: Request<Body>) -> Option<oneshot::Receiver<Response<Bytes>>> {
        let node = self.all.iter().find(|node| node.name == host)?.clone();
        let (tasks, router) = node.life()?;
        let (mut tell, told) = oneshot::channel();
        let (truth, notices) = (self.truth.clone(), self.dice.chance(500));
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
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
            if node.disk.crashed() {
                return;
            }
            if method == Method::PUT {
                truth.answered(&path, answer.status(), answer.body());
            }
            let _ = tell.send(answer);
        });
        Some(told)
    }
}
