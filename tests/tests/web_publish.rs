//! The phone publisher in the browser, with a fake camera, over a network that breaks: what the page recorded is what the
//! recording is, byte for byte and picture by picture, whatever happens to the network, the page and the browser; and
//! whoever watches is told what is going on.

use std::time::Duration;

use headwater_tests::{Encoded, Program, Recording, wait_until_complete};
use serde_json::Value;
use tempfile::TempDir;
use testkit::{Headwater, NewBroadcast, Road, Tool, eventually};

/// Longer than any run here takes.
const RUN_MAX: Duration = Duration::from_secs(170);
/// Longer than a browser takes to start on a machine with other work.
const STEP_MAX: Duration = Duration::from_secs(90);

/// A publish page in a browser of its own.
struct Page {
    headwater: Headwater,
    id: String,
    road: Road,
    program: Program,
    /// Where the browser keeps what outlives it.
    _profile: TempDir,
}

impl Page {
    fn open(scenario: &str) -> Self {
        let headwater = Headwater::start();
        let NewBroadcast { id, token, .. } = headwater.create_broadcast();
        let link = format!("id={id}&token={token}");
        Self::open_at(scenario, headwater, &link, id)
    }

    /// With this behind the `#` of its address; `id` is the broadcast's, as far as that is known.
    fn open_at(scenario: &str, headwater: Headwater, link: &str, id: String) -> Self {
        let road = Road::to(headwater.url());
        let profile = TempDir::new().expect("a temporary folder");
        let url = format!("{}/publish#{link}", road.url());
        let chromium = Tool::find("chromium");
        let watch = format!("{}/watch/{id}", headwater.url());
        let args =
            [chromium.path().as_os_str(), url.as_ref(), profile.path().as_os_str(), scenario.as_ref(), watch.as_ref()];
        let program = Program::start(&Tool::node_script("publish_page.mjs"), args);
        Self { headwater, id, road, program, _profile: profile }
    }

    /// Until the page has come so far.
    #[track_caller]
    fn reaches(&self, what: &str) {
        eventually(what, STEP_MAX, || {
            let said = self.program.said();
            if said.lines().any(|line| line == what) { Ok(()) } else { Err(said) }
        });
    }

    /// From when it is live until it has recorded for as long as it is to.
    #[track_caller]
    fn records_without_a_network(&self) {
        self.reaches("live");
        self.road.cut();
        self.reaches("waited");
        self.road.open();
    }

    /// How the broadcast stands.
    fn main(&self) -> Value {
        self.headwater.broadcast(&self.id)["details"]["main"].clone()
    }

    /// What came after the outage is stored while what was recorded in it is not: live goes first.
    #[track_caller]
    fn is_live_before_it_is_whole(&self) {
        eventually("live before what is missing", STEP_MAX, || {
            let main = self.main();
            let missing = main["missing"].as_array().is_some_and(|missing| !missing.is_empty());
            if missing { Ok(()) } else { Err(main) }
        });
    }

    /// Waits until the page is done: what it has seen, when nothing in it has failed.
    #[track_caller]
    fn is_done(&mut self) -> Value {
        self.program.end_well(RUN_MAX);
        let said = self.program.said_whole();
        let seen: Value = serde_json::from_str(said.lines().last().expect("it says what it has seen")).expect("JSON");
        assert_eq!(seen["complaints"], Value::Array(vec![]), "{seen}");
        seen
    }

    /// Waits until the page is done: what it has seen, when the recording is what the page had recorded.
    #[track_caller]
    fn is_whole(&mut self, segments_min: usize) -> Value {
        let seen = self.is_done();
        if let Some(id) = seen["id"].as_str() {
            id.clone_into(&mut self.id);
        }
        wait_until_complete(&self.headwater, &self.id);
        let recording = Recording::of_main(&self.headwater, &self.id);
        let digest = |bytes: &Vec<u8>| blake3::hash(bytes).to_hex()[..32].to_owned();
        let there: Vec<_> = recording.segments.iter().map(digest).collect();
        let here: Vec<_> = seen["segments"].as_array().expect("a list").iter().collect();
        let here_digests: Vec<_> = here.iter().map(|segment| segment["digest"].as_str().expect("text")).collect();
        assert_eq!(there, here_digests, "the recording is what the page recorded, in order, each once");
        let numbers: Vec<_> = here.iter().map(|segment| segment["seq"].as_u64().expect("a number")).collect();
        assert_eq!(numbers, (0..numbers.len() as u64).collect::<Vec<_>>());
        assert!(there.len() >= segments_min, "{} segments", there.len());
        seen
    }

