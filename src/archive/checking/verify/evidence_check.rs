//! Verifies what was signed: keys, checkpoints against the events they cover, and that none is
//! missing.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::report::{EvidenceSummary, Timestamped, VerifyReport};
use crate::archive::files::lost_event::is_lost;
use crate::archive::signing::declared;
use crate::archive::signing::outside::{self, Standing};
use crate::archive::state::store::Store;
use crate::event::{
    Body, CheckpointCadence, CheckpointSigned, CheckpointTimestamped, ClockReading, Event,
};
use crate::evidence::checkpoint::SignedCheckpoint;
use crate::evidence::note::{KeyName, VerifierKey};
use crate::evidence::rotation::{LostKey, Rotation, stated_key};
use crate::evidence::timestamp::{TimestampError, TimestampToken};
use crate::evidence::tree::{Frontier, TreeHash, leaf_hash};
use crate::id::EventSeq;
use crate::log::SegmentReader;

/// The kind of these findings.
const KIND: &str = "evidence";
/// How many events a checkpoint may lie behind the event that records it. Only what is recorded
/// while it is made lies between.
const BEHIND_MAX: usize = 1 << 16;
/// Events beyond twice the cadence that are no finding yet: they may share the group of those that
/// made the checkpoint due.
const EVENTS_SLACK: u64 = 1_024;
/// Milliseconds beyond twice the cadence that are no finding yet.
const SLACK_MS: u64 = 60_000;

/// The check of what was signed, and what it found so far.
pub(super) struct EvidenceCheck {
    name: KeyName,
    segments: VecDeque<Arc<SegmentReader>>,
    /// The tree over the first events, and the hashes of the leaves after it.
    tree: Frontier,
    later: VecDeque<TreeHash>,
    /// The leaves are not the ones that were signed, and a repair says so. Until a segment states
    /// the tree, its root is unknown.
    is_unknown: bool,
    key: Option<VerifierKey>,
    /// Keys that another one took over from.
    ended: Vec<VerifierKey>,
    cadence: Option<CheckpointCadence>,
    /// The last event that a checkpoint covers, or that records one.
    covered: EventSeq,
    /// When the first event after that was recorded, in the process that recorded it.
    since: Option<ClockReading>,
    /// The missing checkpoint is a finding already.
    is_late: bool,
    /// Of each checkpoint that held its size and the digest of its note.
    notes: BTreeMap<EventSeq, (u64, [u8; 32])>,
    summary: EvidenceSummary,
}

impl EvidenceCheck {
    pub(super) fn new(store: &Store) -> Self {
        Self {
            name: KeyName::of_store(&store.id),
            segments: store.log.segments().into(),
            tree: Frontier::new(),
            later: VecDeque::new(),
            is_unknown: false,
            key: None,
            ended: Vec::new(),
            cadence: None,
            covered: EventSeq(0),
            since: None,
            is_late: false,
            notes: BTreeMap::new(),
            summary: EvidenceSummary::default(),
        }
    }

    /// Takes the next event. `event` is `None` when it cannot be decoded.
    pub(super) fn event(
        &mut self,
        seq: EventSeq,
        line: &[u8],
        event: Option<&Event>,
        report: &mut VerifyReport,
    ) {
        if let Some(event) = event {
            if let Err(why) = self.fact(seq, &event.body) {
                report.find(KIND, format!("event {seq}"), why);
            }
            if let Some(late) = self.is_late(seq, event) {
                report.find(
                    KIND,
                    format!("events {} to {seq}", self.covered.next()),
                    late,
                );
            }
        }
        self.is_unknown |= is_lost(line);
        self.later.push_back(leaf_hash(line));
        if self.later.len() > BEHIND_MAX {
            self.grow_by_one();
        }
        while let Some(segment) = self.segments.front()
            && segment.last_seq() <= seq
        {
            if self.is_unknown
                && let Ok(stated) = segment.frontier()
            {
                self.tree = stated;
                self.later.clear();
                self.is_unknown = false;
            }
            self.segments.pop_front();
        }
    }

