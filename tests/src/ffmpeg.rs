//! ffmpeg as a publisher of small moving pictures, in real time, and ffprobe as a viewer.

use testkit::Tool;

use crate::program::Program;

/// What to encode, and how to send it. The defaults are a picture with sound, one segment a second.
#[derive(Clone, Debug)]
pub struct Encoder {
    pub ffmpeg: Tool,
    pub seconds: u32,
    /// The picture's source, or none.
    pub picture: Option<&'static str>,
    pub codecs: &'static str,
    /// What is written before the address, in order. `{url}` stands for the address without the playlist's name.
    pub options: Vec<String>,
}

/// H.264 and AAC, a keyframe each second.
const H264_AAC: &str = "-c:v libx264 -preset ultrafast -g 15 -keyint_min 15 -sc_threshold 0 -c:a aac";

impl Default for Encoder {
    fn default() -> Self {
        let ffmpeg = Tool::find("ffmpeg");
        let picture = Some("testsrc2=s=160x120:r=15");
        Self { ffmpeg, seconds: 8, picture, codecs: H264_AAC, options: Vec::new() }
    }
}

impl Encoder {
    /// With these options of the hls muxer: `-name value …`, none of which contains a space.
    pub fn with(mut self, options: &str) -> Self {
        self.options.extend(options.split_ascii_whitespace().map(str::to_owned));
        self
    }

    /// Starts sending to the playlist `out.m3u8` at this address.
    pub fn push(&self, url: &str) -> Program {
        let mut args = self.source();
        args.extend(words("-f hls -hls_time 1 -method PUT"));
        args.extend(self.options.iter().map(|option| option.replace("{url}", url)));
        args.push(format!("{url}out.m3u8"));
        Program::start(&self.ffmpeg, args)
    }

    /// Starts writing the same segments to `url` and to the playlist of a local folder.
    pub fn push_and_keep(&self, url: &str, local: &std::path::Path) -> Program {
        let named = self.options.chunks_exact(2).map(|option| format!(":{}={}", &option[0][1..], option[1]));
        let options: String = named.collect();
        let mut args = self.source();
        args.extend(words("-map 0:v -map 1:a -flags +global_header -f tee"));
        let remote = format!("[f=hls:hls_time=1:method=PUT{options}]{url}");
        args.push(format!("{remote}|[f=hls:hls_time=1{options}]{}", local.display()));
        Program::start(&self.ffmpeg, args)
    }

    fn source(&self) -> Vec<String> {
        let mut args = words("-hide_banner -nostdin");
        for source in self.picture.into_iter().chain(["sine=f=440:r=44100"]) {
            args.extend(words("-re -f lavfi -i"));
            args.push(source.to_owned());
        }
        args.extend(words("-t"));
        args.push(self.seconds.to_string());
        args.extend(words(self.codecs));
        args
    }
}

fn words(text: &str) -> Vec<String> {
    text.split_ascii_whitespace().map(str::to_owned).collect()
}

/// How many pictures ffprobe decodes from a playlist or file.
pub fn frames(url: &str) -> u32 {
    let options = "-v error -count_frames -select_streams v:0 -show_entries stream=nb_read_frames -of csv=p=0";
    let said = Tool::find("ffprobe").run(words(options).into_iter().chain([url.to_owned()]));
    // Once as a stream of its program, once as a stream.
    let first = said.lines().next().unwrap_or_default().trim_end_matches(',');
    first.parse().unwrap_or_else(|_| panic!("ffprobe said {said:?} of {url}"))
}
