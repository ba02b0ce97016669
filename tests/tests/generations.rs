//! A running broadcast whose metadata is lost: nothing that was published is contradicted where it was published, and it
//! goes on at addresses that the multivariant playlist names.

use headwater_tests::Media;
use serde_json::Value;
use testkit::{Headwater, NewBroadcast, hls};

struct World {
    headwater: Headwater,
    broadcast: NewBroadcast,
    media: Media,
}

impl World {
    fn publish(&self, seqs: std::ops::Range<usize>) {
        let bearer = format!("Bearer {}", self.broadcast.token);
        for seq in seqs {
            let (path, bytes) = (format!("/ingest/{}/main/{seq}.ts", self.broadcast.id), &self.media.segments[seq][..]);
            self.headwater.send("PUT", &path, &[("authorization", &bearer)], bytes).expect(201);
        }
    }

    fn shown(&self, rest: &str) -> String {
        self.headwater.get(&format!("/hls/{}/{rest}", self.broadcast.id)).expect(200).text().to_owned()
    }

    /// What the multivariant playlist names.
    fn live(&self) -> String {
        self.shown("index.m3u8").lines().last().expect("a rendition").to_owned()
    }

    fn assert_over(&self, rest: &str) {
        let answer = self.headwater.get(&format!("/hls/{}/{rest}", self.broadcast.id));
        assert_eq!(answer.status, 410, "{rest}, and {} is named: {}", self.live(), answer.text());
        let problem: Value = answer.json();
        assert_eq!(
            (&problem["type"], &problem["use"]),
            (&"/problems/over".into(), &"../index.m3u8".into()),
            "{problem}"
        );
    }

    /// The metadata burns down.
    fn lose_the_log(&mut self, then: impl FnOnce(&Headwater)) {
        self.headwater.kill9();
        for end in ["", "-wal", "-shm"] {
            drop(std::fs::remove_file(self.headwater.data().join(format!("metadata.sqlite{end}"))));
        }
        then(&self.headwater);
        self.headwater.restart();
    }
}

fn rebuild(headwater: &Headwater) {
    let mut command = Headwater::tool().command();
    let output = command.arg("rebuild").arg("--data").arg(headwater.data()).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_running_broadcast_goes_on_elsewhere() {
    let headwater = Headwater::start();
    let broadcast = headwater.create_broadcast();
    let mut world = World { headwater, broadcast, media: Media::ts(6) };
    world.publish(0..2);
    let mut addresses = vec![world.live()];
    assert_eq!(addresses, ["main/live.m3u8"]);
    // Somebody rebuilds; or the next start finds that nothing is left.
    let ways: [fn(&Headwater); 2] = [rebuild, |_| {}];
    for (seq, way) in (2..).step_by(2).zip(ways) {
        let catch_up = world.shown("main/catchup.m3u8?from=0");
        world.lose_the_log(way);
        let live = world.live();
        assert!(!addresses.contains(&live), "{live}: {addresses:?}");
        addresses.iter().for_each(|over| world.assert_over(over));
        world.assert_over(&addresses[0].replace("live", "dvr"));
        assert_eq!(world.shown("main/catchup.m3u8?from=0"), catch_up);
        // From here on it is a playlist like any other, also after a start that has lost nothing.
        let before = world.shown(&live);
        hls::well_formed(&before).expect("a playlist");
        world.publish(seq..seq + 1);
        world.headwater.restart();
        world.publish(seq + 1..seq + 2);
        hls::transition(&before, &world.shown(&live)).expect("the same playlist");
        assert_eq!(world.live(), live);
        addresses.push(live);
    }
}
