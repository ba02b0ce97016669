//! The judge judged: every rule is broken once and must be named, and what is allowed must pass.

use super::*;

/// A live window: a discontinuity, a byte range, an init section, an open date range, a gap.
const LIVE: &str = "#EXTM3U
#EXT-X-VERSION:9
#EXT-X-TARGETDURATION:2
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=12.0,HOLD-BACK=6.0
#EXT-X-MEDIA-SEQUENCE:7
#EXT-X-DISCONTINUITY-SEQUENCE:3
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-DISCONTINUITY
#EXT-X-MAP:URI=\"init-a.mp4\"
#EXT-X-PROGRAM-DATE-TIME:2026-09-21T14:13:20.000Z
#EXTINF:2.0,
7.m4s
#EXT-X-PROGRAM-DATE-TIME:2026-09-21T14:13:22.000Z
#EXTINF:2.0,
#EXT-X-BYTERANGE:100@0
8.m4s
#EXT-X-DATERANGE:ID=\"i9\",CLASS=\"headwater.interrupted\",START-DATE=\"2026-09-21T14:13:24.000Z\"
#EXT-X-PROGRAM-DATE-TIME:2026-09-21T14:13:24.000Z
#EXTINF:2.0,
#EXT-X-GAP
gap-9.m4s
#EXT-X-DISCONTINUITY
#EXT-X-PROGRAM-DATE-TIME:2026-09-21T14:13:26.000Z
#EXTINF:1.5,
10.m4s
";

const NEXT: &str = "#EXT-X-DATERANGE:ID=\"i9\",CLASS=\"headwater.interrupted\",START-DATE=\"2026-09-21T14:13:24.000Z\",END-DATE=\"2026-09-21T14:13:26.000Z\",DURATION=2.0
#EXT-X-PROGRAM-DATE-TIME:2026-09-21T14:13:27.500Z
#EXTINF:2.0,
11.m4s
";

fn replaced(text: &str, changes: &[(&str, &str)]) -> String {
    changes.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from:?} is not there");
        text.replacen(from, to, 1)
    })
}

fn later() -> String {
    format!("{LIVE}{NEXT}")
}

/// The first segment is gone; the init section, still in force, stays.
fn slid() -> String {
    replaced(
        &later(),
        &[
            ("#EXT-X-MEDIA-SEQUENCE:7", "#EXT-X-MEDIA-SEQUENCE:8"),
            ("-SEQUENCE:3", "-SEQUENCE:4"),
            (
                "#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI=\"init-a.mp4\"\n#EXT-X-PROGRAM-DATE-TIME:2026-09-21T14:13:20.000Z\n#EXTINF:2.0,\n7.m4s\n",
                "#EXT-X-MAP:URI=\"init-a.mp4\"\n",
            ),
        ],
    )
}

fn rules(result: Result<(), Vec<Violation>>) -> Vec<Rule> {
    let mut rules: Vec<Rule> = result.err().unwrap_or_default().into_iter().map(|violation| violation.rule).collect();
    rules.sort_unstable();
    rules.dedup();
    rules
}

#[test]
fn what_may_become_of_a_playlist() {
    let event = replaced(LIVE, &[("#EXT-X-VERSION:9\n", "#EXT-X-VERSION:9\n#EXT-X-PLAYLIST-TYPE:EVENT\n")]);
    let range = LIVE.lines().find(|line| line.starts_with("#EXT-X-DATERANGE")).expect("one");
    let without_range = replaced(&later(), &[(&format!("{range}\n"), "")]);
    let far = replaced(LIVE, &[("MEDIA-SEQUENCE:7", "MEDIA-SEQUENCE:70"), ("-SEQUENCE:3", "-SEQUENCE:5")]);
    let cases = [
        ("nothing", LIVE.to_owned(), LIVE.to_owned()),
        ("appended", LIVE.into(), later()),
        ("slid", LIVE.into(), slid()),
        ("ended", LIVE.into(), format!("{LIVE}#EXT-X-ENDLIST\n")),
        ("a date range is forgotten", LIVE.into(), without_range),
        ("all of it has slid away", LIVE.into(), far),
        ("an event grows", event.clone(), format!("{event}{NEXT}")),
    ];
    for (name, earlier, later) in cases {
        assert_eq!(transition(&earlier, &later), Ok(()), "{name}");
        assert!(well_formed(&later).is_ok(), "{name}: {:?}", well_formed(&later));
    }
}

