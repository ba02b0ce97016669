//! The promises of the views (DESIGN 5), each tested over random recordings, networks and readers' clocks.
//!
//! `simulation` makes the log of a publisher that suffers everything a publisher can suffer, and remembers the truth;
//! `reader` polls a broadcast as viewers do; `rules` holds one property for each rule, `fold` those of the fold
//! itself, and `scenarios` and `regressions` small named cases. The judge of playlists is `testkit::hls`.

// Everybody else calls it so; only its own package has to be told.
extern crate headwater_broadcast as broadcast;

mod by_hand;
mod ending;
mod fold;
mod generations;
mod hostile;
mod reader;
mod regressions;
mod rules;
mod scenarios;
mod script;
mod simulation;
