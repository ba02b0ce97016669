//! The watch page as viewers live through it, in Chromium, against the real binary, with ffmpeg as publisher: an
//! interruption and what was missed, their own network, a pause, the end, and pages that open before the beginning.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use headwater_tests::{CAPTION, Encoder, Media, Program, Publisher, Relay, at_once, until_stored, wait_until_complete};
use serde_json::Value;
use testkit::{Headwater, NewBroadcast, Road, Tool, eventually, every};

/// Longer than any scenario takes on a busy machine.
const RUN_MAX: Duration = Duration::from_secs(240);
/// Long enough for every scenario; whoever is still at it then is stopped.
const SOURCE_S: u32 = 400;
/// What the player itself calls behind, with segments of a second.
const BEHIND_S_MIN: f64 = 7.0;
const CONFIG: &str = "[recorder.views]\nend_grace_ms = 1000\n";

/// A browser at work on a scenario.
struct Viewer {
    program: Program,
}

impl Viewer {
    fn start(url: &str, scenario: &str) -> Self {
        Self::run("web-watch.mjs", &[url, scenario])
    }

    fn run(script: &str, args: &[&str]) -> Self {
        let chromium = Tool::find("chromium");
        let script = Tool::node_script(script);
        let args = std::iter::once(chromium.path().as_os_str()).chain(args.iter().map(AsRef::as_ref));
        Self { program: Program::start(&script, args) }
    }

    /// Waits until it has come so far.
    #[track_caller]
    fn until(&self, step: &str) {
        let wanted = format!("step {step} ");
        eventually(&format!("the viewer: {step}"), RUN_MAX, || {
            let said = self.program.said();
            let is_there = said.lines().any(|line| line.starts_with(&wanted));
            assert!(is_there || !said.contains("Error: "), "{said}");
            if is_there { Ok(()) } else { Err(said) }
        });
    }

    /// Waits until it is done, and gives back what it saw.
    #[track_caller]
    fn end(mut self) -> Value {
        self.program.end_well(RUN_MAX);
        let said = self.program.said();
        let last = said.lines().last().expect("it has said something");
        serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {last}"))
    }
}

/// A broadcast whose publisher is a relay behind a road that can break.
struct Stage {
    broadcast: NewBroadcast,
    road: Road,
    relay: Relay,
}

impl Stage {
    fn new(headwater: &Headwater) -> Self {
        let broadcast = headwater.create_broadcast();
        let road = Road::to(headwater.url());
        let relay = Relay::start(&road.by_way(&broadcast.push_url));
        Self { broadcast, road, relay }
    }

    fn publish(&mut self) -> Program {
        Encoder { seconds: SOURCE_S, ..Encoder::default() }.push(&self.relay.push_url())
    }
}

