//! `/api/v1/stream`: events as they happen. `/api/v1/events`: events as they stand in the log.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum_extra::extract::Query;
use serde::Deserialize;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{broadcast, watch};
use tokio::time::timeout;

use crate::archive::Archive;
use crate::id::EventSeq;
use crate::service::objects::is_of_type;
use crate::web::hub::Told;
use crate::web::pieces;
use crate::web::problem::Problem;
use crate::web::state::Web;
use crate::web::visitor::Visitor;

/// How often a stream without events says that it is still there.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Milliseconds after which a browser asks again when a stream broke.
const OPENING: &str = "retry: 2000\n\n";
const HEARTBEAT_FRAME: &[u8] = b": still here\n\n";
/// Most events that are read from the log at a time.
const EVENTS_AT_ONCE: usize = 512;
/// Bytes after which a piece is sent.
const PIECE_BYTES: usize = 256 << 10;

/// Which events are wanted.
#[derive(Debug, Deserialize)]
pub(in crate::web) struct Wanted {
    /// The first event.
    from: Option<u64>,
    /// The last event.
    to: Option<u64>,
    /// Only of these types, in full or short.
    #[serde(default, rename = "type")]
    kinds: Vec<String>,
}

/// Sends events as they happen, from `from` or behind the `Last-Event-ID`; without either from now
/// on. The id of each is its number, so whoever asks again misses none and gets none twice.
#[utoipa::path(
    get,
    path = "/api/v1/stream",
    params(
        ("from" = Option<u64>, Query, description = "Number of the first event; without it from now on"),
        ("type" = Option<Vec<String>>, Query, description = "Only of these types, such as archived"),
        ("Last-Event-ID" = Option<u64>, Header, description = "Number of the last event that was received"),
    ),
    responses((status = 200, description = "Server-sent events: the id is the number, the data is the line of the log", content_type = "text/event-stream"))
)]
pub(in crate::web) async fn stream(
    State(web): State<Web>,
    visitor: Visitor,
    headers: HeaderMap,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    // Listening begins first: what happens from here on is heard.
    let (live, over) = web.hub().listen();
    let archive = web.work(&visitor, |desk| Ok(desk.archive.clone())).await?;
    let last = headers.get("last-event-id");
    let last = last.and_then(|id| id.to_str().ok()?.parse::<u64>().ok());
    let end = archive.newest().0.saturating_add(1);
    let from = last.map(|id| id.saturating_add(1)).or(wanted.from);
    // A store that was restored from a backup may have fewer events than were heard of.
    let next = EventSeq(from.unwrap_or(end).clamp(1, end));
    let listener = Listener {
        is_behind: next.0 < end,
        archive,
        next,
        kinds: wanted.kinds,
        live,
        over,
    };
    let (sender, body) = pieces::body();
    tokio::spawn(listener.tell(sender));
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, body).into_response())
}

/// One who listens.
struct Listener {
    archive: Archive,
    /// The number of the next event to tell.
    next: EventSeq,
    kinds: Vec<String>,
    /// True while the log has events that were not told.
    is_behind: bool,
    live: broadcast::Receiver<Arc<Told>>,
    over: watch::Receiver<bool>,
}

impl Listener {
    /// Tells events until the client is gone or the server ends. A client that is slow gets what
    /// it missed from the log, and holds nobody up.
    async fn tell(mut self, to: tokio::sync::mpsc::Sender<io::Result<Bytes>>) {
        let mut piece = OPENING.as_bytes().to_vec();
        loop {
            if !piece.is_empty() && to.send(Ok(Bytes::from(piece))).await.is_err() {
                return;
            }
            piece = Vec::new();
            if self.is_behind {
                match self.read_log().await {
                    Ok(read) => piece = read,
                    // Events are never passed over in silence: the stream breaks.
                    Err(error) => return drop(to.send(Err(error)).await),
                }
                continue;
            }
            let heard = tokio::select! {
                _ = self.over.wait_for(|over| *over) => return,
                () = to.closed() => return,
                heard = timeout(HEARTBEAT, self.live.recv()) => heard,
            };
            match heard {
                Ok(Ok(told)) => self.take(told, &mut piece),
                Ok(Err(RecvError::Lagged(_))) => self.is_behind = true,
                Ok(Err(RecvError::Closed)) => return,
                Err(_) => {
                    piece.extend_from_slice(HEARTBEAT_FRAME);
                    self.is_behind = self.next <= self.archive.newest();
                }
            }
        }
    }

    /// Takes an event that was heard, and those behind it.
    fn take(&mut self, first: Arc<Told>, piece: &mut Vec<u8>) {
        let mut told = Some(first);
        while let Some(event) = told.take() {
            if event.seq > self.next {
                // Something is between; the log has this one, too.
                self.is_behind = true;
                return;
            }
            if event.seq == self.next {
                self.next = EventSeq(event.seq.0 + 1);
                if event.is_of(&self.kinds) {
                    piece.extend_from_slice(&event.frame);
                }
            }
            if piece.len() >= PIECE_BYTES {
                return;
            }
            told = match self.live.try_recv() {
                Ok(event) => Some(event),
                Err(TryRecvError::Lagged(_)) => {
                    self.is_behind = true;
                    None
                }
                Err(TryRecvError::Empty | TryRecvError::Closed) => None,
            };
        }
    }

    /// Reads the next events from the log.
    async fn read_log(&mut self) -> io::Result<Vec<u8>> {
        let (archive, from, kinds) = (self.archive.clone(), self.next, self.kinds.clone());
        let read = tokio::task::spawn_blocking(move || {
            let (mut piece, mut next) = (Vec::new(), from);
            for leaf in archive.events(from, None)?.take(EVENTS_AT_ONCE) {
                let told = Told::of(&leaf?);
                next = EventSeq(told.seq.0 + 1);
                if told.is_of(&kinds) {
                    piece.extend_from_slice(&told.frame);
                }
                if piece.len() >= PIECE_BYTES {
                    break;
                }
            }
            Ok::<_, crate::Error>((piece, next))
        });
        let (piece, next) = read
            .await
            .map_err(io::Error::other)?
            .map_err(io::Error::other)?;
        self.is_behind = next > self.next && next <= self.archive.newest();
        self.next = next;
        Ok(piece)
    }
}

/// Returns events as they stand in the log, one JSON line each: the bytes that hashes and
/// signatures are made over.
#[utoipa::path(
    get,
    path = "/api/v1/events",
    params(
        ("from" = Option<u64>, Query, description = "Number of the first event"),
        ("to" = Option<u64>, Query, description = "Number of the last event"),
        ("type" = Option<Vec<String>>, Query, description = "Only of these types, such as archived"),
    ),
    responses((status = 200, description = "The lines of the log", content_type = "application/x-ndjson"))
)]
pub(in crate::web) async fn events(
    State(web): State<Web>,
    visitor: Visitor,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    let from = EventSeq(wanted.from.unwrap_or(1));
    let to = wanted.to.map(EventSeq);
    let mut lines = web
        .work(&visitor, move |desk| desk.archive.events(from, to))
        .await?;
    let body = pieces::made_of(move || {
        let mut piece = Vec::new();
        for leaf in &mut lines {
            let leaf = leaf.map_err(io::Error::other)?;
            if wanted.kinds.is_empty() || wanted.kinds.iter().any(|kind| is_of_type(&leaf, kind)) {
                piece.extend_from_slice(leaf.bytes());
                piece.push(b'\n');
            }
            if piece.len() >= PIECE_BYTES {
                break;
            }
        }
        Ok((!piece.is_empty()).then(|| Bytes::from(piece)))
    });
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response())
}
