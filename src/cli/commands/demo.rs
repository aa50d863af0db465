//! `annals demo`: makes a small plant and runs the whole demonstration on it.

use std::cell::RefCell;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use serde::Serialize;

use crate::archive::Access;
use crate::cli::arguments::ColorWhen;
use crate::cli::caller::{Streams, absolute};
use crate::cli::render::{Style, count, escape, facts, path_text, size};
use crate::cli::run::{Context, Exit, Failure};
use crate::demo::story::{self, Action, CONFIG, SEED, STORE, Step, UNITS};
use crate::demo::{Runner, lay_out};
use crate::id::EntryId;
use crate::query::Query;
use crate::time::{Clock, SystemClock, Timestamp};
use crate::{Error, ErrorKind};

/// The plant's folder when none is named.
const DIR: &str = "annals-demo";
/// Most numbered siblings tried when that folder exists.
const SIBLINGS_MAX: u32 = 1000;
/// Most lines that are shown of a step's output. Longer output is cut to its beginning and its last
/// line.
const LINES_MAX: usize = 30;
/// Lines shown of the beginning of longer output.
const LINES_HEAD: usize = 10;
/// Width of the remarks around the output, in columns.
const WORDS_WIDTH: usize = 88;

/// Make a sample plant and run the whole story on it
///
/// Test stations' files are archived and converted, a unit comes back, its converter turns out to
/// be wrong, is corrected and run again; old files go, and all is verified. Each command is printed
/// as you would type it. The store is left for looking around.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  annals demo
  annals demo plant-a")]
pub(crate) struct Args {
    /// The folder; made if missing [default: annals-demo, or the next one that is free]
    dir: Option<PathBuf>,
}

#[derive(Serialize)]
struct StepObject<'a> {
    step: usize,
    title: &'a str,
    command: &'a str,
    exit: u8,
    output: &'a str,
}

pub(crate) fn run(args: Args, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let program = std::env::current_exe()
        .map_err(|error| Failure::plain(Error::io("find", "this program", error)))?;
    let runner = Runner::find(&program);
    let dir = match args.dir {
        Some(dir) => absolute(&dir),
        None => free_sibling(&absolute(Path::new(DIR)))?,
    };
    let laid = lay_out(&dir, &runner, SEED, UNITS)?;
    std::env::set_current_dir(&dir).map_err(|error| Error::io("enter", &dir, error))?;
    let mut stage = Stage {
        began: context.now(),
        entry: None,
        store_is_named: std::env::var_os("ANNALS_STORE").is_some_and(|name| !name.is_empty()),
        colour: context.canvas().colour,
    };
    if !context.json() {
        let converters = match &runner {
            Runner::Python(python) => format!("by {python}, from {}/converters", dir.display()),
            Runner::BuiltIn(_) => "built into annals, as there is no Python here".to_owned(),
        };
        let title = stage.bold("A small plant: three kinds of test stations, a week of files");
        let known = facts(
            [
                ("folder", path_text(&dir)),
                (
                    "files",
                    format!("{}, {}", count(laid.files as u64), size(laid.bytes)),
                ),
                ("converters", converters),
            ],
            context.canvas(),
        );
        context.print(format!("{title}\n{known}"))?;
    }
    let steps = story::steps(&runner);
    for (place, step) in steps.iter().enumerate() {
        stage.perform(step, place + 1, steps.len(), context)?;
    }
    if !context.json() {
        let text = stage.farewell(&dir, &program, context);
        context.print(text)?;
    }
    Ok(Exit::Done)
}

/// Returns the first of `dir`, `dir-2`, `dir-3` and so on that does not exist.
fn free_sibling(dir: &Path) -> Result<PathBuf, Error> {
    let numbered = (2..=SIBLINGS_MAX).map(|number| {
        let mut name = dir.as_os_str().to_owned();
        name.push(format!("-{number}"));
        PathBuf::from(name)
    });
    std::iter::once(dir.to_owned())
        .chain(numbered)
        .find(|path| fs::symlink_metadata(path).is_err())
        .ok_or_else(|| {
            Error::new(
                ErrorKind::Refused,
                format!("{} and all its numbered siblings are taken", dir.display()),
            )
            .hint("name a folder that does not exist yet")
        })
}

