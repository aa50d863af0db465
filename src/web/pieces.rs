//! Bodies that are made piece by piece: streams of events.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::Frame;
use tokio::sync::mpsc;

/// The receiving end of a body. When the client is gone, so is it, and sending fails.
struct Pieces(mpsc::Receiver<io::Result<Bytes>>);

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.0
            .poll_recv(context)
            .map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}

/// Returns a body, and where its pieces are sent. An error breaks the connection, so that the
/// client knows that the body is not whole.
pub(in crate::web) fn body() -> (mpsc::Sender<io::Result<Bytes>>, Body) {
    let (sender, receiver) = mpsc::channel(1);
    (sender, Body::new(Pieces(receiver)))
}

/// Returns a body with what `make` returns until it returns `None`.
///
/// It is called on a thread that may block, and only when the client has taken what was there
/// before: a slow client keeps no thread.
pub(in crate::web) fn made_of(
    mut make: impl FnMut() -> io::Result<Option<Bytes>> + Send + 'static,
) -> Body {
    let (sender, body) = body();
    tokio::spawn(async move {
        loop {
            let made = tokio::task::spawn_blocking(move || {
                let made = make();
                (make, made)
            });
            let Ok((again, made)) = made.await else {
                let _ = sender.send(Err(io::ErrorKind::Other.into())).await;
                return;
            };
            make = again;
            let Some(piece) = made.transpose() else {
                return;
            };
            let is_last = piece.is_err();
            if sender.send(piece).await.is_err() || is_last {
                return;
            }
        }
    });
    body
}
