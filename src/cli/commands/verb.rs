//! The list of verbs: their order in `annals --help`, and the module that runs each.

use super::reach::Reach;
#[cfg(feature = "serve")]
use super::serve;
use super::{
    archive, backup, cat, checkpoint, compact, completions, config, confirm_move, convert, demo,
    demo_converter, diff, erase, events, export, failures, find, help, hold, host, init, job, key,
    list, man, note, privacy, promotion, prove, rebuild, repair, report, reprocess, restore,
    restore_store, retention, review, show, stats, verify, verify_export, verify_proof, view,
};
use crate::cli::run::{Context, Exit, Failure};

macro_rules! verbs {
    ($($(#[$when:meta])? $Verb:ident = $module:ident,)*) => {
        /// A verb with its arguments.
        #[derive(Debug, clap::Subcommand)]
        pub(in crate::cli) enum Verb {
            $($(#[$when])? $Verb($module::Args),)*
        }

        impl Verb {
            /// Runs the verb in this process.
            pub(in crate::cli) fn run(self, context: &mut Context<'_>) -> Result<Exit, Failure> {
                match self {
                    $($(#[$when])? Self::$Verb(args) => $module::run(args, context),)*
                }
            }
        }
    };
}

// In the order `annals --help` lists them.
verbs! {
    Init = init,
    Archive = archive,
    Report = report,
    Note = note,
    List = list,
    Find = find,
    View = view,
    Show = show,
    Cat = cat,
    Restore = restore,
    Diff = diff,
    Convert = convert,
    Reprocess = reprocess,
    Job = job,
    Failures = failures,
    Promotion = promotion,
    Host = host,
    #[cfg(feature = "serve")]
    Serve = serve,
    Config = config,
    Retention = retention,
    Hold = hold,
    Privacy = privacy,
    Erase = erase,
    Compact = compact,
    Backup = backup,
    RestoreStore = restore_store,
    ConfirmMove = confirm_move,
    Stats = stats,
    Verify = verify,
    Review = review,
    Key = key,
    Checkpoint = checkpoint,
    Prove = prove,
    Export = export,
    VerifyExport = verify_export,
    VerifyProof = verify_proof,
    Repair = repair,
    Rebuild = rebuild,
    Events = events,
    Demo = demo,
    DemoConverter = demo_converter,
    Completions = completions,
    Man = man,
    Help = help,
}

impl Verb {
    /// Returns which process runs the verb.
    pub(in crate::cli) fn reach(&self) -> Reach {
        match self {
            Self::Init(_)
            | Self::RestoreStore(_)
            | Self::ConfirmMove(_)
            | Self::Config(_)
            | Self::Repair(_)
            | Self::Demo(_)
            | Self::DemoConverter(_)
            | Self::Completions(_)
            | Self::Man(_)
            | Self::Help(_)
            | Self::VerifyExport(_)
            | Self::VerifyProof(_) => Reach::Here,
            Self::Convert(args) => args.reach(),
            Self::Host(args) => args.reach(),
            #[cfg(feature = "serve")]
            Self::Serve(_) => Reach::Owner,
            Self::Archive(_)
            | Self::Report(_)
            | Self::Note(_)
            | Self::List(_)
            | Self::Find(_)
            | Self::View(_)
            | Self::Show(_)
            | Self::Cat(_)
            | Self::Restore(_)
            | Self::Diff(_)
            | Self::Reprocess(_)
            | Self::Job(_)
            | Self::Failures(_)
            | Self::Promotion(_)
            | Self::Retention(_)
            | Self::Hold(_)
            | Self::Privacy(_)
            | Self::Erase(_)
            | Self::Compact(_)
            | Self::Backup(_)
            | Self::Stats(_)
            | Self::Verify(_)
            | Self::Review(_)
            | Self::Key(_)
            | Self::Checkpoint(_)
            | Self::Prove(_)
            | Self::Export(_)
            | Self::Rebuild(_)
            | Self::Events(_) => Reach::Owner,
        }
    }
}
