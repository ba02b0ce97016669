//! The frames of a film, as ffmpeg finds them: whether two films are the same to whoever watches them.

use std::collections::BTreeMap;
use std::path::Path;

use tempfile::TempDir;
use testkit::Tool;

/// Of each elementary stream, each frame's size and hash, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frames(BTreeMap<String, Vec<String>>);

impl Frames {
    /// Of a file.
    ///
    /// # Panics
    /// If ffmpeg cannot read it.
    pub(crate) fn of_file(file: &Path) -> Self {
        let args =
            ["-v", "error", "-i", file.to_str().expect("UTF-8"), "-map", "0", "-c", "copy", "-f", "framemd5", "-"];
        let mut streams: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for line in Tool::find("ffmpeg").run(args).lines().filter(|line| !line.starts_with('#')) {
            let columns: Vec<_> = line.split(',').map(str::trim).collect();
            let [stream, _dts, _pts, _duration, size, hash, ..] = columns[..] else { panic!("no frame: {line:?}") };
            streams.entry(stream.to_owned()).or_default().push(format!("{size} {hash}"));
        }
        Self(streams)
    }

    /// Of segments of MPEG-TS, one after the other.
    pub(crate) fn of_segments(segments: &[Vec<u8>]) -> Self {
        let dir = TempDir::new().expect("a temporary folder");
        let file = dir.path().join("vod.ts");
        std::fs::write(&file, segments.concat()).expect("there is room");
        Self::of_file(&file)
    }

    pub(crate) fn count(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    /// How many of these frames are not in `other` before its end, if all of `other` are, in this order.
    pub(crate) fn missing_in(&self, other: &Self) -> Result<usize, String> {
        let mut missing = 0;
        for (stream, frames) in &other.0 {
            let ours = self.0.get(stream).ok_or_else(|| format!("there is no stream {stream}"))?;
            let mut left = ours.iter();
            if let Some(place) = frames.iter().position(|frame| !left.any(|our| our == frame)) {
                return Err(format!("frame {place} of stream {stream} is not of this film, or not in its place"));
            }
            missing += ours.len() - left.len() - frames.len();
        }
        Ok(missing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(streams: &[(&str, &str)]) -> Frames {
        let of = |text: &str| text.chars().map(|frame| frame.to_string()).collect();
        Frames(streams.iter().map(|(stream, text)| ((*stream).to_owned(), of(text))).collect())
    }

    #[test]
    fn frames_are_missing_or_wrong() {
        let film = frames(&[("0", "abcdef"), ("1", "xyz")]);
        let cases = [("abcdef", "xyz", Ok(0)), ("abc", "", Ok(0)), ("acf", "xz", Ok(4)), ("f", "xyz", Ok(5))];
        for (picture, sound, expected) in cases {
            assert_eq!(film.missing_in(&frames(&[("0", picture), ("1", sound)])), expected);
        }
        for (picture, sound) in [("ba", ""), ("aab", ""), ("abcdeff", ""), ("", "a")] {
            assert!(film.missing_in(&frames(&[("0", picture), ("1", sound)])).is_err(), "{picture} {sound}");
        }
        assert!(film.missing_in(&frames(&[("2", "a")])).is_err());
    }
}
