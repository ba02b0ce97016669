//! Where to publish: what `headwater broadcast create` prints, taken apart.

use broadcast::{BroadcastId, token_subject};

use crate::route::RecorderUrl;

/// A broadcast far away, and what lets us publish to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    pub server: RecorderUrl,
    pub broadcast: BroadcastId,
    pub token: String,
}

/// An address that nothing can be published to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    #[error("{0:?} must begin with http:// or https://")]
    Scheme(String),
    #[error("{0:?} is neither a push address (…/push/TOKEN/) nor an ingest address (…/ingest/ID with a token)")]
    Shape(String),
    #[error("the token in the address is not a publish token")]
    Token,
    #[error("an ingest address needs a publish token: give --token")]
    NoToken,
    #[error("the token is of broadcast {token}, and the address of {address}")]
    OtherBroadcast { token: BroadcastId, address: BroadcastId },
}

impl Address {
    /// Reads a push address, with whatever follows the token, the YouTube form of it, or an ingest address with its
    /// token beside it. That the token is genuine is for the recorder to say.
    pub fn parse(url: &str, token: Option<&str>) -> Result<Self, AddressError> {
        let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
        let rest = rest.ok_or_else(|| AddressError::Scheme(url.to_owned()))?;
        let shape = || AddressError::Shape(url.to_owned());
        let base = |place: &str| url.find(place).map(|at| RecorderUrl(url[..at].to_owned()));
        if rest.starts_with('/') {
            return Err(shape());
        }
        if let Some((_, after)) = rest.split_once("/push/") {
            let token = after.split('/').next().unwrap_or_default();
            return Self::with(base("/push/").ok_or_else(shape)?, token);
        }
        if let Some((_, query)) = rest.split_once("/http_upload_hls?") {
            let token = query.split('&').find_map(|parameter| parameter.strip_prefix("cid="));
            return Self::with(base("/http_upload_hls?").ok_or_else(shape)?, token.ok_or_else(shape)?);
        }
        let (_, after) = rest.split_once("/ingest/").ok_or_else(shape)?;
        let id: BroadcastId = after.trim_end_matches('/').parse().map_err(|_| shape())?;
        let address = Self::with(base("/ingest/").ok_or_else(shape)?, token.ok_or(AddressError::NoToken)?)?;
        if address.broadcast == id {
            Ok(address)
        } else {
            Err(AddressError::OtherBroadcast { token: address.broadcast, address: id })
        }
    }

    fn with(server: RecorderUrl, token: &str) -> Result<Self, AddressError> {
        let broadcast = token_subject(token).ok_or(AddressError::Token)?;
        Ok(Self { server, broadcast, token: token.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use broadcast::{Claims, Scope, TokenKey};

    use super::*;

    #[test]
    fn what_is_printed_can_be_given() {
        let id = BroadcastId::new(1, 2);
        let token = TokenKey::new(&[1; 32]).sign(&Claims { sub: id, scope: Scope::Publish, exp: None });
        let address = Address { server: RecorderUrl("http://host:80".to_owned()), broadcast: id, token: token.clone() };
        let pushes = [
            format!("http://host:80/push/{token}/"),
            format!("http://host:80/push/{token}/a/out.m3u8"),
            format!("http://host:80/http_upload_hls?cid={token}&copy=0&file="),
        ];
        for url in pushes {
            assert_eq!(Address::parse(&url, None).as_ref(), Ok(&address), "{url}");
        }
        let ingest = format!("http://host:80/ingest/{id}");
        assert_eq!(Address::parse(&ingest, Some(&token)), Ok(address));
        assert_eq!(Address::parse(&ingest, None), Err(AddressError::NoToken));
        let other = format!("http://host/ingest/{}", BroadcastId::new(3, 4));
        assert!(matches!(Address::parse(&other, Some(&token)), Err(AddressError::OtherBroadcast { .. })));
    }

    #[test]
    fn anything_else_is_refused() {
        for url in ["", "host/push/x/", "ftp://host/push/x/", "http:///push/x/", "http://host/", "http://host/ingest/x"]
        {
            assert!(Address::parse(url, Some("x")).is_err(), "{url}");
        }
        assert_eq!(Address::parse("http://host/push/nonsense/", None), Err(AddressError::Token));
    }
}
