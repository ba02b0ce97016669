//! Logs made anew, and what stands in the way.

use broadcast::{Event, Key, LastSeq, LogEntry, Missing, RenditionName, Seq, SeqRange, StoreTime};
use headwater_storage_sync::{CheckOptions, SyncError};
use metadata::Metadata;

use crate::fixtures::{HOT, LOCAL, World, captioned_media, media, opened, other_bytes};

fn abandoned(first: u64, last: u64) -> Event {
    Event::Abandoned { rendition: RenditionName::main(), seqs: SeqRange { first: Seq(first), last: Seq(last) } }
}

fn ended(seq: u64, missing: Missing) -> Event {
    Event::Ended { last: vec![LastSeq { rendition: RenditionName::main(), seq: Some(Seq(seq)), missing }] }
}

fn mapped(rendition: &str) -> Event {
    Event::Mapped { playlist: "out.m3u8".to_owned(), rendition: rendition.parse().unwrap() }
}

#[tokio::test]
async fn a_damaged_copy_is_told_of_and_the_next_one_taken() {
    let world = World::new();
    world.put_all([0, 3]).await;
    // The hot store has changed one and cut off another; of one there is only that.
    world.put(HOT, &world.key(1), other_bytes(1)).await;
    world.put(LOCAL, &world.key(1), media(1)).await;
    world.put(HOT, &world.key(2), media(2).slice(..188)).await;
    world.put(LOCAL, &world.key(2), media(2)).await;
    world.put(HOT, &world.key(4), other_bytes(4)).await;
    world.put(LOCAL, &world.key(4), b"nothing at all".as_slice()).await;
    // A good copy under another time.
    world.put(HOT, &world.key(5), other_bytes(5)).await;
    world.put(LOCAL, &world.key_at(5, 7), media(5)).await;
    let source = world.log("source").await;
    world.commit(&source, &[]).await;
    world.put(HOT, &Key::of_document(world.id), b"not a document".as_slice()).await;
    let document = serde_json::to_vec(&world.document_of(&source).await).unwrap();
    world.put(LOCAL, &Key::of_document(world.id), document).await;

    let log = world.log("log").await;
    let (rebuilt, told) = world.rebuild(&log, false).await.unwrap();
    let kinds: Vec<String> =
        told.iter().map(|line| line.splitn(3, [':']).take(2).collect::<Vec<_>>().join(":")).collect();
    let expected = [
        "damaged : hot",
        "damaged 1: hot",
        "damaged 2: hot",
        "damaged 4: hot",
        "damaged 4: local",
        "unreadable 4: no store has a good copy",
        "damaged 5: hot",
        "unreadable 5: no store has a good copy",
    ];
    assert_eq!(kinds, expected, "{told:#?}");
    assert_eq!((rebuilt.segments, rebuilt.damaged, rebuilt.unreadable, rebuilt.refused), (5, 6, 2, 0));
    assert!(rebuilt.is_incomplete());
    // What the hot store has damaged is not safe: it is copied again.
    let expected =
        ["format", "stored 0", "stored 1", "stored 2", "stored 3", "stored 5", "safe 0-0", "safe 3-3", "restarted"];
    assert_eq!(world.told(&log, 1).await, expected);
    assert_eq!(log.read(world.id, broadcast::EventIndex(0), 1).await.unwrap()[0].event, Event::Opened(opened()));
    let refused = world.rebuild(&log, false).await;
    assert!(matches!(refused, Err(SyncError::NotEmpty { .. })), "{refused:?}");
}

/// The metadata store had forgotten it, and another one was given its number.
#[tokio::test]
async fn what_was_given_another_number_takes_none_from_others() {
    let world = World::new();
    world.put_all([0, 1]).await;
    let of = |seq, later_ms, media_of| (world.key_of(seq, later_ms, &media(media_of)), media(media_of));
    let [old, other, new] = [of(2, 0, 9), of(2, 1, 2), of(3, -2_000, 9)];
    for (key, bytes) in [old, other.clone(), new.clone()] {
        world.put(HOT, &key, bytes).await;
    }
    let source = world.log("source").await;
    world.commit(&source, &[mapped("main")]).await;
    world.put_document(&world.document_of(&source).await).await;

    let log = world.log("log").await;
    world.rebuild(&log, false).await.unwrap();
    let stored = world.entries(&log).await.into_iter().filter_map(|entry| match entry.event {
        Event::Stored(segment) => Some(Key::of_segment(world.id, &segment)),
        _ => None,
    });
    assert_eq!(stored.collect::<Vec<_>>(), [world.key(0), world.key(1), new.0, other.0]);
}

