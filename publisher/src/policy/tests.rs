//! The table of cases in `cases.json`, which the policy of the phone publisher in the browser is held against too.

use super::*;
use crate::ledger::tests::{ledger_of, name};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(rename = "about")]
    _about: Vec<String>,
    cases: Vec<Case>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    owed: u64,
    #[serde(default = "usual_ms")]
    duration_ms: u32,
    #[serde(default)]
    acknowledged: Vec<u64>,
    #[serde(default)]
    now_ms: i64,
    #[serde(default)]
    in_flight: Vec<(Kind, String, Vec<u64>, i64)>,
    #[serde(default)]
    unsure: Vec<u64>,
    recorders: Option<Vec<String>>,
    #[serde(default)]
    failed: Vec<(String, i64)>,
    #[serde(default)]
    answered: Vec<String>,
    bytes_per_s: Option<f64>,
    expected: Vec<(Kind, String, Vec<u64>)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Live,
    Missing,
}

impl From<Class> for Kind {
    fn from(class: Class) -> Self {
        match class {
            Class::Live => Self::Live,
            Class::Missing => Self::Missing,
        }
    }
}

impl From<Kind> for Class {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Live => Self::Live,
            Kind::Missing => Self::Missing,
        }
    }
}

fn usual_ms() -> u32 {
    2_000
}

fn url(name: &str) -> RecorderUrl {
    RecorderUrl(name.to_owned())
}

impl Case {
    fn check(&self) {
        let mut ledger = ledger_of(self.owed, self.duration_ms);
        self.acknowledged.iter().for_each(|seq| ledger.acknowledged(&name(*seq), false));
        let recorders = self.recorders.clone().unwrap_or_else(|| vec!["near".to_owned(), "far".to_owned()]);
        let mut route = Route::new(recorders.iter().map(|recorder| url(recorder)).collect());
        self.failed.iter().for_each(|(recorder, at_ms)| route.failed(&url(recorder), *at_ms, None, 1.0));
        self.answered.iter().for_each(|recorder| route.answered(&url(recorder)));
        let upload = |(kind, recorder, seqs, moved_ms): &(Kind, String, Vec<u64>, i64)| InFlight {
            names: seqs.iter().map(|seq| name(*seq)).collect(),
            class: (*kind).into(),
            recorder: url(recorder),
            moved_ms: *moved_ms,
        };
        let in_flight: Vec<_> = self.in_flight.iter().map(upload).collect();
        let situation = Situation {
            now: CapturedAt(i64::try_from(self.owed).expect("small") * i64::from(self.duration_ms)),
            now_ms: self.now_ms,
            ledger: &ledger,
            in_flight: &in_flight,
            unsure: &self.unsure.iter().map(|seq| name(*seq)).collect(),
            route: &route,
            bytes_per_s: self.bytes_per_s,
        };
        let starts = plan(&situation, &PolicyConfig::default());
        let found: Vec<(Kind, String, Vec<u64>)> = starts
            .into_iter()
            .map(|start| (start.class.into(), start.recorder.0, start.names.iter().map(|name| name.seq.0).collect()))
            .collect();
        assert_eq!(found, self.expected, "{}", self.name);
    }
}

#[test]
fn it_decides_as_the_table_says() {
    let table: Table = serde_json::from_str(include_str!("cases.json")).expect("a table");
    assert!(table.cases.len() >= 20);
    table.cases.iter().for_each(Case::check);
}
