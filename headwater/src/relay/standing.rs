//! What a relay knew last of what is in its spool, kept there for `headwater spool`. A saving, never a promise: what is
//! far away is asked there.

use std::path::Path;
use std::time::Duration;

use publisher::Status;
use serde::{Deserialize, Serialize};
use service::{Clock, Tasks};
use tokio::sync::watch;

/// How often it is written.
const EVERY: Duration = Duration::from_secs(1);

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Standing {
    /// Where it goes, without the token.
    pub(super) to: String,
    /// When this was so, in milliseconds since the Unix epoch.
    pub(super) as_of_ms: i64,
    pub(super) status: Status,
}

impl Standing {
    /// What is kept in `dir`, if anything.
    pub(super) fn of(dir: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(dir.join(FILE)).ok()?).ok()
    }

    pub(super) fn write(&self, dir: &Path) -> std::io::Result<()> {
        let unfinished = dir.join(FILE).with_extension("new");
        std::fs::write(&unfinished, serde_json::to_vec(self)?)?;
        std::fs::rename(unfinished, dir.join(FILE))
    }
}

const FILE: &str = "standing.json";

/// Keeps each change from now on.
pub(super) fn keep(dir: &Path, to: &str, mut status: watch::Receiver<Status>, clock: Clock, tasks: &Tasks) {
    let (dir, to, stop) = (dir.to_owned(), to.to_owned(), tasks.stop_token());
    tasks.spawn("keep the standing", async move {
        let keeps = async {
            while status.changed().await.is_ok() {
                let now = status.borrow_and_update().clone();
                let (dir, standing) = (dir.clone(), Standing { to: to.clone(), as_of_ms: clock.now_ms(), status: now });
                if let Err(error) = Tasks::blocking(move || standing.write(&dir)).await {
                    tracing::warn!(%error, "cannot keep in the spool how things stand");
                }
                clock.sleep(EVERY).await;
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = keeps => {}
            () = stop.cancelled() => {}
        }
    });
}
