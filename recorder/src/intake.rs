//! From the network to a temporary file: a body is written, hashed and inspected while it streams past.
//!
//! What one upload holds in memory is bounded: the store's pieces (see [`storage::Upload::PIECE_LEN`]), the
//! inspector's state, and an init section of at most [`media::INIT_LEN_MAX`].

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use broadcast::Digest;
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use media::{Content, Inspection, Inspector, SNIFF_LEN};
use service::{BodyReader, Problem, ProblemKind};
use sha2::{Digest as _, Sha256};
use storage::{LocalStore, Upload};

use crate::hashing::Blake3;
use crate::problems;

/// A body that has arrived whole. It is not durable yet.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub(crate) upload: Upload,
    pub(crate) len: u64,
    pub(crate) digest: Digest,
    pub(crate) kind: Kind,
}

/// What the body turned out to be.
#[derive(Debug)]
pub(crate) enum Kind {
    Segment(Box<Inspection>),
    /// A segment that nobody could inspect yet: its init section, or its number, is not known.
    Unseen(media::Container),
    /// An init section, in full.
    Init(Bytes),
}

/// The sha-256 member of Content-Digest: `sha-256=:BASE64:` (RFC 9530, 2).
pub(crate) fn sent_sha256(headers: &HeaderMap) -> Result<Option<[u8; 32]>, Problem> {
    let unreadable = || ProblemKind::BAD_REQUEST.detail("Content-Digest must read sha-256=:BASE64:");
    let Some(value) = headers.get("content-digest") else { return Ok(None) };
    let value = value.to_str().map_err(|_| unreadable())?;
    let members = value.split(',').map(str::trim);
    let Some(member) = members.into_iter().find_map(|member| member.strip_prefix("sha-256=")) else { return Ok(None) };
    let encoded = member.strip_prefix(':').and_then(|rest| rest.strip_suffix(':')).ok_or_else(unreadable)?;
    let bytes = BASE64_STANDARD.decode(encoded).map_err(|_| unreadable())?;
    bytes.try_into().map(Some).map_err(|_| unreadable())
}

/// `Segment-Digest`: the digest by which the sender knows the segment, as our answers tell it.
pub(crate) fn sent_digest(headers: &HeaderMap) -> Result<Option<Digest>, Problem> {
    let Some(value) = headers.get("segment-digest") else { return Ok(None) };
    let unreadable = || ProblemKind::BAD_REQUEST.detail("Segment-Digest must be the 32 hexadecimal digits of a digest");
    value.to_str().ok().and_then(|value| value.parse().ok()).map(Some).ok_or_else(unreadable)
}

/// Refuses what is not what its sender knows it as.
pub(crate) fn check_digest(sent: Option<Digest>, found: Digest) -> Result<(), Problem> {
    match sent {
        Some(sent) if sent != found => {
            let detail = format!("the sender knows it as {sent}, and what arrived is {found}");
            Err(problems::DIGEST_MISMATCH.detail(detail))
        }
        _ => Ok(()),
    }
}

/// Takes a body in, whose SHA-256 must be the one that was `sent`, if any. `inspector` is asked, once the first bytes
/// have told what is coming, how to inspect a segment.
pub(crate) async fn take_in(
    store: &LocalStore,
    body: &mut BodyReader,
    sent: Option<[u8; 32]>,
    inspector: impl FnOnce(media::Container) -> Result<Option<Inspector>, Problem>,
) -> Result<Arrived, Problem> {
    let upload = store.upload(body.declared_len()).map_err(problems::of_store)?;
    let head = read_head(body).await?;
    let walk = match Content::sniff(&head) {
        Some(Content::Segment(container)) => {
            inspector(container)?.map_or(Walk::Blind(container), |inspector| Walk::Inspect(Box::new(inspector)))
        }
        Some(Content::InitSection) => Walk::Keep(BytesMut::new()),
        None => return Err(problems::NOT_MEDIA.detail("neither MPEG-TS nor fragmented MP4")),
    };
    let sha256 = sent.map(|sent| (Sha256::new(), sent));
    let mut intake = Intake { upload, blake3: Blake3::new(), sha256, walk };
    intake.take(head).await?;
    while let Some(piece) = body.next().await {
        intake.take(piece?).await?;
    }
    intake.finish()
}

