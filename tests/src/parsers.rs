//! Other people's HLS parsers: hls-parser from npm in its strict mode, and m3u8 from PyPI.

use std::path::Path;

use tempfile::TempDir;
use testkit::{Tool, hls, workspace};

/// Fails unless both parsers can read every one of these media playlists, and see as many segments as we do.
pub fn assert_others_can_read(texts: &[&str]) {
    let dir = TempDir::new().expect("a temporary folder");
    let file = dir.path().join("playlists.json");
    std::fs::write(&file, serde_json::to_vec(texts).expect("texts are JSON")).expect("a file can be written");
    let segments = |text: &&str| hls::read(text).expect("a playlist that we can read").segments.len();
    let ours: Vec<_> = texts.iter().map(segments).collect();
    let script = workspace().join("tests/parse_playlists.py");
    let theirs = [
        ("hls-parser", Tool::node_script("parse-playlists.mjs").run([&file])),
        ("m3u8", Tool::python().run([script.as_path(), Path::new(&file)])),
    ];
    for (name, counts) in theirs {
        let counts: Vec<usize> = serde_json::from_str(&counts).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(counts, ours, "{name} sees other segments");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINE: &str = "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:1\n#EXTINF:1.000,\n0.ts\n";

    #[test]
    fn what_is_fine_is_read() {
        assert_others_can_read(&[FINE]);
    }

    #[test]
    #[should_panic(expected = "parse-playlists.mjs")]
    fn what_is_wrong_is_refused() {
        assert_others_can_read(&[FINE, &FINE.replace("1.000", "2.000")]);
    }
}
