//! A phone's way to the recorders: slow, long, gone at times. Requests travel in pieces; whatever is on its way when the
//! network goes is swallowed or torn, answers are lost, and old requests come a second time.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Body;
use bytes::Bytes;
use futures_util::Stream;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use publisher::{AnswerBody, RequestBody, Transport};
use service::Tasks;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::dice::Dice;
use crate::node::Nodes;
use crate::signal::Signal;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// How a way is at a moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Condition {
    pub(crate) up: bool,
    /// While it is down, whether requests hang; otherwise they are refused at once.
    pub(crate) swallows: bool,
    pub(crate) latency_ms: u64,
    pub(crate) bytes_per_s: u64,
    /// How many of a thousand connections are torn in mid-request.
    pub(crate) torn: u64,
    /// How many of a thousand answers get lost.
    pub(crate) deaf: u64,
    /// How many of a thousand requests come again later.
    pub(crate) twice: u64,
}

impl Condition {
    pub(crate) const GOOD: Self =
        Self { up: true, swallows: false, latency_ms: 30, bytes_per_s: 1 << 20, torn: 0, deaf: 0, twice: 0 };
}

/// One way. Clones are the same one.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    condition: Signal<Condition>,
    /// Until when what was given to it before keeps it busy.
    busy_until: Arc<Mutex<Instant>>,
}

/// The connection is gone.
#[derive(Debug, thiserror::Error)]
#[error("connection reset")]
pub(crate) struct Reset;

impl Link {
    pub(crate) fn new(now: Instant) -> Self {
        Self { condition: Signal::new(Condition::GOOD), busy_until: Arc::new(Mutex::new(now)) }
    }

    pub(crate) fn set(&self, change: impl FnOnce(&mut Condition)) {
        self.condition.change(change);
    }

    pub(crate) fn is_up(&self) -> bool {
        self.condition().up
    }

    fn condition(&self) -> Condition {
        self.condition.get()
    }

    /// Until something has crossed it.
    async fn pass(&self) -> Result<(), Reset> {
        let condition = self.condition();
        tokio::time::sleep(Duration::from_millis(condition.latency_ms / 2)).await;
        self.until_up().await
    }

    /// Until so many bytes have crossed it, after those before them.
    async fn carry(&self, len: usize) -> Result<(), Reset> {
        let time = Duration::from_micros(len as u64 * 1_000_000 / self.condition().bytes_per_s.max(1));
        let done = {
            let mut busy_until = lock(&self.busy_until);
            *busy_until = (*busy_until).max(tokio_now()) + time;
            *busy_until
        };
        tokio::time::sleep_until(done).await;
        self.until_up().await
    }

    async fn until_up(&self) -> Result<(), Reset> {
        let condition = self.condition();
        if condition.up {
            return Ok(());
        }
        if !condition.swallows {
            return Err(Reset);
        }
        self.condition.until(|condition| condition.up).await;
        Ok(())
    }
}

#[expect(clippy::disallowed_methods, reason = "simulated time")]
pub(crate) fn tokio_now() -> Instant {
    Instant::now()
}

/// What carries a phone's requests.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) link: Link,
    pub(crate) nodes: Nodes,
    pub(crate) dice: Dice,
    /// Of the world: what is sent twice outlives who sent it.
    pub(crate) tasks: Tasks,
}

#[async_trait]
impl Transport for Network {
    async fn send(&self, request: Request<RequestBody>) -> Result<Response<AnswerBody>, BoxError> {
        let host = request.uri().host().unwrap_or_default().to_owned();
        let condition = self.link.condition();
        let torn_after = self.dice.chance(condition.torn).then(|| self.dice.between(0, 3));
        let (twice, deaf) = (self.dice.chance(condition.twice), self.dice.chance(condition.deaf));
        self.link.pass().await?;
        let (head, body) = request.into_parts();
        let (sender, receiver) = mpsc::channel(1);
        let served = self.nodes.serve(
            &host,
            Request::from_parts(head.clone(), Body::from_stream(Pieces { pieces: receiver, ended: false })),
        );
        let mut served = served.ok_or(Reset)?;
        let mut sent = Sent::default();
        let early = tokio::select! {
            biased;
            answer = &mut served => Some(answer),
            pumped = self.pump(body, sender, torn_after, &mut sent) => {
                pumped?;
                None
            }
        };
        if twice {
            self.again(Request::from_parts(head, sent.again()));
        }
        let answer = match early {
            Some(answer) => answer,
            None => served.await,
        };
        let answer = answer.map_err(|_| Reset)?;
        self.link.pass().await?;
        if deaf {
            // It was done, and nobody here knows.
            return Err(Reset.into());
        }
        let (head, body) = answer.into_parts();
        self.link.carry(200 + body.len()).await?;
        Ok(Response::from_parts(head, Full::new(body).map_err(|never| match never {}).boxed_unsync()))
    }
}

