//! TLS as those see it who come from elsewhere: curl, ffmpeg, a browser, our own programs; and what happens to those who
//! speak something else.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use headwater_tests::{Encoder, Program};
use serde_json::Value;
use tempfile::TempDir;
use testkit::{Headwater, Launch, Tool, eventually};

/// How long something may take that takes a few seconds, on a busy machine.
const SOON: Duration = Duration::from_secs(60);

fn self_signed(config: &str) -> Headwater {
    Launch::of(&["up", "--tls-self-signed"]).config(config).start()
}

fn text(path: impl AsRef<Path>) -> String {
    path.as_ref().to_str().expect("UTF-8").to_owned()
}

/// What curl says of an address, if it trusts whom `ca` names: version of HTTP and status.
fn curl(ca: &Path, url: &str, options: &[&str]) -> Option<String> {
    let ca = text(ca);
    let always = ["-sS", "--cacert", &ca, "-o", "/dev/null", "-w", "%{http_version} %{http_code}", url];
    let output = Tool::find("curl").output(always.iter().chain(options));
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

fn address(url: &str) -> &str {
    url.strip_prefix("https://").expect("it speaks TLS")
}

/// A certificate of openssl's for 127.0.0.1, and its key.
fn files(dir: &TempDir, name: &str) -> (PathBuf, PathBuf) {
    let [cert, key] = ["pem", "key"].map(|kind| dir.path().join(format!("{name}.{kind}")));
    let (out, key_out) = (text(&cert), text(&key));
    let wanted = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=test \
        -addext subjectAltName=IP:127.0.0.1";
    Tool::find("openssl").run(wanted.split_whitespace().chain(["-out", &out, "-keyout", &key_out]));
    (cert, key)
}

#[test]
fn everybody_publishes_and_watches_over_tls() {
    let headwater = self_signed("[recorder.views]\nend_grace_ms = 500\n");
    let (url, ca, dir) =
        (headwater.url(), headwater.data().join("tls/certificate.pem"), TempDir::new().expect("a folder"));
    let path = format!("{url}/healthz");
    assert_eq!(curl(&ca, &path, &[]).as_deref(), Some("2 200"));
    assert_eq!(curl(&ca, &path, &["--http1.1"]).as_deref(), Some("1.1 200"));
    assert_eq!(curl(&ca, &path, &["--tls-max", "1.2"]).as_deref(), Some("2 200"));
    assert_eq!(curl(Path::new("/etc/ssl/certs/ca-certificates.crt"), &path, &[]), None, "nobody vouches for it");

    let (ca, data, key) = (text(&ca), text(headwater.data()), headwater.owner_key());
    let create = || -> Value {
        // It finds the certificate as it finds the owner key.
        let words = ["broadcast", "create", "--json", "--server", url, "--data", &data];
        serde_json::from_str(&Headwater::tool().run(words)).expect("JSON")
    };
    let show = |id: &Value| -> Value {
        let id = id.as_str().expect("text");
        let words = ["broadcast", "show", id, "--json", "--server", url, "--owner-key", key, "--tls-ca", &ca];
        serde_json::from_str(&Headwater::tool().run(words)).expect("JSON")
    };
    let until_complete = |id: &Value| {
        eventually("a whole recording", SOON, || {
            let shown = show(id);
            if shown["state"] == "complete" { Ok(shown) } else { Err(shown) }
        })
    };
    // ffmpeg leaves without a word, and compares no certificate.
    let created = create();
    let push_url = created["publish"]["push_url"].as_str().expect("text");
    assert!(push_url.starts_with(url), "{push_url}");
    Encoder { seconds: 3, ..Encoder::default() }.push(push_url).end_well(SOON);
    let segments = until_complete(&created["id"])["details"]["main"]["segments"].clone();
    assert_eq!(segments, 3);

    let created = create();
    let (to, spool) = (created["publish"]["push_url"].as_str().expect("text"), text(dir.path().join("spool")));
    let source = ["testsrc2=s=160x120:r=15:d=3", "--ffmpeg-input", "-f lavfi"];
    let words = ["publish", "--to", to, "--spool", &spool, "--tls-ca", &ca];
    Program::start(&Headwater::tool(), words.into_iter().chain(source)).end_well(SOON);
    until_complete(&created["id"]);

    let stranger = Headwater::tool().output(["broadcast", "list", "--server", url, "--owner-key", key]);
    let said = String::from_utf8_lossy(&stranger.stderr).into_owned();
    assert!(!stranger.status.success() && said.contains("--tls-ca"), "{said}");
}

#[test]
fn a_phone_gets_its_camera_over_tls_only() {
    let (secure, plain) = (self_signed(""), Headwater::start());
    let chromium = Tool::find("chromium");
    let seen = |url: &str| -> Value {
        let seen = Tool::node_script("camera.mjs").run([chromium.path().as_os_str(), url.as_ref()]);
        serde_json::from_str(&seen).expect("JSON")
    };
    let over_tls = seen(secure.url());
    assert_eq!((&over_tls["isSecure"], &over_tls["tracks"]), (&true.into(), &2.into()), "{over_tls}");
    let without = seen(plain.url());
    assert_eq!((&without["isSecure"], &without["tracks"]), (&false.into(), &0.into()), "{without}");
}

#[test]
fn who_speaks_neither_tls_nor_http_is_closed() {
    let headwater = self_signed("[server]\nhead_timeout_secs = 1\n");
    let says = |bytes: &[u8]| {
        let mut stream = TcpStream::connect(address(headwater.url())).expect("a connection");
        stream.set_read_timeout(Some(SOON)).expect("set");
        stream.write_all(bytes).expect("sent");
        let mut answer = Vec::new();
        // A reset is an end, too.
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    };
    let here = says(b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert!(here.starts_with("HTTP/1.1 200 "), "programs on this machine may do without: {here}");
    // The beginning of a handshake and no more of it; nothing at all; nonsense: closed without a word, or with an alert.
    for bytes in [&b"\x16\x03\x01\x02\x00\x01"[..], b"", b"\x00nonsense", b"\x16nonsense"] {
        let answer = says(bytes);
        assert!(answer.len() < 100 && !answer.contains("HTTP"), "{answer:?}");
    }
    let ca = headwater.data().join("tls/certificate.pem");
    assert!(curl(&ca, &format!("{}/healthz", headwater.url()), &[]).is_some(), "everybody else is served");
}

#[test]
fn files_are_read_again_and_a_wrong_pair_changes_nothing() {
    let dir = TempDir::new().expect("a folder");
    let ((cert, key), (new_cert, new_key)) = (files(&dir, "shown"), files(&dir, "new"));
    let (cert_text, key_text) = (text(&cert), text(&key));
    let launch = || Launch::of(&["up", "--tls-cert", &cert_text, "--tls-key", &key_text]);
    let mut headwater = launch().start();
    let old_ca = dir.path().join("old.pem");
    std::fs::copy(&cert, &old_ca).expect("copied");
    let url = format!("{}/healthz", headwater.url());
    let hang_up = || {
        Tool::find("kill").run(["-HUP", &headwater.pid().expect("it runs").to_string()]);
    };
    let trusted = |ca: &Path| curl(ca, &url, &[]).is_some();
    assert!(trusted(&old_ca) && !trusted(&new_cert));

    std::fs::copy(&new_cert, &cert).expect("copied");
    hang_up();
    eventually("a warning", SOON, || {
        let log = headwater.log_tail();
        if log.contains("cannot use the new certificate") { Ok(()) } else { Err(log) }
    });
    assert!(trusted(&old_ca), "half of a pair changes nothing");

    std::fs::copy(&new_key, &key).expect("copied");
    hang_up();
    eventually("the new certificate", SOON, || if trusted(&new_cert) { Ok(()) } else { Err("the old one") });
    assert!(!trusted(&old_ca));
    headwater.stop();

    let (out, wrong) = (text(dir.path().join("data")), text(files(&dir, "other").1));
    let refused = Headwater::tool().output(["up", "--data", &out, "--tls-cert", &cert_text, "--tls-key", &wrong]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("the private key is not that of the certificate"), "{said}");
    assert!(!Path::new(&out).exists(), "nothing was begun");
}
