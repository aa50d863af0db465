//! What went wrong, by cause, and which converters made what there is.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::archive::handle::Archive;
use crate::archive::reading::snapshot::Snapshot;
use crate::entry::{Cause, CauseId, Entry, Outcome};
use crate::id::{ConverterId, EntryId};
use crate::query::{Filter, Maker};
use crate::time::Timestamp;
use crate::{Error, ErrorKind, Result};

/// Entries whose last attempt has one trouble in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FailureGroup {
    /// What they have in common.
    #[serde(flatten)]
    pub cause: Cause,
    /// The converter of their last attempts.
    pub converter: String,
    /// How many entries they are.
    pub entries: u64,
    /// The newest of them, as an example.
    pub example: EntryId,
    /// The error of the example as it was recorded.
    pub example_error: Option<String>,
    /// When the last attempt of the oldest of them was recorded.
    pub first: Timestamp,
    /// When the last attempt of the newest of them was recorded.
    pub last: Timestamp,
}

impl FailureGroup {
    /// Returns the filter that selects exactly these entries.
    pub fn filter(&self) -> Filter {
        Filter::default().failure(self.cause.id)
    }
}

/// Entries whose last success was made by one converter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MakerGroup {
    /// The converter.
    #[serde(flatten)]
    pub maker: Maker,
    /// How many entries they are.
    pub entries: u64,
}

impl Snapshot {
    /// Returns what is wrong with the last attempts of the entries that a filter selects, the most
    /// frequent cause first. An entry that was fixed by a later attempt does not count.
    ///
    /// Posting lists answer it: two rows are read for each cause.
    ///
    /// ```
    /// use annals::archive::{Archive, NewAttempt, NewEntry};
    /// use annals::entry::Outcome;
    /// use annals::query::Filter;
    ///
    /// # fn main() -> annals::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let archive = Archive::builder().create(dir.path().join("store"))?;
    /// for line in [12, 14] {
    ///     let content = format!("file {line}");
    ///     let id = archive.put(NewEntry::new("ICT"), content.as_bytes())?.id;
    ///     let failed = NewAttempt::new(Outcome::Failed, "ICT");
    ///     archive.record_attempt(id, failed.error(format!("line {line}: no serial")))?;
    /// }
    /// let snapshot = archive.snapshot()?;
    /// let failures = snapshot.failures(&Filter::default())?;
    /// assert_eq!((failures.len(), failures[0].entries), (1, 2));
    /// assert_eq!(failures[0].cause.text, "line *: no serial");
    /// assert_eq!(snapshot.count(&failures[0].filter())?, 2);
    /// # archive.close()
    /// # }
    /// ```
    pub fn failures(&self, filter: &Filter) -> Result<Vec<FailureGroup>> {
        let mut failures = Vec::new();
        for (term, group) in self.view().groups_by_cause(filter)? {
            let cause = CauseId::from_bytes(&term).ok_or_else(no_cause)?;
            let newest = self.existing(group.newest)?;
            let oldest = self.existing(group.oldest)?;
            let causes = newest.causes();
            let cause = causes.into_iter().find(|known| known.id == cause);
            let (Some(cause), Some(last), Some(first)) =
                (cause, newest.attempts.last(), oldest.attempts.last())
            else {
                return Err(no_cause());
            };
            failures.push(FailureGroup {
                converter: last.converter.clone(),
                entries: group.entries,
                example: newest.id,
                example_error: last.error.clone(),
                first: first.at,
                last: last.at,
                cause,
            });
        }
        failures.sort_by(|one, other| {
            let frequent = other.entries.cmp(&one.entries);
            frequent
                .then(other.last.cmp(&one.last))
                .then(one.cause.id.cmp(&other.cause.id))
        });
        Ok(failures)
    }

    /// Returns which converters made the last successes of the entries that a filter selects, by
    /// name and identity. Attempts without a recorded identity are left out.
    pub fn makers(&self, filter: &Filter) -> Result<Vec<MakerGroup>> {
        let mut makers = Vec::new();
        for group in self.view().groups_by_maker(filter)?.into_values() {
            let example = self.existing(group.newest)?;
            let made = example.attempts.iter().rev();
            let mut made = made.filter(|attempt| attempt.status == Outcome::Success);
            if let Some(made) = made.next()
                && let Some(id) = made.converter_id
            {
                makers.push(MakerGroup {
                    maker: Maker {
                        converter: made.converter.clone(),
                        id,
                    },
                    entries: group.entries,
                });
            }
        }
        makers.sort_by(|one, other| one.maker.cmp(&other.maker));
        Ok(makers)
    }

    /// Returns the converters that made the last success of some entry and have another identity
    /// now, with the number of those entries.
    ///
    /// `current` has the identities that run now, by name. A converter that it does not name has
    /// the identity that was recorded last under its name.
    pub fn outdated(
        &self,
        filter: &Filter,
        current: &BTreeMap<String, ConverterId>,
    ) -> Result<Vec<MakerGroup>> {
        let mut outdated = self.makers(filter)?;
        let mut newest = BTreeMap::new();
        for group in &outdated {
            let name = &group.maker.converter;
            if !newest.contains_key(name) {
                let known = match current.get(name) {
                    Some(id) => Some(*id),
                    None => {
                        let recorded = self.view().converter_named(name)?;
                        recorded.map(|recorded| recorded.converter_id)
                    }
                };
                newest.insert(name.clone(), known);
            }
        }
        outdated.retain(|group| {
            let now = newest.get(&group.maker.converter).copied().flatten();
            now.is_some_and(|now| now != group.maker.id)
        });
        Ok(outdated)
    }

    fn existing(&self, id: EntryId) -> Result<Entry> {
        self.entry(id)?.ok_or_else(|| {
            Error::new(
                ErrorKind::Damaged,
                format!("the index names entry {id}, which it does not have"),
            )
            .hint("run `annals rebuild`")
        })
    }
}

impl Archive {
    /// Returns the filter with those entries only whose last success was made by another identity
    /// of its converter than `current`; see [`Snapshot::outdated`].
    pub fn only_outdated(
        &self,
        filter: Filter,
        current: &BTreeMap<String, ConverterId>,
    ) -> Result<Filter> {
        let all = Filter::default().purged(filter.purged);
        let outdated = self.snapshot()?.outdated(&all, current)?;
        let makers = outdated.into_iter().map(|group| group.maker);
        Ok(filter.made_by(makers.collect()))
    }

    /// Returns the filter with those entries only whose last success was made by an identity that
    /// `is_meant` accepts. The converters that the filter names already are narrowed further.
    pub fn only_made_by(
        &self,
        filter: Filter,
        is_meant: impl Fn(&ConverterId) -> bool,
    ) -> Result<Filter> {
        let makers: Vec<Maker> = match &filter.made_by {
            Some(named) => named.clone(),
            None => {
                let all = Filter::default().purged(filter.purged);
                let makers = self.snapshot()?.makers(&all)?.into_iter();
                makers.map(|group| group.maker).collect()
            }
        };
        let meant = makers.into_iter().filter(|maker| is_meant(&maker.id));
        Ok(filter.made_by(meant.collect()))
    }
}

fn no_cause() -> Error {
    Error::new(
        ErrorKind::Damaged,
        "the index has a cause of failures that its entry does not have",
    )
    .hint("run `annals rebuild`")
}
