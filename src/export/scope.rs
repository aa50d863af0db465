//! The payload of an `exported` event: what a bundle contains, fixed before the bundle is signed.

use crate::event::{Body, Event};
pub use crate::event::{ContentsCount, Counts, Exported, Scope};

/// The version of the bundle's layout and of its report. A change of a single byte that a bundle of
/// the same events would get is a new version.
pub const BUNDLE_FORMAT: u16 = 1;

impl Counts {
    /// Counts one line.
    pub(super) fn add(&mut self, kind: &str, line_bytes: u64) {
        self.events += 1;
        self.bytes += line_bytes;
        self.entries += u64::from(kind == "annals.archived.v1");
        match self.by_type.get_mut(kind) {
            Some(count) => *count += 1,
            None => _ = self.by_type.insert(kind.to_owned(), 1),
        }
    }
}

impl Exported {
    /// The type of the event with this payload.
    pub const KIND: &'static str = "annals.exported.v1";

    /// Returns the payload of an `exported` event. Returns `None` for other events.
    pub fn of(event: &Event) -> Option<Self> {
        match &event.body {
            Body::Exported(exported) => Some(exported.clone()),
            _ => None,
        }
    }
}
