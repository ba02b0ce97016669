//! How a broadcast ends: because its publisher or owner says so, or some time after a stock pusher has closed its
//! playlist.
//!
//! A stock pusher never resends: when a broadcast of one ends, what is missing is declared abandoned with it. Any other
//! publisher may be without network when its owner ends it: then where it ends is left open until the publisher says so,
//! or has not come back (docs/design/publisher.md, *The owner's end*).

mod listening;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use broadcast::{
    Broadcast, BroadcastId, Event, LastSeq, Millis, Missing, Rendition, RenditionName, Seq, SeqRange, SeqSet, StoreTime,
};
use metadata::{Expect, Followed, MetadataError};
use service::Problem;

use crate::lost::LostError;
use crate::problems;
use crate::recorder::Recorder;
use listening::{Listening, Look};

/// How often an end is tried again while segments arrive at the same moment.
const ATTEMPTS_MAX: usize = 16;
/// For how long an end waits for what was on its way when it was said.
const ARRIVING_MAX: Duration = Duration::from_secs(5);
/// How long to wait before an end that failed is tried again.
const RETRY: Duration = Duration::from_secs(5);
/// For how long an end waits for what a stock pusher has left elsewhere: uploads that another recorder has parked, what the
/// log may have lost.
const STRAGGLERS_MS: u32 = 10_000;

/// An end, by who says it.
#[derive(Clone, Debug)]
pub(crate) enum Said {
    /// Where these renditions end; the others end with what has come.
    ByPublisher(Vec<LastSeq>),
    /// Not where: what its publisher still has may come.
    ByOwner,
    /// Nothing more will come.
    GivenUp,
    /// Nothing has come for as long as its publisher is waited for: if that is so still when it is told.
    GraceIsOver,
    /// A stock pusher has closed its playlist and not begun again since: if that is so still when it is told.
    HintIsOver,
}

/// Broadcasts for whose ends somebody here waits.
#[derive(Clone, Debug, Default)]
pub(crate) struct Waiting(Arc<Mutex<BTreeSet<BroadcastId>>>);

/// Somebody waits, until dropped.
struct Waits {
    all: Waiting,
    id: BroadcastId,
}

impl Waiting {
    /// Nothing, if somebody waits already.
    fn enter(&self, id: BroadcastId) -> Option<Waits> {
        self.lock().insert(id).then(|| Waits { all: self.clone(), id })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<BroadcastId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        self.all.lock().remove(&self.id);
    }
}

/// When to look again whether a broadcast ends by itself.
enum Again {
    /// When the store's time has come to this: it may be long, and nobody follows the broadcast for that.
    At(StoreTime),
    After(Duration),
    Never,
}

impl Recorder {
    /// Ends a broadcast.
    pub(crate) async fn end(self: &Arc<Self>, followed: &Arc<Followed>, said: &Said) -> Result<(), Problem> {
        let pusher = self.pusher_of(followed.id());
        // What was being sent when the end was said is part of it.
        let said_ms = self.now_ms();
        tokio::select! {
            biased;
            () = pusher.until_arrived(said_ms) => {}
            () = self.clock.sleep(ARRIVING_MAX) => {}
        }
        let whole = self.make_whole_before(followed.id(), said).await;
        let stragglers_ms = if whole.is_err() || self.has_others { STRAGGLERS_MS } else { 0 };
        let graces = Graces { publisher_ms: self.config.closing_grace_ms(), stragglers_ms };
        let _nothing_parked = pusher.nothing_parked().await;
        self.take_up_strangers_of(followed.id()).await?;
        // What a stock pusher has sent, and nothing has named yet, is part of it.
        if let Some(unsettled) = self.settle_all(followed, &pusher).await? {
            // While the hot store is away, an init section may be there.
            if whole.is_err() {
                return Err(unsettled);
            }
            self.set_unreadable_aside(&pusher).await?;
            if let Some(unsettled) = self.settle_all(followed, &pusher).await? {
                return Err(unsettled);
            }
        }
        for _ in 0..ATTEMPTS_MAX {
            followed.refresh().await.map_err(problems::of_metadata)?;
            let (event, length) = {
                let broadcast = followed.read();
                let Some(event) = ending(&broadcast, said, graces, followed.now()) else { return Ok(()) };
                (event, broadcast.next_index())
            };
            if let Err(why) = &whole
                && is_more_than_said(&event, said)
            {
                return Err(unseen(why));
            }
            // Nothing may come in between, or it would be cut off.
            match self.broadcasts.store().commit(followed.id(), &[event], Expect::Len(length)).await {
                Err(MetadataError::Stale { .. }) => {}
                Err(error) => return Err(problems::of_metadata(error)),
                Ok(_) => {
                    self.document_is_due(followed.id());
                    followed.refresh().await.map_err(problems::of_metadata)?;
                    self.wait_if_closing(followed);
                    return Ok(());
                }
            }
        }
        Err(service::ProblemKind::UNAVAILABLE.detail("segments keep arriving; try again").retry_after(RETRY))
    }

