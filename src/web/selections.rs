//! Frozen selections: the entries that a visitor chose, as they were at one moment.
//!
//! A page shows what was there when it was drawn. What a batch works on is therefore kept here,
//! under a name that the page passes on: neither a filter that a browser lost nor an entry that
//! came in meanwhile changes it. Selections are kept in memory for a while; the oldest go first.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use utoipa::ToSchema;

use crate::id::{EntryId, EventSeq};
use crate::time::Timestamp;
use crate::web::fresh::fresh_name;
use crate::{Error, ErrorKind, Result};

/// How long a selection is kept after it was last used.
const KEPT_FOR: Duration = Duration::from_secs(2 * 60 * 60);
/// The most selections that are kept.
const SELECTIONS_MAX: usize = 200;
/// The most ids that all of them have together: 64 MiB.
const IDS_MAX: usize = 8 << 20;

/// Entries of a selection that a program cannot be run on again, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(in crate::web) struct LeftOut {
    /// Why: `purged`, `no source`, or `facts only`.
    pub(in crate::web) why: &'static str,
    /// How many.
    pub(in crate::web) count: u64,
}

/// The entries that a visitor chose, as they were at one event.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::web) struct Selection {
    /// The name under which it is kept.
    pub(in crate::web) id: String,
    /// The newest event that it knows of.
    pub(in crate::web) at_seq: EventSeq,
    /// When it was made.
    pub(in crate::web) at: Timestamp,
    /// The entries, in ascending order.
    pub(in crate::web) ids: Vec<EntryId>,
    /// Those that no converter can be run on again; `None` when so many were chosen that each
    /// would have to be read.
    pub(in crate::web) left_out: Option<Vec<LeftOut>>,
    /// The filters that chose it, as the query of an address; empty when entries were named.
    pub(in crate::web) query: String,
}

/// The selections of all visitors.
#[derive(Debug, Default)]
pub(in crate::web) struct Selections {
    kept: Mutex<BTreeMap<String, Kept>>,
}

#[derive(Debug)]
struct Kept {
    selection: Arc<Selection>,
    used: Instant,
}

impl Selections {
    /// Keeps a selection under a new name.
    ///
    /// # Errors
    /// `Refused` for more entries than memory is meant for.
    pub(in crate::web) fn keep(&self, selection: Selection) -> Result<Arc<Selection>> {
        self.keep_at(selection, Instant::now())
    }

    fn keep_at(&self, mut selection: Selection, now: Instant) -> Result<Arc<Selection>> {
        let new = selection.ids.len();
        if new > IDS_MAX {
            let told = format!("{new} entries are too many for one selection");
            return Err(Error::new(ErrorKind::Refused, told)
                .hint("narrow the filters, for example by dates, and go on part by part"));
        }
        selection.id = fresh_name()?;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, kept| now.saturating_duration_since(kept.used) < KEPT_FOR);
        let mut ids: usize = kept.values().map(|kept| kept.selection.ids.len()).sum();
        while kept.len() >= SELECTIONS_MAX || ids + new > IDS_MAX {
            let oldest = kept.iter().min_by_key(|(_, kept)| kept.used);
            let Some(name) = oldest.map(|(name, _)| name.clone()) else {
                break;
            };
            let gone = kept.remove(&name);
            ids -= gone.map_or(0, |gone| gone.selection.ids.len());
        }
        let selection = Arc::new(selection);
        let made = Kept {
            selection: Arc::clone(&selection),
            used: now,
        };
        kept.insert(selection.id.clone(), made);
        Ok(selection)
    }

    /// Returns the selection of this name.
    ///
    /// # Errors
    /// `NotFound` when there is none, or no longer.
    pub(in crate::web) fn get(&self, name: &str) -> Result<Arc<Selection>> {
        self.get_at(name, Instant::now())
    }

    fn get_at(&self, name: &str, now: Instant) -> Result<Arc<Selection>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.get_mut(name);
        let found = found.filter(|kept| now.saturating_duration_since(kept.used) < KEPT_FOR);
        let Some(found) = found else {
            return Err(
                Error::new(ErrorKind::NotFound, "this selection is no longer kept").hint(
                    "choose the entries again; a selection is kept for two hours after its last \
                     use, and not when the program ends",
                ),
            );
        };
        found.used = now;
        Ok(Arc::clone(&found.selection))
    }

    /// Forgets a selection that nobody will use.
    pub(in crate::web) fn forget(&self, name: &str) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(ids: usize) -> Selection {
        Selection {
            id: String::new(),
            at_seq: EventSeq(7),
            at: Timestamp::from_micros(0),
            ids: (1..=ids as u64).map(EntryId).collect(),
            left_out: None,
            query: String::new(),
        }
    }

    #[test]
    fn a_selection_stays_as_it_was_until_nobody_used_it_for_long() {
        let (selections, start) = (Selections::default(), Instant::now());
        let made = selections.keep_at(of(3), start).expect("kept");
        let later = start + KEPT_FOR / 2;
        assert_eq!(selections.get_at(&made.id, later).expect("kept"), made);
        let still = later + KEPT_FOR / 2;
        assert_eq!(selections.get_at(&made.id, still).expect("used"), made);
        let error = selections.get_at(&made.id, still + KEPT_FOR);
        assert_eq!(error.expect_err("too late").kind(), ErrorKind::NotFound);
        assert!(selections.get_at("another", start).is_err());
    }

    /// Whoever clicks all day must not fill the memory of a host.
    #[test]
    fn the_selection_that_was_not_used_for_longest_goes_first() {
        let (selections, start) = (Selections::default(), Instant::now());
        let at = |second: usize| start + Duration::from_secs(second as u64);
        let made: Vec<_> = (0..SELECTIONS_MAX)
            .map(|nth| selections.keep_at(of(1), at(nth)).expect("kept"))
            .collect();
        let now = at(SELECTIONS_MAX);
        selections.get_at(&made[0].id, now).expect("used again");
        selections.keep_at(of(1), now).expect("kept");
        assert!(selections.get_at(&made[0].id, now).is_ok());
        assert!(selections.get_at(&made[1].id, now).is_err());
        assert!(selections.get_at(&made[2].id, now).is_ok());
    }

    #[test]
    fn many_ids_push_out_others_and_too_many_are_refused() {
        let selections = Selections::default();
        let small = selections.keep(of(1)).expect("kept");
        let large = selections.keep(of(IDS_MAX)).expect("just fits");
        assert!(selections.get(&small.id).is_err());
        assert!(selections.get(&large.id).is_ok());
        let refused = selections.keep(of(IDS_MAX + 1)).expect_err("too many");
        assert_eq!(refused.kind(), ErrorKind::Refused);
        selections.forget(&large.id);
        assert!(selections.get(&large.id).is_err());
    }
}
