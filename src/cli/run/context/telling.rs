//! What goes to stderr: remarks, warnings, errors with the next step, and questions.

use std::fmt;
use std::io::Write;
use std::path::{MAIN_SEPARATOR, Path, PathBuf};

use serde::Serialize;

use super::super::printed_command::StoreFlags;
use super::super::terminal::terminal_width;
use super::Context;
use crate::cli::render::{Style, error_json, escape, escape_json, labelled, sentence, to_json};
use crate::cli::store::damage;
use crate::host::ConfigErrors;
use crate::service::words::{in_shell, path_text};
use crate::{Error, ErrorKind, Result};

impl Context<'_> {
    /// Prints a remark for people, unless `--json` or `--quiet` is set.
    pub(crate) fn note(&mut self, text: impl fmt::Display) {
        if !self.globals.quiet && !self.json() {
            let text = self.store_flags().in_text(&text.to_string());
            let text = sentence(&text, 0, self.stderr_columns());
            self.say(&format!("{text}\n"));
        }
    }

    /// Prints a text for people on stderr as it is.
    pub(crate) fn aside(&mut self, text: &str) {
        self.say(text);
    }

    /// Returns a command line, which begins with `annals`, with the flags that name the store of
    /// this run, so that it works as it is printed.
    pub(crate) fn command(&self, line: &str) -> String {
        self.store_flags().command(line)
    }

    /// Returns the flags that name the store of this run, for the commands that it prints.
    pub(crate) fn store_flags(&self) -> StoreFlags {
        StoreFlags::of(&self.globals, &self.caller_env)
    }

    /// Returns how wide a line on stderr may be, when it is a terminal that this run writes to.
    fn stderr_columns(&self) -> Option<usize> {
        let is_own = self.streams.stderr_is_terminal && self.stderr_to.is_none();
        is_own.then(|| terminal_width(&self.caller_env))
    }

    /// Returns a line behind a label, made safe to show and broken to fit the terminal.
    fn labelled(&self, style: Style, label: &str, text: &str) -> String {
        let painted = style.paint(label, self.stderr_colour());
        let columns = self.stderr_columns();
        labelled(&painted, label, text, columns)
    }

    /// Prints a warning, unless `--quiet` is set.
    pub(crate) fn warn(&mut self, text: impl fmt::Display) {
        if self.globals.quiet {
            return;
        }
        let text = self.store_flags().in_text(&text.to_string());
        let line = if self.json() {
            let message = serde_json::json!({ "warning": { "message": text } });
            format!("{}\n", escape_json(&message.to_string()))
        } else {
            self.labelled(Style::Warn, "warning", &text)
        };
        self.say(&line);
    }

    /// Sends text for stderr to `say`, which must not block.
    pub(crate) fn redirect_stderr(&mut self, say: impl Fn(&str) + 'static) {
        self.stderr_to = Some(Box::new(say));
    }

    /// Prints a JSON object on stderr, for data that accompanies stdout. Only for `--json`.
    pub(crate) fn aside_json(&mut self, value: &impl Serialize) {
        if let Ok(line) = to_json(value) {
            self.say(&format!("{line}\n"));
        }
    }

    /// Prints an error with its location and the next step.
    pub(crate) fn error(&mut self, error: &Error) {
        let text = match self.damage.qualify(error) {
            Some(qualified) => self.describe(&qualified),
            None => self.describe(error),
        };
        self.say(&text);
    }

    /// Prints the known damage once. Long runs call it before they begin.
    pub(crate) fn tell_damage(&mut self) {
        if let Some(lines) = self.damage.to_tell() {
            let error = damage::error(&lines);
            if self.damage.is_warning() {
                let next = error.next_step().unwrap_or_default();
                return self.warn(format_args!("{}; {next}", error.message()));
            }
            if self.json() {
                let text = damage::object(&error, &lines);
                self.say(&format!("{}\n", escape_json(&text)));
            } else {
                let text = damage::with_places(self.describe(&error), &lines);
                self.say(&text);
            }
        }
    }

    fn describe(&self, error: &Error) -> String {
        let hint = self.hint(error);
        if self.json() {
            let message = self.store_flags().in_text(error.message());
            return error_json(error.kind(), &message, hint.as_deref());
        }
        let flags = self.store_flags();
        let source = std::error::Error::source(error);
        // An invalid configuration prints one line for each mistake.
        let mistakes = source
            .and_then(|source| source.downcast_ref::<ConfigErrors>())
            .filter(|mistakes| mistakes.to_string() == error.message());
        let said = match mistakes {
            Some(mistakes) => mistakes.lines().collect(),
            None => vec![flags.in_text(error.message())],
        };
        let mut lines: Vec<String> = said
            .iter()
            .map(|said| self.labelled(Style::Bad, "error", said))
            .collect();
        let mut cause = source.filter(|_| self.globals.verbose && mistakes.is_none());
        while let Some(inner) = cause {
            lines.push(self.labelled(Style::Dim, "cause", &inner.to_string()));
            cause = inner.source();
        }
        if let Some(hint) = &hint {
            lines.push(self.labelled(Style::Good, " hint", hint));
        }
        lines.concat()
    }

    /// Returns the next step after an error, with commands that work as they are printed.
    fn hint(&self, error: &Error) -> Option<String> {
        let names = |dir: &Path| {
            let message = error.message();
            let full = self.path(dir);
            [dir, &full]
                .iter()
                .any(|dir| message.contains(&*path_text(dir)))
        };
        // A folder that the error names is known, and the hint need not leave it open.
        let dir = self.locate().ok().filter(|dir| names(dir));
        let mut hint = error.next_step()?.to_owned();
        if let Some(dir) = &dir {
            let dir = in_shell(&path_text(dir)).into_owned();
            for open in ["repair --store DIR", "restore-store DIR"] {
                hint = hint.replace(open, &open.replace("DIR", &dir));
            }
        }
        let hint = self.store_flags().in_text(&hint);
        // Only on the disk of the store itself does a purge make room.
        let is_inside = |dir: PathBuf| {
            let full = self.path(&dir);
            [dir, full].iter().any(|dir| {
                error
                    .message()
                    .contains(&format!("{}{MAIN_SEPARATOR}", dir.display()))
            })
        };
        let makes_room = error.kind() == ErrorKind::Full
            && !hint.contains("purge")
            && dir.is_some_and(is_inside);
        Some(if makes_room {
            format!("{hint}; purging old entries makes room, too")
        } else {
            hint
        })
    }

    fn say(&mut self, text: &str) {
        if let Some(say) = &self.stderr_to {
            return say(text);
        }
        if self.streams.stdout_is_terminal {
            // Keeps the order on a screen that shows both streams. An error of stdout is reported
            // by the next print.
            let _ = self.streams.stdout.flush();
        }
        let stderr = &mut self.streams.stderr;
        // When stderr fails too, only the exit code reports the error.
        let _ = self.meter.aside(|| {
            stderr
                .write_all(text.as_bytes())
                .and_then(|()| stderr.flush())
        });
    }

    /// Returns true when somebody is there to answer a question.
    pub(crate) fn can_ask(&self) -> bool {
        self.streams.stderr_is_terminal && self.streams.stdin.is_terminal()
    }

    /// Asks for a line of text. `None` when the input has ended.
    pub(crate) fn ask(&mut self, question: &str) -> Result<Option<String>> {
        self.meter.clear();
        self.say(&escape(question));
        let answer = self.streams.stdin.line_or_end();
        answer.map_err(|error| Error::io("read", "the answer", error))
    }

    /// Asks before something is removed. Fails without `--yes` when there is no terminal to ask on.
    pub(crate) fn confirm(&mut self, question: &str) -> Result<()> {
        if self.globals.yes {
            return Ok(());
        }
        if !self.can_ask() {
            return Err(Error::new(
                ErrorKind::Refused,
                format!("{question}: this needs a confirmation and nobody is there to give it"),
            )
            .hint("add --yes"));
        }
        self.meter.clear();
        self.say(&format!("{} [y/N] ", escape(question)));
        let answer = self
            .streams
            .stdin
            .line()
            .map_err(|error| Error::io("read", "the answer", error))?;
        if matches!(answer.trim().to_lowercase().as_str(), "y" | "yes") {
            Ok(())
        } else {
            Err(Error::new(
                ErrorKind::Refused,
                "not confirmed, nothing was done",
            ))
        }
    }
}
