//! Room on this disk: what is safe is deleted from it, oldest first, when room runs short or more is here than should be.

use std::sync::Arc;
use std::time::Duration;

use broadcast::Key;
use storage::{Store, StoreError, Usage};

use super::Hot;
use crate::config::HotConfig;
use crate::recorder::Recorder;

/// How often it is looked at when nothing happens: others write to the disk too.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// How many bytes have to go.
fn excess(usage: &Usage, quota: Option<u64>, config: &HotConfig) -> u64 {
    let wanted_free = quota.map_or(config.free_bytes, |quota| config.free_bytes.min(quota / 4));
    let too_many = config.keep_bytes.map_or(0, |keep| usage.used.saturating_sub(keep));
    too_many.max(wanted_free.saturating_sub(usage.available))
}

impl Recorder {
    pub(super) async fn keep_room(self: Arc<Self>, hot: Arc<Hot>) {
        loop {
            tokio::select! {
                biased;
                () = hot.room.notified() => {}
                () = self.clock.sleep(LOOK_AGAIN) => {}
            }
            if let Err(error) = self.make_room(&hot).await {
                tell(&error);
                self.clock.sleep(LOOK_AGAIN).await;
            }
        }
    }

    async fn make_room(self: &Arc<Self>, hot: &Hot) -> Result<(), StoreError> {
        while excess(&self.store.usage()?, self.store.quota(), &self.config.hot) > 0 {
            let next = hot.work().deletable.pop();
            let Some((key, len)) = next else {
                if !hot.work().deletable.take_forgot() {
                    return Ok(());
                }
                if let Err(error) = self.find_owed(hot).await {
                    tell(&error);
                    return Ok(());
                }
                continue;
            };
            if let Err(error) = self.delete_safe(hot, &key, len).await {
                hot.work().deletable.insert(key, len);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Deletes it here, if the hot store has it. That was so when it became safe; nothing is deleted on a promise.
    async fn delete_safe(&self, hot: &Hot, key: &Key, len: u64) -> Result<(), StoreError> {
        if hot.store.len(key).await? == Some(len) {
            self.store.remove(key).await?;
            self.metrics.hot_deleted.inc();
            return Ok(());
        }
        tracing::error!(%key, "the hot store has lost what was safe; it is copied again");
        hot.work().owe_again(key.clone(), len);
        hot.copier.notify_one();
        Ok(())
    }
}

fn tell(error: &(dyn std::error::Error + 'static)) {
    tracing::warn!(error, "cannot make room by deleting what is safe");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_goes() {
        let config = |keep_bytes| HotConfig { keep_bytes, free_bytes: 100, copies_max: 1 };
        let usage = |used, available| Usage { used, promised: 0, available };
        let table = [
            (usage(500, 1_000), None, None, 0),
            (usage(500, 99), None, None, 1),
            (usage(500, 1_000), None, Some(400), 100),
            (usage(500, 20), None, Some(490), 80),
            // A small quota is not kept free for the most part.
            (usage(300, 100), Some(400), None, 0),
            (usage(390, 10), Some(40), None, 0),
        ];
        for (usage, quota, keep, expected) in table {
            assert_eq!(excess(&usage, quota, &config(keep)), expected, "{usage:?} {quota:?} {keep:?}");
        }
    }
}
