//! What no store takes, and what it must be able to take.

use broadcast::{Event, EventIndex, Opened, Seq};
use headwater_metadata::{COMMIT_EVENTS_MAX, EVENT_BYTES_MAX, Expect, Fault, MetadataError};

use crate::fixtures::*;

pub(crate) async fn out_of_bounds_events_are_refused(Stores { one, .. }: Stores) {
    open(&one).await;
    let too_large = stored_with_bytes(EVENT_BYTES_MAX);
    let bytes = too_large.encode().len();
    let max = Event::ABANDONED_MAX;
    let (beyond, seq) = (Seq::MAX.0 + 1, Seq(Seq::MAX.0 + 1));
    let cases = [
        (Event::Opened(opened()), Fault::Opened),
        (too_large, Fault::TooLarge { bytes }),
        (mapped(&"x".repeat(EVENT_BYTES_MAX), "main"), Fault::TooLarge { bytes: EVENT_BYTES_MAX + 9 }),
        (stored(beyond), Fault::SeqTooLarge { seq }),
        (safe(0, beyond), Fault::SeqTooLarge { seq }),
        (safe(u64::MAX, u64::MAX), Fault::SeqTooLarge { seq: Seq(u64::MAX) }),
        (ended(&[("main", Some(beyond))]), Fault::SeqTooLarge { seq }),
        (safe(1, 0), Fault::EmptyRange { first: Seq(1), last: Seq(0) }),
        (abandoned(5, 3), Fault::EmptyRange { first: Seq(5), last: Seq(3) }),
        (abandoned(0, max), Fault::TooManyAbandoned { seqs: max + 1 }),
        (abandoned(0, Seq::MAX.0), Fault::TooManyAbandoned { seqs: Seq::MAX.0 + 1 }),
    ];
    for (event, expected) in cases {
        let what = format!("{expected:?}");
        let result = one.commit(id(0), &[stored(0), event], Expect::Any).await;
        assert!(
            matches!(refused(result), MetadataError::Refused { position: 1, fault } if fault == expected),
            "{what}"
        );
    }
    assert_eq!(log(&one).await.len(), 1, "a commit is refused as a whole");
    let large = Opened { title: "x".repeat(EVENT_BYTES_MAX), ..opened() };
    assert!(matches!(refused(one.open(id(1), &large).await), MetadataError::Refused { position: 0, .. }));
}

pub(crate) async fn a_commit_has_a_largest_size(Stores { one, .. }: Stores) {
    open(&one).await;
    let max = COMMIT_EVENTS_MAX as u64;
    let result = one.commit(id(0), &(0..=max).map(stored).collect::<Vec<_>>(), Expect::Any).await;
    assert!(matches!(refused(result), MetadataError::TooMany { .. }));
    let half = Event::ABANDONED_MAX / 2;
    let result = one.commit(id(0), &[abandoned(0, half), abandoned(half, 2 * half)], Expect::Any).await;
    assert!(matches!(refused(result), MetadataError::Refused { position: 1, .. }), "together they are too many");
    let largest = (0..max).map(|n| stored(n * 1_000)).collect::<Vec<_>>();
    let outcomes = commit(&one, &largest).await;
    assert_eq!(outcomes.into_iter().map(index).collect::<Vec<_>>(), (1..=max).collect::<Vec<_>>());
    assert_eq!(commit(&one, &largest).await, vec![DUPLICATE; largest.len()]);
}

pub(crate) async fn a_log_has_a_longest_length(Stores { one, .. }: Stores) {
    open(&one).await;
    let many = vec![safe(0, 0); COMMIT_EVENTS_MAX];
    for _ in 0..LOG_LEN_MAX / many.len() as u64 - 1 {
        commit(&one, &many).await;
    }
    commit(&one, &many[1..]).await;
    let result = one.commit(id(0), &[stored(0)], Expect::Any).await;
    assert!(matches!(refused(result), MetadataError::Full { len: EventIndex(LOG_LEN_MAX), .. }));
    assert_whole(&log(&one).await);
}

pub(crate) async fn the_largest_numbers_are_kept(Stores { one, .. }: Stores) {
    open(&one).await;
    let max = Seq::MAX.0;
    assert_eq!(index(commit_one(&one, stored(max)).await), 1);
    assert_eq!(commit_one(&one, stored(max)).await, DUPLICATE);
    assert_eq!(index(commit_one(&one, abandoned(max - 300, max)).await), 2);
    let long = "x".repeat(EVENT_BYTES_MAX - 9);
    assert_eq!(index(commit_one(&one, mapped(&long, "main")).await), 3);
    assert_eq!(index(commit_one(&one, ended(&[("main", Some(max))])).await), 4);
    assert_eq!(log(&one).await[3].event, mapped(&long, "main"));
}
