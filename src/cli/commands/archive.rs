//! `annals archive`: archives sources by hand.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::{fs, thread};

use crossbeam_channel::{Receiver, Sender, bounded};
use serde::Serialize;

use crate::archive::{Archive, Archived, Keep, NewEntry};
use crate::cli::caller::{CallerEnv, Stdin};
use crate::cli::render::{counted, escape, path_text, size};
use crate::cli::run::{Context, Exit, Failure, Tally};
use crate::entry::{Retention, Unit};
use crate::event::Source;
use crate::service::words::{parse_pair, to_meta};
use crate::{Error, ErrorKind};

/// Number of writer threads. They mostly wait for the disk, and several that wait share one flush.
const WRITERS: usize = 8;

/// Most files that were found but not yet taken by a writer.
const QUEUE: usize = 64;

/// Archive sources by hand
///
/// One line (or, with --json, one object) is printed for each file once it is safely stored.
/// Directories are walked in the order of their names; symbolic links and special files in them are
/// passed over with a warning. Archiving the same content again makes a new entry but takes no
/// space.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
With --key, archiving again answers with the entry made the first time. For one file the key is taken as it is; where \
several files or a directory are given, each file's key is KEY/PATH, with PATH as it is printed.

Examples:
  annals archive SN1042.csv -c 'ICT CSV' --serial SN1042 --part PCB-7
  annals archive results/ -c 'ICT CSV' --retention 10y --meta line=3
  tester --dump | annals archive - --name dump.log -c FCT --key \"$RUN_ID\"")]
pub(crate) struct Args {
    /// Files and directories; - is stdin
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The converter they are meant for
    #[arg(short, long, value_name = "NAME")]
    converter: String,
    /// The version of that converter
    #[arg(long, value_name = "V")]
    version: Option<String>,
    /// An argument of the converter; may be repeated
    #[arg(long, value_name = "K=V", value_parser = parse_pair)]
    param: Vec<(String, String)>,
    /// Serial number of the unit
    #[arg(long)]
    serial: Option<String>,
    /// Part number of the unit
    #[arg(long)]
    part: Option<String>,
    /// Test station
    #[arg(long)]
    station: Option<String>,
    /// Test process
    #[arg(long)]
    process: Option<String>,
    /// Any other fact; may be repeated
    #[arg(long, value_name = "K=V", value_parser = parse_pair)]
    meta: Vec<(String, String)>,
    /// Idempotency key
    #[arg(long)]
    key: Option<String>,
    /// The file name to record; needed for stdin
    #[arg(long)]
    name: Option<String>,
    /// Compression, 1 (fast) to 9 (small)
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=9))]
    level: Option<u8>,
    /// Keep only facts and hashes: the content is read and not stored
    #[arg(long)]
    facts_only: bool,
    /// How long to keep them: 90d, 10y, 90d1y or forever
    #[arg(long, default_value = "forever")]
    retention: Retention,
}

/// A file to be archived.
struct Found {
    path: PathBuf,
    key: Option<String>,
}

/// The result for one found item.
enum Outcome {
    Stored(PathBuf, Archived),
    Failed(Error),
    PassedOver(String),
}

#[derive(Serialize)]
struct Receipt<'a> {
    path: &'a str,
    #[serde(flatten)]
    archived: &'a Archived,
}

