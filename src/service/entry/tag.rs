//! Names the state of an entry, so that nobody changes what he has not seen.

use crate::entry::Entry;
use crate::{Error, ErrorKind, Result};

/// Returns a name for what is known of an entry now. Each event about the entry changes it.
pub fn entry_tag(entry: &Entry) -> String {
    let mut hasher = blake3::Hasher::new();
    // An entry is always JSON: it is kept as such in answers.
    let known = serde_json::to_vec(entry).unwrap_or_default();
    hasher.update(&known);
    hasher.finalize().to_hex()[..20].to_owned()
}

/// Refuses to decide about an entry on what is no longer so.
///
/// # Errors
/// `Changed` when an event about the entry came since it had this tag.
pub fn refuse_changed(entry: &Entry, tag: &str) -> Result<()> {
    if entry_tag(entry) == tag.trim_matches('"') {
        return Ok(());
    }
    let said = format!("entry {} has changed since you looked at it", entry.id);
    Err(Error::new(ErrorKind::Changed, said).hint("look at it as it is now, and decide again"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::entries::sample;

    /// Two people with the same page open: the second must not decide on what the first changed.
    #[test]
    fn every_later_fact_gives_an_entry_another_tag() {
        let entry = sample();
        let tag = entry_tag(&entry);
        assert_eq!(tag, entry_tag(&entry));
        let mut held = entry.clone();
        held.holds.push("recall".into());
        let mut labelled = entry.clone();
        labelled.labels.push("claim".into());
        assert_ne!(tag, entry_tag(&held));
        assert_ne!(tag, entry_tag(&labelled));
    }
}