    /// Notes that an event is missing.
    pub(super) const fn missing(&mut self) {
        self.is_unknown = true;
    }

    fn grow_by_one(&mut self) {
        if let Some(hash) = self.later.pop_front() {
            self.tree.push_hash(hash);
        }
    }

    /// Checks a fact about evidence. An error says what is wrong with it.
    fn fact(&mut self, seq: EventSeq, body: &Body) -> Result<(), String> {
        let text = |error: &dyn std::fmt::Display| error.to_string();
        match body {
            Body::KeyCreated(fact) => {
                let key = VerifierKey::parse(&fact.vkey).map_err(|error| text(&error))?;
                if self.key.is_some() {
                    return Err("a second key without a statement of the first one".to_owned());
                }
                self.use_key(key)
            }
            Body::KeyRotated(fact) => {
                let old = self.key.clone().ok_or("there is no key before it")?;
                let trusted = std::slice::from_ref(&old);
                let rotation = Rotation::verify(fact.statement.as_bytes(), trusted)
                    .map_err(|error| text(&error))?;
                self.ended.push(old);
                self.use_key(rotation.new_key().clone())
            }
            Body::KeyLost(fact) => {
                let old = self.key.clone().ok_or("there is no key before it")?;
                let new = stated_key(&fact.statement).map_err(|error| text(&error))?;
                let lost = LostKey::verify(fact.statement.as_bytes(), &[new])
                    .map_err(|error| text(&error))?;
                if *lost.old() != old {
                    return Err("it is about another key than the one in use".to_owned());
                }
                self.ended.push(old);
                self.use_key(lost.new_key().clone())
            }
            Body::CheckpointCadence(cadence) => {
                self.cadence = Some(*cadence);
                Ok(())
            }
            Body::CheckpointSigned(fact) => {
                self.summary.checkpoints += 1;
                self.checkpoint(seq, fact)
            }
            Body::CheckpointTimestamped(fact) => {
                self.summary.timestamps += 1;
                self.timestamp(fact)
            }
            _ => Ok(()),
        }
    }

    fn use_key(&mut self, key: VerifierKey) -> Result<(), String> {
        let is_own = *key.name() == self.name;
        self.key = Some(key);
        if is_own {
            Ok(())
        } else {
            Err("the key is not one of this store".to_owned())
        }
    }

    fn checkpoint(&mut self, seq: EventSeq, fact: &CheckpointSigned) -> Result<(), String> {
        let note = fact.note.as_bytes();
        let key = self
            .key
            .as_ref()
            .ok_or("it is signed, and no key before it")?;
        let signed = SignedCheckpoint::open(note, std::slice::from_ref(key)).map_err(|error| {
            match SignedCheckpoint::open(note, &self.ended) {
                Ok(_) => "the checkpoint is signed with a key whose use had ended".to_owned(),
                Err(_) => error.to_string(),
            }
        })?;
        let size = signed.checkpoint().size;
        if size >= seq.0 {
            return Err(format!("it signs {size} events, which were not there yet"));
        }
        let is_next = seq.0 == size + 1;
        self.covered = self.covered.max(if is_next { seq } else { EventSeq(size) });
        (self.since, self.is_late) = (None, false);
        while self.tree.size() < size && !self.later.is_empty() {
            self.grow_by_one();
        }
        if self.is_unknown || self.tree.size() != size {
            self.summary.unchecked += 1;
            return Ok(());
        }
        if self.tree.root() != signed.checkpoint().root {
            return Err(format!(
                "TAMPERED: the {size} events before it are not the ones that were signed"
            ));
        }
        self.summary.newest = Some(size);
        self.notes.insert(seq, (size, Sha256::digest(note).into()));
        Ok(())
    }

