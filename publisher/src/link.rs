//! What the network has carried lately. Pure.

use std::collections::VecDeque;

/// From how many transfers the rate is judged.
const TRANSFERS: usize = 16;

/// A body that went through.
#[derive(Clone, Copy, Debug)]
struct Transfer {
    from_ms: i64,
    to_ms: i64,
    bytes: u64,
}

/// The latest transfers, which may have overlapped.
#[derive(Clone, Debug, Default)]
pub(crate) struct Link(VecDeque<Transfer>);

impl Link {
    /// `bytes` went through from `from_ms` to `to_ms`, by a clock that does not jump.
    pub(crate) fn carried(&mut self, from_ms: i64, to_ms: i64, bytes: u64) {
        if self.0.len() == TRANSFERS {
            self.0.pop_front();
        }
        self.0.push_back(Transfer { from_ms, to_ms: to_ms.max(from_ms + 1), bytes });
    }

    /// Bytes per second, over the time in which anything was on its way; `None` before the first transfer.
    pub(crate) fn bytes_per_s(&self) -> Option<f64> {
        let mut transfers: Vec<_> = self.0.iter().collect();
        transfers.sort_by_key(|transfer| transfer.from_ms);
        let mut until_ms = i64::MIN;
        let mut busy_ms = 0;
        for transfer in &transfers {
            busy_ms += (transfer.to_ms - transfer.from_ms.max(until_ms)).max(0);
            until_ms = until_ms.max(transfer.to_ms);
        }
        let bytes: u64 = transfers.iter().map(|transfer| transfer.bytes).sum();
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        (busy_ms > 0).then(|| bytes as f64 * 1000.0 / busy_ms as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(transfers: &[(i64, i64, u64)], expected: Option<f64>) {
        let mut link = Link::default();
        transfers.iter().for_each(|(from, to, bytes)| link.carried(*from, *to, *bytes));
        assert_eq!(link.bytes_per_s(), expected, "{transfers:?}");
    }

    #[test]
    fn idle_time_does_not_count_and_shared_time_counts_once() {
        check(&[], None);
        check(&[(0, 1000, 500)], Some(500.0));
        check(&[(0, 1000, 500), (60_000, 61_000, 500)], Some(500.0));
        check(&[(0, 1000, 500), (0, 1000, 500)], Some(1000.0));
        check(&[(500, 1500, 500), (0, 1000, 1000)], Some(1000.0));
    }

    #[test]
    fn old_transfers_are_forgotten() {
        let mut link = Link::default();
        link.carried(0, 1000, 1);
        (1..=16).for_each(|n| link.carried(n * 1000, n * 1000 + 1000, 4_000));
        assert_eq!(link.bytes_per_s(), Some(4_000.0));
    }
}
