//! Follows the log, for programs that run on tokio.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;

use tokio::task::spawn_blocking;

use crate::archive::asynchronous::{AsyncArchive, ended};
use crate::archive::reading::follow::{EventStream, StopEvents};
use crate::archive::reading::read::Leaf;
use crate::id::EventSeq;
use crate::{Error, Result};

/// The most events that are read at once.
const READ_EVENTS: usize = 128;
/// Reading stops after this many bytes of lines.
const READ_BYTES: usize = 256 << 10;

impl AsyncArchive {
    /// Returns the events from `from` on, and then each newer one; see [`Archive::events_from`].
    ///
    /// ```
    /// use annals::archive::{Archive, AsyncArchive, NewEntry};
    /// use annals::id::EventSeq;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> annals::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// let archive = AsyncArchive::from(Archive::builder().create(dir.path().join("store"))?);
    /// let mut events = archive.events_from(EventSeq(1));
    /// archive.put(NewEntry::new("ICT"), &b"content"[..]).await?;
    /// archive.close().await?;
    /// let mut count = 0;
    /// while let Some(leaf) = events.next().await {
    ///     leaf?;
    ///     count += 1;
    /// }
    /// assert_eq!(count, 3);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// [`Archive::events_from`]: crate::Archive::events_from
    pub fn events_from(&self, from: EventSeq) -> AsyncEvents {
        let stream = self.blocking().events_from(from);
        AsyncEvents {
            watcher: stream.watermark().watcher(),
            stream,
            there: VecDeque::new(),
            failed: None,
        }
    }
}

/// Events in order, also those still to come; see [`AsyncArchive::events_from`].
#[must_use = "nothing is read before it is asked for the next event"]
pub struct AsyncEvents {
    watcher: u64,
    stream: EventStream,
    there: VecDeque<Leaf>,
    /// Returned after the events that are there.
    failed: Option<Error>,
}

impl AsyncEvents {
    /// Returns the next event. `None` when the store was closed or the stream was stopped.
    ///
    /// No event is lost when the future is dropped before it is ready. After an error it ends.
    pub async fn next(&mut self) -> Option<Result<Leaf>> {
        loop {
            if let Some(leaf) = self.there.pop_front() {
                return Some(Ok(leaf));
            }
            if let Some(error) = self.failed.take() {
                return Some(Err(error));
            }
            let stream = &self.stream;
            if stream.has_ended() {
                return None;
            }
            let before = EventSeq(stream.position().0 - 1);
            let watermark = stream.watermark().clone();
            let watcher = self.watcher;
            let reached = poll_fn(|context| {
                watermark.poll_past(before, watcher, context, || stream.has_ended())
            })
            .await;
            if stream.has_ended() || reached.newest <= before {
                return None;
            }
            // A copy reads, so a future that is dropped meanwhile loses no event.
            let mut reader = stream.again();
            let read = spawn_blocking(move || {
                let mut there = VecDeque::new();
                let mut bytes = 0;
                let mut failed = None;
                while there.len() < READ_EVENTS && bytes < READ_BYTES {
                    match reader.read_next() {
                        Ok(Some(leaf)) => {
                            bytes += leaf.bytes().len();
                            there.push_back(leaf);
                        }
                        Ok(None) => break,
                        Err(error) => {
                            failed = Some(error);
                            break;
                        }
                    }
                }
                (reader, there, failed)
            });
            match read.await {
                Ok((reader, there, failed)) => {
                    self.stream = reader;
                    self.there = there;
                    self.failed = failed;
                }
                Err(_) => self.failed = Some(ended()),
            }
        }
    }

    /// Returns the number of the next event.
    pub fn position(&self) -> EventSeq {
        match self.there.front() {
            Some(leaf) => leaf.seq,
            None => self.stream.position(),
        }
    }

    /// Returns a handle that ends the stream from elsewhere.
    pub fn stopper(&self) -> StopEvents {
        self.stream.stopper()
    }
}

impl fmt::Debug for AsyncEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncEvents")
            .field("position", &self.position())
            .finish_non_exhaustive()
    }
}

impl Drop for AsyncEvents {
    fn drop(&mut self) {
        self.stream.watermark().forget(self.watcher);
    }
}
