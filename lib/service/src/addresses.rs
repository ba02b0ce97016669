//! By which addresses this machine can be reached, as Linux tells in /proc. Elsewhere, and where it tells nothing, none.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The addresses of all interfaces, loopback included. Left out are those that nobody should write in a link: what holds on
/// one link alone, and what is there for a while (RFC 8981), no longer (RFC 4862, 5.5.4), or not yet.
pub fn own_addresses() -> BTreeSet<IpAddr> {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let v4 = v4(&read("/proc/net/fib_trie")).into_iter().map(IpAddr::V4);
    v4.chain(v6(&read("/proc/net/if_inet6")).into_iter().map(IpAddr::V6)).collect()
}

/// A leaf of the trie, `|-- 10.0.0.2`, is an address of ours if it is followed by `/32 host LOCAL`.
fn v4(fib_trie: &str) -> Vec<Ipv4Addr> {
    let mut leaf: Option<Ipv4Addr> = None;
    let mut found = Vec::new();
    for line in fib_trie.lines().map(str::trim) {
        match line.strip_prefix("|-- ") {
            Some(address) => leaf = address.parse().ok(),
            None if line == "/32 host LOCAL" => found.extend(leaf),
            None => {}
        }
    }
    found
}

/// Of an address, as <linux/if_addr.h> numbers them: temporary, not unique after all, deprecated, not known to be unique yet.
const PASSING: u32 = 0x01 | 0x08 | 0x20 | 0x40;

/// A line for each: the address in hexadecimal, index, prefix length, scope, flags, interface.
fn v6(if_inet6: &str) -> Vec<Ipv6Addr> {
    let addresses = if_inet6.lines().filter_map(|line| {
        let mut fields = line.split_whitespace();
        let address = u128::from_str_radix(fields.next()?, 16).ok()?;
        let flags = u32::from_str_radix(fields.nth(3)?, 16).ok()?;
        (flags & PASSING == 0).then(|| Ipv6Addr::from_bits(address))
    });
    addresses.filter(|address| !address.is_unicast_link_local()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_addresses_of_linux_are_read() {
        let trie = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n     |-- 127.0.0.0\n        \
            /8 host LOCAL\n     |-- 127.0.0.1\n        /32 host LOCAL\n     |-- 192.0.2.2\n        /32 host LOCAL\n     \
            |-- 192.0.2.255\n        /32 link BROADCAST\n";
        assert_eq!(v4(trie), [Ipv4Addr::LOCALHOST, Ipv4Addr::new(192, 0, 2, 2)]);
        let v6_lines = "fe8000000000000000fc00fffe000001 04 40 20 80     eth0\n\
            00000000000000000000000000000001 01 80 10 80       lo\nfd000000000000000000000000000002 04 40 00 82     eth0\n\
            fd000000000000000000000000000003 04 40 00 01     eth0\nfd000000000000000000000000000004 04 40 00 21     eth0\n\
            fd000000000000000000000000000005 04 40 00 a0     eth0\nfd000000000000000000000000000006 04 40 00 c8     eth0\n";
        assert_eq!(v6(v6_lines), ["::1", "fd00::2"].map(|text| text.parse::<Ipv6Addr>().unwrap()));
        assert_eq!((v4("nonsense"), v6("nonsense\n\n")), (vec![], vec![]));
    }

    #[test]
    fn this_machine_has_itself() {
        assert!(own_addresses().contains(&IpAddr::V4(Ipv4Addr::LOCALHOST)));
    }
}
