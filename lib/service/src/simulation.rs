//! For simulations: everything on one thread and in one order, so that a seed tells all that happens.
//!
//! The feature only makes it possible; a thread has to ask for it.

use std::cell::Cell;

thread_local! {
    static ON: Cell<bool> = const { Cell::new(false) };
}

/// From now on, what would block on a thread of its own is done at once on this one, when it is asked for.
pub fn take_over_this_thread() {
    ON.set(true);
}

/// Whether this thread was taken over.
pub fn is_on() -> bool {
    ON.get()
}
