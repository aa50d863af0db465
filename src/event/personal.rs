//! Personal fields: which members of a fact they are, and the facts about declaring and erasing
//! them.
//!
//! The value of a personal field is not in the leaf. The leaf has the digest of its disclosure,
//! which is content and can be erased. `format::disclosure` has the bytes.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::entry::{Meta, Unit};
use crate::event::retention::EntryRanges;
use crate::event::{Body, Source};
use crate::id::{BlobId, EntryId, EventSeq, Sha256};
use crate::query::Filter;

/// A field that may be declared personal.
///
/// ```
/// use annals::event::PersonalField;
///
/// let field: PersonalField = "meta.operator".parse().expect("a field");
/// assert_eq!(field, PersonalField::Meta("operator".to_owned()));
/// assert!("size".parse::<PersonalField>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum PersonalField {
    /// The account that caused an event.
    Actor,
    /// The path of a source, also the one that it was moved to.
    SourcePath,
    /// The file name of a source.
    SourceName,
    /// The idempotency key of an entry. Covered whenever the path or the name is, because keys are
    /// made of them.
    Key,
    /// The serial number of a unit.
    Serial,
    /// The part number of a unit.
    Part,
    /// The test station.
    Station,
    /// The process.
    Process,
    /// What converters and servers said: errors, warnings and refusals.
    Error,
    /// One named fact about an entry.
    Meta(String),
    /// One named argument of a converter.
    Argument(String),
}

/// Text that names no field which can be declared personal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' cannot be declared personal; these can: actor, source_path, source_name, key, serial, \
     part, station, process, error, meta.NAME, arguments.NAME"
)]
pub struct NotPersonal(String);

/// The longest name of a metadata value or argument that can be declared.
const NAME_BYTES_MAX: usize = 256;

impl PersonalField {
    /// Returns the fields that say what this one says, beside this one: a path ends in the name,
    /// and a key is made of either.
    pub fn said_by(&self) -> &'static [Self] {
        match self {
            Self::SourceName => &[Self::SourcePath, Self::Key],
            Self::SourcePath => &[Self::Key],
            _ => &[],
        }
    }

    /// Takes the value of the field out of a fact. `None` when the fact has no such value.
    pub(crate) fn take(&self, body: &mut Body) -> Option<Value> {
        match (self, body) {
            (Self::Actor, Body::ActorNamed(fact)) => fact.name.take().map(Value::String),
            (Self::SourcePath, Body::Archived(fact)) => take_text(&mut fact.source.path),
            (Self::SourcePath, Body::SourceCleared(fact)) => fact.path.take().map(Value::String),
            (Self::SourceName, Body::Archived(fact)) => take_name(&mut fact.source),
            (Self::Key, Body::Archived(fact)) => fact.key.take().map(Value::String),
            (Self::Meta(name), Body::Archived(fact)) => take_pair(&mut fact.meta, name),
            (Self::Argument(name), Body::Archived(fact)) => take_pair(&mut fact.arguments, name),
            (Self::Argument(name), Body::Converted(fact)) => take_pair(&mut fact.arguments, name),
            (Self::Error, Body::Converted(fact)) => {
                let (error, warnings) = (fact.error.take(), std::mem::take(&mut fact.warnings));
                let is_there = error.is_some() || !warnings.is_empty();
                is_there.then(|| serde_json::json!({ "error": error, "warnings": warnings }))
            }
            (Self::Error, Body::SubmitRejected(fact)) => take_text(&mut fact.text),
            (Self::Meta(name), Body::Annotated(fact)) => take_pair(&mut fact.meta, name),
            (_, Body::Annotated(fact)) => self.of_unit(&mut fact.unit)?.take().map(Value::String),
            (_, Body::Archived(fact)) => self.of_unit(&mut fact.unit)?.take().map(Value::String),
            (_, Body::Converted(fact)) => self.of_unit(&mut fact.unit)?.take().map(Value::String),
            _ => None,
        }
    }

    /// Puts a value back where [`PersonalField::take`] took it from. Returns false when the fact
    /// has no place for it; then the fact is unchanged.
    pub(crate) fn put(&self, body: &mut Body, value: Value) -> bool {
        match (self, body, value) {
            (Self::Actor, Body::ActorNamed(fact), Value::String(name)) => fact.name = Some(name),
            (Self::SourcePath, Body::Archived(fact), Value::String(path)) => {
                fact.source.path = path;
            }
            (Self::SourcePath, Body::SourceCleared(fact), Value::String(path)) => {
                fact.path = Some(path);
            }
            (Self::SourceName, Body::Archived(fact), value) => {
                return put_name(&mut fact.source, value);
            }
            (Self::Key, Body::Archived(fact), Value::String(key)) => fact.key = Some(key),
            (Self::Meta(name), Body::Archived(fact), Value::String(value)) => {
                fact.meta.insert(name.clone(), value);
            }
            (Self::Argument(name), Body::Archived(fact), Value::String(value)) => {
                fact.arguments.insert(name.clone(), value);
            }
            (Self::Argument(name), Body::Converted(fact), Value::String(value)) => {
                fact.arguments.insert(name.clone(), value);
            }
            (Self::Error, Body::Converted(fact), value) => {
                let Ok(Said { error, warnings }) = serde_json::from_value(value) else {
                    return false;
                };
                (fact.error, fact.warnings) = (error, warnings);
            }
            (Self::Error, Body::SubmitRejected(fact), Value::String(text)) => fact.text = text,
            (Self::Meta(name), Body::Annotated(fact), Value::String(value)) => {
                fact.meta.insert(name.clone(), value);
            }
            (_, Body::Annotated(fact), Value::String(value)) => {
                return put_unit(self.of_unit(&mut fact.unit), value);
            }
            (_, Body::Archived(fact), Value::String(value)) => {
                return put_unit(self.of_unit(&mut fact.unit), value);
            }
            (_, Body::Converted(fact), Value::String(value)) => {
                return put_unit(self.of_unit(&mut fact.unit), value);
            }
            _ => return false,
        }
        true
    }

    fn of_unit<'a>(&self, unit: &'a mut Unit) -> Option<&'a mut Option<String>> {
        match self {
            Self::Serial => Some(&mut unit.serial),
            Self::Part => Some(&mut unit.part),
            Self::Station => Some(&mut unit.station),
            Self::Process => Some(&mut unit.process),
            _ => None,
        }
    }
}

