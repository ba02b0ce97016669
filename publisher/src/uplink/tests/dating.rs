//! When segments were captured, by what recorders are told.

use storage::Kept;

use super::*;

/// Whatever is done to our clock, they are told when something was captured by theirs.
#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_moves_nothing() {
    for set_by_ms in [-7_200_000, -5_000, 5_000, 7_200_000] {
        let mut rig = Rig::start("http://a", &[("http://a", Well)], None).await;
        let began = rig.clock.instant();
        let mut captured = Vec::new();
        // The third one on is recorded where there is no network, and the clock is set meanwhile, and after it.
        for seq in 0..8 {
            match seq {
                2 => rig.far.set("http://a", Dead),
                4 => rig.clock.set_by_ms(set_by_ms),
                6 => rig.far.set("http://a", Well),
                7 => rig.clock.set_by_ms(set_by_ms),
                _ => {}
            }
            rig.record().await;
            captured.push(BEGINNING_MS + millis(began.elapsed()) - 2_000);
            rig.pass(2_000).await;
        }
        rig.pass(60_000).await;
        let told = rig.far.state().captured.clone();
        assert_eq!(told.len(), 8, "{told:?}");
        for (told, captured) in told.values().zip(captured) {
            assert_eq!(told.len(), 1);
            // Half a round trip is not known.
            let off = told.first().unwrap().0 - captured;
            assert!(off.abs() <= 20, "{set_by_ms}: {told:?}, not {captured}");
        }
        rig.stop().await;
    }
}

impl Rig {
    /// How far off is what was told of each segment, by when they were captured.
    fn told(&self, captured: &[i64]) -> Vec<Vec<i64>> {
        let state = self.far.state();
        let told = |(seq, captured): (u64, &i64)| {
            state.captured.get(&seq).into_iter().flatten().map(|told| told.0 - captured).collect()
        };
        (0..).zip(captured).map(told).collect()
    }

    /// A segment of two seconds, and when it was captured by a clock that nobody sets.
    async fn record_by_theirs(&mut self) -> i64 {
        self.pass(2_000).await;
        let captured = self.far.clock.now_ms() - 2_000;
        self.record().await;
        captured
    }

    /// Another recorder answers from now on, whose clock is ahead by so much.
    fn another_answers(&self, ahead_ms: i64) {
        self.far.clock.set_by_ms(ahead_ms);
    }
}

/// Half a round trip is not known.
fn is_near(told: &[i64], off_ms: i64) -> bool {
    told.len() == 1 && (told[0] - off_ms).abs() <= 20
}

/// What waits from before a machine slept keeps its time, and what comes after it has its own.
#[tokio::test(start_paused = true)]
async fn a_machine_that_slept_moves_nothing() {
    const SLEPT_MS: i64 = 3 * 3_600_000;
    for is_known in [false, true] {
        let mut rig = Rig::start("a", &[("a", if is_known { Well } else { Dead })], None).await;
        rig.pass(3_000).await;
        rig.far.set("a", Dead);
        let mut captured = vec![rig.record_by_theirs().await, rig.record_by_theirs().await];
        rig.pass(1_000).await;
        rig.clock.sleep_machine_ms(SLEPT_MS);
        rig.far.clock.set_by_ms(SLEPT_MS);
        captured.push(rig.record_by_theirs().await);
        rig.far.set("a", Well);
        rig.pass(20_000).await;
        captured.push(rig.record_by_theirs().await);
        rig.pass(20_000).await;
        let told = rig.told(&captured);
        assert!(told.iter().all(|told| is_near(told, 0)), "{is_known}: {told:?}");
        rig.stop().await;
    }
}

