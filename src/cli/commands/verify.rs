//! `annals verify`: checks the log, the packs and the index for damage.

use crate::archive::{Depth, Finding, KnownLosses, VerifyReport, is_backup, verify_backup};
use crate::cli::render::{Cell, Column, Style, Table, counted, path_text, size};
use crate::cli::run::{Context, Exit, Failure};
use crate::{Error, ErrorKind};

/// Check that nothing is damaged: log, packs, index
///
/// Reads everything and changes nothing. Exit code 6 when something is wrong; all that was found is
/// printed. `annals repair` mends what can be mended. With --store BACKUP it checks a backup.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  annals verify
  annals verify --quick --json")]
pub(crate) struct Args {
    /// Check the log and what it names, without reading every blob
    #[arg(long, conflicts_with = "deep")]
    quick: bool,
    /// Read every blob and compare its hash (the default)
    #[arg(long)]
    deep: bool,
}

pub(crate) fn run(args: Args, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let depth = if args.quick {
        Depth::Quick
    } else {
        Depth::Deep
    };
    let verified = match context.locate() {
        Ok(dir) if is_backup(&dir) => verify_backup(&dir, depth, &context.meter.as_progress()),
        _ => context
            .open_to_check()
            .and_then(|archive| archive.verify(depth)),
    };
    let report = match verified {
        Ok(report) => report,
        // A store too damaged to be opened is also a result of the check.
        Err(error) if error.kind() == ErrorKind::Damaged => unreadable(&error, context)?,
        Err(error) => return Err(error.into()),
    };
    context.meter.clear();
    if context.json() {
        context.print_json(&report)?;
    } else {
        print(&report, context)?;
    }
    Ok(if report.ok { Exit::Done } else { Exit::Damaged })
}

fn unreadable(error: &Error, context: &Context<'_>) -> Result<VerifyReport, Error> {
    Ok(VerifyReport {
        ok: false,
        findings: vec![Finding {
            kind: "unreadable".to_owned(),
            r#where: path_text(&context.locate()?),
            detail: error.message().to_owned(),
        }],
        events: 0,
        packs: 0,
        blobs: 0,
        checked_bytes: 0,
        known_losses: KnownLosses::default(),
    })
}

/// Prints the damage as a table.
pub(super) fn print_findings(
    findings: &[Finding],
    context: &mut Context<'_>,
) -> Result<(), Failure> {
    if findings.is_empty() {
        return Ok(());
    }
    let columns = [
        Column::left("FINDING"),
        Column::left("WHERE"),
        Column::left("DETAIL"),
    ];
    let rows: Vec<_> = findings
        .iter()
        .map(|finding| {
            vec![
                Cell::new(&finding.kind).style(Style::Bad),
                Cell::new(&finding.r#where),
                Cell::new(&finding.detail),
            ]
        })
        .collect();
    let canvas = context.canvas();
    context.print(Table::new(&columns, canvas).page(&rows))
}

fn print(report: &VerifyReport, context: &mut Context<'_>) -> Result<(), Failure> {
    let canvas = context.canvas();
    print_findings(&report.findings, context)?;
    let verdict = if report.ok {
        Style::Good.paint("intact", canvas.colour)
    } else {
        Style::Bad.paint("damaged", canvas.colour)
    };
    let findings = if report.ok {
        String::new()
    } else {
        let number = report.findings.len() as u64;
        format!(", {}", counted(number, "finding", "findings"))
    };
    let known = match report.known_losses {
        KnownLosses {
            events: 0,
            contents: 0,
        } => String::new(),
        KnownLosses { events, contents } => format!(
            "lost before a repair, and recorded as lost: {}, {}\n",
            counted(events, "event", "events"),
            counted(contents, "content", "contents"),
        ),
    };
    context.print(format!(
        "{verdict}: {}, {}, {}, {} checked{findings}\n{known}",
        counted(report.events, "event", "events"),
        counted(report.packs, "pack", "packs"),
        counted(report.blobs, "blob", "blobs"),
        size(report.checked_bytes),
    ))
}
