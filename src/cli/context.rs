//! What every verb works with: the flags, the two streams, the store.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use super::args::{ColorWhen, Globals};
use super::exit::Failure;
use super::progress::Meter;
use super::render::{Canvas, Style, Zone, escape, escape_json};
use super::{store, when};
use crate::archive::{Access, Archive, Options};
use crate::event::{Actor, ActorKind};
use crate::host::Config;
use crate::time::{Clock, SystemClock, Timestamp};
use crate::{Error, ErrorKind, Result};

/// How long a verb waits for another process to let go of the store.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// Where a run of the program writes, and whether a person is there to read it.
pub struct Streams<'a> {
    /// Data.
    pub stdout: &'a mut dyn Write,
    /// Progress, notes and errors.
    pub stderr: &'a mut dyn Write,
    /// True when `stdout` is shown to a person.
    pub stdout_is_terminal: bool,
    /// True when `stderr` is shown to a person.
    pub stderr_is_terminal: bool,
}

/// One run of the program.
pub(crate) struct Context<'a> {
    pub(crate) globals: Globals,
    streams: Streams<'a>,
    pub(crate) meter: Meter,
    now: Timestamp,
}

impl<'a> Context<'a> {
    pub(crate) fn new(globals: Globals, streams: Streams<'a>) -> Self {
        let meter = if streams.stderr_is_terminal && !globals.quiet {
            Meter::visible()
        } else {
            Meter::default()
        };
        Self {
            globals,
            streams,
            meter,
            now: SystemClock.now(),
        }
    }

    pub(crate) fn json(&self) -> bool {
        self.globals.json
    }

    /// When this run began: what `yesterday` and `90d` count from.
    pub(crate) fn now(&self) -> Timestamp {
        self.zone().exact(self.now)
    }

    pub(crate) fn zone(&self) -> Zone {
        if self.globals.utc {
            Zone::Utc
        } else {
            Zone::Local
        }
    }

    pub(crate) fn when(&self, text: &str) -> Result<Timestamp> {
        when::parse_when(text, self.now(), self.zone())
    }

    pub(crate) fn stdout_is_terminal(&self) -> bool {
        self.streams.stdout_is_terminal
    }

    /// What tables on stdout may look like.
    pub(crate) fn canvas(&self) -> Canvas {
        Canvas {
            colour: wants_colour(self.globals.color, self.streams.stdout_is_terminal),
            width: self.streams.stdout_is_terminal.then(terminal_width),
        }
    }

    fn stderr_colour(&self) -> bool {
        wants_colour(self.globals.color, self.streams.stderr_is_terminal)
    }

