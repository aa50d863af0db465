//! Measures a result and flags it where it is suspicious.

use super::judge::Case;
use super::measure::measure;
use super::siblings::SiblingSearch;
use crate::Result;
use crate::archive::Archive;
use crate::convert::converter::{Expect, OnSuspicious};
use crate::convert::process::STDOUT_BYTES_MAX;
use crate::convert::protocol::Conversion;
use crate::entry::{Attempt, Entry, Extent, Outcome, Unit};

/// Measures the result of a conversion of `entry` and notes in it why it is suspicious, if it is.
///
/// It is compared with the newest success of the entry and with other entries. With
/// [`OnSuspicious::Fail`], a suspicious success becomes a failure. Other outcomes stay as they are.
///
/// # Errors
/// When the archive cannot be read.
pub(crate) fn examine(
    archive: &Archive,
    entry: &Entry,
    converter: &str,
    expect: &Expect,
    conversion: &mut Conversion,
) -> Result<()> {
    if conversion.outcome != Outcome::Success {
        return Ok(());
    }
    let before = entry.attempts.iter().rev().find(|attempt| {
        let is_well = attempt.status == Outcome::Success && attempt.suspicious.is_empty();
        is_well && attempt.converter == converter
    });
    let before = before.map(|before| extent_of(archive, entry, before, expect));
    let part = conversion.unit.part.clone().or(entry.unit.part.clone());
    let siblings = SiblingSearch::beside(archive, converter, entry.id, part.as_deref());
    conclude(expect, before.as_ref(), &siblings, conversion)
}

/// Measures the result of a conversion of a source that is in no archive. It is compared with
/// stated numbers only.
///
/// # Errors
/// None.
pub(crate) fn examine_alone(expect: &Expect, conversion: &mut Conversion) -> Result<()> {
    if conversion.outcome != Outcome::Success {
        return Ok(());
    }
    conclude(expect, None, &SiblingSearch::nowhere(), conversion)
}

fn conclude(
    expect: &Expect,
    before: Option<&Extent>,
    siblings: &SiblingSearch<'_>,
    conversion: &mut Conversion,
) -> Result<()> {
    let now = measure(&conversion.reports, &conversion.unit, expect);
    let reasons = Case {
        now: &now,
        expect,
        before,
        siblings,
    }
    .reasons()?;
    conversion.extent = Some(now);
    if expect.on_suspicious == OnSuspicious::Fail && !reasons.is_empty() {
        conversion.outcome = Outcome::Failed;
        conversion.error = Some(format!("suspicious: {}", reasons.join("; ")));
    }
    conversion.suspicious = reasons;
    Ok(())
}

/// Returns how much the reports of an attempt hold. Older attempts did not record it, so their
/// reports are measured; a report that cannot be read counts as absent.
fn extent_of(archive: &Archive, entry: &Entry, attempt: &Attempt, expect: &Expect) -> Extent {
    if let Some(extent) = &attempt.extent {
        return extent.clone();
    }
    let reports: Vec<Vec<u8>> = attempt
        .reports
        .iter()
        .filter_map(|report| {
            archive
                .read_all(&report.blake3, STDOUT_BYTES_MAX as u64)
                .ok()
        })
        .collect();
    // What a person or host stated was not found out by the converter.
    let given = entry.unit_given;
    let unit = Unit {
        serial: entry
            .unit
            .serial
            .clone()
            .filter(|_| given == given.without(0)),
        part: entry
            .unit
            .part
            .clone()
            .filter(|_| given == given.without(1)),
        ..Unit::default()
    };
    measure(&reports, &unit, expect)
}
