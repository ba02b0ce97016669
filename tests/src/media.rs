//! Real media for publishers that are written here: segments of one recording, made by ffmpeg, as numbered files.

use std::path::PathBuf;

use tempfile::TempDir;
use testkit::Tool;

use crate::captions::captioned;

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

const QUIET: &str = "-hide_banner -loglevel error -nostdin";
const PICTURES: &str = "-hide_banner -loglevel error -nostdin -f lavfi -i testsrc2=s=128x72:r=20 -c:v libx264 -preset \
                        ultrafast -g 20 -keyint_min 20 -sc_threshold 0 -bf 0 -threads 1 -f h264";
const SOUND: &str = "-f lavfi -i sine=f=330:r=44100 -c:a aac";
const CUT: &str = "-f hls -hls_time 1 -hls_list_size 0";

impl Media {
    /// `count` segments of MPEG-TS.
    pub fn ts(count: usize) -> Self {
        Self::encode(count, "-hls_segment_type mpegts")
    }

    /// The same in a smaller picture.
    pub fn small_ts(count: usize) -> Self {
        Self::encode(count, "-hls_segment_type mpegts -s 64x36 -b:v 30k -b:a 32k")
    }

    /// The same of a phone held upright.
    pub fn upright_ts(count: usize) -> Self {
        Self::encode(count, "-hls_segment_type mpegts -vf scale=180:320,setsar=1")
    }

    /// `count` segments of fragmented MP4.
    pub fn fmp4(count: usize) -> Self {
        Self::encode(count, "-hls_segment_type fmp4")
    }

    /// `count` segments of a container of hls, with captions in their pictures. Fragmented MP4 is without sound: hls.js
    /// does not show captions of one that has both (1.7.4: they wait for a buffer of video alone).
    pub fn captioned(count: usize, container: &str) -> Self {
        let dir = TempDir::new().expect("a temporary folder");
        let pictures = dir.path().join("pictures.h264");
        let options = format!("{PICTURES} -t {count}");
        let args = options.split_ascii_whitespace().map(PathBuf::from).chain([pictures.clone()]);
        Tool::find("ffmpeg").run(args);
        let plain = std::fs::read(&pictures).expect("pictures");
        std::fs::write(&pictures, captioned(&plain)).expect("a file can be written");
        let source = format!("{QUIET} -f h264 -framerate 20 -i {}", pictures.display());
        let sound = if container == "fmp4" { "" } else { SOUND };
        Self::cut(&dir, count, &format!("{source} {sound} -c:v copy {CUT} -hls_segment_type {container}"))
    }

    fn encode(count: usize, container: &str) -> Self {
        let dir = TempDir::new().expect("a temporary folder");
        Self::cut(&dir, count, &format!("{ENCODE} {container}"))
    }

    fn cut(dir: &TempDir, count: usize, options: &str) -> Self {
        let options = format!("{options} -t {count}");
        let args = options.split_ascii_whitespace().map(PathBuf::from).chain([dir.path().join("out.m3u8")]);
        Tool::find("ffmpeg").run(args);
        let read = |name: String| std::fs::read(dir.path().join(name)).ok();
        let segment = |n| read(format!("out{n}.ts")).or_else(|| read(format!("out{n}.m4s")));
        let segments: Vec<_> = (0..count).map(|n| segment(n).expect("ffmpeg makes each segment")).collect();
        Self { init: read("init.mp4".into()), segments }
    }
}
