//! The arguments of `annals job`, and which part of it they call.

use clap::Subcommand;
use serde::Serialize;

use super::{changes, list, retry, show, watch};
use crate::archive::{Access, JobState};
use crate::cli::commands::reprocess::{self, Speed};
use crate::cli::run::{Context, Exit, Failure};
use crate::event::JobStop;
use crate::id::JobId;

/// Show reprocess jobs; pause, resume, cancel and retry them
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  annals job list
  annals job show 5120
  annals job changes 5120 --path '/steps/*/limits'
  annals --config host.toml job resume 5120
  annals --config host.toml job retry-failed 5120
  annals list --job 5120 --status failed")]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    List(List),
    Show(Show),
    Changes(changes::Args),
    Watch(Watch),
    Pause(Pause),
    Resume(Resume),
    Cancel(Cancel),
    RetryFailed(RetryFailed),
}

/// List the jobs, the newest first
#[derive(Debug, clap::Args)]
struct List {}

/// Show one job, with every failure and its reason
#[derive(Debug, clap::Args)]
struct Show {
    /// The job
    #[arg(value_name = "JOB")]
    id: JobId,
}

/// Follow a job that runs in a host, and show what came of it
#[derive(Debug, clap::Args)]
struct Watch {
    /// The job
    #[arg(value_name = "JOB")]
    id: JobId,
}

/// Stop a running job after the entries it is working on, to be resumed later
#[derive(Debug, clap::Args)]
struct Pause {
    /// The job
    #[arg(value_name = "JOB")]
    id: JobId,
}

/// Go on with a job that was paused or cut off
///
/// It runs over the entries that it selected at its start, with the converter, arguments and
/// submission that it was started with. What it has tried already keeps its result.
#[derive(Debug, clap::Args)]
struct Resume {
    /// The job
    #[arg(value_name = "JOB")]
    id: JobId,
    #[command(flatten)]
    speed: Speed,
}

/// Stop a job for good
#[derive(Debug, clap::Args)]
struct Cancel {
    /// The job
    #[arg(value_name = "JOB")]
    id: JobId,
}

/// Start a new job over the entries that did not succeed in an old one
#[derive(Debug, clap::Args)]
struct RetryFailed {
    /// The old job
    #[arg(value_name = "JOB")]
    id: JobId,
    /// Why; recorded for good
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    speed: Speed,
}

#[derive(Serialize)]
struct Stopped {
    job: JobId,
    state: JobState,
    /// True while the job finishes the entries that it is working on.
    stopping: bool,
}

pub(crate) fn run(args: Args, context: &mut Context<'_>) -> Result<Exit, Failure> {
    match args.action {
        Action::List(List {}) => list::list(&context.open(Access::ReadOnly)?, context),
        Action::Show(args) => show::show(&context.open(Access::ReadOnly)?, args.id, context),
        Action::Changes(args) => changes::changes(args, context),
        Action::Watch(args) => watch::watch(&context.open(Access::ReadOnly)?, args.id, context),
        Action::Pause(args) => stop(args.id, JobStop::Paused, context),
        Action::Cancel(args) => stop(args.id, JobStop::Cancelled, context),
        Action::Resume(args) => reprocess::resume(args.id, &args.speed, context),
        Action::RetryFailed(args) => retry::retry(args.id, args.reason, &args.speed, context),
    }
}

fn stop(id: JobId, how: JobStop, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let archive = context.open(Access::ReadWrite)?;
    archive.stop_job(id, how)?;
    let job = archive.job(id)?;
    let closed = archive.close();
    let stopping = job.as_ref().is_some_and(|job| job.progress.is_some());
    let word = match how {
        JobStop::Paused => "paused",
        JobStop::Cancelled => "cancelled",
    };
    if context.json() {
        let state = job.map_or(JobState::Cancelled, |job| job.state());
        context.print_json(&Stopped {
            job: id,
            state,
            stopping,
        })?;
    } else if stopping {
        context.print(format!("job {id} is being {word}\n"))?;
        context.note("it stops after the entries that it is working on");
    } else {
        context.print(format!("job {id} is {word}\n"))?;
    }
    closed?;
    Ok(Exit::Done)
}
