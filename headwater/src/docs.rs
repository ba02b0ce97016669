//! `/openapi.json`, and the same for people at `/docs`: one page without scripts, and its style at `/docs.css`.

use std::fmt::Write;

use axum::response::Html;
use axum::routing::get;
use axum::{Json, Router};
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use serde_json::Value;
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};

use crate::pages::escape;

/// Merges the parts of the roles into one document.
pub(crate) fn document(parts: impl IntoIterator<Item = OpenApi>) -> OpenApi {
    let info = utoipa::openapi::InfoBuilder::new().title("Headwater").version(env!("CARGO_PKG_VERSION")).description(
        Some("Live video from a bad network, with nothing lost. Errors are problem documents (RFC 9457)."),
    );
    let mut all = utoipa::openapi::OpenApiBuilder::new().info(info.build()).build();
    parts.into_iter().for_each(|part| all.merge(part));
    let components = all.components.get_or_insert_default();
    for (name, what) in [
        ("owner_key", "The owner key"),
        ("publish_token", "A broadcast's publish token, or the owner key"),
        (
            "fleet_token",
            "A token that another node of the fleet has signed, with scope `fetch`; never given to anybody",
        ),
    ] {
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(what)).build();
        components.add_security_scheme(name, SecurityScheme::Http(bearer));
    }
    all
}

pub(crate) fn router(document: &OpenApi) -> Router {
    let json = serde_json::to_value(document).unwrap_or_default();
    let page = page(&json);
    Router::new()
        .route("/openapi.json", get(move || async move { Json(json) }))
        .route("/docs", get(move || async move { ([(CONTENT_SECURITY_POLICY, POLICY)], Html(page)) }))
        .route("/docs.css", get(async || ([(CONTENT_TYPE, "text/css")], STYLE)))
}

const POLICY: &str =
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const STYLE: &str = "\
:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem}\
h2{margin-top:2.5rem}h3{font:600 1rem ui-monospace,monospace;margin:2rem 0 .25rem;overflow-wrap:anywhere}\
code{font-family:ui-monospace,monospace}table{border-collapse:collapse;margin:.5rem 0}\
td{padding:.1rem .8rem .1rem 0;vertical-align:top}.method{color:#2a7f62;margin-right:.6rem}@media(prefers-color-scheme:dark){.method{color:#6fd3ac}}";

fn page(document: &Value) -> String {
    let mut out = String::new();
    let text = |value: &Value| escape(value.as_str().unwrap_or_default());
    let info = &document["info"];
    let _ = write!(
        out,
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>\
         <title>Headwater API</title><link rel=stylesheet href=/docs.css><h1>Headwater API</h1><p>{} \
         The same for programs: <a href=/openapi.json>openapi.json</a>.</p>",
        text(&info["description"])
    );
    for tag in tags(document) {
        let _ = write!(out, "<h2>{}</h2>", escape(&tag));
        for (path, method, operation) in operations(document).filter(|(_, _, operation)| operation["tags"][0] == *tag) {
            push_operation(&mut out, document, path, method, operation);
        }
    }
    out.push_str("</html>");
    out
}

fn operations(document: &Value) -> impl Iterator<Item = (&str, &str, &Value)> {
    let paths = document["paths"].as_object().into_iter().flatten();
    paths.flat_map(|(path, item)| {
        let methods = ["get", "post", "put", "delete"].into_iter();
        methods.filter_map(move |method| Some((path.as_str(), method, item.get(method)?)))
    })
}

/// In the order of their first use.
fn tags(document: &Value) -> Vec<String> {
    let mut tags: Vec<String> = Vec::new();
    for (_, _, operation) in operations(document) {
        let tag = operation["tags"][0].as_str().unwrap_or("other").to_owned();
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    tags
}

fn push_operation(out: &mut String, document: &Value, path: &str, method: &str, operation: &Value) {
    let text = |value: &Value| escape(value.as_str().unwrap_or_default());
    let method = method.to_uppercase();
    let _ = write!(out, "<h3><span class=method>{method}</span>{}</h3>", escape(path));
    let _ = write!(out, "<p>{} {}</p><table>", text(&operation["summary"]), text(&operation["description"]));
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let (name, place) = (text(&parameter["name"]), text(&parameter["in"]));
        let _ = write!(out, "<tr><td><code>{name}</code><td>{place}<td>{}</tr>", text(&parameter["description"]));
    }
    let body = &operation["requestBody"]["content"]["application/json"]["schema"];
    push_fields(out, document, "body", body);
    out.push_str("</table><table>");
    for (status, response) in operation["responses"].as_object().into_iter().flatten() {
        let _ = write!(out, "<tr><td><code>{status}</code><td colspan=2>{}</tr>", text(&response["description"]));
        push_fields(out, document, "answer", &response["content"]["application/json"]["schema"]);
    }
    out.push_str("</table>");
}

/// The fields of an object that a schema refers to.
fn push_fields(out: &mut String, document: &Value, place: &str, schema: &Value) {
    let reference = schema["$ref"].as_str().or_else(|| schema["oneOf"][1]["$ref"].as_str());
    let Some(name) = reference.and_then(|reference| reference.rsplit('/').next()) else { return };
    let fields = document["components"]["schemas"][name]["properties"].as_object();
    for (field, schema) in fields.into_iter().flatten() {
        let words = escape(schema["description"].as_str().unwrap_or_default());
        let _ = write!(out, "<tr><td><code>{}</code><td>{place}<td>{words}</tr>", escape(field));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_on_the_page() {
        let json = serde_json::to_value(document([recorder::openapi(), balancer::openapi(), playlist::openapi()]))
            .expect("json");
        let page = page(&json);
        for path in [
            "/v1/publish/{id}/route",
            "/v1/broadcasts/{id}/abandon",
            "/ingest/{id}/{rendition}/{file}",
            "vod.m3u8",
            "Segment-Captured-At",
        ] {
            assert!(page.contains(path), "{path}");
        }
        assert_eq!(operations(&json).count(), page.matches("<h3>").count());
    }
}
