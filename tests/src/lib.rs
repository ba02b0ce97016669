//! End-to-end tests across the roles, with the real programs.
