//! The writer: gathers requests while the last sync is in flight, decides what only a single writer
//! can decide, makes the group durable, and then lets readers see it.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use crate::archive::appending::clock_step::Stamped;
use crate::archive::appending::decide::decide;
use crate::archive::appending::personal::{Personal, Prepared};
use crate::archive::appending::publisher::Publisher;
use crate::archive::messages::{
    Control, Decision, Draft, Job, NewlyArchived, Receipt, ReplyTo, Request, Retirement,
};
use crate::archive::state::backlog::Backlog;
use crate::archive::state::health::Health;
use crate::archive::state::inline_record::inline_record;
use crate::archive::state::layers::{Change, LayeredIndex};
use crate::archive::state::pins::Pins;
use crate::blob::compression::Compressors;
use crate::event::{Actor, Body, Event, StoreOpened};
use crate::evidence::tree::leaf_hash;
use crate::format::leaf;
use crate::id::{BlobId, EntryId, EventSeq, StoreId};
use crate::index::{Overlay, View};
use crate::log::{Appender, FrameDraft, JournalPlace, LiveFrame, LogError, Spare, Staged};
use crate::time::Clock;
use crate::{Error, ErrorKind, Result};

/// The most requests that share one sync.
const GROUP_REQUESTS_MAX: usize = 512;
/// Journal space that archiving leaves free, so that a purge can still be recorded when the disk is
/// full. Of a small journal file it is an eighth.
const RESERVE_BYTES: usize = 256 << 10;
/// The most journal files that are made. After that the writer waits for one to be sealed.
const JOURNAL_FILES_MAX: usize = 8;

/// Appends events. One thread at a time has it; the leader decides which.
pub(in crate::archive) struct Writer {
    pub(super) parts: WriterParts,
    pub(super) appender: Appender,
    controls: Receiver<Control>,
    background: Sender<Job>,
    /// Recorded with the first event of this session.
    opened: Option<StoreOpened>,
    /// The clocks at the newest event, staged or not.
    newest: Option<Stamped>,
    /// The clocks at the newest durable event.
    durable: Option<Stamped>,
    pub(super) personal: Personal,
}

/// The parts of the store that the writer works on.
pub(in crate::archive) struct WriterParts {
    pub(in crate::archive) store: StoreId,
    /// Who causes events that name nobody else.
    pub(in crate::archive) actor: Actor,
    pub(in crate::archive) clock: Arc<dyn Clock>,
    pub(in crate::archive) published: Publisher,
    pub(in crate::archive) pins: Arc<Pins>,
    pub(in crate::archive) health: Arc<Health>,
    pub(in crate::archive) backlog: Arc<Backlog>,
    /// Compressors of content that goes into the journal.
    pub(in crate::archive) for_journal: Arc<Compressors>,
}

/// A group of events that is staged and waits for the sync.
#[derive(Default)]
pub(super) struct Group {
    /// The active layer with the staged events folded in, and what it lies on. `None` while nothing
    /// is staged.
    state: Option<(Arc<Overlay>, View)>,
    frames: Vec<LiveFrame>,
    inline: Vec<(BlobId, JournalPlace)>,
    waiting: Vec<(ReplyTo, Receipt)>,
    /// The event that the store was opened, where it is in the group.
    opened: Option<StoreOpened>,
}

impl Group {
    /// Returns the layer to fold into, and what it lies on.
    pub(super) fn state(&mut self, index: &LayeredIndex) -> &mut (Arc<Overlay>, View) {
        self.state.get_or_insert_with(|| {
            let (below, active) = index.active_layer();
            (active, below)
        })
    }

    /// Returns a view of everything acknowledged or staged. It must be dropped before the next
    /// event is folded in; otherwise folding copies the layer.
    pub(super) fn view(&mut self, index: &LayeredIndex) -> View {
        let (pending, below) = self.state(index);
        below.under(Arc::clone(pending))
    }
}

impl Writer {
    pub(in crate::archive) fn new(
        parts: WriterParts,
        appender: Appender,
        controls: Receiver<Control>,
        background: Sender<Job>,
        opened: StoreOpened,
        newest: Option<Stamped>,
    ) -> Self {
        Self {
            parts,
            appender,
            controls,
            background,
            opened: Some(opened),
            durable: newest.clone(),
            newest,
            personal: Personal::default(),
        }
    }