/// A finished recording of so many segments, the second rendition of which is smaller.
fn record(headwater: &Headwater, segments: usize, renditions: &[&'static str]) -> NewBroadcast {
    let media = |index| if index == 0 { Media::ts(segments) } else { Media::small_ts(segments) };
    store(headwater, renditions.iter().enumerate().map(|(index, rendition)| (*rendition, media(index))))
}

/// A finished recording of these renditions.
fn store(headwater: &Headwater, renditions: impl IntoIterator<Item = (&'static str, Media)>) -> NewBroadcast {
    let broadcast = headwater.create_broadcast();
    let bearer = format!("Bearer {}", broadcast.token);
    let put = |path: String, body: Vec<u8>| {
        let path = format!("/ingest/{}/{path}", broadcast.id);
        headwater.send("PUT", &path, &[("authorization", &bearer)], body).expect(201);
    };
    let mut last = HashMap::new();
    for (rendition, media) in renditions {
        let extension = if media.init.is_some() { "m4s" } else { "ts" };
        media.init.into_iter().for_each(|init| put(format!("{rendition}/init.mp4"), init));
        last.insert(rendition, media.segments.len() - 1);
        for (seq, segment) in media.segments.into_iter().enumerate() {
            put(format!("{rendition}/{seq}.{extension}"), segment);
        }
    }
    let end = format!("/v1/broadcasts/{}/end", broadcast.id);
    let json = ("content-type", "application/json");
    let body = serde_json::json!({ "last": last }).to_string();
    headwater.send("POST", &end, &[("authorization", &bearer), json], body).expect(200);
    wait_until_complete(headwater, &broadcast.id);
    broadcast
}

/// Fails if the page complained of anything, except of what is cut off or not there yet, or if axe found anything.
#[track_caller]
fn assert_calm(name: &str, seen: &Value) {
    for (state, found) in seen["axe"].as_object().into_iter().flatten() {
        assert_eq!(found.as_array().map(Vec::len), Some(0), "{name}, {state}: {found:#}");
    }
    let harmless =
        |text: &str| text.starts_with("Failed to load resource") || text.contains("ERR_INTERNET_DISCONNECTED");
    let complaints = seen["complaints"].as_array().expect("a list");
    assert!(complaints.iter().all(|one| one.as_str().is_some_and(harmless)), "{name}: {complaints:?}");
}

/// Fails unless the timeline is drawn side by side, and each part can be seen.
#[track_caller]
fn assert_drawn(stretches: &Value) {
    /// A part of the whole that would be too narrow is drawn a little wider.
    const OVERLAP_PX: f64 = 3.0;
    let parts = stretches.as_array().expect("a list");
    assert_eq!(parts[0]["kind"], "media", "{stretches}");
    for part in parts {
        let [width, height] = ["width", "height"].map(|side| number(&part[side]));
        assert!(width >= 2.0 && height >= 2.0 && part["isInside"] == true, "{stretches}");
    }
    for pair in parts.windows(2) {
        assert!((number(&pair[0]["right"]) - number(&pair[1]["left"])).abs() < OVERLAP_PX, "side by side: {stretches}");
    }
}

#[track_caller]
fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[test]
fn an_interruption_is_told_and_what_was_missed_can_be_seen() {
    let headwater = Headwater::start_with(CONFIG);
    let mut stage = Stage::new(&headwater);
    let _encoder = stage.publish();
    let watching = Viewer::start(&stage.broadcast.page_url, "interruption");
    let leaving = Viewer::start(&stage.broadcast.page_url, "jump");
    let shaka = Viewer::start(&format!("{}?engine=shaka", stage.broadcast.page_url), "rejoin");
    [&watching, &leaving, &shaka].iter().for_each(|viewer| viewer.until("playing"));
    stage.road.cut();
    watching.until("interrupted");
    stage.road.open();
    let (seen, left, by_shaka) = (watching.end(), leaving.end(), shaka.end());

    assert_calm("interruption", &seen);
    let card = text(&seen["interrupted"]["card"]);
    assert!(card.contains("is interrupted") && card.contains("We will be back by ourselves"), "{card}");
    assert_eq!(seen["interrupted"]["standing"], "interrupted");
    // Only what goes on is called live.
    let (still, again) = (&seen["interrupted"]["live"], &seen["after"]["live"]);
    assert_eq!((text(&still["name"]), text(&again["name"])), ("Live is interrupted", "You are watching live"));
    assert_ne!(still["dot"], again["dot"], "{still}");
    // Back live, without a choice: over the hole.
    assert_eq!((text(&seen["back"]["view"]), text(&seen["back"]["following"])), ("dvr", "live"), "{}", seen["back"]);
    assert!(text(&seen["offered"]["offer"]).starts_with("Watch what you missed (0:"), "{}", seen["offered"]);
    // A little faster, with the pitch kept, from where it stopped.
    let taken = &seen["taken"];
    assert!((1.1..=1.25).contains(&number(&taken["rate"])) && taken["preservesPitch"] == true, "{taken}");
    assert!((30.0..60.0).contains(&number(&taken["behind_s"])), "{taken}");
    // Live again in the same playlist, at the rate of life, without another source and without a jump.
    let after = &seen["after"];
    assert_eq!((text(&after["view"]), text(&after["following"])), ("catchup", "live"), "{after}");
    assert!((number(&after["rate"]) - 1.0).abs() < f64::EPSILON, "{after}");
    let seams = &seen["seams"];
    // hls.js nudges a picture that waits, on a machine that is busy with these tests, by some frames.
    assert!(seams["sources"] == 0 && number(&seams["jump_s"]) < 1.0, "{seams}");
    println!("catching up: the picture waited {} times", seams["waits"]);

    // Each piece of news is spoken once, and no time that counts.
    let spoken: Vec<_> = seen["spoken"].as_array().into_iter().flatten().map(text).collect();
    for news in ["The broadcast is interrupted.", "You can watch what you missed", "Catching up", "You are live again."]
    {
        assert_eq!(spoken.iter().filter(|said| said.contains(news)).count(), 1, "{news}: {spoken:?}");
    }

    // So it is in Shaka.
    assert_calm("shaka", &by_shaka);
    // Written from right to left, sentences of another script keep their full stops where they belong.
    let stops = by_shaka["stops"].as_array().expect("a list");
    assert!(stops.len() >= 2 && stops.iter().all(|stop| stop["isAfter"] == true), "{stops:?}");
    assert!(text(&by_shaka["offered"]["offer"]).starts_with("Watch what you missed (0:"), "{}", by_shaka["offered"]);
    let after = &by_shaka["after"];
    assert_eq!((text(&after["engine"]), text(&after["view"]), text(&after["following"])), ("shaka", "catchup", "live"));
    assert!(number(&after["behind_s"]) < BEHIND_S_MIN, "{after}");

    assert_calm("jump", &left);
    assert_eq!(left["taken"]["view"], "catchup");
    assert!(number(&left["jumped"]["behind_s"]) < 3.0, "{}", left["jumped"]);
}

#[test]
fn the_viewers_own_network_is_told_apart() {
    let headwater = Headwater::start_with(CONFIG);
    let broadcast = headwater.create_broadcast();
    let _encoder = Encoder { seconds: SOURCE_S, ..Encoder::default() }.push(&broadcast.push_url);
    let away = Viewer::start(&broadcast.page_url, "away");
    let seen = Viewer::start(&broadcast.page_url, "offline").end();
    assert_calm("offline", &seen);
    let card = text(&seen["stood"]["card"]);
    assert!(card.contains("Your connection is down") && !card.contains("interrupted"), "{card}");
    // What is made up for is where it stood, a little faster.
    assert!(number(&seen["made"]["time_s"]) >= number(&seen["stood"]["time_s"]), "{}", seen["made"]);

    // More than a minute: live at once, and an offer that leads to where it stood.
    let seen = away.end();
    assert_calm("away", &seen);
    assert!(text(&seen["back"]["offer"]).starts_with("Watch what you missed (1:"), "{}", seen["back"]);
    assert!(number(&seen["taken"]["behind_s"]) > 50.0, "{}", seen["taken"]);
}

#[test]
fn a_broadcast_is_paused_goes_on_ends_and_is_a_recording() {
    let headwater = Headwater::start_with(CONFIG);
    let broadcast = headwater.create_broadcast();
    let ask = |what: &str| headwater.owner("POST", &format!("/v1/broadcasts/{}/{what}", broadcast.id), "").expect(200);
    let mut encoder = Encoder { seconds: SOURCE_S, ..Encoder::default() }.push(&broadcast.push_url);
    let viewer = Viewer::start(&broadcast.page_url, "course");
    viewer.until("playing");
    encoder.kill();
    ask("pause");
    viewer.until("paused");
    ask("resume");
    let mut encoder = Encoder { seconds: SOURCE_S, ..Encoder::default() }.push(&broadcast.push_url);
    viewer.until("resumed");
    encoder.kill();
    ask("end");
    wait_until_complete(&headwater, &broadcast.id);
    let seen = viewer.end();
    assert_calm("course", &seen);
    assert!(text(&seen["paused"]["card"]).contains("is paused"), "{}", seen["paused"]);
    assert!(text(&seen["ended"]["card"]).contains("has ended"), "{}", seen["ended"]);
    assert_drawn(&seen["drawn"]);
    assert_eq!(seen["recording"]["view"], "vod");
    assert!(seen["recording"]["duration_s"].is_number(), "{}", seen["recording"]);
    // The link names the second that was on screen when it was shared.
    let (shared, opened) = (number(&seen["played"]["moment_ms"]), number(&seen["linked"]["moment_ms"]));
    assert!((opened - shared).abs() < 3_000.0, "{opened} is not {shared}: {}", seen["link"]);
}

/// A press on what came late leads to it.
#[test]
fn the_timeline_shows_what_is_missing_and_what_came_late() {
    const SEGMENT: Duration = Duration::from_secs(1);
    const BEFORE: usize = 8;
    let (headwater, media) = (Headwater::start_with(CONFIG), Media::ts(180));
    let broadcast = headwater.create_broadcast();
    let now_ms = Publisher::new(&broadcast, 0, 1_000).server_time_ms();
    // The next one ends now.
    let publisher = Publisher::new(&broadcast, now_ms - 1_000 * i64::try_from(BEFORE + 1).expect("few"), 1_000);
    (0..BEFORE).for_each(|seq| publisher.put(seq, &media.segments[seq]));
    // What is held back, while there is no network.
    let (held, is_over) = (Mutex::new(None::<Vec<usize>>), AtomicBool::new(false));
    let held = || held.lock().expect("nobody panics");
    let record = || {
        let mut seqs = BEFORE..media.segments.len();
        every(SEGMENT, || {
            let Some(seq) = seqs.next().filter(|_| !is_over.load(Ordering::SeqCst)) else {
                return ControlFlow::Break(());
            };
            match held().as_mut() {
                Some(held) => held.push(seq),
                None => publisher.put(seq, &media.segments[seq]),
            }
            ControlFlow::Continue(())
        });
    };
    let seen = std::thread::scope(|scope| {
        scope.spawn(record);
        let viewer = Viewer::start(&broadcast.page_url, "stretches");
        viewer.until("playing");
        *held() = Some(Vec::new());
        viewer.until("missing");
        let late = held().take().expect("there is no network");
        late.into_iter().for_each(|seq| publisher.put(seq, &media.segments[seq]));
        let seen = viewer.end();
        is_over.store(true, Ordering::SeqCst);
        seen
    });
    assert_calm("stretches", &seen);
    assert_drawn(&seen["missing"]);
    assert_drawn(&seen["late"]);
    let listed = seen["listed"].as_array().and_then(|listed| listed.last()).map(text);
    assert!(listed.is_some_and(|last| last.starts_with("Watch what arrived late: 0:")), "{}", seen["listed"]);
    assert_eq!(seen["taken"]["view"], "catchup");
}

#[test]
fn what_cannot_be_shown_or_will_not_come_is_said() {
    let headwater = Headwater::start_with(CONFIG);
    let recording = record(&headwater, 20, &["main"]);
    // The archive is away.
    at_once(&[("hls.js", ()), ("shaka", ())], |engine, ()| {
        let seen = Viewer::start(&format!("{}?engine={engine}", recording.page_url), "refused").end();
        assert_calm(engine, &seen);
        let (slow, told) = (&seen["slow"]["message"], text(&seen["told"]["card"]));
        assert!(slow == "buffering" && told.contains("The server has a problem"), "{engine}: {seen}");
        assert_eq!(
            (text(&seen["playing"]["view"]), &seen["playing"]["card"]),
            ("vod", &Value::Null),
            "{engine}: {seen}"
        );
    });
    // To the end of what ends while it is interrupted.
    let broadcast = headwater.create_broadcast();
    let mut encoder = Encoder { seconds: SOURCE_S, ..Encoder::default() }.push(&broadcast.push_url);
    let viewer = Viewer::start(&broadcast.page_url, "through");
    viewer.until("playing");
    encoder.kill();
    viewer.until("interrupted");
    headwater.owner("POST", &format!("/v1/broadcasts/{}/end", broadcast.id), "").expect(200);
    let seen = viewer.end();
    assert_calm("through", &seen);
    assert!(text(&seen["ended"]["card"]).contains("has ended"), "{}", seen["ended"]);
}

#[test]
fn a_page_from_before_an_upgrade_is_loaded_again() {
    let headwater = Headwater::start_with(CONFIG);
    let url = record(&headwater, 20, &["main"]).page_url.replace("/watch/", "/embed/");
    let seen = Viewer::start(&url, "renewed").end();
    assert_calm("renewed", &seen);
    let card = text(&seen["told"]["card"]);
    assert!(card.contains("has to be loaded again") && !card.contains("connection"), "{card}");
    assert_eq!((text(&seen["playing"]["view"]), &seen["playing"]["card"]), ("vod", &Value::Null), "{seen}");
}

#[test]
fn pages_open_before_there_is_anything_and_where_there_is_nothing() {
    let headwater = Headwater::start_with(CONFIG);
    let broadcast = headwater.create_broadcast();
    let viewer = Viewer::start(&broadcast.page_url, "before");
    let nobody = Viewer::start(&broadcast.page_url.replace(&broadcast.id, "01kjahrq000000000000000007"), "nothing");
    viewer.until("waiting");
    let _encoder = Encoder { seconds: SOURCE_S, ..Encoder::default() }.push(&broadcast.push_url);
    let (seen, nothing) = (viewer.end(), nobody.end());
    assert_calm("before", &seen);
    assert!(text(&seen["waiting"]["card"]).contains("has not started yet"), "{}", seen["waiting"]);
    assert_eq!(seen["playing"]["standing"], "live");
    assert_calm("nothing", &nothing);
    assert!(text(&nothing["told"]["card"]).contains("There is no broadcast"), "{}", nothing["told"]);
}

#[test]
fn what_has_no_title_is_called_so_in_the_viewers_language() {
    let headwater = Headwater::start_with(CONFIG);
    let created = headwater.owner("POST", "/v1/broadcasts", r#"{"title":""}"#).expect(201).json();
    let seen = Viewer::start(text(&created["watch"]["page_url"]), "untitled").end();
    assert_calm("untitled", &seen);
    let names = ["Без названия", "Без названия · Headwater", "Смотреть в отдельном окне"];
    assert_eq!(seen["names"], serde_json::json!(names));
}

#[test]
fn every_engine_plays_and_the_keyboard_is_enough() {
    let headwater = Headwater::start_with(CONFIG);
    let broadcast = headwater.create_broadcast();
    let encoder = Encoder { seconds: SOURCE_S, ..Encoder::default() }.with("-hls_time 2");
    let _encoder = encoder.push(&broadcast.push_url);
    until_stored(&headwater, &broadcast.id, 4);
    let first = Viewer::start(&broadcast.page_url, "first").end();
    println!("first frame on loopback, 2 s segments: {}", first["times"]);
    at_once(&[("native", ()), ("shaka", ())], |engine, ()| {
        let seen = Viewer::start(&format!("{}?engine={engine}", broadcast.page_url), "watch").end();
        assert_calm(engine, &seen);
        assert_eq!(
            (&seen["playing"]["engine"], &seen["playing"]["standing"]),
            (&engine.into(), &"live".into()),
            "{seen}"
        );
        assert!(number(&seen["playing"]["sound_bytes"]) > 0.0, "{seen}");
    });
    let fallback = Viewer::start(&broadcast.page_url, "withoutMse").end();
    assert_calm("without MSE", &fallback);
    assert_eq!(fallback["playing"]["engine"], "native");
    let phone = Viewer::start(&broadcast.page_url, "phone").end();
    assert_calm("phone", &phone);
    assert_eq!((&phone["silent"]["isMuted"], text(&phone["offered"])), (&true.into(), "Vklopite zvok"));
    assert_eq!(phone["language"], "sl");
    // Who changes their mind is left alone; where the phone's own dialog may not come, the link is copied.
    let [cancelled, refused] = [&phone["shared"][0], &phone["shared"][1]];
    assert_eq!((&cancelled["isShown"], text(&cancelled["copied"])), (&false.into(), "nothing"), "{cancelled}");
    assert!(refused["isShown"] == true && text(&refused["copied"]).starts_with(&broadcast.page_url), "{refused}");
    let seen = Viewer::start(&broadcast.page_url, "keys").end();
    assert_calm("keys", &seen);
    assert_eq!(seen["unnamed"], 0, "every button has a name");
    assert_eq!(seen["focused"], "Settings", "the focus is where it was");
}

#[test]
fn what_can_be_chosen_does_what_it_says() {
    let headwater = Headwater::start_with(CONFIG);
    let broadcast = record(&headwater, 20, &["main", "low"]);
    let seen = Viewer::start(&broadcast.page_url, "menu").end();
    assert_calm("menu", &seen);
    assert_eq!(seen["qualities"].as_array().map(Vec::len), Some(3), "automatic and two: {seen}");
    let kept = &seen["kept"];
    assert!(
        kept["isShown"] == true && kept["height"] == kept["wanted"],
        "what was chosen, from another source: {seen}"
    );
    assert_eq!((number(&seen["loudness"]["volume"]), text(&seen["loudness"]["spoken"])), (0.25, "25 percent"));
    assert_eq!(seen["preview"], 128, "a picture of that moment, no larger than it is: {seen}");
    assert!(text(&seen["tip"]).starts_with("0:"), "{seen}");
    for small in seen["small"].as_array().expect("a list") {
        assert_eq!(small["canPip"], small["isOffered"], "{seen}");
    }
    assert_eq!((&seen["mirrored"], &seen["overflows"]), (&true.into(), &false.into()), "{seen}");
    assert_eq!(seen["time"], "ltr", "the position before the whole");
}

#[test]
fn a_finger_presses_no_control_that_cannot_be_seen_and_takes_none_away() {
    let headwater = Headwater::start_with(CONFIG);
    let url = record(&headwater, 60, &["main"]).page_url.replace("/watch/", "/embed/");
    let seen = Viewer::start(&url, "fingers").end();
    assert_calm("fingers", &seen);
    assert_eq!(seen["pressed"], serde_json::json!(["hw-surface", "hw-surface", "hw-surface"]), "{seen}");
    assert_eq!(seen["after"]["picture"], "moving", "{seen}");
    assert_eq!(seen["held"]["isIdle"], false, "the timeline is there as long as it is held: {seen}");
    assert!(text(&seen["held"]["tip"]).starts_with("0:"), "{seen}");
}

/// As large as the screen allows, with the line under it in sight.
#[test]
fn the_player_has_the_shape_of_a_video_held_upright() {
    const SIZES: [[f64; 2]; 3] = [[390.0, 633.0], [1052.0, 600.0], [693.0, 390.0]];
    let headwater = Headwater::start_with(CONFIG);
    let lies = [[390.0, 219.0], [1052.0, 592.0], [693.0, 390.0]];
    let cases = [("upright", (Media::upright_ts(30), SIZES)), ("lying", (Media::ts(30), lies))];
    at_once(&cases, |name, (media, sizes)| {
        let seen = Viewer::start(&store(&headwater, [("main", media.clone())]).page_url, "shape").end();
        assert_calm(name, &seen);
        let size = |of: &Value| [&of["width"], &of["height"]].map(|side| number(side).round());
        let of_screens = ["phone", "desktop", "sideways"].map(|screen| size(&seen[screen]));
        assert_eq!(of_screens, *sizes, "{name}: {seen}");
        assert_eq!(size(&seen["embed"]), [844.0, 390.0], "{name}: an embed fills its frame: {seen}");
        for screen in ["phone", "desktop"] {
            assert!(number(&seen[screen]["rest"]) > 0.0, "{name}, {screen}: the line is in sight: {seen}");
        }
    });
}

#[test]
fn captions_inside_the_pictures_can_be_shown() {
    let headwater = Headwater::start_with(CONFIG);
    at_once(&[("ts", "mpegts"), ("m4s", "fmp4")], |extension, container| {
        let broadcast = store(&headwater, [("main", Media::captioned(8, container))]);
        let multivariant = headwater.get(&format!("/hls/{}/index.m3u8", broadcast.id)).expect(200);
        for said in ["TYPE=CLOSED-CAPTIONS,GROUP-ID=\"captions\"", ",CLOSED-CAPTIONS=\"captions\""] {
            assert!(multivariant.text().contains(said), "{extension}: {}", multivariant.text());
        }
        let seen = Viewer::start(&broadcast.page_url, "captions").end();
        assert_calm(extension, &seen);
        assert_eq!(seen["before"]["kinds"], serde_json::json!([]), "{extension}: {seen}");
        assert_eq!(seen["on"]["kinds"], serde_json::json!(["captions"]), "{extension}: {seen}");
        assert!(text(&seen["on"]["text"]).contains(CAPTION), "{extension}: {seen}");
        assert!(text(&seen["still"]["text"]).contains(CAPTION), "{extension}, from another source: {seen}");
        assert_eq!(seen["off"]["kinds"], serde_json::json!([]), "{extension}: {seen}");
    });
}

#[test]
fn when_the_metadata_is_lost_players_find_where_it_goes_on() {
    let mut headwater = Headwater::start_with(CONFIG);
    let mut stage = Stage::new(&headwater);
    let _encoder = stage.publish();
    // The next start is on another port.
    let page_url = stage.road.by_way(&stage.broadcast.page_url);
    let urls = ["hls.js", "shaka", "native"].map(|engine| format!("{page_url}?engine={engine}"));
    let viewers = urls.each_ref().map(|url| Viewer::start(url, "elsewhere"));
    viewers.iter().for_each(|viewer| viewer.until("playing"));
    // By so much that whoever takes the beginning for live is behind.
    until_stored(&headwater, &stage.broadcast.id, 14);
    headwater.kill9();
    for end in ["", "-wal", "-shm"] {
        drop(std::fs::remove_file(headwater.data().join(format!("metadata.sqlite{end}"))));
    }
    headwater.restart();
    stage.road.leads_to(headwater.url());
    for (url, viewer) in urls.iter().zip(viewers) {
        let seen = viewer.end();
        assert_calm(url, &seen);
        assert_eq!(seen["addresses"].as_array().map(Vec::len), Some(1), "{url}: {seen}");
        // What is played is known to be live, also where the browser does not tell where it joined.
        assert!(number(&seen["after"]["behind_s"]) < BEHIND_S_MIN, "{url}: {}", seen["after"]);
    }
}

#[test]
fn players_outlive_an_outage() {
    const ENGINES: [&str; 2] = ["native", "hls.js"];
    let mut headwater = Headwater::start_with(CONFIG);
    let broadcast = headwater.create_broadcast();
    let road = Road::to(headwater.url());
    let mut publishing = Relay::start(&road.by_way(&broadcast.push_url));
    let _encoder = Encoder { seconds: SOURCE_S, ..Encoder::default() }.push(&publishing.push_url());
    until_stored(&headwater, &broadcast.id, 4);
    let network = Road::to(&road.url());
    let start = |way: &Road| {
        ENGINES.map(|engine| Viewer::start(&format!("{}?engine={engine}", way.by_way(&broadcast.page_url)), "outage"))
    };
    let all_until = |viewers: &[Viewer], step| viewers.iter().for_each(|viewer| viewer.until(step));
    let check = |name: &str, viewers: [Viewer; 2]| {
        for (engine, viewer) in ENGINES.into_iter().zip(viewers) {
            let (name, seen) = (format!("{name}, {engine}"), viewer.end());
            assert_calm(&name, &seen);
            assert!(text(&seen["down"]["card"]).contains("Your connection is down"), "{name}: {}", seen["down"]);
            let after = &seen["after"];
            assert_eq!((text(&after["engine"]), text(&after["standing"])), (engine, "live"), "{name}");
            assert!(number(&after["behind_s"]) < BEHIND_S_MIN, "{name}: {after}");
        }
    };
    // The viewers' own network refuses them, then it says nothing at all, and then it is the server.
    for (name, breaks) in [("cut", Road::cut as fn(&Road)), ("swallowed", Road::swallow)] {
        let viewers = start(&network);
        all_until(&viewers, "playing");
        breaks(&network);
        all_until(&viewers, "down");
        network.open();
        check(name, viewers);
    }
    let viewers = start(&road);
    all_until(&viewers, "playing");
    headwater.kill9();
    all_until(&viewers, "down");
    headwater.restart();
    road.leads_to(headwater.url());
    check("server", viewers);
}

#[test]
fn a_recording_goes_on_where_an_outage_stopped_it() {
    let headwater = Headwater::start_with(CONFIG);
    let broadcast = record(&headwater, 90, &["main"]);
    let network = Road::to(headwater.url());
    let url = network.by_way(&broadcast.page_url);
    // Of so little media, hls.js would have loaded everything.
    let viewer = Viewer::start(&format!("{url}?view=vod&engine=native"), "outage");
    viewer.until("playing");
    network.cut();
    viewer.until("down");
    network.open();
    let seen = viewer.end();
    assert_calm("recording", &seen);
    // Nothing goes on meanwhile, and nobody is waited for.
    let card = text(&seen["down"]["card"]);
    assert!(card.contains("Your connection is down") && !card.contains("The broadcast goes on"), "{card}");
    let (stood, goes_on) = (number(&seen["down"]["time_s"]), number(&seen["back"]["time_s"]));
    assert!((stood - 1.0..stood + 5.0).contains(&goes_on), "{goes_on} after {stood}");
}

#[test]
fn an_interruption_that_lasts_is_no_trouble_of_the_servers() {
    let headwater = Headwater::start_with("[recorder.views]\nrest_after_ms = 2000\n");
    let mut stage = Stage::new(&headwater);
    let _encoder = stage.publish();
    let engines = ["hls.js", "shaka", "native"];
    let url = &stage.broadcast.page_url;
    let viewers = engines.map(|engine| Viewer::start(&format!("{url}?engine={engine}"), "rest"));
    viewers.iter().for_each(|viewer| viewer.until("playing"));
    stage.road.cut();
    viewers.iter().for_each(|viewer| viewer.until("resting"));
    stage.road.open();
    for (engine, viewer) in engines.iter().zip(viewers) {
        let seen = viewer.end();
        assert_calm(engine, &seen);
        assert_eq!(seen["told"], serde_json::json!(["interrupted"]), "{engine}: {seen}");
    }
}

#[test]
fn an_older_browser_is_enough() {
    const PHONE_WIDTH: f64 = 390.0;
    let headwater = Headwater::start_with(CONFIG);
    let broadcast = headwater.create_broadcast();
    let _encoder = Encoder { seconds: SOURCE_S, ..Encoder::default() }.push(&broadcast.push_url);
    until_stored(&headwater, &broadcast.id, 4);
    at_once(&[("native", ()), ("hls.js", ())], |engine, ()| {
        let seen = Viewer::start(&format!("{}?engine={engine}", broadcast.page_url), "older").end();
        assert_calm(engine, &seen);
        assert_eq!((text(&seen["playing"]["standing"]), &seen["overflows"]), ("live", &false.into()), "{engine}");
        assert!(number(&seen["right"]) <= PHONE_WIDTH, "{engine}: {}", seen["right"]);
    });
}

/// Russian words are the longest.
#[test]
fn every_state_of_the_page_fits_a_narrow_screen_in_russian() {
    let headwater = Headwater::start_with(CONFIG);
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    for (name, media) in [("lying", Media::ts(200)), ("upright", Media::upright_ts(100))] {
        std::fs::create_dir(folder.path().join(name)).expect("a folder can be made");
        for (seq, segment) in media.segments.into_iter().enumerate() {
            std::fs::write(folder.path().join(format!("{name}/{seq:03}.ts")), segment).expect("a file can be written");
        }
    }
    let (chromium, script) = (Tool::find("chromium"), Tool::node_script("watch_narrow.mjs"));
    let (url, key) = (headwater.url().to_owned(), headwater.owner_key().to_owned());
    let args = [chromium.path().as_os_str(), url.as_ref(), key.as_ref(), "ru".as_ref(), folder.path().as_os_str()];
    let mut looking = Program::start(&script, args);
    looking.end_well(RUN_MAX);
    let said = looking.said_whole();
    let seen: Value = serde_json::from_str(said.lines().last().expect("it says what it has seen")).expect("JSON");
    let states = seen["states"].as_object().expect("states by name");
    for state in [
        "not-started",
        "interrupted",
        "offer",
        "catching-up",
        "offline",
        "paused",
        "complete",
        "ended",
        "server",
        "renewed",
        "upright",
        "upright-interrupted",
        "upright-offer",
        "upright-complete",
    ] {
        assert!(states.contains_key(state), "{state} was not reached: {seen}");
    }
    for (state, found) in states {
        assert_eq!(found, &Value::Array(vec![]), "{state}");
    }
}

#[test]
fn a_site_on_another_origin_has_the_player_in_a_frame_or_as_a_module() {
    let headwater = Headwater::start_with(CONFIG);
    let broadcast = headwater.create_broadcast();
    let _encoder = Encoder { seconds: SOURCE_S, ..Encoder::default() }.push(&broadcast.push_url);
    until_stored(&headwater, &broadcast.id, 4);
    let embed = broadcast.page_url.replace("/watch/", "/embed/");
    let seen = Viewer::run("web-embed.mjs", &[&embed, "talk"]).end();
    assert_calm("embed", &seen);
    assert_eq!(seen["ready"]["versions"], serde_json::json!([1]));
    assert_eq!(text(&seen["ready"]["origin"]), headwater.url());
    assert_eq!(
        (number(&seen["height"]["height"]), &seen["still"]["isPlaying"]),
        (360.0, &false.into()),
        "{}",
        seen["still"]
    );
    assert_eq!(seen["unmuted"]["picture"], "held", "what nobody may say is not heard");
    assert_eq!(text(&seen["link"]), broadcast.page_url);

    // The same player as a module of that site: two of them, which go as they came.
    let seen = Viewer::run("web-module.mjs", &[&broadcast.multivariant_url]).end();
    assert_calm("module", &seen);
    for (place, view) in [("first", "dvr"), ("second", "live")] {
        let state = &seen[place];
        assert_eq!((text(&state["standing"]), text(&state["view"])), ("live", view), "{state}");
    }
    assert_eq!((&seen["left"], &seen["listening"]), (&0.into(), &false.into()), "{seen}");
}

#[test]
fn a_site_hears_of_what_was_missed_and_has_it_watched() {
    let headwater = Headwater::start_with(CONFIG);
    let mut stage = Stage::new(&headwater);
    let _encoder = stage.publish();
    let embed = stage.broadcast.page_url.replace("/watch/", "/embed/");
    let site = Viewer::run("web-embed.mjs", &[&embed, "missed"]);
    site.until("playing");
    stage.road.cut();
    site.until("interrupted");
    stage.road.open();
    let seen = site.end();
    assert_calm("missed", &seen);
    assert_eq!(seen["isLinked"], serde_json::json!([true, false]), "no link lies under a card: {seen}");
    assert!(number(&seen["missed"]["state"]["missed_s"]) > 0.0, "{seen}");
    assert_eq!(seen["taken"]["state"]["following"], "catching-up", "{seen}");
}

#[test]
fn a_site_hears_of_the_end_also_of_a_broadcast_that_is_interrupted() {
    let headwater = Headwater::start_with(CONFIG);
    let broadcast = headwater.create_broadcast();
    let mut encoder = Encoder { seconds: SOURCE_S, ..Encoder::default() }.push(&broadcast.push_url);
    let site = Viewer::run("web-embed.mjs", &[&broadcast.page_url.replace("/watch/", "/embed/"), "end"]);
    site.until("playing");
    encoder.kill();
    site.until("interrupted");
    headwater.owner("POST", &format!("/v1/broadcasts/{}/end", broadcast.id), "").expect(200);
    let seen = site.end();
    assert_calm("end", &seen);
    assert_eq!((&seen["before"], &seen["last"]["state"]["isPlaying"]), (&0.into(), &false.into()), "{seen}");
}
