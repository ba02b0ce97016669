//! Segments that cannot go for their own sake: the others do, and they do as soon as they can.

use std::path::PathBuf;

use super::*;

const FAR_AHEAD_MS: i64 = 900_000;

impl Rig {
    /// Where the bytes of a segment are.
    fn file(&self, segment: &Segment) -> PathBuf {
        self.dir.path().join("segments").join(Key::of_segment(id(), segment).to_string())
    }

    /// Records one whose file is not where it should be.
    async fn record_away(&mut self) -> (PathBuf, PathBuf) {
        let segment = self.capture().await;
        let (file, away) = (self.file(&segment), self.dir.path().join(format!("away-{}", segment.seq)));
        std::fs::rename(&file, &away).unwrap();
        self.metadata.commit(id(), &[Event::Stored(segment)], Expect::Any).await.unwrap();
        (file, away)
    }

    async fn say_end(&self) {
        let last = broadcast::LastSeq {
            rendition: RenditionName::main(),
            seq: Some(broadcast::Seq(self.recorded - 1)),
            missing: broadcast::Missing::Awaited,
        };
        self.metadata.commit(id(), &[Event::Ended { last: vec![last] }], Expect::Any).await.unwrap();
        self.far.state().stored_is_safe = true;
    }

    /// Which segments have come.
    fn come(&self) -> Vec<u64> {
        self.far.state().captured.keys().copied().collect()
    }

    /// Records one by an encoder whose timestamps go on, from the first one of this rig, so far ahead of all clocks.
    async fn record_ahead(&mut self, first_ms: i64, ahead_ms: i64) {
        let captured_ms = self.clock.now_ms() - 2_000 + ahead_ms;
        let media = MediaTime((captured_ms - first_ms) * 90);
        let segment = self.capture_as(CapturedAt(captured_ms), media).await;
        self.metadata.commit(id(), &[Event::Stored(segment)], Expect::Any).await.unwrap();
    }
}

/// A burst of open files, or a disk that was away for a moment.
#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_for_a_while_is_sent_without_a_restart() {
    for is_cut_off in [false, true] {
        let mut rig = Rig::start("a", &[("a", Well)], None).await;
        rig.record_many(1).await;
        rig.far.set("a", if is_cut_off { Dead } else { Well });
        let (file, away) = rig.record_away().await;
        rig.record().await;
        if is_cut_off {
            // It is one of a bundle then.
            rig.pass(20_000).await;
            rig.far.set("a", Well);
        }
        rig.pass(5_000).await;
        assert_eq!(rig.come(), [0, 2], "the others go on without it");
        rig.say_end().await;
        rig.pass(20_000).await;
        assert!(rig.life.ended.try_recv().is_err(), "the end waits for it");
        let status = rig.status();
        assert_eq!((status.refused_segments, status.owed_segments), (0, 1));
        assert_eq!(status.held_back, [("main".to_owned(), vec![[1, 1]])].into());
        assert!(status.held_back_because.is_some_and(|why| why.contains("there is nothing under this key")));
        std::fs::rename(away, file).unwrap();
        rig.pass(60_000).await;
        assert_eq!(rig.come(), [0, 1, 2]);
        assert!(rig.life.ended.try_recv().unwrap().is_ok());
        assert!(rig.status().is_done && rig.status().held_back.is_empty());
        rig.stop().await;
    }
}

