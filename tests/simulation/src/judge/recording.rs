//! Rule 6: the vod is every stored segment, once, in capture order, and its gaps are what was abandoned. Catch-up is the
//! same as far as it goes, and goes as far as it can.

use broadcast::{RenditionName, Seq};
use testkit::hls::Playlist;

use super::facts::{Facts, Known};
use super::listed::seq_of;

pub(crate) fn vod(playlist: &Playlist, rendition: &RenditionName, facts: &Facts) -> Result<(), String> {
    let stored: Vec<Seq> = facts.of(rendition).map(|known| known.segment.seq).collect();
    let is_whole = playlist.ended && playlist.segments.iter().all(|segment| segment.bytes.is_none());
    if !is_whole {
        return Err(format!("rule 6: the vod of {rendition} lists parts of segments, or has no end"));
    }
    same(&listed(playlist, rendition, facts)?, &stored, "vod", rendition)?;
    gaps(playlist, rendition, facts)
}

pub(crate) fn catch_up(playlist: &Playlist, rendition: &RenditionName, facts: &Facts) -> Result<(), String> {
    let is_settled = |seq: &Seq| facts.known(rendition, *seq).is_some() || facts.is_abandoned(rendition, *seq);
    let reach = (0..).map(Seq).take_while(is_settled).filter_map(|seq| facts.known(rendition, seq));
    let expected: Vec<Seq> = reach.filter(|known| fits(known, facts)).map(|known| known.segment.seq).collect();
    same(&listed(playlist, rendition, facts)?, &expected, "catch-up", rendition)
}

/// Whether it can be listed under the target duration, at least in parts.
fn fits(known: &Known, facts: &Facts) -> bool {
    !known.segment.cuts.is_empty() || facts.target.is_some_and(|target| target.allows(known.segment.duration))
}

fn same(listed: &[Seq], expected: &[Seq], view: &str, rendition: &RenditionName) -> Result<(), String> {
    let count = listed.iter().zip(expected).take_while(|(listed, expected)| listed == expected).count();
    if listed.len() == expected.len() && count == listed.len() {
        return Ok(());
    }
    let (found, wanted) = (listed.get(count), expected.get(count));
    Err(format!("rule 6: the {view} of {rendition} lists {found:?} at place {count}, not {wanted:?}"))
}

/// The numbers listed, each once, though it may be listed in parts that follow each other without a byte missing.
fn listed(playlist: &Playlist, rendition: &RenditionName, facts: &Facts) -> Result<Vec<Seq>, String> {
    let (mut seqs, mut expected) = (Vec::new(), 0);
    for segment in &playlist.segments {
        let Some(seq) = seq_of(segment) else { continue };
        let known = facts.known(rendition, seq);
        let len = known.ok_or_else(|| format!("rule 6: {rendition} {seq} was never stored"))?.segment.len;
        let (from, to) = segment.bytes.map_or((0, len), |bytes| (bytes.offset, bytes.offset + bytes.len));
        if from != expected || to > len {
            return Err(format!(
                "rule 6: {rendition} {seq} is listed from byte {from} to {to} after {expected} of {len}"
            ));
        }
        expected = if to == len { 0 } else { to };
        if from == 0 {
            seqs.push(seq);
        }
    }
    if expected == 0 { Ok(seqs) } else { Err(format!("rule 6: the last segment of {rendition} is cut short")) }
}

/// Only abandoned time is a gap.
fn gaps(playlist: &Playlist, rendition: &RenditionName, facts: &Facts) -> Result<(), String> {
    for pair in playlist.segments.windows(2).filter(|pair| pair[1].gap) {
        let before = seq_of(&pair[0]);
        if before.is_some_and(|before| !facts.is_abandoned(rendition, before.next())) {
            return Err(format!("rule 6: a gap after {rendition} {}, and nothing was abandoned there", pair[0].uri));
        }
    }
    Ok(())
}
