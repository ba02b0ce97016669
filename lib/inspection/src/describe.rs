//! A segment as the log will know it.

use broadcast::{
    Broadcast, CapturedAt, Container, Cut, Digest, Event, Format, FormatId, MediaDuration, MediaTime, Rendition,
    RenditionName, Resolution, Segment, Seq,
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

/// A segment as the log will know it, and what the log has to know before it.
#[derive(Clone, Debug)]
pub struct Described {
    pub segment: Segment,
    pub format: Format,
    pub has_captions: bool,
}

/// What it lacks, its neighbours in `broadcast` tell.
pub fn describe(broadcast: &Broadcast, new: &Found<'_>) -> Described {
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
    Described { segment, format, has_captions: inspection.has_captions }
}

/// What there is to commit of a segment, which is the last of it: its format too, if it is the first of it, and that its
/// rendition has captions, if it is the first with some.
pub fn stored_events(broadcast: &Broadcast, new: Described) -> Vec<Event> {
    let Described { segment, format, has_captions } = new;
    let rendition = broadcast.rendition(&segment.rendition);
    let is_known = rendition.is_some_and(|rendition| rendition.format(format.id).is_some());
    let format = (!is_known).then_some(Event::Format(format));
    let is_news = has_captions && !rendition.is_some_and(Rendition::is_captioned);
    let captioned = is_news.then(|| Event::Captioned { rendition: segment.rendition.clone() });
    format.into_iter().chain(captioned).chain([Event::Stored(segment)]).collect()
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

#[cfg(test)]
mod tests {
    use broadcast::{EventIndex, LogEntry, Opened, StoreTime, ViewPolicy};

    use super::*;

    fn described(seq: u64, has_captions: bool) -> Described {
        let (rendition, id) = (RenditionName::main(), FormatId([1; 8]));
        let segment = Segment {
            rendition: rendition.clone(),
            seq: Seq(seq),
            captured_at: CapturedAt(1_790_000_000_000),
            duration: MediaDuration(180_000),
            digest: Digest([1; 16]),
            len: 1_000,
            container: Container::Ts,
            format: id,
            media_start: MediaTime(0),
            keyframe_start: true,
            cuts: Vec::new(),
            pushed: None,
        };
        let format = Format {
            rendition,
            id,
            container: Container::Ts,
            codecs: "avc1.42c01e".to_owned(),
            resolution: None,
            frame_rate_milli: None,
            init: None,
        };
        Described { segment, format, has_captions }
    }

    #[test]
    fn captions_are_told_once_and_the_segment_last() {
        let opened =
            Opened { title: String::new(), target_duration: None, policy: ViewPolicy::default(), stored_is_safe: true };
        let at = StoreTime(1_790_000_000_000);
        let mut broadcast =
            Broadcast::open(&LogEntry { index: EventIndex(0), at, event: Event::Opened(opened) }).expect("it opens");
        let mut committed = |seq, has_captions| {
            let events = stored_events(&broadcast, described(seq, has_captions));
            let kinds: Vec<_> = events
                .iter()
                .map(|event| match event {
                    Event::Format(_) => "format",
                    Event::Captioned { .. } => "captioned",
                    Event::Stored(_) => "stored",
                    _ => "another",
                })
                .collect();
            for event in events {
                let entry = LogEntry { index: broadcast.next_index(), at, event };
                broadcast.apply(&entry).expect("the next");
            }
            kinds
        };
        assert_eq!(committed(0, false), ["format", "stored"]);
        assert_eq!(committed(1, true), ["captioned", "stored"]);
        assert_eq!(committed(2, true), ["stored"]);
        assert_eq!(committed(3, false), ["stored"]);
    }
}
