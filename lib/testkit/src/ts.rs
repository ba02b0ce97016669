//! Hand-made MPEG-TS (ISO/IEC 13818-1), packet by packet: small segments whose every byte is chosen.

const PACKET_LEN: usize = 188;
/// Where the program map is.
pub const PMT_PID: u16 = 0x1000;
/// Where the picture is.
pub const VIDEO_PID: u16 = 0x100;
/// The stream type of H.264.
pub const H264: u8 = 0x1b;
/// Packets that mean nothing.
const NULL_PID: u16 = 0x1fff;
/// A sequence parameter set of H.264, Constrained Baseline, 64 by 64.
pub const SPS: [u8; 7] = [0x67, 0x42, 0xc0, 0x0a, 0xda, 0x10, 0x99];

/// A packet whose payload is stuffed to length in front, as by an adaptation field.
pub fn packet(pid: u16, starts_unit: bool, payload: &[u8]) -> Vec<u8> {
    let stuffing = PACKET_LEN - 4 - payload.len();
    let control = if stuffing == 0 { 0x10 } else { 0x30 };
    let start = if starts_unit { 0x40 } else { 0 };
    let mut packet = vec![0x47, start | (pid >> 8) as u8, pid as u8, control];
    if stuffing > 0 {
        packet.push((stuffing - 1) as u8);
        packet.extend([0].into_iter().chain([0xff; PACKET_LEN]).take(stuffing - 1));
    }
    packet.extend_from_slice(payload);
    packet
}

/// A section of tables, in one packet.
pub fn table(pid: u16, id: u8, body: &[u8]) -> Vec<u8> {
    let len = 5 + body.len() + 4;
    let mut section = vec![id, 0xb0 | (len >> 8) as u8, len as u8, 0, 1, 0xc1, 0, 0];
    section.extend_from_slice(body);
    let crc = section.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte) << 24, |crc, _| crc << 1 ^ if crc >> 31 == 1 { 0x04c1_1db7 } else { 0 })
    });
    section.extend(crc.to_be_bytes());
    packet(pid, true, &[&[0], section.as_slice()].concat())
}

/// The table that names the one program.
pub fn pat() -> Vec<u8> {
    table(0, 0, &[0, 1, 0xe0 | (PMT_PID >> 8) as u8, PMT_PID as u8])
}

/// The table that names its streams: type and PID of each.
pub fn pmt(streams: &[(u8, u16)]) -> Vec<u8> {
    let mut body = vec![0xe1, 0, 0xf0, 0];
    for (stream_type, pid) in streams {
        body.extend([*stream_type, 0xe0 | (pid >> 8) as u8, *pid as u8, 0xf0, 0]);
    }
    table(PMT_PID, 2, &body)
}

/// A frame of H.264 that can be decoded by itself, after this sequence parameter set.
pub fn idr(pts: u64, sps: &[u8]) -> Vec<u8> {
    let time = [
        0x21 | (pts >> 29) as u8 & 0x0e,
        (pts >> 22) as u8,
        1 | (pts >> 14) as u8,
        (pts >> 7) as u8,
        1 | (pts << 1) as u8,
    ];
    let pes = [&[0, 0, 1, 0xe0, 0, 0, 0x80, 0x80, 5][..], &time, &[0, 0, 1], sps, &[0, 0, 1, 0x65, 0x88]].concat();
    packet(VIDEO_PID, true, &pes)
}

/// A segment of four frames that lasts so many milliseconds (a multiple of four) from `start_ms` on, made unlike others
/// by its `mark`, and longer by packets that mean nothing.
pub fn segment(start_ms: u64, duration_ms: u64, mark: u64, padding_packets: usize) -> Vec<u8> {
    let mut segment = [pat(), pmt(&[(H264, VIDEO_PID)])].concat();
    for frame in 0..4 {
        segment.extend(idr((start_ms + frame * duration_ms / 4) * 90 % (1 << 33), &SPS));
    }
    for padding in 0..=padding_packets {
        let content = [mark.to_be_bytes(), (padding as u64).to_be_bytes()].concat();
        segment.extend(packet(NULL_PID, false, &content));
    }
    segment
}
