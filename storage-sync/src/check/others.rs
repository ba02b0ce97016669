//! What is on the disks of other recorders alone.

use std::collections::BTreeSet;
use std::sync::Arc;

use broadcast::Key;
use storage::Store;

/// The other recorders of a fleet.
#[derive(Clone, Debug)]
pub enum Others {
    /// They can be asked.
    Asked {
        store: Arc<dyn Store>,
        /// Who they are, and whose disks are looked at without asking.
        names: BTreeSet<String>,
    },
    /// Why they cannot.
    Unasked(String),
}

/// Where something is that no store has that was looked at.
pub(super) enum Whereabouts {
    There {
        store: Arc<dyn Store>,
        len: u64,
    },
    Nowhere,
    /// Those that may have it could not be asked.
    Unknown(String),
}

/// `nodes` are those that took the broadcast in.
pub(super) async fn whereabouts(others: Option<&Others>, nodes: &BTreeSet<String>, key: &Key) -> Whereabouts {
    let (store, names) = match others {
        None => return Whereabouts::Nowhere,
        Some(Others::Unasked(why)) => return Whereabouts::Unknown(why.clone()),
        Some(Others::Asked { store, names }) => (store, names),
    };
    match store.len(key).await {
        Ok(Some(len)) => Whereabouts::There { store: store.clone(), len },
        Err(error) => Whereabouts::Unknown(crate::found::error_line(&error)),
        Ok(None) if names.is_empty() => Whereabouts::Unknown("no recorder is registered".to_owned()),
        Ok(None) => match nodes.difference(names).next() {
            Some(name) => Whereabouts::Unknown(format!("{name}, which took the broadcast in, is not registered")),
            None => Whereabouts::Nowhere,
        },
    }
}
