//! Tells of one broadcast until it is complete: follows its log, files what is to be told, and notes how far it has come,
//! in one step. A process that starts anew folds the log from its beginning and goes on where it was.

use std::time::Duration;

use broadcast::{BroadcastId, EventIndex, LogEntry, LogError, StoreTime};
use metadata::{LETTERS_MAX, Letter, MetadataError, READ_MAX, Telling, Told};

use crate::finding::Followed;
use crate::message::{Message, Position};
use crate::teller::{Segments, Teller};
use crate::webhooks::{RETRY, Webhooks};

/// How long the fold of a broadcast is kept at hand in which nothing happens.
const IDLE: Duration = Duration::from_secs(600);

#[derive(Debug, thiserror::Error)]
enum TellError {
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    #[error(transparent)]
    Log(#[from] LogError),
}

/// Ends when nothing more is to be told.
pub(crate) async fn run(webhooks: &Webhooks, followed: &Followed, id: BroadcastId) {
    loop {
        match tell(webhooks, followed, id).await {
            Ok(After::Complete) => return,
            Ok(After::Idle { next }) => {
                // The fold is made anew when there is news.
                let _ = webhooks.broadcasts.store().wait(id, next, 1).await;
            }
            Err(error) => {
                tracing::warn!(%id, error = &error as &dyn std::error::Error, "cannot tell of a broadcast");
                webhooks.clock.sleep(RETRY).await;
            }
        }
    }
}

enum After {
    Complete,
    Idle { next: EventIndex },
}

async fn tell(webhooks: &Webhooks, followed: &Followed, id: BroadcastId) -> Result<After, TellError> {
    let mut story = {
        let _turn = followed.replays.acquire().await.expect("the semaphore is never closed");
        let Some(story) = Story::begin(webhooks, followed, id).await? else { return Ok(After::Complete) };
        story
    };
    let store = webhooks.broadcasts.store();
    loop {
        story.file().await?;
        if story.is_told_to_its_end() {
            return Ok(After::Complete);
        }
        let next = story.teller.broadcast().next_index();
        let change = story.teller.next_change();
        tokio::select! {
            entries = store.wait(id, next, READ_MAX) => story.take(&entries?)?,
            () = webhooks.broadcasts.reached(change.unwrap_or(StoreTime(0))), if change.is_some() => story.catch_up().await?,
            () = webhooks.clock.sleep(IDLE), if change.is_none() => return Ok(After::Idle { next }),
        }
    }
}

/// One broadcast, how far it is told, and what is to be told of it.
struct Story<'a> {
    webhooks: &'a Webhooks,
    id: BroadcastId,
    teller: Teller,
    told: Option<Told>,
    untold: Vec<Message>,
}

impl<'a> Story<'a> {
    /// Folds the log up to now. `None` if all of it is told.
    async fn begin(webhooks: &'a Webhooks, followed: &Followed, id: BroadcastId) -> Result<Option<Self>, TellError> {
        let told = webhooks.outbox.told(&[id]).await?.pop().flatten();
        if told.is_some_and(|told| told.complete) {
            return Ok(None);
        }
        let asked = webhooks.config.endpoints.iter().any(|endpoint| endpoint.segments);
        let segments = if asked { Segments::Told } else { Segments::Untold };
        let first = webhooks.broadcasts.store().read(id, EventIndex(0), 1).await?;
        let first = first.first().ok_or(MetadataError::NotFound { id })?;
        let (teller, untold) = Teller::open(id, segments, first)?;
        let mut story = Self { webhooks, id, teller, told, untold };
        story.forget_told();
        story.catch_up().await?;
        // What was before anybody was to be told is not told, and what comes is.
        if told.is_none() && first.at < followed.since {
            story.untold.clear();
            let after = story.teller.told();
            match webhooks.outbox.tell(id, None, after, &[]).await? {
                Telling::Done { .. } => story.told = Some(after),
                Telling::Elsewhere => story.reload().await?,
            }
        }
        Ok(Some(story))
    }

    /// Reads the log to its end, and lets time pass as far as that settles it.
    async fn catch_up(&mut self) -> Result<(), TellError> {
        let store = self.webhooks.broadcasts.store();
        let horizon = store.horizon();
        loop {
            let entries = store.read(self.id, self.teller.broadcast().next_index(), READ_MAX).await?;
            if entries.is_empty() {
                break;
            }
            self.take(&entries)?;
        }
        if let Some(horizon) = horizon {
            let messages = self.teller.pass(self.teller.settled(horizon));
            self.note(messages);
        }
        Ok(())
    }

    fn take(&mut self, entries: &[LogEntry]) -> Result<(), TellError> {
        for entry in entries {
            let messages = self.teller.take(entry)?;
            self.note(messages);
        }
        Ok(())
    }

    fn note(&mut self, messages: Vec<Message>) {
        self.untold.extend(messages);
        self.forget_told();
    }

    /// Leaves out what was told before.
    fn forget_told(&mut self) {
        if let Some(Told { next, at, .. }) = self.told {
            self.untold.retain(|message| message.position > Position { next, at });
        }
    }

    fn is_told_to_its_end(&self) -> bool {
        self.untold.is_empty() && self.told.is_some_and(|told| told.complete)
    }

    /// Files everything that is to be told.
    async fn file(&mut self) -> Result<(), TellError> {
        let complete = |story: &Self| story.teller.is_complete() && story.told.is_none_or(|told| !told.complete);
        while !self.untold.is_empty() || complete(self) {
            let (letters, count) = self.batch();
            let after = match self.untold.get(..count).and_then(<[Message]>::last) {
                Some(last) if count < self.untold.len() => {
                    Told { next: last.position.next, at: last.position.at, complete: false }
                }
                _ => self.teller.told(),
            };
            match self.webhooks.outbox.tell(self.id, self.told, after, &letters).await? {
                Telling::Elsewhere => self.reload().await?,
                Telling::Done { forgotten } => {
                    for message in self.untold.drain(..count) {
                        self.webhooks.metrics.messages.with_label_values(&[message.kind.word()]).inc();
                    }
                    self.told = Some(after);
                    self.webhooks.note_forgotten(forgotten);
                    self.webhooks.wake_senders();
                }
            }
        }
        Ok(())
    }

    /// The letters of the first messages, and of how many: as many as one call takes. What is told at one position is
    /// told together.
    fn batch(&self) -> (Vec<Letter>, usize) {
        let (mut letters, mut count) = (Vec::new(), 0);
        for group in self.untold.chunk_by(|one, other| one.position == other.position) {
            let more: Vec<Letter> = group.iter().flat_map(|message| self.webhooks.letters(message)).collect();
            if count > 0 && letters.len() + more.len() > LETTERS_MAX {
                break;
            }
            letters.extend(more);
            count += group.len();
        }
        (letters, count)
    }

    /// Somebody else has told of it meanwhile.
    async fn reload(&mut self) -> Result<(), TellError> {
        self.told = self.webhooks.outbox.told(&[self.id]).await?.pop().flatten();
        self.forget_told();
        Ok(())
    }
}
