//! A bounded set of segments, from which the oldest is taken first.

use std::collections::BTreeMap;

use broadcast::{CapturedAt, Key, Object};

/// At most so many segments with their lengths, by capture time. Of more, the newest are forgotten; that some were is
/// remembered.
#[derive(Debug)]
pub(super) struct Oldest {
    segments: BTreeMap<(CapturedAt, Key), u64>,
    max: usize,
    forgot: bool,
}

impl Oldest {
    pub(super) fn new(max: usize) -> Self {
        Self { segments: BTreeMap::new(), max, forgot: false }
    }

    /// Which one was forgotten for it, if one was.
    pub(super) fn insert(&mut self, key: Key, len: u64) -> Option<Key> {
        self.segments.insert((captured_at(&key), key), len);
        if self.segments.len() <= self.max {
            return None;
        }
        self.forgot = true;
        self.segments.pop_last().map(|((_, key), _)| key)
    }

    pub(super) fn pop(&mut self) -> Option<(Key, u64)> {
        let ((_, key), len) = self.segments.pop_first()?;
        Some((key, len))
    }

    pub(super) fn len(&self) -> usize {
        self.segments.len()
    }

    /// Whether there were more than it holds, which have to be found again; asked once.
    pub(super) fn take_forgot(&mut self) -> bool {
        std::mem::take(&mut self.forgot)
    }
}

fn captured_at(key: &Key) -> CapturedAt {
    match &key.object {
        Object::Segment { captured_at, .. } => *captured_at,
        Object::Init { .. } | Object::Document => CapturedAt(0),
    }
}

#[cfg(test)]
mod tests {
    use broadcast::{BroadcastId, Segment, Seq};

    use super::*;
    use crate::tests::segment;

    #[test]
    fn the_oldest_comes_first_and_the_newest_is_forgotten() {
        let mut oldest = Oldest::new(3);
        let key = |n: u64| {
            let segment = Segment { seq: Seq(9 - n), captured_at: CapturedAt(i64::try_from(n).unwrap()), ..segment(0) };
            Key::of_segment(BroadcastId::new(1, 1), &segment)
        };
        for n in [4, 2, 5, 3, 2] {
            oldest.insert(key(n), n);
        }
        assert_eq!((oldest.len(), oldest.take_forgot(), oldest.take_forgot()), (3, true, false));
        let popped: Vec<u64> = std::iter::from_fn(|| oldest.pop()).map(|(_, len)| len).collect();
        assert_eq!(popped, [2, 3, 4]);
    }
}
