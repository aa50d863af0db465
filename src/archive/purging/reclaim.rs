//! Frees the bytes of purged content, wherever they lie: in packs, in the journal, and behind its
//! end.
//!
//! A purge is on record before any of this begins. What it could not free can be seen in the store,
//! so the next purge, `compact` and the next opening for writing all finish it.

use std::collections::BTreeSet;
use std::sync::Arc;

use crossbeam_channel::bounded;

use crate::archive::background::compact::{compact, compact_each, pack_again};
use crate::archive::background::packing::Pace;
use crate::archive::handle::Archive;
use crate::archive::messages::{Job, Request, WriterLink};
use crate::archive::state::compact_outcome::{CompactOutcome, after_freeing};
use crate::archive::state::reclaimable::{choose_packs, unneeded_in_journal, was_purged};
use crate::archive::state::store::Store;
use crate::disk::Disk;
use crate::log::Spare;
use crate::{ErrorKind, Result};

/// When packing again is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Eagerness {
    /// When the store is being closed.
    AsAsked,
    /// Also when a journal file waits to be sealed.
    WhileIdle,
}

/// Packs again while nothing more urgent waits.
struct Attentive<'a> {
    store: &'a Store,
    eagerness: Eagerness,
}

impl Pace for Attentive<'_> {
    fn packed(&self, _bytes: u64) -> bool {
        let is_waiting = self.eagerness == Eagerness::WhileIdle && self.store.backlog.is_waiting();
        !is_waiting && !self.store.health.is_closing()
    }
}

impl Archive {
    /// Makes the store as small as it gets: frees the bytes of purged content, packs again what was
    /// packed quickly, puts small packs together, and gives back unused journal files. Stops when
    /// `max_bytes` were freed or written again.
    ///
    /// After an error the rest is left for the next call; the message says what was freed before
    /// it.
    ///
    /// ```
    /// use annals::archive::Archive;
    ///
    /// # fn main() -> annals::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let archive = Archive::builder().create(dir.path().join("store"))?;
    /// let done = archive.compact(None)?;
    /// assert_eq!(done.bytes_freed, 0);
    /// # archive.close()
    /// # }
    /// ```
    pub fn compact(&self, max_bytes: Option<u64>) -> Result<CompactOutcome> {
        self.record_due_if_trusted()?;
        let freed = self.free_purged(max_bytes)?;
        let left = max_bytes.map(|max| max.saturating_sub(freed.bytes_freed));
        if left == Some(0) {
            return Ok(freed);
        }
        self.seal_what_is_worth_it()?;
        let again = self.pack_again(left, Eagerness::AsAsked);
        self.trim()?;
        match again {
            Ok(again) => Ok(freed.plus(again)),
            Err(error) => Err(after_freeing(error, freed.bytes_freed)),
        }
    }

    /// Does a part of what [`Archive::compact`] does, of about `max_bytes`, and gives up as soon as
    /// a journal file waits to be sealed. For programs that keep a store open, to be called while
    /// little happens.
    ///
    /// ```
    /// use annals::archive::Archive;
    ///
    /// # fn main() -> annals::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let archive = Archive::builder().create(dir.path().join("store"))?;
    /// let done = archive.compact_while_idle(64 << 20)?;
    /// assert_eq!(done.bytes_freed, 0);
    /// # archive.close()
    /// # }
    /// ```
    pub fn compact_while_idle(&self, max_bytes: u64) -> Result<CompactOutcome> {
        let done = self.pack_again(Some(max_bytes), Eagerness::WhileIdle);
        self.trim()?;
        done
    }

    /// Seals the journal if it holds as much as would be sealed when the store is closed. On a full
    /// disk it stays.
    fn seal_what_is_worth_it(&self) -> Result<()> {
        let channels = self.channels()?;
        let (reply, rotated) = bounded(1);
        let least = self.store().options.journal_kept_bytes;
        if channels.hand_in(Request::Rotate(least, reply)) {
            let _ = rotated.recv();
        }
        Ok(())
    }

    /// Packs again what was packed quickly, and puts small packs together. Between two groups of
    /// packs the background thread seals what waits.
    fn pack_again(&self, max_bytes: Option<u64>, eagerness: Eagerness) -> Result<CompactOutcome> {
        let mut total = CompactOutcome::default();
        let mut read_bytes = 0;
        loop {
            if max_bytes.is_some_and(|max| read_bytes >= max) {
                return Ok(total);
            }
            let store = Arc::clone(self.store());
            let step = self.run_in_background(move |writer| {
                let pace = Attentive {
                    store: &store,
                    eagerness,
                };
                pack_again(&store, writer, &pace)
            });
            match step {
                Ok(step) => {
                    total = total.plus(step.done);
                    read_bytes += step.read_bytes;
                    if step.ended {
                        return Ok(total);
                    }
                }
                // Packs need room beside those they replace. Without it they stay as they are.
                Err(error) if error.kind() == ErrorKind::Full => return Ok(total),
                Err(error) => return Err(after_freeing(error, total.bytes_freed)),
            }
        }
    }

