//! The addresses under `/hls/` as an `OpenAPI` document, to be merged with those of other roles.

use utoipa::openapi::path::{HttpMethod, OperationBuilder, Parameter, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{ContentBuilder, InfoBuilder, OpenApi, OpenApiBuilder, PathsBuilder, Required, ResponseBuilder};

/// One address: its path, operation id, summary, query parameters, media type, and what its errors mean.
struct Endpoint {
    path: &'static str,
    id: &'static str,
    summary: &'static str,
    query: &'static [Query],
    media_type: &'static str,
    errors: &'static [(u16, &'static str)],
}

/// A query parameter: its name, what it does, and whether it must be given.
struct Query(&'static str, &'static str, Required);

const MSN: Query = Query("_HLS_msn", "Wait until there is an entry with this media sequence number", Required::False);
const SKIP: Query = Query("_HLS_skip", "YES or v2, together with _HLS_msn: a Playlist Delta Update", Required::False);
const RELOAD: &[Query] = &[MSN, SKIP];
const NOT_THERE: (u16, &str) = (404, "Nothing is there, or nothing yet: then with Retry-After");
const AWAY: (u16, &str) = (503, "The metadata store is away, too many wait, or nothing came in time");
const PLAYLIST: &str = "application/vnd.apple.mpegurl";
const GONE: (u16, &str) = (410, "The broadcast goes on at another address, which the Multivariant Playlist names");
const ARRIVAL_ERRORS: &[(u16, &str)] = &[(400, "A parameter is wrong, or too far ahead"), NOT_THERE, GONE, AWAY];
const PLAYLIST_ERRORS: &[(u16, &str)] = &[(400, "A parameter is wrong, or too far ahead"), NOT_THERE, AWAY];
const OBJECT_ERRORS: &[(u16, &str)] =
    &[NOT_THERE, (416, "The range lies outside"), (500, "The object is lost"), (503, "The store is away")];

const STILL: &[Query] =
    &[Query("width", "160, 320, 640 or 1280: how wide it is at most, in pixels; 640 without it", Required::False)];
const STILL_ERRORS: &[(u16, &str)] = &[
    (404, "There is no such segment, or nothing in it can be seen"),
    (501, "ffmpeg is not installed on this server"),
    (503, "Too many pictures are asked for at once, or the store is away"),
];

const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        path: "/hls/{id}/index.m3u8",
        id: "multivariant",
        summary: "The Multivariant Playlist",
        query: &[
            Query("view", "live, dvr, vod or catchup; without it, what suits the broadcast's state", Required::False),
            Query("from", "With view=catchup: the number of the first segment", Required::False),
        ],
        media_type: PLAYLIST,
        errors: PLAYLIST_ERRORS,
    },
    Endpoint {
        path: "/hls/{id}/{rendition}/live.m3u8",
        id: "live",
        summary: "A sliding window at the live edge; after a loss of metadata at live-{generation}.m3u8",
        query: RELOAD,
        media_type: PLAYLIST,
        errors: ARRIVAL_ERRORS,
    },
    Endpoint {
        path: "/hls/{id}/{rendition}/dvr.m3u8",
        id: "dvr",
        summary: "What was live, from the beginning; after a loss of metadata at dvr-{generation}.m3u8",
        query: RELOAD,
        media_type: PLAYLIST,
        errors: ARRIVAL_ERRORS,
    },
    Endpoint {
        path: "/hls/{id}/{rendition}/catchup.m3u8",
        id: "catchup",
        summary: "Everything from a segment on, in capture order",
        query: &[Query("from", "The number of the first segment", Required::True), MSN, SKIP],
        media_type: PLAYLIST,
        errors: PLAYLIST_ERRORS,
    },
    Endpoint {
        path: "/hls/{id}/{rendition}/vod.m3u8",
        id: "vod",
        summary: "The finished recording",
        query: &[],
        media_type: PLAYLIST,
        errors: &[(404, "The recording is not finished: says what is missing and what to use until then"), AWAY],
    },
    Endpoint {
        path: "/hls/{id}/{rendition}/{seq}.ts",
        id: "segment_ts",
        summary: "A segment, MPEG-TS",
        query: &[],
        media_type: "video/mp2t",
        errors: OBJECT_ERRORS,
    },
    Endpoint {
        path: "/hls/{id}/{rendition}/{seq}.m4s",
        id: "segment_m4s",
        summary: "A segment, fragmented MP4",
        query: &[],
        media_type: "video/iso.segment",
        errors: OBJECT_ERRORS,
    },
    Endpoint {
        path: "/hls/{id}/{rendition}/init-{digest}.mp4",
        id: "init",
        summary: "An init section",
        query: &[],
        media_type: "video/mp4",
        errors: OBJECT_ERRORS,
    },
    Endpoint {
        path: "/hls/{id}/{rendition}/{seq}.jpg",
        id: "still",
        summary: "The first keyframe of a segment, as a JPEG: turned as it is shown, with square pixels",
        query: STILL,
        media_type: "image/jpeg",
        errors: STILL_ERRORS,
    },
    Endpoint {
        path: "/hls/{id}/poster.jpg",
        id: "poster",
        summary: "The newest picture of a broadcast",
        query: STILL,
        media_type: "image/jpeg",
        errors: STILL_ERRORS,
    },
];