#[test]
fn what_must_not_become_of_a_playlist() {
    let live = || LIVE.to_owned();
    let changed = |from: &str, to: &str| replaced(&later(), &[(from, to)]);
    let range = LIVE.lines().find(|line| line.starts_with("#EXT-X-DATERANGE")).expect("one");
    let ended = || format!("{}#EXT-X-ENDLIST\n", LIVE);
    let event = || replaced(LIVE, &[("#EXT-X-VERSION:9\n", "#EXT-X-VERSION:9\n#EXT-X-PLAYLIST-TYPE:EVENT\n")]);
    let vod = || {
        replaced(
            &format!("{}#EXT-X-ENDLIST\n", later()),
            &[("#EXT-X-VERSION:9\n", "#EXT-X-VERSION:9\n#EXT-X-PLAYLIST-TYPE:VOD\n")],
        )
    };
    let slid_event = || replaced(&slid(), &[("#EXT-X-VERSION:9\n", "#EXT-X-VERSION:9\n#EXT-X-PLAYLIST-TYPE:EVENT\n")]);
    let open = "#EXT-X-DATERANGE:ID=\"x\",START-DATE=\"2026-09-21T14:13:20.000Z\"\n";
    let last = "#EXT-X-DISCONTINUITY\n#EXT-X-PROGRAM-DATE-TIME:2026-09-21T14:13:26.000Z\n#EXTINF:1.5,\n10.m4s\n";
    let short = || {
        let numbers = [("#EXT-X-MEDIA-SEQUENCE:7", "#EXT-X-MEDIA-SEQUENCE:10"), ("-SEQUENCE:3", "-SEQUENCE:4")];
        let head = replaced(&LIVE[..LIVE.find("#EXT-X-DISCONTINUITY\n").expect("one")], &numbers);
        format!("{head}#EXT-X-MAP:URI=\"init-a.mp4\"\n{last}{NEXT}")
    };
    let before_gap = "#EXT-X-PROGRAM-DATE-TIME:2026-09-21T14:13:24";
    let cases = [
        ("target", live(), changed("DURATION:2\n", "DURATION:3\n"), Rule::TargetDurationChanged),
        ("version", live(), changed("VERSION:9", "VERSION:10"), Rule::HeaderChanged),
        (
            "type",
            live(),
            changed("#EXT-X-VERSION:9\n", "#EXT-X-VERSION:9\n#EXT-X-PLAYLIST-TYPE:EVENT\n"),
            Rule::HeaderChanged,
        ),
        ("control", live(), changed("HOLD-BACK=6.0", "HOLD-BACK=7.0"), Rule::HeaderChanged),
        ("independent", live(), changed("#EXT-X-INDEPENDENT-SEGMENTS\n", ""), Rule::HeaderChanged),
        ("sequence back", slid(), later(), Rule::MediaSequenceWentBack),
        ("cut off", live(), replaced(LIVE, &[(last, "")]), Rule::TailRemoved),
        ("another URI", live(), changed("\n8.m4s", "\n80.m4s"), Rule::UriChanged),
        ("another range", live(), changed("100@0", "101@0"), Rule::ByteRangeChanged),
        ("a range lost", live(), changed("#EXT-X-BYTERANGE:100@0\n", ""), Rule::ByteRangeChanged),
        ("another duration", live(), changed("EXTINF:1.5", "EXTINF:1.6"), Rule::DurationChanged),
        ("a gap filled", live(), changed("#EXT-X-GAP\n", ""), Rule::GapBecameMedia),
        ("media lost", live(), changed("\n8.m4s", "\n#EXT-X-GAP\n8.m4s"), Rule::MediaBecameGap),
        (
            "a discontinuity added",
            live(),
            changed(before_gap, &format!("#EXT-X-DISCONTINUITY\n{before_gap}")),
            Rule::DiscontinuityChanged,
        ),
        (
            "a discontinuity lost",
            live(),
            changed("-SEGMENTS\n#EXT-X-DISCONTINUITY\n", "-SEGMENTS\n"),
            Rule::DiscontinuityChanged,
        ),
        (
            "another date",
            live(),
            changed("TIME:2026-09-21T14:13:22.000Z", "TIME:2026-09-21T14:13:22.001Z"),
            Rule::DateTimeChanged,
        ),
        ("another init", live(), changed("init-a", "init-b"), Rule::MapChanged),
        (
            "an init more",
            live(),
            changed(before_gap, &format!("#EXT-X-MAP:URI=\"init-a.mp4\"\n{before_gap}")),
            Rule::MapChanged,
        ),
        ("an init lost", live(), replaced(&slid(), &[("#EXT-X-MAP:URI=\"init-a.mp4\"\n", "")]), Rule::MapChanged),
        (
            "lines swapped",
            live(),
            changed("#EXTINF:2.0,\n#EXT-X-BYTERANGE:100@0\n", "#EXT-X-BYTERANGE:100@0\n#EXTINF:2.0,\n"),
            Rule::LinesChanged,
        ),
        ("not counted", live(), replaced(&slid(), &[("-SEQUENCE:4", "-SEQUENCE:3")]), Rule::DiscontinuitySequence),
        ("counted twice", live(), replaced(&slid(), &[("-SEQUENCE:4", "-SEQUENCE:5")]), Rule::DiscontinuitySequence),
        ("counted early", live(), changed("-SEQUENCE:3", "-SEQUENCE:4"), Rule::DiscontinuitySequence),
        (
            "a range inserted",
            live(),
            changed(
                "#EXT-X-PROGRAM-DATE-TIME:2026-09-21T14:13:22",
                &format!("{open}#EXT-X-PROGRAM-DATE-TIME:2026-09-21T14:13:22"),
            ),
            Rule::DateRangeInserted,
        ),
        (
            "a range changed",
            live(),
            format!("{LIVE}{}", replaced(NEXT, &[("interrupted", "paused")])),
            Rule::DateRangeChanged,
        ),
        ("alive again", ended(), live(), Rule::EndRemoved),
        ("grown after the end", ended(), format!("{}#EXT-X-ENDLIST\n", later()), Rule::AddedAfterEnd),
        ("a range after the end", ended(), format!("{LIVE}{open}#EXT-X-ENDLIST\n"), Rule::AddedAfterEnd),
        ("an event slides", event(), slid_event(), Rule::EventRemoved),
        ("a vod changes", vod(), replaced(&vod(), &[(&format!("{range}\n"), "")]), Rule::VodChanged),
        ("a range removed", live(), replaced(LIVE, &[(&format!("{range}\n"), "")]), Rule::DateRangeRemoved),
        ("a short window", live(), short(), Rule::WindowTooShort),
    ];
    for (name, earlier, later, rule) in cases {
        assert_eq!(rules(transition(&earlier, &later)), [rule], "{name}");
    }
}

