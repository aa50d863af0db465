//! `annals archive`: archives sources by hand.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::{fs, thread};

use crossbeam_channel::bounded;
use serde::Serialize;

use crate::archive::{Archived, Keep, NewEntry};
use crate::cli::render::{counted, escape, path_text, size};
use crate::cli::run::{Context, Exit, Failure, Tally};
use crate::entry::{Retention, Unit};
use crate::event::Source;
use crate::service::words::{parse_pair, parse_retention, to_meta};
use crate::{Error, ErrorKind, Result};

mod found;
mod walk;
mod writer;

use found::{Found, Outcome, is_stdin};
use walk::{Walk, named_once};
use writer::{Again, Writer};

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
To repeat safely: --skip-known passes over a file that was archived before from the same path, for the same converter, \
with the same content. --key gives a name to the act of archiving instead: the same key again answers with the entry \
made the first time, and other content under it is refused. For one file the key is taken as it is; where \
several files or a directory are given, each file's key is KEY/PATH, with PATH as it is printed.

Examples:
  annals archive SN1042.csv -c 'ICT CSV' --serial SN1042 --part PCB-7
  annals archive results/ -c 'ICT CSV' --retention 10y --meta line=3
  annals archive results/ -c 'ICT CSV' --skip-known
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
    /// Idempotency key: archiving again under it makes no second entry
    #[arg(long)]
    key: Option<String>,
    /// Pass over files that are archived already, from the same path and for the same converter
    #[arg(long)]
    skip_known: bool,
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
    #[arg(long, default_value = "forever", value_parser = parse_retention)]
    retention: Retention,
}

#[derive(Serialize)]
struct Receipt<'a> {
    path: &'a str,
    #[serde(flatten)]
    archived: &'a Archived,
    /// True for a file that was archived before, with `--skip-known`.
    skipped: bool,
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
    if from_stdin == 1 && args.skip_known {
        return Err(wrong("--skip-known is for files, and stdin is none")
            .hint("give it a --key, such as the number of the run")
            .into());
    }
    if args.name.is_some() && several {
        return Err(wrong("--name is for one file, and several are given").into());
    }
    let again = if args.skip_known {
        Again::Skip
    } else {
        Again::Archive
    };
    let (paths, key) = (args.paths.clone(), args.key.clone());
    let template = template(args)?;
    let archive = context.open_to_record()?;
    let walk = Walk {
        key,
        several,
        store: fs::canonicalize(archive.dir()).ok(),
        from: context.caller_env().clone(),
    };
    // Ctrl-C ends the work between two files, so that the sum of what is safe can be told. What is
    // handed in by hand may never end, and is given up at once.
    let cancel = if from_stdin == 0 {
        context.cancel_by_signal()
    } else {
        context.cancel()
    };

    let mut report = Report::default();
    let (paths, twice) = named_once(paths, context.caller_env());
    for (path, why) in twice {
        let what = format!("{}: {why}", path_text(&path));
        report.take(Outcome::PassedOver(what), 0, context);
    }
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
                let writer = Writer {
                    archive,
                    template,
                    from,
                    again,
                    stopped,
                };
                writer.write(stdin, &found, &to_report);
            });
        }
        drop(found);
        let (walk, stopped, total) = (&walk, &stopped, &total);
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
    let ended = match (stopped.into_inner(), cancel.is_cancelled()) {
        (false, _) => Ended::Whole,
        (true, false) => Ended::ByError,
        (true, true) => Ended::Cancelled,
    };
    if ended == Ended::Cancelled {
        let exit = report.finish(ended, context)?;
        archive.close()?;
        return Ok(exit);
    }
    let closed = archive.close();
    let exit = report.finish(ended, context)?;
    closed?;
    Ok(exit)
}

/// Returns what the entries of all files have in common.
fn template(args: Args) -> Result<NewEntry> {
    Ok(NewEntry {
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
    })
}

/// How the work ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// Every file was tried.
    Whole,
    /// The store can no longer be written.
    ByError,
    /// Somebody stopped it.
    Cancelled,
}

/// Prints receipts as they arrive, and counts them.
#[derive(Default)]
struct Report {
    tally: Tally,
    duplicates: u64,
    known: u64,
    skipped: u64,
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
                self.show(total, context);
                self.print(&path, &archived, false, context);
            }
            Outcome::Known(path, archived) => {
                self.skipped += 1;
                self.show(total, context);
                if context.json() || context.globals.verbose {
                    self.print(&path, &archived, true, context);
                }
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

    /// Shows how far the work has come.
    fn show(&self, total: u64, context: &Context<'_>) {
        let done = self.tally.done + self.skipped;
        let what = match total {
            _ if total > 0 && done >= total => "closing the store".to_owned(),
            0 => "files archived".to_owned(),
            _ => format!("{done} of {total} archived"),
        };
        context.meter.report(done, total, &what);
    }

    fn print(
        &mut self,
        path: &Path,
        archived: &Archived,
        skipped: bool,
        context: &mut Context<'_>,
    ) {
        if self.mute {
            return;
        }
        let path = path_text(path);
        let printed = if context.json() {
            let path = path.as_str();
            context.print_json(&Receipt {
                path,
                archived,
                skipped,
            })
        } else {
            let remark = match archived {
                _ if skipped => "  archived before",
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

    fn finish(self, ended: Ended, context: &mut Context<'_>) -> Result<Exit, Failure> {
        context.meter.clear();
        let mut parts = vec![format!(
            "{} archived, {}",
            counted(self.tally.done, "file", "files"),
            size(self.bytes)
        )];
        for (number, what) in [
            (self.duplicates, "duplicate content"),
            (self.known, "known by key"),
            (self.skipped, "skipped, archived before"),
            (self.facts, "with facts only, not stored"),
            (self.passed_over, "passed over"),
            (self.tally.failed, "failed"),
        ] {
            if number > 0 {
                parts.push(format!("{number} {what}"));
            }
        }
        let looked_at = self.tally.done + self.skipped + self.passed_over + self.tally.failed;
        match ended {
            Ended::Whole if looked_at == 0 => parts.push("no file was found there".to_owned()),
            Ended::Whole => {}
            Ended::ByError => parts.push("stopped early, the rest was not tried".to_owned()),
            Ended::Cancelled => parts.push(
                "stopped: these are safe, the rest was not tried; the same with --skip-known goes on"
                    .to_owned(),
            ),
        }
        context.note(parts.join("; "));
        match self.problem {
            Some(problem) => Err(problem),
            None => Ok(self.tally.exit()),
        }
    }
}
