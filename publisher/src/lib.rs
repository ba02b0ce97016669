//! The sender's side. A local recorder is the spool (see docs/design/publisher.md); the [`Uplink`] makes far away what
//! its log says true, over any network: live first, what is missing with what is left over, nothing deleted that is
//! not safe.
//!
//! A [`Directory`] takes what somebody else's encoder writes to disk, and pushes it to the local recorder.
//!
//! Nothing here encodes or segments, and nothing here knows how a local recorder works inside: only its log and its
//! files.

mod address;
mod directory;
mod guide;
mod held;
mod ledger;
mod link;
mod offset;
mod policy;
mod remote;
mod route;
mod status;
mod times;
mod uplink;

pub use address::{Address, AddressError};
pub use directory::{Directory, DirectoryError, Intake, Pushed, Source};
pub use ledger::{Arrived, Ledger, SegmentName};
pub use policy::{Class, InFlight, PolicyConfig, Situation, Start, plan};
pub use remote::{
    Acknowledged, AnswerBody, ArrivedRange, Bundled, HttpRemote, Outgoing, Over, Part, Remote, RemoteError,
    RemoteStatus, RequestBody, Routed, Said, Transport,
};
pub use route::{RecorderUrl, Route};
pub use status::Status;
pub use uplink::{Deps, Uplink, UplinkConfig, UplinkError};
