//! What the log says of a segment, found in its bytes: where `media`, which knows no broadcasts, meets `broadcast`, which
//! knows no bytes. Those who take segments in and those who find them in a store come to the same here.

mod describe;
mod init;
mod reading;

pub use describe::{Described, Found, describe, stored_events};
pub use init::{KnownInit, format_of_init};
pub use reading::{ReadError, inspect};
