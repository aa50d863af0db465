//! `annals export`: writes an evidence bundle.

use std::path::PathBuf;

use crate::archive::Access;
use crate::cli::content::note_access;
use crate::cli::render::{counted, escape, path_text, size};
use crate::cli::run::{Context, Exit, Failure};
use crate::event::Handed;
use crate::export::{Derived, What, WithContents};
use crate::service::entries::Filters;
use crate::service::evidence::{Also, Watch, count_bundle, what_of, write_bundle};
use crate::service::words::in_shell;
use crate::{Error, ErrorKind};

/// Write an evidence bundle: the exact events, signed
///
/// It is for people who have no access to the store. Without filters it is the whole log, which
/// proves that nothing is left out. With filters it is what the log says of the entries they
/// select, purged ones too, with a proof for each line. The last line says what was exported, and
/// is signed with the rest.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  annals export audit-2026
  annals export recall --serial SN1042 --with-blobs
  annals export lineage-2026 --derived openlineage")]
pub(crate) struct Args {
    /// A new folder
    dir: PathBuf,
    /// Also the contents that the events name
    #[arg(long)]
    with_blobs: bool,
    /// Also a form for other programs, which is no evidence; may be repeated
    #[arg(long, value_name = "FORM")]
    derived: Vec<Form>,
    /// Also the personal values that the lines have digests of, and that were not erased
    #[arg(long)]
    with_personal: bool,
    #[command(flatten)]
    filters: Filters,
}

/// A form of the events that is no evidence.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Form {
    /// Conversions as run events of OpenLineage
    Openlineage,
    /// Entries and events as tables of Parquet, in builds that have it
    Parquet,
}

impl Form {
    #[cfg_attr(
        feature = "parquet",
        expect(clippy::unnecessary_wraps, reason = "a build without Parquet refuses")
    )]
    fn derived(self) -> Result<Derived, Error> {
        match self {
            Self::Openlineage => Ok(Derived::OpenLineage),
            #[cfg(feature = "parquet")]
            Self::Parquet => Ok(Derived::Parquet),
            #[cfg(not(feature = "parquet"))]
            Self::Parquet => Err(Error::new(
                ErrorKind::Refused,
                "this program was built without Parquet",
            )
            .hint("build it with --features parquet, or make tables of '-o csv' lists")),
        }
    }
}

pub(crate) fn run(args: Args, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let derived = args.derived.iter().map(|form| form.derived());
    let derived = derived.collect::<Result<Vec<_>, _>>()?;
    let stated = args.filters.to_filter(context.now(), &context.zone())?;
    let dir = context.path(&args.dir);
    if dir.exists() {
        let said = format!("{} exists already", dir.display());
        return Err(Error::new(ErrorKind::Refused, said)
            .hint("name a folder that does not exist; a bundle is never changed")
            .into());
    }
    let archive = context.open(Access::ReadWrite)?;
    let filter = stated.in_store(&context.desk(&archive))?;
    let what = what_of(filter, &archive, context.configuration().ok().as_ref())?;
    let with = if args.with_blobs {
        WithContents::Yes
    } else {
        WithContents::No
    };
    if let (true, What::Selection { entries, .. }) = (args.with_blobs, &what) {
        let to = path_text(&dir);
        let ids = || Ok(entries.iter().collect());
        note_access(&archive, Handed::Export, "export", Some(&to), ids, context)?;
    }
    let also = Also {
        derived: &derived,
        with_personal: args.with_personal,
    };
    context.meter.begin("reading the log");
    let watch = Watched(context);
    let bundle = count_bundle(&archive, what, with, &watch).and_then(|counted| {
        let path = path_text(&dir);
        write_bundle(&archive, &counted, also, &dir, path, &watch)
    });
    context.check_cancelled()?;
    let bundle = bundle?;
    let closed = archive.close();
    context.meter.clear();
    if context.json() {
        context.print_json(&bundle)?;
    } else {
        context.print(format!(
            "{}: {}, {}, {}\n",
            escape(&bundle.path),
            counted(bundle.events, "event", "events"),
            counted(bundle.contents, "content", "contents"),
            size(bundle.bytes),
        ))?;
        context.note(format_args!(
            "to check it: annals verify-export {} --vkey '{}'",
            escape(&in_shell(&path_text(&args.dir))),
            bundle.vkey
        ));
    }
    closed?;
    Ok(Exit::Done)
}

/// Shows how far the work is, and ends it when the reader is gone.
struct Watched<'a, 'b>(&'a Context<'b>);

impl Watch for Watched<'_, '_> {
    fn progress(&self, done: u64, total: u64, doing: &str) {
        self.0.meter.as_progress().report(done, total, doing);
    }

    fn go_on(&self) -> Result<(), Error> {
        match self.0.check_cancelled() {
            Ok(()) => Ok(()),
            // The caller looks again, and ends as it always does.
            Err(_) => Err(Error::new(ErrorKind::Refused, "the export was cut off")),
        }
    }
}
