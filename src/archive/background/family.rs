//! Groups content into families: what made it, and in which form.

use std::path::Path;

use crate::event::Body;
use crate::format::leaf;
use crate::id::BlobId;

/// A family of content that is alike, and is compressed together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::archive) enum Kind {
    /// Sources of one converter, with one file name extension.
    Source {
        converter: String,
        extension: String,
    },
    /// Reports of one converter.
    Report { converter: String },
    /// Personal values.
    Personal,
    /// Everything else.
    Other,
}

/// The families of the content that came with one event.
pub(in crate::archive) struct Kinds {
    usual: Kind,
    personal: Vec<BlobId>,
}

impl Kinds {
    /// Returns the families of the content that came with an event.
    pub(in crate::archive) fn of(leaf: &[u8]) -> Self {
        let event = str::from_utf8(leaf)
            .ok()
            .and_then(|line| leaf::decode(line).ok());
        let Some(event) = event else {
            return Self {
                usual: Kind::Other,
                personal: Vec::new(),
            };
        };
        Self {
            usual: Kind::of(event.body),
            personal: event.sealed.iter().map(|sealed| sealed.content).collect(),
        }
    }

    /// Returns the family of one of the contents.
    pub(in crate::archive) fn kind(&self, id: &BlobId) -> Kind {
        if self.personal.contains(id) {
            Kind::Personal
        } else {
            self.usual.clone()
        }
    }
}

impl Kind {
    fn of(body: Body) -> Self {
        match body {
            Body::Archived(fact) => Self::Source {
                extension: extension(&fact.source.name),
                converter: fact.converter,
            },
            Body::Converted(fact) => Self::Report {
                converter: fact.converter,
            },
            _ => Self::Other,
        }
    }
}

/// Returns the extension of a file name in lower case.
fn extension(name: &str) -> String {
    let extension = Path::new(name).extension().unwrap_or_default();
    extension.to_string_lossy().to_lowercase()
}
