//! What the lines of a playlist name.

use broadcast::Seq;
use testkit::hls::Segment;

/// The segment whose bytes an entry is, or is a part of.
pub(crate) fn seq_of(segment: &Segment) -> Option<Seq> {
    if segment.gap { None } else { segment.uri.split_once('.')?.0.parse().ok() }
}
