//! Runs one converter over sources, as one process for each source or as a long-lived worker.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::environment::{self, Died};
use super::identity::is_bundle_name;
use super::input;
use super::request::Request;
use super::runs_on;
use super::session::{Session, unusable};
use super::worker::{seconds, too_much_output};
use crate::archive::Archive;
use crate::convert::compare::CompareRules;
use crate::convert::converter::{
    Arguments, Bounds, Converter, Expect, Mode, Order, Revealed, Sandbox, program, read_mode,
};
use crate::convert::process::{self, Cancel, End, Invocation, STDOUT_BYTES_MAX};
use crate::convert::protocol::{self, Conversion, WorkerRequest};
use crate::convert::sandbox::{self, Confinement, Enforcement};
use crate::convert::scratch::{Scratch, Slot, make_private};
use crate::event::ConverterRegistered;
use crate::id::ConverterId;
use crate::time::Timestamp;
use crate::{Error, ErrorKind, Result};

/// Maximum bytes of one file of a recorded bundle that is written for a run.
const BUNDLE_FILE_BYTES_MAX: u64 = 1 << 30;

/// Runs one converter. Threads may share it; in worker mode, `workers` conversions run at a time.
pub struct Runner {
    converter: Converter,
    scratch_root: PathBuf,
    workers: AtomicUsize,
    session: Mutex<Arc<Session>>,
    /// Sets the folders of this converter apart from those of others with its name.
    owner: String,
    /// The files of a recorded converter; deleted when the runner is dropped.
    _files: Option<Scratch>,
}

impl Runner {
    /// Reads the converter's files. Temporary folders are created below `scratch_root`.
    ///
    /// # Errors
    /// `Invalid` for a missing bundle file or an empty command.
    pub fn new(converter: Converter, workers: usize, scratch_root: &Path) -> Result<Self> {
        Self::over(converter, workers, scratch_root, None)
    }

    /// Restores the files of a recorded converter and runs those.
    ///
    /// Bounds and arguments are no part of a converter's identity, so they are passed in.
    ///
    /// # Errors
    /// `NotFound` or `Damaged` when a file of the bundle cannot be read from the archive.
    pub fn recorded(
        archive: &Archive,
        registered: &ConverterRegistered,
        bounds: Bounds,
        arguments: Arguments,
        workers: usize,
        scratch_root: &Path,
    ) -> Result<Self> {
        let files = Scratch::new(scratch_root)
            .map_err(|error| Error::io("make a folder below", scratch_root, error))?;
        for file in &registered.bundle {
            if !is_bundle_name(&file.name) {
                return Err(Error::new(
                    ErrorKind::Damaged,
                    format!(
                        "the recorded converter {} has a file with an unusable name: {:?}",
                        registered.converter_id, file.name
                    ),
                ));
            }
            let content = archive.read_all(&file.blob.blake3, BUNDLE_FILE_BYTES_MAX)?;
            let path = files.path().join(&file.name);
            put_back(&path, files.path(), &content)
                .map_err(|error| Error::io("write", &path, error))?;
        }
        sandbox::let_read(&bounds, files.path())
            .map_err(|error| Error::io("hand over", files.path(), error))?;
        let (mode, takes) = read_mode(&registered.mode).map_err(|error| {
            Error::new(
                ErrorKind::Unsupported,
                format!(
                    "the recorded converter {} runs in a mode this version does not know",
                    registered.converter_id
                ),
            )
            .caused_by(error)
        })?;
        let mut converter = Converter {
            name: registered.name.clone(),
            version: registered.version.clone(),
            command: registered.command.clone(),
            dir: files.path().to_owned(),
            bundle: registered
                .bundle
                .iter()
                .map(|file| file.name.clone())
                .collect(),
            mode,
            takes,
            order: Order::Free,
            bounds,
            arguments,
            environment: None,
            compare: CompareRules::default(),
            expect: Expect::default(),
        };
        let ran_on = archive.ran_on(&registered.converter_id, Timestamp::MAX)?;
        if runs_on::is_stated(&registered.environment, ran_on.as_ref(), &converter) {
            converter.environment = Some(registered.environment.clone());
        }
        Self::over(converter, workers, scratch_root, Some(files))
    }

