//! A filter with folded texts: its clauses for posting lists, and its check of a whole row.

use crate::id::{EntryId, JobId};
use crate::index::error::IndexError;
use crate::index::glob::Glob;
use crate::index::marks::{Marks, NewRow, TextMarks};
use crate::index::path_glob::PathGlob;
use crate::index::rows::{self, EntryHead, EntryRow, HoldRow};
use crate::index::tables::{Field, Span, Zone, entry_at};
use crate::index::terms;
use crate::index::text::{self, Trigram, contains_folded, equals_folded, fold, is_same_name};
use crate::query::{Filter, Held, Purged, Suspicious};
use crate::time::Timestamp;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// One condition of a filter that posting lists can evaluate. All clauses must hold.
pub(super) enum Clause {
    /// The entry has any of these terms.
    Terms(Field, Vec<Vec<u8>>),
    /// The entry is one of these, ascending.
    Ids(Vec<EntryId>),
    /// The entry was archived in this range of microseconds.
    Times(RangeInclusive<i64>),
    /// Its source was last changed in this range of microseconds.
    Changed(RangeInclusive<i64>),
    /// The entry lies under any of these holds.
    Held(Vec<Arc<HoldRow>>),
    /// The entry has a trigram in each of these ranges.
    Trigrams(Vec<(Trigram, Trigram)>),
    /// The entry does not have the empty term of this field.
    Without(Field),
}

/// Returns true for a serial with `*` in it, which stands for any text.
pub(super) fn is_pattern(serial: &str) -> bool {
    serial.contains('*')
}

/// Returns the pattern that a serial is, if it is one.
pub(super) fn pattern(serial: Option<&str>) -> Option<Glob> {
    serial.filter(|serial| is_pattern(serial)).map(Glob::new)
}

/// A range of microseconds that contains nothing.
#[expect(
    clippy::reversed_empty_ranges,
    reason = "an empty one is what is meant"
)]
const NO_TIME: RangeInclusive<i64> = 1..=0;

/// A filter with folded texts, to be compared with rows.
pub(in crate::index) struct Matcher<'a> {
    pub(super) filter: &'a Filter,
    ids: Vec<EntryId>,
    converters: Vec<String>,
    version: Option<String>,
    serial: Option<String>,
    /// The serial, when it is a pattern.
    serials: Option<Glob>,
    part: Option<String>,
    station: Option<String>,
    process: Option<String>,
    report_id: Option<String>,
    labels: Vec<String>,
    pub(super) file: Option<Glob>,
    path: Option<PathGlob>,
    text: Option<String>,
    times: Option<RangeInclusive<i64>>,
    changed: Option<RangeInclusive<i64>>,
    /// The holds that the filter names.
    holds: Vec<Arc<HoldRow>>,
    marks: WantedMarks,
}

/// The marks that a row must have to match.
#[derive(Default)]
struct WantedMarks {
    /// Of the texts of which it must have all.
    all: Vec<TextMarks>,
    /// Of the converters, if any are named. It must have one.
    any: Vec<TextMarks>,
    /// True when the filter asks for nothing that marks leave open.
    decide: bool,
}

impl<'a> Matcher<'a> {
    pub(in crate::index) fn new(filter: &'a Filter) -> Self {
        let folded = |text: &Option<String>| text.as_deref().map(|text| fold(text).into_owned());
        let mut ids = filter.ids.clone();
        ids.sort_unstable();
        ids.dedup();
        let mut matcher = Self {
            filter,
            ids,
            converters: filter
                .converter
                .iter()
                .map(|name| fold(name).into_owned())
                .collect(),
            version: folded(&filter.converter_version),
            serial: folded(&filter.serial).filter(|serial| !is_pattern(serial)),
            serials: pattern(filter.serial.as_deref()),
            part: folded(&filter.part),
            station: folded(&filter.station),
            process: folded(&filter.process),
            report_id: folded(&filter.report_id),
            labels: filter
                .label
                .iter()
                .map(|label| fold(label).into_owned())
                .collect(),
            file: filter.file.as_deref().map(Glob::new),
            path: filter.path.as_deref().map(PathGlob::new),
            text: folded(&filter.text).filter(|text| !text.is_empty()),
            times: period(filter.from, filter.to),
            changed: period(filter.file_time_from, filter.file_time_to),
            holds: Vec::new(),
            marks: WantedMarks::default(),
        };
        matcher.marks = matcher.wanted_marks();
        matcher
    }

