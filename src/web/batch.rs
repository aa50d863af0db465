//! What is done with all entries of a frozen selection at once.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::archive::{Annotation, HoldOn, NewHold};
use crate::id::EntryId;
use crate::query::{Filter, Sort};
use crate::service::desk::Desk;
use crate::service::entries::nothing_selected;
use crate::web::selections::Selection;
use crate::{Error, ErrorKind, Result};

/// The most entries that one request adds notes to.
const NOTES_MAX: usize = 20_000;
/// Threads that record notes, so that they share flushes.
const THREADS: usize = 16;
/// Failures that are told one by one.
const FAILURES_MAX: usize = 20;

/// What became of a note on many entries.
#[derive(Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "the names of the JSON object")]
pub(in crate::web) struct Noted {
    /// How many entries got the note.
    pub(in crate::web) noted: u64,
    /// How many did not.
    pub(in crate::web) failed: u64,
    /// The first of these, and why.
    pub(in crate::web) errors: Vec<NotNoted>,
}

/// An entry that did not get a note.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(in crate::web) struct NotNoted {
    /// The entry.
    #[schema(value_type = u64)]
    pub(in crate::web) id: EntryId,
    /// Why.
    pub(in crate::web) error: String,
}

/// Adds a note to each entry of a selection. What one entry refuses does not keep it from others.
///
/// # Errors
/// `Invalid` for a note that says nothing, and `Refused` for too many entries: then nothing is
/// recorded.
pub(in crate::web) fn note_all(
    desk: &Desk,
    selection: &Selection,
    annotation: &Annotation,
) -> Result<Noted> {
    annotation.check()?;
    let ids = &selection.ids;
    if ids.len() > NOTES_MAX {
        let told = format!(
            "a note on {} entries at once is more than {NOTES_MAX}",
            ids.len()
        );
        return Err(Error::new(ErrorKind::Refused, told)
            .hint("narrow the filters, for example by dates, and go on part by part"));
    }
    let next = AtomicUsize::new(0);
    let noted = Mutex::new(Noted::default());
    std::thread::scope(|scope| {
        for _ in 0..THREADS.min(ids.len()) {
            scope.spawn(|| {
                while let Some(id) = ids.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let done = desk.archive.annotate(*id, annotation.clone());
                    let mut noted = noted
                        .lock()
                        .unwrap_or_else(std::sync::PoisonError::into_inner);
                    noted.add(*id, done.map(drop));
                }
            });
        }
    });
    let mut noted = noted
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    noted.errors.sort_by_key(|failure| failure.id);
    Ok(noted)
}

impl Noted {
    fn add(&mut self, id: EntryId, done: Result<()>) {
        let Err(error) = done else {
            self.noted += 1;
            return;
        };
        self.failed += 1;
        if self.errors.len() < FAILURES_MAX {
            self.errors.push(NotNoted {
                id,
                error: error.message().to_owned(),
            });
        }
    }
}

/// A hold that is to be placed on a selection.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct NewHoldOnSelection {
    /// What the hold is called.
    pub(in crate::web) name: String,
    /// Why; recorded for good.
    pub(in crate::web) reason: String,
    /// When somebody is to look whether it is still needed, such as 2027-05-01.
    #[serde(default)]
    pub(in crate::web) review: Option<String>,
}

/// A hold that was placed on a selection.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "the names of the JSON object")]
pub(in crate::web) struct Held {
    /// What the hold is called.
    pub(in crate::web) name: String,
    /// On how many entries it lies.
    pub(in crate::web) held: u64,
    /// How many entries are purged, so that there is nothing to hold.
    pub(in crate::web) left_out: u64,
}

/// Places a hold on the entries of a selection that are not purged.
///
/// # Errors
/// `NotFound` when all of them are purged; `Refused` when there is a hold of that name.
pub(in crate::web) fn hold_all(
    desk: &Desk,
    selection: &Selection,
    new: NewHoldOnSelection,
) -> Result<Held> {
    let review = new.review.as_deref().map(str::trim);
    let review = review.filter(|date| !date.is_empty());
    let review = review.map(|date| desk.when(date)).transpose()?;
    let living = Filter::default().ids(selection.ids.clone());
    let living = desk.archive.snapshot()?.ids(&living, Sort::default())?;
    if living.is_empty() {
        return Err(nothing_selected());
    }
    let left_out = (selection.ids.len() - living.len()) as u64;
    let mut hold = NewHold::new(new.name.clone(), new.reason, HoldOn::Entries(living));
    hold.review = review;
    Ok(Held {
        held: desk.archive.hold(hold)?,
        name: new.name,
        left_out,
    })
}
