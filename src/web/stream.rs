//! `/api/v1/stream`: events as they happen. `/api/v1/events`: events as they stand in the log.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum_extra::extract::Query;
use serde::Deserialize;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{broadcast, watch};
use tokio::time::timeout;
use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::ErrorKind;
use crate::archive::Archive;
use crate::id::EventSeq;
use crate::service::objects::EventTypes;
use crate::web::hub::{Told, missed_frame};
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

/// The name of a type of event, in full or short, as the OpenAPI document describes it.
pub(in crate::web) enum TypeName {}

impl PartialSchema for TypeName {
    fn schema() -> RefOr<Schema> {
        let names = ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(EventTypes::names()));
        names.into()
    }
}

impl ToSchema for TypeName {}

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
    /// Counts by type, twice a second, instead of events.
    #[serde(default)]
    gathered: bool,
}

impl Wanted {
    /// Returns the types that are asked for. An empty name is none, as forms send it.
    fn types(&self) -> Result<EventTypes, Problem> {
        let named = self.kinds.iter().filter(|name| !name.is_empty());
        Ok(EventTypes::named(&named.cloned().collect::<Vec<_>>())?)
    }
}

/// Sends events as they happen, from `from` or behind the `Last-Event-ID`; without either from now
/// on. The id of each is its number, so whoever asks again misses none and gets none twice.
///
/// With `gathered`, it sends at most two messages a second, each with the number of the newest
/// event and how many of each type there were:
/// `{"seq":4711,"types":{"annals.archived.v1":1204}}`. It begins now, whatever was heard before,
/// and `"missed":true` says that a client was too slow.
#[utoipa::path(
    get,
    path = "/api/v1/stream",
    params(
        ("from" = Option<u64>, Query, description = "Number of the first event; without it from now on"),
        ("type" = Option<Vec<TypeName>>, Query, description = "Only of these types, such as archived"),
        ("gathered" = Option<bool>, Query, description = "How many events of each type, instead of the events"),
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
    if wanted.gathered {
        return moments(&web, &wanted);
    }
    let types = wanted.types()?;
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
        types,
        live,
        over,
    };
    let (sender, body) = pieces::body();
    tokio::spawn(listener.tell(sender));
    Ok(streamed(body))
}

fn streamed(body: Body) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, body).into_response()
}

/// Answers with moments instead of events.
fn moments(web: &Web, wanted: &Wanted) -> Result<Response, Problem> {
    if wanted.from.is_some() || !wanted.kinds.is_empty() {
        let told = "gathered events begin now and are of every type";
        let problem = Problem::new(StatusCode::BAD_REQUEST, ErrorKind::Invalid, told);
        return Err(problem.hint("leave out from and type, or gathered"));
    }
    let (mut live, mut over) = web.hub().listen_to_moments();
    let web = web.clone();
    let (to, body) = pieces::body();
    tokio::spawn(async move {
        let mut frame = Bytes::from_static(OPENING.as_bytes());
        while to.send(Ok(frame)).await.is_ok() {
            let heard = tokio::select! {
                _ = over.wait_for(|over| *over) => return,
                () = to.closed() => return,
                heard = timeout(HEARTBEAT, live.recv()) => heard,
            };
            frame = match heard {
                Ok(Ok(moment)) => moment,
                Ok(Err(RecvError::Lagged(_))) => missed_frame(web.hub().newest()),
                Ok(Err(RecvError::Closed)) => return,
                Err(_) => Bytes::from_static(HEARTBEAT_FRAME),
            };
        }
    });
    Ok(streamed(body))
}

/// One who listens.
struct Listener {
    archive: Archive,
    /// The number of the next event to tell.
    next: EventSeq,
    types: EventTypes,
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
                if self.types.include(&event.kind) {
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
        let (archive, from, types) = (self.archive.clone(), self.next, self.types.clone());
        let read = tokio::task::spawn_blocking(move || {
            let (mut piece, mut next) = (Vec::new(), from);
            for leaf in archive.events(from, None)?.take(EVENTS_AT_ONCE) {
                let told = Told::of(&leaf?);
                next = EventSeq(told.seq.0 + 1);
                if types.include(&told.kind) {
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
        ("type" = Option<Vec<TypeName>>, Query, description = "Only of these types, such as archived"),
    ),
    responses((status = 200, description = "The lines of the log", content_type = "application/x-ndjson"))
)]
pub(in crate::web) async fn events(
    State(web): State<Web>,
    visitor: Visitor,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    let types = wanted.types()?;
    let from = EventSeq(wanted.from.unwrap_or(1));
    let to = wanted.to.map(EventSeq);
    let mut lines = web
        .work(&visitor, move |desk| desk.archive.events(from, to))
        .await?;
    let body = pieces::made_of(move || {
        let mut piece = Vec::new();
        for leaf in &mut lines {
            let leaf = leaf.map_err(io::Error::other)?;
            if types.include_leaf(&leaf) {
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
