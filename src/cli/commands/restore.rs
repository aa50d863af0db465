//! `annals restore`: restores sources as files.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use clap::ValueEnum;
use serde::Serialize;
use sha2::Digest;

use super::prove::write_new;
use crate::archive::{Access, Archive, RestoredFile, Snapshot};
use crate::cli::content::{Replaces, Unpacked, note_access, open_to_hand_out};
use crate::cli::render::{counted, escape, path_text, size};
use crate::cli::run::{Context, Exit, Failure, Tally};
use crate::entry::Entry;
use crate::event::Handed;
use crate::export::certificate::RestoredAs;
use crate::id::{BlobId, EntryId, Sha256};
use crate::index::fold;
use crate::query::{Filter, Query};
use crate::service::content::{copy, distinct, numbered, open_source, original, safe_name};
use crate::service::entries::no_entry;
use crate::service::entries::{
    Criteria, Period, Selected, each_page, nothing_selected, refuse_unknown_converters,
};
use crate::{Error, ErrorKind, Result};

/// Restore sources as files
///
/// Each file is checked against its hash, made durable and only then given its name. A file that is
/// there already is never replaced unless --overwrite always says so. Only the account that
/// restores can read the files (mode 0600). A file with companions comes back with them: as a
/// folder that holds them, or side by side with --original-names.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  annals restore 4711 4712 --to back/
  annals restore --serial SN1042 --to back/ --original-names
  annals restore -c 'ICT CSV' --from yesterday --until today --to back/
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Overwrite {
    /// Leave them, and count the entry as failed
    Never,
    /// Replace them
    Always,
}

