//! The role: what it is given, what it starts, and the letters that messages become.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use metadata::{Broadcasts, Letter, Outbox};
use prometheus::Registry;
use service::{Clock, OwnerKey, Random, SignedClient, Tasks};
use tokio::sync::Notify;

use crate::api;
use crate::config::{Endpoint, WebhooksConfig};
use crate::delivery::Sender;
use crate::finding;
use crate::message::Message;
use crate::metrics::Metrics;

/// How long to wait before what failed, because the store is away, is tried again.
pub(crate) const RETRY: Duration = Duration::from_secs(1);
/// How often the gauges are read from the store.
const GAUGES_EVERY: Duration = Duration::from_secs(15);

/// What it is built from.
#[derive(Debug)]
pub struct Deps<'a> {
    pub broadcasts: Broadcasts,
    pub outbox: Arc<dyn Outbox>,
    pub clock: Clock,
    pub random: Random,
    pub tasks: Tasks,
    pub registry: &'a Registry,
    pub owner_key: OwnerKey,
}

/// Whoever tells the portal. Its tasks are those it was given.
#[derive(Debug)]
pub struct Webhooks {
    pub(crate) config: WebhooksConfig,
    pub(crate) broadcasts: Broadcasts,
    pub(crate) outbox: Arc<dyn Outbox>,
    pub(crate) clock: Clock,
    pub(crate) random: Random,
    pub(crate) tasks: Tasks,
    pub(crate) metrics: Metrics,
    pub(crate) owner_key: OwnerKey,
    pub(crate) client: SignedClient,
    /// Told when letters were filed, or made to wait again, in this process.
    pub(crate) filed: Vec<Arc<Notify>>,
}

impl Webhooks {
    pub fn build(config: WebhooksConfig, deps: Deps<'_>) -> Result<Arc<Self>, prometheus::Error> {
        Ok(Arc::new(Self {
            metrics: Metrics::new(deps.registry)?,
            client: SignedClient::new(deps.clock.clone(), config.answer_max()),
            filed: config.endpoints.iter().map(|_| Arc::default()).collect(),
            config,
            broadcasts: deps.broadcasts,
            outbox: deps.outbox,
            clock: deps.clock,
            random: deps.random,
            tasks: deps.tasks,
            owner_key: deps.owner_key,
        }))
    }

    /// Starts to tell, if there is somebody to tell.
    pub fn start(self: &Arc<Self>) {
        if self.config.endpoints.is_empty() {
            return;
        }
        self.until_stopped("find broadcasts to tell of", finding::run(self.clone()));
        self.until_stopped("count letters", count(self.clone()));
        for (endpoint, filed) in self.config.endpoints.iter().zip(&self.filed) {
            let sender = Sender::new(self.clone(), endpoint.clone(), filed.clone());
            self.until_stopped("deliver to an endpoint", sender.run());
        }
    }

    /// What the owner asks of it.
    pub fn router(self: &Arc<Self>) -> Router {
        let routes = Router::new()
            .route("/v1/webhooks", get(api::endpoints))
            .route("/v1/webhooks/test", post(api::test))
            .route("/v1/webhooks/dead", get(api::dead))
            .route("/v1/webhooks/dead/resend", post(api::resend))
            .route("/v1/webhooks/dead/discard", post(api::discard));
        routes.with_state(self.clone())
    }

    pub(crate) fn until_stopped(&self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        let stop = self.tasks.stop_token();
        self.tasks.spawn(name, async move {
            tokio::select! {
                () = work => {}
                () = stop.cancelled() => {}
            }
        });
    }

    /// One letter for each endpoint that wants the message.
    pub(crate) fn letters(&self, message: &Message) -> impl Iterator<Item = Letter> {
        let (kind, id, body) = (message.kind, message.id.clone(), message.body());
        let wants = self.config.endpoints.iter().filter(move |endpoint| endpoint.wants(kind)).map(Endpoint::name);
        wants.map(move |endpoint| Letter { endpoint, id: id.clone(), kind: kind.word().to_owned(), body: body.clone() })
    }

    pub(crate) fn note_forgotten(&self, forgotten: u64) {
        if forgotten > 0 {
            tracing::error!(forgotten, "too many dead letters: the oldest were forgotten");
            self.metrics.forgotten.inc_by(forgotten);
        }
    }

    pub(crate) fn wake_senders(&self) {
        self.filed.iter().for_each(|filed| filed.notify_one());
    }
}

/// Keeps the gauges up to date.
async fn count(webhooks: Arc<Webhooks>) {
    loop {
        if let Ok(boxes) = webhooks.outbox.mailboxes().await {
            for endpoint in &webhooks.config.endpoints {
                let (name, host) =
                    (endpoint.name(), endpoint.url.authority().map_or("", |authority| authority.as_str()));
                let found = boxes.iter().find(|mailbox| mailbox.endpoint == name);
                let gauge = |count: Option<u64>| i64::try_from(count.unwrap_or(0)).unwrap_or(i64::MAX);
                let metrics = &webhooks.metrics;
                metrics.waiting.with_label_values(&[host]).set(gauge(found.map(|mailbox| mailbox.waiting)));
                metrics.dead.with_label_values(&[host]).set(gauge(found.map(|mailbox| mailbox.dead)));
            }
        }
        webhooks.clock.sleep(GAUGES_EVERY).await;
    }
}
