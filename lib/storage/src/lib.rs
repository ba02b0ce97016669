//! Segment bytes under self-describing keys.
