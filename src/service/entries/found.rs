//! Says why the quick search found an entry.

use serde::Serialize;

use crate::entry::{Entry, FactName};
use crate::index::fold;

/// Fewest digits of a hash that are searched for.
const HASH_DIGITS_MIN: usize = 6;
/// Fewest letters of the end of a serial that are searched for.
pub const END_LETTERS_MIN: usize = 4;
/// Digits of a whole hash.
const HASH_DIGITS: usize = 64;

/// What of an entry a text was found in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FoundIn {
    /// The number of the entry.
    Id,
    /// The serial number of the unit.
    Serial,
    /// The part number of the unit.
    Part,
    /// The name of the source file.
    File,
    /// The id that a server gave a report.
    ReportId,
    /// A serial or part that a note corrected.
    Corrected,
    /// The hash of the source.
    Source,
    /// The hash of a report.
    Report,
}

impl FoundIn {
    /// Every fact, in the order in which they tell most.
    pub const ALL: [Self; 8] = [
        Self::Serial,
        Self::Part,
        Self::File,
        Self::ReportId,
        Self::Corrected,
        Self::Id,
        Self::Source,
        Self::Report,
    ];

    /// Returns the stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Serial => "serial",
            Self::Part => "part",
            Self::File => "file",
            Self::ReportId => "report_id",
            Self::Corrected => "corrected",
            Self::Source => "source",
            Self::Report => "report",
        }
    }
}

/// How much of a value the text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// All of it.
    Whole,
    /// Its beginning.
    Beginning,
    /// Its end.
    End,
}

impl How {
    /// Returns the stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Beginning => "beginning",
            Self::End => "end",
        }
    }
}

/// Why an entry was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// What the text was found in.
    pub fact: FoundIn,
    /// How much of the value it is.
    pub how: How,
    /// The value as it is recorded.
    pub value: String,
}

/// Returns the hash in a text as people paste it: with its kind in front, or as a line of
/// `sha256sum`. Other text is returned without the spaces around it.
pub fn searched(text: &str) -> &str {
    let is_hex = |text: &str| text.bytes().all(|digit| digit.is_ascii_hexdigit());
    let trimmed = text.trim();
    for kind in ["sha256:", "blake3:"] {
        let begins = trimmed.get(..kind.len());
        if let Some(rest) = trimmed.get(kind.len()..)
            && begins.is_some_and(|begins| begins.eq_ignore_ascii_case(kind))
            && !rest.is_empty()
            && is_hex(rest)
        {
            return rest;
        }
    }
    match trimmed.split_once(char::is_whitespace) {
        Some((hash, _)) if hash.len() == HASH_DIGITS && is_hex(hash) => hash,
        _ => trimmed,
    }
}

/// Returns why the quick search for a text finds an entry; `None` when it does not.
pub fn reason(entry: &Entry, text: &str) -> Option<Reason> {
    let wanted = fold(text).into_owned();
    if wanted.is_empty() {
        return None;
    }
    let values = values(entry);
    let mut best: Option<Reason> = None;
    for fact in FoundIn::ALL {
        for (_, value) in values.iter().filter(|(of, _)| *of == fact) {
            let Some(how) = how(fact, value, &wanted) else {
                continue;
            };
            if best.as_ref().is_none_or(|best| how < best.how) {
                let value = value.clone();
                best = Some(Reason { fact, how, value });
            }
        }
    }
    best
}

/// Returns all that the quick search looks at.
fn values(entry: &Entry) -> Vec<(FoundIn, String)> {
    let mut values = vec![
        (FoundIn::Id, entry.id.to_string()),
        (FoundIn::File, entry.source_name.clone()),
        (FoundIn::Source, entry.sha256.to_string()),
        (FoundIn::Source, entry.blake3.to_string()),
    ];
    let unit = &entry.unit;
    values.extend(unit.serial.clone().map(|text| (FoundIn::Serial, text)));
    values.extend(unit.part.clone().map(|text| (FoundIn::Part, text)));
    for change in entry.notes.iter().flat_map(|note| &note.changes) {
        if matches!(change.fact, FactName::Serial | FactName::Part) {
            values.extend(change.old.clone().map(|text| (FoundIn::Corrected, text)));
        }
    }
    for report in entry.attempts.iter().flat_map(|attempt| &attempt.reports) {
        let id = report.report_id.clone();
        values.extend(id.map(|text| (FoundIn::ReportId, text)));
        values.push((FoundIn::Report, report.sha256.to_string()));
        values.push((FoundIn::Report, report.blake3.to_string()));
    }
    values
}

fn how(fact: FoundIn, value: &str, wanted: &str) -> Option<How> {
    let value = fold(value);
    let is_beginning = match fact {
        FoundIn::Id => false,
        FoundIn::Source | FoundIn::Report => wanted.len() >= HASH_DIGITS_MIN,
        _ => true,
    };
    if *value == *wanted {
        Some(How::Whole)
    } else if is_beginning && value.starts_with(wanted) {
        Some(How::Beginning)
    } else if matches!(fact, FoundIn::Serial | FoundIn::Corrected)
        && wanted.chars().count() >= END_LETTERS_MIN
        && value.ends_with(wanted)
    {
        Some(How::End)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::entries::sample;

    /// People paste what other programs print.
    #[test]
    fn a_hash_is_recognised_in_what_people_paste() {
        let hash = "8f2c91".repeat(11)[..64].to_owned();
        for text in [
            hash.clone(),
            format!("sha256:{hash}"),
            format!("SHA256:{hash}"),
            format!("blake3:{hash}"),
            format!("{hash}  report.json"),
            format!("{hash} *report.json\n"),
            format!(" {hash}\t"),
        ] {
            assert_eq!(searched(&text), hash, "{text}");
        }
        for text in ["SN1042", "sha256:", "sha256:xyz", "8f2c91 x", "ä8f2c91", ""] {
            assert_eq!(searched(text), text);
        }
        assert_eq!(searched(" SN1042\n"), "SN1042", "a scanner adds a line end");
    }

    /// With two hits for one text, the one that names the unit tells more.
    #[test]
    fn the_reason_is_the_fact_that_tells_most() {
        let entry = sample();
        let of = |text: &str| reason(&entry, text).map(|found| (found.fact, found.how));
        let hash = entry.sha256.to_string();
        for (text, found) in [
            ("sn1042", Some((FoundIn::Serial, How::Whole))),
            ("SN10", Some((FoundIn::Serial, How::Beginning))),
            ("1042", Some((FoundIn::Serial, How::End))),
            ("042", None),
            ("SN1042.csv", Some((FoundIn::File, How::Whole))),
            ("pcb", Some((FoundIn::Part, How::Beginning))),
            ("R-9", Some((FoundIn::ReportId, How::Whole))),
            ("4711", Some((FoundIn::Id, How::Whole))),
            ("471", None),
            (&hash[..6], Some((FoundIn::Source, How::Beginning))),
            (&hash[..5], None),
            ("", None),
        ] {
            assert_eq!(of(text), found, "{text}");
        }
    }
}
