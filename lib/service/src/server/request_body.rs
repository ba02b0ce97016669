//! A request's body as the service is given it.
//!
//! An HTTP/1 connection whose request was not read to its end cannot go on to the next one. Who answers without reading
//! all of a body does not know of connections, so the body notes how far it was read, and the answer says
//! `Connection: close` if need be.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Version};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::activity::Activity;

/// The body of a request to a [`serve`](super::serve)d service.
#[derive(Debug)]
pub struct RequestBody {
    incoming: Incoming,
    /// To be told when all of it was read.
    unread: Option<Arc<Activity>>,
}

impl RequestBody {
    /// Notes on `activity` that there is a body to be read, if there is one and the connection needs to know.
    pub(super) fn of(request: Request<Incoming>, activity: &Arc<Activity>) -> Request<Self> {
        let matters = request.version() != Version::HTTP_2 && !request.body().is_end_stream();
        activity.body_is_unread(matters);
        request.map(|incoming| Self { incoming, unread: matters.then(|| activity.clone()) })
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.incoming).poll_frame(cx));
        if (frame.is_none() || self.incoming.is_end_stream())
            && let Some(activity) = self.unread.take()
        {
            activity.body_is_unread(false);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
