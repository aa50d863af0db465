//! The streams of one run: where it writes, and what is handed in.

use std::io::{self, IsTerminal, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// Where a run of the program writes, and whether a person is there to read it.
pub struct Streams<'a> {
    /// Data.
    pub stdout: &'a mut dyn Write,
    /// Progress, notes and errors.
    pub stderr: &'a mut dyn Write,
    /// What is handed in.
    pub stdin: Stdin,
    /// True when `stdout` is shown to a person.
    pub stdout_is_terminal: bool,
    /// True when `stderr` is shown to a person.
    pub stderr_is_terminal: bool,
}

/// Where what is handed in is read from. Cheap to clone; each clone reads on where another stopped.
#[derive(Clone)]
pub struct Stdin {
    source: Arc<Mutex<dyn Read + Send>>,
    is_terminal: bool,
}

impl Stdin {
    /// Reads from `source`, where `is_terminal` says whether a person types.
    pub fn new(source: impl Read + Send + 'static, is_terminal: bool) -> Self {
        Self {
            source: Arc::new(Mutex::new(source)),
            is_terminal,
        }
    }

    /// That of this process.
    pub fn of_process() -> Self {
        Self::new(io::stdin(), io::stdin().is_terminal())
    }

    /// True when a person types it.
    pub(crate) fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// What was typed up to the end of the line; of an answer only its beginning is of interest.
    pub(in crate::cli) fn line(&mut self) -> io::Result<String> {
        const BYTES_MAX: usize = 1 << 10;
        let mut line = Vec::new();
        let mut byte = [0];
        while line.len() < BYTES_MAX && self.read(&mut byte)? == 1 && byte != *b"\n" {
            line.extend(byte);
        }
        Ok(String::from_utf8_lossy(&line).into_owned())
    }
}

impl Read for Stdin {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
        source.read(out)
    }
}
