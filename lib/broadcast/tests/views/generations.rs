//! Rule 1 where a metadata store forgets: what is put back contradicts nothing that anybody has shown at the same address,
//! whatever they knew of it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use broadcast::{Broadcast, Event, EventIndex, Generation, LogEntry, RenditionName, Seq, StoreTime, View};
use proptest::prelude::*;
use testkit::hls::transition;

use crate::reader::text;
use crate::script::{Script, config, scripts};
use crate::simulation::{Recording, moved};

/// A store takes in `count` entries, forgets all but `kept` of them, and is given them again so long after the last.
#[derive(Clone, Copy, Debug)]
struct Loss {
    kept: usize,
    count: usize,
    away_ms: i64,
}

/// The log as it is once they are put back, and how long it was just then.
fn put_back(log: &[LogEntry], loss: Loss) -> (Vec<LogEntry>, usize) {
    let (lost, back_at) = (&log[loss.kept..loss.count], moved(log[loss.count - 1].at, loss.away_ms));
    let unseen_until = fold(&log[..loss.kept]).unseen_until(lost).expect("the log is in order");
    let mut after = log[..loss.count].to_vec();
    let mut push = |at: StoreTime, event| {
        let index = EventIndex(after.len() as u64);
        after.push(LogEntry { index, at: at.max(back_at), event });
        after.len()
    };
    let len = if back_at >= unseen_until { push(back_at, Event::Restarted) } else { loss.count };
    for entry in &log[loss.count..] {
        push(entry.at, entry.event.clone());
    }
    (after, len)
}

fn fold(log: &[LogEntry]) -> Broadcast {
    Broadcast::replay(log).expect("the log is in order").expect("a log begins with Opened")
}

