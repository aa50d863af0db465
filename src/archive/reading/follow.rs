//! Follows the log: the events that are there, then each newer one when it is acknowledged.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::Result;
use crate::archive::handle::Archive;
use crate::archive::reading::read::{Events, Leaf};
use crate::archive::state::watermark::Watermark;
use crate::id::EventSeq;
use crate::log::LogFiles;

impl Archive {
    /// Returns the events from `from` on, and then each newer one when it is acknowledged.
    ///
    /// The iterator waits for events. It ends when the store is closed, after the last event, or
    /// when [`StopEvents::stop`] is called. No event is missed, and none comes twice, whatever is
    /// sealed, compacted or purged meanwhile. It does not keep the store open. Archiving never
    /// waits for it: it reads the log at its own pace.
    ///
    /// ```
    /// use annals::archive::{Archive, NewEntry};
    /// use annals::id::EventSeq;
    ///
    /// # fn main() -> annals::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// let archive = Archive::builder().create(dir.path().join("store"))?;
    /// let mut events = archive.events_from(EventSeq(1));
    /// let listener = std::thread::spawn(move || {
    ///     let mut kinds = Vec::new();
    ///     for leaf in &mut events {
    ///         kinds.push(leaf?.event()?.body.kind().to_owned());
    ///     }
    ///     Ok::<_, annals::Error>(kinds)
    /// });
    /// archive.put(NewEntry::new("ICT"), &b"content"[..])?;
    /// archive.close()?;
    /// let kinds = listener.join().expect("no panic")?;
    /// assert_eq!(kinds.last().map(String::as_str), Some("annals.archived.v1"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn events_from(&self, from: EventSeq) -> EventStream {
        EventStream {
            log: Arc::clone(&self.store().log),
            watermark: Arc::clone(&self.store().watermark),
            next: EventSeq(from.0.max(1)),
            there: None,
            stopped: Arc::default(),
            has_failed: false,
        }
    }
}

/// Events in order, also those still to come; see [`Archive::events_from`].
///
/// After an error it ends: events are never passed over in silence. [`EventStream::position`] says
/// where another one can go on.
#[must_use = "nothing is read before it is asked for the next event"]
pub struct EventStream {
    log: Arc<LogFiles>,
    watermark: Arc<Watermark>,
    next: EventSeq,
    /// The events that were there at the last look.
    there: Option<Events>,
    stopped: Arc<AtomicBool>,
    has_failed: bool,
}

/// The next step of an [`EventStream`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum NextEvent {
    /// An event.
    Event(Leaf),
    /// None came in time.
    TimedOut,
    /// No more events will come: the store was closed, or the stream was stopped.
    Ended,
}

/// Ends an [`EventStream`] from another thread.
#[derive(Clone)]
pub struct StopEvents {
    watermark: Arc<Watermark>,
    stopped: Arc<AtomicBool>,
}

impl StopEvents {
    /// Ends the stream, also while it waits.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        self.watermark.look_again();
    }
}

impl fmt::Debug for StopEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StopEvents").finish_non_exhaustive()
    }
}

impl EventStream {
    /// Returns the number of the next event.
    pub fn position(&self) -> EventSeq {
        self.next
    }

    /// Returns a handle that ends the stream from another thread.
    pub fn stopper(&self) -> StopEvents {
        StopEvents {
            watermark: Arc::clone(&self.watermark),
            stopped: Arc::clone(&self.stopped),
        }
    }

    /// Returns the next event. Waits for it, at most for `timeout`.
    ///
    /// # Errors
    ///
    /// When the log cannot be read there. Then the stream has ended.
    pub fn next_within(&mut self, timeout: Duration) -> Result<NextEvent> {
        self.wait(Some(timeout))
    }

    fn wait(&mut self, timeout: Option<Duration>) -> Result<NextEvent> {
        loop {
            if self.has_ended() {
                return Ok(NextEvent::Ended);
            }
            if let Some(leaf) = self.read_next()? {
                return Ok(NextEvent::Event(leaf));
            }
            let stopped = || self.stopped.load(Ordering::SeqCst);
            let before = EventSeq(self.next.0 - 1);
            let reached = self.watermark.wait_past(before, timeout, stopped);
            if reached.newest < self.next {
                let is_over = reached.is_last || stopped();
                return Ok(if is_over {
                    NextEvent::Ended
                } else {
                    NextEvent::TimedOut
                });
            }
        }
    }

    /// Returns another stream at this place, ended by this stream's handles.
    #[cfg(feature = "tokio")]
    pub(in crate::archive) fn again(&self) -> Self {
        Self {
            log: Arc::clone(&self.log),
            watermark: Arc::clone(&self.watermark),
            next: self.next,
            there: None,
            stopped: Arc::clone(&self.stopped),
            has_failed: self.has_failed,
        }
    }

    pub(in crate::archive) fn has_ended(&self) -> bool {
        self.has_failed || self.stopped.load(Ordering::SeqCst)
    }

    #[cfg(feature = "tokio")]
    pub(in crate::archive) fn watermark(&self) -> &Arc<Watermark> {
        &self.watermark
    }

    /// Reads the next event, if it is there by now.
    pub(in crate::archive) fn read_next(&mut self) -> Result<Option<Leaf>> {
        loop {
            let events = match &mut self.there {
                Some(events) => events,
                None => {
                    let newest = self.watermark.newest();
                    if newest < self.next {
                        return Ok(None);
                    }
                    let events = Events::between(&self.log, self.next, newest);
                    self.there.insert(events)
                }
            };
            match events.next() {
                Some(Ok(leaf)) => {
                    self.next = leaf.seq.next();
                    return Ok(Some(leaf));
                }
                Some(Err(error)) => {
                    self.has_failed = true;
                    return Err(error);
                }
                None => self.there = None,
            }
        }
    }
}

impl Iterator for EventStream {
    type Item = Result<Leaf>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.wait(None) {
            Ok(NextEvent::Event(leaf)) => Some(Ok(leaf)),
            Ok(NextEvent::TimedOut | NextEvent::Ended) => None,
            Err(error) => Some(Err(error)),
        }
    }
}

impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream")
            .field("position", &self.next)
            .finish_non_exhaustive()
    }
}
