//! The registry of nodes, and what all of them agree on.

use std::time::Duration;

use headwater_metadata::{Load, MetadataError, Node, NodeName, NodeState, Place, Registered, Role};

use crate::fixtures::{Stores, refused};

const LONG: Duration = Duration::from_secs(600);

fn name(text: &str) -> NodeName {
    text.parse().unwrap()
}

fn node(text: &str) -> Node {
    Node {
        name: name(text),
        role: Role::Recorder,
        url: format!("https://{text}.example.org"),
        region: Some("eu".to_owned()),
        place: Place::new(47.37, 8.54),
        state: NodeState::Serving,
        load: Load { cpu: 0.25, free: u64::MAX, network: 7, network_capacity: 9, open_uploads: 3, ..Load::default() },
        version: "1.2.3".to_owned(),
    }
}

fn names(list: &[Registered]) -> Vec<&str> {
    list.iter().map(|registered| registered.node.name.as_str()).collect()
}

pub(crate) async fn a_node_is_listed_as_it_registered(Stores { one_nodes, other_nodes, .. }: Stores) {
    assert_eq!(other_nodes.nodes().await.unwrap(), []);
    one_nodes.register(&node("b"), LONG).await.unwrap();
    one_nodes.register(&node("a"), LONG).await.unwrap();
    let list = other_nodes.nodes().await.unwrap();
    assert_eq!(names(&list), ["a", "b"]);
    assert_eq!(list[1].node, node("b"));
    let Registered { age_ms, expires_in_ms, .. } = list[1];
    assert!((0..60_000).contains(&age_ms) && expires_in_ms + age_ms == 600_000, "{age_ms} {expires_in_ms}");
}

pub(crate) async fn a_renewed_node_has_its_newest_record(Stores { one_nodes, other_nodes, .. }: Stores) {
    one_nodes.register(&node("a"), LONG).await.unwrap();
    let draining = Node { state: NodeState::Draining, region: None, place: None, ..node("a") };
    other_nodes.register(&draining, LONG).await.unwrap();
    let list = one_nodes.nodes().await.unwrap();
    assert_eq!((names(&list), &list[0].node), (vec!["a"], &draining));
}

pub(crate) async fn a_node_that_does_not_renew_expires(Stores { one_nodes, other_nodes, .. }: Stores) {
    one_nodes.register(&node("stays"), LONG).await.unwrap();
    one_nodes.register(&node("dies"), LONG).await.unwrap();
    assert_eq!(names(&other_nodes.nodes().await.unwrap()), ["dies", "stays"]);
    one_nodes.register(&node("dies"), Duration::from_millis(300)).await.unwrap();
    loop {
        let list = other_nodes.nodes().await.unwrap();
        assert!(list.iter().all(|node| node.expires_in_ms > 0));
        if names(&list) == ["stays"] {
            break;
        }
        assert!(list[0].expires_in_ms <= 300, "{list:?}");
    }
    // It may come back.
    one_nodes.register(&node("dies"), LONG).await.unwrap();
    assert_eq!(names(&other_nodes.nodes().await.unwrap()), ["dies", "stays"]);
}

pub(crate) async fn a_node_can_be_forgotten(Stores { one_nodes, other_nodes, .. }: Stores) {
    one_nodes.register(&node("a"), LONG).await.unwrap();
    one_nodes.register(&node("b"), LONG).await.unwrap();
    other_nodes.forget(&name("a")).await.unwrap();
    other_nodes.forget(&name("nobody")).await.unwrap();
    assert_eq!(names(&one_nodes.nodes().await.unwrap()), ["b"]);
}

pub(crate) async fn a_record_has_a_largest_size(Stores { one_nodes, .. }: Stores) {
    let large = Node { region: Some("x".repeat(5_000)), ..node("a") };
    let error = refused(one_nodes.register(&large, LONG).await);
    assert!(matches!(error, MetadataError::NodeTooLarge { .. }), "{error:?}");
    assert_eq!(one_nodes.nodes().await.unwrap(), []);
}

pub(crate) async fn the_first_offer_is_agreed_on(Stores { one_nodes, other_nodes, .. }: Stores) {
    assert_eq!(one_nodes.agreed("key").await.unwrap(), None);
    let (one, other) = tokio::join!(one_nodes.agree("key", "from one"), other_nodes.agree("key", "from the other"));
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_eq!(one, other);
    assert!(one == "from one" || one == "from the other");
    assert_eq!(other_nodes.agree("key", "late").await.unwrap(), one);
    assert_eq!(other_nodes.agreed("key").await.unwrap(), Some(one));
    assert_eq!(other_nodes.agree("another key", "late").await.unwrap(), "late");
}
