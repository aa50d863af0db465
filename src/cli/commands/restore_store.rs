//! `annals restore-store`: makes a store from a backup.

use std::path::PathBuf;

use crate::archive::{Access, BackupOptions, RestoredStore, Stop, is_backup, restore_store};
use crate::cli::commands::backup::{on_damage, refuse_file, verdict};
use crate::cli::commands::verify::print_findings;
use crate::cli::render::{Style, counted, escape, path_text, size};
use crate::cli::run::{Context, Exit, Failure};
use crate::cli::store;
use crate::service::words::in_shell;
use crate::{Error, ErrorKind};

/// Make a store out of the backup in DIR
///
/// Every file is checked. The store keeps its id and its numbers, and records that it goes on from
/// this backup; the one the backup was made of must not be written any more. Folders that are not
/// empty are refused; one in which this was cut off goes on where it ended. Exit code 6 when the
/// backup is damaged.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  annals restore-store /mnt/usb/annals --to /var/lib/annals
  annals --store /var/lib/annals restore-store /mnt/usb/annals")]
pub(crate) struct Args {
    /// Folder of the backup
    dir: PathBuf,
    /// Where to make the store [default: the store that is named]
    #[arg(long, value_name = "NEW")]
    to: Option<PathBuf>,
    /// Take over what can be read of a damaged backup
    #[arg(long)]
    accept_damage: bool,
}

pub(crate) fn run(args: Args, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let backup = context.path(&args.dir);
    refuse_file(&backup, "name the folder that `annals backup` was given")?;
    let named = match args.to {
        Some(to) => Some(to),
        None => store::named(&context.globals, context.caller_env())?,
    };
    let to = named.ok_or_else(|| {
        Error::new(ErrorKind::Invalid, "where to make the store is not said")
            .hint("add --to NEW, a folder that is missing or empty")
    })?;
    let to = context.path(&to);
    refuse_file(
        &to,
        "name a folder for the new store that is missing or empty",
    )?;
    if !is_backup(&backup) && is_backup(&to) {
        let said = format!("there is no backup in {}", path_text(&backup));
        let hint = format!(
            "the backup is in {}: `annals restore-store {} --to {}`",
            path_text(&to),
            in_shell(&path_text(&to)),
            in_shell(&path_text(&backup))
        );
        return Err(Error::new(ErrorKind::Invalid, said).hint(hint).into());
    }
    let cancel = context.cancel_by_signal();
    let how = BackupOptions {
        on_damage: on_damage(args.accept_damage),
        progress: context.meter.as_progress(),
        stop: Stop::when(move || cancel.is_cancelled()),
        ..BackupOptions::default()
    };
    let options = context.options(Access::ReadWrite);
    let restored = restore_store(&backup, &to, options, &how).map_err(verdict)?;
    context.meter.clear();
    if context.json() {
        context.print_json(&restored)?;
    } else {
        tell(&restored, context)?;
    }
    Ok(if restored.findings.is_empty() {
        Exit::Done
    } else {
        Exit::Damaged
    })
}

fn tell(restored: &RestoredStore, context: &mut Context<'_>) -> Result<(), Failure> {
    let canvas = context.canvas();
    print_findings(&restored.findings, context)?;
    let path = path_text(&restored.path);
    if !restored.complete {
        let verdict = Style::Bad.paint("not restored", canvas.colour);
        let why = if restored.interrupted {
            "interrupted; run it again to go on"
        } else {
            "the backup is damaged"
        };
        context.print(format!(
            "{verdict}: {why}; {} is no store yet\n",
            escape(&path)
        ))?;
        if !restored.interrupted {
            context
                .note("next: another backup; or add --accept-damage to take over what can be read");
        }
        return Ok(());
    }
    let verdict = Style::Good.paint("restored", canvas.colour);
    context.print(format!(
        "{verdict}: store {} up to event {} in {}: {}, {} copied and checked\n",
        restored.store,
        restored.event,
        escape(&path),
        counted(restored.files, "file", "files"),
        size(restored.bytes),
    ))?;
    if restored.continued.is_none() {
        context.note(format!("next: `annals repair --store {}`", in_shell(&path)));
    }
    if restored.original_is_there {
        context.warn(format!(
            "the store the backup was made of is still in {}: from now on write only one of the two",
            restored.from_folder
        ));
    } else {
        context.note(format!(
            "it was in {} on '{}': if it is written there still, stop that first",
            restored.from_folder, restored.from_host
        ));
    }
    Ok(())
}
