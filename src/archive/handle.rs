//! The handle of an open store: its parts, its threads, and how callers hand work to them.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Sender, bounded};

use crate::archive::appending::answer::Answer;
use crate::archive::appending::in_flight::InFlight;
use crate::archive::appending::leader::Leader;
use crate::archive::files::place::CopiedFrom;
use crate::archive::messages::{Draft, Job, Receipt, ReplyTo, Request, WriterLink};
use crate::archive::state::placing::placement;
use crate::archive::state::store::Store;
use crate::archive::state::watermark;
use crate::blob::pack_writer::SyncedPack;
use crate::disk::DiskLock;
use crate::event::Actor;
use crate::id::{EventSeq, StoreId};
use crate::log::Spare;
use crate::{Error, ErrorKind, Result};

/// How many entries may have changed since the index was written when a store is closed. The next
/// opening folds them in again.
const CLOSE_LAG_ENTRIES: usize = 512;

/// An open store. Cheap to clone; all clones share one writer, and dropping the last one closes the
/// store.
#[derive(Clone)]
pub struct Archive {
    handle: Arc<Handle>,
    /// Who causes what is recorded through this handle; `None` for whoever opened the store.
    actor: Option<Arc<Actor>>,
}

struct Handle {
    store: Arc<Store>,
    threads: Mutex<Option<Threads>>,
    /// The channels of the threads, to be used without the lock. `None` for reading only.
    channels: Option<Channels>,
    /// Released after the threads have ended.
    lock: Mutex<Option<Box<dyn DiskLock>>>,
    copied_from: OnceLock<CopiedFrom>,
}

/// The channels into the threads of a store.
#[derive(Clone)]
pub(in crate::archive) struct Channels {
    pub(in crate::archive) leader: Arc<Leader>,
    pub(in crate::archive) in_flight: Arc<InFlight>,
    pub(in crate::archive) requests: Sender<Request>,
    pub(in crate::archive) writer: WriterLink,
    pub(in crate::archive) jobs: Sender<Job>,
}

impl Channels {
    /// Hands the writer a request, and waits while too many are queued. Returns false when the
    /// writer thread has ended: then the request was answered already, or never is.
    pub(in crate::archive) fn hand_in(&self, request: Request) -> bool {
        self.requests.send(request).is_ok() && !self.leader.is_over()
    }
}

/// The threads of a store that is open for writing.
pub(in crate::archive) struct Threads {
    pub(in crate::archive) channels: Channels,
    pub(in crate::archive) writer: JoinHandle<()>,
    pub(in crate::archive) background: JoinHandle<()>,
}

impl fmt::Debug for Archive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Archive")
            .field("store", &self.store_id())
            .finish_non_exhaustive()
    }
}

impl Archive {
    /// Makes the handle of a store. Without threads it is open for reading only.
    pub(in crate::archive) fn assemble(
        store: Arc<Store>,
        threads: Option<Threads>,
        lock: Option<Box<dyn DiskLock>>,
    ) -> Self {
        let channels = threads.as_ref().map(|threads| threads.channels.clone());
        Self {
            handle: Arc::new(Handle {
                store,
                threads: Mutex::new(threads),
                channels,
                lock: Mutex::new(lock),
                copied_from: OnceLock::new(),
            }),
            actor: None,
        }
    }

    /// Returns a handle of the same store for another actor.
    ///
    /// Events recorded through it are caused by `actor`. Closing it closes nothing: the store stays
    /// open until the handle that opened it is closed.
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

    /// Fails when the store cannot take anything more: it is damaged, or a write failed and stopped
    /// it until it is opened again.
    pub fn can_write(&self) -> Result<()> {
        self.channels()?;
        self.store().health.check()
    }

    /// Returns how many bytes are free on the disk of the store; `None` where it does not say so.
    pub fn free_bytes(&self) -> Option<u64> {
        self.store().disk.free_bytes().ok()
    }

    /// Returns the id of the store, which never changes.
    pub fn store_id(&self) -> StoreId {
        self.store().id
    }

    /// Returns the folder of the store.
    pub fn dir(&self) -> &Path {
        &self.store().dir
    }

    /// Returns the damage of the log that was found when the store was opened, one line for each
    /// place.
    ///
    /// Empty when the log is whole. [`Archive::known_damage`] includes missing content.
    pub fn damage(&self) -> &[String] {
        &self.store().log_damage
    }