/// Whoever sends a segment again, and whatever it has measured: the same time goes with it.
#[tokio::test(start_paused = true)]
async fn a_segment_is_always_sent_with_the_same_time() {
    for set_by_ms in [0, -7_200_000, 7_200_000] {
        let mut rig = Rig::start("a", &[("a", Well)], None).await;
        let mut captured = vec![rig.record_by_theirs().await, rig.record_by_theirs().await];
        rig.pass(1_000).await;
        // Where there is no network; and the next one is recorded by another clock.
        rig.far.set("a", Dead);
        captured.push(rig.record_by_theirs().await);
        rig.pass(1_000).await;
        rig.clock.set_by_ms(set_by_ms);
        captured.push(rig.record_by_theirs().await);
        rig.pass(1_000).await;
        for ahead_ms in [900, 3_000, -5_000] {
            rig.begin_again().await;
            rig.another_answers(ahead_ms);
            rig.far.forget();
            rig.far.set("a", Well);
            rig.pass(20_000).await;
            let told = rig.told(&captured);
            assert!(told.iter().all(|told| is_near(told, 0)), "{set_by_ms} {ahead_ms}: {told:?}");
            // In the same run as well, once it has found out that another is right.
            rig.another_answers(7_000);
            rig.pass(30_000).await;
            rig.far.forget();
            rig.pass(30_000).await;
            assert_eq!(rig.told(&captured), told, "{set_by_ms} {ahead_ms}");
        }
        rig.stop().await;
    }
}

/// The power goes before each of the steps between a segment and its note; the next run measures another offset.
#[tokio::test(start_paused = true)]
async fn nothing_goes_out_before_it_is_noted() {
    for kept in [Kept::Everything, Kept::Names, Kept::Nothing] {
        for steps in 0.. {
            let mut rig = Rig::start("a", &[("a", Well)], None).await;
            rig.record_by_theirs().await;
            rig.pass(1_000).await;
            rig.clock.set_by_ms(40_000);
            let segment = rig.capture().await;
            rig.disk.cut_after(steps);
            rig.metadata.commit(id(), &[Event::Stored(segment)], Expect::Any).await.unwrap();
            // Not as long as what is tried in vain, and then goes without a note.
            rig.pass(900).await;
            let (is_out, is_noted) = (rig.far.state().captured.contains_key(&1), !rig.disk.crashed());
            assert_eq!(is_out, is_noted, "{kept:?} {steps}");
            rig.disk.power_back(kept);
            rig.far.forget();
            rig.another_answers(900);
            rig.begin_again().await;
            rig.pass(10_000).await;
            let times: Vec<_> = rig.far.state().captured.values().map(BTreeSet::len).collect();
            assert_eq!(times, [1, 1], "{kept:?} {steps}");
            rig.stop().await;
            if is_noted {
                assert_eq!(steps, 4);
                break;
            }
        }
    }
}

/// Only what is sent can be deleted.
#[tokio::test(start_paused = true)]
async fn a_full_disk_holds_nothing_up() {
    let mut rig = Rig::start("a", &[("a", Well)], None).await;
    let segment = rig.capture().await;
    rig.disk.fill_up(true);
    rig.metadata.commit(id(), &[Event::Stored(segment)], Expect::Any).await.unwrap();
    rig.pass(5_000).await;
    assert_eq!(rig.far.state().captured.len(), 1);
    // It is noted as soon as that can be done.
    rig.disk.fill_up(false);
    rig.pass(5_000).await;
    rig.far.forget();
    rig.another_answers(900);
    rig.begin_again().await;
    rig.pass(10_000).await;
    assert_eq!(rig.far.state().captured.values().map(BTreeSet::len).collect::<Vec<_>>(), [1]);
    rig.stop().await;
}

/// Notes that a bad disk has changed: it is sent, with what is measured now.
#[tokio::test(start_paused = true)]
async fn what_is_noted_and_cannot_be_read_holds_nothing_up() {
    for text in [&b"nonsense"[..], &[0xff]] {
        let mut rig = Rig::start("a", &[("a", Dead)], None).await;
        let captured = rig.record_by_theirs().await;
        rig.pass(3_000).await;
        std::fs::write(rig.dir.path().join("clock-notes"), text).unwrap();
        rig.far.set("a", Well);
        rig.begin_again().await;
        rig.pass(10_000).await;
        let told = rig.told(&[captured]);
        assert!(is_near(&told[0], 0), "{told:?}");
        rig.stop().await;
    }
}

