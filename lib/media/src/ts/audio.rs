//! An audio stream: hops from frame header to frame header, so that the end of the last frame is known.

use super::stream::Span;
use super::video::TooManyFrames;
use crate::codec::{AudioFrame, Parsed, aac, ac3, mpeg_audio, opus};
use crate::{FRAMES_MAX, TICKS_PER_SECOND};

/// The longest header that may lie across packets.
const HEADER_LEN_MAX: usize = 16;
const _: () = assert!(HEADER_LEN_MAX > opus::HEADER_LEN_MAX);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AudioCodec {
    Adts,
    Mpeg,
    /// Also E-AC-3.
    Ac3,
    Opus {
        channels: u16,
    },
}

#[derive(Debug)]
pub(super) struct Audio {
    codec: AudioCodec,
    /// The first frame.
    format: Option<AudioFrame>,
    packets: usize,
    first: Option<i64>,
    /// The latest end of any frame so far.
    end: i64,
    /// The PES packet's timestamp, until the first frame starts in it.
    pending: Option<i64>,
    /// The timestamp that was taken last, and the samples since.
    anchor: Option<i64>,
    samples: u64,
    /// Bytes until the next header.
    skip: usize,
    /// A header whose rest is in the next packet.
    head: [u8; HEADER_LEN_MAX],
    head_len: usize,
    /// The timestamp of a PES packet that started within that header, for the frame after.
    queued: Option<i64>,
}

impl Audio {
    pub(super) fn new(codec: AudioCodec) -> Self {
        Self {
            codec,
            format: None,
            packets: 0,
            first: None,
            end: i64::MIN,
            pending: None,
            anchor: None,
            samples: 0,
            skip: 0,
            head: [0; HEADER_LEN_MAX],
            head_len: 0,
            queued: None,
        }
    }

    /// A PES packet starts. Its timestamp is that of the first frame that starts in it.
    pub(super) fn start(&mut self, time: Option<i64>) -> Result<(), TooManyFrames> {
        if self.packets == FRAMES_MAX {
            return Err(TooManyFrames);
        }
        self.packets += 1;
        let slot = if self.head_len > 0 { &mut self.queued } else { &mut self.pending };
        *slot = time.or(*slot);
        Ok(())
    }

    pub(super) fn feed(&mut self, mut payload: &[u8]) {
        if self.head_len > 0 {
            payload = self.feed_split_header(payload);
        }
        while self.skip < payload.len() {
            payload = &payload[self.skip..];
            self.skip = 0;
            match self.parse(payload) {
                Parsed::Frame(frame) => self.frame(frame),
                Parsed::Invalid => self.skip = 1,
                Parsed::Short => {
                    // Parsers are content with fewer bytes than the header buffer holds.
                    self.head_len = payload.len().min(HEADER_LEN_MAX);
                    self.head[..self.head_len].copy_from_slice(&payload[..self.head_len]);
                    return;
                }
            }
        }
        self.skip -= payload.len();
    }

    /// Completes the header that the last packet ended in; gives what is left to read.
    fn feed_split_header<'a>(&mut self, payload: &'a [u8]) -> &'a [u8] {
        let added = payload.len().min(HEADER_LEN_MAX - self.head_len);
        self.head[self.head_len..][..added].copy_from_slice(&payload[..added]);
        let before = self.head_len;
        let have = before + added;
        let head = self.head;
        for at in 0..before {
            match self.parse(&head[at..have]) {
                Parsed::Invalid => {}
                Parsed::Short if have < HEADER_LEN_MAX => {
                    self.head.copy_within(at..have, 0);
                    self.head_len = have - at;
                    return &[];
                }
                Parsed::Short => {}
                Parsed::Frame(frame) => {
                    self.frame(frame);
                    self.end_split_header();
                    // The frame began `before - at` bytes before this payload.
                    self.skip = frame.len.saturating_sub(before - at);
                    return payload;
                }
            }
        }
        self.end_split_header();
        payload
    }

    fn end_split_header(&mut self) {
        self.head_len = 0;
        self.pending = self.queued.take().or(self.pending);
    }

    fn parse(&self, bytes: &[u8]) -> Parsed {
        match self.codec {
            AudioCodec::Adts => aac::parse_adts(bytes),
            AudioCodec::Mpeg => mpeg_audio::parse(bytes),
            AudioCodec::Ac3 => ac3::parse(bytes),
            AudioCodec::Opus { channels } => opus::parse(bytes, channels),
        }
    }

    fn frame(&mut self, frame: AudioFrame) {
        self.skip = frame.len;
        self.format.get_or_insert(frame);
        if let Some(time) = self.pending.take() {
            self.anchor = Some(time);
            self.samples = 0;
            self.first = Some(self.first.map_or(time, |first| first.min(time)));
        }
        self.samples += u64::from(frame.samples);
        if let Some(anchor) = self.anchor {
            let rate = u64::from(frame.format.sample_rate.max(1));
            let ticks = (self.samples * u64::from(TICKS_PER_SECOND) + rate / 2) / rate;
            self.end = self.end.max(anchor.saturating_add_unsigned(ticks));
        }
    }

    /// The time of the current PES packet, once a frame has started in it and if it is not the first.
    pub(super) fn frame_after_first(&self) -> Option<i64> {
        self.anchor.filter(|_| self.pending.is_none() && self.packets > 1)
    }

    pub(super) fn format(&self) -> Option<&AudioFrame> {
        self.format.as_ref()
    }

    pub(super) fn span(&self) -> Option<Span> {
        Some(Span { first: self.first?, end: self.end })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;

    const SAMPLE_RATE: i64 = 48_000;

    /// AAC in ADTS of 1024 samples a frame, with payload that looks like headers.
    fn adts(payload_lens: &[usize]) -> Vec<u8> {
        payload_lens
            .iter()
            .flat_map(|payload_len| {
                let len = payload_len + 7;
                let header =
                    [0xff, 0xf1, 0x4c, 0x80 | (len >> 11) as u8, (len >> 3) as u8, (len << 5) as u8 | 0x1f, 0xfc];
                header.into_iter().chain([0xff].into_iter().cycle().take(*payload_len))
            })
            .collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default() })]

        /// Transport packets and PES packets may end anywhere in a frame, and in its header.
        #[test]
        fn frames_may_lie_across_packets(
            payload_lens in prop::collection::vec(0..400_usize, 1..30),
            packet_len in 1..200_usize,
            packets_per_pes in 1..5_usize,
        ) {
            let bytes = adts(&payload_lens);
            let starts: Vec<usize> = payload_lens.iter().scan(0, |next, len| {
                let start = *next;
                *next += len + 7;
                Some(start)
            }).collect();
            let time = |frame: usize| frame as i64 * 1024 * i64::from(TICKS_PER_SECOND) / SAMPLE_RATE;
            let mut audio = Audio::new(AudioCodec::Adts);
            for (at, packet) in bytes.chunks(packet_len).enumerate() {
                if at % packets_per_pes == 0 {
                    let range = at * packet_len..(at + packets_per_pes) * packet_len;
                    let first = starts.iter().position(|start| range.contains(start));
                    audio.start(first.map(time)).unwrap();
                }
                audio.feed(packet);
            }
            prop_assert_eq!(audio.span(), Some(Span { first: 0, end: time(payload_lens.len()) }));
        }
    }
}
