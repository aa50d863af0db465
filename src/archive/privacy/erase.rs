//! Erases personal values: records that they go, then removes their bytes from packs, journal and
//! index.

use std::path::Path;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::archive::files::folders::QUARANTINE_DIR;
use crate::archive::handle::Archive;
use crate::archive::messages::{Draft, Job, Receipt, WriterLink};
use crate::archive::privacy::plan::ErasurePlan;
use crate::archive::purging::purge::ReclaimError;
use crate::archive::state::store::Store;
use crate::event::{Body, EntryRanges, Erased};
use crate::id::EventSeq;
use crate::{Error, ErrorKind, Result};

/// The most digests that one event lists: so many fit one leaf.
const DIGESTS_PER_EVENT: usize = 1_000;

/// What an erasure did. It is on record, whether or not its bytes could be removed.
#[derive(Debug)]
#[non_exhaustive]
pub struct ErasureOutcome {
    /// The durable record: these values are gone.
    pub recorded: RecordedErasure,
    /// Files in the store's quarantine. A repair or a torn write left them there, and they may
    /// still hold a value.
    pub quarantined: u64,
    /// The result of removing the bytes. After an error the values are forgotten nevertheless; the
    /// next erasure, purge or opening for writing removes what is left.
    pub reclaim: Result<()>,
}

/// An erasure as it is on record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RecordedErasure {
    /// The field.
    pub field: String,
    /// Number of entries whose value is gone.
    pub entries: u64,
    /// The pseudonym whose name is gone.
    pub account: Option<String>,
    /// Number of values that are gone.
    pub values: u64,
    /// The events that say so.
    pub events: Vec<EventSeq>,
    /// The reason, in a person's words.
    pub reason: String,
}

/// Serializes all fields as one object. `reclaim_error` is null unless removing the bytes
/// failed.
impl Serialize for ErasureOutcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Flat<'a> {
            #[serde(flatten)]
            recorded: &'a RecordedErasure,
            quarantined: u64,
            reclaim_error: Option<ReclaimError<'a>>,
        }
        let flat = Flat {
            recorded: &self.recorded,
            quarantined: self.quarantined,
            reclaim_error: self.reclaim.as_ref().err().map(ReclaimError::of),
        };
        flat.serialize(serializer)
    }
}

impl Archive {
    /// Carries a plan out: records that the values are erased, then removes their bytes. Every
    /// leaf, hash, checkpoint and proof stays as it is.
    ///
    /// On `Ok` the erasure is durable, and [`ErasureOutcome::reclaim`] says whether its bytes are
    /// removed. Refused when the plan erases nothing, without a reason, or when by now a hold or a
    /// retention lock keeps one of the entries; then nothing is erased.
    ///
    /// # Errors
    ///
    /// On an error nothing was erased, except for the kinds `Poisoned` and `Io`: then the store
    /// must be opened again to learn whether it was.
    pub fn erase(&self, plan: &ErasurePlan, reason: &str) -> Result<ErasureOutcome> {
        if plan.values == 0 {
            return Err(Error::new(ErrorKind::Refused, "the plan erases nothing"));
        }
        if reason.trim().is_empty() {
            return Err(
                Error::new(ErrorKind::Refused, "an erasure needs a reason").hint(
                    "state it with --reason TEXT; it is recorded for good, so name nobody in it",
                ),
            );
        }
        // What is erased was signed before it, and that it was erased after it.
        self.checkpoint_if_signed();
        let events = match self.append(facts(plan, reason))? {
            Receipt::Durable { events, .. } => events,
            Receipt::Known(_) | Receipt::ContentNeeded => {
                let told = "BUG: an erasure was answered as if it had content";
                return Err(Error::new(ErrorKind::Invalid, told));
            }
        };
        let reclaim = self.remove_erased();
        self.checkpoint_if_signed();
        Ok(ErasureOutcome {
            recorded: RecordedErasure {
                field: plan.field.clone(),
                entries: plan.items.len() as u64,
                account: plan.account.as_ref().map(|named| named.pseudonym.clone()),
                values: plan.values,
                events,
                reason: reason.to_owned(),
            },
            quarantined: self.quarantined(),
            reclaim,
        })
    }

    /// Removes the bytes of erased values from packs, journal and index.
    fn remove_erased(&self) -> Result<()> {
        let freed = self.free_purged(None);
        // Beside those, the index has to be written without them, even when a pack cannot be.
        let scrubbed = self.scrub_index();
        freed.map(drop).and(scrubbed)
    }

    /// Writes the index without the personal values that are gone, also in pages that are free.
    pub(in crate::archive) fn scrub_index(&self) -> Result<()> {
        if !self.store().index.may_hold_erased()? {
            return Ok(());
        }
        let store = Arc::clone(self.store());
        self.run_in_background(move |writer| scrub(&store, writer))
    }

    /// Has the background thread end what an erasure left undone before the store was opened.
    pub(in crate::archive) fn end_erasures(&self) -> Result<()> {
        let store = self.store();
        if !store.index.may_hold_erased()? {
            return Ok(());
        }
        let kept = Arc::clone(store);
        // An error here shows at the next opening, which tries again.
        let _ = self.channels()?.jobs.send(Job::Run(Box::new(move |writer| {
            let _ = scrub(&kept, writer);
        })));
        Ok(())
    }

    /// Returns how many files are in the quarantine.
    fn quarantined(&self) -> u64 {
        let files = self.store().disk.list(Path::new(QUARANTINE_DIR));
        files.map_or(0, |files| files.len() as u64)
    }
}

/// Writes what is newer than the index to its file, and makes the file again without free pages.
/// Runs on the background thread.
pub(in crate::archive) fn scrub(store: &Store, writer: &WriterLink) -> Result<()> {
    if !store.index.may_hold_erased()? {
        return Ok(());
    }
    // A layer that could not be written before is below what changed since.
    for _ in 0..2 {
        writer.freeze()?;
        store.index.write_frozen()?;
    }
    let alone = store.index.write_alone();
    let scrubbed = store.index.scrub();
    drop(alone);
    scrubbed
}

/// Returns the facts that a plan is recorded as.
fn facts(plan: &ErasurePlan, reason: &str) -> Vec<Draft> {
    let fact = |entries, actor, digests| {
        Draft::fact(Body::Erased(Erased {
            field: plan.field.clone(),
            entries,
            actor,
            digests,
            reason: reason.to_owned(),
        }))
    };
    let mut facts = Vec::new();
    if let Some(named) = &plan.account {
        let pseudonym = Some(named.pseudonym.clone());
        let digests = vec![named.digest.clone()];
        facts.push(fact(EntryRanges::default(), pseudonym, digests));
    }
    let (mut ids, mut digests) = (Vec::new(), Vec::new());
    for item in &plan.items {
        for digest in &item.digests {
            if digests.len() == DIGESTS_PER_EVENT {
                let full = EntryRanges::of(std::mem::take(&mut ids));
                facts.push(fact(full, None, std::mem::take(&mut digests)));
            }
            ids.push(item.id);
            digests.push(digest.clone());
        }
    }
    if !digests.is_empty() {
        facts.push(fact(EntryRanges::of(ids), None, digests));
    }
    facts
}

#[cfg(test)]
mod tests;
