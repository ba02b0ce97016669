//! Which events are new: the table in the docs of [`headwater_metadata::Metadata`], row by row.

use broadcast::{Event, EventIndex, LastSeq, Missing, Seq, StoreTime};
use headwater_metadata::{Expect, MetadataError, Outcome, PUT_BACK_MAX};

use crate::fixtures::*;

/// What is put back until then has not been missed.
const NEVER: StoreTime = StoreTime(i64::MAX);

pub(crate) async fn a_log_is_opened_once(Stores { one, other, .. }: Stores) {
    let entry = one.open(id(0), &opened()).await.unwrap();
    assert_eq!((entry.index, &entry.event), (EventIndex(0), &Event::Opened(opened())));
    assert!(matches!(refused(one.open(id(0), &opened()).await), MetadataError::AlreadyOpened { .. }));
    assert!(matches!(refused(other.open(id(0), &opened()).await), MetadataError::AlreadyOpened { .. }));
    assert_eq!(log(&other).await, [entry]);
}

pub(crate) async fn an_unknown_broadcast_is_not_found(Stores { one, .. }: Stores) {
    let none = refused(one.read(id(0), EventIndex(0), 1).await);
    assert!(matches!(none, MetadataError::NotFound { id } if id == crate::fixtures::id(0)));
    for (events, expect) in [(vec![], Expect::Any), (vec![stored(0)], Expect::Len(EventIndex(0)))] {
        assert!(matches!(refused(one.commit(id(0), &events, expect).await), MetadataError::NotFound { .. }));
    }
    assert_eq!(one.list(None, 10).await.unwrap(), []);
}

pub(crate) async fn a_format_counts_once_for_each_rendition(Stores { one, other, .. }: Stores) {
    open(&one).await;
    assert_eq!(index(commit_one(&one, format("main", 1)).await), 1);
    assert_eq!(commit_one(&other, format("main", 1)).await, DUPLICATE);
    assert_eq!(index(commit_one(&one, format("main", 2)).await), 2);
    assert_eq!(index(commit_one(&one, format("audio", 1)).await), 3);
    assert_eq!(commit_one(&one, format("main", 1)).await, DUPLICATE);
    assert_eq!(log(&one).await.len(), 4);
}

pub(crate) async fn a_segment_is_stored_once(Stores { one, other, .. }: Stores) {
    open(&one).await;
    assert_eq!(index(commit_one(&one, stored_in("main", 5, 1)).await), 1);
    assert_eq!(commit_one(&other, stored_in("main", 5, 1)).await, DUPLICATE);
    assert_eq!(commit_one(&other, stored_in("main", 5, 2)).await, conflict(1));
    assert_eq!(index(commit_one(&one, stored_in("audio", 5, 2)).await), 2);
    assert_eq!(index(commit_one(&one, stored_in("main", 4, 1)).await), 3);
    assert_eq!(log(&other).await.len(), 4);
}

pub(crate) async fn safe_is_always_appended(Stores { one, .. }: Stores) {
    open(&one).await;
    let outcomes = commit(&one, &[safe(0, 3), safe(0, 3)]).await;
    assert_eq!(outcomes.into_iter().map(index).collect::<Vec<_>>(), [1, 2]);
}

pub(crate) async fn what_was_abandoned_is_refused(Stores { one, other, .. }: Stores) {
    open(&one).await;
    assert_eq!(index(commit_one(&one, abandoned(2, 4)).await), 1);
    for seq in 2..=4 {
        assert_eq!(commit_one(&other, stored(seq)).await, Outcome::Abandoned, "{seq}");
    }
    assert_eq!(index(commit_one(&one, stored(1)).await), 2);
    assert_eq!(index(commit_one(&one, stored(5)).await), 3);
    assert_eq!(index(commit_one(&one, stored_in("audio", 3, 1)).await), 4);
}