    fn wanted_marks(&self) -> WantedMarks {
        let texts = [
            (Field::Version, &self.version),
            (Field::Serial, &self.serial),
            (Field::Part, &self.part),
            (Field::Station, &self.station),
            (Field::Process, &self.process),
        ];
        let texts = texts.into_iter();
        let all = texts.filter_map(|(field, text)| Some(TextMarks::of(field, text.as_deref()?)));
        let names = self.converters.iter();
        let any = names.map(|name| TextMarks::of(Field::Converter, name));
        let rest = Filter {
            purged: Purged::default(),
            status: Vec::new(),
            from: None,
            to: None,
            ..self.filter.clone()
        };
        WantedMarks {
            all: all.collect(),
            any: any.collect(),
            decide: rest == Filter::default(),
        }
    }

    /// Looks up the holds that the filter names. Without this it names none.
    pub(super) fn under(mut self, holds: impl FnOnce() -> Holds) -> Self {
        if let Some(wanted) = &self.filter.hold {
            let named = holds().into_iter().filter(|(name, _)| match wanted {
                Held::Any => true,
                Held::By(wanted) => is_same_name(name, wanted),
            });
            self.holds = named.map(|(_, hold)| hold).collect();
        }
        self
    }

    /// Returns false when no entry of a span can match.
    pub(super) fn may_be_in(&self, span: Span, zone: Zone) -> bool {
        let in_time = self
            .times
            .as_ref()
            .is_none_or(|times| *times.start() <= zone.newest && zone.oldest <= *times.end());
        let in_ids = self.ids.is_empty() || {
            let first = self.ids.partition_point(|id| *id < entry_at(span, 0));
            self.ids
                .get(first)
                .is_some_and(|id| *id <= entry_at(span, u16::MAX))
        };
        in_time && in_ids
    }

