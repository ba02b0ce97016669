//! Reading and listing.

use broadcast::{Event, EventIndex, Millis};
use headwater_metadata::{Expect, LIST_MAX, MetadataError, READ_MAX};
use service::Tasks;

use crate::fixtures::*;

pub(crate) async fn every_event_reads_back_as_it_was_written(Stores { one, other, .. }: Stores) {
    open(&one).await;
    let events = [
        format("main", 1),
        stored(0),
        safe(0, 0),
        Event::Paused,
        Event::Resumed,
        abandoned(1, 1),
        Event::EndHinted,
        mapped("a.m3u8", "main"),
        Event::RecordedBy { node: "north-1".to_owned() },
        ended(&[("main", Some(1)), ("audio", None)]),
    ];
    let outcomes = commit(&one, &events).await;
    let log = log(&other).await;
    assert_whole(&log);
    assert_eq!(log[0].event, Event::Opened(opened()));
    assert_eq!(log[1..].iter().map(|entry| entry.event.clone()).collect::<Vec<_>>(), events);
    for (outcome, entry) in outcomes.into_iter().zip(&log[1..]) {
        assert_eq!(outcome, headwater_metadata::Outcome::Appended { index: entry.index, at: entry.at });
    }
}

pub(crate) async fn a_log_is_read_in_pages(Stores { one, .. }: Stores) {
    open(&one).await;
    for first in (0..11_000).step_by(1_000) {
        commit(&one, &(first..first + 1_000).map(stored).collect::<Vec<_>>()).await;
    }
    let cases = [
        (0, 1, 0..1),
        (0, 3, 0..3),
        (5, 3, 5..8),
        (10_999, 9, 10_999..11_001),
        (11_001, 9, 0..0),
        (7, 0, 0..0),
        (1, usize::MAX, 1..1 + READ_MAX as u64),
    ];
    for (from, max, expected) in cases {
        let entries = one.read(id(0), EventIndex(from), max).await.unwrap();
        let indexes = entries.iter().map(|entry| entry.index.0).collect::<Vec<_>>();
        assert_eq!(indexes, expected.collect::<Vec<_>>(), "from {from}, at most {max}");
    }
    assert_whole(&log(&one).await);
    for beyond in [11_002, u64::MAX] {
        let lost = one.read(id(0), EventIndex(beyond), 9).await.unwrap_err();
        assert!(matches!(lost, MetadataError::Lost { len: EventIndex(11_001) }), "{lost}");
    }
}

pub(crate) async fn broadcasts_are_listed_newest_first(Stores { one, other, .. }: Stores) {
    let count = LIST_MAX as u64 + 2;
    // In no order.
    let tasks = Tasks::new();
    for n in 0..count {
        let store = one.clone();
        tasks.spawn("opens", async move {
            store.open(id(n), &opened()).await.unwrap();
        });
    }
    tasks.shutdown().await;
    let newest = |range: std::ops::Range<u64>| range.rev().map(id).collect::<Vec<_>>();
    assert_eq!(other.list(None, 3).await.unwrap(), newest(count - 3..count));
    assert_eq!(other.list(Some(id(count - 3)), 2).await.unwrap(), newest(count - 5..count - 3));
    assert_eq!(other.list(Some(id(1)), 9).await.unwrap(), newest(0..1));
    assert_eq!(other.list(Some(id(0)), 9).await.unwrap(), []);
    assert_eq!(other.list(None, 0).await.unwrap(), []);
    assert_eq!(other.list(None, usize::MAX).await.unwrap(), newest(2..count));
}

pub(crate) async fn times_never_go_back(Stores { one, other, .. }: Stores) {
    open(&one).await;
    for seq in 0..50 {
        let store = if seq % 2 == 0 { &one } else { &other };
        commit(store, &[stored(seq), safe(seq, seq)]).await;
    }
    assert_whole(&log(&one).await);
}

pub(crate) async fn the_horizon_is_never_beyond_what_can_be_read(Stores { one, other, .. }: Stores) {
    open(&one).await;
    let (tasks, writer) = (Tasks::new(), other.clone());
    let (done, mut is_done) = tokio::sync::oneshot::channel();
    tasks.spawn("commits", async move {
        for seq in 0..500 {
            commit(&writer, &[stored(seq)]).await;
        }
        done.send(()).unwrap();
    });
    // What was said, and how long the log was that could be read after it.
    let mut said = Vec::new();
    while is_done.try_recv().is_err() {
        let horizon = one.horizon().expect("the store was reached");
        said.push((horizon, log(&one).await.len()));
    }
    tasks.shutdown().await;
    let log = log(&one).await;
    for (horizon, len) in &said {
        let unread = log.get(*len).map(|entry| entry.at);
        assert!(unread.is_none_or(|at| at >= *horizon), "{horizon:?} was said, and then came {unread:?}");
    }
    // Nor is it far behind: nothing is being committed.
    let (last, horizon) = (log[log.len() - 1].at, one.horizon().unwrap());
    assert!(horizon >= last - Millis(1_000), "{last:?}, and still {horizon:?}");
}

pub(crate) async fn a_store_that_answers_is_well(Stores { one, other, .. }: Stores) {
    open(&one).await;
    let refusal = one.commit(id(1), &[stored(0)], Expect::Any).await;
    assert!(matches!(refused(refusal), MetadataError::NotFound { .. }));
    commit(&other, &[stored(0)]).await;
    assert!(one.health().is_ok() && other.health().is_ok(), "{:?}, {:?}", one.health(), other.health());
}
