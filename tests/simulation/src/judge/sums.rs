//! Rule 4: the durations of what a playlist covers add up to the capture time that it covers.

use broadcast::{RenditionName, Seq};
use testkit::hls::{Playlist, Segment};

use super::facts::{Facts, Known};
use super::listed::seq_of;

/// How wrong a duration in milliseconds may be: it is written in microseconds, and measured in ticks.
const ROUNDING_MS: i64 = 3;

/// In the order of arrival, where each entry ends the next one begins.
pub(crate) fn tiles(playlist: &Playlist, facts: &Facts) -> Result<(), String> {
    // A slot is as long as the media for which it was opened; that of another rendition may be a little off.
    let quarters = if facts.renditions.len() == 1 { 1 } else { 5 };
    let slack = facts.target_ms() * quarters / 4 + ROUNDING_MS;
    for pair in playlist.segments.windows(2) {
        let (end, next) = (start_ms(&pair[0]) + length_ms(&pair[0]), start_ms(&pair[1]));
        let off = next - end;
        if off.abs() > slack && off <= i64::from(facts.policy.hole_max_ms) {
            return Err(format!("rule 4: {} ms between {} and {}", off, pair[0].uri, pair[1].uri));
        }
    }
    Ok(())
}

/// In capture order, media is as long as it is, and gaps are as long as what was abandoned.
pub(crate) fn whole(playlist: &Playlist, rendition: &RenditionName, facts: &Facts) -> Result<(), String> {
    // The media before, and the length of the gaps since.
    let (mut before, mut gap_ms) = (None, 0);
    for parts in playlist.segments.chunk_by(|one, other| !one.gap && one.uri == other.uri) {
        let (first, length) = (&parts[0], parts.iter().map(length_ms).sum::<i64>());
        if first.gap {
            gap_ms += length;
            continue;
        }
        let known = seq_of(first).and_then(|seq| facts.known(rendition, seq));
        let known = known.ok_or_else(|| format!("rule 6: {rendition} {} was never stored", first.uri))?;
        let rounding = ROUNDING_MS * parts.len() as i64;
        if (length - known.place.duration_ms).abs() > rounding || start_ms(first) != known.segment.captured_at.0 {
            let (start, real) = (start_ms(first), known.place.duration_ms);
            return Err(format!("rule 4: {rendition} {} is {length} ms from {start} on, not {real}", first.uri));
        }
        let missing = missing_ms(before, known, facts);
        if (gap_ms - missing).abs() > rounding {
            return Err(format!("rule 4: {gap_ms} ms of gaps before {rendition} {}, not {missing}", first.uri));
        }
        (before, gap_ms) = (Some(known), 0);
    }
    Ok(())
}

/// How long what is between two segments should be as gaps: abandoned time that is not too long, and what is too long to be
/// listed. A pause is none.
fn missing_ms(before: Option<&Known>, after: &Known, facts: &Facts) -> i64 {
    let rendition = &after.segment.rendition;
    let from = before.map_or(Seq(0), |before| before.segment.seq.next());
    let (mut end, mut missing) = (before.map(|before| before.segment.captured_end()), 0);
    let between = facts.of(rendition).filter(|known| (from..=after.segment.seq).contains(&known.segment.seq));
    for Known { segment, .. } in between {
        let follows_abandoned = segment.seq > Seq(0) && facts.is_abandoned(rendition, Seq(segment.seq.0 - 1));
        let hole = end.filter(|_| follows_abandoned).map_or(0, |end| (segment.captured_at - end).0.max(0));
        missing += if hole > i64::from(facts.policy.hole_max_ms) { 0 } else { hole };
        missing += if segment.seq == after.segment.seq { 0 } else { segment.duration.millis().0 };
        end = Some(segment.captured_end());
    }
    missing
}

fn start_ms(segment: &Segment) -> i64 {
    segment.date_time_ms.unwrap_or_default()
}

fn length_ms(segment: &Segment) -> i64 {
    i64::try_from((segment.duration_us + 500) / 1_000).unwrap_or(i64::MAX)
}