pub(crate) async fn abandoning_keeps_what_is_stored(Stores { one, .. }: Stores) {
    open(&one).await;
    commit(&one, &[stored(1), stored(3)]).await;
    assert_eq!(commit_one(&one, abandoned(1, 1)).await, DUPLICATE);
    assert_eq!(index(commit_one(&one, abandoned(1, 3)).await), 3);
    assert_eq!(log(&one).await[3].event, abandoned(1, 3), "as given");
    assert_eq!(commit_one(&one, abandoned(1, 3)).await, DUPLICATE, "stored or abandoned, all of them");
    assert_eq!(commit_one(&one, stored(1)).await, DUPLICATE);
    assert_eq!(commit_one(&one, stored_in("main", 3, 9)).await, conflict(1));
    assert_eq!(index(commit_one(&one, abandoned(1, 4)).await), 4, "4 is new");
}

pub(crate) async fn a_long_stretch_is_abandoned_at_once(Stores { one, .. }: Stores) {
    open(&one).await;
    let (first, last) = (1_000, 1_000 + Event::ABANDONED_MAX - 1);
    commit(&one, &[stored(first), stored(5_000), stored(last)]).await;
    assert_eq!(index(commit_one(&one, abandoned(first, last)).await), 4);
    assert_eq!(commit_one(&one, abandoned(first, last)).await, DUPLICATE);
    let around = [first - 1, first, first + 1, 4_999, 5_000, 5_001, last - 1, last, last + 1];
    let outcomes = commit(&one, &around.map(stored)).await;
    let abandoned = Outcome::Abandoned;
    assert_eq!(outcomes[1..8], [DUPLICATE, abandoned, abandoned, DUPLICATE, abandoned, abandoned, DUPLICATE]);
    assert_eq!((index(outcomes[0]), index(outcomes[8])), (5, 6));
}

pub(crate) async fn pausing_twice_is_pausing_once(Stores { one, other, .. }: Stores) {
    open(&one).await;
    assert_eq!(commit_one(&one, Event::Resumed).await, DUPLICATE);
    assert_eq!(index(commit_one(&one, Event::Paused).await), 1);
    assert_eq!(commit_one(&other, Event::Paused).await, DUPLICATE);
    assert_eq!(index(commit_one(&other, stored(0)).await), 2, "what was recorded before may still come");
    assert_eq!(commit_one(&other, Event::Paused).await, DUPLICATE);
    assert_eq!(index(commit_one(&other, Event::Resumed).await), 3);
    assert_eq!(commit_one(&one, Event::Resumed).await, DUPLICATE);
    assert_eq!(index(commit_one(&one, Event::Paused).await), 4);
}

pub(crate) async fn a_broadcast_ends_once(Stores { one, other, .. }: Stores) {
    open(&one).await;
    assert_eq!(index(commit_one(&one, Event::EndHinted).await), 1);
    assert_eq!(index(commit_one(&one, Event::EndHinted).await), 2);
    assert_eq!(index(commit_one(&one, ended(&[("main", Some(3))])).await), 3);
    assert_eq!(commit_one(&other, ended(&[("main", Some(4))])).await, DUPLICATE);
    for event in [Event::Paused, Event::Resumed, Event::EndHinted] {
        assert_eq!(commit_one(&other, event.clone()).await, Outcome::Ended, "{event:?}");
    }
    let still = [safe(0, 3), format("main", 7), mapped("late.m3u8", "main"), abandoned(2, 2)];
    assert_eq!(commit(&one, &still).await.into_iter().map(index).collect::<Vec<_>>(), [4, 5, 6, 7]);
}

pub(crate) async fn what_its_owner_has_ended_is_open_until_its_end(Stores { one, other, .. }: Stores) {
    open(&one).await;
    let closing = |grace_ms| Event::Closing { grace_ms };
    assert_eq!(index(commit_one(&one, stored(0)).await), 1);
    assert_eq!(index(commit_one(&one, closing(5)).await), 2);
    assert_eq!(commit_one(&other, closing(6)).await, DUPLICATE);
    for event in [Event::Paused, Event::Resumed, Event::EndHinted] {
        assert_eq!(commit_one(&other, event.clone()).await, Outcome::Ended, "{event:?}");
    }
    let still = [stored(7), stored_in("720p", 3, 1), abandoned(2, 2), safe(0, 3), format("main", 7)];
    assert_eq!(commit(&one, &still).await.into_iter().map(index).collect::<Vec<_>>(), [3, 4, 5, 6, 7]);
    assert_eq!(index(commit_one(&other, ended(&[("main", Some(8))])).await), 8);
    assert_eq!(commit_one(&one, closing(5)).await, DUPLICATE);
    assert_eq!(commit_one(&one, stored(9)).await, Outcome::Ended);
    // As a store that has lost the end of it.
    one.put_back(id(9), &log(&one).await[..3], NEVER).await.unwrap();
    let outcomes = other.commit(id(9), &[closing(7), Event::Paused, stored(4)], Expect::Any).await.unwrap();
    assert_eq!((outcomes[0], outcomes[1], index(outcomes[2])), (DUPLICATE, Outcome::Ended, 3));
}

