//! What each service needs and none should write again: the clock, tasks, randomness, telemetry, health, HTTP,
//! the owner key, TLS, the load and the addresses of the machine, other programs.
//!
//! Nothing here knows of broadcasts or media.

mod access;
mod addresses;
mod body;
mod client;
mod clock;
mod conditional;
mod cors;
mod encoding;
mod filter;
mod health;
mod machine;
mod metrics;
mod problem;
mod random;
mod range;
mod server;
mod signed;
#[cfg(feature = "simulation")]
mod simulation;
mod tasks;
mod telemetry;
mod tls;

pub use access::{OwnerKey, OwnerKeyError, base_url, bearer, unauthorized};
pub use addresses::own_addresses;
pub use body::{BodyError, BodyLimits, BodyReader};
pub use client::{HttpsClient, https_client};
pub use clock::Clock;
pub use conditional::ETag;
pub use cors::{cors_for_publishers, cors_for_viewers};
pub use encoding::accepts_gzip;
pub use filter::{Filter, FilterError, FilterLimits};
pub use health::{Component, Health, Readiness};
pub use machine::{Machine, MachineLoad};
pub use metrics::{HttpMetrics, RouteName, with_route_names};
pub use problem::{Problem, ProblemKind, with_problems};
pub use random::Random;
pub use range::{RequestedRange, content_range, content_range_unsatisfied};
pub use server::{Listener, RequestBody, ServeConfig, serve};
pub use signed::{
    SendError, SignedAnswer, SignedClient, SigningSecret, SigningSecretError, http_url, signatures, signing_secrets,
};
#[cfg(feature = "simulation")]
pub use simulation::{Safeguard, is_simulated, is_without, simulate_on_this_thread, without};
pub use tasks::{Blocking, Tasks};
pub use telemetry::{LogFormat, TelemetryError, init_telemetry};
pub use tls::{Identity, Tls, TlsError, trust_also};
