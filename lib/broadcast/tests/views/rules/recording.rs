//! Rule 6: the recording is every stored segment, once, in capture order; and catch-up is the same as far as it goes.

use broadcast::{Broadcast, Event, Extent, Missing, RenditionName, Seq, SeqRange, SeqSet, View, ViewError};
use proptest::prelude::*;
use testkit::hls::Segment;

use crate::reader::{playlist, replay};
use crate::script::{Closed, Finish, Script, config, scripts};
use crate::simulation::{Recording, moved};

fn seq(segment: &Segment) -> Seq {
    segment.uri.split_once('.').expect("a number and an extension").0.parse().expect("a number")
}

/// The numbers listed, each once, though it may be listed in parts that follow each other without a byte missing.
fn listed(broadcast: &Broadcast, name: &RenditionName, segments: &[Segment]) -> Vec<Seq> {
    let mut seqs: Vec<Seq> = Vec::new();
    let mut expected = 0;
    for segment in segments.iter().filter(|segment| !segment.gap) {
        let offset = segment.bytes.map_or(0, |bytes| bytes.offset);
        let stored = broadcast.rendition(name).and_then(|rendition| rendition.segment(seq(segment))).expect("stored");
        assert_eq!(offset, expected, "{name}: bytes of {} are missing", segment.uri);
        let end = segment.bytes.map_or(stored.len, |bytes| bytes.offset + bytes.len);
        expected = if end == stored.len { 0 } else { end };
        if offset == 0 {
            seqs.push(seq(segment));
        }
    }
    assert_eq!(expected, 0, "{name}: the last segment is cut short");
    seqs
}

pub(crate) fn vod(script: &Script) -> Result<(), TestCaseError> {
    let recording = Recording::new(script);
    let broadcast = replay(&recording, recording.log.len());
    let missing = recording.names.iter().flat_map(|name| broadcast.missing(name));
    prop_assert_eq!(broadcast.missing_count(), missing.map(SeqRange::count).sum::<u64>());
    if let Finish::Ended(Missing::Abandoned) | Finish::EndedEarly(Missing::Abandoned) = script.finish {
        prop_assert_eq!(broadcast.missing_count(), 0);
    }
    check_closing(&broadcast, script, &recording)?;
    let now = moved(recording.end_at(), 60_000);
    if broadcast.ended().is_some() {
        prop_assert_eq!(broadcast.missing_count(), truly_missing(&recording));
        prop_assert_eq!(broadcast.state(now).word() == "complete", truly_missing(&recording) == 0);
    }
    for name in &recording.names {
        let stored = broadcast.stored(name).cloned().unwrap_or_default();
        prop_assert_eq!(
            truly_stored(&recording, name),
            stored.ranges().flat_map(|range| range.iter()).collect::<Vec<_>>()
        );
        let complete = broadcast.state(now).word() == "complete" && !stored.is_empty();
        let vod = playlist(&broadcast, name, View::Vod, now);
        prop_assert_eq!(vod.is_some(), complete);
        let Some(vod) = vod else { continue };
        let keyframe_start = |seq: Seq| recording.truth[&(name.clone(), seq)].segment.keyframe_start;
        prop_assert_eq!(vod.independent_segments, truly_stored(&recording, name).into_iter().all(keyframe_start));
        prop_assert!(vod.ended && vod.segments.iter().all(|segment| segment.bytes.is_none()));
        prop_assert_eq!(listed(&broadcast, name, &vod.segments), truly_stored(&recording, name));
        check_gaps(&broadcast, name, &vod.segments)?;
    }
    Ok(())
}

