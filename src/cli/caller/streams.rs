//! The streams of one run: stdout, stderr and stdin.

use std::io::{self, IsTerminal, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// The streams of a run, and whether each belongs to a terminal.
pub struct Streams<'a> {
    /// Receives data.
    pub stdout: &'a mut dyn Write,
    /// Receives progress, notes and errors.
    pub stderr: &'a mut dyn Write,
    /// Provides input.
    pub stdin: Stdin,
    /// True when `stdout` is a terminal.
    pub stdout_is_terminal: bool,
    /// True when `stderr` is a terminal.
    pub stderr_is_terminal: bool,
}

/// The stdin of a run. It is cheap to clone; all clones share one position.
#[derive(Clone)]
pub struct Stdin {
    source: Arc<Mutex<dyn Read + Send>>,
    is_terminal: bool,
}

impl Stdin {
    /// Returns a stdin that reads from `source`; `is_terminal` says whether that is a terminal.
    pub fn new(source: impl Read + Send + 'static, is_terminal: bool) -> Self {
        Self {
            source: Arc::new(Mutex::new(source)),
            is_terminal,
        }
    }

    /// Returns the stdin of this process.
    pub fn of_process() -> Self {
        Self::new(io::stdin(), io::stdin().is_terminal())
    }

    /// Returns true when stdin is a terminal.
    pub(crate) fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// Reads one line, but at most a kilobyte: answers to questions are short.
    pub(in crate::cli) fn line(&mut self) -> io::Result<String> {
        Ok(self.line_or_end()?.unwrap_or_default())
    }

    /// Reads one line as [`Self::line`] does; `None` when the input has ended.
    pub(in crate::cli) fn line_or_end(&mut self) -> io::Result<Option<String>> {
        const BYTES_MAX: usize = 1 << 10;
        let mut line = Vec::new();
        let mut byte = [0];
        while line.len() < BYTES_MAX {
            if self.read(&mut byte)? == 0 {
                if line.is_empty() {
                    return Ok(None);
                }
                break;
            }
            if byte == *b"\n" {
                break;
            }
            line.extend(byte);
        }
        Ok(Some(String::from_utf8_lossy(&line).into_owned()))
    }
}

impl Read for Stdin {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
        source.read(out)
    }
}
