//! The binary: command line, configuration, wiring, shutdown order.
fn main() {}
