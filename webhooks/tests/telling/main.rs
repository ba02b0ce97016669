//! What is told, over random recordings, networks and restarts: every change of state once, in order, and the same
//! whoever tells it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

/// The publishers that the views are tested with.
#[path = "../../../lib/broadcast/tests/views/script.rs"]
#[allow(dead_code, reason = "the views ask more of them")]
mod script;
#[path = "../../../lib/broadcast/tests/views/simulation.rs"]
#[allow(dead_code, reason = "the views ask more of them")]
mod simulation;

mod by_hand;
mod rules;

use broadcast::{BroadcastId, LogEntry, Millis, StoreTime};
use headwater_webhooks::{Message, Segments, Teller};

fn id() -> BroadcastId {
    BroadcastId::new(1_790_000_000_000, 7)
}

/// How long after the last entry of a log everything that time does has been done.
const LONG: Millis = Millis(3 * 3_600_000);

/// All that is ever to be told of a log.
fn told_of(log: &[LogEntry], segments: Segments) -> Vec<Message> {
    let (mut teller, mut messages) = Teller::open(id(), segments, &log[0]).unwrap();
    for entry in &log[1..] {
        messages.extend(teller.take(entry).unwrap());
    }
    messages.extend(teller.pass(end_of(log)));
    messages
}

fn end_of(log: &[LogEntry]) -> StoreTime {
    log.last().unwrap().at + LONG
}

/// What a receiver sees of a message.
fn seen(message: &Message) -> serde_json::Value {
    serde_json::from_str(&message.body()).unwrap()
}

/// The state that a message tells.
fn state(message: &Message) -> String {
    seen(message)["data"]["state"].as_str().unwrap().to_owned()
}