#[tokio::test]
async fn captions_are_found_again() {
    let world = World::new();
    world.put_all([0, 2]).await;
    let (bytes, key) = (captioned_media(1), world.key_of(1, 0, &captioned_media(1)));
    world.put(HOT, &key, bytes.clone()).await;
    world.put(LOCAL, &key, bytes).await;
    let source = world.log("source").await;
    world.commit(&source, &[]).await;
    world.put_document(&world.document_of(&source).await).await;

    let log = world.log("log").await;
    world.rebuild(&log, false).await.unwrap();
    let expected = ["format", "stored 0", "captioned", "stored 1", "stored 2", "safe 0-2", "restarted"];
    assert_eq!(world.told(&log, 1).await, expected);

    // A log that lacks nothing else.
    let entries = world.entries(&log).await.into_iter().skip(1).map(|entry| entry.event);
    let rest: Vec<Event> = entries.filter(|event| !matches!(event, Event::Captioned { .. })).collect();
    let lacking = world.log("lacking").await;
    world.commit(&lacking, &rest).await;
    world.rebuild(&lacking, true).await.unwrap();
    assert!(world.replay(&lacking).await.rendition(&RenditionName::main()).unwrap().is_captioned());
}

/// A log of which everything is known, and one that has lost all after the first `kept` entries.
async fn lost(world: &World, events: &[Event], kept: usize) -> (metadata::Sqlite, Vec<LogEntry>) {
    world.put_all(0..4).await;
    let whole = world.log("whole").await;
    assert!(!world.rebuild(&whole, false).await.unwrap().0.is_incomplete());
    world.commit(&whole, events).await;
    world.put_document(&world.document_of(&whole).await).await;
    let log = world.log("log").await;
    let entries = world.entries(&whole).await;
    log.put_back(world.id, &entries[..kept], StoreTime(i64::MAX)).await.unwrap();
    (log, entries)
}

#[tokio::test]
async fn what_a_log_has_lost_and_the_stores_tell_is_filled_in() {
    let world = World::new();
    let events = [mapped("main"), abandoned(2, 9), ended(9, Missing::Abandoned)];
    // Opened, format, and two segments are left, and a recorder has said something since.
    let (log, _) = lost(&world, &events, 4).await;
    world.commit(&log, &[Event::RecordedBy { node: "r1".to_owned() }]).await;
    let (rebuilt, told) = world.rebuild(&log, true).await.unwrap();
    assert_eq!((told.as_slice(), rebuilt.is_incomplete()), (&[] as &[String], false));
    let expected = ["mapped", "restarted", "stored 2", "stored 3", "safe 0-3", "abandoned 4-9", "ended"];
    assert_eq!(world.told(&log, 5).await, expected);
    assert_eq!(rebuilt.entries, expected.len() as u64 - 1, "all but that live was started anew");
    // Once more changes nothing.
    let (rebuilt, told) = world.rebuild(&log, true).await.unwrap();
    assert_eq!((rebuilt.entries, told.as_slice()), (0, &[] as &[String]));
    assert_eq!(world.check(&log, CheckOptions { digests: true, ..CheckOptions::default() }).await, [] as [&str; 0]);
}

/// What became safe was deleted where it was recorded, and the log has lost that it is safe, or that it is there at all.
#[tokio::test]
async fn what_only_the_hot_store_has_is_safe_again() {
    for (kept, goes_on, expected) in [
        (2, true, &["restarted", "stored 0", "stored 1", "stored 2", "stored 3", "safe 0-3"][..]),
        (4, true, &["restarted", "stored 2", "stored 3", "safe 0-3"]),
        (6, true, &["safe 0-3"]),
        (6, false, &["safe 0-3"]),
        (0, false, &["opened", "format", "stored 0", "stored 1", "stored 2", "stored 3", "safe 0-3", "restarted"]),
    ] {
        let world = World::new();
        let (log, _) = lost(&world, &[], kept).await;
        for seq in 0..4 {
            world.tiers[LOCAL].store.remove(&world.key(seq)).await.unwrap();
        }
        if goes_on {
            world.commit(&log, &[Event::RecordedBy { node: "r1".to_owned() }]).await;
        }
        let (rebuilt, told) = world.rebuild(&log, true).await.unwrap();
        assert_eq!((told.as_slice(), rebuilt.is_incomplete()), (&[] as &[String], false));
        assert_eq!(world.told(&log, kept + usize::from(goes_on)).await, expected, "{kept} {goes_on}");
        assert_eq!(world.check(&log, CheckOptions::default()).await, [] as [&str; 0]);
    }
}

