//! The binary: command line, configuration, wiring, shutdown order. What the roles do is in their own crates.

mod cli;
mod config;
mod control;
mod docs;
mod pages;
mod relay;
mod secrets;
mod sync;
mod tls;
mod up;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command, WebhooksOptions};
use crate::config::Config;

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            // The chain on one line, outermost first.
            let _ = writeln!(std::io::stderr(), "headwater: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let done = match cli.command {
        Command::Up(options) => up::run(Config::load(&options)?, up::Roles::ALL),
        Command::Recorder(options) => up::run(Config::load(&options)?, up::Roles::RECORDER),
        Command::Balancer(options) => up::run(Config::load(&options)?, up::Roles::BALANCER),
        Command::Playlist(options) => up::run(Config::load(&options)?, up::Roles::PLAYLIST),
        Command::Webhooks(WebhooksOptions { command: Some(command), .. }) => control::webhooks(command),
        Command::Webhooks(WebhooksOptions { command: None, serve }) => {
            let config = Config::load(&serve)?;
            anyhow::ensure!(
                !config.webhooks.endpoints.is_empty(),
                "nobody is to be told: --config has no [[webhooks.endpoints]]"
            );
            up::run(config, up::Roles::WEBHOOKS)
        }
        Command::Publish(options) => relay::publish(&options),
        Command::Relay(options) => relay::relay(&options),
        Command::Spool(options) => relay::contents(&options),
        Command::Broadcast(command) => control::run(command),
        Command::Check(options) => return Ok(sync::check(&options)),
        Command::Rebuild(options) => return Ok(sync::rebuild(&options)),
        Command::Nodes { server } => control::nodes(&server),
    };
    done.map(|()| ExitCode::SUCCESS)
}
