//! Generators of filters and orders, and the answers that the model gives.

use proptest::prelude::*;
use proptest::sample::select;

use super::facts::*;
use crate::entry::{Cause, CauseKind, Entry, FactName, Outcome, Status};
use crate::id::{ConverterId, JobId};
use crate::index::text::fold;
use crate::index::*;
use crate::query::{Direction, Filter, Held, Maker, Purged, Query, Sort, SortField, Suspicious};
use crate::time::Timestamp;

pub(super) fn filters() -> impl Strategy<Value = Filter> {
    let one = prop_oneof![
        proptest::collection::vec(some_id(), 1..5).prop_map(|ids| Filter {
            ids,
            ..Filter::default()
        }),
        proptest::collection::vec(text(CONVERTERS), 1..3).prop_map(|converter| Filter {
            converter,
            ..Filter::default()
        }),
        text(&["1.4", "1.5"]).prop_map(|version| Filter {
            converter_version: Some(version),
            ..Filter::default()
        }),
        proptest::collection::vec(select(Status::ALL.to_vec()), 1..3).prop_map(|status| Filter {
            status,
            ..Filter::default()
        }),
        (-5_000_000_000_i64..200_000_000_000).prop_map(|micros| Filter {
            from: Some(Timestamp::from_micros(micros)),
            ..Filter::default()
        }),
        prop_oneof![-5_000_000_000_i64..200_000_000_000, Just(i64::MIN)].prop_map(|micros| {
            Filter {
                to: Some(Timestamp::from_micros(micros)),
                ..Filter::default()
            }
        }),
        file_time().prop_map(|from| Filter {
            file_time_from: Some(from),
            ..Filter::default()
        }),
        file_time().prop_map(|to| Filter {
            file_time_to: Some(to),
            ..Filter::default()
        }),
        text(&["*", "audit", "q7", "none"]).prop_map(|name| Filter {
            hold: Some(Held::from(name)),
            ..Filter::default()
        }),
        text(SERIALS).prop_map(|serial| Filter {
            serial: Some(serial),
            ..Filter::default()
        }),
        text(PARTS).prop_map(|part| Filter {
            part: Some(part),
            ..Filter::default()
        }),
        text(STATIONS).prop_map(|station| Filter {
            station: Some(station),
            ..Filter::default()
        }),
        text(&["10", "30"]).prop_map(|process| Filter {
            process: Some(process),
            ..Filter::default()
        }),
        text(&[
            "*.csv",
            "a*",
            "*",
            "?.CSV",
            "unit-00[0-2]?.csv",
            "*sn*26*",
            "",
            "*[!v]",
            "[[]x]",
            "*that*1"
        ])
        .prop_map(|file| Filter {
            file: Some(file),
            ..Filter::default()
        }),
        (text(&["line", "Shift"]), text(&["1", "Night", "night"])).prop_map(|pair| Filter {
            meta: vec![pair],
            ..Filter::default()
        }),
        proptest::collection::vec(text(LABELS), 1..3).prop_map(|label| Filter {
            label,
            ..Filter::default()
        }),
        (1_u64..20).prop_map(|job| Filter {
            job: Some(JobId(job)),
            ..Filter::default()
        }),
        text(REPORT_IDS).prop_map(|id| Filter {
            report_id: Some(id),
            ..Filter::default()
        }),
        text(&[
            "sn", "SN-1", "limit", "retest", "x", "ärg", "ü", "night", "", "26.", "time", "\0",
            "οσ", "0001"
        ])
        .prop_map(|text| Filter {
            text: Some(text),
            ..Filter::default()
        }),
        select(vec![Suspicious::Only, Suspicious::Exclude]).prop_map(|suspicious| Filter {
            suspicious,
            ..Filter::default()
        }),
        (text(MAKERS), text(ERRORS), any::<bool>()).prop_map(|(converter, error, failed)| {
            let kind = if failed {
                CauseKind::Failed
            } else {
                CauseKind::Suspicious
            };
            Filter {
                failure: Some(Cause::of(&converter, kind, &error, &[]).id),
                ..Filter::default()
            }
        }),
        proptest::collection::vec((text(MAKERS), 0_u8..3), 0..3).prop_map(|makers| Filter {
            made_by: Some(makers.into_iter().map(maker).collect()),
            ..Filter::default()
        }),
        Just(Filter::default()),
    ];
    let purged = select(vec![Purged::Exclude, Purged::Include, Purged::Only]);
    (one.clone(), proptest::option::of(one), purged).prop_map(|(first, second, purged)| {
        let second = second.unwrap_or_default();
        let either = |a: Option<String>, b| a.or(b);
        Filter {
            ids: [first.ids, second.ids].concat(),
            converter: [first.converter, second.converter].concat(),
            converter_version: either(first.converter_version, second.converter_version),
            status: [first.status, second.status].concat(),
            from: first.from.or(second.from),
            to: first.to.or(second.to),
            file_time_from: first.file_time_from.or(second.file_time_from),
            file_time_to: first.file_time_to.or(second.file_time_to),
            hold: first.hold.or(second.hold),
            serial: either(first.serial, second.serial),
            part: either(first.part, second.part),
            station: either(first.station, second.station),
            process: either(first.process, second.process),
            file: either(first.file, second.file),
            path: None,
            meta: [first.meta, second.meta].concat(),
            label: [first.label, second.label].concat(),
            job: first.job.or(second.job),
            report_id: either(first.report_id, second.report_id),
            text: either(first.text, second.text),
            failure: first.failure.or(second.failure),
            made_by: first.made_by.or(second.made_by),
            suspicious: match first.suspicious {
                Suspicious::Include => second.suspicious,
                first => first,
            },
            purged,
        }
    })
}

