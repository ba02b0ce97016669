//! Takes segments in: verify, make durable, commit, acknowledge.
