//! What carries the questions to the other nodes, and their answers back.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty};
use service::{HttpsClient, https_client};

/// A question has no body.
pub type Asking = Request<Empty<Bytes>>;
/// An answer, its body still on its way.
pub type Answered = Response<UnsyncBoxBody<Bytes, io::Error>>;

/// What carries a question to the host that it names.
#[async_trait]
pub trait Transport: fmt::Debug + Send + Sync + 'static {
    async fn ask(&self, question: Asking) -> Result<Answered, Box<dyn Error + Send + Sync>>;
}

/// Connections over TCP and TLS, kept for the next question.
#[derive(Debug)]
pub(super) struct Network(HttpsClient<Empty<Bytes>>);

impl Network {
    pub(super) fn new(connect_max: Duration) -> Self {
        Self(https_client(connect_max))
    }
}

#[async_trait]
impl Transport for Network {
    async fn ask(&self, question: Asking) -> Result<Answered, Box<dyn Error + Send + Sync>> {
        let answer = self.0.request(question).await?;
        Ok(answer.map(|body| body.map_err(io::Error::other).boxed_unsync()))
    }
}
