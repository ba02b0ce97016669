//! What `headwater publish` records with an ffmpeg of our own, which pushes to the spool.

use std::process::Stdio;

use anyhow::{Context, anyhow};
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};

use crate::cli::PublishOptions;

/// How much of what ffmpeg complains about is shown, in bytes.
const COMPLAINT_LEN_MAX: usize = 2_000;

/// What is recorded, and how.
pub(super) struct Input {
    /// Before `-i`.
    of_input: Vec<String>,
    /// From `-i` on.
    rest: Vec<String>,
    /// A file that ffmpeg is told nothing of. Anything else, such as a camera, is where it is when it is looked at.
    can_be_gone_on_with: bool,
}

/// A running ffmpeg.
pub(super) struct Ffmpeg {
    child: Child,
    complaints: Option<tokio::process::ChildStderr>,
    /// The end of what it complained about.
    said: Vec<u8>,
}

impl Ffmpeg {
    /// Records from that second of the input on.
    pub(super) fn start(input: &Input, from_s: f64) -> anyhow::Result<Self> {
        let mut command = Command::new("ffmpeg");
        command.args(input.arguments(from_s));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        // Ctrl-C is for us: ffmpeg is asked to stop when its time has come.
        command.process_group(0);
        let child = command.spawn();
        let mut child =
            child.context("cannot start ffmpeg: install it (apt-get install ffmpeg), or push to `headwater relay`")?;
        let complaints = child.stderr.take();
        Ok(Self { child, complaints, said: Vec::new() })
    }

    /// Until the source has ended by itself. May be called again if it was not waited for to the end.
    pub(super) async fn wait(&mut self) -> anyhow::Result<()> {
        if let Some(complaints) = &mut self.complaints {
            let mut piece = [0; 1024];
            while let Ok(len @ 1..) = complaints.read(&mut piece).await {
                self.said.extend_from_slice(&piece[..len]);
                let beyond = self.said.len().saturating_sub(COMPLAINT_LEN_MAX);
                self.said.drain(..beyond);
            }
        }
        let status = self.child.wait().await?;
        if status.success() {
            return Ok(());
        }
        Err(anyhow!("ffmpeg stopped ({status}): {}", String::from_utf8_lossy(&self.said).trim()))
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

impl Input {
    /// H.264 and AAC with a keyframe wherever a segment begins, unless the source is sent as it is. A spool without room takes
    /// no segment, and is no reason to stop recording: there may be room again. That it is over, we say ourselves. Each file has
    /// a connection of its own: on one for all, ffmpeg reads no answers, and Linux throws away what is not sent yet when it ends.
    pub(super) fn of(options: &PublishOptions, push_url: &str) -> Self {
        let words = |text: &str| text.split_ascii_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let mut of_input = words("-hide_banner -loglevel error -nostdin");
        // A device is none.
        let is_file = std::path::Path::new(&options.input).is_file();
        if is_file {
            of_input.push("-re".to_owned());
        }
        of_input.extend(options.ffmpeg_input.iter().flat_map(|more| words(more)));
        let mut rest = vec!["-i".to_owned(), options.input.clone()];
        let secs = options.segment_duration;
        if options.copy {
            rest.extend(words("-c copy"));
        } else {
            rest.extend(words("-c:v libx264 -preset veryfast -pix_fmt yuv420p -sc_threshold 0 -c:a aac"));
            rest.extend(["-force_key_frames".to_owned(), format!("expr:gte(t,n_forced*{secs})")]);
        }
        let form = format!("-f hls -hls_time {secs} -hls_list_size 5 -hls_flags omit_endlist");
        rest.extend(words(&format!("{form} -method PUT -http_persistent 0 -ignore_io_errors 1")));
        rest.push(format!("{push_url}out.m3u8"));
        Self { of_input, rest, can_be_gone_on_with: is_file && options.ffmpeg_input.is_empty() }
    }

    fn arguments(&self, from_s: f64) -> Vec<String> {
        let seeks = self.can_be_gone_on_with && from_s > 0.0;
        let seek = if seeks { vec!["-ss".to_owned(), format!("{from_s:.3}")] } else { Vec::new() };
        [self.of_input.clone(), seek, self.rest.clone()].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_gone_on_with_where_it_was() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let input = file.path().to_str().unwrap().to_owned();
        let input = Input::of(&PublishOptions { input, segment_duration: 2, ..PublishOptions::default() }, "http://h/");
        let arguments = |from_s| input.arguments(from_s).join(" ");
        assert!(arguments(12.345).contains(" -re -ss 12.345 -i ") && !arguments(0.0).contains("-ss"));
    }

    #[test]
    fn a_device_is_not_slowed_down_and_a_copy_is_not_encoded() {
        let options = PublishOptions {
            input: "/dev/video0".to_owned(),
            ffmpeg_input: vec!["-f v4l2".to_owned()],
            copy: true,
            segment_duration: 4,
            ..PublishOptions::default()
        };
        assert_eq!(
            Input::of(&options, "http://h/").arguments(7.0).join(" "),
            "-hide_banner -loglevel error -nostdin -f v4l2 -i /dev/video0 -c copy -f hls -hls_time 4 -hls_list_size 5 \
             -hls_flags omit_endlist -method PUT -http_persistent 0 -ignore_io_errors 1 http://h/out.m3u8"
        );
    }
}
