//! Where the Redis is: at one address, or wherever the Sentinels say.

use std::fmt;
use std::str::FromStr;

use redis::sentinel::{SentinelClient, SentinelNodeConnectionInfo, SentinelServerType};
use redis::{Client, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, RedisConnectionInfo, RedisResult};

const SENTINEL: &str = "redis+sentinel://";

/// The address of a Redis, as a URL:
///
/// ```text
/// redis://[user:password@]host[:port][/database]
/// redis+unix:///path/of/the/socket
/// redis+sentinel://[user:password@]host:port[,host:port...]/master[/database]
/// ```
/// The user and password of the last form are the server's; the Sentinels are asked without.
#[derive(Clone)]
pub struct RedisAddress(Place);

#[derive(Clone)]
enum Place {
    Server(ConnectionInfo),
    Sentinel { sentinels: Vec<String>, master: String, settings: RedisConnectionInfo },
}

/// A text that is not the address of a Redis.
#[derive(Clone, Debug, thiserror::Error)]
#[error("not the address of a Redis")]
pub struct RedisAddressError(#[source] pub(super) redis::RedisError);

impl FromStr for RedisAddress {
    type Err = RedisAddressError;

    fn from_str(url: &str) -> Result<Self, RedisAddressError> {
        let place = match url.strip_prefix(SENTINEL) {
            Some(rest) => sentinel(rest),
            None => url.into_connection_info().map(Place::Server),
        };
        place.map(Self).map_err(RedisAddressError)
    }
}

fn sentinel(rest: &str) -> RedisResult<Place> {
    let (credentials, rest) = rest.rsplit_once('@').map_or(("", rest), |(credentials, rest)| (credentials, rest));
    let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (master, database) = path.split_once('/').unwrap_or((path, ""));
    if master.is_empty() || hosts.is_empty() {
        return Err((redis::ErrorKind::InvalidClientConfig, "expected hosts, a slash and the master's name").into());
    }
    // The host is the Sentinels' to say; the rest of the address is read as any other.
    let at = if credentials.is_empty() { "" } else { "@" };
    let server = format!("redis://{credentials}{at}sentinel/{database}").into_connection_info()?;
    let sentinels: Vec<_> = hosts.split(',').map(|host| format!("redis://{host}/")).collect();
    sentinels.iter().try_for_each(|sentinel| sentinel.as_str().into_connection_info().map(drop))?;
    Ok(Place::Sentinel { sentinels, master: master.to_owned(), settings: server.redis_settings().clone() })
}

impl fmt::Display for RedisAddress {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Server(info) => write!(f, "redis://{}", info.addr()),
            Place::Sentinel { sentinels, master, .. } => write!(f, "master {master} of {}", sentinels.join(" ")),
        }
    }
}

impl fmt::Debug for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Finds the server of an address, each time anew.
pub(super) enum Finder {
    Server(Client),
    Sentinel(SentinelClient),
}

impl Finder {
    pub(super) fn new(address: &RedisAddress) -> RedisResult<Self> {
        // The protocol that can carry messages beside answers.
        let speak = |settings: &RedisConnectionInfo| settings.clone().set_protocol(ProtocolVersion::RESP3);
        Ok(match &address.0 {
            Place::Server(info) => {
                let settings = speak(info.redis_settings());
                Self::Server(Client::open(info.clone().set_redis_settings(settings))?)
            }
            Place::Sentinel { sentinels, master, settings } => {
                let node = SentinelNodeConnectionInfo::default().set_redis_connection_info(speak(settings));
                let (sentinels, role) = (sentinels.clone(), SentinelServerType::Master);
                Self::Sentinel(SentinelClient::build(sentinels, master.clone(), Some(node), role)?)
            }
        })
    }

    /// The server that takes writes, at this moment.
    pub(super) async fn find(&mut self) -> RedisResult<Client> {
        match self {
            Self::Server(client) => Ok(client.clone()),
            Self::Sentinel(sentinel) => sentinel.async_get_client().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_never_show_a_password() {
        let cases = [
            ("redis://example", "redis://example:6379"),
            ("redis://user:secret@example:7000/2", "redis://example:7000"),
            ("redis+unix:///run/redis.sock", "redis:///run/redis.sock"),
            ("redis+sentinel://a:1,b:2/cup", "master cup of redis://a:1/ redis://b:2/"),
            ("redis+sentinel://user:secret@a:1/cup/3", "master cup of redis://a:1/"),
        ];
        for (url, shown) in cases {
            let address: RedisAddress = url.parse().unwrap();
            assert_eq!(format!("{address:?}"), shown);
            assert!(Finder::new(&address).is_ok(), "{url}");
        }
        let Ok(RedisAddress(Place::Sentinel { settings, .. })) = "redis+sentinel://u:secret@a:1/cup/3".parse() else {
            panic!("not the address of Sentinels");
        };
        assert_eq!((settings.username(), settings.password(), settings.db()), (Some("u"), Some("secret"), 3));
    }

    #[test]
    fn other_texts_are_refused() {
        let cases = ["", "example:6379", "http://example", "redis://", "redis://example/cup", "redis+sentinel://a:1"];
        for url in cases.into_iter().chain(["redis+sentinel:///cup", "redis+sentinel://a:1/cup/x"]) {
            assert!(url.parse::<RedisAddress>().is_err(), "{url}");
        }
    }
}
