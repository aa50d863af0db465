//! `annals restore`: restores sources as files.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

use serde::Serialize;
use sha2::Digest;

use super::prove::write_new;
use crate::archive::{Access, Archive, RestoredFile, Snapshot};
use crate::cli::content::{Unpacked, note_access, open_to_hand_out};
use crate::cli::render::{counted, escape, path_text, size};
use crate::cli::run::{Context, Exit, Failure, Tally};
use crate::convert::Cancel;
use crate::entry::Entry;
use crate::event::Handed;
use crate::export::certificate::RestoredAs;
use crate::id::{EntryId, Sha256};
use crate::query::{Filter, Query};
use crate::service::content::{copy, numbered, open_source, original, safe_name};
use crate::service::entries::no_entry;
use crate::service::entries::{
    Criteria, Period, Selected, each_page, nothing_selected, refuse_unknown_converters,
};
use crate::{Error, ErrorKind, Result};

mod group;
mod partial;
mod target;
#[cfg(test)]
mod tests;

use group::{Named, is_group};
use partial::{Partial, remove_abandoned};
use target::{Done, Overwrite, Target, exists, is_identical};

/// Restore sources as files
///
/// Each file is checked against its hash, made durable and only then given its name. A file that is
/// there already with the same content is left and counted, so that restoring again goes on where
/// it was stopped. Another file of that name is never replaced unless --overwrite always says so.
/// Only the account that restores can read the files (mode 0600). A file with companions comes back
/// with them: as a folder that holds them, or side by side with --original-names.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  annals restore 4711 4712 --to back/
  annals restore --serial SN1042 --to back/ --original-names
  annals restore -c 'ICT CSV' --from yesterday --until today --to back/
  annals restore --path line3 --to back/ --tree
  annals restore 4711 --to back/ --certificate")]
pub(crate) struct Args {
    /// Entries by id; or use filters
    #[arg(value_name = "ID")]
    ids: Vec<EntryId>,
    /// The folder to restore into; made if missing
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// Use the recorded file names instead of ID_NAME; equal ones get " (2)" and so on
    #[arg(long)]
    original_names: bool,
    /// Recreate the folders below the one that all sources have in common; names and times are kept
    #[arg(long, conflicts_with = "original_names")]
    tree: bool,
    /// What to do about files that are there already
    #[arg(long, value_name = "WHEN", default_value = "never")]
    overwrite: Overwrite,
    /// Read each file back from the disk and compare its hash again
    #[arg(long)]
    verify: bool,
    /// Also write FILE.certificate beside each: a signed statement that it is what came in, which
    /// `annals verify-proof` checks; implies --verify
    #[arg(long)]
    certificate: bool,
    #[command(flatten)]
    criteria: Criteria,
    /// Archived at or after, such as 2026-03-01, yesterday, monday, 'last week', or 90d (ago)
    #[arg(long, value_name = "DATE", help_heading = "Filters")]
    from: Option<String>,
    /// Archived before; --from 2026-03-01 and this 2026-03-02 are that one day
    #[arg(long, value_name = "DATE", help_heading = "Filters")]
    until: Option<String>,
}

#[derive(Serialize)]
struct Restored {
    id: EntryId,
    path: String,
    size: u64,
    sha256: Sha256,
    /// True for a file that was there already, with the same content.
    unchanged: bool,
}

