//! What a Redis Cluster says of itself: who has which slots. All nodes to which there is a connection are asked, regularly
//! and whenever something changes, and those that know of the newest epoch are believed: one that was cut off from the
//! others says what was true before. While somebody is away, everybody else that was ever named is asked too, and so a
//! replica that took over is found.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ErrorKind, RedisResult, Value};

use super::link::{CONNECT_MS_MAX, Up, timed_out};
use super::servers::Known;
use super::slot::Slot;

/// How long nobody is asked after everybody was, whatever happens.
const LOOK_PAUSE: Duration = Duration::from_millis(20);

/// What one node says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct View {
    rank: Rank,
    pub(super) shares: Vec<Share>,
    /// All nodes that it names.
    nodes: BTreeSet<String>,
}

/// Whom to believe: the greater.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    /// Whether it takes part in the cluster, as far as it knows.
    is_ok: bool,
    /// The newest epoch that it knows of: every failover, and every move of a slot, begins one.
    epoch: u64,
}

/// Slots in a row that one primary has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Share {
    pub(super) first: Slot,
    pub(super) last: Slot,
    /// Its address.
    pub(super) primary: String,
}

/// Keeps what is known of a cluster up to date.
pub(super) async fn keep_known(known: &Known) {
    let config = &known.settings.config;
    let mut watcher = Watcher { known, named: BTreeSet::new(), believed: Rank::default() };
    let mut changed = known.settings.changed.subscribe();
    let mut pause = config.reconnect_pause;
    loop {
        changed.borrow_and_update();
        watcher.look().await;
        let is_whole = watcher.believed.is_ok && !known.connections().1;
        pause = if is_whole { config.time_every } else { (pause * 2).min(config.time_every) };
        known.settings.clock.sleep(LOOK_PAUSE).await;
        tokio::select! {
            // The sender is with us.
            _ = changed.changed() => pause = config.reconnect_pause,
            () = known.settings.clock.sleep(pause) => {}
        }
    }
}

struct Watcher<'a> {
    known: &'a Known,
    /// The addresses of all nodes in the last view.
    named: BTreeSet<String>,
    believed: Rank,
}

impl Watcher<'_> {
    /// Asks once.
    async fn look(&mut self) {
        let known = self.known;
        let (connections, is_away) = known.connections();
        let others = if is_away { self.others(&connections) } else { BTreeSet::new() };
        let connected =
            connections.into_iter().map(|(address, up)| in_time(known, ask(up.connection, address)).boxed());
        let anew = others.into_iter().map(|address| in_time(known, ask_anew(known, address)).boxed());
        let mut views: FuturesUnordered<_> = connected.chain(anew).collect();
        let (mut older, mut is_believed, mut why): (Option<View>, _, _) = (None, false, None);
        while let Some(view) = views.next().await {
            match view {
                // At once: another may keep us waiting.
                Ok(view) if view.rank >= self.believed => is_believed |= self.believe(view),
                Ok(view) => older = older.into_iter().chain([view]).max_by_key(|view| view.rank),
                Err(error) => why = Some(error),
            }
        }
        match (older, why) {
            _ if is_believed => {}
            // Nobody knows of that epoch any more.
            (Some(view), _) => drop(self.believe(view)),
            (None, Some(why)) => known.nobody_knows(why),
            (None, None) => {}
        }
    }

    /// Who was ever named and is not connected.
    fn others(&self, connections: &[(String, Up)]) -> BTreeSet<String> {
        let seeds = self.known.seeds.iter().flat_map(|seeds| &seeds.nodes);
        let is_connected = |address: &String| connections.iter().any(|(connected, _)| connected == address);
        seeds.chain(&self.named).filter(|address| !is_connected(address)).cloned().collect()
    }

    /// Whether it could be.
    fn believe(&mut self, view: View) -> bool {
        if let Err(error) = self.known.believe(&view) {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "a node of the redis cluster named another wrongly"
            );
            return false;
        }
        self.believed = view.rank;
        self.named = view.nodes;
        true
    }
}

/// Asks a node over a connection that is for this alone.
async fn ask_anew(known: &Known, address: String) -> RedisResult<View> {
    let seeds = known.seeds.as_ref().ok_or((ErrorKind::InvalidClientConfig, "not a cluster"))?;
    let config = AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT_MS_MAX));
    let connection = seeds.node(&address)?.get_multiplexed_async_connection_with_config(&config).await?;
    ask(connection, address).await
}

async fn ask(mut connection: MultiplexedConnection, address: String) -> RedisResult<View> {
    let mut both = redis::pipe();
    both.cmd("CLUSTER").arg("INFO").cmd("CLUSTER").arg("SLOTS");
    let (info, slots): (String, Vec<Vec<Value>>) = both.query_async(&mut connection).await?;
    let unreadable = || (ErrorKind::UnexpectedReturnType, "not what a node says of its cluster").into();
    view(&info, &slots, &address).ok_or_else(unreadable)
}

