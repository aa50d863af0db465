//! Prints entries as a table, as CSV or as JSON lines, page by page.

use clap::ValueEnum;

use crate::cli::render::{Cell, Column, Style, Table, size};
use crate::cli::run::{Context, Failure};
use crate::entry::{Attempt, Entry, Status};
use crate::query::Filter;
use crate::service::entries::{EntryObject, Formulas, FoundIn, csv_line, csv_title, reason};
use crate::service::time::Zone;

/// How entries are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Output {
    /// The columns people ask for first
    #[default]
    Table,
    /// More columns
    Wide,
    /// Every scalar field, with a header line; a cell that a spreadsheet would run as a formula
    /// begins with '
    Csv,
    /// Like csv, with every cell as it is
    CsvRaw,
}

impl Output {
    /// Returns true for formats meant for programs. They are printed whole and without hints for
    /// people.
    pub(crate) const fn is_csv(self) -> bool {
        matches!(self, Self::Csv | Self::CsvRaw)
    }
}

/// Prints entries in one format, page by page.
pub(crate) struct Listing {
    format: Format,
    zone: Zone,
}

enum Format {
    Json,
    Csv {
        titled: bool,
        escaped: bool,
        formulas: Formulas,
    },
    Table {
        table: Table,
        facts: Vec<Fact>,
    },
}

impl Format {
    fn table(facts: Vec<Fact>, context: &Context<'_>) -> Self {
        let columns: Vec<Column> = facts.iter().map(|fact| fact.column).collect();
        Self::Table {
            table: Table::new(&columns, context.canvas()),
            facts,
        }
    }
}

impl Listing {
    /// Returns a listing in the chosen format. `--json` takes precedence over `output`.
    pub(crate) fn new(context: &Context<'_>, output: Output) -> Self {
        let format = match output {
            _ if context.json() => Format::Json,
            Output::Csv | Output::CsvRaw => Format::Csv {
                titled: false,
                escaped: context.stdout_is_terminal(),
                formulas: if output == Output::Csv {
                    Formulas::Disarmed
                } else {
                    Formulas::Kept
                },
            },
            Output::Table => Format::table(FIRST.to_vec(), context),
            Output::Wide => Format::table(WIDE.to_vec(), context),
        };
        Self {
            format,
            zone: context.zone(),
        }
    }

    /// Adds a column that says why each entry's last attempt did not succeed, in place of the part.
    ///
    /// For listings of entries that did not succeed.
    #[must_use]
    pub(crate) fn with_reasons(mut self, context: &Context<'_>) -> Self {
        if let Format::Table { facts, .. } = &self.format
            && facts.len() == FIRST.len()
        {
            let kept = facts.iter().filter(|fact| fact.column.title() != "PART");
            let facts = kept.copied().chain([WHY]).collect();
            self.format = Format::table(facts, context);
        }
        self
    }

    /// Keeps whole, however narrow the terminal is, what a search for `text` found each entry by.
    #[must_use]
    pub(crate) fn found_by(self, text: &str, entries: &[Entry], context: &Context<'_>) -> Self {
        let found = entries.iter().filter_map(|entry| reason(entry, text));
        let searched = found.filter_map(|reason| column_of(reason.fact)).collect();
        self.keeping(searched, context)
    }

    /// Keeps whole, however narrow the terminal is, what `filter` selects the entries by.
    #[must_use]
    pub(crate) fn selected_by(self, filter: &Filter, context: &Context<'_>) -> Self {
        let searched = [
            (!filter.converter.is_empty(), CONVERTER),
            (filter.serial.is_some(), SERIAL),
            (filter.part.is_some(), PART),
            (filter.station.is_some(), STATION),
            (filter.process.is_some(), PROCESS),
            (!filter.label.is_empty(), LABELS),
            (filter.report_id.is_some(), REPORT_ID),
            (filter.file.is_some(), FILE),
            (filter.path.is_some(), PATH),
        ];
        let searched = searched.into_iter().filter(|(is_searched, _)| *is_searched);
        self.keeping(searched.map(|(_, fact)| fact).collect(), context)
    }

    /// Keeps columns whole, and adds those that are not there yet. Others make room for them.
    fn keeping(mut self, searched: Vec<Fact>, context: &Context<'_>) -> Self {
        if let Format::Table { facts, .. } = &self.format
            && !searched.is_empty()
        {
            self.format = Format::table(with_whole(facts, &searched), context);
        }
        self
    }

