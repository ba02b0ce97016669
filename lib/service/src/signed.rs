//! Messages to others, signed as Standard Webhooks says, so that they can tell that a message is ours, whole and new.
//!
//! Source: the Standard Webhooks specification, "Signature scheme" and "Webhook headers". What the messages say, and
//! when one is sent again, is not decided here.

use std::error::Error;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use serde::{Deserialize, Deserializer, de};
use sha2::Sha256;

use crate::client::{HttpsClient, https_client};
use crate::clock::Clock;

/// What a secret begins with.
const PREFIX: &str = "whsec_";
/// How long a connection may take to be made.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// How much of an answer is read, in bytes. The rest is nobody's business.
const ANSWER_LEN_MAX: usize = 16 << 10;

/// A secret shared with a receiver: `whsec_` and the base64 of 24 to 64 bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningSecret(Vec<u8>);

/// A text that is no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a signing secret is whsec_ and the base64 of 24 to 64 random bytes: `echo whsec_$(openssl rand -base64 32)`")]
pub struct SigningSecretError;

impl FromStr for SigningSecret {
    type Err = SigningSecretError;

    fn from_str(text: &str) -> Result<Self, SigningSecretError> {
        let bytes = text.strip_prefix(PREFIX).and_then(|text| STANDARD.decode(text).ok());
        bytes.filter(|bytes| (24..=64).contains(&bytes.len())).map(Self).ok_or(SigningSecretError)
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret(secret)")
    }
}

impl<'de> Deserialize<'de> for SigningSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// The most secrets that one receiver has.
const SECRETS_MAX: usize = 8;

/// Reads the secrets of one receiver from a configuration: 1 to 8.
pub fn signing_secrets<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<SigningSecret>, D::Error> {
    let secrets = Vec::<SigningSecret>::deserialize(deserializer)?;
    let fits = (1..=SECRETS_MAX).contains(&secrets.len());
    if fits { Ok(secrets) } else { Err(de::Error::custom(format!("1 to {SECRETS_MAX} secrets are needed"))) }
}

/// Reads the address of a receiver from a configuration: `http://` or `https://`, and a host.
pub fn http_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Uri, D::Error> {
    let text = String::deserialize(deserializer)?;
    let url = text.parse::<Uri>().ok().filter(|url| {
        matches!(url.scheme_str(), Some("http" | "https")) && url.host().is_some_and(|host| !host.is_empty())
    });
    url.ok_or_else(|| de::Error::custom(format!("{text:?} is not the address of a receiver: https://HOST/PATH")))
}

/// The value of `webhook-signature`: one signature for each secret, so that a receiver may exchange its own in peace.
pub fn signatures(secrets: &[SigningSecret], id: &str, timestamp_s: i64, body: &[u8]) -> String {
    let sign = |secret: &SigningSecret| {
        let mut mac = Hmac::<Sha256>::new_from_slice(&secret.0).expect("HMAC takes a key of any length");
        mac.update(format!("{id}.{timestamp_s}.").as_bytes());
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    };
    secrets.iter().map(sign).collect::<Vec<_>>().join(" ")
}

/// Sends signed messages. Clones share their connections.
#[derive(Clone, Debug)]
pub struct SignedClient {
    client: HttpsClient<Full<Bytes>>,
    clock: Clock,
    /// How long an answer may take, from the first attempt to connect to its last byte.
    answer_max: Duration,
}

/// What a receiver answered.
#[derive(Clone, Debug)]
pub struct SignedAnswer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// At most the first 16 KiB.
    pub body: Bytes,
}

/// Why there was no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    #[error("no answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    #[error("cannot be reached: {0}")]
    Unreachable(String),
}

impl SignedClient {
    pub fn new(clock: Clock, answer_max: Duration) -> Self {
        Self { client: https_client(CONNECT_MAX), clock, answer_max }
    }

    /// POST of a JSON document under this id, signed as of now.
    pub async fn post(
        &self,
        url: &Uri,
        secrets: &[SigningSecret],
        id: &str,
        json: impl Into<Bytes>,
    ) -> Result<SignedAnswer, SendError> {
        let (json, timestamp_s) = (json.into(), self.clock.now_ms().div_euclid(1_000));
        let request = Request::post(url)
            .header("content-type", "application/json")
            .header("user-agent", concat!("headwater/", env!("CARGO_PKG_VERSION")))
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp_s)
            .header("webhook-signature", signatures(secrets, id, timestamp_s, &json))
            .body(Full::new(json))
            .map_err(|error| SendError::Unreachable(error.to_string()))?;
        tokio::select! {
            answer = self.answer(request) => answer,
            () = self.clock.sleep(self.answer_max) => Err(SendError::TimedOut(self.answer_max)),
        }
    }

    async fn answer(&self, request: Request<Full<Bytes>>) -> Result<SignedAnswer, SendError> {
        let response = self.client.request(request).await.map_err(unreachable)?;
        let (head, mut body) = response.into_parts();
        let mut read = BytesMut::new();
        while read.len() < ANSWER_LEN_MAX {
            // What breaks off was an answer all the same.
            let Some(Ok(frame)) = body.frame().await else { break };
            if let Ok(data) = frame.into_data() {
                read.extend_from_slice(&data[..data.len().min(ANSWER_LEN_MAX - read.len())]);
            }
        }
        Ok(SignedAnswer { status: head.status, headers: head.headers, body: read.freeze() })
    }
}

impl SignedAnswer {
    /// When to come back, if it was said in seconds (RFC 9110, 10.2.3).
    pub fn retry_after(&self) -> Option<Duration> {
        let value = self.headers.get(http::header::RETRY_AFTER)?.to_str().ok()?;
        value.trim().parse().ok().map(Duration::from_secs)
    }
}

/// Where the trouble began is what tells most.
fn unreachable(error: hyper_util::client::legacy::Error) -> SendError {
    let mut cause: &dyn Error = &error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    SendError::Unreachable(cause.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_the_specification() {
        // The example of the specification's reference libraries.
        let secret: SigningSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap();
        let signed = |secrets: &[_]| {
            signatures(secrets, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#)
        };
        let one = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(signed(std::slice::from_ref(&secret)), one);
        let two = signed(&[secret.clone(), format!("whsec_{}", STANDARD.encode([7; 32])).parse().unwrap()]);
        assert!(two.starts_with(&format!("{one} v1,")) && two.len() == 2 * one.len() + 1, "{two}");
        assert_eq!(format!("{secret:?}"), "SigningSecret(secret)");
    }

    #[test]
    fn other_texts_are_no_secrets() {
        let long = format!("whsec_{}", STANDARD.encode([1; 65]));
        let short = format!("whsec_{}", STANDARD.encode([1; 23]));
        let bare = STANDARD.encode([1; 32]);
        for text in ["", "whsec_", "whsec_ä", "whsec_not base64!", &long, &short, &bare] {
            assert_eq!(text.parse::<SigningSecret>(), Err(SigningSecretError), "{text}");
        }
    }
}
