//! The balancer: tells a publisher which recorders to send to, best first. Recorders register in the metadata store
//! with their load; any number of balancers read that, and answer alike without asking each other.
//!
//! Which is best is a pure function ([`rank`]). What a balancer has of its own are predictions: whom it has sent where
//! lately, which the loads do not show yet. By those alone two answers may differ for some seconds. Nothing here knows of
//! media, or of what a recorder does with a segment.

mod api;
mod balancer;
mod geo;
mod known;
mod metrics;
mod predictions;
mod proxies;
mod rank;

pub use api::openapi;
pub use balancer::{Balancer, BalancerConfig, Deps};
pub use geo::{Geo, GeoError};
pub use predictions::Predictions;
pub use proxies::{Network, NetworkError};
pub use rank::{Candidate, Question, Standing, rank};
