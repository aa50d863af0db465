//! `annals show`: shows every fact and the timeline of one entry.

use std::borrow::Cow;

use super::why;
use crate::archive::Access;
use crate::cli::entries::{notes_table, status_cell, status_style};
use crate::cli::render::{Canvas, Cell, Column, Style, Table, duration, escape, facts, size};
use crate::cli::run::{Context, Exit, Failure};
use crate::entry::{Attempt, Entry, Meta, Submission};
use crate::id::EntryId;
use crate::service::entries::no_entry;
use crate::service::objects::{
    Moment, ShownEntry, SourceFile, WhyObject, bare, personal_gone, ran_on_lines, why_kept,
};
use crate::service::time::Zone;

/// Show every fact and the timeline of one entry
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  annals show 4711
  annals show 4711 --json | jq .timeline
  annals show 4711 --why")]
pub(crate) struct Args {
    /// The entry
    id: EntryId,
    /// Only why it is still there: retention, holds, waiting reports, shared content; and when it
    /// may go
    #[arg(long)]
    why: bool,
}

pub(crate) fn run(args: Args, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let archive = context.open(Access::ReadOnly)?;
    let mut entry = archive
        .snapshot()?
        .entry(args.id)?
        .ok_or_else(|| no_entry(args.id))?;
    let zone = context.zone();
    if args.why {
        let why = why_kept(&context.desk(&archive), &entry)?;
        context.meter.clear();
        if context.json() {
            context.print_json(&WhyObject::new(entry.id, &why, &zone))?;
        } else {
            let canvas = context.canvas();
            let text =
                title(&entry, canvas) + &why::page(&why, &zone, canvas, &context.store_flags());
            context.print(text)?;
        }
        return Ok(Exit::Done);
    }
    let shown = ShownEntry::of(&archive, &entry, &zone)?;
    if context.json() {
        context.print_json(&shown)?;
    } else {
        let ShownEntry {
            source_file,
            personal,
            ran_on,
            timeline,
            ..
        } = shown;
        for note in &mut entry.notes {
            let account = archive.account(&note.by)?;
            let name = account.and_then(|account| account.name);
            note.by = name.unwrap_or_else(|| note.by.clone());
        }
        let mut known = known(&entry, source_file.as_ref(), &zone);
        known.extend(personal_gone(&personal));
        known.extend(ran_on_lines(&ran_on));
        let text = page(&entry, known, &timeline, &zone, context.canvas());
        context.print(text)?;
    }
    Ok(Exit::Done)
}