    /// Returns the titles of the columns that the terminal had no room for.
    pub(crate) fn dropped(&self) -> Vec<&'static str> {
        match &self.format {
            Format::Table { table, .. } => table.dropped(),
            Format::Json | Format::Csv { .. } => Vec::new(),
        }
    }

    pub(crate) fn print(
        &mut self,
        entries: &[Entry],
        context: &mut Context<'_>,
    ) -> Result<(), Failure> {
        let zone = &self.zone;
        match &mut self.format {
            Format::Json => entries
                .iter()
                .try_for_each(|entry| context.print_json(&EntryObject::new(entry, zone))),
            Format::Csv {
                titled,
                escaped,
                formulas,
            } => {
                let mut text = String::new();
                if !*titled {
                    *titled = true;
                    text.push_str(&csv_title());
                }
                for entry in entries {
                    csv_line(entry, zone, *escaped, *formulas, &mut text);
                }
                context.print(text)
            }
            Format::Table { table, facts } => {
                let rows: Vec<_> = entries
                    .iter()
                    .map(|entry| row(entry, zone, facts))
                    .collect();
                context.print(table.page(&rows))
            }
        }
    }
}

/// A column of a listing, and what an entry has there.
#[derive(Debug, Clone, Copy)]
struct Fact {
    column: Column,
    cell: fn(&Entry, &Zone) -> Cell,
}

const fn fact(column: Column, cell: fn(&Entry, &Zone) -> Cell) -> Fact {
    Fact { column, cell }
}

const ID: Fact = fact(Column::right("ID"), |entry, _| {
    Cell::new(entry.id.to_string())
});
const ARCHIVED: Fact = fact(Column::left("ARCHIVED").dropped(5), |entry, zone| {
    Cell::new(zone.short(entry.archived_at))
});
const STATUS: Fact = fact(Column::left("STATUS").dropped(2), |entry, _| {
    status_cell(entry)
});
const CONVERTER: Fact = fact(Column::clipped("CONVERTER").dropped(4), |entry, _| {
    Cell::new(&entry.converter)
});
const VERSION: Fact = fact(Column::clipped("VERSION").dropped(10), |entry, _| {
    Cell::maybe(entry.converter_version.as_deref())
});
const SERIAL: Fact = fact(Column::left("SERIAL").key(), |entry, _| {
    Cell::maybe(entry.unit.serial.as_deref())
});
const PART: Fact = fact(Column::clipped("PART").dropped(6), |entry, _| {
    Cell::maybe(entry.unit.part.as_deref())
});
const STATION: Fact = fact(Column::clipped("STATION").dropped(7), |entry, _| {
    Cell::maybe(entry.unit.station.as_deref())
});
const PROCESS: Fact = fact(Column::clipped("PROCESS").dropped(9), |entry, _| {
    Cell::maybe(entry.unit.process.as_deref())
});
const SIZE: Fact = fact(Column::right("SIZE").dropped(8), |entry, _| {
    Cell::new(size(entry.size))
});
const LABELS: Fact = fact(Column::clipped("LABELS").dropped(11), |entry, _| {
    Cell::maybe((!entry.labels.is_empty()).then(|| entry.labels.join(", ")))
});
const ATTEMPTS: Fact = fact(Column::right("ATTEMPTS").dropped(13), |entry, _| {
    Cell::new(entry.attempts.len().to_string())
});
const REPORT_ID: Fact = fact(Column::clipped("REPORT ID").dropped(12), |entry, _| {
    Cell::maybe(entry.report_id.as_deref())
});
const BLAKE3: Fact = fact(Column::left("BLAKE3").dropped(14), |entry, _| {
    Cell::new(format!("{entry:.12}", entry = entry.blake3))
});
const FILE: Fact = fact(Column::clipped("FILE").dropped(3), |entry, _| {
    Cell::new(&entry.source_name)
});
const PATH: Fact = fact(Column::clipped("PATH").dropped(15), |entry, _| {
    Cell::new(&entry.source_path)
});
const WHY: Fact = fact(Column::text("WHY"), |entry, _| {
    Cell::maybe(entry.attempts.last().and_then(why))
});

/// The most important columns.
const FIRST: [Fact; 8] = [ID, ARCHIVED, STATUS, CONVERTER, SERIAL, PART, SIZE, FILE];

/// All columns.
const WIDE: [Fact; 16] = [
    ID, ARCHIVED, STATUS, CONVERTER, VERSION, SERIAL, PART, STATION, PROCESS, SIZE, LABELS,
    ATTEMPTS, REPORT_ID, BLAKE3, FILE, PATH,
];

fn row(entry: &Entry, zone: &Zone, facts: &[Fact]) -> Vec<Cell> {
    facts.iter().map(|fact| (fact.cell)(entry, zone)).collect()
}

/// Returns `facts` with those that were searched for among them and never cut.
fn with_whole(facts: &[Fact], searched: &[Fact]) -> Vec<Fact> {
    let mut facts = facts.to_vec();
    for fact in searched {
        let title = fact.column.title();
        if facts.iter().any(|fact| fact.column.title() == title) {
            continue;
        }
        // Paths are longest, and what stands last goes on below its row. Sentences stay last.
        let is_sentence = facts
            .last()
            .is_some_and(|last| last.column.title() == "WHY");
        let at = if title == "PATH" && !is_sentence {
            facts.len()
        } else {
            facts.len() - 1
        };
        facts.insert(at, *fact);
    }
    for fact in &mut facts {
        let title = fact.column.title();
        if searched
            .iter()
            .any(|searched| searched.column.title() == title)
        {
            fact.column = fact.column.key();
        } else if title == "SERIAL" {
            fact.column = fact.column.dropped(1);
        }
    }
    facts
}

