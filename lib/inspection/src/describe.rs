//! A segment as the log will know it.

use broadcast::{
    Broadcast, CapturedAt, Container, Cut, Digest, Event, Format, FormatId, MediaDuration, MediaTime, RenditionName,
    Resolution, Segment, Seq,
};
use media::Inspection;

use crate::init::{KnownInit, format_of_init};

/// What is known of a segment: from its key or its sender, and from its bytes.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    pub rendition: &'a RenditionName,
    pub seq: Seq,
    pub captured_at: CapturedAt,
    /// The number that a stock pusher gave it.
    pub pushed: Option<u64>,
    pub digest: Digest,
    /// In bytes.
    pub len: u64,
    pub inspection: &'a Inspection,
    /// Of fragmented MP4.
    pub init: Option<&'a KnownInit>,
}

/// The segment as the log will know it, and the format that it has. What it lacks, its neighbours in `broadcast` tell.
pub fn describe(broadcast: &Broadcast, new: &Found<'_>) -> (Segment, Format) {
    let format = format_of(broadcast, new);
    let inspection = new.inspection;
    let duration = MediaDuration(u32::try_from(inspection.duration.ticks()).unwrap_or(u32::MAX));
    let segment = Segment {
        rendition: new.rendition.clone(),
        seq: new.seq,
        captured_at: new.captured_at,
        duration,
        digest: new.digest,
        len: new.len,
        container: format.container,
        format: format.id,
        media_start: MediaTime(inspection.first.ticks()),
        keyframe_start: inspection.keyframe_start,
        cuts: cuts(broadcast, inspection, duration),
        pushed: new.pushed,
    };
    (segment, format)
}

/// What there is to commit of a segment: its format too, if it is the first of it.
pub fn stored_events(broadcast: &Broadcast, format: Format, segment: Segment) -> Vec<Event> {
    let rendition = broadcast.rendition(&segment.rendition);
    let is_known = rendition.is_some_and(|rendition| rendition.format(format.id).is_some());
    let format = (!is_known).then_some(Event::Format(format));
    format.into_iter().chain([Event::Stored(segment)]).collect()
}

/// Only what is longer than the target duration has to be cut.
fn cuts(broadcast: &Broadcast, inspection: &Inspection, duration: MediaDuration) -> Vec<Cut> {
    if broadcast.target_duration().is_none_or(|target| target.allows(duration)) {
        return Vec::new();
    }
    let after = |time: media::MediaDuration| MediaDuration(u32::try_from(time.ticks()).unwrap_or(u32::MAX));
    inspection.cuts.iter().map(|cut| Cut { offset: cut.offset, after: after(cut.time) }).collect()
}

fn format_of(broadcast: &Broadcast, new: &Found<'_>) -> Format {
    if let Some(known) = new.init {
        let frame_rate_milli = new.inspection.frame_rate().map(media::FrameRate::millihertz);
        return Format { frame_rate_milli, ..format_of_init(new.rendition, known) };
    }
    // A last segment may lack a track, or one without a keyframe its parameters: its neighbours tell.
    let known = broadcast.rendition(new.rendition).and_then(|rendition| {
        let before = rendition.segment_before(new.seq)?;
        rendition.format(before.format).filter(|format| format.container == Container::Ts)
    });
    if let Some(known) = known.filter(|_| !new.inspection.describes_every_track()) {
        return known.clone();
    }
    Format {
        rendition: new.rendition.clone(),
        id: FormatId(new.inspection.parameters.0),
        container: Container::Ts,
        codecs: new.inspection.codecs(),
        resolution: new.inspection.resolution().map(resolution),
        frame_rate_milli: new.inspection.frame_rate().map(media::FrameRate::millihertz),
        init: None,
    }
}

pub(crate) fn resolution(found: media::Resolution) -> Resolution {
    Resolution { width: found.width, height: found.height }
}
