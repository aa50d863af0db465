//! Messages between the threads of a store: requests and controls for the writer, jobs for the
//! background thread, and the answers to them.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::archive::state::health::Health;
use crate::archive::state::layers::Change;
use crate::entry::Retention;
use crate::event::{Actor, Body};
use crate::id::{AttemptNo, BlobId, EntryId, EventSeq, PackId};
use crate::index::View;
use crate::log::{FullJournal, Journal, Spare};
use crate::{Error, ErrorKind, Result};

/// A fact to be recorded, with its new content.
pub(in crate::archive) struct Draft {
    pub(in crate::archive) body: Body,
    /// New blobs as encoded records.
    pub(in crate::archive) records: Vec<(BlobId, Vec<u8>)>,
    /// Blobs that the caller found in the store and does not hand in.
    pub(in crate::archive) relies_on: Vec<BlobId>,
    /// Blobs that the caller put into packs itself. No other caller may name them yet.
    pub(in crate::archive) placed: Vec<BlobId>,
    pub(in crate::archive) retention: Retention,
    pub(in crate::archive) level: u8,
    /// Who causes the fact; `None` for whoever opened the store.
    pub(in crate::archive) actor: Option<Arc<Actor>>,
    /// The content that the fact relies on, if the caller handed it in. The writer stores it when
    /// it was purged meanwhile.
    pub(in crate::archive) kept: Option<Vec<u8>>,
}

impl Draft {
    /// Makes a fact without content.
    pub(in crate::archive) fn fact(body: Body) -> Self {
        Self {
            body,
            records: Vec::new(),
            relies_on: Vec::new(),
            placed: Vec::new(),
            retention: Retention::Forever,
            level: 1,
            actor: None,
            kept: None,
        }
    }

    /// Returns true for facts that must find room when archiving is refused: they lead to free
    /// space, or tell of trouble.
    pub(in crate::archive) fn may_use_reserve(&self) -> bool {
        !matches!(
            self.body,
            Body::Archived(_)
                | Body::Converted(_)
                | Body::SubmitIntended(_)
                | Body::Annotated(_)
                | Body::Reviewed(_)
                | Body::Accessed(_)
        )
    }
}

/// What became of a source that was archived.
pub(in crate::archive) struct NewlyArchived {
    /// The entry.
    pub(in crate::archive) id: EntryId,
    /// Bytes the content takes in the store, as first written.
    pub(in crate::archive) stored_size: u64,
    /// The content was there already and no bytes were added.
    pub(in crate::archive) duplicate: bool,
    /// The content is not stored.
    pub(in crate::archive) facts_only: bool,
}

/// The answer to a request.
pub(in crate::archive) enum Receipt {
    /// The facts are durable under these numbers. `archived` and `attempt` are there for a source
    /// and a conversion.
    Durable {
        events: Vec<EventSeq>,
        archived: Option<NewlyArchived>,
        attempt: Option<AttemptNo>,
    },
    /// The idempotency key is known: this is the earlier entry.
    Known(EntryId),
    /// Content that the caller relied on is gone. The caller hands it in and asks again.
    ContentNeeded,
}

impl Receipt {
    /// Returns the number of a fact without content.
    pub(in crate::archive) fn plain_fact(self) -> Result<EventSeq> {
        match self {
            Self::Durable { events, .. } if !events.is_empty() => Ok(events[events.len() - 1]),
            Self::Durable { .. } | Self::Known(_) | Self::ContentNeeded => Err(Error::new(
                ErrorKind::Invalid,
                "BUG: a plain fact was answered as if it had content",
            )),
        }
    }
}

pub(in crate::archive) type Reply = Result<Receipt>;

/// Receives the answer: wakes a thread or a task. Must not block.
pub(in crate::archive) type ReplyTo = Box<dyn FnOnce(Reply) + Send>;

/// Makes facts of everything that is acknowledged or staged. Nothing can come in between.
pub(in crate::archive) type Decision = Box<dyn FnOnce(&View) -> Result<Vec<Draft>> + Send>;

/// Requests of callers to the writer.
pub(in crate::archive) enum Request {
    /// Record these facts, in this order, in one group.
    Append(Vec<Draft>, ReplyTo),
    /// Record the facts that a decision over everything staged makes, in one group.
    Decided(Decision, Option<Arc<Actor>>, ReplyTo),
    /// Hand the current journal file to the background thread, even though it is not full, if it
    /// holds at least this many bytes.
    Rotate(u64, Sender<Result<()>>),
    /// Answer once everything handed in before is answered.
    Flush(Sender<()>),
    /// Finish what is staged and end.
    Stop,
}