impl Network {
    async fn pump(
        &self,
        mut body: RequestBody,
        sender: mpsc::Sender<Piece>,
        torn_after: Option<u64>,
        sent: &mut Sent,
    ) -> Result<(), BoxError> {
        self.link.carry(300).await?;
        let mut pieces = 0;
        while let Some(frame) = body.frame().await {
            let data = frame?.into_data().unwrap_or_default();
            if torn_after == Some(pieces) {
                self.link.carry(data.len() / 2).await?;
                // What the other side sees is half a piece, and the end of the connection.
                let _ = sender.send(Piece::Data(data.slice(..data.len() / 2))).await;
                return Err(Reset.into());
            }
            pieces += 1;
            self.link.carry(data.len()).await?;
            sent.bytes.extend_from_slice(&data);
            // An answer may have come before the body was read.
            if sender.send(Piece::Data(data)).await.is_err() {
                return Ok(());
            }
        }
        sent.is_whole = true;
        let _ = sender.send(Piece::End).await;
        Ok(())
    }

    /// The same request comes to somebody, some time later.
    fn again(&self, request: Request<Body>) {
        let (nodes, dice, link) = (self.nodes.clone(), self.dice.fork(), self.link.clone());
        self.tasks.spawn("a request comes again", async move {
            tokio::time::sleep(Duration::from_millis(dice.between(1, 90_000))).await;
            if link.until_up().await.is_ok()
                && let Some(served) = nodes.serve(&nodes.any(&dice), request)
            {
                let _ = served.await;
            }
        });
    }
}

/// What of a body has crossed the way.
#[derive(Debug, Default)]
struct Sent {
    bytes: Vec<u8>,
    is_whole: bool,
}

impl Sent {
    /// As it comes the second time. One that was not sent to its end, because the answer came before, breaks off: its length
    /// or its framing says that there is more.
    fn again(self) -> Body {
        let rest = (!self.is_whole).then(|| Err(io::ErrorKind::UnexpectedEof.into()));
        let pieces: Vec<io::Result<Bytes>> = [Ok(self.bytes.into())].into_iter().chain(rest).collect();
        Body::from_stream(futures_util::stream::iter(pieces))
    }
}

/// A part of a body on its way.
#[derive(Debug)]
enum Piece {
    Data(Bytes),
    End,
}

/// A body as the other side reads it: it ends well, or with an error.
struct Pieces {
    pieces: mpsc::Receiver<Piece>,
    ended: bool,
}

impl Stream for Pieces {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        // Who asks again after the end is told the same again, as by a server.
        if self.ended {
            return Poll::Ready(None);
        }
        let piece = ready!(self.pieces.poll_recv(cx));
        self.ended = !matches!(piece, Some(Piece::Data(_)));
        Poll::Ready(match piece {
            Some(Piece::Data(data)) => Some(Ok(data)),
            Some(Piece::End) => None,
            None => Some(Err(io::ErrorKind::UnexpectedEof.into())),
        })
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::truth::Truth;

    fn network() -> Network {
        let dice = Dice::new(1);
        Network {
            link: Link::new(tokio_now()),
            nodes: Nodes::new(vec![], Truth::default(), dice.fork()),
            dice,
            tasks: Tasks::new(),
        }
    }

    /// What comes the second time of a body of which the other side read so many pieces.
    async fn again(body: &'static str, read: usize) -> Option<Bytes> {
        let (network, mut sent) = (network(), Sent::default());
        let (sender, mut receiver) = mpsc::channel(1);
        let body = Full::new(Bytes::from_static(body.as_bytes())).map_err(|never| match never {}).boxed_unsync();
        let reads = async move {
            for _ in 0..read {
                receiver.recv().await;
            }
        };
        let (pumped, ()) = tokio::join!(network.pump(body, sender, None, &mut sent), reads);
        assert!(pumped.is_ok(), "nothing is torn");
        sent.again().collect().await.ok().map(http_body_util::Collected::to_bytes)
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_cut_short_by_its_answer_is_no_whole_request_later() {
        assert_eq!(again("all of it", 2).await.as_deref(), Some(&b"all of it"[..]));
        assert_eq!(again("all of it", 0).await, None);
        assert_eq!(again("", 0).await.as_deref(), Some(&b""[..]));
    }
}