    /// Returns the clauses for posting lists, most selective first, and whether rows must be
    /// checked as well. For file names rows must always be checked.
    pub(super) fn clauses(&self) -> (Vec<Clause>, bool) {
        let mut clauses = Vec::new();
        let mut verify = self.path.is_some() || self.serials.is_some();
        if !self.ids.is_empty() {
            clauses.push(Clause::Ids(self.ids.clone()));
        }
        let texts = [
            (Field::Serial, &self.serial),
            (Field::Report, &self.report_id),
            (Field::Part, &self.part),
            (Field::Station, &self.station),
            (Field::Process, &self.process),
            (Field::Version, &self.version),
        ];
        for (field, text) in texts {
            if let Some(text) = text {
                verify |= !terms::is_whole(text);
                clauses.push(Clause::Terms(field, vec![terms::text_term(Some(text))]));
            }
        }
        if let Some(JobId(job)) = self.filter.job {
            clauses.push(Clause::Terms(Field::Job, vec![job.to_be_bytes().to_vec()]));
        }
        for (name, value) in &self.filter.meta {
            verify |= !terms::is_whole_meta(name, value);
            clauses.push(Clause::Terms(
                Field::Meta,
                vec![terms::meta_term(name, value)],
            ));
        }
        for label in &self.labels {
            verify |= !terms::is_whole(label);
            let term = terms::text_term(Some(label));
            clauses.push(Clause::Terms(Field::Label, vec![term]));
        }
        if !self.converters.is_empty() {
            verify |= self.converters.iter().any(|name| !terms::is_whole(name));
            let names = self.converters.iter();
            let names = names.map(|name| terms::text_term(Some(name))).collect();
            clauses.push(Clause::Terms(Field::Converter, names));
        }
        if !self.filter.status.is_empty() {
            let statuses = self.filter.status.iter();
            let names = statuses.map(|status| terms::status_term(*status).to_vec());
            clauses.push(Clause::Terms(Field::Status, names.collect()));
        }
        if let Some(failure) = &self.filter.failure {
            clauses.push(Clause::Terms(
                Field::Cause,
                vec![failure.as_bytes().to_vec()],
            ));
        }
        if let Some(makers) = &self.filter.made_by {
            let makers = makers.iter();
            let terms = makers.map(|maker| terms::maker_term(&maker.converter, &maker.id).to_vec());
            clauses.push(Clause::Terms(Field::Maker, terms.collect()));
        }
        match self.filter.suspicious {
            Suspicious::Include => {}
            Suspicious::Only => {
                clauses.push(Clause::Terms(Field::Suspicious, vec![Vec::new()]));
            }
            Suspicious::Exclude => clauses.push(Clause::Without(Field::Suspicious)),
        }
        if self.filter.hold.is_some() {
            clauses.push(Clause::Held(self.holds.clone()));
        }
        if let Some(times) = &self.times {
            clauses.push(Clause::Times(times.clone()));
        }
        if let Some(changed) = &self.changed {
            clauses.push(Clause::Changed(changed.clone()));
        }
        if let Some(text) = &self.text {
            // A text of up to three bytes is decided by trigrams alone, unless it holds the byte
            // that also serves as the end mark.
            verify |= text.len() > 3 || text.contains('\0');
            clauses.push(Clause::Trigrams(text::trigram_ranges(text.as_bytes())));
        }
        if let Some(glob) = &self.file {
            let parts = glob.parts();
            let ranges = parts.iter().filter(|part| part.len() > 2);
            let ranges: Vec<_> = ranges.flat_map(|part| text::trigram_ranges(part)).collect();
            if !ranges.is_empty() {
                clauses.push(Clause::Trigrams(ranges));
            }
        }
        (clauses, verify)
    }

    /// Returns true when a row of an overlay matches. Decodes it only when its marks leave that
    /// open.
    pub(in crate::index) fn takes(&self, id: EntryId, row: &NewRow) -> Result<bool, IndexError> {
        match self.verdict(&row.marks) {
            Some(verdict) => Ok(verdict),
            None => self.matches(id, &row.bytes),
        }
    }

    /// Returns whether a row with these marks matches; `None` when its marks do not say.
    fn verdict(&self, marks: &Marks) -> Option<bool> {
        let is_out = match self.filter.purged {
            Purged::Exclude => marks.is_purged,
            Purged::Include => false,
            Purged::Only => !marks.is_purged,
        };
        let status = &self.filter.status;
        let times = self.times.as_ref();
        let is_out = is_out
            || !(status.is_empty() || status.contains(&marks.status))
            || times.is_some_and(|times| !times.contains(&marks.archived))
            || !self.marks.all.iter().all(|text| marks.may_have(*text))
            || !(self.marks.any.is_empty()
                || self.marks.any.iter().any(|name| marks.may_have(*name)));
        if is_out {
            return Some(false);
        }
        self.marks.decide.then_some(true)
    }

    /// Checks the whole filter against the row of an entry.
    pub(in crate::index) fn matches(&self, id: EntryId, row: &[u8]) -> Result<bool, IndexError> {
        let filter = self.filter;
        if !self.matches_head(id, &rows::decode_head(row)?) {
            return Ok(false);
        }
        let head_says_all = filter.meta.is_empty()
            && filter.hold.is_none()
            && self.path.is_none()
            && self.changed.is_none()
            && filter.job.is_none()
            && filter.failure.is_none()
            && filter.made_by.is_none()
            && filter.suspicious == Suspicious::Include
            && self.report_id.is_none()
            && self.labels.is_empty()
            && self.text.is_none();
        Ok(head_says_all || self.matches_rest(id, &rows::decode(row)?))
    }

