//! The archive: one handle that owns the lock and knows the order of writes.
//!
//! - `make`, `open`: making and opening a store; `rebuild` brings the index up to the log.
//! - `writer`: the one thread that appends; `sealer`: the one that works off the acknowledgement path.
//! - `packing`: content into packs, compressed with what is alike;
//! - `damage`, `witness`: what is known to be damaged, and whose the files are;
//! - `backup`: copies of a store, and stores made of them; `place`: notices that a store is a copy;
//! - `put`, `record`, `submission`: what goes in; `read`, `snapshot`: what comes out; `purge`, `reclaim`, `compact`: what goes for good; `verify`; `repair`.

mod backup;
mod begin;
mod bounds;
mod builder;
mod compact;
mod damage;
mod entries;
mod folders;
mod follow;
#[cfg(feature = "tokio")]
mod follow_task;
mod footprint;
mod in_flight;
mod key;
mod make;
mod newest;
mod open;
mod packing;
mod pending;
mod place;
mod purge;
mod put;
mod read;
mod rebuild;
mod reclaim;
mod record;
mod repair;
mod sealer;
mod shared;
mod snapshot;
mod submission;
#[cfg(feature = "tokio")]
mod task;
mod today;
mod turns;
mod verify;
mod witness;
mod writer;

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Sender, bounded};

use crate::archive::in_flight::InFlight;
use crate::archive::sealer::Job;
use crate::archive::shared::Shared;
use crate::archive::turns::Turns;
use crate::archive::writer::{Control, Draft, Receipt, ReplyTo, Request};
use crate::blob::chunker::STREAM_BYTES_MAX;
use crate::blob::pack_writer::SyncedPack;
use crate::disk::{Disk, DiskLock, FsDisk};
use crate::event::Actor;
use crate::id::{EntryId, EventSeq, StoreId};
use crate::time::{Clock, SystemClock};
use crate::{Error, ErrorKind, Result};

pub use backup::{
    BackupCheck, BackupOptions, BackupOutcome, BackupPlan, OnDamage, PlannedFile, RestoredStore,
    Stop, Why, is_backup, restore_store, verify_backup,
};
pub use builder::Builder;
pub use compact::CompactOutcome;
pub use damage::KnownDamage;
pub use entries::Entries;
pub use follow::{EventStream, NextEvent, StopEvents};
#[cfg(feature = "tokio")]
pub use follow_task::AsyncEvents;
pub use key::{Key, KeyOf};
pub use open::HEADER_FILE;
#[cfg(feature = "host")]
pub(crate) use open::host_name;
pub use pending::Pending;
pub use place::{ConfirmedMove, CopiedFrom};
pub use purge::{PurgeOutcome, RecordedPurge};
#[cfg(feature = "host")]
pub(crate) use put::raw_name;
pub use put::{Archived, NAME_BYTES_MAX, NewEntry};
pub use read::{BlobReader, Events, Leaf};
pub use record::{Hold, NewAttempt, NewConverter};
pub use repair::{
    Mend, MendKind, PutBack, Repair, RepairOutcome, RepairPlan, RepairUndo, UndoPlan,
};
pub use snapshot::{Group, Page, Snapshot, Stats};
pub use submission::{PendingSubmission, PendingSubmissions};
#[cfg(feature = "tokio")]
pub use task::AsyncArchive;
pub use verify::{Depth, Finding, KnownLosses, VerifyReport};

/// How many events may lie ahead of the index when a store is closed: the next open folds them in again.
const CLOSE_LAG_ENTRIES: usize = 512;

