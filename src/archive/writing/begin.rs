//! Hands content in without waiting until it is durable.

use std::io::{self, Read};

use crate::archive::appending::in_flight::Permit;
use crate::archive::handle::{Archive, Channels};
use crate::archive::messages::{Draft, Receipt};
use crate::archive::state::health::Health;
use crate::archive::state::pins::Pin;
use crate::archive::writing::facts_only::{Keep, facts_draft};
use crate::archive::writing::head::{USUAL_BYTES, give_back, read_head};
use crate::archive::writing::pending::{Pending, pending};
use crate::archive::writing::put::{
    Archived, NewEntry, check, large_draft, receipt_of, small_draft,
};
use crate::event::BlobRef;
use crate::{Error, ErrorKind, Result};

impl Archive {
    /// Reads `content` to its end and hands it in. The answer comes when it is durable.
    ///
    /// One thread may have hundreds of records in flight, which share syncs. They are recorded in
    /// the order in which they were handed in. What one thread hands in by other calls comes after
    /// them.
    ///
    /// It waits only while too much is in flight: [`Options::in_flight_bytes`], or 1,024 records.
    /// [`Archive::try_begin_put`] returns `None` instead. Long content, from
    /// [`Options::stream_bytes`] on,
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
    /// On an error nothing was handed in. The [`Pending`] returns what goes wrong later.
    ///
    /// [`Options::in_flight_bytes`]: crate::archive::Options::in_flight_bytes
    /// [`Options::stream_bytes`]: crate::archive::Options::stream_bytes
    pub fn begin_put(&self, new: NewEntry, mut content: impl Read) -> Result<Pending<Archived>> {
        check(&new)?;
        let channels = self.channels()?;
        if new.keep == Keep::FactsOnly {
            let permit = channels.in_flight.take(0);
            let (blob, draft) = facts_draft(&new, content)?;
            return self.begin(&new, blob, draft, None, permit);
        }
        let stream_bytes = self.store().options.cuts().stream_bytes();
        let head = read_head(&new.source.path, &mut content, USUAL_BYTES, stream_bytes)?;
        if head.len() < stream_bytes {
            let permit = channels.in_flight.take(head.len());
            let begun = self.begin_small(&new, &head, permit);
            give_back(head);
            return begun;
        }
        let permit = channels.in_flight.take(0);
        let rest = io::Cursor::new(head).chain(content);
        let (blob, draft, pin) = large_draft(self, &new, rest)?;
        self.begin(&new, blob, draft, Some(pin), permit)
    }

    /// Does what [`Archive::begin_put`] does, without waiting. Returns `None` when there is no
    /// room.
    ///
    /// # Errors
    ///
    /// On an error nothing was handed in.
    pub fn try_begin_put(
        &self,
        new: &NewEntry,
        content: &[u8],
    ) -> Result<Option<Pending<Archived>>> {
        check(new)?;
        let channels = self.channels()?;
        let is_small = content.len() < self.store().options.cuts().stream_bytes();
        let charged = if is_small { content.len() } else { 0 };
        match channels.in_flight.try_take(charged) {
            Some(permit) => self.begin_with(new, content, permit).map(Some),
            None if channels.leader.is_over() => Err(self.store().health.ended()),
            None => Ok(None),
        }
    }

    /// Returns how many records are in flight: handed in by `begin_put` and not answered yet.
    pub fn in_flight(&self) -> usize {
        let channels = self.channels();
        channels.map_or(0, |channels| channels.in_flight.records())
    }

    /// Hands content in for which there is room.
    pub(in crate::archive) fn begin_with(
        &self,
        new: &NewEntry,
        content: &[u8],
        permit: Permit,
    ) -> Result<Pending<Archived>> {
        if new.keep == Keep::FactsOnly {
            let (blob, draft) = facts_draft(new, content)?;
            return self.begin(new, blob, draft, None, permit);
        }
        if content.len() < self.store().options.cuts().stream_bytes() {
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
        let (blob, draft) = small_draft(self.store(), new, content)?;
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
        let (index, path) = (self.store().index.clone(), new.source.path.clone());
        self.hand_in(draft, (permit, pin), move |receipt| {
            receipt_of(&index, receipt, blob, &path)
        })
    }

    /// Hands a fact to the writer. `held` is dropped when it is durable, and `answer` makes the
    /// answer.
    pub(in crate::archive) fn hand_in<T: Send + 'static>(
        &self,
        draft: Draft,
        held: impl Send + 'static,
        answer: impl FnOnce(Receipt) -> Result<T> + Send + 'static,
    ) -> Result<Pending<T>> {
        let channels: &Channels = self.channels()?;
        let store = self.store();
        let held = (channels.leader.fly(), held);
        let (promise, pending) = pending(held, {
            let health = store.health.clone();
            move || unanswered(&health)
        });
        let reply = move |receipt: Result<_>| promise.answer(receipt.and_then(answer));
        let request = self.request(vec![draft], Box::new(reply));
        if !channels.hand_in(request) {
            // It may have been answered just before; then that answer counts.
            pending.fail(unanswered(&store.health));
        }
        Ok(pending)
    }
}

