//! The one who appends: gathers what callers hand in while the last sync is in flight, decides what only the single writer
//! can decide (numbers, duplicates, keys, stale plans), makes the group durable, and only then lets it be seen.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use crate::archive::put::inline_record;
use crate::archive::shared::Shared;
use crate::archive::{Archived, sealer};
use crate::entry::{Entry, Report, Retention, Submission};
use crate::event::{
    Actor, Body, ClockReading, EntryRanges, Event, PurgePlanned, PurgedEntries, StoreOpened,
};
use crate::format::leaf;
use crate::id::{AttemptNo, BlobId, EntryId, EventSeq, PackId};
use crate::index::{Overlay, View};
use crate::log::{Appender, FrameDraft, Journal, JournalPlace, LiveFrame, LogError, Staged};
use crate::retention::PurgePlan;
use crate::{Error, ErrorKind, Result};

/// At the most so many requests share a sync.
const GROUP_REQUESTS_MAX: usize = 512;
/// Journal space that archiving leaves alone, so that a purge can still be recorded when the disk is full; of a small
/// journal file an eighth.
const RESERVE_BYTES: usize = 256 << 10;
/// So many entry ids always fit one leaf, however scattered they are.
const PURGED_PER_EVENT: usize = 1_500;
/// More journal files than this are not made; the writer waits for the sealer instead.
const JOURNAL_FILES_MAX: usize = 8;

/// A fact to be recorded, with the content it brings along.
pub(super) struct Draft {
    pub(super) body: Body,
    /// New blobs as encoded records.
    pub(super) records: Vec<(BlobId, Vec<u8>)>,
    /// Blobs the caller found in the store and therefore does not bring along.
    pub(super) relies_on: Vec<BlobId>,
    /// Blobs the caller put into packs itself; nobody else may name them yet.
    pub(super) placed: Vec<BlobId>,
    pub(super) retention: Retention,
    pub(super) level: u8,
    /// Who causes it; nothing for the one who opened the store.
    pub(super) actor: Option<Arc<Actor>>,
    /// The content that it relies on, where it is still at hand: brought if it was purged meanwhile.
    pub(super) kept: Option<Vec<u8>>,
}

