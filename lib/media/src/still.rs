//! One picture of a segment: what ffmpeg has to be told to make it. It reads from a pipe and writes to one.

use crate::container::Container;

/// The largest picture that is decoded, in pixels: 8K and a little more.
const PIXELS_MAX: u32 = 36_000_000;
/// The largest piece of memory that ffmpeg may ask for at once, in bytes.
const PIECE_MAX: u32 = 256 << 20;

/// The arguments with which ffmpeg makes a JPEG of the first keyframe of what it is given: the segment, after its init
/// section if it has one. The picture is `width_max` pixels wide, or less if the video is, in the shape in which it is to
/// be shown: turned as the container says, and with square pixels.
///
/// The input is read as this container and nothing else, and names no other input that would be read.
pub fn still_arguments(container: Container, width_max: u32) -> Vec<String> {
    let format = match container {
        Container::MpegTs => "mpegts",
        Container::Fmp4 => "mp4",
    };
    // `dar` and `sar` count pixels that are not square. Four times as high as wide is a picture that nobody wants.
    let shape = format!("scale=w='max(2,min({width_max},iw*sar))':h='max(2,min(4*ow,ow/dar))',setsar=1");
    let reads = format!(
        "-hide_banner -loglevel error -nostdin -protocol_whitelist pipe -max_alloc {PIECE_MAX} -threads 1 \
         -skip_frame nokey -max_pixels {PIXELS_MAX} -fpsprobesize 0 -f {format} -i pipe:0"
    );
    let writes =
        "-map 0:v:0 -frames:v 1 -filter_threads 1 -c:v mjpeg -threads 1 -q:v 4 -pix_fmt yuvj420p -f image2pipe";
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    [words(&reads), vec!["-vf".to_owned(), shape], words(writes), vec!["pipe:1".to_owned()]].concat()
}
