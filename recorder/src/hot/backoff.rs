//! How long to leave a store alone that has failed.

use std::time::Duration;

use service::Random;

/// After the first failure.
const FIRST: Duration = Duration::from_millis(250);
/// At most.
const MAX: Duration = Duration::from_secs(30);

/// After so many failures in a row: twice as long each time, between a half and all of it, so that those who failed
/// together do not come back together.
pub(crate) fn pause_after(failures: u32, random: &Random) -> Duration {
    let most = FIRST.saturating_mul(1 << failures.saturating_sub(1).min(20)).min(MAX);
    let [byte] = random.bytes::<1>();
    most / 2 + most.mul_f64(f64::from(byte) / 512.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_to_its_limit_and_varies() {
        let random = Random::seeded(1);
        for (failures, most) in [(1, 250), (2, 500), (5, 4_000), (8, 30_000), (1_000, 30_000)] {
            for _ in 0..50 {
                let pause = pause_after(failures, &random).as_millis();
                assert!((most / 2..=most).contains(&pause), "{failures}: {pause}");
            }
        }
        let pauses: std::collections::BTreeSet<_> = (0..50).map(|_| pause_after(9, &random)).collect();
        assert!(pauses.len() > 10);
    }
}
