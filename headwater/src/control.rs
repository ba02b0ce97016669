//! `headwater broadcast …`, `headwater nodes` and `headwater webhooks …`: the control API from the command line.

mod webhooks;

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, ensure};
use serde_json::{Value, json};
use ureq::tls::{PemItem, RootCerts, TlsConfig};

use crate::cli::{BroadcastCommand, ServerOptions};
use crate::{config, tls};

pub(crate) use webhooks::run as webhooks;

/// The longest answer that is read, in bytes.
const ANSWER_LEN_MAX: u64 = 64 << 20;

pub(crate) fn run(command: BroadcastCommand) -> anyhow::Result<()> {
    match command {
        BroadcastCommand::Create { title, target_duration, server } => {
            let wanted = json!({"title": title, "target_duration": target_duration});
            let created = Server::new(&server)?.call("POST", "/v1/broadcasts", Some(&wanted))?;
            print(&server, &created, created_text)
        }
        BroadcastCommand::List { limit, server } => {
            let list = list(&Server::new(&server)?, limit)?;
            print(&server, &list, list_text)
        }
        BroadcastCommand::Show { id, server } => {
            let shown = Server::new(&server)?.call("GET", &format!("/v1/broadcasts/{id}"), None)?;
            print(&server, &shown, details_text)
        }
        BroadcastCommand::End { id, server } => {
            let ended = Server::new(&server)?.call("POST", &format!("/v1/broadcasts/{id}/end"), None)?;
            print(&server, &ended, details_text)
        }
        BroadcastCommand::Abandon { id, server } => {
            let given_up = Server::new(&server)?.call("POST", &format!("/v1/broadcasts/{id}/abandon"), None)?;
            print(&server, &given_up, details_text)
        }
    }
}

/// `headwater nodes`.
pub(crate) fn nodes(options: &ServerOptions) -> anyhow::Result<()> {
    let list = Server::new(options)?.call("GET", "/v1/nodes", None)?;
    print(options, &list, nodes_text)
}

fn print(options: &ServerOptions, answer: &Value, text: fn(&Value) -> String) -> anyhow::Result<()> {
    let text = if options.json { serde_json::to_string_pretty(answer)? + "\n" } else { text(answer) };
    std::io::stdout().write_all(text.as_bytes()).context("cannot write the answer")
}

/// A running Headwater.
struct Server<'a> {
    options: &'a ServerOptions,
    agent: ureq::Agent,
}

impl<'a> Server<'a> {
    fn new(options: &'a ServerOptions) -> anyhow::Result<Self> {
        let config = ureq::Agent::config_builder().http_status_as_error(false);
        let config = match trusted(options)? {
            Some(ca) => config.tls_config(TlsConfig::builder().root_certs(root_certs(&ca)?).build()),
            None => config,
        };
        Ok(Self { options, agent: config.build().into() })
    }

