//! `annals help`: prints the help of the program or of a verb.

use clap::Command;

use crate::cli::render::PROSE_MAX;
use crate::cli::run::{Context, Exit, Failure};
use crate::{Error, ErrorKind};

/// Print the help of a verb, with all options and examples
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  annals help
  annals help list
  annals help hold add")]
pub(crate) struct Args {
    /// The verb, and the verb below it
    #[arg(value_name = "VERB")]
    path: Vec<String>,
}

pub(crate) fn run(args: Args, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let program = context.program();
    let canvas = context.canvas();
    let columns = canvas.width.unwrap_or(PROSE_MAX).min(PROSE_MAX);
    let mut command = (program.command)().term_width(columns);
    command.build();
    let mut above: Vec<String> = Vec::new();
    for word in args.path {
        let at = below(&mut command, &above);
        match at.find_subcommand(&word) {
            Some(verb) => above.push(verb.get_name().to_owned()),
            None => return Err(no_verb(&word, at, &above, context).into()),
        }
    }
    let verb = below(&mut command, &above);
    let text = if above.is_empty() {
        (program.help)(verb, canvas.width, canvas.colour)
    } else if canvas.colour {
        verb.render_long_help().ansi().to_string()
    } else {
        verb.render_long_help().to_string()
    };
    context.print(text)?;
    Ok(Exit::Done)
}

/// Returns the verb at the end of a path that was found before.
fn below<'a>(command: &'a mut Command, path: &[String]) -> &'a mut Command {
    path.iter().fold(command, |at, verb| {
        at.find_subcommand_mut(verb).expect("it was found before")
    })
}

fn no_verb(word: &str, at: &Command, above: &[String], context: &Context<'_>) -> Error {
    let path = above.iter().map(String::as_str).chain([word]);
    let said = format!("there is no verb '{}'", path.collect::<Vec<_>>().join(" "));
    let error = Error::new(ErrorKind::Invalid, said);
    match (context.program().meant)(word, at, above) {
        Some(line) => error.hint(format!("`annals {line}` may be what you mean")),
        None => error.hint("`annals help` lists the verbs"),
    }
}
