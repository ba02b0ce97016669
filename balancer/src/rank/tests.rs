//! What holds of every ranking, on nodes and publishers made up at random; and who is preferred to whom.

use broadcast::StoreTime;
use metadata::{Load, Node, Role};
use proptest::prelude::*;

use super::*;
use crate::predictions::Predictions;

pub(crate) fn broadcast(n: u64) -> BroadcastId {
    BroadcastId::new(1_790_000_000_000 + n, 7)
}

const ZURICH: Place = Place { lat: 47.37, lon: 8.54 };
const FRANKFURT: Place = Place { lat: 50.11, lon: 8.68 };
const LISBON: Place = Place { lat: 38.72, lon: -9.14 };
const TOKYO: Place = Place { lat: 35.68, lon: 139.69 };

/// An idle recorder with a gigabit of network, which has just reported.
pub(crate) fn recorder(name: &str) -> Registered {
    let load = Load { network_capacity: 125_000_000, free: 1 << 40, ..Load::default() };
    let node = Node {
        name: name.parse().unwrap(),
        role: Role::Recorder,
        url: format!("http://{name}"),
        region: None,
        place: None,
        state: NodeState::Serving,
        load,
        version: "1".to_owned(),
    };
    Registered { node, renewed_at: StoreTime(1_000), age_ms: 100, expires_in_ms: 9_900 }
}

fn with(name: &str, change: impl FnOnce(&mut Registered)) -> Registered {
    let mut registered = recorder(name);
    change(&mut registered);
    registered
}

fn at_level(name: &str, level: u8) -> Registered {
    with(name, |recorder| recorder.node.load.level = level.into())
}

fn at(name: &str, place: Place) -> Registered {
    with(name, |recorder| recorder.node.place = Some(place))
}

fn question(n: u64) -> Question {
    Question { broadcast: broadcast(n), publisher: None, broadcast_bytes_per_s: 500_000 }
}

fn names(nodes: &[Registered], question: &Question) -> Vec<String> {
    let candidates: Vec<_> = nodes.iter().map(|registered| Candidate { registered, predicted: 0.0 }).collect();
    rank(&candidates, question).iter().map(|ranked| ranked.node.name.to_string()).collect()
}

#[track_caller]
fn check(nodes: &[Registered], publisher: Option<Place>, expected: &[&str]) {
    // Whatever the draw says.
    for n in 0..50 {
        assert_eq!(names(nodes, &Question { publisher, ..question(n) }), expected, "broadcast {n}");
    }
}

#[test]
fn the_near_come_first() {
    let nodes = [at("tokyo", TOKYO), recorder("somewhere"), at("lisbon", LISBON), at("frankfurt", FRANKFURT)];
    check(&nodes, Some(ZURICH), &["frankfurt", "lisbon", "somewhere", "tokyo"]);
    check(&nodes, Some(Place { lat: 35.0, lon: 135.8 }), &["tokyo", "somewhere", "frankfurt", "lisbon"]);
}

#[test]
fn those_that_should_get_nothing_come_last_in_this_order() {
    let nodes = [
        with("unready", |recorder| recorder.node.state = NodeState::Unready),
        with("full", |recorder| recorder.node.load.free = 1 << 20),
        with("late", |recorder| (recorder.age_ms, recorder.expires_in_ms) = (7_000, 3_000)),
        with("draining", |recorder| recorder.node.state = NodeState::Draining),
        with("short", |recorder| recorder.node.load.free = 1 << 30),
        at_level("limit", 16),
    ];
    check(&nodes, None, &["short", "limit", "draining", "late", "full", "unready"]);
    let near_and_full = with("near", |recorder| (recorder.node.place, recorder.node.load.free) = (Some(ZURICH), 0));
    check(&[near_and_full, at("far", TOKYO)], Some(ZURICH), &["far", "near"]);
}

#[test]
fn who_is_nearly_at_its_limit_gives_way_but_not_to_the_other_end_of_the_world() {
    let mut frankfurt = at("frankfurt", FRANKFURT);
    let others = [at("lisbon", LISBON), at("tokyo", TOKYO)];
    for (level, expected) in [
        (0, ["frankfurt", "lisbon", "tokyo"]),
        (13, ["frankfurt", "lisbon", "tokyo"]),
        (16, ["lisbon", "tokyo", "frankfurt"]),
    ] {
        frankfurt.node.load.level = level.into();
        let nodes = [others[0].clone(), frankfurt.clone(), others[1].clone()];
        if level < 16 {
            check(&nodes, Some(ZURICH), &expected);
        } else {
            assert_eq!(names(&nodes, &Question { publisher: Some(ZURICH), ..question(1) })[0], "lisbon");
        }
    }
}

#[test]
fn nodes_are_given_broadcasts_in_proportion_to_what_they_have_left() {
    let nodes = [at_level("idle", 0), at_level("half", 8), at_level("busy", 12)];
    let mut firsts = std::collections::BTreeMap::<String, u32>::new();
    for n in 0..10_000 {
        *firsts.entry(names(&nodes, &question(n)).remove(0)).or_default() += 1;
    }
    let left = [("idle", 16.5), ("half", 8.5), ("busy", 4.5)];
    for (name, left) in left {
        let (share, expected) = (f64::from(firsts[name]) / 10_000.0, left / 29.5);
        assert!((share - expected).abs() < 0.02, "{name}: {share}, not {expected}");
    }
}