    fn call(&self, method: &str, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        let url = format!("{}{path}", self.options.server.trim_end_matches('/'));
        let mut request = http::Request::builder().method(method).uri(&url);
        if let Some(key) = self.owner_key()? {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        let body = match body {
            Some(body) => {
                request = request.header("content-type", "application/json");
                serde_json::to_vec(body)?
            }
            None => Vec::new(),
        };
        let request = request.body(body).with_context(|| format!("{url} is not an address"))?;
        let mut answer = self.agent.run(request).map_err(|error| unreachable(&self.options.server, error))?;
        let status = answer.status();
        let text = answer.body_mut().with_config().limit(ANSWER_LEN_MAX).read_to_string()?;
        let json: Value =
            serde_json::from_str(&text).with_context(|| format!("{url} answered {status}, and not in JSON"))?;
        if status.is_success() { Ok(json) } else { Err(refusal(&json)) }
    }

    /// The key that was given, or the one of a Headwater on this machine.
    fn owner_key(&self) -> anyhow::Result<Option<String>> {
        if let Some(key) = &self.options.owner_key {
            return Ok(Some(key.clone()));
        }
        let path = self.options.data.join("owner-key");
        match std::fs::read_to_string(&path) {
            Ok(key) => Ok(Some(key.trim().to_owned())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }
}

fn unreachable(server: &str, error: ureq::Error) -> anyhow::Error {
    // It is only in the words of the error whose fault it was.
    let why = if error.to_string().contains("certificate") {
        format!(
            "{server} is not trusted (if it was started with --tls-self-signed: give --tls-ca DIR/tls/certificate.pem)"
        )
    } else {
        format!("cannot reach {server}: is `headwater up` running there?")
    };
    anyhow!(error).context(why)
}

/// The file of those who are trusted, if they are not those whom browsers trust.
fn trusted(options: &ServerOptions) -> anyhow::Result<Option<PathBuf>> {
    if options.tls_ca.is_some() {
        return Ok(options.tls_ca.clone());
    }
    let server: http::Uri = options.server.parse().with_context(|| format!("--server {:?}", options.server))?;
    let host = server.host().unwrap_or_default().trim_matches(['[', ']']);
    let is_here = host == "localhost" || host.parse().is_ok_and(|ip| service::own_addresses().contains(&ip));
    Ok(Some(tls::self_signed_path(&options.data)).filter(|path| is_here && path.is_file()))
}

fn root_certs(ca: &Path) -> anyhow::Result<RootCerts> {
    let text = config::read_file(ca)?;
    let items = ureq::tls::parse_pem(text.as_bytes()).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    });
    let certificates: Vec<_> = items.collect();
    ensure!(!certificates.is_empty(), "{} has no certificate in PEM", ca.display());
    Ok(RootCerts::new_with_certs(&certificates))
}

fn refusal(problem: &Value) -> anyhow::Error {
    let title = problem["title"].as_str().unwrap_or("refused");
    let hint = match problem["status"].as_u64() {
        Some(401) => "; give --owner-key, or the --data of the Headwater that runs here",
        _ => "",
    };
    match problem["detail"].as_str() {
        Some(detail) => anyhow!("{title}: {detail}{hint}"),
        None => anyhow!("{title}{hint}"),
    }
}

/// As many pages as it takes.
fn list(server: &Server<'_>, limit: usize) -> anyhow::Result<Value> {
    let mut broadcasts: Vec<Value> = Vec::new();
    let mut after = String::new();
    while broadcasts.len() < limit {
        let page = server.call(
            "GET",
            &format!("/v1/broadcasts?limit={}{after}", (limit - broadcasts.len()).min(100)),
            None,
        )?;
        broadcasts.extend(page["broadcasts"].as_array().cloned().unwrap_or_default());
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    Ok(json!({"broadcasts": broadcasts}))
}

fn created_text(created: &Value) -> String {
    let text = |pointer: &str| created.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    format!(
        "id\t{}\nwatch\t{}\npush\t{}out.m3u8\ningest\t{}\ntoken\t{}\n",
        text("/id"),
        text("/watch/page_url"),
        text("/publish/push_url"),
        text("/publish/ingest_url"),
        text("/publish/token"),
    )
}

fn list_text(list: &Value) -> String {
    let line = |broadcast: &Value| {
        let text = |field: &str| broadcast[field].as_str().unwrap_or_default().replace(['\t', '\n'], " ");
        let (duration, missing) = (broadcast["duration_s"].as_f64().unwrap_or(0.0), &broadcast["missing"]);
        format!("{}\t{}\t{duration:.0}\t{missing}\t{}\n", text("id"), text("state"), text("title"))
    };
    let head = "id\tstate\tseconds\tmissing\ttitle\n".to_owned();
    list["broadcasts"].as_array().into_iter().flatten().map(line).fold(head, |all, line| all + &line)
}

fn nodes_text(list: &Value) -> String {
    let line = |node: &Value| {
        let text = |field: &str| node[field].as_str().unwrap_or("-").replace(['\t', '\n'], " ");
        let percent = |share: f64| format!("{:.0}%", share * 100.0);
        let number = |field: &str| node[field].as_f64().unwrap_or(0.0);
        let network = number("network_bytes_per_s") / number("network_capacity_bytes_per_s").max(1.0);
        let (cpu, disk) = (percent(number("cpu")), percent(number("disk")));
        let (uploads, free) = (&node["open_uploads"], &node["free_bytes"]);
        let (name, role, state, region, url) = (text("name"), text("role"), text("state"), text("region"), text("url"));
        format!("{name}\t{role}\t{state}\t{cpu}\t{disk}\t{}\t{uploads}\t{free}\t{region}\t{url}\n", percent(network))
    };
    let head = "name\trole\tstate\tcpu\tdisk\tnetwork\tuploads\tfree\tregion\turl\n".to_owned();
    list["nodes"].as_array().into_iter().flatten().map(line).fold(head, |all, line| all + &line)
}

fn details_text(details: &Value) -> String {
    let text = |field: &str| details[field].as_str().unwrap_or_default().to_owned();
    let created = details["created_at"].as_i64().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    let created = created.map(|at| at.to_string()).unwrap_or_default();
    let duration = details["duration_s"].as_f64().unwrap_or(0.0);
    let mut out = format!(
        "id\t{}\ntitle\t{}\nstate\t{}\ncreated\t{created}\nseconds\t{duration:.1}\nmissing\t{}\n",
        text("id"),
        text("title"),
        text("state"),
        details["missing"],
    );
    if let Some(until) = details["open_until"].as_i64().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok()) {
        out += &format!("publisher waited for until\t{until}\n");
    }
    for (name, rendition) in details["details"].as_object().into_iter().flatten() {
        let field = |field: &str| rendition[field].as_str().unwrap_or("-").to_owned();
        let (codecs, resolution) = (field("codecs"), field("resolution"));
        let (segments, bytes) = (&rendition["segments"], &rendition["bytes"]);
        out += &format!("rendition {name}\t{segments} segments, {bytes} bytes, {codecs}, {resolution}\n");
        if rendition["missing"].as_array().is_some_and(|missing| !missing.is_empty()) {
            out += &format!("missing of {name}\t{}\n", rendition["missing"]);
        }
    }
    out
}