pub(crate) fn run(args: Args, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let period = Period {
        from: args.from,
        to: args.until,
    };
    let filter = args
        .criteria
        .to_filter(&period, context.now(), &context.zone())?;
    let selected = Selected::of(args.ids, filter)?;
    let archive = if args.certificate {
        open_to_certify(context)?
    } else {
        open_to_hand_out(context)?
    };
    let selected = match selected.in_store(&context.desk(&archive))? {
        // An entry that is named twice is restored once.
        Selected::Ids(mut ids) => {
            let mut seen = HashSet::new();
            ids.retain(|id| seen.insert(*id));
            Selected::Ids(ids)
        }
        filter @ Selected::Filter(_) => filter,
    };
    let snapshot = archive.snapshot()?;
    let total = match &selected {
        Selected::Ids(ids) => ids.len() as u64,
        Selected::Filter(filter) => {
            refuse_unknown_converters(filter, &snapshot, context.configuration().ok().as_ref())?;
            match snapshot.count(filter)? {
                0 => return Err(nothing_selected().into()),
                total => total,
            }
        }
    };
    let names = match (args.tree, args.original_names) {
        (true, _) => Names::Tree(common_folder(&selected, &snapshot)?),
        (false, true) => Names::Original,
        (false, false) => Names::Numbered,
    };
    let dir = context.path(&args.to);
    fs::create_dir_all(&dir).map_err(|error| Failure::plain(Error::io("create", &dir, error)))?;
    remove_abandoned(&dir);
    // Ctrl-C ends the work in the middle of a file, and removes what was written of it.
    let cancel = context.cancel_by_signal();
    let to = path_text(&dir);
    let ids = || living(&selected, &snapshot);
    note_access(
        &archive,
        Handed::Contents,
        "restore",
        Some(&to),
        ids,
        context,
    )?;
    let mut restore = Restore {
        archive: &archive,
        target: Target {
            dir,
            overwrite: args.overwrite,
            taken: HashSet::new(),
        },
        shown: args.to,
        names,
        read_back: args.verify || args.certificate,
        certified: args.certificate.then(Vec::new),
        is_full: false,
        tally: Tally::default(),
        identical: 0,
        bytes: 0,
        mute: false,
        cancel: cancel.clone(),
    };
    let worked = restore.all(selected, &snapshot, total, context);
    context.meter.clear();
    let is_stopped = cancel.is_cancelled();
    if !is_stopped {
        worked?;
    }
    let certified = restore.certify(context)?;
    context.note(restore.summary(&certified, is_stopped));
    Ok(restore.tally.exit())
}

impl Restore<'_> {
    /// Sums up in one line; `certified` are the words about certificates.
    fn summary(&self, certified: &str, is_stopped: bool) -> String {
        let mut parts = vec![format!(
            "{} restored, {}{certified}",
            counted(self.tally.done - self.identical, "file", "files"),
            size(self.bytes)
        )];
        if self.identical > 0 {
            parts.push(format!(
                "{} there already with the same content",
                self.identical
            ));
        }
        if self.tally.failed > 0 {
            parts.push(format!("{} failed", self.tally.failed));
        }
        if self.is_full {
            parts.push("stopped early, the rest was not tried".to_owned());
        }
        if is_stopped {
            parts.push("stopped: the same command goes on".to_owned());
        }
        parts.join("; ")
    }

    /// Restores what is selected, `total` entries.
    fn all(
        &mut self,
        selected: Selected,
        snapshot: &Snapshot,
        total: u64,
        context: &mut Context<'_>,
    ) -> Result<(), Failure> {
        match selected {
            Selected::Ids(ids) => {
                for (done, id) in (0..).zip(ids) {
                    context.meter.report(done, total, "restoring");
                    match snapshot.entry(id)? {
                        Some(entry) => self.one(&entry, context)?,
                        None => self.fail(&no_entry(id), context),
                    }
                }
            }
            Selected::Filter(filter) => {
                let query = Query {
                    filter: *filter,
                    limit: None,
                    ..Query::default()
                };
                let mut done = 0;
                each_page(snapshot, query, |entries| {
                    entries.iter().try_for_each(|entry| {
                        context.meter.report(done, total, "restoring");
                        done += 1;
                        self.one(entry, context)
                    })
                })?;
            }
        }
        Ok(())
    }
}

/// The checks that each certified file has passed.
const CHECKS: [&str; 3] = [
    "each part was compared with its BLAKE3 hash when it was read from the store",
    "the whole was compared with its BLAKE3 and SHA-256 hashes as recorded when it came in",
    "the written file was read back from the disk and compared with its BLAKE3 hash",
];
/// The most certificates that are made with one checkpoint.
const CERTIFIED_AT_ONCE: usize = 1_000;

/// Opens the store with the key that signs. Without one, nothing is restored.
fn open_to_certify(context: &Context<'_>) -> Result<Archive> {
    let archive = context.open(Access::ReadWrite)?;
    if archive.signs() {
        return Ok(archive);
    }
    Err(Error::new(
        ErrorKind::Refused,
        "there is no key here to sign a certificate with",
    )
    .hint("make one with 'annals key init', or name it with --key-file FILE"))
}

/// How restored files are named.
enum Names {
    /// By the id of the entry and its name.
    Numbered,
    /// As they were.
    Original,
    /// As they were, in the folders below the one that these components name.
    Tree(Vec<String>),
}

/// Returns the folders of a source, from the root on.
fn folders(entry: &Entry) -> Vec<String> {
    let path = entry.source_path.replace('\\', "/");
    let parts = path
        .split('/')
        .filter(|part| !matches!(*part, "" | "." | ".."));
    let mut parts: Vec<String> = parts.map(str::to_owned).collect();
    parts.pop();
    parts
}

