//! The owner's end, as a publisher hears of it.

use super::*;

impl Rig {
    /// The local log says so.
    async fn say(&self, event: Event) {
        self.metadata.commit(id(), &[event], Expect::Any).await.unwrap();
    }

    fn ended_by_owner(&self) -> bool {
        self.status().ended_by_owner
    }

    fn is_closed(&self) -> bool {
        self.status().is_closed
    }
}

/// Its owner ends it in a tunnel: all that was recorded until then is sent, and where it ends is said.
#[tokio::test(start_paused = true)]
async fn what_was_recorded_before_the_owners_end_was_heard_is_sent() {
    let mut rig = Rig::start("a", &[("a", Well)], None).await;
    rig.record_many(2).await;
    assert!(!rig.ended_by_owner());
    rig.far.set("a", Dead);
    rig.far.state().over = Over::Closing;
    for _ in 0..10 {
        rig.record().await;
        rig.pass(2_000).await;
    }
    assert!(!rig.ended_by_owner());
    rig.far.set("a", Well);
    rig.pass(10_000).await;
    assert!(rig.ended_by_owner() && !rig.is_closed());
    // One more was recorded before whoever records has stopped.
    rig.record().await;
    let last = broadcast::LastSeq {
        rendition: RenditionName::main(),
        seq: Some(broadcast::Seq(12)),
        missing: broadcast::Missing::Awaited,
    };
    rig.say(Event::Ended { last: vec![last] }).await;
    rig.pass(30_000).await;
    assert!(!rig.ended_by_owner());
    {
        let (status, state) = (rig.status(), rig.far.state());
        assert_eq!((status.owed_segments, status.refused_segments), (0, 0));
        assert_eq!(state.broadcast.stored(&RenditionName::main()).unwrap().count(), 13);
        let last = [(RenditionName::main(), broadcast::Seq(12))].into();
        assert_eq!(state.said, [Said::End { last }]);
    }
    rig.stop().await;
}

/// Nobody waits any longer, and that is another thing to tell.
#[tokio::test(start_paused = true)]
async fn an_end_that_takes_nothing_more_is_told_apart() {
    let mut rig = Rig::start("a", &[("a", Well)], None).await;
    rig.record_many(2).await;
    assert!(!rig.is_closed());
    rig.far.state().over = Over::Ended;
    rig.say(Event::Paused).await;
    rig.pass(11_000).await;
    assert!(rig.ended_by_owner() && rig.is_closed());
    rig.stop().await;
}

/// Who sends hears of it by the next acknowledgement, who pauses by the next status; neither says anything but the end.
#[tokio::test(start_paused = true)]
async fn the_owners_end_is_heard_soon() {
    for pauses in [false, true] {
        let mut rig = Rig::start("a", &[("a", Well)], None).await;
        rig.record_many(2).await;
        rig.far.state().over = Over::Closing;
        if pauses {
            rig.say(Event::Paused).await;
            rig.pass(11_000).await;
        } else {
            rig.record().await;
            rig.pass(1_000).await;
        }
        assert!(rig.ended_by_owner(), "pauses: {pauses}");
        rig.pass(30_000).await;
        let said = rig.far.state().said.clone();
        assert!(said.len() <= usize::from(pauses) && !said.contains(&Said::Resume), "{said:?}");
        rig.stop().await;
    }
}

/// A second machine, or one that was given another spool by mistake: who has recorded something may be in a tunnel.
#[tokio::test(start_paused = true)]
async fn who_has_recorded_nothing_leaves_the_end_to_others() {
    let mut rig = Rig::start("a", &[("a", Well)], None).await;
    rig.pass(3_000).await;
    rig.far.state().over = Over::Closing;
    rig.pass(11_000).await;
    assert!(rig.ended_by_owner() && !rig.status().is_done);
    rig.say(Event::Ended { last: Vec::new() }).await;
    rig.pass(1_000).await;
    assert!(rig.status().is_done && rig.life.ended.try_recv().unwrap().is_ok());
    assert_eq!(rig.far.state().said, []);
    rig.stop().await;
    // With one segment, it says where that is, and is done only then.
    let mut rig = Rig::start("a", &[("a", Dead)], None).await;
    rig.record().await;
    let last = broadcast::LastSeq {
        rendition: RenditionName::main(),
        seq: Some(broadcast::Seq(0)),
        missing: broadcast::Missing::Awaited,
    };
    rig.say(Event::Ended { last: vec![last] }).await;
    rig.far.state().over = Over::Closing;
    rig.far.set("a", Well);
    rig.pass(20_000).await;
    let last = [(RenditionName::main(), broadcast::Seq(0))].into();
    assert_eq!(rig.far.state().said, [Said::End { last }]);
    rig.stop().await;
}