    /// Returns the store that this one is a copy of, if it is a copy that was not confirmed by
    /// [`Archive::confirm_move`].
    ///
    /// A store that was moved is no copy. Known only for a store that is open for writing.
    pub fn copied_from(&self) -> Option<&CopiedFrom> {
        self.handle.copied_from.get()
    }

    /// Notes that the store is a copy. Called once, before the handle is shared.
    pub(in crate::archive) fn set_copied_from(&self, from: CopiedFrom) {
        let set = self.handle.copied_from.set(from);
        assert!(set.is_ok(), "BUG: a store was found to be a copy twice");
    }

    /// Returns the newest acknowledged event.
    pub fn newest(&self) -> EventSeq {
        self.store().watermark.newest()
    }

    /// Waits until there is an event after `seq`, at most for `timeout`. Returns the newest event.
    pub fn wait_past(&self, seq: EventSeq, timeout: Duration) -> EventSeq {
        let watermark = &self.store().watermark;
        watermark.wait_past(seq, Some(timeout), || false).newest
    }

    /// Seals the journal into segments and packs, and writes the index. Other callers continue
    /// meanwhile.
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
        if !channels.hand_in(Request::Rotate(0, reply)) {
            return Err(self.ended());
        }
        answer.recv().unwrap_or_else(|_| Err(self.ended()))?;
        self.ask_background(Job::Checkpoint)
    }

    fn ask_background<T>(&self, job: impl FnOnce(Sender<Result<T>>) -> Job) -> Result<T> {
        let channels = self.channels()?;
        let (reply, answer) = bounded(1);
        let sent = channels.jobs.send(job(reply)).is_ok();
        match answer.recv() {
            Ok(answer) if sent => answer,
            _ => Err(self.ended()),
        }
    }

    /// Runs a closure on the background thread, so no seal or compaction runs meanwhile.
    pub(in crate::archive) fn run_in_background<T: Send + 'static>(
        &self,
        work: impl FnOnce(&WriterLink) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.ask_background(|reply| {
            Job::Run(Box::new(move |writer| {
                // The caller may have gone; the work was done nevertheless.
                let _ = reply.send(work(writer));
            }))
        })
    }

    /// Ends the background work and closes the store.
    ///
    /// What was acknowledged is safe without it, too. An error here says that background work had
    /// failed before.
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
            None => {
                if self.is_writable() {
                    // A store that failed says so below.
                    let _ = self.record_sign_ins_left();
                }
                self.handle.shut_down(Closing::MakeSmall)
            }
            Some(_) => self.store().health.check(),
        }
    }

    /// Closes the store and leaves its files as they are: what a repair did can be undone only
    /// while nothing else has changed them.
    pub(in crate::archive) fn close_as_it_is(self) -> Result<()> {
        self.handle.shut_down(Closing::LeaveAsItIs)
    }

    /// Returns the parts of the store.
    pub(in crate::archive) fn store(&self) -> &Arc<Store> {
        &self.handle.store
    }

    /// Returns the parts of the store, if this handle may write.
    pub(in crate::archive) fn writable(&self) -> Result<&Arc<Store>> {
        self.channels()?;
        Ok(self.store())
    }

    /// Returns true when the handle may write.
    pub(in crate::archive) fn is_writable(&self) -> bool {
        self.handle.channels.is_some()
    }

    /// Returns who causes what is recorded through this handle; `None` for whoever opened the
    /// store.
    pub(in crate::archive) fn actor(&self) -> Option<&Arc<Actor>> {
        self.actor.as_ref()
    }

    /// Returns the channels into the threads, or why the store is open for reading only.
    pub(in crate::archive) fn channels(&self) -> Result<&Channels> {
        if let Some(channels) = &self.handle.channels {
            return Ok(channels);
        }
        Err(match self.damage().first() {
            Some(first) => Error::new(
                ErrorKind::Damaged,
                format!("the log is damaged, so the store is open for reading only: {first}"),
            )
            .hint(
                "bring the damaged file back from a copy, or see 'annals verify' and 'annals \
                 repair --dry-run'; what is undamaged can be read and restored",
            ),
            None => Error::new(ErrorKind::ReadOnly, "the store is open for reading only"),
        })
    }

    /// Hands facts to the writer and waits until they are durable.
    pub(in crate::archive) fn append(&self, drafts: Vec<Draft>) -> Result<Receipt> {
        self.wait(|reply| self.request(drafts, reply))
    }

    /// Makes the request to record `drafts`, in the name of this handle's actor.
    pub(in crate::archive) fn request(&self, mut drafts: Vec<Draft>, reply: ReplyTo) -> Request {
        for draft in &mut drafts {
            if draft.actor.is_none() {
                draft.actor.clone_from(&self.actor);
            }
        }
        Request::Append(drafts, reply)
    }

    /// Hands the writer a request, or runs the writer on this thread, and waits for the answer.
    pub(in crate::archive) fn wait(
        &self,
        request: impl FnOnce(ReplyTo) -> Request,
    ) -> Result<Receipt> {
        let (reply_to, answer) = Answer::new();
        let request = request(reply_to);
        let channels = self.channels()?;
        let waiting = channels.leader.wait();
        if let Err(request) = waiting.try_run_inline(request)
            && !channels.hand_in(request)
        {
            // It may have been answered just before.
            return answer.now().unwrap_or_else(|| Err(self.ended()));
        }
        answer.wait().unwrap_or_else(|| Err(self.ended()))
    }

    fn ended(&self) -> Error {
        self.store().health.ended()
    }

    /// Records one fact. Returns its number.
    pub(in crate::archive) fn append_fact(&self, draft: Draft) -> Result<EventSeq> {
        self.append(vec![draft])?.plain_fact()
    }

    /// Makes packs that were just published known to the index.
    pub(in crate::archive) fn place_packs(&self, packs: Vec<SyncedPack>) -> Result<()> {
        if packs.is_empty() {
            return Ok(());
        }
        let store = self.store();
        let change = placement(&*store.disk, &store.contents, packs)?;
        self.channels()?.writer.change(change)
    }
}