async fn in_time(known: &Known, view: impl Future<Output = RedisResult<View>>) -> RedisResult<View> {
    tokio::select! {
        view = view => view,
        () = known.settings.clock.sleep(CONNECT_MS_MAX) => Err(timed_out()),
    }
}

/// What the node at `asked` has answered to `CLUSTER INFO` and `CLUSTER SLOTS`.
fn view(info: &str, slots: &[Vec<Value>], asked: &str) -> Option<View> {
    let field = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let rank = Rank {
        is_ok: field("cluster_state")?.trim() == "ok",
        epoch: field("cluster_current_epoch")?.trim().parse().ok()?,
    };
    let (mut shares, mut nodes) = (Vec::new(), BTreeSet::new());
    for share in slots {
        let [Value::Int(first), Value::Int(last), primary, replicas @ ..] = &share[..] else { return None };
        let slot = |number: &i64| Slot::try_from(u16::try_from(*number).ok()?).ok();
        let (first, last) = (slot(first)?, slot(last)?);
        nodes.extend(replicas.iter().filter_map(|node| address(node, asked)));
        let Some(primary) = address(primary, asked) else { continue };
        nodes.insert(primary.clone());
        if first.index() > last.index() {
            return None;
        }
        shares.push(Share { first, last, primary });
    }
    Some(View { rank, shares, nodes })
}

/// Of a node: its host, its port, and more. `None` if it has no address that it may tell.
fn address(node: &Value, asked: &str) -> Option<String> {
    let Value::Array(parts) = node else { return None };
    let [host, Value::Int(port), ..] = &parts[..] else { return None };
    let host = match host {
        Value::Nil => "",
        Value::BulkString(host) => str::from_utf8(host).ok()?,
        _ => return None,
    };
    (host != "?").then(|| resolve(&format!("{host}:{port}"), asked))
}

/// An address as the node at `asked` gives it: without a host if that is its own.
pub(super) fn resolve(address: &str, asked: &str) -> String {
    let port = address.strip_prefix(':').filter(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
    match (port, asked.rsplit_once(':')) {
        (Some(port), Some((host, _))) => format!("{host}:{port}"),
        _ => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(host: Value, port: i64) -> Value {
        Value::Array(vec![host, Value::Int(port), Value::BulkString(b"id".to_vec()), Value::Array(vec![])])
    }

    fn host(name: &str) -> Value {
        Value::BulkString(name.as_bytes().to_vec())
    }

    fn info(state: &str, epoch: u64) -> String {
        format!("cluster_state:{state}\r\ncluster_slots_assigned:16384\r\ncluster_current_epoch:{epoch}\r\n")
    }

    #[test]
    fn a_view_is_read() {
        let slots = [
            vec![Value::Int(0), Value::Int(99), node(host("a"), 1), node(host("b"), 2)],
            vec![Value::Int(100), Value::Int(200), node(Value::Nil, 3), node(host("?"), 4)],
            vec![Value::Int(201), Value::Int(201), node(host("?"), 5)],
            vec![Value::Int(16_383), Value::Int(16_383), node(host(""), 6)],
        ];
        let found = view(&info("ok", 7), &slots, "asked:9").unwrap();
        assert_eq!(found.rank, Rank { is_ok: true, epoch: 7 });
        let shares: Vec<_> =
            found.shares.iter().map(|share| (share.first.index(), share.last.index(), &share.primary[..])).collect();
        assert_eq!(shares, [(0, 99, "a:1"), (100, 200, "asked:3"), (16_383, 16_383, "asked:6")]);
        assert_eq!(found.nodes.into_iter().collect::<Vec<_>>(), ["a:1", "asked:3", "asked:6", "b:2"]);
    }

    #[test]
    fn what_is_no_view_is_refused() {
        let share = |first, last| vec![vec![Value::Int(first), Value::Int(last), node(host("a"), 1)]];
        let nonsense = vec![vec![Value::Nil]];
        let cases = [share(5, 4), share(-1, 4), share(0, 16_384), nonsense];
        for slots in &cases {
            assert_eq!(view(&info("ok", 7), slots, "asked:9"), None, "{slots:?}");
        }
        assert_eq!(view("cluster_state:ok", &[], "asked:9"), None);
    }

    #[test]
    fn who_knows_more_is_believed() {
        let rank = |state, epoch| view(&info(state, epoch), &[], "asked:9").unwrap().rank;
        assert!(rank("ok", 3) > rank("fail", 9) && rank("ok", 4) > rank("ok", 3) && rank("fail", 1) > Rank::default());
    }

    #[test]
    fn a_node_may_leave_out_its_own_host() {
        let cases = [(":7", "h:7"), ("a:7", "a:7"), ("::1:7", "::1:7")];
        for (address, expected) in cases {
            assert_eq!(resolve(address, "h:1"), expected);
        }
        assert_eq!(resolve(":7", "::1:1"), "::1:7");
    }
}