pub(crate) fn run(args: Args, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let several = args.paths.len() > 1 || context.path(&args.paths[0]).is_dir();
    let from_stdin = args.paths.iter().filter(|path| is_stdin(path)).count();
    let wrong = |message: &str| Error::new(ErrorKind::Invalid, message.to_owned());
    if from_stdin > 1 {
        return Err(wrong("stdin (-) is given twice").into());
    }
    if from_stdin == 1 && args.name.is_none() {
        return Err(wrong("stdin has no name")
            .hint("add --name, such as --name SN1042.csv")
            .into());
    }
    if args.name.is_some() && several {
        return Err(wrong("--name is for one file, and several are given").into());
    }
    let template = NewEntry {
        converter: args.converter,
        converter_version: args.version,
        source: Source {
            name: args.name.unwrap_or_default(),
            ..Source::default()
        },
        unit: Unit {
            serial: args.serial,
            part: args.part,
            station: args.station,
            process: args.process,
        },
        meta: to_meta(args.meta, "--meta")?,
        arguments: to_meta(args.param, "--param")?,
        retention: args.retention,
        key: None,
        compression_level: args.level,
        keep: if args.facts_only {
            Keep::FactsOnly
        } else {
            Keep::Content
        },
    };
    let archive = context.open_to_record()?;
    let walk = Walk {
        key: args.key,
        several,
        store: fs::canonicalize(archive.dir()).ok(),
        from: context.caller_env().clone(),
    };
    let cancel = context.cancel();

    let mut report = Report::default();
    let stopped = AtomicBool::new(false);
    let total = AtomicU64::new(0);
    let (to_writers, found) = bounded::<Found>(QUEUE);
    let (to_report, outcomes) = bounded::<Outcome>(QUEUE);
    thread::scope(|scope| {
        for _ in 0..WRITERS {
            let (found, to_report) = (found.clone(), to_report.clone());
            let (archive, template, from, stopped) = (&archive, &template, &walk.from, &stopped);
            let stdin = context.stdin();
            scope.spawn(move || {
                write(archive, template, from, stdin, &found, &to_report, stopped);
            });
        }
        drop(found);
        let (paths, walk, stopped, total) = (args.paths, &walk, &stopped, &total);
        if several && context.meter.is_visible() {
            let paths = paths.clone();
            scope.spawn(move || total.store(walk.count(paths, stopped), Ordering::Relaxed));
        }
        scope.spawn(move || walk.find(paths, &to_writers, &to_report, stopped));
        for outcome in outcomes {
            if cancel.is_cancelled() {
                stopped.store(true, Ordering::Relaxed);
            }
            report.take(outcome, total.load(Ordering::Relaxed), context);
        }
    });
    // The printed receipts are durable. Closing can only fail in background work.
    let closed = archive.close();
    let exit = report.finish(stopped.into_inner(), context)?;
    closed?;
    Ok(exit)
}

fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

/// Archives the found files until there are no more, or the store can no longer be written.
fn write(
    archive: &Archive,
    template: &NewEntry,
    from: &CallerEnv,
    mut stdin: Stdin,
    found: &Receiver<Found>,
    to_report: &Sender<Outcome>,
    stopped: &AtomicBool,
) {
    for Found { path, key } in found {
        if stopped.load(Ordering::Relaxed) {
            continue;
        }
        let new = NewEntry {
            key: key.map(Into::into),
            ..template.clone()
        };
        let archived = if is_stdin(&path) {
            archive.put(new, &mut stdin)
        } else {
            archive.put_file(&from.path(&path), new)
        };
        let outcome = match archived {
            Ok(archived) => Outcome::Stored(path, archived),
            Err(error) => {
                if ends_everything(error.kind()) {
                    stopped.store(true, Ordering::Relaxed);
                }
                Outcome::Failed(error)
            }
        };
        if to_report.send(outcome).is_err() {
            return;
        }
    }
}

/// Returns true for an error of the store, which every further file would meet too.
fn ends_everything(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Poisoned | ErrorKind::Full | ErrorKind::ReadOnly | ErrorKind::Locked
    )
}

struct Walk {
    key: Option<String>,
    several: bool,
    /// The store's folder, which is never archived.
    store: Option<PathBuf>,
    /// The caller's environment, which relative paths are resolved against.
    from: CallerEnv,
}

impl Walk {
    fn find(
        &self,
        paths: Vec<PathBuf>,
        to_writers: &Sender<Found>,
        to_report: &Sender<Outcome>,
        stopped: &AtomicBool,
    ) {
        // A directory is opened only when it is reached, so that memory holds only the siblings on
        // the way down.
        let mut ahead: VecDeque<(PathBuf, Named)> = paths
            .into_iter()
            .map(|path| (path, Named::ByUser))
            .collect();
        while let Some((path, named)) = ahead.pop_front() {
            if stopped.load(Ordering::Relaxed) {
                return;
            }
            let outcome = match self.look(&path, named) {
                Look::File => {
                    let key = self.key_of(&path);
                    if to_writers.send(Found { path, key }).is_err() {
                        return;
                    }
                    continue;
                }
                Look::Directory(names) => {
                    for child in names.into_iter().rev() {
                        ahead.push_front((child, Named::ByDirectory));
                    }
                    continue;
                }
                Look::Other(why) => Outcome::PassedOver(format!("{}: {why}", path.display())),
                Look::Failed(error) => Outcome::Failed(error),
            };
            if to_report.send(outcome).is_err() {
                return;
            }
        }
    }

