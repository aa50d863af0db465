//! The arguments of `annals promotion`, and which part of it they call.

use clap::Subcommand;

use super::change::{self, Promote, Revoke};
use super::show;
use super::waive::{self, Waive};
use crate::archive::Access;
use crate::cli::run::{Context, Exit, Failure};

/// Show and change which identity of a converter is current
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  annals promotion list
  annals promotion show ICT
  annals --config host.toml promotion waive ICT 4711 4712 --reason 'no serial: rightly refused'
  annals --config host.toml promotion promote ICT --reason 'old interpreter is gone'
  annals promotion promote ICT --identity 3f2a90c1 --reason 'back to the one before'")]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    List(List),
    Show(Show),
    Promote(Promote),
    Waive(Box<Waive>),
    Revoke(Revoke),
}

/// List the converters with a current identity
#[derive(Debug, clap::Args)]
struct List {}

/// Show the promotions and waivers of one converter, and the identities that are recorded
#[derive(Debug, clap::Args)]
struct Show {
    /// The converter
    #[arg(value_name = "NAME")]
    name: String,
}

pub(crate) fn run(args: Args, context: &mut Context<'_>) -> Result<Exit, Failure> {
    match args.action {
        Action::List(List {}) => show::list(&context.open(Access::ReadOnly)?, context),
        Action::Show(args) => show::show(&context.open(Access::ReadOnly)?, &args.name, context),
        Action::Promote(args) => change::promote(&args, context),
        Action::Waive(args) => waive::waive(&args, context),
        Action::Revoke(args) => change::revoke(&args, context),
    }
}