    /// Every picture and every sound that an encoder gave is in the recording, in order, each once, and can be decoded.
    #[track_caller]
    fn is_what_was_encoded(&self, seen: &Value) {
        self.compare(seen, Encoded::assert_is_all_of);
    }

    /// The same of sound: pictures may have stood in for others.
    #[track_caller]
    fn has_all_that_was_heard(&self, seen: &Value) {
        self.compare(seen, Encoded::assert_has_all_sound_of);
    }

    #[track_caller]
    fn compare(&self, seen: &Value, is_in: impl Fn(&Encoded, &str, &str, f64)) {
        let vod = format!("{}/hls/{}/index.m3u8?view=vod", self.headwater.url(), self.id);
        let duration_s = self.headwater.broadcast(&self.id)["duration_s"].as_f64().expect("a number");
        let codecs = self.main()["codecs"].as_str().expect("text").to_owned();
        is_in(&Encoded::of_pages(&seen["encoded"]), &vod, &codecs, duration_s);
    }
}

fn words(seen: &Value, of: &str) -> String {
    seen["words"][of].as_str().unwrap_or_else(|| panic!("no words {of:?} in {seen}")).to_owned()
}

/// The number before " s" at the end of a line: "…: 42 s waiting".
fn seconds(line: &str) -> f64 {
    let number = line.split(' ').rev().find_map(|word| word.parse().ok());
    number.unwrap_or_else(|| panic!("no number in {line:?}"))
}

#[test]
fn the_owner_ends_it_in_a_tunnel_and_what_was_recorded_until_it_was_heard_arrives() {
    let mut page = Page::open("ended");
    page.reaches("live");
    page.road.cut();
    let before = page.main()["segments"].as_u64();
    let ended = page.headwater.owner("POST", &format!("/v1/broadcasts/{}/end", page.id), "").expect(200).json();
    assert_eq!(ended["state"], "ended", "{ended}");
    page.reaches("waited");
    page.road.open();
    let seen = page.is_whole(3);
    page.is_what_was_encoded(&seen);
    assert!(before < page.main()["segments"].as_u64(), "nothing was waiting");
    assert_eq!(words(&seen, "done"), "The owner has ended this broadcast. Everything is sent and safe.");
}

#[test]
fn the_owner_gives_up_what_is_missing_and_the_page_stops_and_keeps_it() {
    let mut page = Page::open("given_up");
    page.reaches("live");
    page.road.cut();
    for word in ["end", "abandon"] {
        page.headwater.owner("POST", &format!("/v1/broadcasts/{}/{word}", page.id), "").expect(200);
    }
    page.reaches("waited");
    page.road.open();
    let seen = page.is_done();
    let refused = "The broadcast has ended; what was not sent is no longer accepted. It stays on this device.";
    assert_eq!(words(&seen, "told"), refused);
    assert_eq!(seen["offered"], 2, "to save and to delete: {seen}");
    wait_until_complete(&page.headwater, &page.id);
    let there = Recording::of_main(&page.headwater, &page.id).segments.len();
    let standing: Vec<_> = seen["segments"].as_array().expect("a list").iter().map(|one| &one["standing"]).collect();
    let (sent, kept) = standing.split_at(there);
    assert!(!kept.is_empty() && kept.iter().all(|standing| **standing == "refused"), "{seen}");
    assert!(sent.iter().all(|standing| **standing == "safe" || **standing == "deleted"), "{seen}");
}

#[test]
fn a_pause_another_picture_size_and_another_camera_leave_the_recording_whole() {
    let mut page = Page::open("straight");
    let seen = page.is_whole(13);
    page.is_what_was_encoded(&seen);
    let vod = page.headwater.get(&format!("/hls/{}/main/vod.m3u8", page.id)).expect(200);
    // After the pause, and where the picture has another size; where the cameras change, the picture that stands meanwhile
    // may have other colours, and what it stands between is then of another format too.
    let breaks = vod.text().lines().filter(|line| *line == "#EXT-X-DISCONTINUITY").count();
    assert!((2..=6).contains(&breaks), "{}", vod.text());
    let live = words(&seen, "live");
    assert!(live.starts_with("Live, ") && live.ends_with(" s behind"), "{live}");
    assert!(words(&seen, "done").starts_with("Ended. Everything is sent"), "{seen}");
    assert_eq!(seen["dialogs"], serde_json::json!([]), "nobody is warned when all is sent");
}