    /// Gives back journal files that wait to be used again, except for one, and the free room of
    /// the index.
    fn trim(&self) -> Result<()> {
        let store = Arc::clone(self.store());
        self.run_in_background(move |writer| {
            writer.trim_journal(Spare::One)?;
            let alone = store.index.write_alone();
            store.index.shrink();
            drop(alone);
            Ok(())
        })
    }

    /// Writes what a purge changed to the index, and gives back the free room of its file. Nobody
    /// waits for that: it frees no content, and the next purge or `compact` does it as well.
    pub(in crate::archive) fn shrink_index_later(&self) {
        let Ok(channels) = self.channels() else {
            return;
        };
        let store = Arc::clone(self.store());
        let _ = channels.jobs.send(Job::Run(Box::new(move |writer| {
            let written = writer.freeze().and_then(|()| store.index.write_frozen());
            if written.is_ok() {
                let _alone = store.index.write_alone();
                store.index.shrink();
            }
        })));
    }

    /// Frees the bytes of purged content, until `max_bytes` were freed: those in packs, and those
    /// still in the journal, which is sealed without them.
    pub(in crate::archive) fn free_purged(&self, max_bytes: Option<u64>) -> Result<CompactOutcome> {
        // Packs come first: on a full disk they make room for the rest.
        let compacted = self.compact_packs(max_bytes);
        let freed = compacted.as_ref().map_or(0, |done| done.bytes_freed);
        let may_go_on = max_bytes.is_none_or(|max| freed < max);
        let in_journal = if may_go_on && was_purged(&self.store().index.view()) {
            self.free_journal()
        } else {
            Ok(0)
        };
        match (compacted, in_journal) {
            (Ok(done), Ok(in_journal)) => {
                // Includes what the opening of the store freed just before.
                let done = done.plus(self.store().leftovers.take_freed());
                Ok(CompactOutcome {
                    bytes_freed: done.bytes_freed + in_journal,
                    ..done
                })
            }
            (Err(error), Ok(0)) => Err(error),
            (Err(error), Ok(in_journal)) => Err(after_freeing(error, in_journal)),
            (Ok(done), Err(error)) => Err(after_freeing(error, done.bytes_freed)),
            (Err(error), Err(_)) => Err(error),
        }
    }

    /// Frees the bytes of everything that a purge took, also in packs of which less than half is
    /// unneeded: those are written again. `plan` is that of the newest purge if `None`.
    ///
    /// # Errors
    ///
    /// `NotFound` when there is no such purge.
    pub fn free_purged_by(&self, plan: Option<&str>) -> Result<CompactOutcome> {
        let contents = self.contents_purged_by(plan)?;
        let store = Arc::clone(self.store());
        let rewritten = self.run_in_background(move |writer| {
            let view = store.index.view();
            let mut inside = BTreeSet::new();
            for content in &contents {
                let parts = view.children(content)?;
                for blob in std::iter::once(content).chain(parts.iter()) {
                    let row = view.blob(blob)?.filter(|row| row.refs == 0);
                    inside.extend(row.and_then(|row| row.place).map(|place| place.pack));
                }
            }
            let packs = view.packs()?.into_iter();
            let chosen = packs.filter(|pack| inside.contains(&pack.id)).collect();
            drop(view);
            compact_each(&store, writer, chosen, None, || true)
        })?;
        Ok(rewritten.plus(self.free_purged(None)?))
    }

    fn compact_packs(&self, max_bytes: Option<u64>) -> Result<CompactOutcome> {
        let store = Arc::clone(self.store());
        self.run_in_background(move |writer| compact(&store, writer, max_bytes, || true))
    }

