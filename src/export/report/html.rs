//! The report as a page that prints well: no script, nothing from elsewhere.

use std::fmt::Write as _;
use std::io::{self, Write};

use crate::entry::Part;
use crate::event::{Body, Event};
use crate::export::report::row::{Context, Row};
use crate::export::scope::Scope;
use crate::id::Sha256;

const HEAD: &str = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
    <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
    style-src 'unsafe-inline'\">\n<title>annals: evidence report</title>\n<style>\n\
    body{font:14px/1.4 sans-serif;color:#111;background:#fff;margin:1.5rem;max-width:80rem}\n\
    h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}\n\
    table{border-collapse:collapse;width:100%}\n\
    th,td{border:1px solid #bbb;padding:.2rem .4rem;text-align:left;vertical-align:top}\n\
    th{background:#eee}td{overflow-wrap:anywhere}\n\
    dt{font-weight:bold}dd{margin:0 0 .3rem 1rem;overflow-wrap:anywhere}\n\
    code{font:12px monospace}\n\
    @page{size:A4 landscape;margin:12mm}\n\
    @media print{body{margin:0;font-size:9px;max-width:none}thead{display:table-header-group}\
    tr{break-inside:avoid}}\n</style>\n</head>\n<body>\n<h1>Evidence report</h1>\n";

const LIMITS: &str = "<h2>What this does not show</h2>\n<ul>\n\
    <li>This page is made from the evidence and is no evidence itself. Verify the bundle.</li>\n\
    <li>Times are those of the machine's clock. The order of events does not depend on it.</li>\n\
    <li>That something was recorded does not show that it is true.</li>\n";

const ENTRIES: &str = "</ul>\n<h2>Entries</h2>\n<table>\n<thead><tr><th>Entry\
    <th>Archived (UTC)<th>Source<th>Converter<th>Serial<th>Part<th>Station<th>Process\
    <th>Bytes, SHA-256<th>Status<th>Attempts<th>Report<th>Changed since first recorded<th>Holds\
    <th>Purged</tr></thead>\n<tbody>\n";

/// What stands between the entries and the other events.
pub(super) const BETWEEN: &str = "</tbody>\n</table>\n<h2>Other events</h2>\n<table>\n\
    <thead><tr><th>Event<th>Recorded (UTC)<th>By<th>What<th>Facts</tr></thead>\n<tbody>\n";

pub(super) const END: &str = "</tbody>\n</table>\n</body>\n</html>\n";

/// Writes what stands before the entries.
pub(super) fn begin(report: &Context<'_>, out: &mut impl Write) -> io::Result<()> {
    out.write_all(HEAD.as_bytes())?;
    out.write_all(summary(report).as_bytes())?;
    out.write_all(LIMITS.as_bytes())?;
    if report.exported.scope == Scope::Selection {
        out.write_all(
            b"<li>This is a selection. Each line is proven to be in the log, but nothing proves \
              that the log has no other lines about these entries.</li>\n",
        )?;
    }
    out.write_all(ENTRIES.as_bytes())
}

fn summary(report: &Context<'_>) -> String {
    let exported = report.exported;
    let mut text = String::from("<dl>\n");
    let mut line = |name: &str, value: &str| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "<dt>{name}</dt><dd>{}</dd>", escaped(value));
    };
    line("Log", report.origin);
    line("Exported (UTC)", &report.last.time.to_utc_string());
    line("Exported by", &report.last.actor.id);
    line("Events in the log", &report.last.seq.to_string());
    line(
        "Root of the hash tree",
        &Sha256::from_bytes(report.root).to_string(),
    );
    line(
        "Scope",
        match exported.scope {
            Scope::Whole => "the whole log",
            Scope::Selection => "a selection",
        },
    );
    for (name, value) in &exported.filters {
        line("Filter", &format!("{name}: {value}"));
    }
    line("Events here", &exported.counts.events.to_string());
    line("Entries here", &exported.counts.entries.to_string());
    line(
        "Entries whose content was purged",
        &report.facts.purged().to_string(),
    );
    line(
        "Contents here",
        &match exported.contents {
            Some(contents) => format!("{}, {} bytes", contents.count, contents.bytes),
            None => "left out".to_owned(),
        },
    );
    for (kind, count) in &exported.counts.by_type {
        line(&escaped(kind), &count.to_string());
    }
    text.push_str("</dl>\n");
    text
}

/// Adds the row of an entry.
pub(super) fn entry(row: &Row, out: &mut String) {
    let unit = |field: &Option<String>| field.as_deref().map_or_else(String::new, escaped);
    let changed = match row.changes {
        0 => "no".to_owned(),
        1 => format!("yes, by event {}", row.last_change),
        more => format!("yes, {more} times, last by event {}", row.last_change),
    };
    let purged = match &row.purged {
        Some((seq, rule)) => format!("by event {seq}: {}", escaped(rule)),
        None => String::new(),
    };
    let _ = writeln!(
        out,
        "<tr><td>{}<td>{}<td>{}<br>{}<td>{}<td>{}<td>{}<td>{}<td>{}<td>{}<br><code>{}</code>\
         <td>{}<td>{}<td>{}<td>{changed}<td>{}<td>{purged}</tr>",
        row.id,
        row.archived_at,
        escaped(&row.name),
        escaped(&row.path),
        escaped(&row.converter),
        unit(&row.unit.serial),
        unit(&row.unit.part),
        unit(&row.unit.station),
        unit(&row.unit.process),
        row.size,
        row.sha256,
        row.status,
        row.attempts,
        escaped(&row.report_id),
        escaped(&row.holds),
    );
}

/// Adds the row of another event.
pub(super) fn other(event: &Event, out: &mut String) {
    let facts = match &event.body {
        // Lists of thousands of entries are in the evidence.
        Body::HoldPlaced(fact) => format!("{}: {}", fact.name, fact.reason),
        Body::PurgedEntries(fact) => format!(
            "{} entries{}, {} bytes, rule {}: {}",
            fact.count,
            match fact.what() {
                Part::Entry => String::new(),
                part => format!(" ({part} of each)"),
            },
            fact.bytes_logical,
            fact.rule,
            fact.reason
        ),
        Body::Accessed(fact) => format!("{} entries by {}", fact.count, fact.how),
        body => body.data_json().unwrap_or_default(),
    };
    let _ = writeln!(
        out,
        "<tr><td>{}<td>{}<td>{}<td>{}<td>{}</tr>",
        event.seq,
        event.time.to_utc_string(),
        escaped(&event.actor.id),
        escaped(event.body.kind()),
        escaped(&facts),
    );
}

/// Returns the text with everything escaped that means something in HTML, and everything that would
/// hide or turn round what a reader sees.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if is_hidden(c) => _ = write!(out, "{}", c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

/// Controls, and characters that change the direction of text.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A serial number from a tester is shown to an auditor's browser.
    #[test]
    fn nothing_of_a_name_reaches_the_page_as_a_tag() {
        assert_eq!(
            escaped("<script>alert('x')</script>&\"\u{202e}\u{7}Ä"),
            "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;&quot;\\u{202e}\\u{7}Ä"
        );
    }

    #[test]
    fn the_page_needs_nothing_from_elsewhere_and_runs_nothing() {
        for word in [
            "<script", "http://", "https://", "src=\"", "<link", "@import", "url(",
        ] {
            assert!(!HEAD.contains(word) && !LIMITS.contains(word), "{word}");
        }
    }
}
