//! The views: every playlist as a pure function of (arrival log, now). See DESIGN 5 and docs/design/views.md.

use crate::broadcast::{Broadcast, State};
use crate::capture_order::{self, Long, longest};
use crate::ids::{Digest, FormatId, RenditionName, Seq};
use crate::live::{Entry, Item, Look};
use crate::playlist::{Playlist, PlaylistType, skip_until};
use crate::policy::TargetDuration;
use crate::time::{Millis, StoreTime};

/// A Media Playlist of one rendition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum View {
    /// A sliding window at the live edge.
    Live,
    /// The same from the beginning.
    Dvr,
    /// Everything from this segment on, in capture order; waits at a hole until it is filled or abandoned.
    CatchUp { from: Seq },
    /// The finished recording.
    Vod,
}

/// Whether the whole playlist is asked for, or a Playlist Delta Update (RFC 8216bis, 6.2.5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Extent {
    Whole,
    Delta,
}

/// A playlist, and what a server has to know to serve it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    pub text: String,
    /// The media sequence number of its last entry.
    pub last_msn: u64,
    /// The media sequence number that a delta update goes on with: its reader has to have what is before.
    pub skipped_to: Option<u64>,
    pub target: TargetDuration,
    /// It will never change again.
    pub is_final: bool,
    /// When, by a reader's clock, time alone may change it.
    pub next_change: Option<StoreTime>,
}

/// Why there is no such playlist, for now or for good.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ViewError {
    #[error("there is no rendition {rendition}")]
    NoRendition { rendition: RenditionName },
    #[error("nothing of it has arrived yet")]
    NotStarted,
    #[error("segment {from} has not arrived yet")]
    NotThere { from: Seq },
    #[error("the recording is not finished: the broadcast has not ended")]
    NotEnded,
    #[error("the recording is not finished: {missing} segments are still missing")]
    Incomplete { missing: u64 },
    #[error("the recording is not finished: its owner has ended it, and its publisher may still have some of it")]
    Closing,
    #[error("this playlist is over: the broadcast goes on at another address")]
    Over,
    #[error("nothing is known of this playlist: the broadcast is at another address")]
    NotBegun,
}

impl ViewError {
    /// Whether the playlist may come to be.
    pub fn may_come(&self) -> bool {
        match self {
            Self::NoRendition { .. } | Self::NotStarted | Self::NotThere { .. } => true,
            Self::NotEnded | Self::Incomplete { .. } | Self::Closing => true,
            Self::Over | Self::NotBegun => false,
        }
    }
}

impl Broadcast {
    /// A playlist as it is at `now` by the reader's clock.
    pub fn view(
        &self,
        rendition: &RenditionName,
        view: View,
        extent: Extent,
        now: StoreTime,
    ) -> Result<Rendered, ViewError> {
        let no_rendition = || ViewError::NoRendition { rendition: rendition.clone() };
        let index = self.rendition_index(rendition).ok_or_else(no_rendition)?;
        match view {
            View::Live | View::Dvr => self.by_arrival(index, view, extent, now),
            View::CatchUp { from } => self.catch_up(index, from, extent),
            View::Vod => self.vod(index, now),
        }
    }

    /// Whether there is such a playlist of a rendition, without writing it.
    pub(crate) fn has_view(&self, index: usize, view: View, look: &Look<'_>) -> bool {
        match view {
            View::Live | View::Dvr => look.items(index, 0).any(|item| entry_of(item).is_some()),
            View::CatchUp { from } => {
                let has_media = |target| capture_order::has_media(self, index, from, Long::Cut(target));
                self.target_duration().is_some_and(has_media)
            }
            View::Vod => self.has_all() && self.renditions()[index].segments().next().is_some(),
        }
    }

    /// The entries of a rendition's dvr view, for those who want facts and not text.
    pub fn live_items(&self, rendition: &RenditionName, now: StoreTime) -> Vec<Item> {
        let Some(index) = self.rendition_index(rendition) else { return Vec::new() };
        self.look(now).items(index, 0).cloned().collect()
    }

    fn by_arrival(&self, index: usize, view: View, extent: Extent, now: StoreTime) -> Result<Rendered, ViewError> {
        let look = self.look(now);
        let target = self.target_duration().ok_or(ViewError::NotStarted)?;
        let (kind, from) = match view {
            View::Live => {
                (PlaylistType::Live, window_start(look.items(index, 0), look.count(index), self.window(target)))
            }
            _ => (PlaylistType::Event, 0),
        };
        let items = look.items(index, from);
        // An open date range needs no such care: the media that a window keeps is older than the outage.
        let mut lost = look.items(index, 0).rev().skip(look.count(index) - from);
        let before = lost.find_map(|item| Some(entry_of(item)?.part()?.segment.format));
        let last = items.clone().rev().find_map(entry_of).ok_or(ViewError::NotStarted)?;
        let is_final = look.is_listed_to_the_end();
        let skip = if is_final { 0 } else { skippable(items.clone(), target, extent) };
        let init = |format| self.init_of(index, format);
        let skipped_to = msn_after(items.clone(), skip);
        let text = Playlist { kind, target, items, init: &init, before, independent: false, skip }.render();
        Ok(Rendered { text, last_msn: last.msn, skipped_to, target, is_final, next_change: look.next_change() })
    }

