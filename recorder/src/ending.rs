//! How a broadcast ends: because its publisher or owner says so, or some time after a stock pusher has closed its
//! playlist.
//!
//! A stock pusher never resends: when a broadcast of one ends, what is missing is declared abandoned with it.

use std::sync::Arc;
use std::time::Duration;

use broadcast::{Broadcast, BroadcastId, Event, LastSeq, RenditionName, Seq, SeqRange, StoreTime};
use metadata::{Expect, Followed, MetadataError};
use service::Problem;

use crate::problems;
use crate::recorder::Recorder;

/// How often an end is tried again while segments arrive at the same moment.
const ATTEMPTS_MAX: usize = 16;
/// How long to wait before an end that failed is tried again.
const RETRY: Duration = Duration::from_secs(5);

impl Recorder {
    /// Ends a broadcast. `said` is where its renditions end by their publisher; the others end with what has come.
    pub(crate) async fn end(self: &Arc<Self>, followed: &Followed, said: &[LastSeq]) -> Result<(), Problem> {
        // What a stock pusher has sent, and nothing has named yet, is part of it.
        self.settle_all(followed).await;
        for _ in 0..ATTEMPTS_MAX {
            followed.refresh().await.map_err(problems::of_metadata)?;
            let (events, length) = {
                let broadcast = followed.read();
                if broadcast.ended().is_some() {
                    return Ok(());
                }
                (ending(&broadcast, said), broadcast.next_index())
            };
            // Nothing may come in between, or it would be cut off.
            match self.broadcasts.store().commit(followed.id(), &events, Expect::Len(length)).await {
                Err(MetadataError::Stale { .. }) => {}
                Err(error) => return Err(problems::of_metadata(error)),
                Ok(_) => return followed.refresh().await.map_err(problems::of_metadata),
            }
        }
        Err(service::ProblemKind::UNAVAILABLE.detail("segments keep arriving; try again").retry_after(RETRY))
    }

    /// Ends a broadcast some time after its pusher has closed the playlist, unless it starts again.
    pub(crate) fn end_after_grace(self: &Arc<Self>, id: BroadcastId) {
        let recorder = self.clone();
        let stop = self.tasks.stop_token();
        self.tasks.spawn("end a broadcast", async move {
            tokio::select! {
                () = recorder.wait_and_end(id) => {}
                () = stop.cancelled() => {}
            }
        });
    }

    async fn wait_and_end(self: &Arc<Self>, id: BroadcastId) {
        loop {
            let failed = match self.followed(id).await {
                Ok(followed) => match grace_over_at(&followed) {
                    None => return,
                    Some(at) => {
                        self.clock.sleep_until_ms(at.0).await;
                        self.end_if_still_due(&followed).await
                    }
                },
                Err(problem) => Err(problem),
            };
            match failed {
                Ok(true) => return,
                Ok(false) => {}
                Err(problem) => {
                    tracing::warn!(%id, problem = %problem.to_json(), "cannot end a broadcast");
                    self.clock.sleep(RETRY).await;
                }
            }
        }
    }

    /// False if there is more time to wait.
    async fn end_if_still_due(self: &Arc<Self>, followed: &Followed) -> Result<bool, Problem> {
        // This may show that the pusher has started again.
        self.settle_all(followed).await;
        followed.refresh().await.map_err(problems::of_metadata)?;
        match grace_over_at(followed) {
            Some(at) if at.0 > self.clock.now_ms() => Ok(false),
            Some(_) => self.end(followed, &[]).await.map(|()| true),
            None => Ok(true),
        }
    }
}

fn grace_over_at(followed: &Followed) -> Option<StoreTime> {
    let broadcast = followed.read();
    Some(broadcast.end_hinted_at()? + broadcast.opened().policy.end_grace())
}

/// The events that end a broadcast as it is.
fn ending(broadcast: &Broadcast, said: &[LastSeq]) -> Vec<Event> {
    let mut events = Vec::new();
    let mut last = said.to_vec();
    for rendition in broadcast.renditions() {
        let name = rendition.name();
        if !said.iter().any(|said| said.rendition == *name) {
            let seq = broadcast.stored(name).and_then(broadcast::SeqSet::last);
            last.push(LastSeq { rendition: name.clone(), seq });
        }
        if is_pushed(rendition) {
            events.extend(broadcast.missing(name).into_iter().flat_map(|seqs| abandon(name, seqs)));
        }
    }
    events.push(Event::Ended { last });
    events
}

/// Whether a stock pusher sends it. The start-up scan cannot tell of the segments that it commits.
fn is_pushed(rendition: &broadcast::Rendition) -> bool {
    rendition.segments().any(|segment| segment.pushed.is_some())
}

/// The events that abandon `seqs`, in as many pieces as their limit asks for.
pub(crate) fn abandon(rendition: &RenditionName, seqs: SeqRange) -> impl Iterator<Item = Event> + use<> {
    let (rendition, step) = (rendition.clone(), Event::ABANDONED_MAX);
    let firsts = (seqs.first.0..=seqs.last.0).step_by(usize::try_from(step).unwrap_or(usize::MAX));
    firsts.map(move |first| {
        let last = Seq((first + step - 1).min(seqs.last.0));
        Event::Abandoned { rendition: rendition.clone(), seqs: SeqRange { first: Seq(first), last } }
    })
}

#[cfg(test)]
mod tests {
    use broadcast::{EventIndex, LogEntry, Segment};

    use super::*;
    use crate::tests::{opened, segment};

    /// What ends a broadcast that has these segments: which are abandoned, and where it ends.
    fn check(segments: &[(u64, Option<u64>)], abandoned: &[(u64, u64)], last: u64) {
        let stored = |(seq, pushed): &(u64, _)| Event::Stored(Segment { pushed: *pushed, ..segment(*seq) });
        let events = [Event::Opened(opened())].into_iter().chain(segments.iter().map(stored));
        let entry = |(index, event)| LogEntry { index: EventIndex(index), at: StoreTime(0), event };
        let log: Vec<LogEntry> = (0..).zip(events).map(entry).collect();
        let broadcast = Broadcast::replay(&log).expect("in order").expect("not empty");
        let rendition = RenditionName::main();
        let range = |(first, last): &(u64, u64)| SeqRange { first: Seq(*first), last: Seq(*last) };
        let abandoned =
            abandoned.iter().map(|seqs| Event::Abandoned { rendition: rendition.clone(), seqs: range(seqs) });
        let end = Event::Ended { last: vec![LastSeq { rendition: rendition.clone(), seq: Some(Seq(last)) }] };
        assert_eq!(ending(&broadcast, &[]), abandoned.chain([end]).collect::<Vec<_>>(), "{segments:?}");
    }

    #[test]
    fn what_a_stock_pusher_lost_is_abandoned_and_what_a_publisher_owes_is_not() {
        check(&[(0, Some(0)), (3, Some(3)), (5, Some(5))], &[(1, 2), (4, 4)], 5);
        check(&[(0, None), (3, None)], &[], 3);
        check(&[(0, Some(0)), (2, None)], &[(1, 1)], 2);
    }
}