/// Returns the error for a record that the writer never answered.
fn unanswered(health: &Health) -> Error {
    let why = if std::thread::panicking() {
        Error::new(ErrorKind::Poisoned, "BUG: the thread that writes panicked")
    } else {
        health.ended()
    };
    Error::new(why.kind(), why.message())
        .hint("this was not acknowledged; open the store again to learn whether it was recorded")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use crossbeam_channel::Sender;

    use super::*;
    use crate::archive::appending::in_flight::RECORDS_MAX;
    use crate::archive::{Key, Options};
    use crate::disk::sim::{Fault, Repeat, SimDisk};
    use crate::event::Body;
    use crate::id::{BlobId, EventSeq};
    use crate::log::JOURNAL_BYTES_MIN;
    use crate::retention::{AsOf, Policy};

    fn store(disk: &SimDisk, in_flight_bytes: usize) -> Archive {
        let options = Options::default()
            .journal_bytes(JOURNAL_BYTES_MIN)
            .in_flight_bytes(in_flight_bytes);
        Archive::create_on(Arc::new(disk.clone()), options).expect("made")
    }

    fn new() -> NewEntry {
        NewEntry::new("ICT")
    }

    /// Pauses the writer until the returned sender is dropped.
    fn pause(archive: &Archive) -> Sender<()> {
        let writer = &archive.channels().expect("open for writing").writer;
        writer.pause().expect("paused")
    }

    fn archived_ids(archive: &Archive) -> Vec<BlobId> {
        let leaves = archive.events(EventSeq(1), None).expect("readable");
        let events = leaves.map(|leaf| leaf.and_then(|leaf| leaf.event()).expect("whole"));
        events
            .filter_map(|event| match event.body {
                Body::Archived(fact) => Some(fact.blob.blake3),
                _ => None,
            })
            .collect()
    }

    /// Producers that queue without a bound take all memory while the disk stalls.
    #[test]
    fn a_disk_that_stalls__what_is_in_flight_stays_bounded() {
        let archive = store(&SimDisk::new(), 100 << 10);
        let paused = pause(&archive);
        let mut pending = Vec::new();
        while let Some(begun) = archive
            .try_begin_put(&new(), &[pending.len().to_le_bytes(); 128].concat())
            .expect("handed in")
        {
            pending.push(begun);
        }
        assert_eq!(pending.len(), archive.in_flight());
        assert_eq!(pending.len(), (100 << 10) / ((1 << 10) + (2 << 10)));
        let blocked = {
            let archive = archive.clone();
            thread::spawn(move || archive.begin_put(new(), &b"waits"[..])?.wait())
        };
        drop(paused);
        for begun in pending {
            begun.wait().expect("durable");
        }
        blocked.join().expect("no panic").expect("let in");
        assert_eq!(archive.in_flight(), 0);
        let roomy = store(&SimDisk::new(), usize::MAX >> 24);
        let paused = pause(&roomy);
        let begin = || roomy.try_begin_put(&new(), b"same").expect("handed in");
        let pending: Vec<_> = std::iter::from_fn(begin).collect();
        assert_eq!(pending.len(), RECORDS_MAX);
        drop(paused);
        assert!(pending.into_iter().all(|begun| begun.wait().is_ok()));
    }

    /// A caller alone writes by itself, unless something of its own is before it.
    #[test]
    fn a_put_after_records_in_flight__does_not_overtake_them() {
        let archive = store(&SimDisk::new(), 1 << 20);
        let paused = pause(&archive);
        let contents: Vec<Vec<u8>> = (0..50_u8).map(|nth| vec![nth; 9]).collect();
        let begin = |content: &Vec<u8>| archive.begin_put(new(), &content[..]).expect("in flight");
        // Given up at once, all of them.
        for content in &contents {
            drop(begin(content));
        }
        let last = {
            let archive = archive.clone();
            thread::spawn(move || archive.put(new(), &b"last"[..]))
        };
        drop(paused);
        last.join().expect("no panic").expect("durable");
        let expected = contents.iter().map(|content| BlobId::of(content));
        let expected: Vec<BlobId> = expected.chain([BlobId::of(b"last")]).collect();
        assert_eq!(archived_ids(&archive), expected);
    }

    /// The sealer used to end before the writer, which then waited for an empty journal file for
    /// ever.
    #[test]
    fn a_store_closed_with_records_in_flight__writes_them_first() {
        let disk = SimDisk::new();
        let archive = store(&disk, 64 << 20);
        let paused = pause(&archive);
        let mut pending = Vec::new();
        for nth in 0..100_u64 {
            let mut content = vec![0; 12 << 10];
            let seed = nth.to_le_bytes();
            blake3::Hasher::new()
                .update(&seed)
                .finalize_xof()
                .fill(&mut content);
            pending.push(archive.begin_put(new(), &content[..]).expect("in flight"));
        }
        let closing = thread::spawn(move || archive.close());
        thread::yield_now();
        drop(paused);
        closing.join().expect("no panic").expect("closed");
        for begun in pending {
            assert!(begun.is_done());
            begun.wait().expect("durable");
        }
        let again = Archive::open_on(Arc::new(disk), Options::default()).expect("opens");
        assert_eq!(archived_ids(&again).len(), 100);
    }

    #[test]
    fn a_begin_put_after_close__is_refused() {
        let archive = store(&SimDisk::new(), 1 << 20);
        let kept = archive.clone();
        archive.close().expect("closed");
        let refused = kept.begin_put(new(), &b"late"[..]);
        let error = refused.and_then(Pending::wait).expect_err("closed");
        assert_eq!(error.message(), "the store was closed");
        assert_eq!(kept.in_flight(), 0);
    }

    #[test]
    fn a_sync_that_fails__each_record_in_flight_gets_the_error() {
        let disk = SimDisk::new();
        let archive = store(&disk, 1 << 20);
        archive.put(new(), &b"before"[..]).expect("durable");
        let paused = pause(&archive);
        let begin = |nth: u8| archive.begin_put(new(), &[nth; 20][..]).expect("in flight");
        let pending: Vec<_> = (0..100).map(begin).collect();
        disk.fail_at(0, Fault::Sync, Repeat::Sticky);
        drop(paused);
        for begun in pending {
            let error = begun.wait().expect_err("not durable");
            assert!(
                matches!(error.kind(), ErrorKind::Io | ErrorKind::Poisoned),
                "{error}"
            );
            let hint = error.next_step().unwrap_or_default();
            assert!(hint.contains("open it again"), "{error}: {hint}");
        }
        let refused = archive
            .begin_put(new(), &b"after"[..])
            .and_then(Pending::wait);
        assert_eq!(refused.expect_err("stopped").kind(), ErrorKind::Poisoned);
        assert_eq!(archive.in_flight(), 0);
    }

    /// What was there when it was handed in is purged before it is recorded. Whoever gave up the
    /// wait cannot bring it again.
    #[test]
    fn content_purged_while_in_flight__is_stored_again() {
        let archive = store(&SimDisk::new(), 1 << 20);
        let content = &b"twice"[..];
        archive.put(new(), content).expect("durable");
        archive.seal().expect("sealed");
        let policy = Policy::default().max_count(0);
        let plan = archive.plan_purge(&policy, AsOf::Clock).expect("planned");
        let paused = pause(&archive);
        let purge = {
            let archive = archive.clone();
            thread::spawn(move || archive.purge(&plan, "asked for"))
        };
        let requests = &archive.channels().expect("open for writing").requests;
        while requests.is_empty() {
            thread::yield_now();
        }
        let begun = archive.begin_put(new(), content).expect("in flight");
        drop(paused);
        let again = begun.wait().expect("durable");
        assert!(!again.duplicate);
        purge
            .join()
            .expect("no panic")
            .expect("purged")
            .reclaim
            .expect("freed");
        let read = archive.read_all(&again.blob.blake3, 100).expect("there");
        assert_eq!(read, content);
    }

    #[test]
    fn a_key_made_from_the_digest__returns_the_first_entry() {
        let archive = store(&SimDisk::new(), 1 << 20);
        let keyed = || new().key(Key::from_digest(|blob| format!("k {}", blob.blake3)));
        let first = archive.begin_put(keyed(), &b"one"[..]).expect("in flight");
        let same = archive.begin_put(keyed(), &b"one"[..]).expect("in flight");
        let other = archive.begin_put(keyed(), &b"two"[..]).expect("in flight");
        let (first, same) = (first.wait().expect("durable"), same.wait().expect("known"));
        assert!(same.existing && same.id == first.id);
        assert!(!other.wait().expect("durable").existing);
        let long = vec![7; 3 << 20];
        let first = archive.put(keyed(), &long[..]).expect("durable");
        let same = archive
            .begin_put(keyed(), &long[..])
            .and_then(Pending::wait);
        assert_eq!(same.expect("known").id, first.id);
        let clashing = archive
            .begin_put(new().key("text"), &b"one"[..])
            .expect("in flight");
        clashing.wait().expect("durable");
        let clashing = archive
            .begin_put(new().key("text"), &b"two"[..])
            .expect("in flight");
        let refused = clashing.wait().expect_err("other content");
        assert_eq!(refused.kind(), ErrorKind::Refused);
    }
}