    fn index(&self) -> &LayeredIndex {
        &self.parts.published.index
    }

    /// Runs a request, and as many of `more` as fit its group, and makes the group durable. By then
    /// every caller has its answer. Returns false when told to stop.
    pub(in crate::archive) fn serve(
        &mut self,
        request: Request,
        mut more: impl FnMut() -> Option<Request>,
    ) -> bool {
        let mut group = Group::default();
        let mut next = Some(request);
        let mut taken = 1;
        while let Some(request) = next.take() {
            match request {
                Request::Append(drafts, reply) => self.append(drafts, reply, &mut group),
                Request::Decided(decision, actor, reply) => {
                    self.decided(decision, actor.as_ref(), reply, &mut group);
                }
                Request::Rotate(least, reply) => {
                    let rotated = self
                        .commit(&mut group)
                        .and_then(|()| self.rotate_for_seal(least));
                    // The caller may have given up; nothing depends on the answer.
                    let _ = reply.send(rotated);
                }
                Request::Flush(reply) => {
                    // The callers in the group are told of a failure.
                    let _ = self.commit(&mut group);
                    let _ = reply.send(());
                }
                Request::Stop => {
                    let _ = self.commit(&mut group);
                    return false;
                }
            }
            if taken < GROUP_REQUESTS_MAX && !self.appender.group_is_full() {
                next = more();
                taken += 1;
            }
        }
        let _ = self.commit(&mut group);
        true
    }

    /// Runs what another thread of the store needs, between groups.
    pub(in crate::archive) fn control(&mut self, control: Control) {
        let group = &mut Group::default();
        match control {
            Control::Recycle(journal) => self.appender.give_back(journal),
            Control::TakeFree(reply) => {
                if let Err(unheard) = reply.send(Ok(self.appender.take_free())) {
                    let free = unheard.into_inner().into_iter().flatten();
                    free.for_each(|journal| self.appender.give_back(journal));
                }
            }
            Control::Trim(spare, reply) => {
                let trimmed = self.commit(group).map(|()| self.trim(spare));
                let _ = reply.send(trimmed);
            }
            Control::Wipe(reply) => {
                let wiped = self.commit(group).and_then(|()| Ok(self.appender.wipe()?));
                let _ = reply.send(wiped);
            }
            Control::Change(change, reply) => {
                let _ = reply.send(self.change(change, group));
            }
            Control::Retire(retirement, reply) => {
                let _ = reply.send(self.retire(*retirement, group));
            }
            Control::Freeze(reply) => {
                let frozen = self.commit(group).map(|()| self.index().freeze());
                let _ = reply.send(frozen);
            }
            Control::Pause(reply, resume) => {
                let committed = self.commit(group);
                let _ = reply.send(committed);
                // Nothing is ever sent: this returns when the sender is dropped.
                let _ = resume.recv();
            }
        }
    }

    /// Records that a pack goes, and forgets it. Returns false when something needs the pack by
    /// now.
    ///
    /// Nothing can begin to need it in between: every request to name content goes through the
    /// writer.
    fn retire(&mut self, retirement: Retirement, group: &mut Group) -> Result<bool> {
        self.commit(group)?;
        let Retirement { pack, inside, fact } = retirement;
        let view = self.index().view();
        let is_alive = view.pack(pack)?.is_none_or(|row| row.live_blobs > 0);
        for id in inside.iter().filter(|_| is_alive) {
            // Content that is in the journal as well survives there, and is sealed again.
            let needed = view.blob(id)?.is_some_and(|row| {
                row.refs > 0 && row.place.is_some_and(|place| place.pack == pack)
            });
            if needed && !self.parts.published.journal.contains(id) {
                return Ok(false);
            }
        }
        if self.parts.pins.is_pinned(pack) {
            return Ok(false);
        }
        drop(view);
        let mut group = Group::default();
        // The background thread asks, and it is also the thread that makes room in the journal. So
        // the writer must not wait for room here. The smallest journal file holds such a fact.
        let can_rotate =
            self.appender.free_files(0) > 0 || self.appender.files(0) < JOURNAL_FILES_MAX;
        let room = if can_rotate {
            Room::Anywhere
        } else {
            Room::Here
        };
        self.stage_event(fact, &mut group, room)?;
        self.commit(&mut group)?;
        let (below, mut active) = self.index().active_layer();
        Arc::make_mut(&mut active).drop_pack(pack, Some(inside), &below)?;
        self.parts.published.publish(active, Vec::new(), Vec::new());
        Ok(true)
    }

