//! The recorders that a balancer named last, kept in the spool: whom to ask after a restart, if the address that we were
//! given is dead. A saving, never a promise: what cannot be kept or read is asked for again.

use std::path::{Path, PathBuf};

use publisher::{RecorderUrl, Status};
use service::Tasks;
use tokio::sync::watch;

/// The most recorders that are remembered.
const LEN_MAX: usize = 32;

/// What is remembered in `dir`.
pub(super) fn recorders(dir: &Path) -> Vec<RecorderUrl> {
    let text = std::fs::read_to_string(path(dir)).unwrap_or_default();
    let is_web = |line: &&str| line.starts_with("http://") || line.starts_with("https://");
    text.lines().filter(is_web).take(LEN_MAX).map(|line| RecorderUrl(line.to_owned())).collect()
}

/// Remembers each route from now on.
pub(super) fn keep(dir: &Path, mut status: watch::Receiver<Status>, tasks: &Tasks) {
    let (dir, stop) = (dir.to_owned(), tasks.stop_token());
    tasks.spawn("remember the route", async move {
        let mut kept = Vec::new();
        let keeps = async {
            loop {
                let news = status.wait_for(|status| !status.route.is_empty() && status.route != kept).await;
                let Ok(route) = news.map(|status| status.route.clone()) else { break };
                kept = route;
                let (dir, text) = (dir.clone(), kept.join("\n") + "\n");
                if let Err(error) = Tasks::blocking(move || write(&dir, &text)).await {
                    tracing::warn!(%error, "cannot remember the recorders in the spool");
                }
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = keeps => {}
            () = stop.cancelled() => {}
        }
    });
}

fn write(dir: &Path, text: &str) -> std::io::Result<()> {
    let unfinished = path(dir).with_extension("new");
    std::fs::write(&unfinished, text)?;
    std::fs::rename(unfinished, path(dir))
}

fn path(dir: &Path) -> PathBuf {
    dir.join("recorders")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let dir = tempfile::tempdir().expect("a folder");
        assert_eq!(recorders(dir.path()), []);
        write(dir.path(), "https://a\nhttp://b:80\nnonsense\n").expect("written");
        assert_eq!(recorders(dir.path()), ["https://a", "http://b:80"].map(|url| RecorderUrl(url.to_owned())));
    }
}
