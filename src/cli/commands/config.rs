//! `annals config`: shows, checks and changes the configuration.

use clap::Subcommand;
use serde::Serialize;

use crate::cli::render::{Style, counted, escape, path_text};
use crate::cli::run::{Context, Exit, Failure};
use crate::host::{Config, Origin, Setting};

/// Show, check and change the configuration
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  annals config show --origin --config host.toml
  annals config check --config host.toml
  annals config schema
  annals config set 'ICT CSV.timeout_s' 300 --config host.toml")]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Show(Show),
    Check(Check),
    Schema(Schema),
    Set(Set),
}

/// Print every value in force, secrets masked
#[derive(Debug, clap::Args)]
struct Show {
    /// Say of each where it comes from
    #[arg(long)]
    origin: bool,
}

/// Check the configuration, every problem with its line
///
/// `annals host check FILE` also looks whether its folders and files are there.
#[derive(Debug, clap::Args)]
struct Check {}

/// Print every key with its range, default and meaning
#[derive(Debug, clap::Args)]
struct Schema {}

/// Change one value in the file; comments and order stay
///
/// The configuration is checked as a whole before the file is replaced. A host takes the change up,
/// and records it, when it is started again.
#[derive(Debug, clap::Args)]
struct Set {
    /// CONVERTER.KEY; or store.KEY, host.KEY, defaults.KEY
    target: String,
    /// A text as it is, a list or table as TOML. A secret is better given as ${VAR} or ${file:PATH}
    #[arg(allow_hyphen_values = true)]
    value: String,
}

#[derive(Serialize)]
struct SetValue<'a> {
    path: String,
    section: &'a str,
    key: &'a str,
    old: Option<&'a str>,
    new: Option<&'a str>,
    changed: bool,
}

#[derive(Serialize)]
struct Checked<'a> {
    ok: bool,
    path: String,
    converters: Vec<&'a str>,
    warnings: &'a [String],
}

pub(crate) fn run(args: Args, context: &mut Context<'_>) -> Result<Exit, Failure> {
    match args.action {
        Action::Show(args) => show(&args, context),
        Action::Check(Check {}) => check(context),
        Action::Schema(Schema {}) => schema(context),
        Action::Set(args) => set(&args, context),
    }
}

fn show(args: &Show, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let config = context.configuration()?;
    if context.json() {
        return config
            .settings()
            .iter()
            .try_for_each(|setting| context.print_json(setting))
            .map(|()| Exit::Done);
    }
    let colour = context.canvas().colour;
    let mut text = String::new();
    let mut section = "";
    for setting in config.settings() {
        if setting.section != section {
            section = &setting.section;
            let gap = if text.is_empty() { "" } else { "\n" };
            let title = escape(section);
            let title = format!("[{title}]");
            let heading = format!("{gap}{}\n", Style::Bold.paint(&title, colour));
            text += &heading;
        }
        text += &line(setting, args.origin, colour);
    }
    context.print(text)?;
    Ok(Exit::Done)
}

fn line(setting: &Setting, with_origin: bool, colour: bool) -> String {
    let value = format!("{} = {}", setting.key, escape(&setting.value));
    if !with_origin {
        return format!("{value}\n");
    }
    let origin = match setting.origin {
        Origin::BuiltIn => "# built in".to_owned(),
        Origin::Defaults(line) => format!("# [defaults], line {line}"),
        Origin::Line(line) => format!("# line {line}"),
    };
    format!("{value:<44}  {}\n", Style::Dim.paint(&origin, colour))
}

fn check(context: &mut Context<'_>) -> Result<Exit, Failure> {
    let config = context.configuration()?;
    let path = path_text(&config.path);
    if context.json() {
        context.print_json(&Checked {
            ok: true,
            path,
            converters: config
                .converters
                .iter()
                .map(|config| config.converter.name.as_str())
                .collect(),
            warnings: &config.warnings,
        })?;
    } else {
        for warning in &config.warnings {
            context.warn(warning);
        }
        context.print(format!(
            "{} is valid: {}\n",
            escape(&path),
            counted(config.converters.len() as u64, "converter", "converters")
        ))?;
    }
    Ok(Exit::Done)
}

fn set(args: &Set, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let edit = context.configuration()?.edit(&args.target, &args.value)?;
    edit.write()?;
    if context.json() {
        context.print_json(&SetValue {
            path: path_text(&edit.path),
            section: &edit.section,
            key: &edit.key,
            old: edit.old.as_deref(),
            new: edit.new.as_deref(),
            changed: edit.changes(),
        })?;
        return Ok(Exit::Done);
    }
    let old = edit.old.as_deref().unwrap_or("not set");
    let new = edit.new.as_deref().unwrap_or("not set");
    let place = format!("{}: {}", escape(&edit.section), escape(&edit.key));
    let text = match (edit.changes(), old == new) {
        (false, _) => format!("{place} = {} already\n", escape(new)),
        // Only a secret changed, or a default value is now stated in the file.
        (true, true) => format!("{place} = {} is written now\n", escape(new)),
        (true, false) => format!("{place} = {} -> {}\n", escape(old), escape(new)),
    };
    context.print(text)?;
    Ok(Exit::Done)
}

fn schema(context: &mut Context<'_>) -> Result<Exit, Failure> {
    if context.json() {
        return Config::keys()
            .try_for_each(|key| context.print_json(&key))
            .map(|()| Exit::Done);
    }
    context.print(Config::schema())?;
    Ok(Exit::Done)
}