pub(crate) async fn nothing_is_stored_beyond_the_end(Stores { one, .. }: Stores) {
    open(&one).await;
    commit(&one, &[stored(3), stored(9), abandoned(8, 8), ended(&[("main", Some(3)), ("audio", None)])]).await;
    let cases = [
        (stored(3), DUPLICATE),
        (stored(4), Outcome::Ended),
        (stored(8), Outcome::Abandoned),
        (stored(9), DUPLICATE),
        (stored_in("main", 9, 2), conflict(1)),
        (stored_in("audio", 0, 1), Outcome::Ended),
        (stored_in("720p", 0, 1), Outcome::Ended),
    ];
    for (event, outcome) in cases {
        assert_eq!(commit_one(&one, event.clone()).await, outcome, "{event:?}");
    }
    assert_eq!(index(commit_one(&one, stored(2)).await), 5, "late, but before the end");
}

pub(crate) async fn an_end_may_abandon_what_is_missing(Stores { one, other, .. }: Stores) {
    open(&one).await;
    let last = [("main", Missing::Abandoned), ("audio", Missing::Awaited)];
    let last = last.map(|(rendition, missing)| LastSeq { rendition: name(rendition), seq: Some(Seq(130)), missing });
    commit(&one, &[stored(3), stored(129), abandoned(5, 5), Event::Ended { last: last.into() }]).await;
    let cases = [
        (stored(3), DUPLICATE),
        (stored_in("main", 3, 2), conflict(1)),
        (stored(4), Outcome::Abandoned),
        (stored(5), Outcome::Abandoned),
        (stored(130), Outcome::Abandoned),
        (stored(131), Outcome::Ended),
        (stored_in("720p", 4, 1), Outcome::Ended),
        (abandoned(0, 130), DUPLICATE),
    ];
    for (event, outcome) in cases {
        assert_eq!(commit_one(&other, event.clone()).await, outcome, "{event:?}");
    }
    assert_eq!(index(commit_one(&one, stored_in("audio", 4, 1)).await), 5, "awaited");
    assert_eq!(index(commit_one(&one, abandoned(100, 140)).await), 6, "131 is new");
    assert_eq!(commit_one(&one, abandoned(100, 140)).await, DUPLICATE);
}

pub(crate) async fn an_end_abandons_any_number_at_once(Stores { one, other, .. }: Stores) {
    open(&one).await;
    // A hole of eleven after each, 22,000 missing in 2,000 holes.
    for first in (0..24_000).step_by(6_000) {
        commit(&one, &(first..first + 6_000).step_by(12).map(stored).collect::<Vec<_>>()).await;
    }
    let end = ended_with(&[("main", Some(24_000)), ("audio", Some(Seq::MAX.0))], Missing::Abandoned);
    assert_eq!(index(commit_one(&one, end).await), 2_001);
    let seqs = [0, 1, 11, 12, 13, 12_000, 23_999, 24_000, 24_001];
    let outcomes = commit(&other, &seqs.map(stored)).await;
    let (same, lost, beyond) = (DUPLICATE, Outcome::Abandoned, Outcome::Ended);
    assert_eq!(outcomes, [same, lost, lost, same, lost, same, lost, lost, beyond]);
    assert_eq!(commit_one(&other, stored_in("audio", 7, 1)).await, lost, "nobody could count to the last of these");
}

pub(crate) async fn the_first_mapping_of_a_playlist_counts(Stores { one, other, .. }: Stores) {
    open(&one).await;
    assert_eq!(index(commit_one(&one, mapped("a/live.m3u8", "main")).await), 1);
    assert_eq!(commit_one(&other, mapped("a/live.m3u8", "720p")).await, DUPLICATE);
    assert_eq!(index(commit_one(&one, mapped("b/live.m3u8", "main")).await), 2);
    assert_eq!(log(&one).await[1].event, mapped("a/live.m3u8", "main"));
}

