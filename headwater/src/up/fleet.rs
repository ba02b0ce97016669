//! The other recorders of a fleet, as they are registered: whoever serves what is on their disks alone asks them.

use std::collections::BTreeSet;
use std::error::Error;
use std::sync::Arc;

use async_trait::async_trait;
use broadcast::TokenKey;
use metadata::{NodeName, Nodes, Role};
use service::Clock;
use storage::{Fleet, PeerStore, Peers, Store};

use crate::secrets;

/// What the disks of all recorders but this one hold.
pub(crate) fn disks(
    nodes: Arc<dyn Nodes>,
    here: Option<NodeName>,
    key: Option<TokenKey>,
    clock: &Clock,
) -> Arc<dyn Store> {
    Arc::new(PeerStore::new(Arc::new(Recorders { nodes, here, key }), clock.clone()))
}

#[derive(Debug)]
struct Recorders {
    nodes: Arc<dyn Nodes>,
    /// This one, whose disk is asked first anyway.
    here: Option<NodeName>,
    /// Who takes nothing in has no key of its own: it uses the fleet's, as soon as there is one.
    key: Option<TokenKey>,
}

#[async_trait]
impl Peers for Recorders {
    async fn fleet(&self) -> Result<Fleet, Box<dyn Error + Send + Sync>> {
        let key = match &self.key {
            Some(key) => Some(key.clone()),
            None => secrets::agreed_token_key(&*self.nodes).await?,
        };
        let nodes = self.nodes.nodes().await?.into_iter().map(|registered| registered.node);
        let (mut urls, mut registered) = (Vec::new(), BTreeSet::new());
        // Whether they would rather have less to do is asked by nobody: what is on their disks is nowhere else.
        for node in nodes.filter(|node| node.role == Role::Recorder) {
            if Some(&node.name) != self.here.as_ref() {
                urls.push(node.url.into());
            }
            registered.insert(node.name);
        }
        // A registry that does not know this one, or nobody, has forgotten others too.
        let is_whole = self.here.as_ref().map_or(!registered.is_empty(), |here| registered.contains(here));
        Ok(Fleet { urls, key, is_whole })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use metadata::{Limits, Load, Node, NodeState, Sqlite};
    use service::Random;
    use tempfile::tempdir;

    use super::*;

    fn node(name: &str, role: Role, state: NodeState) -> Node {
        Node {
            name: name.parse().expect("a name"),
            role,
            url: format!("http://{name}.example.org"),
            region: None,
            place: None,
            state,
            load: Load::default(),
            version: "1".to_owned(),
        }
    }

    #[tokio::test]
    async fn all_recorders_but_this_one_are_asked_with_the_key_of_the_fleet() {
        let dir = tempdir().expect("a directory");
        let store = Sqlite::open(&dir.path().join("log"), Limits::default(), Clock::system()).await.expect("opened");
        let store = Arc::new(store);
        for (name, role, state) in [
            ("a", Role::Recorder, NodeState::Serving),
            ("b", Role::Recorder, NodeState::Draining),
            ("c", Role::Recorder, NodeState::Unready),
            ("e", Role::Edge, NodeState::Serving),
        ] {
            store.register(&node(name, role, state), Duration::from_secs(600)).await.expect("registered");
        }
        let here = Some("c".parse().expect("a name"));
        let recorders = Recorders { nodes: store.clone(), here, key: None };
        let fleet = recorders.fleet().await.expect("listed");
        let urls: Vec<&str> = fleet.urls.iter().map(AsRef::as_ref).collect();
        assert_eq!(urls, ["http://a.example.org", "http://b.example.org"]);
        assert!(fleet.key.is_none(), "nobody has offered one");
        assert!(fleet.is_whole);
        secrets::shared_token_key(dir.path(), &Random::seeded(1), &*store).await.expect("made");
        assert!(recorders.fleet().await.expect("listed").key.is_some());
        // An unreadable one is told.
        let other = Sqlite::open(&dir.path().join("other"), Limits::default(), Clock::system()).await.expect("opened");
        other.agree("token-key", "short").await.expect("agreed");
        let recorders = Recorders { nodes: Arc::new(other), here: None, key: None };
        assert!(recorders.fleet().await.is_err());
    }

    #[tokio::test]
    async fn a_registry_that_has_forgotten_is_not_whole() {
        let dir = tempdir().expect("a directory");
        let store = Sqlite::open(&dir.path().join("log"), Limits::default(), Clock::system()).await.expect("opened");
        let store = Arc::new(store);
        let [nobody, here] = [None, Some("a")].map(|here| Recorders {
            nodes: store.clone(),
            here: here.map(|name: &str| name.parse().expect("a name")),
            key: Some(TokenKey::new(&[7; 32])),
        });
        let is_whole = async |recorders: &Recorders| recorders.fleet().await.expect("listed").is_whole;
        assert_eq!((is_whole(&nobody).await, is_whole(&here).await), (false, false));
        for (name, role, expected) in [
            ("e", Role::Edge, (false, false)),
            ("b", Role::Recorder, (true, false)),
            ("a", Role::Recorder, (true, true)),
        ] {
            let node = node(name, role, NodeState::Serving);
            store.register(&node, Duration::from_secs(600)).await.expect("registered");
            assert_eq!((is_whole(&nobody).await, is_whole(&here).await), expected, "{name}");
        }
    }
}
