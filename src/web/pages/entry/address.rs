//! The address of the page of an entry: what it asks for, and the addresses of its links.

use std::fmt::Write as _;
use std::str::FromStr;

use crate::id::EntryId;
use crate::web::preview;

/// The most pairs of an address that are read.
const PAIRS_MAX: usize = 40;

/// What the address of the page asks for. Pairs that nobody knows, and numbers that are none, are
/// passed over: an old link still leads somewhere.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    id: EntryId,
    pairs: Vec<(String, String)>,
}

/// The parts of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tab {
    Report,
    Source,
    Timeline,
    Differences,
    Proof,
    Kept,
}

impl Tab {
    pub(super) const ALL: [Self; 6] = [
        Self::Report,
        Self::Source,
        Self::Timeline,
        Self::Differences,
        Self::Proof,
        Self::Kept,
    ];

    /// Returns the word for it in addresses.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Report => "report",
            Self::Source => "source",
            Self::Timeline => "timeline",
            Self::Differences => "differences",
            Self::Proof => "proof",
            Self::Kept => "kept",
        }
    }
}

impl Asked {
    pub(super) fn new(id: EntryId, mut pairs: Vec<(String, String)>) -> Self {
        pairs.retain(|(_, value)| !value.is_empty());
        pairs.truncate(PAIRS_MAX);
        Self { id, pairs }
    }

    pub(super) const fn id(&self) -> EntryId {
        self.id
    }

    /// Returns the first value of a name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let mut pairs = self.pairs.iter();
        let found = pairs.find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Returns the first value of a name, if it can be read.
    pub(super) fn read<T: FromStr>(&self, name: &str) -> Option<T> {
        self.get(name)?.parse().ok()
    }

    /// Returns the part of the page that is named.
    pub(super) fn tab(&self) -> Option<Tab> {
        let word = self.get("tab")?;
        Tab::ALL.into_iter().find(|tab| tab.word() == word)
    }

    /// Returns the part of a content that is asked for.
    pub(super) fn preview(&self) -> preview::Asked {
        preview::Asked {
            view: self.get("view").and_then(preview::View::of_word),
            page: self.read("page").unwrap_or(1),
            path: self.get("path").unwrap_or_default().to_owned(),
            from: self.read("first").unwrap_or(0),
            find: self.get("find").unwrap_or_default().to_owned(),
        }
    }

    /// Returns the address of a part of the page, with these pairs and no others.
    pub(super) fn to(&self, tab: Tab, pairs: &[(&str, &str)]) -> String {
        let all = [("tab", tab.word())]
            .into_iter()
            .chain(pairs.iter().copied());
        address(self.id, all)
    }

    /// Returns this address with some pairs changed; an empty value drops a pair.
    pub(super) fn with(&self, changes: &[(&str, &str)]) -> String {
        let kept = self.pairs.iter();
        let kept = kept.map(|(name, value)| (name.as_str(), value.as_str()));
        let kept = kept.filter(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
        let changes = changes.iter().copied();
        address(
            self.id,
            kept.chain(changes.filter(|(_, value)| !value.is_empty())),
        )
    }

    /// Returns the pairs of this address but for some, as the hidden fields of a form.
    pub(super) fn hidden(&self, without: &[&str]) -> Vec<(String, String)> {
        let kept = self.pairs.iter();
        let kept = kept.filter(|(name, _)| !without.contains(&name.as_str()));
        kept.cloned().collect()
    }

    /// Returns the query of this address.
    pub(super) fn query(&self) -> String {
        let kept = self.pairs.iter();
        query(kept.map(|(name, value)| (name.as_str(), value.as_str())))
    }
}

fn address<'a>(id: EntryId, pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let query = query(pairs);
    if query.is_empty() {
        format!("/entries/{id}")
    } else {
        format!("/entries/{id}?{query}")
    }
}

fn query<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut query = String::new();
    for (name, value) in pairs {
        let and = if query.is_empty() { "" } else { "&" };
        query += and;
        query += &encoded(name);
        query.push('=');
        query += &encoded(value);
    }
    query
}

/// Returns a text as it stands in an address.
pub(super) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => {
                out.push(char::from(byte));
            }
            // Writing to a String does not fail.
            _ => drop(write!(out, "%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(pairs: &[(&str, &str)]) -> Asked {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Asked::new(EntryId(7), pairs.iter().map(owned).collect())
    }

    /// A mailed link must show the same, whatever stands in a serial or a path.
    #[test]
    fn an_address_says_again_what_it_was_asked() {
        let asked = asked(&[("tab", "report"), ("path", "/a b/ü&="), ("find", "")]);
        assert_eq!(asked.tab(), Some(Tab::Report));
        assert_eq!(asked.query(), "tab=report&path=/a%20b/%C3%BC%26%3D");
        assert_eq!(
            asked.with(&[("path", ""), ("page", "2")]),
            "/entries/7?tab=report&page=2"
        );
        assert_eq!(asked.with(&[("tab", ""), ("path", "")]), "/entries/7");
        assert_eq!(asked.to(Tab::Proof, &[]), "/entries/7?tab=proof");
    }

    #[test]
    fn what_cannot_be_read_is_passed_over() {
        let asked = asked(&[("tab", "gone"), ("page", "many"), ("view", "cake")]);
        assert_eq!(asked.tab(), None);
        let preview = asked.preview();
        assert_eq!((preview.page, preview.view), (1, None));
    }
}
