//! What `headwater publish` records with an ffmpeg of our own, which pushes to the spool.

use std::process::Stdio;

use anyhow::{Context, anyhow};
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};

use super::spool::LocalUrls;
use crate::cli::PublishOptions;

/// How much of what ffmpeg complains about is shown, in bytes.
const COMPLAINT_LEN_MAX: usize = 2_000;

/// A running ffmpeg.
pub(super) struct Ffmpeg {
    child: Child,
    complaints: Option<tokio::process::ChildStderr>,
}

impl Ffmpeg {
    pub(super) fn start(options: &PublishOptions, local: &LocalUrls) -> anyhow::Result<Self> {
        let mut command = Command::new("ffmpeg");
        command.args(arguments(options, &local.push_url));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        // Ctrl-C is for us: ffmpeg is asked to stop when its time has come.
        command.process_group(0);
        let child = command.spawn();
        let mut child =
            child.context("cannot start ffmpeg: install it (apt-get install ffmpeg), or push to `headwater relay`")?;
        let complaints = child.stderr.take();
        Ok(Self { child, complaints })
    }

    /// Until the source has ended by itself.
    pub(super) async fn wait(&mut self) -> anyhow::Result<()> {
        let mut said = Vec::new();
        if let Some(mut complaints) = self.complaints.take() {
            let mut piece = [0; 1024];
            while let Ok(len @ 1..) = complaints.read(&mut piece).await {
                said.extend_from_slice(&piece[..len]);
                let beyond = said.len().saturating_sub(COMPLAINT_LEN_MAX);
                said.drain(..beyond);
            }
        }
        let status = self.child.wait().await?;
        if status.success() {
            return Ok(());
        }
        Err(anyhow!("ffmpeg stopped ({status}): {}", String::from_utf8_lossy(&said).trim()))
    }

    /// Asks it to finish the segment it is at, and waits until it has.
    pub(super) async fn stop(&mut self) -> anyhow::Result<()> {
        let pid = self.child.id().and_then(|pid| rustix::process::Pid::from_raw(pid.cast_signed()));
        let Some(pid) = pid else { return Ok(()) };
        rustix::process::kill_process(pid, rustix::process::Signal::INT).context("cannot stop ffmpeg")?;
        // It reports the signal as a failure.
        self.wait().await.ok();
        Ok(())
    }
}

/// What ffmpeg is told: H.264 and AAC with a keyframe wherever a segment begins, unless the source is sent as it is.
fn arguments(options: &PublishOptions, push_url: &str) -> Vec<String> {
    let words = |text: &str| text.split_ascii_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let mut arguments = words("-hide_banner -loglevel error -nostdin");
    let is_file = std::path::Path::new(&options.input).is_file() && !options.input.starts_with("/dev/");
    if is_file {
        arguments.push("-re".to_owned());
    }
    arguments.extend(options.ffmpeg_input.iter().flat_map(|more| words(more)));
    arguments.extend(["-i".to_owned(), options.input.clone()]);
    let secs = options.segment_duration;
    if options.copy {
        arguments.extend(words("-c copy"));
    } else {
        arguments.extend(words("-c:v libx264 -preset veryfast -pix_fmt yuv420p -sc_threshold 0 -c:a aac"));
        arguments.extend(["-force_key_frames".to_owned(), format!("expr:gte(t,n_forced*{secs})")]);
    }
    arguments.extend(words(&format!("-f hls -hls_time {secs} -hls_list_size 5 -method PUT -http_persistent 1")));
    arguments.push(format!("{push_url}out.m3u8"));
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_not_slowed_down_and_a_copy_is_not_encoded() {
        let options = PublishOptions {
            input: "/dev/video0".to_owned(),
            ffmpeg_input: vec!["-f v4l2".to_owned()],
            copy: true,
            segment_duration: 4,
            ..PublishOptions::default()
        };
        let arguments = arguments(&options, "http://h/").join(" ");
        assert_eq!(
            arguments,
            "-hide_banner -loglevel error -nostdin -f v4l2 -i /dev/video0 -c copy -f hls -hls_time 4 -hls_list_size 5 \
             -method PUT -http_persistent 1 http://h/out.m3u8"
        );
    }
}
