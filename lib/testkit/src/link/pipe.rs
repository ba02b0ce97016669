//! One direction of a link: what happens to each packet, and when it comes out.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Passed, Quality};
use crate::dice::Dice;
use crate::waiting::now;

/// How much a link holds of what its rate does not let through at once: what comes then is lost, as in a router.
const QUEUE_MAX: Duration = Duration::from_millis(300);

#[derive(Debug)]
pub(super) struct Pipe {
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Debug)]
struct Inner {
    quality: Quality,
    dice: Dice,
    /// When the last packet has left for the other end.
    free_at: Instant,
    /// On their way: when each arrives, and which it is in the order of coming.
    on_their_way: BinaryHeap<Reverse<(Instant, u64, Vec<u8>)>>,
    taken: u64,
    passed: Passed,
    closed: bool,
}

impl Pipe {
    pub(super) fn new(quality: Quality, seed: u64) -> Self {
        let inner = Inner {
            quality,
            dice: Dice::new(seed),
            free_at: now(),
            on_their_way: BinaryHeap::new(),
            taken: 0,
            passed: Passed::default(),
            closed: false,
        };
        Self { inner: Mutex::new(inner), changed: Condvar::new() }
    }

    pub(super) fn set(&self, quality: Quality) {
        self.lock().quality = quality;
    }

    pub(super) fn quality(&self) -> Quality {
        self.lock().quality
    }

    pub(super) fn passed(&self) -> Passed {
        self.lock().passed
    }

    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Takes a packet in, or loses it.
    pub(super) fn take(&self, packet: &[u8]) {
        self.lock().take(packet, now());
        self.changed.notify_all();
    }

    /// The next packet that comes out, when it does; `None` once the link is gone.
    pub(super) fn next(&self) -> Option<Vec<u8>> {
        let mut inner = self.lock();
        while !inner.closed {
            let Some(Reverse((due, ..))) = inner.on_their_way.peek() else {
                inner = self.changed.wait(inner).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let early = due.saturating_duration_since(now());
            if early.is_zero() {
                return inner.pass();
            }
            inner = self.changed.wait_timeout(inner, early).unwrap_or_else(PoisonError::into_inner).0;
        }
        None
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn take(&mut self, packet: &[u8], now: Instant) {
        let Quality { delay, jitter, lost_per_mille, bits_per_s, passes } = self.quality;
        self.taken += 1;
        self.free_at = self.free_at.max(now);
        // The dice fall for each packet, so that each seed has one story.
        let (is_lost, later) = (self.dice.below(1_000) < u64::from(lost_per_mille), self.dice.part_of(jitter));
        if is_lost || !passes || (bits_per_s.is_some() && self.free_at - now > QUEUE_MAX) {
            self.passed.lost += 1;
            return;
        }
        if let Some(bits_per_s) = bits_per_s {
            self.free_at += Duration::from_secs_f64(packet.len() as f64 * 8.0 / bits_per_s as f64);
        }
        self.on_their_way.push(Reverse((self.free_at + delay + later, self.taken, packet.to_vec())));
    }

    fn pass(&mut self) -> Option<Vec<u8>> {
        let Reverse((_, _, packet)) = self.on_their_way.pop()?;
        self.passed.packets += 1;
        self.passed.bytes += packet.len() as u64;
        Some(packet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When each of `count` packets of a kilobyte comes out that are sent at once, in milliseconds.
    fn times(quality: Quality, seed: u64, count: usize) -> Vec<u128> {
        let mut inner = Pipe::new(quality, seed).inner.into_inner().expect("nobody has it");
        let began = inner.free_at;
        (0..count).for_each(|_| inner.take(&[0; 1_000], began));
        let times = inner.on_their_way.into_sorted_vec();
        times.into_iter().rev().map(|Reverse((due, ..))| (due.max(began) - began).as_millis()).collect()
    }

    #[test]
    fn packets_come_at_the_rate_and_what_is_too_much_is_lost() {
        let quality = Quality { bits_per_s: Some(80_000), delay: Duration::from_millis(50), ..Quality::PERFECT };
        // One each 100 ms; after the fourth, more than 300 ms wait.
        assert_eq!(times(quality, 1, 9), [150, 250, 350, 450]);
        assert_eq!(times(Quality { bits_per_s: None, ..quality }, 1, 3), [50; 3]);
        assert_eq!(times(Quality { passes: false, ..quality }, 1, 3), [0; 0]);
    }

    #[test]
    fn a_seed_tells_which_packets_are_lost() {
        let quality = Quality { lost_per_mille: 200, jitter: Duration::from_millis(40), ..Quality::PERFECT };
        let (one, other) = (times(quality, 1, 1_000), times(quality, 2, 1_000));
        assert_eq!(one, times(quality, 1, 1_000));
        assert_ne!(one, other);
        assert!((700..900).contains(&one.len()), "{}", one.len());
    }
}
