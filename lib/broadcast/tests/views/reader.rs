//! Polls a broadcast as viewers do: at some moment, by a clock that may be wrong by the margin.

use broadcast::{Broadcast, Extent, RenditionName, Seq, StoreTime, View};
use testkit::hls::{self, Playlist};

use crate::simulation::Recording;

/// The text of a view, if there is one.
pub(crate) fn text(broadcast: &Broadcast, rendition: &RenditionName, view: View, now: StoreTime) -> Option<String> {
    broadcast.view(rendition, view, Extent::Whole, now).ok().map(|rendered| rendered.text)
}

/// A view that must be as a playlist must be.
pub(crate) fn playlist(
    broadcast: &Broadcast,
    rendition: &RenditionName,
    view: View,
    now: StoreTime,
) -> Option<Playlist> {
    let text = text(broadcast, rendition, view, now)?;
    Some(hls::well_formed(&text).unwrap_or_else(|found| panic!("{view:?} of {rendition}: {found:#?}\n{text}")))
}

/// The broadcast as the log up to its first `count` entries tells it.
pub(crate) fn replay(recording: &Recording, count: usize) -> Broadcast {
    Broadcast::replay(&recording.log[..count]).expect("the log is in order").expect("a log begins with Opened")
}

/// Every view that anybody might ask for.
pub(crate) fn views() -> Vec<View> {
    let catch_up = [0, 1, 5, 17].map(|from| View::CatchUp { from: Seq(from) });
    [View::Live, View::Dvr, View::Vod].into_iter().chain(catch_up).collect()
}

/// Calls `see` with the broadcast as it is at each moment at which it can change for a reader whose clock is right,
/// until `end`: after each event, and when time alone has changed something.
pub(crate) fn watch(recording: &Recording, end: StoreTime, mut see: impl FnMut(&Broadcast, StoreTime)) {
    let mut broadcast = replay(recording, 1);
    let mut now = recording.log[0].at;
    for entry in &recording.log[1..] {
        now = wait(&broadcast, now, entry.at, &mut see);
        broadcast.apply(entry).expect("the log is in order");
        see(&broadcast, now);
    }
    wait(&broadcast, now, end, &mut see);
}

fn wait(
    broadcast: &Broadcast,
    from: StoreTime,
    until: StoreTime,
    see: &mut impl FnMut(&Broadcast, StoreTime),
) -> StoreTime {
    let mut now = from;
    while let Some(next) = broadcast.next_change(now).filter(|next| *next <= until) {
        assert!(next > now, "the next change is in the past");
        now = next;
        see(broadcast, now);
    }
    until
}

/// All that was ever listed, for those who have to find out what went wrong.
pub(crate) fn shown(broadcast: &Broadcast, names: &[RenditionName], now: StoreTime) -> String {
    let dvr = |name: &RenditionName| format!("{name}:\n{}", text(broadcast, name, View::Dvr, now).unwrap_or_default());
    names.iter().map(dvr).collect()
}