/// Less than any picture takes, in bytes per second.
const NARROW: u32 = 15_000;

#[test]
fn on_a_narrow_link_the_bit_rate_falls_and_only_at_keyframes() {
    let mut page = Page::open("narrow");
    page.reaches("live");
    page.road.carries(Some(NARROW));
    page.reaches("waited");
    page.road.carries(None);
    let seen = page.is_whole(5);
    page.is_what_was_encoded(&seen);
    let rates: Vec<(u64, String)> = serde_json::from_value(seen["encoded"][0]["rates"].clone()).expect("rates");
    assert!(rates.first().expect("a rate").0 >= 400_000 && rates.iter().any(|(rate, _)| *rate == 150_000), "{rates:?}");
    assert!(rates.iter().all(|(_, picture)| picture == "key"), "{rates:?}");
}

#[test]
fn where_a_track_cannot_be_read_what_the_preview_shows_is_recorded() {
    let mut page = Page::open("preview");
    let seen = page.is_whole(13);
    page.is_what_was_encoded(&seen);
}

#[test]
fn a_phone_that_is_turned_goes_on_with_another_size() {
    let mut page = Page::open("turned");
    let seen = page.is_whole(7);
    page.is_what_was_encoded(&seen);
    let sizes = serde_json::json!([{ "width": 640, "height": 360 }, { "width": 360, "height": 640 }]);
    assert_eq!(seen["sizes"], sizes);
    let vod = page.headwater.get(&format!("/hls/{}/main/vod.m3u8", page.id)).expect(200);
    assert_eq!(vod.text().lines().filter(|line| *line == "#EXT-X-DISCONTINUITY").count(), 1, "{}", vod.text());
}

#[test]
fn while_the_camera_is_taken_what_is_heard_is_recorded() {
    let mut page = Page::open("blind");
    let seen = page.is_whole(10);
    page.has_all_that_was_heard(&seen);
    assert!(words(&seen, "warned").starts_with("The camera gives no pictures."), "{seen}");
    assert!(words(&seen, "blind").starts_with("Live, "), "{seen}");
}

/// A browser offers to install a page whose manifest has a name, where it starts, how it is shown, and icons of two sizes.
#[test]
fn the_page_can_be_installed() {
    let headwater = Headwater::start();
    let page = headwater.get("/publish").expect(200);
    let (_, link) = page.text().split_once("<link rel=\"manifest\" href=\"").expect("a link to a manifest");
    let manifest = headwater.get(link.split('"').next().expect("an address")).expect(200);
    assert!(manifest.header("content-type").starts_with("application/manifest+json"));
    let manifest = manifest.json();
    assert_eq!((&manifest["display"], &manifest["start_url"]), (&"standalone".into(), &"/publish".into()));
    assert!(["name", "short_name"].iter().all(|name| manifest[name].as_str().is_some_and(|name| !name.is_empty())));
    let mut sizes = std::collections::BTreeSet::new();
    for icon in manifest["icons"].as_array().expect("icons") {
        let (src, told) = (icon["src"].as_str().expect("an address"), icon["sizes"].as_str().expect("sizes"));
        let file = headwater.get(src).expect(200);
        assert_eq!(icon["type"], file.header("content-type"), "{src}");
        if icon["type"] == "image/png" {
            assert_eq!(size_of_png(&file.body), told, "{src}");
            sizes.insert(told.to_owned());
        }
    }
    assert_eq!(sizes.into_iter().collect::<Vec<_>>(), ["192x192", "512x512"]);
    headwater.get("/service-worker.js").expect(200);
}

/// As its header says: <https://www.w3.org/TR/png-3/#11IHDR>.
fn size_of_png(bytes: &[u8]) -> String {
    let side = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
    assert_eq!((&bytes[..8], &bytes[12..16]), (&b"\x89PNG\r\n\x1a\n"[..], &b"IHDR"[..]));
    format!("{}x{}", side(16), side(20))
}

