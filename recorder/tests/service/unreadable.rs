//! What was acknowledged and cannot be read: it is tried again for as long as nobody ends its broadcast, and an end waits a
//! minute for it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use broadcast::{RenditionName, Seq};

use crate::fixtures::{Media, Mood, World};

/// A file of which nothing can be read, until it is back.
struct Unreadable {
    file: PathBuf,
    kept: PathBuf,
}

impl Unreadable {
    /// Instead of it there is a link that leads to itself: whoever opens it fails, root too. At no moment is there nothing.
    fn make(world: &World, file: &Path) -> Self {
        let name = file.file_name().unwrap();
        let [kept, link] = ["kept", "link"].map(|folder| {
            let folder = world.folder("..").join(folder);
            std::fs::create_dir_all(&folder).unwrap();
            folder.join(name)
        });
        std::fs::hard_link(file, &kept).unwrap();
        std::os::unix::fs::symlink(file, &link).unwrap();
        std::fs::rename(&link, file).unwrap();
        Self { file: file.to_owned(), kept }
    }

    fn make_parked(world: &World) -> Self {
        Self::make(world, &world.parked_files("parked").pop().unwrap())
    }

    fn restore(self) {
        std::fs::rename(&self.kept, &self.file).unwrap();
    }
}

async fn until_recorded(world: &World, media: &Media, expected: &[(u64, usize)]) {
    let is_recorded = async |world: &World| world.recorded(media).await == expected;
    world.until_passed(Duration::from_secs(1), &format!("{expected:?}"), is_recorded).await;
}

async fn for_secs(world: &World, secs: u64) {
    let until_s = world.now_s() + secs;
    let has_passed = async |world: &World| world.stored().await.len() < 1_000 && world.now_s() >= until_s;
    world.until_passed(Duration::from_secs(1), "time", has_passed).await;
}

#[tokio::test(start_paused = true)]
async fn it_keeps_nothing_else_waiting_and_is_waited_for() {
    let (world, ts) = (World::new().await, Media::ts());
    world.push("clip0.ts", ts.segments[0].clone()).await.expect(202);
    let unreadable = Unreadable::make_parked(&world);
    world.push("clip1.ts", ts.segments[1].clone()).await.expect(202);
    world.push_playlist(&["clip0.ts", "clip1.ts"], "").await.expect(200);
    world.until_stored(1).await;
    assert_eq!(world.recorded(ts).await, [(1, 1)]);
    // Nobody ends anything for hours.
    for_secs(&world, 600).await;
    world.say("end", "").await.expect(503);
    unreadable.restore();
    until_recorded(&world, ts, &[(0, 0), (1, 1)]).await;
    world.say("end", "").await.expect(200);
    assert!(world.broadcast().await.ended().is_some());
}

