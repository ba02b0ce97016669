//! A publisher by the publish protocol, as a phone is one: it numbers what it captures, and sends it in any order.

use testkit::{Answer, HttpClient, NewBroadcast};

/// One that publishes MPEG-TS to `main`.
#[derive(Clone, Debug)]
pub struct Publisher {
    client: HttpClient,
    ingest_url: String,
    bearer: String,
    /// When the first segment began, in milliseconds since the Unix epoch; each one is as long as `segment_ms`.
    pub started_ms: i64,
    pub segment_ms: i64,
}

impl Publisher {
    pub fn new(broadcast: &NewBroadcast, started_ms: i64, segment_ms: i64) -> Self {
        let bearer = format!("Bearer {}", broadcast.token);
        let ingest_url = broadcast.ingest_url.clone();
        Self { client: HttpClient::default(), ingest_url, bearer, started_ms, segment_ms }
    }

    /// The same, where Headwater is now.
    #[must_use]
    pub fn at(&self, url: &str) -> Self {
        let (_, path) = self.ingest_url.split_once("/ingest/").expect("an ingest address");
        Self { ingest_url: format!("{url}/ingest/{path}"), ..self.clone() }
    }

    /// PUT of a segment; `None` if there was no answer.
    pub fn try_put(&self, seq: usize, segment: &[u8]) -> Option<Answer> {
        let captured_ms = self.started_ms + i64::try_from(seq).expect("a small number") * self.segment_ms;
        let captured_at = captured_ms.to_string();
        let headers = [("authorization", self.bearer.as_str()), ("segment-captured-at", &captured_at)];
        self.client.send("PUT", &format!("{}/main/{seq}.ts", self.ingest_url), &headers, segment).ok()
    }

    /// PUT of a segment that has to be stored.
    ///
    /// # Panics
    /// If it is not.
    #[track_caller]
    pub fn put(&self, seq: usize, segment: &[u8]) {
        self.try_put(seq, segment).expect("an answer").expect(201);
    }

    /// Says the end: nothing more was recorded than what has arrived.
    ///
    /// # Panics
    /// If nobody hears it.
    #[track_caller]
    pub fn end(&self) {
        let url = format!("{}/end", self.ingest_url.replace("/ingest/", "/v1/broadcasts/"));
        let answer = self.client.send("POST", &url, &[("authorization", self.bearer.as_str())], []);
        answer.expect("an answer").expect(200);
    }

    /// What of the broadcast has arrived; `None` if there was no answer.
    pub fn try_status(&self) -> Option<serde_json::Value> {
        let answer = self.client.send("GET", &self.ingest_url, &[("authorization", self.bearer.as_str())], []);
        Some(answer.ok()?.expect(200).json())
    }

    /// The recorder's clock, in milliseconds since the Unix epoch.
    ///
    /// # Panics
    /// If it does not say.
    pub fn server_time_ms(&self) -> i64 {
        self.try_status().expect("an answer")["server_time_ms"].as_i64().expect("a time")
    }
}
