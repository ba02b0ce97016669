//! A short form of the chaos, with fixed seeds.

use headwater_chaos::{Form, SCENARIOS, run};
use headwater_tests::at_once;
use testkit::{Headwater, Namespace};

/// Those that say most in a minute; all the others are run by `make chaos`.
const CHOSEN: [(&str, u64); 5] = [("metro", 1), ("recorders", 2), ("sentinel", 3), ("all", 4), ("ended", 5)];

#[test]
fn nothing_is_lost_whatever_breaks() {
    if !Namespace::is_allowed_to_test("a real fleet with every fault behind a bad link") {
        return;
    }
    // Built before the time counts.
    Headwater::tool();
    let chosen = CHOSEN.map(|(name, seed)| {
        let scenario = SCENARIOS.into_iter().find(|scenario| scenario.name == name);
        (name, (scenario.expect("it is in the list"), seed))
    });
    at_once(&chosen, |name, (scenario, seed)| {
        println!("{name}: seed {seed}");
        println!("{name}: {:?}", run(scenario, Form::Short, *seed));
    });
}