/// How a store is opened.
#[derive(Clone)]
#[non_exhaustive]
pub struct Options {
    /// Who causes the events recorded through this handle.
    pub actor: Actor,
    /// For writing, or only to look.
    pub access: Access,
    /// How long to wait for another process to let go of the store.
    pub lock_wait: Duration,
    /// Bytes of one journal file, 64 KiB to 1 GiB. An event with its inline content must fit one.
    pub journal_bytes: u64,
    /// A pack is closed before it would grow past this many bytes, 4 KiB to 1 TiB.
    pub pack_bytes: u64,
    /// Content of this size and more goes straight into packs, in chunks of which a change in the middle spares the others;
    /// rounded down to a power of two between 4 KiB and 1 MiB. Where chunks are cut follows from it: another value shares
    /// nothing with long content that was stored before.
    pub stream_bytes: usize,
    /// Small content of one kind (of one converter, with one file name extension) that is sealed together is compressed with a
    /// dictionary made of some of it, from so many bytes on and where that makes it smaller. `u64::MAX` is never.
    pub dictionary_from: u64,
    /// Memory for dictionaries that were used to read, in bytes, at most 1 TiB; one takes up to 150
    /// KiB or so, and each pack has its own.
    pub dictionary_cache_bytes: usize,
    /// Memory the index may take for pages, in bytes, at most 1 TiB.
    pub index_cache_bytes: usize,
    /// Content that [`Archive::begin_put`] has taken and that is not durable yet, in bytes, at most
    /// 1 TiB. When so much is in flight, or 1,024 records, the next call waits.
    pub in_flight_bytes: usize,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// Told how far long work has come.
    pub progress: Progress,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            actor: Actor::system(),
            access: Access::ReadWrite,
            lock_wait: Duration::ZERO,
            journal_bytes: 32 << 20,
            pack_bytes: 128 << 20,
            stream_bytes: STREAM_BYTES_MAX,
            dictionary_from: 64 << 10,
            dictionary_cache_bytes: 16 << 20,
            index_cache_bytes: 32 << 20,
            in_flight_bytes: 64 << 20,
            clock: Arc::new(SystemClock),
            progress: Progress::default(),
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("actor", &self.actor)
            .field("access", &self.access)
            .finish_non_exhaustive()
    }
}

/// What a handle may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Access {
    /// Everything. One process at a time.
    ReadWrite,
    /// Only look. Log and packs are not touched; the index, which holds nothing the log does not, may be brought up to date.
    ReadOnly,
}

/// Receives how far long work has come: done, total, and what it is.
#[derive(Clone, Default)]
pub struct Progress(Option<Arc<ProgressFn>>);

type ProgressFn = dyn Fn(u64, u64, &str) + Send + Sync;

impl Progress {
    /// Calls `receive` now and then, from any thread.
    pub fn to(receive: impl Fn(u64, u64, &str) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(receive)))
    }

    /// Says how far the work has come.
    pub fn report(&self, done: u64, total: u64, what: &str) {
        if let Some(receive) = &self.0 {
            receive(done, total, what);
        }
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Progress").field(&self.0.is_some()).finish()
    }
}

/// A store, open in this process. Cheap to clone; all clones share one writer, and the store is let go with the last.
#[derive(Clone)]
pub struct Archive {
    handle: Arc<Handle>,
    /// Who causes what is recorded through this handle; nothing for the one who opened the store.
    actor: Option<Arc<Actor>>,
}

struct Handle {
    shared: Arc<Shared>,
    threads: Mutex<Option<Threads>>,
    /// The same channels, without the lock, for those who hand in work.
    channels: Option<Channels>,
    /// Let go after the threads have ended.
    lock: Mutex<Option<Box<dyn DiskLock>>>,
    copied_from: OnceLock<CopiedFrom>,
}

#[derive(Clone)]
struct Channels {
    turns: Arc<Turns>,
    in_flight: Arc<InFlight>,
    requests: Sender<Request>,
    controls: Sender<Control>,
    jobs: Sender<Job>,
}

impl Channels {
    /// Hands the writer a request; waits only while too many are before it. False when nobody takes it any more: then it
    /// is answered already, or never.
    fn hand_in(&self, request: Request) -> bool {
        self.requests.send(request).is_ok() && !self.turns.is_over()
    }
}

