//! What lists say about an entry beside its status: on hold, purged, suspicious.

use super::frame::Frame;
use crate::entry::{Entry, Status};

/// A remark beside a state.
pub(super) struct Remark {
    pub(super) class: &'static str,
    pub(super) word: &'static str,
}

/// Returns what a list says about an entry beside its status.
pub(super) fn remarks(entry: &Entry, frame: &Frame) -> Vec<Remark> {
    let mut remarks = Vec::new();
    let mut add = |is_so: bool, class: &'static str, key: &str| {
        if is_so {
            let word = frame.say(key);
            remarks.push(Remark { class, word });
        }
    };
    let is_purged = entry.purged_at.is_some();
    let is_odd = entry.is_suspicious() && entry.status == Status::Success;
    add(is_odd, "tag-odd", "entries.remark_suspicious");
    add(!entry.holds.is_empty(), "tag-held", "entries.remark_held");
    add(is_purged, "tag-purged", "entries.remark_purged");
    add(entry.facts_only, "", "entries.remark_facts_only");
    let source_gone = !is_purged && entry.source_purge().is_some();
    add(source_gone, "tag-purged", "entries.remark_no_source");
    remarks
}