    /// The same streams, for a run within this one.
    pub(crate) fn streams(&mut self) -> Streams<'_> {
        Streams {
            stdout: &mut *self.streams.stdout,
            stderr: &mut *self.streams.stderr,
            stdout_is_terminal: self.streams.stdout_is_terminal,
            stderr_is_terminal: self.streams.stderr_is_terminal,
        }
    }

    // ---- the store

    /// The configuration named by flag or environment.
    pub(crate) fn configuration(&self) -> Result<Config> {
        store::configuration(&self.globals)
    }

    pub(crate) fn open(&self, access: Access) -> Result<Archive> {
        let dir = store::locate(&self.globals)?;
        Archive::open(&dir, self.options(access))
    }

    pub(crate) fn options(&self, access: Access) -> Options {
        let default = Options::default();
        Options {
            actor: Actor {
                kind: ActorKind::User,
                id: user_name(),
            },
            access,
            lock_wait: LOCK_WAIT,
            journal_bytes: self.globals.journal_size.unwrap_or(default.journal_bytes),
            progress: self.meter.as_progress(),
            ..default
        }
    }

    // ---- stdout: data

    /// Prints text that ends its own lines, as it is: what came from outside has been escaped by then.
    pub(crate) fn print(&mut self, text: impl AsRef<[u8]>) -> Result<(), Failure> {
        let stdout = &mut self.streams.stdout;
        self.meter
            .aside(|| stdout.write_all(text.as_ref()))
            .map_err(Failure::stdout)
    }

    /// Prints one object on a line of its own.
    pub(crate) fn print_json(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        let line = to_json(value)?;
        self.print(format!("{line}\n"))
    }

    /// Hands what was printed to the reader now.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.streams.stdout.flush().map_err(Failure::stdout)
    }

    // ---- stderr: everything else

    /// A remark for people: silent with `--json` and `--quiet`.
    pub(crate) fn note(&mut self, text: impl fmt::Display) {
        if !self.globals.quiet && !self.json() {
            self.say(&format!("{text}\n"));
        }
    }

    /// Something a person should know although the work goes on.
    pub(crate) fn warn(&mut self, text: impl fmt::Display) {
        if self.globals.quiet {
            return;
        }
        let text = text.to_string();
        let line = if self.json() {
            let message = serde_json::json!({ "warning": { "message": text } });
            format!("{}\n", escape_json(&message.to_string()))
        } else {
            let label = Style::Warn.paint("warning", self.stderr_colour());
            format!("{label}: {}\n", escape(&text))
        };
        self.say(&line);
    }

    /// An object for programs on stderr, beside the data: only with `--json`.
    pub(crate) fn aside_json(&mut self, value: &impl Serialize) {
        if let Ok(line) = to_json(value) {
            self.say(&format!("{line}\n"));
        }
    }

    /// An error: fact, place, next step.
    pub(crate) fn error(&mut self, error: &Error) {
        let text = self.describe(error);
        self.say(&text);
    }

    fn describe(&self, error: &Error) -> String {
        if self.json() {
            return error_json(error.kind(), error.message(), error.next_step());
        }
        let colour = self.stderr_colour();
        let label = Style::Bad.paint("error", colour);
        let mut lines = vec![format!("{label}: {}\n", escape(error.message()))];
        let mut cause = std::error::Error::source(error).filter(|_| self.globals.verbose);
        while let Some(inner) = cause {
            let label = Style::Dim.paint("cause", colour);
            lines.push(format!("{label}: {}\n", escape(&inner.to_string())));
            cause = inner.source();
        }
        if let Some(hint) = error.next_step() {
            let label = Style::Good.paint("hint", colour);
            lines.push(format!(" {label}: {}\n", escape(hint)));
        }
        lines.concat()
    }

    fn say(&mut self, text: &str) {
        if self.streams.stdout_is_terminal {
            // On one screen, in the order things were said; what stdout has to say about it comes with the next print.
            let _ = self.streams.stdout.flush();
        }
        let stderr = &mut self.streams.stderr;
        // When even stderr is gone there is nobody left to tell; the exit code still speaks.
        let _ = self.meter.aside(|| {
            stderr
                .write_all(text.as_bytes())
                .and_then(|()| stderr.flush())
        });
    }

    /// Asks before bytes go. Without `--yes` and without a person at both ends it refuses.
    pub(crate) fn confirm(&mut self, question: &str) -> Result<()> {
        if self.globals.yes {
            return Ok(());
        }
        if !(self.streams.stderr_is_terminal && io::stdin().is_terminal()) {
            return Err(Error::new(
                ErrorKind::Refused,
                format!("{question}: this needs a confirmation and nobody is there to give it"),
            )
            .hint("add --yes"));
        }
        self.meter.clear();
        self.say(&format!("{} [y/N] ", escape(question)));
        let mut answer = String::new();
        io::stdin()
            .read_line(&mut answer)
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

fn to_json(value: &impl Serialize) -> Result<String> {
    let line = serde_json::to_string(value)
        .map_err(|error| Error::new(ErrorKind::Io, "cannot write JSON").caused_by(error))?;
    Ok(escape_json(&line).into_owned())
}

/// An error as `--json` prints it, with its newline.
pub(crate) fn error_json(kind: ErrorKind, message: &str, hint: Option<&str>) -> String {
    let object = serde_json::json!({
        "error": { "kind": kind.name(), "message": message, "hint": hint }
    });
    format!("{}\n", escape_json(&object.to_string()))
}

/// Whether colours are wanted where `is_terminal` says a person looks.
pub(crate) fn wants_colour(when: ColorWhen, is_terminal: bool) -> bool {
    match when {
        ColorWhen::Always => true,
        ColorWhen::Never => false,
        ColorWhen::Auto => {
            let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
            is_terminal && set("NO_COLOR").is_none() && set("TERM").is_none_or(|t| t != "dumb")
        }
    }
}

fn terminal_width() -> usize {
    const ASSUMED: usize = 120;
    let from_environment = std::env::var("COLUMNS")
        .ok()
        .and_then(|text| text.parse().ok());
    from_environment
        .or_else(window_width)
        .filter(|&columns| columns > 0)
        .unwrap_or(ASSUMED)
}

#[cfg(unix)]
fn window_width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    Some(usize::from(size.ws_col))
}

// Windows consoles are asked through a call that needs another dependency; COLUMNS or the assumed width serve there.
#[cfg(not(unix))]
fn window_width() -> Option<usize> {
    None
}

/// The account this process runs under: the actor of what it records.
fn user_name() -> String {
    ["USER", "LOGNAME", "USERNAME"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|name| !name.is_empty()))
        .unwrap_or_else(user_number)
}

#[cfg(unix)]
fn user_number() -> String {
    format!("uid:{}", rustix::process::getuid().as_raw())
}

#[cfg(not(unix))]
fn user_number() -> String {
    "unknown".to_owned()
}

/// A path as it is told to people and programs: bytes that are not UTF-8 stand as U+FFFD.
pub(crate) fn path_text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// `path` in full, so that it means the same from anywhere; as given where the current directory is gone.
pub(crate) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