#[tokio::test(start_paused = true)]
async fn an_end_goes_without_it_after_a_minute() {
    let (world, ts) = (World::new().await, Media::ts());
    world.push("clip0.ts", ts.segments[0].clone()).await.expect(202);
    let _unreadable = Unreadable::make_parked(&world);
    world.push_playlist(&["clip0.ts"], "").await.expect(200);
    for_secs(&world, 100).await;
    for secs in [0, 30] {
        for_secs(&world, secs).await;
        let told = world.say("end", "").await.expect(503);
        let told = String::from_utf8_lossy(told.bytes()).into_owned();
        assert!(told.contains("cannot be read from the recorder's disk"), "{told}");
        assert!(world.parked_files("refused").is_empty());
    }
    for_secs(&world, 31).await;
    world.say("end", "").await.expect(200);
    assert!(world.broadcast().await.ended().is_some() && world.stored().await.is_empty());
    assert_eq!(world.parked_files("refused").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_end_that_was_hinted_goes_without_it_too() {
    let (world, ts) = (World::new().await, Media::ts());
    world.push("clip0.ts", ts.segments[0].clone()).await.expect(202);
    let _unreadable = Unreadable::make_parked(&world);
    world.push_playlist(&["clip0.ts"], "#EXT-X-ENDLIST\n").await.expect(200);
    let has_ended = async |world: &World| world.broadcast().await.ended().is_some();
    world.until_passed(Duration::from_secs(1), "the end", has_ended).await;
    assert_eq!(world.parked_files("refused").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn it_is_not_forgotten_when_it_cannot_be_set_aside() {
    let (world, ts) = (World::new().await, Media::ts());
    world.push("clip0.ts", ts.segments[0].clone()).await.expect(202);
    let unreadable = Unreadable::make_parked(&world);
    world.push_playlist(&["clip0.ts"], "").await.expect(200);
    let refused = world.folder("refused");
    std::fs::remove_dir_all(&refused).ok();
    std::fs::write(&refused, "no directory").unwrap();
    world.say("end", "").await.expect(503);
    for_secs(&world, 100).await;
    world.say("end", "").await.expect(503);
    unreadable.restore();
    until_recorded(&world, ts, &[(0, 0)]).await;
    world.say("end", "").await.expect(200);
}

/// A world with one that came while the store was away: nobody has ever looked at it.
async fn never_seen() -> (World, Unreadable) {
    let mut world = World::new().await;
    world.move_elsewhere().await;
    world.log.feel(Mood::Away);
    world.push("clip0.ts", Media::ts().segments[0].clone()).await.expect(202);
    let unreadable = Unreadable::make_parked(&world);
    world.log.feel(Mood::Well);
    (world, unreadable)
}

#[tokio::test(start_paused = true)]
async fn what_came_while_the_store_was_away_is_waited_for_too() {
    let (world, unreadable) = never_seen().await;
    for_secs(&world, 100).await;
    world.say("end", "").await.expect(503);
    unreadable.restore();
    until_recorded(&world, Media::ts(), &[(0, 0)]).await;
    world.say("end", "").await.expect(200);
}

#[tokio::test(start_paused = true)]
async fn what_came_while_the_store_was_away_holds_up_no_end_for_ever() {
    let (world, _unreadable) = never_seen().await;
    world.say("end", "").await.expect(503);
    for_secs(&world, 61).await;
    world.say("end", "").await.expect(200);
    assert_eq!(world.parked_files("refused").len(), 1);
}

/// A world with one segment, of which the stored init section cannot be read.
async fn without_its_init() -> (World, Unreadable) {
    let (mut world, media) = (World::new().await, Media::fmp4());
    world.push("init.mp4", media.init.clone()).await.expect(201);
    world.push_playlist(&["out0.m4s"], "").await.expect(200);
    world.push("out0.m4s", media.segments[0].clone()).await.expect(201);
    for file in world.parked_files("parked") {
        std::fs::remove_file(file).unwrap();
    }
    let is_init = |file: &PathBuf| file.file_name().unwrap().to_string_lossy().starts_with("init");
    let init = world.segment_files().into_iter().find(is_init).unwrap();
    world.crash().await;
    let unreadable = Unreadable::make(&world, &init);
    (world, unreadable)
}

#[tokio::test(start_paused = true)]
async fn an_init_section_that_cannot_be_read_is_not_taken_for_one_that_has_not_come() {
    let ((world, unreadable), fmp4) = (without_its_init().await, Media::fmp4());
    world.push_playlist(&["out0.m4s", "out1.m4s"], "").await.expect(200);
    world.push("out1.m4s", fmp4.segments[1].clone()).await.expect(202);
    world.say("end", "").await.expect(503);
    unreadable.restore();
    until_recorded(&world, fmp4, &[(0, 0), (1, 1)]).await;
    world.say("end", "").await.expect(200);
}

#[tokio::test(start_paused = true)]
async fn an_end_waits_a_minute_for_all_of_them_together() {
    let ((world, _unreadable), fmp4) = (without_its_init().await, Media::fmp4());
    world.push_playlist(&["out0.m4s"], "").await.expect(200);
    for n in 1..4 {
        world.push(&format!("out{n}.m4s"), fmp4.segments[n].clone()).await.expect(202);
    }
    world.say("end", "").await.expect(503);
    for_secs(&world, 61).await;
    world.say("end", "").await.expect(200);
    assert_eq!((world.parked_files("refused").len(), world.stored().await.len()), (3, 1));
}

/// What waits for an init section that never came holds up nothing that has its own.
#[tokio::test(start_paused = true)]
async fn an_end_takes_in_what_comes_after_what_never_can_be() {
    let (world, fmp4) = (World::new().await, Media::fmp4());
    world.push_playlist(&["a0.m4s"], "").await.expect(200);
    world.push("a0.m4s", fmp4.segments[0].clone()).await.expect(202);
    let head = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:0";
    let playlist = format!("{head}\n#EXT-X-MAP:URI=\"second.mp4\"\n#EXTINF:1.0,\nb0.m4s\n");
    world.push("out.m3u8", playlist).await.expect(200);
    world.push("second.mp4", fmp4.init.clone()).await.expect(201);
    world.push("b0.m4s", fmp4.segments[1].clone()).await.expect(202);
    world.say("end", "").await.expect(200);
    assert!(world.recorded(fmp4).await.iter().any(|(_, nth)| *nth == 1), "{:?}", world.recorded(fmp4).await);
}

/// The disk takes nothing where it belongs.
#[tokio::test(start_paused = true)]
async fn an_end_goes_without_what_can_never_be_kept() {
    let (world, ts) = (World::new().await, Media::ts());
    world.push("clip0.ts", ts.segments[0].clone()).await.expect(202);
    let place = world.folder("segments").join(world.id.to_string()).join("main");
    std::fs::create_dir_all(place.parent().unwrap()).unwrap();
    std::fs::write(&place, "no directory").unwrap();
    world.push_playlist(&["clip0.ts"], "").await.expect(200);
    world.say("end", "").await.expect(503);
    for_secs(&world, 61).await;
    world.say("end", "").await.expect(200);
    assert_eq!(world.parked_files("refused").len(), 1);
}

/// Its pusher starts again meanwhile, with pictures of another size.
async fn start_again(world: &World) {
    let small = Media::small_fmp4();
    world.pass(30).await;
    world.push("init.mp4", small.init.clone()).await.expect(201);
    world.pass(1).await;
    for n in 0..2 {
        world.push(&format!("clip{n}.m4s"), small.segments[n].clone()).await.expect(201);
        world.pass(1).await;
    }
}

#[tokio::test(start_paused = true)]
async fn it_keeps_its_number_and_init_section_while_its_pusher_starts_again() {
    let (world, large) = (World::new().await, Media::fmp4());
    world.push("init.mp4", large.init.clone()).await.expect(201);
    world.push("clip0.m4s", large.segments[0].clone()).await.expect(202);
    world.pass(1).await;
    world.push("clip1.m4s", large.segments[1].clone()).await.expect(202);
    let unreadable = Unreadable::make(&world, &parked_at(&world, "clip1"));
    world.push_playlist(&["clip0.m4s", "clip1.m4s"], "").await.expect(200);
    world.until_stored(1).await;
    start_again(&world).await;
    unreadable.restore();
    world.until_later("all", async |world| world.stored().await.len() == 4).await;
    assert_eq!(world.widths().await, [128, 128, 64, 64]);
    assert_eq!(world.stored().await.iter().map(|segment| segment.pushed).collect::<Vec<_>>(), [0, 1, 0, 1].map(Some));
}

/// The file of what was parked last under a name like this.
fn parked_at(world: &World, name: &str) -> PathBuf {
    let is_it = |file: &PathBuf| file.to_string_lossy().contains(name);
    world.parked_files("parked").into_iter().filter(is_it).max().expect("it is parked")
}

/// A start has found it, when its number was given to another already.
#[tokio::test(start_paused = true)]
async fn it_keeps_its_place_over_a_restart() {
    let (mut world, large) = (World::new().await, Media::fmp4());
    world.push("init.mp4", large.init.clone()).await.expect(201);
    for n in 0..2 {
        world.push(&format!("clip{n}.m4s"), large.segments[n].clone()).await.expect(202);
        world.pass(1).await;
    }
    let unreadable = Unreadable::make(&world, &parked_at(&world, "clip1"));
    world.push_playlist(&["clip0.m4s", "clip1.m4s"], "").await.expect(200);
    world.until_stored(1).await;
    start_again(&world).await;
    unreadable.restore();
    world.crash().await;
    world.until_later("all", async |world| world.stored().await.len() == 4).await;
    // Nor does it confuse what comes next.
    world.push_playlist(&["clip0.m4s", "clip1.m4s", "clip2.m4s"], "").await.expect(200);
    world.push("clip2.m4s", Media::small_fmp4().segments[2].clone()).await.expect(201);
    assert_eq!(world.widths().await, [128, 128, 64, 64, 64]);
    let stored = world.stored().await;
    assert_eq!(stored.iter().map(|segment| segment.seq.0).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
}

/// Long after what came after them.
#[tokio::test(start_paused = true)]
async fn all_that_is_found_at_a_start_have_their_places() {
    let (mut world, ts) = (World::new().await, Media::ts());
    let mut unreadable = Vec::new();
    for n in 0..4 {
        let name = format!("clip{n}.ts");
        world.push(&name, ts.segments[n].clone()).await.expect(202);
        unreadable.push(Unreadable::make(&world, &parked_at(&world, &name)));
    }
    world.push_playlist(&["clip0.ts", "clip1.ts", "clip2.ts", "clip3.ts", "clip4.ts"], "").await.expect(200);
    world.push("clip4.ts", ts.segments[4].clone()).await.expect(201);
    unreadable.into_iter().for_each(Unreadable::restore);
    world.crash_for(70).await;
    until_recorded(&world, ts, &[(0, 0), (1, 1), (2, 2), (3, 3), (4, 4)]).await;
}

/// Their names are times, and when their turn comes others have gone past them.
#[tokio::test(start_paused = true)]
async fn what_a_start_has_found_and_no_playlist_names_has_its_place() {
    let (mut world, ts) = (World::new().await, Media::ts());
    let [first, found, other, last] = [0, 1, 2, 3].map(|n| format!("{}.ts", 1_790_000_000 + n));
    world.push_playlist(&[&first], "").await.expect(200);
    world.push(&first, ts.segments[0].clone()).await.expect(201);
    for (n, name) in [(1, &found), (2, &other)] {
        world.pass(1).await;
        world.push(name, ts.segments[n].clone()).await.expect(202);
    }
    world.crash().await;
    let unreadable = [found, other].map(|name| Unreadable::make(&world, &parked_at(&world, &name)));
    let playlist = format!("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:3\n#EXTINF:1,\n{last}\n");
    world.push("out.m3u8", playlist).await.expect(200);
    tokio::time::advance(Duration::from_millis(100)).await;
    world.push(&last, ts.segments[3].clone()).await.expect(201);
    for_secs(&world, 30).await;
    assert_eq!(world.recorded(ts).await, [(0, 0), (3, 3)]);
    unreadable.into_iter().for_each(Unreadable::restore);
    until_recorded(&world, ts, &[(0, 0), (1, 1), (2, 2), (3, 3)]).await;
}

#[tokio::test(start_paused = true)]
async fn what_was_lost_is_given_up_and_what_waits_is_not() {
    let (world, ts) = (World::new().await, Media::ts());
    world.push("clip0.ts", ts.segments[0].clone()).await.expect(202);
    let unreadable = Unreadable::make(&world, &parked_at(&world, "clip0"));
    world.push_playlist(&["clip0.ts", "clip1.ts", "clip2.ts", "clip3.ts", "clip4.ts"], "").await.expect(200);
    for n in [1, 3] {
        world.push(&format!("clip{n}.ts"), ts.segments[n].clone()).await.expect(201);
    }
    world.pass(70).await;
    world.push("clip4.ts", ts.segments[4].clone()).await.expect(201);
    let is_abandoned = async |seq| {
        let broadcast = world.broadcast().await;
        broadcast.abandoned(&RenditionName::main()).is_some_and(|abandoned| abandoned.contains(Seq(seq)))
    };
    assert_eq!((is_abandoned(0).await, is_abandoned(2).await), (false, true));
    unreadable.restore();
    until_recorded(&world, ts, &[(0, 0), (1, 1), (3, 3), (4, 4)]).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_again_meanwhile_is_stored_once() {
    let (world, ts) = (World::new().await, Media::ts());
    world.push("clip0.ts", ts.segments[0].clone()).await.expect(202);
    let unreadable = Unreadable::make(&world, &parked_at(&world, "clip0"));
    world.push_playlist(&["clip0.ts", "clip1.ts"], "").await.expect(200);
    world.push("clip0.ts", ts.segments[0].clone()).await.expect(201);
    world.push("clip1.ts", ts.segments[1].clone()).await.expect(201);
    unreadable.restore();
    world.until_later("nothing waits", async |world| world.parked_files("parked").is_empty()).await;
    assert_eq!(world.recorded(ts).await, [(0, 0), (1, 1)]);
}

#[tokio::test(start_paused = true)]
async fn the_init_section_of_a_run_that_cannot_be_read_is_waited_for() {
    let (mut world, large, small) = (World::new().await, Media::fmp4(), Media::small_fmp4());
    world.push("init.mp4", large.init.clone()).await.expect(201);
    world.push_playlist(&["clip0.m4s"], "").await.expect(200);
    world.push("clip0.m4s", large.segments[0].clone()).await.expect(201);
    world.pass(30).await;
    world.log.feel(Mood::Away);
    world.crash_unscanned().await;
    world.push("init.mp4", small.init.clone()).await.expect(201);
    world.pass(1).await;
    world.push("other0.m4s", small.segments[0].clone()).await.expect(202);
    let unreadable = Unreadable::make(&world, &parked_at(&world, "init"));
    world.log.feel(Mood::Well);
    for_secs(&world, 100).await;
    assert_eq!(world.stored().await.len(), 1);
    unreadable.restore();
    world.until_later("both", async |world| world.stored().await.len() == 2).await;
    assert_eq!(world.widths().await, [128, 64]);
}

/// It holds up nothing else for longer than a minute, and comes late among what is newer.
#[tokio::test(start_paused = true)]
async fn an_init_section_that_can_be_read_at_last_is_not_taken_for_the_latest() {
    let (mut world, large, small) = (World::new().await, Media::fmp4(), Media::small_fmp4());
    world.log.feel(Mood::Away);
    world.crash_unscanned().await;
    world.push("init.mp4", large.init.clone()).await.expect(201);
    world.push("clip0.m4s", large.segments[0].clone()).await.expect(202);
    let unreadable = Unreadable::make(&world, &parked_at(&world, "init"));
    world.log.feel(Mood::Well);
    for_secs(&world, 90).await;
    world.push("init.mp4", small.init.clone()).await.expect(201);
    world.pass(1).await;
    world.push("clip0.m4s", small.segments[0].clone()).await.expect(202);
    world.push_playlist(&["clip0.m4s"], "").await.expect(200);
    world.until_stored(1).await;
    unreadable.restore();
    world.until_later("both", async |world| world.stored().await.len() == 2).await;
    world.push("clip1.m4s", small.segments[1].clone()).await.expect(201);
    assert_eq!(world.widths().await, [128, 64, 64]);
}