/// The threads of a store that is open for writing.
struct Threads {
    channels: Channels,
    writer: JoinHandle<()>,
    sealer: JoinHandle<()>,
}

impl fmt::Debug for Archive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Archive")
            .field("store", &self.store_id())
            .finish_non_exhaustive()
    }
}

impl Archive {
    /// Makes a store in `dir`, which must be missing or empty, and opens it. On `Ok` the store survives a power cut; what was left
    /// after an error or a crash is cleared away by the next try.
    ///
    /// ```
    /// use annals::archive::{Archive, Options};
    ///
    /// # fn main() -> annals::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// let archive = Archive::create(dir.path().join("new"), Options::default())?;
    /// assert_eq!(archive.newest().0, 1);
    /// # archive.close()
    /// # }
    /// ```
    pub fn create(dir: impl AsRef<Path>, options: Options) -> Result<Self> {
        let dir = dir.as_ref();
        bounds::check(&options)?;
        let disk = make::new_dir(dir)?;
        make::create(Arc::new(disk), dir.to_owned(), options)
    }

    /// Opens the store in `dir`. One process at a time may have it open for writing.
    ///
    /// A torn tail is cut and recorded, a missing or damaged index is made anew. A store whose log is damaged opens for
    /// reading only; [`Archive::damage`] says what was found.
    ///
    /// ```
    /// use annals::archive::{Archive, Options};
    ///
    /// # fn main() -> annals::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # Archive::builder().create(dir.path().join("store"))?.close()?;
    /// let archive = Archive::open(dir.path().join("store"), Options::default())?;
    /// assert!(archive.damage().is_empty());
    /// # archive.close()
    /// # }
    /// ```
    pub fn open(dir: impl AsRef<Path>, options: Options) -> Result<Self> {
        let dir = dir.as_ref();
        open::open(Arc::new(FsDisk::new(dir)), dir.to_owned(), options)
    }

    /// Makes a store on a disk of the caller's, whose root is empty.
    pub fn create_on(disk: Arc<dyn Disk>, options: Options) -> Result<Self> {
        make::create(disk, Path::new("").to_owned(), options)
    }

    /// Opens a store on a disk of the caller's.
    pub fn open_on(disk: Arc<dyn Disk>, options: Options) -> Result<Self> {
        open::open(disk, Path::new("").to_owned(), options)
    }

    /// True when there is a store in `dir`.
    pub fn is_store(dir: impl AsRef<Path>) -> bool {
        dir.as_ref().join(HEADER_FILE).is_file()
    }

    fn assemble(
        shared: Arc<Shared>,
        threads: Option<Threads>,
        lock: Option<Box<dyn DiskLock>>,
    ) -> Self {
        let channels = threads.as_ref().map(|threads| threads.channels.clone());
        Self {
            handle: Arc::new(Handle {
                shared,
                threads: Mutex::new(threads),
                channels,
                lock: Mutex::new(lock),
                copied_from: OnceLock::new(),
            }),
            actor: None,
        }
    }

    /// The same store, lent to another: what is recorded through it was caused by `actor`, and closing it closes nothing. The
    /// store stays open until the one who opened it closes it.
    ///
    /// ```
    /// use annals::archive::{Archive, NewEntry};
    /// use annals::event::{Actor, ActorKind};
    ///
    /// # fn main() -> annals::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let archive = Archive::builder().create(dir.path().join("store"))?;
    /// let lent = archive.lend(Actor::new(ActorKind::User, "mia"));
    /// lent.put(NewEntry::new("ICT"), &b"hers"[..])?;
    /// lent.close()?; // closes nothing
    /// archive.put(NewEntry::new("ICT"), &b"ours"[..])?;
    /// # archive.close()
    /// # }
    /// ```
    #[must_use]
    pub fn lend(&self, actor: Actor) -> Self {
        Self {
            handle: Arc::clone(&self.handle),
            actor: Some(Arc::new(actor)),
        }
    }