/// What was shown where.
type Shown = BTreeMap<(RenditionName, &'static str, Generation), Vec<String>>;

/// Whoever knows this much of a log looks, at these parts of some time after its last entry.
fn look(log: &[LogEntry], time: Range<StoreTime>, parts: &[f64], names: &[RenditionName], shown: &mut Shown) {
    let Range { start, end: until } = time;
    let (broadcast, from) = (fold(log), start.max(log[log.len() - 1].at));
    for part in parts {
        let now = moved(from, ((until - from).0.max(0) as f64 * part) as i64);
        for name in names {
            for (word, view) in [("live", View::Live), ("dvr", View::Dvr)] {
                let address = (name.clone(), word, broadcast.generation());
                shown.entry(address).or_default().extend(text(&broadcast, name, view, now));
            }
        }
    }
}

fn contradicts_nothing(script: &Script, loss: Loss) -> Result<bool, TestCaseError> {
    let recording = Recording::new(script);
    let (log, names, margin) = (&recording.log, &recording.names, script.margin_ms());
    let (after, len) = put_back(log, loss);
    let back_at = moved(log[loss.count - 1].at, loss.away_ms);
    let (mut before, mut then) = (Shown::new(), Shown::new());
    for known in [loss.kept, usize::midpoint(loss.kept, loss.count), loss.count - 1, loss.count] {
        // Their clocks may be fast.
        look(&log[..known], StoreTime(0)..moved(back_at, margin), &[0.0, 0.3, 0.6, 0.9, 1.0], names, &mut before);
    }
    for known in BTreeSet::from([len, usize::midpoint(len, after.len()), after.len()]) {
        // From here on nothing is lost: whoever looks knows what came before.
        let much_later = moved(after[known - 1].at, 3 * script.base_ms);
        let until = after.get(known).map_or(much_later, |next| much_later.min(moved(next.at, margin)));
        look(&after[..known], back_at..until, &[0.0, 1.0], names, &mut then);
    }
    for (address, later) in &then {
        for earlier in before.get(address).into_iter().flatten() {
            for later in later {
                let judged = transition(earlier, later);
                prop_assert!(judged.is_ok(), "{loss:?} {address:?}: {judged:?}\nearlier\n{earlier}\nlater\n{later}");
            }
        }
        for pair in later.windows(2) {
            prop_assert!(transition(&pair[0], &pair[1]).is_ok(), "{loss:?} {address:?}");
        }
    }
    Ok(len > loss.count)
}

proptest! {
    #![proptest_config(config(64))]

    #[test]
    fn what_is_put_back_contradicts_nothing(
        script in scripts(),
        count in any::<prop::sample::Index>(),
        kept in any::<prop::sample::Index>(),
        away_ms in prop_oneof![0i64..200, 0i64..5_000, 0i64..40_000],
    ) {
        let len = Recording::new(&script).log.len();
        prop_assume!(len > 2);
        let count = 2 + count.index(len - 1);
        // Most often the last few.
        let kept = (count - 1).min(1 + kept.index(count - 1).max(count.saturating_sub(6)));
        contradicts_nothing(&script, Loss { kept, count, away_ms })?;
    }
}

/// Whether live is started anew when the last segment comes back after so long.
#[test]
fn what_nobody_has_missed_is_as_it_was() {
    let script = Script::calm(10);
    let log = Recording::new(&script).log;
    let is_stored = |entry: &LogEntry| matches!(entry.event, Event::Stored(_));
    let last = log.iter().rposition(is_stored).expect("something was stored");
    let restarts = |kept, away_ms| contradicts_nothing(&script, Loss { kept, count: last + 1, away_ms }).expect("none");
    let (in_time, late) = (script.base_ms / 4, 3 * script.base_ms);
    assert_eq!((restarts(last, in_time), restarts(last, late)), (false, true), "{}", script.base_ms);
    let before = log[..last].iter().rposition(is_stored).expect("two were");
    assert!(restarts(before, in_time), "without the one before it, there would be a gap by now");
}

#[test]
fn generations_are_told_apart() {
    let opened = Recording::new(&Script::calm(1)).log.remove(0);
    let at = opened.at;
    let mut broadcast = Broadcast::open(&opened).expect("it opens");
    let mut index = opened.index;
    let mut generation = |ms| {
        index = index.next();
        broadcast.apply(&LogEntry { index, at: moved(at, ms), event: Event::Restarted }).expect("the next");
        broadcast.generation().to_string()
    };
    let expected = |ms: i64| format!("-{}", at.0 + ms);
    assert_eq!([generation(5), generation(5), generation(90)], [expected(5), expected(6), expected(90)]);
    for text in ["", "-1", "-1790000000000"] {
        assert_eq!(text.parse::<Generation>().map(|known| known.to_string()), Ok(text.to_owned()));
    }
    for text in ["-", "-0", "-01", "-+1", "1", "--1", "-x", "-18446744073709551616"] {
        assert!(text.parse::<Generation>().is_err(), "{text}");
    }
}

/// Playlists name each other by addresses of the same generation.
#[test]
fn the_multivariant_playlist_names_the_generation() {
    let mut log = Recording::new(&Script::calm(4)).log;
    log.truncate(log.iter().position(|entry| matches!(entry.event, Event::Ended { .. })).unwrap_or(log.len()));
    let mut broadcast = fold(&log);
    let listed = |broadcast: &Broadcast, view| broadcast.multivariant(view, broadcast.last_at()).expect("it has begun");
    assert!(listed(&broadcast, View::Live).ends_with("/live.m3u8\n"));
    let at = broadcast.last_at();
    let restarted = LogEntry { index: broadcast.next_index(), at, event: Event::Restarted };
    broadcast.apply(&restarted).expect("the next");
    assert!(listed(&broadcast, View::Live).ends_with(&format!("/live-{}.m3u8\n", at.0)));
    assert!(listed(&broadcast, View::Dvr).ends_with(&format!("/dvr-{}.m3u8\n", at.0)));
    assert!(listed(&broadcast, View::CatchUp { from: Seq(0) }).ends_with("/catchup.m3u8?from=0\n"));
}

/// Captions are told of the rendition that has them, once they have been seen, and of no other.
#[test]
fn the_multivariant_playlist_names_captions() {
    let mut broadcast = fold(&Recording::new(&Script::calm(4)).log);
    let listed = |broadcast: &Broadcast| broadcast.multivariant(View::Dvr, broadcast.last_at()).expect("it has begun");
    assert!(!listed(&broadcast).contains("CAPTIONS"), "that there are none is not known");
    let mut say = |rendition: &str| {
        let event = Event::Captioned { rendition: rendition.parse().expect("a name") };
        let entry = LogEntry { index: broadcast.next_index(), at: broadcast.last_at(), event };
        broadcast.apply(&entry).expect("the next");
        listed(&broadcast)
    };
    assert!(!say("720p").contains("CAPTIONS"), "of one that is not listed");
    let group = "#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID=\"captions\",NAME=\"CC1\",DEFAULT=NO,AUTOSELECT=YES,\
                 INSTREAM-ID=\"CC1\"\n";
    let captioned = say("main");
    let stream = captioned.lines().find(|line| line.starts_with("#EXT-X-STREAM-INF:")).expect("a stream");
    assert!(captioned.contains(group) && stream.ends_with(",CLOSED-CAPTIONS=\"captions\""), "{captioned}");
    assert_eq!(say("main"), captioned);
}
