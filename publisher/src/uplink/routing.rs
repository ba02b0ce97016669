//! Asking which recorders there are, beside all that is sent; and finding out which of them is none.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::flight::Flight;
use super::{Uplink, UplinkError, within};
use crate::remote::{RemoteError, Routed};
use crate::route::RecorderUrl;

/// A question on its way, and what came of it.
pub(super) type Routing = BoxFuture<'static, (RecorderUrl, Result<Option<Routed>, RemoteError>)>;

impl Uplink {
    /// Asks for a route, if that is due.
    pub(super) fn next_routing(&self) -> Option<Routing> {
        let balancer = self.guide.due(self.now_ms(), self.route.is_cut_off())?;
        let (remote, clock) = (self.deps.remote.clone(), self.deps.clock.clone());
        let limit = Duration::from_millis(self.config.probe_max_ms.into());
        Some(Box::pin(async move {
            let answer = within(&clock, limit, remote.route(&balancer)).await;
            (balancer, answer)
        }))
    }

    pub(super) fn take_routing(
        &mut self,
        balancer: &RecorderUrl,
        answer: Result<Option<Routed>, RemoteError>,
    ) -> Result<(), UplinkError> {
        let now_ms = self.now_ms();
        let error = match answer {
            Ok(routed) => {
                let jitter = self.jitter();
                let recorders = self.guide.told(routed, now_ms, jitter);
                tracing::debug!(%balancer, ?recorders, "route");
                self.route.replace(recorders);
                return Ok(());
            }
            Err(error) => error,
        };
        tracing::debug!(%balancer, %error, "no route");
        self.guide.failed(now_ms);
        if error.is_fatal() && self.there.status.is_none() {
            return Err(UplinkError::Remote { recorder: balancer.clone(), error });
        }
        if self.route.is_cut_off() {
            self.there.trouble = Some(format!("{balancer} {error}"));
        }
        Ok(())
    }

    /// Whoever stands still with what this recorder has taken meanwhile has failed.
    pub(super) fn pass_over_who_stands_still(&mut self, taken_by: &RecorderUrl, now_ms: i64) {
        let is_outrun = |flight: &&Flight| {
            flight.recorder != *taken_by
                && flight.is_stuck(now_ms)
                && flight.in_flight().names.iter().all(|name| !self.ledger.is_owed(name))
        };
        let outrun: Vec<_> = self.flights.iter().filter(is_outrun).collect();
        outrun.iter().for_each(|flight| flight.give_up());
        let recorders: BTreeSet<_> = outrun.iter().map(|flight| flight.recorder.clone()).collect();
        for recorder in recorders {
            let jitter = self.jitter();
            self.route.failed(&recorder, now_ms, None, jitter);
        }
    }

    /// Whether an address that we were given turned out to be a balancer's only, which has no broadcasts.
    pub(super) fn is_no_recorder(&self, url: &RecorderUrl, error: &RemoteError) -> bool {
        let routed = self.guide.routed();
        matches!(error, RemoteError::NoBroadcast) && !routed.is_empty() && !routed.contains(url)
    }
}

/// What comes of the question, or nothing while there is none.
pub(super) async fn at_work(routing: &mut Option<Routing>) -> (RecorderUrl, Result<Option<Routed>, RemoteError>) {
    match routing {
        Some(routing) => routing.await,
        None => std::future::pending().await,
    }
}
