//! What is found, and told line by line.

use broadcast::{BroadcastId, Key};
use serde::Serialize;

/// In what stores and log do not agree, or what is to be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The log lists it, and no store has it.
    Missing,
    /// The log says that it is safe, and the hot store has it not.
    NotHot,
    WrongLength,
    WrongDigest,
    /// A store has it, and the log does not list it.
    Unlisted,
    /// A store has a broadcast of which there is no log.
    NoLog,
    /// No store has a document of the broadcast: a log made anew would lack its title and its end.
    NoDocument,
    /// A document tells something that the log does not.
    NotLogged,
    /// The log tells something that no key tells, and no document either.
    NotDocumented,
    /// The log lists it, none of the stores that were looked at has it, and those who may could not be asked.
    Elsewhere,
    /// Stored, and not safe yet. Nothing is wrong with that.
    NotSafe,
    /// A copy is not what its key says.
    Damaged,
    /// There is no good copy of it: it could not be put into the log.
    Unreadable,
    /// It could not be put into the log.
    Refused,
}

impl Kind {
    pub fn is_wrong(self) -> bool {
        !matches!(self, Self::NotSafe | Self::Elsewhere)
    }

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::NotHot => "not-hot",
            Self::WrongLength => "wrong-length",
            Self::WrongDigest => "wrong-digest",
            Self::Unlisted => "unlisted",
            Self::NoLog => "no-log",
            Self::NoDocument => "no-document",
            Self::NotLogged => "not-logged",
            Self::NotDocumented => "not-documented",
            Self::Elsewhere => "elsewhere",
            Self::NotSafe => "not-safe",
            Self::Damaged => "damaged",
            Self::Unreadable => "unreadable",
            Self::Refused => "refused",
        }
    }
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub kind: Kind,
    pub broadcast: String,
    /// The object; empty if it is about the broadcast.
    pub key: String,
    /// On one line.
    pub detail: String,
}

impl Finding {
    pub(crate) fn new(kind: Kind, id: BroadcastId, key: Option<&Key>, detail: impl Into<String>) -> Self {
        let key = key.map(ToString::to_string).unwrap_or_default();
        let detail = detail.into().replace(['\n', '\r', '\t'], " ");
        Self { kind, broadcast: id.to_string(), key, detail }
    }
}
