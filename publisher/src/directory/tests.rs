//! Directories made by hand, in simulated time, with a local log of which only the rule is kept: what has a number is
//! there once.

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::Mutex;
use std::time::UNIX_EPOCH;

use tempfile::TempDir;

use super::*;

/// When the first file is written, in seconds since the Unix epoch.
const BEGAN_S: u64 = 1_790_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Crash {
    /// The nth push has not begun.
    Before(usize),
    /// The nth push is durable and was not answered.
    After(usize),
}

/// A local recorder.
#[derive(Debug, Default)]
struct Log {
    segments: Mutex<BTreeMap<u64, Bytes>>,
    crash: Mutex<Option<Crash>>,
    pushes: Mutex<usize>,
    is_full: Mutex<bool>,
}

impl Log {
    fn recorded(&self) -> Vec<String> {
        let segments = self.segments.lock().expect("no panic");
        segments.values().map(|body| String::from_utf8_lossy(body).into_owned()).collect()
    }
}

#[async_trait]
impl Intake for Log {
    async fn push(&self, path: &str, body: Bytes, _: Option<i64>) -> Pushed {
        if *self.is_full.lock().expect("no panic") {
            return Pushed::Later("no room".to_owned());
        }
        let nth = {
            let mut pushes = self.pushes.lock().expect("no panic");
            *pushes += 1;
            *pushes - 1
        };
        let crash = *self.crash.lock().expect("no panic");
        if crash == Some(Crash::Before(nth)) {
            std::future::pending::<()>().await;
        }
        if path.ends_with(".ts") {
            let number = path.rsplit(['-', '.']).nth(1).and_then(|number| number.parse().ok()).expect("a number");
            let before = self.segments.lock().expect("no panic").insert(number, body);
            assert_eq!(before, None, "{number} is pushed twice");
        }
        if crash == Some(Crash::After(nth)) {
            std::future::pending::<()>().await;
        }
        Pushed::Taken
    }

    async fn next_number(&self, _: &str) -> Result<u64, String> {
        Ok(self.segments.lock().expect("no panic").last_key_value().map_or(0, |(last, _)| last + 1))
    }
}

struct Bench {
    dir: TempDir,
    spool: TempDir,
    log: Arc<Log>,
    status: watch::Sender<Option<Source>>,
}

impl Bench {
    fn new() -> Self {
        let folder = || tempfile::tempdir().expect("a folder");
        Self { dir: folder(), spool: folder(), log: Arc::default(), status: watch::Sender::new(None) }
    }

    /// Writes a file, so many seconds after the first.
    fn write(&self, name: &str, text: &str, at_s: u64) {
        let path = self.dir.path().join(name);
        std::fs::write(&path, text).expect("written");
        let at = UNIX_EPOCH + Duration::from_secs(BEGAN_S + at_s);
        File::options().append(true).open(&path).expect("opened").set_modified(at).expect("set");
    }

    fn remove(&self, name: &str) {
        std::fs::remove_file(self.dir.path().join(name)).expect("removed");
    }

    /// Writes a playlist of these numbers, whose files are `N.ts`.
    fn list(&self, numbers: std::ops::Range<u64>, at_s: u64) {
        self.write("out.m3u8", &playlist(numbers), at_s);
    }

    fn directory(&self) -> Directory {
        let (place, memory) = ((self.dir.path().to_owned(), None), self.spool.path().join("directory.json"));
        Directory::open(place, &memory, self.log.clone(), Clock::from_tokio(0), self.status.clone()).expect("opened")
    }

    /// Takes for so long.
    async fn run(&self, directory: &mut Directory, secs: u64) {
        tokio::time::timeout(Duration::from_secs(secs), directory.run()).await.map(|done| done.expect("ran")).ok();
    }

    fn source(&self) -> Source {
        self.status.borrow().clone().expect("it was opened")
    }
}

