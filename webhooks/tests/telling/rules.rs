//! One property for each promise.

use std::collections::BTreeSet;

use broadcast::{Broadcast, Event, LogEntry, Millis, StoreTime};
use headwater_webhooks::{Kind, Message, Position, Segments, Teller};
use metadata::Told;
use proptest::prelude::*;

use crate::script::{config, is_end, scripts};
use crate::simulation::Recording;
use crate::{end_of, id, seen, state, told_of};

/// A moment of a story: after so many entries, and so far into the time until the next one.
#[derive(Clone, Debug)]
struct Moment {
    entries: prop::sample::Index,
    within: f64,
}

fn moments(count: usize) -> impl Strategy<Value = Vec<Moment>> {
    let moment = (any::<prop::sample::Index>(), 0.0f64..1.0).prop_map(|(entries, within)| Moment { entries, within });
    prop::collection::vec(moment, count)
}

impl Moment {
    fn of(&self, log: &[LogEntry]) -> (usize, StoreTime) {
        let count = self.entries.index(log.len()) + 1;
        let from = log[count - 1].at;
        let to = log.get(count).map_or(from + Millis(120_000), |next| next.at);
        (count, from + Millis(((to - from).0 as f64 * self.within) as i64))
    }
}

/// What is told by this moment, by one who starts now.
fn start(log: &[LogEntry], (count, at): (usize, StoreTime)) -> (Teller, Vec<Message>) {
    let (mut teller, mut messages) = Teller::open(id(), Segments::Told, &log[0]).unwrap();
    for entry in &log[1..count] {
        messages.extend(teller.take(entry).unwrap());
    }
    messages.extend(teller.pass(at));
    (teller, messages)
}

fn is_untold(message: &Message, told: Option<Told>) -> bool {
    told.is_none_or(|Told { next, at, .. }| message.position > Position { next, at })
}

