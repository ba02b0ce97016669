//! The spool: a recorder on this machine for one broadcast, in a directory of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use axum::Router;
use axum::body::Body;
use broadcast::{BroadcastId, Claims, Opened, Scope, ViewPolicy};
use http::Request;
use metadata::{Broadcasts, LIST_MAX, Limits, Metadata, MetadataError, Sqlite};
use prometheus::Registry;
use recorder::{Recorder, RecorderConfig};
use service::{Clock, HttpMetrics, OwnerKey, Random, ServeConfig, Tasks, with_problems, with_route_names};
use storage::{LocalStore, StorageConfig};
use tokio::net::TcpListener;
use tower::ServiceExt;

use super::not_kept::{NotKept, note};
use super::recording::Pauses;
use super::{Progress, Typed};
use crate::secrets;

/// A local recorder.
pub(super) struct Spool {
    pub(super) dir: PathBuf,
    pub(super) store: LocalStore,
    pub(super) metadata: Arc<Sqlite>,
    pub(super) id: BroadcastId,
    pub(super) broadcasts: Broadcasts,
    pub(super) router: Router,
    /// What opens the local recorder, and nothing else.
    pub(super) push_token: String,
    pub(super) not_kept: NotKept,
    metrics: HttpMetrics,
    clock: Clock,
    intake: Tasks,
}

/// How long encoders that have ended may leave requests behind: ffmpeg closes its connections without waiting for
/// answers.
const LEFT_BEHIND_MAX: Duration = Duration::from_secs(10);

/// Where encoders on this machine push to.
pub(super) struct LocalUrls {
    pub(super) push_url: String,
    pub(super) youtube_url: String,
}

impl Spool {
    /// Opens or makes the spool in `dir`. What an earlier run left there is part of it.
    pub(super) async fn open(
        dir: &Path,
        id: BroadcastId,
        quota: Option<u64>,
        clock: &Clock,
        random: &Random,
        tasks: &Tasks,
    ) -> anyhow::Result<Self> {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot make the spool {}", dir.display()))?;
        let storage = StorageConfig { quota, ..StorageConfig::default() };
        let store = LocalStore::open(dir, storage).await.with_context(|| format!("the spool {}", dir.display()))?;
        let metadata = Sqlite::open(&dir.join("metadata.sqlite"), Limits::default(), clock.clone()).await;
        let metadata = Arc::new(metadata.with_context(|| format!("the spool {}", dir.display()))?);
        let others = metadata.list(None, LIST_MAX).await.context("the spool's log")?;
        if let Some(other) = others.into_iter().find(|other| *other != id) {
            bail!(
                "the spool {0} holds broadcast {other}, and --to is of broadcast {id}: give another --spool, or send the \
                 rest of the other one first (headwater spool {0} says what is left of it)",
                dir.display()
            );
        }
        let opened =
            Opened { title: String::new(), target_duration: None, policy: ViewPolicy::default(), stored_is_safe: true };
        match metadata.open(id, &opened).await {
            Ok(_) | Err(MetadataError::AlreadyOpened { .. }) => {}
            Err(error) => return Err(error).context("the spool's log"),
        }
        let (token_key, registry) = (secrets::token_key(dir, random)?, Registry::new());
        let push_token = token_key.sign(&Claims { sub: id, scope: Scope::Publish, exp: None });
        let owner_key = secrets::owner_key(dir, random)?.text.parse::<OwnerKey>()?;
        let broadcasts = Broadcasts::new(metadata.clone(), tasks.clone(), clock.clone());
        let deps = recorder::Deps {
            broadcasts: broadcasts.clone(),
            store: store.clone(),
            hot: None,
            others: None,
            clock: clock.clone(),
            random: random.clone(),
            tasks: tasks.clone(),
            registry: &registry,
            tokens: token_key,
            owner_key,
            public_url: None,
        };
        let recorder = Recorder::build(RecorderConfig::default(), deps)?;
        let found = recorder.scan().await.context("cannot look through the spool")?;
        tracing::info!(?found, "looked through the spool");
        recorder.start();
        let router = with_route_names(with_problems(recorder.router()));
        let metrics = HttpMetrics::register(&registry, "relay")?;
        let (dir, clock, intake, not_kept) = (dir.to_owned(), clock.clone(), Tasks::new(), NotKept::default());
        Ok(Self { dir, store, metadata, id, broadcasts, router, push_token, not_kept, metrics, clock, intake })
    }

