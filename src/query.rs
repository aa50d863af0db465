//! Queries as plain values: filters, orders and pages.

use std::str::FromStr;

use serde::{Deserialize, Serialize, Serializer};

use crate::complete::Complete;
use crate::entry::{CauseId, ParseWordError, Status};
use crate::id::{ConverterId, EntryId, JobId};
use crate::setters::setters;
use crate::time::Timestamp;

/// Selects entries. Every stated field must match. An empty filter selects all entries that are not
/// purged.
///
/// Texts are compared without regard to letter case, to composed or decomposed letters, and to the
/// width of East Asian letters. Metadata values must be exactly equal.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Filter {
    /// Only these entries, if any are named.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<EntryId>,
    /// Archived for any of these converters.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub converter: Vec<String>,
    /// The version the converter claimed at archiving.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub converter_version: Option<String>,
    /// With any of these statuses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub status: Vec<Status>,
    /// Archived at or after this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Archived before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
    /// The source file was last changed at or after this time, as its file system said. Files
    /// without such a time do not match.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_time_from: Option<Timestamp>,
    /// The source file was last changed before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_time_to: Option<Timestamp>,
    /// Serial number. With `*` in it, it is a glob.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// Part number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    /// Test station.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub station: Option<String>,
    /// Test process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<String>,
    /// A glob over the file name: `*` matches any text, `?` any one character, `[a-z]` one of a
    /// set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// A glob over the path that the source had: `*` and `?` match within one name, `**` across
    /// folders. One that does not begin at the root fits the end of a path, and one that fits a
    /// folder selects all below it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Metadata that must be present with exactly this value.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub meta: Vec<(String, String)>,
    /// With each of these labels.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub label: Vec<String>,
    /// Lies under this hold, or under any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold: Option<Held>,
    /// Has an attempt of this reprocess job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<JobId>,
    /// Has a report with this id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report_id: Option<String>,
    /// Text contained in the file name, serial, part, an attempt's error, a metadata value, or a
    /// note. A serial or part that a note corrected is searched, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The trouble with its last attempt has this cause.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<CauseId>,
    /// Its last success was made by one of these converters. An empty list selects nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub made_by: Option<Vec<Maker>>,
    /// What to do with entries whose last attempt is suspicious.
    #[serde(skip_serializing_if = "Suspicious::is_default")]
    pub suspicious: Suspicious,
    /// What to do with purged entries.
    #[serde(skip_serializing_if = "Purged::is_default")]
    pub purged: Purged,
}

/// All fields of a filter.
const FILTER_FIELDS: &[&str] = &[
    "ids",
    "converter",
    "converter_version",
    "status",
    "from",
    "to",
    "file_time_from",
    "file_time_to",
    "serial",
    "part",
    "station",
    "process",
    "file",
    "path",
    "meta",
    "label",
    "hold",
    "job",
    "report_id",
    "text",
    "failure",
    "made_by",
    "suspicious",
    "purged",
];

/// Writes a filter as an object with all of its fields; those that it does not state are null. So
/// is a filter that is not there.
#[allow(clippy::ref_option, reason = "serde passes a reference")]
pub(crate) fn whole_filter_if_any<S: Serializer>(
    filter: &Option<Filter>,
    to: S,
) -> Result<S::Ok, S::Error> {
    let whole = filter
        .as_ref()
        .map(|filter| Complete::new(filter, FILTER_FIELDS));
    whole.serialize(to)
}

/// Writes a filter that the log has as JSON in a text as an object with all of its fields. A text
/// that is no filter is written as it is.
#[cfg(feature = "host")]
pub(crate) fn recorded_filter<S: Serializer>(text: &str, to: S) -> Result<S::Ok, S::Error> {
    match serde_json::from_str::<Filter>(text) {
        Ok(filter) => Complete::new(&filter, FILTER_FIELDS).serialize(to),
        Err(_) => crate::complete::json_in(text).serialize(to),
    }
}

