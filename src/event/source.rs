//! Where a source came from, that it was archived, and what became of its file.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::entry::{Meta, Retention, Unit};
use crate::id::{BlobId, EntryId, Sha256};
use crate::setters::setters;
use crate::time::Timestamp;

/// Where a source came from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Source {
    /// File name; bytes that are not UTF-8 stand as U+FFFD.
    pub name: String,
    /// Full path; bytes that are not UTF-8 stand as U+FFFD.
    pub path: String,
    /// The bytes of the name in hexadecimal, where they are not UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_hex: Option<String>,
    /// Modification time. A time outside the years 0000 to 9999 is replaced by the nearest one
    /// inside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<Timestamp>,
    /// Modification time in whole seconds since 1970, where `modified` cannot express it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified_s: Option<i64>,
}

setters! { Source {
    /// Sets the file name.
    name: into [String];
    /// Sets the full path.
    path: into [String];
    /// Sets the bytes of a name that is not UTF-8, in hexadecimal.
    name_hex: some [String];
    /// Sets the modification time.
    modified: opt [Timestamp];
    /// Sets the modification time in seconds since 1970, where `modified` cannot tell it.
    modified_s: opt [i64];
} }

impl Source {
    /// Records when a file was modified, whatever time its file system reports.
    pub fn set_modified(&mut self, time: SystemTime) {
        let told = Timestamp::from(time);
        self.modified = Some(told);
        let is_outside = told <= Timestamp::MIN || told >= Timestamp::MAX;
        self.modified_s = is_outside.then(|| whole_seconds(time));
    }
}

/// Returns the seconds since 1970, rounded down.
fn whole_seconds(time: SystemTime) -> i64 {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
        Err(before) => {
            let before = before.duration();
            0_i64
                .saturating_sub_unsigned(before.as_secs())
                .saturating_sub(i64::from(before.subsec_nanos() > 0))
        }
    }
}

/// A blob an event names, with both digests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobRef {
    /// The blob's id.
    pub blake3: BlobId,
    /// The digest auditors can check.
    pub sha256: Sha256,
    /// Bytes of its plaintext.
    pub size: u64,
}

/// See [`Body::Archived`](crate::event::Body::Archived).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Archived {
    /// The converter the source is meant for.
    pub converter: String,
    /// The version that converter claims.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub converter_version: Option<String>,
    /// Where it came from.
    pub source: Source,
    /// Its content.
    pub blob: BlobRef,
    /// Bytes the content takes in the store, as first written.
    pub stored_size: u64,
    /// True when the content was in the store already.
    pub duplicate: bool,
    /// What is known of the unit.
    #[serde(default, skip_serializing_if = "Unit::is_empty")]
    pub unit: Unit,
    /// Free facts.
    #[serde(default, skip_serializing_if = "Meta::is_empty")]
    pub meta: Meta,
    /// The converter's arguments, secret ones masked.
    #[serde(default, skip_serializing_if = "Meta::is_empty")]
    pub arguments: Meta,
    /// How long it is kept.
    #[serde(default)]
    pub retention: Retention,
    /// The idempotency key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// True when the content was hashed and not stored.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub facts_only: bool,
}

/// See [`Body::SourceCleared`](crate::event::Body::SourceCleared).
///
/// A host records it once the file is cleared away. One that is killed in between records nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SourceCleared {
    /// The entry that was archived from the file. It may have been purged.
    pub entry: EntryId,
    /// How the file was cleared away.
    pub how: Clearing,
    /// The path that the file, or the zip file that holds it, has from then on; bytes that are not
    /// UTF-8 stand as U+FFFD. Absent for a file that was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// How a source file is cleared away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Clearing {
    /// It was moved to another folder.
    Moved,
    /// It was put into a zip file, and removed.
    Zipped,
    /// It was removed.
    Removed,
}

impl Clearing {
    /// Returns what became of a file that lies at `path` since, in a few words.
    pub fn words(self, path: Option<&str>) -> String {
        let (how, place) = match self {
            Self::Moved => ("moved", " to "),
            Self::Zipped => ("zipped", " into "),
            Self::Removed => return "removed".to_owned(),
        };
        match path {
            Some(path) => format!("{how}{place}{path}"),
            None => how.to_owned(),
        }
    }
}
