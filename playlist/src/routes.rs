//! What logs and metrics call the addresses under `/hls/`.
//!
//! A blocking reload has a name of its own: it takes as long as a segment does, and would drown what is slow for
//! other reasons.

use std::sync::Arc;

use service::RouteName;

use crate::address::Address;
use crate::metrics::Kind;

/// The names, made once.
#[derive(Debug)]
pub(crate) struct Routes {
    polled: [RouteName; Kind::COUNT],
    awaited: [RouteName; Kind::COUNT],
    gap: RouteName,
}

/// In the order of [`Kind`].
const NAMES: [&str; Kind::COUNT] = [
    "/hls/{id}/index.m3u8",
    "/hls/{id}/{rendition}/live.m3u8",
    "/hls/{id}/{rendition}/dvr.m3u8",
    "/hls/{id}/{rendition}/catchup.m3u8",
    "/hls/{id}/{rendition}/vod.m3u8",
    "/hls/{id}/{rendition}/{seq}",
    "/hls/{id}/{rendition}/init",
    "/hls/{id}/{rendition}/{seq}.jpg",
    "/hls/{id}/poster.jpg",
];

impl Routes {
    pub(crate) fn new() -> Self {
        let name = |name: &str| RouteName(Arc::from(name));
        Self {
            polled: NAMES.map(name),
            awaited: NAMES.map(|route| name(&format!("{route}?_HLS_msn"))),
            gap: name("/hls/{id}/{rendition}/gap"),
        }
    }

    pub(crate) fn of(&self, address: &Address) -> RouteName {
        let route = match address {
            Address::Playlist(address) if address.until_msn.is_some() => {
                &self.awaited[Kind::of_list(&address.list) as usize]
            }
            Address::Playlist(address) => &self.polled[Kind::of_list(&address.list) as usize],
            Address::Object(address) => &self.polled[Kind::of_object(address.object) as usize],
            Address::Still(address) => &self.polled[Kind::of_still(&address.of) as usize],
            Address::Gap => &self.gap,
        };
        route.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_its_name() {
        for (rest, expected) in [
            ("index.m3u8", "/hls/{id}/index.m3u8"),
            ("main/live.m3u8", "/hls/{id}/{rendition}/live.m3u8"),
            ("main/live.m3u8?_HLS_msn=3", "/hls/{id}/{rendition}/live.m3u8?_HLS_msn"),
            ("main/catchup.m3u8?from=3", "/hls/{id}/{rendition}/catchup.m3u8"),
            ("main/vod.m3u8?_HLS_msn=3", "/hls/{id}/{rendition}/vod.m3u8"),
            ("main/7.ts", "/hls/{id}/{rendition}/{seq}"),
            ("main/init-00000000000000000000000000000000.mp4", "/hls/{id}/{rendition}/init"),
            ("main/7.jpg?width=160", "/hls/{id}/{rendition}/{seq}.jpg"),
            ("poster.jpg", "/hls/{id}/poster.jpg"),
            ("main/gap-7.ts", "/hls/{id}/{rendition}/gap"),
        ] {
            let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
            let address = Address::parse(&format!("/hls/01kjahrq000000000000000007/{path}"), query).unwrap();
            assert_eq!(&*Routes::new().of(&address).0, expected);
        }
    }
}
