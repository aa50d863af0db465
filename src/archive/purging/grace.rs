//! Purges that can be undone for a while: recorded at once, their bytes freed when the grace period
//! is over.
//!
//! Meanwhile their entries are purged by every other account: they cannot be read, listed or sent.
//! That the period is over is an event, recorded by whoever opens the store for writing, compacts
//! it or purges next.

use std::time::Duration;

use serde::Serialize;

use crate::archive::appending::purge_facts::{PURGED_PER_EVENT, logical_bytes};
use crate::archive::files::event_line::decode;
use crate::archive::handle::Archive;
use crate::archive::messages::Draft;
use crate::archive::purging::footprint::{Needs, Sizes};
use crate::archive::purging::purge::PurgeOutcome;
use crate::archive::state::compact_outcome::CompactOutcome;
use crate::entry::Part;
use crate::event::{Body, EntryRanges, PurgeFinalized, PurgeUndone};
use crate::id::{EntryId, EventSeq};
use crate::index::{PendingPurgeRow, View};
use crate::retention::PurgePlan;
use crate::time::Timestamp;
use crate::{Error, ErrorKind, Result};

/// A purge that can be undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PendingPurge {
    /// The plan that was carried out.
    pub plan_id: String,
    /// Why, in a person's words.
    pub reason: String,
    /// When the purge was recorded.
    pub purged_at: Timestamp,
    /// From when on it cannot be undone.
    pub final_at: Timestamp,
    /// Number of entries.
    pub entries: u64,
    /// Bytes of their sources and reports.
    pub bytes_logical: u64,
    /// Bytes on disk that become unneeded when it is final.
    pub bytes_freed: u64,
}

/// A purge that was undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct UndonePurge {
    /// The plan that had been carried out.
    pub plan_id: String,
    /// Number of entries that are back.
    pub entries: u64,
}

/// How a purge ends that could be undone.
enum Ending {
    Undone(String),
    /// Before its time, for this reason.
    Early(String),
    InTime,
}