    fn change(&mut self, change: Change, group: &mut Group) -> Result<()> {
        self.commit(group)?;
        let (below, mut active) = self.index().active_layer();
        change(Arc::make_mut(&mut active), &below)?;
        self.parts.published.publish(active, Vec::new(), Vec::new());
        Ok(())
    }

    fn append(&mut self, drafts: Vec<Draft>, reply: ReplyTo, group: &mut Group) {
        match self.stage_all(drafts, group) {
            Ok(receipt) => group.waiting.push((reply, receipt)),
            Err(error) => reply(Err(error)),
        }
    }

    fn stage_all(&mut self, drafts: Vec<Draft>, group: &mut Group) -> Result<Receipt> {
        let mut seqs = Vec::with_capacity(drafts.len());
        let mut archived = None;
        let mut attempt = None;
        for mut draft in drafts {
            let view = group.view(self.index());
            let is_inline = |id: &BlobId| {
                self.parts.published.journal.contains(id)
                    || group.inline.iter().any(|(staged, _)| staged == id)
            };
            let now = || self.parts.clock.now();
            let mut decided = decide(&mut draft, &view, now, is_inline)?;
            if matches!(decided, Some(Receipt::ContentNeeded))
                && bring_kept(&mut draft, &self.parts.for_journal)?
            {
                decided = decide(&mut draft, &view, now, is_inline)?;
            }
            drop(view);
            if let Some(receipt) = decided {
                return Ok(receipt);
            }
            let source = match &draft.body {
                Body::Archived(fact) => Some((fact.stored_size, fact.duplicate, fact.facts_only)),
                _ => None,
            };
            if let Body::Converted(fact) = &draft.body {
                attempt = Some(fact.attempt);
            }
            let seq = self.stage(draft, group)?;
            if let Some((stored_size, duplicate, facts_only)) = source {
                archived = Some(NewlyArchived {
                    id: EntryId::from(seq),
                    stored_size,
                    duplicate,
                    facts_only,
                });
            }
            seqs.push(seq);
        }
        Ok(Receipt::Durable {
            events: seqs,
            archived,
            attempt,
        })
    }

    /// Gives a fact its number and its place in the group.
    fn stage(&mut self, draft: Draft, group: &mut Group) -> Result<EventSeq> {
        // The creation of the store is event 1, whichever thread records it. A declaration comes
        // first as well: it may be about the account that opened the store.
        let first_of_all = matches!(draft.body, Body::StoreCreated(_) | Body::PrivacyDeclared(_));
        if !first_of_all && let Some(opened) = self.opened.take() {
            let first = Draft::fact(Body::StoreOpened(opened.clone()));
            if let Err(error) = self.stage_event(first, group, Room::Anywhere) {
                self.opened = Some(opened);
                return Err(error);
            }
            group.opened = Some(opened);
        }
        self.stage_event(draft, group, Room::Anywhere)
    }

    /// Stages an event, after a note of its own if the wall clock jumped since the event before.
    pub(super) fn stage_event(
        &mut self,
        draft: Draft,
        group: &mut Group,
        room: Room,
    ) -> Result<EventSeq> {
        if let Some(failure) = self.parts.health.failure() {
            return Err(Error::new(ErrorKind::Poisoned, failure)
                .hint("close the store and open it again; what was acknowledged is safe"));
        }
        let may_use_reserve = draft.may_use_reserve();
        let prepared = self.prepare(draft, group, room)?;
        let (time, clock) = (prepared.event.time, prepared.event.clock.clone());
        let newest = self.newest.as_ref();
        if let Some(step) = newest.and_then(|newest| newest.step_to(time, &clock)) {
            let mut noted = self.prepare(Draft::fact(Body::ClockStepped(step)), group, room)?;
            (noted.event.time, noted.event.clock) = (time, clock);
            self.stage_prepared(noted, true, group, room)?;
        }
        self.stage_prepared(prepared, may_use_reserve, group, room)
    }