/// What becomes of the journal when a store is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Closing {
    /// What is worth a pack is sealed, and unused room is given back.
    MakeSmall,
    /// Its files stay as they are.
    LeaveAsItIs,
}

impl Handle {
    fn shut_down(&self, closing: Closing) -> Result<()> {
        let threads = self.threads.lock().expect("no panic while held").take();
        let Some(threads) = threads else {
            return Ok(());
        };
        // Records in flight are written while their journal files can still be sealed.
        let (reply, flushed) = bounded(1);
        if threads.channels.hand_in(Request::Flush(reply)) {
            let _ = flushed.recv();
        }
        let store = &self.store;
        // Also the last events are signed.
        let signed = store.signing.end();
        if closing == Closing::MakeSmall {
            // On a full disk it stays in the journal.
            let (reply, rotated) = bounded(1);
            let least = store.options.journal_kept_bytes;
            if threads.channels.hand_in(Request::Rotate(least, reply)) {
                let _ = rotated.recv();
            }
        }
        store.backlog.set_closing();
        store.health.set_closing();
        let mut written = Ok(());
        if store.index.changed_entries() > CLOSE_LAG_ENTRIES && store.health.failure().is_none() {
            let (reply, answer) = bounded(1);
            if threads.channels.jobs.send(Job::Checkpoint(reply)).is_ok() {
                written = answer.recv().unwrap_or(Ok(()));
            }
        }
        // A thread that has ended already does not hear this, which does not matter.
        let _ = threads.channels.jobs.send(Job::Stop);
        let background_ended = threads.background.join().is_ok();
        // After a failure every file stays as it is.
        if closing == Closing::MakeSmall && store.health.failure().is_none() {
            let _ = threads.channels.writer.trim_journal(Spare::None);
        }
        let _ = threads.channels.requests.send(Request::Stop);
        let writer_ended = threads.writer.join().is_ok();
        store.watermark.end().wake();
        watermark::write(&*store.disk, &store.id, store.watermark.newest());
        self.lock.lock().expect("no panic while held").take();
        if !background_ended || !writer_ended {
            return Err(
                Error::new(ErrorKind::Poisoned, "BUG: a thread of the store panicked")
                    .hint("what was acknowledged is safe; open the store again"),
            );
        }
        store.health.check()?;
        match written.and(signed) {
            // A full disk leaves the index behind the log; the next opening catches up. The next
            // checkpoint covers what this one would have covered.
            Err(error) if error.kind() == ErrorKind::Full => Ok(()),
            other => other,
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // A caller who wants to hear of a failure calls `close`; what was acknowledged is durable
        // either way.
        let _ = self.shut_down(Closing::MakeSmall);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::{NewEntry, Options};
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
    fn a_lent_store__records_its_borrower_and_stays_open() {
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