    /// Counts the files below these paths. Names that cannot be looked at are left out: whoever
    /// archives them tells why.
    fn count(&self, paths: Vec<PathBuf>, stopped: &AtomicBool) -> u64 {
        let mut ahead: Vec<(PathBuf, Named)> = paths
            .into_iter()
            .map(|path| (path, Named::ByUser))
            .collect();
        let mut files = 0;
        while let Some((path, named)) = ahead.pop() {
            if stopped.load(Ordering::Relaxed) {
                break;
            }
            match self.look(&path, named) {
                Look::File => files += 1,
                Look::Directory(names) => {
                    ahead.extend(names.into_iter().map(|name| (name, Named::ByDirectory)));
                }
                Look::Other(_) | Look::Failed(_) => {}
            }
        }
        files
    }

    fn look(&self, path: &Path, named: Named) -> Look {
        if named == Named::ByUser && is_stdin(path) {
            return Look::File;
        }
        let full = self.from.path(path);
        // A link named by the user is followed. A link found in a directory could lead anywhere, or
        // form a circle.
        let metadata = match named {
            Named::ByUser => fs::metadata(&full),
            Named::ByDirectory => fs::symlink_metadata(&full),
        };
        let metadata = match metadata {
            Ok(metadata) => metadata,
            Err(error) => return Look::Failed(Error::io("archive", path, error)),
        };
        if metadata.is_dir() {
            if self.store.is_some() && fs::canonicalize(&full).ok() == self.store {
                return Look::Other("this is the store itself");
            }
            return match names_in(&full) {
                Ok(names) => Look::Directory(names.iter().map(|name| path.join(name)).collect()),
                Err(error) => Look::Failed(Error::io("list", path, error)),
            };
        }
        if metadata.is_file() || named == Named::ByUser {
            // A named special file goes to the archive, which refuses it with a precise error.
            Look::File
        } else if metadata.is_symlink() {
            Look::Other("a symbolic link, not followed")
        } else {
            Look::Other("not a regular file")
        }
    }

    /// Returns the key of one file.
    ///
    /// Two files must never have equal keys, or the second would be taken for the first.
    fn key_of(&self, path: &Path) -> Option<String> {
        let key = self.key.as_ref()?;
        if !self.several {
            return Some(key.clone());
        }
        if let Some(text) = path.to_str() {
            return Some(format!("{key}/{text}"));
        }
        let mut exact = format!("{key}/#");
        for byte in path.as_os_str().as_encoded_bytes() {
            exact.extend(
                [byte >> 4, byte & 15]
                    .map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)])),
            );
        }
        Some(exact)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Named {
    ByUser,
    ByDirectory,
}

enum Look {
    File,
    Directory(Vec<PathBuf>),
    Other(&'static str),
    Failed(Error),
}

fn names_in(dir: &Path) -> std::io::Result<Vec<OsString>> {
    let mut names = fs::read_dir(dir)?
        .map(|entry| entry.map(|entry| entry.file_name()))
        .collect::<std::io::Result<Vec<_>>>()?;
    names.sort_unstable();
    Ok(names)
}

/// Prints receipts as they arrive, and counts them.
#[derive(Default)]
struct Report {
    tally: Tally,
    duplicates: u64,
    known: u64,
    facts: u64,
    passed_over: u64,
    bytes: u64,
    /// Nobody reads the receipts any more, so none are printed. Archiving goes on.
    mute: bool,
    problem: Option<Failure>,
}

impl Report {
    /// Takes the next outcome; a `total` of 0 is not known yet.
    fn take(&mut self, outcome: Outcome, total: u64, context: &mut Context<'_>) {
        match outcome {
            Outcome::Stored(path, archived) => {
                self.tally.done += 1;
                self.duplicates += u64::from(archived.duplicate && !archived.existing);
                self.known += u64::from(archived.existing);
                self.facts += u64::from(archived.facts_only);
                self.bytes += archived.blob.size;
                let what = match total {
                    0 => "files archived".to_owned(),
                    _ => format!("{} of {total} archived", self.tally.done),
                };
                context.meter.report(self.tally.done, total, &what);
                self.print(&path, &archived, context);
            }
            Outcome::Failed(error) => {
                // A missing input file must not look like a missing entry. A refusal keeps its exit
                // code.
                self.tally.fail(match error.kind() {
                    ErrorKind::Refused => Exit::Refused,
                    _ => Exit::Failed,
                });
                context.error(&error);
            }
            Outcome::PassedOver(what) => {
                self.passed_over += 1;
                context.warn(format_args!("passed over {what}"));
            }
        }
    }

