use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use futures_util::StreamExt;

use crate::limits;

/// The part of a request's body that its handler did not read.
///
/// A connection that is closed while its client is still sending is reset, and the client then
/// never reads the answer that says why it was refused. So what is left is read before that.
pub(crate) struct Leftover(Option<Shared>);

impl Leftover {
    /// Keeps hold of the body that the handler is given.
    pub(crate) fn of(request: Request) -> (Self, Request) {
        if request.body().is_end_stream() {
            return (Self(None), request);
        }
        let (parts, body) = request.into_parts();
        let shared = Shared(Arc::new(Mutex::new(body)));
        let request = Request::from_parts(parts, Body::new(shared.clone()));
        (Self(Some(shared)), request)
    }

    /// Reads the rest and throws it away, up to a limit.
    pub(crate) async fn discard(self) {
        let Some(shared) = self.0 else { return };
        let discarding = async {
            let mut chunks = Body::new(shared).into_data_stream();
            let mut length = 0;
            while let Some(Ok(chunk)) = chunks.next().await {
                length += chunk.len();
                if length > limits::DISCARDED_BYTES {
                    break;
                }
            }
        };
        // A client that is slower than this has to do without the answer.
        let _ = tokio::time::timeout(limits::DISCARDING_TIME, discarding).await;
    }
}

/// A body that is read by its handler first, and then by [`Leftover::discard`].
#[derive(Clone)]
struct Shared(Arc<Mutex<Body>>);

impl HttpBody for Shared {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, axum::Error>>> {
        let mut body = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Pin::new(&mut *body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        let body = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        body.is_end_stream()
    }
}
