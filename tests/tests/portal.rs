//! The example portal at work with the real server, as docs/portal.md has it: its people create broadcasts, publish with
//! the token of the link that they are given, and see on its page what webhooks tell; whom it forbids is refused.

use std::time::Duration;

use headwater_tests::{Encoder, Media, Program, SECRET};
use testkit::{Answer, Headwater, HttpClient, Road, Tool, eventually, workspace};

/// How long something may take that takes a few seconds, on a busy machine.
const SOON: Duration = Duration::from_secs(60);

struct Portal {
    url: String,
    client: HttpClient,
    program: Program,
}

impl Portal {
    /// A portal and a Headwater that know each other.
    fn start() -> (Self, Headwater, Road) {
        let mut headwater = Headwater::start();
        let road = Road::to(headwater.url());
        let variables = [
            ("HEADWATER", road.url()),
            ("OWNER_KEY", headwater.owner_key().to_owned()),
            ("WEBHOOK_SECRET", SECRET.to_owned()),
            ("PORT", "0".to_owned()),
        ];
        let node = Tool::find("node").path().to_owned();
        let mut args: Vec<_> = variables.iter().map(|(name, value)| format!("{name}={value}")).collect();
        args.push(node.to_str().expect("a path").to_owned());
        args.push(workspace().join("examples/portal/portal.mjs").to_str().expect("a path").to_owned());
        let program = Program::start(&Tool::find("env"), args);
        let url = eventually("its address", SOON, || {
            let said = program.said();
            said.strip_prefix("listening on ").map(|rest| rest.trim().to_owned()).ok_or(said)
        });
        let config = format!(
            "[[webhooks.endpoints]]\nurl = '{url}/headwater'\nsecrets = ['{SECRET}']\n\
             [recorder.authorize]\nurl = '{url}/may-publish'\nsecrets = ['{SECRET}']\n\
             [recorder.views]\nend_grace_ms = 500\n"
        );
        headwater.kill9();
        std::fs::write(headwater.config_path(), config).expect("it can be written");
        headwater.restart();
        road.leads_to(headwater.url());
        (Self { url, client: HttpClient::default(), program }, headwater, road)
    }

    fn send(&self, method: &str, path: &str, cookie: &str, form: &str) -> Answer {
        let answer = self.client.send(method, &format!("{}{path}", self.url), &[("cookie", cookie)], form);
        answer.unwrap_or_else(|error| panic!("no answer to {method} {path}: {error}\n{}", self.program.said()))
    }

    /// The cookie of somebody who has signed in.
    fn sign_in(&self, name: &str) -> String {
        let answer = self.send("POST", "/sign-in", "", &format!("name={name}")).expect(303);
        let cookie = answer.header("set-cookie");
        assert!(cookie.contains("HttpOnly"), "{cookie}");
        cookie.split(';').next().expect("a cookie").to_owned()
    }

    /// The path of a new broadcast's page.
    fn create(&self, cookie: &str, title: &str) -> String {
        self.send("POST", "/broadcasts", cookie, &format!("title={title}")).expect(303).header("location").to_owned()
    }

    fn page(&self, path: &str, cookie: &str) -> String {
        self.send("GET", path, cookie, "").expect(200).text().to_owned()
    }
}

/// The publish token in the link of a page, if there is one.
fn token(page: &str) -> Option<String> {
    let (_, link) = page.split_once("/publish#")?;
    let (_, token) = link.split_once("token=")?;
    Some(token.split(['&', '"']).next().expect("there is always a first").to_owned())
}