    fn print(&mut self, path: &Path, archived: &Archived, context: &mut Context<'_>) {
        if self.mute {
            return;
        }
        let path = path_text(path);
        let printed = if context.json() {
            let path = path.as_str();
            context.print_json(&Receipt { path, archived })
        } else {
            let remark = match archived {
                Archived { existing: true, .. } => "  known by its key",
                Archived {
                    facts_only: true, ..
                } => "  facts only",
                Archived {
                    duplicate: true, ..
                } => "  duplicate",
                _ => "",
            };
            context.print(format!(
                "{:>8}  {:>10}  {}{remark}\n",
                archived.id,
                size(archived.blob.size),
                escape(&path)
            ))
        };
        if let Err(failure) = printed.and_then(|()| context.flush()) {
            self.mute = true;
            if !matches!(failure, Failure::ReaderGone) {
                self.problem = Some(failure);
            }
        }
    }

    fn finish(self, stopped: bool, context: &mut Context<'_>) -> Result<Exit, Failure> {
        context.meter.clear();
        let mut parts = vec![format!(
            "{} archived, {}",
            counted(self.tally.done, "file", "files"),
            size(self.bytes)
        )];
        for (number, what) in [
            (self.duplicates, "duplicate content"),
            (self.known, "known by key"),
            (self.facts, "with facts only, not stored"),
            (self.passed_over, "passed over"),
            (self.tally.failed, "failed"),
        ] {
            if number > 0 {
                parts.push(format!("{number} {what}"));
            }
        }
        if stopped {
            parts.push("stopped early, the rest was not tried".to_owned());
        }
        context.note(parts.join("; "));
        match self.problem {
            Some(problem) => Err(problem),
            None => Ok(self.tally.exit()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(key: &str, several: bool) -> Walk {
        Walk {
            key: Some(key.into()),
            several,
            store: None,
            from: CallerEnv::of_process(),
        }
    }

    #[test]
    fn several_files_never_share_one_key() {
        assert_eq!(
            walk("k", false).key_of(Path::new("a/b.csv")).as_deref(),
            Some("k")
        );
        let several = walk("k", true);
        assert_eq!(
            several.key_of(Path::new("a/b.csv")).as_deref(),
            Some("k/a/b.csv")
        );
        assert_ne!(
            several.key_of(Path::new("a/x")),
            several.key_of(Path::new("b/x"))
        );
    }

    #[cfg(unix)]
    #[test]
    fn names_that_are_not_text_do_not_share_a_key_either() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt;
        let several = walk("k", true);
        let key = |bytes| several.key_of(Path::new(OsStr::from_bytes(bytes)));
        assert_ne!(key(b"a\xff"), key(b"a\xfe"));
    }

    #[test]
    fn a_directory_is_walked_in_order_and_only_regular_files_are_taken() {
        let dir = tempfile::tempdir().expect("temp dir");
        let root = dir.path();
        fs::create_dir_all(root.join("b/deep")).expect("dir");
        fs::create_dir(root.join("store")).expect("dir");
        for name in ["c.csv", "a.csv", "b/deep/1.csv", "b/0.csv", "store/pack"] {
            fs::write(root.join(name), name).expect("file");
        }
        #[cfg(unix)]
        std::os::unix::fs::symlink(root, root.join("d-loop")).expect("link");

        let walk = Walk {
            key: None,
            several: true,
            store: fs::canonicalize(root.join("store")).ok(),
            from: CallerEnv::of_process(),
        };
        let (to_writers, found) = bounded(100);
        let (to_report, outcomes) = bounded(100);
        let paths = vec![root.to_owned(), root.join("missing")];
        walk.find(paths, &to_writers, &to_report, &AtomicBool::new(false));
        drop((to_writers, to_report));
        let found: Vec<PathBuf> = found.into_iter().map(|found| found.path).collect();
        let expected = ["a.csv", "b/0.csv", "b/deep/1.csv", "c.csv"].map(|name| root.join(name));
        assert_eq!(found, expected);
        let outcomes: Vec<Outcome> = outcomes.into_iter().collect();
        let passed_over = outcomes
            .iter()
            .filter(|outcome| matches!(outcome, Outcome::PassedOver(_)));
        assert_eq!(passed_over.count(), if cfg!(unix) { 2 } else { 1 });
        let failed = outcomes
            .iter()
            .filter(|outcome| matches!(outcome, Outcome::Failed(_)));
        assert_eq!(failed.count(), 1);
    }
}
