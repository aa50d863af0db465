//! Events as they come: those that are there, and then each newer one when it is acknowledged.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::Result;
use crate::archive::read::Events;
use crate::archive::shared::Shared;
use crate::archive::{Archive, Leaf};
use crate::id::EventSeq;

impl Archive {
    /// Returns the events from `from` on, and then each newer one when it is acknowledged.
    ///
    /// The iterator waits for events. It ends when the store is closed, after the last event, or
    /// when [`StopEvents::stop`] is called. No event is missed, and none comes twice, whatever is
    /// sealed, compacted or purged meanwhile. It does not keep the store open, and whoever archives
    /// never waits for it: it reads the log at its own pace.
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
            shared: Arc::clone(self.shared()),
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
    shared: Arc<Shared>,
    next: EventSeq,
    /// Those that were there when it last looked.
    there: Option<Events>,
    stopped: Arc<AtomicBool>,
    has_failed: bool,
}

/// What comes next in an [`EventStream`], if anything.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum NextEvent {
    /// An event.
    Event(Leaf),
    /// None came in time.
    TimedOut,
    /// There will be no more: the store was closed, or the stream was stopped.
    Ended,
}

/// Ends an [`EventStream`] from another thread.
#[derive(Clone)]
pub struct StopEvents {
    shared: Arc<Shared>,
    stopped: Arc<AtomicBool>,
}

impl StopEvents {
    /// Ends the stream; one that waits stops waiting.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        self.shared.newest_event().look_again();
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
            shared: Arc::clone(&self.shared),
            stopped: Arc::clone(&self.stopped),
        }
    }

    /// Returns the next event; waits for it at most for `timeout`.
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
            let newest = self.shared.newest_event();
            let reached = newest.wait_past(EventSeq(self.next.0 - 1), timeout, stopped);
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

    /// Another stream at the same place, ended by the same handle.
    #[cfg(feature = "tokio")]
    pub(super) fn again(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            next: self.next,
            there: None,
            stopped: Arc::clone(&self.stopped),
            has_failed: self.has_failed,
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.has_failed || self.stopped.load(Ordering::SeqCst)
    }

    #[cfg(feature = "tokio")]
    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Reads the next event, if it is there by now.
    pub(super) fn read_next(&mut self) -> Result<Option<Leaf>> {
        loop {
            let events = match &mut self.there {
                Some(events) => events,
                None => {
                    let newest = self.shared.newest();
                    if newest < self.next {
                        return Ok(None);
                    }
                    let events = Events::between(&self.shared, self.next, newest);
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
