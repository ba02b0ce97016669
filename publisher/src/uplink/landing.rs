//! What came of an upload: what is acknowledged, and what is done about what was not.

use super::flight::Landed;
use super::{Uplink, UplinkError, millis};
use crate::ledger::SegmentName;
use crate::policy::Class;
use crate::remote::{Over, RemoteError};
use crate::route::RecorderUrl;

impl Uplink {
    pub(super) fn take_landed(&mut self, landed: Landed) -> Result<(), UplinkError> {
        let now_ms = self.now_ms();
        let flight = self.flights.iter().position(|flight| flight.number == landed.number);
        let flight = self.flights.swap_remove(flight.expect("a flight lands once"));
        self.count_live();
        let now = self.running();
        let mut bytes = 0;
        for (name, acknowledged) in &landed.acknowledged {
            self.ledger.acknowledged(name, acknowledged.safe);
            self.given_up.remove(name);
            if self.held.forget(name) {
                tracing::info!(rendition = %name.rendition, seq = %name.seq, "what could not be read is sent");
            }
            self.hear_of_the_end(acknowledged.closing);
            bytes += self.ledger.size(name).map_or(0, |(len, _)| len);
            if flight.class == Class::Live
                && let Some(captured_at) = self.ledger.captured_at(name)
            {
                let (_, duration) = self.ledger.size(name).unwrap_or_default();
                // A last segment is sent before it would have been full.
                self.there.latency_ms = Some((now - captured_at - duration).0.max(0));
            }
        }
        if bytes > 0 {
            self.link.carried(flight.from_ms, now_ms, bytes);
            self.reached(&flight.recorder);
            self.pass_over_who_stands_still(&flight.recorder, now_ms);
        }
        if !landed.unsure.is_empty() {
            self.unsure.extend(landed.unsure);
            self.asked_ms = None;
        }
        landed.failed.into_iter().try_for_each(|(name, error)| self.take_failure(&flight.recorder, &name, error))
    }

    /// An acknowledgement may be the first to tell, and may be older than what was said since.
    fn hear_of_the_end(&mut self, closing: bool) {
        if let Some(there) = self.there.status.as_mut().filter(|there| closing && there.over == Over::No) {
            there.over = Over::Closing;
        }
    }

    fn take_failure(
        &mut self,
        recorder: &RecorderUrl,
        name: &SegmentName,
        error: RemoteError,
    ) -> Result<(), UplinkError> {
        let SegmentName { rendition, seq } = name;
        match &error {
            RemoteError::Stuck | RemoteError::TooSlow => *self.given_up.entry(name.clone()).or_default() += 1,
            RemoteError::Refused { detail } => {
                tracing::error!(%rendition, %seq, %recorder, detail, "refused for good; it stays in the spool");
                self.ledger.refused(name);
            }
            RemoteError::Unreadable { reason: why } | RemoteError::Damaged { detail: why } => {
                let (now_ms, jitter) = (self.now_ms(), self.jitter());
                if self.held.unreadable(name, why.clone(), now_ms, jitter) {
                    tracing::error!(%rendition, %seq, why, "a segment of the spool cannot be read; it is tried again");
                }
            }
            RemoteError::Ahead { detail } => {
                let ahead = self.ahead(name).unwrap_or_default();
                if self.held.refused_ahead(ahead) {
                    let ahead_s = ahead.0 / 1_000;
                    tracing::error!(%rendition, %seq, %recorder, ahead_s, detail, "dated ahead; it waits for its time");
                    return Ok(());
                }
            }
            _ => tracing::debug!(%rendition, %seq, %recorder, %error, "not sent"),
        }
        self.fail(recorder, error)
    }

    /// A recorder, or the way to it, has failed.
    pub(super) fn fail(&mut self, recorder: &RecorderUrl, error: RemoteError) -> Result<(), UplinkError> {
        if self.is_no_recorder(recorder, &error) {
            self.route.remove(recorder);
            return Ok(());
        }
        // Who was accepted before goes on recording, whatever is said now.
        if error.is_fatal() && self.there.status.is_none() {
            return Err(UplinkError::Remote { recorder: recorder.clone(), error });
        }
        if error.is_fatal() || error.is_of_the_recorder() {
            let asked_ms = error.retry_after().map(millis);
            let (now_ms, jitter) = (self.now_ms(), self.jitter());
            self.route.failed(recorder, now_ms, asked_ms, jitter);
            // While another one answers, there is none.
            if self.route.is_cut_off() {
                self.there.trouble = Some(format!("{recorder} {error}"));
            }
        }
        Ok(())
    }

    pub(super) fn reached(&mut self, recorder: &RecorderUrl) {
        self.route.answered(recorder);
        self.there.recorder = Some(recorder.clone());
        self.there.trouble = None;
    }
}
