//! Tells the portal what happens to broadcasts: signed messages for each change of state and, if asked, each segment,
//! out of a durable outbox, tried again for days, and kept for people to look at when that was in vain.
//!
//! The way of a message: [`Teller`] folds the log and says what is to be told, and under which name; `telling` files it
//! together with how far the broadcast is told; `delivery` claims it, sends it, and says what became of it. Nothing here
//! decides anything about a broadcast.

mod api;
mod config;
mod delivery;
mod finding;
mod message;
mod metrics;
mod teller;
mod telling;
mod webhooks;

pub use api::openapi;
pub use config::{Endpoint, Events, WebhooksConfig, WebhooksConfigError};
pub use message::{Kind, Message, Position, UnknownKind};
pub use teller::{Segments, Teller};
pub use webhooks::{Deps, Webhooks};