#[test]
fn what_a_playlist_must_be_like() {
    let changed = |from: &str, to: &str| replaced(&later(), &[(from, to)]);
    let only_gap = &LIVE[..LIVE.find("#EXT-X-DISCONTINUITY\n").expect("one")];
    let only_gap =
        format!("{only_gap}#EXT-X-PROGRAM-DATE-TIME:2026-09-21T14:13:26.000Z\n#EXTINF:2.0,\n#EXT-X-GAP\ngap\n");
    let only_gap = replaced(&only_gap, &[("#EXT-X-MEDIA-SEQUENCE:7\n", "")]);
    let cases = [
        ("first line", changed("#EXTM3U\n", "#EXTM3U8\n"), Rule::FirstLine),
        ("no newline at the end", later().trim_end().to_owned(), Rule::Syntax),
        ("unknown tag", changed("#EXT-X-GAP", "#EXT-X-HOLE"), Rule::Syntax),
        ("comment", changed("#EXT-X-GAP", "# a gap"), Rule::Syntax),
        ("no URI", changed("10.m4s\n", ""), Rule::Syntax),
        ("no EXTINF", changed("#EXTINF:1.5,\n", ""), Rule::Syntax),
        ("date without zone", changed("20.000Z", "20.000"), Rule::Syntax),
        ("a header tag late", changed("#EXT-X-GAP", "#EXT-X-VERSION:9\n#EXT-X-GAP"), Rule::Syntax),
        ("a tag twice", changed("#EXT-X-VERSION:9\n", "#EXT-X-VERSION:9\n#EXT-X-VERSION:9\n"), Rule::Syntax),
        ("no target", changed("#EXT-X-TARGETDURATION:2\n", ""), Rule::TargetDurationMissing),
        ("too long", changed("#EXTINF:1.5,", "#EXTINF:2.5,"), Rule::SegmentTooLong),
        ("no date", changed("#EXT-X-PROGRAM-DATE-TIME:2026-09-21T14:13:26.000Z\n", ""), Rule::DateTimeMissing),
        ("all gap", only_gap, Rule::NothingToPlay),
        ("old version", changed("VERSION:9", "VERSION:7"), Rule::VersionTooLow),
        ("skip boundary", changed("UNTIL=12.0", "UNTIL=11.9"), Rule::ServerControl),
        ("hold back", changed("BACK=6.0", "BACK=5.9"), Rule::ServerControl),
        (
            "a range ends first",
            changed("END-DATE=\"2026-09-21T14:13:26", "END-DATE=\"2026-09-21T14:13:22"),
            Rule::DateRange,
        ),
        ("a range of two lengths", changed("DURATION=2.0", "DURATION=2.5"), Rule::DateRange),
        ("after the end", format!("{}#EXT-X-ENDLIST\n#EXTINF:2.0,\n12.ts\n", later()), Rule::AfterEnd),
    ];
    for (name, text, rule) in cases {
        assert_eq!(rules(well_formed(&text).map(drop)), [rule], "{name}");
    }
}