#[derive(Serialize)]
struct Restored {
    id: EntryId,
    path: String,
    size: u64,
    sha256: Sha256,
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
    let selected = selected.in_store(&context.desk(&archive))?;
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
    let dir = context.path(&args.to);
    fs::create_dir_all(&dir).map_err(|error| Failure::plain(Error::io("create", &dir, error)))?;
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
        original_names: args.original_names,
        read_back: args.verify || args.certificate,
        certified: args.certificate.then(Vec::new),
        tally: Tally::default(),
        bytes: 0,
        mute: false,
    };
    match selected {
        Selected::Ids(ids) => {
            for (done, id) in (0..).zip(ids) {
                context.meter.report(done, total, "restoring");
                match snapshot.entry(id)? {
                    Some(entry) => restore.one(&entry, context)?,
                    None => restore.fail(&no_entry(id), context),
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
            each_page(&snapshot, query, |entries| {
                entries.iter().try_for_each(|entry| {
                    context.meter.report(done, total, "restoring");
                    done += 1;
                    restore.one(entry, context)
                })
            })?;
        }
    }
    context.meter.clear();
    let certified = restore.certify(context)?;
    let failed = match restore.tally.failed {
        0 => String::new(),
        failed => format!("; {failed} failed"),
    };
    context.note(format_args!(
        "{} restored, {}{certified}{failed}",
        counted(restore.tally.done, "file", "files"),
        size(restore.bytes)
    ));
    Ok(restore.tally.exit())
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

/// Returns the selected entries that are there and not purged.
fn living(selected: &Selected, snapshot: &Snapshot) -> Result<Vec<EntryId>, Failure> {
    let filter = match selected {
        Selected::Ids(ids) => Filter::default().ids(ids.clone()),
        Selected::Filter(filter) => Filter::clone(filter),
    };
    let query = Query::default().filter(filter).limit(None);
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
    original_names: bool,
    read_back: bool,
    /// The files to be certified; `None` when none is.
    certified: Option<Vec<(RestoredFile, PathBuf)>>,
    tally: Tally,
    bytes: u64,
    /// Nobody reads the printed lines any more, so none are printed. Restoring goes on.
    mute: bool,
}

impl Restore<'_> {
    fn one(&mut self, entry: &Entry, context: &mut Context<'_>) -> Result<(), Failure> {
        context.check_cancelled()?;
        let restored = match self.file(entry, context) {
            Ok((path, form)) => {
                let name = path.file_name().unwrap_or_default().to_owned();
                if let Some(certified) = &mut self.certified {
                    let name = name.to_string_lossy();
                    let checks = CHECKS.map(str::to_owned).to_vec();
                    let file = RestoredFile::new(entry.id, name, form, context.now(), checks);
                    certified.push((file, path));
                }
                Restored {
                    id: entry.id,
                    path: path_text(&self.shown.join(name)),
                    size: entry.size,
                    sha256: entry.sha256,
                }
            }
            Err(error) => {
                self.fail(&error, context);
                return Ok(());
            }
        };
        self.tally.done += 1;
        self.bytes += entry.size;
        if self.mute {
            return Ok(());
        }
        let printed = if context.json() {
            context.print_json(&restored)
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

    fn file(&mut self, entry: &Entry, context: &Context<'_>) -> Result<(PathBuf, RestoredAs)> {
        let name = if self.original_names {
            original(entry)?
        } else {
            numbered(entry).into()
        };
        let path = self.target.choose(name, entry.id)?;
        let mut content = open_source(self.archive, entry, &context.zone())?;
        let mut partial = Partial::create(&self.target.dir, entry.id)?;
        let mut sha256 = sha2::Sha256::new();
        copy(&mut content, |chunk| {
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
        partial.sync()?;
        if self.read_back {
            partial.compare(entry.blake3)?;
        }
        let folder = partial.path.with_extension("unpacked");
        if let Some(unpacked) = Unpacked::of(&mut partial.file, folder)? {
            let first = self.side_by_side(entry, &unpacked)?;
            return Ok((first, RestoredAs::Companions));
        }
        self.target.place(partial, &path, entry.id)?;
        Ok((path, RestoredAs::File))
    }

    /// Places a main file and its companions.
    ///
    /// They get their original names, or are placed together in a new folder. Returns the path of
    /// the main file, or of that folder.
    fn side_by_side(&mut self, entry: &Entry, unpacked: &Unpacked) -> Result<PathBuf> {
        let id = entry.id;
        let failed = |to: &Path, error: io::Error| match error.kind() {
            io::ErrorKind::AlreadyExists => exists(to, id),
            _ => Error::io("create", to, error),
        };
        let first = if self.original_names {
            let names = unpacked.names()?;
            let chosen = names
                .iter()
                .map(|name| self.target.choose(name.clone(), id));
            let chosen = chosen.collect::<Result<Vec<_>>>()?;
            let replaces = match self.target.overwrite {
                Overwrite::Never => Replaces::Nothing,
                Overwrite::Always => Replaces::Files,
            };
            for (name, to) in names.iter().zip(&chosen) {
                let placed = unpacked.place(name, to, replaces);
                placed.map_err(|error| failed(to, error))?;
            }
            chosen.into_iter().next().unwrap_or_default()
        } else {
            let main = unpacked.main.to_string_lossy();
            let name = match safe_name(&main) {
                Some(name) => format!("{id}_{name}"),
                None => format!("{id}_source"),
            };
            let to = self.target.choose(name.into(), id)?;
            let placed = unpacked.place_whole(&to);
            placed.map_err(|error| failed(&to, error))?;
            to
        };
        sync_dir(&self.target.dir).map_err(|error| Error::io("sync", &self.target.dir, error))?;
        Ok(first)
    }
}

/// The folder to restore into, and the names that this run has used there.
struct Target {
    dir: PathBuf,
    overwrite: Overwrite,
    /// Names are folded, because some file systems do not distinguish letter case, or composed and
    /// decomposed letters.
    taken: HashSet<String>,
}

impl Target {
    /// Returns the path for an entry.
    ///
    /// A name used before by this run gets a number. A file that existed before the run is never
    /// avoided by another name: it is refused or replaced.
    fn choose(&mut self, name: OsString, id: EntryId) -> Result<PathBuf> {
        let mut chosen = name.clone();
        let mut number = 2;
        while !self
            .taken
            .insert(fold(&chosen.to_string_lossy()).into_owned())
        {
            chosen = distinct(&name, number);
            number += 1;
        }
        let path = self.dir.join(chosen);
        // Checked early, so that nothing large is read in vain. `place` also handles a file that
        // appears later.
        if self.overwrite == Overwrite::Never && path.symlink_metadata().is_ok() {
            return Err(exists(&path, id));
        }
        Ok(path)
    }

    fn place(&self, mut partial: Partial, path: &Path, id: EntryId) -> Result<()> {
        let placed = match self.overwrite {
            Overwrite::Always => fs::rename(&partial.path, path),
            Overwrite::Never => rename_without_replacing(&partial.path, path),
        };
        match placed {
            Ok(()) => partial.placed = true,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(exists(path, id));
            }
            Err(error) => return Err(Error::io("create", path, error)),
        }
        sync_dir(&self.dir).map_err(|error| Error::io("sync", &self.dir, error))
    }
}

fn exists(path: &Path, id: EntryId) -> Error {
    Error::new(
        ErrorKind::Refused,
        format!("entry {id}: {} is there already", path.display()),
    )
    .hint("restore into another folder, or add --overwrite always")
}

fn rename_without_replacing(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Ok(()) => fs::remove_file(from),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        // The file system has no hard links. An empty file claims the name, and is then replaced.
        Err(_) => {
            private().open(to)?;
            fs::rename(from, to).inspect_err(|_| {
                let _ = fs::remove_file(to);
            })
        }
    }
}

/// Returns options that create a file which only this account can read.
///
/// The store does not record who could read the source, so the restored file gets the narrowest
/// permissions.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options
}

#[cfg(unix)]
fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

// Windows has no handle to sync a directory with. NTFS journals names itself.
#[cfg(not(unix))]
fn sync_dir(_dir: &Path) -> io::Result<()> {
    Ok(())
}

/// A file under a temporary name. Dropping it removes the file unless it was placed.
struct Partial {
    path: PathBuf,
    file: File,
    placed: bool,
}

impl Partial {
    fn create(dir: &Path, id: EntryId) -> Result<Self> {
        // Several runs in one process may restore one entry at the same time.
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let nth = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = dir.join(format!(".annals-{}-{nth}-{id}.partial", std::process::id()));
        let file = private()
            .read(true)
            .open(&path)
            .map_err(|error| Error::io("create", &path, error))?;
        Ok(Self {
            path,
            file,
            placed: false,
        })
    }

    fn write(&mut self, chunk: &[u8]) -> Result<()> {
        let written = self.file.write_all(chunk);
        written.map_err(|error| Error::io("write", &self.path, error))
    }

    fn sync(&self) -> Result<()> {
        let synced = self.file.sync_all();
        synced.map_err(|error| Error::io("sync", &self.path, error))
    }

    /// Reads the file again and compares its hash with `expected`.
    fn compare(&self, expected: BlobId) -> Result<()> {
        let mut hasher = blake3::Hasher::new();
        let file = File::open(&self.path).map_err(|e| Error::io("read", &self.path, e))?;
        hasher
            .update_reader(file)
            .map_err(|error| Error::io("read", &self.path, error))?;
        if BlobId::from_bytes(*hasher.finalize().as_bytes()) == expected {
            Ok(())
        } else {
            Err(Error::new(
                ErrorKind::Damaged,
                format!(
                    "{} does not read back as it was written",
                    self.path.display()
                ),
            )
            .hint("the disk restored to is not to be trusted"))
        }
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.placed {
            // A file that remains is harmless, and its name says what it is.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(dir: &Path, overwrite: Overwrite) -> Target {
        Target {
            dir: dir.to_owned(),
            overwrite,
            taken: HashSet::new(),
        }
    }

    fn restore(target: &mut Target, name: &str, content: &[u8]) -> Result<PathBuf> {
        let id = EntryId(7);
        let path = target.choose(name.into(), id)?;
        let mut partial = Partial::create(&target.dir, id)?;
        partial.write(content)?;
        partial.sync()?;
        partial.compare(BlobId::of(content))?;
        target.place(partial, &path, id)?;
        Ok(path)
    }

    #[test]
    fn a_file_that_was_there_before_is_not_replaced_unless_that_is_asked_for() {
        let dir = tempfile::tempdir().expect("temp dir");
        let there = dir.path().join("SN1.csv");
        fs::write(&there, "precious").expect("write");

        let error = restore(&mut target(dir.path(), Overwrite::Never), "SN1.csv", b"new")
            .expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::Refused);
        assert_eq!(fs::read(&there).expect("read"), b"precious");

        restore(
            &mut target(dir.path(), Overwrite::Always),
            "SN1.csv",
            b"new",
        )
        .expect("replaced");
        assert_eq!(fs::read(&there).expect("read"), b"new");
    }

    #[test]
    fn a_file_that_appears_while_we_write_is_not_replaced_either() {
        let dir = tempfile::tempdir().expect("temp dir");
        let mut target = target(dir.path(), Overwrite::Never);
        let path = target.choose("SN1.csv".into(), EntryId(7)).expect("free");
        let partial = Partial::create(dir.path(), EntryId(7)).expect("partial");
        fs::write(&path, "faster").expect("write");
        assert!(target.place(partial, &path, EntryId(7)).is_err());
        assert_eq!(fs::read(&path).expect("read"), b"faster");
        assert_eq!(fs::read_dir(dir.path()).expect("list").count(), 1);
    }

    /// A restored file must not be readable by more accounts than the original.
    #[cfg(unix)]
    #[test]
    fn a_restored_file_is_for_its_account_alone() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().expect("temp dir");
        for (overwrite, name) in [(Overwrite::Never, "a"), (Overwrite::Always, "b")] {
            let path = restore(&mut target(dir.path(), overwrite), name, b"x").expect("restored");
            let mode = fs::metadata(path).expect("there").permissions().mode();
            assert_eq!(mode & 0o7777, 0o600);
        }
    }

    #[test]
    fn two_entries_of_one_name_both_come_back() {
        let dir = tempfile::tempdir().expect("temp dir");
        for overwrite in [Overwrite::Never, Overwrite::Always] {
            let dir = dir.path().join(format!("{overwrite:?}"));
            fs::create_dir(&dir).expect("dir");
            let mut target = target(&dir, overwrite);
            for (name, content, expected) in [
                ("SN1.csv", "a", "SN1.csv"),
                ("sn1.CSV", "b", "sn1 (2).CSV"),
                ("SN1.csv", "c", "SN1 (3).csv"),
            ] {
                let path = restore(&mut target, name, content.as_bytes()).expect("restored");
                assert_eq!(path, dir.join(expected));
                assert_eq!(fs::read_to_string(path).expect("read"), content);
            }
            assert_eq!(fs::read_dir(&dir).expect("list").count(), 3);
        }
    }
}
