//! The slots of a Redis Cluster: what each of its primaries has a share of. A key's slot follows from its name alone
//! (Redis Cluster specification, "Key distribution model").

use broadcast::BroadcastId;

use super::keys;

/// How many there are, in every cluster.
pub(super) const SLOTS: u16 = 16_384;

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot(u16);

impl Slot {
    /// Of a key: by what is between its first pair of braces, if there is something.
    pub(super) fn of_key(key: &str) -> Self {
        let tag = key.split_once('{').and_then(|(_, rest)| Some(rest.split_once('}')?.0));
        let hashed = tag.filter(|tag| !tag.is_empty()).unwrap_or(key);
        Self(crc16(hashed.as_bytes()) % SLOTS)
    }

    /// Of all keys of a broadcast.
    pub(super) fn of(id: BroadcastId) -> Self {
        Self::of_key(&keys::log(id))
    }

    pub(super) fn index(self) -> usize {
        self.0.into()
    }
}

impl TryFrom<u16> for Slot {
    type Error = ();

    fn try_from(number: u16) -> Result<Self, ()> {
        if number < SLOTS { Ok(Self(number)) } else { Err(()) }
    }
}

/// CRC-16/XMODEM. Bit by bit: the keys are short, and are hashed once for each round trip.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        let crc = crc ^ (u16::from(*byte) << 8);
        (0..8).fold(crc, |crc, _| if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 })
    })
}

#[cfg(test)]
mod tests {
    use broadcast::{RenditionName, Seq};

    use super::*;

    #[test]
    fn a_slot_is_that_of_the_server() {
        // The first is the check value of the specification; the others are what `CLUSTER KEYSLOT` says.
        assert_eq!(crc16(b"123456789"), 0x31c3);
        let cases =
            [("foo", 12182), ("{foo}bar", 12182), ("a{foo}{bar}", 12182), ("foo{}{bar}", 8363), ("{foo", 13308)];
        for (key, slot) in cases {
            assert_eq!(Slot::of_key(key), Slot(slot), "{key}");
        }
    }

    #[test]
    fn a_broadcast_has_one_slot() {
        let id = BroadcastId::new(1_790_000_000_000, 7);
        let bucket = keys::bucket(Seq(1_000_000)).0;
        for key in [keys::log(id), keys::state(id), keys::segments(id, &RenditionName::main(), bucket)] {
            assert_eq!(Slot::of_key(&key), Slot::of(id), "{key}");
        }
    }

    #[test]
    fn there_are_no_others() {
        assert_eq!(Slot::try_from(SLOTS - 1), Ok(Slot(SLOTS - 1)));
        assert_eq!(Slot::try_from(SLOTS), Err(()));
    }
}
