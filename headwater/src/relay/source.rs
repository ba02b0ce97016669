//! What `headwater publish` records.

use std::sync::Arc;

use publisher::Directory;
use service::Clock;
use tokio::sync::watch;

use super::intake::SpoolIntake;
use super::recording::{Pauses, Recording};
use super::spool::Spool;
use crate::cli::PublishOptions;

/// Whatever it is, what it records goes to the spool.
pub(super) enum Source {
    /// We record it.
    Ours(Recording),
    /// Somebody else records it, and we take what is written.
    Directory(Directory),
}

impl Source {
    /// An input that is a directory, or an HLS playlist on this machine, is taken as it is, unless ffmpeg is told
    /// something of it. What we record ourselves can be paused.
    pub(super) async fn start(
        options: &PublishOptions,
        spool: &Spool,
        clock: &Clock,
        status: watch::Sender<Option<publisher::Source>>,
    ) -> anyhow::Result<(Self, Option<Pauses>)> {
        let is_for_ffmpeg = options.copy || !options.ffmpeg_input.is_empty();
        let place = Directory::place(&options.input).filter(|_| !is_for_ffmpeg);
        let Some(place) = place else {
            let local = spool.serve(([127, 0, 0, 1], 0).into()).await?;
            let (recording, pauses) = Recording::start(options, spool, &local).await?;
            return Ok((Self::Ours(recording), Some(pauses)));
        };
        let intake = Arc::new(SpoolIntake::of(spool));
        let directory = Directory::open(place, &spool.dir.join("directory.json"), intake, clock.clone(), status)?;
        Ok((Self::Directory(directory), None))
    }

    /// Until the source has ended by itself.
    pub(super) async fn wait(&mut self) -> anyhow::Result<()> {
        match self {
            Self::Ours(recording) => recording.wait().await,
            Self::Directory(directory) => Ok(directory.run().await?),
        }
    }

    /// Takes what is recorded until now, and no more.
    pub(super) async fn stop(&mut self) -> anyhow::Result<()> {
        match self {
            Self::Ours(recording) => recording.stop().await,
            Self::Directory(directory) => Ok(directory.take_rest().await?),
        }
    }

    /// Whether it goes on when we stop, so that stopping is no end.
    pub(super) fn goes_on(&self) -> bool {
        matches!(self, Self::Directory(_))
    }

    /// What to tell people once it has begun.
    pub(super) fn hint(&self) -> &'static str {
        match self {
            Self::Ours(_) => "Recording. Type pause, resume or end; Ctrl-C ends the recording and sends the rest",
            Self::Directory(_) => {
                "Taking what is written there. Type pause, resume or end; EXT-X-ENDLIST in the playlist ends the \
                 broadcast, too. Ctrl-C stops, and the same command goes on"
            }
        }
    }
}
