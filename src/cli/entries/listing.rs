//! Prints entries as a table, as CSV or as JSON lines, page by page.

use clap::ValueEnum;

use crate::cli::render::{Cell, Column, Style, Table, size};
use crate::cli::run::{Context, Failure};
use crate::entry::{Attempt, Entry, Status};
use crate::service::entries::{EntryObject, Formulas, csv_line, csv_title};
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

/// The columns of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Columns {
    /// The most important columns.
    First,
    /// The most important columns, and why the last attempt did not succeed.
    Why,
    /// All columns that fit a wide terminal.
    Wide,
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
        columns: Columns,
    },
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
            Output::Table => Format::Table {
                table: Table::new(&COLUMNS, context.canvas()),
                columns: Columns::First,
            },
            Output::Wide => Format::Table {
                table: Table::new(&WIDE_COLUMNS, context.canvas()),
                columns: Columns::Wide,
            },
        };
        Self {
            format,
            zone: context.zone(),
        }
    }

    /// Adds a column that says why each entry's last attempt did not succeed.
    ///
    /// For listings of entries that did not succeed.
    #[must_use]
    pub(crate) fn with_reasons(mut self, context: &Context<'_>) -> Self {
        if let Format::Table {
            columns: Columns::First,
            ..
        } = self.format
        {
            self.format = Format::Table {
                table: Table::new(&WHY_COLUMNS, context.canvas()),
                columns: Columns::Why,
            };
        }
        self
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
            Format::Table { table, columns } => {
                let rows: Vec<_> = entries
                    .iter()
                    .map(|entry| row(entry, zone, *columns))
                    .collect();
                context.print(table.page(&rows))
            }
        }
    }
}

const COLUMNS: [Column; 8] = [
    Column::right("ID"),
    Column::left("ARCHIVED"),
    Column::left("STATUS"),
    Column::clipped("CONVERTER"),
    Column::clipped("SERIAL"),
    Column::clipped("PART"),
    Column::right("SIZE"),
    Column::clipped("FILE"),
];

const WHY_COLUMNS: [Column; 8] = [
    Column::right("ID"),
    Column::left("ARCHIVED"),
    Column::left("STATUS"),
    Column::clipped("CONVERTER"),
    Column::clipped("SERIAL"),
    Column::right("SIZE"),
    Column::clipped("FILE"),
    Column::clipped("WHY"),
];

const WIDE_COLUMNS: [Column; 15] = [
    Column::right("ID"),
    Column::left("ARCHIVED"),
    Column::left("STATUS"),
    Column::clipped("CONVERTER"),
    Column::clipped("VERSION"),
    Column::clipped("SERIAL"),
    Column::clipped("PART"),
    Column::clipped("STATION"),
    Column::clipped("PROCESS"),
    Column::right("SIZE"),
    Column::clipped("LABELS"),
    Column::right("ATTEMPTS"),
    Column::clipped("REPORT ID"),
    Column::left("BLAKE3"),
    Column::clipped("FILE"),
];

fn row(entry: &Entry, zone: &Zone, columns: Columns) -> Vec<Cell> {
    let wide = columns == Columns::Wide;
    let mut row = vec![
        Cell::new(entry.id.to_string()),
        Cell::new(zone.short(entry.archived_at)),
        status_cell(entry),
        Cell::new(&entry.converter),
    ];
    if wide {
        row.push(Cell::maybe(entry.converter_version.as_deref()));
    }
    row.push(Cell::maybe(entry.unit.serial.as_deref()));
    if columns != Columns::Why {
        row.push(Cell::maybe(entry.unit.part.as_deref()));
    }
    if wide {
        row.push(Cell::maybe(entry.unit.station.as_deref()));
        row.push(Cell::maybe(entry.unit.process.as_deref()));
    }
    row.push(Cell::new(size(entry.size)));
    if wide {
        let labels = (!entry.labels.is_empty()).then(|| entry.labels.join(", "));
        row.push(Cell::maybe(labels));
        row.push(Cell::new(entry.attempts.len().to_string()));
        row.push(Cell::maybe(entry.report_id.as_deref()));
        row.push(Cell::new(format!("{entry:.12}", entry = entry.blake3)));
    }
    row.push(Cell::new(&entry.source_name));
    if columns == Columns::Why {
        let last = entry.attempts.last();
        row.push(Cell::maybe(last.and_then(why)));
    }
    row
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
        let rows: Vec<_> = entries
            .iter()
            .map(|e| row(e, &Zone::Utc, Columns::First))
            .collect();
        let page = Table::new(&COLUMNS, plain).page(&rows);
        assert_eq!(
            page,
            "  ID  ARCHIVED              STATUS         CONVERTER  SERIAL  PART      SIZE  FILE\n\
             4711  2026-03-01 07:30:00Z  success, held  ICT CSV    SN1042  PCB-7  5.0 KiB  SN1042.csv\n\
             4711  2026-03-01 07:30:00Z  failed         ICT CSV    SN1042  PCB-7  5.0 KiB  a\\x1b[31m\\x0ab.csv\n"
        );
        for (titles, columns) in [
            (&COLUMNS[..], Columns::First),
            (&WHY_COLUMNS[..], Columns::Why),
            (&WIDE_COLUMNS[..], Columns::Wide),
        ] {
            assert_eq!(row(&sample(), &Zone::Utc, columns).len(), titles.len());
        }
    }
}
