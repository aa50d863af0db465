//! `annals retention`: shows what the rules would purge, and purges it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Subcommand;

use super::plan_file::{read_plan, write_plan};
use super::prove::{there_already, write_new};
use super::retention_explain as explain;
use super::retention_impact::breakdowns;
use super::retention_lock as lock;
use super::{pending, retention_what_if};
use crate::archive::{Access, Archive, CompactOutcome, PurgeOutcome, RecordedPurge, Snapshot};
use crate::cli::render::{Cell, Column, Table, counted, escape, path_text, size};
use crate::cli::run::{Context, Exit, Failure};
use crate::event::Refusal;
use crate::retention::{PlannedPurge, PurgePlan};
use crate::service::retention::{
    Previewed, Rules, Stated, certify, kept, on_disk, recorded_in_zone, rule_of, share, summary,
    things, unfreed, unsigned,
};
use crate::service::time::parse_age;
use crate::service::words::in_shell;
use crate::{Error, ErrorKind};

/// Most rows that are looked up and printed at a time.
const PAGE: usize = 1_000;
/// Most entries that a preview lists without being asked.
const LISTED: usize = 10;

/// See what the rules would purge, and purge it
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Purging removes the bytes of sources and reports. That they existed, when they went and by which rule stays on record. \
A hold outranks every rule.

Examples:
  annals retention preview --expired
  annals retention preview -c 'ICT CSV' --older-than 1y --plan plan.json
  annals retention apply --plan plan.json --reason 'yearly clean-up'
  annals retention apply --max-size 500GB --yes
  annals retention certificate -o destroyed.certificate")]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Preview(Preview),
    Apply(Apply),
    Explain(explain::Args),
    Classes(explain::Classes),
    Lock(lock::Lock),
    Locks(lock::List),
    Unlock(lock::Unlock),
    Certificate(Certificate),
    WhatIf(retention_what_if::Args),
    Pending(pending::List),
    Undo(pending::Undo),
    Finalize(pending::Finalize),
}