pub(crate) async fn a_commit_is_applied_in_order(Stores { one, .. }: Stores) {
    open(&one).await;
    let events = [
        format("main", 1),
        stored(0),
        stored(0),
        stored_in("main", 0, 2),
        format("main", 1),
        Event::Paused,
        Event::Paused,
        abandoned(0, 1),
        stored(1),
        ended(&[("main", Some(1))]),
        stored(2),
        Event::Resumed,
    ];
    let outcomes = commit(&one, &events).await;
    let appended = |n: usize| matches!(outcomes[n], Outcome::Appended { .. });
    assert_eq!((0..12).filter(|n| appended(*n)).collect::<Vec<_>>(), [0, 1, 5, 7, 9]);
    assert_eq!((outcomes[2], outcomes[3], outcomes[4], outcomes[6]), (DUPLICATE, conflict(1), DUPLICATE, DUPLICATE));
    assert_eq!((outcomes[8], outcomes[10], outcomes[11]), (Outcome::Abandoned, Outcome::Ended, Outcome::Ended));
    let events = [0, 1, 5, 7, 9].map(|n: usize| events[n].clone());
    assert_eq!(log(&one).await.into_iter().skip(1).map(|entry| entry.event).collect::<Vec<_>>(), events);
}

pub(crate) async fn a_stale_commit_appends_nothing(Stores { one, other, .. }: Stores) {
    open(&one).await;
    for len in [0, 2, u64::MAX] {
        let result = one.commit(id(0), &[stored(0)], Expect::Len(EventIndex(len))).await;
        assert!(matches!(refused(result), MetadataError::Stale { len: EventIndex(1) }), "{len}");
    }
    let outcomes = one.commit(id(0), &[stored(0), stored(1)], Expect::Len(EventIndex(1))).await.unwrap();
    assert_eq!(outcomes.into_iter().map(index).collect::<Vec<_>>(), [1, 2]);
    let result = other.commit(id(0), &[stored(2)], Expect::Len(EventIndex(1))).await;
    assert!(matches!(refused(result), MetadataError::Stale { len: EventIndex(3) }));
    assert_eq!(other.commit(id(0), &[], Expect::Len(EventIndex(3))).await.unwrap(), []);
    assert_eq!(index(commit_one(&one, stored(2)).await), 3, "the stale one left no mark");
}

