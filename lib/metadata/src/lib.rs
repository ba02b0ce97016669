//! The arrival log and the registries: one trait, Redis and embedded SQLite behind it.
