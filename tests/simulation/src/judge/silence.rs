//! Rule 3: a live playlist gets an entry at least every 1.5 target durations while it has not ended, unless it rests.
//! (That it is never all gap is a matter of its form.)

use std::collections::BTreeMap;

use broadcast::{RenditionName, StoreTime};

use super::facts::{Facts, moved};

/// When somebody whose clock is right saw each live playlist grow last.
#[derive(Clone, Debug, Default)]
pub(crate) struct Silence {
    grown: BTreeMap<RenditionName, Grown>,
    last_media_at: Option<StoreTime>,
}

#[derive(Clone, Copy, Debug)]
struct Grown {
    at: StoreTime,
    last_msn: u64,
}

impl Silence {
    /// A live playlist as it is at a moment.
    pub(crate) fn look(&mut self, name: &RenditionName, text: &str, at: StoreTime, facts: &Facts) -> Option<String> {
        let (last_msn, is_media) = last_of(text)?;
        let before = self.grown.get(name).copied();
        if before.is_none_or(|before| before.last_msn < last_msn) {
            self.grown.insert(name.clone(), Grown { at, last_msn });
            if is_media {
                self.last_media_at = Some(at);
            }
        }
        self.silence(name, before?, at, facts)
    }

    fn silence(&self, name: &RenditionName, before: Grown, at: StoreTime, facts: &Facts) -> Option<String> {
        let until = facts.ended_at.map_or(at, |ended_at| at.min(ended_at));
        let (silence, target) = ((until - before.at).0, facts.target_ms());
        let rests_from = self.last_media_at.map(|at| moved(at, i64::from(facts.policy.rest_after_ms) - 3 * target));
        let rests = rests_from.is_some_and(|from| from < until);
        let is_too_long = silence * 2 > target * 3 + 2 && !rests;
        is_too_long
            .then(|| format!("rule 3: the live playlist of {name} had nothing new for {silence} ms before {at:?}"))
    }
}

/// The media sequence number of the last entry, and whether it is media.
fn last_of(text: &str) -> Option<(u64, bool)> {
    let first = text.lines().find_map(|line| line.strip_prefix("#EXT-X-MEDIA-SEQUENCE:"))?.parse::<u64>().ok()?;
    let uris = || text.lines().filter(|line| !line.starts_with('#'));
    let last = uris().next_back()?;
    Some((first + uris().count() as u64 - 1, !last.starts_with("gap-")))
}