proptest! {
    #![proptest_config(config(64))]

    /// At every moment, what was told last is how things are.
    #[test]
    fn what_was_told_is_so(script in scripts(), moments in moments(24)) {
        let recording = Recording::new(&script);
        for moment in moments {
            let (count, at) = moment.of(&recording.log);
            let (_, messages) = start(&recording.log, (count, at));
            let broadcast = Broadcast::replay(&recording.log[..count]).unwrap().unwrap();
            let now = broadcast.state(at + Millis(script.margin_ms()));
            prop_assert_eq!(state(messages.last().unwrap()), now.word(), "after {} entries, at {:?}", count, at);
        }
    }

    /// Whoever waits until something is to be told is woken in time.
    #[test]
    fn who_waits_misses_nothing(script in scripts(), moments in moments(6)) {
        let recording = Recording::new(&script);
        for moment in moments {
            let (count, at) = moment.of(&recording.log);
            let (mut waits, _) = start(&recording.log[..count], (count, at));
            let (mut looks, end) = (waits.clone(), end_of(&recording.log));
            let mut told = Vec::new();
            while let Some(change) = waits.next_change() {
                let before = waits.told().at;
                told.extend(waits.pass(waits.settled(change)));
                prop_assert!(waits.told().at > before, "woken too early at {change:?}");
            }
            prop_assert_eq!(told, looks.pass(end));
        }
    }

    /// However often somebody looks, the same is told.
    #[test]
    fn looking_changes_nothing(script in scripts(), moments in moments(12)) {
        let recording = Recording::new(&script);
        let looks: Vec<_> = moments.iter().map(|moment| moment.of(&recording.log)).collect();
        let (mut teller, mut messages) = Teller::open(id(), Segments::Told, &recording.log[0]).unwrap();
        for (count, entry) in (1..).zip(&recording.log) {
            if count > 1 {
                messages.extend(teller.take(entry).unwrap());
            }
            let mut now: Vec<_> = looks.iter().filter(|look| look.0 == count).map(|look| look.1).collect();
            now.sort();
            now.into_iter().for_each(|at| messages.extend(teller.pass(at)));
        }
        messages.extend(teller.pass(end_of(&recording.log)));
        prop_assert_eq!(messages, told_of(&recording.log, Segments::Told));
    }

    /// Whoever tells may end at any moment, after filing what is to be told or before: another one goes on, and all is
    /// told once.
    #[test]
    fn a_restart_loses_and_repeats_nothing(script in scripts(), moments in moments(6), files in prop::collection::vec(any::<bool>(), 6)) {
        let recording = Recording::new(&script);
        let mut lives: Vec<_> = moments.iter().map(|moment| moment.of(&recording.log)).zip(files).collect();
        lives.sort();
        lives.push(((recording.log.len(), end_of(&recording.log)), true));
        let (mut told, mut filed) = (None, Vec::new());
        for (until, files) in lives {
            let (teller, messages) = start(&recording.log, until);
            if files {
                filed.extend(messages.into_iter().filter(|message| is_untold(message, told)));
                told = Some(teller.told());
            }
        }
        prop_assert_eq!(filed, told_of(&recording.log, Segments::Told));
    }

    /// What is filed in parts, because it is too much for one call, is told once, too.
    #[test]
    fn a_story_can_be_cut_between_any_two_positions(script in scripts(), cut in any::<prop::sample::Index>()) {
        let all = told_of(&Recording::new(&script).log, Segments::Told);
        let last = all[cut.index(all.len())].position;
        let told = Told { next: last.next, at: last.at, complete: false };
        let (before, after): (Vec<_>, Vec<_>) = all.iter().partition(|message| message.position <= last);
        prop_assert!(after.iter().all(|message| is_untold(message, Some(told))));
        prop_assert!(before.iter().all(|message| !is_untold(message, Some(told))));
        prop_assert!(all.is_sorted_by_key(|message| message.position));
    }

    /// The words make sense one after the other.
    #[test]
    fn the_story_makes_sense(script in scripts()) {
        let recording = Recording::new(&script);
        let all = told_of(&recording.log, Segments::Told);
        let ids: BTreeSet<_> = all.iter().map(|message| message.id.as_str()).collect();
        prop_assert_eq!(ids.len(), all.len(), "each has a name of its own");
        prop_assert!(ids.iter().all(|id| id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')));
        prop_assert_eq!(all[0].kind, Kind::Created);
        let mut interrupted = false;
        for pair in all.windows(2) {
            let (before, now) = (state(&pair[0]), state(&pair[1]));
            let fits = match pair[1].kind {
                Kind::Created => false,
                Kind::Live => ["created", "paused"].contains(&before.as_str()) && ["live", "interrupted"].contains(&now.as_str()),
                Kind::Interrupted => before != "interrupted" || pair[0].kind == Kind::Live,
                Kind::Back => before == "interrupted",
                Kind::Paused => before != "paused",
                Kind::Resumed => before == "paused",
                Kind::Ended => !["ended", "complete"].contains(&before.as_str()),
                Kind::Complete => pair[0].kind == Kind::Ended || before == "ended",
                Kind::CaughtUp => interrupted && seen(&pair[1])["data"]["missing"] == 0,
                Kind::TakenOver => false,
                Kind::SegmentStored => true,
            };
            prop_assert!(fits, "{:?} after {:?} when {before}, now {now}", pair[1].kind, pair[0].kind);
            interrupted = match pair[1].kind {
                Kind::Interrupted => true,
                Kind::CaughtUp => false,
                _ => interrupted,
            };
        }
        let count = |kind| all.iter().filter(|message| message.kind == kind).count();
        let stored = recording.log.iter().filter(|entry| matches!(entry.event, Event::Stored(_))).count();
        prop_assert_eq!(count(Kind::SegmentStored), stored);
        prop_assert_eq!(count(Kind::Live), usize::from(stored > 0 && count(Kind::Live) > 0));
        let is_over = recording.log.iter().any(|entry| is_end(&entry.event));
        prop_assert_eq!(count(Kind::Ended), usize::from(is_over));
        prop_assert!(count(Kind::Complete) <= count(Kind::Ended));
        let last = seen(all.last().unwrap());
        if interrupted && last["data"]["missing"] == 0 {
            // What its publisher may still have, nobody can miss.
            let is_open = recording.log.iter().any(|entry| matches!(entry.event, Event::Closing { .. }));
            let is_so = |state: &str| ["interrupted", "complete"].contains(&state) || is_open && state == "ended";
            prop_assert!(is_so(last["data"]["state"].as_str().unwrap()), "it is not told that it caught up");
        }
        let without = told_of(&recording.log, Segments::Untold);
        let expected: Vec<_> = all.into_iter().filter(|message| message.kind != Kind::SegmentStored).collect();
        prop_assert_eq!(without, expected);
    }
}
