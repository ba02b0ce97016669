//! What was acknowledged keeps no number that something else has by now. A stock pusher's numbers are given here: while one
//! recorder is away with what the metadata store has lost, another one may give the same number to something else, or give it
//! up. What is found then gets the next one. It was captured before what is there, so live does not show it.

use broadcast::{Broadcast, CapturedAt, Event, Key, Segment, Seq, SeqSet};
use metadata::{Followed, Outcome};
use service::{Problem, ProblemKind};
use storage::{Store, StoreError, verified};

use crate::commit::{Durable, Kept};
use crate::problems;
use crate::push::RESENT_MAX;
use crate::recorder::Recorder;

/// How often somebody else may be given the next number first.
const ATTEMPTS_MAX: usize = 16;

impl Durable {
    /// The segment, if it was numbered here, and not by who sent it.
    fn numbered_here(&self, broadcast: &Broadcast) -> Option<&Segment> {
        let Some(Event::Stored(segment)) = self.events.last() else { return None };
        let is_mapped = || broadcast.mapped().values().any(|rendition| *rendition == segment.rendition);
        let was_found = self.flying.is_none();
        (segment.pushed.is_some() || (was_found && is_mapped())).then_some(segment)
    }
}

impl Recorder {
    /// Commits a segment under another number than its own, which is taken or was given up, and tells under which key it is now.
    /// `None` if it has no other.
    pub(crate) async fn commit_renumbered(
        &self,
        followed: &Followed,
        durable: &Durable,
    ) -> Result<Option<(Kept, Key)>, Problem> {
        for _ in 0..ATTEMPTS_MAX {
            followed.refresh().await.map_err(problems::of_metadata)?;
            let (segment, same, seq) = {
                let broadcast = followed.read();
                let Some(segment) = durable.numbered_here(&broadcast).cloned() else { return Ok(None) };
                let (same, seq) = (stored_already(&broadcast, &segment), next(&broadcast, &segment));
                (segment, same, seq)
            };
            if let Some(same) = same {
                let key = Key::of_segment(followed.id(), &same);
                self.remove_unless_listed(followed, &durable.key, Some(same)).await;
                return Ok(Some((Kept::Already, key)));
            }
            tracing::warn!(key = %durable.key, %seq, "the number of a pushed segment has gone to something else; it gets another");
            // By its pusher's number others are counted.
            let renumbered = Segment { seq, pushed: None, ..segment };
            let key = Key::of_segment(followed.id(), &renumbered);
            let _flying = self.in_flight.enter(&key);
            self.copy(&durable.key, &key).await.map_err(problems::of_store)?;
            // What comes before it, such as its format, was committed with its own number.
            let outcomes = followed.commit(&[Event::Stored(renumbered)]).await.map_err(problems::of_metadata)?;
            match outcomes[0] {
                Outcome::Appended { .. } => {
                    self.remove_unlisted(followed, &durable.key).await;
                    return Ok(Some((Kept::Stored, key)));
                }
                // It has its own number again.
                _ if key == durable.key => {}
                outcome => {
                    self.remove_unlisted(followed, &key).await;
                    if outcome == Outcome::Ended {
                        return Ok(None);
                    }
                }
            }
        }
        Err(ProblemKind::UNAVAILABLE.detail("others keep being given the next number; try again"))
    }

    async fn copy(&self, from: &Key, to: &Key) -> Result<(), StoreError> {
        let bytes = self.tiers.read(from, None).await?;
        let done = self.store.put(to, verified(from, bytes)).await;
        if matches!(done, Err(StoreError::Damaged { .. })) {
            self.set_aside_if_damaged(from).await?;
        }
        done
    }
}

/// The same, if it was sent twice, or was given a number before.
fn stored_already(broadcast: &Broadcast, segment: &Segment) -> Option<Segment> {
    let is_same =
        |stored: &Segment| stored.digest == segment.digest && is_resent(segment.captured_at, stored.captured_at);
    let mut stored = broadcast.rendition(&segment.rendition)?.segments();
    stored.find(|stored| is_same(stored)).map(|stored| stored.as_ref().clone())
}

/// Whether the same bytes are the same segment. Pictures of a test that starts again are another one.
pub(crate) fn is_resent(one: CapturedAt, other: CapturedAt) -> bool {
    (one.0 - other.0).abs() <= RESENT_MAX.0
}

/// The number after all that are stored, or were given up.
fn next(broadcast: &Broadcast, segment: &Segment) -> Seq {
    let last = |seqs: Option<&SeqSet>| seqs.and_then(SeqSet::last);
    let rendition = &segment.rendition;
    last(broadcast.stored(rendition)).max(last(broadcast.abandoned(rendition))).map_or(Seq(0), Seq::next)
}