#[test]
fn people_of_a_portal_publish_and_see_what_becomes_of_it() {
    let (portal, _headwater, road) = Portal::start();
    let (ana, ben) = (portal.sign_in("Ana"), portal.sign_in("Ben"));
    assert!(portal.page("/", "").contains("Sign in"));
    portal.send("POST", "/broadcasts", "", "title=Nobody").expect(303);
    assert!(!portal.page("/", &ana).contains("Nobody"), "who has not signed in creates nothing");

    let path = portal.create(&ana, "Harbour+%3Ccup%3E");
    let page = portal.page(&path, &ana);
    let id = path.strip_prefix("/broadcasts/").expect("its page");
    assert!(page.contains(&format!("<iframe src=\"{}/embed/{id}\"", road.url())), "{page}");
    assert!(["clipboard-write", "web-share"].iter().all(|leave| page.contains(leave)), "{page}");
    assert!(
        page.contains("Harbour &#60;cup&#62;") && page.contains("<strong id=\"state\" aria-live=\"polite\">created<")
    );
    let token = token(&page).expect("who made it can publish");
    for other in [&ben, ""] {
        let page = portal.page(&path, other);
        assert!(page.contains("/embed/") && !page.contains(&token), "{page}");
    }

    let states = Program::start(&Tool::find("curl"), ["-sN", &format!("{}{path}/state", portal.url)]);
    let until = |state: &str| {
        eventually(state, SOON, || {
            let said = states.said_whole();
            if said.contains(&format!("data: {state}\n")) { Ok(said) } else { Err(said) }
        })
    };
    until("created");
    let encoder = Encoder { seconds: 4, ..Encoder::default() };
    encoder.push(&format!("{}/push/{token}/", road.url())).end_well(SOON);
    let said = until("complete");
    let said: Vec<_> = said.split_whitespace().filter(|word| *word != "data:").collect();
    let mut seen = said.clone();
    // With nothing missing, it is whole as soon as it has ended.
    seen.retain(|state| *state != "ended");
    seen.dedup();
    assert_eq!(seen, ["created", "live", "complete"], "{said:?}");
    assert!(portal.page(&path, "").contains(">complete<"));
}

#[test]
fn what_is_not_headwaters_is_refused() {
    let (portal, headwater, _road) = Portal::start();
    let ana = portal.sign_in("Ana");
    let path = portal.create(&ana, "Match");
    let id = path.strip_prefix("/broadcasts/").expect("its page");
    let forged = format!(
        r#"{{"type":"broadcast.live","timestamp":"2099-01-01T00:00:00.000Z","data":{{"broadcast":"{id}","state":"live"}}}}"#
    );
    let now_s = (server_time_ms(&headwater, id) / 1000).to_string();
    let signature = format!("v1,{}=", "A".repeat(43));
    for headers in [
        vec![],
        vec![("webhook-id", "msg_1"), ("webhook-timestamp", now_s.as_str())],
        vec![("webhook-id", "msg_1"), ("webhook-timestamp", now_s.as_str()), ("webhook-signature", &signature)],
        vec![("webhook-id", "msg_1"), ("webhook-timestamp", "soon"), ("webhook-signature", &signature)],
    ] {
        for to in ["/headwater", "/may-publish"] {
            let answer = portal.client.send("POST", &format!("{}{to}", portal.url), &headers, forged.as_str());
            assert_eq!(answer.expect("an answer").status, 401, "{headers:?}");
        }
    }
    assert!(portal.page(&path, &ana).contains(">created<"));
}

fn server_time_ms(headwater: &Headwater, id: &str) -> i64 {
    headwater.owner("GET", &format!("/ingest/{id}"), "").expect(200).json()["server_time_ms"].as_i64().expect("a time")
}

#[test]
fn a_publisher_whom_the_portal_forbids_is_refused() {
    let (portal, headwater, _road) = Portal::start();
    let media = Media::ts(1);
    let (ana, ben) = (portal.sign_in("Ana"), portal.sign_in("Ben"));
    let path = portal.create(&ana, "Match");
    let token = token(&portal.page(&path, &ana)).expect("who made it can publish");
    portal.send("POST", &format!("{path}/forbid"), &ben, "").expect(403);
    portal.send("POST", &format!("{path}/forbid"), &ana, "").expect(303);
    let push = || headwater.send("PUT", &format!("/push/{token}/out0.ts"), &[], media.segments[0].clone());
    let refused = push().expect(403).json();
    assert_eq!(refused["detail"], "the portal has forbidden it");
    // A broadcast of which the portal knows nothing is none of its people's.
    let foreign = headwater.create_broadcast();
    let push_foreign = format!("/push/{}/out0.ts", foreign.token);
    headwater.send("PUT", &push_foreign, &[], media.segments[0].clone()).expect(403);

    portal.send("POST", &format!("{path}/allow"), &ana, "").expect(303);
    eventually("leave to publish", SOON, || {
        let answer = push();
        if answer.status == 202 { Ok(()) } else { Err(answer.text().to_owned()) }
    });
}