/// In a bundle it is known which one it was, once some of its bytes were sent.
#[tokio::test(start_paused = true)]
async fn what_ends_too_soon_holds_up_only_itself() {
    let mut rig = Rig::start("a", &[("a", Well)], None).await;
    // It is known what the link carries, so that they go together.
    rig.record_many(1).await;
    rig.far.set("a", Dead);
    let mut files = Vec::new();
    for _ in 1..7 {
        let segment = rig.capture().await;
        files.push(rig.file(&segment));
        rig.metadata.commit(id(), &[Event::Stored(segment)], Expect::Any).await.unwrap();
        rig.pass(2_000).await;
    }
    // Longer than what is read of it before anything goes out.
    std::fs::write(&files[2], vec![1; 1 << 20]).unwrap();
    rig.pass(20_000).await;
    rig.far.state().torn = Some(files[2].clone());
    rig.far.set("a", Well);
    let mut told = BTreeSet::new();
    for _ in 0..60 {
        rig.pass(100).await;
        told.extend(rig.status().held_back.into_values());
    }
    assert_eq!(told, [vec![[3, 3]]].into(), "the others are not to blame");
    std::fs::write(&files[2], [1; 1_000]).unwrap();
    rig.pass(20_000).await;
    assert_eq!(rig.come(), (0..7).collect::<Vec<_>>());
    rig.stop().await;
}

/// A damaged disk: whoever waits for the end is told which one it is.
#[tokio::test(start_paused = true)]
async fn the_end_does_not_wait_for_ever_and_names_what_it_leaves() {
    let mut rig = Rig::start("a", &[("a", Well)], None).await;
    rig.record().await;
    rig.record_away().await;
    rig.say_end().await;
    rig.pass(590_000).await;
    assert!(rig.life.ended.try_recv().is_err());
    rig.pass(20_000).await;
    let status = rig.status();
    assert_eq!((status.owed_segments, status.unreadable_segments, status.is_done), (1, 1, false));
    let error = rig.life.ended.try_recv().unwrap().unwrap_err();
    assert!(error.to_string().starts_with("main 1 cannot be read"), "{error}");
    rig.stop().await;
}

/// Its bytes are not those that were recorded, so that every recorder refuses them.
#[tokio::test(start_paused = true)]
async fn what_is_damaged_holds_up_only_itself() {
    let mut rig = Rig::start("a", &[("a", Well)], None).await;
    rig.far.state().damaged = Some(0);
    rig.record().await;
    rig.pass(20_000).await;
    let sent = rig.record_many(10).await;
    check(&sent, "a", 1_000);
    assert_eq!(rig.status().held_back, [("main".to_owned(), vec![[0, 0]])].into());
    rig.far.state().damaged = None;
    rig.pass(60_000).await;
    assert_eq!(rig.come(), (0..=10).collect::<Vec<_>>());
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_dated_ahead_waits_until_its_time_and_holds_up_nothing_else() {
    let mut rig = Rig::start("a", &[("a", Dead)], None).await;
    let first_ms = rig.record().await + BEGINNING_MS - 2_000;
    for ahead_ms in [FAR_AHEAD_MS, FAR_AHEAD_MS + 2_000, 180_000] {
        rig.record_ahead(first_ms, ahead_ms).await;
    }
    // Missing by the time that somebody answers.
    for _ in 0..5 {
        rig.record().await;
        rig.pass(2_000).await;
    }
    rig.pass(20_000).await;
    rig.far.set("a", Well);
    rig.pass(10_000).await;
    check(&rig.record_many(10).await, "a", 1_000);
    let come = rig.come();
    assert!([0].into_iter().chain(4..19).all(|seq| come.contains(&seq)) && come.len() == 16, "{come:?}");
    assert_eq!(rig.status().held_back, [("main".to_owned(), vec![[1, 3]])].into());
    rig.pass(120_000).await;
    assert!(rig.come().contains(&3), "its time has come");
    rig.pass(FAR_AHEAD_MS.unsigned_abs()).await;
    assert_eq!(rig.come().len(), 19);
    assert!(rig.far.state().too_early <= 80, "{}", rig.far.state().too_early);
    rig.stop().await;
}

/// Another one may do.
#[tokio::test(start_paused = true)]
async fn a_recorder_whose_clock_is_behind_is_passed_over() {
    let mut rig = Rig::start("balancer", &[("balancer", Balancer), ("a", Well), ("b", Well)], Some(&["a", "b"])).await;
    check(&rig.record_many(2).await, "a", 600);
    rig.far.state().behind = Some("a");
    check(&rig.record_many(3).await, "b", 1_000);
    assert!(rig.status().held_back.is_empty());
    rig.stop().await;
}
