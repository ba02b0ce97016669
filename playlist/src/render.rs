//! A playlist asked for, as text: the step from an address to the views of `broadcast`. No I/O, no clock.

use std::cmp::Ordering;

use broadcast::{Broadcast, Generation, State, StoreTime, TargetDuration, View, ViewError};

use crate::address::List;

/// A playlist as it is at some moment.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) text: String,
    /// The media sequence number of its last entry; a Multivariant Playlist has none.
    pub(crate) last_msn: Option<u64>,
    /// The media sequence number that a delta update goes on with.
    pub(crate) skipped_to: Option<u64>,
    /// `None` in the Multivariant Playlist of a broadcast whose target duration is not known yet.
    pub(crate) target: Option<TargetDuration>,
    /// It will never change again.
    pub(crate) is_final: bool,
    /// When, by the reader's clock, time alone may change it.
    pub(crate) next_change: Option<StoreTime>,
}

/// Why there is no such playlist at some moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Absence {
    pub(crate) error: ViewError,
    /// How the broadcast stands.
    pub(crate) state: State,
    /// Where live and dvr are.
    pub(crate) generation: Generation,
    pub(crate) target: Option<TargetDuration>,
    /// When, by the reader's clock, time alone may change that.
    pub(crate) next_change: Option<StoreTime>,
}

impl Absence {
    /// Whether it is worth asking again.
    pub(crate) fn may_come(&self) -> bool {
        self.state != State::Complete && self.error.may_come()
    }
}

pub(crate) fn render(broadcast: &Broadcast, list: &List, now: StoreTime) -> Result<Page, Absence> {
    let page = match list {
        List::Multivariant(view) => multivariant(broadcast, *view, now),
        List::Media { rendition, view, generation, extent } => {
            let there = is_current(broadcast, *view, *generation);
            there.and_then(|()| broadcast.view(rendition, *view, *extent, now)).map(|rendered| Page {
                text: rendered.text,
                last_msn: Some(rendered.last_msn),
                skipped_to: rendered.skipped_to,
                target: Some(rendered.target),
                is_final: rendered.is_final,
                next_change: rendered.next_change,
            })
        }
    };
    page.map_err(|error| Absence {
        error,
        state: broadcast.state(now),
        generation: broadcast.generation(),
        target: broadcast.target_duration(),
        next_change: broadcast.next_change(now),
    })
}

/// What an address has shown, it does not contradict, and what it will show is not known before it begins.
fn is_current(broadcast: &Broadcast, view: View, asked: Generation) -> Result<(), ViewError> {
    match asked.cmp(&broadcast.generation()) {
        Ordering::Less if matches!(view, View::Live | View::Dvr) => Err(ViewError::Over),
        Ordering::Greater => Err(ViewError::NotBegun),
        _ => Ok(()),
    }
}

fn multivariant(broadcast: &Broadcast, view: Option<View>, now: StoreTime) -> Result<Page, ViewError> {
    let view = view.unwrap_or_else(|| broadcast.default_view(now));
    Ok(Page {
        text: broadcast.multivariant(view, now)?,
        last_msn: None,
        skipped_to: None,
        target: broadcast.target_duration(),
        is_final: broadcast.state(now) == State::Complete,
        // A rendition is listed once there is something to play of it.
        next_change: broadcast.next_change(now),
    })
}
