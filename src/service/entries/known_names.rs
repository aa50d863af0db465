//! Finds the name that somebody means who filters by one that no entry has.

use std::collections::BTreeSet;

use crate::Result;
use crate::archive::Snapshot;
use crate::convert::suggest;
use crate::entry::Entry;
use crate::index::fold;
use crate::query::{Direction, Filter, Held, Purged, Query, Sort, SortField};

/// Entries that are read at a time.
const PAGE: usize = 1_000;

/// How many pages of the newest entries are searched for the name that is meant.
const PAGES_MAX: usize = 20;

/// Most names that are listed where none is similar.
const LISTED_MAX: usize = 6;

/// Fewest letters that count as the beginning of a name.
const BEGINNING_MIN: usize = 2;

/// Returns the question that a wrong name leads to: a name that begins with it, or else the most
/// similar one.
pub(super) fn did_you_mean<'a>(
    wrong: &str,
    known: impl Iterator<Item = &'a str> + Clone,
) -> Option<String> {
    let beginning = fold(wrong.trim_end_matches('*')).into_owned();
    let is_longer = |name: &&str| fold(name).starts_with(&beginning);
    let begun: Vec<&str> = if beginning.chars().count() < BEGINNING_MIN {
        Vec::new()
    } else {
        known.clone().filter(is_longer).collect()
    };
    let meant = match begun[..] {
        [] => format!("'{}'", suggest(wrong, known)?),
        [one] => format!("'{one}'"),
        [one, other, ..] => format!("'{one}' or '{other}'"),
    };
    Some(format!("did you mean {meant}?"))
}

/// A name that a filter asks for.
struct Wanted<'a> {
    kind: &'static str,
    name: &'a str,
    /// Asks for this name and for nothing else.
    alone: Filter,
    /// The names of this kind that an entry has.
    names: fn(&Entry) -> Vec<&str>,
}

/// Says which name of a filter no entry has, and which is meant. Returns `None` when all are known.
pub(super) fn unknown_name(filter: &Filter, snapshot: &Snapshot) -> Result<Option<String>> {
    for wanted in wanted(filter) {
        if snapshot.count_up_to(&wanted.alone, 1)?.n == 0 {
            let known = newest_names(wanted.names, snapshot)?;
            return Ok(Some(told(wanted.kind, wanted.name, &known)));
        }
    }
    Ok(None)
}

fn wanted(filter: &Filter) -> Vec<Wanted<'_>> {
    let all = || Filter::default().purged(Purged::Include);
    let mut wanted: Vec<Wanted<'_>> = Vec::new();
    if let Some(hold @ Held::By(name)) = &filter.hold {
        wanted.push(Wanted {
            kind: "hold",
            name,
            alone: all().hold(hold.clone()),
            names: |entry| entry.holds.iter().map(String::as_str).collect(),
        });
    }
    wanted.extend(filter.label.iter().map(|name| Wanted {
        kind: "label",
        name,
        alone: all().label(name),
        names: |entry| entry.labels.iter().map(String::as_str).collect(),
    }));
    wanted.extend(filter.station.iter().map(|name| Wanted {
        kind: "station",
        name,
        alone: all().station(name),
        names: |entry| entry.unit.station.as_deref().into_iter().collect(),
    }));
    wanted.extend(filter.process.iter().map(|name| Wanted {
        kind: "process",
        name,
        alone: all().process(name),
        names: |entry| entry.unit.process.as_deref().into_iter().collect(),
    }));
    wanted
}

/// Returns the names of a kind that the newest entries have.
fn newest_names(names: fn(&Entry) -> Vec<&str>, snapshot: &Snapshot) -> Result<BTreeSet<String>> {
    let newest_first = Sort {
        field: SortField::Id,
        direction: Direction::Desc,
    };
    let mut query = Query::default()
        .filter(Filter::default().purged(Purged::Include))
        .sort(newest_first)
        .limit(PAGE);
    let mut known = BTreeSet::new();
    for _ in 0..PAGES_MAX {
        let page = snapshot.query(&query)?;
        for name in page.entries.iter().flat_map(names) {
            if !known.contains(name) {
                known.insert(name.to_owned());
            }
        }
        query.after = page.next;
        if query.after.is_none() {
            break;
        }
    }
    Ok(known)
}

fn told(kind: &str, wrong: &str, known: &BTreeSet<String>) -> String {
    let names = known.iter().map(String::as_str);
    let said = format!("no entry has the {kind} '{wrong}'");
    match did_you_mean(wrong, names.clone()) {
        Some(question) => format!("{said}; {question}"),
        None if known.is_empty() => format!("{said}, and none has any {kind}"),
        None => {
            let listed: Vec<String> = names
                .take(LISTED_MAX)
                .map(|name| format!("'{name}'"))
                .collect();
            let more = if known.len() > LISTED_MAX {
                ", ..."
            } else {
                ""
            };
            format!("{said}; there are {}{more}", listed.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `list -c ict` said that there is no such converter, and not that 'ICT CSV' is one.
    #[test]
    fn a_beginning_leads_to_the_names_that_begin_so() {
        let known = ["FCT", "ICT CSV", "ICT XML", "recall-26-04"];
        for (wrong, expected) in [
            ("recall", Some("did you mean 'recall-26-04'?")),
            ("ict", Some("did you mean 'ICT CSV' or 'ICT XML'?")),
            ("ICT*", Some("did you mean 'ICT CSV' or 'ICT XML'?")),
            ("ICT CVS", Some("did you mean 'ICT CSV'?")),
            ("recall-26-05", Some("did you mean 'recall-26-04'?")),
            ("*", None),
            ("solder paste", None),
        ] {
            assert_eq!(
                did_you_mean(wrong, known.into_iter()).as_deref(),
                expected,
                "{wrong}"
            );
        }
    }

    #[test]
    fn where_no_name_is_similar_the_first_ones_are_listed() {
        let known: BTreeSet<String> = ["FCT-01", "FCT-02"].map(str::to_owned).into();
        assert_eq!(
            told("station", "solder paste", &known),
            "no entry has the station 'solder paste'; there are 'FCT-01', 'FCT-02'"
        );
        assert_eq!(
            told("label", "x", &BTreeSet::new()),
            "no entry has the label 'x', and none has any label"
        );
    }
}