/// The addresses of this role.
pub fn openapi() -> OpenApi {
    let add = |paths: PathsBuilder, endpoint: &Endpoint| paths.path(endpoint.path, path_item(endpoint));
    let info = InfoBuilder::new().title("Headwater playlists").version(env!("CARGO_PKG_VERSION"));
    OpenApiBuilder::new().info(info).paths(ENDPOINTS.iter().fold(PathsBuilder::new(), add)).build()
}

fn path_item(endpoint: &Endpoint) -> PathItem {
    let mut operation = OperationBuilder::new()
        .tag("playlists")
        .operation_id(Some(endpoint.id))
        .summary(Some(endpoint.summary))
        .response("200", response("The content", endpoint.media_type))
        .response("304", ResponseBuilder::new().description("If-None-Match knows it"));
    for (status, meaning) in endpoint.errors {
        operation = operation.response(status.to_string(), response(meaning, "application/problem+json"));
    }
    let in_path = names_in(endpoint.path).map(|name| parameter(name, "", ParameterIn::Path, Required::True));
    let in_query = endpoint.query.iter().map(|Query(name, meaning, required)| {
        let required = if matches!(required, Required::True) { Required::True } else { Required::False };
        parameter(name, meaning, ParameterIn::Query, required)
    });
    let parameters: Vec<Parameter> = in_path.chain(in_query).collect();
    PathItem::new(HttpMethod::Get, operation.parameters(Some(parameters)))
}

fn response(description: &str, media_type: &str) -> ResponseBuilder {
    ResponseBuilder::new().description(description).content(media_type, ContentBuilder::new().build())
}

fn parameter(name: &str, description: &str, place: ParameterIn, required: Required) -> Parameter {
    let text = ObjectBuilder::new().schema_type(Type::String);
    let description = (!description.is_empty()).then_some(description);
    ParameterBuilder::new()
        .name(name)
        .description(description)
        .parameter_in(place)
        .required(required)
        .schema(Some(text))
        .build()
}

/// What stands in braces.
fn names_in(path: &str) -> impl Iterator<Item = &str> {
    path.split('{').skip(1).filter_map(|rest| rest.split_once('}').map(|(name, _)| name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Address;

    #[test]
    fn what_is_described_is_answered() {
        for endpoint in ENDPOINTS {
            let digest = "ab".repeat(16);
            let path = endpoint.path.replace("{id}", "01kjahrq000000000000000007");
            let path = path.replace("{rendition}", "main").replace("{seq}", "7").replace("{digest}", &digest);
            assert!(Address::parse(&path, "from=7&width=320").is_ok(), "{path}");
        }
        let json = serde_json::to_value(openapi()).unwrap();
        let catch_up = &json["paths"]["/hls/{id}/{rendition}/catchup.m3u8"]["get"];
        assert_eq!(catch_up["operationId"], "catchup");
        assert_eq!(catch_up["parameters"].as_array().unwrap().len(), 5);
    }
}
