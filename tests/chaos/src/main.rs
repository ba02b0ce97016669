//! Runs the stories, or the measurement, and says what came of them.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use headwater_chaos::{Form, Outcome, SCENARIOS, Scenario, catch_up, run};
use testkit::Namespace;

/// Break a real fleet in every way, and check that nothing of a recording is lost. Needs root.
#[derive(Debug, Parser)]
#[command(after_help = help())]
struct Cli {
    /// Which scenario; may be given again [default: all of them].
    #[arg(long, value_name = "NAME", value_parser = scenario)]
    scenario: Vec<Scenario>,
    /// What chance follows: lost packets, and which fault comes when.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Seconds of each fault instead of minutes.
    #[arg(long)]
    short: bool,
    /// Measure how soon a broadcast is whole after an outage instead, as a tab-separated table.
    #[arg(long)]
    catch_up: bool,
    /// How long that outage is, in seconds.
    #[arg(long, default_value_t = 60)]
    outage: u64,
}

fn help() -> String {
    let lines = SCENARIOS.iter().map(|scenario| format!("\n  {:<10} {}", scenario.name, scenario.about));
    format!("Scenarios:{}", lines.collect::<String>())
}

fn scenario(name: &str) -> Result<Scenario, String> {
    let found = SCENARIOS.into_iter().find(|scenario| scenario.name == name);
    found.ok_or_else(|| format!("it is none of {}", SCENARIOS.map(|scenario| scenario.name).join(", ")))
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "for whoever has started it")]
fn main() -> ExitCode {
    let cli = Cli::parse();
    if !Namespace::is_allowed() {
        eprintln!("network namespaces, mounts and bad links need root: please run this as root, such as with sudo");
        return ExitCode::FAILURE;
    }
    if cli.catch_up {
        return measure(Duration::from_secs(cli.outage));
    }
    let form = if cli.short { Form::Short } else { Form::Long };
    let chosen = if cli.scenario.is_empty() { SCENARIOS.to_vec() } else { cli.scenario };
    let mut rows = Vec::new();
    for scenario in &chosen {
        eprintln!("==> {}: {} (seed {})", scenario.name, scenario.about, cli.seed);
        // The story of a failure is on standard error already.
        let outcome = std::panic::catch_unwind(|| run(scenario, form, cli.seed));
        rows.push((scenario.name, outcome.ok()));
    }
    println!("scenario\tsegments\tframes\tlooks\tlive after s\tcomplete after s\tseconds\tverdict");
    for (name, outcome) in &rows {
        println!("{name}\t{}", outcome.as_ref().map_or("\t\t\t\t\t\tFAILED".to_owned(), row));
    }
    if rows.iter().all(|(_, outcome)| outcome.is_some()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The longest times, of all rounds.
fn row(outcome: &Outcome) -> String {
    let longest = |of: fn(&headwater_chaos::Back) -> Duration| {
        outcome.backs.iter().map(of).max().unwrap_or_default().as_secs_f64()
    };
    let (summary, live, complete) = (&outcome.summary, longest(|back| back.live), longest(|back| back.complete));
    let verdict = match summary.frames_missing {
        0 => "every frame is there".to_owned(),
        missing => format!("all that was recorded is there; {missing} frames fell while nobody recorded"),
    };
    let took = summary.took.as_secs();
    format!("{}\t{}\t{}\t{live:.1}\t{complete:.1}\t{took}\t{verdict}", summary.segments, summary.frames, summary.polls)
}

/// Longer than any link takes that can catch up at all.
const LIMIT: Duration = Duration::from_secs(240);

#[expect(clippy::print_stdout, reason = "it is the result")]
fn measure(outage: Duration) -> ExitCode {
    let seconds = |time: Option<Duration>| {
        time.map_or_else(|| format!("not within {}", LIMIT.as_secs()), |time| format!("{:.1}", time.as_secs_f64()))
    };
    let rows = catch_up(outage, LIMIT);
    println!("link / stream\tkbit/s\tlive after s\tcomplete after s\tlink used %");
    for row in rows {
        let kbit = row.link_bits_per_s / 1000;
        let (live, complete) = (seconds(row.live), seconds(row.complete));
        println!("{}\t{kbit}\t{live}\t{complete}\t{:.0}", row.speed, row.used_percent);
    }
    ExitCode::SUCCESS
}
