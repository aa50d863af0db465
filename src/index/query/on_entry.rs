//! A filter that is compared with whole entries, for those who walk over all of them.

use super::matcher::{is_pattern, pattern};
use crate::entry::Entry;
use crate::index::glob::Glob;
use crate::index::path_glob::PathGlob;
use crate::index::text::{equals_folded, fold};
use crate::query::Filter;

/// The fields of a filter that do not depend on when it is asked: converter, status, unit, file,
/// path, metadata and labels. The others are ignored, and so is whether an entry was purged.
#[derive(Debug)]
pub(crate) struct EntryMatcher<'a> {
    filter: &'a Filter,
    converters: Vec<String>,
    unit: [Option<String>; 4],
    serials: Option<Glob>,
    file: Option<Glob>,
    path: Option<PathGlob>,
    labels: Vec<String>,
}

impl<'a> EntryMatcher<'a> {
    pub(crate) fn new(filter: &'a Filter) -> Self {
        let folded = |text: &Option<String>| text.as_deref().map(|text| fold(text).into_owned());
        let all = |texts: &[String]| texts.iter().map(|text| fold(text).into_owned()).collect();
        Self {
            filter,
            converters: all(&filter.converter),
            unit: [
                folded(&filter.serial).filter(|serial| !is_pattern(serial)),
                folded(&filter.part),
                folded(&filter.station),
                folded(&filter.process),
            ],
            serials: pattern(filter.serial.as_deref()),
            file: filter.file.as_deref().map(Glob::new),
            path: filter.path.as_deref().map(PathGlob::new),
            labels: all(&filter.label),
        }
    }

    /// Returns whether the entry matches as it is known now.
    pub(crate) fn matches(&self, entry: &Entry) -> bool {
        let has = |label: &String| entry.labels.iter().any(|has| equals_folded(has, label));
        let unit = &entry.unit;
        let known = [&unit.serial, &unit.part, &unit.station, &unit.process];
        let is = |(wanted, known): (&Option<String>, &Option<String>)| match (wanted, known) {
            (None, _) => true,
            (Some(wanted), Some(known)) => equals_folded(known, wanted),
            (Some(_), None) => false,
        };
        let statuses = &self.filter.status;
        self.fixed_match(entry)
            && (statuses.is_empty() || statuses.contains(&entry.status))
            && self.unit.iter().zip(known).all(is)
            && (self.serials.as_ref())
                .is_none_or(|glob| unit.serial.as_ref().is_some_and(|has| glob.matches(has)))
            && self.labels.iter().all(has)
            && (self.filter.meta.iter()).all(|(name, value)| entry.meta.get(name) == Some(value))
    }

    /// Returns whether the entry has the converter and file name, and has or ever had the labels.
    pub(crate) fn ever_matched(&self, entry: &Entry) -> bool {
        let labelled = |label: &String| {
            let once =
                (entry.notes.iter()).flat_map(|note| note.labels.iter().chain(&note.unlabels));
            let mut ever = entry.labels.iter().chain(once);
            ever.any(|has| equals_folded(has, label))
        };
        self.fixed_match(entry) && self.labels.iter().all(labelled)
    }

    /// Compares what never changes.
    fn fixed_match(&self, entry: &Entry) -> bool {
        let mut converters = self.converters.iter();
        let file = self.file.as_ref();
        (self.converters.is_empty() || converters.any(|name| equals_folded(&entry.converter, name)))
            && file.is_none_or(|glob| glob.matches(&entry.source_name))
            && (self.path.as_ref()).is_none_or(|glob| glob.matches(&entry.source_path))
    }
}
