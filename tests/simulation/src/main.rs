//! Runs seeds, several at a time, and says which of them fail.

use std::io::{IsTerminal, Write};
use std::ops::RangeInclusive;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use clap::Parser;
use headwater_simulation::{Options, Outcome, Safeguard, run};

/// Simulate phones, networks, disks, clocks and recorders over the real code, and check that nothing is lost.
#[derive(Debug, Parser)]
#[command(after_help = "\
A seed determines all that happens. One that fails is printed; run it again with its story:
  headwater-simulation --seeds 4711 --tell")]
struct Cli {
    /// Which seeds: one, or the first and the last.
    #[arg(long, default_value = "1-200", value_parser = seeds)]
    seeds: RangeInclusive<u64>,
    /// The longest recording, in minutes.
    #[arg(long, default_value_t = Options::default().minutes_max)]
    minutes: u64,
    /// The most publishers in one world.
    #[arg(long, default_value_t = Options::default().phones_max)]
    phones: u64,
    /// The fewest stock pushers in one world; without it, some worlds have some.
    #[arg(long, default_value_t = Options::default().pushers_min)]
    pushers: u64,
    /// Take a safeguard away: fsync, idempotency, safe-rule, put-back or grace. Seeds should fail then.
    #[arg(long, value_parser = safeguard)]
    without: Option<Safeguard>,
    /// How many worlds at a time [default: one for each core].
    #[arg(long)]
    jobs: Option<usize>,
    /// Print what happens, line by line.
    #[arg(long)]
    tell: bool,
    /// Print what the code logs: a level, or a list such as warn,headwater_publisher=debug.
    #[arg(long)]
    log: Option<String>,
}

fn seeds(text: &str) -> Result<RangeInclusive<u64>, String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let number = |text: &str| text.parse::<u64>().map_err(|error| format!("{text:?}: {error}"));
    let (first, last) = (number(first)?, number(last)?);
    if first > last { Err(format!("{first} comes after {last}")) } else { Ok(first..=last) }
}

fn safeguard(text: &str) -> Result<Safeguard, String> {
    match text {
        "fsync" => Ok(Safeguard::Fsync),
        "idempotency" => Ok(Safeguard::Idempotency),
        "safe-rule" => Ok(Safeguard::SafeRule),
        "put-back" => Ok(Safeguard::PutBack),
        "grace" => Ok(Safeguard::Grace),
        _ => Err("it is none of fsync, idempotency, safe-rule, put-back, grace".to_owned()),
    }
}

#[derive(Debug, Default)]
struct Sum {
    worlds: u64,
    recorded_ms: u64,
    segments: u64,
    failed: Vec<u64>,
}

#[expect(clippy::disallowed_methods, reason = "how long it really takes")]
fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Some(log) = &cli.log {
        tracing_subscriber::fmt().with_env_filter(log).without_time().with_writer(std::io::stderr).init();
    }
    let options = Options {
        minutes_max: cli.minutes,
        phones_max: cli.phones,
        pushers_min: cli.pushers,
        without: cli.without,
        tell: cli.tell,
        ..Options::default()
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let (next, sum, began) = (AtomicU64::new(*cli.seeds.start()), Mutex::new(Sum::default()), Instant::now());
    std::thread::scope(|scope| {
        for _ in 0..cli.jobs.unwrap_or(cores) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed > *cli.seeds.end() {
                        return;
                    }
                    report(&run(seed, &options), &mut sum.lock().expect("nobody panics while reporting"));
                }
            });
        }
    });
    let Sum { worlds, recorded_ms, segments, failed } = sum.into_inner().expect("nobody panics while reporting");
    let (hours, took) = (recorded_ms as f64 / 3.6e6, began.elapsed().as_secs_f64());
    say(&format!("{worlds} worlds, {hours:.1} broadcast hours, {segments} segments in {took:.0} s"));
    if failed.is_empty() {
        say("nothing was lost");
        return ExitCode::SUCCESS;
    }
    let list: Vec<String> = failed.iter().map(ToString::to_string).collect();
    say(&format!("{} seeds failed: {}", failed.len(), list.join(" ")));
    ExitCode::FAILURE
}

fn report(outcome: &Outcome, sum: &mut Sum) {
    sum.worlds += 1;
    sum.recorded_ms += outcome.recorded_ms;
    sum.segments += outcome.segments;
    outcome.told.iter().for_each(|line| say(line));
    if !outcome.violations.is_empty() {
        sum.failed.push(outcome.seed);
        say(&format!("seed {} failed:", outcome.seed));
        outcome.violations.iter().for_each(|violation| say(&format!("  {violation}")));
    } else if std::io::stderr().is_terminal() {
        let _ = write!(std::io::stderr(), "\r{} worlds", sum.worlds);
    }
}

fn say(line: &str) {
    // Nobody may be listening.
    let _ = writeln!(std::io::stdout(), "{line}");
}