impl Filter {
    /// Returns true when the filter selects every entry that is not purged.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

setters! { Filter {
    /// Sets the only entries to look at.
    ids: [Vec<EntryId>];
    /// Adds a converter.
    converter: push [String];
    /// Sets the version that the converter claimed.
    converter_version: some [String];
    /// Adds a state.
    status: push [Status];
    /// Sets the time from which on entries were archived.
    from: opt [Timestamp];
    /// Sets the time before which entries were archived.
    to: opt [Timestamp];
    /// Sets the time from which on the source file was last changed.
    file_time_from: opt [Timestamp];
    /// Sets the time before which the source file was last changed.
    file_time_to: opt [Timestamp];
    /// Sets the serial number.
    serial: some [String];
    /// Sets the part number.
    part: some [String];
    /// Sets the test station.
    station: some [String];
    /// Sets the test process.
    process: some [String];
    /// Sets a glob over the file name.
    file: some [String];
    /// Sets a glob over the path of the source.
    path: some [String];
    /// Sets the metadata that must be present.
    meta: [Vec<(String, String)>];
    /// Adds a label.
    label: push [String];
    /// Sets the hold.
    hold: opt [Held];
    /// Sets the reprocess job.
    job: opt [JobId];
    /// Sets the id of a report.
    report_id: some [String];
    /// Sets the text to search for.
    text: some [String];
    /// Sets the cause of the trouble.
    failure: opt [CauseId];
    /// Sets the converters that made the last success.
    made_by: opt [Vec<Maker>];
    /// Sets what to do with suspicious entries.
    suspicious: [Suspicious];
    /// Sets what to do with purged entries.
    purged: [Purged];
} }

/// The holds that a filter asks for. Its text form is the name of a hold, or `*` for any.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
#[non_exhaustive]
pub enum Held {
    /// At least one, whichever it is.
    Any,
    /// The hold of this name.
    By(String),
}

impl From<String> for Held {
    fn from(text: String) -> Self {
        match text.as_str() {
            "*" => Self::Any,
            _ => Self::By(text),
        }
    }
}

impl From<Held> for String {
    fn from(held: Held) -> Self {
        match held {
            Held::Any => "*".to_owned(),
            Held::By(name) => name,
        }
    }
}

/// A converter as it made something: the name it ran under, and its identity.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Maker {
    /// The name of the converter.
    pub converter: String,
    /// Its identity.
    pub id: ConverterId,
}

/// What a query does with entries whose last attempt is suspicious.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Suspicious {
    /// Lists them among the others.
    #[default]
    Include,
    /// Lists nothing else.
    Only,
    /// Leaves them out.
    Exclude,
}

impl Suspicious {
    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde passes a reference"
    )]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What a query does with purged entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Purged {
    /// Leaves them out.
    #[default]
    Exclude,
    /// Lists them among the others.
    Include,
    /// Lists nothing else.
    Only,
}

impl Purged {
    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde passes a reference"
    )]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// The column a listing is ordered by; equal values are ordered by id in the same direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SortField {
    /// The order of archiving.
    #[default]
    Id,
    /// The wall-clock time of archiving; differs from `Id` where the clock was set back.
    ArchivedAt,
    /// Converter name.
    Converter,
    /// File name.
    SourceName,
    /// Status name.
    Status,
    /// Bytes of the source.
    Size,
    /// Serial number.
    Serial,
    /// Part number.
    Part,
    /// Test station.
    Station,
    /// Test process.
    Process,
}

impl SortField {
    /// Every column a listing can be ordered by.
    pub const ALL: [Self; 10] = [
        Self::Id,
        Self::ArchivedAt,
        Self::Converter,
        Self::SourceName,
        Self::Status,
        Self::Size,
        Self::Serial,
        Self::Part,
        Self::Station,
        Self::Process,
    ];

    /// Returns the stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::ArchivedAt => "archived_at",
            Self::Converter => "converter",
            Self::SourceName => "source_name",
            Self::Status => "status",
            Self::Size => "size",
            Self::Serial => "serial",
            Self::Part => "part",
            Self::Station => "station",
            Self::Process => "process",
        }
    }
}

impl FromStr for SortField {
    type Err = ParseWordError;

    fn from_str(text: &str) -> Result<Self, ParseWordError> {
        Self::ALL
            .into_iter()
            .find(|field| field.name() == text)
            .ok_or_else(|| ParseWordError::new(text, Self::ALL.map(Self::name)))
    }
}

/// The direction of a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Smallest or oldest first. Absent values come last.
    #[default]
    Asc,
    /// Largest or newest first. Absent values come first.
    Desc,
}

/// The order of a listing. Its text form is `size:desc`; the direction may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Sort {
    /// By which column.
    pub field: SortField,
    /// Which way.
    pub direction: Direction,
}

impl FromStr for Sort {
    type Err = ParseWordError;

    fn from_str(text: &str) -> Result<Self, ParseWordError> {
        let (field, direction) = match text.split_once(':') {
            None => (text, Direction::Asc),
            Some((field, "asc")) => (field, Direction::Asc),
            Some((field, "desc")) => (field, Direction::Desc),
            Some((_, other)) => return Err(ParseWordError::new(other, ["asc", "desc"])),
        };
        Ok(Self {
            field: field.parse()?,
            direction,
        })
    }
}

/// A filter, an order, and the part of the result to return.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Query {
    /// Which entries to list.
    pub filter: Filter,
    /// In which order to list them.
    pub sort: Sort,
    /// The most entries to return; [`Query::LIMIT`] by default. `None` returns all at once, in
    /// memory: [`Snapshot::entries`](crate::archive::Snapshot::entries) iterates over any number.
    pub limit: Option<usize>,
    /// How many entries to leave out first.
    pub offset: usize,
    /// Continue after the entry that this cursor stands for.
    pub after: Option<Cursor>,
}

