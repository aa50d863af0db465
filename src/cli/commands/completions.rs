//! `annals completions`: prints completion scripts for shells.

use clap_complete::Shell;

use crate::cli::run::{Context, Exit, Failure};

/// Print a completion script for a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  annals completions bash > /etc/bash_completion.d/annals")]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(args: Args, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(
        args.shell,
        &mut (context.program().command)(),
        "annals",
        &mut script,
    );
    context.print(script)?;
    Ok(Exit::Done)
}
