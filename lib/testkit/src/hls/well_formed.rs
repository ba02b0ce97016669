//! What one Media Playlist must be like, whatever came before it.

use std::collections::BTreeMap;

use super::attributes::{date_time, micros, unquoted};
use super::reader::{DateRange, Playlist, read};
use super::{Rule, Violation};

/// Checks one playlist by itself; returns what it says.
pub fn well_formed(text: &str) -> Result<Playlist, Vec<Violation>> {
    let playlist = read(text).map_err(|violation| vec![violation])?;
    let mut found = Vec::new();
    check_segments(&playlist, &mut found);
    check_version(&playlist, &mut found);
    check_server_control(&playlist, &mut found);
    check_date_ranges(&playlist, &mut found);
    if found.is_empty() { Ok(playlist) } else { Err(found) }
}

fn check_segments(playlist: &Playlist, found: &mut Vec<Violation>) {
    let Some(target) = playlist.target_secs.filter(|secs| *secs > 0) else {
        return found.push(Violation::new(Rule::TargetDurationMissing, "no EXT-X-TARGETDURATION"));
    };
    for segment in &playlist.segments {
        let (msn, duration) = (segment.msn, segment.duration_us);
        if (duration + 500_000) / 1_000_000 > target || duration == 0 {
            found.push(Violation::new(Rule::SegmentTooLong, format!("{msn}: {duration} us of at most {target} s")));
        }
        if segment.date_time_ms.is_none() {
            found.push(Violation::new(Rule::DateTimeMissing, format!("{msn}")));
        }
    }
    if playlist.skipped == 0 && playlist.segments.iter().all(|segment| segment.gap) {
        found.push(Violation::new(Rule::NothingToPlay, format!("{} gaps", playlist.segments.len())));
    }
}

/// RFC 8216bis, 8.
fn check_version(playlist: &Playlist, found: &mut Vec<Violation>) {
    let any = |uses: fn(&super::Segment) -> bool| playlist.segments.iter().any(uses);
    let needs = [
        (3, any(|segment| segment.duration_us % 1_000_000 > 0), "decimal EXTINF"),
        (4, any(|segment| segment.bytes.is_some()), "EXT-X-BYTERANGE"),
        (6, any(|segment| segment.map.is_some()), "EXT-X-MAP"),
        (8, any(|segment| segment.gap), "EXT-X-GAP"),
        (9, playlist.skipped > 0, "EXT-X-SKIP"),
    ];
    for (version, used, what) in needs {
        if used && playlist.version < version {
            found.push(Violation::new(Rule::VersionTooLow, format!("{what} needs {version}")));
        }
    }
}

fn check_server_control(playlist: &Playlist, found: &mut Vec<Violation>) {
    let Some(control) = &playlist.server_control else { return };
    for (name, targets) in [("CAN-SKIP-UNTIL", 6), ("HOLD-BACK", 3)] {
        let least = playlist.target_secs.unwrap_or(0) * targets * 1_000_000;
        let Some(value) = control.get(name) else { continue };
        if micros(value).is_none_or(|value| value < least) {
            found.push(Violation::new(Rule::ServerControl, format!("{name} {value}")));
        }
    }
}

fn check_date_ranges(playlist: &Playlist, found: &mut Vec<Violation>) {
    let mut known: BTreeMap<&str, &DateRange> = BTreeMap::new();
    for range in &playlist.date_ranges {
        if let Err(detail) = check_date_range(range) {
            found.push(Violation::new(Rule::DateRange, format!("{}: {detail}", range.id)));
        }
        let earlier = known.insert(&range.id, range);
        if let Some(lost) = earlier.and_then(|earlier| lost_attribute(earlier, range)) {
            found.push(Violation::new(Rule::DateRange, format!("{}: {lost} changed", range.id)));
        }
    }
}

fn check_date_range(range: &DateRange) -> Result<(), &'static str> {
    let date = |name: &str| match range.attributes.get(name) {
        Some(value) => unquoted(value).and_then(date_time).map(Some).ok_or("not a date"),
        None => Ok(None),
    };
    let start = date("START-DATE")?.ok_or("no START-DATE")?;
    let end = date("END-DATE")?;
    let duration = range.attributes.get("DURATION").map(|value| micros(value).ok_or("not a duration")).transpose()?;
    if end.is_some_and(|end| end < start) {
        return Err("it ends before it starts");
    }
    match end.zip(duration) {
        Some((end, duration)) if (end - start) * 1000 != duration.cast_signed() => Err("END-DATE and DURATION differ"),
        _ => Ok(()),
    }
}

/// An attribute that `later` no longer has as `earlier` had it.
pub(super) fn lost_attribute(earlier: &DateRange, later: &DateRange) -> Option<String> {
    let kept = |(name, value): &(&String, &String)| later.attributes.get(*name) == Some(*value);
    earlier.attributes.iter().find(|attribute| !kept(attribute)).map(|(name, _)| name.clone())
}
