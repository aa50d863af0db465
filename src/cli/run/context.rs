//! What every verb works with: flags, streams and the store.

mod telling;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use serde::Serialize;

use super::entry_point::Program;
use super::exit::{Exit, Failure};
use super::interrupt::Interrupt;
use super::terminal::{terminal_width, wants_colour};
use crate::Result;
use crate::archive::{Access, Archive, CopiedFrom, Options};
use crate::cli::arguments::Globals;
use crate::cli::caller::{CallerEnv, Stdin, Streams};
use crate::cli::render::{Canvas, Meter, to_json};
use crate::cli::store::damage::DamageNotes;
use crate::cli::store::keys::{self, KeyPlace};
use crate::cli::store::trust::{self, Trust};
use crate::cli::store::{self, LentStore};
use crate::convert::Cancel;
use crate::event::{Actor, ActorKind};
use crate::host::Config;
use crate::id::StoreId;
use crate::service::desk::Desk;
use crate::service::time::Zone;
use crate::service::time::parse_when;
use crate::time::{Clock, SystemClock, Timestamp};

/// How long a verb waits for another process to close the store.
pub(crate) const LOCK_WAIT: Duration = Duration::from_secs(5);

/// Writes a text to stderr.
type Say = Box<dyn Fn(&str)>;

