//! Delivers the letters to one endpoint: as many at a time as it may have, again when it fails, and not at all once it
//! said that it is gone. Each endpoint has its own, so that a slow one delays nobody else.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::StatusCode;
use metadata::{Claim, Claimed, MetadataError, Settled};
use service::{Random, SendError, SignedAnswer};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::config::{Endpoint, WebhooksConfig};
use crate::webhooks::{RETRY, Webhooks};

/// How often letters are looked for that another process has filed.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How much longer a claim lasts than an answer may take: time to say what became of it.
const LEASE_BEYOND_ANSWER: Duration = Duration::from_secs(30);
/// How long a receiver is left alone that is overloaded and does not say for how long; and the longest that it can say.
const LEFT_ALONE: Duration = Duration::from_secs(5);
const LEFT_ALONE_MAX: Duration = Duration::from_secs(3_600);
/// How much of an answer is kept as a reason, in bytes.
const REASON_LEN_MAX: usize = 200;

/// Why a letter to an endpoint that is gone is dead.
const GONE: &str = "the endpoint is disabled, because it answered 410 Gone";

/// Who delivers to one endpoint.
#[derive(Clone, Debug)]
pub(crate) struct Sender {
    webhooks: Arc<Webhooks>,
    endpoint: Arc<Endpoint>,
    filed: Arc<Notify>,
    /// Until when it is left alone.
    until: Arc<Mutex<Option<Instant>>>,
}

/// What an attempt came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    Delivered,
    Failed { why: String, retry_after: Option<Duration>, overloaded: bool },
    Gone { why: String },
}

impl Sender {
    pub(crate) fn new(webhooks: Arc<Webhooks>, endpoint: Endpoint, filed: Arc<Notify>) -> Self {
        Self { webhooks, endpoint: Arc::new(endpoint), filed, until: Arc::default() }
    }

    pub(crate) async fn run(self) {
        let places = usize::try_from(self.webhooks.config.concurrency).unwrap_or(1);
        let (free, name) = (Arc::new(Semaphore::new(places)), self.endpoint.name());
        let lease = self.webhooks.config.answer_max() + LEASE_BEYOND_ANSWER;
        loop {
            self.leave_alone().await;
            let place = free.clone().acquire_owned().await.expect("the semaphore is never closed");
            let max = 1 + free.available_permits();
            let claimed = self.webhooks.outbox.claim(&name, max, lease).await.inspect_err(|error| {
                tracing::warn!(endpoint = %host(&self.endpoint), error = error as &dyn std::error::Error, "cannot claim letters");
            });
            drop(place);
            let Claim { letters, gone, next } = claimed.unwrap_or_default();
            if letters.is_empty() {
                tokio::select! {
                    () = self.webhooks.clock.sleep(next.map_or(LOOK_EVERY, |next| next.min(LOOK_EVERY))) => {}
                    () = self.filed.notified() => {}
                }
            }
            for letter in letters {
                let place = free.clone().acquire_owned().await.expect("the semaphore is never closed");
                let sender = self.clone();
                self.webhooks.until_stopped("deliver a letter", sender.deliver(letter, gone, place));
            }
        }
    }

    async fn deliver(self, claimed: Claimed, gone: bool, place: OwnedSemaphorePermit) {
        let attempt = if gone { Attempt::Gone { why: GONE.to_owned() } } else { self.attempt(&claimed).await };
        if let Attempt::Failed { overloaded: true, retry_after, .. } = &attempt {
            let alone = retry_after.unwrap_or(LEFT_ALONE).min(LEFT_ALONE_MAX);
            *self.until.lock().unwrap_or_else(PoisonError::into_inner) = Some(self.webhooks.clock.instant() + alone);
        }
        if matches!(attempt, Attempt::Gone { .. }) && !gone {
            tracing::warn!(endpoint = %host(&self.endpoint), "an endpoint answered 410 Gone: it is disabled until letters are sent to it again");
            self.until_done(|| self.webhooks.outbox.set_gone(&claimed.letter.endpoint, true)).await;
        }
        let settled = settled(&attempt, claimed.attempts + 1, &self.webhooks.config, &self.webhooks.random);
        let outcome = match &settled {
            Settled::Delivered => "delivered",
            Settled::Again { .. } => "failed",
            Settled::Dead { .. } => "dead",
        };
        self.webhooks.metrics.attempts.with_label_values(&[outcome]).inc();
        if let Settled::Dead { why } = &settled {
            let (endpoint, id) = (host(&self.endpoint), &claimed.letter.id);
            tracing::warn!(%endpoint, %id, why, "a message could not be delivered: it is a dead letter");
        }
        let forgotten = self.until_done(|| self.webhooks.outbox.settle(&claimed, &settled)).await;
        self.webhooks.note_forgotten(forgotten);
        drop(place);
        // The next one of its broadcast may be due now.
        self.filed.notify_one();
    }

    async fn attempt(&self, claimed: &Claimed) -> Attempt {
        let (Endpoint { url, secrets, .. }, letter) = (&*self.endpoint, &claimed.letter);
        let timer = self.webhooks.metrics.attempt_seconds.start_timer();
        let answer = self.webhooks.client.post(url, secrets, &letter.id, letter.body.clone()).await;
        timer.observe_duration();
        judge(answer)
    }

