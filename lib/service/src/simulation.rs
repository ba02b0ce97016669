//! For simulations: everything on one thread and in one order, so that a seed tells all that happens.
//!
//! The feature only makes it possible; a thread has to ask for it.

use std::cell::Cell;

thread_local! {
    static ON: Cell<bool> = const { Cell::new(false) };
    static WITHOUT: Cell<Option<Safeguard>> = const { Cell::new(None) };
}

/// What keeps the promise. A simulation that does not notice when it is removed proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Safeguard {
    /// What is acknowledged is synced.
    Fsync,
    /// What is stored already is not stored a second time.
    Idempotency,
    /// Only what is safe is deleted from a spool.
    SafeRule,
    /// What the metadata store has lost is put back.
    PutBack,
    /// A publisher is waited for when its owner ends a broadcast.
    Grace,
}

/// From now on, what would block on a thread of its own is done at once on this one, when it is asked for.
pub fn simulate_on_this_thread() {
    ON.set(true);
}

/// Whether this thread was taken over.
pub fn is_simulated() -> bool {
    ON.get()
}

/// From now on this thread goes without it.
pub fn without(safeguard: Safeguard) {
    WITHOUT.set(Some(safeguard));
}

/// Whether this thread goes without it.
pub fn is_without(safeguard: Safeguard) -> bool {
    WITHOUT.get() == Some(safeguard)
}