pub(crate) fn catch_up(script: &Script, look: prop::sample::Index, from: u64) -> Result<(), TestCaseError> {
    let recording = Recording::new(script);
    let count = look.index(recording.log.len()) + 1;
    let broadcast = replay(&recording, count);
    for name in &recording.names {
        let stored = broadcast.stored(name).cloned().unwrap_or_default();
        let abandoned = broadcast.abandoned(name).cloned().unwrap_or_default();
        let target = broadcast.target_duration();
        let rendition = broadcast.rendition(name);
        // Live shows no gap for what catch-up can list; too long to be listed at all are those without cuts.
        let fits = |seq: &Seq| {
            rendition.and_then(|r| r.segment(*seq)).is_some_and(|segment| {
                !segment.cuts.is_empty() || target.is_some_and(|target| target.allows(segment.duration))
            })
        };
        let settled = |seq: &Seq| stored.contains(*seq) || abandoned.contains(*seq);
        let reach = (from..).map(Seq).take_while(settled);
        let expected: Vec<Seq> = reach.filter(|seq| stored.contains(*seq)).filter(fits).collect();
        let found = playlist(&broadcast, name, View::CatchUp { from: Seq(from) }, recording.log[count - 1].at);
        let segments = found.map(|playlist| playlist.segments).unwrap_or_default();
        prop_assert_eq!(listed(&broadcast, name, &segments), expected);
    }
    Ok(())
}

proptest! {
    #![proptest_config(config(96))]

    #[test]
    fn the_recording_is_all_that_was_stored(script in scripts()) {
        vod(&script)?;
    }

    #[test]
    fn catch_up_goes_as_far_as_it_can(script in scripts(), look in any::<prop::sample::Index>(), from in 0u64..20) {
        catch_up(&script, look, from)?;
    }
}

fn truly_stored(recording: &Recording, name: &RenditionName) -> Vec<Seq> {
    let of = recording.truth.iter().filter(|((rendition, _), truth)| rendition == name && truth.stored_at.is_some());
    of.map(|((_, seq), _)| *seq).collect()
}

/// How much of what was recorded has not come, and was not given up.
fn truly_missing(recording: &Recording) -> u64 {
    let is_given_up = |name: &RenditionName, seq: Seq| {
        recording.log.iter().any(|entry| match &entry.event {
            Event::Abandoned { rendition, seqs } => rendition == name && seqs.first <= seq && seq <= seqs.last,
            Event::Ended { last } => last.iter().any(|of| of.rendition == *name && of.missing == Missing::Abandoned),
            _ => false,
        })
    };
    let missing = recording.truth.iter().filter(|(_, truth)| truth.stored_at.is_none());
    missing.filter(|((name, seq), _)| !is_given_up(name, *seq)).count() as u64
}

/// While its publisher may still have something, it has ended and is not complete, and nothing but live and dvr is final.
fn check_closing(broadcast: &Broadcast, script: &Script, recording: &Recording) -> Result<(), TestCaseError> {
    let Finish::Closed(closed) = script.finish else {
        prop_assert!(broadcast.closing().is_none());
        return Ok(());
    };
    prop_assert_eq!(broadcast.closing().is_some(), closed == Closed::Open);
    let now = moved(recording.end_at(), 60_000);
    if closed == Closed::Open {
        prop_assert_eq!(broadcast.state(now).word(), "ended");
    }
    let is_final = |name, view| broadcast.view(name, view, Extent::Whole, now).is_ok_and(|view| view.is_final);
    let complete = broadcast.state(now).word() == "complete";
    for name in &recording.names {
        let from_the_start = View::CatchUp { from: Seq(0) };
        prop_assert!(complete || !is_final(name, from_the_start));
        prop_assert_eq!(broadcast.view(name, View::Dvr, Extent::Whole, now).is_ok(), is_final(name, View::Dvr));
        let vod = broadcast.view(name, View::Vod, Extent::Whole, now);
        prop_assert_eq!(vod == Err(ViewError::Closing), closed == Closed::Open);
    }
    Ok(())
}

/// Only abandoned time is a gap.
fn check_gaps(broadcast: &Broadcast, name: &RenditionName, segments: &[Segment]) -> Result<(), TestCaseError> {
    let abandoned: SeqSet = broadcast.abandoned(name).cloned().unwrap_or_default();
    for pair in segments.windows(2).filter(|pair| pair[1].gap && !pair[0].gap) {
        prop_assert!(abandoned.contains(seq(&pair[0]).next()), "{}: a gap after {}", name, pair[0].uri);
    }
    Ok(())
}