    fn stage_prepared(
        &mut self,
        prepared: Prepared,
        may_use_reserve: bool,
        group: &mut Group,
        room: Room,
    ) -> Result<EventSeq> {
        let Prepared {
            mut event,
            revealed,
            records,
            retention,
            level,
        } = prepared;
        event.seq = self.appender.next_seq();
        let record_bytes = records.iter().map(|(_, record)| record.len()).sum();
        let mut line = leaf::encode(&self.parts.store, &event).map_err(LogError::from)?;
        let bytes = self.appender.frame_bytes(line.len(), record_bytes)?;
        let reserve = if may_use_reserve {
            0
        } else {
            self.appender.reserve_bytes(RESERVE_BYTES)
        };
        if !self.appender.fits(bytes, reserve) {
            self.commit(group)?;
            let fits_reserve = may_use_reserve && self.appender.fits(bytes, 0);
            match room {
                Room::Here if fits_reserve => {}
                Room::Here => return Err(journal_full("it holds nothing more")),
                Room::Anywhere => match self.rotate(bytes) {
                    // There is no room for another journal file, but this one keeps space for such
                    // facts.
                    Err(error) if error.kind() == ErrorKind::Full && fits_reserve => {}
                    rotated => rotated?,
                },
            }
            // Waiting for a sealed file may have taken a while, and other events may have come.
            event.seq = self.appender.next_seq();
            event.time = self.parts.clock.now();
            event.clock.mono_ms = self.parts.clock.monotonic_ms();
            line = leaf::encode(&self.parts.store, &event).map_err(LogError::from)?;
        }
        let encoded: Vec<&[u8]> = records.iter().map(|(_, record)| &**record).collect();
        let frame = FrameDraft {
            time: event.time,
            retention,
            level,
            leaf: line.as_bytes(),
            records: &encoded,
        };
        if let Some(body) = revealed {
            event.body = body;
        }
        let staged = match self.fold_and_stage(&event, &frame, group) {
            Ok(staged) => staged,
            Err(error) => {
                self.discard(group, &error);
                return Err(error);
            }
        };
        let mut offset = staged.records_at;
        for (id, record) in &records {
            let bytes = u32::try_from(record.len()).expect("a record fits a frame");
            group.inline.push((
                *id,
                JournalPlace {
                    slot: staged.slot,
                    generation: staged.generation,
                    offset,
                    bytes,
                },
            ));
            offset += u64::from(bytes);
        }
        self.newest = Some(Stamped {
            seq: event.seq,
            time: event.time,
            clock: event.clock,
        });
        group.frames.push(LiveFrame {
            seq: event.seq,
            slot: staged.slot,
            generation: staged.generation,
            offset: staged.offset,
            frame_bytes: staged.frame_bytes,
            leaf_hash: Some(leaf_hash(line.as_bytes())),
        });
        Ok(event.seq)
    }

    /// Folds an event into the active layer, then stages it. What the index cannot take in never
    /// becomes part of the log.
    ///
    /// After an error the group must be discarded, because part of the event may be in it.
    fn fold_and_stage(
        &mut self,
        event: &Event,
        frame: &FrameDraft<'_>,
        group: &mut Group,
    ) -> Result<Staged> {
        let (pending, below) = group.state(&self.parts.published.index);
        Arc::make_mut(pending).apply(event, below)?;
        Ok(self.appender.stage(frame)?)
    }

    /// Discards a group and tells every caller in it. Nothing of it was written, so the store is as
    /// it was before.
    fn discard(&mut self, group: &mut Group, why: &Error) {
        self.personal = Personal::default();
        let mut discarded = std::mem::take(group);
        self.appender.discard();
        self.opened = self.opened.take().or_else(|| discarded.opened.take());
        self.newest.clone_from(&self.durable);
        for (reply, _) in discarded.waiting.drain(..) {
            reply(Err(
                Error::new(why.kind(), why.message()).hint("nothing was recorded; try again")
            ));
        }
    }