    /// Says what keeps the store from taking anything more, if something does: damage, or a write that
    /// failed, which stops it until it is opened again.
    pub fn can_write(&self) -> Result<()> {
        self.channels()?;
        self.handle.failure()
    }

    /// True while some handle, of this process or another, has the store in `dir` open.
    pub fn is_open(dir: impl AsRef<Path>) -> bool {
        let dir = dir.as_ref();
        // A folder that is no store gets no lock file.
        Self::is_store(dir) && open::is_locked(&FsDisk::new(dir))
    }

    /// The store's name for life.
    pub fn store_id(&self) -> StoreId {
        self.shared().store
    }

    /// Where the store is.
    pub fn dir(&self) -> &Path {
        &self.shared().dir
    }

    /// What was found damaged in the log when the store was opened, one line for each place. Empty when
    /// all is well; [`Archive::known_damage`] tells of missing content, too.
    pub fn damage(&self) -> &[String] {
        &self.shared().damage
    }

    /// Says of which store this one is a copy, where that can be told, until [`Archive::confirm_move`] says which of
    /// them goes on. A store that was moved is no copy. Known only of a store that is open for writing.
    pub fn copied_from(&self) -> Option<&CopiedFrom> {
        self.handle.copied_from.get()
    }

    /// The newest acknowledged event.
    pub fn newest(&self) -> EventSeq {
        self.shared().newest()
    }

    /// Waits until there is an event after `seq`, at most for `timeout`; answers the newest.
    pub fn wait_past(&self, seq: EventSeq, timeout: Duration) -> EventSeq {
        let newest = self.shared().newest_event();
        newest.wait_past(seq, Some(timeout), || false).newest
    }

    /// Moves what is in the journal into segments and packs, and the index up to the log. Callers go on meanwhile.
    ///
    /// ```
    /// use annals::archive::{Archive, NewEntry};
    ///
    /// # fn main() -> annals::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let archive = Archive::builder().create(dir.path().join("store"))?;
    /// archive.put(NewEntry::new("ICT"), &b"content"[..])?;
    /// archive.seal()?;
    /// # archive.close()
    /// # }
    /// ```
    pub fn seal(&self) -> Result<()> {
        let channels = self.channels()?;
        let (reply, answer) = bounded(1);
        if !channels.hand_in(Request::Rotate(reply)) {
            return Err(sealer::ended(self.shared()));
        }
        answer
            .recv()
            .unwrap_or_else(|_| Err(sealer::ended(self.shared())))?;
        self.settle()
    }

    /// Waits until everything handed to the sealer is sealed, and writes the index.
    fn settle(&self) -> Result<()> {
        self.ask_sealer(Job::Settle)
    }

    fn ask_sealer<T>(&self, job: impl FnOnce(Sender<Result<T>>) -> Job) -> Result<T> {
        let channels = self.channels()?;
        let (reply, answer) = bounded(1);
        let sent = channels.jobs.send(job(reply)).is_ok();
        match answer.recv() {
            Ok(answer) if sent => answer,
            _ => Err(sealer::ended(self.shared())),
        }
    }

