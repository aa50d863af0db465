//! `annals config`: shows, checks and changes the configuration.

use std::path::PathBuf;

use clap::Subcommand;
use serde::Serialize;

use super::prove::write_new;
use crate::cli::render::{Canvas, Cell, Column, Style, Table, counted, escape, path_text};
use crate::cli::run::{Context, Exit, Failure};
use crate::host::{Change, ChangedValue, Config, Draft, KeyInfo, Origin, Setting};
use crate::service::words::in_shell;

/// Show, check and change the configuration
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  annals config init host.toml
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
    Init(Init),
    Show(Show),
    Check(Check),
    Schema(Schema),
    Set(Set),
    Unset(Unset),
}

/// Write a template of the configuration, with comments
///
/// Without FILE it is printed. A file that is there already is never replaced. `annals host init`
/// asks what is wanted instead, and writes a configuration that runs.
#[derive(Debug, clap::Args)]
struct Init {
    /// The file to write
    file: Option<PathBuf>,
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
///
/// A table for people on a terminal, Markdown elsewhere, and objects with --json.
#[derive(Debug, clap::Args)]
struct Schema {}

/// Change values in the file; comments and order stay
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
    /// Another value to change in the same step; may be repeated
    #[arg(
        long,
        num_args = 2,
        value_names = ["TARGET", "VALUE"],
        action = clap::ArgAction::Append,
        allow_hyphen_values = true
    )]
    also: Vec<String>,
}

/// Take values out of the file, so that their defaults are in force
#[derive(Debug, clap::Args)]
struct Unset {
    /// CONVERTER.KEY; or store.KEY, host.KEY, defaults.KEY
    #[arg(required = true)]
    targets: Vec<String>,
}

#[derive(Serialize)]
struct SetValue<'a> {
    path: String,
    #[serde(flatten)]
    value: &'a ChangedValue,
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
        Action::Init(args) => init(&args, context),
        Action::Show(args) => show(&args, context),
        Action::Check(Check {}) => check(context),
        Action::Schema(Schema {}) => schema(context),
        Action::Set(args) => set(&args, context),
        Action::Unset(Unset { targets }) => {
            let changes: Vec<Change> = targets.into_iter().map(Change::unset).collect();
            change(&changes, "is no longer written", context)
        }
    }
}

fn init(args: &Init, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let Some(file) = &args.file else {
        context.print(Config::TEMPLATE)?;
        return Ok(Exit::Done);
    };
    let full = context.path(file);
    write_new(&full, Config::TEMPLATE)?;
    let name = path_text(file);
    if context.json() {
        context.print_json(&serde_json::json!({ "path": path_text(&full) }))?;
    } else {
        context.print(format!("template in {}\n", escape(&name)))?;
    }
    let shown = in_shell(&name);
    context.note(format_args!(
        "next: change its folders and its command, then `annals host check {shown}`"
    ));
    Ok(Exit::Done)
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
    let mut changes = vec![Change::set(&args.target, &args.value)];
    for pair in args.also.chunks_exact(2) {
        changes.push(Change::set(&pair[0], &pair[1]));
    }
    change(&changes, "is written now", context)
}

/// Changes values. `quietly` is what is told where only the file changes, or only a secret.
fn change(changes: &[Change], quietly: &str, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let draft = Draft::load(&context.configuration()?.path)?;
    let edit = draft.edit(changes)?;
    edit.write()?;
    for value in &edit.changes {
        if context.json() {
            context.print_json(&SetValue {
                path: path_text(&edit.path),
                value,
            })?;
        } else {
            context.print(told(value, quietly))?;
        }
    }
    Ok(Exit::Done)
}

/// Tells in one line what became of a value.
fn told(value: &ChangedValue, quietly: &str) -> String {
    let old = value.old.as_deref().unwrap_or("not set");
    let new = value.new.as_deref().unwrap_or("not set");
    let place = format!("{}: {}", escape(&value.section), escape(&value.key));
    match (value.changed, old == new) {
        (false, _) => format!("{place} = {} already\n", escape(new)),
        // Only a secret changed, or what is in force by default is now stated, or no longer.
        (true, true) => format!("{place} = {} {quietly}\n", escape(new)),
        (true, false) => format!("{place} = {} -> {}\n", escape(old), escape(new)),
    }
}

/// Renders every key for people: what it means, and below it what it takes.
fn schema_page(canvas: Canvas) -> String {
    let columns = [
        Column::left("KEY").key(),
        Column::clipped("DEFAULT"),
        Column::text("MEANING"),
    ];
    let keys: Vec<_> = Config::keys().collect();
    let sections = keys.chunk_by(|one, other| one.section == other.section);
    let mut text = String::new();
    for (nth, section) in sections.enumerate() {
        let title = match section[0].section {
            "converter" => "[[converter]]".to_owned(),
            other => format!("[{other}]"),
        };
        let gap = if nth == 0 { "" } else { "\n" };
        text.extend([format!(
            "{gap}{}\n",
            Style::Bold.paint(&title, canvas.colour)
        )]);
        let row = |key: &KeyInfo| {
            let meaning = format!("{}; {}", key.meaning, key.value);
            vec![
                Cell::new(key.key),
                Cell::maybe(key.default.as_ref()),
                Cell::new(meaning),
            ]
        };
        let rows: Vec<_> = section.iter().map(row).collect();
        text += &Table::new(&columns, canvas).page(&rows);
    }
    text
}

fn schema(context: &mut Context<'_>) -> Result<Exit, Failure> {
    if context.json() {
        return Config::keys()
            .try_for_each(|key| context.print_json(&key))
            .map(|()| Exit::Done);
    }
    if context.stdout_is_terminal() {
        let text = schema_page(context.canvas());
        context.print(text)?;
    } else {
        context.print(Config::schema())?;
    }
    Ok(Exit::Done)
}