fn playlist(numbers: std::ops::Range<u64>) -> String {
    let head = format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:{}\n", numbers.start);
    head + &numbers.map(|number| format!("#EXTINF:2,\n{number}.ts\n")).collect::<String>()
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_newer_than_its_playlist_is_not_taken() {
    let (bench, mut watched) = (Bench::new(), None);
    bench.write("0.ts", "a", 2);
    bench.write("1.ts", "b", 4);
    bench.list(0..2, 4);
    let directory = watched.insert(bench.directory());
    bench.run(directory, 1).await;
    assert_eq!(bench.log.recorded(), ["a", "b"]);
    // An encoder starts again: the old playlist is still there, and lists what is being written.
    bench.write("0.ts", "c", 5);
    bench.run(directory, 9).await;
    assert_eq!(bench.log.recorded(), ["a", "b"]);
    // So it does for one who sees it for the first time.
    bench.list(0..3, 4);
    bench.write("2.ts", "half", 6);
    bench.run(&mut bench.directory(), 9).await;
    assert_eq!(bench.log.recorded(), ["a", "b"]);
    assert!(bench.source().trouble.is_some_and(|trouble| trouble.contains("2.ts was written after out.m3u8")));
    bench.write("0.ts", "c", 6);
    bench.list(0..1, 6);
    bench.run(directory, 1).await;
    assert_eq!(bench.log.recorded(), ["a", "b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn a_crash_at_any_point_takes_nothing_twice_and_leaves_nothing_out() {
    // Two runs of an encoder, the second with the same numbers, names and bytes.
    let mut crashes = 0;
    for nth in 0.. {
        let mut is_over = false;
        for crash in [Crash::Before(nth), Crash::After(nth)] {
            let bench = Bench::new();
            *bench.log.crash.lock().expect("no panic") = Some(crash);
            let mut directory = bench.directory();
            for (run, began_s) in [(0, 0), (1, 100)] {
                for number in 0..3 {
                    let at_s = began_s + number * 2;
                    bench.write(&format!("{number}.ts"), &number.to_string(), at_s);
                    bench.list(0..number + 1, at_s);
                    bench.run(&mut directory, 1).await;
                    if *bench.log.pushes.lock().expect("no panic") > nth {
                        // It was killed: whoever comes after it is not.
                        bench.log.crash.lock().expect("no panic").take();
                        directory = bench.directory();
                        bench.run(&mut directory, 1).await;
                    }
                    let expected = ["0", "1", "2", "0", "1", "2"];
                    let count = usize::try_from(run * 3 + number).expect("small") + 1;
                    assert_eq!(bench.log.recorded(), expected[..count], "{crash:?}");
                }
            }
            is_over = bench.log.crash.lock().expect("no panic").is_some();
            crashes += usize::from(!is_over);
        }
        if is_over {
            break;
        }
    }
    assert!(crashes > 20, "{crashes} crashes are none");
}

#[tokio::test(start_paused = true)]
async fn what_was_deleted_before_it_was_seen_is_lost() {
    let bench = Bench::new();
    let mut directory = bench.directory();
    bench.write("0.ts", "0", 0);
    bench.list(0..1, 0);
    bench.run(&mut directory, 1).await;
    // 1 and 2 are listed no more; 3 is, and is not there; 4 comes late.
    bench.write("5.ts", "5", 10);
    bench.list(3..6, 10);
    bench.run(&mut directory, 4).await;
    assert_eq!(bench.source().lost_segments, 2);
    bench.run(&mut directory, 2).await;
    assert_eq!(bench.source().lost_segments, 4);
    assert_eq!(bench.log.recorded(), ["0", "5"]);
    assert_eq!(bench.log.segments.lock().expect("no panic").keys().copied().collect::<Vec<_>>(), [0, 5]);
    // It starts again while there is no room: what it writes over is lost.
    *bench.log.is_full.lock().expect("no panic") = true;
    bench.write("6.ts", "6", 12);
    bench.list(4..7, 12);
    bench.run(&mut directory, 9).await;
    assert_eq!(bench.source().trouble.as_deref(), Some("no room"));
    bench.remove("6.ts");
    bench.write("0.ts", "again", 20);
    bench.list(0..1, 20);
    bench.run(&mut directory, 1).await;
    *bench.log.is_full.lock().expect("no panic") = false;
    bench.run(&mut directory, 1).await;
    assert_eq!(bench.log.recorded(), ["0", "5", "again"]);
    assert_eq!((bench.source().lost_segments, bench.source().trouble), (5, None));
}

#[tokio::test(start_paused = true)]
async fn what_is_late_on_a_mounted_share_is_waited_for() {
    let bench = Bench::new();
    let mut directory = bench.directory();
    bench.list(0..2, 4);
    bench.write("1.ts", "b", 4);
    bench.run(&mut directory, 3).await;
    assert_eq!(bench.log.recorded(), [""; 0]);
    bench.write("0.ts", "a", 2);
    bench.run(&mut directory, 1).await;
    assert_eq!((bench.log.recorded(), bench.source().lost_segments), (vec!["a".to_owned(), "b".to_owned()], 0));
}

#[tokio::test(start_paused = true)]
async fn it_is_over_when_its_playlist_is_closed_and_all_is_taken() {
    let bench = Bench::new();
    let mut directory = bench.directory();
    let text = playlist(0..2) + "#EXT-X-ENDLIST\n";
    bench.write("0.ts", "a", 2);
    bench.write("out.m3u8", &text, 4);
    bench.run(&mut directory, 2).await;
    assert!(!directory.is_over());
    bench.write("1.ts", "b", 4);
    directory.run().await.expect("it ends");
    assert_eq!(bench.log.recorded(), ["a", "b"]);
}

/// Shaka Packager writes the multivariant playlist when it has its first rendition, and again when it has the others.
#[tokio::test(start_paused = true)]
async fn a_rendition_that_is_named_later_is_taken_too() {
    for is_closed in [false, true] {
        let bench = Bench::new();
        let mut directory = bench.directory();
        let name = |names: &[&str]| {
            let variants = names.iter().map(|name| format!("#EXT-X-STREAM-INF:BANDWIDTH=1\n{name}.m3u8\n"));
            bench.write("all.m3u8", &format!("#EXTM3U\n{}", variants.collect::<String>()), 2);
        };
        let end = if is_closed { "#EXT-X-ENDLIST\n" } else { "" };
        bench.write("0.ts", "picture", 2);
        bench.write("v.m3u8", &playlist(0..1), 2);
        name(&["v"]);
        bench.run(&mut directory, 1).await;
        bench.write("1.ts", "sound", 2);
        bench.write("a.m3u8", &(playlist(1..2) + end), 2);
        name(&["v", "a"]);
        bench.write("v.m3u8", &(playlist(0..1) + end), 2);
        bench.run(&mut directory, 2).await;
        assert_eq!(bench.log.recorded(), ["picture", "sound"], "closed: {is_closed}");
        assert_eq!(directory.is_over(), is_closed);
    }
}

#[tokio::test(start_paused = true)]
async fn which_playlist_is_meant_must_be_plain() {
    let bench = Bench::new();
    let mut directory = bench.directory();
    bench.run(&mut directory, 6).await;
    assert!(bench.source().trouble.is_some_and(|trouble| trouble.starts_with("waiting for a playlist (*.m3u8) in ")));
    for name in ["a.m3u8", "b.m3u8"] {
        bench.write(name, &playlist(0..1), 2);
    }
    bench.run(&mut directory, 6).await;
    assert!(bench.source().trouble.is_some_and(|trouble| trouble.ends_with("Say which one is meant: a.m3u8, b.m3u8")));
    bench.write("all.m3u8", "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nb.m3u8\n", 2);
    bench.run(&mut directory, 6).await;
    assert_eq!(directory.watched.iter().map(Watched::path).collect::<Vec<_>>(), ["b.m3u8"]);
    let bytes = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n#EXT-X-BYTERANGE:1@0\na.ts\n";
    bench.write("b.m3u8", bytes, 4);
    let error = directory.run().await.expect_err("byte ranges");
    assert!(error.to_string().starts_with("b.m3u8 has byte ranges of one file"), "{error}");
}

#[test]
fn an_input_is_a_place_or_it_is_not() {
    let dir = tempfile::tempdir().expect("a folder");
    let root = dir.path().to_str().expect("UTF-8");
    let check = |input: &str, expected: Option<Option<&str>>| {
        let place = Directory::place(input).map(|(_, playlist)| playlist);
        assert_eq!(place, expected.map(|playlist| playlist.map(str::to_owned)), "{input}");
    };
    check(root, Some(None));
    check(&format!("{root}/out.m3u8"), Some(Some("out.m3u8")));
    check("out.m3u8", Some(Some("out.m3u8")));
    for input in ["https://host/out.m3u8", "/nowhere/out.m3u8", "match.mp4", "/dev/video0", "testsrc2=s=160x120"] {
        check(input, None);
    }
}
