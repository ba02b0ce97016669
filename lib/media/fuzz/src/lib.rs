//! What must hold for any bytes at all. Used by the fuzz targets and, as a module, by the crate's own tests.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run TARGET corpus/TARGET seeds/TARGET` in `lib/media`'s `fuzz`. An input that breaks
//! something goes to `regressions/TARGET`, where the tests find it.

use headwater_media::{
    CUTS_MAX, Content, FRAMES_MAX, InitError, InitSection, InspectError, Inspection, Inspector, MediaDuration,
    TRACKS_MAX,
};

/// Inspects a segment whole and in chunks of `chunk_len`, and checks what can be known of any result.
#[allow(unreachable_pub, reason = "a module of the tests too")]
pub fn check_segment(new: impl Fn() -> Inspector, bytes: &[u8], chunk_len: usize) -> Result<Inspection, InspectError> {
    let whole = inspect(new(), bytes, bytes.len());
    let chunked = inspect(new(), bytes, chunk_len);
    assert_eq!(whole, chunked, "in chunks of {chunk_len}");
    if let Ok(inspection) = &whole {
        check_inspection(inspection, bytes.len() as u64);
    }
    whole
}

/// Parses an init section, and inspects the rest of the bytes by it.
#[allow(unreachable_pub, reason = "a module of the tests too")]
pub fn check_init(bytes: &[u8]) -> Result<InitSection, InitError> {
    let _ = Content::sniff(bytes);
    let init = InitSection::parse(bytes)?;
    assert!((1..=TRACKS_MAX).contains(&init.tracks().len()));
    assert!(init.tracks().iter().any(|entry| entry.track.is_video() || entry.track.is_audio()));
    assert!(init.codecs().is_ascii());
    assert_eq!(InitSection::parse(bytes).as_ref(), Ok(&init));
    Ok(init)
}

fn inspect(mut inspector: Inspector, bytes: &[u8], chunk_len: usize) -> Result<Inspection, InspectError> {
    for chunk in bytes.chunks(chunk_len.max(1)) {
        if let Err(error) = inspector.push(chunk) {
            assert_eq!(inspector.push(b"more"), Err(error), "an error stays");
            assert_eq!(inspector.finish(), Err(error), "an error stays");
            return Err(error);
        }
    }
    inspector.finish()
}

fn check_inspection(inspection: &Inspection, len: u64) {
    assert!((1..=TRACKS_MAX).contains(&inspection.tracks.len()));
    assert!(inspection.cuts.len() <= CUTS_MAX);
    assert!(inspection.cuts.iter().all(|cut| (1..len).contains(&cut.offset)), "cuts are inside");
    assert!(inspection.cuts.is_sorted_by(|a, b| a.offset < b.offset), "cuts are in order");
    assert!(inspection.codecs().is_ascii());
    if let Some(rate) = inspection.frame_rate() {
        assert!(inspection.duration > MediaDuration::ZERO);
        let frames = u128::from(rate.millihertz()) * u128::from(inspection.duration.ticks()) / 90_000_000;
        assert!(frames <= FRAMES_MAX as u128 + 1 || rate.millihertz() == u32::MAX, "{frames} frames");
    }
    let _ = inspection.duration.to_std();
    let _ = inspection.first.advance(inspection.duration, inspection.container);
}
