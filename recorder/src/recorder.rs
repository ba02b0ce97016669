//! One recorder: what it was given, and its routes.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::routing::{get, post, put};
use broadcast::{BroadcastId, Digest, Key, RenditionName, TokenKey};
use futures_util::FutureExt;
use inspection::KnownInit;
use metadata::{Broadcasts, Followed};
use moka::future::Cache;
use prometheus::Registry;
use service::{Clock, OwnerKey, Problem, ProblemKind, Random, Tasks};
use storage::{LocalStore, Store, Tiers};

use crate::config::RecorderConfig;
use crate::document::Documents;
use crate::ending::Waiting;
use crate::hot::Hot;
use crate::in_flight::InFlight;
use crate::lost::Marks;
use crate::metrics::Metrics;
use crate::portal::Portal;
use crate::push::{Pushers, Strangers};
use crate::uploads::Uploads;
use crate::viewers::Viewers;
use crate::{api, bundle, ingest, problems, push, stored};

/// How many init sections are kept parsed.
const INITS_MAX: u64 = 1024;

/// What a recorder is built from.
#[derive(Debug)]
pub struct Deps<'a> {
    pub broadcasts: Broadcasts,
    pub store: LocalStore,
    /// Where what is stored here becomes safe. Without it, what is stored is.
    pub hot: Option<Arc<dyn Store>>,
    /// What the disks of the other recorders hold, if there are any.
    pub others: Option<Arc<dyn Store>>,
    pub clock: Clock,
    pub random: Random,
    pub tasks: Tasks,
    pub registry: &'a Registry,
    pub tokens: TokenKey,
    pub owner_key: OwnerKey,
    /// Where publishers and viewers reach this installation, such as `https://live.example.org`; without it, what
    /// their requests say.
    pub public_url: Option<String>,
}

/// A recorder. Its tasks are those it was given.
#[derive(Debug)]
pub struct Recorder {
    pub(crate) config: RecorderConfig,
    pub(crate) broadcasts: Broadcasts,
    pub(crate) store: LocalStore,
    /// This disk, then the hot store, then the disks of others.
    pub(crate) tiers: Tiers,
    /// Whether other recorders may have something of the same broadcasts.
    pub(crate) has_others: bool,
    pub(crate) hot: Option<Arc<Hot>>,
    pub(crate) documents: Documents,
    pub(crate) waiting: Waiting,
    pub(crate) marks: Marks,
    pub(crate) in_flight: InFlight,
    pub(crate) clock: Clock,
    pub(crate) random: Random,
    pub(crate) tasks: Tasks,
    pub(crate) metrics: Metrics,
    pub(crate) tokens: TokenKey,
    pub(crate) owner_key: OwnerKey,
    pub(crate) public_url: Option<String>,
    pub(crate) portal: Option<Portal>,
    pub(crate) pushers: Pushers,
    pub(crate) strangers: Strangers,
    pub(crate) uploads: Uploads,
    pub(crate) inits: Cache<(BroadcastId, RenditionName, Digest), Arc<KnownInit>>,
    /// Init sections that the hot store is known to have.
    pub(crate) inits_there: Cache<Key, ()>,
    pub(crate) viewers: OnceLock<Viewers>,
}

impl Recorder {
    pub fn build(config: RecorderConfig, deps: Deps<'_>) -> Result<Arc<Self>, prometheus::Error> {
        let metrics = Metrics::new(deps.registry)?;
        let portal = config.authorize.clone().map(|authorize| {
            let (clock, random, asked) = (deps.clock.clone(), deps.random.clone(), metrics.authorizations.clone());
            Portal::new(authorize, config.node.clone(), clock, random, asked)
        });
        let here: Arc<dyn Store> = Arc::new(deps.store.clone());
        let has_others = deps.others.is_some();
        let tiers = Tiers::new([here].into_iter().chain(deps.hot.clone()).chain(deps.others).collect());
        Ok(Arc::new(Self {
            tiers,
            has_others,
            hot: deps.hot.map(|store| Arc::new(Hot::new(store))),
            documents: Documents::default(),
            waiting: Waiting::default(),
            marks: Marks::default(),
            in_flight: InFlight::default(),
            metrics,
            config,
            broadcasts: deps.broadcasts,
            store: deps.store,
            clock: deps.clock,
            random: deps.random,
            tasks: deps.tasks,
            tokens: deps.tokens,
            owner_key: deps.owner_key,
            public_url: deps.public_url,
            portal,
            pushers: Pushers::default(),
            strangers: Strangers::default(),
            uploads: Uploads::default(),
            inits: Cache::new(INITS_MAX),
            inits_there: Cache::new(INITS_MAX),
            viewers: OnceLock::new(),
        }))
    }

    /// From here on the API tells how many watch. The first one counts.
    pub fn tell_viewers(&self, viewers: Viewers) {
        let _ = self.viewers.set(viewers);
    }

    /// Everything that a publisher, the owner and other nodes ask of a recorder.
    pub fn router(self: &Arc<Self>) -> Router {
        let routes = Router::new()
            .route("/v1/broadcasts", post(api::create).get(api::list))
            .route("/v1/broadcasts/{id}", get(api::show))
            .route("/v1/broadcasts/{id}/publish", get(api::publish))
            .route("/v1/broadcasts/{id}/pause", post(api::pause))
            .route("/v1/broadcasts/{id}/resume", post(api::resume))
            .route("/v1/broadcasts/{id}/end", post(api::end))
            .route("/v1/broadcasts/{id}/abandon", post(api::abandon))
            .route(stored::PATH, get(stored::get))
            .route("/ingest/{id}", get(ingest::status).put(bundle::upload))
            .route("/ingest/{id}/{rendition}/{file}", put(ingest::upload))
            .route("/push/{token}/{*path}", put(push::upload).post(push::upload).delete(push::delete).get(push::get))
            .route("/http_upload_hls", put(push::upload_by_query).post(push::upload_by_query).delete(push::delete));
        routes.with_state(self.clone())
    }

    /// How many uploads are open now.
    pub fn open_uploads(&self) -> usize {
        self.uploads.count()
    }

    /// The time that all recorders agree on, in milliseconds since the Unix epoch: the metadata store's, by which the log
    /// is dated; ours, as long as the store could not be reached at all.
    pub(crate) fn now_ms(&self) -> i64 {
        self.broadcasts.store().time().map_or_else(|| self.clock.now_ms(), |now| now.0)
    }

    /// Does `work` to its end, also if whoever asked for it goes away: a request that is dropped half-way must not take
    /// with it what others were told is safe.
    pub(crate) async fn to_its_end<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Problem>> + Send + 'static,
    ) -> Result<T, Problem> {
        let (tell, told) = tokio::sync::oneshot::channel();
        self.tasks.spawn("finish what a request began", async move {
            // A panic is this request's alone, as it is in a handler.
            let done = AssertUnwindSafe(work).catch_unwind().await;
            drop(tell.send(done.unwrap_or_else(|_| Err(ProblemKind::INTERNAL.detail("the recorder failed")))));
        });
        told.await.unwrap_or_else(|_| Err(ProblemKind::UNAVAILABLE.detail("the recorder is stopping")))
    }

    pub(crate) async fn followed(self: &Arc<Self>, id: BroadcastId) -> Result<Arc<Followed>, Problem> {
        let followed = self.broadcasts.get(id).await.map_err(problems::of_metadata)?;
        self.wait_if_closing(&followed);
        Ok(followed)
    }
}
