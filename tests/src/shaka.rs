//! Shaka Packager as a publisher: ffmpeg encodes in real time into a pipe, the packager cuts and pushes.

use tempfile::TempDir;
use testkit::Tool;

use crate::program::Program;

/// How the packager is to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packaging {
    /// Picture and sound in one MPEG-TS rendition each.
    Ts,
    /// Picture and sound in one fragmented-MP4 rendition each.
    Fmp4,
}

/// A packager and the ffmpeg that feeds it. Both are killed when this is dropped.
#[derive(Debug)]
pub struct Shaka {
    pub packager: Program,
    _ffmpeg: Program,
    _dir: TempDir,
}

const ENCODE: &str = "-hide_banner -nostdin -re -f lavfi -i testsrc2=s=160x120:r=15 -re -f lavfi -i sine=f=440:r=44100 \
                      -t 10 -c:v libx264 -preset ultrafast -g 15 -keyint_min 15 -sc_threshold 0 -c:a aac -f mpegts -y";
const PACKAGE: &str =
    "--io_block_size 65536 --segment_duration 2 --hls_playlist_type LIVE --time_shift_buffer_depth 60";

impl Shaka {
    /// Starts pushing to this address.
    pub fn push(url: &str, packaging: Packaging) -> Self {
        let dir = TempDir::new().expect("a temporary folder");
        let pipe = dir.path().join("pipe").to_str().expect("UTF-8").to_owned();
        Tool::find("mkfifo").run([&pipe]);
        let encode = ENCODE.split_ascii_whitespace().chain([pipe.as_str()]);
        let ffmpeg = Program::start(&Tool::find("ffmpeg"), encode);
        let stream = |kind: &str, name: &str| match packaging {
            Packaging::Ts => {
                format!("in={pipe},stream={kind},segment_template={url}{name}-$Number$.ts,playlist_name={name}.m3u8")
            }
            Packaging::Fmp4 => format!(
                "in={pipe},stream={kind},init_segment={url}{name}-init.mp4,segment_template={url}{name}-$Number$.m4s,\
                 playlist_name={name}.m3u8"
            ),
        };
        let sound = stream("audio", "a") + ",hls_group_id=sound,hls_name=sound";
        let master = format!("{url}master.m3u8");
        let mut args = vec![stream("video", "v"), sound];
        args.extend(PACKAGE.split_ascii_whitespace().map(str::to_owned));
        args.extend(["--hls_master_playlist_output".to_owned(), master]);
        Self { packager: Program::start(&Tool::packager(), args), _ffmpeg: ffmpeg, _dir: dir }
    }
}
