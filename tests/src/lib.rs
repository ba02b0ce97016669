//! What the end-to-end tests share: other people's programs at work, a tap on what they send, and the recording as a
//! viewer gets it afterwards.

mod ffmpeg;
mod http_stream;
mod program;
mod recording;
mod tap;

pub use ffmpeg::Encoder;
pub use http_stream::{Request, requests};
pub use program::Program;
pub use recording::{Recording, wait_until_complete};
pub use tap::{Sent, Tap};