/// Its publisher may still have more: until it says where it ends, the log has to take it.
#[tokio::test]
async fn that_its_owner_has_ended_it_is_filled_in() {
    let world = World::new();
    let closing = Event::Closing { grace_ms: 60_000 };
    let (log, entries) = lost(&world, std::slice::from_ref(&closing), 4).await;
    assert_eq!(world.check(&log, CheckOptions::default()).await.last().unwrap(), "not-logged : ended by its owner");
    let (rebuilt, told) = world.rebuild(&log, true).await.unwrap();
    assert_eq!((told.as_slice(), rebuilt.is_incomplete()), (&[] as &[String], false));
    assert_eq!(world.check(&log, CheckOptions::default()).await, [] as [&str; 0]);
    // Made anew altogether, too.
    let anew = world.log("anew").await;
    assert!(!world.rebuild(&anew, false).await.unwrap().0.is_incomplete());
    // Live is not over before it begins.
    let position = |log: &[LogEntry]| {
        let shapes = log.iter().filter(|entry| matches!(entry.event, Event::Stored(_) | Event::Closing { .. }));
        shapes.map(|entry| entry.event == closing).collect::<Vec<_>>()
    };
    for log in [&log, &anew] {
        assert_eq!(position(&world.entries(log).await), position(&entries));
    }
    assert_eq!(world.check(&anew, CheckOptions::default()).await, [] as [&str; 0]);
}

#[tokio::test]
async fn what_its_publisher_said_last_is_filled_in() {
    let world = World::new();
    let (log, _) = lost(&world, &[Event::Paused, Event::Resumed, Event::Paused], 4).await;
    world.commit(&log, &[Event::RecordedBy { node: "r1".to_owned() }]).await;
    let (rebuilt, told) = world.rebuild(&log, true).await.unwrap();
    let over = "it is over, and the log went on without it";
    assert_eq!(told, [format!("refused : paused: {over}"), format!("refused : resumed: {over}")]);
    assert!(rebuilt.is_incomplete());
    assert_eq!(world.told(&log, 5).await, ["restarted", "stored 2", "stored 3", "safe 0-3", "paused"]);
}

#[tokio::test]
async fn each_refusal_is_told_with_its_reason() {
    let world = World::new();
    let (log, entries) = lost(&world, &[mapped("main")], 2).await;
    // It went on otherwise.
    let other = {
        let Event::Stored(segment) = &entries[2].event else { panic!("{entries:?}") };
        broadcast::Segment { digest: broadcast::Digest([9; 16]), ..segment.clone() }
    };
    world.commit(&log, &[mapped("720p"), Event::Stored(other), abandoned(1, 1), ended(2, Missing::Awaited)]).await;
    let (rebuilt, told) = world.rebuild(&log, true).await.unwrap();
    let expected = [
        "refused : playlist \"out.m3u8\" is of main: the log has this playlist for another rendition",
        "refused : the log lists other bytes, 0909090909090909",
        "refused 1: the log has given it up",
        "refused 3: the log has ended before it",
    ];
    assert_eq!(told, expected);
    assert_eq!((rebuilt.refused, rebuilt.is_incomplete()), (4, true));
    assert_eq!(world.told(&log, 6).await, ["restarted", "stored 2", "safe 2-2"]);
}

/// Live was shown as the segments came, and nobody knows any more how: what goes on goes on at other addresses.
#[tokio::test]
async fn what_goes_on_is_shown_elsewhere_and_what_is_over_is_not() {
    let world = World::new();
    world.put_all(0..4).await;
    let log = world.log("log").await;
    world.rebuild(&log, false).await.unwrap();
    let first = world.replay(&log).await.generation();
    assert!(!first.is_first());
    // Again from nothing, and gone on with when it was begun.
    let again = world.log("again").await;
    let entries = world.entries(&log).await;
    again.put_back(world.id, &entries[..4], StoreTime(i64::MIN)).await.unwrap();
    let begun = world.replay(&again).await.generation();
    let (rebuilt, _) = world.rebuild(&again, true).await.unwrap();
    assert_eq!((rebuilt.refused, rebuilt.entries), (0, entries.len() as u64 - 1 - 4));
    let events = |entries: Vec<LogEntry>| {
        let events = entries.into_iter().map(|entry| entry.event);
        events.filter(|event| *event != Event::Restarted).collect::<Vec<_>>()
    };
    assert_eq!(events(world.entries(&again).await), events(entries));
    assert!(world.replay(&again).await.generation() > begun, "each part by itself");

    world.commit(&log, &[ended(3, Missing::Awaited)]).await;
    world.put_document(&world.document_of(&log).await).await;
    let over = world.log("over").await;
    world.rebuild(&over, false).await.unwrap();
    let broadcast = world.replay(&over).await;
    assert_eq!(broadcast.state(broadcast.last_at()), broadcast::State::Complete);
    assert!(broadcast.generation().is_first());
}
