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