/// Returns the entry whose personal values the fact of event `seq` may state.
pub(crate) fn entry_with_values(seq: EventSeq, body: &Body) -> Option<EntryId> {
    match body {
        Body::Archived(_) => Some(seq.into()),
        Body::Converted(fact) => Some(fact.entry),
        Body::SubmitRejected(fact) => Some(fact.entry),
        Body::SourceCleared(fact) => Some(fact.entry),
        Body::Annotated(fact) => Some(fact.entry),
        _ => None,
    }
}

/// The value of [`PersonalField::Error`] of an attempt.
#[derive(Deserialize)]
struct Said {
    error: Option<String>,
    warnings: Vec<String>,
}

fn take_text(text: &mut String) -> Option<Value> {
    (!text.is_empty()).then(|| Value::String(std::mem::take(text)))
}

fn take_pair(pairs: &mut Meta, name: &str) -> Option<Value> {
    pairs.remove(name).map(Value::String)
}

/// Takes a file name: as text, or with its raw bytes where it is not UTF-8.
fn take_name(source: &mut Source) -> Option<Value> {
    let hex = source.name_hex.take();
    let name = std::mem::take(&mut source.name);
    match hex {
        Some(hex) => Some(serde_json::json!([name, hex])),
        None => (!name.is_empty()).then_some(Value::String(name)),
    }
}

fn put_name(source: &mut Source, value: Value) -> bool {
    let (name, hex) = match value {
        Value::String(name) => (name, None),
        value => match serde_json::from_value(value) {
            Ok((name, hex)) => (name, Some(hex)),
            Err(_) => return false,
        },
    };
    (source.name, source.name_hex) = (name, hex);
    true
}

fn put_unit(place: Option<&mut Option<String>>, value: String) -> bool {
    match place {
        Some(place) => {
            *place = Some(value);
            true
        }
        None => false,
    }
}

impl fmt::Display for PersonalField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Actor => f.pad("actor"),
            Self::SourcePath => f.pad("source_path"),
            Self::SourceName => f.pad("source_name"),
            Self::Key => f.pad("key"),
            Self::Serial => f.pad("serial"),
            Self::Part => f.pad("part"),
            Self::Station => f.pad("station"),
            Self::Process => f.pad("process"),
            Self::Error => f.pad("error"),
            Self::Meta(name) => write!(f, "meta.{name}"),
            Self::Argument(name) => write!(f, "arguments.{name}"),
        }
    }
}

impl FromStr for PersonalField {
    type Err = NotPersonal;