setters! { Query {
    /// Sets which entries.
    filter: [Filter];
    /// Sets the order.
    sort: [Sort];
    /// Sets the most entries to return; `None` returns all at once, in memory.
    limit: into [Option<usize>];
    /// Sets how many entries to leave out first.
    offset: [usize];
    /// Sets the entry to continue after.
    after: opt [Cursor];
} }

impl Query {
    /// The most entries of a page, unless a limit is set.
    pub const LIMIT: usize = 1_000;
}

impl Default for Query {
    fn default() -> Self {
        Self {
            filter: Filter::default(),
            sort: Sort::default(),
            limit: Some(Self::LIMIT),
            offset: 0,
            after: None,
        }
    }
}

/// How many entries there are, counted up to a limit. Printed as `1,234` or `at least 10,000`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Count {
    /// The number counted.
    pub n: u64,
    /// True when there are more.
    pub more: bool,
}

impl Count {
    /// Returns the count of entries that are all counted.
    pub const fn exactly(n: u64) -> Self {
        Self { n, more: false }
    }
}

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.more {
            f.write_str("at least ")?;
        }
        let digits = self.n.to_string();
        for (nth, digit) in digits.chars().enumerate() {
            if nth > 0 && (digits.len() - nth).is_multiple_of(3) {
                f.write_str(",")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

/// The position of one entry in an order: where the next page begins. Its text form is opaque.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// The order it belongs to.
    pub sort: Sort,
    /// The encoded value of the entry in the sort column.
    pub value: Vec<u8>,
    /// The entry.
    pub id: EntryId,
}

/// The text is not a cursor that this program printed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a cursor; pass one that a listing printed")]
pub struct ParseCursorError(String);

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let direction = match self.sort.direction {
            Direction::Asc => "asc",
            Direction::Desc => "desc",
        };
        write!(f, "{}.{direction}.{}.", self.sort.field.name(), self.id)?;
        self.value
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Cursor {
    type Err = ParseCursorError;

    fn from_str(text: &str) -> Result<Self, ParseCursorError> {
        let parse = || {
            let mut parts = text.split('.');
            let field = parts.next()?;
            let direction = parts.next()?;
            let id = parts.next()?.parse().ok()?;
            let digits = parts.next()?.as_bytes();
            if parts.next().is_some() || digits.len() % 2 != 0 {
                return None;
            }
            let value = digits
                .chunks_exact(2)
                .map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok())
                .collect::<Option<_>>()?;
            let sort = format!("{field}:{direction}").parse().ok()?;
            Some(Self { sort, value, id })
        };
        parse().ok_or_else(|| ParseCursorError(text.to_owned()))
    }
}

impl Serialize for Cursor {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A field that is added to the filter and not to the list would be missing in answers where it
    /// is not stated.
    #[test]
    fn every_field_of_a_filter_is_in_its_object() {
        let unknown = serde_json::from_str::<Filter>(r#"{"no such field":1}"#);
        let told = unknown.expect_err("refused").to_string();
        let (_, names) = told.split_once("expected one of ").expect("the fields");
        let (names, _) = names.rsplit_once(" at ").expect("a place");
        let names: Vec<&str> = names
            .split(", ")
            .map(|name| name.trim_matches('`'))
            .collect();
        assert_eq!(names, FILTER_FIELDS);
    }

    #[cfg(feature = "host")]
    #[test]
    fn a_recorded_selection_is_an_object_with_every_field() {
        let line = |text: &str| {
            let mut out = serde_json::Serializer::new(Vec::new());
            recorded_filter(text, &mut out).expect("written");
            String::from_utf8(out.into_inner()).expect("UTF-8")
        };
        let whole = line(r#"{"converter":["ICT"]}"#);
        assert!(
            whole.starts_with(r#"{"ids":null,"converter":["ICT"],"#),
            "{whole}"
        );
        assert!(
            whole.ends_with(r#""suspicious":null,"purged":null}"#),
            "{whole}"
        );
        assert_eq!(line("all of them"), r#""all of them""#);
    }

    #[test]
    fn a_cursor_survives_being_printed_and_read() {
        let cursor = Cursor {
            sort: "size:desc".parse().expect("valid"),
            value: vec![0, 1, 0xfe],
            id: EntryId(42),
        };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        for wrong in [
            "",
            "x",
            "size.desc.42.0",
            "size.up.42.00",
            "size.desc.42.00.1",
            "size.desc.42.Ä",
        ] {
            assert!(wrong.parse::<Cursor>().is_err(), "{wrong}");
        }
    }
}
