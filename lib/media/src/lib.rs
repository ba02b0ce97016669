//! What one segment is, from its bytes.
