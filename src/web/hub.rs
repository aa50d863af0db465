//! The one thread that waits for new events, for all who listen.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use tokio::sync::{broadcast, watch};

use crate::archive::{Archive, Leaf, NextEvent};
use crate::id::EventSeq;
use crate::service::objects::{Envelope, bare};

/// Events that a listener may be behind before it reads the log itself.
const BEHIND_MAX: usize = 1024;
/// How often the thread looks whether anybody still listens.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// An event, written once for all who listen.
#[derive(Debug)]
pub(in crate::web) struct Told {
    pub(in crate::web) seq: EventSeq,
    /// The type, in full.
    pub(in crate::web) kind: String,
    /// The event as a server-sent event: its number and its exact line.
    pub(in crate::web) frame: Bytes,
}

impl Told {
    pub(in crate::web) fn of(leaf: &Leaf) -> Self {
        let kind = Envelope::of(leaf).map_or_else(|_| String::new(), |it| it.kind.into_owned());
        Self {
            seq: leaf.seq,
            kind,
            frame: Bytes::from(format!("id: {}\ndata: {}\n\n", leaf.seq, leaf.line)),
        }
    }

    /// Returns true for one of these types, in full or short; for every type if there are none.
    pub(in crate::web) fn is_of(&self, kinds: &[String]) -> bool {
        let is = |kind: &String| *kind == self.kind || kind == bare(&self.kind);
        kinds.is_empty() || kinds.iter().any(is)
    }
}

/// Tells new events to all who listen.
pub(in crate::web) struct Hub {
    archive: Archive,
    events: broadcast::Sender<Arc<Told>>,
    /// True while the thread runs. Held while that is decided.
    is_running: Arc<Mutex<bool>>,
    over: watch::Sender<bool>,
}

impl Hub {
    pub(in crate::web) fn new(archive: Archive) -> Self {
        Self {
            archive,
            events: broadcast::Sender::new(BEHIND_MAX),
            is_running: Arc::default(),
            over: watch::Sender::new(false),
        }
    }

    /// Ends all streams.
    pub(in crate::web) fn end(&self) {
        self.over.send_replace(true);
    }

    /// Returns the events from now on, and what becomes true when all streams end.
    pub(in crate::web) fn listen(&self) -> (broadcast::Receiver<Arc<Told>>, watch::Receiver<bool>) {
        let events = self.events.subscribe();
        let mut is_running = self
            .is_running
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if !*is_running {
            let reader = Reader {
                archive: self.archive.clone(),
                events: self.events.clone(),
                is_running: Arc::clone(&self.is_running),
                over: self.over.subscribe(),
            };
            let from = EventSeq(self.archive.newest().0 + 1);
            let thread = std::thread::Builder::new().name("annals-web-events".to_owned());
            // Without the thread, streams tell what the log has whenever they look.
            *is_running = thread.spawn(move || reader.run(from)).is_ok();
        }
        (events, self.over.subscribe())
    }
}

/// The thread's part of a [`Hub`].
struct Reader {
    archive: Archive,
    events: broadcast::Sender<Arc<Told>>,
    is_running: Arc<Mutex<bool>>,
    over: watch::Receiver<bool>,
}

impl Reader {
    /// Tells events until nobody listens, or there will be none.
    fn run(self, from: EventSeq) {
        let mut events = self.archive.events_from(from);
        while !*self.over.borrow() {
            match events.next_within(LOOK_AGAIN) {
                Ok(NextEvent::Event(leaf)) => {
                    // Fails only when nobody listens.
                    let _ = self.events.send(Arc::new(Told::of(&leaf)));
                }
                Ok(NextEvent::TimedOut) => {
                    let mut is_running = self
                        .is_running
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner);
                    if self.events.receiver_count() == 0 {
                        *is_running = false;
                        return;
                    }
                }
                Ok(NextEvent::Ended) | Err(_) => break,
            }
        }
        *self
            .is_running
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = false;
    }
}
