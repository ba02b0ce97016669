//! What the rules' tests have found, by name: every rule is checked on each.

use broadcast::{Container, Missing, View};

use crate::reader::{playlist, replay, shown};
use crate::rules;
use crate::script::{Before, Delivery, Fate, Finish, Form, Script, Slot};
use crate::simulation::Recording;

/// A recording of segments of one second in this many renditions.
fn seconds(count: usize, renditions: usize) -> Script {
    let mut script = Script::calm(count);
    (script.target, script.base_ms, script.latency_ms) = (Some(1), 1_000, 20);
    script.policy.window_ms = 10_000;
    script.slots.iter_mut().for_each(|slot| slot.ticks = 90_000);
    script.renditions = vec![script.renditions[0].clone(); renditions];
    script
}

fn check(name: &str, script: &Script) {
    if let Err(error) = rules::check(script) {
        panic!("{name}: {error}\n{script:?}");
    }
}

#[test]
fn named_cases() {
    let case = |name: &str, mut script: Script, change: fn(&mut Script)| {
        change(&mut script);
        check(name, &script);
    };
    case("the end was listed once more when the last hole was filled", seconds(6, 1), |script| {
        script.slots[5].fates[0] = Fate::Lost;
        script.finish = Finish::EndedThenRecovered;
    });
    case("gaps had another URI once the media before them had left the window", seconds(8, 1), |script| {
        script.renditions[0] = Form { container: Container::M4s, shift_ms: 62 };
        script.slots[5].before = Before::Pause { ms: 10_813, timestamps_go_on: false };
    });
    case("the window was short of three target durations", seconds(20, 1), |script| {
        (script.renditions[0].shift_ms, script.policy.window_ms) = (62, 3_000);
    });
    case("a gap was as long as a slot that was stretched to its media", seconds(3, 3), |script| {
        (script.target, script.base_ms) = (Some(4), 4_000);
        script.slots.iter_mut().for_each(|slot| slot.ticks = 360_000);
        script.slots[1].before = Before::Pause { ms: 14_500, timestamps_go_on: false };
        script.slots[1].fates[1] = Fate::Late { ms: 3_998 };
    });
    case("a late rendition did not count the discontinuity with which it began", seconds(4, 2), |script| {
        script.slots[0].fates[0] = Fate::Late { ms: 1_444 };
        script.slots[1].before = Before::Pause { ms: 1_000, timestamps_go_on: false };
    });
    case("a new rendition was the first there after a restart", seconds(3, 2), |script| {
        script.policy.clock_margin_ms = 500;
        script.slots[0].fates[1] = Fate::Abandoned { ms: 0 };
        script.slots[1].before = Before::Restart { away_ms: 351 };
        script.slots[1].fates[0] = Fate::Late { ms: 4 };
    });
    case("a rendition that missed the first of two breaks did not see the second", seconds(14, 2), |script| {
        script.slots[11].before = Before::NewFormat;
        script.slots[11].fates[0] = Fate::Late { ms: 1_937 };
        script.slots[12].before = Before::Pause { ms: 1_000, timestamps_go_on: false };
    });
    case("a segment took a slot that was far too long for it", seconds(3, 2), |script| {
        (script.target, script.base_ms) = (Some(4), 4_000);
        script.slots.iter_mut().for_each(|slot| slot.ticks = 360_000);
        script.slots[0].fates[0] = Fate::Abandoned { ms: 0 };
        (script.slots[1].before, script.slots[1].ticks) = (Before::ClockJump { ms: -3_002 }, 72_000);
    });
    case("a late scrap took what little was left of its slot", seconds(10, 3), |script| {
        (script.target, script.base_ms, script.policy.patience_ms) = (Some(4), 4_000, Some(586));
        script.slots.iter_mut().for_each(|slot| slot.ticks = 360_000);
        script.renditions[0].shift_ms = 23;
        script.slots[8] = Slot {
            ticks: 86_400,
            fates: vec![Fate::Late { ms: 900 }, Fate::Sent, Fate::Sent],
            ..script.slots[8].clone()
        };
    });
    case("a date range stood before gaps older than itself", seconds(20, 2), |script| {
        (script.latency_ms, script.latency_jitter_ms, script.policy.clock_margin_ms) = (819, 1_000, 500);
        script.slots[8].fates[1] = Fate::Late { ms: 669 };
        script.slots[9].before = Before::NewFormat;
    });
    case("a rendition began with nothing but a gap", seconds(8, 2), |script| {
        script.policy.patience_ms = Some(3_000);
        script.slots[0].fates[1] = Fate::Lost;
        script.slots[1].fates[1] = Fate::Lost;
    });
    case("the end came before the first segment, and was forgotten", seconds(5, 1), |script| {
        script.slots[0].before = Before::Outage { ms: 6_000, delivery: Delivery::InOrder };
        script.slots[3].fates[0] = Fate::Lost;
        (script.latency_ms, script.finish) = (827, Finish::EndedEarly(Missing::Awaited));
    });
    case("a gap for media of half a second more than the target duration was rounded up", seconds(13, 3), |script| {
        (script.target, script.base_ms, script.renditions[2].shift_ms) = (Some(3), 2_000, 23);
        (script.latency_jitter_ms, script.policy.rest_after_ms) = (200, 20_000);
        script.slots.iter_mut().for_each(|slot| slot.ticks = 180_000);
        script.slots[12].ticks = 316_800;
    });
    case("what came back after a rest was listed without patience", seconds(20, 1), |script| {
        script.policy.rest_after_ms = 5_000;
        script.slots[5].before = Before::Outage { ms: 12_000, delivery: Delivery::NewestFirst };
    });
}

/// Live had only gaps for ever after.
#[test]
fn a_clock_that_goes_back() {
    let mut script = seconds(40, 1);
    script.slots[5].before = Before::ClockJump { ms: -9_459 };
    check("a clock that goes back", &script);
    let recording = Recording::new(&script);
    let (broadcast, now) = (replay(&recording, recording.log.len()), recording.end_at());
    let live = playlist(&broadcast, &recording.names[0], View::Live, now).expect("it has begun");
    let newest = live.segments.last().map(|segment| &*segment.uri);
    assert_eq!(newest, Some("39.ts"), "{}", shown(&broadcast, &recording.names, now));
}