/// Returns the column that shows what a search looked at.
const fn column_of(fact: FoundIn) -> Option<Fact> {
    match fact {
        FoundIn::Serial => Some(SERIAL),
        FoundIn::Part => Some(PART),
        FoundIn::File => Some(FILE),
        FoundIn::ReportId => Some(REPORT_ID),
        FoundIn::Corrected | FoundIn::Id | FoundIn::Source | FoundIn::Report => None,
    }
}

/// Returns why an attempt did not succeed, or why its result is suspicious.
fn why(attempt: &Attempt) -> Option<String> {
    let suspicious = (!attempt.suspicious.is_empty()).then(|| attempt.suspicious.join("; "));
    attempt.error.clone().or(suspicious)
}

/// Returns the entry's status cell: "purged", or the status, with "suspicious" for a suspicious
/// result and "held" for an entry on hold.
pub(crate) fn status_cell(entry: &Entry) -> Cell {
    if entry.purged_at.is_some() {
        return Cell::new("purged").style(Style::Dim);
    }
    let facts = if entry.facts_only { ", facts only" } else { "" };
    let held = if entry.holds.is_empty() { "" } else { ", held" };
    let made = entry
        .attempts
        .iter()
        .any(|attempt| !attempt.reports.is_empty());
    let part = if entry.source_purge().is_some() {
        ", no source"
    } else if made && entry.attempts_with_reports().next().is_none() {
        ", no reports"
    } else {
        ""
    };
    let (suspicious, style) = match (entry.is_suspicious(), entry.status) {
        (true, Status::Success) => (", suspicious", Style::Warn),
        (true, status) => (", suspicious", status_style(status)),
        (false, status) => ("", status_style(status)),
    };
    Cell::new(format!("{}{suspicious}{facts}{held}{part}", entry.status)).style(style)
}

pub(crate) const fn status_style(status: Status) -> Style {
    match status {
        Status::Pending => Style::Plain,
        Status::Success => Style::Good,
        Status::Failed | Status::Rejected => Style::Bad,
        Status::Suspended | Status::Skipped => Style::Warn,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::render::Canvas;
    use crate::service::entries::sample;

    /// `list --part 118-4402` showed no part, and `list --file '*0033*'` cut the names.
    #[test]
    fn what_was_searched_for_is_never_cut() {
        let mut entry = sample();
        entry.source_name = "TEST-K2510-00331-retest.xml".into();
        entry.source_path = "/data/line3/2026-03/TEST-K2510-00331-retest.xml".into();
        for wide in [40, 80] {
            for (searched, whole) in [
                (&[FILE][..], &[entry.source_name.as_str()][..]),
                (&[PATH], &[entry.source_path.as_str()]),
                (&[PART], &["PART", "PCB-7"]),
                (&[STATION], &["STATION"]),
                (&[PART, SERIAL], &["PCB-7", "SN1042"]),
            ] {
                let facts = with_whole(&FIRST, searched);
                let columns: Vec<Column> = facts.iter().map(|fact| fact.column).collect();
                let canvas = Canvas {
                    colour: false,
                    width: Some(wide),
                };
                let rows = [row(&entry, &Zone::Utc, &facts)];
                let page = Table::new(&columns, canvas).page(&rows);
                for text in whole {
                    assert!(page.contains(text), "{text} at {wide}:\n{page}");
                }
            }
        }
    }

    #[test]
    fn a_listing_is_one_line_an_entry_and_lines_up() {
        let plain = Canvas {
            colour: false,
            width: None,
        };
        let mut hostile = sample();
        hostile.source_name = "a\u{1b}[31m\nb.csv".into();
        hostile.holds.clear();
        hostile.status = Status::Failed;
        let entries = [sample(), hostile];
        let rows: Vec<_> = entries.iter().map(|e| row(e, &Zone::Utc, &FIRST)).collect();
        let page = Table::new(&FIRST.map(|fact| fact.column), plain).page(&rows);
        assert_eq!(
            page,
            "  ID  ARCHIVED              STATUS         CONVERTER  SERIAL  PART      SIZE  FILE\n\
             4711  2026-03-01 07:30:00Z  success, held  ICT CSV    SN1042  PCB-7  5.0 KiB  SN1042.csv\n\
             4711  2026-03-01 07:30:00Z  failed         ICT CSV    SN1042  PCB-7  5.0 KiB  a\\x1b[31m\\x0ab.csv\n"
        );
    }
}