/// The digest of a body that is kept nowhere.
pub(crate) async fn digest_only(body: &mut BodyReader, sent: Option<[u8; 32]>) -> Result<Digest, Problem> {
    let (mut blake3, mut sha256) = (Blake3::new(), sent.map(|sent| (Sha256::new(), sent)));
    let mut len = 0;
    while let Some(piece) = body.next().await {
        let piece = piece?;
        len += piece.len() as u64;
        blake3.update(&piece);
        if let Some((sha256, _)) = &mut sha256 {
            sha256.update(&piece);
        }
    }
    check_sha256(sha256, len)?;
    Ok(blake3.finish())
}

fn check_sha256(sha256: Option<(Sha256, [u8; 32])>, len: u64) -> Result<(), Problem> {
    if sha256.is_some_and(|(hasher, sent)| <[u8; 32]>::from(hasher.finalize()) != sent) {
        let detail = format!("{len} bytes arrived, and their SHA-256 is another one");
        return Err(problems::DIGEST_MISMATCH.detail(detail));
    }
    Ok(())
}

/// Reads what is left of a refused body, within its limits: a connection with an unread body would have to be closed,
/// and a stock pusher whose connection is closed loses the next segment too, or gives up.
pub(crate) async fn drain(body: &mut BodyReader) {
    while let Some(Ok(_)) = body.next().await {}
}

/// As much as it takes to tell what is coming.
async fn read_head(body: &mut BodyReader) -> Result<Bytes, Problem> {
    let mut head = BytesMut::new();
    while head.len() < SNIFF_LEN {
        let Some(piece) = body.next().await else { break };
        let piece = piece?;
        if head.is_empty() && piece.len() >= SNIFF_LEN {
            return Ok(piece);
        }
        head.extend_from_slice(&piece);
    }
    Ok(head.freeze())
}

struct Intake {
    upload: Upload,
    blake3: Blake3,
    /// With what it has to come to.
    sha256: Option<(Sha256, [u8; 32])>,
    walk: Walk,
}

enum Walk {
    Inspect(Box<Inspector>),
    Blind(media::Container),
    Keep(BytesMut),
}

impl Intake {
    async fn take(&mut self, piece: Bytes) -> Result<(), Problem> {
        self.blake3.update(&piece);
        if let Some((hasher, _)) = &mut self.sha256 {
            hasher.update(&piece);
        }
        match &mut self.walk {
            Walk::Inspect(inspector) => inspector.push(&piece).map_err(|error| problems::NOT_MEDIA.detail(error))?,
            Walk::Blind(_) => {}
            Walk::Keep(kept) if kept.len() + piece.len() > media::INIT_LEN_MAX => {
                let detail = format!("an init section has at most {} bytes", media::INIT_LEN_MAX);
                return Err(ProblemKind::TOO_LARGE.detail(detail));
            }
            Walk::Keep(kept) => kept.extend_from_slice(&piece),
        }
        self.upload.write(piece).await.map_err(problems::of_store)
    }

    fn finish(self) -> Result<Arrived, Problem> {
        let len = self.upload.len();
        check_sha256(self.sha256, len)?;
        let digest = self.blake3.finish();
        let kind = match self.walk {
            Walk::Inspect(inspector) => {
                let inspection = inspector.finish().map_err(|error| problems::NOT_MEDIA.detail(error))?;
                Kind::Segment(Box::new(inspection))
            }
            Walk::Blind(container) => Kind::Unseen(container),
            Walk::Keep(kept) => Kind::Init(kept.freeze()),
        };
        Ok(Arrived { upload: self.upload, len, digest, kind })
    }
}