    /// It must not end before what the log has lost. A publisher who says where it ends, and sends the rest, need not wait for
    /// a store that is away.
    async fn make_whole_before(self: &Arc<Self>, id: BroadcastId, said: &Said) -> Result<(), LostError> {
        if matches!(said, Said::ByPublisher(_)) && self.is_seen_whole(id) {
            return Ok(());
        }
        let whole = self.put_back(id).await.map(drop);
        if let Err(error) = &whole {
            let error = error as &dyn std::error::Error;
            tracing::debug!(%id, error, "cannot see whether the log of a broadcast that ends is whole");
        }
        whole
    }

    /// Gives up what has not come of a broadcast that is over, and with it the wait for its publisher.
    pub(crate) async fn give_up(self: &Arc<Self>, followed: &Arc<Followed>) -> Result<(), Problem> {
        followed.refresh().await.map_err(problems::of_metadata)?;
        if !followed.read().is_over() {
            return Err(problems::GOES_ON.detail("end it first, or name what will never come"));
        }
        self.put_back(followed.id()).await.map_err(|error| unseen(&error))?;
        self.end(followed, &Said::GivenUp).await?;
        let missing: Vec<(RenditionName, SeqRange)> = {
            let broadcast = followed.read();
            let names = broadcast.renditions().iter().map(Rendition::name);
            names.flat_map(|name| broadcast.missing(name).into_iter().map(|seqs| (name.clone(), seqs))).collect()
        };
        for event in missing.iter().flat_map(|(rendition, seqs)| abandon(rendition, *seqs)) {
            self.commit_event(followed, event).await?;
        }
        Ok(())
    }

    /// Whoever has heard of a broadcast that its owner has ended sees to it that it becomes complete: who took the end in
    /// may be gone.
    pub(crate) fn wait_if_closing(self: &Arc<Self>, followed: &Followed) {
        if followed.read().closing().is_some() {
            self.end_after_grace(followed.id());
        }
    }

    /// Ends a broadcast some time after its owner has ended it or its pusher has closed the playlist, unless it starts
    /// again.
    pub(crate) fn end_after_grace(self: &Arc<Self>, id: BroadcastId) {
        let Some(waits) = self.waiting.enter(id) else { return };
        let (recorder, listening) = (self.clone(), Listening::new(self.look(id)));
        let stop = self.tasks.stop_token();
        self.tasks.spawn("end a broadcast", async move {
            let ended = async {
                recorder.wait_and_end(id, listening).await;
                drop(waits);
                // Somebody may have relied on this one just then.
                let followed = recorder.broadcasts.get(id).await;
                if followed.is_ok_and(|followed| due(&followed.read()).is_some()) {
                    recorder.end_after_grace(id);
                }
            };
            tokio::select! {
                biased;
                () = ended => {}
                () = stop.cancelled() => {}
            }
        });
    }

    async fn wait_and_end(self: &Arc<Self>, id: BroadcastId, mut listening: Listening) {
        loop {
            match self.end_if_due(id, &mut listening).await {
                Ok(Again::Never) => return,
                Ok(Again::At(at)) => self.broadcasts.reached(at).await,
                Ok(Again::After(pause)) => self.clock.sleep(pause).await,
                Err(problem) => {
                    tracing::warn!(%id, problem = %problem.to_json(), "cannot end a broadcast");
                    self.clock.sleep(RETRY).await;
                    // What it could not be ended for, nothing may have been taken in for.
                    listening.begin_again(self.look(id));
                }
            }
        }
    }

    fn look(&self, id: BroadcastId) -> Look {
        let store_time = self.broadcasts.store().time().unwrap_or(StoreTime(0));
        Look { at: self.clock.instant(), store_time, breaks: self.broadcasts.breaks_of(id) }
    }

