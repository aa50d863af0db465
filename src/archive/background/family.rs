//! Groups content into families: what made it, and in which form.

use std::path::Path;

use crate::event::Body;
use crate::format::leaf;

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
    /// Everything else.
    Other,
}

impl Kind {
    /// Returns the family of the content that came with an event.
    pub(in crate::archive) fn of(leaf: &[u8]) -> Self {
        let event = str::from_utf8(leaf)
            .ok()
            .and_then(|line| leaf::decode(line).ok());
        match event.map(|event| event.body) {
            Some(Body::Archived(fact)) => Self::Source {
                extension: extension(&fact.source.name),
                converter: fact.converter,
            },
            Some(Body::Converted(fact)) => Self::Report {
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
