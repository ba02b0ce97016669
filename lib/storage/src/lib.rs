//! Segment bytes under self-describing keys ([`broadcast::Key`]): one interface, [`Store`], for every tier.
//!
//! [`LocalStore`] keeps them in a directory of this machine. It is the one that makes a segment durable before it is
//! acknowledged, so it has a way in that other tiers have not: [`LocalStore::upload`] takes bytes while they are still
//! being received and verified, and [parked](Upload::park) uploads are durable before they have a key.
//!
//! [`HotStore`] is what several machines share: a bucket behind the S3 protocol, or a directory that they all mount.
//! [`PeerStore`] asks other nodes for what is on their disks. [`Tiers`] reads from the first of several stores that has
//! what is asked for.
//!
//! # Crash safety of the local tier
//!
//! ```text
//! DIR/lock                              held by the one process that uses DIR
//! DIR/incoming/{opened}-{n}             being received; never acknowledged; removed at the next start
//! DIR/parked/{broadcast}/{name}         durable and acknowledged, without a key as yet
//! DIR/segments/{key}                    durable under its key
//! DIR/refused/{key}                     acknowledged, and refused by the log afterwards; for people to look at
//! DIR/refused/{broadcast}/{name}        the same of what was parked
//! DIR/damaged/{key}                     not what its key says any more: the disk has changed it; for people to look at
//! DIR/{name}                            a small text that its user keeps there, replaced as a whole
//! ```
//!
//! A commit does these steps in this order. The power may fail between any two.
//!
//! | step | what holds after it |
//! |---|---|
//! | write the file in `incoming/` | nothing was said; the next start removes it |
//! | `fdatasync` of the file | the same, and from here on its content is whole |
//! | make the key's directories | the same; an empty directory means nothing |
//! | `rename` to the key | the key has the whole file, or nothing, never a part |
//! | `fsync` of new directories' parents, then of the directory | the key has the whole file for ever: `Ok` |
//!
//! So whatever is found in `segments/` or `parked/` is whole. Some of it may never have been acknowledged: the
//! start-up scan takes it in all the same. Parking does the same steps with another destination. Adopting a parked
//! file renames it; both directories are synced, the destination first.
//!
//! A file whose sync failed is never acknowledged nor synced again (Linux reports a write error once): it is removed,
//! and the sender sends it again.
//!
//! A directory that is shared as a hot store does the same steps in the same layout, without a lock: names in `incoming/`
//! are random, and no directory is ever removed.

mod blob;
mod disk;
mod error;
mod hop;
mod hot;
mod local;
mod peers;
mod store;
mod tiers;
mod verified;

pub use blob::Blob;
#[cfg(feature = "simulation")]
pub use disk::crash::{Crash, Kept};
pub use error::{OpenError, StoreError};
pub use hot::{HotStore, HotUrl, HotUrlError};
pub use local::{LocalReader, LocalStore, Parked, ParkedName, ParkedNameError, StorageConfig, Upload, Usage};
pub use peers::{Answered, Asking, Fleet, PeerStore, Peers, Transport};
pub use store::{Listed, Listing, Named, Store, Version};
pub use tiers::Tiers;
pub use verified::verified;