#[test]
fn forty_seconds_without_a_network_are_told_to_a_viewer_who_sees_them_later() {
    let mut page = Page::open("outage");
    page.records_without_a_network();
    page.is_live_before_it_is_whole();
    let seen = page.is_whole(24);
    page.is_what_was_encoded(&seen);
    let [later, waited] = ["later", "waited"].map(|of| words(&seen, of));
    for line in [&later, &waited] {
        assert!(line.starts_with("Recording, will send later: ") && line.ends_with(" waiting"), "{line}");
    }
    assert!(seconds(&waited) >= 40.0, "{waited}");
    assert!(words(&seen, "back").starts_with("Live, "), "{seen}");

    // The same as a viewer has seen it.
    let shown = |moment: &str, what: &str| seen["watched"][moment][what].as_str().unwrap_or_default().to_owned();
    for moment in ["told", "counted"] {
        let card = shown(moment, "card");
        assert!(card.contains("is interrupted") && card.contains("We will be back by ourselves"), "{moment}: {card}");
    }
    assert_eq!((shown("again", "card"), shown("again", "message")), (String::new(), "none".into()), "{seen}");
    assert!(shown("offered", "offer").starts_with("Watch what you missed (0:"), "{}", shown("offered", "offer"));
    let taken = &seen["watched"]["taken"];
    assert!(shown("taken", "catchingUp").starts_with("Catching up"), "{taken}");
    let rate = taken["rate"].as_f64().expect("a number");
    assert!((1.1..=1.25).contains(&rate) && taken["preservesPitch"] == true, "{taken}");
    for moment in ["rejoined", "after"] {
        let now = &seen["watched"][moment];
        assert_eq!(
            (&now["rate"], &now["following"], &now["catchingUp"]),
            (&1.into(), &"live".into(), &Value::Null),
            "{now}"
        );
    }
    assert!(shown("ended", "card").contains("has ended"), "{}", shown("ended", "card"));
}

#[test]
fn an_owner_makes_a_broadcast_and_another_tab_takes_over_what_is_left() {
    let headwater = Headwater::start();
    let link = format!("owner-key={}", headwater.owner_key());
    let mut page = Page::open_at("own", headwater, &link, String::new());
    page.records_without_a_network();
    let seen = page.is_whole(3);
    page.is_what_was_encoded(&seen);
    assert_eq!(page.headwater.broadcast(&page.id)["title"], "Regatta");
    assert_eq!(words(&seen, "title"), "Regatta");
    assert_eq!(words(&seen, "held"), "Another tab is working on this one.");
    assert!(
        seen["address"].as_str().is_some_and(|address| address.ends_with("/publish")),
        "no key stays in it: {seen}"
    );
}

#[test]
fn two_tabs_give_a_broadcast_to_each_other_and_nothing_is_lost() {
    let mut page = Page::open("take_over");
    let seen = page.is_whole(7);
    page.is_what_was_encoded(&seen);
    assert_eq!(words(&seen, "asks"), "Let another tab take over?");
    assert_eq!(words(&seen, "unasked"), "alertdialog, yes not yet", "it comes under a thumb");
    assert!(words(&seen, "heard").ends_with("keeps it."), "{seen}");
    assert_eq!(words(&seen, "kept"), "recording");
    assert!(words(&seen, "told").starts_with("Another tab has taken over"), "{seen}");
}

#[test]
fn the_screen_stays_on_the_battery_is_shown_and_a_hot_phone_records_less() {
    let mut page = Page::open("device");
    let seen = page.is_whole(3);
    page.is_what_was_encoded(&seen);
    let lock = |released: bool| serde_json::json!([{ "type": "screen", "released": released }]);
    assert_eq!(seen["asked"], serde_json::json!([[], lock(false), lock(true)]), "{seen}");
    assert_eq!(seen["levels"], serde_json::json!(["▮ 42 %", "▮ 10 %"]));
}

#[test]
fn where_nothing_can_be_recorded_a_link_fills_in_the_other_ways() {
    let headwater = Headwater::start();
    let NewBroadcast { id, token, .. } = headwater.create_broadcast();
    let mut page = Page::open_at("unable", headwater, &format!("id={id}&token={token}"), id.clone());
    let seen = page.is_done();
    // By the way on which the page was opened.
    let push = format!("{}/push", page.road.url());
    for ways in ["unsupported", "noCamera"] {
        let [ffmpeg, obs] = [0, 1].map(|way| seen[ways]["lines"][way].as_str().expect("a line"));
        let end = format!(" \"{push}/{token}/out.m3u8\"");
        assert!(ffmpeg.starts_with("ffmpeg ") && ffmpeg.ends_with(&end), "{ffmpeg}");
        let service: Value = serde_json::from_str(obs).expect("JSON");
        assert_eq!(service["settings"]["key"], token, "{service}");
        assert_eq!(service["settings"]["server"], format!("{push}/{{stream_key}}/out.m3u8"), "{service}");
        assert_eq!(seen[ways]["copied"], ffmpeg, "{ways}");
    }
}

