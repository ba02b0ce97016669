//! A store elsewhere that is away, or that refuses: what is said then.

use futures_util::StreamExt;
use headwater_storage::{HotStore, HotUrl, Store, StoreError};
use service::Random;
use testkit::S3Server;

use crate::contract::{broadcast, bytes, segment};

fn open(url: &str, variables: Vec<(String, String)>) -> HotStore {
    HotStore::open(&url.parse::<HotUrl>().unwrap(), variables, &Random::seeded(1)).unwrap()
}

/// What every call says, one after another.
async fn said(store: &HotStore) -> Vec<StoreError> {
    let key = segment(1, 1);
    vec![
        store.probe().await.unwrap_err(),
        store.put(&key, bytes(10).into()).await.unwrap_err(),
        store.read(&key, None).await.unwrap_err(),
        store.list(broadcast(1)).next().await.unwrap().unwrap_err(),
        store.broadcasts().next().await.unwrap().unwrap_err(),
    ]
}

#[tokio::test]
async fn a_store_that_is_away_is_told_apart_from_one_that_refuses() {
    let mut server = S3Server::start();
    let with = |name: &str, value: &str| {
        let mut variables = server.variables();
        variables.iter_mut().filter(|(known, _)| known == name).for_each(|(_, old)| *old = value.to_owned());
        variables
    };
    let table = [
        ("s3://media", with("AWS_SECRET_ACCESS_KEY", "wrong"), "AWS_SECRET_ACCESS_KEY"),
        ("s3://media", with("AWS_ACCESS_KEY_ID", "nobody"), "AWS_ACCESS_KEY_ID"),
    ];
    for (url, variables, advice) in table {
        for error in said(&open(url, variables)).await {
            let refused = matches!(&error, StoreError::Refused { .. });
            assert!(refused && error.to_string().contains(advice), "{url} {advice}: {error:?}");
        }
    }
    // This server makes the buckets that are written to.
    let error = open("s3://no-such-bucket", server.variables()).probe().await.unwrap_err();
    assert!(matches!(&error, StoreError::Refused { .. }) && error.to_string().contains("create it"), "{error:?}");
    let store = open("s3://media", server.variables());
    store.put(&segment(1, 1), bytes(10).into()).await.unwrap();
    server.kill();
    for error in said(&store).await {
        assert!(matches!(&error, StoreError::Away { .. }) && error.is_retryable(), "{error:?}");
    }
    assert!(matches!(store.len(&segment(1, 1)).await, Err(StoreError::Away { .. })));
    server.restart();
    assert_eq!(store.len(&segment(1, 1)).await.unwrap(), Some(10));
}
