//! The API over a store with nodes in it, in simulated time.

use axum::Router;
use axum::body::Body;
use broadcast::{Claims, TokenKey};
use http::Request;
use http_body_util::BodyExt;
use metadata::{Limits, Node, NodeName, Nodes, Sqlite};
use prometheus::Registry;
use serde_json::Value;
use service::{Clock, Tasks};
use tempfile::TempDir;
use tower::ServiceExt;

use super::*;
use crate::balancer::{BalancerConfig, Deps};
use crate::geo::Geo;
use crate::rank::tests::{broadcast, recorder};

const OWNER: &str = "0123456789abcdef";
const TIME_TO_LIVE: Duration = Duration::from_secs(10);

struct Rig {
    store: Arc<Sqlite>,
    balancer: Arc<Balancer>,
    tasks: Tasks,
    _dir: TempDir,
}

impl Rig {
    async fn start() -> Self {
        let dir = TempDir::new().unwrap();
        let clock = Clock::from_tokio(1_790_000_000_000);
        let store = Sqlite::open(&dir.path().join("metadata"), Limits::default(), clock.clone()).await.unwrap();
        let (store, tasks) = (Arc::new(store), Tasks::new());
        let deps = Deps {
            nodes: store.clone(),
            geo: Geo::default(),
            clock,
            tasks: tasks.clone(),
            registry: &Registry::new(),
            tokens: TokenKey::new(&[1; 32]),
            owner_key: OWNER.parse().unwrap(),
            unadvertised: Some("here".parse().unwrap()),
        };
        let balancer = Balancer::start(BalancerConfig::default(), deps).await.unwrap();
        Self { store, balancer, tasks, _dir: dir }
    }

    async fn register(&self, name: &str) {
        self.register_node(&recorder(name).node).await;
    }

    async fn register_node(&self, node: &Node) {
        self.store.register(node, TIME_TO_LIVE).await.unwrap();
        self.balancer.known.read().await;
    }

    async fn get(&self, path: &str, bearer: Option<&str>) -> (u16, Value) {
        let router: Router = self.balancer.router();
        let peer = ConnectInfo(SocketAddr::from(([203, 0, 113, 9], 4711)));
        let mut request = Request::get(path).extension(peer).header("host", "road:1");
        if let Some(bearer) = bearer {
            request = request.header("authorization", format!("Bearer {bearer}"));
        }
        let answer = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap())
    }

    /// The names in a route.
    async fn route(&self, n: u64) -> Vec<String> {
        let (status, route) = self.get(&path(n), Some(&token(n, Scope::Publish))).await;
        assert_eq!(status, 200, "{route}");
        let names = route["recorders"].as_array().unwrap().iter().map(|recorder| recorder["node"].as_str().unwrap());
        names.map(str::to_owned).collect()
    }

    async fn stop(self) {
        self.tasks.shutdown().await;
        self.store.shutdown().await;
    }
}

fn path(n: u64) -> String {
    format!("/v1/publish/{}/route", broadcast(n))
}

fn token(n: u64, scope: Scope) -> String {
    TokenKey::new(&[1; 32]).sign(&Claims { sub: broadcast(n), scope, exp: None })
}

#[tokio::test(start_paused = true)]
async fn a_route_has_what_a_publisher_needs() {
    let rig = Rig::start().await;
    let (status, problem) = rig.get(&path(1), Some(OWNER)).await;
    assert_eq!((status, &problem["type"]), (503, &"/problems/no-recorder".into()), "{problem}");
    rig.register_node(&Node { region: Some("eu".to_owned()), ..recorder("a").node }).await;
    let (status, route) = rig.get(&path(1), Some(&token(1, Scope::Publish))).await;
    let expected = serde_json::json!({"recorders": [{"url": "http://a", "node": "a", "region": "eu"}], "ttl_s": 30});
    assert_eq!((status, route), (200, expected));
    // Behind a road that nobody told us of.
    rig.store.forget(&"a".parse().unwrap()).await.unwrap();
    rig.register("here").await;
    let (_, route) = rig.get(&path(1), Some(OWNER)).await;
    assert_eq!(route["recorders"][0]["url"], "http://road:1");
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn only_who_may_publish_is_told() {
    let rig = Rig::start().await;
    rig.register("a").await;
    let other = TokenKey::new(&[2; 32]).sign(&Claims { sub: broadcast(1), scope: Scope::Publish, exp: None });
    for (bearer, expected) in [
        (None, 401),
        (Some("nonsense".to_owned()), 401),
        (Some(other), 401),
        (Some(token(2, Scope::Publish)), 403),
        (Some(token(1, Scope::Watch)), 403),
        (Some(OWNER.to_owned()), 200),
    ] {
        let (status, answer) = rig.get(&path(1), bearer.as_deref()).await;
        assert_eq!(status, expected, "{bearer:?}: {answer}");
    }
    assert_eq!(rig.get("/v1/publish/nonsense/route", Some(OWNER)).await.0, 404);
    assert_eq!(rig.get("/v1/nodes", Some(&token(1, Scope::Publish))).await.0, 401);
    let (status, list) = rig.get("/v1/nodes", Some(OWNER)).await;
    assert_eq!((status, &list["nodes"][0]["name"], &list["nodes"][0]["state"]), (200, &"a".into(), &"serving".into()));
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn who_does_not_renew_vanishes_and_the_others_stay() {
    let rig = Rig::start().await;
    rig.register("dies").await;
    rig.register("lives").await;
    assert_eq!(rig.route(1).await.len(), 2);
    let mut gone_after = None;
    for second in 1..=30 {
        tokio::time::advance(Duration::from_secs(1)).await;
        rig.register("lives").await;
        let route = rig.route(1).await;
        assert!(route.contains(&"lives".to_owned()), "{route:?}");
        if second == 7 {
            assert_eq!(route, ["lives", "dies"], "late nodes are last");
        }
        gone_after = gone_after.or((route.len() == 1).then_some(second));
    }
    assert_eq!(gone_after, Some(10));
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn any_two_balancers_give_the_same_answer() {
    let (one, other) = (Rig::start().await, Rig::start().await);
    for name in ["a", "b", "c", "d", "e"] {
        one.register(name).await;
        other.register(name).await;
    }
    let mut firsts = std::collections::BTreeSet::new();
    for n in 0..50 {
        let route = one.route(n).await;
        assert_eq!(route, other.route(n).await);
        assert_eq!(route, one.route(n).await, "and again");
        firsts.insert(route[0].clone());
    }
    assert_eq!(firsts.len(), 5, "nobody is left out");
    let forgotten: NodeName = "a".parse().unwrap();
    one.store.forget(&forgotten).await.unwrap();
    one.balancer.known.read().await;
    assert!(!one.route(1).await.contains(&"a".to_owned()));
    one.stop().await;
    other.stop().await;
}

#[test]
fn the_api_is_described() {
    let document = serde_json::to_value(openapi()).unwrap();
    assert!(document["paths"]["/v1/publish/{id}/route"]["get"].is_object());
}
