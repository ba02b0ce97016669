//! What `headwater publish` records with an ffmpeg of our own, which stands still while the broadcast is paused.

use std::sync::Arc;

use broadcast::{Broadcast, RenditionName};
use metadata::Followed;
use tokio::sync::watch;

use super::ffmpeg::{Ffmpeg, Input};
use super::spool::{LocalUrls, Spool};
use crate::cli::PublishOptions;

/// How much earlier than its first picture a file is gone on with, in seconds: where a picture begins is rounded, and one that
/// begins just before this is not to be left out.
const EARLIER_S: f64 = 0.005;

/// Each stretch between two pauses is one run of ffmpeg.
pub(super) struct Recording {
    input: Input,
    run: Ffmpeg,
    recorded: Recorded,
    is_wanted: watch::Receiver<bool>,
    stands: watch::Sender<bool>,
}

/// Pauses a recording.
pub(super) struct Pauses {
    wants: watch::Sender<bool>,
    is_standing: watch::Receiver<bool>,
}

impl Recording {
    pub(super) async fn start(
        options: &PublishOptions,
        spool: &Spool,
        local: &LocalUrls,
    ) -> anyhow::Result<(Self, Pauses)> {
        let (input, recorded) = (Input::of(options, &local.push_url), Recorded::from_now_on(spool).await?);
        let run = Ffmpeg::start(&input, 0.0)?;
        let (wants, is_wanted) = watch::channel(false);
        let (stands, is_standing) = watch::channel(false);
        Ok((Self { input, run, recorded, is_wanted, stands }, Pauses { wants, is_standing }))
    }

    /// Until the source has ended by itself.
    pub(super) async fn wait(&mut self) -> anyhow::Result<()> {
        loop {
            tokio::select! {
                ended = self.run.wait() => return ended,
                () = until(&mut self.is_wanted, true) => {}
            }
            self.run.stop().await?;
            self.stands.send_replace(true);
            until(&mut self.is_wanted, false).await;
            self.run = Ffmpeg::start(&self.input, (self.recorded.secs() - EARLIER_S).max(0.0))?;
            self.stands.send_replace(false);
        }
    }

    /// Takes what is recorded until now, and no more.
    pub(super) async fn stop(&mut self) -> anyhow::Result<()> {
        self.run.stop().await
    }
}

impl Pauses {
    /// Once this answers, nothing more is recorded; or it is again.
    pub(super) async fn set(&mut self, is_paused: bool) {
        self.wants.send_replace(is_paused);
        until(&mut self.is_standing, is_paused).await;
    }
}

/// Until it is so; never, if nobody can say so any more.
async fn until(told: &mut watch::Receiver<bool>, expected: bool) {
    if told.wait_for(|is| *is == expected).await.is_err() {
        std::future::pending().await
    }
}

/// How much of the source is in the spool.
struct Recorded {
    followed: Arc<Followed>,
    /// Of earlier commands.
    before_s: f64,
}

impl Recorded {
    async fn from_now_on(spool: &Spool) -> anyhow::Result<Self> {
        let followed = spool.broadcasts.get(spool.id).await?;
        let before_s = secs(&followed.read());
        Ok(Self { followed, before_s })
    }

    fn secs(&self) -> f64 {
        secs(&self.followed.read()) - self.before_s
    }
}

/// Our ffmpeg pushes one rendition.
fn secs(broadcast: &Broadcast) -> f64 {
    let main = broadcast.rendition(&RenditionName::main());
    main.into_iter().flat_map(|main| main.segments()).map(|segment| segment.duration.as_secs_f64()).sum()
}
