//! `annals retention`: shows what the rules would purge, and purges it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Subcommand;

use super::plan_file::{read_plan, unfreed, write_plan};
use super::prove::{there_already, write_new};
use super::retention_explain as explain;
use super::retention_impact::{Previewed, breakdowns, kept, share};
use super::retention_lock as lock;
use super::{pending, retention_what_if};
use crate::archive::{Access, Archive, CompactOutcome, PurgeOutcome, RecordedPurge, Snapshot};
use crate::cli::render::{Cell, Column, Table, counted, escape, size};
use crate::cli::run::{Context, Exit, Failure};
use crate::event::Refusal;
use crate::query::Filter;
use crate::retention::{
    AsOf, Class, GovernanceLocks, PlannedPurge, Policy, PurgePlan, Unsubmitted,
};
use crate::service::entries::refuse_unknown_converters;
use crate::service::time::parse_age;
use crate::service::words::parse_size;
use crate::time::Timestamp;
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

#[derive(Debug, clap::Args)]
struct Rules {
    /// Only entries of this converter
    #[arg(short, long, value_name = "NAME")]
    converter: Option<String>,
    /// Entries archived longer ago, such as 90d or 1y
    #[arg(long, value_name = "AGE")]
    older_than: Option<String>,
    /// Entries past the retention recorded with each of them
    #[arg(long)]
    expired: bool,
    /// The oldest, until the sources and reports left take at most this much on disk, such as 500GB
    #[arg(long, value_name = "SIZE")]
    max_size: Option<String>,
    /// The oldest, until at most this many are left
    #[arg(long, value_name = "N")]
    max_count: Option<u64>,
    /// What the [[retention]] classes of the configuration let go
    #[arg(long)]
    classes: bool,
    /// Also entries whose reports wait to be submitted; they are never sent
    #[arg(long)]
    even_waiting: bool,
    /// Also entries that governance locks keep; which ones is recorded, and --reason is needed
    #[arg(long)]
    bypass_governance: bool,
    /// Apply the rules as of this time instead of now
    #[arg(long, value_name = "TIME")]
    now: Option<String>,
}

impl Rules {
    fn plan(&self, archive: &Archive, context: &Context<'_>) -> Result<PurgePlan, Error> {
        let (policy, now) = self.policy(context)?;
        let named = Filter {
            converter: self.converter.iter().cloned().collect(),
            ..Filter::default()
        };
        let config = context.configuration().ok();
        refuse_unknown_converters(&named, &archive.snapshot()?, config.as_ref())?;
        let as_of = match self.now {
            Some(_) => AsOf::Vouched(now),
            None => AsOf::Clock,
        };
        archive.plan_purge(&policy, as_of)
    }

    fn policy(&self, context: &Context<'_>) -> Result<(Policy, Timestamp), Error> {
        let now = match &self.now {
            Some(text) => context.when(text)?,
            None => context.now(),
        };
        let older_than = self.older_than.as_deref();
        let max_size = self.max_size.as_deref();
        let policy = Policy {
            converter: self.converter.clone(),
            older_than_micros: older_than.map(|age| parse_age(age, now)).transpose()?,
            expired: self.expired,
            max_size: max_size.map(parse_size).transpose()?,
            max_count: self.max_count,
            unsubmitted: if self.even_waiting {
                Unsubmitted::Take
            } else {
                Unsubmitted::Keep
            },
            classes: if self.classes {
                classes_of(context)?
            } else {
                Vec::new()
            },
            governance_locks: if self.bypass_governance {
                GovernanceLocks::Bypass
            } else {
                GovernanceLocks::Obey
            },
        };
        let has_rule = policy.older_than_micros.is_some()
            || policy.expired
            || policy.max_size.is_some()
            || policy.max_count.is_some()
            || !policy.classes.is_empty();
        if !has_rule {
            return Err(Error::new(
                ErrorKind::Refused,
                "empty policy: there is no rule that lets anything go",
            )
            .hint("add --expired, --older-than, --max-size, --max-count or --classes"));
        }
        Ok((policy, now))
    }
}

