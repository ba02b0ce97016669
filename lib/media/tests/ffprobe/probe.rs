//! What ffprobe says of a segment.

use serde_json::Value;

use crate::clip::{Made, run, tool};

pub(crate) struct Probe {
    pub(crate) streams: Vec<Stream>,
}

#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) id: u32,
    pub(crate) kind: String,
    pub(crate) codec: String,
    pub(crate) level: i64,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) sample_rate: u32,
    pub(crate) channels: u16,
    /// Presentation times of the first and last frame, in ticks of 90 kHz.
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) frames: usize,
    pub(crate) longest_frame: i64,
}

impl Probe {
    pub(crate) fn leading(&self) -> &Stream {
        let find = |kind: &str| self.streams.iter().find(|stream| stream.kind == kind);
        find("video").or_else(|| find("audio")).expect("there is audio or video")
    }
}

impl Made {
    pub(crate) fn probe(&self, segment: &[u8]) -> Probe {
        let path = self.playable(segment);
        let mut command = tool("ffprobe", path.parent().expect("a file is in a directory"));
        command.args(["-v", "error", "-of", "json", "-show_streams", "-show_packets"]).arg(&path);
        let said: Value = serde_json::from_slice(&run(&mut command)).expect("ffprobe prints JSON");
        let streams = said["streams"].as_array().expect("ffprobe lists streams");
        let packets = said["packets"].as_array().expect("ffprobe lists packets");
        Probe { streams: streams.iter().map(|stream| parse_stream(stream, packets)).collect() }
    }
}

fn parse_stream(stream: &Value, packets: &[Value]) -> Stream {
    let number = |name: &str| match &stream[name] {
        Value::String(text) => text.parse().unwrap_or(0),
        other => other.as_i64().unwrap_or(0),
    };
    let text = |name: &str| stream[name].as_str().unwrap_or_default().to_owned();
    let (per, base) =
        text("time_base").split_once('/').map(|(per, base)| (per.parse::<i64>(), base.parse::<i64>())).unwrap();
    let (per, base) = (per.unwrap(), base.unwrap());
    let of_stream = |packet: &&Value| packet["stream_index"] == stream["index"];
    let field = |name: &'static str| {
        let of_stream = packets.iter().filter(of_stream);
        of_stream.filter_map(move |packet| Some((packet[name].as_i64()? * per * 90_000).div_euclid(base)))
    };
    let mut times: Vec<i64> = field("pts").collect();
    times.sort_unstable();
    let id = text("id");
    Stream {
        id: u32::from_str_radix(id.trim_start_matches("0x"), 16).unwrap(),
        kind: text("codec_type"),
        codec: text("codec_name"),
        level: number("level"),
        width: number("width").try_into().unwrap(),
        height: number("height").try_into().unwrap(),
        sample_rate: number("sample_rate").try_into().unwrap(),
        channels: number("channels").try_into().unwrap(),
        first: *times.first().expect("every stream has frames"),
        last: *times.last().expect("every stream has frames"),
        frames: times.len(),
        longest_frame: field("duration").max().unwrap_or(0).max(longest_distance(&times)),
    }
}

fn longest_distance(times: &[i64]) -> i64 {
    times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0)
}