impl Draft {
    /// A fact without content.
    pub(super) fn fact(body: Body) -> Self {
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

    fn record_bytes(&self) -> usize {
        self.records.iter().map(|(_, record)| record.len()).sum()
    }

    /// Turns content that the fact relied on into a record; false when it is not at hand.
    fn bring_kept(&mut self, shared: &Shared) -> Result<bool> {
        let (Some(content), Body::Archived(fact)) = (self.kept.take(), &mut self.body) else {
            return Ok(false);
        };
        let (record, stored_size) = inline_record(shared, fact.blob.blake3, &content)?;
        fact.stored_size = stored_size;
        self.records = vec![(fact.blob.blake3, record)];
        self.relies_on.clear();
        Ok(true)
    }

    /// Facts that must find room even when archiving is refused: they lead to space, or tell of trouble.
    fn may_use_reserve(&self) -> bool {
        !matches!(
            self.body,
            Body::Archived(_) | Body::Converted(_) | Body::SubmitIntended(_)
        )
    }
}

/// What became of a request.
pub(super) enum Receipt {
    /// Durable, under these numbers; for an archived source also what it became, for a conversion which attempt it is.
    Durable {
        events: Vec<EventSeq>,
        archived: Option<Archived>,
        attempt: Option<AttemptNo>,
    },
    /// The idempotency key was known: this is the earlier entry.
    Known(EntryId),
    /// Content the caller relied on is gone by now: bring it along and ask again.
    BringContent,
}

pub(super) type Reply = Result<Receipt>;

/// Who is told: a thread that waits, or a task that is woken. Must not block.
pub(super) type ReplyTo = Box<dyn FnOnce(Reply) + Send>;

/// What the writer is asked to do.
pub(super) enum Request {
    /// Record these facts, in this order, in one group.
    Append(Vec<Draft>, ReplyTo),
    /// Record that the entries of a plan go, unless the plan is stale.
    Purge(Arc<PurgePlan>, String, Option<Arc<Actor>>, ReplyTo),
    /// Hand the current journal file to the sealer even though it is not full.
    Rotate(Sender<Result<()>>),
    /// Answer once everything handed in before is answered.
    Flush(Sender<()>),
    /// Finish what is staged and end.
    Stop,
}

/// What the other threads of the store need of the writer, who alone changes what is newer than the index.
pub(super) enum Control {
    /// Change the active layer by facts about files, which are no events.
    Change(Change, Sender<Result<()>>),
    /// Put a new layer on top, so that the one below can be written to the index.
    Freeze(Sender<Result<()>>),
    /// Answer, then wait until the other end of the channel is dropped.
    Pause(Sender<Result<()>>, Receiver<()>),
    /// Record that a pack goes and forget it, in one step, unless something needs it by now; answers whether it goes.
    Retire(Box<Retirement>, Sender<Result<bool>>),
    /// Hand out the journal files that wait to be used again; they come back by `Recycle`.
    TakeFree(Sender<Result<Vec<Journal>>>),
    /// Make zeros of what the current journal file held before.
    Wipe(Sender<Result<()>>),
    /// A sealed journal file, to be written again.
    Recycle(Journal),
}

/// A pack that is to go.
pub(super) struct Retirement {
    pub(super) pack: PackId,
    /// The blobs its footer lists.
    pub(super) inside: Vec<BlobId>,
    /// What is recorded of it. It is refused when it does not fit the current journal file and no other is to be had at
    /// once, because the one who asks is the one who would make room.
    pub(super) fact: Draft,
}

/// A change of the active layer, which lies on the view.
pub(super) type Change = Box<dyn FnOnce(&mut Overlay, &View) -> Result<()> + Send>;

/// Sends the writer a control and waits for its answer.
pub(super) fn ask<T>(
    shared: &Shared,
    control: &Sender<Control>,
    make: impl FnOnce(Sender<Result<T>>) -> Control,
) -> Result<T> {
    let (reply, answer) = bounded(1);
    let sent = control.send(make(reply)).is_ok();
    match answer.recv() {
        Ok(answer) if sent => answer,
        _ => Err(sealer::ended(shared)),
    }
}

/// What only the writer may touch. Whose turn it is to be the writer is decided elsewhere.
pub(super) struct Writer {
    shared: Arc<Shared>,
    appender: Appender,
    controls: Receiver<Control>,
    sealer: Sender<sealer::Job>,
    /// Recorded with the first event of this session.
    opened: Option<StoreOpened>,
}

/// What was staged and waits for the sync.
#[derive(Default)]
struct Group {
    /// The active layer with the staged events folded in, and what it lies on; nothing while nothing is staged.
    state: Option<(Arc<Overlay>, View)>,
    frames: Vec<LiveFrame>,
    inline: Vec<(BlobId, JournalPlace)>,
    waiting: Vec<(ReplyTo, Receipt)>,
    /// The opening of the store, where it is among what was staged.
    opened: Option<StoreOpened>,
}

impl Group {
    /// The layer to fold into, and what it lies on.
    fn state(&mut self, shared: &Shared) -> &mut (Arc<Overlay>, View) {
        self.state.get_or_insert_with(|| {
            let (below, active) = shared.layers();
            (active, below)
        })
    }

    /// Everything acknowledged or staged. To be dropped before the next event is folded in, or that has to copy.
    fn view(&mut self, shared: &Shared) -> View {
        let (pending, below) = self.state(shared);
        below.under(Arc::clone(pending))
    }
}

impl Writer {
    pub(super) fn new(
        shared: Arc<Shared>,
        appender: Appender,
        controls: Receiver<Control>,
        sealer: Sender<sealer::Job>,
        opened: StoreOpened,
    ) -> Self {
        Self {
            shared,
            appender,
            controls,
            sealer,
            opened: Some(opened),
        }
    }

