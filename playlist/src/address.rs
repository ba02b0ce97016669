//! What a request asks for: the addresses under `/hls/`, the delivery directives and the width of a picture, parsed once.
//!
//! Each thing has one address, so that caches keep it once. Unknown query parameters are ignored: players and
//! networks add their own.

use broadcast::{BroadcastId, Container, Digest, Extent, Generation, RenditionName, Seq, View};

/// What a request under `/hls/` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    Playlist(PlaylistAddress),
    Object(ObjectAddress),
    Still(StillAddress),
    /// What EXT-X-GAP stands before: there is never anything there.
    Gap,
}

/// A playlist, and how new it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PlaylistAddress {
    pub(crate) id: BroadcastId,
    pub(crate) list: List,
    /// `_HLS_msn`: wait until there is an entry with this media sequence number.
    pub(crate) until_msn: Option<u64>,
}

/// Which playlist of a broadcast.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum List {
    /// `None`: the view that suits how the broadcast stands.
    Multivariant(Option<View>),
    Media {
        rendition: RenditionName,
        view: View,
        /// Of live and dvr; the others have but one.
        generation: Generation,
        extent: Extent,
    },
}

impl List {
    /// The same, and no delta update of it.
    pub(crate) fn whole(mut self) -> Self {
        if let Self::Media { extent, .. } = &mut self {
            *extent = Extent::Whole;
        }
        self
    }
}

/// Something that is kept in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ObjectAddress {
    pub(crate) id: BroadcastId,
    pub(crate) rendition: RenditionName,
    pub(crate) object: ObjectName,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ObjectName {
    Segment { seq: Seq, container: Container },
    Init { digest: Digest },
}

/// A picture of a broadcast.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StillAddress {
    pub(crate) id: BroadcastId,
    pub(crate) of: StillOf,
    pub(crate) width: Width,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StillOf {
    /// Whatever is the newest.
    Poster,
    Segment {
        rendition: RenditionName,
        seq: Seq,
    },
}

/// How wide a picture is at most, in pixels: few widths, so that caches and this server make few of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Width {
    W160,
    W320,
    #[default]
    W640,
    W1280,
}

impl Width {
    pub(crate) fn pixels(self) -> u32 {
        match self {
            Self::W160 => 160,
            Self::W320 => 320,
            Self::W640 => 640,
            Self::W1280 => 1280,
        }
    }
}

/// Why a request asks for nothing that there could be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AddressError {
    #[error("no playlist and no segment has an address like this")]
    Unknown,
    #[error("{name}={value:?}: {expected}")]
    Parameter { name: &'static str, value: String, expected: &'static str },
    #[error("a catch-up playlist begins somewhere: give from={{seq}}, the number of its first segment")]
    FromMissing,
    #[error("_HLS_part without _HLS_msn")]
    PartWithoutMsn,
}

impl Address {
    /// `path` is that of the request, and begins with `/hls/`.
    pub(crate) fn parse(path: &str, query: &str) -> Result<Self, AddressError> {
        let path = path.strip_prefix("/hls/").ok_or(AddressError::Unknown)?;
        let mut parts = path.splitn(3, '/');
        let mut part = || parts.next().ok_or(AddressError::Unknown);
        let (id, second) = (part()?.parse().map_err(|_| AddressError::Unknown)?, part()?);
        let Some(file) = parts.next() else {
            return multivariant(id, second, query);
        };
        let rendition = second.parse().map_err(|_| AddressError::Unknown)?;
        in_rendition(id, rendition, file, query)
    }
}

fn multivariant(id: BroadcastId, file: &str, query: &str) -> Result<Address, AddressError> {
    if file == "poster.jpg" {
        let width = Query::parse(query)?.width()?;
        return Ok(Address::Still(StillAddress { id, of: StillOf::Poster, width }));
    }
    if file != "index.m3u8" {
        return Err(AddressError::Unknown);
    }
    let query = Query::parse(query)?;
    let list = List::Multivariant(query.view()?);
    Ok(Address::Playlist(PlaylistAddress { id, list, until_msn: None }))
}

