//! What a pushed playlist tells us. It is a hint: which name has which media sequence number, which init section, and
//! that the pusher has closed it. The segments are the truth.

use std::collections::BTreeMap;

use m3u8_rs::Playlist;
use percent_encoding::percent_decode_str;

/// The longest playlist that is read, in bytes: a day of one-second segments.
pub(crate) const PLAYLIST_LEN_MAX: u64 = 8 << 20;

/// A pushed playlist, with paths as their pusher would push them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Hint {
    Media(MediaHint),
    /// The media playlists that a multivariant one names, in order.
    Multivariant(Vec<String>),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct MediaHint {
    /// Media sequence numbers by path.
    pub(crate) numbers: BTreeMap<String, u64>,
    /// The path of the last EXT-X-MAP.
    pub(crate) map: Option<String>,
    pub(crate) first: Option<u64>,
    pub(crate) closed: bool,
}

/// A body that is no playlist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not an HLS playlist")]
pub(crate) struct NotAPlaylist;

/// Reads the playlist that was pushed to `path`.
pub(crate) fn read(path: &str, text: &[u8]) -> Result<Hint, NotAPlaylist> {
    match m3u8_rs::parse_playlist_res(text).map_err(|_| NotAPlaylist)? {
        Playlist::MediaPlaylist(playlist) => Ok(Hint::Media(media_hint(path, &playlist))),
        Playlist::MasterPlaylist(playlist) => {
            let variants = playlist.variants.iter().filter(|variant| !variant.is_i_frame).map(|variant| &variant.uri);
            let others = playlist.alternatives.iter().filter_map(|media| media.uri.as_ref());
            Ok(Hint::Multivariant(variants.chain(others).map(|uri| resolve(path, uri)).collect()))
        }
    }
}

fn media_hint(path: &str, playlist: &m3u8_rs::MediaPlaylist) -> MediaHint {
    let mut hint = MediaHint { closed: playlist.end_list, ..MediaHint::default() };
    let numbers = (0..).map_while(|nth| playlist.media_sequence.checked_add(nth));
    for (segment, number) in playlist.segments.iter().zip(numbers) {
        hint.first.get_or_insert(number);
        hint.numbers.insert(resolve(path, &segment.uri), number);
        if let Some(map) = &segment.map {
            hint.map = Some(resolve(path, &map.uri));
        }
    }
    hint
}

/// The path of `uri` as found in the playlist at `base`. Of an absolute address only what follows a shared folder is
/// known to us: its last part.
fn resolve(base: &str, uri: &str) -> String {
    let (uri, query) = uri.split_once('?').unwrap_or((uri, ""));
    // The YouTube form, where the path is a parameter.
    if let Some(file) = query.split(['&', '#']).find_map(|parameter| parameter.strip_prefix("file=")) {
        return normalize(&percent_decode_str(file).decode_utf8_lossy());
    }
    let uri = uri.split('#').next().unwrap_or_default();
    // Their pusher writes them encoded (RFC 3986, 2.1); what we are asked for is decoded before we see it.
    let uri = percent_decode_str(uri).decode_utf8_lossy();
    let folder = base.rsplit_once('/').map(|(folder, _)| folder);
    let name: &str =
        if uri.contains("://") || uri.starts_with('/') { uri.rsplit('/').next().unwrap_or_default() } else { &uri };
    normalize(&folder.map_or_else(|| name.to_owned(), |folder| format!("{folder}/{name}")))
}

/// Without `.`, `..` and empty parts.
pub(crate) fn normalize(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_media_playlist_numbers_its_segments() {
        let text = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:4\n#EXT-X-MAP:URI=\"init.mp4\"\n\
                    #EXTINF:1.0,\nout4.m4s\n#EXTINF:0.213,\n\nout5.m4s\n#EXT-X-ENDLIST\n";
        let Ok(Hint::Media(hint)) = read("v0/out.m3u8", text.as_bytes()) else { panic!("a media playlist") };
        assert_eq!(hint.numbers, BTreeMap::from([("v0/out4.m4s".to_owned(), 4), ("v0/out5.m4s".to_owned(), 5)]));
        assert_eq!((hint.map.as_deref(), hint.first, hint.closed), (Some("v0/init.mp4"), Some(4), true));
    }

    #[test]
    fn a_multivariant_playlist_names_the_others() {
        let text = "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"a\",URI=\"a.m3u8\"\n\
                    #EXT-X-STREAM-INF:BANDWIDTH=1000,AUDIO=\"a\"\nv.m3u8\n";
        assert_eq!(
            read("master.m3u8", text.as_bytes()),
            Ok(Hint::Multivariant(vec!["v.m3u8".into(), "a.m3u8".into()]))
        );
    }

    #[test]
    fn numbers_end_where_they_end() {
        let text = format!("#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:{}\n#EXTINF:1,\na.ts\n#EXTINF:1,\nb.ts\n", u64::MAX);
        let Ok(Hint::Media(hint)) = read("x.m3u8", text.as_bytes()) else { panic!("a media playlist") };
        assert_eq!(hint.numbers, BTreeMap::from([("a.ts".to_owned(), u64::MAX)]));
    }

    #[test]
    fn anything_else_is_none() {
        for text in [&b""[..], b"hello", b"\xff\xfe", b"#EXTM3"] {
            assert_eq!(read("x.m3u8", text), Err(NotAPlaylist));
        }
    }

    #[test]
    fn paths_are_those_that_are_pushed() {
        let check = |base, uri, path: &str| assert_eq!(resolve(base, uri), path);
        check("out.m3u8", "seg1.ts", "seg1.ts");
        check("a/out.m3u8", "../b/./seg1.ts?x=1", "b/seg1.ts");
        check("a/out.m3u8", "http://host/push/token/a/seg1.ts", "a/seg1.ts");
        check("out.m3u8", "../../../etc/passwd", "etc/passwd");
        check("mein live.m3u8", "mein%20live%2B%C3%BC7.ts", "mein live+ü7.ts");
        check("out.m3u8", "http_upload_hls?cid=token&copy=0&file=out7.ts", "out7.ts");
    }
}
