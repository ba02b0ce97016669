//! Bytes that are checked against the digest in their key while they pass.

use broadcast::{Digest, Key, Object};
use futures_util::stream::{self, StreamExt};

use crate::blob::Blob;
use crate::error::StoreError;

/// The same whole object, whose stream ends with [`StoreError::Damaged`] if its bytes are not those that `key` names.
/// Whoever keeps what comes keeps nothing then. A broadcast's document has no digest and passes as it is.
pub fn verified(key: &Key, blob: Blob) -> Blob {
    let digest = match &key.object {
        Object::Segment { digest, .. } | Object::Init { digest, .. } => *digest,
        Object::Document => return blob,
    };
    let (len, name) = (blob.len(), key.to_string());
    let state = (blob.into_stream(), blake3::Hasher::new(), 0u64);
    let checked = stream::try_unfold(state, move |(mut bytes, mut hasher, mut passed)| {
        let name = name.clone();
        async move {
            match bytes.next().await {
                Some(piece) => {
                    let piece = piece?;
                    hasher.update(&piece);
                    passed += piece.len() as u64;
                    Ok(Some((piece, (bytes, hasher, passed))))
                }
                None if passed == len && Digest::of_blake3(hasher.finalize().as_bytes()) == digest => Ok(None),
                None => Err(StoreError::Damaged { key: name }),
            }
        }
    });
    Blob::new(len, checked)
}

#[cfg(test)]
mod tests {
    use broadcast::{BroadcastId, RenditionName};
    use bytes::Bytes;

    use super::*;

    #[tokio::test]
    async fn only_the_right_bytes_pass_to_the_end() {
        let digest = Digest::of_blake3(blake3::hash(b"right").as_bytes());
        let key = Key::of_init(BroadcastId::new(1, 2), RenditionName::main(), digest);
        let pass = async |bytes: &'static [u8]| verified(&key, Bytes::from_static(bytes).into()).collect().await;
        assert_eq!(pass(b"right").await.unwrap(), "right");
        for wrong in [b"wrong".as_slice(), b"", b"right!"] {
            assert!(matches!(pass(wrong).await, Err(StoreError::Damaged { .. })), "{wrong:?}");
        }
        let short = Blob::new(6, stream::iter([Ok(Bytes::from_static(b"right"))]));
        assert!(matches!(verified(&key, short).collect().await, Err(StoreError::Damaged { .. })));
    }
}