fn in_rendition(id: BroadcastId, rendition: RenditionName, file: &str, query: &str) -> Result<Address, AddressError> {
    if let Some(name) = file.strip_suffix(".m3u8") {
        let query = Query::parse(query)?;
        let (name, generation) = generation_in(name);
        let view = view_of(name, &query)?.ok_or(AddressError::Unknown)?;
        let (extent, until_msn) = query.directives(view)?;
        let list = List::Media { rendition, view, generation, extent };
        return Ok(Address::Playlist(PlaylistAddress { id, list, until_msn }));
    }
    if let Some(digest) = file.strip_prefix("init-").and_then(|file| file.strip_suffix(".mp4")) {
        let object = ObjectName::Init { digest: digest.parse().map_err(|_| AddressError::Unknown)? };
        return Ok(Address::Object(ObjectAddress { id, rendition, object }));
    }
    let (stem, extension) = file.rsplit_once('.').ok_or(AddressError::Unknown)?;
    let seq = || Some(stem).filter(|stem| is_plain_number(stem)).and_then(|stem| stem.parse().ok());
    if extension == "jpg" {
        let (seq, width) = (seq().ok_or(AddressError::Unknown)?, Query::parse(query)?.width()?);
        return Ok(Address::Still(StillAddress { id, of: StillOf::Segment { rendition, seq }, width }));
    }
    let container = Container::from_extension(extension).ok_or(AddressError::Unknown)?;
    if stem.strip_prefix("gap-").is_some_and(is_plain_number) {
        return Ok(Address::Gap);
    }
    let object = ObjectName::Segment { seq: seq().ok_or(AddressError::Unknown)?, container };
    Ok(Address::Object(ObjectAddress { id, rendition, object }))
}

/// Digits without leading zeros: one spelling for each number.
fn is_plain_number(text: &str) -> bool {
    !text.is_empty() && (text == "0" || !text.starts_with('0')) && text.bytes().all(|b| b.is_ascii_digit())
}

/// `live-7` is the generation `-7` of live.
fn generation_in(name: &str) -> (&str, Generation) {
    let named = |view: &'static str| Some((view, name.strip_prefix(view)?.parse().ok()?));
    let found = ["live", "dvr"].into_iter().find_map(named);
    found.unwrap_or((name, Generation::default()))
}

fn view_of(name: &str, query: &Query<'_>) -> Result<Option<View>, AddressError> {
    Ok(Some(match name {
        "live" => View::Live,
        "dvr" => View::Dvr,
        "vod" => View::Vod,
        "catchup" => View::CatchUp { from: query.from()? },
        _ => return Ok(None),
    }))
}

/// The parameters that mean something here, as they were given.
#[derive(Default)]
struct Query<'a> {
    view: Option<&'a str>,
    from: Option<&'a str>,
    msn: Option<&'a str>,
    part: Option<&'a str>,
    skip: Option<&'a str>,
    width: Option<&'a str>,
}

impl<'a> Query<'a> {
    /// Of parameters given twice the last one counts, unless they differ.
    fn parse(text: &'a str) -> Result<Self, AddressError> {
        let mut query = Self::default();
        for parameter in text.split('&') {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let (name, slot) = match name {
                "view" => ("view", &mut query.view),
                "from" => ("from", &mut query.from),
                "_HLS_msn" => ("_HLS_msn", &mut query.msn),
                "_HLS_part" => ("_HLS_part", &mut query.part),
                "_HLS_skip" => ("_HLS_skip", &mut query.skip),
                "width" => ("width", &mut query.width),
                _ => continue,
            };
            if slot.is_some_and(|before| before != value) {
                return Err(parameter_error(name, value, "given twice, and differently"));
            }
            *slot = Some(value);
        }
        Ok(query)
    }

    fn view(&self) -> Result<Option<View>, AddressError> {
        let expected = "live, dvr, vod or catchup is expected";
        let view = |name| view_of(name, self)?.ok_or_else(|| parameter_error("view", name, expected));
        self.view.map(view).transpose()
    }

    fn from(&self) -> Result<Seq, AddressError> {
        let from = self.from.ok_or(AddressError::FromMissing)?;
        from.parse().map_err(|_| parameter_error("from", from, "the number of a segment is expected, 0 to 2^40"))
    }

    fn width(&self) -> Result<Width, AddressError> {
        match self.width {
            None => Ok(Width::default()),
            Some("160") => Ok(Width::W160),
            Some("320") => Ok(Width::W320),
            Some("640") => Ok(Width::W640),
            Some("1280") => Ok(Width::W1280),
            Some(other) => Err(parameter_error("width", other, "160, 320, 640 or 1280 is expected")),
        }
    }

