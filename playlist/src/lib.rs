//! The views over HTTP: live, dvr, catch-up, vod, multivariant, and the segments.
//!
//! What a playlist says is decided in `broadcast`, as a pure function of the arrival log and the time; where the log
//! and the bytes come from is decided by whoever makes the [`Playlists`]. What is left is HTTP: addresses, headers,
//! waiting for what is about to come, and doing the same work once however many ask.
//!
//! | address under `/hls/{id}/` | what it is |
//! |---|---|
//! | `index.m3u8[?view=live\|dvr\|vod]`, `index.m3u8?view=catchup&from={seq}` | the Multivariant Playlist |
//! | `{rendition}/{live\|dvr\|vod}.m3u8` | a Media Playlist |
//! | `{rendition}/catchup.m3u8?from={seq}` | everything from this segment on, in capture order |
//! | `{rendition}/{seq}.{ts\|m4s}` | a segment, immutable |
//! | `{rendition}/init-{digest}.mp4` | an init section, immutable |
//! | `{rendition}/{seq}.jpg[?width=160\|320\|640\|1280]` | a picture of a segment, immutable |
//! | `poster.jpg[?width=…]` | the newest picture |
//! | `{rendition}/gap-{msn}.{ts\|m4s}` | never anything: what a playlist lists with EXT-X-GAP |
//!
//! Live, dvr and catch-up take the delivery directives of RFC 8216bis, 6.2.5: `_HLS_msn` (blocking reload) and
//! `_HLS_skip` (delta updates, for those who say with `_HLS_msn` how far they have come). There are no partial segments, so `_HLS_part` adds nothing to `_HLS_msn`.

mod absent;
mod address;
mod answer;
mod audience;
mod cache;
mod config;
mod front;
mod headers;
mod horizon;
mod metrics;
mod objects;
mod openapi;
mod playlists;
mod problems;
mod reload;
mod render;
mod routes;
mod still_server;
mod stills;

pub use audience::Audience;
pub use config::{Config, StillsConfig};
pub use front::Front;
pub use openapi::openapi;
pub use playlists::{Deps, Playlists, router};
