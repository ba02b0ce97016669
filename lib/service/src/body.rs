//! Request bodies read piece by piece, with limits on their length, on their pauses, and on how long they take.

use std::pin::Pin;
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body::Body as _;
use http_body_util::BodyExt;
use tokio::time::{Sleep, sleep, timeout};

use crate::problem::{Problem, ProblemKind};

/// What a body may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyLimits {
    pub len_max: u64,
    /// The longest time without a byte.
    pub idle: Duration,
    /// The longest time from the first look at the body to its last byte. Without it, a byte a minute would hold an
    /// upload open for ever.
    pub whole: Duration,
}

impl BodyLimits {
    /// How long a body may pause unless told otherwise: some encoders send their headers long before the body.
    pub const IDLE: Duration = Duration::from_secs(60);
    /// How long a body may take unless told otherwise: what was recorded in seconds may come through a very thin line.
    pub const WHOLE: Duration = Duration::from_secs(60 * 60);

    pub fn new(len_max: u64) -> Self {
        Self { len_max, idle: Self::IDLE, whole: Self::WHOLE }
    }
}

/// A request's body on its way in. Holds one piece at a time; nothing is read, and no `100 Continue` sent, before
/// the first [`next`](Self::next).
#[derive(Debug)]
pub struct BodyReader {
    body: Body,
    limits: BodyLimits,
    /// The length that was declared.
    declared: Option<u64>,
    len: u64,
    /// What was read of it and not given out yet.
    rest: Bytes,
    /// How much is left of the part that is being read, if it is read in parts.
    part_left: Option<u64>,
    broken: bool,
    /// Runs from the first look on.
    whole: Option<Pin<Box<Sleep>>>,
}

impl BodyReader {
    /// Refuses a body at once whose declared length is over the limit.
    pub fn new(body: Body, limits: BodyLimits) -> Result<Self, BodyError> {
        let declared = body.size_hint().exact();
        match declared {
            Some(len) if len > limits.len_max => Err(BodyError::TooLarge { len_max: limits.len_max }),
            _ => Ok(Self {
                body,
                limits,
                declared,
                len: 0,
                rest: Bytes::new(),
                part_left: None,
                broken: false,
                whole: None,
            }),
        }
    }

    /// The declared length in bytes; a chunked body has none. Of a part, what is left of it.
    pub fn declared_len(&self) -> Option<u64> {
        self.part_left.or(self.declared)
    }

    /// The next bytes, never empty; `None` after the last, or after the last of a part. Trailers are skipped. Dropping
    /// the future loses nothing.
    pub async fn next(&mut self) -> Option<Result<Bytes, BodyError>> {
        if self.part_left == Some(0) {
            return None;
        }
        if self.rest.is_empty() {
            match self.read().await {
                Some(Ok(data)) => self.rest = data,
                None if self.part_left.is_none() => return None,
                failed => {
                    self.broken = true;
                    return Some(failed.unwrap_or(Err(BodyError::Short)));
                }
            }
        }
        let most = self.part_left.map_or(usize::MAX, |left| usize::try_from(left).unwrap_or(usize::MAX));
        let piece = self.rest.split_to(self.rest.len().min(most));
        self.part_left = self.part_left.map(|left| left - piece.len() as u64);
        Some(Ok(piece))
    }

    /// Whether it has failed: there will be no more of it.
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// From here on the body ends after `len` bytes, until [`next_head`](Self::next_head) goes on.
    pub fn begin_part(&mut self, len: u64) {
        self.part_left = Some(len);
    }

