//! `/oembed`: how another site shows a broadcast, given the address of its page (oembed.com).

use std::fmt::Write;

use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use broadcast::BroadcastId;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, StatusCode, Uri};
use metadata::MetadataError;
use serde::Deserialize;
use serde_json::{Map, Value};
use service::{Problem, ProblemKind};

use super::site::{NAME, Shown, Site, Size, escape};

/// How wide and how high a player is for whoever does not say, in pixels.
const USUAL_MAX: u32 = 640;
/// How wide the picture is that a site may show instead, in pixels.
const THUMBNAIL_WIDTH: u32 = 640;
/// How long an answer may be kept, in seconds: until the shape of the picture may have become known.
const CACHE_AGE_S: u32 = 300;

const OTHER_FORMAT: ProblemKind =
    ProblemKind::new(StatusCode::NOT_IMPLEMENTED, "oembed-format", "There is no such format");

/// What a site asks (oembed.com, 2.2).
#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    url: String,
    maxwidth: Option<u32>,
    maxheight: Option<u32>,
    #[serde(default)]
    format: Option<String>,
}

pub(super) async fn answer(
    State(site): State<Site>,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let write = match asked.format.as_deref().unwrap_or("json") {
        "json" => json,
        "xml" => xml,
        other => {
            let detail = format!("json and xml are known, and {:?} is not", other.chars().take(40).collect::<String>());
            return Err(OTHER_FORMAT.detail(detail));
        }
    };
    let id = broadcast_at(&asked.url).ok_or_else(|| {
        ProblemKind::NOT_FOUND.detail("this is not the address of a broadcast: /watch/{id} and /embed/{id} are")
    })?;
    let shown = site.shown(id, &headers).await.map_err(|error| match error {
        MetadataError::NotFound { .. } => ProblemKind::NOT_FOUND.detail(error),
        _ => ProblemKind::UNAVAILABLE.detail("the metadata store is away"),
    })?;
    let (media_type, body) = write(&members(&shown, &asked));
    let cache = format!("{}, max-age={CACHE_AGE_S}", site.shared_by());
    Ok(([(CONTENT_TYPE, media_type.to_owned()), (CACHE_CONTROL, cache)], body).into_response())
}

/// The broadcast whose page this is. By which name we are reached is for whoever asks to know.
fn broadcast_at(url: &str) -> Option<BroadcastId> {
    // Where in the recording somebody wants to begin is no part of which it is.
    let uri: Uri = url.split('#').next()?.parse().ok()?;
    uri.host()?;
    let path = uri.path();
    let id = path.strip_prefix("/watch/").or_else(|| path.strip_prefix("/embed/"))?;
    id.trim_end_matches('/').parse().ok()
}

/// The members of the answer, in the order of the specification (2.3.4, 2.3.4.2).
fn members(shown: &Shown, asked: &Asked) -> Map<String, Value> {
    let Size { width, height } = match (asked.maxwidth, asked.maxheight) {
        (None, None) => shown.shape.within(USUAL_MAX, USUAL_MAX),
        (width, height) => shown.shape.within(width.unwrap_or(u32::MAX), height.unwrap_or(u32::MAX)),
    };
    let mut members = Map::new();
    let mut say = |name: &str, value: Value| members.insert(name.to_owned(), value);
    say("type", "video".into());
    say("version", "1.0".into());
    if !shown.title.is_empty() {
        say("title", shown.title.as_str().into());
    }
    say("provider_name", NAME.into());
    say("provider_url", format!("{}/", shown.base).into());
    say("cache_age", CACHE_AGE_S.into());
    let thumbnail = shown.poster_size(THUMBNAIL_WIDTH);
    // One that is larger than what was asked for must not be named (2.2).
    let fits = thumbnail.width <= asked.maxwidth.unwrap_or(u32::MAX)
        && thumbnail.height <= asked.maxheight.unwrap_or(u32::MAX);
    if shown.has_poster && fits {
        say("thumbnail_url", shown.poster_url(THUMBNAIL_WIDTH).into());
        say("thumbnail_width", thumbnail.width.into());
        say("thumbnail_height", thumbnail.height.into());
    }
    say("html", frame(shown, width, height).into());
    say("width", width.into());
    say("height", height.into());
    members
}

