//! Where the Redis is: at one address, wherever the Sentinels say, or on the nodes of a cluster.

use std::fmt;
use std::str::FromStr;

use redis::sentinel::{SentinelClient, SentinelNodeConnectionInfo, SentinelServerType};
use redis::{
    Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, RedisConnectionInfo, RedisResult,
};

const SENTINEL: &str = "redis+sentinel://";
/// How the address of a cluster begins, and that of one of its nodes.
const CLUSTER: [(&str, &str); 2] = [("redis+cluster://", "redis://"), ("rediss+cluster://", "rediss://")];

/// The address of a Redis, as a URL:
///
/// ```text
/// redis://[user:password@]host[:port][/database]
/// redis+unix:///path/of/the/socket
/// redis+sentinel://[user:password@]host:port[,host:port...]/master[/database]
/// redis+cluster://[user:password@]host[:port][,host[:port]...]
/// ```
/// With `rediss` for `redis`, the first and the last form speak TLS. The user and password before Sentinels are the
/// server's; the Sentinels are asked without. Of a cluster, some nodes are enough: they name the others, which all have
/// the same user and password. A cluster has one database.
#[derive(Clone)]
pub struct RedisAddress(Place);

#[derive(Clone)]
enum Place {
    Server(ConnectionInfo),
    Sentinel { sentinels: Vec<String>, master: String, settings: RedisConnectionInfo },
    Cluster(Seeds),
}

/// A text that is not the address of a Redis.
#[derive(Clone, Debug, thiserror::Error)]
#[error("not the address of a Redis")]
pub struct RedisAddressError(#[source] pub(super) redis::RedisError);

impl FromStr for RedisAddress {
    type Err = RedisAddressError;

    fn from_str(url: &str) -> Result<Self, RedisAddressError> {
        let of_cluster = CLUSTER.iter().find_map(|(scheme, node)| Some((node, url.strip_prefix(scheme)?)));
        let place = match (url.strip_prefix(SENTINEL), of_cluster) {
            (Some(rest), _) => sentinel(rest),
            (None, Some((node, rest))) => cluster(node, rest),
            (None, None) => url.into_connection_info().map(Place::Server),
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

fn cluster(scheme: &str, rest: &str) -> RedisResult<Place> {
    let (credentials, hosts) = rest.rsplit_once('@').unwrap_or(("", rest));
    let at = if credentials.is_empty() { "" } else { "@" };
    let hosts = hosts.strip_suffix('/').unwrap_or(hosts);
    if hosts.contains('/') {
        return Err((redis::ErrorKind::InvalidClientConfig, "expected hosts only: a cluster has one database").into());
    }
    let node = |host: &str| format!("{scheme}{credentials}{at}{host}").into_connection_info();
    let nodes = hosts.split(',').map(node).collect::<RedisResult<Vec<_>>>()?;
    let like = speaking(nodes[0].clone());
    Ok(Place::Cluster(Seeds { nodes: nodes.iter().map(|node| node.addr().to_string()).collect(), like }))
}

/// What is known of a cluster before it is asked.
#[derive(Clone)]
pub(super) struct Seeds {
    /// Some of its nodes, `host:port`.
    pub(super) nodes: Vec<String>,
    /// How to connect to each; the address is another.
    like: ConnectionInfo,
}

impl Seeds {
    /// The node at `host:port`.
    pub(super) fn node(&self, address: &str) -> RedisResult<Client> {
        let misplaced = || (redis::ErrorKind::InvalidClientConfig, "expected a host and a port", address.to_owned());
        let (host, port) = address.rsplit_once(':').ok_or_else(misplaced)?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = port.parse().map_err(|_| misplaced())?;
        let at = match self.like.addr().clone() {
            ConnectionAddr::TcpTls { insecure, tls_params, .. } => {
                ConnectionAddr::TcpTls { host, port, insecure, tls_params }
            }
            _ => ConnectionAddr::Tcp(host, port),
        };
        Client::open(self.like.clone().set_addr(at))
    }
}

impl fmt::Debug for Seeds {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.nodes).finish()
    }
}

impl fmt::Display for RedisAddress {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Server(info) => write!(f, "redis://{}", info.addr()),
            Place::Sentinel { sentinels, master, .. } => write!(f, "master {master} of {}", sentinels.join(" ")),
            Place::Cluster(Seeds { nodes, .. }) => write!(f, "cluster of {}", nodes.join(" ")),
        }
    }
}

