//! What is told: the types of messages, how each is named, and what it says. Nothing here sends anything.

use std::fmt;
use std::str::FromStr;

use broadcast::{Broadcast, BroadcastId, EventIndex, Segment, State, StoreTime};
use serde::{Deserialize, Deserializer, de};
use serde_json::{Value, json};

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident $word:literal)*) => {
        /// The type of a message.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind {
            $($(#[$doc])* $name),*
        }

        impl Kind {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// As receivers see it.
            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$name => $word),*
                }
            }
        }
    };
}

kinds! {
    Created "broadcast.created"
    /// The first segment is stored.
    Live "broadcast.live"
    /// Nothing arrives, and the publisher did not say why.
    Interrupted "broadcast.interrupted"
    /// Live again after an interruption.
    Back "broadcast.back"
    /// After an interruption: nothing is missing any more. Once for each that is not followed by another, or the end.
    CaughtUp "broadcast.caught_up"
    Paused "broadcast.paused"
    /// After a pause, the first segment has come.
    Resumed "broadcast.resumed"
    /// Nothing new will be captured; what was may still arrive.
    Ended "broadcast.ended"
    /// It has ended and nothing is missing.
    Complete "broadcast.complete"
    /// Another recorder takes it in.
    TakenOver "broadcast.taken_over"
    SegmentStored "segment.stored"
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A text that is no type of message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no type of message: they are {all}", all = Kind::ALL.iter().map(|kind| kind.word()).collect::<Vec<_>>().join(", "))]
pub struct UnknownKind(String);

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        Self::ALL.iter().copied().find(|kind| kind.word() == text).ok_or_else(|| UnknownKind(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// Where in the story of a broadcast something happened: after so many events, and when. In the order of the story.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    pub next: EventIndex,
    pub at: StoreTime,
}

/// Something to tell.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// The same whoever tells it, and however often.
    pub id: String,
    pub kind: Kind,
    pub position: Position,
    data: Value,
}

/// What brought it about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cause {
    /// The last event that was taken in.
    Event,
    /// Time alone.
    Time,
}

impl Message {
    /// A message about `broadcast` as it stands at `position`; `more` is what it says beside that.
    pub(crate) fn new(
        kind: Kind,
        cause: Cause,
        id: BroadcastId,
        position: Position,
        (broadcast, state): (&Broadcast, State),
        more: Value,
    ) -> Self {
        let Position { next, at } = position;
        let suffix = kind.word().rsplit('.').next().unwrap_or_default();
        let name = match cause {
            Cause::Event => format!("msg_{id}_{}_{suffix}", next.0.saturating_sub(1)),
            Cause::Time => format!("msg_{id}_{}_{}_{suffix}", next.0.saturating_sub(1), at.0),
        };
        let mut data = about(id, broadcast, state);
        if let (Value::Object(data), Value::Object(more)) = (&mut data, more) {
            data.extend(more);
        }
        Self { id: name, kind, position, data }
    }

    /// The body of the request: `{"type", "timestamp", "data"}`. The timestamp is that of what happened.
    pub fn body(&self) -> String {
        document(self.kind.word(), self.position.at.0, &self.data)
    }
}

/// A message for trying out whether a receiver gets it.
pub(crate) fn test_body(now_ms: i64) -> String {
    document("webhook.test", now_ms, &json!({}))
}

fn document(kind: &str, at_ms: i64, data: &Value) -> String {
    let timestamp = jiff::Timestamp::from_millisecond(at_ms).map(|at| at.to_string()).unwrap_or_default();
    json!({"type": kind, "timestamp": timestamp, "data": data}).to_string()
}

fn about(id: BroadcastId, broadcast: &Broadcast, state: State) -> Value {
    let since = match state {
        State::Interrupted { since } => Some(since.0),
        State::Paused { since } => since.map(|since| since.0),
        _ => None,
    };
    let segments: u64 = broadcast
        .renditions()
        .iter()
        .map(|rendition| broadcast.stored(rendition.name()).map_or(0, |seqs| seqs.count()))
        .sum();
    let mut about = json!({
        "broadcast": id.to_string(),
        "title": broadcast.opened().title,
        "state": state.word(),
        "created_at": broadcast.created_at().0,
        "duration_s": broadcast.duration().as_secs_f64(),
        "segments": segments,
        "missing": broadcast.missing_count(),
    });
    if let Some(since) = since {
        about["since"] = since.into();
    }
    if let Some(by) = broadcast.recorded_by() {
        about["recorder"] = by.node.as_str().into();
    }
    about
}

/// What is told of a segment.
pub(crate) fn of_segment(segment: &Segment) -> Value {
    json!({"segment": {
        "rendition": segment.rendition.to_string(),
        "seq": segment.seq.0,
        "captured_at": segment.captured_at.0,
        "duration_s": segment.duration.as_secs_f64(),
        "bytes": segment.len,
        "digest": segment.digest.to_string(),
        "path": format!("{}/{}.{}", segment.rendition, segment.seq, segment.container.extension()),
    }})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_read_back() {
        for kind in Kind::ALL {
            assert_eq!(kind.word().parse(), Ok(*kind));
        }
        let error = "broadcast.gone".parse::<Kind>().expect_err("there is none").to_string();
        assert!(error.starts_with("\"broadcast.gone\" is no type of message: they are broadcast.created, "), "{error}");
    }
}