#[test]
fn a_level_more_or_a_node_less_moves_few_broadcasts() {
    let nodes: Vec<_> = (0..10).map(|n| at_level(&format!("r{n}"), 6)).collect();
    let busier: Vec<_> = (0..10).map(|n| at_level(&format!("r{n}"), if n == 0 { 7 } else { 6 })).collect();
    let first = |nodes: &[Registered], n| names(nodes, &question(n)).remove(0);
    let moved = (0..2_000).filter(|n| first(&nodes, *n) != first(&busier, *n)).count();
    assert!((1..40).contains(&moved), "{moved} of 2000 moved");
    for n in 0..500 {
        let (before, after) = (names(&nodes, &question(n)), names(&nodes[1..], &question(n)));
        assert_eq!(before.into_iter().filter(|name| name != "r0").collect::<Vec<_>>(), after);
    }
}

/// Where so many broadcasts go that begin before anybody reports again.
fn stampede(nodes: &[Registered], broadcasts: u64) -> Vec<f64> {
    let mut predictions = Predictions::default();
    for n in 0..broadcasts {
        let predicted = |registered: &Registered| predictions.of(&registered.node.name);
        let candidates: Vec<_> =
            nodes.iter().map(|registered| Candidate { registered, predicted: predicted(registered) }).collect();
        let first = rank(&candidates, &question(n))[0].clone();
        predictions.assigned(broadcast(n), &first);
    }
    nodes.iter().map(|registered| predictions.of(&registered.node.name)).collect()
}

#[test]
fn a_fresh_node_is_not_stampeded() {
    // A broadcast is taken to need 0.4 % of a gigabit: an idle node can bear 250.
    for (others, broadcasts) in [(4, 1_000), (8, 1_000), (12, 1_000), (15, 300)] {
        let mut nodes: Vec<_> = (0..9).map(|n| at_level(&format!("r{n}"), others)).collect();
        nodes.push(at_level("fresh", 0));
        let given = stampede(&nodes, broadcasts);
        let fresh = given[9];
        assert_eq!(given.iter().sum::<f64>(), broadcasts as f64);
        // What it has left, of what all have.
        let share = broadcasts as f64 * 16.0 / (16.0 + 9.0 * f64::from(16 - others));
        let what = format!("{fresh} to the fresh node, whose share is {share}, beside others at {others}");
        assert!(fresh <= (share * 1.25).min(270.0), "{what}");
        assert!(fresh >= share.min(250.0) * 0.75, "{what}");
    }
}

prop_compose! {
    fn any_node()(
        name in "[a-z]{1,6}",
        state in prop::sample::select(vec![NodeState::Serving, NodeState::Unready, NodeState::Draining]),
        place in prop::option::of((-90.0f64..=90.0, -180.0f64..=180.0)),
        (age_ms, expires_in_ms) in (-50i64..20_000, 1i64..20_000),
        (level, network_capacity, free) in (0u8..=16, any::<u64>(), any::<u64>()),
        (cpu, disk, network) in (0.0f64..=1.0, 0.0f64..=1.0, any::<u64>()),
    ) -> Registered {
        with(&name, |registered| {
            registered.node.state = state;
            registered.node.place = place.and_then(|(lat, lon)| Place::new(lat, lon));
            (registered.age_ms, registered.expires_in_ms) = (age_ms, expires_in_ms);
            let level = level.into();
            registered.node.load = Load { cpu, disk, network, network_capacity, free, level, open_uploads: 0 };
        })
    }
}

fn any_nodes() -> impl Strategy<Value = Vec<Registered>> {
    prop::collection::vec(any_node(), 0..12).prop_map(|mut nodes| {
        nodes.sort_by(|one, other| one.node.name.cmp(&other.node.name));
        nodes.dedup_by(|one, other| one.node.name == other.node.name);
        nodes
    })
}

proptest! {
    #[test]
    fn everybody_alive_is_ranked_once_and_in_whatever_order_they_are_known(
        nodes in any_nodes(),
        n in any::<u32>(),
        publisher in prop::option::of((-90.0f64..=90.0, -180.0f64..=180.0)),
        turn in any::<prop::sample::Index>(),
    ) {
        let publisher = publisher.and_then(|(lat, lon)| Place::new(lat, lon));
        let question = Question { publisher, ..question(n.into()) };
        let ranked = names(&nodes, &question);
        let mut sorted = ranked.clone();
        sorted.sort();
        let mut all: Vec<_> = nodes.iter().map(|registered| registered.node.name.to_string()).collect();
        all.sort();
        prop_assert_eq!(sorted, all);
        let mut turned = nodes.clone();
        if !turned.is_empty() {
            turned.rotate_left(turn.index(nodes.len()));
        }
        prop_assert_eq!(names(&turned, &question), ranked);
    }

    #[test]
    fn loads_that_move_within_their_levels_reorder_nothing(
        nodes in any_nodes(),
        n in any::<u32>(),
        moves in prop::collection::vec((0.0f64..=1.0, 0.0f64..=1.0, any::<u64>(), 0u32..100), 12),
    ) {
        let before = names(&nodes, &question(n.into()));
        let moved: Vec<_> = nodes.into_iter().zip(moves).map(|(mut registered, (cpu, disk, network, open_uploads))| {
            let load = &mut registered.node.load;
            (load.cpu, load.disk, load.network, load.open_uploads) = (cpu, disk, network, open_uploads);
            registered
        }).collect();
        prop_assert_eq!(names(&moved, &question(n.into())), before);
    }

    #[test]
    fn nobody_who_should_get_nothing_is_before_somebody_who_serves(nodes in any_nodes(), n in any::<u32>()) {
        let standing = |name: &String| {
            Standing::of(nodes.iter().find(|registered| registered.node.name.as_str() == name).unwrap())
        };
        let ranked: Vec<_> = names(&nodes, &question(n.into())).iter().map(standing).collect();
        prop_assert!(ranked.is_sorted(), "{ranked:?}");
    }
}
