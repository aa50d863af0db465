//! Holds: named reasons why entries may not be purged.

use serde::Serialize;

use crate::archive::appending::decide::living;
use crate::archive::handle::Archive;
use crate::archive::messages::{Draft, Receipt, Request};
use crate::event::{Body, EntryRanges, HoldPlaced, HoldReleased, HoldReviewed, PersonalField};
use crate::id::{EntryId, EventSeq};
use crate::index::View;
use crate::query::{Filter, Purged, Query, whole_filter_if_any};
use crate::setters::setters;
use crate::time::Timestamp;
use crate::{Error, ErrorKind, Result};

/// The most ranges of entries that one event lists; a longer list becomes several events.
const RANGES_PER_EVENT: usize = 1_500;

/// A hold that is to be placed.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NewHold {
    /// What it is called.
    pub name: String,
    /// Why it is placed; recorded for good.
    pub reason: String,
    /// What it lies on.
    pub on: HoldOn,
    /// When somebody is to look whether it is still needed. It never releases anything.
    pub review: Option<Timestamp>,
}

/// What a hold lies on.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum HoldOn {
    /// These entries. Each must exist and not be purged.
    Entries(Vec<EntryId>),
    /// The entries that match now. Later ones are not held.
    Matching(Filter),
    /// The entries that match now, and every entry from the first later event after which it
    /// matches: when it is archived, converted, submitted or corrected. It then stays on hold until
    /// the hold is released, whatever is corrected later.
    NowAndFuture(Filter),
}

setters! { NewHold {
    /// Sets when somebody is to look whether it is still needed.
    review: opt [Timestamp];
} }

impl NewHold {
    /// Returns a hold with this name and reason.
    pub fn new(name: impl Into<String>, reason: impl Into<String>, on: HoldOn) -> Self {
        Self {
            name: name.into(),
            reason: reason.into(),
            on,
            review: None,
        }
    }
}

/// A hold that lies on entries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Hold {
    /// Its name.
    pub name: String,
    /// Why it was placed.
    pub reason: String,
    /// When.
    pub placed_at: Timestamp,
    /// The account that placed it, or the pseudonym of that account; `None` when it is not known.
    pub placed_by: Option<String>,
    /// When somebody is to look whether it is still needed.
    pub review: Option<Timestamp>,
    /// The filter by which later entries come under it.
    #[serde(serialize_with = "whole_filter_if_any")]
    pub future: Option<Filter>,
    /// On how many entries it lies.
    pub entries: u64,
    /// Bytes of their sources and reports before compression and deduplication.
    pub bytes: u64,
}

/// What is known of a hold without a look at its entries. The fields are those of [`Hold`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
#[expect(missing_docs, reason = "they are those of `Hold`")]
pub struct HoldDates {
    pub name: String,
    pub reason: String,
    pub placed_at: Timestamp,
    pub placed_by: Option<String>,
    pub review: Option<Timestamp>,
    pub future: Option<Filter>,
}

impl Hold {
    /// Returns whether somebody should have looked at it by `now`.
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        self.review.is_some_and(|review| review <= now)
    }
}

impl HoldDates {
    /// Returns whether somebody should have looked at it by `now`.
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        self.review.is_some_and(|review| review <= now)
    }
}

