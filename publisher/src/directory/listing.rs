//! What a playlist on disk says. Pure: no I/O.
//!
//! Its writer may be at work on it: only whole lines count, so that what is cut off is a playlist that says less, and
//! never one that says something else.

use m3u8_rs::{KeyMethod, Playlist};
use percent_encoding::percent_decode_str;

/// A playlist, with paths relative to the directory that is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Listing {
    Media(MediaListing),
    /// The media playlists that a multivariant one names, in order.
    Multivariant(Vec<String>),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct MediaListing {
    /// In order; their numbers follow each other.
    pub(super) entries: Vec<Entry>,
    /// EXT-X-ENDLIST: nothing more will be listed.
    pub(super) closed: bool,
}

/// A segment as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its media sequence number, as the encoder counts.
    pub(super) number: u64,
    pub(super) file: FileName,
    /// Its init section (EXT-X-MAP).
    pub(super) map: Option<FileName>,
}

/// How a playlist names a file. Encoders differ in whether they encode what is special in an address (RFC 3986, 2.1):
/// the name as it is written comes first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileName {
    pub(super) written: String,
    pub(super) decoded: String,
}

/// A playlist that cannot be published, and never will be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    #[error("has byte ranges of one file (EXT-X-BYTERANGE): let the encoder write a file for each segment")]
    ByteRanges,
    #[error("is encrypted (EXT-X-KEY): let the encoder write it in clear, it is sent to your own server")]
    Encrypted,
    #[error("names {0:?}, which is not a file below the directory: let the encoder write all files below it")]
    Elsewhere(String),
}

/// Reads the playlist at `path`. `None` if it says nothing yet.
pub(super) fn read(path: &str, text: &[u8]) -> Result<Option<Listing>, Unfit> {
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
    match m3u8_rs::parse_playlist_res(&text[..whole]) {
        Err(_) => Ok(None),
        Ok(Playlist::MediaPlaylist(playlist)) => media(path, &playlist).map(|media| Some(Listing::Media(media))),
        Ok(Playlist::MasterPlaylist(playlist)) => {
            let variants = playlist.variants.iter().filter(|variant| !variant.is_i_frame).map(|variant| &variant.uri);
            let others = playlist.alternatives.iter().filter_map(|media| media.uri.as_ref());
            let mut paths: Vec<String> = Vec::new();
            for uri in variants.chain(others) {
                let named = resolve(path, uri)?.decoded;
                // Several variants may share one.
                if !paths.contains(&named) {
                    paths.push(named);
                }
            }
            Ok(Some(Listing::Multivariant(paths)))
        }
    }
}

fn media(path: &str, playlist: &m3u8_rs::MediaPlaylist) -> Result<MediaListing, Unfit> {
    let (mut entries, mut map) = (Vec::new(), None);
    let numbers = (0..).map_while(|nth| playlist.media_sequence.checked_add(nth));
    for (segment, number) in playlist.segments.iter().zip(numbers) {
        if segment.key.as_ref().is_some_and(|key| key.method != KeyMethod::None) {
            return Err(Unfit::Encrypted);
        }
        if let Some(new) = &segment.map {
            if new.byte_range.is_some() {
                return Err(Unfit::ByteRanges);
            }
            map = Some(resolve(path, &new.uri)?);
        }
        if segment.byte_range.is_some() {
            return Err(Unfit::ByteRanges);
        }
        // The last tags of a playlist may have lost their address.
        if !segment.uri.is_empty() {
            entries.push(Entry { number, file: resolve(path, &segment.uri)?, map: map.clone() });
        }
    }
    Ok(MediaListing { entries, closed: playlist.end_list })
}

fn resolve(base: &str, uri: &str) -> Result<FileName, Unfit> {
    let below = |uri: &str| below(base, uri);
    let plain = uri.split(['?', '#']).next().unwrap_or_default();
    let decoded = percent_decode_str(plain).decode_utf8_lossy();
    let elsewhere = || Unfit::Elsewhere(uri.to_owned());
    if uri.contains("://") || uri.starts_with('/') || decoded.contains('\0') {
        return Err(elsewhere());
    }
    let names = below(uri).zip(below(&decoded));
    names.map(|(written, decoded)| FileName { written, decoded }).ok_or_else(elsewhere)
}

