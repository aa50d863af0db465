//! `annals list`: lists entries that match filters.

use serde::Serialize;

use crate::archive::{Access, Archive, SavedView};
use crate::cli::entries::{Listing, Output};
use crate::cli::run::{Context, Exit, Failure};
use crate::entry::Status;
use crate::query::{Cursor, Direction, Purged, Query, Sort, SortField, Suspicious};
use crate::service::entries::{Shown, each_page, why_nothing};
use crate::{Error, ErrorKind};

/// Most rows of a table on a terminal, unless --limit is given.
const ROWS_ON_A_TERMINAL: usize = 100;

/// List entries
///
/// Newest first. On a terminal the table stops after 100 rows and says how to go on; everywhere
/// else, and with --json or -o csv, all entries are printed unless --limit is given.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  annals list --status failed --from yesterday
  annals list -c 'ICT CSV' --sort size:desc --limit 20
  annals list --serial SN1042 --json
  annals list --view 'Failed today'
  annals list --from 2026-03-01 --to 2026-04-01 -o csv > march.csv")]
pub(crate) struct Args {
    /// What a saved view shows; filters beside it take the place of the view's
    #[arg(long, value_name = "NAME")]
    view: Option<String>,
    /// At most this many
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Pass over this many first
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    offset: usize,
    /// Go on where an earlier listing stopped
    #[arg(long, value_name = "CURSOR")]
    after: Option<Cursor>,
    /// How to print them
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    output: Output,
    #[command(flatten)]
    shown: Shown,
}

/// The cursor to continue a listing that `--limit` cut short.
#[derive(Serialize)]
struct More<'a> {
    next: &'a Cursor,
}

pub(crate) fn run(args: Args, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let (archive, shown) = match &args.view {
        None => (None, args.shown),
        Some(name) => {
            let archive = context.open(Access::ReadOnly)?;
            let view = saved_view(name, &archive)?;
            let shown = Shown::of_view(name, &view.query, &args.shown)?;
            (Some(archive), shown)
        }
    };
    let mut stated = shown.filters.to_filter(context.now(), &context.zone())?;
    let filter = &mut stated.filter;
    if shown.purged {
        filter.purged = Purged::Include;
    }
    let troubled = |status: &Status| !matches!(status, Status::Pending | Status::Success);
    let only_troubled = (!filter.status.is_empty() && filter.status.iter().all(troubled))
        || filter.suspicious == Suspicious::Only
        || filter.failure.is_some();
    let sort = order(shown.sort, args.after.as_ref())?;
    let tabular = !context.json() && !args.output.is_csv();
    let limit = match args.limit {
        None if tabular && context.stdout_is_terminal() => Some(ROWS_ON_A_TERMINAL),
        limit => limit,
    };
    let archive = match archive {
        Some(archive) => archive,
        None => context.open(Access::ReadOnly)?,
    };
    let filter = stated.in_store(&context.desk(&archive))?;
    let query = Query {
        filter: filter.clone(),
        sort,
        limit,
        offset: args.offset,
        after: args.after,
    };
    let snapshot = archive.snapshot()?;
    let mut listing = Listing::new(context, args.output);
    if only_troubled {
        listing = listing.with_reasons(context);
    }
    listing = listing.selected_by(&filter, context);
    let mut rows = 0;
    let next = each_page(&snapshot, query, |entries| {
        rows += entries.len();
        listing.print(entries, context)
    })?;
    let dropped = listing.dropped();
    if args.output == Output::Wide && !dropped.is_empty() {
        let titles = dropped.join(", ");
        context.note(format_args!("no room for {titles}; `-o csv` has them all"));
    }
    match next {
        // A limit of nothing has nothing to go on after.
        _ if args.limit == Some(0) => {
            context.warn("--limit 0 lists nothing; leave it out to list all");
        }
        Some(next) if context.json() => context.aside_json(&More { next: &next }),
        // Alone in its line, so that a double click takes all of it and nothing else.
        Some(next) => context.note(format_args!("more entries follow --after\n{next}")),
        // An empty list is an answer, but people wonder why it is one.
        None if rows == 0 && args.offset > 0 && snapshot.count(&filter)? > 0 => {
            context.warn(format_args!(
                "--offset {} passes over all entries",
                args.offset
            ));
        }
        None if rows == 0 => {
            let config = context.configuration().ok();
            let why = why_nothing(&filter, &snapshot, config.as_ref())?;
            context.warn(why);
        }
        None => {}
    }
    Ok(Exit::Done)
}

fn saved_view(name: &str, archive: &Archive) -> Result<SavedView, Error> {
    archive.snapshot()?.saved_view(name)?.ok_or_else(|| {
        let told = format!("there is no saved view '{name}'");
        Error::new(ErrorKind::NotFound, told).hint("`annals view list` lists the views")
    })
}

/// Returns the order of the listing.
///
/// A cursor is valid only in the order it was made with, so a different `--sort` is refused.
fn order(asked: Option<Sort>, after: Option<&Cursor>) -> Result<Sort, Error> {
    let newest_first = Sort {
        field: SortField::Id,
        direction: Direction::Desc,
    };
    match (asked, after.map(|cursor| cursor.sort)) {
        (Some(asked), Some(of_cursor)) if asked != of_cursor => Err(Error::new(
            ErrorKind::Invalid,
            "--after belongs to a listing in another order",
        )
        .hint("leave out --sort, the cursor knows it")),
        (asked, of_cursor) => Ok(asked.or(of_cursor).unwrap_or(newest_first)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::EntryId;

    #[test]
    fn a_cursor_keeps_its_order() {
        let by_size: Sort = "size:desc".parse().expect("valid");
        let by_id: Sort = "id".parse().expect("valid");
        let cursor = Cursor {
            sort: by_size,
            value: vec![1],
            id: EntryId(7),
        };
        assert_eq!(order(None, Some(&cursor)).expect("its own"), by_size);
        assert_eq!(order(Some(by_size), Some(&cursor)).expect("same"), by_size);
        assert_eq!(order(Some(by_id), None).expect("asked"), by_id);
        assert!(order(Some(by_id), Some(&cursor)).is_err());
        let newest = order(None, None).expect("default");
        assert_eq!(
            (newest.field, newest.direction),
            (SortField::Id, Direction::Desc)
        );
    }
}
