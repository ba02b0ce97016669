//! What a client makes of a Playlist Delta Update (RFC 8216bis, 6.2.5.1 and 6.3.7).

use super::attributes::micros;
use super::reader::{Playlist, read};
use super::{Rule, Violation};

/// Fills in what `delta` leaves out with what `earlier`, a whole playlist, said of it. A `delta` that leaves nothing
/// out is returned as it is.
pub fn apply_delta(earlier: &str, delta: &str) -> Result<Playlist, Violation> {
    let (earlier, mut update) = (read(earlier)?, read(delta)?);
    let skipped = update.media_sequence..update.media_sequence + update.skipped;
    check_boundary(&update)?;
    let mut discontinuities = update.discontinuity_sequence;
    let mut segments = Vec::new();
    for msn in skipped {
        let missing = || Violation::new(Rule::Delta, format!("{msn} is skipped, and the earlier playlist lacks it"));
        let mut segment = earlier.segment(msn).ok_or_else(missing)?.clone();
        discontinuities += u64::from(segment.discontinuity);
        segment.discontinuities = discontinuities;
        segments.push(segment);
    }
    let map = segments.last().and_then(|segment| segment.map.clone());
    for segment in &mut update.segments {
        discontinuities += u64::from(segment.discontinuity);
        segment.discontinuities = discontinuities;
        segment.map = segment.map.take().or_else(|| map.clone());
    }
    // What stood before the first segment of the whole playlist is the tag in force there, wherever it was before.
    if let Some(first) = segments.first_mut() {
        first.map_here = first.map.is_some();
    }
    for range in &mut update.date_ranges {
        let known = earlier.date_ranges.iter().find(|known| known.line == range.line);
        range.before = known.map_or(range.before, |known| known.before.max(update.media_sequence));
    }
    segments.append(&mut update.segments);
    (update.segments, update.skipped) = (segments, 0);
    Ok(update)
}

/// Only segments further from the end than the skip boundary may be left out.
fn check_boundary(update: &Playlist) -> Result<(), Violation> {
    if update.skipped == 0 {
        return Ok(());
    }
    let control = update.server_control.as_ref().and_then(|control| micros(control.get("CAN-SKIP-UNTIL")?));
    let boundary = control.ok_or_else(|| Violation::new(Rule::Delta, "skips without saying that it can"))?;
    let kept: u64 = update.segments.iter().map(|segment| segment.duration_us).sum();
    if update.ended || kept < boundary {
        return Err(Violation::new(Rule::Delta, format!("keeps {kept} us, and the skip boundary is {boundary}")));
    }
    Ok(())
}