/// Returns the classes of the configuration.
fn classes_of(context: &Context<'_>) -> Result<Vec<Class>, Error> {
    let classes = context.configuration()?.retention;
    if classes.is_empty() {
        let said = "the configuration has no [[retention]] classes";
        return Err(Error::new(ErrorKind::Refused, said).hint("docs/retention.md has examples"));
    }
    Ok(classes)
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
    args.rules.policy(context)?;
    let archive = context.open(Access::ReadOnly)?;
    let mut plan = args.rules.plan(&archive, context)?;
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
                escape(&file.to_string_lossy())
            ));
        }
    }
    Ok(Exit::Done)
}

fn apply(args: &Apply, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let plan_file = args.plan.as_deref().map(|file| context.path(file));
    let from_file = plan_file.as_deref().map(read_plan).transpose()?;
    if from_file.is_none()
        && let Err(error) = args.rules.policy(context)
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
        None => args.rules.plan(&archive, context).inspect_err(|error| {
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
    let certified = match &certificate {
        Some(file) if !plan.items.is_empty() => certify(&archive, Some(&plan.plan_id), Some(file)),
        _ => Ok(None),
    };
    let closed = archive.close();
    context.meter.clear();
    // The recorded purge is printed first, even when freeing its bytes failed.
    if context.json() {
        let zone = context.zone();
        let exact = |time: Option<Timestamp>| time.map(|time| zone.exact(time));
        let recorded = RecordedPurge {
            oldest_purged: exact(outcome.recorded.oldest_purged),
            newest_purged: exact(outcome.recorded.newest_purged),
            final_at: exact(outcome.recorded.final_at),
            ..outcome.recorded
        };
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
                format!("can be undone until {until}: annals retention undo {plan} --reason TEXT")
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
    if let Some(certified) = certified? {
        context.note(certified);
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
    let certified = certify(&archive, args.plan.as_deref(), file.as_deref());
    let closed = archive.close();
    match certified? {
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

fn unsigned() -> Error {
    Error::new(
        ErrorKind::Refused,
        "there is no key here to sign a certificate with",
    )
    .hint("make one with 'annals key init', or name it with --key-file FILE")
}

/// Frees what a purge left, and signs what became of its contents. Returns the text of the
/// certificate, or what it says in short if it went to a file.
fn certify(
    archive: &Archive,
    plan: Option<&str>,
    file: Option<&Path>,
) -> Result<Option<String>, Error> {
    // What could not be freed is named in the certificate.
    let freed = archive.free_purged_by(plan);
    if let Err(error) = freed
        && error.kind() == ErrorKind::NotFound
    {
        return Err(error);
    }
    let (certificate, note) = archive.certify_destruction(plan)?;
    let Some(file) = file else {
        return Ok(Some(note.to_string()));
    };
    write_new(file, &note.to_string())?;
    let said = if certificate.is_complete() {
        "nothing of them is left in the store that nothing else needs"
    } else {
        "some of them are not freed yet, which it says"
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
        Column::left("ARCHIVED"),
        Column::right("FREES"),
        Column::left("PART"),
        Column::left("RULE"),
        Column::clipped("CONVERTER"),
        Column::clipped("FILE"),
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

/// Describes the rule of an item, with the class that it belongs to.
fn rule_of(item: &PlannedPurge) -> String {
    match &item.class {
        Some(class) => format!("{class}: {}", item.rule),
        None => item.rule.clone(),
    }
}

/// Describes how many entries and parts of entries a plan takes.
fn things(plan: &PurgePlan) -> String {
    let entries = counted(plan.count, "entry", "entries");
    match (plan.count, plan.parts) {
        (_, 0) => entries,
        (0, parts) => counted(parts, "part of an entry", "parts of entries"),
        (_, parts) => {
            let parts = counted(parts, "part of others", "parts of others");
            format!("{entries} and {parts}")
        }
    }
}

/// Describes a plan in one line, as something that would happen.
fn summary(plan: &PurgePlan, zone: &crate::service::time::Zone) -> String {
    let text = match (plan.oldest, plan.newest) {
        (Some(oldest), Some(newest)) if !plan.items.is_empty() => format!(
            "would purge {} archived from {} to {}: {} of sources and reports, {}",
            things(plan),
            zone.short(oldest),
            zone.short(newest),
            size(plan.bytes_logical),
            on_disk(plan)
        ),
        _ => "would purge nothing".to_owned(),
    };
    std::iter::once(text)
        .chain(kept(plan))
        .collect::<Vec<_>>()
        .join("; ")
}

/// Describes how much a plan frees on disk, and how much of that at once.
fn on_disk(plan: &PurgePlan) -> String {
    let all = size(plan.bytes_freed);
    if plan.bytes_freed_at_once >= plan.bytes_freed {
        return format!("{all} on disk");
    }
    let at_once = size(plan.bytes_freed_at_once);
    format!("{all} on disk ({at_once} at once, the rest when half of its packs is unneeded)")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::cli::arguments::Globals;
    use crate::cli::caller::CallerEnv;
    use crate::cli::caller::{Stdin, Streams};
    use crate::id::{EntryId, EventSeq};
    use crate::service::time::Zone;

    fn plan() -> PurgePlan {
        let time = |text: &str| text.parse::<Timestamp>().expect("valid");
        PurgePlan {
            plan_id: "p".into(),
            at_seq: EventSeq(9),
            effective_now: time("2026-11-23T12:00:00Z"),
            rules: vec!["older than 90d".into()],
            items: vec![PlannedPurge {
                id: EntryId(3),
                part: crate::entry::Part::Entry,
                class: None,
                rule: "older than 90d".into(),
                bytes_freed: 2048,
            }],
            count: 1,
            parts: 0,
            bytes_logical: 4096,
            bytes_freed: 2048,
            bytes_freed_at_once: 2048,
            held_skipped: 2,
            waiting_skipped: 0,
            locked_skipped: 0,
            undated_skipped: 0,
            oldest: Some(time("2026-03-01T07:30:00Z")),
            newest: Some(time("2026-03-01T07:30:00Z")),
            reason: "manual".into(),
        }
    }

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
                let error = rules(args).policy(context).expect_err("empty");
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
            let (policy, _) = rules(&args).policy(context).expect("valid");
            assert_eq!(policy.older_than_micros, Some(90 * 86_400_000_000));
            assert_eq!(policy.max_size, Some(10 << 30));
            assert_eq!(policy.max_count, Some(5));
            for args in [["--older-than", "soon"], ["--max-size", "big"]] {
                let error = rules(&args).policy(context).expect_err("wrong");
                assert_eq!(error.kind(), ErrorKind::Invalid, "{args:?}");
            }
        });
    }

    #[test]
    fn a_plan_comes_back_from_its_file_as_it_was() {
        let dir = tempfile::tempdir().expect("temp dir");
        let file = dir.path().join("plan.json");
        write_plan(&plan(), &file).expect("written");
        assert_eq!(read_plan(&file).expect("read"), plan());
        fs::write(&file, "{}").expect("write");
        assert!(read_plan(&file).is_err());
    }

    #[test]
    fn a_preview_never_speaks_in_the_past_tense() {
        assert_eq!(
            summary(&plan(), &Zone::Utc),
            "would purge 1 entry archived from 2026-03-01 07:30:00Z to 2026-03-01 07:30:00Z: \
             4.0 KiB of sources and reports, 2.0 KiB on disk; 2 kept by holds"
        );
        let nothing = PurgePlan {
            count: 0,
            items: Vec::new(),
            oldest: None,
            newest: None,
            held_skipped: 0,
            ..plan()
        };
        assert_eq!(summary(&nothing, &Zone::Utc), "would purge nothing");
    }
}
