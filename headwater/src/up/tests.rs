//! What a process says of itself before it serves, and while what it needs is away.

use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use testkit::{HttpClient, RedisServer, eventually};

use super::*;
use crate::cli::ServeOptions;

/// How long a change may take to show, on a busy machine.
const SOON: Duration = Duration::from_secs(30);

fn config(data: &Path, metadata: Option<String>) -> Config {
    let listen = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    let options = ServeOptions { data: Some(data.to_owned()), listen, metadata, ..ServeOptions::default() };
    Config::load(&options).expect("valid")
}

/// What `/readyz` says: its status, and what is not ready.
fn ready(url: &str) -> (u16, serde_json::Value) {
    let answer = HttpClient::default().get(&format!("{url}/readyz"));
    let report = answer.json();
    assert_eq!(report["ready"], answer.status == 200, "{report}");
    (answer.status.as_u16(), report["not_ready"].clone())
}

/// Runs `look` beside a process of all roles, which is given its address.
async fn beside(config: Config, look: impl FnOnce(String) + Send + 'static) {
    let process = Process::listen(&config).await.expect("it listens");
    let url = format!("http://{}", process.address);
    let looks = Tasks::blocking(move || look(url));
    let (opened, ()) = tokio::join!(process.open(&config, Roles::ALL), looks);
    opened.expect("it opens");
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_scan_waits_for_the_metadata_store_nothing_but_the_health_is_served() {
    let (dir, mut redis) = (TempDir::new().expect("a folder"), RedisServer::start());
    redis.kill();
    // What the scan has to ask the metadata store about.
    let broadcast = dir.path().join("segments").join(broadcast::BroadcastId::new(1_790_000_000_000, 7).to_string());
    std::fs::create_dir_all(broadcast).expect("a folder");
    let config = config(dir.path(), Some(redis.url()));
    beside(config, move |url| {
        let client = HttpClient::default();
        let (status, not_ready) = ready(&url);
        assert!(status == 503 && !not_ready["start-up"].is_null(), "{not_ready}");
        eventually("the scan to ask the metadata store", SOON, || {
            let why = ready(&url).1["start-up"].to_string();
            if why.contains("waiting for the metadata store") { Ok(()) } else { Err(why) }
        });
        assert_eq!(client.get(&format!("{url}/healthz")).status, 200);
        assert_eq!(client.get(&format!("{url}/metrics")).status, 200);
        for path in ["/", "/v1/broadcasts", "/hls/01kjahrq000000000000000007/index.m3u8", "/ingest/x"] {
            let answer = client.get(&format!("{url}{path}")).expect(503);
            assert_eq!((answer.header("retry-after"), answer.header("cache-control")), ("2", "no-store"), "{path}");
            assert_eq!(answer.json()["type"], "/problems/unavailable", "{path}");
        }
        redis.restart();
        eventually("readiness", SOON, || match ready(&url) {
            (200, _) => Ok(()),
            (status, not_ready) => Err(format!("{status}, {not_ready}")),
        });
        assert_eq!(client.get(&format!("{url}/v1/broadcasts")).status, 401);
        assert_eq!(client.get(&format!("{url}/hls/01kjahrq000000000000000007/index.m3u8")).status, 404);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_without_room_is_told() {
    let dir = TempDir::new().expect("a folder");
    let mut config = config(dir.path(), None);
    config.storage.quota = Some(1_000_000);
    beside(config, |url| {
        let why = "1000000 bytes are left, less than 67108864";
        eventually("the reason", SOON, || match ready(&url) {
            (503, not_ready) if not_ready == serde_json::json!({ "storage": why }) => Ok(()),
            (status, not_ready) => Err(format!("{status}, {not_ready}")),
        });
    })
    .await;
}

/// A client that trusts the certificate in `data`, and no other.
fn https_client(data: &Path) -> ureq::Agent {
    use ureq::tls::{Certificate, RootCerts, TlsConfig};
    let pem = std::fs::read(data.join("tls/certificate.pem")).expect("it is there");
    let trusted = Certificate::from_pem(&pem).expect("a certificate");
    let tls = TlsConfig::builder().root_certs(RootCerts::new_with_certs(&[trusted])).build();
    ureq::Agent::config_builder().tls_config(tls).http_status_as_error(false).build().into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_certificate_of_its_own_it_speaks_https_and_to_this_machine_http_too() {
    let dir = TempDir::new().expect("a folder");
    let mut config = config(dir.path(), None);
    config.tls = Some(crate::config::TlsConfig::SelfSigned { names: vec![] });
    let data = dir.path().to_owned();
    beside(config, move |plain| {
        let (client, port) = (https_client(&data), plain.rsplit(':').next().expect("a port"));
        for host in ["127.0.0.1", "localhost"] {
            let mut answer = client.get(&format!("https://{host}:{port}/healthz")).call().expect("an answer");
            assert_eq!(answer.status(), 200, "{host}: {:?}", answer.body_mut().read_to_string());
        }
        eventually("the gate to open", SOON, || match ready(&plain) {
            (200, _) => Ok(()),
            (status, not_ready) => Err(format!("{status}, {not_ready}")),
        });
        let key = std::fs::read_to_string(data.join("owner-key")).expect("a key");
        for (base, client) in [(format!("https://127.0.0.1:{port}"), client), (plain.clone(), ureq::agent())] {
            let created = client
                .post(&format!("{base}/v1/broadcasts"))
                .header("authorization", &format!("Bearer {}", key.trim()));
            let created: serde_json::Value =
                created.send_json(serde_json::json!({})).expect("an answer").body_mut().read_json().expect("JSON");
            let page_url = created["watch"]["page_url"].as_str().expect("text");
            assert!(page_url.starts_with(&format!("{base}/watch/")), "{page_url}");
        }
        // One that does not trust it hangs up, and takes nobody with it.
        assert!(ureq::get(&format!("https://127.0.0.1:{port}/healthz")).call().is_err());
        assert_eq!(HttpClient::default().get(&format!("{plain}/healthz")).status, 200);
    })
    .await;
}

#[test]
fn an_address_that_stands_for_all_is_shown_as_one_that_can_be_opened() {
    let one: SocketAddr = "10.1.2.3:80".parse().expect("an address");
    let shown = shown_as(one);
    assert_eq!((shown.here, shown.elsewhere), (one, None));
    for (any, here) in [("0.0.0.0:80", "127.0.0.1:80"), ("[::]:80", "[::1]:80")] {
        let shown = shown_as(any.parse().expect("an address"));
        assert_eq!(shown.here.to_string(), here);
        assert!(shown.elsewhere.is_none_or(|other| !other.ip().is_unspecified() && other.port() == 80));
    }
}
