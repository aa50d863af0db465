//! The report as a table for spreadsheets (RFC 4180).

use crate::export::report::row::Row;
use crate::id::EventSeq;

pub(super) const HEADER: &str = "entry,archived_at,source_name,source_path,converter,serial,part,station,\
    process,size,sha256,status,attempts,report_id,changed_since_first_recorded,changes,\
    last_changed_by_event,holds,purged_by_event,purged_by_rule\r\n";

/// Adds the row of an entry.
pub(super) fn line(row: &Row, out: &mut String) {
    let unit = |field: &Option<String>| field.clone().unwrap_or_default();
    let event = |seq: EventSeq| match seq.0 {
        0 => String::new(),
        seq => seq.to_string(),
    };
    let (purged_by, rule) = row.purged.clone().unwrap_or_default();
    let fields = [
        row.id.to_string(),
        row.archived_at.clone(),
        row.name.clone(),
        row.path.clone(),
        row.converter.clone(),
        unit(&row.unit.serial),
        unit(&row.unit.part),
        unit(&row.unit.station),
        unit(&row.unit.process),
        row.size.to_string(),
        row.sha256.to_string(),
        row.status.to_string(),
        row.attempts.to_string(),
        row.report_id.clone(),
        if row.changes > 0 { "yes" } else { "no" }.to_owned(),
        row.changes.to_string(),
        event(row.last_change),
        row.holds.clone(),
        event(purged_by),
        rule,
    ];
    for (at, field) in fields.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        cell(field, out);
    }
    out.push_str("\r\n");
}

fn cell(field: &str, out: &mut String) {
    let disarmed = if is_formula(field) { "'" } else { "" };
    if field.contains([',', '"', '\n', '\r']) {
        out.push('"');
        out.push_str(disarmed);
        out.push_str(&field.replace('"', "\"\""));
        out.push('"');
    } else {
        out.push_str(disarmed);
        out.push_str(field);
    }
}

/// Returns true for text that a spreadsheet takes for a formula and may run. Signed numbers are no
/// formulas.
fn is_formula(cell: &str) -> bool {
    let first = cell.trim_start_matches(' ').chars().next();
    let may_begin = |c| {
        matches!(
            c,
            '=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠'
        )
    };
    first.is_some_and(may_begin) && cell.parse::<f64>().is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tester that names its file `=HYPERLINK(..)` must not reach whoever opens the report.
    #[test]
    fn a_cell_that_a_spreadsheet_would_run_is_disarmed() {
        let shown = |text: &str| {
            let mut out = String::new();
            cell(text, &mut out);
            out
        };
        assert_eq!(shown("=1+1"), "'=1+1");
        assert_eq!(shown(" =1+1"), "' =1+1");
        assert_eq!(shown("+cmd|' /C calc'!A0"), "'+cmd|' /C calc'!A0");
        assert_eq!(shown("@SUM(1,2)"), "\"'@SUM(1,2)\"");
        assert_eq!(shown("\tx"), "'\tx");
        assert_eq!(shown("＝1"), "'＝1");
        assert_eq!(shown("-4.98"), "-4.98");
        assert_eq!(shown("SN-1"), "SN-1");
        assert_eq!(shown("a,\"b\"\nc"), "\"a,\"\"b\"\"\nc\"");
    }
}