    /// Skips what is left of a part, and reads on to the empty line (CRLF CRLF) that ends the head of the next one, with
    /// that line; `None` if there is no next part.
    pub async fn next_head(&mut self, len_max: usize) -> Option<Result<Bytes, BodyError>> {
        while self.part_left.is_some_and(|left| left > 0) {
            if let Err(error) = self.next().await? {
                return Some(Err(error));
            }
        }
        self.part_left = None;
        let mut head = BytesMut::new();
        loop {
            let piece = match self.next().await {
                Some(Ok(piece)) => piece,
                None if head.is_empty() => return None,
                None => return Some(Err(BodyError::Short)),
                Some(Err(error)) => return Some(Err(error)),
            };
            head.extend_from_slice(&piece);
            let end = head.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4);
            if let Some(end) = end.filter(|end| *end <= len_max) {
                // A piece is given out whole: nothing else of it is left.
                self.rest = head.split_off(end).freeze();
                return Some(Ok(head.freeze()));
            }
            if end.is_some() || head.len() > len_max {
                return Some(Err(BodyError::LongHead { len_max }));
            }
        }
    }

    async fn read(&mut self) -> Option<Result<Bytes, BodyError>> {
        let BodyLimits { idle, whole, .. } = self.limits;
        let over = self.whole.get_or_insert_with(|| Box::pin(sleep(whole)));
        loop {
            let frame = tokio::select! {
                biased;
                frame = timeout(idle, self.body.frame()) => frame,
                () = over.as_mut() => return Some(Err(BodyError::Slow { after: whole })),
            };
            let Ok(frame) = frame else { return Some(Err(BodyError::Idle { after: idle })) };
            match frame?.map(http_body::Frame::into_data) {
                Ok(Ok(data)) if !data.is_empty() => return Some(self.count(data)),
                Ok(_) => {}
                Err(error) => return Some(Err(BodyError::Broken(error))),
            }
        }
    }

    /// The rest of it in one piece, for small documents.
    pub async fn collect(mut self) -> Result<Bytes, BodyError> {
        let mut all = Vec::new();
        while let Some(piece) = self.next().await {
            all.extend_from_slice(&piece?);
        }
        Ok(all.into())
    }

    fn count(&mut self, data: Bytes) -> Result<Bytes, BodyError> {
        self.len += data.len() as u64;
        let len_max = self.limits.len_max;
        if self.len > len_max { Err(BodyError::TooLarge { len_max }) } else { Ok(data) }
    }
}

/// Why a body did not arrive. All of these are the sender's or the network's fault.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    #[error("the body is longer than {len_max} bytes")]
    TooLarge { len_max: u64 },
    #[error("no byte of the body came for {} s", after.as_secs())]
    Idle { after: Duration },
    #[error("the body has not come to its end within {} s", after.as_secs())]
    Slow { after: Duration },
    #[error("the body ends in the middle of a part")]
    Short,
    #[error("the head of a part is longer than {len_max} bytes")]
    LongHead { len_max: usize },
    #[error("the body broke off: {0}")]
    Broken(axum::Error),
}