/// The progress of the demonstration.
struct Stage {
    began: Timestamp,
    /// The entry that the demonstration follows, once it is known.
    entry: Option<EntryId>,
    /// True when the environment names the caller's store. Every printed command must then name the
    /// demonstration's store.
    store_is_named: bool,
    colour: bool,
}

impl Stage {
    fn bold(&self, text: &str) -> String {
        Style::Bold.paint(text, self.colour).into_owned()
    }

    fn perform(
        &mut self,
        step: &Step,
        number: usize,
        of: usize,
        context: &mut Context<'_>,
    ) -> Result<(), Failure> {
        let action = self.action(&step.action);
        let typed = action.typed(self.entry);
        if !context.json() {
            let title = self.bold(&format!("{number}/{of}  {}", step.title));
            let command = Style::Good.paint(&typed, self.colour);
            context.print(format!("\n{title}\n$ {command}\n"))?;
            context.flush()?;
        }
        let (exit, output) = match &action {
            Action::Annals(words) => self.annals(words, context),
            Action::Edit { file, replace } => (edit(Path::new(file), replace)?, String::new()),
        };
        if context.json() {
            context.print_json(&StepObject {
                step: number,
                title: step.title,
                command: &typed,
                exit,
                output: &output,
            })?;
        } else {
            context.print(excerpt(&output))?;
            for line in wrapped(step.look).lines() {
                context.print(format!("{}\n", Style::Dim.paint(line, self.colour)))?;
            }
            context.flush()?;
        }
        if !step.exits.contains(&exit) {
            return Err(Failure::plain(
                Error::new(
                    ErrorKind::Unsupported,
                    format!(
                        "step {number} of the demonstration ended with exit code {exit}: {typed}"
                    ),
                )
                .hint("what it left is where it was made; nothing else was touched"),
            ));
        }
        if self.entry.is_none() && Path::new(STORE).is_dir() {
            self.entry = story_entry(context)?;
        }
        Ok(())
    }

    fn action(&self, action: &Action) -> Action {
        match action {
            Action::Annals(words)
                if self.store_is_named && !words.contains(&"-s") && words[0] != "init" =>
            {
                Action::Annals([&["-s", STORE], words.as_slice()].concat())
            }
            other => other.clone(),
        }
    }

