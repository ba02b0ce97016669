//! The seven rules of DESIGN 5, one property each.

mod arrival;
mod coverage;
mod discontinuities;
mod recording;
mod transitions;
