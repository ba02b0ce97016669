//! A small HTTP client for tests: blocking, any status is an answer, bodies are read whole.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode};

/// Longest answer, and longest body of one.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(60);
const BODY_LEN_MAX: u64 = 1 << 30;

/// An answer, whole.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as text.
    ///
    /// # Panics
    /// If it is none.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body should be UTF-8")
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// If it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {:?}", self.lossy()))
    }

    /// A header's value, or an empty one.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Itself, if its status is this one.
    ///
    /// # Panics
    /// If it is not, with the body.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.lossy());
        self
    }

    fn lossy(&self) -> String {
        String::from_utf8_lossy(&self.body[..self.body.len().min(2000)]).into_owned()
    }
}

/// A client with connections of its own.
#[derive(Clone, Debug)]
pub struct HttpClient(ureq::Agent);

impl Default for HttpClient {
    fn default() -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .max_redirects(0)
            .timeout_global(Some(ANSWER_TIME_MAX));
        Self(config.build().into())
    }
}

impl HttpClient {
    /// Sends one request; an error only if there was no answer.
    pub fn send(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: impl Into<Vec<u8>>,
    ) -> Result<Answer, ureq::Error> {
        let mut request = Request::builder().method(method).uri(url).body(body.into())?;
        for (name, value) in headers {
            let name: HeaderName = name.parse().map_err(http::Error::from)?;
            request.headers_mut().append(name, HeaderValue::from_str(value).map_err(http::Error::from)?);
        }
        let mut answer = self.0.run(request)?;
        let body = answer.body_mut().with_config().limit(BODY_LEN_MAX).read_to_vec()?;
        Ok(Answer { status: answer.status(), headers: answer.headers().clone(), body })
    }

    /// GET.
    ///
    /// # Panics
    /// If there is no answer.
    #[track_caller]
    pub fn get(&self, url: &str) -> Answer {
        self.send("GET", url, &[], []).unwrap_or_else(|error| panic!("no answer from {url}: {error}"))
    }
}
