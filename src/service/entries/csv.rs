//! Writes entries as lines of CSV.

use crate::entry::{Entry, Meta};
use crate::service::time::Zone;
use crate::service::words::escape;
use crate::{Error, ErrorKind, Result};

/// How a cell is treated that a spreadsheet would take for a formula.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Formulas {
    /// An apostrophe before it makes the cell text.
    Disarmed,
    /// The cell is as it is recorded.
    Kept,
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

/// The columns of a list in CSV, in their order; all of them by default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvColumns(Vec<usize>);

impl Default for CsvColumns {
    fn default() -> Self {
        Self((0..CSV_FIELDS.len()).collect())
    }
}

impl CsvColumns {
    /// Returns the columns of these names, or all when none is named.
    ///
    /// # Errors
    /// `Invalid` for a name that no column has.
    pub fn named(names: &[String]) -> Result<Self> {
        if names.is_empty() {
            return Ok(Self::default());
        }
        let place = |name: &String| {
            let place = CSV_FIELDS.iter().position(|field| field == name);
            place.ok_or_else(|| {
                let told = format!("there is no column '{name}'");
                let known = CSV_FIELDS.join(", ");
                Error::new(ErrorKind::Invalid, told).hint(format!("the columns are {known}"))
            })
        };
        names.iter().map(place).collect::<Result<_>>().map(Self)
    }

    /// Returns the line of titles, with its line end.
    pub fn title(&self) -> String {
        let names: Vec<&str> = self.0.iter().map(|at| CSV_FIELDS[*at]).collect();
        format!("{}\r\n", names.join(","))
    }

    /// Writes one RFC 4180 line; see [`csv_line`].
    pub fn line(&self, entry: &Entry, zone: &Zone, formulas: Formulas, out: &mut String) {
        let fields = fields(entry, zone);
        write_line(self.0.iter().map(|at| &fields[*at]), false, formulas, out);
    }
}

/// Returns the line of titles, with its line end.
pub fn csv_title() -> String {
    CsvColumns::default().title()
}

/// Writes one RFC 4180 line. `escaped` cells are safe to show on a terminal.
///
/// `meta` is a JSON object, `attempts` is their number, and unknown fields are empty.
pub fn csv_line(entry: &Entry, zone: &Zone, escaped: bool, formulas: Formulas, out: &mut String) {
    write_line(fields(entry, zone).iter(), escaped, formulas, out);
}

/// Returns what an entry has in each column.
fn fields(entry: &Entry, zone: &Zone) -> [String; CSV_FIELDS.len()] {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let time = |time: Option<crate::time::Timestamp>| {
        time.map(|time| zone.exact(time).to_string())
            .unwrap_or_default()
    };
    [
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
    ]
}

fn write_line<'a>(
    fields: impl Iterator<Item = &'a String>,
    escaped: bool,
    formulas: Formulas,
    out: &mut String,
) {
    for (at, field) in fields.enumerate() {
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
    use crate::service::entries::sample;

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