    async fn end_if_due(self: &Arc<Self>, id: BroadcastId, listening: &mut Listening) -> Result<Again, Problem> {
        let followed = self.broadcasts.get(id).await.map_err(problems::of_metadata)?;
        followed.refresh().await.map_err(problems::of_metadata)?;
        let is_early = |due: &Due| due.at > followed.now();
        match due(&followed.read()) {
            None => return Ok(Again::Never),
            Some(due) if is_early(&due) => return Ok(Again::At(due.at)),
            Some(_) => {}
        }
        // This may show that it has started again.
        let pusher = self.pusher_of(id);
        self.settle_all(&followed, &pusher).await?;
        followed.refresh().await.map_err(problems::of_metadata)?;
        let Due { at, grace, said } = match due(&followed.read()) {
            None => return Ok(Again::Never),
            Some(due) if is_early(&due) => return Ok(Again::At(due.at)),
            Some(due) => due,
        };
        let left = listening.left(self.look(id), grace);
        if !left.is_zero() {
            return Ok(Again::After(left));
        }
        // A publisher is back whose first segment is on its way.
        if matches!(said, Said::GraceIsOver) && self.uploads.has(id) {
            return Ok(Again::After(RETRY));
        }
        self.end(&followed, &said).await?;
        // Something may have come just before.
        let next = due(&followed.read()).map(|due| due.at);
        Ok(next.map_or(Again::Never, |next| if next > at { Again::At(next) } else { Again::After(RETRY) }))
    }
}

/// How a broadcast ends by itself.
struct Due {
    at: StoreTime,
    /// How long nothing has come by then.
    grace: Millis,
    said: Said,
}

fn due(broadcast: &Broadcast) -> Option<Due> {
    if let Some(closing) = broadcast.closing() {
        return Some(Due { at: closing.over_at(), grace: closing.grace, said: Said::GraceIsOver });
    }
    let grace = broadcast.opened().policy.end_grace();
    Some(Due { at: broadcast.end_hinted_at()? + grace, grace, said: Said::HintIsOver })
}

/// What is waited for when an owner says the end.
#[derive(Clone, Copy, Debug)]
struct Graces {
    /// What its publisher may still have.
    publisher_ms: u32,
    /// What a stock pusher has left elsewhere.
    stragglers_ms: u32,
}

/// The event that ends a broadcast as it is, unless that is said already.
fn ending(broadcast: &Broadcast, said: &Said, graces: Graces, now: StoreTime) -> Option<Event> {
    let is_said = match said {
        Said::ByOwner => broadcast.is_over(),
        Said::ByPublisher(_) | Said::GivenUp => broadcast.ended().is_some(),
        // What has come since is acknowledged, and its publisher is back.
        Said::GraceIsOver => broadcast.closing().is_none_or(|closing| closing.over_at() > now),
        Said::HintIsOver => !due(broadcast).is_some_and(|due| matches!(due.said, Said::HintIsOver) && due.at <= now),
    };
    if is_said {
        return None;
    }
    let missing_of = |rendition: &Rendition| missing_of(broadcast, rendition);
    let abandoned = |_: &Rendition| Missing::Abandoned;
    let (mut last, rest): (_, &dyn Fn(&Rendition) -> Missing) = match said {
        Said::ByOwner => {
            let grace_ms = if may_resend(broadcast) { graces.publisher_ms } else { graces.stragglers_ms };
            if grace_ms > 0 {
                return Some(Event::Closing { grace_ms });
            }
            (Vec::new(), &missing_of)
        }
        Said::HintIsOver => (Vec::new(), &missing_of),
        Said::ByPublisher(said) => (said.clone(), &missing_of),
        Said::GivenUp | Said::GraceIsOver => (Vec::new(), &abandoned),
    };
    for rendition in broadcast.renditions() {
        let stored = broadcast.stored(rendition.name()).and_then(SeqSet::last);
        match last.iter_mut().find(|said: &&mut LastSeq| said.rendition == *rendition.name()) {
            // Whoever says where it ends sends what is missing; but it does not end before what has come.
            Some(said) => said.seq = said.seq.max(stored),
            None => {
                last.push(LastSeq { rendition: rendition.name().clone(), seq: stored, missing: rest(rendition) });
            }
        }
    }
    Some(Event::Ended { last })
}

/// Whether its publisher may have more of it than has come: one of which nothing has come may have begun in a tunnel.
fn may_resend(broadcast: &Broadcast) -> bool {
    let is_pushed = |rendition: &Rendition| missing_of(broadcast, rendition) == Missing::Abandoned;
    let nobody_pushes = broadcast.renditions().is_empty() && broadcast.mapped().is_empty();
    nobody_pushes || !broadcast.renditions().iter().all(is_pushed)
}

/// Stock pushers send nothing twice. Who sent what was found on a disk is told by the playlists alone.
fn missing_of(broadcast: &Broadcast, rendition: &Rendition) -> Missing {
    let is_named = broadcast.mapped().values().any(|mapped| mapped == rendition.name());
    let is_pushed = is_named || rendition.segments().any(|segment| segment.pushed.is_some());
    if is_pushed { Missing::Abandoned } else { Missing::Awaited }
}