    /// Does what is asked, and as much of what `more` answers as fits a group, and makes it durable; every caller has been told
    /// by then, also of a failure. False when told to stop.
    pub(super) fn serve(
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
                Request::Purge(plan, reason, actor, reply) => {
                    self.purge(&plan, &reason, actor.as_ref(), reply, &mut group);
                }
                Request::Rotate(reply) => {
                    let rotated = self
                        .commit(&mut group)
                        .and_then(|()| self.rotate_for_seal());
                    // The asker may have given up; nothing depends on its hearing.
                    let _ = reply.send(rotated);
                }
                Request::Flush(reply) => {
                    // Whoever had something in the group is told of a failure.
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

    /// Does what another thread of the store needs, between groups.
    pub(super) fn control(&mut self, control: Control) {
        let group = &mut Group::default();
        match control {
            Control::Recycle(journal) => self.appender.give_back(journal),
            Control::TakeFree(reply) => {
                if let Err(unheard) = reply.send(Ok(self.appender.take_free())) {
                    let free = unheard.into_inner().into_iter().flatten();
                    free.for_each(|journal| self.appender.give_back(journal));
                }
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
                let frozen = self.commit(group).map(|()| self.shared.freeze());
                let _ = reply.send(frozen);
            }
            Control::Pause(reply, resume) => {
                let committed = self.commit(group);
                let _ = reply.send(committed);
                // Nothing is ever sent: this returns when the sender goes.
                let _ = resume.recv();
            }
        }
    }

    /// Nothing can begin to need the pack in between: what might do so comes through this thread, too.
    fn retire(&mut self, retirement: Retirement, group: &mut Group) -> Result<bool> {
        self.commit(group)?;
        let Retirement { pack, inside, fact } = retirement;
        let view = self.shared.view();
        let is_alive = view.pack(pack)?.is_none_or(|row| row.live_blobs > 0);
        for id in inside.iter().filter(|_| is_alive) {
            // Content that is in the journal as well survives there, and is sealed anew.
            let needed = view.blob(id)?.is_some_and(|row| {
                row.refs > 0 && row.place.is_some_and(|place| place.pack == pack)
            });
            if needed && self.shared.inline(id).is_none() {
                return Ok(false);
            }
        }
        if self.shared.is_pinned(pack) {
            return Ok(false);
        }
        drop(view);
        let mut group = Group::default();
        // Whoever asks is the one who would make room in the journal, so there is no waiting for it.
        // The smallest journal file holds such a fact.
        let can_rotate =
            self.appender.free_files(0) > 0 || self.appender.files(0) < JOURNAL_FILES_MAX;
        let room = if can_rotate {
            Room::Anywhere
        } else {
            Room::Here
        };
        self.stage_event(&fact, &mut group, room)?;
        self.commit(&mut group)?;
        let (below, mut active) = self.shared.layers();
        Arc::make_mut(&mut active).drop_pack(pack, Some(inside), &below)?;
        self.shared.publish(active, Vec::new(), Vec::new());
        Ok(true)
    }

    fn change(&mut self, change: Change, group: &mut Group) -> Result<()> {
        self.commit(group)?;
        let (below, mut active) = self.shared.layers();
        change(Arc::make_mut(&mut active), &below)?;
        self.shared.publish(active, Vec::new(), Vec::new());
        Ok(())
    }

    fn append(&mut self, mut drafts: Vec<Draft>, reply: ReplyTo, group: &mut Group) {
        match self.stage_all(&mut drafts, group) {
            Ok(receipt) => group.waiting.push((reply, receipt)),
            Err(error) => reply(Err(error)),
        }
    }

    fn stage_all(&mut self, drafts: &mut [Draft], group: &mut Group) -> Result<Receipt> {
        let mut seqs = Vec::with_capacity(drafts.len());
        let mut archived = None;
        let mut attempt = None;
        for draft in drafts {
            let view = group.view(&self.shared);
            let is_inline = |id: &BlobId| {
                self.shared.inline(id).is_some()
                    || group.inline.iter().any(|(staged, _)| staged == id)
            };
            let mut settled = settle(draft, &view, is_inline)?;
            if matches!(settled, Some(Receipt::BringContent)) && draft.bring_kept(&self.shared)? {
                settled = settle(draft, &view, is_inline)?;
            }
            drop(view);
            if let Some(receipt) = settled {
                return Ok(receipt);
            }
            let seq = self.stage(draft, group)?;
            if let Body::Archived(fact) = &draft.body {
                archived = Some(Archived {
                    id: EntryId::from(seq),
                    blob: fact.blob,
                    stored_size: fact.stored_size,
                    duplicate: fact.duplicate,
                    existing: false,
                });
            }
            if let Body::Converted(fact) = &draft.body {
                attempt = Some(fact.attempt);
            }
            seqs.push(seq);
        }
        Ok(Receipt::Durable {
            events: seqs,
            archived,
            attempt,
        })
    }

    /// Gives the fact its number and its place in the group.
    fn stage(&mut self, draft: &Draft, group: &mut Group) -> Result<EventSeq> {
        // The making of the store is event 1, whoever records it.
        let first_of_all = matches!(draft.body, Body::StoreCreated(_));
        if !first_of_all && let Some(opened) = self.opened.take() {
            let first = Draft::fact(Body::StoreOpened(opened.clone()));
            if let Err(error) = self.stage_event(&first, group, Room::Anywhere) {
                self.opened = Some(opened);
                return Err(error);
            }
            group.opened = Some(opened);
        }
        self.stage_event(draft, group, Room::Anywhere)
    }

    fn stage_event(&mut self, draft: &Draft, group: &mut Group, room: Room) -> Result<EventSeq> {
        if let Some(failure) = self.shared.failure() {
            return Err(Error::new(ErrorKind::Poisoned, failure)
                .hint("close the store and open it again; what was acknowledged is safe"));
        }
        let clock = Arc::clone(&self.shared.options.clock);
        let mut event = Event {
            seq: self.appender.next_seq(),
            time: clock.now(),
            actor: match &draft.actor {
                Some(actor) => Actor::clone(actor),
                None => self.shared.options.actor.clone(),
            },
            clock: ClockReading {
                boot: clock.boot().to_owned(),
                mono_ms: clock.monotonic_ms(),
            },
            body: draft.body.clone(),
        };
        let mut line = leaf::encode(&self.shared.store, &event).map_err(LogError::from)?;
        let bytes = self
            .appender
            .frame_bytes(line.len(), draft.record_bytes())?;
        let reserve = if draft.may_use_reserve() {
            0
        } else {
            self.appender.reserve_bytes(RESERVE_BYTES)
        };
        if !self.appender.fits(bytes, reserve) {
            self.commit(group)?;
            let fits_reserve = draft.may_use_reserve() && self.appender.fits(bytes, 0);
            match room {
                Room::Here if fits_reserve => {}
                Room::Here => return Err(journal_full("it holds nothing more")),
                Room::Anywhere => match self.rotate(bytes) {
                    // No room for another journal file, but the rest of this one is for just such facts.
                    Err(error) if error.kind() == ErrorKind::Full && fits_reserve => {}
                    rotated => rotated?,
                },
            }
            // Waiting for the sealer may have taken a while.
            event.seq = self.appender.next_seq();
            event.time = clock.now();
            line = leaf::encode(&self.shared.store, &event).map_err(LogError::from)?;
        }
        let staged = match self.fold_and_stage(draft, &event, &line, group) {
            Ok(staged) => staged,
            Err(error) => {
                self.discard(group, &error);
                return Err(error);
            }
        };
        let mut offset = staged.records_at;
        for (id, record) in &draft.records {
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
        group.frames.push(LiveFrame {
            seq: event.seq,
            slot: staged.slot,
            generation: staged.generation,
            offset: staged.offset,
            frame_bytes: staged.frame_bytes,
        });
        Ok(event.seq)
    }

    /// Folds the event in before it is staged: what the index cannot take in never becomes part of
    /// the log. After an error the group is of no more use, because part of the event may be in it.
    fn fold_and_stage(
        &mut self,
        draft: &Draft,
        event: &Event,
        line: &str,
        group: &mut Group,
    ) -> Result<Staged> {
        let (pending, below) = group.state(&self.shared);
        Arc::make_mut(pending).apply(event, below)?;
        let records: Vec<&[u8]> = draft.records.iter().map(|(_, record)| &**record).collect();
        let staged = self.appender.stage(&FrameDraft {
            time: event.time,
            retention: draft.retention,
            level: draft.level,
            leaf: line.as_bytes(),
            records: &records,
        })?;
        Ok(staged)
    }

    /// Forgets the group and tells everybody in it. Nothing of it was written, so the store is as
    /// it was before.
    fn discard(&mut self, group: &mut Group, why: &Error) {
        let mut discarded = std::mem::take(group);
        self.appender.discard();
        self.opened = self.opened.take().or_else(|| discarded.opened.take());
        for (reply, _) in discarded.waiting.drain(..) {
            reply(Err(
                Error::new(why.kind(), why.message()).hint("nothing was recorded; try again")
            ));
        }
    }

    /// Makes the group durable, visible, and then known to those who wait for it, in this order.
    fn commit(&mut self, group: &mut Group) -> Result<()> {
        let mut done = std::mem::take(group);
        if self.appender.has_staged()
            && let Err(error) = self.appender.commit()
        {
            let error = Error::from(error);
            self.shared
                .fail(format!("{}; the writer has stopped", error.message()));
            for (reply, _) in done.waiting.drain(..) {
                reply(Err(Error::new(error.kind(), error.message()).hint(
                    "this was not acknowledged; close the store and open it again",
                )));
            }
            return Err(error);
        }
        if let Some((active, _)) = done.state {
            self.shared.publish(active, done.frames, done.inline);
        }
        for (reply, receipt) in done.waiting.drain(..) {
            reply(Ok(receipt));
        }
        Ok(())
    }

    /// Goes on in another journal file, which holds a frame of `frame_bytes`, and hands the full one
    /// to the sealer.
    fn rotate(&mut self, frame_bytes: usize) -> Result<()> {
        while let Ok(control) = self.controls.try_recv() {
            self.control(control);
        }
        while self.appender.free_files(frame_bytes) == 0
            && self.appender.files(frame_bytes) >= JOURNAL_FILES_MAX
        {
            // The sealer is behind: callers wait here, in a bounded channel, instead of in memory.
            if let Some(why) = self.shared.stalled() {
                return Err(journal_full(&why));
            }
            if self.shared.failure().is_some() {
                return Err(sealer::ended(&self.shared));
            }
            if self.shared.is_closing() {
                return Err(journal_full("the store is being closed"));
            }
            match self.controls.recv_timeout(Duration::from_millis(50)) {
                Ok(control) => self.control(control),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(sealer::ended(&self.shared)),
            }
        }
        let full = self.appender.rotate(frame_bytes)?;
        let (slot, file) = self.appender.current_file();
        self.shared.files.add_journal(slot, file);
        self.sealer
            .send(sealer::Job::Seal(full))
            .map_err(|_| sealer::ended(&self.shared))
    }

    fn rotate_for_seal(&mut self) -> Result<()> {
        if self.appender.current_is_empty() {
            return Ok(());
        }
        self.rotate(0)
    }

    fn purge(
        &mut self,
        plan: &PurgePlan,
        reason: &str,
        actor: Option<&Arc<Actor>>,
        reply: ReplyTo,
        group: &mut Group,
    ) {
        let staged = self.purge_facts(plan, reason, group).and_then(|mut facts| {
            for fact in &mut facts {
                fact.actor = actor.cloned();
            }
            self.stage_all(&mut facts, group)
        });
        match staged {
            Ok(receipt) => group.waiting.push((reply, receipt)),
            Err(error) => reply(Err(error)),
        }
    }

    /// The facts a plan becomes, if every entry of it may still go. Nobody can place a hold between this look and the
    /// record of the purge: both go through this thread.
    fn purge_facts(&self, plan: &PurgePlan, reason: &str, group: &mut Group) -> Result<Vec<Draft>> {
        let view = group.view(&self.shared);
        let stale = |why: String| {
            Error::new(
                ErrorKind::Refused,
                format!("plan {} is stale: {why}", plan.plan_id),
            )
            .hint("make a new plan with 'annals retention preview' and look at it")
        };
        if plan.digest() != plan.plan_id {
            return Err(stale("it was changed after it was made".to_owned()));
        }
        // Each with its bytes.
        let mut by_rule: BTreeMap<&str, Vec<(EntryId, u64)>> = BTreeMap::new();
        for item in &plan.items {
            let entry = view
                .entry(item.id)?
                .ok_or_else(|| stale(format!("entry {} is not in this store", item.id)))?;
            if entry.purged_at.is_some() {
                return Err(stale(format!("entry {} was purged meanwhile", item.id)));
            }
            if let Some(hold) = entry.holds.first() {
                return Err(stale(format!(
                    "entry {} is on hold '{hold}' by now",
                    item.id
                )));
            }
            if entry.waits_for_submission() && !plan.takes_waiting() {
                return Err(stale(format!(
                    "a report of entry {} waits to be submitted by now",
                    item.id
                )));
            }
            let going = by_rule.entry(&item.rule).or_default();
            going.push((item.id, logical_bytes(&entry)));
        }
        let bytes_of = |going: &[(EntryId, u64)]| going.iter().map(|(_, bytes)| bytes).sum();
        let mut facts = vec![Draft::fact(Body::PurgePlanned(PurgePlanned {
            plan_id: plan.plan_id.clone(),
            at_seq: plan.at_seq,
            effective_now: plan.effective_now,
            rules: plan.rules.clone(),
            count: plan.count,
            bytes_logical: by_rule
                .values()
                .map(|going| -> u64 { bytes_of(going) })
                .sum(),
            held_skipped: plan.held_skipped,
            waiting_skipped: plan.waiting_skipped,
            reason: reason.to_owned(),
        }))];
        for (rule, going) in by_rule {
            for part in going.chunks(PURGED_PER_EVENT) {
                facts.push(Draft::fact(Body::PurgedEntries(PurgedEntries {
                    plan_id: plan.plan_id.clone(),
                    rule: rule.to_owned(),
                    reason: reason.to_owned(),
                    entries: EntryRanges::of(part.iter().map(|(id, _)| *id)),
                    count: part.len() as u64,
                    bytes_logical: bytes_of(part),
                })));
            }
        }
        Ok(facts)
    }
}

/// Where a fact may go.
#[derive(Clone, Copy)]
enum Room {
    /// Into the current journal file or the next.
    Anywhere,
    /// Into the current journal file only.
    Here,
}

fn journal_full(why: &str) -> Error {
    Error::new(
        ErrorKind::Full,
        format!("the journal is full and cannot be sealed: {why}"),
    )
    .hint("free some space, or purge old entries; nothing was lost")
}

/// Bytes of an entry's source and of all its reports.
pub(super) fn logical_bytes(entry: &Entry) -> u64 {
    let reports = entry.attempts.iter().flat_map(|attempt| &attempt.reports);
    entry.size + reports.map(|report| report.size).sum::<u64>()
}

/// Decides what only the single writer can decide. `Some` answers the request without recording anything.
fn settle(
    draft: &mut Draft,
    view: &View,
    is_inline: impl Fn(&BlobId) -> bool,
) -> Result<Option<Receipt>> {
    // What is needed but lies nowhere was lost with a pack; it is taken in again.
    let live = |id: &BlobId| -> Result<bool> {
        let row = view.blob(id)?;
        Ok(row.is_some_and(|blob| blob.refs > 0 && (blob.place.is_some() || is_inline(id))))
    };
    for id in &draft.relies_on {
        if !live(id)? {
            return Ok(Some(Receipt::BringContent));
        }
    }
    for id in &draft.placed {
        if view.blob(id)?.is_none_or(|blob| blob.place.is_none()) {
            return Ok(Some(Receipt::BringContent));
        }
    }
    match &mut draft.body {
        Body::Archived(fact) => {
            if let Some(key) = &fact.key
                && let Some(entry) = view.key(key)?
            {
                return Ok(Some(Receipt::Known(entry)));
            }
            fact.duplicate = live(&fact.blob.blake3)?;
        }
        Body::Converted(fact) => {
            let entry = living(fact.entry, view)?;
            let before = entry.attempts.last().map_or(0, |attempt| attempt.attempt.0);
            fact.attempt = AttemptNo(before.saturating_add(1));
        }
        Body::Reported(fact) => {
            let entry = view
                .entry(fact.entry)?
                .ok_or_else(|| super::no_entry(fact.entry))?;
            // A server that took a report took it, whatever was purged while it thought.
            if fact.key.is_none() {
                living(fact.entry, view)?;
            }
            report_of(&entry, fact.attempt, fact.report)?;
        }
        Body::SubmitIntended(fact) => {
            report_of(&living(fact.entry, view)?, fact.attempt, fact.report)?;
        }
        Body::SubmitRejected(fact) => {
            let entry = living(fact.entry, view)?;
            let report = report_of(&entry, fact.attempt, fact.report)?;
            if !matches!(report.submission, Some(Submission::Waiting { .. })) {
                return Err(Error::new(
                    ErrorKind::Refused,
                    format!(
                        "report {} of attempt {} of entry {} waits for no answer",
                        fact.report, fact.attempt, fact.entry
                    ),
                ));
            }
        }
        Body::ConverterRegistered(fact) if view.converter(&fact.converter_id)?.is_some() => {
            return Ok(Some(Receipt::Durable {
                events: Vec::new(),
                archived: None,
                attempt: None,
            }));
        }
        Body::HoldPlaced(fact) if view.hold(&fact.name).is_some() => {
            return Err(Error::new(
                ErrorKind::Refused,
                format!("there is a hold named '{}' already", fact.name),
            )
            .hint("choose another name, or release that one first"));
        }
        Body::HoldReleased(fact) if view.hold(&fact.name).is_none() => {
            return Err(Error::new(
                ErrorKind::NotFound,
                format!("there is no hold named '{}'", fact.name),
            ));
        }
        _ => {}
    }
    let mut brought = std::mem::take(&mut draft.records);
    let mut seen = HashSet::new();
    for (id, record) in brought.drain(..) {
        if seen.insert(id) && !live(&id)? {
            draft.records.push((id, record));
        }
    }
    Ok(None)
}

/// A report that an attempt of the entry made.
fn report_of(entry: &Entry, attempt: AttemptNo, report: u32) -> Result<&Report> {
    let missing = |what: String| Error::new(ErrorKind::NotFound, what);
    let of_attempt = entry.attempts.iter().find(|made| made.attempt == attempt);
    let made = of_attempt
        .ok_or_else(|| missing(format!("entry {} has no attempt {attempt}", entry.id)))?;
    made.reports.get(report as usize).ok_or_else(|| {
        missing(format!(
            "attempt {attempt} of entry {} has no report {report}",
            entry.id
        ))
    })
}

/// The entry, unless there is none or it was purged.
pub(super) fn living(id: EntryId, view: &View) -> Result<Entry> {
    let entry = view.entry(id)?.ok_or_else(|| super::no_entry(id))?;
    match (entry.purged_at, &entry.purged_by) {
        (None, _) => Ok(entry),
        (Some(at), rule) => Err(Error::new(
            ErrorKind::NotFound,
            format!(
                "entry {id} was purged at {at} by rule '{}'",
                rule.as_deref().unwrap_or("unknown")
            ),
        )),
    }
}