    /// Runs `work` on the sealing thread, where no seal and no compaction can come in between.
    fn beside_the_sealer<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Arc<Shared>, &Sender<Control>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.ask_sealer(|reply| {
            Job::Run(Box::new(move |shared, control| {
                // Who asked may have gone; the work was done all the same.
                let _ = reply.send(work(shared, control));
            }))
        })
    }

    /// Drops the index and folds the whole log into a new one. Callers wait meanwhile. Answers the newest event in it.
    ///
    /// ```
    /// use annals::archive::Archive;
    ///
    /// # fn main() -> annals::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let archive = Archive::builder().create(dir.path().join("store"))?;
    /// assert_eq!(archive.rebuild()?, archive.newest());
    /// # archive.close()
    /// # }
    /// ```
    pub fn rebuild(&self) -> Result<EventSeq> {
        self.beside_the_sealer(rebuild::anew)
    }

    /// Ends the background work and lets go of the store. What was acknowledged is safe without it, too; an error here says
    /// that background work had failed before.
    ///
    /// ```
    /// use annals::archive::{Archive, NewEntry};
    ///
    /// # fn main() -> annals::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let archive = Archive::builder().create(dir.path().join("store"))?;
    /// let pending = archive.begin_put(NewEntry::new("ICT"), &b"content"[..])?;
    /// archive.close()?;
    /// assert!(pending.is_done());
    /// pending.wait()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn close(self) -> Result<()> {
        match self.actor {
            None => self.handle.shut_down(),
            Some(_) => self.handle.failure(),
        }
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.handle.shared
    }

    /// The shared state, if this handle may write.
    fn writable(&self) -> Result<&Arc<Shared>> {
        self.channels()?;
        Ok(self.shared())
    }

    fn channels(&self) -> Result<&Channels> {
        let shared = self.shared();
        if let Some(channels) = &self.handle.channels {
            return Ok(channels);
        }
        Err(match shared.damage.first() {
            Some(first) => Error::new(
                ErrorKind::Damaged,
                format!("the log is damaged, so the store is open for reading only: {first}"),
            )
            .hint(
                "bring the damaged file back from a copy, or see 'annals verify' and 'annals repair \
                 --dry-run'; what is undamaged can be read and restored",
            ),
            None => Error::new(ErrorKind::ReadOnly, "the store is open for reading only"),
        })
    }

    /// Hands facts to the writer and waits until they are durable.
    fn append(&self, drafts: Vec<Draft>) -> Result<Receipt> {
        self.wait(|reply| self.request(drafts, reply))
    }

    /// The request to record `drafts`, in the name of who has this handle.
    fn request(&self, mut drafts: Vec<Draft>, reply: ReplyTo) -> Request {
        for draft in &mut drafts {
            draft.actor.clone_from(&self.actor);
        }
        Request::Append(drafts, reply)
    }

    /// Asks the writer for something, or does it as the writer, and waits for the answer.
    fn wait(&self, request: impl FnOnce(ReplyTo) -> Request) -> Result<Receipt> {
        let (reply, answer) = bounded(1);
        // Who waits is there to hear it.
        let request = request(Box::new(move |receipt| drop(reply.send(receipt))));
        let channels = self.channels()?;
        let waiting = channels.turns.wait();
        if let Err(request) = waiting.serve_if_alone(request)
            && !channels.hand_in(request)
        {
            // It may have been served just before.
            return answer
                .try_recv()
                .unwrap_or_else(|_| Err(sealer::ended(self.shared())));
        }
        answer
            .recv()
            .unwrap_or_else(|_| Err(sealer::ended(self.shared())))
    }

    /// Hands over one fact; answers its number.
    fn append_fact(&self, draft: Draft) -> Result<EventSeq> {
        match self.append(vec![draft])? {
            Receipt::Durable { events, .. } => Ok(events.last().copied().unwrap_or_default()),
            Receipt::Known(_) | Receipt::BringContent => Err(Error::new(
                ErrorKind::Invalid,
                "BUG: a plain fact was answered as if it had content",
            )),
        }
    }

    fn place_packs(&self, packs: Vec<SyncedPack>) -> Result<()> {
        sealer::place_packs(self.shared(), &self.channels()?.controls, packs)
    }
}

fn no_entry(id: EntryId) -> Error {
    Error::new(ErrorKind::NotFound, format!("there is no entry {id}"))
        .hint("'annals list' shows what there is, 'annals find TEXT' searches")
}

