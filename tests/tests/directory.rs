//! Publishing an HLS directory that something else writes: every segment once, byte for byte, whatever is killed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use headwater_tests::{
    Encoder, Packaging, Program, Recording, Shaka, at_once, end_when_stored, until_stored, wait_until_complete,
};
use tempfile::TempDir;
use testkit::{Headwater, NewBroadcast, Tool, eventually};

/// Longer than any run here takes.
const RUN_MAX: Duration = Duration::from_secs(90);

/// A directory, a spool, and `headwater publish` between them.
struct Publishing {
    dir: TempDir,
    spool: TempDir,
    to: String,
    program: Option<Program>,
}

impl Publishing {
    fn new(broadcast: &NewBroadcast) -> Self {
        let folder = || TempDir::new().expect("a temporary folder");
        Self { dir: folder(), spool: folder(), to: broadcast.push_url.clone(), program: None }
    }

    /// Starts it, killing it if it runs.
    fn run(&mut self, playlist: &str) -> &mut Program {
        self.kill();
        let input = self.dir.path().join(playlist);
        let spool = self.spool.path().to_str().expect("UTF-8");
        let args = ["publish", input.to_str().expect("UTF-8"), "--to", &self.to, "--spool", spool, "--log", "info"];
        self.program.insert(Program::start(&Headwater::tool(), args))
    }

    fn kill(&mut self) {
        self.program.take();
    }

    fn url(&self) -> String {
        format!("{}/", self.dir.path().display())
    }

    /// The files of this prefix, in the order of their numbers.
    fn files(&self, prefix: &str) -> Vec<Vec<u8>> {
        let paths = segments(self.dir.path(), prefix);
        paths.iter().map(|path| std::fs::read(path).expect("a file")).collect()
    }
}

fn segments(dir: &Path, prefix: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).expect("a folder").map(|entry| entry.expect("a name").path());
    let number = |path: &PathBuf| -> Option<u64> {
        let name = path.file_name()?.to_str()?;
        let (stem, extension) = name.split_once('.')?;
        ["ts", "m4s"].contains(&extension).then(|| stem.strip_prefix(prefix)?.parse().ok())?
    };
    let mut numbered: Vec<_> = entries.filter_map(|path| Some((number(&path)?, path))).collect();
    numbered.sort();
    numbered.into_iter().map(|(_, path)| path).collect()
}

#[test]
fn whatever_is_killed_each_segment_arrives_once() {
    let far = Headwater::start();
    at_once(&[("mpegts", ".ts"), ("fmp4", ".m4s")], |container, _| {
        let broadcast = far.create_broadcast();
        let mut publishing = Publishing::new(&broadcast);
        publishing.run("");
        let encoder = Encoder { seconds: 14, ..Encoder::default() };
        let encoder = encoder.with(&format!("-hls_segment_type {container} -hls_list_size 6"));
        let mut encoder = encoder.push(&publishing.url());
        for count in [3, 6, 9] {
            until_stored(&far, &broadcast.id, count);
            // With a segment on its way, perhaps, and while the next is being written.
            publishing.run("");
        }
        encoder.end_well(RUN_MAX);
        publishing.program.as_mut().expect("it runs").end_well(RUN_MAX);
        wait_until_complete(&far, &broadcast.id);
        Recording::of_main(&far, &broadcast.id).assert_is(container, &publishing.files("out"));
        // It was recorded to its end: nothing is recorded again.
        publishing.run("").end_well(RUN_MAX);
        Recording::of_main(&far, &broadcast.id).assert_is(container, &publishing.files("out"));
    });
}

#[test]
fn an_encoder_that_starts_again_writes_over_its_files_and_goes_on() {
    let far = Headwater::start();
    at_once(&[("mpegts", ()), ("fmp4", ())], |container, ()| {
        let broadcast = far.create_broadcast();
        let mut publishing = Publishing::new(&broadcast);
        publishing.run("out.m3u8");
        let encoder = || Encoder { seconds: 6, ..Encoder::default() }.with(&format!("-hls_segment_type {container}"));
        let mut first = Encoder { seconds: 60, ..encoder() }.push(&publishing.url());
        until_stored(&far, &broadcast.id, 3);
        first.kill();
        // What it was writing was never listed.
        let listed = std::fs::read_to_string(publishing.dir.path().join("out.m3u8")).expect("a playlist");
        let count = listed.lines().filter(|line| line.starts_with("#EXTINF")).count();
        until_stored(&far, &broadcast.id, count);
        let mut sent: Vec<_> = publishing.files("out").into_iter().take(count).collect();
        // The same pictures under the same names; we are killed while the first of them is written over.
        let mut second = encoder().push(&publishing.url());
        publishing.run("out.m3u8");
        second.end_well(RUN_MAX);
        publishing.program.as_mut().expect("it runs").end_well(RUN_MAX);
        wait_until_complete(&far, &broadcast.id);
        sent.extend(publishing.files("out").into_iter().take(6));
        let recording = Recording::of_main(&far, &broadcast.id);
        recording.assert_is(container, &sent);
        let breaks = recording.playlist.segments.iter().filter(|segment| segment.discontinuity).count();
        assert_eq!(breaks, 1, "{container}: {:?}", recording.playlist);
    });
}