/// Returns the folder that all sources have in common.
fn common_folder(selected: &Selected, snapshot: &Snapshot) -> Result<Vec<String>, Failure> {
    let query = Query::default().filter(filter_of(selected)).limit(None);
    let mut common: Option<Vec<String>> = None;
    each_page::<Failure>(snapshot, query, |entries| {
        for entry in entries {
            let own = folders(entry);
            common = Some(match common.take() {
                None => own,
                Some(common) => {
                    let same = common
                        .iter()
                        .zip(&own)
                        .take_while(|(one, other)| one == other);
                    let same = same.count();
                    common.into_iter().take(same).collect()
                }
            });
        }
        Ok(())
    })?;
    Ok(common.unwrap_or_default())
}

fn filter_of(selected: &Selected) -> Filter {
    match selected {
        Selected::Ids(ids) => Filter::default().ids(ids.clone()),
        Selected::Filter(filter) => Filter::clone(filter),
    }
}

/// Returns the selected entries that are there and not purged.
fn living(selected: &Selected, snapshot: &Snapshot) -> Result<Vec<EntryId>, Failure> {
    let query = Query::default().filter(filter_of(selected)).limit(None);
    let mut ids = Vec::new();
    each_page::<Failure>(snapshot, query, |entries| {
        ids.extend(entries.iter().map(|entry| entry.id));
        Ok(())
    })?;
    Ok(ids)
}

struct Restore<'a> {
    archive: &'a Archive,
    target: Target,
    /// The folder as the user named it, for messages.
    shown: PathBuf,
    names: Names,
    read_back: bool,
    /// The files to be certified; `None` when none is.
    certified: Option<Vec<(RestoredFile, PathBuf)>>,
    tally: Tally,
    /// Those of the done that were there already.
    identical: u64,
    bytes: u64,
    cancel: Cancel,
    /// The disk is full, so nothing more is tried.
    is_full: bool,
    /// Nobody reads the printed lines any more, so none are printed. Restoring goes on.
    mute: bool,
}

