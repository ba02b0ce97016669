//! How a broadcast ends: because its publisher or owner says so, or some time after a stock pusher has closed its
//! playlist.
//!
//! A stock pusher never resends: when a broadcast of one ends, what is missing is declared abandoned with it.

use std::sync::Arc;
use std::time::Duration;

use broadcast::{
    Broadcast, BroadcastId, Event, LastSeq, Missing, Rendition, RenditionName, Seq, SeqRange, SeqSet, StoreTime,
};
use metadata::{Expect, Followed, MetadataError};
use service::Problem;

use crate::problems;
use crate::recorder::Recorder;

/// How often an end is tried again while segments arrive at the same moment.
const ATTEMPTS_MAX: usize = 16;
/// For how long an end waits for what was on its way when it was said.
const ARRIVING_MAX: Duration = Duration::from_secs(5);
/// How long to wait before an end that failed is tried again.
const RETRY: Duration = Duration::from_secs(5);

impl Recorder {
    /// Ends a broadcast. `said` is where its renditions end by their publisher; the others end with what has come.
    pub(crate) async fn end(self: &Arc<Self>, followed: &Arc<Followed>, said: &[LastSeq]) -> Result<(), Problem> {
        let pusher = self.pushers.of(followed.id()).await;
        // What was being sent when the end was said is part of it.
        let said_ms = self.now_ms();
        tokio::select! {
            biased;
            () = pusher.until_arrived(said_ms) => {}
            () = self.clock.sleep(ARRIVING_MAX) => {}
        }
        if !self.is_whole(followed.id()) {
            // It must not end before what the log has lost.
            if let Err(error) = self.put_back(followed.id()).await {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(id = %followed.id(), error, "cannot see whether the log of a broadcast that ends is whole");
            }
        }
        let _closing = pusher.closing().await;
        self.take_up_strangers_of(followed.id()).await?;
        // What a stock pusher has sent, and nothing has named yet, is part of it.
        self.settle_all(followed, &pusher).await?;
        for _ in 0..ATTEMPTS_MAX {
            followed.refresh().await.map_err(problems::of_metadata)?;
            let (event, length) = {
                let broadcast = followed.read();
                if broadcast.ended().is_some() {
                    return Ok(());
                }
                (ending(&broadcast, said), broadcast.next_index())
            };
            // Nothing may come in between, or it would be cut off.
            match self.broadcasts.store().commit(followed.id(), &[event], Expect::Len(length)).await {
                Err(MetadataError::Stale { .. }) => {}
                Err(error) => return Err(problems::of_metadata(error)),
                Ok(_) => {
                    self.document_is_due(followed.id());
                    return followed.refresh().await.map_err(problems::of_metadata);
                }
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
                biased;
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
                        self.broadcasts.reached(at).await;
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
    async fn end_if_still_due(self: &Arc<Self>, followed: &Arc<Followed>) -> Result<bool, Problem> {
        // This may show that the pusher has started again.
        let pusher = self.pushers.of(followed.id()).await;
        self.settle_all(followed, &pusher).await?;
        followed.refresh().await.map_err(problems::of_metadata)?;
        match grace_over_at(followed) {
            Some(at) if at > followed.now() => Ok(false),
            Some(_) => self.end(followed, &[]).await.map(|()| true),
            None => Ok(true),
        }
    }
}

fn grace_over_at(followed: &Followed) -> Option<StoreTime> {
    let broadcast = followed.read();
    Some(broadcast.end_hinted_at()? + broadcast.opened().policy.end_grace())
}

/// The event that ends a broadcast as it is.
fn ending(broadcast: &Broadcast, said: &[LastSeq]) -> Event {
    let mut last = said.to_vec();
    for rendition in broadcast.renditions() {
        let stored = broadcast.stored(rendition.name()).and_then(SeqSet::last);
        match last.iter_mut().find(|said| said.rendition == *rendition.name()) {
            // Whoever says where it ends sends what is missing; but it does not end before what has come.
            Some(said) => said.seq = said.seq.max(stored),
            None => {
                last.push(LastSeq { rendition: rendition.name().clone(), seq: stored, missing: missing_of(rendition) })
            }
        }
    }
    Event::Ended { last }
}

/// Stock pushers send nothing twice. The start-up scan cannot tell who sent the segments that it commits.
fn missing_of(rendition: &Rendition) -> Missing {
    let is_pushed = rendition.segments().any(|segment| segment.pushed.is_some());
    if is_pushed { Missing::Abandoned } else { Missing::Awaited }
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

    const SENT: Option<u64> = None;
    const PUSHED: Option<u64> = Some(0);

    /// What ends a broadcast that has these segments, and of which its publisher says that it ends with `said`.
    fn check(segments: &[(u64, Option<u64>)], said: Option<u64>, last: u64, missing: Missing) {
        let stored = |(seq, pushed): &(u64, _)| Event::Stored(Segment { pushed: *pushed, ..segment(*seq) });
        let events = [Event::Opened(opened())].into_iter().chain(segments.iter().map(stored));
        let entry = |(index, event)| LogEntry { index: EventIndex(index), at: StoreTime(0), event };
        let log: Vec<LogEntry> = (0..).zip(events).map(entry).collect();
        let broadcast = Broadcast::replay(&log).expect("in order").expect("not empty");
        let end = |seq, missing| LastSeq { rendition: RenditionName::main(), seq: Some(Seq(seq)), missing };
        let said: Vec<LastSeq> = said.map(|seq| end(seq, Missing::Awaited)).into_iter().collect();
        let expected = Event::Ended { last: vec![end(last, missing)] };
        assert_eq!(ending(&broadcast, &said), expected, "{segments:?}");
    }

    #[test]
    fn what_a_stock_pusher_lost_is_abandoned_and_what_a_publisher_owes_is_not() {
        check(&[(0, PUSHED), (3, PUSHED), (5, PUSHED)], None, 5, Missing::Abandoned);
        check(&[(0, SENT), (3, SENT)], None, 3, Missing::Awaited);
        check(&[(0, PUSHED), (2, SENT)], None, 2, Missing::Abandoned);
        check(&[(0, PUSHED), (20_000, PUSHED)], None, 20_000, Missing::Abandoned);
    }

    #[test]
    fn a_publisher_says_where_it_ends_but_not_before_what_has_come() {
        check(&[(0, SENT)], Some(7), 7, Missing::Awaited);
        check(&[(0, PUSHED)], Some(7), 7, Missing::Awaited);
        check(&[(0, SENT), (9, SENT)], Some(7), 9, Missing::Awaited);
    }
}
