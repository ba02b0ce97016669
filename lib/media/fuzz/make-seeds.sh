#!/bin/sh
# Makes the seeds of the fuzz targets, which the crate's tests of hostile input start from too: whole but tiny segments
# and init sections, one per codec and quirk. Needs ffmpeg. They are committed, so that fuzzing and those tests always
# start from the same bytes.
set -eu

cd "$(dirname "$0")/seeds"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# make NAME OPTIONS...: a clip of 64x64 pixels and 0.4 seconds in one segment, in $work.
make() {
    rm -f "$work"/*
    ffmpeg -hide_banner -nostdin -loglevel error \
        -f lavfi -i testsrc2=s=64x64:r=25:d=0.4 -f lavfi -i sine=f=440:r=48000:d=0.4 -ac 2 -b:a 32k \
        -fflags +bitexact -flags:v +bitexact -flags:a +bitexact \
        -f hls -hls_time 1 -hls_segment_filename "$work/%d" "$@" "$work/out.m3u8" 2>"$work/log" ||
        { cat "$work/log" >&2; return 1; }
}

ts() {
    name=$1
    shift
    make "$@"
    mv "$work/0" "mpeg_ts/$name.ts"
}

fmp4() {
    name=$1
    shift
    make -hls_segment_type fmp4 "$@"
    mv "$work/init.mp4" "fmp4_init/$name.mp4"
    mv "$work/0" "fmp4_segment/$name.m4s"
}

rm -rf mpeg_ts fmp4_init fmp4_segment
mkdir mpeg_ts fmp4_init fmp4_segment
h264="-c:v libx264 -preset veryfast -crf 40 -g 5"
hevc="-c:v libx265 -preset ultrafast -crf 45 -tag:v hvc1 -x265-params log-level=none"
cut="-hls_ts_options mpegts_flags=pat_pmt_at_frames"

ts h264_aac $h264 -bf 2 -c:a aac $cut
ts h264_clock_wraps $h264 -bf 2 -an -output_ts_offset 95442.2
ts hevc_ac3 $hevc -c:a ac3
ts mp3 -vn -c:a libmp3lame
ts eac3 -vn -c:a eac3
ts opus -vn -c:a libopus
ts aac -vn -c:a aac

fmp4 h264_aac $h264 -bf 2 -c:a aac
fmp4 hevc_ac3 $hevc -c:a ac3
fmp4 av1_opus -c:v libsvtav1 -preset 12 -crf 60 -c:a libopus
fmp4 vp9_flac -c:v libvpx-vp9 -deadline realtime -cpu-used 8 -crf 60 -c:a flac -sample_fmt s16 -strict -2
fmp4 mp3 -vn -c:a libmp3lame
fmp4 eac3 -vn -c:a eac3