pub(crate) async fn broadcasts_do_not_mix(Stores { one, .. }: Stores) {
    open(&one).await;
    one.open(id(1), &opened()).await.unwrap();
    let events = [stored(0), format("main", 1), mapped("a.m3u8", "main"), ended(&[]), abandoned(4, 5)];
    for n in [0, 1] {
        let outcomes = one.commit(id(n), &events, Expect::Len(EventIndex(1))).await.unwrap();
        assert_eq!(outcomes.into_iter().map(index).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    }
}

pub(crate) async fn what_was_lost_is_put_back_as_it_was(Stores { one, other, .. }: Stores) {
    open(&one).await;
    let events =
        [format("main", 1), stored(0), stored(1), abandoned(2, 3), Event::Paused, mapped("a.m3u8", "main"), safe(0, 1)];
    commit(&one, &events).await;
    commit(&one, &[ended(&[("main", Some(5))])]).await;
    let log = log(&one).await;
    // As a store that has lost all of it: another broadcast, whose log is the same.
    for entries in log.chunks(3) {
        one.put_back(id(9), entries, NEVER).await.unwrap();
    }
    let back = other.read(id(9), EventIndex(0), 99).await.unwrap();
    assert_eq!(back, log);
    assert!(other.list(None, 9).await.unwrap().contains(&id(9)));
    // What makes events new is known again too.
    let again =
        [format("main", 1), stored(1), stored(2), Event::Resumed, mapped("a.m3u8", "audio"), stored(5), stored(6)];
    let outcomes = one.commit(id(9), &again, Expect::Any).await.unwrap();
    let appended =
        |outcome: &Outcome| matches!(outcome, Outcome::Appended { index, .. } if index.0 == log.len() as u64);
    assert!(appended(&outcomes[5]), "{outcomes:?}");
    let expected = [Outcome::Duplicate, Outcome::Duplicate, Outcome::Abandoned, Outcome::Ended, Outcome::Duplicate];
    assert_eq!((&outcomes[..5], outcomes[6]), (&expected[..], Outcome::Ended));
}

pub(crate) async fn what_is_put_back_follows_the_end_of_the_log(Stores { one, other, .. }: Stores) {
    open(&one).await;
    commit(&one, &[stored(0), stored(1)]).await;
    let log = log(&one).await;
    for entries in [&log[..1], &log[1..], &log[2..]] {
        let error = other.put_back(id(0), entries, NEVER).await.unwrap_err();
        assert!(matches!(error, MetadataError::Stale { len: EventIndex(3) }), "{error}");
    }
    let next = broadcast::LogEntry { index: EventIndex(3), ..log[2].clone() };
    other.put_back(id(0), &[next], NEVER).await.unwrap();
    other.put_back(id(0), &[], NEVER).await.unwrap();
    assert_eq!(one.read(id(0), EventIndex(3), 9).await.unwrap().len(), 1);
}

/// As a store that has lost all of it: another broadcast, whose log is the same.
pub(crate) async fn what_is_put_back_too_late_starts_live_anew(Stores { one, other, .. }: Stores) {
    open(&one).await;
    commit(&one, &[stored(0), stored(1), stored(2)]).await;
    let log = log(&one).await;
    let (until, later) = (log[3].at, broadcast::Millis(3_600_000));
    one.put_back(id(9), &log[..2], until + later).await.unwrap();
    assert_eq!(other.read(id(9), EventIndex(0), 99).await.unwrap(), log[..2], "in time");
    one.put_back(id(9), &log[2..], until).await.unwrap();
    let back = other.read(id(9), EventIndex(0), 99).await.unwrap();
    assert_eq!(back[..4], log, "with the index and the time that each had");
    assert_eq!((back.len(), &back[4].event), (5, &Event::Restarted), "in the same step");
    assert!(back[4].at >= until, "by the store's time");
    // It says so by itself, too, and goes on from there.
    let again = [Event::Restarted, stored(3)];
    let outcomes = other.commit(id(9), &again, Expect::Len(EventIndex(5))).await.unwrap();
    assert_eq!(outcomes.into_iter().map(index).collect::<Vec<_>>(), [5, 6]);
    let error = one.put_back(id(9), &[], NEVER).await;
    assert!(error.is_ok(), "nothing is always in time");
}

pub(crate) async fn as_much_is_put_back_at_once_as_anybody_remembers(Stores { one, other, .. }: Stores) {
    open(&one).await;
    let opened = log(&one).await.remove(0);
    let entry = |index: u64| broadcast::LogEntry { index: EventIndex(index), at: opened.at, event: stored(index) };
    let many: Vec<_> = (1..PUT_BACK_MAX as u64 + 2).map(entry).collect();
    let error = other.put_back(id(0), &many, NEVER).await.unwrap_err();
    assert!(matches!(error, MetadataError::TooMany { .. }), "{error}");
    other.put_back(id(0), &many[..PUT_BACK_MAX], NEVER).await.unwrap();
    let last = one.read(id(0), EventIndex(PUT_BACK_MAX as u64), 9).await.unwrap();
    assert_eq!(last, many[PUT_BACK_MAX - 1..PUT_BACK_MAX]);
}

pub(crate) async fn a_commit_notices_what_was_lost(Stores { one, .. }: Stores) {
    open(&one).await;
    commit(&one, &[stored(0)]).await;
    let known = |len| Expect::AtLeast(EventIndex(len));
    one.commit(id(0), &[stored(1)], known(1)).await.unwrap();
    one.commit(id(0), &[stored(2)], known(3)).await.unwrap();
    let error = one.commit(id(0), &[stored(3)], known(5)).await.unwrap_err();
    assert!(matches!(error, MetadataError::Lost { len: EventIndex(4) }), "{error}");
    assert_eq!(log(&one).await.len(), 4, "nothing was appended");
}