impl fmt::Debug for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How to come to the servers of an address.
pub(super) enum Way {
    /// One server has everything.
    One(Finder),
    /// Several share it.
    Cluster(Seeds),
}

impl Way {
    pub(super) fn new(address: &RedisAddress) -> RedisResult<Self> {
        Ok(match &address.0 {
            Place::Server(info) => Self::One(Finder::Server(Client::open(speaking(info.clone()))?)),
            Place::Sentinel { sentinels, master, settings } => {
                let settings = settings.clone().set_protocol(PROTOCOL);
                let node = SentinelNodeConnectionInfo::default().set_redis_connection_info(settings);
                let (sentinels, role) = (sentinels.clone(), SentinelServerType::Master);
                Self::One(Finder::Sentinel(SentinelClient::build(sentinels, master.clone(), Some(node), role)?))
            }
            Place::Cluster(seeds) => Self::Cluster(seeds.clone()),
        })
    }
}

/// The protocol that can carry messages beside answers.
const PROTOCOL: ProtocolVersion = ProtocolVersion::RESP3;

fn speaking(info: ConnectionInfo) -> ConnectionInfo {
    let settings = info.redis_settings().clone().set_protocol(PROTOCOL);
    info.set_redis_settings(settings)
}

/// Finds one server, each time anew.
pub(super) enum Finder {
    Server(Client),
    Sentinel(SentinelClient),
}

impl Finder {
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
            ("redis+cluster://a", "cluster of a:6379"),
            ("redis+cluster://user:secret@a:1,b:2,[::1]:3/", "cluster of a:1 b:2 ::1:3"),
            ("rediss+cluster://:secret@a:1,b", "cluster of a:1 b:6379"),
            ("rediss://:secret@example", "redis://example:6379"),
        ];
        for (url, shown) in cases {
            let address: RedisAddress = url.parse().unwrap();
            assert_eq!(format!("{address:?}"), shown);
            assert!(Way::new(&address).is_ok(), "{url}");
        }
        let Ok(RedisAddress(Place::Sentinel { settings, .. })) = "redis+sentinel://u:secret@a:1/cup/3".parse() else {
            panic!("not the address of Sentinels");
        };
        assert_eq!((settings.username(), settings.password(), settings.db()), (Some("u"), Some("secret"), 3));
    }

    #[test]
    fn every_node_of_a_cluster_is_spoken_to_alike() {
        let cases = [("redis+cluster://u:secret@a:1,b:2", false), ("rediss+cluster://u:secret@a:1,b:2", true)];
        for (url, is_tls) in cases {
            let Ok(RedisAddress(Place::Cluster(seeds))) = url.parse() else { panic!("{url}") };
            assert_eq!(seeds.nodes, ["a:1", "b:2"]);
            for (address, shown) in [("c:3", "c:3"), ("2001:db8::1:4", "2001:db8::1:4"), ("[::1]:5", "::1:5")] {
                let client = seeds.node(address).unwrap();
                let info = client.get_connection_info();
                assert_eq!(info.addr().to_string(), shown);
                assert_eq!(matches!(info.addr(), ConnectionAddr::TcpTls { .. }), is_tls);
                let settings = info.redis_settings();
                assert_eq!((settings.username(), settings.password()), (Some("u"), Some("secret")));
            }
            assert!(seeds.node("c").is_err() && seeds.node("c:port").is_err());
        }
    }

    #[test]
    fn other_texts_are_refused() {
        let cases = ["", "example:6379", "http://example", "redis://", "redis://example/cup", "redis+sentinel://a:1"];
        for url in
            cases.into_iter().chain(["redis+sentinel:///cup", "redis+sentinel://a:1/cup/x"]).chain(CLUSTERS_TO_REFUSE)
        {
            assert!(url.parse::<RedisAddress>().is_err(), "{url}");
        }
    }

    const CLUSTERS_TO_REFUSE: [&str; 4] =
        ["redis+cluster://", "redis+cluster://a:1/2", "redis+cluster://a:1,,b:2", "redis+cluster://a:x"];
}
