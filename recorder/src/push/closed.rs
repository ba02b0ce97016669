//! Which playlists their pushers have closed, and which segments belong to them: a segment may come after the playlist
//! that ends with it, because pushers do not wait for answers. Pure.

use std::collections::BTreeMap;

use broadcast::{Broadcast, RenditionName, Segment, Seq};

use super::hint::MediaHint;
use super::numbering::Named;

/// The last media sequence number of each rendition whose playlist is closed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Closed(BTreeMap<RenditionName, u64>);

impl Closed {
    /// Learns what the playlist of `rendition` says.
    pub(crate) fn learn(&mut self, rendition: &RenditionName, hint: &MediaHint) {
        match hint.numbers.values().max() {
            Some(last) if hint.closed => drop(self.0.insert(rendition.clone(), *last)),
            _ => drop(self.0.remove(rendition)),
        }
    }

    /// Whether this stored segment is one of a closed playlist, and not the first of another run.
    pub(crate) fn covers(&self, broadcast: &Broadcast, named: &Named, seq: Seq) -> bool {
        let Some(last) = self.0.get(&named.rendition) else { return false };
        let rendition = broadcast.rendition(&named.rendition);
        let before = rendition.and_then(|rendition| rendition.segment_before(seq));
        let base = |seq: Seq, number: u64| i128::from(seq.0) - i128::from(number);
        let base_of = |segment: &Segment| Some(base(segment.seq, segment.pushed?));
        let goes_on = before.is_none_or(|before| base_of(before) == Some(base(seq, named.number)));
        named.number <= *last && goes_on
    }
}