impl Restore<'_> {
    fn one(&mut self, entry: &Entry, context: &mut Context<'_>) -> Result<(), Failure> {
        context.check_cancelled()?;
        // Every further file would meet the full disk, too.
        if self.is_full {
            return Ok(());
        }
        let restored = match self.file(entry, context) {
            Ok(Done::Identical(path)) => {
                self.identical += 1;
                self.tally.done += 1;
                let there = Restored {
                    id: entry.id,
                    path: path_text(&self.shown.join(self.target.below(&path))),
                    size: entry.size,
                    sha256: entry.sha256,
                    unchanged: true,
                };
                return if context.json() {
                    self.print(&there, context)
                } else {
                    Ok(())
                };
            }
            Ok(Done::Written(path, form)) => {
                let name = path.file_name().unwrap_or_default().to_owned();
                let below = self.target.below(&path).to_owned();
                if let Some(certified) = &mut self.certified {
                    let name = name.to_string_lossy();
                    let checks = CHECKS.map(str::to_owned).to_vec();
                    let file = RestoredFile::new(entry.id, name, form, context.now(), checks);
                    certified.push((file, path));
                }
                Restored {
                    id: entry.id,
                    path: path_text(&self.shown.join(below)),
                    size: entry.size,
                    sha256: entry.sha256,
                    unchanged: false,
                }
            }
            // What was being written when somebody stopped it has not failed.
            Err(_) if self.cancel.is_cancelled() => return context.check_cancelled(),
            Err(error) => {
                self.is_full = error.kind() == ErrorKind::Full;
                self.fail(&error, context);
                return Ok(());
            }
        };
        self.tally.done += 1;
        self.bytes += entry.size;
        self.print(&restored, context)
    }

    fn print(&mut self, restored: &Restored, context: &mut Context<'_>) -> Result<(), Failure> {
        if self.mute {
            return Ok(());
        }
        let printed = if context.json() {
            context.print_json(restored)
        } else {
            context.print(format!(
                "{:>8}  {:>10}  {}\n",
                restored.id,
                size(restored.size),
                escape(&restored.path)
            ))
        };
        match printed.and_then(|()| context.flush()) {
            Err(Failure::ReaderGone) => {
                self.mute = true;
                Ok(())
            }
            other => other,
        }
    }

    fn fail(&mut self, error: &Error, context: &mut Context<'_>) {
        // A file in the way or a full disk is a plain failure. A missing entry and damage keep
        // their exit codes.
        let exit = match error.kind() {
            ErrorKind::NotFound => Exit::NotFound,
            ErrorKind::Damaged => Exit::Damaged,
            _ => Exit::Failed,
        };
        self.tally.fail(exit);
        context.error(error);
    }

    /// Signs and writes the certificates. Returns how many, in words.
    fn certify(&mut self, context: &mut Context<'_>) -> Result<String, Failure> {
        let Some(certified) = self.certified.take() else {
            return Ok(String::new());
        };
        let mut written = 0;
        for part in certified.chunks(CERTIFIED_AT_ONCE) {
            let files: Vec<RestoredFile> = part.iter().map(|(file, _)| file.clone()).collect();
            let notes = self.archive.certify_restored(&files)?;
            for ((_, path), note) in part.iter().zip(notes) {
                let mut name = path.clone().into_os_string();
                name.push(".certificate");
                let path = PathBuf::from(name);
                let text = note.to_string();
                let done = match self.target.overwrite {
                    Overwrite::Never => write_new(&path, &text),
                    Overwrite::Always => {
                        fs::write(&path, text).map_err(|error| Error::io("write", &path, error))
                    }
                };
                match done {
                    Ok(()) => written += 1,
                    Err(error) => self.fail(&error, context),
                }
            }
        }
        Ok(format!(
            ", {}",
            counted(written, "certificate", "certificates")
        ))
    }

    fn file(&mut self, entry: &Entry, context: &Context<'_>) -> Result<Done> {
        let name = match self.names {
            Names::Original | Names::Tree(_) => original(entry)?,
            Names::Numbered => numbered(entry).into(),
        };
        let folder = self.folder(entry)?;
        let path = self.target.name(&folder, name);
        // A certificate states checks that only a new file has passed.
        if self.target.is_in_the_way(&path) && self.certified.is_none() {
            let there = is_identical(&path, entry);
            if there.map_err(|error| Error::io("read", &path, error))? {
                return Ok(Done::Identical(path));
            }
        }
        // Of a main file with companions, each is looked at by itself.
        if self.target.is_in_the_way(&path) && !is_group(self.archive, entry, context)? {
            return Err(exists(&path, entry.id));
        }
        let mut content = open_source(self.archive, entry, &context.zone())?;
        let mut partial = Partial::create(&self.target.dir, entry.id)?;
        let mut sha256 = sha2::Sha256::new();
        copy(&mut content, |chunk| {
            if self.cancel.is_cancelled() {
                return Err(Error::new(ErrorKind::Io, "the restore was stopped"));
            }
            sha256.update(chunk);
            partial.write(chunk)
        })?;
        let read = Sha256::from_bytes(sha256.finalize().into());
        if read != entry.sha256 {
            return Err(Error::new(
                ErrorKind::Damaged,
                format!("entry {}: the content does not have its SHA-256", entry.id),
            )
            .hint("`annals verify` shows the extent of the damage"));
        }
        if let (Names::Tree(_), Some(at)) = (&self.names, entry.source_modified) {
            let at = SystemTime::from(at);
            let set = partial.file.set_modified(at);
            set.map_err(|error| Error::io("set the time of", &partial.path, error))?;
        }
        partial.sync()?;
        if self.read_back {
            partial.compare(entry.blake3)?;
        }
        let tar = partial.path.with_extension("unpacked");
        if let Some(unpacked) = Unpacked::of(&mut partial.file, tar)? {
            let named = match self.names {
                Names::Original | Names::Tree(_) => Named::Original,
                Names::Numbered => Named::InFolder,
            };
            let all_new = self.certified.is_some();
            let placed = (entry.id, named);
            return group::place(&unpacked, placed, &folder, &mut self.target, all_new);
        }
        self.target.place(partial, &path, entry.id)?;
        Ok(Done::Written(path, RestoredAs::File))
    }

    /// Returns the folder below the target that an entry is restored into. It is there.
    fn folder(&self, entry: &Entry) -> Result<PathBuf> {
        let Names::Tree(common) = &self.names else {
            return Ok(PathBuf::new());
        };
        let own = folders(entry).into_iter().skip(common.len());
        let safe = own.map(|name| safe_name(&name).unwrap_or_else(|| "_".to_owned()));
        let folder: PathBuf = safe.collect();
        let path = self.target.dir.join(&folder);
        fs::create_dir_all(&path).map_err(|error| Error::io("create", &path, error))?;
        Ok(folder)
    }
}
