//! A receiver of webhooks, as moody as receivers are: it answers what the test says, or not at all, and keeps what it
//! was sent.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::{Tool, workspace};

use crate::http_stream::{Request, requests};

/// A secret that the endpoints of tests share with it.
pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A server that takes every POST.
#[derive(Debug)]
pub struct Receiver {
    address: SocketAddr,
    desk: Arc<Desk>,
}

#[derive(Debug, Default)]
struct Desk {
    closing: AtomicBool,
    /// By path; 204 for those that are not here.
    moods: Mutex<BTreeMap<String, Mood>>,
    taken: Mutex<Vec<Taken>>,
}

/// How it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Status(u16),
    /// The same, with a body of text.
    Says(u16, &'static str),
    /// The request is read, and that is all.
    Silent,
}

/// What it was sent, and its answer.
#[derive(Clone, Debug)]
pub struct Taken {
    pub request: Request,
    pub mood: Mood,
}

impl Taken {
    pub fn id(&self) -> &str {
        self.request.header("webhook-id")
    }

    /// The type of the message, without what all have in common.
    pub fn word(&self) -> String {
        self.json()["type"].as_str().expect("a type").replace("broadcast.", "")
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.request.body).expect("a message is JSON")
    }
}

impl Receiver {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let (address, desk) = (listener.local_addr().expect("it is bound"), Arc::<Desk>::default());
        let at_desk = desk.clone();
        thread::spawn(move || {
            for sender in listener.incoming() {
                if at_desk.closing.load(Ordering::Relaxed) {
                    return;
                }
                let (sender, desk) = (sender.expect("a connection"), at_desk.clone());
                thread::spawn(move || serve(sender, &desk));
            }
        });
        Self { address, desk }
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// How it answers from here on.
    pub fn feel(&self, path: &str, mood: Mood) {
        lock(&self.desk.moods).insert(path.to_owned(), mood);
    }

    /// What was sent to a path, in order.
    pub fn taken(&self, path: &str) -> Vec<Taken> {
        lock(&self.desk.taken).iter().filter(|taken| taken.request.target == path).cloned().collect()
    }

    /// The types of what it has said yes to, each message once, in order.
    pub fn words(&self, path: &str) -> Vec<String> {
        let mut known = Vec::new();
        let taken = self.taken(path);
        let accepted = taken.iter().filter(|taken| matches!(taken.mood, Mood::Status(200..300)));
        let new = accepted.filter(|taken| {
            let id = taken.id().to_owned();
            let is_new = !known.contains(&id);
            known.push(id);
            is_new
        });
        new.map(Taken::word).collect()
    }
}

/// Fails unless somebody else's library takes each of these for signed with `secret`, and none with another.
pub fn assert_others_accept(taken: &[Taken], secret: &str) {
    let dir = TempDir::new().expect("a temporary folder");
    let file = dir.path().join("messages.json");
    let message = |taken: &Taken| {
        let headers: BTreeMap<_, _> = taken.request.headers.iter().cloned().collect();
        json!({"headers": headers, "body": String::from_utf8_lossy(&taken.request.body)})
    };
    let messages: Vec<Value> = taken.iter().map(message).collect();
    std::fs::write(&file, serde_json::to_vec(&messages).expect("JSON")).expect("a file can be written");
    let script = workspace().join("tests/verify_webhooks.py");
    let verified = Tool::python().run([script.as_path(), Path::new(&file), Path::new(secret)]);
    assert_eq!(verified.trim(), taken.len().to_string());
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.desk.closing.store(true, Ordering::Relaxed);
        // Wakes the listener.
        drop(TcpStream::connect(self.address));
    }
}

fn serve(mut sender: TcpStream, desk: &Desk) {
    let (mut stream, mut buffer, mut served) = (Vec::new(), vec![0; 64 << 10], 0);
    while let Ok(len @ 1..) = sender.read(&mut buffer) {
        stream.extend_from_slice(&buffer[..len]);
        for request in requests(&stream).into_iter().filter(|request| request.complete).skip(served) {
            served += 1;
            let mood = lock(&desk.moods).get(&request.target).copied().unwrap_or(Mood::Status(204));
            lock(&desk.taken).push(Taken { request, mood });
            let (status, body) = match mood {
                Mood::Status(status) => (status, ""),
                Mood::Says(status, body) => (status, body),
                Mood::Silent => continue,
            };
            let len = body.len();
            let answer = format!("HTTP/1.1 {status} As It Feels\r\ncontent-length: {len}\r\n\r\n{body}");
            if sender.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nobody panics with it")
}
