//! Uploads that are durable before anybody knows which segment they are: their file names say what is known.

use std::fmt;

use broadcast::BroadcastId;

/// What is known of a stock pusher's upload when it arrives: enough to find out the rest after a restart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ParkedName {
    broadcast: BroadcastId,
    arrived_ms: i64,
    path: String,
}

impl ParkedName {
    /// The longest path, in bytes once `/`, `%` and control characters are written as `%2F` and the like: what a file
    /// name holds (255) less time and number.
    pub const PATH_LEN_MAX: usize = 255 - 13 - 1 - 2 - 1;

    /// The last moment that a name can tell, in the year 2286.
    const ARRIVED_MAX: i64 = 9_999_999_999_999;

    /// `broadcast` is whose token was used, `path` what was asked for after the token. `arrived_ms` is in
    /// milliseconds since the Unix epoch; a time before it counts as the epoch.
    pub fn new(broadcast: BroadcastId, arrived_ms: i64, path: &str) -> Result<Self, ParkedNameError> {
        let len = encode(path).len();
        if len > Self::PATH_LEN_MAX {
            return Err(ParkedNameError { len });
        }
        Ok(Self { broadcast, arrived_ms: arrived_ms.clamp(0, Self::ARRIVED_MAX), path: path.to_owned() })
    }

    pub fn broadcast(&self) -> BroadcastId {
        self.broadcast
    }

    pub fn arrived_ms(&self) -> i64 {
        self.arrived_ms
    }

    pub fn path(&self) -> &str {
        &self.path
    }
}

/// A path that makes no file name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the path has {len} bytes, at most {} can be kept", ParkedName::PATH_LEN_MAX)]
pub struct ParkedNameError {
    pub len: usize,
}

/// An upload that was parked. Printed, it is its file's name: `{broadcast}/{arrived_ms}-{nth}-{path}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Parked {
    name: ParkedName,
    /// Tells apart what came under one name in the same millisecond.
    nth: u8,
    len: u64,
}

impl Parked {
    const NTH_MAX: u8 = 99;

    pub(super) fn new(name: ParkedName, len: u64) -> Self {
        Self { name, nth: 0, len }
    }

    pub fn name(&self) -> &ParkedName {
        &self.name
    }

    /// In bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn next(&self) -> Option<Self> {
        (self.nth < Self::NTH_MAX).then(|| Self { nth: self.nth + 1, ..self.clone() })
    }

    pub(super) fn parse(text: &str, len: u64) -> Option<Self> {
        let (broadcast, file) = text.split_once('/')?;
        let mut parts = file.splitn(3, '-');
        let (arrived_ms, nth, path) = (parts.next()?, parts.next()?, parts.next()?);
        let name = ParkedName::new(broadcast.parse().ok()?, arrived_ms.parse().ok()?, &decode(path)?).ok()?;
        let parked = Self { name, nth: nth.parse().ok()?, len };
        // One spelling for each.
        (parked.to_string() == text).then_some(parked)
    }
}

impl fmt::Display for Parked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ParkedName { broadcast, arrived_ms, path } = &self.name;
        write!(f, "{broadcast}/{arrived_ms:013}-{:02}-{}", self.nth, encode(path))
    }
}

/// Percent-encodes what a file name cannot hold; everything else stays readable.
fn encode(path: &str) -> String {
    let mut encoded = String::with_capacity(path.len());
    for c in path.chars() {
        match c {
            '/' | '%' | '\0'..='\x1f' | '\x7f' => encoded.push_str(&format!("%{:02X}", u32::from(c))),
            _ => encoded.push(c),
        }
    }
    encoded
}

fn decode(encoded: &str) -> Option<String> {
    let mut parts = encoded.split('%');
    let mut path = parts.next()?.to_owned();
    for part in parts {
        let code = u8::from_str_radix(part.get(..2)?, 16).ok().filter(u8::is_ascii)?;
        path.push(char::from(code));
        path.push_str(&part[2..]);
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parked(path: &str) -> Parked {
        Parked::new(ParkedName::new(BroadcastId::new(1, 2), 1_790_000_000_123, path).unwrap(), 7)
    }

    #[test]
    fn names_read_back() {
        for path in ["seg1.ts", "a/b c/seg-1.ts", "100%.ts", "%2F", "", ".", "../x", "ü/日本\n\x7f.ts", "a\0b"] {
            let second = parked(path).next().unwrap();
            for parked in [parked(path), second] {
                let text = parked.to_string();
                assert_eq!(Parked::parse(&text, 7), Some(parked), "{text}");
                assert_eq!(text.matches('/').count(), 1, "{text}");
                assert!(text.bytes().all(|b| b >= 0x20 && b != 0x7f));
            }
        }
        assert!(parked("a/b.ts").to_string().ends_with("/1790000000123-00-a%2Fb.ts"));
    }

    #[test]
    fn times_are_kept_within_their_digits() {
        for (given, kept) in [(-5, 0), (i64::MAX, 9_999_999_999_999)] {
            let name = ParkedName::new(BroadcastId::new(1, 2), given, "x").unwrap();
            assert_eq!(name.arrived_ms(), kept);
            let parked = Parked::new(name, 0);
            assert_eq!(Parked::parse(&parked.to_string(), 0), Some(parked));
        }
    }

    #[test]
    fn a_path_must_fit_a_file_name() {
        let new = |path: &str| ParkedName::new(BroadcastId::new(1, 2), 1, path);
        let longest = "x".repeat(ParkedName::PATH_LEN_MAX);
        assert_eq!(Parked::new(new(&longest).unwrap(), 0).to_string().split_once('/').unwrap().1.len(), 255);
        assert_eq!(new(&format!("{longest}x")), Err(ParkedNameError { len: 239 }));
        assert_eq!(new(&"/".repeat(80)), Err(ParkedNameError { len: 240 }));
    }

    #[test]
    fn other_names_are_not_ours() {
        let good = parked("a/b.ts").to_string();
        let upper = good.replace("%2F", "%2f");
        for text in ["", "x", "x/y-z-w", &good[1..], &upper, &good.replace("-00-", "-0-"), &format!("{good}%"), "a/%F"]
        {
            assert_eq!(Parked::parse(text, 0), None, "{text}");
        }
    }

    #[test]
    fn one_name_holds_a_hundred() {
        let all = std::iter::successors(Some(parked("x")), Parked::next).count();
        assert_eq!(all, 100);
    }
}