impl Handle {
    fn shut_down(&self) -> Result<()> {
        let threads = self.threads.lock().expect("no panic while held").take();
        let Some(threads) = threads else {
            return Ok(());
        };
        // What is in flight is written while its journal files can still be sealed.
        let (reply, flushed) = bounded(1);
        if threads.channels.hand_in(Request::Flush(reply)) {
            let _ = flushed.recv();
        }
        self.shared.set_closing();
        let mut written = Ok(());
        if self.shared.changed_entries() > CLOSE_LAG_ENTRIES && self.shared.failure().is_none() {
            let (reply, answer) = bounded(1);
            if threads.channels.jobs.send(Job::Settle(reply)).is_ok() {
                written = answer.recv().unwrap_or(Ok(()));
            }
        }
        // A thread that has ended already does not hear us, which is as good.
        let _ = threads.channels.jobs.send(Job::Stop);
        let sealer_ended = threads.sealer.join().is_ok();
        let _ = threads.channels.requests.send(Request::Stop);
        let writer_ended = threads.writer.join().is_ok();
        let shared = &self.shared;
        shared.newest_event().end().wake();
        open::testify(&*shared.disk, &shared.store, shared.newest());
        self.lock.lock().expect("no panic while held").take();
        if !sealer_ended || !writer_ended {
            return Err(
                Error::new(ErrorKind::Poisoned, "BUG: a thread of the store panicked")
                    .hint("what was acknowledged is safe; open the store again"),
            );
        }
        self.failure()?;
        match written {
            // A full disk keeps the index behind, which costs the next open a moment and nobody a byte.
            Err(error) if error.kind() == ErrorKind::Full => Ok(()),
            other => other,
        }
    }

    /// Says what stopped the writer, if anything did.
    fn failure(&self) -> Result<()> {
        match self.shared.failure() {
            Some(why) => Err(Error::new(ErrorKind::Poisoned, why)
                .hint("what was acknowledged is safe; open the store again")),
            None => Ok(()),
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // Whoever wants to hear of a failure calls `close`; what was acknowledged is durable either way.
        let _ = self.shut_down();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::sim::SimDisk;
    use crate::event::ActorKind;
    use crate::retention::{AsOf, Policy};

    fn new() -> NewEntry {
        NewEntry {
            converter: "ICT".to_owned(),
            ..NewEntry::default()
        }
    }

    #[test]
    fn what_is_recorded_through_a_lent_store_names_who_borrowed_it_and_returning_it_closes_nothing()
    {
        let disk = SimDisk::new();
        let archive = Archive::create_on(Arc::new(disk), Options::default()).expect("made");
        let lent = archive.lend(Actor {
            kind: ActorKind::User,
            id: "mia".to_owned(),
        });
        lent.put(new(), &b"hers"[..]).expect("archived");
        let policy = Policy {
            max_count: Some(0),
            ..Policy::default()
        };
        let plan = lent.plan_purge(&policy, AsOf::Clock).expect("planned");
        lent.purge(&plan, "hers too").expect("purged");
        lent.close().expect("returned");
        archive.put(new(), &b"ours"[..]).expect("still open");
        let who: Vec<String> = archive
            .events(EventSeq(2), None)
            .expect("readable")
            .map(|leaf| {
                let event: serde_json::Value =
                    serde_json::from_str(&leaf.expect("whole").line).expect("JSON");
                format!(
                    "{} {}",
                    event["type"].as_str().expect("text"),
                    event["authid"].as_str().expect("text")
                )
            })
            .collect();
        let is = |kind: &str, id: &str| who.contains(&format!("annals.{kind}.v1 {id}"));
        assert!(
            is("store.opened", "annals") && is("archived", "mia"),
            "{who:?}"
        );
        assert!(is("purge.planned", "mia") && is("purged", "mia"), "{who:?}");
        assert_eq!(
            who.last().map(String::as_str),
            Some("annals.archived.v1 annals")
        );
    }
}
