//! `headwater webhooks …`: who is told, and what could not be.

use anyhow::bail;
use serde_json::{Value, json};

use super::{Server, print};
use crate::cli::{ServerOptions, WebhooksCommand, WhichDead};

pub(crate) fn run(command: WebhooksCommand) -> anyhow::Result<()> {
    match command {
        WebhooksCommand::List { server } => {
            let list = Server::new(&server)?.call("GET", "/v1/webhooks", None)?;
            print(&server, &list, list_text)
        }
        WebhooksCommand::Test { url, server } => {
            let tested = Server::new(&server)?.call("POST", "/v1/webhooks/test", Some(&json!({"url": url})))?;
            print(&server, &tested, tested_text)?;
            let failed = rows(&tested, "tested").filter(|answer| answer["delivered"] != true).count();
            if failed > 0 { bail!("{failed} endpoints would not have taken it") } else { Ok(()) }
        }
        WebhooksCommand::ListDead { limit, server } => {
            let dead = list_dead(&server, limit)?;
            print(&server, &dead, dead_text)
        }
        WebhooksCommand::Resend(which) => to_dead("resend", &which),
        WebhooksCommand::Discard(which) => to_dead("discard", &which),
    }
}

fn to_dead(deed: &str, which: &WhichDead) -> anyhow::Result<()> {
    let wanted = json!({"numbers": which.numbers, "url": which.url, "all": which.all});
    let done = Server::new(&which.server)?.call("POST", &format!("/v1/webhooks/dead/{deed}"), Some(&wanted))?;
    print(&which.server, &done, |done| format!("letters\t{}\n", done["letters"]))
}

/// As many pages as it takes.
fn list_dead(server: &ServerOptions, limit: usize) -> anyhow::Result<Value> {
    let (caller, mut dead, mut after) = (Server::new(server)?, Vec::new(), String::new());
    while dead.len() < limit {
        let path = format!("/v1/webhooks/dead?limit={}{after}", (limit - dead.len()).min(100));
        let page = caller.call("GET", &path, None)?;
        dead.extend(rows(&page, "dead").cloned());
        match page["next"].as_u64() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    Ok(json!({"dead": dead}))
}

fn rows<'a>(answer: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    answer[name].as_array().into_iter().flatten()
}

/// A table of these fields, with a head.
fn table(answer: &Value, name: &str, head: &str, line: impl Fn(&Value) -> Vec<String>) -> String {
    let mut text = format!("{head}\n");
    for row in rows(answer, name) {
        let fields: Vec<String> = line(row).iter().map(|field| field.replace(['\t', '\n', '\r'], " ")).collect();
        text += &(fields.join("\t") + "\n");
    }
    text
}

fn field(row: &Value, name: &str) -> String {
    match &row[name] {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        Value::Array(all) => all.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

fn list_text(list: &Value) -> String {
    table(list, "endpoints", "url\twaiting\tdead\tstate\tevents", |row| {
        let state = match (row["configured"] == true, row["disabled"] == true) {
            (false, _) => "not configured",
            (true, true) => "disabled",
            (true, false) => "enabled",
        };
        let events = field(row, "events");
        vec![field(row, "url"), field(row, "waiting"), field(row, "dead"), state.to_owned(), events]
    })
}

fn tested_text(tested: &Value) -> String {
    table(tested, "tested", "url\tdelivered\tstatus\tms\tsaid", |row| {
        ["url", "delivered", "status", "took_ms", "said"].map(|name| field(row, name)).to_vec()
    })
}

fn dead_text(dead: &Value) -> String {
    table(dead, "dead", "number\ttype\tbroadcast\tattempts\tdied\turl\twhy", |row| {
        let died = row["died_at"].as_i64().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
        let died = died.map(|at| at.to_string()).unwrap_or_default();
        let [number, kind, broadcast, attempts] =
            ["number", "type", "broadcast", "attempts"].map(|name| field(row, name));
        vec![number, kind, broadcast, attempts, died, field(row, "url"), field(row, "why")]
    })
}
