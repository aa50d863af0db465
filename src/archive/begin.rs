//! Handing content in without waiting until it is durable.

use std::io::{self, Read};

use crate::archive::in_flight::Permit;
use crate::archive::pending::{Pending, pending};
use crate::archive::put::{archived, check, large_draft, read_head, small_draft};
use crate::archive::shared::{Pin, Shared};
use crate::archive::writer::Draft;
use crate::archive::{Archive, Archived, Channels, NewEntry, sealer};
use crate::event::BlobRef;
use crate::{Error, ErrorKind, Result};

impl Archive {
    /// Reads `content` to its end and hands it in; the answer comes when it is durable.
    ///
    /// One thread may have hundreds in flight, which share syncs. They are recorded in the order in
    /// which they were handed in. What one thread hands in by other calls comes after them.
    ///
    /// It waits only while too much is in flight: [`Options::in_flight_bytes`], or 1,024 records.
    /// [`Archive::try_begin_put`] says so instead. Long content, from [`Options::stream_bytes`] on,
    /// is written to the disk before this returns.
    ///
    /// ```
    /// use annals::archive::{Archive, NewEntry};
    ///
    /// # fn main() -> annals::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// let archive = Archive::builder().create(dir.path().join("store"))?;
    /// let first = archive.begin_put(NewEntry::new("ICT"), &b"first"[..])?;
    /// let second = archive.begin_put(NewEntry::new("ICT"), &b"second"[..])?;
    /// assert!(first.wait()?.id < second.wait()?.id);
    /// # archive.close()
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// On an error nothing was handed in. What goes wrong later is told by the [`Pending`].
    ///
    /// [`Options::in_flight_bytes`]: crate::archive::Options::in_flight_bytes
    /// [`Options::stream_bytes`]: crate::archive::Options::stream_bytes
    pub fn begin_put(&self, new: NewEntry, mut content: impl Read) -> Result<Pending<Archived>> {
        check(&new)?;
        let channels = self.channels()?;
        let stream_bytes = self.shared().cuts().stream_bytes();
        let head = read_head(&new, &mut content, 0, stream_bytes)?;
        if head.len() < stream_bytes {
            let permit = channels.in_flight.take(head.len());
            return self.begin_small(&new, &head, permit);
        }
        let permit = channels.in_flight.take(0);
        let rest = io::Cursor::new(head).chain(content);
        let (blob, draft, pin) = large_draft(self, &new, rest)?;
        self.begin(&new, blob, draft, Some(pin), permit)
    }

    /// Does what [`Archive::begin_put`] does, if it need not wait for room; else returns `None`.
    ///
    /// # Errors
    ///
    /// On an error nothing was handed in, as for `None`.
    pub fn try_begin_put(&self, new: &NewEntry, content: &[u8]) -> Result<Option<Pending<Archived>>> {
        check(new)?;
        let channels = self.channels()?;
        let is_small = content.len() < self.shared().cuts().stream_bytes();
        let charged = if is_small { content.len() } else { 0 };
        match channels.in_flight.try_take(charged) {
            Some(permit) => self.begin_with(new, content, permit).map(Some),
            None if channels.turns.is_over() => Err(sealer::ended(self.shared())),
            None => Ok(None),
        }
    }

    /// Returns how many records are in flight: handed in by `begin_put`, and not answered yet.
    pub fn in_flight(&self) -> usize {
        let channels = self.channels();
        channels.map_or(0, |channels| channels.in_flight.records())
    }

    /// Hands content in for which there is room.
    pub(super) fn begin_with(
        &self,
        new: &NewEntry,
        content: &[u8],
        permit: Permit,
    ) -> Result<Pending<Archived>> {
        if content.len() < self.shared().cuts().stream_bytes() {
            return self.begin_small(new, content, permit);
        }
        let (blob, draft, pin) = large_draft(self, new, content)?;
        self.begin(new, blob, draft, Some(pin), permit)
    }

    fn begin_small(
        &self,
        new: &NewEntry,
        content: &[u8],
        permit: Permit,
    ) -> Result<Pending<Archived>> {
        let (blob, draft) = small_draft(self.shared(), new, content)?;
        self.begin(new, blob, draft, None, permit)
    }

    fn begin(
        &self,
        new: &NewEntry,
        blob: BlobRef,
        draft: Draft,
        pin: Option<Pin>,
        permit: Permit,
    ) -> Result<Pending<Archived>> {
        let Channels { turns, .. } = self.channels()?;
        let shared = self.shared();
        let held = (turns.fly(), permit, pin);
        let (promise, pending) = pending(held, {
            let shared = shared.clone();
            move || unanswered(&shared)
        });
        let (shared, path) = (shared.clone(), new.source.path.clone());
        let reply = move |receipt: Result<_>| {
            let answer = receipt.and_then(|receipt| archived(&shared, receipt, blob, &path));
            promise.answer(answer);
        };
        let request = self.request(vec![draft], Box::new(reply));
        if !self.channels()?.hand_in(request) {
            // It may have been served just before; then that answer counts.
            pending.fail(unanswered(self.shared()));
        }
        Ok(pending)
    }
}

/// What a record gets that the writer never answered.
fn unanswered(shared: &Shared) -> Error {
    let why = if std::thread::panicking() {
        Error::new(ErrorKind::Poisoned, "BUG: the thread that writes panicked")
    } else {
        sealer::ended(shared)
    };
    Error::new(why.kind(), why.message())
        .hint("this was not acknowledged; open the store again to learn whether it was recorded")
}
