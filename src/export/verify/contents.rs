//! Contents: each that a line names is there and right, or it was erased on the record.

use std::collections::BTreeSet;

use super::bundle::Bundle;
use super::log::Authentic;
use super::outcome::{Verdict, Verified};
use crate::export::bag;
use crate::export::facts::{Content, ContentState};
use crate::export::tally::contents_count;
use crate::export::write::blob_name;

/// Checks the contents against the events.
pub(super) fn check(bundle: &Bundle<'_>, log: &Authentic<'_>, found: &mut Verified) {
    let (names, blobs) = (bundle.files.keys(), format!("{}/", bag::BLOBS));
    let mut unnamed: BTreeSet<&str> = names
        .map(|name| &**name)
        .filter(|name| name.starts_with(&blobs))
        .collect();
    if let Some(stated) = log.exported.contents {
        let mut needed = Vec::new();
        for content in log.facts.contents() {
            let name = blob_name(&content.blob.sha256);
            match content.state {
                ContentState::Needed => {
                    needed.push(content.blob);
                    unnamed.remove(&*name);
                    check_one(bundle, &name, &content, found);
                }
                ContentState::Erased => {}
                ContentState::Lost => {
                    let told = "it is lost, as the log itself records";
                    found.find(Verdict::Incomplete, "content", name, told);
                }
                ContentState::Contradictory => {
                    unnamed.remove(&*name);
                    let told = "two events name it with different hashes or lengths";
                    found.find(Verdict::Tampered, "content", name, told);
                }
            }
        }
        if contents_count(&needed) != stated {
            let told = "the contents that the events need are not those that were signed";
            found.find(Verdict::Tampered, "content", bag::BLOBS, told);
        }
    }
    for name in unnamed {
        let told = "no event needs it: it was added, or should have been erased";
        found.find(Verdict::Tampered, "content", name, told);
    }
}

fn check_one(bundle: &Bundle<'_>, name: &str, content: &Content, found: &mut Verified) {
    let Some(file) = bundle.files.get(name) else {
        let told = format!(
            "it is lost: event {} names it, and nothing erased it",
            content.seq
        );
        found.find(Verdict::Incomplete, "content", name, told);
        return;
    };
    let blob = &content.blob;
    if file.sha256 != blob.sha256 || file.blake3 != Some(blob.blake3) || file.bytes != blob.size {
        let told = format!("it is not the content that event {} names", content.seq);
        found.find(Verdict::Tampered, "content", name, told);
        return;
    }
    found.blobs += 1;
}