fn maker((converter, byte): (String, u8)) -> Maker {
    let id = ConverterId::from_bytes([byte; 32]);
    Maker { converter, id }
}

pub(super) fn same(a: Option<&str>, b: &str) -> bool {
    a.is_some_and(|a| fold(a) == fold(b))
}

/// Returns true when a pattern matches a name, by trying every possibility.
pub(super) fn fits(pattern: &[char], name: &[char]) -> bool {
    match (pattern, name) {
        ([], []) => true,
        (['*', rest @ ..], _) => {
            fits(rest, name) || (!name.is_empty() && fits(pattern, &name[1..]))
        }
        (['?', rest @ ..], [_, name @ ..]) => fits(rest, name),
        (['[', '!', a, ']', rest @ ..], [n, name @ ..]) => a != n && fits(rest, name),
        (['[', a, '-', b, ']', rest @ ..], [n, name @ ..]) => {
            (a..=b).contains(&n) && fits(rest, name)
        }
        (['[', a, ']', rest @ ..] | [a, rest @ ..], [n, name @ ..]) => a == n && fits(rest, name),
        _ => false,
    }
}

/// Returns the serials and parts that notes corrected.
fn former(entry: &Entry) -> Vec<String> {
    let changes = entry.notes.iter().flat_map(|note| &note.changes);
    changes
        .filter(|change| matches!(change.fact, FactName::Serial | FactName::Part))
        .filter_map(|change| change.old.clone())
        .collect()
}

pub(super) fn selects(filter: &Filter, entry: &Entry) -> bool {
    let unit = &entry.unit;
    let is = |wanted: &Option<String>, has: Option<&str>| {
        wanted.as_ref().is_none_or(|wanted| same(has, wanted))
    };
    let letters = |text: &str| fold(text).chars().collect::<Vec<_>>();
    let mut texts = vec![
        Some(&entry.source_name),
        unit.serial.as_ref(),
        unit.part.as_ref(),
    ];
    texts.extend(entry.attempts.iter().map(|attempt| attempt.error.as_ref()));
    texts.extend(entry.meta.values().map(Some));
    let former = former(entry);
    texts.extend(entry.notes.iter().map(|note| note.text.as_ref()));
    texts.extend(former.iter().map(Some));
    let changed = entry.source_modified.map(Timestamp::micros);
    let mut reports = entry.attempts.iter().flat_map(|attempt| &attempt.reports);
    (match filter.purged {
        Purged::Exclude => entry.purged_at.is_none(),
        Purged::Include => true,
        Purged::Only => entry.purged_at.is_some(),
    }) && (filter.ids.is_empty() || filter.ids.contains(&entry.id))
        && (filter.converter.is_empty()
            || filter
                .converter
                .iter()
                .any(|name| same(Some(&entry.converter), name)))
        && is(
            &filter.converter_version,
            entry.converter_version.as_deref(),
        )
        && (filter.status.is_empty() || filter.status.contains(&entry.status))
        && filter
            .from
            .is_none_or(|from| entry.archived_at.micros() >= from.micros())
        && filter
            .to
            .is_none_or(|to| entry.archived_at.micros() < to.micros())
        && filter
            .file_time_from
            .is_none_or(|from| changed.is_some_and(|changed| changed >= from.micros()))
        && filter
            .file_time_to
            .is_none_or(|to| changed.is_some_and(|changed| changed < to.micros()))
        && filter.hold.as_ref().is_none_or(|held| match held {
            Held::Any => !entry.holds.is_empty(),
            Held::By(name) => entry.holds.iter().any(|has| same(Some(has), name)),
        })
        && is(&filter.serial, unit.serial.as_deref())
        && is(&filter.part, unit.part.as_deref())
        && is(&filter.station, unit.station.as_deref())
        && is(&filter.process, unit.process.as_deref())
        && filter
            .file
            .as_ref()
            .is_none_or(|file| fits(&letters(file), &letters(&entry.source_name)))
        && filter
            .meta
            .iter()
            .all(|(name, value)| entry.meta.get(name) == Some(value))
        && filter
            .label
            .iter()
            .all(|wanted| entry.labels.iter().any(|has| same(Some(has), wanted)))
        && match filter.suspicious {
            Suspicious::Include => true,
            Suspicious::Only => entry.is_suspicious(),
            Suspicious::Exclude => !entry.is_suspicious(),
        }
        && filter
            .failure
            .is_none_or(|id| entry.causes().iter().any(|cause| cause.id == id))
        && filter.made_by.as_ref().is_none_or(|makers| {
            let mut made = entry.attempts.iter().rev();
            let made = made.find(|attempt| attempt.status == Outcome::Success);
            made.is_some_and(|made| {
                makers.iter().any(|maker| {
                    maker.converter == made.converter && Some(maker.id) == made.converter_id
                })
            })
        })
        && filter.job.is_none_or(|job| {
            entry
                .attempts
                .iter()
                .any(|attempt| attempt.job == Some(job))
        })
        && filter
            .report_id
            .as_ref()
            .is_none_or(|wanted| reports.any(|report| same(report.report_id.as_deref(), wanted)))
        && filter.text.as_ref().is_none_or(|wanted| {
            wanted.is_empty()
                || texts
                    .iter()
                    .flatten()
                    .any(|text| fold(text).contains(&*fold(wanted)))
        })
}

