//! How many bytes a second one core inspects: segments of two seconds, about 512 KiB, pushed in the chunks in which
//! ffmpeg uploads them. Needs ffmpeg on PATH. `cargo bench -p headwater-media`.
//!
//! The measure is the best of several runs, since other work on the machine only ever makes a run slower.

use std::fs;
use std::hint::black_box;
use std::process::Command;
use std::time::Duration;

use headwater_media::{InitSection, Inspection, Inspector};

/// The largest chunk that ffmpeg sends.
const CHUNK_LEN: usize = 32 * 1024;
const RUNS: usize = 20;
const SEGMENTS_PER_RUN: u32 = 500;

fn main() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let make = |arguments: &[&str]| {
        let status = Command::new("ffmpeg")
            .current_dir(directory.path())
            .args([
                "-hide_banner",
                "-nostdin",
                "-loglevel",
                "error",
                "-y",
                "-f",
                "lavfi",
                "-i",
                "testsrc2=s=1280x720:r=30:d=4",
            ])
            .args([
                "-f",
                "lavfi",
                "-i",
                "sine=f=440:r=48000:d=4",
                "-ac",
                "2",
                "-c:v",
                "libx264",
                "-preset",
                "ultrafast",
                "-g",
                "30",
            ])
            .args([
                "-b:v",
                "2M",
                "-maxrate",
                "2M",
                "-bufsize",
                "1M",
                "-x264-params",
                "nal-hrd=cbr",
                "-c:a",
                "aac",
                "-b:a",
                "128k",
            ])
            .args(["-f", "hls", "-hls_time", "2"])
            .args(arguments)
            .arg("out.m3u8")
            .status();
        let status = status.expect("ffmpeg is on PATH (Debian: apt-get install ffmpeg)");
        assert!(status.success(), "ffmpeg: {status}");
    };
    let read = |name: &str| fs::read(directory.path().join(name)).expect("ffmpeg wrote it");
    make(&["-hls_segment_filename", "%d.ts"]);
    measure("MPEG-TS, H.264 and AAC", &read("1.ts"), Inspector::mpeg_ts);
    make(&["-hls_segment_type", "fmp4", "-hls_segment_filename", "%d.m4s"]);
    let init = InitSection::parse(&read("init.mp4")).expect("ffmpeg's init sections are good");
    measure("fragmented MP4, H.264 and AAC", &read("1.m4s"), || Inspector::fmp4(&init));
    make(&["-vn", "-hls_segment_filename", "%d.ts"]);
    measure("MPEG-TS, AAC alone", &read("1.ts"), Inspector::mpeg_ts);
}

#[allow(clippy::disallowed_methods, clippy::print_stdout, reason = "a benchmark reads the clock and prints")]
fn measure(name: &str, segment: &[u8], new: impl Fn() -> Inspector) {
    let mut best = Duration::MAX;
    for _ in 0..RUNS {
        let start = std::time::Instant::now();
        for _ in 0..SEGMENTS_PER_RUN {
            black_box(inspect(new(), black_box(segment)));
        }
        best = best.min(start.elapsed());
    }
    let each = best / SEGMENTS_PER_RUN;
    let rate = segment.len() as f64 / each.as_secs_f64() / 1e9;
    println!(
        "{name}: {rate:.1} GB/s, {:.1} µs for a segment of {} KiB",
        each.as_secs_f64() * 1e6,
        segment.len() / 1024
    );
}

fn inspect(mut inspector: Inspector, segment: &[u8]) -> Inspection {
    for chunk in segment.chunks(CHUNK_LEN) {
        inspector.push(chunk).expect("ffmpeg's segments are good");
    }
    inspector.finish().expect("ffmpeg's segments are good")
}
