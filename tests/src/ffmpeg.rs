//! ffmpeg as a publisher of small moving pictures, in real time.

use testkit::Tool;

use crate::program::Program;

/// What to encode, and how to send it. The defaults are a picture with sound, one segment a second.
#[derive(Clone, Debug)]
pub struct Encoder {
    pub ffmpeg: Tool,
    pub seconds: u32,
    /// The picture's source, or none.
    pub picture: Option<&'static str>,
    /// The frequency of the sound in Hz, or none.
    pub sound: Option<u32>,
    pub codecs: Vec<&'static str>,
    /// In the order in which they are written before the address.
    pub options: Vec<String>,
}

impl Default for Encoder {
    fn default() -> Self {
        Self {
            ffmpeg: Tool::find("ffmpeg"),
            seconds: 8,
            picture: Some("testsrc2=s=160x120:r=15"),
            sound: Some(440),
            codecs: H264_AAC.to_vec(),
            options: Vec::new(),
        }
    }
}

const H264_AAC: [&str; 13] = [
    "-c:v",
    "libx264",
    "-preset",
    "ultrafast",
    "-g",
    "15",
    "-keyint_min",
    "15",
    "-sc_threshold",
    "0",
    "-c:a",
    "aac",
    "-shortest",
];

impl Encoder {
    /// With these options of the hls muxer: `-name value …`.
    pub fn with(mut self, options: &str) -> Self {
        self.options.extend(options.split_ascii_whitespace().map(str::to_owned));
        self
    }

    /// Starts sending to `url`, whose last part is the playlist's name.
    pub fn push(&self, url: &str) -> Program {
        let mut args: Vec<String> = strings(["-hide_banner", "-nostdin", "-loglevel", "info"]);
        if let Some(picture) = self.picture {
            args.extend(strings(["-re", "-f", "lavfi", "-i", picture]));
        }
        if let Some(sound) = self.sound {
            let sine = format!("sine=f={sound}:r=44100");
            args.extend(strings(["-re", "-f", "lavfi", "-i", &sine]));
        }
        args.extend(strings(["-t", &self.seconds.to_string()]));
        args.extend(strings(self.codecs.iter().copied()));
        args.extend(strings(["-f", "hls", "-hls_time", "1"]));
        if !self.options.iter().any(|option| option == "-method") {
            args.extend(strings(["-method", "PUT"]));
        }
        args.extend(self.options.iter().cloned());
        args.push(url.to_owned());
        Program::start(&self.ffmpeg, args)
    }
}

fn strings<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    texts.into_iter().map(str::to_owned).collect()
}