/// A disk that fails is not one without notes, which the next one would replace. What is recorded meanwhile waits.
#[tokio::test(start_paused = true)]
async fn notes_that_cannot_be_read_just_now_are_waited_for() {
    for set_by_ms in [0, 7_200_000] {
        let mut rig = Rig::start("a", &[("a", Well)], None).await;
        let mut captured = vec![rig.record_by_theirs().await];
        rig.pass(3_000).await;
        let (notes, away) = (rig.dir.path().join("clock-notes"), rig.dir.path().join("away"));
        rig.life.tasks.shutdown().await;
        std::fs::rename(&notes, &away).unwrap();
        std::fs::create_dir(&notes).unwrap();
        rig.far.forget();
        rig.another_answers(900);
        rig.begin_again().await;
        captured.push(rig.record_by_theirs().await);
        rig.pass(3_000).await;
        assert_eq!(rig.far.state().captured.len(), 1, "nothing is sent yet");
        let status = rig.status();
        assert!(status.trouble.is_some_and(|why| why.contains("remove `clock-notes`")) && status.owed_segments == 2);
        rig.clock.set_by_ms(set_by_ms);
        rig.pass(3_000).await;
        std::fs::remove_dir(&notes).unwrap();
        std::fs::rename(&away, &notes).unwrap();
        rig.pass(10_000).await;
        let told = rig.told(&captured);
        assert!(told.iter().all(|told| is_near(told, 0)), "{told:?}");
        assert_eq!((rig.status().trouble, rig.status().owed_segments), (None, 0));
        rig.stop().await;
    }
}

/// Whatever is wrong with it: what is recorded is sent, and noted once it can be.
#[tokio::test(start_paused = true)]
async fn a_disk_that_takes_no_notes_holds_nothing_up() {
    let mut rig = Rig::start("a", &[("a", Well)], None).await;
    let notes = rig.dir.path().join("clock-notes");
    std::fs::create_dir(&notes).unwrap();
    let captured = [rig.record_by_theirs().await, rig.record_by_theirs().await];
    rig.pass(5_000).await;
    let told = rig.told(&captured);
    assert!(told.iter().all(|told| is_near(told, 0)), "{told:?}");
    std::fs::remove_dir(&notes).unwrap();
    rig.pass(5_000).await;
    rig.far.forget();
    rig.another_answers(900);
    rig.begin_again().await;
    rig.pass(10_000).await;
    assert_eq!(rig.told(&captured), told);
    rig.stop().await;
}

/// What an encoder sends that does not say when: our clock dates the first one, and its timestamps date the others until they
/// seem to come hours late.
#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_moves_nothing_that_timestamps_date() {
    for set_by_ms in [-7_200_000, -5_000, 5_000, 7_200_000] {
        let mut rig = Rig::start("a", &[("a", Well)], None).await;
        let (mut captured, began) = (Vec::new(), rig.clock.running_ms());
        for seq in 0..10 {
            rig.pass(2_000).await;
            if seq == 2 {
                rig.clock.set_by_ms(set_by_ms);
            }
            captured.push(rig.far.clock.now_ms() - 2_000);
            let media_ms = rig.clock.running_ms() - began;
            let by_clock = seq >= 7 && set_by_ms > 10_000;
            let ended = if by_clock { rig.clock.now_ms() } else { BEGINNING_MS + media_ms };
            let segment = rig.capture_as(CapturedAt(ended - 2_000), MediaTime(media_ms * 90)).await;
            rig.metadata.commit(id(), &[Event::Stored(segment)], Expect::Any).await.unwrap();
        }
        rig.pass(5_000).await;
        let told = rig.told(&captured);
        assert!(told.iter().all(|told| is_near(told, 0)), "{set_by_ms}: {told:?}");
        let latency_ms = rig.status().latency_ms.unwrap();
        assert!((10..=100).contains(&latency_ms), "{set_by_ms}: {latency_ms}");
        rig.stop().await;
    }
}
