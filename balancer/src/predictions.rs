//! What the loads do not show yet: whom this balancer has sent where lately. Without it, all broadcasts that begin between
//! two heartbeats would go to whoever was idle at the first.
//!
//! Pure: what happened, and when, it is told.

use std::collections::HashMap;

use broadcast::{BroadcastId, StoreTime};
use metadata::{NodeName, Registered};

/// What is left of a prediction after each report of the node: with reports every three seconds, half of it is gone after
/// seven, by when a new publisher's uploads show in the load (the same share as MistServer's balancer).
const LEFT: f64 = 0.75;
/// Less than this is nothing.
const LEAST: f64 = 0.05;
/// How many broadcasts are remembered with their node, twice: who asks again for the same is no new load.
const REMEMBERED_MAX: usize = 50_000;

/// How many broadcasts each node was given that its load does not show.
#[derive(Debug, Default)]
pub struct Predictions {
    nodes: HashMap<NodeName, Prediction>,
    /// The nodes that broadcasts were sent to: lately, and before.
    newer: HashMap<BroadcastId, NodeName>,
    older: HashMap<BroadcastId, NodeName>,
}

#[derive(Debug)]
struct Prediction {
    broadcasts: f64,
    /// Of the newest report that it has been compared with.
    renewed_at: StoreTime,
}

impl Predictions {
    /// How many there are for one node.
    pub fn of(&self, name: &NodeName) -> f64 {
        self.nodes.get(name).map_or(0.0, |prediction| prediction.broadcasts)
    }

    /// A broadcast was sent to `node`.
    pub fn assigned(&mut self, broadcast: BroadcastId, node: &Registered) {
        let name = &node.node.name;
        if self.newer.get(&broadcast).or_else(|| self.older.get(&broadcast)) == Some(name) {
            return;
        }
        if self.newer.len() >= REMEMBERED_MAX {
            self.older = std::mem::take(&mut self.newer);
        }
        self.newer.insert(broadcast, name.clone());
        let new = Prediction { broadcasts: 0.0, renewed_at: node.renewed_at };
        self.nodes.entry(name.clone()).or_insert(new).broadcasts += 1.0;
    }

    /// These are the nodes that are alive, as they have last reported.
    pub fn heard(&mut self, alive: &[Registered]) {
        let reports: HashMap<_, _> = alive.iter().map(|node| (&node.node.name, node.renewed_at)).collect();
        self.nodes.retain(|name, prediction| {
            let Some(renewed_at) = reports.get(name) else { return false };
            if *renewed_at > prediction.renewed_at {
                prediction.renewed_at = *renewed_at;
                prediction.broadcasts *= LEFT;
            }
            prediction.broadcasts >= LEAST
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rank::tests::{broadcast, recorder};

    fn reported(name: &str, at: i64) -> Registered {
        Registered { renewed_at: StoreTime(at), ..recorder(name) }
    }

    #[test]
    fn what_was_sent_counts_until_the_node_has_reported() {
        let mut predictions = Predictions::default();
        let node = reported("a", 1_000);
        for n in 0..100 {
            predictions.assigned(broadcast(n), &node);
            predictions.assigned(broadcast(n), &node);
        }
        let name = &node.node.name;
        assert_eq!(predictions.of(name), 100.0, "who asks twice is one");
        predictions.heard(std::slice::from_ref(&node));
        assert_eq!(predictions.of(name), 100.0, "it has not reported since");
        predictions.heard(&[reported("a", 4_000)]);
        predictions.heard(&[reported("a", 4_000)]);
        assert_eq!(predictions.of(name), 75.0);
        for report in 5..40 {
            predictions.heard(&[reported("a", report * 1_000)]);
        }
        assert_eq!((predictions.of(name), predictions.nodes.len()), (0.0, 0));
        // It moves, and comes back.
        predictions.assigned(broadcast(0), &reported("b", 1_000));
        predictions.assigned(broadcast(0), &reported("a", 50_000));
        assert_eq!((predictions.of(name), predictions.of(&"b".parse().unwrap())), (1.0, 1.0));
        predictions.heard(&[reported("a", 50_000)]);
        assert_eq!(predictions.of(&"b".parse().unwrap()), 0.0, "who is gone is forgotten");
    }

    #[test]
    fn what_is_remembered_has_an_end() {
        let (mut predictions, node) = (Predictions::default(), recorder("a"));
        for n in 0..3 * REMEMBERED_MAX as u64 {
            predictions.assigned(broadcast(n), &node);
        }
        assert!(predictions.newer.len() <= REMEMBERED_MAX && predictions.older.len() <= REMEMBERED_MAX);
    }
}
