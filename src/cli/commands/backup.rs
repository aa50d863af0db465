//! `annals backup`: brings a backup up to the store.

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use crate::archive::{
    Access, BackupCheck, BackupOptions, BackupOutcome, BackupPlan, OnDamage, Stop, Why,
};
use crate::cli::commands::verify::print_findings;
use crate::cli::render::{Cell, Column, Style, Table, counted, escape, path_text, size};
use crate::cli::run::{Context, Exit, Failure};
use crate::id::EventSeq;
use crate::{Error, ErrorKind};

/// Copy the store to DIR, or what is new since the last time
///
/// Archiving goes on meanwhile. What is copied is read back and checked; until all of it is, the
/// backup before stays as it was. What was purged in the store leaves the backup with the next run.
/// Exit code 6 when the store is damaged, 5 when the backup is of another store or ahead of this
/// one: then it is not touched.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  annals backup /mnt/usb/annals
  annals backup /mnt/usb/annals --verify deep --json
  annals verify --store /mnt/usb/annals")]
pub(crate) struct Args {
    /// Folder of the backup; made if missing
    dir: PathBuf,
    /// Which files of the backup to read again
    #[arg(long, value_enum, default_value_t = Verify::New, value_name = "WHICH")]
    verify: Verify,
    /// Only show what would be copied and removed
    #[arg(long)]
    dry_run: bool,
    /// Back up a damaged store too, and replace what a repair changed
    #[arg(long)]
    accept_damage: bool,
}

/// Which files of a backup are read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Verify {
    /// Those that this run copies
    New,
    /// All; what is damaged is copied again
    Deep,
}

pub(crate) fn run(args: Args, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let dir = context.path(&args.dir);
    refuse_file(
        &dir,
        "name a folder: one that is missing or empty, or the backup before",
    )?;
    // A signal ends the run between two chunks, and the file that was being copied is removed.
    let cancel = context.cancel_by_signal();
    let archive = context.open(Access::ReadWrite)?;
    if args.dry_run {
        let plan = archive.plan_backup(&dir).map_err(verdict)?;
        archive.close()?;
        context.meter.clear();
        if context.json() {
            context.print_json(&plan)?;
        } else {
            show(&plan, context)?;
        }
        return Ok(Exit::Done);
    }
    let options = BackupOptions {
        check: match args.verify {
            Verify::New => BackupCheck::New,
            Verify::Deep => BackupCheck::All,
        },
        on_damage: on_damage(args.accept_damage),
        progress: context.meter.as_progress(),
        stop: Stop::when(move || cancel.is_cancelled()),
    };
    let outcome = archive.backup(&dir, &options).map_err(verdict)?;
    archive.close()?;
    context.meter.clear();
    if outcome.interrupted && context.interrupted().is_none() {
        // The client has disconnected.
        context.check_cancelled()?;
    }
    if context.json() {
        context.print_json(&outcome)?;
    } else {
        tell(&outcome, &path_text(&dir), context)?;
    }
    Ok(if outcome.findings.is_empty() {
        Exit::Done
    } else {
        Exit::Damaged
    })
}

/// Refuses a path that is a file, or leads through one, where a folder is expected.
pub(super) fn refuse_file(path: &Path, next_step: &'static str) -> Result<(), Error> {
    let found = path
        .ancestors()
        .find_map(|path| Some((path, path.metadata().ok()?)));
    match found {
        Some((path, metadata)) if !metadata.is_dir() => {
            let said = format!("{} is a file, and not a folder", path.display());
            Err(Error::new(ErrorKind::Io, said).hint(next_step))
        }
        _ => Ok(()),
    }
}

pub(super) fn on_damage(accept: bool) -> OnDamage {
    if accept {
        OnDamage::Accept
    } else {
        OnDamage::Refuse
    }
}

/// Returns the failure for an error. Damage is a result here, as it is for `verify`, with its exit
/// code.
pub(super) fn verdict(error: Error) -> Failure {
    match error.kind() {
        ErrorKind::Damaged => Failure::Error {
            error,
            exit: Exit::Damaged,
        },
        _ => error.into(),
    }
}

fn show(plan: &BackupPlan, context: &mut Context<'_>) -> Result<(), Failure> {
    let columns = [
        Column::left("WHAT"),
        Column::right("SIZE"),
        Column::left("FILE").kept(),
        Column::text("WHY"),
    ];
    let new = plan.new.iter().map(|file| ("copy", file));
    let goes = plan.goes.iter().map(|file| ("remove", file));
    let rows: Vec<_> = new
        .chain(goes)
        .map(|(what, file)| {
            vec![
                Cell::new(what),
                Cell::new(size(file.bytes)),
                Cell::new(&file.path),
                Cell::new(match file.why {
                    Why::New => "new",
                    Why::Missing => "missing in the backup",
                    Why::Changed => "changed by a repair",
                    Why::Gone => "gone from the store",
                    Why::Left => "left by a run that was cut off",
                }),
            ]
        })
        .collect();
    let canvas = context.canvas();
    context.print(Table::new(&columns, canvas).page(&rows))?;
    context.print(format!(
        "to event {}: {}, {} to copy; {} there already; {}, {} to remove\n",
        plan.event,
        counted(plan.new.len() as u64, "file", "files"),
        size(plan.bytes_new),
        counted(plan.files_there, "file", "files"),
        counted(plan.goes.len() as u64, "file", "files"),
        size(plan.bytes_going),
    ))?;
    context.note("what is still in the journal is sealed and copied as well");
    Ok(())
}

fn tell(outcome: &BackupOutcome, dir: &str, context: &mut Context<'_>) -> Result<(), Failure> {
    let canvas = context.canvas();
    print_findings(&outcome.findings, context)?;
    if !outcome.complete {
        let verdict = Style::Bad.paint("not backed up", canvas.colour);
        let why = if outcome.interrupted {
            "interrupted"
        } else {
            "the store is damaged"
        };
        let before = match outcome.event {
            EventSeq(0) => "holds no backup yet".to_owned(),
            event => format!("is as it was, up to event {event}"),
        };
        context.print(format!("{verdict}: {why}; {} {before}\n", escape(dir)))?;
        if !outcome.interrupted {
            context.note(
                "next: `annals verify`, then `annals repair`; or add --accept-damage to back it up as it is",
            );
        }
        return Ok(());
    }
    let verdict = Style::Good.paint("backed up", canvas.colour);
    context.print(format!(
        "{verdict} to event {} in {}: {}, {} copied and checked; {} there already; {} removed\n",
        outcome.event,
        escape(dir),
        counted(outcome.files_copied, "file", "files"),
        size(outcome.bytes_copied),
        counted(outcome.files_there, "file", "files"),
        counted(outcome.files_removed, "file", "files"),
    ))?;
    if outcome.files_mended > 0 {
        context.warn(format!(
            "{} in the backup {} missing or damaged, and copied again: have an eye on that disk",
            counted(outcome.files_mended, "file", "files"),
            if outcome.files_mended == 1 {
                "was"
            } else {
                "were"
            },
        ));
    }
    Ok(())
}
