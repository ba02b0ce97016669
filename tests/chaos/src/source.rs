//! What is recorded: a film that was encoded before, so that its frames are known, played in real time.

use std::path::{Path, PathBuf};

use headwater_tests::Program;
use tempfile::TempDir;
use testkit::Tool;

/// A film with picture and sound, a keyframe each second.
#[derive(Debug)]
pub(crate) struct Source {
    dir: TempDir,
    pub(crate) seconds: u32,
    /// As it is pushed, in bits per second.
    pub(crate) bits_per_s: u64,
}

const PICTURE: &str = "testsrc2=s=192x108:r=15";
const ENCODE: &str = "-c:v libx264 -preset ultrafast -g 15 -keyint_min 15 -sc_threshold 0 -x264-params nal-hrd=cbr \
                      -c:a aac -b:a 24k -ac 1 -f mpegts -y";
/// Gives its segments as they are cut, each on a connection of its own, and goes on when nobody takes them.
const PUSH: &str = "-map 0 -c copy -f hls -hls_time 1 -method PUT -http_persistent 0 -ignore_io_errors 1";

impl Source {
    /// A film of so many seconds, whose picture has so many kilobits each second.
    pub(crate) fn new(seconds: u32, picture_kbit: u32) -> Self {
        let dir = TempDir::new().expect("a temporary folder");
        let file = dir.path().join("source.ts");
        let rate = format!("-b:v {picture_kbit}k -minrate {picture_kbit}k -maxrate {picture_kbit}k");
        let buffer = format!("-bufsize {picture_kbit}k");
        let (sound, length) = ("sine=f=440:r=22050", seconds.to_string());
        let mut args = words("-hide_banner -loglevel error -nostdin -f lavfi -i");
        args.extend(words(PICTURE));
        args.extend(words("-f lavfi -i"));
        args.extend(words(sound));
        args.extend(["-t".to_owned(), length]);
        args.extend([words(&rate), words(&buffer), words(ENCODE)].concat());
        args.push(file.to_str().expect("UTF-8").to_owned());
        Tool::find("ffmpeg").run(args);
        let bytes = std::fs::metadata(&file).expect("ffmpeg has made it").len();
        Self { dir, seconds, bits_per_s: bytes * 8 / u64::from(seconds) }
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.dir.path().join("source.ts")
    }

    /// Begins to push it, in real time, to this address.
    pub(crate) fn push(&self, url: &str) -> Program {
        let mut args = words("-hide_banner -loglevel warning -nostdin -re -i");
        args.push(self.file().to_str().expect("UTF-8").to_owned());
        args.extend(words(PUSH));
        args.push(format!("{url}out.m3u8"));
        Program::start(&Tool::find("ffmpeg"), args)
    }
}

fn words(text: &str) -> Vec<String> {
    text.split_ascii_whitespace().map(str::to_owned).collect()
}

/// The segments that a publisher has in its spool, in order.
pub(crate) fn segments_of(spool: &Path) -> Vec<Vec<u8>> {
    let read = |path: &PathBuf| std::fs::read(path).expect("it was listed");
    segment_files(spool).iter().map(read).collect()
}

/// The files of segments below a folder, by the order of their names.
pub(crate) fn segment_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    collect(folder, &mut found);
    found.sort_by(|one, other| one.file_name().cmp(&other.file_name()));
    found
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    // Folders may go while they are looked through.
    for entry in std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "ts")
            && path.parent().is_some_and(|parent| parent.ends_with("main"))
        {
            found.push(path);
        }
    }
}
