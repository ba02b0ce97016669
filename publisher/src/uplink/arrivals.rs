//! What a recorder says has arrived, held against what was recorded here.

use std::collections::BTreeMap;

use broadcast::{RenditionName, SeqSet};

use super::Uplink;
use crate::ledger::{Arrived, SegmentName};
use crate::remote::{ArrivedRange, RemoteStatus};

impl Uplink {
    /// Believes a recorder to have what it has by the digests too.
    pub(super) fn compare(&mut self, status: &RemoteStatus) {
        let same = |(name, told): (&RenditionName, &Vec<ArrivedRange>)| {
            (name.clone(), Arrived::of(told, self.broadcast.rendition(name)))
        };
        let told = |(name, told): (&RenditionName, &Vec<ArrivedRange>)| {
            let mut set = SeqSet::default();
            told.iter().for_each(|range| set.insert(range.seqs));
            (name.clone(), set)
        };
        let (same, told) = (status.arrived.iter().map(same).collect(), status.arrived.iter().map(told).collect());
        self.ledger.arrived(&same, &told);
        self.held.retain(|name| self.ledger.is_owed(name));
        self.send_again_what_stays_elsewhere(&status.elsewhere);
    }

    /// What is at one recorder alone should soon be safe. If it does not become so, nobody may have it any more.
    fn send_again_what_stays_elsewhere(&mut self, told: &BTreeMap<RenditionName, SeqSet>) {
        let now_ms = self.now_ms();
        let is_told = |name: &&SegmentName| told.get(&name.rendition).is_some_and(|told| told.contains(name.seq));
        let names = self.ledger.stored().filter(is_told);
        let since = |name: &SegmentName| self.elsewhere.get(name).copied().unwrap_or(now_ms);
        self.elsewhere = names.map(|name| (name.clone(), since(name))).collect();
        for (name, since_ms) in &self.elsewhere {
            if now_ms - since_ms >= i64::from(self.config.send_again_after_ms) {
                self.ledger.send_again(name);
            }
        }
    }
}
