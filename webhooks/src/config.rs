//! Whom to tell what: checked before anything binds.

use std::collections::BTreeSet;
use std::time::Duration;

use http::Uri;
use serde::{Deserialize, Deserializer, de};
use service::SigningSecret;

use crate::message::Kind;

/// The most endpoints.
const ENDPOINTS_MAX: usize = 32;

/// The settings of whoever tells the portal.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebhooksConfig {
    pub endpoints: Vec<Endpoint>,
    /// How long after each failed attempt the next one is made, in seconds; after the last a message is a dead letter.
    /// Each is varied by a fifth. The default is that of the Standard Webhooks specification: ten attempts in three days.
    pub retries_s: Vec<u32>,
    /// How long a receiver may take to answer, in seconds.
    pub answer_max_s: u32,
    /// The most requests to one endpoint at a time.
    pub concurrency: u32,
}

impl Default for WebhooksConfig {
    fn default() -> Self {
        const HOUR: u32 = 3_600;
        let retries_s = vec![5, 300, 1_800, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR];
        Self { endpoints: Vec::new(), retries_s, answer_max_s: 20, concurrency: 4 }
    }
}

/// One receiver.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// `http://` or `https://`. Letters are kept under it: another address is another receiver.
    #[serde(deserialize_with = "service::http_url")]
    pub url: Uri,
    /// With which messages are signed: all of them, so that one can be exchanged in peace.
    #[serde(deserialize_with = "service::signing_secrets")]
    pub secrets: Vec<SigningSecret>,
    /// The types of messages, or `"*"` for all types of broadcasts.
    #[serde(default)]
    pub events: Events,
    /// Whether each stored segment is told, too.
    #[serde(default)]
    pub segments: bool,
}

/// Which types of messages a receiver wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Events {
    #[default]
    All,
    These(BTreeSet<Kind>),
}

/// A setting that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebhooksConfigError {
    #[error("{count} webhook endpoints, more than {ENDPOINTS_MAX}")]
    TooManyEndpoints { count: usize },
    #[error("the webhook endpoint {url} is configured twice")]
    Twice { url: String },
    #[error("the webhook endpoint {url} lists no events: leave `events` out for all of them")]
    NoEvents { url: String },
    #[error("webhooks.{name} must be 1 to {max}")]
    OutOfRange { name: &'static str, max: u32 },
}

impl WebhooksConfig {
    pub fn check(&self) -> Result<(), WebhooksConfigError> {
        let count = self.endpoints.len();
        if count > ENDPOINTS_MAX {
            return Err(WebhooksConfigError::TooManyEndpoints { count });
        }
        let mut urls = BTreeSet::new();
        for endpoint in &self.endpoints {
            let url = endpoint.name();
            if matches!(&endpoint.events, Events::These(kinds) if kinds.is_empty()) && !endpoint.segments {
                return Err(WebhooksConfigError::NoEvents { url });
            }
            if !urls.insert(url.clone()) {
                return Err(WebhooksConfigError::Twice { url });
            }
        }
        let within = |name, value: u32, max| match value {
            value if (1..=max).contains(&value) => Ok(()),
            _ => Err(WebhooksConfigError::OutOfRange { name, max }),
        };
        within("answer_max_s", self.answer_max_s, 600)?;
        within("concurrency", self.concurrency, 100)?;
        self.retries_s.iter().try_for_each(|secs| within("retries_s", *secs, 7 * 86_400))?;
        within("retries_s (its length)", u32::try_from(self.retries_s.len()).unwrap_or(u32::MAX), 100)
    }

    pub(crate) fn answer_max(&self) -> Duration {
        Duration::from_secs(self.answer_max_s.into())
    }

    /// How long to wait after so many failed attempts; `None` if that was the last.
    pub(crate) fn retry_after(&self, failed: u32) -> Option<Duration> {
        let index = usize::try_from(failed.checked_sub(1)?).ok()?;
        self.retries_s.get(index).map(|secs| Duration::from_secs((*secs).into()))
    }
}

impl Endpoint {
    /// What it is known by.
    pub fn name(&self) -> String {
        self.url.to_string()
    }

    pub(crate) fn wants(&self, kind: Kind) -> bool {
        match (&self.events, kind) {
            (_, Kind::SegmentStored) => self.segments,
            (Events::All, _) => true,
            (Events::These(kinds), kind) => kinds.contains(&kind),
        }
    }
}

impl<'de> Deserialize<'de> for Events {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Given {
            Word(String),
            List(Vec<String>),
        }
        match Given::deserialize(deserializer)? {
            Given::Word(word) if word == "*" => Ok(Self::All),
            Given::Word(word) => Err(de::Error::custom(format!("events are \"*\" or a list, not {word:?}"))),
            Given::List(words) if words.iter().any(|word| word == "*") => Ok(Self::All),
            Given::List(words) => words
                .iter()
                .map(|word| word.parse().map_err(de::Error::custom))
                .collect::<Result<_, _>>()
                .map(Self::These),
        }
    }
}
