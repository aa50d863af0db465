//! The verbs, one file each: `Args` is what it is given, `run` is what it does.

use super::context::Context;
use super::exit::{Exit, Failure};

macro_rules! verbs {
    ($($Verb:ident = $module:ident,)*) => {
        $(mod $module;)*

        #[derive(Debug, clap::Subcommand)]
        pub(crate) enum Verb {
            $($Verb($module::Args),)*
        }

        pub(crate) fn run(verb: Verb, context: &mut Context<'_>) -> Result<Exit, Failure> {
            match verb {
                $(Verb::$Verb(args) => $module::run(args, context),)*
            }
        }
    };
}

/// Where a verb is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Here: it needs no store, makes its own, or wants one nobody else owns.
    Here,
    /// By the owner of the store; here when there is none.
    Owner,
}

impl Verb {
    pub(crate) fn reach(&self) -> Reach {
        match self {
            Self::Init(_)
            | Self::RestoreStore(_)
            | Self::ConfirmMove(_)
            | Self::Config(_)
            | Self::Repair(_)
            | Self::Demo(_)
            | Self::DemoConverter(_)
            | Self::Completions(_)
            | Self::Man(_) => Reach::Here,
            Self::Convert(args) => args.reach(),
            Self::Host(args) => args.reach(),
            Self::Archive(_)
            | Self::Report(_)
            | Self::List(_)
            | Self::Find(_)
            | Self::Show(_)
            | Self::Cat(_)
            | Self::Restore(_)
            | Self::Diff(_)
            | Self::Reprocess(_)
            | Self::Job(_)
            | Self::Retention(_)
            | Self::Hold(_)
            | Self::Compact(_)
            | Self::Backup(_)
            | Self::Stats(_)
            | Self::Verify(_)
            | Self::Rebuild(_)
            | Self::Events(_) => Reach::Owner,
        }
    }
}

// In the order `annals --help` lists them.
verbs! {
    Init = init,
    Archive = archive,
    Report = report,
    List = list,
    Find = find,
    Show = show,
    Cat = cat,
    Restore = restore,
    Diff = diff,
    Convert = convert,
    Reprocess = reprocess,
    Job = job,
    Host = host,
    Config = config,
    Retention = retention,
    Hold = hold,
    Compact = compact,
    Backup = backup,
    RestoreStore = restore_store,
    ConfirmMove = confirm_move,
    Stats = stats,
    Verify = verify,
    Repair = repair,
    Rebuild = rebuild,
    Events = events,
    Demo = demo,
    DemoConverter = demo_converter,
    Completions = completions,
    Man = man,
}
