//! Prints entries as a table, as CSV or as JSON lines, page by page.

use clap::ValueEnum;

use super::entry_object::EntryObject;
use super::selection::{nothing_selected, refuse_unknown_converters};
use crate::Result;
use crate::archive::Snapshot;
use crate::cli::render::{Cell, Column, Style, Table, escape, size};
use crate::cli::run::{Context, Failure};
use crate::entry::{Attempt, Entry, Meta, Status};
use crate::id::EntryId;
use crate::query::{Cursor, Filter, Query, Sort};
use crate::service::time::Zone;

/// Most entries held in memory at a time.
const PAGE: usize = 1_000;

/// Visits the result of `query` page by page.
///
/// Returns the cursor to continue from when the query's limit cut the result short.
pub(crate) fn each_page(
    snapshot: &Snapshot,
    mut query: Query,
    mut page: impl FnMut(&[Entry]) -> Result<(), Failure>,
) -> Result<Option<Cursor>, Failure> {
    let mut left = query.limit;
    loop {
        query.limit = Some(left.map_or(PAGE, |left| left.min(PAGE)));
        let found = snapshot.query(&query)?;
        page(&found.entries)?;
        left = left.map(|left| left.saturating_sub(found.entries.len()));
        match found.next {
            Some(next) if left != Some(0) && !found.entries.is_empty() => {
                query.after = Some(next);
                query.offset = 0;
            }
            next => return Ok(next),
        }
    }
}

/// Returns the ids of all entries that `filter` selects, in the order of a listing.
///
/// # Errors
/// `NotFound` if it selects none, or if it names an unknown converter.
pub(crate) fn selected_ids(
    filter: Filter,
    snapshot: &Snapshot,
    context: &Context<'_>,
) -> Result<Vec<EntryId>> {
    refuse_unknown_converters(&filter, snapshot, context.configuration().ok().as_ref())?;
    let ids = snapshot.ids(&filter, Sort::default())?;
    if ids.is_empty() {
        return Err(nothing_selected());
    }
    Ok(ids)
}

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

/// How a cell is treated that a spreadsheet would take for a formula.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Formulas {
    /// An apostrophe before it makes the cell text.
    Disarmed,
    Kept,
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
                    text.push_str(&CSV_FIELDS.join(","));
                    text.push_str("\r\n");
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

const CSV_FIELDS: [&str; 24] = [
    "id",
    "archived_at",
    "status",
    "converter",
    "converter_version",
    "serial",
    "part",
    "station",
    "process",
    "source_name",
    "source_path",
    "source_modified",
    "size",
    "stored_size",
    "blake3",
    "sha256",
    "report_id",
    "attempts",
    "held",
    "retention",
    "key",
    "meta",
    "purged_at",
    "purged_by",
];

/// Writes one RFC 4180 line.
///
/// `meta` is a JSON object, `attempts` is their number, and unknown fields are empty.
fn csv_line(entry: &Entry, zone: &Zone, escaped: bool, formulas: Formulas, out: &mut String) {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let time = |time: Option<crate::time::Timestamp>| {
        time.map(|time| zone.exact(time).to_string())
            .unwrap_or_default()
    };
    let fields: [String; CSV_FIELDS.len()] = [
        entry.id.to_string(),
        time(Some(entry.archived_at)),
        entry.status.to_string(),
        entry.converter.clone(),
        text(&entry.converter_version),
        text(&entry.unit.serial),
        text(&entry.unit.part),
        text(&entry.unit.station),
        text(&entry.unit.process),
        entry.source_name.clone(),
        entry.source_path.clone(),
        time(entry.source_modified),
        entry.size.to_string(),
        entry.stored_size.to_string(),
        entry.blake3.to_string(),
        entry.sha256.to_string(),
        text(&entry.report_id),
        entry.attempts.len().to_string(),
        (!entry.holds.is_empty()).to_string(),
        entry.retention.to_string(),
        text(&entry.key),
        meta_json(&entry.meta),
        time(entry.purged_at),
        text(&entry.purged_by),
    ];
    for (at, field) in fields.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        let mut field = if escaped {
            escape(field)
        } else {
            field.as_str().into()
        };
        if formulas == Formulas::Disarmed && is_formula(&field) {
            field.to_mut().insert(0, '\'');
        }
        if field.contains([',', '"', '\n', '\r']) {
            out.push('"');
            out.push_str(&field.replace('"', "\"\""));
            out.push('"');
        } else {
            out.push_str(&field);
        }
    }
    out.push_str("\r\n");
}

/// Returns true for text that a spreadsheet takes for a formula and may run.
///
/// Signed numbers are not formulas.
fn is_formula(cell: &str) -> bool {
    let first = cell.chars().next();
    let may_begin = |c| {
        matches!(
            c,
            '=' | '+' | '-' | '@' | '\t' | '\r' | '＝' | '＋' | '－' | '＠'
        )
    };
    first.is_some_and(may_begin) && cell.parse::<f64>().is_err()
}

fn meta_json(meta: &Meta) -> String {
    if meta.is_empty() {
        return String::new();
    }
    serde_json::json!(meta).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::entries::sample;
    use crate::cli::render::Canvas;

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

    /// A serial number read from a file by a converter may end up in a spreadsheet.
    #[test]
    fn a_cell_that_a_spreadsheet_would_run_is_text_unless_raw_cells_are_asked_for() {
        let mut entry = sample();
        for (serial, disarmed) in [
            ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
            ("@SUM(1)", "'@SUM(1)"),
            ("+cmd|x", "'+cmd|x"),
            ("-2+3", "'-2+3"),
            ("\t=1", "'\t=1"),
            ("＝1", "'＝1"),
            ("-1042", "-1042"),
            ("+5.5", "+5.5"),
            ("SN=1", "SN=1"),
            ("'SN1", "'SN1"),
        ] {
            entry.unit.serial = Some(serial.to_owned());
            for (formulas, cell) in [(Formulas::Disarmed, disarmed), (Formulas::Kept, serial)] {
                let mut line = String::new();
                csv_line(&entry, &Zone::Utc, false, formulas, &mut line);
                assert!(line.contains(&format!(",{cell},")), "{line}");
            }
        }
    }

    #[test]
    fn csv_quotes_what_would_break_a_line_into_fields() {
        let mut entry = sample();
        entry.source_name = "a,\"b\"\n.csv".into();
        let mut line = String::new();
        csv_line(&entry, &Zone::Utc, false, Formulas::Disarmed, &mut line);
        assert!(line.contains(",\"a,\"\"b\"\"\n.csv\","), "{line}");
        assert!(line.contains(",\"{\"\"line\"\":\"\"3\"\"}\","), "{line}");
        assert!(line.ends_with("\r\n"));
        let mut shown = String::new();
        csv_line(&entry, &Zone::Utc, true, Formulas::Disarmed, &mut shown);
        assert_eq!(shown.lines().count(), 1, "on a terminal it is escaped");
    }
}
