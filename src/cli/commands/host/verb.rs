//! Runs the chosen verb of `annals host`.

use super::arguments::{Action, Args, Status};
use super::check::check;
use super::init::init;
use super::run::run_host;
use super::status::status;
use crate::cli::run::{Context, Exit, Failure};

pub(in crate::cli) fn run(args: Args, context: &mut Context<'_>) -> Result<Exit, Failure> {
    match args.action {
        Action::Init(args) => init(args, context),
        Action::Run(args) => run_host(args, context),
        Action::Check(args) => check(&args, context),
        Action::Status(Status {}) => status(context),
    }
}
