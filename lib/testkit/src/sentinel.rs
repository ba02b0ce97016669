//! A Redis that outlives its primary: a primary, a replica, and three Sentinels that watch them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::redis::RedisServer;
use crate::waiting::eventually;

/// How many Sentinels there are, and how many of them must agree that the primary is gone.
const SENTINELS: usize = 3;
const QUORUM: usize = 2;
/// For how long a primary is silent before a Sentinel believes it gone, in milliseconds.
const DOWN_AFTER_MS: u32 = 1_000;
/// Longest until all know each other.
const READY_MAX: Duration = Duration::from_secs(30);

/// A primary, a replica and their Sentinels. They are killed when this is dropped.
#[derive(Debug)]
pub struct SentinelRedis {
    pub primary: RedisServer,
    pub replica: RedisServer,
    sentinels: Vec<RedisServer>,
}

impl SentinelRedis {
    /// Starts them, and waits until all know each other.
    ///
    /// # Panics
    /// If one of them does not start, or they do not find each other.
    pub fn start() -> Self {
        let primary = RedisServer::start_durable();
        let port = primary.port().to_string();
        let replica = RedisServer::start_with(&["--save", "", "--replicaof", "127.0.0.1", &port]);
        until_says(&primary, "INFO replication", "state=online");
        let sentinels: Vec<_> = (0..SENTINELS).map(|number| sentinel(&primary, number)).collect();
        for sentinel in &sentinels {
            let all = format!("slaves=1,sentinels={SENTINELS}");
            until_says(sentinel, "INFO sentinel", &all);
        }
        Self { primary, replica, sentinels }
    }

    /// Where Headwater finds them: `redis+sentinel://HOST:PORT,…/NAME`.
    pub fn url(&self) -> String {
        let hosts: Vec<_> = self.sentinels.iter().map(|sentinel| format!("127.0.0.1:{}", sentinel.port())).collect();
        format!("redis+sentinel://{}/headwater", hosts.join(","))
    }

    /// Waits until the replica has been made the primary.
    ///
    /// # Panics
    /// If the Sentinels do not agree on it.
    pub fn until_replaced(&self) {
        until_says(&self.replica, "INFO replication", "role:master");
    }
}

fn sentinel(primary: &RedisServer, number: usize) -> RedisServer {
    let file = primary.dir().join(format!("sentinel-{number}.conf"));
    let settings = format!(
        "sentinel monitor headwater 127.0.0.1 {} {QUORUM}\n\
         sentinel down-after-milliseconds headwater {DOWN_AFTER_MS}\n\
         sentinel failover-timeout headwater 10000\n",
        primary.port(),
    );
    std::fs::write(&file, settings).expect("a file");
    RedisServer::start_with(&[file.to_str().expect("UTF-8"), "--sentinel"])
}

/// Asks until the answer has this in it.
#[track_caller]
pub(crate) fn until_says(server: &RedisServer, command: &str, expected: &str) {
    eventually(&format!("{expected} in {command}"), READY_MAX, || {
        let said = ask(server, command).unwrap_or_else(|error| error.to_string());
        if said.contains(expected) { Ok(()) } else { Err(said) }
    });
}

/// The answer to a command that gives a text.
pub(crate) fn ask(server: &RedisServer, command: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", server.port()))?;
    stream.write_all(format!("{command}\r\n").as_bytes())?;
    let (mut reader, mut first) = (BufReader::new(stream), String::new());
    reader.read_line(&mut first)?;
    // A long text comes after its length; anything else is one line.
    let Some(len) = first.trim_end().strip_prefix('$').and_then(|len| len.parse().ok()) else { return Ok(first) };
    let mut text = vec![0; len];
    reader.read_exact(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_replica_takes_over() {
        let mut redis = SentinelRedis::start();
        assert!(ask(&redis.primary, "SET a b").expect("an answer").starts_with("+OK"));
        redis.primary.kill();
        redis.until_replaced();
        assert!(ask(&redis.replica, "SET a c").expect("an answer").starts_with("+OK"));
    }
}
