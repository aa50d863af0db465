//! The one thread that waits for new events, for all who listen.
//!
//! Programs hear each event. Pages hear moments: how many events of each type there were. A hundred
//! open pages then cost a host that takes in thousands of files a second next to nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use tokio::sync::{broadcast, watch};

use crate::archive::{Archive, Leaf, NextEvent};
use crate::id::EventSeq;
use crate::service::objects::Envelope;
use crate::time::Stopwatch;

/// Events that a listener may be behind before it reads the log itself.
const BEHIND_MAX: usize = 1024;
/// Moments that a listener may be behind before it is told that it missed some.
const MOMENTS_BEHIND_MAX: usize = 32;
/// How often the thread looks whether anybody still listens.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// The least time between two moments.
const MOMENT: Duration = Duration::from_millis(500);

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
        Self {
            seq: leaf.seq,
            kind: kind_of(leaf),
            frame: Bytes::from(format!("id: {}\ndata: {}\n\n", leaf.seq, leaf.line)),
        }
    }
}

/// Returns the type of an event in full; nothing for a line that is none.
fn kind_of(leaf: &Leaf) -> String {
    Envelope::of(leaf).map_or_else(|_| String::new(), |it| it.kind.into_owned())
}

/// Events that were not told to pages yet.
struct Gathered {
    newest: EventSeq,
    /// How many there are of each type.
    types: BTreeMap<String, u64>,
    /// Runs since the last moment was told.
    since: Option<Stopwatch>,
}

impl Gathered {
    fn add(&mut self, seq: EventSeq, kind: String) {
        self.newest = seq;
        *self.types.entry(kind).or_default() += 1;
    }

    /// Returns how long until a moment may be told.
    fn until_due(&self) -> Duration {
        let since = self.since.as_ref();
        since.map_or(Duration::ZERO, |it| MOMENT.saturating_sub(it.elapsed()))
    }

    /// Returns the moment as a server-sent event, and begins the next one.
    fn take(&mut self) -> Bytes {
        self.since = Some(Stopwatch::start());
        let types = std::mem::take(&mut self.types);
        moment_frame(
            self.newest,
            &serde_json::json!({ "seq": self.newest, "types": types }),
        )
    }
}

/// Returns what a listener is told that missed moments: that it has to look for itself.
pub(in crate::web) fn missed_frame(newest: EventSeq) -> Bytes {
    let told = serde_json::json!({ "seq": newest, "types": {}, "missed": true });
    moment_frame(newest, &told)
}

fn moment_frame(newest: EventSeq, told: &serde_json::Value) -> Bytes {
    Bytes::from(format!("id: {newest}\ndata: {told}\n\n"))
}

/// Tells new events to all who listen.
pub(in crate::web) struct Hub {
    archive: Archive,
    events: broadcast::Sender<Arc<Told>>,
    moments: broadcast::Sender<Bytes>,
    /// True while the thread runs. Held while that is decided.
    is_running: Arc<Mutex<bool>>,
    over: watch::Sender<bool>,
}

impl Hub {
    pub(in crate::web) fn new(archive: Archive) -> Self {
        Self {
            archive,
            events: broadcast::Sender::new(BEHIND_MAX),
            moments: broadcast::Sender::new(MOMENTS_BEHIND_MAX),
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
        self.read();
        (events, self.over.subscribe())
    }

    /// Returns the moments from now on as server-sent events, and what becomes true when all
    /// streams end.
    pub(in crate::web) fn listen_to_moments(
        &self,
    ) -> (broadcast::Receiver<Bytes>, watch::Receiver<bool>) {
        let moments = self.moments.subscribe();
        self.read();
        (moments, self.over.subscribe())
    }

    /// Returns the number of the newest event.
    pub(in crate::web) fn newest(&self) -> EventSeq {
        self.archive.newest()
    }

    /// Starts the thread, unless it runs.
    fn read(&self) {
        let mut is_running = self
            .is_running
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if !*is_running {
            let reader = Reader {
                archive: self.archive.clone(),
                events: self.events.clone(),
                moments: self.moments.clone(),
                is_running: Arc::clone(&self.is_running),
                over: self.over.subscribe(),
            };
            let from = EventSeq(self.archive.newest().0 + 1);
            let thread = std::thread::Builder::new().name("annals-web-events".to_owned());
            // Without the thread, streams tell what the log has whenever they look.
            *is_running = thread.spawn(move || reader.run(from)).is_ok();
        }
    }
}

/// The thread's part of a [`Hub`].
struct Reader {
    archive: Archive,
    events: broadcast::Sender<Arc<Told>>,
    moments: broadcast::Sender<Bytes>,
    is_running: Arc<Mutex<bool>>,
    over: watch::Receiver<bool>,
}

impl Reader {
    /// Tells events until nobody listens, or there will be none.
    fn run(self, from: EventSeq) {
        let mut events = self.archive.events_from(from);
        let mut gathered = Gathered {
            newest: from,
            types: BTreeMap::new(),
            since: None,
        };
        while !*self.over.borrow() {
            let wait = if gathered.types.is_empty() {
                LOOK_AGAIN
            } else {
                gathered.until_due()
            };
            match events.next_within(wait) {
                Ok(NextEvent::Event(leaf)) => self.tell(&leaf, &mut gathered),
                Ok(NextEvent::TimedOut) if !gathered.types.is_empty() => {
                    self.tell_moment(&mut gathered);
                }
                Ok(NextEvent::TimedOut) => {
                    let mut is_running = self
                        .is_running
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner);
                    if self.events.receiver_count() + self.moments.receiver_count() == 0 {
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

    // Sending fails only when nobody listens.

    fn tell(&self, leaf: &Leaf, gathered: &mut Gathered) {
        if self.events.receiver_count() > 0 {
            let told = Told::of(leaf);
            gathered.add(told.seq, told.kind.clone());
            let _ = self.events.send(Arc::new(told));
        } else {
            gathered.add(leaf.seq, kind_of(leaf));
        }
        if gathered.until_due().is_zero() {
            self.tell_moment(gathered);
        }
    }

    fn tell_moment(&self, gathered: &mut Gathered) {
        let _ = self.moments.send(gathered.take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::NewEntry;

    /// A page for each of two hundred people was sent each line of the log, and a host that took in
    /// files at full speed was half as fast.
    #[tokio::test]
    async fn pages_hear_of_every_event_in_a_few_messages() {
        let dir = tempfile::tempdir().expect("a folder");
        let archive = Archive::builder()
            .create(dir.path().join("store"))
            .expect("a store");
        let hub = Hub::new(archive.clone());
        let (mut moments, _over) = hub.listen_to_moments();
        let archiving = archive.clone();
        let archived = std::thread::spawn(move || {
            for nth in 0..300_u32 {
                let content = nth.to_string();
                archiving
                    .put(NewEntry::new("ICT"), content.as_bytes())
                    .expect("archived");
            }
        });
        let (mut messages, mut heard, mut newest) = (0, 0, 0);
        while heard < 300 {
            let frame = moments.recv().await.expect("a moment");
            let text = String::from_utf8(frame.to_vec()).expect("text");
            let data = text.split_once("data: ").expect("data").1;
            let moment: serde_json::Value = serde_json::from_str(data).expect("JSON");
            heard += moment["types"]["annals.archived.v1"].as_u64().unwrap_or(0);
            newest = moment["seq"].as_u64().expect("a number");
            messages += 1;
        }
        archived.join().expect("archived");
        assert_eq!((heard, newest), (300, archive.newest().0));
        assert!(messages < 100, "{messages}");
        hub.end();
    }
}
