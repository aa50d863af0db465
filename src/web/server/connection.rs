//! One connection: HTTP/1.1 with limits of time and size.

use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tower::{Service, ServiceExt};

use super::bodies::{Arriving, Busy, Leaving};
use super::patience::Patient;
use super::table::Place;

/// How long a client may take for the head of a request. A connection without a request is closed
/// after it as well.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// Most bytes of the head of a request.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// Most header lines of a request.
const HEADERS_MAX: usize = 100;

/// What answers requests.
pub(super) trait Served:
    Service<Request<Body>, Response = Response, Error = Infallible, Future: Send>
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<S> Served for S where
    S: Service<Request<Body>, Response = Response, Error = Infallible, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static
{
}

/// Serves a connection until either side closes it.
pub(super) async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    service: impl Served,
    place: &Place,
    mut stopped: watch::Receiver<bool>,
) {
    let answering = service_fn(|request: Request<Incoming>| {
        let service = service.clone();
        async move {
            let busy = Busy::new(&place.is_busy);
            let mut request = request.map(|body| Body::new(Arriving::new(body)));
            request.extensions_mut().insert(place.peer);
            let answer: Response = service.oneshot(request).await?;
            Ok::<_, Infallible>(answer.map(|body| Leaving { body, _busy: busy }))
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_headers(HEADERS_MAX)
        .max_header_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(Patient::new(stream)), answering);
    let mut connection = pin!(connection);
    tokio::select! {
        // Errors of the connection are the client's concern.
        _ = connection.as_mut() => return,
        () = place.close.notified() => return,
        _ = stopped.wait_for(|stop| *stop) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}
