//! A link to a broadcast in a chat or on another site: what the page says of it, what oEmbed answers, and its picture,
//! also without ffmpeg.

use headwater_tests::{Encoder, wait_until_complete};
use serde_json::Value;
use testkit::{Headwater, Tool};

/// What a title may be.
const HOSTILE: &str = "</title><script>alert('1')</script> & \"Finale\" ]]> 🎾";

fn create(headwater: &Headwater, title: &str) -> Value {
    let wanted = serde_json::json!({ "title": title }).to_string();
    headwater.owner("POST", "/v1/broadcasts", &wanted).expect(201).json()
}

#[test]
fn a_link_tells_what_it_leads_to() {
    let headwater = Headwater::start_with("[recorder.views]\nend_grace_ms = 500\n");
    let created = create(&headwater, HOSTILE);
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let (id, page_url) = (text(&created["id"]), text(&created["watch"]["page_url"]));
    let encoder = Encoder { seconds: 2, ..Encoder::default() };
    encoder.push(&text(&created["publish"]["push_url"])).end_well(std::time::Duration::from_secs(60));
    wait_until_complete(&headwater, &id);

    let chromium = Tool::find("chromium");
    let told = Tool::node_script("social.mjs").run([chromium.path().as_os_str(), page_url.as_ref()]);
    let told: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!(told["title"], format!("{HOSTILE} · Headwater"));
    assert_eq!((&told["canonical"], &told["scripts"]), (&created["watch"]["page_url"], &Value::from(1)), "{told}");
    let embed = page_url.replace("/watch/", "/embed/");
    let poster = format!("{}/hls/{id}/poster.jpg?width=1280", headwater.url());
    for (name, expected) in [
        ("og:title", HOSTILE),
        ("og:type", "video.other"),
        ("og:site_name", "Headwater"),
        ("og:url", &page_url),
        ("og:video", &embed),
        ("og:video:type", "text/html"),
        ("og:image", &poster),
        ("twitter:card", "player"),
        ("twitter:player", &embed),
    ] {
        assert_eq!(told["tags"][name], expected, "{name} of {told}");
    }
    // The player in a frame takes its title from there.
    let in_frame = headwater.get(embed.strip_prefix(headwater.url()).expect("it is here")).expect(200);
    assert!(in_frame.text().contains("<meta property=\"og:title\""), "{}", in_frame.text());
    for (media_type, answered) in [("application/json+oembed", "application/json"), ("text/xml+oembed", "text/xml")] {
        let answer = &told["oembed"][media_type];
        assert!(answer["type"].as_str().is_some_and(|text| text.starts_with(answered)), "{answer}");
        check_oembed(&answer["members"], &embed);
    }
    let picture = headwater.get(&format!("/hls/{id}/poster.jpg?width=320")).expect(200);
    assert_eq!((picture.header("content-type"), &picture.body[..3]), ("image/jpeg", &[0xff, 0xd8, 0xff][..]));
}

#[test]
fn a_link_that_is_shared_before_the_start_has_a_picture_too() {
    let headwater = Headwater::start();
    let created = create(&headwater, "Finale");
    let page_url = created["watch"]["page_url"].as_str().expect("text");
    let chromium = Tool::find("chromium");
    let told = Tool::node_script("social.mjs").run([chromium.path().as_os_str(), page_url.as_ref()]);
    let told: Value = serde_json::from_str(&told).expect("JSON");
    let tag = |name: &str| told["tags"][name].as_str().unwrap_or_else(|| panic!("{name} of {told}"));
    for of in ["og", "twitter"] {
        assert_eq!(tag(&format!("{of}:description")), "This broadcast has not started yet.");
        assert_eq!(tag(&format!("{of}:image")), tag("og:image"));
    }
    let icon = headwater.get(tag("og:image").strip_prefix(headwater.url()).expect("it is here")).expect(200);
    assert_eq!(icon.header("content-type"), tag("og:image:type"));
    // As its header says: <https://www.w3.org/TR/png-3/#11IHDR>.
    let side = |at: usize| u32::from_be_bytes(icon.body[at..at + 4].try_into().expect("four bytes")).to_string();
    assert_eq!((side(16).as_str(), side(20).as_str()), (tag("og:image:width"), tag("og:image:height")));
}

/// What oembed.com asks of a video (2.3.4, 2.3.4.2), as JSON or as the texts of XML elements.
fn check_oembed(members: &Value, embed: &str) {
    let text = |name: &str| match &members[name] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    assert_eq!((text("type"), text("version"), text("title")), ("video".into(), "1.0".into(), HOSTILE.to_owned()));
    let number = |name: &str| text(name).parse::<u32>().unwrap_or_else(|error| panic!("{name}: {error} in {members}"));
    assert!((1..=640).contains(&number("width")) && (1..=640).contains(&number("height")));
    let html = text("html");
    assert!(html.starts_with("<iframe") && html.contains(&format!("src=\"{embed}\"")), "{html}");
    assert!(!html.contains("<script"), "{html}");
    assert!(text("thumbnail_url").contains("/poster.jpg?width=640"));
    assert!(number("thumbnail_width") > 0 && number("thumbnail_height") > 0);
}

#[test]
fn what_oembed_cannot_answer_it_says() {
    let headwater = Headwater::start();
    let id = create(&headwater, "")["id"].as_str().expect("text").to_owned();
    let page = format!("http://any.example/watch/{id}");
    for (query, status) in [
        (format!("url={page}"), 200),
        (format!("url={page}&format=json&maxwidth=200"), 200),
        (format!("url={page}&format=yaml"), 501),
        ("url=http://any.example/watch/01kjahrq000000000000000007".to_owned(), 404),
        ("url=http://any.example/".to_owned(), 404),
        ("url=x".to_owned(), 404),
        (format!("url={page}&maxwidth=wide"), 400),
        (String::new(), 400),
    ] {
        let answer = headwater.get(&format!("/oembed?{query}"));
        assert_eq!(answer.status, status, "{query}");
        if status == 200 {
            let members = answer.json();
            let wide = if query.contains("maxwidth") { 200 } else { 640 };
            assert_eq!((&members["width"], &members["thumbnail_url"]), (&wide.into(), &Value::Null), "{members}");
        } else {
            assert_eq!(answer.header("content-type"), "application/problem+json", "{query}");
        }
    }
}

#[test]
fn without_ffmpeg_a_picture_is_refused_with_the_reason() {
    let nowhere = vec![("PATH".to_owned(), "/nowhere".to_owned())];
    let headwater = Headwater::start_in(nowhere, &["up"], "");
    let broadcast = headwater.create_broadcast();
    let encoder = Encoder { seconds: 2, ..Encoder::default() };
    encoder.push(&broadcast.push_url).end_well(std::time::Duration::from_secs(60));
    headwater.owner("POST", &format!("/v1/broadcasts/{}/end", broadcast.id), "").expect(200);
    let answer = headwater.get(&format!("/hls/{}/poster.jpg", broadcast.id)).expect(501);
    assert_eq!(answer.json()["type"], "/problems/no-ffmpeg");
    assert!(answer.json()["detail"].as_str().is_some_and(|why| why.contains("apt-get install ffmpeg")));
}