    fn from_str(text: &str) -> Result<Self, NotPersonal> {
        let named = |prefix: &str| {
            let name = text.strip_prefix(prefix)?;
            let is_name = !name.is_empty()
                && name.len() <= NAME_BYTES_MAX
                && !name.chars().any(char::is_control);
            is_name.then(|| name.to_owned())
        };
        Ok(match text {
            "actor" => Self::Actor,
            "source_path" => Self::SourcePath,
            "source_name" => Self::SourceName,
            "key" => Self::Key,
            "serial" => Self::Serial,
            "part" => Self::Part,
            "station" => Self::Station,
            "process" => Self::Process,
            "error" => Self::Error,
            _ => match (named("meta."), named("arguments.")) {
                (Some(name), _) => Self::Meta(name),
                (_, Some(name)) => Self::Argument(name),
                (None, None) => return Err(NotPersonal(text.to_owned())),
            },
        })
    }
}

/// The place of a personal value in a leaf: the digest of its disclosure, and where that lies.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sealed {
    /// The field, as declared.
    pub field: String,
    /// The SHA-256 digest of the disclosure.
    pub digest: Sha256,
    /// The disclosure, as content of the store.
    pub content: BlobId,
}

impl Sealed {
    pub(crate) fn new(field: String, digest: Sha256, content: BlobId) -> Self {
        Self {
            field,
            digest,
            content,
        }
    }
}

/// Returns a digest as it stands in a leaf: base64url without padding.
pub(crate) fn digest_text(digest: &Sha256) -> String {
    URL_SAFE_NO_PAD.encode(digest.as_bytes())
}

/// Returns the digest that stands in a leaf as `text`.
pub(crate) fn digest_of(text: &str) -> Option<Sha256> {
    let bytes: [u8; 32] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
    Some(Sha256::from_bytes(bytes))
}

/// See [`Body::PrivacyDeclared`](crate::event::Body::PrivacyDeclared).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PrivacyDeclared {
    /// Every field that is personal from here on. The list replaces the one before.
    pub fields: Vec<String>,
    /// Why, in a person's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// See [`Body::ActorNamed`](crate::event::Body::ActorNamed).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ActorNamed {
    /// The pseudonym.
    pub actor: String,
    /// The account's name. It is in the disclosure, never in the leaf.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// See [`Body::Erased`](crate::event::Body::Erased). A large erasure is recorded as several events,
/// each complete by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Erased {
    /// The field whose values are erased.
    pub field: String,
    /// The entries; empty for an account.
    #[serde(default, skip_serializing_if = "EntryRanges::is_empty")]
    pub entries: EntryRanges,
    /// The pseudonym whose name is erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// The digests of the erased disclosures, as their leaves have them.
    pub digests: Vec<String>,
    /// Why, in a person's words.
    pub reason: String,
}

impl Filter {
    /// Returns the filter with `[personal]` in place of the values of personal fields, so that it
    /// can be recorded.
    #[must_use]
    pub fn masked(&self, personal: &[PersonalField]) -> Self {
        const MASK: &str = "[personal]";
        let mut masked = self.clone();
        let mask = |value: &mut Option<String>, fields: &[PersonalField]| {
            if let Some(value) = value
                && fields.iter().any(|field| personal.contains(field))
            {
                MASK.clone_into(value);
            }
        };
        mask(&mut masked.serial, &[PersonalField::Serial]);
        mask(&mut masked.part, &[PersonalField::Part]);
        mask(&mut masked.station, &[PersonalField::Station]);
        mask(&mut masked.process, &[PersonalField::Process]);
        let of_file = [PersonalField::SourceName, PersonalField::SourcePath];
        mask(&mut masked.file, &of_file);
        mask(&mut masked.path, &of_file);
        for (name, value) in &mut masked.meta {
            if personal.contains(&PersonalField::Meta(name.clone())) {
                MASK.clone_into(value);
            }
        }
        // The text may be anything that is looked for.
        if !personal.is_empty() && masked.text.is_some() {
            masked.text = Some(MASK.to_owned());
        }
        masked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_reads_back_as_it_is_written() {
        for text in [
            "actor",
            "source_path",
            "source_name",
            "key",
            "serial",
            "part",
            "station",
            "process",
            "error",
            "meta.operator",
            "meta.meta.a b",
            "arguments.user",
        ] {
            let field: PersonalField = text.parse().expect("a field");
            assert_eq!(field.to_string(), text);
        }
        for text in [
            "",
            "meta.",
            "Actor",
            "meta",
            "size",
            "meta.a\nb",
            "blob.sha256",
        ] {
            let refused = text.parse::<PersonalField>().expect_err("no field");
            assert!(refused.to_string().contains("meta.NAME"), "{refused}");
        }
    }
}