impl From<BodyError> for Problem {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge { len_max } => ProblemKind::TOO_LARGE.detail(error).with("max", len_max),
            BodyError::Idle { .. } | BodyError::Slow { .. } => ProblemKind::TIMEOUT.detail(error),
            // The network's fault, whoever says so: it is worth another try.
            BodyError::Broken(_) | BodyError::Short => ProblemKind::BROKEN_OFF.detail(error),
            BodyError::LongHead { .. } => ProblemKind::BAD_REQUEST.detail(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream::{self, StreamExt};

    use super::*;

    type Piece = Result<&'static str, std::io::Error>;

    fn reader(pieces: Vec<Piece>, ends: bool) -> BodyReader {
        let pieces = stream::iter(pieces);
        let body = if ends { Body::from_stream(pieces) } else { Body::from_stream(pieces.chain(stream::pending())) };
        BodyReader::new(body, BodyLimits::new(6)).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_ends_in_one_of_four_ways() {
        let whole = reader(vec![Ok("abc"), Ok(""), Ok("def")], true);
        assert_eq!(whole.declared_len(), None);
        assert_eq!(whole.collect().await.unwrap(), "abcdef");

        let mut idle = reader(vec![Ok("a")], false);
        assert_eq!(idle.next().await.unwrap().unwrap(), "a");
        let error = idle.next().await.unwrap().unwrap_err();
        assert_eq!(error.to_string(), "no byte of the body came for 60 s");

        let too_large = reader(vec![Ok("abc"), Ok("defg")], true);
        let problem = Problem::from(too_large.collect().await.unwrap_err());
        assert_eq!((problem.status().as_u16(), &problem.to_json()["max"]), (413, &6.into()));

        let broken = reader(vec![Ok("a"), Err(std::io::Error::other("gone"))], true);
        let error = broken.collect().await.unwrap_err();
        assert_eq!(error.to_string(), "the body broke off: gone");
        assert_eq!(Problem::from(error).to_json()["type"], "/problems/broken-off");
    }

    #[tokio::test(start_paused = true)]
    async fn a_byte_now_and_then_is_not_enough() {
        let clock = crate::Clock::system();
        let begun = clock.instant();
        let drops = stream::unfold((), |()| async move {
            tokio::time::sleep(BodyLimits::IDLE - Duration::from_secs(1)).await;
            Some((Ok::<_, std::io::Error>("a"), ()))
        });
        let mut slow = BodyReader::new(Body::from_stream(drops), BodyLimits::new(1 << 20)).unwrap();
        let mut len = 0;
        let error = loop {
            match slow.next().await.unwrap() {
                Ok(piece) => len += piece.len(),
                Err(error) => break error,
            }
        };
        assert_eq!(error.to_string(), "the body has not come to its end within 3600 s");
        assert_eq!((len, begun.elapsed()), (61, BodyLimits::WHOLE));
        assert_eq!(Problem::from(error).status().as_u16(), 408);
    }

    #[tokio::test]
    async fn a_body_can_be_read_in_parts_however_it_is_cut() {
        let sent = "a: 1\r\n\r\nonea: 2\r\n\r\na: 3\r\n\r\nthree and more";
        for cut in 1..sent.len() {
            let pieces =
                sent.as_bytes().chunks(cut).map(|piece| Ok::<_, std::io::Error>(Bytes::copy_from_slice(piece)));
            let body = Body::from_stream(stream::iter(pieces.collect::<Vec<_>>()));
            let mut reader = BodyReader::new(body, BodyLimits::new(99)).unwrap();
            let mut parts = Vec::new();
            // Of the third, only a piece is read.
            for (len, read) in [(3, 9), (0, 9), (14, 1)] {
                parts.push(reader.next_head(64).await.unwrap().unwrap());
                reader.begin_part(len);
                assert_eq!(reader.declared_len(), Some(len));
                let mut part = Vec::new();
                for _ in 0..read {
                    part.extend(reader.next().await.transpose().unwrap().unwrap_or_default());
                }
                parts.push(part.into());
            }
            assert_eq!(parts[..5], ["a: 1\r\n\r\n", "one", "a: 2\r\n\r\n", "", "a: 3\r\n\r\n"], "cut at {cut}");
            assert!(b"three and more".starts_with(&parts[5]), "cut at {cut}");
            assert!(reader.next_head(64).await.is_none(), "cut at {cut}");
        }
    }

    #[tokio::test]
    async fn a_part_that_is_none_is_refused() {
        let read = async |sent: &'static str, len| {
            let mut reader = BodyReader::new(Body::from(sent), BodyLimits::new(999)).unwrap();
            reader.next_head(16).await.unwrap()?;
            reader.begin_part(len);
            reader.collect().await
        };
        let error = |result: Result<Bytes, BodyError>| result.unwrap_err().to_string();
        assert_eq!(error(read("a: 1\r\n", 0).await), "the body ends in the middle of a part");
        assert_eq!(error(read("a: 1\r\n\r\nabc", 4).await), "the body ends in the middle of a part");
        assert_eq!(error(read("a: 1234567890\r\n\r\n", 0).await), "the head of a part is longer than 16 bytes");
        assert_eq!(error(read("a: 123456789012345", 0).await), "the head of a part is longer than 16 bytes");
        assert_eq!(read("a: 1\r\n\r\nabcd", 4).await.unwrap(), "abcd");
    }

    #[test]
    fn a_declared_length_is_believed_before_the_body_is_read() {
        let refused = BodyReader::new(Body::from("1234567"), BodyLimits::new(6));
        assert!(matches!(refused, Err(BodyError::TooLarge { len_max: 6 })));
        let taken = BodyReader::new(Body::from("123456"), BodyLimits::new(6)).unwrap();
        assert_eq!(taken.declared_len(), Some(6));
    }
}