impl Archive {
    /// Places a hold: no rule purges its entries until it is released. Returns how many entries it
    /// lies on now.
    ///
    /// The entries that match are those at the moment of recording: nothing is archived in between.
    ///
    /// ```
    /// use annals::archive::{Archive, HoldOn, NewEntry, NewHold};
    /// use annals::query::Filter;
    ///
    /// # fn main() -> annals::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let archive = Archive::builder().create(dir.path().join("store"))?;
    /// let on = HoldOn::NowAndFuture(Filter::default().serial("SN7"));
    /// archive.hold(NewHold::new("recall 7", "asked for by the customer", on))?;
    /// archive.put(NewEntry::new("ICT").serial("SN7"), &b"content"[..])?;
    /// assert_eq!(archive.holds()?[0].entries, 1);
    /// archive.release_hold("recall 7", "it is over")?;
    /// # archive.close()
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `Invalid` without a name or reason, and for a filter that cannot be kept; `Refused` when
    /// there is a hold of that name; `NotFound` for an entry that does not exist or was purged.
    pub fn hold(&self, new: NewHold) -> Result<u64> {
        let NewHold {
            name,
            reason,
            on,
            review,
        } = new;
        let invalid = |why: &str| Err(Error::new(ErrorKind::Invalid, why));
        if name.trim().is_empty() || reason.trim().is_empty() {
            return invalid("a hold needs a name and a reason");
        }
        match &on {
            HoldOn::Entries(ids) if ids.is_empty() => return invalid("the hold names no entry"),
            HoldOn::NowAndFuture(filter) => self.refuse_unkeepable(filter)?,
            HoldOn::Entries(_) | HoldOn::Matching(_) => {}
        }
        let (counted, count) = crossbeam_channel::bounded(1);
        let facts = move |view: &View| {
            if view.hold(&name).is_some() {
                let said = format!("there is a hold named '{name}' already");
                return Err(Error::new(ErrorKind::Refused, said)
                    .hint("choose another name, or release that one first"));
            }
            let (ids, future) = match on {
                HoldOn::Entries(ids) => {
                    for id in &ids {
                        living(*id, view)?;
                    }
                    (ids, None)
                }
                HoldOn::Matching(filter) => (matching(&filter, view)?, None),
                HoldOn::NowAndFuture(filter) => (matching(&filter, view)?, Some(filter)),
            };
            let placed = |entries| HoldPlaced {
                name: name.clone(),
                reason: reason.clone(),
                entries,
                review,
                future: None,
            };
            let ranges = EntryRanges::of(ids);
            if ranges.is_empty() && future.is_none() {
                return Err(Error::new(ErrorKind::NotFound, "no entry matches"));
            }
            let listed = ranges.ranges().iter();
            let of_range = |(first, last): &(EntryId, EntryId)| last.0 - first.0 + 1;
            let _ = counted.send(listed.map(of_range).sum());
            let mut facts: Vec<HoldPlaced> = ranges.parts(RANGES_PER_EVENT).map(placed).collect();
            if facts.is_empty() {
                facts.push(placed(EntryRanges::default()));
            }
            facts[0].future = future;
            let facts = facts.into_iter().map(Body::HoldPlaced);
            Ok(facts.map(Draft::fact).collect())
        };
        self.record_facts(facts)?;
        Ok(count.try_recv().unwrap_or(0))
    }

    /// Places a hold on entries that must exist and not be purged.
    ///
    /// ```
    /// use annals::archive::{Archive, NewEntry};
    ///
    /// # fn main() -> annals::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let archive = Archive::builder().create(dir.path().join("store"))?;
    /// let id = archive.put(NewEntry::new("ICT"), &b"content"[..])?.id;
    /// archive.place_hold("recall 7", "asked for by the customer", vec![id])?;
    /// assert_eq!(archive.holds()?[0].entries, 1);
    /// # archive.close()
    /// # }
    /// ```
    pub fn place_hold(&self, name: &str, reason: &str, entries: Vec<EntryId>) -> Result<()> {
        self.hold(NewHold::new(name, reason, HoldOn::Entries(entries)))?;
        Ok(())
    }

    /// Records that somebody looked at a hold and that it stays until somebody looks again.
    ///
    /// # Errors
    ///
    /// `NotFound` when there is no such hold, `Invalid` without a reason or for a time in the past.
    pub fn review_hold(&self, name: &str, until: Timestamp, reason: &str) -> Result<()> {
        if reason.trim().is_empty() {
            return Err(Error::new(ErrorKind::Invalid, "a review needs a reason"));
        }
        let now = self.store().options.clock.now();
        if until <= now {
            let said = format!("{until} is over, so it is no time to look again");
            return Err(Error::new(ErrorKind::Invalid, said)
                .hint("state a later date, or release the hold if it is not needed"));
        }
        self.append_fact(Draft::fact(Body::HoldReviewed(HoldReviewed {
            name: name.to_owned(),
            reason: reason.to_owned(),
            review: until,
        })))?;
        Ok(())
    }

    /// Releases a hold.
    pub fn release_hold(&self, name: &str, reason: &str) -> Result<()> {
        self.append_fact(Draft::fact(Body::HoldReleased(HoldReleased {
            name: name.to_owned(),
            reason: reason.to_owned(),
        })))?;
        Ok(())
    }