    pub(super) fn matches_head(&self, id: EntryId, head: &EntryHead<'_>) -> bool {
        let filter = self.filter;
        let purged = match filter.purged {
            Purged::Exclude => head.purged_at.is_none(),
            Purged::Include => true,
            Purged::Only => head.purged_at.is_some(),
        };
        let archived = head.archived_at.micros();
        purged
            && (self.ids.is_empty() || self.ids.binary_search(&id).is_ok())
            && (filter.status.is_empty() || filter.status.contains(&head.status))
            && self
                .times
                .as_ref()
                .is_none_or(|times| times.contains(&archived))
            && (self.converters.is_empty()
                || self
                    .converters
                    .iter()
                    .any(|name| equals_folded(head.converter, name)))
            && is(self.version.as_ref(), head.converter_version)
            && is(self.serial.as_ref(), head.serial)
            && (self.serials.as_ref())
                .is_none_or(|glob| head.serial.is_some_and(|serial| glob.matches(serial)))
            && is(self.part.as_ref(), head.part)
            && is(self.station.as_ref(), head.station)
            && is(self.process.as_ref(), head.process)
            && self
                .file
                .as_ref()
                .is_none_or(|glob| glob.matches(head.source_name))
    }

    fn matches_rest(&self, id: EntryId, row: &EntryRow<'_>) -> bool {
        let filter = self.filter;
        let has = |name: &str, value: &str| row.meta.contains(&(name, value));
        let labels = row.labels();
        let is_labelled = |wanted: &String| labels.iter().any(|has| equals_folded(has, wanted));
        let is_held = |hold: &Arc<HoldRow>| hold.covers(id, &row.matched_holds);
        let in_period = |period: &RangeInclusive<i64>| {
            let changed = row.source_modified.map(Timestamp::micros);
            changed.is_some_and(|changed| period.contains(&changed))
        };
        filter.meta.iter().all(|(name, value)| has(name, value))
            && (filter.hold.is_none() || self.holds.iter().any(is_held))
            && self.changed.as_ref().is_none_or(in_period)
            && (self.path.as_ref()).is_none_or(|glob| glob.matches(&row.source_path()))
            && match filter.suspicious {
                Suspicious::Include => true,
                Suspicious::Only => row.is_suspicious(),
                Suspicious::Exclude => !row.is_suspicious(),
            }
            && filter
                .failure
                .is_none_or(|id| row.causes().iter().any(|cause| cause.id == id))
            && filter.made_by.as_ref().is_none_or(|makers| {
                let made = row.maker();
                made.is_some_and(|(name, id)| {
                    makers
                        .iter()
                        .any(|maker| maker.id == id && maker.converter == name)
                })
            })
            && self.labels.iter().all(is_labelled)
            && filter
                .job
                .is_none_or(|job| row.attempts.iter().any(|attempt| attempt.job == Some(job)))
            && (self.report_id.is_none()
                || row.reports().any(|report| {
                    report.report_id.is_some() && is(self.report_id.as_ref(), report.report_id)
                }))
            && self.text.as_ref().is_none_or(|wanted| {
                let mut found = false;
                terms::searched_texts(row, |text| found = found || contains_folded(text, wanted));
                found
            })
    }
}

/// Holds by name.
type Holds = BTreeMap<String, Arc<HoldRow>>;

/// Returns the microseconds of a period that includes its start and not its end; `None` when it has
/// neither.
fn period(from: Option<Timestamp>, to: Option<Timestamp>) -> Option<RangeInclusive<i64>> {
    if from.is_none() && to.is_none() {
        return None;
    }
    let from = from.map_or(i64::MIN, Timestamp::micros);
    Some(match to.map(|to| to.micros().checked_sub(1)) {
        None => from..=i64::MAX,
        Some(Some(last)) => from..=last,
        Some(None) => NO_TIME,
    })
}

/// Returns true when there is no condition, or when `text` meets it.
fn is(wanted: Option<&String>, text: Option<&str>) -> bool {
    match (wanted, text) {
        (None, _) => true,
        (Some(wanted), Some(text)) => equals_folded(text, wanted),
        (Some(_), None) => false,
    }
}
