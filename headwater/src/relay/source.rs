//! What `headwater publish` records.

use std::sync::Arc;

use publisher::Directory;
use service::Clock;
use tokio::sync::watch;

use super::ffmpeg::Ffmpeg;
use super::intake::SpoolIntake;
use super::spool::Spool;
use crate::cli::PublishOptions;

/// Whatever it is, what it records goes to the spool.
pub(super) enum Source {
    /// We record it.
    Ffmpeg(Ffmpeg),
    /// Somebody else records it, and we take what is written.
    Directory(Directory),
}

impl Source {
    /// An input that is a directory, or an HLS playlist on this machine, is taken as it is, unless ffmpeg is told
    /// something of it.
    pub(super) async fn start(
        options: &PublishOptions,
        spool: &Spool,
        clock: &Clock,
        status: watch::Sender<Option<publisher::Source>>,
    ) -> anyhow::Result<Self> {
        let is_for_ffmpeg = options.copy || !options.ffmpeg_input.is_empty();
        let place = Directory::place(&options.input).filter(|_| !is_for_ffmpeg);
        let Some(place) = place else {
            let local = spool.serve(([127, 0, 0, 1], 0).into()).await?;
            return Ok(Self::Ffmpeg(Ffmpeg::start(options, &local)?));
        };
        let intake = Arc::new(SpoolIntake::of(spool));
        let directory = Directory::open(place, &spool.dir.join("directory.json"), intake, clock.clone(), status)?;
        Ok(Self::Directory(directory))
    }

    /// Until the source has ended by itself.
    pub(super) async fn wait(&mut self) -> anyhow::Result<()> {
        match self {
            Self::Ffmpeg(ffmpeg) => ffmpeg.wait().await,
            Self::Directory(directory) => Ok(directory.run().await?),
        }
    }

    /// Takes what is recorded until now, and no more.
    pub(super) async fn stop(&mut self) -> anyhow::Result<()> {
        match self {
            Self::Ffmpeg(ffmpeg) => ffmpeg.stop().await,
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
            Self::Ffmpeg(_) => "Recording. Type pause, resume or end; Ctrl-C ends the recording and sends the rest",
            Self::Directory(_) => {
                "Taking what is written there. Type pause, resume or end; EXT-X-ENDLIST in the playlist ends the \
                 broadcast, too. Ctrl-C stops, and the same command goes on"
            }
        }
    }
}
