//! The seven rules of DESIGN 5, one property each.

pub(crate) mod arrival;
pub(crate) mod coverage;
pub(crate) mod discontinuities;
pub(crate) mod recording;
pub(crate) mod transitions;

use proptest::prelude::*;

use crate::script::Script;

/// All of them at once, for a named case.
pub(crate) fn check(script: &Script) -> Result<(), TestCaseError> {
    let moments = transitions::Moment::many();
    transitions::follows(script, &moments)?;
    transitions::deltas(script, &moments)?;
    transitions::listed_is_there(script, &moments)?;
    coverage::silence(script)?;
    coverage::end(script)?;
    coverage::sums(script)?;
    if script.renditions.len() == 1 {
        discontinuities::lone(script)?;
    }
    discontinuities::together(script)?;
    recording::vod(script)?;
    arrival::places(script)
}