/// One run of the program.
pub(crate) struct Context<'a> {
    pub(crate) globals: Globals,
    streams: Streams<'a>,
    caller_env: CallerEnv,
    program: Program,
    pub(crate) meter: Meter,
    now: Timestamp,
    /// The open store of the owner, when the owner runs this verb for a client.
    lent: Option<LentStore>,
    cancel: Cancel,
    damage: DamageNotes,
    /// Where text for stderr goes instead, when a host's console writes it.
    stderr_to: Option<Say>,
    /// Set by [`Context::cancel_by_signal`] in a process that runs only this verb.
    interrupt: OnceLock<Option<Interrupt>>,
    /// How long to wait for another process to close the store.
    pub(crate) lock_wait: Duration,
    /// Where the store was copied from, when it turned out to be a copy.
    copied_from: OnceLock<CopiedFrom>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(
        globals: Globals,
        streams: Streams<'a>,
        caller_env: CallerEnv,
        program: Program,
    ) -> Self {
        let meter = if streams.stderr_is_terminal && !globals.quiet {
            Meter::visible(terminal_width(&caller_env))
        } else {
            Meter::default()
        };
        Self {
            globals,
            streams,
            caller_env,
            program,
            meter,
            now: SystemClock.now(),
            lent: None,
            cancel: Cancel::default(),
            damage: DamageNotes::default(),
            stderr_to: None,
            interrupt: OnceLock::new(),
            lock_wait: LOCK_WAIT,
            copied_from: OnceLock::new(),
        }
    }

    /// Returns the context of a run for a client of the owner. `cancel` ends it when the client is
    /// gone.
    pub(crate) fn for_client(
        globals: Globals,
        streams: Streams<'a>,
        caller_env: CallerEnv,
        program: Program,
        lent: LentStore,
        cancel: Cancel,
    ) -> Self {
        Self {
            meter: Meter::default(),
            lent: Some(lent),
            cancel,
            ..Self::new(globals, streams, caller_env, program)
        }
    }

    pub(crate) fn json(&self) -> bool {
        self.globals.json
    }

    /// Returns the time at which this run began. `yesterday` and `90d` count from it.
    pub(crate) fn now(&self) -> Timestamp {
        self.zone().exact(self.now)
    }

    pub(crate) fn zone(&self) -> Zone {
        if self.globals.utc {
            Zone::Utc
        } else {
            self.caller_env.zone().clone()
        }
    }

    pub(crate) fn when(&self, text: &str) -> Result<Timestamp> {
        parse_when(text, self.now(), &self.zone())
    }

    pub(crate) fn stdout_is_terminal(&self) -> bool {
        self.streams.stdout_is_terminal
    }

    /// Returns how tables on stdout may look.
    pub(crate) fn canvas(&self) -> Canvas {
        Canvas {
            colour: self.wants_colour(self.streams.stdout_is_terminal),
            width: self
                .streams
                .stdout_is_terminal
                .then(|| terminal_width(&self.caller_env)),
        }
    }

    fn stderr_colour(&self) -> bool {
        self.wants_colour(self.streams.stderr_is_terminal)
    }

    fn wants_colour(&self, is_terminal: bool) -> bool {
        wants_colour(self.globals.color, is_terminal, &self.caller_env)
    }

    /// Returns the stdin of this run.
    pub(crate) fn stdin(&self) -> Stdin {
        self.streams.stdin.clone()
    }

    /// Returns the environment of the caller.
    pub(crate) fn caller_env(&self) -> &CallerEnv {
        &self.caller_env
    }

    /// Returns `given` as an absolute path, resolved against the caller's folder.
    pub(crate) fn path(&self, given: &Path) -> PathBuf {
        self.caller_env.path(given)
    }

    /// Returns the token that is cancelled when the client of this run disconnects.
    pub(crate) fn cancel(&self) -> Cancel {
        self.cancel.clone()
    }

    /// Returns the token of [`Self::cancel`], and lets signals cancel it instead of ending the
    /// process.
    ///
    /// For verbs that start converters, because a converter could outlive the process, and for
    /// verbs that sum up what is done. Other verbs may be ended at once without harm.
    pub(crate) fn cancel_by_signal(&self) -> Cancel {
        if self.lent.is_none() {
            // Where signals cannot be watched, they end the process, which is safe as well.
            self.interrupt
                .get_or_init(|| Interrupt::watch(self.cancel.clone()).ok());
        }
        self.cancel.clone()
    }

    /// Returns the exit code of the signal that asked this run to end, if one did.
    pub(crate) fn interrupted(&self) -> Option<u8> {
        self.interrupt.get()?.as_ref()?.code()
    }

    /// Fails when the client of this run has disconnected, so that long work ends.
    pub(crate) fn check_cancelled(&self) -> Result<(), Failure> {
        if self.cancel.is_cancelled() {
            return Err(Failure::ReaderGone);
        }
        Ok(())
    }

    /// Returns the streams, for a nested run.
    pub(crate) fn streams(&mut self) -> Streams<'_> {
        Streams {
            stdout: &mut *self.streams.stdout,
            stderr: &mut *self.streams.stderr,
            stdin: self.streams.stdin.clone(),
            stdout_is_terminal: self.streams.stdout_is_terminal,
            stderr_is_terminal: self.streams.stderr_is_terminal,
        }
    }

    /// Returns the program, for verbs that run command lines.
    pub(crate) fn program(&self) -> Program {
        self.program
    }

    // ---- the store

    /// Loads the configuration named by flag or environment.
    pub(crate) fn configuration(&self) -> Result<Config> {
        store::configuration(&self.globals, &self.caller_env)
    }

    /// Returns the configuration file named by flag or environment, if there is one.
    #[cfg(feature = "serve")]
    pub(crate) fn config_file(&self) -> Option<PathBuf> {
        let file = store::config_file(&self.globals, &self.caller_env)?;
        Some(self.path(&file))
    }

    /// Returns the folder of the store that this run is about.
    pub(crate) fn locate(&self) -> Result<PathBuf> {
        let (dir, _) = store::locate(&self.globals, &self.caller_env)?;
        Ok(dir)
    }

    /// Returns the folder of the store, after a check that it may be opened for `access`.
    pub(crate) fn locate_trusted(&self, access: Access) -> Result<PathBuf> {
        let (dir, found) = store::locate(&self.globals, &self.caller_env)?;
        trust::check(&dir, found, access, self.trust())?;
        Ok(dir)
    }

    /// Returns whether stores of other accounts are trusted.
    pub(crate) fn trust(&self) -> Trust {
        if self.globals.trust {
            Trust::All
        } else {
            Trust::OwnStores
        }
    }

    /// Opens the store, or returns the one that the owner lends.
    ///
    /// Known damage of the store is printed when the run ends, and decides the exit code.
    pub(crate) fn open(&self, access: Access) -> Result<Archive> {
        let archive = self.lent_or_opened(access)?;
        self.note_damage(&archive)?;
        Ok(archive)
    }

    /// Opens the store for a verb that only records and prints a receipt.
    ///
    /// Damage of older content is then a warning only. An exit code other than 0 would make a
    /// script archive the file again.
    pub(crate) fn open_to_record(&self) -> Result<Archive> {
        let archive = self.open(Access::ReadWrite)?;
        self.damage.warn_only();
        Ok(archive)
    }

    /// Opens the store for a verb that replaces a key that is gone or is not the right one.
    pub(crate) fn open_unsigned(&self, access: Access) -> Result<Archive> {
        match &self.lent {
            Some(lent) => Ok(lent.archive.lend(self.actor())),
            None => Archive::open(self.locate_trusted(access)?, self.options(access)),
        }
    }

    /// Opens the store for a verb that reports the damage itself.
    pub(crate) fn open_to_check(&self) -> Result<Archive> {
        self.lent_or_opened(Access::ReadOnly)
    }

    /// Opens the store for writing, for a verb that reports the damage itself.
    pub(crate) fn open_to_check_and_record(&self) -> Result<Archive> {
        self.lent_or_opened(Access::ReadWrite)
    }

    fn lent_or_opened(&self, access: Access) -> Result<Archive> {
        match &self.lent {
            Some(lent) => Ok(lent.archive.lend(self.actor())),
            None => {
                let archive = self.open_signed(&self.locate_trusted(access)?, access, None)?;
                if let Some(from) = archive.copied_from() {
                    // Only the first value is kept, because a run may open the store more than
                    // once.
                    let _ = self.copied_from.set(from.clone());
                }
                Ok(archive)
            }
        }
    }

    /// Opens the store in `dir` with the key that signs it, if there is one. Checkpoints are
    /// appended to the file `publish`, if one is named.
    pub(crate) fn open_signed(
        &self,
        dir: &Path,
        access: Access,
        publish: Option<PathBuf>,
    ) -> Result<Archive> {
        let options = self.options_of(dir, access)?.publish_checkpoints(publish);
        match Archive::id_of(dir) {
            Ok(id) => keys::open(dir, options, &self.key_place(&id)?),
            // The opening says why there is no store.
            Err(_) => Archive::open(dir, options),
        }
    }

    /// Returns the options for the store in `dir`: with its key, and with what is known about its
    /// log outside of it.
    pub(crate) fn options_of(&self, dir: &Path, access: Access) -> Result<Options> {
        let mut options = self.options(access);
        if let Ok(id) = Archive::id_of(dir) {
            keys::add_to(&mut options, &self.key_place(&id)?, &self.caller_env)?;
        }
        Ok(options)
    }

    /// Returns where the key of a store lies: named by flag or configuration, or the usual place.
    pub(crate) fn key_place(&self, id: &StoreId) -> Result<KeyPlace> {
        let named = match &self.globals.key_file {
            Some(file) => Some(self.path(file)),
            None => store::key_file_named(&self.globals, &self.caller_env)?,
        };
        Ok(KeyPlace::of(id, named, &self.caller_env))
    }

    /// Warns once when the opened store is a copy of another one.
    pub(crate) fn tell_copied(&mut self) {
        if let Some(from) = self.copied_from.take() {
            self.warn(from.to_string());
            self.note(CopiedFrom::HINT);
        }
    }

    /// Returns the store that the owner lends, if this runs in the owner.
    pub(crate) fn owner(&self) -> Option<&LentStore> {
        self.lent.as_ref()
    }

    /// Returns what all doors work on, for the open store of this run.
    pub(crate) fn desk(&self, archive: &Archive) -> Desk {
        let host = self
            .lent
            .as_ref()
            .and_then(|lent| lent.state.owner.host().cloned());
        Desk::new(archive.clone(), self.zone(), self.now)
            .with_host(host)
            .with_config_file(store::config_file(&self.globals, &self.caller_env))
    }

    fn actor(&self) -> Actor {
        Actor {
            kind: ActorKind::User,
            id: self.caller_env.account(),
        }
    }

    pub(crate) fn options(&self, access: Access) -> Options {
        let default = Options::default();
        Options {
            actor: self.actor(),
            access,
            lock_wait: self.lock_wait,
            journal_bytes: self.globals.journal_size.unwrap_or(default.journal_bytes),
            progress: self.meter.as_progress(),
            ..default
        }
    }

    // ---- damage

    /// Records the known damage of a store that this run reads from.
    pub(crate) fn note_damage(&self, archive: &Archive) -> Result<()> {
        self.damage.note(archive.known_damage()?);
        Ok(())
    }

    /// Returns the exit code of a run that ended with `exit`, changed when damage is known.
    pub(crate) fn exit_for_damage(&self, exit: Exit) -> Exit {
        match exit {
            // A wrong command line or a signal does not depend on the store.
            Exit::Usage | Exit::Interrupted | Exit::Terminated => exit,
            // The printed receipts stay valid.
            Exit::Done | Exit::Partial if self.damage.is_warning() => exit,
            _ if self.damage.is_known() => Exit::Damaged,
            _ => exit,
        }
    }

    // ---- stdout: data

    /// Prints text unchanged, without adding a line end. Text from outside must be escaped before.
    pub(crate) fn print(&mut self, text: impl AsRef<[u8]>) -> Result<(), Failure> {
        let stdout = &mut self.streams.stdout;
        self.meter
            .aside(|| stdout.write_all(text.as_ref()))
            .map_err(Failure::stdout)
    }

    /// Prints an object as one line of JSON.
    pub(crate) fn print_json(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        let line = to_json(value)?;
        self.print(format!("{line}\n"))
    }

    /// Flushes stdout.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.streams.stdout.flush().map_err(Failure::stdout)
    }
}
