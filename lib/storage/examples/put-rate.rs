//! How many segments a second the local tier makes durable, and what each costs.
//!
//! ```text
//! cargo run --release -p headwater-storage --example put-rate -- [DIR]
//! ```
//! DIR should be on the disk to be measured; without it, a temporary directory is used. 512 KiB each, as a stock
//! pusher's two seconds at 2 Mbit/s; the body comes in 64 KiB pieces, as from a socket.

#![allow(clippy::print_stdout, reason = "printing is what it is for")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use broadcast::{BroadcastId, CapturedAt, Container, Digest, Key, Millis, Object, RenditionName, Seq};
use bytes::Bytes;
use futures_util::future::try_join_all;
use headwater_storage::{LocalStore, StorageConfig};
use service::Clock;

const PUTS: u64 = 1024;
const LEN: usize = 512 << 10;
const PIECE_LEN: usize = 64 << 10;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let temporary = tempfile::tempdir()?;
    let dir = std::env::args_os().nth(1).map_or_else(|| temporary.path().to_owned(), PathBuf::from);
    for (concurrent, broadcasts) in [(1, 1), (16, 1), (16, 16)] {
        measure(&dir, concurrent, broadcasts).await?;
    }
    Ok(())
}

async fn measure(dir: &Path, concurrent: u64, broadcasts: u64) -> Result<()> {
    let dir = tempfile::tempdir_in(dir)?;
    let store = LocalStore::open(dir.path(), StorageConfig::default()).await?;
    let body: Bytes = (0..LEN).map(|at| (at * 31 % 251) as u8).collect::<Vec<u8>>().into();
    let clock = Clock::system();
    let (begun, cpu) = (clock.instant(), cpu_time()?);
    let senders = (0..concurrent).map(|sender| {
        let (store, body) = (store.clone(), body.clone());
        async move {
            for seq in (sender..PUTS).step_by(usize::try_from(concurrent).unwrap_or(1)) {
                put(&store, &key(sender % broadcasts, seq), &body).await?;
            }
            Ok::<_, headwater_storage::StoreError>(())
        }
    });
    try_join_all(senders).await?;
    let (took, cpu) = (begun.elapsed(), cpu_time()? - cpu);
    let rate = PUTS as f64 / took.as_secs_f64();
    let cpu_us = cpu.as_micros() as f64 / PUTS as f64;
    println!(
        "{concurrent:>3} concurrent, {broadcasts:>2} broadcasts: {rate:>6.0} puts/s, {cpu_us:>5.0} us of CPU per put"
    );
    Ok(())
}

async fn put(store: &LocalStore, key: &Key, body: &Bytes) -> std::result::Result<(), headwater_storage::StoreError> {
    let mut upload = store.upload(Some(body.len() as u64))?;
    for at in (0..body.len()).step_by(PIECE_LEN) {
        upload.write(body.slice(at..at + PIECE_LEN)).await?;
    }
    upload.commit(key).await
}

fn key(broadcast: u64, seq: u64) -> Key {
    let object = Object::Segment {
        rendition: RenditionName::main(),
        seq: Seq(seq),
        captured_at: CapturedAt(1_790_000_000_000),
        duration: Millis(2_000),
        digest: Digest([7; 16]),
        container: Container::Ts,
        format: None,
    };
    Key { broadcast: BroadcastId::new(broadcast, 1), object }
}

/// Of all threads of this process, in user and in kernel mode (Linux, 10 ms exact).
fn cpu_time() -> Result<Duration> {
    const TICKS_PER_SEC: u64 = 100;
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let field = |n: usize| after_name.split_whitespace().nth(n).and_then(|field| field.parse::<u64>().ok());
    let ticks = field(11).zip(field(12)).ok_or("no times in /proc/self/stat")?;
    Ok(Duration::from_millis((ticks.0 + ticks.1) * 1000 / TICKS_PER_SEC))
}
