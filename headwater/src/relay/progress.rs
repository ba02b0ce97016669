//! What a person or a program sees of a relay at work: one line that changes on a terminal, one line now and then
//! elsewhere, or a JSON document for each change.

use std::collections::BTreeSet;
use std::io::{IsTerminal, Write};
use std::time::Duration;

use publisher::{Source, Status};
use serde::Serialize;
use service::{Clock, Tasks};
use tokio::sync::watch;

use super::contents::ranges;

/// How often a terminal's line, or a program's document, may change.
const TERMINAL_EVERY: Duration = Duration::from_millis(500);
/// How often a log gets a line.
const LOG_EVERY: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Terminal,
    Lines,
    Json,
}

pub(super) struct Progress(Form);

/// All that there is to show.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Shown {
    #[serde(flatten)]
    pub(super) status: Status,
    /// How much of what encoders have sent could not be kept, and has not come again: segments and init sections.
    pub(super) not_kept: usize,
    /// What somebody else records, if that is what is published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) source: Option<Source>,
}

impl Progress {
    /// Shows every change from now on.
    pub(super) fn new(
        json: bool,
        mut status: watch::Receiver<Status>,
        mut source: watch::Receiver<Option<Source>>,
        mut not_kept: watch::Receiver<BTreeSet<String>>,
        tasks: &Tasks,
    ) -> Self {
        let terminal = std::io::stdout().is_terminal();
        let form = if json {
            Form::Json
        } else if terminal {
            Form::Terminal
        } else {
            Form::Lines
        };
        let (stop, clock) = (tasks.stop_token(), Clock::system());
        tasks.spawn("show progress", async move {
            let every = if form == Form::Lines { LOG_EVERY } else { TERMINAL_EVERY };
            let shows = async {
                let mut source_is_there = true;
                loop {
                    tokio::select! {
                        Ok(()) = status.changed() => {}
                        Ok(()) = not_kept.changed() => {}
                        changed = source.changed(), if source_is_there => source_is_there = changed.is_ok(),
                        else => break,
                    }
                    let (status, source) = (status.borrow_and_update().clone(), source.borrow_and_update().clone());
                    let not_kept = not_kept.borrow_and_update().len();
                    show(form, &Shown { status, not_kept, source });
                    clock.sleep(every).await;
                }
                std::future::pending::<()>().await;
            };
            tokio::select! {
                () = shows => {}
                () = stop.cancelled() => {}
            }
        });
        Self(form)
    }

    /// Something that was not asked for: to people only.
    pub(super) fn say(&self, text: &str) {
        if self.0 != Form::Json {
            print(text, self.0);
        }
    }

    pub(super) fn finish(&self, status: &Shown) {
        show(self.0, status);
        if self.0 == Form::Terminal {
            let _ = writeln!(std::io::stdout());
        }
    }
}

fn show(form: Form, status: &Shown) {
    match form {
        Form::Json => print(&serde_json::to_string(status).expect("a status has a JSON form"), form),
        Form::Lines => print(&line(status), form),
        Form::Terminal => {
            let mut out = std::io::stdout();
            // Back to the beginning of the line, and clear it (ECMA-48, EL).
            let _ = write!(out, "\r\x1b[K{}", line(status));
            let _ = out.flush();
        }
    }
}

fn print(text: &str, form: Form) {
    let mut out = std::io::stdout();
    let clear = if form == Form::Terminal { "\r\x1b[K" } else { "" };
    // Nobody may be listening.
    let _ = writeln!(out, "{clear}{text}");
    let _ = out.flush();
}

/// All of it in one line, what matters most first.
fn line(Shown { status, not_kept, source }: &Shown) -> String {
    let mut parts = vec![status.state.clone()];
    match (&status.trouble, &status.recorder) {
        (Some(trouble), _) => parts.push(format!("recording, will send later ({trouble})")),
        (None, Some(recorder)) => parts.push(format!("to {recorder}")),
        (None, None) => parts.push("connecting".to_owned()),
    }
    if status.spool_is_full {
        parts.push("THE SPOOL IS FULL: make room, or what is recorded is lost".to_owned());
    }
    if *not_kept > 0 {
        parts.push(format!("{not_kept} LOST: the spool could not keep them"));
    }
    parts.extend(held_back(status).map(|held| format!("HELD BACK: {held}")));
    if let Some(source) = source {
        if let Some(trouble) = &source.trouble {
            parts.push(format!("NOTHING TO TAKE: {trouble}"));
        }
        if source.lost_segments > 0 {
            parts.push(format!("{} LOST: deleted before they could be taken", source.lost_segments));
        }
        if source.unusable_segments > 0 {
            parts.push(format!("{} are of no use", source.unusable_segments));
        }
    }
    if let Some(latency_ms) = status.latency_ms.filter(|_| status.trouble.is_none()) {
        parts.push(format!("{:.1} s behind", latency_ms as f64 / 1000.0));
    }
    if status.owed_segments > 0 {
        let (segments, s) = (status.owed_segments, status.owed_s);
        parts.push(format!("waiting: {segments} segments, {s:.0} s, {:.1} MB", status.owed_bytes as f64 / 1e6));
    }
    if let Some(rate) = status.bits_per_s {
        parts.push(format!("{:.1} Mbit/s", rate as f64 / 1e6));
    }
    if status.refused_segments > 0 {
        parts.push(format!("{} refused for good", status.refused_segments));
    }
    parts.join(" · ")
}

/// Which segments the others go on without, and why.
pub(super) fn held_back(status: &Status) -> Option<String> {
    let why = status.held_back_because.as_deref()?;
    Some(format!("{} ({why})", ranges(&status.held_back)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_tells_what_matters() {
        let line = |status: &Status| super::line(&Shown { status: status.clone(), ..Shown::default() });
        let connecting = Status { state: "created".to_owned(), ..Status::default() };
        assert_eq!(line(&connecting), "created · connecting");
        let live = Status {
            state: "live".to_owned(),
            recorder: Some("http://host".to_owned()),
            latency_ms: Some(740),
            bits_per_s: Some(3_200_000),
            ..Status::default()
        };
        assert_eq!(line(&live), "live · to http://host · 0.7 s behind · 3.2 Mbit/s");
        let tunnel = Status {
            trouble: Some("http://host cannot be reached: timed out".to_owned()),
            owed_segments: 21,
            owed_s: 42.0,
            owed_bytes: 10_500_000,
            refused_segments: 1,
            held_back: [("main".to_owned(), vec![[3, 3], [7, 9]])].into(),
            held_back_because: Some("an I/O error".to_owned()),
            ..live
        };
        assert_eq!(
            line(&tunnel),
            "live · recording, will send later (http://host cannot be reached: timed out) · HELD BACK: main 3,7-9 \
             (an I/O error) · waiting: 21 segments, 42 s, 10.5 MB · 3.2 Mbit/s · 1 refused for good"
        );
    }
}
