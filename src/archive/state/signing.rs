//! Who signs the log of an open store, and when the next checkpoint is due.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::Result;
use crate::archive::options::Cadence;
use crate::evidence::checkpoint::SignedCheckpoint;
use crate::evidence::key::Signer;
use crate::evidence::tree::Frontier;
use crate::id::EventSeq;

/// No event has this number: nothing wakes the signing thread.
const NEVER: u64 = u64::MAX;

/// A checkpoint that is on record.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordedCheckpoint {
    /// The event it is recorded as. Unlike the events before it, it is not covered.
    pub event: EventSeq,
    /// What was signed.
    pub signed: SignedCheckpoint,
}

impl RecordedCheckpoint {
    /// Returns true when every event before it is covered: none came while it was made.
    pub(in crate::archive) fn covers_all(&self) -> bool {
        self.event.0 == self.signed.checkpoint().size + 1
    }
}

/// The signing of an open store.
pub(in crate::archive) struct Signing {
    /// `None`: this handle does not sign.
    signer: Mutex<Option<Arc<dyn Signer>>>,
    /// What checkpoints are made of. Held while one is made, so that they are made one by one.
    work: Mutex<SigningWork>,
    /// The event that wakes the signing thread.
    due: AtomicU64,
    /// The last event that needs no other checkpoint.
    covered: AtomicU64,
    is_ending: AtomicBool,
    thread: Mutex<Option<SigningThread>>,
    /// Why the last checkpoint was not made.
    failure: Mutex<Option<String>>,
}

/// What checkpoints are made of.
#[derive(Default)]
pub(in crate::archive) struct SigningWork {
    /// The tree over the log, as far as it was needed.
    pub(in crate::archive) tree: Option<Frontier>,
    /// The newest checkpoint, once it is known.
    pub(in crate::archive) newest: Option<RecordedCheckpoint>,
    /// How often the log is signed, once the log says so, and by which key.
    pub(in crate::archive) declared: Option<Cadence>,
    /// Why the newest checkpoint was not published.
    pub(in crate::archive) unpublished: Option<String>,
}

struct SigningThread {
    wake: Sender<()>,
    thread: JoinHandle<Result<()>>,
}

impl Signing {
    /// Makes the signing of a store that is opened.
    pub(in crate::archive) fn new(signer: Option<Arc<dyn Signer>>, last: EventSeq) -> Self {
        Self {
            signer: Mutex::new(signer),
            work: Mutex::default(),
            due: AtomicU64::new(NEVER),
            covered: AtomicU64::new(last.0),
            is_ending: AtomicBool::new(false),
            thread: Mutex::new(None),
            failure: Mutex::new(None),
        }
    }

    /// Returns who signs.
    pub(in crate::archive) fn signer(&self) -> Option<Arc<dyn Signer>> {
        self.signer.lock().expect("no panic while held").clone()
    }

    /// Lets another key sign from here on. Whoever sets it holds `work`, so that no checkpoint is
    /// made meanwhile.
    pub(in crate::archive) fn set_signer(&self, work: &mut SigningWork, signer: Arc<dyn Signer>) {
        *self.signer.lock().expect("no panic while held") = Some(signer);
        *work = SigningWork {
            tree: work.tree.take(),
            ..SigningWork::default()
        };
    }

    /// Returns what checkpoints are made of, once nobody else makes one.
    pub(in crate::archive) fn work(&self) -> MutexGuard<'_, SigningWork> {
        self.work.lock().expect("no panic while held")
    }

    /// Wakes the signing thread if the log has come to the event it waits for.
    pub(in crate::archive) fn reached(&self, last: EventSeq) {
        if last.0 >= self.due.load(Ordering::Relaxed) {
            self.due.store(NEVER, Ordering::Relaxed);
            self.wake();
        }
    }

    /// Returns the last event that needs no other checkpoint: it is covered by one, or was there
    /// before the store was opened.
    pub(in crate::archive) fn covered(&self) -> EventSeq {
        EventSeq(self.covered.load(Ordering::SeqCst))
    }

    /// Notes that `checkpoint` is on record.
    pub(in crate::archive) fn set_covered(&self, checkpoint: &RecordedCheckpoint) {
        // Events that came in between are left for the next one.
        let covered = if checkpoint.covers_all() {
            checkpoint.event.0
        } else {
            checkpoint.signed.checkpoint().size
        };
        self.covered.fetch_max(covered, Ordering::SeqCst);
    }

    /// Lets event `due` wake the signing thread. Events up to then may have come already.
    pub(in crate::archive) fn wake_at(&self, due: EventSeq) {
        self.due.store(due.0, Ordering::Relaxed);
    }

    fn wake(&self) {
        let thread = self.thread.lock().expect("no panic while held");
        if let Some(thread) = &*thread {
            // A full channel wakes it as well.
            let _ = thread.wake.try_send(());
        }
    }

    /// Starts the signing thread, unless there is one. `spawn` is given what wakes it.
    pub(in crate::archive) fn start(
        &self,
        spawn: impl FnOnce(Receiver<()>) -> Result<JoinHandle<Result<()>>>,
    ) -> Result<()> {
        let mut running = self.thread.lock().expect("no panic while held");
        if running.is_none() && !self.is_ending() {
            let (wake, woken) = bounded(1);
            let thread = spawn(woken)?;
            *running = Some(SigningThread { wake, thread });
        }
        Ok(())
    }

    /// Returns true once the store is being closed.
    pub(in crate::archive) fn is_ending(&self) -> bool {
        self.is_ending.load(Ordering::SeqCst)
    }

    /// Lets the signing thread sign what it has not signed yet, and waits for its end.
    pub(in crate::archive) fn end(&self) -> Result<()> {
        self.is_ending.store(true, Ordering::SeqCst);
        self.wake();
        let thread = self.thread.lock().expect("no panic while held").take();
        // A panic there is no reason to lose what was acknowledged.
        thread.map_or(Ok(()), |thread| thread.thread.join().unwrap_or(Ok(())))
    }

    /// Returns why the last checkpoint was not made.
    pub(in crate::archive) fn failure(&self) -> Option<String> {
        self.failure.lock().expect("no panic while held").clone()
    }

    /// Notes why the last checkpoint was not made, or that it was.
    pub(in crate::archive) fn set_failure(&self, why: Option<String>) {
        *self.failure.lock().expect("no panic while held") = why;
    }
}
