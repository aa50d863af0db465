//! Captures the output of a process on a separate thread.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crossbeam_channel::Sender;

use super::child::Process;

/// Bytes that are kept of the end of standard error.
pub(super) const STDERR_BYTES_KEPT: usize = 64 << 10;

/// Which part of a stream is kept.
#[derive(Debug, Clone, Copy)]
pub(in crate::convert) enum Keep {
    /// Keeps everything up to this many bytes. A longer stream is cut off and marked.
    All(usize),
    /// Keeps the last bytes, up to this many.
    Tail(usize),
}

/// What has been read of a stream so far.
#[derive(Debug, Default)]
struct Captured {
    bytes: Vec<u8>,
    closed: bool,
    too_much: bool,
    abandoned: bool,
}

/// A stream that a separate thread reads.
#[derive(Debug, Clone)]
pub(in crate::convert) struct Capture(Arc<Mutex<Captured>>);

impl Capture {
    /// Reads `stream` to its end on a new thread. Sends to `wake` when a waiting thread has to
    /// check again.
    pub(in crate::convert) fn start(
        mut stream: impl Read + Send + 'static,
        keep: Keep,
        wake: Sender<()>,
    ) -> io::Result<Self> {
        let capture = Self(Arc::default());
        let shared = capture.clone();
        std::thread::Builder::new()
            .name("annals-converter-output".to_owned())
            .spawn(move || {
                let mut buffer = vec![0; 64 << 10];
                loop {
                    let read = match stream.read(&mut buffer) {
                        Ok(read) => read,
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                        Err(_) => 0,
                    };
                    let mut captured = shared.lock();
                    if captured.abandoned {
                        return;
                    }
                    captured.take(&buffer[..read], keep);
                    if captured.closed || captured.too_much {
                        // A full channel means that the waiting thread is about to check anyway.
                        let _ = wake.try_send(());
                        return;
                    }
                }
            })?;
        Ok(capture)
    }

    fn lock(&self) -> MutexGuard<'_, Captured> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(in crate::convert) fn is_closed(&self) -> bool {
        let captured = self.lock();
        captured.closed || captured.too_much
    }

    pub(super) fn has_too_much(&self) -> bool {
        self.lock().too_much
    }

    /// Returns what was read so far, and tells the reading thread to end.
    pub(super) fn finish(&self) -> Vec<u8> {
        let mut captured = self.lock();
        captured.abandoned = true;
        std::mem::take(&mut captured.bytes)
    }

    /// Discards what was read so far.
    pub(in crate::convert) fn clear(&self) {
        self.lock().bytes.clear();
    }

    /// Returns the end of what was read, as text.
    pub(in crate::convert) fn tail_text(&self) -> String {
        String::from_utf8_lossy(&self.lock().bytes).into_owned()
    }
}

impl Captured {
    fn take(&mut self, read: &[u8], keep: Keep) {
        if read.is_empty() {
            self.closed = true;
        }
        match keep {
            Keep::All(limit) if self.bytes.len() + read.len() > limit => self.too_much = true,
            Keep::All(_) => self.bytes.extend_from_slice(read),
            Keep::Tail(limit) => {
                self.bytes.extend_from_slice(read);
                if self.bytes.len() > 2 * limit {
                    self.bytes.drain(..self.bytes.len() - limit);
                }
            }
        }
    }
}

/// Captures the end of standard error of a process that was started with a pipe for it.
pub(in crate::convert) fn capture_stderr(
    process: &mut Process,
    wake: Sender<()>,
) -> io::Result<Capture> {
    let stream = process.child().stderr.take();
    let stream = stream.ok_or_else(|| io::Error::other("standard error is not piped"))?;
    Capture::start(stream, Keep::Tail(STDERR_BYTES_KEPT), wake)
}