    /// Takes what encoders push.
    pub(super) async fn serve(&self, listen: SocketAddr) -> anyhow::Result<LocalUrls> {
        let listener = TcpListener::bind(listen).await.with_context(|| {
            format!("cannot listen on {listen} (--listen gives another address; port 0 takes a free one)")
        })?;
        let address = listener.local_addr()?;
        let (limits, metrics) = (ServeConfig::default(), self.metrics.clone());
        let router = self.router.clone().layer(axum::middleware::from_fn_with_state(self.not_kept.clone(), note));
        service::serve(listener, router, limits, metrics, &self.intake, self.clock.clone());
        let token = &self.push_token;
        Ok(LocalUrls {
            push_url: format!("http://{address}/push/{token}/"),
            youtube_url: format!("http://{address}/http_upload_hls?cid={token}&copy=0&file="),
        })
    }

    /// Until all that an encoder has sent before it ended is taken in.
    pub(super) async fn taken_in(&self) {
        let arrived = async {
            while self.metrics.connections_open() > 0 {
                self.clock.sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::select! {
            () = arrived => {}
            () = self.clock.sleep(LEFT_BEHIND_MAX) => {}
        }
    }

    /// Whether the broadcast was ended here.
    pub(super) async fn has_ended(&self) -> anyhow::Result<bool> {
        Ok(self.broadcasts.get(self.id).await?.read().ended().is_some())
    }

    /// How much there is in its log, in events.
    pub(super) async fn log_len(&self) -> anyhow::Result<u64> {
        Ok(self.broadcasts.get(self.id).await?.read().next_index().0)
    }

    /// `pause`, `resume` or `end`: the publisher's word.
    pub(super) async fn say(&self, what: &str) -> anyhow::Result<()> {
        let request = Request::post(format!("/v1/broadcasts/{}/{what}", self.id))
            .header("authorization", format!("Bearer {}", self.push_token))
            .body(Body::empty())?;
        let answer = self.router.clone().oneshot(request).await?;
        if answer.status().is_success() { Ok(()) } else { bail!("cannot {what} the broadcast: {}", answer.status()) }
    }

    /// Does what is typed, until that is `end`.
    pub(super) async fn obey(&self, typed: &mut Typed, mut pauses: Option<Pauses>, progress: &Progress) {
        loop {
            let line = typed.line().await;
            let said = match line.as_str() {
                "end" => return,
                "pause" => self.pause(pauses.as_mut(), progress).await,
                "resume" => self.resume(pauses.as_mut(), progress).await,
                "" => Ok(()),
                other => Err(anyhow::anyhow!("{other:?} is none of pause, resume, end")),
            };
            if let Err(error) = said {
                tracing::warn!("{error:#}");
            }
        }
    }

    /// What was recorded until now belongs before the pause.
    async fn pause(&self, pauses: Option<&mut Pauses>, progress: &Progress) -> anyhow::Result<()> {
        let is_ours = pauses.is_some();
        if let Some(pauses) = pauses {
            pauses.set(true).await;
            self.taken_in().await;
        }
        self.say("pause").await?;
        progress.say(if is_ours {
            "Paused: nothing is recorded until you type resume"
        } else {
            "Paused: viewers are told. Stop your encoder too: what it sends is still recorded and shown"
        });
        Ok(())
    }

    async fn resume(&self, pauses: Option<&mut Pauses>, progress: &Progress) -> anyhow::Result<()> {
        self.say("resume").await?;
        if let Some(pauses) = pauses {
            pauses.set(false).await;
        }
        progress.say("Resumed");
        Ok(())
    }

    /// Those at work are served to their end; no more is taken.
    pub(super) async fn refuse_more(&self) {
        self.intake.shutdown().await;
    }

    /// What was taken is durable.
    pub(super) async fn close(&self) {
        self.metadata.shutdown().await;
    }
}