impl Archive {
    /// Carries a plan out as [`Archive::purge`] does, but frees its bytes only after `grace`. Until
    /// then [`Archive::undo_purge`] brings its entries back. Meanwhile they count as purged; only
    /// [`Archive::read`] still finds their contents, by hash.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use annals::archive::{Archive, NewEntry};
    /// use annals::retention::{AsOf, Policy};
    ///
    /// # fn main() -> annals::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let archive = Archive::builder().create(dir.path().join("store"))?;
    /// archive.put(NewEntry::new("ICT"), &b"old"[..])?;
    /// let plan = archive.plan_purge(&Policy::default().max_count(0), AsOf::Clock)?;
    /// let week = Duration::from_secs(7 * 86_400);
    /// archive.purge_with_grace(&plan, "more than we keep", week)?;
    /// assert_eq!(archive.pending_purges()?[0].entries, 1);
    /// let undone = archive.undo_purge(&plan.plan_id, "needed after all")?;
    /// assert_eq!(undone.entries, 1);
    /// # archive.close()
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`Archive::purge`].
    pub fn purge_with_grace(
        &self,
        plan: &PurgePlan,
        reason: &str,
        grace: Duration,
    ) -> Result<PurgeOutcome> {
        let micros = i64::try_from(grace.as_micros()).unwrap_or(i64::MAX);
        let final_at = (micros > 0).then(|| {
            let now = self.store().options.clock.now();
            now.plus_micros(micros).min(Timestamp::MAX)
        });
        self.carry_out(plan, reason, final_at)
            .inspect_err(|error| self.note_refusal(plan, reason, error))
    }

    /// Returns the purges that can be undone, the next one to become final first.
    pub fn pending_purges(&self) -> Result<Vec<PendingPurge>> {
        let view = self.store().index.view();
        let sizes = Sizes::new(&self.store().journal, &view)?;
        let mut needs = Needs::of_all(&sizes);
        let mut pending: Vec<_> = view.pending_purges().into_iter().collect();
        pending.sort_by_key(|(_, row)| (row.final_at, row.events.first().copied()));
        let mut purges = Vec::new();
        for (plan_id, row) in pending {
            let (mut bytes_logical, mut bytes_freed) = (0, 0);
            for id in still_pending(&self.taken_by(&row)?, &row, &view)? {
                if let Some(mut entry) = view.entry(id)? {
                    // What it needs is still there.
                    entry.purged_at = None;
                    bytes_logical += logical_bytes(&entry, Part::Entry);
                    bytes_freed += needs.remove(&entry, Part::Entry)?;
                }
            }
            purges.push(PendingPurge {
                plan_id,
                reason: row.reason.clone(),
                purged_at: row.purged_at,
                final_at: row.final_at,
                entries: row.entries,
                bytes_logical,
                bytes_freed,
            });
        }
        Ok(purges)
    }

    /// Brings back every entry that a plan purged and whose purge is not final.
    ///
    /// # Errors
    ///
    /// `NotFound` when no purge was made by such a plan, `Refused` when it is final, was undone, or
    /// when there is no reason.
    pub fn undo_purge(&self, plan: &str, reason: &str) -> Result<UndonePurge> {
        if reason.trim().is_empty() {
            return Err(
                Error::new(ErrorKind::Refused, "to undo a purge needs a reason")
                    .hint("state it with --reason TEXT; it is recorded for good"),
            );
        }
        let entries = self.end_purge(plan, Ending::Undone(reason.to_owned()))?;
        self.checkpoint_if_signed();
        Ok(UndonePurge {
            plan_id: plan.to_owned(),
            entries,
        })
    }

    /// Makes a purge final before its time, and frees its bytes.
    ///
    /// # Errors
    ///
    /// Those of [`Archive::undo_purge`]. On `Ok` it is final, whether or not its bytes are freed.
    pub fn finalize_purge(&self, plan: &str, reason: &str) -> Result<Result<CompactOutcome>> {
        if reason.trim().is_empty() {
            let said = "to end a grace period early needs a reason";
            return Err(Error::new(ErrorKind::Refused, said)
                .hint("state it with --reason TEXT; it is recorded for good"));
        }
        self.end_purge(plan, Ending::Early(reason.to_owned()))?;
        let freed = self.free_gone();
        self.checkpoint_if_signed();
        Ok(freed)
    }

    /// Makes every purge final whose grace period is over, and frees its bytes. Returns how many
    /// entries are gone with that, and what was freed.
    ///
    /// # Errors
    ///
    /// `Refused` while the clock is in doubt; then nothing is final.
    pub fn finalize_due(&self) -> Result<(u64, Result<CompactOutcome>)> {
        let entries = self.record_due()?;
        if entries == 0 {
            return Ok((0, Ok(CompactOutcome::default())));
        }
        let freed = self.free_gone();
        self.checkpoint_if_signed();
        Ok((entries, freed))
    }

    /// Records that purges are final whose grace period is over, and frees nothing.
    pub(in crate::archive) fn record_due(&self) -> Result<u64> {
        let pending = self.store().index.view().pending_purges();
        if pending.is_empty() {
            return Ok(0);
        }
        let now = self.store().options.clock.now();
        if pending.values().all(|row| row.final_at > now) {
            return Ok(0);
        }
        let now = self.trusted_now()?;
        let mut entries = 0;
        for (plan, _) in pending.iter().filter(|(_, row)| row.final_at <= now) {
            match self.end_purge(plan, Ending::InTime) {
                Ok(ended) => entries += ended,
                // Somebody else ended it meanwhile.
                Err(error) if matches!(error.kind(), ErrorKind::Refused | ErrorKind::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(entries)
    }

    /// Records how a purge ends. Returns the number of its entries.
    fn end_purge(&self, plan: &str, ending: Ending) -> Result<u64> {
        let Some(row) = self.store().index.view().pending_purge(plan) else {
            return Err(self.not_pending(plan)?);
        };
        let now = self.store().options.clock.now();
        if let Ending::Undone(_) = &ending
            && row.final_at <= now
        {
            let told = format!("plan {plan} is final since {}", row.final_at);
            return Err(
                Error::new(ErrorKind::Refused, told).hint("nothing brings its entries back")
            );
        }
        let taken = self.taken_by(&row)?;
        let (counted, count) = crossbeam_channel::bounded(1);
        let plan_id = plan.to_owned();
        let recorded = self.record_facts(move |view| {
            // Somebody else may have ended it since.
            let ids = match view.pending_purge(&plan_id) {
                Some(row) => still_pending(&taken, &row, view)?,
                None => Vec::new(),
            };
            let _ = counted.send(ids.len() as u64);
            let parts = ids.chunks(PURGED_PER_EVENT);
            let fact = |ids: &[EntryId]| {
                let (plan_id, count) = (plan_id.clone(), ids.len() as u64);
                let entries = EntryRanges::of(ids.iter().copied());
                Draft::fact(match &ending {
                    Ending::Undone(reason) => Body::PurgeUndone(PurgeUndone {
                        plan_id,
                        reason: reason.clone(),
                        entries,
                        count,
                    }),
                    Ending::Early(_) | Ending::InTime => Body::PurgeFinalized(PurgeFinalized {
                        plan_id,
                        reason: match &ending {
                            Ending::Early(reason) => Some(reason.clone()),
                            _ => None,
                        },
                        entries,
                        count,
                    }),
                })
            };
            Ok(parts.map(fact).collect())
        });
        recorded?;
        match count.try_recv().unwrap_or(0) {
            0 => Err(self.not_pending(plan)?),
            entries => Ok(entries),
        }
    }

    /// Returns the entries that the events of a purge name.
    fn taken_by(&self, row: &PendingPurgeRow) -> Result<Vec<EntryId>> {
        let mut taken = Vec::new();
        for &seq in &row.events {
            let leaf = self.events(seq, Some(seq))?.next().transpose()?;
            let event = leaf.map(|leaf| decode(seq, leaf.bytes())).transpose()?;
            if let Some(Body::PurgedEntries(fact)) = event.map(|event| event.body) {
                // The writer counted them: no range of a purge is wider than its entries.
                let listed = usize::try_from(fact.count).unwrap_or(usize::MAX);
                taken.extend(fact.entries.iter().take(listed));
            }
        }
        Ok(taken)
    }

    /// Returns why a plan cannot be undone or made final.
    fn not_pending(&self, plan: &str) -> Result<Error> {
        let (mut purged, mut undone) = (false, false);
        for leaf in self.events(EventSeq(1), None)? {
            let leaf = leaf?;
            if !leaf.line.contains(plan) {
                continue;
            }
            match decode(leaf.seq, leaf.bytes()).map(|event| event.body) {
                Ok(Body::PurgedEntries(fact)) if fact.plan_id == plan => purged = true,
                Ok(Body::PurgeUndone(fact)) if fact.plan_id == plan => undone = true,
                _ => {}
            }
        }
        Ok(match (purged, undone) {
            (false, _) => Error::new(
                ErrorKind::NotFound,
                format!("no purge was made by plan '{plan}'"),
            )
            .hint("'annals retention pending' lists the purges that can be undone"),
            (true, true) => Error::new(
                ErrorKind::Refused,
                format!("the purge by plan {plan} was undone already"),
            ),
            (true, false) => Error::new(
                ErrorKind::Refused,
                format!("the purge by plan {plan} is final"),
            )
            .hint("nothing brings its entries back"),
        })
    }

    /// Refuses to certify what can still come back.
    pub(in crate::archive) fn refuse_pending(&self, plan: &str) -> Result<()> {
        let Some(row) = self.store().index.view().pending_purge(plan) else {
            return Ok(());
        };
        let told = format!(
            "the purge by plan {plan} can be undone until {}, so nothing is destroyed yet",
            row.final_at
        );
        Err(Error::new(ErrorKind::Refused, told).hint(format!(
            "wait, or end it with 'annals retention finalize {plan} --reason TEXT'"
        )))
    }
}

/// Returns those of the entries that a purge took which are neither back nor gone for good.
fn still_pending(taken: &[EntryId], row: &PendingPurgeRow, view: &View) -> Result<Vec<EntryId>> {
    let mut pending = Vec::with_capacity(taken.len());
    for &id in taken {
        if let Some(by) = view.pending_by(id)?
            && row.events.contains(&by)
        {
            pending.push(id);
        }
    }
    Ok(pending)
}

#[cfg(test)]
mod tests;