/// `count` segments of two seconds from `first`; the init section changes at 13.
fn segments(first: u64, count: u64) -> String {
    let segment = |msn: u64| {
        let map = if msn == 13 { "#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI=\"init-b.mp4\"\n" } else { "" };
        let date = format!("2026-09-21T14:{:02}:{:02}.000Z", msn / 30, msn % 30 * 2);
        format!("{map}#EXT-X-PROGRAM-DATE-TIME:{date}\n#EXTINF:2.0,\n{msn}.m4s\n")
    };
    (first..first + count).map(segment).collect()
}

#[test]
fn a_delta_update_fits_what_came_before() {
    let head = &LIVE[..LIVE.find("#EXT-X-DISCONTINUITY\n").expect("one")];
    let head = &replaced(head, &[("SEQUENCE:7", "SEQUENCE:10")]);
    let map = "#EXT-X-MAP:URI=\"init-a.mp4\"\n";
    let earlier = format!("{head}{map}{}", segments(10, 10));
    let whole = format!("{head}{map}{}", segments(10, 12));
    let skip = |count: u64| format!("{head}#EXT-X-SKIP:SKIPPED-SEGMENTS={count}\n{}", segments(10 + count, 12 - count));
    assert_eq!(apply_delta(&earlier, &skip(6)), read(&whole));
    assert_eq!(apply_delta(&earlier, &skip(2)), read(&whole));
    assert_eq!(apply_delta(&earlier, &whole), read(&whole));
    let wrong = [
        ("skips too much", earlier.clone(), skip(7)),
        ("skips what was not there", format!("{head}{map}{}", segments(10, 5)), skip(6)),
        ("skips without saying so", earlier, replaced(&skip(6), &[("CAN-SKIP-UNTIL=12.0,", "")])),
    ];
    for (name, earlier, delta) in wrong {
        assert_eq!(apply_delta(&earlier, &delta).map_err(|violation| violation.rule), Err(Rule::Delta), "{name}");
    }
}
