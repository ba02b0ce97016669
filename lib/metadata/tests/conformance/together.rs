//! Many at the same time.

use headwater_metadata::Outcome;
use service::Tasks;
use tokio::sync::mpsc;

use crate::fixtures::*;

const TASKS: u64 = 32;

pub(crate) async fn the_same_segment_from_many_is_stored_once(Stores { one, other, .. }: Stores) {
    open(&one).await;
    let (tasks, (sender, mut outcomes)) = (Tasks::new(), mpsc::unbounded_channel());
    for n in 0..TASKS {
        let (store, sender) = (if n % 2 == 0 { one.clone() } else { other.clone() }, sender.clone());
        tasks.spawn("commits", async move {
            for seq in 0..20 {
                // The first half have one file, the others another one.
                let digest = if n < TASKS / 2 { 1 } else { 2 };
                sender.send((seq, commit_one(&store, stored_in("main", seq, digest)).await)).unwrap();
            }
        });
    }
    tasks.shutdown().await;
    drop(sender);
    let mut appended = vec![0; 20];
    let mut conflicts = vec![0; 20];
    while let Some((seq, outcome)) = outcomes.recv().await {
        match outcome {
            Outcome::Appended { .. } => appended[seq as usize] += 1,
            Outcome::Conflict { .. } => conflicts[seq as usize] += 1,
            other => assert_eq!(other, DUPLICATE),
        }
    }
    assert_eq!(appended, vec![1; 20]);
    assert_eq!(conflicts, vec![TASKS / 2; 20]);
    let log = log(&one).await;
    assert_eq!(log.len(), 21);
    assert_whole(&log);
}

pub(crate) async fn commits_of_many_make_one_log(Stores { one, other, .. }: Stores) {
    open(&one).await;
    let tasks = Tasks::new();
    for n in 0..TASKS {
        let store = if n % 2 == 0 { one.clone() } else { other.clone() };
        tasks.spawn("commits", async move {
            for seq in 0..20 {
                let outcomes = commit(&store, &[format("main", 1), stored(n * 1_000 + seq), safe(seq, seq)]).await;
                assert_eq!(index(outcomes[1]) + 1, index(outcomes[2]), "one commit stays together");
            }
        });
    }
    tasks.shutdown().await;
    let log = log(&other).await;
    assert_eq!(log.len() as u64, 1 + 1 + TASKS * 20 * 2);
    assert_whole(&log);
}
