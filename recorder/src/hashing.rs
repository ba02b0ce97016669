//! BLAKE3 of bytes that come in pieces of any size.
//!
//! BLAKE3 is a tree over chunks of 1 KiB. Where the processor can, up to 16 chunks are hashed at a time, but only as long
//! as pieces begin and end at multiples of that; pieces from a socket do not, and take a third longer. So what is
//! beyond a multiple waits for the next piece.

use broadcast::Digest;

/// What the hasher is handed multiples of, in bytes, and the most that waits.
const STEP: usize = 16 << 10;

/// The hash of what came so far.
#[derive(Debug)]
pub(crate) struct Blake3 {
    hasher: blake3::Hasher,
    /// Less than a step.
    waiting: Vec<u8>,
}

impl Blake3 {
    pub(crate) fn new() -> Self {
        Self { hasher: blake3::Hasher::new(), waiting: Vec::with_capacity(STEP) }
    }

    pub(crate) fn update(&mut self, mut piece: &[u8]) {
        if !self.waiting.is_empty() {
            let (first, rest) = piece.split_at(piece.len().min(STEP - self.waiting.len()));
            self.waiting.extend_from_slice(first);
            piece = rest;
            if self.waiting.len() < STEP {
                return;
            }
            self.hasher.update(&self.waiting);
            self.waiting.clear();
        }
        let (steps, rest) = piece.split_at(piece.len() - piece.len() % STEP);
        self.hasher.update(steps);
        self.waiting.extend_from_slice(rest);
    }

    pub(crate) fn finish(mut self) -> Digest {
        self.hasher.update(&self.waiting);
        Digest::of_blake3(self.hasher.finalize().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pieces_do_not_matter() {
        let bytes: Vec<u8> = (0..3 * STEP + 7).map(|at| (at * 31 % 251) as u8).collect();
        let whole = Digest::of_blake3(blake3::hash(&bytes).as_bytes());
        for len in [1, 1000, STEP - 1, STEP, STEP + 1, 2 * STEP, bytes.len()] {
            let mut hash = Blake3::new();
            bytes.chunks(len).for_each(|piece| hash.update(piece));
            assert_eq!(hash.finish(), whole, "pieces of {len} bytes");
        }
        assert_eq!(Blake3::new().finish(), Digest::of_blake3(blake3::hash(&[]).as_bytes()));
    }
}