fn page(
    entry: &Entry,
    known: Vec<(&'static str, String)>,
    timeline: &[Moment],
    zone: &Zone,
    canvas: Canvas,
) -> String {
    let heading = |text: &str| format!("\n{}\n", Style::Bold.paint(text, canvas.colour));
    let mut out = title(entry, canvas);
    out += &facts(known, canvas);
    if !entry.attempts.is_empty() {
        out += &heading("Attempts");
        out += &attempts(&entry.attempts, zone, canvas);
    }
    if !entry.notes.is_empty() {
        out += &heading("Notes");
        out += &notes_table(&entry.notes, zone, canvas);
    }
    out += &heading("Timeline");
    let columns = [
        Column::right("SEQ"),
        Column::left("TIME"),
        Column::left("ACTOR").dropped(1),
        Column::left("EVENT"),
        Column::text("WHAT"),
    ];
    let rows: Vec<_> = timeline
        .iter()
        .map(|moment| {
            vec![
                Cell::new(moment.seq.to_string()),
                Cell::new(zone.short(moment.time)),
                Cell::maybe(moment.actor.as_deref()),
                Cell::new(bare(&moment.kind)),
                Cell::new(ends(&moment.summary)),
            ]
        })
        .collect();
    out + &Table::new(&columns, canvas).page(&rows)
}

fn title(entry: &Entry, canvas: Canvas) -> String {
    let name = format!("Entry {}", entry.id);
    let name = Style::Bold.paint(&name, canvas.colour);
    format!("{name}  {}\n", status_cell(entry).painted(canvas.colour))
}

fn known(
    entry: &Entry,
    source_file: Option<&SourceFile>,
    zone: &Zone,
) -> Vec<(&'static str, String)> {
    let mut known = vec![("file", entry.source_name.clone())];
    // What came through a pipe has no path.
    if !entry.source_path.is_empty() {
        known.push(("path", entry.source_path.clone()));
    }
    if let Some(modified) = entry.source_modified {
        known.push(("modified", zone.long(modified)));
    }
    known.push(("archived", zone.long(entry.archived_at)));
    if let Some(file) = source_file {
        let told = format!("{}, {}", file.words(), zone.long(file.at));
        known.push(("source file", told));
    }
    known.push((
        "size",
        format!("{} ({} stored)", size(entry.size), size(entry.stored_size)),
    ));
    let version = entry.converter_version.as_deref().unwrap_or_default();
    known.push((
        "converter",
        format!("{} {version}", entry.converter)
            .trim_end()
            .to_owned(),
    ));
    for (name, value) in [
        ("serial", &entry.unit.serial),
        ("part", &entry.unit.part),
        ("station", &entry.unit.station),
        ("process", &entry.unit.process),
        ("report id", &entry.report_id),
        ("key", &entry.key),
    ] {
        if let Some(value) = value {
            known.push((name, value.clone()));
        }
    }
    for (name, pairs) in [("meta", &entry.meta), ("arguments", &entry.arguments)] {
        if !pairs.is_empty() {
            known.push((name, pairs_text(pairs)));
        }
    }
    if !entry.labels.is_empty() {
        known.push(("labels", entry.labels.join(", ")));
    }
    let kept = match entry.retention.expires_at(entry.archived_at) {
        Some(until) => format!("{}, until {}", entry.retention, zone.long(until)),
        None => entry.retention.to_string(),
    };
    known.push(("kept", kept));
    if !entry.holds.is_empty() {
        known.push(("held by", entry.holds.join(", ")));
    }
    for gone in &entry.purged_parts {
        let (at, by) = (zone.long(gone.at), &gone.by);
        known.push(("purged", format!("{}, {at}, by: {by}", gone.part)));
    }
    if let Some(purged_at) = entry.purged_at {
        let rule = entry.purged_by.as_deref().unwrap_or("-");
        known.push(("purged", format!("{}, by: {rule}", zone.long(purged_at))));
    }
    if let Some(until) = entry.final_at {
        known.push(("can be undone", format!("until {}", zone.long(until))));
    }
    if entry.facts_only {
        known.push(("content", "not stored: facts only".to_owned()));
    }
    known.push(("blake3", entry.blake3.to_string()));
    known.push(("sha256", entry.sha256.to_string()));
    known
}

fn pairs_text(pairs: &Meta) -> String {
    let pairs: Vec<String> = pairs.iter().map(|(k, v)| format!("{k}={v}")).collect();
    pairs.join(", ")
}

fn attempts(attempts: &[Attempt], zone: &Zone, canvas: Canvas) -> String {
    let columns = [
        Column::right("#"),
        Column::left("TIME"),
        Column::left("STATUS"),
        Column::left("CONVERTER"),
        Column::right("TOOK").dropped(1),
        Column::text("RESULT"),
    ];
    let mut table = Table::new(&columns, canvas);
    let rows: Vec<_> = attempts
        .iter()
        .map(|attempt| {
            let version = attempt.converter_version.as_deref().unwrap_or_default();
            vec![
                Cell::new(attempt.attempt.to_string()),
                Cell::new(zone.short(attempt.at)),
                Cell::new(attempt.status.to_string()).style(status_style(attempt.status.into())),
                Cell::new(format!("{} {version}", attempt.converter).trim_end()),
                Cell::maybe(attempt.duration_ms.map(duration)),
                Cell::maybe(Some(result(attempt, zone))),
            ]
        })
        .collect();
    let mut out = table.page(&rows);
    for attempt in attempts {
        for warning in &attempt.warnings {
            let label = Style::Warn.paint("warning", canvas.colour);
            let number = attempt.attempt;
            let remark = format!("  {label} in attempt {number}: {}\n", escape(warning));
            out.push_str(&remark);
        }
        for why in &attempt.suspicious {
            let label = Style::Warn.paint("suspicious", canvas.colour);
            let number = attempt.attempt;
            let remark = format!("  {label} in attempt {number}: {}\n", escape(why));
            out.push_str(&remark);
        }
        if !attempt.sandbox.is_empty() {
            let held = escape(&attempt.sandbox.join(" ")).into_owned();
            let remark = format!("  sandbox of attempt {}: {held}\n", attempt.attempt);
            out.push_str(&remark);
        }
        // A traceback keeps its lines.
        if let Some(error) = attempt
            .error
            .as_deref()
            .filter(|error| error.contains('\n'))
        {
            let label = Style::Bad.paint("error", canvas.colour);
            let lines = error.lines().map(|line| format!("    {}\n", escape(line)));
            let number = attempt.attempt;
            out.extend([format!("  {label} of attempt {number}:\n")]);
            out.extend(lines);
        }
    }
    out
}

/// Shortens a text of several lines for a table cell.
///
/// Keeps the first line, which says what happened, and the last line, which mostly says why.
fn ends(text: &str) -> Cow<'_, str> {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    match (lines.next(), lines.next_back()) {
        (Some(first), Some(last)) => format!("{} [...] {}", first.trim_end(), last.trim()).into(),
        _ => text.into(),
    }
}

