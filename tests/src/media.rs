//! Real media for publishers that are written here: segments of one recording, made by ffmpeg, as numbered files.

use std::path::PathBuf;

use tempfile::TempDir;
use testkit::Tool;

/// Segments of one second with a small moving picture and sound.
#[derive(Clone, Debug)]
pub struct Media {
    /// Of fragmented MP4.
    pub init: Option<Vec<u8>>,
    pub segments: Vec<Vec<u8>>,
}

const ENCODE: &str = "-hide_banner -loglevel error -nostdin -f lavfi -i testsrc2=s=128x72:r=10 -f lavfi -i \
                      sine=f=330:r=44100 -c:v libx264 -preset ultrafast -g 10 -keyint_min 10 -sc_threshold 0 -c:a aac \
                      -f hls -hls_time 1 -hls_list_size 0";

impl Media {
    /// `count` segments of MPEG-TS.
    pub fn ts(count: usize) -> Self {
        Self::encode(count, "-hls_segment_type mpegts")
    }

    /// The same in a smaller picture.
    pub fn small_ts(count: usize) -> Self {
        Self::encode(count, "-hls_segment_type mpegts -s 64x36 -b:v 30k -b:a 32k")
    }

    /// `count` segments of fragmented MP4.
    pub fn fmp4(count: usize) -> Self {
        Self::encode(count, "-hls_segment_type fmp4")
    }

    fn encode(count: usize, container: &str) -> Self {
        let dir = TempDir::new().expect("a temporary folder");
        let options = format!("{ENCODE} {container} -t {count}");
        let args = options.split_ascii_whitespace().map(PathBuf::from).chain([dir.path().join("out.m3u8")]);
        Tool::find("ffmpeg").run(args);
        let read = |name: String| std::fs::read(dir.path().join(name)).ok();
        let segment = |n| read(format!("out{n}.ts")).or_else(|| read(format!("out{n}.m4s")));
        let segments: Vec<_> = (0..count).map(|n| segment(n).expect("ffmpeg makes each segment")).collect();
        Self { init: read("init.mp4".into()), segments }
    }
}
