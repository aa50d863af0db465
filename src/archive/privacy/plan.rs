//! Plans an erasure: which values would go, and which cannot.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::archive::appending::decide::no_entry;
use crate::archive::files::event_line::decode;
use crate::archive::handle::Archive;
use crate::event::{PersonalField, digest_text, entry_with_values};
use crate::id::{EntryId, EventSeq};
use crate::index::{DisclosureRow, View};
use crate::retention::GovernanceLocks;
use crate::{Error, ErrorKind, Result};

/// What an erasure would erase. Made by [`Archive::plan_erasure`], carried out by
/// [`Archive::erase`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ErasurePlan {
    /// The field.
    pub field: String,
    /// The entries with values that can be erased.
    pub items: Vec<PlannedErasure>,
    /// The account whose name can be erased.
    pub account: Option<PlannedAccount>,
    /// Number of values that would be erased.
    pub values: u64,
    /// Entries that a hold or a retention lock keeps as they are.
    pub held: Vec<HeldBack>,
    /// Entries whose value is in the log in the clear, recorded before the field was personal. It
    /// cannot be erased.
    pub in_the_clear: Vec<InTheClear>,
    /// Number of entries without such a value, or whose value is gone already.
    pub without_value: u64,
}

/// The values of one entry that would be erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PlannedErasure {
    /// The entry.
    pub id: EntryId,
    /// The digests of the disclosures, as their leaves have them.
    pub digests: Vec<String>,
}

/// An account whose name would be erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PlannedAccount {
    /// The pseudonym, which stays.
    pub pseudonym: String,
    /// The digest of the disclosure of its name.
    pub digest: String,
}

/// An entry that a hold or a retention lock keeps as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct HeldBack {
    /// The entry.
    pub id: EntryId,
    /// The hold; `lock NAME` for a retention lock.
    pub hold: String,
}

/// An entry with a value in the clear.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct InTheClear {
    /// The entry.
    pub id: EntryId,
    /// The event whose leaf has the value.
    pub event: EventSeq,
}

impl Archive {
    /// Returns what erasing a field of these entries would do. Changes nothing.
    ///
    /// The values of other fields that state the value go along: with a file name the path, and
    /// with either the idempotency key.
    ///
    /// # Errors
    ///
    /// `NotFound` where an entry does not exist; `Invalid` for an account, which belongs to no
    /// entry.
    pub fn plan_erasure(&self, field: &PersonalField, ids: &[EntryId]) -> Result<ErasurePlan> {
        if *field == PersonalField::Actor {
            let told = "an account belongs to no entry";
            return Err(Error::new(ErrorKind::Invalid, told)
                .hint("name the account or its pseudonym: annals erase --account NAME"));
        }
        let mut plan = ErasurePlan::new(field);
        let view = self.store().index.view();
        let ids: BTreeSet<EntryId> = ids.iter().copied().collect();
        let mut clear = self.in_the_clear(field, &ids, &view)?;
        let locks = self.locks_now(&view);
        for id in ids {
            let entry = view.entry(id)?.ok_or_else(|| no_entry(id))?;
            if let Some(event) = clear.remove(&id) {
                plan.in_the_clear.push(InTheClear { id, event });
                continue;
            }
            let rows = view.disclosures(id)?;
            let goes = rows.iter().filter(|row| row.state.is_kept());
            let digests: Vec<String> = goes
                .filter(|row| is_of(row, field))
                .map(|row| digest_text(&row.digest))
                .collect();
            if digests.is_empty() {
                plan.without_value += 1;
            } else if let Some(hold) = entry.holds.first() {
                let hold = hold.clone();
                plan.held.push(HeldBack { id, hold });
            } else if let Some(lock) = locks.keeping(&entry, GovernanceLocks::Obey) {
                let hold = format!("lock {}", lock.name);
                plan.held.push(HeldBack { id, hold });
            } else {
                plan.values += digests.len() as u64;
                plan.items.push(PlannedErasure { id, digests });
            }
        }
        Ok(plan)
    }

    /// Returns what erasing the name of an account would do. `account` is its name or its
    /// pseudonym. Changes nothing.
    ///
    /// # Errors
    ///
    /// `NotFound` where no pseudonym stands for that account.
    pub fn plan_account_erasure(&self, account: &str) -> Result<ErasurePlan> {
        let mut plan = ErasurePlan::new(&PersonalField::Actor);
        let known = self.store().index.view().actors()?;
        let found = known
            .into_iter()
            .find(|(pseudonym, row)| pseudonym == account || row.name.as_deref() == Some(account));
        let Some((pseudonym, row)) = found else {
            let told = "no pseudonym of this store stands for that account";
            return Err(Error::new(ErrorKind::NotFound, told).hint(
                "`annals privacy show` lists them; what was recorded before 'actor' was declared \
                 personal names accounts in the clear, and cannot be erased",
            ));
        };
        match row.disclosure.filter(|row| row.state.is_kept()) {
            Some(row) => {
                plan.values = 1;
                plan.account = Some(PlannedAccount {
                    pseudonym,
                    digest: digest_text(&row.digest),
                });
            }
            None => plan.without_value = 1,
        }
        Ok(plan)
    }

    /// Returns the entries among `ids` with a value of the field in the clear, each with the first
    /// event that has it.
    fn in_the_clear(
        &self,
        field: &PersonalField,
        ids: &BTreeSet<EntryId>,
        view: &View,
    ) -> Result<BTreeMap<EntryId, EventSeq>> {
        let mut found = BTreeMap::new();
        let declared = view.personal_fields();
        let covers = |(declared, _): &&(String, EventSeq)| {
            let declared = declared.parse::<PersonalField>();
            declared.is_ok_and(|declared| declared == *field || declared.said_by().contains(field))
        };
        let since = declared
            .iter()
            .filter(covers)
            .map(|(_, since)| *since)
            .min();
        // Leaves since then have no such value.
        let last = match since {
            Some(since) => EventSeq(since.0.saturating_sub(1)),
            None => view.applied(),
        };
        let Some(first) = ids.first().map(|id| id.event()) else {
            return Ok(found);
        };
        if first > last {
            return Ok(found);
        }
        for leaf in self.events(first, Some(last))? {
            let leaf = leaf?;
            let may_concern = [
                "\"annals.archived.",
                "\"annals.converted.",
                "\"annals.submit.",
                "\"annals.source.cleared.",
                "\"annals.annotated.",
            ]
            .iter()
            .any(|kind| leaf.line.contains(kind));
            if !may_concern {
                continue;
            }
            // An unreadable event is told by `verify`.
            let Ok(mut event) = decode(leaf.seq, leaf.line.as_bytes()) else {
                continue;
            };
            if let Some(entry) = entry_with_values(event.seq, &event.body)
                && ids.contains(&entry)
                && !found.contains_key(&entry)
                && field.take(&mut event.body).is_some()
            {
                found.insert(entry, leaf.seq);
            }
        }
        Ok(found)
    }
}

impl ErasurePlan {
    fn new(field: &PersonalField) -> Self {
        Self {
            field: field.to_string(),
            items: Vec::new(),
            account: None,
            values: 0,
            held: Vec::new(),
            in_the_clear: Vec::new(),
            without_value: 0,
        }
    }
}

/// Returns true when a disclosure states the value of a field.
fn is_of(row: &DisclosureRow, field: &PersonalField) -> bool {
    let also = field.said_by().iter();
    std::iter::once(field)
        .chain(also)
        .any(|field| row.field == field.to_string())
}