/// Describes the result of an attempt in a few words.
fn result(attempt: &Attempt, zone: &Zone) -> String {
    let mut parts = Vec::new();
    for report in &attempt.reports {
        let state = match (&report.report_id, &report.submission) {
            (Some(id), None) => format!(" as {id}"),
            (None, None) => String::new(),
            (_, Some(Submission::Waiting { since, .. })) => {
                format!(" waits to be submitted since {}", zone.short(*since))
            }
            (_, Some(Submission::Rejected { status, text, .. })) => {
                format!(" rejected by the server ({status}): {text}")
            }
        };
        parts.push(format!("report {}{state}", size(report.size)));
    }
    let superseded = attempt.superseded_by;
    parts.extend(superseded.map(|newer| format!("superseded by attempt {newer}")));
    parts.extend(
        attempt
            .error
            .as_deref()
            .map(|error| ends(error).into_owned()),
    );
    parts.extend(attempt.job.map(|job| format!("job {job}")));
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::EventSeq;
    use crate::service::entries::sample;

    const PLAIN: Canvas = Canvas {
        colour: false,
        width: None,
    };

    /// A traceback of thirty lines must not stand in one cell with escaped line ends.
    #[test]
    fn an_error_of_several_lines_stands_below_and_its_ends_in_the_tables() {
        let mut attempt = sample().attempts.remove(0);
        attempt.reports.clear();
        attempt.error =
            Some("exited with code 1: Traceback:\n  File \"a.py\"\n\nKeyError: 'sn'\n".to_owned());
        let short = "exited with code 1: Traceback: [...] KeyError: 'sn'";
        assert_eq!(result(&attempt, &Zone::Utc), short);
        let page = attempts(&[attempt], &Zone::Utc, PLAIN);
        assert!(page.contains(short), "{page}");
        assert!(
            page.contains("\n      File \"a.py\"\n") && !page.contains("x0a"),
            "{page}"
        );
        assert_eq!(ends("one line"), "one line");
        assert_eq!(ends("\n\n"), "\n\n");
    }

    #[test]
    fn an_attempt_tells_where_the_submission_of_each_report_stands() {
        let mut attempt = sample().attempts.remove(0);
        let endpoint = || "http://x".to_owned();
        let at = sample().archived_at;
        let mut told = |report_id: Option<&str>, submission| {
            attempt.reports[0].report_id = report_id.map(str::to_owned);
            attempt.reports[0].submission = submission;
            result(&attempt, &Zone::Utc)
        };
        assert_eq!(told(Some("R-9"), None), "report 812 B as R-9");
        let since = at;
        let waiting = Submission::Waiting {
            since,
            endpoint: endpoint(),
        };
        assert_eq!(
            told(None, Some(waiting)),
            "report 812 B waits to be submitted since 2026-03-01 07:30:00Z"
        );
        let rejected = Submission::Rejected {
            at,
            endpoint: endpoint(),
            status: 400,
            text: "pn is missing".into(),
        };
        assert_eq!(
            told(None, Some(rejected)),
            "report 812 B rejected by the server (400): pn is missing"
        );
    }

    #[test]
    fn the_page_of_an_entry_tells_every_fact_in_lines_that_align() {
        let moment = Moment {
            seq: EventSeq(4711),
            kind: "annals.archived.v1".into(),
            time: sample().archived_at,
            actor: Some("mia".into()),
            pseudonym: None,
            summary: "archived SN1042.csv for ICT CSV, 5.0 KiB".into(),
            actor_kind: None,
            fact: None,
        };
        let known = known(&sample(), None, &Zone::Utc);
        let page = page(&sample(), known, &[moment], &Zone::Utc, PLAIN);
        let (blake3, sha256) = (sample().blake3, sample().sha256);
        let expected = format!(
            "\
Entry 4711  success, held
  file       SN1042.csv
  path       /data/ict/in/SN1042.csv
  modified   2026-03-01 07:29:58Z
  archived   2026-03-01 07:30:00Z
  size       5.0 KiB (1.2 KiB stored)
  converter  ICT CSV 1.4.0
  serial     SN1042
  part       PCB-7
  report id  R-9
  meta       line=3
  arguments  operation=10
  kept       365d, until 2027-03-01 07:30:00Z
  held by    audit-2026
  blake3     {blake3}
  sha256     {sha256}

Attempts
#  TIME                  STATUS   CONVERTER       TOOK  RESULT
1  2026-03-01 07:30:02Z  success  ICT CSV 1.4.0  1.5 s  report 812 B as R-9
  warning in attempt 1: no limits for step 3
  sandbox of attempt 1: files:landlock-6 system-calls

Timeline
 SEQ  TIME                  ACTOR  EVENT     WHAT
4711  2026-03-01 07:30:00Z  mia    archived  archived SN1042.csv for ICT CSV, 5.0 KiB
"
        );
        assert_eq!(page, expected);
    }
}
