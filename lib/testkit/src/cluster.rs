//! A Redis Cluster: three primaries that share the slots, each with a replica if asked for. Nobody takes over by itself:
//! whoever tests says when.

use crate::redis::RedisServer;
use crate::sentinel::{ask, until_says};

const PRIMARIES: u16 = 3;
/// How many slots every cluster has.
const SLOTS: u16 = 16_384;
/// Longest silence, in milliseconds, before a node believes another gone: while they get to know each other, short, since
/// they talk to each other as often as that asks for; and then longer than a test takes.
const TIMEOUT_AT_FIRST_MS: u32 = 500;
const TIMEOUT_MS: u32 = 600_000;

const NODE: [&str; 10] = [
    "--save",
    "",
    "--cluster-replica-no-failover",
    "yes",
    "--cluster-require-full-coverage",
    "no",
    "--cluster-allow-replica-migration",
    "no",
    "--repl-diskless-sync-delay",
    "0",
];

/// The servers of a cluster. They are killed when this is dropped.
#[derive(Debug)]
pub struct ClusterRedis {
    pub primaries: Vec<RedisServer>,
    /// The replica of each primary, in the same order; none if they have none.
    pub replicas: Vec<RedisServer>,
}

impl ClusterRedis {
    /// Starts three primaries, and waits until they are a cluster.
    ///
    /// # Panics
    /// If they do not become one.
    pub fn start() -> Self {
        let primaries: Vec<_> = (0..PRIMARIES).map(|_| RedisServer::start_node(&NODE)).collect();
        let cluster = Self { primaries, replicas: Vec::new() };
        cluster.share_slots();
        cluster.settle();
        cluster
    }

    /// The same with a replica for each, which has what its primary has.
    ///
    /// # Panics
    /// If they do not become one.
    pub fn start_with_replicas() -> Self {
        let node = || (0..PRIMARIES).map(|_| RedisServer::start_node(&NODE)).collect();
        let cluster = Self { primaries: node(), replicas: node() };
        cluster.share_slots();
        for (primary, replica) in cluster.primaries.iter().zip(&cluster.replicas) {
            let id = said(primary, "CLUSTER MYID");
            until_says(replica, "CLUSTER NODES", &id);
            tell(replica, &format!("CLUSTER REPLICATE {id}"));
        }
        for replica in &cluster.replicas {
            until_says(replica, "INFO replication", "master_link_status:up");
        }
        cluster.settle();
        cluster
    }

    /// Where Headwater finds them: `redis+cluster://HOST:PORT,…`. The primaries alone.
    pub fn url(&self) -> String {
        let hosts: Vec<_> = self.primaries.iter().map(|primary| format!("127.0.0.1:{}", primary.port())).collect();
        format!("redis+cluster://{}", hosts.join(","))
    }

    /// The primary that had this slot at first.
    pub fn index_of(slot: u16) -> usize {
        usize::from((slot / share()).min(PRIMARIES - 1))
    }

    fn nodes(&self) -> impl Iterator<Item = &RedisServer> {
        self.primaries.iter().chain(&self.replicas)
    }

    /// Introduces all to each other, and gives the primaries their shares.
    fn share_slots(&self) {
        for (number, primary) in (0..PRIMARIES).zip(&self.primaries) {
            let first = number * share();
            let last = if number + 1 == PRIMARIES { SLOTS - 1 } else { first + share() - 1 };
            tell(primary, &format!("CLUSTER ADDSLOTSRANGE {first} {last}"));
        }
        // While nobody knows another: no two may have the same.
        for (epoch, node) in (1..).zip(self.nodes()) {
            tell(node, &format!("CLUSTER SET-CONFIG-EPOCH {epoch}"));
        }
        for (number, node) in self.nodes().enumerate() {
            tell(node, &format!("CONFIG SET cluster-node-timeout {TIMEOUT_AT_FIRST_MS}"));
            for other in self.nodes().skip(number + 1) {
                let bus = other.bus_port().expect("it is a node of a cluster");
                tell(node, &format!("CLUSTER MEET 127.0.0.1 {} {bus}", other.port()));
            }
        }
    }

    /// Waits until all know all.
    fn settle(&self) {
        let count = self.nodes().count();
        for node in self.nodes() {
            for fact in ["cluster_state:ok", "cluster_slots_ok:16384", &format!("cluster_known_nodes:{count}")] {
                until_says(node, "CLUSTER INFO", fact);
            }
            for replica in &self.replicas {
                let bus = replica.bus_port().expect("it is a node of a cluster");
                let flag = if std::ptr::eq(replica, node) { "myself,slave" } else { "slave" };
                until_says(node, "CLUSTER NODES", &format!("@{bus} {flag}"));
            }
        }
        for node in self.nodes() {
            tell(node, &format!("CONFIG SET cluster-node-timeout {TIMEOUT_MS}"));
        }
    }
}

fn share() -> u16 {
    SLOTS / PRIMARIES
}

/// A command that has nothing to say.
#[track_caller]
fn tell(server: &RedisServer, command: &str) {
    let answer = ask(server, command).unwrap_or_else(|error| error.to_string());
    assert!(answer.starts_with("+OK"), "{command}: {answer}");
}

#[track_caller]
fn said(server: &RedisServer, command: &str) -> String {
    ask(server, command).unwrap_or_else(|error| panic!("{command}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_its_primary() {
        let cluster = ClusterRedis::start_with_replicas();
        let set =
            |key: &str| cluster.primaries.iter().map(|node| said(node, &format!("SET {key} x"))).collect::<Vec<_>>();
        for (key, slot) in [("a", 15_495), ("b", 3_300), ("c", 7_365)] {
            let answers = set(key);
            for (number, answer) in answers.iter().enumerate() {
                let expected = if number == ClusterRedis::index_of(slot) { "+OK" } else { "-MOVED" };
                assert!(answer.starts_with(expected), "{key} at {number}: {answer}");
            }
        }
        // Whoever is cut off decides nothing, and whoever is told to takes over.
        assert!(said(&cluster.replicas[0], "CLUSTER FAILOVER TAKEOVER").starts_with("+OK"));
        until_says(&cluster.primaries[1], "CLUSTER NODES", &format!("{}@", cluster.replicas[0].port()));
    }
}
