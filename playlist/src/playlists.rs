//! The playlist server: from a request to its answer.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::routing::any;
use broadcast::{Broadcast, BroadcastId, StoreTime, View};
use metadata::{Broadcasts, Followed, MetadataError};
use prometheus::Registry;
use service::{Clock, Problem, Tasks};
use storage::Store;

use crate::absent::Absent;
use crate::address::List;
use crate::audience::Audience;
use crate::cache::{CacheKey, Coding, Finished, Freshness, PlaylistCache, Sheet};
use crate::config::Config;
use crate::front::Front;
use crate::horizon::{Horizons, Moment};
use crate::metrics::{Kind, Metrics};
use crate::problems::Problems;
use crate::reload::Waiters;
use crate::render::{Absence, render};
use crate::routes::Routes;
use crate::stills::Stills;

/// What a playlist server is given.
#[derive(Debug)]
pub struct Deps<'a> {
    pub broadcasts: Broadcasts,
    /// Where the segments are.
    pub store: Arc<dyn Store>,
    pub clock: Clock,
    pub registry: &'a Registry,
    pub config: Config,
}

/// Everything under `/hls/`, as a router. [`Playlists::before`] costs less. Fails if the registry has these metrics already.
pub fn router(deps: Deps<'_>) -> Result<Router, prometheus::Error> {
    Ok(Playlists::new(deps)?.router())
}

/// A playlist server. Clones share it.
#[derive(Clone, Debug)]
pub struct Playlists(pub(crate) Arc<Server>);

#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) broadcasts: Broadcasts,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Clock,
    pub(crate) config: Config,
    pub(crate) metrics: Metrics,
    pub(crate) problems: Problems,
    pub(crate) routes: Routes,
    pub(crate) waiters: Waiters,
    pub(crate) stills: Stills,
    pub(crate) audience: Audience,
    absent: Absent,
    horizons: Horizons,
    cache: PlaylistCache,
}

impl Playlists {
    pub fn new(deps: Deps<'_>) -> Result<Self, prometheus::Error> {
        let Deps { broadcasts, store, clock, registry, config } = deps;
        let metrics = Metrics::new(registry)?;
        Ok(Self(Arc::new(Server {
            broadcasts,
            store,
            stills: Stills::new(config.stills, metrics.clone(), clock.clone()),
            audience: Audience::new(config.viewers_max, clock.clone(), registry)?,
            metrics,
            problems: Problems { absent_max_age_s: config.absent_max_age_s },
            routes: Routes::new(),
            waiters: Waiters::new(config.waiters_max),
            absent: Absent::new(clock.clone()),
            horizons: Horizons::new(),
            cache: PlaylistCache::new(config.cache_bytes_max),
            clock,
            config,
        })))
    }

    /// Answers everything under `/hls/` and leaves the rest to `router`. Routing and extracting cost a live playlist
    /// about a sixth of what it costs in all; this goes around them.
    pub fn before(self, router: Router) -> Front {
        Front { playlists: self, router }
    }

    /// Who watches.
    pub fn audience(&self) -> &Audience {
        &self.0.audience
    }

    /// Everything under `/hls/`, to be merged with others.
    pub fn router(&self) -> Router {
        let playlists = self.clone();
        let answer = any(move |request: Request| async move {
            let (request, _) = request.into_parts();
            playlists.answer(&request.method, &request.uri, &request.headers, peer(&request.extensions)).await
        });
        Router::new().route("/hls/{*rest}", answer)
    }
}

/// From where a request came.
pub(crate) fn peer(extensions: &http::Extensions) -> Option<IpAddr> {
    extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip())
}

impl Server {
    pub(crate) async fn follow(&self, id: BroadcastId) -> Result<Arc<Followed>, Problem> {
        if self.absent.is_known(id).await {
            return Err(self.problems.metadata(&MetadataError::NotFound { id }));
        }
        let found = self.broadcasts.get(id).await;
        if let Err(MetadataError::NotFound { .. }) = &found {
            self.absent.note(id).await;
        }
        found.map_err(|error| self.problems.metadata(&error))
    }

    /// The playlist as it is now.
    pub(crate) async fn finished(&self, key: &CacheKey) -> Result<Arc<Finished>, Problem> {
        if let Some(now) = self.broadcasts.store().horizon()
            && let Some(finished) = self.cache.get(key, now).await
        {
            return Ok(finished);
        }
        // On the heap, so that an answer that is at hand does not carry the room for making one.
        Box::pin(async {
            let followed = self.follow(key.id).await?;
            Ok(self.current(key, &followed).await)
        })
        .await
    }

    async fn current(&self, key: &CacheKey, followed: &Arc<Followed>) -> Arc<Finished> {
        if key.coding == Coding::Identity {
            return self.current_plain(key, followed).await;
        }
        let compressed = async {
            let plain = CacheKey { coding: Coding::Identity, ..key.clone() };
            Arc::new(self.compress(self.current_plain(&plain, followed).await).await)
        };
        self.cache.get_or_make(key, || followed.now(), compressed).await
    }

    async fn current_plain(&self, key: &CacheKey, followed: &Arc<Followed>) -> Arc<Finished> {
        let made = async { Arc::new(self.make(&key.list, followed).await) };
        self.cache.get_or_make(key, || followed.now(), made).await
    }

    async fn make(&self, list: &List, followed: &Arc<Followed>) -> Finished {
        let moment = self.horizons.settled(followed).await;
        // From before the look at the broadcast: what is committed meanwhile makes this one out of date at once.
        let log = followed.watch();
        let started = self.clock.instant();
        let (outcome, next_change) = self.sheet(list, followed, moment.at()).await;
        self.metrics.renders.of(Kind::of_list(list)).inc();
        self.metrics.render_seconds.observe(started.elapsed().as_secs_f64());
        let is_final = outcome.as_ref().is_ok_and(|sheet| sheet.facts.is_final);
        let freshness = match moment {
            _ if is_final => Freshness::Forever,
            Moment::Now(_) => Freshness::While { log, until: next_change },
            Moment::Past(still) => Freshness::Still { log, until: followed.now() + Horizons::RETRY, still },
        };
        Finished { outcome, freshness }
    }

    async fn sheet(&self, list: &List, followed: &Arc<Followed>, at: StoreTime) -> Made {
        let config = self.config;
        if is_short(list) {
            return sheet(&followed.read(), list, at, &config);
        }
        let (list, followed) = (list.clone(), followed.clone());
        Tasks::blocking(move || sheet(&followed.read(), &list, at, &config)).await
    }

    async fn compress(&self, plain: Arc<Finished>) -> Finished {
        let freshness = plain.freshness.clone();
        let config = self.config;
        let gzip = move || plain.outcome.as_ref().map(|sheet| sheet.gzip(&config)).map_err(Clone::clone);
        Finished { outcome: Tasks::blocking(gzip).await, freshness }
    }
}

/// A playlist or why there is none, and when time alone changes that.
type Made = (Result<Sheet, Absence>, Option<StoreTime>);

fn sheet(broadcast: &Broadcast, list: &List, at: StoreTime, config: &Config) -> Made {
    match render(broadcast, list, at) {
        Ok(page) => {
            let next_change = page.next_change;
            (Ok(Sheet::new(page, config)), next_change)
        }
        Err(absence) => {
            let next_change = absence.next_change;
            (Err(absence), next_change)
        }
    }
}

/// Whether making it takes so little time that it need not leave the thread that serves others too.
fn is_short(list: &List) -> bool {
    matches!(list, List::Multivariant(_) | List::Media { view: View::Live, .. })
}
