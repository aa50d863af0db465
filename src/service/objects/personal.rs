//! What became of the personal values of an entry.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::Result;
use crate::archive::{Archive, PersonalValue, ValueState};
use crate::event::Body;
use crate::id::{EntryId, EventSeq};

/// A personal value, with the reason why it is gone.
#[derive(Debug, Serialize)]
pub struct Personal {
    /// What became of it.
    #[serde(flatten)]
    value: PersonalValue,
    /// Why it was erased.
    reason: Option<String>,
}

/// Returns what became of the personal values of an entry.
pub fn personal_values(archive: &Archive, id: EntryId) -> Result<Vec<Personal>> {
    let mut reasons: BTreeMap<EventSeq, Option<String>> = BTreeMap::new();
    let mut told = Vec::new();
    for value in archive.personal_values(id)? {
        let reason = match value.state {
            ValueState::Erased(by) => match reasons.get(&by) {
                Some(reason) => reason.clone(),
                None => {
                    let reason = reason_of(archive, by)?;
                    reasons.insert(by, reason.clone());
                    reason
                }
            },
            _ => None,
        };
        told.push(Personal { value, reason });
    }
    Ok(told)
}

/// Returns why an event erased something.
fn reason_of(archive: &Archive, by: EventSeq) -> Result<Option<String>> {
    let Some(leaf) = archive.events(by, Some(by))?.next() else {
        return Ok(None);
    };
    Ok(match archive.reveal(&leaf?) {
        Ok(revealed) => match revealed.event.body {
            Body::Erased(fact) => Some(fact.reason),
            _ => None,
        },
        Err(_) => None,
    })
}

/// Returns a row for each personal value that is gone, the newest of each field.
pub fn personal_gone(personal: &[Personal]) -> BTreeMap<&'static str, String> {
    let mut newest = BTreeMap::new();
    for told in personal {
        newest.insert(&told.value.field, told);
    }
    let texts = newest.into_iter().filter_map(|(field, told)| {
        let state = match (told.value.state, &told.reason) {
            (ValueState::Erased(by), Some(reason)) => format!("[erased: event {by}, {reason}]"),
            (ValueState::Erased(by), None) => format!("[erased: event {by}]"),
            (ValueState::Purged(by), _) => format!("[purged: event {by}]"),
            (ValueState::Lost, _) => "[lost: `annals verify` says more]".to_owned(),
            _ => return None,
        };
        Some(format!("{field} {state}"))
    });
    let texts: Vec<String> = texts.collect();
    let row = (!texts.is_empty()).then(|| ("personal", texts.join(", ")));
    row.into_iter().collect()
}