    fn catch_up(&self, index: usize, from: Seq, extent: Extent) -> Result<Rendered, ViewError> {
        let target = self.target_duration().ok_or(ViewError::NotStarted)?;
        let items = capture_order::items(self, index, from, Long::Cut(target));
        // One that is all gap cannot be played; there will be more once media follows.
        if items.iter().filter_map(entry_of).all(Entry::is_gap) {
            return Err(ViewError::NotThere { from });
        }
        let is_final = self.has_all();
        self.in_capture_order(index, PlaylistType::Event, target, items, extent, is_final)
    }

    fn vod(&self, index: usize, now: StoreTime) -> Result<Rendered, ViewError> {
        match self.state(now) {
            State::Complete => {}
            State::Ended if self.closing().is_some() => return Err(ViewError::Closing),
            State::Ended => return Err(ViewError::Incomplete { missing: self.missing_count() }),
            _ => return Err(ViewError::NotEnded),
        }
        let long = self.renditions().iter().map(longest).max().unwrap_or_default();
        let target = TargetDuration::measured(long).max(self.target_duration().ok_or(ViewError::NotStarted)?);
        let first = self.renditions()[index].segments().next().ok_or(ViewError::NotStarted)?.seq;
        let items = capture_order::items(self, index, first, Long::Whole(target));
        self.in_capture_order(index, PlaylistType::Vod, target, items, Extent::Whole, true)
    }

    fn in_capture_order(
        &self,
        index: usize,
        kind: PlaylistType,
        target: TargetDuration,
        mut items: Vec<Item>,
        extent: Extent,
        is_final: bool,
    ) -> Result<Rendered, ViewError> {
        let last_msn = items.last().and_then(entry_of).ok_or(ViewError::NotStarted)?.msn;
        items.extend(is_final.then_some(Item::End));
        let skip = if is_final { 0 } else { skippable(items.iter(), target, extent) };
        let init = |format| self.init_of(index, format);
        let independent = kind == PlaylistType::Vod && items.iter().all(starts_with_keyframe);
        let text =
            Playlist { kind, target, items: items.iter(), init: &init, before: None, independent, skip }.render();
        let skipped_to = msn_after(items.iter(), skip);
        Ok(Rendered { text, last_msn, skipped_to, target, is_final, next_change: None })
    }

    fn init_of(&self, index: usize, format: FormatId) -> Option<Digest> {
        Some(self.renditions()[index].format(format)?.init?.digest)
    }

    fn window(&self, target: TargetDuration) -> Millis {
        Millis(self.opened().policy.window_ms.into()).max(Millis(target.millis().0 * 3))
    }
}

fn entry_of(item: &Item) -> Option<&Entry> {
    match item {
        Item::Entry(entry) => Some(entry),
        Item::Range(_) | Item::End => None,
    }
}

fn starts_with_keyframe(item: &Item) -> bool {
    entry_of(item).and_then(Entry::part).is_none_or(|part| part.segment.keyframe_start)
}

/// How many entries with media a live playlist keeps whatever else it holds: after a long outage it must not be all
/// gap, and a player that joins starts three segments from the end.
const WINDOW_MEDIA_MIN: usize = 3;

/// Where the live window begins: the latest item from which on there are `window` of time and enough media. It
/// follows from the items alone and only ever moves forward as they grow.
fn window_start<'a>(items: impl DoubleEndedIterator<Item = &'a Item>, total: usize, window: Millis) -> usize {
    let (mut length, mut media) = (0.0, 0);
    for (back, item) in items.rev().enumerate() {
        let Some(entry) = entry_of(item) else { continue };
        length += entry.extinf();
        media += usize::from(!entry.is_gap());
        if length >= window.as_secs_f64() && media >= WINDOW_MEDIA_MIN {
            return total - 1 - back;
        }
    }
    0
}

/// How many entries a delta update leaves out: those that lie wholly before the skip boundary.
fn skippable<'a>(items: impl DoubleEndedIterator<Item = &'a Item>, target: TargetDuration, extent: Extent) -> usize {
    if extent == Extent::Whole {
        return 0;
    }
    let boundary = skip_until(target).as_secs_f64();
    let mut behind = 0.0;
    let older = items.rev().filter_map(entry_of).skip_while(|entry| {
        let is_kept = behind < boundary;
        behind += entry.extinf();
        is_kept
    });
    older.count()
}

/// The media sequence number after the first `skip` entries, if any are skipped.
fn msn_after<'a>(items: impl Iterator<Item = &'a Item>, skip: usize) -> Option<u64> {
    items.filter_map(entry_of).nth(skip.checked_sub(1)?).map(|entry| entry.msn + 1)
}