/// Whether an end says where something ends of which its publisher has not said so, or that what has not come never will.
fn is_more_than_said(event: &Event, said: &Said) -> bool {
    let Event::Ended { last } = event else { return false };
    let Said::ByPublisher(named) = said else { return true };
    let is_said = |end: &LastSeq| named.iter().any(|named| named.rendition == end.rendition);
    last.iter().any(|end| end.missing == Missing::Abandoned || !is_said(end))
}

/// What is not listed may have been acknowledged.
fn unseen(why: &LostError) -> Problem {
    let detail = format!(
        "nothing is given up before it is known that the log of the broadcast has all that was acknowledged, and that cannot \
         be seen now: {why}; try again when that is mended"
    );
    service::ProblemKind::UNAVAILABLE.detail(detail).retry_after(RETRY)
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
    const GRACE_MS: u32 = 5_000;
    const NOW: StoreTime = StoreTime(5_000);

    /// What ends a broadcast of these events.
    fn ending_of(events: Vec<Event>, said: &Said, publisher_ms: u32) -> Option<Event> {
        let events = [Event::Opened(opened())].into_iter().chain(events);
        let entry = |(index, event)| LogEntry { index: EventIndex(index), at: StoreTime(0), event };
        let log: Vec<LogEntry> = (0..).zip(events).map(entry).collect();
        let broadcast = Broadcast::replay(&log).expect("in order").expect("not empty");
        ending(&broadcast, said, Graces { publisher_ms, stragglers_ms: 0 }, NOW)
    }

    fn stored(segments: &[(u64, Option<u64>)]) -> Vec<Event> {
        let stored = |(seq, pushed): &(u64, _)| Event::Stored(Segment { pushed: *pushed, ..segment(*seq) });
        segments.iter().map(stored).collect()
    }

    fn end(seq: u64, missing: Missing) -> LastSeq {
        LastSeq { rendition: RenditionName::main(), seq: Some(Seq(seq)), missing }
    }

    /// What ends a broadcast that has these segments, and of which its publisher says that it ends with `said`.
    fn check(segments: &[(u64, Option<u64>)], said: Option<u64>, last: u64, missing: Missing) {
        let said = Said::ByPublisher(said.map(|seq| end(seq, Missing::Awaited)).into_iter().collect());
        let expected = Event::Ended { last: vec![end(last, missing)] };
        assert_eq!(ending_of(stored(segments), &said, GRACE_MS), Some(expected), "{segments:?}");
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

    #[test]
    fn its_owner_leaves_open_where_it_ends_unless_a_stock_pusher_sends_it() {
        let closing = Some(Event::Closing { grace_ms: GRACE_MS });
        let by_owner = |segments: &[_], grace_ms| ending_of(stored(segments), &Said::ByOwner, grace_ms);
        assert_eq!(by_owner(&[], GRACE_MS), closing);
        assert_eq!(by_owner(&[(0, SENT), (3, SENT)], GRACE_MS), closing);
        let ended = |last, missing| Some(Event::Ended { last: vec![end(last, missing)] });
        assert_eq!(by_owner(&[(0, PUSHED), (3, PUSHED)], GRACE_MS), ended(3, Missing::Abandoned));
        assert_eq!(by_owner(&[(0, SENT), (3, SENT)], 0), ended(3, Missing::Awaited));
        let playlist = "out.m3u8".to_owned();
        let mapped = vec![Event::Mapped { playlist, rendition: RenditionName::main() }];
        assert_eq!(ending_of(mapped, &Said::ByOwner, GRACE_MS), Some(Event::Ended { last: vec![] }));
    }

    #[test]
    fn what_its_owner_has_ended_ends_by_its_publisher_or_is_given_up() {
        let closing = |said: &Said| {
            let events = [stored(&[(0, SENT), (3, SENT)]), vec![Event::Closing { grace_ms: GRACE_MS }]];
            ending_of(events.concat(), said, GRACE_MS)
        };
        assert_eq!(closing(&Said::ByOwner), None);
        let ended = |last, missing| Some(Event::Ended { last: vec![end(last, missing)] });
        assert_eq!(closing(&Said::ByPublisher(vec![end(9, Missing::Awaited)])), ended(9, Missing::Awaited));
        for said in [Said::GivenUp, Said::GraceIsOver] {
            assert_eq!(closing(&said), ended(3, Missing::Abandoned), "{said:?}");
        }
        let over = [stored(&[(0, SENT)]), vec![Event::Ended { last: vec![] }]].concat();
        for said in [Said::ByOwner, Said::ByPublisher(vec![]), Said::GivenUp, Said::GraceIsOver] {
            assert_eq!(ending_of(over.clone(), &said, GRACE_MS), None);
        }
    }
}
