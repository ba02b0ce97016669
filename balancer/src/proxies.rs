//! From where a request came: its peer, or, behind proxies that are ours, what the last of them was told.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use http::HeaderMap;
use serde::Deserialize;

/// The most entries of an X-Forwarded-For that are looked at.
const HOPS_MAX: usize = 32;

/// Addresses that begin alike: `10.0.0.0/8`, `fd00::/8`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Network {
    address: IpAddr,
    /// How many bits are alike.
    prefix: u8,
}

/// A text that is no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no network: write an address, or one with the length of its prefix, such as 10.0.0.0/8")]
pub struct NetworkError(String);

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let wrong = || NetworkError(text.to_owned());
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(bits), |prefix| prefix.parse().map_err(|_| wrong()))?;
        if prefix <= bits { Ok(Self { address, prefix }) } else { Err(wrong()) }
    }
}

impl TryFrom<String> for Network {
    type Error = NetworkError;

    fn try_from(text: String) -> Result<Self, NetworkError> {
        text.parse()
    }
}

impl Network {
    fn has(self, address: IpAddr) -> bool {
        let differ = match (self.address, address) {
            (IpAddr::V4(ours), IpAddr::V4(other)) => {
                (Ipv4Addr::to_bits(ours) ^ Ipv4Addr::to_bits(other)).leading_zeros()
            }
            (IpAddr::V6(ours), IpAddr::V6(other)) => {
                (Ipv6Addr::to_bits(ours) ^ Ipv6Addr::to_bits(other)).leading_zeros()
            }
            _ => return false,
        };
        differ >= u32::from(self.prefix)
    }
}

/// Who sent a request that came from `peer`. Each trusted proxy appends whom it got it from to X-Forwarded-For: the last
/// entry that is not a proxy of ours is the sender, and what stands before it is only what the sender says.
pub(crate) fn sender(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.has(address));
    let mut sender = peer.to_canonical();
    let lines: Vec<_> = headers.get_all("x-forwarded-for").iter().filter_map(|line| line.to_str().ok()).collect();
    let entries = lines.iter().rev().flat_map(|line| line.rsplit(','));
    for entry in entries.take(HOPS_MAX) {
        if !is_trusted(sender) {
            break;
        }
        // Whatever else a proxy writes, such as `unknown`, says nothing.
        let Some(address) = address(entry.trim()) else { break };
        sender = address;
    }
    sender
}

/// Some proxies add the port.
fn address(entry: &str) -> Option<IpAddr> {
    let address = entry.parse::<IpAddr>().or_else(|_| entry.parse::<std::net::SocketAddr>().map(|socket| socket.ip()));
    address.ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_read() {
        for (text, has, has_not) in [
            ("10.0.0.0/8", "10.255.1.2", "11.0.0.1"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.8"),
            ("fd00::/8", "fd12::1", "fe80::1"),
            ("0.0.0.0/0", "203.0.113.9", "::1"),
            ("192.0.2.128/25", "192.0.2.200", "192.0.2.100"),
        ] {
            let network: Network = text.parse().unwrap();
            assert!(network.has(has.parse().unwrap()) && !network.has(has_not.parse().unwrap()), "{text}");
        }
        for wrong in ["", "10.0.0.0/33", "10.0.0/8", "::/129", "10.0.0.0/-1", "here"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }

    proptest::proptest! {
        #[test]
        fn nobody_can_claim_to_be_elsewhere(line in "[ -~]{0,200}", list in proptest::collection::vec("[0-9a-f.:]{1,20}", 0..50)) {
            let peer: IpAddr = "192.0.2.1".parse().unwrap();
            let everybody: Vec<Network> = ["0.0.0.0/0", "::/0"].map(|text| text.parse().unwrap()).to_vec();
            for line in [line, list.join(",")] {
                let headers = [("x-forwarded-for".parse().unwrap(), line.parse().unwrap())].into_iter().collect();
                proptest::prop_assert_eq!(sender(peer, &headers, &[]), peer);
                let believed = sender(peer, &headers, &everybody);
                let was_said = line.split(',').any(|entry| address(entry.trim()) == Some(believed));
                proptest::prop_assert!(believed == peer || was_said, "{believed} of {line:?}");
            }
        }
    }

    #[test]
    fn only_what_trusted_proxies_say_is_believed() {
        let trusted: Vec<Network> = ["10.0.0.0/8", "::1"].into_iter().map(|text| text.parse().unwrap()).collect();
        let cases: [(&str, &[&str], &str); 9] = [
            ("203.0.113.1", &["198.51.100.1"], "203.0.113.1"),
            ("10.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["1.2.3.4, 198.51.100.1, 10.0.0.2"], "198.51.100.1"),
            ("10.0.0.1", &["1.2.3.4", "198.51.100.1:4711", "10.0.0.2"], "198.51.100.1"),
            ("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            ("10.0.0.1", &["198.51.100.1, unknown"], "10.0.0.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("::1", &["2001:db8::1"], "2001:db8::1"),
            ("::ffff:10.0.0.1", &["::ffff:198.51.100.1"], "198.51.100.1"),
        ];
        for (peer, lines, expected) in cases {
            let headers = lines.iter().map(|line| ("x-forwarded-for".parse().unwrap(), line.parse().unwrap())).fold(
                HeaderMap::new(),
                |mut headers, (name, value): (http::HeaderName, http::HeaderValue)| {
                    headers.append(name, value);
                    headers
                },
            );
            let sender = sender(peer.parse().unwrap(), &headers, &trusted);
            assert_eq!(sender, expected.parse::<IpAddr>().unwrap(), "{peer} {lines:?}");
        }
    }
}
