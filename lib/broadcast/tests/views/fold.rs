//! The fold itself: however and whenever it is done, it comes to the same, and it says when it will change.

use broadcast::{Broadcast, DocumentFold, Extent, RenditionName, State, StoreTime};
use proptest::prelude::*;

use crate::reader::{replay, text, views};
use crate::script::{config, scripts};
use crate::simulation::{Recording, moved};

/// Everything that anybody can see of a broadcast.
fn everything(broadcast: &Broadcast, names: &[RenditionName], now: StoreTime) -> String {
    let mut all = format!("{:?} {:?}\n", broadcast.state(now), broadcast.missing_count());
    for name in names {
        for view in views() {
            let shown = broadcast.view(name, view, Extent::Whole, now);
            all += &format!("{name} {view:?}: {}\n", shown.map_or_else(|error| error.to_string(), |shown| shown.text));
        }
        all += &format!("{:?}\n", broadcast.multivariant(broadcast.default_view(now), now));
    }
    all
}

proptest! {
    #![proptest_config(config(48))]

    /// Taking the log in event by event, with views taken at any time in between, comes to what a fresh start does.
    #[test]
    fn incremental_equals_fresh(script in scripts(), looks in prop::collection::vec(any::<prop::sample::Index>(), 4)) {
        let recording = Recording::new(&script);
        let looks: Vec<usize> = looks.iter().map(|look| look.index(recording.log.len()) + 1).collect();
        let mut broadcast = replay(&recording, 1);
        for (count, entry) in (2..).zip(&recording.log[1..]) {
            broadcast.apply(entry).expect("the log is in order");
            if looks.contains(&count) {
                let fresh = replay(&recording, count);
                for ms in [0, script.margin_ms() + 1, script.base_ms, 20 * script.base_ms] {
                    let now = moved(entry.at, ms);
                    prop_assert_eq!(everything(&broadcast, &recording.names, now), everything(&fresh, &recording.names, now));
                    prop_assert_eq!(broadcast.next_change(now), fresh.next_change(now));
                }
            }
        }
    }

    /// The fold for the document of a broadcast knows as well whether all of it is there.
    #[test]
    fn both_folds_agree(script in scripts()) {
        let recording = Recording::new(&script);
        let (mut broadcast, mut document) = (replay(&recording, 1), DocumentFold::of(&recording.log[..1]));
        for entry in &recording.log[1..] {
            broadcast.apply(entry).expect("the log is in order");
            document.take(entry);
            let is_complete = broadcast.state(entry.at) == State::Complete;
            prop_assert_eq!(is_complete, document.is_complete(), "after {:?}", entry);
            for name in &recording.names {
                let stored = broadcast.stored(name).filter(|stored| !stored.is_empty());
                prop_assert_eq!(stored, document.stored(name).filter(|stored| !stored.is_empty()), "of {}", name);
            }
        }
    }

    /// Nothing changes before the next change, if no event comes; and then something does.
    #[test]
    fn the_next_change_is_honest(script in scripts(), look in any::<prop::sample::Index>(), within in 0.0f64..1.0) {
        let recording = Recording::new(&script);
        let count = look.index(recording.log.len()) + 1;
        let broadcast = replay(&recording, count);
        let mut now = moved(recording.log[count - 1].at, -script.margin_ms());
        for _ in 0..8 {
            let Some(next) = broadcast.next_change(now) else {
                let much_later = moved(now, 3_600_000);
                prop_assert_eq!(everything(&broadcast, &recording.names, now), everything(&broadcast, &recording.names, much_later));
                return Ok(());
            };
            prop_assert!(next > now);
            let (before, between) = (moved(next, -1), moved(now, ((next - now).0 as f64 * within) as i64));
            let seen = everything(&broadcast, &recording.names, now);
            prop_assert_eq!(&seen, &everything(&broadcast, &recording.names, before));
            prop_assert_eq!(&seen, &everything(&broadcast, &recording.names, between));
            now = next;
        }
    }
}

/// The texts are taken from the same moments by a reader who polls and by one who has just started.
#[test]
fn a_poll_leaves_no_trace() {
    let recording = Recording::new(&crate::script::Script::calm(10));
    let mut polled = replay(&recording, 1);
    for entry in &recording.log[1..] {
        for view in views() {
            let _ = text(&polled, &recording.names[0], view, moved(entry.at, 60_000));
        }
        polled.apply(entry).expect("the log is in order");
    }
    let fresh = replay(&recording, recording.log.len());
    let now = recording.end_at();
    assert_eq!(everything(&polled, &recording.names, now), everything(&fresh, &recording.names, now));
}