/// Requests of the other threads of a store to the writer, which alone changes what is newer than
/// the index.
pub(in crate::archive) enum Control {
    /// Change the active layer by facts about files, which are no events.
    Change(Change, Sender<Result<()>>),
    /// Put a new layer on top, so that the one below can be written to the index.
    Freeze(Sender<Result<()>>),
    /// Answer, then wait until the other end of the channel is dropped.
    Pause(Sender<Result<()>>, Receiver<()>),
    /// Record that a pack goes and forget it, in one step. The answer is false when something needs
    /// it by now.
    Retire(Box<Retirement>, Sender<Result<bool>>),
    /// Hand out the journal files that wait to be used again; they come back by `Recycle`.
    TakeFree(Sender<Result<Vec<Journal>>>),
    /// Wipe what the current journal file held before.
    Wipe(Sender<Result<()>>),
    /// Give back the space of journal files that wait to be used again.
    Trim(Spare, Sender<Result<()>>),
    /// A sealed journal file, to be written again.
    Recycle(Journal),
}

/// A pack that is to go.
pub(in crate::archive) struct Retirement {
    pub(in crate::archive) pack: PackId,
    /// The blobs its footer lists.
    pub(in crate::archive) inside: Vec<BlobId>,
    /// The event to record. It is refused when neither the current journal file nor another one has
    /// room at once: the thread that asks is the one that makes room.
    pub(in crate::archive) fact: Draft,
}

/// Jobs for the background thread.
pub(in crate::archive) enum Job {
    /// Seal a journal file that takes no more frames.
    Seal(FullJournal),
    /// Write the index, and answer when everything handed over before is sealed.
    Checkpoint(Sender<Result<()>>),
    /// Run a closure on the background thread, so no seal or compaction runs meanwhile.
    Run(Work),
    /// End.
    Stop,
}

/// Work for the background thread. It is given the line to the writer.
pub(in crate::archive) type Work = Box<dyn FnOnce(&WriterLink) + Send>;

/// The line from other threads of a store to the writer.
#[derive(Clone)]
pub(in crate::archive) struct WriterLink {
    controls: Sender<Control>,
    health: Arc<Health>,
}

impl WriterLink {
    /// Makes the line over the channel that the writer listens to.
    pub(in crate::archive) fn new(controls: Sender<Control>, health: Arc<Health>) -> Self {
        Self { controls, health }
    }

    fn ask<T>(&self, control: impl FnOnce(Sender<Result<T>>) -> Control) -> Result<T> {
        let (reply, answer) = bounded(1);
        let sent = self.controls.send(control(reply)).is_ok();
        match answer.recv() {
            Ok(answer) if sent => answer,
            _ => Err(self.health.ended()),
        }
    }

    /// Changes the active layer of the index by facts about files, which are no events.
    pub(in crate::archive) fn change(&self, change: Change) -> Result<()> {
        self.ask(|reply| Control::Change(change, reply))
    }

    /// Puts a new layer on top, so that the one below can be written to the file of the index.
    pub(in crate::archive) fn freeze(&self) -> Result<()> {
        self.ask(Control::Freeze)
    }

    /// Pauses the writer until the returned sender is dropped.
    pub(in crate::archive) fn pause(&self) -> Result<Sender<()>> {
        let (pause, resume) = bounded::<()>(0);
        self.ask(|reply| Control::Pause(reply, resume))?;
        Ok(pause)
    }

    /// Records that a pack goes and forgets it, in one step. False when something needs it by now.
    pub(in crate::archive) fn retire(&self, retirement: Retirement) -> Result<bool> {
        self.ask(|reply| Control::Retire(Box::new(retirement), reply))
    }

    /// Takes the journal files that wait to be used again. They go back by [`WriterLink::recycle`].
    pub(in crate::archive) fn take_free_journals(&self) -> Result<Vec<Journal>> {
        self.ask(Control::TakeFree)
    }

    /// Gives back the space of journal files that wait to be used again.
    pub(in crate::archive) fn trim_journal(&self, spare: Spare) -> Result<()> {
        self.ask(|reply| Control::Trim(spare, reply))
    }

    /// Wipes what the current journal file held before.
    pub(in crate::archive) fn wipe_current_journal(&self) -> Result<()> {
        self.ask(Control::Wipe)
    }

    /// Hands a journal file back, to be used again.
    pub(in crate::archive) fn recycle(&self, journal: Journal) {
        // When the writer has ended, nobody uses the file again.
        let _ = self.controls.send(Control::Recycle(journal));
    }
}
