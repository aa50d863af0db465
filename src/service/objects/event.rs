//! Events as lines of the log: their type, and their personal values put in.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::archive::{Archive, Leaf};
use crate::convert::suggest;
use crate::event::{ActorKind, Body};
use crate::{Error, ErrorKind};

/// Returns the line of an event with its personal values, and with what became of the others.
/// `None` for an event without any.
pub fn revealed(archive: &Archive, leaf: &Leaf) -> Option<String> {
    let revealed = archive.reveal(leaf).ok()?;
    if revealed.values.is_empty() && revealed.account.is_none() {
        return None;
    }
    let mut line: Map<String, Value> = serde_json::from_str(&leaf.line).ok()?;
    line.insert("data".to_owned(), revealed.data()?);
    if let Some(account) = &revealed.account {
        line.insert("account".to_owned(), serde_json::to_value(account).ok()?);
    }
    if !revealed.values.is_empty() {
        let values = serde_json::to_value(&revealed.values).ok()?;
        line.insert("personal".to_owned(), values);
    }
    serde_json::to_string(&line).ok()
}

/// The members of an event that do not depend on its type.
#[derive(Deserialize)]
pub struct Envelope<'a> {
    /// The type in full, such as `annals.archived.v1`.
    #[serde(borrow, rename = "type")]
    pub kind: Cow<'a, str>,
    /// When it was recorded.
    pub time: crate::time::Timestamp,
    /// The kind of who caused it.
    #[serde(default)]
    pub authtype: Option<ActorKind>,
    /// Who caused it.
    #[serde(borrow, default)]
    pub authid: Option<Cow<'a, str>>,
    /// What belongs to its type.
    #[serde(borrow)]
    pub data: &'a serde_json::value::RawValue,
}

impl<'a> Envelope<'a> {
    /// Reads the envelope of an event.
    pub fn of(leaf: &'a Leaf) -> Result<Self, Error> {
        serde_json::from_str(&leaf.line).map_err(|error| {
            Error::new(
                ErrorKind::Damaged,
                format!("event {} is not a valid leaf", leaf.seq),
            )
            .caused_by(error)
        })
    }
}

/// The types of events that somebody asks for. None named means every type.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventTypes(Vec<&'static str>);

impl EventTypes {
    /// Returns the types of these names: in full, such as `annals.archived.v1`, or short, such as
    /// `archived`. Fails on a name that no event can have.
    pub fn named(names: &[String]) -> Result<Self, Error> {
        let kinds = names.iter().map(|name| {
            let mut known = Body::KINDS.iter().copied();
            let found = known.find(|kind| kind == name || bare(kind) == name);
            found.ok_or_else(|| unknown_type(name))
        });
        kinds.collect::<Result<_, _>>().map(Self)
    }

    /// Returns true when an event whose type is `kind`, in full, is asked for.
    pub fn include(&self, kind: &str) -> bool {
        self.0.is_empty() || self.0.contains(&kind)
    }

    /// Returns true when the event is asked for.
    pub fn include_leaf(&self, leaf: &Leaf) -> bool {
        self.0.is_empty() || Envelope::of(leaf).is_ok_and(|it| self.include(&it.kind))
    }

    /// Returns every name of every type: the short ones, then those in full.
    pub fn names() -> impl Iterator<Item = &'static str> {
        let kinds = Body::KINDS.iter().copied();
        kinds.clone().map(bare).chain(kinds)
    }
}

fn unknown_type(name: &str) -> Error {
    let error = Error::new(
        ErrorKind::Invalid,
        format!("there is no type of event '{name}'"),
    );
    error.hint(match suggest(name, EventTypes::names()) {
        Some(meant) => format!("did you mean '{meant}'?"),
        None => "such as archived, converted, reported or purged; docs/format.md has all".into(),
    })
}

/// Returns a type without `annals.` and its version, such as `.v1`.
pub fn bare(kind: &str) -> &str {
    let kind = kind.strip_prefix("annals.").unwrap_or(kind);
    match kind.rsplit_once(".v") {
        Some((name, version)) if version.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => kind,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::EventSeq;

    #[test]
    fn a_type_may_be_named_without_its_frame() {
        let leaf = Leaf {
            seq: EventSeq(3),
            line: r#"{"specversion":"1.0","type":"annals.hold.placed.v1","time":"2026-03-01T08:30:00+01:00","data":{}}"#.into(),
            raw: None,
        };
        let wanted = |name: &str| EventTypes::named(&[name.to_owned()]);
        for name in ["annals.hold.placed.v1", "hold.placed"] {
            assert!(wanted(name).expect("a type").include_leaf(&leaf), "{name}");
        }
        assert!(!wanted("archived").expect("a type").include_leaf(&leaf));
        assert!(EventTypes::default().include_leaf(&leaf));
        for name in ["hold", "placed", "annals.hold.placed", "", "true"] {
            let refused = wanted(name).expect_err("a name that no event has");
            assert_eq!(refused.kind(), ErrorKind::Invalid, "{name}");
        }
        let refused = wanted("archivd").expect_err("a misspelt name");
        assert_eq!(refused.next_step(), Some("did you mean 'archived'?"));
        assert_eq!(bare("annals.archived.v12"), "archived");
        assert_eq!(bare("org.example.thing"), "org.example.thing");
    }
}
