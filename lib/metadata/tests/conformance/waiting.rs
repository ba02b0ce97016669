//! Waiting for what is not there yet.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use broadcast::{Event, EventIndex};
use headwater_metadata::MetadataError;

use crate::fixtures::*;

pub(crate) async fn a_waiter_gets_what_another_commits(Stores { one, other, .. }: Stores) {
    open(&one).await;
    // The same log, followed to its end while it is being written, whatever the interleaving.
    let writes = async {
        for seq in 0..100 {
            commit(&other, &[stored(seq), safe(seq, seq)]).await;
        }
    };
    let follows = async {
        let mut followed = Vec::new();
        while followed.len() < 201 {
            let from = EventIndex(followed.len() as u64);
            let entries = one.wait(id(0), from, 3).await.unwrap();
            assert!((1..=3).contains(&entries.len()), "{}", entries.len());
            followed.extend(entries);
        }
        followed
    };
    let (followed, ()) = tokio::join!(follows, writes);
    assert_eq!(followed, log(&other).await);
}

pub(crate) async fn a_waiter_gets_at_once_what_is_there(Stores { one, .. }: Stores) {
    open(&one).await;
    commit(&one, &[stored(0), stored(1)]).await;
    let entries = one.wait(id(0), EventIndex(1), 0).await.unwrap();
    assert_eq!(entries.len(), 1, "at least one, or there would be nothing to wait for");
    let entries = one.wait(id(0), EventIndex(1), 9).await.unwrap();
    assert_eq!(entries.into_iter().map(|entry| entry.event).collect::<Vec<_>>(), [stored(0), stored(1)]);
}

pub(crate) async fn a_waiter_is_not_given_what_it_was_told(Stores { one, other, .. }: Stores) {
    open(&one).await;
    for round in 0..20 {
        let len = 1 + 2 * round;
        let (told, asked) = (AtomicU64::new(len), AtomicU64::new(0));
        let known = || {
            let known = told.load(Ordering::SeqCst);
            asked.store(known, Ordering::SeqCst);
            EventIndex(known)
        };
        let waits = one.wait_beyond(id(0), &known, 9);
        let commits = async {
            commit_one(&other, stored(len)).await;
            // As one who commits is told at once what became of it.
            told.store(len + 1, Ordering::SeqCst);
            commit_one(&other, stored(len + 1)).await;
        };
        let both = async { tokio::join!(waits, commits) };
        let (entries, ()) = tokio::time::timeout(Duration::from_secs(10), both).await.expect("it is asked again");
        assert_eq!(entries.unwrap()[0].index.0, asked.load(Ordering::SeqCst));
    }
}

pub(crate) async fn every_waiter_is_woken(Stores { one, other, .. }: Stores) {
    for n in 0..20 {
        one.open(id(n), &opened()).await.unwrap();
    }
    let tasks = service::Tasks::new();
    let (ready, mut readied) = tokio::sync::mpsc::channel(200);
    for n in 0..200 {
        let (store, ready) = (if n % 4 == 0 { other.clone() } else { one.clone() }, ready.clone());
        tasks.spawn("waits", async move {
            let mut wait = store.wait(id(n % 20), EventIndex(1), 9);
            // Begun, not just about to begin.
            assert!(wait.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            ready.send(()).await.unwrap();
            assert_eq!(wait.await.unwrap()[0].event, Event::Paused);
        });
    }
    for _ in 0..200 {
        readied.recv().await.unwrap();
    }
    for n in 0..20 {
        one.commit(id(n), &[Event::Paused], headwater_metadata::Expect::Any).await.unwrap();
    }
    tasks.shutdown().await;
    tokio::select! {
        biased;
        () = tasks.failed() => panic!("a waiter failed"),
        () = std::future::ready(()) => {}
    }
}

pub(crate) async fn waiting_for_an_unknown_broadcast_fails(Stores { one, .. }: Stores) {
    let error = refused(one.wait(id(0), EventIndex(0), 1).await);
    assert!(matches!(error, MetadataError::NotFound { .. }));
}

pub(crate) async fn a_waiter_that_gives_up_harms_nobody(Stores { one, other, .. }: Stores) {
    open(&one).await;
    for seq in 0..50 {
        let mut patient = pin!(one.wait(id(0), EventIndex(1 + seq), 1));
        {
            let mut impatient = pin!(one.wait(id(0), EventIndex(1 + seq), 1));
            let mut context = Context::from_waker(Waker::noop());
            assert!(impatient.as_mut().poll(&mut context).is_pending());
            assert!(matches!(patient.as_mut().poll(&mut context), Poll::Pending));
        }
        commit_one(&other, stored(seq)).await;
        assert_eq!(patient.await.unwrap()[0].event, stored(seq));
    }
}