fn frame(shown: &Shown, width: u32, height: u32) -> String {
    let (src, title) = (escape(&shown.embed_url()), escape(shown.name()));
    format!(
        "<iframe src=\"{src}\" width=\"{width}\" height=\"{height}\" title=\"{title}\" loading=\"lazy\" frameborder=\"0\" \
         allow=\"autoplay; fullscreen; picture-in-picture; clipboard-write; web-share\" allowfullscreen></iframe>"
    )
}

fn json(members: &Map<String, Value>) -> (&'static str, String) {
    ("application/json", serde_json::to_string(members).unwrap_or_default())
}

fn xml(members: &Map<String, Value>) -> (&'static str, String) {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"utf-8\" standalone=\"yes\"?>\n<oembed>\n");
    for (name, value) in members {
        let value = value.as_str().map_or_else(|| value.to_string(), escape);
        let _ = writeln!(text, "  <{name}>{value}</{name}>");
    }
    text.push_str("</oembed>\n");
    ("text/xml; charset=utf-8", text)
}

#[cfg(test)]
mod tests {
    use broadcast::State;

    use super::*;

    const ID: &str = "01kjahrq000000000000000007";

    fn asked(maxwidth: Option<u32>, maxheight: Option<u32>) -> Asked {
        Asked { url: String::new(), maxwidth, maxheight, format: None }
    }

    fn shown(title: &str) -> Shown {
        let shape = Size { width: 1920, height: 1080 };
        let id = ID.parse().expect("an id");
        Shown {
            base: "https://live.example".to_owned(),
            id,
            title: title.to_owned(),
            shape,
            has_poster: true,
            state: State::Live,
        }
    }

    #[test]
    fn addresses_of_pages_are_known() {
        for (url, known) in [
            ("https://live.example/watch/{}", true),
            ("http://127.0.0.1:8080/embed/{}?t=42#x", true),
            ("https://live.example/watch/{}/#t=5", true),
            ("/watch/{}", false),
            ("https://live.example/{}", false),
            ("https://live.example/watch/x", false),
            ("https://live.example/watch/{}/more", false),
            ("javascript:alert(1)", false),
            ("", false),
        ] {
            assert_eq!(broadcast_at(&url.replace("{}", ID)).is_some(), known, "{url}");
        }
    }

    #[test]
    fn the_answer_has_what_a_video_must_have_and_honours_the_bounds() {
        for (maxwidth, maxheight, width, height, thumbnail) in [
            (None, None, 640, 360, true),
            (Some(1280), None, 1280, 720, true),
            (None, Some(180), 320, 180, false),
            (Some(300), Some(300), 300, 169, false),
        ] {
            let members = members(&shown("Cup final"), &asked(maxwidth, maxheight));
            assert_eq!((&members["type"], &members["version"]), (&"video".into(), &"1.0".into()));
            assert_eq!((&members["width"], &members["height"]), (&width.into(), &height.into()));
            let html = members["html"].as_str().expect("text");
            let src = format!("src=\"https://live.example/embed/{ID}\" width=\"{width}\" height=\"{height}\"");
            assert!(html.starts_with("<iframe ") && html.ends_with("</iframe>") && html.contains(&src), "{html}");
            assert!(["clipboard-write", "web-share"].iter().all(|leave| html.contains(leave)), "{html}");
            let all = ["thumbnail_url", "thumbnail_width", "thumbnail_height"];
            assert!(all.iter().all(|name| members.contains_key(*name) == thumbnail), "{members:?}");
        }
        assert!(!members(&shown(""), &asked(None, None)).contains_key("title"));
    }

    #[test]
    fn what_is_said_cannot_become_markup() {
        let hostile = "\"></iframe><script>alert(1)</script>]]>&\u{0}";
        let members = members(&shown(hostile), &asked(None, None));
        let html = members["html"].as_str().expect("text");
        assert_eq!((html.matches('<').count(), html.matches("</iframe>").count()), (2, 1), "{html}");
        let (_, xml) = xml(&members);
        // One element each, with its end, and the root's two: nothing else looks like one. And no end of a CDATA section.
        assert_eq!(xml.matches('<').count(), 2 * members.len() + 3, "{xml}");
        assert!(!xml.contains("]]>") && !xml.contains('\u{0}'));
        let (_, json) = json(&members);
        let read: Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(read["title"], hostile);
    }
}
