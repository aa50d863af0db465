//! `annals view`: saved views, which all who use the store share.

use clap::Subcommand;
use serde::Serialize;

use crate::archive::{Access, SavedView};
use crate::cli::render::{Cell, Column, Table, escape};
use crate::cli::run::{Context, Exit, Failure};
use crate::service::entries::Shown;

/// Save filters under a name for all who use the store
///
/// `annals list --view NAME` lists what a view shows, and the page offers it. Dates stay as they
/// are typed, so that `--from today` is another day tomorrow.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  annals view save 'Failed today' --status failed --from today
  annals view list
  annals list --view 'Failed today' -c 'ICT CSV'
  annals view drop 'Failed today'")]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    List(List),
    Save(Box<Save>),
    Drop(Drop),
}

/// List the saved views
#[derive(Debug, clap::Args)]
struct List {}

/// Save a view, or replace the one of this name
#[derive(Debug, clap::Args)]
struct Save {
    /// What it is called
    name: String,
    #[command(flatten)]
    shown: Shown,
}

/// Drop a saved view
#[derive(Debug, clap::Args)]
struct Drop {
    /// The view
    name: String,
}

#[derive(Serialize)]
struct Saved<'a> {
    name: &'a str,
    query: &'a str,
}

#[derive(Serialize)]
struct Dropped<'a> {
    name: &'a str,
}

pub(crate) fn run(args: Args, context: &mut Context<'_>) -> Result<Exit, Failure> {
    match args.action {
        Action::List(List {}) => list(context),
        Action::Save(args) => save(&args, context),
        Action::Drop(args) => drop_view(&args, context),
    }
}

fn save(args: &Save, context: &mut Context<'_>) -> Result<Exit, Failure> {
    // A view that no listing takes is not saved.
    args.shown
        .filters
        .to_filter(context.now(), &context.zone())?;
    let query = args.shown.to_query();
    let archive = context.open_to_record()?;
    archive.save_view(&args.name, &query)?;
    archive.close()?;
    if context.json() {
        context.print_json(&Saved {
            name: &args.name,
            query: &query,
        })?;
    } else {
        context.print(format!("view {} is saved\n", escape(&args.name)))?;
    }
    Ok(Exit::Done)
}

fn drop_view(args: &Drop, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let archive = context.open_to_record()?;
    archive.drop_view(&args.name)?;
    archive.close()?;
    if context.json() {
        context.print_json(&Dropped { name: &args.name })?;
    } else {
        context.print(format!("view {} is dropped\n", escape(&args.name)))?;
    }
    Ok(Exit::Done)
}

fn list(context: &mut Context<'_>) -> Result<Exit, Failure> {
    let archive = context.open(Access::ReadOnly)?;
    let views = archive.snapshot()?.views()?;
    let zone = context.zone();
    if context.json() {
        for mut view in views {
            view.at = zone.exact(view.at);
            context.print_json(&view)?;
        }
        return Ok(Exit::Done);
    }
    let columns = [
        Column::left("NAME"),
        Column::left("SAVED"),
        Column::clipped("BY"),
        Column::text("SHOWS"),
    ];
    let row = |view: &SavedView| {
        vec![
            Cell::new(&view.name),
            Cell::new(zone.short(view.at)),
            Cell::new(&view.by),
            Cell::new(if view.query.is_empty() {
                "all entries"
            } else {
                &view.query
            }),
        ]
    };
    let rows: Vec<_> = views.iter().map(row).collect();
    let page = Table::new(&columns, context.canvas()).page(&rows);
    context.print(page)?;
    if views.is_empty() {
        context.note("no saved views");
    }
    Ok(Exit::Done)
}