    /// Makes the group durable, then visible to readers, then answers its callers.
    fn commit(&mut self, group: &mut Group) -> Result<()> {
        let mut done = std::mem::take(group);
        if self.appender.has_staged()
            && let Err(error) = self.appender.commit()
        {
            let error = Error::from(error);
            self.parts
                .health
                .fail(format!("{}; the writer has stopped", error.message()));
            let next = "this was not acknowledged; close the store and open it again";
            for (reply, _) in done.waiting.drain(..) {
                reply(Err(Error::new(error.kind(), error.message()).hint(next)));
            }
            return Err(error.hint(next));
        }
        self.durable.clone_from(&self.newest);
        if let Some((active, _)) = done.state {
            self.parts
                .published
                .publish(active, done.frames, done.inline);
        }
        for (reply, receipt) in done.waiting.drain(..) {
            reply(Ok(receipt));
        }
        Ok(())
    }

    /// Continues in another journal file, which has room for a frame of `frame_bytes`, and hands
    /// the full one to the background thread.
    fn rotate(&mut self, frame_bytes: usize) -> Result<()> {
        while let Ok(control) = self.controls.try_recv() {
            self.control(control);
        }
        while self.appender.free_files(frame_bytes) == 0
            && self.appender.files(frame_bytes) >= JOURNAL_FILES_MAX
        {
            // Sealing is behind: callers wait here, in a bounded channel, instead of in memory.
            if let Some(why) = self.parts.health.stalled() {
                return Err(journal_full(&why));
            }
            if self.parts.health.failure().is_some() {
                return Err(self.parts.health.ended());
            }
            if self.parts.health.is_closing() {
                return Err(journal_full("the store is being closed"));
            }
            match self.controls.recv_timeout(Duration::from_millis(50)) {
                Ok(control) => self.control(control),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(self.parts.health.ended()),
            }
        }
        let full = self.appender.rotate(frame_bytes)?;
        let (slot, file) = self.appender.current_file();
        self.parts.published.log.add_journal(slot, file);
        self.parts.backlog.hand_over(full.bytes);
        self.background
            .send(Job::Seal(full))
            .map_err(|_| self.parts.health.ended())
    }

    /// Gives back journal files. An open handle would keep the space of a file that was removed.
    fn trim(&mut self, spare: Spare) {
        for slot in self.appender.trim(spare) {
            self.parts.published.log.remove_journal(slot);
        }
    }

    fn rotate_for_seal(&mut self, least: u64) -> Result<()> {
        if self.appender.current_is_empty() || self.appender.current_bytes() < least {
            return Ok(());
        }
        self.rotate(0)
    }

    fn decided(
        &mut self,
        decision: Decision,
        actor: Option<&Arc<Actor>>,
        reply: ReplyTo,
        group: &mut Group,
    ) {
        let view = group.view(self.index());
        let staged = decision(&view).and_then(|mut facts| {
            drop(view);
            for fact in &mut facts {
                fact.actor = actor.cloned();
            }
            self.stage_all(facts, group)
        });
        match staged {
            Ok(receipt) => group.waiting.push((reply, receipt)),
            Err(error) => reply(Err(error)),
        }
    }
}

/// Which journal file a fact may go to.
#[derive(Clone, Copy)]
pub(super) enum Room {
    /// The current journal file or the next.
    Anywhere,
    /// Only the current journal file.
    Here,
}

/// Turns the content that a fact relied on into a record. Returns false when the caller did not
/// hand it in.
fn bring_kept(draft: &mut Draft, for_journal: &Compressors) -> Result<bool> {
    let (Some(content), Body::Archived(fact)) = (draft.kept.take(), &mut draft.body) else {
        return Ok(false);
    };
    let (record, stored_size) = inline_record(for_journal, fact.blob.blake3, &content)?;
    fact.stored_size = stored_size;
    draft.records = vec![(fact.blob.blake3, record)];
    draft.relies_on.clear();
    Ok(true)
}

fn journal_full(why: &str) -> Error {
    Error::new(
        ErrorKind::Full,
        format!("the journal is full and cannot be sealed: {why}"),
    )
    .hint("free some space, or purge old entries; nothing was lost")
}