    /// Returns every hold that is in force, by name. Reads all entries if there is one.
    pub fn holds(&self) -> Result<Vec<Hold>> {
        let held = self.store().index.view().under_holds()?;
        let dates = self.hold_dates()?.into_iter();
        let with_sums = dates.map(|dates| {
            let sum = held.get(&dates.name).copied().unwrap_or_default();
            Hold {
                name: dates.name,
                reason: dates.reason,
                placed_at: dates.placed_at,
                placed_by: dates.placed_by,
                review: dates.review,
                future: dates.future,
                entries: sum.entries,
                bytes: sum.bytes,
            }
        });
        Ok(with_sums.collect())
    }

    /// Returns every hold that is in force, by name, without a look at its entries.
    pub fn hold_dates(&self) -> Result<Vec<HoldDates>> {
        let mut holds = Vec::new();
        for (name, row) in self.store().index.view().holds() {
            let future = row.future.as_deref().map(serde_json::from_str);
            let placed_by = match row.placed_by() {
                Some(seq) => self.who_recorded(seq)?,
                None => None,
            };
            holds.push(HoldDates {
                name,
                reason: row.reason.clone(),
                placed_at: row.placed_at,
                placed_by,
                review: row.review,
                future: future.transpose().map_err(|error| {
                    let said = format!("the filter of a hold cannot be read: {error}");
                    Error::new(ErrorKind::Damaged, said)
                })?,
            });
        }
        Ok(holds)
    }

    /// Records facts that the writer makes from what is acknowledged or staged by then.
    pub(in crate::archive) fn record_facts(
        &self,
        facts: impl FnOnce(&View) -> Result<Vec<Draft>> + Send + 'static,
    ) -> Result<Receipt> {
        let actor = self.actor().cloned();
        self.wait(|reply| Request::Decided(Box::new(facts), actor, reply))
    }

    /// Returns the account that caused an event; `None` when the event cannot be read.
    fn who_recorded(&self, seq: EventSeq) -> Result<Option<String>> {
        let Some(leaf) = self.events(seq, Some(seq))?.next() else {
            return Ok(None);
        };
        let Ok(revealed) = self.reveal(&leaf?) else {
            return Ok(None);
        };
        let named = revealed.account.and_then(|account| account.name);
        Ok(Some(named.unwrap_or(revealed.event.actor.id)))
    }

    /// Refuses a filter that cannot select entries to come, or that would write a personal value
    /// into the log.
    fn refuse_unkeepable(&self, filter: &Filter) -> Result<()> {
        let invalid = |said: &str, hint: &str| {
            Err(Error::new(ErrorKind::Invalid, said.to_owned()).hint(hint.to_owned()))
        };
        if !filter.ids.is_empty() || filter.purged != Purged::Exclude {
            return invalid(
                "a hold on entries to come cannot name entries by id, or purged ones",
                "state a filter such as a serial, a converter or a label",
            );
        }
        if filter.hold.is_some() {
            return invalid(
                "a hold on entries to come cannot ask for entries under a hold",
                "state a filter such as a serial, a converter or a label",
            );
        }
        if filter.is_empty() {
            return invalid(
                "a hold on every entry to come needs a filter",
                "state at least one, such as a converter",
            );
        }
        let fields = self.store().index.view().personal_fields();
        let fields: Vec<PersonalField> = fields
            .iter()
            .filter_map(|(name, _)| name.parse().ok())
            .collect();
        if filter.masked(&fields) != *filter {
            return invalid(
                "the filter names a personal field, and a hold would keep its value in the log",
                "hold the entries by id, or by a field that is not personal",
            );
        }
        Ok(())
    }
}

/// Returns the entries that match, ascending.
fn matching(filter: &Filter, view: &View) -> Result<Vec<EntryId>> {
    let mut query = Query::default().filter(filter.clone());
    let mut ids = Vec::new();
    loop {
        let page = view.query(&query)?;
        ids.extend(page.entries.iter().map(|entry| entry.id));
        match page.next {
            Some(next) => query.after = Some(next),
            None => return Ok(ids),
        }
    }
}

#[cfg(test)]
mod tests;