    fn over(
        converter: Converter,
        workers: usize,
        scratch_root: &Path,
        files: Option<Scratch>,
    ) -> Result<Self> {
        if converter.command.first().is_none_or(String::is_empty) {
            return Err(Error::new(
                ErrorKind::Invalid,
                format!("converter '{}' has no command", converter.name),
            ));
        }
        if let Some(why) = converter.bounds.unenforceable() {
            return Err(
                unusable(&converter, &why).hint("`host check` tells what this machine can enforce")
            );
        }
        let owner = match &files {
            // Its own folder has another name each time.
            Some(_) => String::new(),
            None => converter.dir.to_string_lossy().into_owned(),
        };
        let session = Session::begin(&converter, workers, scratch_root, &owner)?;
        Ok(Self {
            converter,
            scratch_root: scratch_root.to_owned(),
            workers: AtomicUsize::new(workers),
            session: Mutex::new(Arc::new(session)),
            owner,
            _files: files,
        })
    }

    /// Returns the runner with what is expected of its results. A recorded converter has the
    /// default.
    #[must_use]
    pub fn with_expect(mut self, expect: Expect) -> Self {
        self.converter.expect = expect;
        self
    }

    /// Returns the converter.
    pub fn converter(&self) -> &Converter {
        &self.converter
    }

    /// Changes the number of conversions that worker mode runs at a time.
    ///
    /// Worker processes that are too many are ended, at once or when their conversion is over.
    pub fn set_workers(&self, workers: usize) {
        self.workers.store(workers, Ordering::Relaxed);
        self.current().pool.set_workers(workers);
    }

    /// Ends the worker processes that had no work for `time`: their standard input is closed, and
    /// those that do not exit within half a second are killed.
    ///
    /// Returns the time until the next one will have had no work for so long; `None` if none is
    /// running without work. A later conversion starts a new process.
    pub fn end_idle_workers(&self, time: Duration) -> Option<Duration> {
        self.current().pool.end_idle(time)
    }

    /// Returns the number of worker processes, with and without work.
    pub fn workers(&self) -> usize {
        self.current().pool.processes()
    }