    /// Does it until the store does it. If this process ends first, the claim runs out, and it is all done again.
    async fn until_done<T, F>(&self, work: impl Fn() -> F) -> T
    where
        F: Future<Output = Result<T, MetadataError>>,
    {
        loop {
            match work().await {
                Ok(done) => return done,
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "cannot note what became of a message");
                    self.webhooks.clock.sleep(RETRY).await;
                }
            }
        }
    }

    async fn leave_alone(&self) {
        let until = self.until.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(until) = until {
            self.webhooks.clock.sleep(until.saturating_duration_since(self.webhooks.clock.instant())).await;
        }
    }
}

/// What an answer means.
pub(crate) fn judge(answer: Result<SignedAnswer, SendError>) -> Attempt {
    let answer = match answer {
        Ok(answer) if answer.status.is_success() => return Attempt::Delivered,
        Ok(answer) => answer,
        Err(error) => return Attempt::Failed { why: error.to_string(), retry_after: None, overloaded: false },
    };
    let said = String::from_utf8_lossy(&answer.body);
    let said = said[..said.floor_char_boundary(REASON_LEN_MAX)].trim();
    let why = if said.is_empty() { answer.status.to_string() } else { format!("{}: {said}", answer.status) };
    match answer.status {
        StatusCode::GONE => Attempt::Gone { why },
        status => {
            let overloaded = matches!(status.as_u16(), 429 | 502 | 503 | 504);
            Attempt::Failed { why, retry_after: answer.retry_after(), overloaded }
        }
    }
}

/// What becomes of a letter after its attempt number `attempts`.
fn settled(attempt: &Attempt, attempts: u32, config: &WebhooksConfig, random: &Random) -> Settled {
    match attempt {
        Attempt::Delivered => Settled::Delivered,
        Attempt::Gone { why } => Settled::Dead { why: why.clone() },
        Attempt::Failed { why, retry_after, .. } => match config.retry_after(attempts) {
            None => Settled::Dead { why: why.clone() },
            Some(after) => {
                let asked = retry_after.unwrap_or_default().min(LEFT_ALONE_MAX);
                Settled::Again { after: varied(after, random).max(asked), why: why.clone() }
            }
        },
    }
}

/// By up to a fifth less or more, so that what failed together does not come back together.
fn varied(time: Duration, random: &Random) -> Duration {
    let fraction = f64::from(u32::from_le_bytes(random.bytes())) / f64::from(u32::MAX);
    time.mul_f64(0.8 + 0.4 * fraction)
}

/// The address may hold secrets of its own.
fn host(endpoint: &Endpoint) -> &str {
    endpoint.url.authority().map_or("", |authority| authority.as_str())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::HeaderMap;

    use super::*;

    fn answer(status: u16, headers: &[(&'static str, &'static str)], body: &'static str) -> Attempt {
        let headers: HeaderMap =
            headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        let status = StatusCode::from_u16(status).unwrap();
        judge(Ok(SignedAnswer { status, headers, body: Bytes::from(body) }))
    }

    #[test]
    fn answers_are_taken_as_the_specification_says() {
        let failed = |why: &str, secs: Option<u64>, overloaded| Attempt::Failed {
            why: why.to_owned(),
            retry_after: secs.map(Duration::from_secs),
            overloaded,
        };
        assert_eq!(answer(204, &[], ""), Attempt::Delivered);
        assert_eq!(answer(302, &[("location", "/")], ""), failed("302 Found", None, false));
        assert_eq!(answer(400, &[], " what? \n"), failed("400 Bad Request: what?", None, false));
        assert_eq!(answer(410, &[], ""), Attempt::Gone { why: "410 Gone".to_owned() });
        assert_eq!(answer(429, &[("retry-after", "7")], ""), failed("429 Too Many Requests", Some(7), true));
        assert_eq!(answer(503, &[("retry-after", "soon")], ""), failed("503 Service Unavailable", None, true));
        let timed_out = judge(Err(SendError::TimedOut(Duration::from_secs(20))));
        assert_eq!(timed_out, failed("no answer within 20 s", None, false));
    }

    #[test]
    fn retries_follow_the_schedule_and_then_it_is_dead() {
        let (config, random) = (WebhooksConfig::default(), Random::seeded(1));
        let failed = |retry_after| Attempt::Failed { why: String::new(), retry_after, overloaded: false };
        let mut secs = Vec::new();
        for attempts in 1.. {
            match settled(&failed(None), attempts, &config, &random) {
                Settled::Again { after, .. } => {
                    let expected = config.retries_s[secs.len()];
                    let fifth = f64::from(expected) / 5.0;
                    assert!((after.as_secs_f64() - f64::from(expected)).abs() <= fifth, "{after:?} for {expected} s");
                    secs.push(expected);
                }
                settled => {
                    assert_eq!(settled, Settled::Dead { why: String::new() });
                    break;
                }
            }
        }
        assert_eq!((secs.len(), secs[0], secs[8]), (9, 5, 86_400), "ten attempts");
        let asked = settled(&failed(Some(Duration::from_secs(60))), 1, &config, &random);
        assert!(matches!(asked, Settled::Again { after, .. } if after == Duration::from_secs(60)));
    }
}