#[test]
fn what_the_encoder_deleted_before_it_was_seen_is_told() {
    let far = Headwater::start();
    let broadcast = far.create_broadcast();
    let mut publishing = Publishing::new(&broadcast);
    publishing.run("out.m3u8");
    let options = "-hls_list_size 2 -hls_flags delete_segments -hls_delete_threshold 1";
    let mut encoder = Encoder { seconds: 14, ..Encoder::default() }.with(options).push(&publishing.url());
    until_stored(&far, &broadcast.id, 3);
    publishing.kill();
    let later = publishing.dir.path().join("out10.ts");
    eventually("an encoder that has gone on", RUN_MAX, || if later.exists() { Ok(()) } else { Err(later.display()) });
    let program = publishing.run("out.m3u8");
    encoder.end_well(RUN_MAX);
    assert!(!program.end(RUN_MAX).success());
    let said = program.said();
    assert!(said.contains("segments are lost") && said.contains("LOST: deleted before"), "{said}");
    let details = far.broadcast(&broadcast.id);
    let main = &details["details"]["main"];
    assert_eq!(details["state"], "complete", "{details}");
    assert!((7..=12).contains(&main["segments"].as_u64().expect("a number")), "{details}");
}

#[test]
fn renditions_are_those_that_the_multivariant_playlist_names() {
    let far = Headwater::start();
    let broadcast = far.create_broadcast();
    let mut publishing = Publishing::new(&broadcast);
    publishing.run("");
    let folder = publishing.url();
    let source =
        "-hide_banner -nostdin -re -f lavfi -i testsrc2=s=160x120:r=15 -re -f lavfi -i sine=f=440:r=44100 -t 8";
    let codecs = "-map 0:v -map 0:v -map 1:a -map 1:a -c:v libx264 -preset ultrafast -b:v:0 100k -b:v:1 50k -g 15 \
                  -keyint_min 15 -sc_threshold 0 -c:a aac -f hls -hls_time 1 -hls_list_size 4 -master_pl_name index.m3u8";
    let mut args: Vec<_> = [source, codecs].iter().flat_map(|text| text.split_ascii_whitespace()).collect();
    let (playlists, names) = (format!("{folder}v%v/out.m3u8"), format!("{folder}v%v/s%d.ts"));
    args.extend(["-var_stream_map", "v:0,a:0 v:1,a:1", "-hls_segment_filename", &names, &playlists]);
    let mut encoder = Program::start(&Tool::find("ffmpeg"), args);
    eventually("two renditions", RUN_MAX, || {
        let details = far.broadcast(&broadcast.id);
        if details["details"]["v1"]["segments"].as_u64() >= Some(2) { Ok(()) } else { Err(details) }
    });
    publishing.run("");
    encoder.end_well(RUN_MAX);
    publishing.program.as_mut().expect("it runs").end_well(RUN_MAX);
    wait_until_complete(&far, &broadcast.id);
    let recordings = Recording::of(&far, &broadcast.id);
    assert_eq!(recordings.keys().collect::<Vec<_>>(), ["v0", "v1"]);
    for (name, recording) in &recordings {
        let paths = segments(&publishing.dir.path().join(name), "s");
        let sent: Vec<_> = paths.iter().map(|path| std::fs::read(path).expect("a file")).collect();
        recording.assert_is(name, &sent);
    }
}

#[test]
fn what_shaka_packager_writes_is_recorded_byte_for_byte() {
    let far = Headwater::start();
    at_once(&[("ts", Packaging::Ts), ("fmp4", Packaging::Fmp4)], |name, packaging| {
        let broadcast = far.create_broadcast();
        let mut publishing = Publishing::new(&broadcast);
        let mut shaka = Shaka::push(&publishing.url(), *packaging);
        publishing.run("master.m3u8");
        shaka.packager.end_well(RUN_MAX);
        // It closes no live playlist.
        let sent: usize = ["v-", "a-"].iter().map(|prefix| publishing.files(prefix).len()).sum();
        end_when_stored(&far, &broadcast.id, sent);
        let recordings = Recording::of(&far, &broadcast.id);
        assert_eq!(recordings.len(), 2, "{name}: {:?}", recordings.keys());
        for (rendition, recording) in &recordings {
            let (video, audio) = (publishing.files("v-"), publishing.files("a-"));
            let is_video = video.contains(&recording.segments[0]);
            recording.assert_is(&format!("{name} {rendition}"), if is_video { &video } else { &audio });
        }
    });
}