    /// Compares a time stamp with the checkpoint that it is over.
    fn timestamp(&mut self, fact: &CheckpointTimestamped) -> Result<(), String> {
        let token = TimestampToken::from_base64(&fact.token).map_err(|error| error.to_string())?;
        let Some((size, digest)) = self.notes.get(&fact.checkpoint) else {
            // A checkpoint that cannot be compared any more is counted already.
            return match self.summary.unchecked {
                0 => Err(format!(
                    "event {} is no checkpoint that holds",
                    fact.checkpoint
                )),
                _ => Ok(()),
            };
        };
        if !token.is_over_digest(digest) {
            return Err(format!(
                "{}: event {}",
                TimestampError::OtherText,
                fact.checkpoint
            ));
        }
        self.summary.timestamped = Some(Timestamped {
            size: *size,
            time: token.time(),
            renew_before: token.renew_before(),
            server: fact.server.clone(),
        });
        Ok(())
    }

    /// Returns what to say when a checkpoint should have been signed before this event.
    fn is_late(&mut self, seq: EventSeq, event: &Event) -> Option<String> {
        if seq <= self.covered {
            return None;
        }
        // A process that ended signs nothing more. The next one goes on.
        if matches!(event.body, Body::StoreOpened(_)) {
            self.since = None;
        }
        let since = self.since.get_or_insert_with(|| event.clock.clone());
        let cadence = self.cadence?;
        let is_one_run = since.boot == event.clock.boot;
        let waited_ms = event.clock.mono_ms.saturating_sub(since.mono_ms);
        let waits_ms = cadence
            .every_s
            .saturating_mul(2_000)
            .saturating_add(SLACK_MS);
        let events_max = cadence
            .every_events
            .saturating_mul(2)
            .saturating_add(EVENTS_SLACK);
        let is_over = seq.0 - self.covered.0 > events_max || (is_one_run && waited_ms > waits_ms);
        if !is_over || std::mem::replace(&mut self.is_late, true) {
            return None;
        }
        Some(format!(
            "no checkpoint was signed, and the log promises one every {} events or {} s",
            cadence.every_events, cadence.every_s
        ))
    }

    /// Returns the key the log ends with, and the summary.
    pub(super) fn finish(self) -> (Option<VerifierKey>, EvidenceSummary) {
        (self.key, self.summary)
    }
}

/// Looks at the key and the newest checkpoint only.
pub(super) fn quick(store: &Store, report: &mut VerifyReport) -> Option<VerifierKey> {
    let key = match declared::current_key(store) {
        Ok(key) => key?,
        Err(error) => {
            report.find(KIND, "the key", error.message());
            return None;
        }
    };
    match declared::newest_checkpoint(store, std::slice::from_ref(&key)) {
        Ok(newest) => {
            report.evidence.newest = newest.map(|newest| newest.signed.checkpoint().size);
        }
        Err(error) => report.find(KIND, "the newest checkpoint", error.message()),
    }
    Some(key)
}

/// Compares the log with what is known outside of it: the key given here, and the checkpoint that
/// is kept here.
pub(super) fn compare_outside(store: &Store, key: Option<VerifierKey>, report: &mut VerifyReport) {
    let signer = store.signing.signer();
    if let Some(given) = signer.as_ref().map(|signer| signer.vkey())
        && key.as_ref().is_some_and(|key| key != given)
    {
        let said = "the log is signed with another key than the one given here";
        report.find(KIND, "the key", said);
    }
    report.evidence.key = key.map(|key| key.to_string());
    let folder = store.options.checkpoint_copies.as_ref();
    let kept = folder.and_then(|folder| outside::kept(folder, &store.id, &*store.disk));
    let Some(kept) = kept else {
        return;
    };
    let last = store.watermark.newest();
    match kept.compare(&store.log, last) {
        Ok(Standing::Continues(_) | Standing::Explained) => {}
        Ok(Standing::Contradicts(how)) => report.find(KIND, "the log", kept.describe(how, last)),
        Err(error) => report.find(KIND, "the log", error.message()),
    }
}
