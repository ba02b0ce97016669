//! `headwater check` and `headwater rebuild`: the stores and the metadata that the settings name, and what is said.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use metadata::{Metadata, Role};
use prometheus::Registry;
use service::{Clock, LogFormat, Random};
use storage::{HotStore, LocalReader};
use storage_sync::{Checked, Finding, Others, Rebuilt, Tier};

use crate::cli::{CheckOptions, RebuildOptions, ServeOptions, StoresOptions};
use crate::config::Config;
use crate::secrets;
use crate::up::{self, MetadataStore};

/// What one ends with that could not be finished, or could not look everywhere.
const COULD_NOT_LOOK: u8 = 2;

pub(crate) fn check(options: &CheckOptions) -> ExitCode {
    let checked = run(&options.stores, async |stores| look(options, stores).await);
    ended(checked.map(|checked| match checked {
        Checked { wrong: 1.., .. } => ExitCode::FAILURE,
        Checked { not_checked: 1.., .. } => ExitCode::from(COULD_NOT_LOOK),
        _ => ExitCode::SUCCESS,
    }))
}

fn ended(done: anyhow::Result<ExitCode>) -> ExitCode {
    done.unwrap_or_else(|error| {
        let _ = writeln!(std::io::stderr(), "headwater: {error:#}");
        ExitCode::from(COULD_NOT_LOOK)
    })
}

/// What the settings name.
struct Stores {
    metadata: Arc<dyn Metadata>,
    tiers: Vec<Tier>,
    others: Option<Others>,
}

async fn look(options: &CheckOptions, stores: Stores) -> anyhow::Result<Checked> {
    let only = options.broadcasts.iter().map(|id| id.parse().with_context(|| format!("{id:?}")));
    let only = only.collect::<anyhow::Result<Vec<_>>>()?;
    let Stores { metadata, tiers, others } = stores;
    let wanted = storage_sync::CheckOptions { digests: options.digests, only, others };
    let tell = |finding: Finding| tell(&finding, options.stores.json);
    let progress = |checked: &Checked, all: usize| {
        let Checked { broadcasts, segments, wrong, .. } = checked;
        progress(&format!("{broadcasts} of {all} broadcasts, {segments} segments, {wrong} wrong"));
    };
    let checked = storage_sync::check(&*metadata, &tiers, &wanted, tell, progress).await?;
    let Checked { broadcasts, segments, bytes, wrong, not_safe, not_checked } = checked;
    let mut summary = format!(
        "checked {broadcasts} broadcasts, {segments} segments, {bytes} bytes: {wrong} wrong, {not_safe} not safe yet"
    );
    if not_checked > 0 {
        summary += &format!(", {not_checked} not checked, which may be elsewhere");
    }
    let _ = writeln!(std::io::stderr(), "{summary}");
    Ok(checked)
}

pub(crate) fn rebuild(options: &RebuildOptions) -> ExitCode {
    let json = options.stores.json;
    let rebuilt = run(&options.stores, async |Stores { metadata, tiers, .. }| {
        let how = storage_sync::RebuildOptions { fill_in: options.fill_in };
        let tell = |finding: Finding| tell(&finding, json);
        let rebuilt = storage_sync::rebuild(&*metadata, &tiers, how, tell, |id, rebuilt, all| {
            let (broadcasts, segments) = (rebuilt.broadcasts, rebuilt.segments);
            progress(&format!("{broadcasts} of {all} broadcasts, {segments} segments; {id}"));
        });
        Ok(rebuilt.await?)
    });
    ended(rebuilt.map(|rebuilt| {
        say(&if json { as_json(&rebuilt) } else { counts(&rebuilt) });
        if rebuilt.is_incomplete() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }))
}

fn counts(rebuilt: &Rebuilt) -> String {
    let Rebuilt { broadcasts, segments, entries, damaged, unreadable, refused, without_document } = rebuilt;
    format!(
        "broadcasts\t{broadcasts}\nsegments\t{segments}\nentries added\t{entries}\ndamaged copies\t{damaged}\n\
        unreadable\t{unreadable}\nrefused\t{refused}\nwithout document\t{without_document}"
    )
}

/// One line for each finding.
fn tell(finding: &Finding, json: bool) {
    let Finding { kind, broadcast, key, detail } = finding;
    say(&if json { as_json(finding) } else { format!("{}\t{broadcast}\t{key}\t{detail}", kind.word()) });
}

/// Opens what the settings name, and closes it after the work.
fn run<T>(options: &StoresOptions, work: impl AsyncFnOnce(Stores) -> anyhow::Result<T>) -> anyhow::Result<T> {
    let StoresOptions { config, data, metadata, hot, .. } = options;
    let (config, data) = (config.clone(), data.clone());
    let (metadata, hot) = (metadata.clone(), hot.clone());
    let config = Config::load(&ServeOptions { config, data, metadata, hot, ..ServeOptions::default() })?;
    service::init_telemetry(LogFormat::default(), "warn")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start threads")?;
    let done = runtime.block_on(async {
        let tiers = tiers(&config).await?;
        let metadata = MetadataStore::open(&config, &Clock::system(), &Registry::new()).await?;
        let others = others(&config, &metadata).await;
        let done = work(Stores { metadata: metadata.logs(), tiers, others }).await;
        metadata.shutdown().await;
        done
    });
    runtime.shutdown_background();
    done
}

async fn tiers(config: &Config) -> anyhow::Result<Vec<Tier>> {
    let mut tiers = Vec::new();
    if let Some(url) = &config.hot {
        let hot = HotStore::open(url, std::env::vars(), &Random::system()).context("the hot store")?;
        hot.probe().await.context("the hot store")?;
        tiers.push(Tier { name: "hot", store: Arc::new(hot), is_hot: true });
    }
    if config.data.join("segments").is_dir() {
        tiers.push(Tier { name: "local", store: Arc::new(LocalReader::new(&config.data)), is_hot: false });
    }
    if tiers.is_empty() {
        bail!("{} has no segments: give --data DIR, --hot URL, or both", config.data.display());
    }
    Ok(tiers)
}

/// The disks of the recorders that are registered, if there may be any but this one.
async fn others(config: &Config, metadata: &MetadataStore) -> Option<Others> {
    config.metadata.as_ref()?;
    let asked = async {
        let nodes = metadata.nodes();
        let key = secrets::agreed_token_key(&*nodes).await.map_err(anyhow::Error::from_boxed)?;
        key.context("the fleet has not agreed on a key, by which its recorders know who asks")?;
        let registered = nodes.nodes().await?.into_iter().map(|registered| registered.node);
        let recorders = registered.filter(|node| node.role == Role::Recorder).map(|node| node.name.to_string());
        // This one's disk is looked at without asking.
        let here = secrets::known_node_name(&config.data);
        let names = recorders.chain(config.node.name.as_ref().map(ToString::to_string)).chain(here).collect();
        anyhow::Ok(Others::Asked { store: up::disks(nodes, None, None, &Clock::system()), names })
    };
    Some(asked.await.unwrap_or_else(|error| Others::Unasked(format!("{error:#}"))))
}

fn as_json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("it has a JSON form")
}

fn say(line: &str) {
    // Nobody may be listening.
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// On a terminal, one line that changes; none otherwise.
fn progress(line: &str) {
    let mut err = std::io::stderr();
    if err.is_terminal() {
        let _ = write!(err, "\r\x1b[K{line}\r");
        let _ = err.flush();
    }
}