    /// Records that purges are final whose grace period is over. While the clock is in doubt, or
    /// the disk too full to record it, they wait.
    fn record_due_if_trusted(&self) -> Result<()> {
        match self.record_due() {
            Err(error) if !matches!(error.kind(), ErrorKind::Refused | ErrorKind::Full) => {
                Err(error)
            }
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Finishes in the background what a purge left undone before the store was opened.
    ///
    /// A failure here is not reported: `stats` still shows the bytes, and the next purge or
    /// `compact` says why.
    pub(in crate::archive) fn end_purges(&self) -> Result<()> {
        let store = self.store();
        if !self.is_writable() {
            return Ok(());
        }
        self.record_due_if_trusted()?;
        if !was_purged(&store.index.view()) {
            return Ok(());
        }
        let channels = self.channels()?;
        let jobs = &channels.jobs;
        if !choose_packs(&store.index.view().packs()?).is_empty() {
            let store = Arc::clone(store);
            let _ = jobs.send(Job::Run(Box::new(move |writer| {
                let done = compact(&store, writer, None, || !store.health.is_closing());
                store.leftovers.note_freed(done.unwrap_or_default());
            })));
        }
        let in_journal = unneeded_in_journal(&store.index, &store.journal)?;
        if in_journal > 0 {
            let (reply, rotated) = bounded(1);
            // After this answer the background thread has the file to be sealed before its next
            // job.
            if channels.hand_in(Request::Rotate(0, reply)) && matches!(rotated.recv(), Ok(Ok(()))) {
                store.leftovers.note_freed(CompactOutcome {
                    bytes_freed: in_journal,
                    ..CompactOutcome::default()
                });
            }
        }
        if in_journal > 0 || store.leftovers.has_stale_journal() {
            let disk = Arc::clone(&store.disk);
            let _ = jobs.send(Job::Run(Box::new(move |writer| {
                let _ = wipe_journal(&*disk, writer);
            })));
        }
        Ok(())
    }

    /// Seals the journal without unneeded content, and wipes what its files held before. Returns
    /// the bytes that were not needed.
    fn free_journal(&self) -> Result<u64> {
        let store = self.store();
        let unneeded = unneeded_in_journal(&store.index, &store.journal)?;
        if unneeded > 0 {
            self.seal()?;
        }
        // On the background thread, which may have released a file that the writer has not received
        // yet.
        let disk = Arc::clone(&store.disk);
        self.run_in_background(move |writer| wipe_journal(&*disk, writer))?;
        Ok(unneeded)
    }
}

/// Wipes what the journal files held and nothing needs. Callers wait for the current file only.
fn wipe_journal(disk: &dyn Disk, writer: &WriterLink) -> Result<()> {
    let mut wiped = Ok(());
    for mut journal in writer.take_free_journals()? {
        if wiped.is_ok() {
            wiped = journal.wipe_free(disk);
        }
        writer.recycle(journal);
    }
    wiped?;
    writer.wipe_current_journal()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;
    use crate::archive::{NewEntry, Options, PurgeOutcome, Stats};
    use crate::disk::sim::SimDisk;
    use crate::log::JOURNAL_BYTES_MIN;
    use crate::retention::{AsOf, Policy, PurgePlan};

    const SECRET: &[u8] = b"serial 4711 of a unit that must be forgotten";

    fn options() -> Options {
        Options {
            journal_bytes: JOURNAL_BYTES_MIN,
            ..Options::default()
        }
    }

    fn store(disk: &SimDisk) -> Archive {
        Archive::create_on(Arc::new(disk.clone()), options()).expect("a store")
    }

    fn open(disk: &SimDisk) -> Archive {
        Archive::open_on(Arc::new(disk.clone()), options()).expect("opens")
    }

    fn put(archive: &Archive, content: &[u8]) {
        let new = NewEntry {
            converter: "ICT".into(),
            ..NewEntry::default()
        };
        archive.put(new, content).expect("archived");
    }

    fn plan_all(archive: &Archive) -> PurgePlan {
        let policy = Policy {
            max_count: Some(0),
            ..Policy::default()
        };
        archive.plan_purge(&policy, AsOf::Clock).expect("a plan")
    }

    fn purge_all(archive: &Archive) -> PurgeOutcome {
        archive
            .purge(&plan_all(archive), "asked for")
            .expect("recorded")
    }

    /// Records that everything goes, and is killed before anything is freed.
    fn record_only(archive: &Archive) {
        let plan = plan_all(archive);
        archive
            .record_purge(&plan, "asked for", None)
            .expect("recorded");
    }

    fn stats(archive: &Archive) -> Stats {
        archive.snapshot().expect("there").stats().expect("counted")
    }

    fn is_anywhere(disk: &SimDisk) -> bool {
        disk.files().iter().any(|(path, _)| {
            let content = disk.content(path).expect("a file");
            content.windows(SECRET.len()).any(|window| window == SECRET)
        })
    }

    /// On a full disk `retention apply` said that it failed and that nothing was lost, while 31
    /// entries were purged on record. Their bytes stayed: `stats` saw nothing to reclaim, `compact`
    /// freed nothing.
    #[test]
    fn a_purge_on_a_full_disk__is_recorded_and_ended_by_compact() {
        let disk = SimDisk::new();
        let archive = store(&disk);
        put(&archive, SECRET);
        put(&archive, b"another");
        assert_eq!(stats(&archive).reclaimable_bytes, 0);
        // The journal is full of it, and there is no room for a second journal file.
        disk.set_capacity(Some(disk.used_bytes()));
        let done = purge_all(&archive);
        assert_eq!(done.recorded.archives_purged, 2);
        let why = done.reclaim.expect_err("no room to seal");
        assert_eq!(why.kind(), ErrorKind::Full, "{why}");
        let left = stats(&archive);
        assert_eq!((left.entries, left.purged), (0, 2));
        assert!(left.reclaimable_bytes > SECRET.len() as u64);
        let refused = archive.compact(None).expect_err("no room yet");
        assert_eq!(refused.kind(), ErrorKind::Full, "{refused}");

        disk.set_capacity(None);
        let freed = archive.compact(None).expect("room again");
        assert_eq!(freed.bytes_freed, left.reclaimable_bytes);
        assert_eq!(stats(&archive).reclaimable_bytes, 0);
        assert!(!is_anywhere(&disk));
        assert_eq!(archive.compact(None).expect("nothing").bytes_freed, 0);
    }

    /// What scripts read of a purge is one object, whether its bytes are freed or not.
    #[test]
    fn a_purge_as_json__is_one_flat_object() {
        let disk = SimDisk::new();
        let archive = store(&disk);
        put(&archive, SECRET);
        let object = serde_json::to_value(purge_all(&archive)).expect("JSON");
        let names: Vec<&str> = object
            .as_object()
            .expect("an object")
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(
            names,
            [
                "archives_purged",
                "bytes_freed",
                "final_at",
                "newest_purged",
                "oldest_purged",
                "parts_purged",
                "plan_id",
                "reason",
                "reclaim_error"
            ]
        );
        assert!(object["bytes_freed"].as_u64() > Some(SECRET.len() as u64));
        put(&archive, b"more");
        let failing = PurgeOutcome {
            reclaim: Err(Error::new(ErrorKind::Full, "no room").hint("make some")),
            ..purge_all(&archive)
        };
        let object = serde_json::to_value(failing).expect("JSON");
        assert_eq!(object["bytes_freed"], 0);
        assert_eq!(object["reclaim_error"]["kind"], "full");
        assert_eq!(object["reclaim_error"]["hint"], "make some");
    }

    /// The power went when a purge was on record and nothing was freed. Nobody purges again for
    /// months.
    #[test]
    fn a_purge_that_was_cut_off__is_finished_by_the_next_opening() {
        let disk = SimDisk::new();
        let cut_off = store(&disk);
        put(&cut_off, SECRET);
        cut_off.seal().expect("sealed");
        // In a pack, in the journal, and in the journal file that it was sealed from.
        put(&cut_off, SECRET);
        put(&cut_off, &[SECRET, b" twice"].concat());
        record_only(&cut_off);
        let killed = disk.snapshot();
        drop(cut_off);
        assert!(is_anywhere(&killed));
        let reading = Options {
            access: crate::archive::Access::ReadOnly,
            ..options()
        };
        let reader = Archive::open_on(Arc::new(killed.clone()), reading).expect("to look");
        assert!(stats(&reader).reclaimable_bytes > 2 * SECRET.len() as u64);
        drop(reader);
        assert!(is_anywhere(&killed), "who looks changes nothing");
        let archive = open(&killed);
        archive.run_in_background(|_| Ok(())).expect("done");
        assert_eq!(stats(&archive).reclaimable_bytes, 0);
        assert!(!is_anywhere(&killed));
        archive.close().expect("closed");
        assert!(open(&killed).known_damage().expect("told").is_empty());
    }

    /// A purge makes zeros of free journal files at its very end.
    #[test]
    fn a_purge_cut_off_before_wiping__is_wiped_by_opening() {
        let disk = SimDisk::new();
        let cut_off = store(&disk);
        put(&cut_off, SECRET);
        cut_off.seal().expect("sealed");
        record_only(&cut_off);
        cut_off.compact_packs(None).expect("compacted");
        let killed = disk.snapshot();
        drop(cut_off);
        assert!(is_anywhere(&killed), "in the file it was sealed from");
        open(&killed).close().expect("closed");
        assert!(!is_anywhere(&killed));
        // What was sealed since is wiped once, for it may be older than the purge, and not at each
        // opening.
        let archive = open(&killed);
        put(&archive, b"kept");
        archive.seal().expect("sealed");
        archive.close().expect("closed");
        open(&killed).close().expect("closed");
        let archive = open(&killed);
        assert!(!archive.store().leftovers.has_stale_journal());
        let id = crate::id::BlobId::of(b"kept");
        assert_eq!(archive.read_all(&id, 100).expect("readable"), b"kept");
    }
}