    /// Runs a command in this process and returns its exit code and what a terminal would show.
    fn annals(&self, words: &[&'static str], context: &mut Context<'_>) -> (u8, String) {
        let mut args = vec![OsString::from("annals")];
        match context.globals.color {
            ColorWhen::Auto => {}
            ColorWhen::Always => args.push("--color=always".into()),
            ColorWhen::Never => args.push("--color=never".into()),
        }
        if context.globals.utc {
            args.push("--utc".into());
        }
        args.extend(
            story::filled(words, self.entry)
                .into_iter()
                .map(OsString::from),
        );
        let screen = Screen::default();
        let run = context.program().run;
        let outer = context.streams();
        let exit = run(
            &args,
            Streams {
                stdin: outer.stdin,
                stdout: &mut screen.clone(),
                stderr: &mut screen.clone(),
                stdout_is_terminal: outer.stdout_is_terminal,
                stderr_is_terminal: outer.stderr_is_terminal,
            },
        );
        (exit, screen.text())
    }

    fn farewell(&self, dir: &Path, program: &Path, context: &Context<'_>) -> String {
        let ms = (SystemClock.now().micros() - self.began.micros()) / 1_000;
        let took = crate::cli::render::duration(u64::try_from(ms).unwrap_or(0));
        let title = self.bold(&format!(
            "That was the story, in {took}. It is all still there"
        ));
        let inside = |name: &str| path_text(&dir.join(name));
        let known = facts(
            [
                ("store", inside(STORE)),
                ("configuration", inside(CONFIG)),
                ("restored file", inside("restored")),
            ],
            context.canvas(),
        );
        let mut text = format!("\n{title}\n{known}\n{}\n", self.bold("Try next"));
        let mut lines = vec![(
            format!("cd {}", shell_word(&path_text(dir))),
            "where these commands work",
        )];
        if !is_on_path() {
            let program = shell_word(&path_text(program));
            lines.push((
                format!("alias annals={program}"),
                "as annals is not on your PATH",
            ));
        }
        for (action, why) in story::next() {
            lines.push((self.action(&action).typed(self.entry), why));
        }
        for (line, why) in lines {
            let why = Style::Dim.paint(why, self.colour).into_owned();
            let line = Style::Good.paint(&line, self.colour).into_owned();
            let line = format!("  # {why}\n  $ {line}\n");
            text += &line;
        }
        text
    }
}

/// Returns the entry that the demonstration follows, once the host has archived it.
fn story_entry(context: &Context<'_>) -> Result<Option<EntryId>, Error> {
    let archive = crate::Archive::open(STORE, context.options(Access::ReadOnly))?;
    let found = archive.snapshot()?.query(&Query {
        filter: story::story_entry(),
        limit: Some(1),
        ..Query::default()
    })?;
    Ok(found.entries.first().map(|entry| entry.id))
}

fn edit(file: &Path, replace: &[(String, String)]) -> Result<u8, Error> {
    let mut text = fs::read_to_string(file).map_err(|error| Error::io("read", file, error))?;
    for (from, to) in replace {
        text = text.replace(from, to);
    }
    fs::write(file, text).map_err(|error| Error::io("write", file, error))?;
    Ok(0)
}

/// Collects stdout and stderr in the order they were written, as a terminal does.
#[derive(Clone, Default)]
struct Screen(Rc<RefCell<Vec<u8>>>);

impl Screen {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.borrow()).into_owned()
    }
}

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Shortens long output to its beginning and its last line.
fn excerpt(output: &str) -> String {
    let lines: Vec<&str> = output.lines().collect();
    if lines.len() <= LINES_MAX {
        return output.to_owned();
    }
    let (head, tail) = lines.split_at(LINES_HEAD);
    let left_out = tail.len() - 1;
    let last = tail[left_out];
    format!(
        "{}\n... {left_out} more lines ...\n{last}\n",
        head.join("\n")
    )
}

/// Wraps a remark and marks each of its lines.
fn wrapped(text: &str) -> String {
    let mut out = String::new();
    let mut line = String::new();
    for word in text.split(' ') {
        if !line.is_empty() && line.chars().count() + word.chars().count() >= WORDS_WIDTH {
            let whole = format!("  > {line}\n");
            out += &whole;
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    out + &format!("  > {line}\n")
}

fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./\\:".contains(c);
    if text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("\"{}\"", escape(text))
    }
}

fn is_on_path() -> bool {
    let name = format!("annals{}", std::env::consts::EXE_SUFFIX);
    std::env::var_os("PATH").is_some_and(|paths| {
        std::env::split_paths(&paths).any(|folder| folder.join(&name).is_file())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_output_keeps_its_beginning_and_its_last_line() {
        let lines: Vec<String> = (1..=40).map(|line| line.to_string()).collect();
        let text = lines.join("\n") + "\n";
        let short = excerpt(&text);
        assert!(short.starts_with("1\n2\n"));
        assert!(
            short.ends_with("\n10\n... 29 more lines ...\n40\n"),
            "{short}"
        );
        assert_eq!(excerpt("a\nb\n"), "a\nb\n");
    }

    #[test]
    fn a_remark_is_wrapped_between_words() {
        let text = wrapped(&"word ".repeat(40));
        assert!(text.lines().count() > 1);
        assert!(
            text.lines()
                .all(|line| line.starts_with("  > ") && line.len() <= WORDS_WIDTH + 4)
        );
    }

    #[test]
    fn the_next_free_folder_is_taken_and_none_is_overwritten() {
        let dir = tempfile::tempdir().expect("folder");
        let wanted = dir.path().join("annals-demo");
        assert_eq!(free_sibling(&wanted).expect("free"), wanted);
        fs::create_dir(&wanted).expect("made");
        let second = dir.path().join("annals-demo-2");
        assert_eq!(free_sibling(&wanted).expect("free"), second);
    }
}
