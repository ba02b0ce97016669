//! Where log lines go and how they look: for a person at a terminal, or for a machine that collects them.
//!
//! What is logged, and when, is up to everybody else; they use `tracing`.

use std::fmt;
use std::io::IsTerminal;
use std::str::FromStr;

use serde::Deserialize;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::clock::Clock;

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// [`Human`](Self::Human) on a terminal, [`Json`](Self::Json) otherwise.
    #[default]
    Auto,
    /// Short coloured lines with the time of day in UTC.
    Human,
    /// One JSON object per line.
    Json,
}

impl FromStr for LogFormat {
    type Err = TelemetryError;

    fn from_str(text: &str) -> Result<Self, TelemetryError> {
        match text {
            "auto" => Ok(Self::Auto),
            "human" => Ok(Self::Human),
            "json" => Ok(Self::Json),
            _ => Err(TelemetryError::Format(text.chars().take(40).collect())),
        }
    }
}

/// Why logging cannot start.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("{0:?} is not a log format (auto, human or json)")]
    Format(String),
    #[error("{filter:?} is not a log filter such as info,headwater=debug: {source}")]
    Filter { filter: String, source: tracing_subscriber::filter::ParseError },
}

/// Sends what is logged to stderr. `filter` is a level or a list such as `info,headwater_recorder=debug`.
/// Does nothing when logging was started before.
pub fn init_telemetry(format: LogFormat, filter: &str) -> Result<(), TelemetryError> {
    let filter =
        EnvFilter::try_new(filter).map_err(|source| TelemetryError::Filter { filter: filter.to_owned(), source })?;
    let terminal = std::io::stderr().is_terminal();
    let human = format == LogFormat::Human || (format == LogFormat::Auto && terminal);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let registry = tracing_subscriber::registry().with(filter);
    let started = if human {
        let lines = lines.compact().with_ansi(terminal).with_target(false);
        registry.with(lines.with_timer(TimeOfDay(Clock::system()))).try_init()
    } else {
        registry.with(lines.json().flatten_event(true)).try_init()
    };
    if started.is_err() {
        tracing::debug!("logging was started before");
    }
    Ok(())
}

/// `17:03:09.042`: the date is known to whoever watches a terminal.
struct TimeOfDay(Clock);

impl FormatTime for TimeOfDay {
    fn format_time(&self, w: &mut Writer<'_>) -> fmt::Result {
        write_time_of_day(w, self.0.now_ms())
    }
}

fn write_time_of_day(w: &mut impl fmt::Write, unix_ms: i64) -> fmt::Result {
    let ms = unix_ms.rem_euclid(24 * 60 * 60 * 1000);
    let (secs, ms) = (ms / 1000, ms % 1000);
    write!(w, "{:02}:{:02}:{:02}.{ms:03}", secs / 3600, secs / 60 % 60, secs % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starting_twice_is_harmless_and_a_bad_filter_is_told() {
        init_telemetry(LogFormat::Human, "warn").unwrap();
        init_telemetry(LogFormat::Json, "warn").unwrap();
        assert!(init_telemetry(LogFormat::Auto, "a=b=c").is_err());
        assert!("xml".parse::<LogFormat>().is_err());
        assert_eq!("json".parse::<LogFormat>().unwrap(), LogFormat::Json);
    }

    #[test]
    fn the_time_of_day_is_short() {
        for (unix_ms, expected) in [(0, "00:00:00.000"), (1_790_000_000_123, "14:13:20.123"), (-1, "23:59:59.999")] {
            let mut text = String::new();
            write_time_of_day(&mut text, unix_ms).unwrap();
            assert_eq!(text, expected);
        }
    }
}
