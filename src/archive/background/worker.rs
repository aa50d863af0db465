//! The background thread: seals full journal files, writes the index, hands the files back to the
//! writer, and runs what must not meet a seal.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError};

use crate::archive::background::packing::{Pace, PackLimits};
use crate::archive::background::sealing::{Sealed, Sealing};
use crate::archive::messages::{Job, WriterLink};
use crate::archive::state::placing::placement;
use crate::archive::state::store::Store;
use crate::log::FullJournal;
use crate::{Error, ErrorKind, Result};

/// How long to wait before sealing is tried again after the disk was full.
const RETRY: Duration = Duration::from_millis(500);

/// Whether the thread works on.
enum Next {
    GoOn,
    End,
}

/// Tells whoever waits for the store to be closed how far sealing has come.
struct TellBacklog<'a>(&'a Store);

impl Pace for TellBacklog<'_> {
    fn packed(&self, bytes: u64) -> bool {
        self.0.backlog.packed(bytes, &self.0.options.progress);
        true
    }
}

/// The background thread of a store.
pub(in crate::archive) struct Background {
    store: Arc<Store>,
    jobs: Receiver<Job>,
    writer: WriterLink,
    /// Journal files handed over while an earlier one could not be sealed.
    backlog: VecDeque<FullJournal>,
}

impl Background {
    /// Makes the background thread of a store.
    pub(in crate::archive) fn new(
        store: Arc<Store>,
        jobs: Receiver<Job>,
        writer: WriterLink,
    ) -> Self {
        Self {
            store,
            jobs,
            writer,
            backlog: VecDeque::new(),
        }
    }

    /// Works off jobs until told to stop, or until sealing fails for good.
    pub(in crate::archive) fn run(mut self) {
        let health = Arc::clone(&self.store.health);
        let _guard = health.guard("the sealing thread");
        loop {
            let job = match self.backlog.pop_front() {
                Some(full) => Job::Seal(full),
                None => match self.jobs.recv() {
                    Ok(job) => job,
                    Err(_) => return,
                },
            };
            match job {
                Job::Seal(full) => match self.seal_until_done(&full) {
                    Ok(Next::GoOn) => {}
                    Ok(Next::End) => return,
                    Err(error) => {
                        // The journal still holds everything, but nothing is sealed after a gap.
                        health.fail(format!("sealing failed: {}", error.message()));
                        return;
                    }
                },
                Job::Checkpoint(reply) => {
                    let _ = reply.send(self.checkpoint());
                }
                Job::Run(work) => work(&self.writer),
                Job::Stop => return,
            }
        }
    }

    /// Seals a journal file. While the disk is full it tries again, until the store is closed;
    /// purges make room meanwhile.
    fn seal_until_done(&mut self, full: &FullJournal) -> Result<Next> {
        loop {
            match self.seal(full) {
                Ok(()) => {
                    self.store.health.set_stalled(None);
                    return Ok(Next::GoOn);
                }
                Err(error) if error.kind() == ErrorKind::Full => {
                    let why = error.message().to_owned();
                    self.store.health.set_stalled(Some(why));
                    if let Next::End = self.wait_for_room() {
                        return Ok(Next::End);
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Runs what may make room while sealing does not get on.
    fn wait_for_room(&mut self) -> Next {
        match self.jobs.recv_timeout(RETRY) {
            Ok(Job::Checkpoint(reply)) => {
                let why = self.store.health.stalled().unwrap_or_default();
                let refused =
                    Error::new(ErrorKind::Full, why).hint("free some space; nothing was lost");
                let _ = reply.send(Err(refused));
            }
            Ok(Job::Run(work)) => work(&self.writer),
            // Files are sealed in order; the journal holds this one until then.
            Ok(Job::Seal(full)) => self.backlog.push_back(full),
            Ok(Job::Stop) | Err(RecvTimeoutError::Disconnected) => return Next::End,
            Err(RecvTimeoutError::Timeout) => {}
        }
        Next::GoOn
    }

    /// Seals a journal file and makes its content and events served from packs and segment.
    fn seal(&self, full: &FullJournal) -> Result<()> {
        let store = &self.store;
        let sealing = Sealing {
            disk: &store.disk,
            store: store.id,
            log: &store.log,
            index: &store.index,
            packs: &store.packs,
            tmp: &store.tmp,
            limits: PackLimits::of(&store.options),
            pace: &TellBacklog(store),
        };
        // `None`: it was sealed before, up to the index, for which there was no room then; or it
        // never held anything.
        if let Some(Sealed { packs, segment }) = sealing.seal(full)? {
            let change = placement(&*store.disk, &store.contents, packs)?;
            self.writer.change(change)?;
            store.log.add_segment(segment);
        }
        self.release_journal(full)
    }

    /// Writes the index, so that nothing looks for content in the journal file any more, and hands
    /// the file back.
    fn release_journal(&self, full: &FullJournal) -> Result<()> {
        let journal = &full.journal;
        self.checkpoint()?;
        self.store
            .journal
            .forget(journal.slot, journal.header.generation);
        self.writer.recycle(journal.clone());
        self.store.backlog.sealed(full.bytes);
        Ok(())
    }

    /// Moves what is newer than the file of the index into that file.
    fn checkpoint(&self) -> Result<()> {
        self.writer.freeze()?;
        self.store.index.write_frozen()
    }
}
