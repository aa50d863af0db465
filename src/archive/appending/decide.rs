//! Decides what only the single writer can decide of a fact: duplicates, keys, attempt numbers, and
//! whether what the fact is about is still there.

use std::collections::HashSet;

use super::promotion::{is_known, may_promote, may_revoke};
use super::views::{has_view, may_save};
use crate::archive::appending::locks::{Locks, keeps, may_lock, may_unlock};
use crate::archive::messages::{Draft, Receipt};
use crate::entry::{Entry, Report, Submission};
use crate::event::{Annotated, Archived, Body, EntryRanges};
use crate::id::{AttemptNo, BlobId, EntryId};
use crate::index::{View, is_same_name};
use crate::retention::GovernanceLocks;
use crate::time::Timestamp;
use crate::{Error, ErrorKind, Result};

/// The most entries that one erasure is checked for; no event lists more.
const ENTRIES_MAX: usize = 4_096;

/// Decides what only the single writer can decide. `Some` answers the request, and nothing is
/// recorded.
pub(in crate::archive) fn decide(
    draft: &mut Draft,
    view: &View,
    now: impl FnOnce() -> Timestamp,
    is_inline: impl Fn(&BlobId) -> bool,
) -> Result<Option<Receipt>> {
    // Content that is needed but lies nowhere was lost with a pack; it is taken in again.
    let live = |id: &BlobId| -> Result<bool> {
        let row = view.blob(id)?;
        Ok(row.is_some_and(|blob| blob.refs > 0 && (blob.place.is_some() || is_inline(id))))
    };
    for id in &draft.relies_on {
        if !live(id)? {
            return Ok(Some(Receipt::ContentNeeded));
        }
    }
    for id in &draft.placed {
        if view.blob(id)?.is_none_or(|blob| blob.place.is_none()) {
            return Ok(Some(Receipt::ContentNeeded));
        }
    }
    if is_known(&draft.body, view)? {
        return Ok(Some(Receipt::Durable {
            events: Vec::new(),
            archived: None,
            attempt: None,
        }));
    }
    match &mut draft.body {
        Body::Archived(fact) => {
            if let Some(entry) = known_by_key(fact, view)? {
                return Ok(Some(Receipt::Known(entry)));
            }
            fact.duplicate = !fact.facts_only && live(&fact.blob.blake3)?;
        }
        Body::Converted(fact) => {
            let entry = living(fact.entry, view)?;
            let before = entry.attempts.last().map_or(0, |attempt| attempt.attempt.0);
            let next = before.checked_add(1).ok_or_else(|| {
                let said = format!("entry {} has as many attempts as can be numbered", entry.id);
                Error::new(ErrorKind::Refused, said)
            })?;
            fact.attempt = AttemptNo(next);
        }
        Body::Reported(fact) => {
            let entry = known(fact.entry, view)?;
            // The server may have taken the report before the entry was purged.
            if fact.key.is_none() {
                living(fact.entry, view)?;
            }
            report_of(&entry, fact.attempt, fact.report)?;
        }
        Body::SubmitIntended(fact) => {
            let entry = living(fact.entry, view)?;
            report_of(&entry, fact.attempt, fact.report)?;
            if let Some(gone) = entry.reports_purge(fact.attempt) {
                let told = format!(
                    "the reports of attempt {} of entry {} were purged at {} by rule '{}'",
                    fact.attempt, entry.id, gone.at, gone.by
                );
                return Err(Error::new(ErrorKind::NotFound, told));
            }
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
        Body::SourceCleared(fact) => drop(known(fact.entry, view)?),
        Body::Annotated(fact) => has_labels(fact, view)?,
        Body::ConverterPromoted(fact) => may_promote(fact, view)?,
        Body::WaiverRevoked(fact) => may_revoke(fact, view)?,
        Body::Erased(fact) => refuse_held(&fact.entries, view, now())?,
        Body::RetentionLocked(fact) => may_lock(fact, view)?,
        Body::RetentionUnlocked(fact) => may_unlock(fact, view)?,
        Body::ViewSaved(fact) => may_save(fact, view)?,
        Body::ViewDropped(fact) => has_view(fact, view)?,
        Body::HoldReleased(fact) => has_hold(&fact.name, view)?,
        Body::HoldReviewed(fact) => has_hold(&fact.name, view)?,
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

/// Returns the entry that was archived under the same key. Content is worth storing where only
/// facts are known of that entry.
fn known_by_key(fact: &Archived, view: &View) -> Result<Option<EntryId>> {
    let Some(key) = &fact.key else {
        return Ok(None);
    };
    let Some(id) = view.key(key)? else {
        return Ok(None);
    };
    let has_content = || -> Result<bool> {
        let entry = view.entry(id)?;
        Ok(entry.is_none_or(|entry| !entry.facts_only))
    };
    Ok((fact.facts_only || has_content()?).then_some(id))
}

/// Returns an entry, purged or not.
fn known(id: EntryId, view: &View) -> Result<Entry> {
    view.entry(id)?.ok_or_else(|| no_entry(id))
}

/// Refuses what concerns a hold that is not there.
fn has_hold(name: &str, view: &View) -> Result<()> {
    match view.hold(name) {
        Some(_) => Ok(()),
        None => Err(Error::new(
            ErrorKind::NotFound,
            format!("there is no hold named '{name}'"),
        )),
    }
}

/// Refuses a note about an entry that does not exist or lacks a label that is to go. A purged entry
/// may get notes.
fn has_labels(fact: &Annotated, view: &View) -> Result<()> {
    let entry = known(fact.entry, view)?;
    let lacks = |gone: &&String| !entry.labels.iter().any(|has| is_same_name(has, gone));
    let Some(label) = fact.unlabels.iter().find(lacks) else {
        return Ok(());
    };
    let told = format!("entry {} has no label '{label}'", entry.id);
    let error = Error::new(ErrorKind::NotFound, told);
    Err(match entry.labels.as_slice() {
        [] => error.hint("it has no labels"),
        labels => error.hint(format!("its labels are: {}", labels.join(", "))),
    })
}

/// Refuses to erase values of entries that are on hold, or that a lock keeps.
fn refuse_held(entries: &EntryRanges, view: &View, now: Timestamp) -> Result<()> {
    let locks = Locks::at(view, Some(now));
    for id in entries.iter().take(ENTRIES_MAX) {
        let entry = view.entry(id)?;
        if let Some(hold) = entry.as_ref().and_then(|entry| entry.holds.first()) {
            let told = format!("entry {id} is on hold '{hold}', and is kept as it is");
            return Err(Error::new(ErrorKind::Refused, told)
                .hint("release the hold first, or leave that entry out"));
        }
        let lock = entry.as_ref().and_then(|entry| {
            let lock = locks.keeping(entry, GovernanceLocks::Obey)?;
            Some(keeps(entry, &lock))
        });
        if let Some(told) = lock {
            return Err(Error::new(ErrorKind::Refused, told)
                .hint("a governance lock can be removed first, with a reason"));
        }
    }
    Ok(())
}

/// Returns a report that an attempt of the entry made.
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

/// Returns the entry, unless there is none or it was purged.
pub(in crate::archive) fn living(id: EntryId, view: &View) -> Result<Entry> {
    let entry = known(id, view)?;
    let Some(at) = entry.purged_at else {
        return Ok(entry);
    };
    let rule = entry.purged_by.as_deref().unwrap_or("unknown");
    let told = format!("entry {id} was purged at {at} by rule '{rule}'");
    let error = Error::new(ErrorKind::NotFound, told);
    Err(match entry.final_at {
        None => error,
        Some(until) => error.hint(format!(
            "until {until} that can be undone: see 'annals retention pending'"
        )),
    })
}

pub(in crate::archive) fn no_entry(id: EntryId) -> Error {
    Error::new(ErrorKind::NotFound, format!("there is no entry {id}"))
        .hint("'annals list' shows what there is, 'annals find TEXT' searches")
}