    /// The delivery directives. A vod playlist never changes, so that there they mean nothing (RFC 8216bis, 6.2.5).
    fn directives(&self, view: View) -> Result<(Extent, Option<u64>), AddressError> {
        if view == View::Vod {
            return Ok((Extent::Whole, None));
        }
        let msn = self.msn.map(|msn| number("_HLS_msn", msn)).transpose()?;
        let part = self.part.map(|part| number("_HLS_part", part)).transpose()?;
        if part.is_some() && msn.is_none() {
            return Err(AddressError::PartWithoutMsn);
        }
        let extent = match self.skip {
            Some("YES" | "v2") if msn.is_some() => Extent::Delta,
            // A delta update is an offer that a server need not take up: what we do not know gets the whole. So does who
            // does not say how far it has come: more may have been listed at once than a delta update tells.
            _ => Extent::Whole,
        };
        Ok((extent, msn))
    }
}

fn number(name: &'static str, value: &str) -> Result<u64, AddressError> {
    let plain = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
    let number = value.parse().ok().filter(|_| plain);
    number.ok_or_else(|| parameter_error(name, value, "a number is expected"))
}

fn parameter_error(name: &'static str, value: &str, expected: &'static str) -> AddressError {
    AddressError::Parameter { name, value: value.chars().take(40).collect(), expected }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01kjahrq000000000000000007";

    fn parse(rest: &str) -> Result<Address, AddressError> {
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        Address::parse(&format!("/hls/{ID}/{path}"), query)
    }

    fn media(view: View, extent: Extent, until_msn: Option<u64>) -> Address {
        of_generation("", view, extent, until_msn)
    }

    fn of_generation(generation: &str, view: View, extent: Extent, until_msn: Option<u64>) -> Address {
        let generation = generation.parse().unwrap();
        let list = List::Media { rendition: RenditionName::main(), view, generation, extent };
        Address::Playlist(PlaylistAddress { id: ID.parse().unwrap(), list, until_msn })
    }

    #[test]
    fn playlists_have_addresses() {
        let from = View::CatchUp { from: Seq(7) };
        for (rest, expected) in [
            ("main/live.m3u8", media(View::Live, Extent::Whole, None)),
            ("main/live.m3u8?token=x&_HLS_msn=12", media(View::Live, Extent::Whole, Some(12))),
            ("main/live.m3u8?_HLS_msn=12&_HLS_part=0", media(View::Live, Extent::Whole, Some(12))),
            ("main/dvr.m3u8?_HLS_skip=YES", media(View::Dvr, Extent::Whole, None)),
            ("main/dvr.m3u8?_HLS_msn=3&_HLS_skip=v2&_HLS_skip=v2", media(View::Dvr, Extent::Delta, Some(3))),
            ("main/dvr.m3u8?_HLS_msn=3&_HLS_skip=v3", media(View::Dvr, Extent::Whole, Some(3))),
            ("main/catchup.m3u8?from=7&_HLS_msn=9&_HLS_skip=YES", media(from, Extent::Delta, Some(9))),
            ("main/vod.m3u8?_HLS_msn=9&_HLS_skip=YES", media(View::Vod, Extent::Whole, None)),
            ("main/live-7.m3u8?_HLS_msn=12", of_generation("-7", View::Live, Extent::Whole, Some(12))),
            ("main/dvr-1790000000000.m3u8", of_generation("-1790000000000", View::Dvr, Extent::Whole, None)),
        ] {
            assert_eq!(parse(rest), Ok(expected), "{rest}");
        }
        for (rest, view) in [
            ("index.m3u8", None),
            ("index.m3u8?view=dvr", Some(View::Dvr)),
            ("index.m3u8?view=catchup&from=7", Some(from)),
        ] {
            let list = List::Multivariant(view);
            let expected = Address::Playlist(PlaylistAddress { id: ID.parse().unwrap(), list, until_msn: None });
            assert_eq!(parse(rest), Ok(expected), "{rest}");
        }
    }

    #[test]
    fn objects_have_addresses() {
        let digest = Digest([0xab; 16]);
        let init = format!("main/init-{digest}.mp4");
        for (rest, object) in [
            ("main/0.ts", ObjectName::Segment { seq: Seq(0), container: Container::Ts }),
            ("main/1099511627776.m4s", ObjectName::Segment { seq: Seq::MAX, container: Container::M4s }),
            (&init, ObjectName::Init { digest }),
        ] {
            let (id, rendition) = (ID.parse().unwrap(), RenditionName::main());
            assert_eq!(parse(rest), Ok(Address::Object(ObjectAddress { id, rendition, object })), "{rest}");
        }
        assert_eq!(parse("main/gap-12.ts"), Ok(Address::Gap));
    }

    #[test]
    fn pictures_have_addresses() {
        let of = StillOf::Segment { rendition: RenditionName::main(), seq: Seq(7) };
        for (rest, of, width) in [
            ("main/7.jpg", of.clone(), Width::W640),
            ("main/7.jpg?width=160", of, Width::W160),
            ("poster.jpg?width=1280&x=1", StillOf::Poster, Width::W1280),
        ] {
            let id = ID.parse().unwrap();
            assert_eq!(parse(rest), Ok(Address::Still(StillAddress { id, of, width })), "{rest}");
        }
    }

    #[test]
    fn other_addresses_lead_nowhere() {
        for rest in [
            "",
            "main",
            "main/",
            "index.m3u",
            "main/index.m3u8",
            "main/x.m3u8",
            "Main/live.m3u8",
            "main/live.m3u8/",
            "main/live-.m3u8",
            "main/live-0.m3u8",
            "main/live-07.m3u8",
            "main/live-+7.m3u8",
            "main/live--7.m3u8",
            "main/live7.m3u8",
            "main/live-18446744073709551616.m3u8",
            "main/vod-7.m3u8",
            "main/catchup-7.m3u8",
            "main/01.ts",
            "main/-1.ts",
            "main/.ts",
            "main/1.mp4",
            "main/01.jpg",
            "main/gap-1.jpg",
            "main/poster.jpg",
            "1.jpg",
            "main/gap-.ts",
            "main/gap-01.ts",
            "main/init-.mp4",
            "main/1099511627777.ts",
            "main/%31.ts",
            "../1.ts",
            "main/../1.ts",
            "main/a/1.ts",
        ] {
            assert_eq!(parse(rest), Err(AddressError::Unknown), "{rest}");
        }
        for path in ["/", "/hls/", "/hls/x/index.m3u8", "/hls/01KJAHRQ000000000000000007/index.m3u8", "/x"] {
            assert_eq!(Address::parse(path, ""), Err(AddressError::Unknown), "{path}");
        }
    }

    #[test]
    fn bad_parameters_are_named() {
        for (rest, expected) in [
            (
                "main/catchup.m3u8",
                "a catch-up playlist begins somewhere: give from={seq}, the number of its first segment",
            ),
            ("main/catchup.m3u8?from=x", "from=\"x\": the number of a segment is expected, 0 to 2^40"),
            (
                "main/catchup.m3u8?from=1099511627777",
                "from=\"1099511627777\": the number of a segment is expected, 0 to 2^40",
            ),
            ("main/live.m3u8?_HLS_part=0", "_HLS_part without _HLS_msn"),
            ("main/live.m3u8?_HLS_msn=-1", "_HLS_msn=\"-1\": a number is expected"),
            ("main/live.m3u8?_HLS_msn=", "_HLS_msn=\"\": a number is expected"),
            ("main/live.m3u8?_HLS_msn=1&_HLS_msn=2", "_HLS_msn=\"2\": given twice, and differently"),
            ("main/live.m3u8?_HLS_msn=1&_HLS_part=x", "_HLS_part=\"x\": a number is expected"),
            ("poster.jpg?width=161", "width=\"161\": 160, 320, 640 or 1280 is expected"),
            ("main/1.jpg?width=", "width=\"\": 160, 320, 640 or 1280 is expected"),
            ("index.m3u8?view=x", "view=\"x\": live, dvr, vod or catchup is expected"),
            (
                "index.m3u8?view=catchup",
                "a catch-up playlist begins somewhere: give from={seq}, the number of its first segment",
            ),
        ] {
            assert_eq!(parse(rest).unwrap_err().to_string(), expected, "{rest}");
        }
    }
}
