//! `headwater check` and `headwater rebuild`: the stores and the metadata that the settings name, and what is said.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use metadata::Metadata;
use prometheus::Registry;
use service::{Clock, LogFormat, Random};
use storage::{HotStore, LocalReader};
use storage_sync::{Checked, Finding, Tier};

use crate::cli::{CheckOptions, RebuildOptions, ServeOptions, StoresOptions};
use crate::config::Config;
use crate::up::MetadataStore;

/// What a check that could not be finished ends with.
const COULD_NOT_LOOK: u8 = 2;

pub(crate) fn check(options: &CheckOptions) -> anyhow::Result<ExitCode> {
    match run(&options.stores, async |metadata, tiers| look(options, metadata, tiers).await) {
        Ok(checked) if checked.wrong == 0 => Ok(ExitCode::SUCCESS),
        Ok(_) => Ok(ExitCode::FAILURE),
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "headwater: {error:#}");
            Ok(ExitCode::from(COULD_NOT_LOOK))
        }
    }
}

async fn look(options: &CheckOptions, metadata: &dyn Metadata, tiers: &[Tier]) -> anyhow::Result<Checked> {
    let only = options.broadcasts.iter().map(|id| id.parse().with_context(|| format!("{id:?}")));
    let only = only.collect::<anyhow::Result<Vec<_>>>()?;
    let (json, wanted) = (options.stores.json, storage_sync::CheckOptions { digests: options.digests, only });
    let tell = |finding: Finding| {
        let Finding { kind, broadcast, key, detail } = &finding;
        say(&if json { as_json(&finding) } else { format!("{}\t{broadcast}\t{key}\t{detail}", kind.word()) });
    };
    let progress = |checked: &Checked, all: usize| {
        let Checked { broadcasts, segments, wrong, .. } = checked;
        progress(&format!("{broadcasts} of {all} broadcasts, {segments} segments, {wrong} wrong"));
    };
    let checked = storage_sync::check(metadata, tiers, &wanted, tell, progress).await?;
    let Checked { broadcasts, segments, bytes, wrong, not_safe } = checked;
    let summary = format!(
        "checked {broadcasts} broadcasts, {segments} segments, {bytes} bytes: {wrong} wrong, {not_safe} not safe yet"
    );
    let _ = writeln!(std::io::stderr(), "{summary}");
    Ok(checked)
}

pub(crate) fn rebuild(options: &RebuildOptions) -> anyhow::Result<()> {
    run(&options.stores, async |metadata, tiers| {
        let how = storage_sync::RebuildOptions { fill_in: options.fill_in };
        let rebuilt = storage_sync::rebuild(metadata, tiers, how, |id, rebuilt, all| {
            let (broadcasts, segments) = (rebuilt.broadcasts, rebuilt.segments);
            progress(&format!("{broadcasts} of {all} broadcasts, {segments} segments; {id}"));
        });
        let rebuilt = rebuilt.await?;
        if options.stores.json {
            say(&as_json(&rebuilt));
        } else {
            say(&format!(
                "broadcasts\t{}\nsegments\t{}\nentries added\t{}\nunreadable\t{}\nwithout document\t{}",
                rebuilt.broadcasts, rebuilt.segments, rebuilt.entries, rebuilt.unreadable, rebuilt.without_document
            ));
        }
        Ok(())
    })
}

/// Opens what the settings name, and closes it after the work.
fn run<T>(
    options: &StoresOptions,
    work: impl AsyncFnOnce(&dyn Metadata, &[Tier]) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let StoresOptions { config, data, metadata, hot, .. } = options;
    let (config, data) = (config.clone(), data.clone());
    let (metadata, hot) = (metadata.clone(), hot.clone());
    let config = Config::load(&ServeOptions { config, data, metadata, hot, ..ServeOptions::default() })?;
    service::init_telemetry(LogFormat::default(), "warn")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start threads")?;
    let done = runtime.block_on(async {
        let tiers = tiers(&config).await?;
        let metadata = MetadataStore::open(&config, &Clock::system(), &Registry::new()).await?;
        let logs = metadata.logs();
        let done = work(logs.as_ref(), &tiers).await;
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