#[test]
fn without_room_what_is_recorded_waits_and_that_is_said() {
    let mut page = Page::open("full");
    page.records_without_a_network();
    let seen = page.is_whole(6);
    page.is_what_was_encoded(&seen);
    assert!(words(&seen, "warned").starts_with("No room on this device!"), "{seen}");
    // What is in memory only counts too.
    assert!(seconds(&words(&seen, "waited")) >= 5.0, "{seen}");
}

#[test]
fn where_aac_cannot_be_had_sound_is_opus_in_fragmented_mp4() {
    let mut page = Page::open("opus");
    let seen = page.is_whole(4);
    page.is_what_was_encoded(&seen);
    let codecs = page.main()["codecs"].clone();
    assert!(codecs.as_str().is_some_and(|codecs| codecs.to_lowercase().contains("opus")), "{codecs}");
    let recording = Recording::of_main(&page.headwater, &page.id);
    let inits: std::collections::BTreeSet<_> = recording.inits.iter().collect();
    assert_eq!(inits.len(), 1, "one format has one init section");
}

#[test]
fn without_room_opus_keeps_its_init_section_when_the_browser_is_killed() {
    let mut page = Page::open("opus_kill");
    page.records_without_a_network();
    let seen = page.is_whole(4);
    let recording = Recording::of_main(&page.headwater, &page.id);
    assert_eq!(
        recording.inits.iter().collect::<std::collections::BTreeSet<_>>().len(),
        1,
        "one format has one init section"
    );
    assert!(seen["kept"].as_u64() >= seen["before"].as_u64(), "{seen}");
}

#[test]
fn without_a_microphone_the_page_says_so_and_has_sound_once_there_is_one() {
    let mut page = Page::open("silent");
    let seen = page.is_whole(5);
    assert!(words(&seen, "warned").starts_with("No microphone: "), "{seen}");
    assert_eq!(words(&seen, "none"), "", "the only microphone is another one than none");
    let codecs = page.main()["codecs"].clone();
    assert!(codecs.as_str().is_some_and(|codecs| codecs.contains("mp4a")), "{codecs}");
}

#[test]
fn a_page_that_is_reloaded_without_a_network_goes_on() {
    let mut page = Page::open("reload");
    page.records_without_a_network();
    let seen = page.is_whole(9);
    page.is_what_was_encoded(&seen);
    assert!(words(&seen, "found").starts_with("Interrupted. "), "{seen}");
    assert!(words(&seen, "again").starts_with("Recording, "), "{seen}");
    assert_eq!(seen["dialogs"], serde_json::json!(["beforeunload"]), "whoever leaves with unsent footage is warned");
}

#[test]
fn a_browser_that_is_killed_without_a_network_loses_nothing_that_was_kept() {
    let mut page = Page::open("kill");
    page.records_without_a_network();
    let seen = page.is_whole(6);
    page.is_what_was_encoded(&seen);
    assert!(words(&seen, "found").starts_with("Interrupted. "), "{seen}");
    assert_eq!(words(&seen, "sent"), "Interrupted. Everything recorded so far is sent.");
    assert!(seen["kept"].as_u64() >= seen["before"].as_u64(), "{seen}");
}

#[test]
fn no_state_of_the_page_has_an_accessibility_error() {
    assert_fits_everybody("en");
}

/// Russian words are the longest.
#[test]
fn every_state_of_the_page_fits_a_narrow_screen_in_russian() {
    assert_fits_everybody("ru");
}

#[track_caller]
fn assert_fits_everybody(language: &str) {
    let headwater = Headwater::start();
    let chromium = Tool::find("chromium");
    let (url, key) = (headwater.url().to_owned(), headwater.owner_key().to_owned());
    let args = [chromium.path().as_os_str(), url.as_ref(), key.as_ref(), language.as_ref()];
    let mut looking = Program::start(&Tool::node_script("publish_axe.mjs"), args);
    looking.end_well(RUN_MAX);
    let said = looking.said_whole();
    let seen: Value = serde_json::from_str(said.lines().last().expect("it says what it has seen")).expect("JSON");
    let states = seen["states"].as_object().expect("states by name");
    let recording =
        ["ready", "settings", "live", "ask", "later", "warned", "hand-over", "held-asked", "held-kept", "taken-over"];
    let nothing = ["unsupported", "unsupported-link", "no-camera-link"];
    for state in recording.iter().chain(&["interrupted", "stuck", "delete"]).chain(&nothing) {
        assert!(states.contains_key(*state), "{state} was not reached: {seen}");
    }
    for (state, found) in states {
        assert_eq!(found, &Value::Array(vec![]), "{state}");
    }
}