pub(super) fn in_order(mut entries: Vec<Entry>, sort: Sort) -> Vec<Entry> {
    let text = |text: Option<&str>| match text {
        None => (true, 0, Vec::new()),
        Some(text) => {
            let mut bytes = fold(text).into_owned().into_bytes();
            bytes.truncate(terms::TERM_BYTES_MAX);
            (false, 0, bytes)
        }
    };
    entries.sort_by_cached_key(|entry| {
        let value = match sort.field {
            SortField::Id => text(None),
            SortField::ArchivedAt => (false, i128::from(entry.archived_at.micros()), Vec::new()),
            SortField::Converter => text(Some(&entry.converter)),
            SortField::SourceName => text(Some(&entry.source_name)),
            SortField::Status => text(Some(entry.status.name())),
            SortField::Size => (false, i128::from(entry.size), Vec::new()),
            SortField::Serial => text(entry.unit.serial.as_deref()),
            SortField::Part => text(entry.unit.part.as_deref()),
            SortField::Station => text(entry.unit.station.as_deref()),
            SortField::Process => text(entry.unit.process.as_deref()),
        };
        (value, entry.id)
    });
    if sort.direction == Direction::Desc {
        entries.reverse();
    }
    entries
}

/// Returns how an entry matches a word: 0 in full, 1 by prefix, 2 by the end of a serial, `None`
/// not at all.
pub(super) fn answers(entry: &Entry, word: &str) -> Option<usize> {
    let word = fold(word);
    let reports = || entry.attempts.iter().flat_map(|attempt| &attempt.reports);
    let mut texts = vec![
        Some(entry.source_name.clone()),
        entry.unit.serial.clone(),
        entry.unit.part.clone(),
    ];
    texts.extend(reports().map(|report| report.report_id.clone()));
    texts.extend(former(entry).into_iter().map(Some));
    if word.len() >= 6 {
        texts.extend(reports().map(|report| Some(report.sha256.to_string())));
        texts.push(Some(entry.blake3.to_string()));
        texts.push(Some(entry.sha256.to_string()));
        texts.extend(reports().map(|report| Some(report.blake3.to_string())));
    }
    let texts: Vec<String> = texts
        .iter()
        .flatten()
        .map(|text| fold(text).into_owned())
        .collect();
    if texts.iter().any(|text| *text == word) || entry.id.to_string() == word {
        return Some(0);
    }
    if texts.iter().any(|text| text.starts_with(&*word)) {
        return Some(1);
    }
    let changes = entry.notes.iter().flat_map(|note| &note.changes);
    let serials = changes.filter(|change| change.fact == FactName::Serial);
    let mut serials = serials.filter_map(|change| change.old.as_ref());
    let ends = |serial: &String| fold(serial).ends_with(&*word);
    let ended = entry.unit.serial.iter().any(ends) || serials.any(ends);
    (word.chars().count() >= 4 && ended).then_some(2)
}

pub(super) fn sorts() -> impl Strategy<Value = Sort> {
    (
        select(SortField::ALL.to_vec()),
        select(vec![Direction::Asc, Direction::Desc]),
    )
        .prop_map(|(field, direction)| Sort { field, direction })
}

pub(super) fn whole(view: &View, filter: &Filter, sort: Sort) -> Vec<Entry> {
    let query = Query {
        filter: filter.clone(),
        sort,
        limit: None,
        ..Query::default()
    };
    let page = view.query(&query).expect("sound");
    assert_eq!(page.next, None, "a listing without a limit has one page");
    page.entries
}

pub(super) fn paged(view: &View, filter: &Filter, sort: Sort, limit: usize) -> Vec<Entry> {
    let mut query = Query {
        filter: filter.clone(),
        sort,
        limit: Some(limit),
        ..Query::default()
    };
    let mut all = Vec::new();
    loop {
        let page = view.query(&query).expect("sound");
        assert!(page.entries.len() <= limit);
        all.extend(page.entries);
        match page.next {
            None => return all,
            next => query.after = next,
        }
    }
}