/// The path of `uri`, as found in the playlist at `base`, without `.` and `..`; `None` if it leads out.
fn below(base: &str, uri: &str) -> Option<String> {
    let folder = base.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(uri.split('/')) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn media_of(path: &str, text: &str) -> MediaListing {
        match read(path, text.as_bytes()) {
            Ok(Some(Listing::Media(media))) => media,
            other => panic!("{other:?} of {text:?}"),
        }
    }

    fn listed(path: &str, text: &str) -> (Vec<(u64, String, Option<String>)>, bool) {
        let media = media_of(path, text);
        let entry = |entry: Entry| (entry.number, entry.file.decoded, entry.map.map(|map| map.decoded));
        (media.entries.into_iter().map(entry).collect(), media.closed)
    }

    const TWO_MAPS: &str = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:7\n\
        #EXT-X-MAP:URI=\"i0.mp4\"\n#EXTINF:2,\na%207.m4s\n#EXTINF:2,\na8.m4s?x=1\n#EXT-X-DISCONTINUITY\n\
        #EXT-X-MAP:URI=\"i1.mp4\"\n#EXTINF:2,\n../b/9.m4s\n#EXT-X-ENDLIST\n";

    #[test]
    fn each_segment_has_its_number_and_its_own_init_section() {
        let expected = vec![
            (7, "v/a 7.m4s".to_owned(), Some("v/i0.mp4".to_owned())),
            (8, "v/a8.m4s".to_owned(), Some("v/i0.mp4".to_owned())),
            (9, "b/9.m4s".to_owned(), Some("v/i1.mp4".to_owned())),
        ];
        assert_eq!(listed("v/out.m3u8", TWO_MAPS), (expected, true));
        assert_eq!(media_of("v/out.m3u8", TWO_MAPS).entries[0].file.written, "v/a%207.m4s");
    }

    #[test]
    fn what_is_cut_off_says_less_and_nothing_else() {
        let all = media_of("v/out.m3u8", TWO_MAPS);
        for len in 0..TWO_MAPS.len() {
            match read("v/out.m3u8", &TWO_MAPS.as_bytes()[..len]) {
                Ok(None) => {}
                Ok(Some(Listing::Media(part))) => {
                    assert!(!part.closed, "{len}");
                    assert_eq!(part.entries, all.entries[..part.entries.len()], "{len}");
                }
                other => panic!("{other:?} of {len} bytes"),
            }
        }
    }

    #[test]
    fn a_multivariant_playlist_names_each_of_the_others_once() {
        let text = "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"a\",URI=\"a.m3u8\"\n\
                    #EXT-X-STREAM-INF:BANDWIDTH=1000,AUDIO=\"a\"\nv0/v.m3u8\n\
                    #EXT-X-STREAM-INF:BANDWIDTH=2000,AUDIO=\"a\"\nv0/v.m3u8\n";
        let expected = Listing::Multivariant(vec!["v0/v.m3u8".into(), "a.m3u8".into()]);
        assert_eq!(read("master.m3u8", text.as_bytes()), Ok(Some(expected)));
    }

    #[test]
    fn what_cannot_be_published_is_told() {
        let check = |lines: &str, unfit: Unfit| {
            let text = format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n{lines}\n");
            assert_eq!(read("out.m3u8", text.as_bytes()), Err(unfit));
        };
        let elsewhere = |uri: &str| Unfit::Elsewhere(uri.to_owned());
        check("#EXTINF:2,\n#EXT-X-BYTERANGE:10@0\nall.ts", Unfit::ByteRanges);
        check("#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n#EXTINF:2,\na.ts", Unfit::Encrypted);
        for uri in ["http://host/a.ts", "/etc/passwd", "../a.ts", "v/../../a.ts", "%2e%2e/a.ts", ".."] {
            check(&format!("#EXTINF:2,\n{uri}"), elsewhere(uri));
        }
    }

    #[test]
    fn nothing_yet_is_nothing() {
        for text in ["", "#EXTM3", "#EXTM3U", "hello\n"] {
            assert_eq!(read("x.m3u8", text.as_bytes()), Ok(None), "{text:?}");
        }
    }
}