    fn current(&self) -> Arc<Session> {
        Arc::clone(&self.session.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Converts one source, read from `source` to its end. Returns `None` when cancelled.
    ///
    /// For a converter that takes folders, or files with companions, `source` is a tar file, and
    /// the converter is given its content.
    ///
    /// A converter that fails, in whatever way, is an `Ok` with the reason.
    ///
    /// # Errors
    /// `Converter` when the program cannot be started or a secret is missing; the source is not to
    /// blame. Errors of reading `source` and of writing the private copy.
    pub fn run(
        &self,
        request: Request<'_>,
        source: &mut dyn Read,
        cancel: &Cancel,
    ) -> Result<Option<Conversion>> {
        let session = self.session()?;
        self.run_in(&session, request, source, cancel)
    }

    /// Returns the converter with its current files. Workers of an older session finish their work.
    pub(crate) fn session(&self) -> Result<Arc<Session>> {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        if !session.identity.is_current() {
            *session = Arc::new(Session::begin(
                &self.converter,
                self.workers.load(Ordering::Relaxed),
                &self.scratch_root,
                &self.owner,
            )?);
        }
        Ok(Arc::clone(&session))
    }

    /// Returns the identity of the converter with its current files.
    pub(crate) fn converter_id(&self) -> Result<ConverterId> {
        Ok(self.session()?.identity.id)
    }

    /// Returns the environment note of the converter, as its identity has it.
    #[cfg(feature = "host")]
    pub(crate) fn environment(&self) -> Result<String> {
        Ok(self.session()?.identity.environment.clone())
    }

    pub(crate) fn run_in(
        &self,
        session: &Session,
        request: Request<'_>,
        source: &mut dyn Read,
        cancel: &Cancel,
    ) -> Result<Option<Conversion>> {
        let revealed = request
            .arguments
            .reveal(&self.converter.dir)
            .map_err(|missing| self.unusable(missing.to_string()).caused_by(missing))?;
        // The sandbox of a worker was given the readable folder before the worker started.
        let (root, inner) = match self.converter.mode {
            Mode::OneShot => (self.scratch_root.clone(), &["in", "home"][..]),
            // A worker has its home in the folder of its session.
            Mode::Worker => (session.folder.path().join("in"), &["in"][..]),
        };
        // The path of the source is the same in each run, because converters write it into reports.
        let store = request.store.map(|store| store.to_string());
        let slot = Slot {
            owner: store.as_deref().unwrap_or(&self.owner),
            converter: &self.converter.name,
            entry: request.entry,
        };
        let scratch = match self.converter.mode {
            Mode::OneShot => Scratch::of_slot(&root, slot),
            Mode::Worker => Scratch::of_slot_within(&root, slot),
        };
        let scratch = scratch.map_err(|error| Error::io("make a folder below", &root, error))?;
        inner
            .iter()
            .try_for_each(|name| make_private(&scratch.path().join(name)))
            .map_err(|error| Error::io("make a folder in", scratch.path(), error))?;
        let folder = scratch.path().join("in");
        let placed = input::place(&self.converter.takes, request, source, &folder)?;
        let (input, name) = match placed {
            Ok(placed) => placed,
            // A source that cannot be unpacked never can be. That is a result, not a problem of
            // this machine.
            Err(why) => return Ok(Some(Conversion::failed(why))),
        };
        sandbox::hand_over(&self.converter.bounds, scratch.path(), inner)
            .map_err(|error| Error::io("hand over", scratch.path(), error))?;
        let request = Request {
            name: &name,
            ..request
        };

        let converted = match self.converter.mode {
            Mode::OneShot => self.run_once(session, &scratch, &input, request, &revealed, cancel),
            Mode::Worker => self.ask_worker(session, &input, request, &revealed, cancel),
        };
        let converted = converted.map_err(|error| {
            let program = self.converter.command.first().map_or("", String::as_str);
            let what = match error.kind() {
                io::ErrorKind::NotFound => {
                    format!("cannot start '{program}': there is no such program")
                }
                io::ErrorKind::PermissionDenied => {
                    format!("cannot start '{program}': it may not be executed")
                }
                io::ErrorKind::Other => {
                    let said = revealed.secrets.mask(&error.to_string());
                    format!("'{program}' cannot run: {said}")
                }
                _ => format!("cannot start '{program}': {error}"),
            };
            self.unusable(what)
                .hint("check `command` of the converter; the source is safe where it is")
                .caused_by(error)
        })?;
        Ok(converted.map(|conversion| {
            let mut masked = conversion.map_text(|text| revealed.secrets.mask(text));
            masked.warnings.extend(self.sandbox_warning());
            if !session.identity.is_current() {
                masked.warnings.push(
                    "the converter's files changed during the run: its identity is not certain"
                        .to_owned(),
                );
            }
            masked
        }))
    }

    /// Runs a one-shot converter. An error means that the converter cannot run.
    fn run_once(
        &self,
        session: &Session,
        scratch: &Scratch,
        input: &Path,
        request: Request<'_>,
        revealed: &Revealed,
        cancel: &Cancel,
    ) -> io::Result<Option<Conversion>> {
        let arguments = serde_json::to_string(&revealed.values)?;
        let mut variables: Vec<(&'static str, OsString)> = vec![
            ("ANNALS_ARGUMENTS", arguments.into()),
            // A name with a NUL in it cannot be passed in a variable.
            ("ANNALS_NAME", request.name.replace('\0', "\u{fffd}").into()),
        ];
        if let Some(entry) = request.entry {
            variables.push(("ANNALS_ENTRY", entry.to_string().into()));
        }
        let home = scratch.path().join("home");
        let invocation = Invocation {
            program: self.program(),
            arguments: process::fill_in(&self.converter.command[1..], input.as_os_str()),
            dir: &self.converter.dir,
            home: &home,
            variables,
            bounds: &self.converter.bounds,
            confinement: Confinement::of(&self.converter, &scratch.path().join("in"), &home)?,
        };
        let finished = process::run(&invocation, STDOUT_BYTES_MAX, cancel)?;
        let failed =
            |reason: &str| Conversion::failed(process::with_stderr(reason, &finished.stderr));
        let conversion = match finished.end {
            End::Cancelled => return Ok(None),
            End::TimedOut => failed(&format!(
                "timed out after {}",
                seconds(self.converter.bounds.timeout)
            )),
            End::TooMuchOutput => failed(&too_much_output()),
            End::Exited(status) => match process::exit_reason(status) {
                None => {
                    session.has_begun.store(true, Ordering::Relaxed);
                    protocol::understand(&finished.stdout)
                }
                Some(reason) => match protocol::understand_failure(&finished.stdout) {
                    Some(answer) => {
                        session.has_begun.store(true, Ordering::Relaxed);
                        answer
                    }
                    None => {
                        let failed = failed(&reason);
                        match environment::judge(status, &finished.stderr) {
                            Died::Running => session.has_begun.store(true, Ordering::Relaxed),
                            // After the first run, a missing file or module is a problem of the
                            // source.
                            Died::Starting if session.has_begun.load(Ordering::Relaxed) => {}
                            Died::Starting => {
                                return Err(io::Error::other(failed.error.unwrap_or_default()));
                            }
                        }
                        failed
                    }
                },
            },
        };
        Ok(Some(Conversion {
            duration: finished.took,
            ..conversion
        }))
    }

    fn ask_worker(
        &self,
        session: &Session,
        input: &Path,
        request: Request<'_>,
        revealed: &Revealed,
        cancel: &Cancel,
    ) -> io::Result<Option<Conversion>> {
        let input = input
            .to_str()
            .ok_or_else(|| io::Error::other("the temporary folder's name is not UTF-8"))?;
        // A worker gets its input by request, so `{input}` has no meaning for it.
        let words: Vec<OsString> = self.converter.command[1..]
            .iter()
            .filter(|word| *word != "{input}")
            .map(OsString::from)
            .collect();
        let home = session.folder.path().join("home");
        let inputs = session.folder.path().join("in");
        let invocation = Invocation {
            program: self.program(),
            arguments: words,
            dir: &self.converter.dir,
            home: &home,
            variables: Vec::new(),
            bounds: &self.converter.bounds,
            confinement: Confinement::of(&self.converter, &inputs, &home)?,
        };
        let line = WorkerRequest {
            id: 0,
            input,
            name: request.name,
            arguments: &revealed.values,
            entry: request.entry,
        };
        session.pool.convert(&invocation, line, cancel)
    }

    /// Returns the warning to record when the sandbox is not fully enforced.
    fn sandbox_warning(&self) -> Option<String> {
        let sandbox = &self.converter.bounds.sandbox;
        match sandbox.enforcement() {
            Enforcement::Enforced(_) => None,
            _ if *sandbox == Sandbox::Off => None,
            lacking => Some(format!("the sandbox is {lacking}")),
        }
    }

    fn program(&self) -> PathBuf {
        let word = self.converter.command.first().map_or("", String::as_str);
        program(word, &self.converter.dir, &self.converter.bundle)
    }

    fn unusable(&self, reason: String) -> Error {
        unusable(&self.converter, &reason)
    }

    /// Returns what is enforced on the converter's processes, as recorded with each attempt.
    pub(crate) fn enforced(&self) -> Vec<String> {
        self.converter.bounds.enforced()
    }
}

/// Writes one file of a recorded bundle.
///
/// The file is executable for its owner, because modes are not recorded and the command may need
/// it.
fn put_back(path: &Path, root: &Path, content: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| *folder != root) {
        fs::create_dir_all(folder)?;
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o700);
    }
    options.open(path)?.write_all(content)
}

#[cfg(all(test, unix))]
mod tests;