/// Sign what became of the contents that a purge took: a certificate of destruction
///
/// Frees what the purge left, looks for the contents in packs, journal, index, temporary files and
/// what was set aside, and says what was not looked at. `annals verify-proof` checks it.
#[derive(Debug, clap::Args)]
struct Certificate {
    /// The plan of the purge [default: that of the newest one]
    plan: Option<String>,
    /// A new file for the certificate [default: stdout]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Print what would be purged, and change nothing
#[derive(Debug, clap::Args)]
struct Preview {
    #[command(flatten)]
    rules: Rules,
    /// Also write the plan to this file, for `retention apply --plan`
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// Why; kept in the plan
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// List every entry that goes, however many they are
    #[arg(long)]
    list: bool,
}

/// Purge what the rules, or a plan made before, select
///
/// Asks first; where nobody can be asked, --yes is needed. A plan is refused when the store has
/// changed since.
#[derive(Debug, clap::Args)]
struct Apply {
    #[command(flatten)]
    rules: Rules,
    /// Carry out the plan in this file
    #[arg(long, value_name = "FILE", conflicts_with = "Rules")]
    plan: Option<PathBuf>,
    /// Why; recorded for good [default: that of the plan, or manual]
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// How long the purge can be undone, such as 7d; its bytes are freed after that
    #[arg(long, value_name = "AGE", conflicts_with = "certificate")]
    grace: Option<String>,
    /// Also free all bytes of the purged contents, and write a signed certificate of destruction to
    /// this new file
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
}

/// Reads the rules of the flags, before the store is opened.
fn stated(rules: &Rules, context: &Context<'_>) -> Result<Stated, Error> {
    rules.stated(context.now(), &context.zone(), || context.configuration())
}

/// Plans what the rules take.
fn plan(rules: &Rules, archive: &Archive, context: &Context<'_>) -> Result<PurgePlan, Error> {
    let stated = stated(rules, context)?;
    let config = context.configuration().ok();
    rules.plan(archive, &stated, config.as_ref())
}

pub(crate) fn run(args: Args, context: &mut Context<'_>) -> Result<Exit, Failure> {
    match args.action {
        Action::Preview(args) => preview(&args, context),
        Action::Apply(args) => apply(&args, context),
        Action::Explain(args) => explain::run(&args, context),
        Action::Classes(args) => explain::classes(&args, context),
        Action::Lock(args) => lock::place(args, context),
        Action::Locks(lock::List {}) => lock::list(context),
        Action::Unlock(args) => lock::remove(&args, context),
        Action::Certificate(args) => certificate(&args, context),
        Action::WhatIf(args) => retention_what_if::run(&args, context),
        Action::Pending(_) => pending::list(context),
        Action::Undo(args) => pending::undo(&args, context),
        Action::Finalize(args) => pending::finalize(&args, context),
    }
}

fn preview(args: &Preview, context: &mut Context<'_>) -> Result<Exit, Failure> {
    // Checked before the store is opened, so that a wrong rule is reported even when the store is
    // missing.
    stated(&args.rules, context)?;
    let archive = context.open(Access::ReadOnly)?;
    let mut plan = plan(&args.rules, &archive, context)?;
    if let Some(reason) = &args.reason {
        plan.reason.clone_from(reason);
    }
    context.meter.clear();
    if let Some(file) = &args.plan {
        let file = &context.path(file);
        write_plan(&plan, file)
            .map_err(|error| Failure::plain(Error::io("write the plan to", file, error)))?;
    }
    let impact = archive.impact(&plan)?;
    if context.json() {
        context.print_json(&Previewed {
            plan: &plan,
            impact: &impact,
        })?;
    } else {
        let few = plan.items.len() <= LISTED;
        if !plan.items.is_empty() && !few {
            let tables = breakdowns(&impact, context.canvas());
            context.print(format!("{tables}\n"))?;
        }
        if few || args.list {
            print_plan(&plan, &archive.snapshot()?, context)?;
        }
        let zone = context.zone();
        context.print(format!("{}\n", summary(&plan, &zone)))?;
        if !plan.items.is_empty() {
            context.note(format_args!("that is {}", share(&impact)));
        }
        if !few && !args.list {
            context.note("--list shows each entry");
        }
        if let Some(file) = &args.plan {
            context.note(format_args!(
                "to carry it out: annals retention apply --plan {}",
                escape(&in_shell(&path_text(file)))
            ));
        }
    }
    Ok(Exit::Done)
}

fn apply(args: &Apply, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let plan_file = args.plan.as_deref().map(|file| context.path(file));
    let from_file = plan_file.as_deref().map(read_plan).transpose()?;
    if from_file.is_none()
        && let Err(error) = stated(&args.rules, context)
    {
        note_empty_policy(args, &error, context);
        return Err(error.into());
    }
    let grace = args.grace.as_deref();
    let grace = grace
        .map(|text| parse_age(text, context.now()))
        .transpose()?;
    let grace = grace.map(|micros| Duration::from_micros(micros.unsigned_abs()));
    let archive = context.open(Access::ReadWrite)?;
    let certificate = args.certificate.as_deref().map(|file| context.path(file));
    if let Some(file) = &certificate {
        refuse_uncertified(&archive, file)?;
    }
    let plan = match from_file {
        Some(plan) => plan,
        None => plan(&args.rules, &archive, context).inspect_err(|error| {
            // The rules are sound by now, so only the clock is left to refuse a plan.
            note_refusal(&archive, None, Refusal::Clock, error, args);
        })?,
    };
    if args.rules.bypass_governance && args.reason.is_none() {
        let told = "bypassing governance locks needs a reason of its own";
        return Err(Error::new(ErrorKind::Refused, told)
            .hint("state it with --reason TEXT; it is recorded for good")
            .into());
    }
    let of_plan = Some(plan.reason.as_str()).filter(|reason| !reason.is_empty());
    let reason = args.reason.as_deref().or(of_plan).unwrap_or("manual");
    let mut outcome = if plan.items.is_empty() {
        nothing_purged(&plan, reason)
    } else {
        context.meter.clear();
        let question = format!(
            "purge {}, {} of sources and reports, {}; that is {}?",
            things(&plan),
            size(plan.bytes_logical),
            on_disk(&plan),
            share(&archive.impact(&plan)?)
        );
        context.confirm(&question).inspect_err(|error| {
            note_refusal(&archive, Some(&plan), Refusal::NotConfirmed, error, args);
        })?;
        match grace {
            Some(grace) => archive.purge_with_grace(&plan, reason, grace)?,
            None => archive.purge(&plan, reason)?,
        }
    };
    let signed = match &certificate {
        Some(file) if !plan.items.is_empty() => {
            certified(&archive, Some(&plan.plan_id), Some(file))
        }
        _ => Ok(None),
    };
    let closed = archive.close();
    context.meter.clear();
    // The recorded purge is printed first, even when freeing its bytes failed.
    if context.json() {
        let recorded = recorded_in_zone(outcome.recorded, &context.zone());
        outcome = PurgeOutcome {
            recorded,
            ..outcome
        };
        context.print_json(&outcome)?;
    } else {
        let freed = match &outcome.reclaim {
            Ok(_) if let Some(until) = outcome.recorded.final_at => {
                let until = context.zone().short(until);
                let plan = &plan.plan_id;
                let undo = context.command(&format!("annals retention undo {plan} --reason TEXT"));
                format!("can be undone until {until}: {undo}")
            }
            Ok(done) => format!("{} freed", size(done.bytes_freed)),
            Err(_) => "and their bytes are still to be freed".to_owned(),
        };
        let entries = things(&plan);
        context.print(format!("{entries} purged, {freed}\n"))?;
        for line in kept(&plan) {
            context.note(line);
        }
    }
    if let Some(told) = signed? {
        context.note(told);
    }
    let Err(error) = outcome.reclaim else {
        closed?;
        return Ok(Exit::Done);
    };
    context.error(&unfreed(&error));
    Ok(Exit::Partial)
}

fn certificate(args: &Certificate, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let archive = context.open(Access::ReadWrite)?;
    let file = args.output.as_deref().map(|file| context.path(file));
    match &file {
        Some(file) => refuse_uncertified(&archive, file)?,
        None if archive.signs() => {}
        None => return Err(unsigned().into()),
    }
    let signed = certified(&archive, args.plan.as_deref(), file.as_deref());
    let closed = archive.close();
    match signed? {
        Some(text) if file.is_none() => context.print(text)?,
        Some(told) => context.note(told),
        None => {}
    }
    closed?;
    Ok(Exit::Done)
}

/// Refuses a certificate that could not be written, before anything is purged.
fn refuse_uncertified(archive: &Archive, file: &Path) -> Result<(), Error> {
    if file.exists() {
        return Err(there_already(file));
    }
    if archive.signs() {
        Ok(())
    } else {
        Err(unsigned())
    }
}

/// Signs what became of the contents of a purge. Returns the text of the certificate, or what it
/// says in short if it went to a file.
fn certified(
    archive: &Archive,
    plan: Option<&str>,
    file: Option<&Path>,
) -> Result<Option<String>, Error> {
    let (certificate, note) = certify(archive, plan)?;
    let Some(file) = file else {
        return Ok(Some(note.to_string()));
    };
    write_new(file, &note.to_string())?;
    let them = if certificate.contents.len() == 1 {
        "it"
    } else {
        "them"
    };
    let said = if certificate.is_complete() {
        format!("nothing of {them} is left in the store, except what something else needs")
    } else {
        format!("it says what of {them} is not freed yet")
    };
    Ok(Some(format!(
        "certificate of {}: {said}",
        counted(certificate.contents.len() as u64, "content", "contents")
    )))
}

/// Records a purge that was refused before it reached the writer.
///
/// The refusal is told whether or not it can be recorded.
fn note_refusal(
    archive: &Archive,
    plan: Option<&PurgePlan>,
    refusal: Refusal,
    error: &Error,
    args: &Apply,
) {
    if error.kind() == ErrorKind::Refused {
        let told = error.message();
        let _ = archive.record_refused_purge(plan, refusal, told, args.reason.as_deref());
    }
}

/// Records a purge without a rule, if there is a store to record it in.
fn note_empty_policy(args: &Apply, error: &Error, context: &Context<'_>) {
    if error.kind() == ErrorKind::Refused
        && let Ok(archive) = context.open(Access::ReadWrite)
    {
        note_refusal(&archive, None, Refusal::EmptyPolicy, error, args);
        let _ = archive.close();
    }
}

/// Returns the outcome of a purge without entries, which is a success.
fn nothing_purged(plan: &PurgePlan, reason: &str) -> PurgeOutcome {
    PurgeOutcome {
        recorded: RecordedPurge {
            archives_purged: 0,
            parts_purged: 0,
            oldest_purged: None,
            newest_purged: None,
            reason: reason.to_owned(),
            plan_id: plan.plan_id.clone(),
            final_at: None,
        },
        reclaim: Ok(CompactOutcome::default()),
    }
}

fn print_plan(
    plan: &PurgePlan,
    snapshot: &Snapshot,
    context: &mut Context<'_>,
) -> Result<(), Failure> {
    let zone = context.zone();
    let columns = [
        Column::right("ID"),
        Column::left("ARCHIVED").dropped(1),
        Column::right("FREES"),
        Column::left("PART"),
        Column::left("RULE"),
        Column::clipped("CONVERTER").dropped(2),
        Column::clipped("FILE").kept(),
    ];
    let mut table = Table::new(&columns, context.canvas());
    for items in plan.items.chunks(PAGE) {
        let row = |item: &PlannedPurge| -> Result<Vec<Cell>, Error> {
            let entry = snapshot.entry(item.id)?;
            let entry = entry.as_ref();
            Ok(vec![
                Cell::new(item.id.to_string()),
                Cell::maybe(entry.map(|entry| zone.short(entry.archived_at))),
                Cell::new(size(item.bytes_freed)),
                Cell::new(item.part.name()),
                Cell::new(rule_of(item)),
                Cell::maybe(entry.map(|entry| entry.converter.as_str())),
                Cell::maybe(entry.map(|entry| entry.source_name.as_str())),
            ])
        };
        let rows = items.iter().map(row).collect::<Result<Vec<_>, _>>()?;
        context.print(table.page(&rows))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::cli::arguments::Globals;
    use crate::cli::caller::CallerEnv;
    use crate::cli::caller::{Stdin, Streams};

    fn with_context<T>(test: impl FnOnce(&Context<'_>) -> T) -> T {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        test(&Context::new(
            Globals::default(),
            Streams {
                stdin: Stdin::of_process(),
                stdout: &mut stdout,
                stderr: &mut stderr,
                stdout_is_terminal: false,
                stderr_is_terminal: false,
            },
            CallerEnv::of_process(),
            crate::cli::run::Program::unused(),
        ))
    }

    fn rules(args: &[&str]) -> Rules {
        use clap::Parser;
        #[derive(Parser)]
        struct Alone {
            #[command(flatten)]
            rules: Rules,
        }
        let args = std::iter::once("x").chain(args.iter().copied());
        Alone::parse_from(args).rules
    }

    #[test]
    fn a_policy_without_a_rule_is_refused_even_when_it_names_a_converter() {
        with_context(|context| {
            for args in [&[][..], &["-c", "ICT CSV"], &["--now", "2026-03-01"]] {
                let error = stated(&rules(args), context).expect_err("empty");
                assert_eq!(error.kind(), ErrorKind::Refused, "{args:?}");
            }
        });
    }

    #[test]
    fn rules_are_read_as_they_are_written() {
        with_context(|context| {
            let args = [
                "--older-than",
                "90d",
                "--max-size",
                "10GB",
                "--max-count",
                "5",
            ];
            let meant = stated(&rules(&args), context).expect("valid");
            let policy = &meant.policies[0].1;
            assert_eq!(policy.older_than_micros, Some(90 * 86_400_000_000));
            assert_eq!(policy.max_size, Some(10 << 30));
            assert_eq!(policy.max_count, Some(5));
            for args in [
                ["--older-than", "soon"],
                ["--max-size", "big"],
                ["--max-size", "10"],
            ] {
                let error = stated(&rules(&args), context).expect_err("wrong");
                assert_eq!(error.kind(), ErrorKind::Invalid, "{args:?}");
            }
        });
    }

    #[test]
    fn a_plan_comes_back_from_its_file_as_it_was() {
        let dir = tempfile::tempdir().expect("temp dir");
        let file = dir.path().join("plan.json");
        write_plan(&PurgePlan::sample(), &file).expect("written");
        assert_eq!(read_plan(&file).expect("read"), PurgePlan::sample());
        fs::write(&file, "{}").expect("write");
        assert!(read_plan(&file).is_err());
    }
}
