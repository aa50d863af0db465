//! `annals verify`: checks the log, the packs and the index for damage.

use crate::archive::{
    Depth, EvidenceSummary, Finding, KnownLosses, VerifyReport, is_backup, verify_backup,
};
use crate::cli::arguments::parse_vkey;
use crate::cli::render::{Cell, Column, Style, Table, counted, escape, path_text, size};
use crate::cli::run::{Context, Exit, Failure};
use crate::id::EntryId;
use crate::service::entries::{Filters, Selected, Stated, selected_ids};
use crate::{Error, ErrorKind};

/// Check that nothing is damaged: log, packs, index
///
/// Reads everything and changes nothing. Exit code 6 when something is wrong; all that was found is
/// printed. `annals repair` mends what can be mended. With --store BACKUP it checks a backup.
/// With ids or filters it checks only these entries: their events, that a signed checkpoint covers
/// them, and their contents; it says what it did not look at.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  annals verify
  annals verify --quick --json
  annals verify --serial SN1042
  annals verify --record")]
pub(crate) struct Args {
    /// Only these entries; or use filters. Exit code 4 when there are none
    #[arg(value_name = "ID")]
    ids: Vec<EntryId>,
    /// Check the log and what it names, without reading every blob
    #[arg(long, conflicts_with = "deep")]
    quick: bool,
    /// Read every blob and compare its hash (the default)
    #[arg(long)]
    deep: bool,
    /// The verifier key that you trust: any other one is a finding
    #[arg(long, value_name = "VKEY")]
    vkey: Option<String>,
    #[command(flatten)]
    filters: Filters,
    /// Record the scope and the result in the log
    #[arg(long)]
    record: bool,
}

pub(crate) fn run(args: Args, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let depth = if args.quick {
        Depth::Quick
    } else {
        Depth::Deep
    };
    let filter = args.filters.to_filter(context.now(), &context.zone())?;
    let is_whole = args.ids.is_empty() && filter.is_empty();
    context.meter.begin("checking the store");
    let verified = match context.locate() {
        _ if !is_whole && args.record => {
            let told = "only a check of the whole store is recorded";
            return Err(Error::new(ErrorKind::Invalid, told)
                .hint("leave out --record, or the ids and filters")
                .into());
        }
        _ if !is_whole => selection(Selected::of(args.ids, filter)?, depth, context),
        Ok(dir) if is_backup(&dir) && args.record => {
            let told = "a backup keeps no record of being verified";
            return Err(Error::new(ErrorKind::Invalid, told)
                .hint("leave --record out, or verify the store")
                .into());
        }
        Ok(dir) if is_backup(&dir) => verify_backup(&dir, depth, &context.meter.as_progress()),
        _ if args.record => verify_and_record(depth, context),
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
    let mut report = report;
    if let Some(trusted) = &args.vkey {
        compare_key(trusted, &mut report)?;
    }
    context.meter.clear();
    if context.json() {
        context.print_json(&report)?;
    } else {
        print(&report, context)?;
    }
    // What was changed on purpose cannot be mended.
    let is_damage = |finding: &Finding| finding.kind != "evidence";
    if report.findings.iter().any(is_damage)
        && !context.json()
        && context.locate().is_ok_and(|dir| !is_backup(dir))
    {
        context.note("`annals repair --dry-run` shows what can be mended");
    }
    Ok(if report.ok { Exit::Done } else { Exit::Damaged })
}

/// Checks only the selected entries.
fn selection(
    selected: Selected<Stated>,
    depth: Depth,
    context: &Context<'_>,
) -> Result<VerifyReport, Error> {
    if let Ok(dir) = context.locate()
        && is_backup(&dir)
    {
        let said = format!("{} is a backup, which is checked as a whole", dir.display());
        return Err(Error::new(ErrorKind::Invalid, said)
            .hint("leave the ids and filters out, or restore it with 'annals restore-store'"));
    }
    let archive = context.open_to_check()?;
    let ids = match selected.in_store(&context.desk(&archive))? {
        Selected::Ids(ids) => ids,
        Selected::Filter(filter) => selected_ids(
            *filter,
            &archive.snapshot()?,
            context.configuration().ok().as_ref(),
        )?,
    };
    archive.verify_entries(&ids, depth)
}

/// Verifies the store, and records the result where the log takes events.
fn verify_and_record(depth: Depth, context: &mut Context<'_>) -> Result<VerifyReport, Error> {
    let archive = context.open_to_check_and_record()?;
    let (report, recorded) = archive.verify_and_record(depth)?;
    let closed = archive.close();
    context.meter.clear();
    match recorded {
        Ok(seq) => context.note(format_args!("recorded as event {seq}")),
        Err(error) => context.warn(format_args!(
            "the result is not recorded: {}",
            error.message()
        )),
    }
    closed?;
    Ok(report)
}

/// Compares the key that the log is signed with now with the one that is trusted.
fn compare_key(trusted: &str, report: &mut VerifyReport) -> Result<(), Error> {
    let trusted = parse_vkey(trusted)?;
    let told = match &report.evidence.key {
        Some(key) if *key == trusted.to_string() => return Ok(()),
        Some(key) => format!("UNTRUSTED-KEY: the log is signed with {key}"),
        None => "UNTRUSTED-KEY: the log is not signed".to_owned(),
    };
    report.ok = false;
    report.findings.push(Finding {
        kind: "evidence".to_owned(),
        r#where: "the key".to_owned(),
        detail: told,
    });
    Ok(())
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
        erased: 0,
        evidence: EvidenceSummary::default(),
        selection: None,
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
        Column::left("WHERE").kept(),
        Column::text("DETAIL"),
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
    if let Some(checked) = &report.selection {
        return context.print(format!(
            "{verdict}: {}, {} ({} proven), {}, {} checked{findings}\nnot looked at: {}\n",
            counted(checked.entries, "entry", "entries"),
            counted(report.events, "event", "events"),
            checked.proven,
            counted(report.blobs, "content", "contents"),
            size(report.checked_bytes),
            checked.not_checked.join("; "),
        ));
    }
    let evidence = &report.evidence;
    let signed = match (&evidence.key, evidence.newest) {
        (None, _) => "not signed\n".to_owned(),
        (Some(key), None) => format!("signed, without a checkpoint to compare, with {key}\n"),
        // A quick look compares none of them.
        (Some(key), Some(size)) if evidence.checkpoints == 0 => {
            format!("signed up to event {size}, with {key}\n")
        }
        (Some(key), Some(size)) => format!(
            "signed up to event {size}: {}, with {key}\n",
            counted(evidence.checkpoints, "checkpoint", "checkpoints"),
        ),
    };
    let stamped = evidence.timestamped.as_ref().map(|stamp| {
        let renew = stamp.renew_before.map(|time| format!(", to be renewed before {time}"));
        format!(
            "{} events were there at {}, says a time stamp of {}, whose signature is not checked here{}\n",
            stamp.size,
            stamp.time,
            escape(&stamp.server),
            renew.unwrap_or_default()
        )
    });
    let stamped = stamped.unwrap_or_default();
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
    let erased = match report.erased {
        0 => String::new(),
        erased => format!(
            "erased by design, and recorded as erased: {}\n",
            counted(erased, "personal value", "personal values"),
        ),
    };
    context.print(format!(
        "{verdict}: {}, {}, {}, {} checked{findings}\n{signed}{stamped}{known}{erased}",
        counted(report.events, "event", "events"),
        counted(report.packs, "pack", "packs"),
        counted(report.blobs, "blob", "blobs"),
        size(report.checked_bytes),
    ))
}
