//! What the end-to-end tests share: other people's programs at work, a tap on what they send, publishers and viewers
//! of our own, and the recording as a viewer gets it afterwards.

mod at_once;
mod captions;
mod encoded;
mod ffmpeg;
mod http_stream;
mod media;
mod parsers;
mod poller;
mod program;
mod publisher;
mod receiver;
mod recording;
mod relay;
mod shaka;
mod tap;
mod wire;

pub use at_once::at_once;
pub use captions::CAPTION;
pub use encoded::Encoded;
pub use ffmpeg::{Encoder, frames};
pub use http_stream::{Request, requests};
pub use media::Media;
pub use parsers::assert_others_can_read;
pub use poller::{Poll, Poller};
pub use program::Program;
pub use publisher::Publisher;
pub use receiver::{Mood, Receiver, SECRET, Taken, assert_others_accept};
pub use recording::{Recording, end_when_stored, until_stored, wait_until_complete};
pub use relay::Relay;
pub use shaka::{Packaging, Shaka};
pub use tap::{Sent, Tap};
pub use wire::Wire;
