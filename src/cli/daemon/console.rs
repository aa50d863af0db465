//! The stdout and stderr of a running host. A reader that stops reading must not stop the host.
//!
//! Each stream has a writer thread behind a bounded queue, so printing never blocks. When a disk is
//! full or nobody reads, lines are lost and counted. Their number is printed before the next line
//! that gets through.

use std::fs::File;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use crate::host::LogFormat;
use crate::time::Stopwatch;

/// Most lines that wait to be written to one stream.
const LINES_MAX: usize = 1024;
/// A write that takes longer than this counts as unread: nobody reads the stream.
const UNREAD_AFTER: Duration = Duration::from_secs(5);
/// The pause before another write to a stream that accepts nothing at the moment.
const BUSY: Duration = Duration::from_millis(50);

/// The two streams that a running host prints to.
#[derive(Clone)]
pub(crate) struct Console {
    pub(crate) out: Outlet,
    pub(crate) err: Outlet,
}

/// One of the two streams.
#[derive(Clone)]
pub(crate) struct Outlet {
    lines: Sender<Said>,
    state: Arc<State>,
}

enum Said {
    Line(Vec<u8>),
    /// Sends a message back once all earlier lines were written.
    Finish(Sender<()>),
}

struct State {
    name: &'static str,
    form: LogFormat,
    /// Lines that were lost, and whose loss was not printed yet.
    lost: AtomicU64,
    /// Why the last line could not be written.
    failing: Mutex<Option<String>>,
    /// Started when the current write began; `None` between writes.
    writing: Mutex<Option<Stopwatch>>,
}

impl Console {
    /// Returns the streams of this process, and the form of the lines on each.
    ///
    /// When a stream cannot be opened, its lines are lost and counted.
    pub(crate) fn of_process(out: LogFormat, err: LogFormat) -> Self {
        Self {
            out: Outlet::new("standard output", out, file_of(&io::stdout())),
            err: Outlet::new("standard error", err, file_of(&io::stderr())),
        }
    }

    /// Returns what is wrong with the streams, in words.
    pub(crate) fn troubles(&self) -> Vec<String> {
        let troubles = [self.out.trouble(), self.err.trouble()];
        troubles.into_iter().flatten().collect()
    }

    /// Waits until all earlier lines were written, for at most `within`.
    pub(crate) fn finish(&self, within: Duration) {
        let waited = Stopwatch::start();
        let ends = [&self.out, &self.err].map(Outlet::ask_for_end);
        for end in ends.into_iter().flatten() {
            // A reader that is not done by then is not waited for.
            let _ = end.recv_timeout(waited.left_of(within));
        }
    }
}

/// Returns a handle to the stream's file. The lock of the standard library may be held by a blocked
/// thread.
#[cfg(unix)]
fn file_of(stream: &impl std::os::fd::AsFd) -> io::Result<File> {
    stream.as_fd().try_clone_to_owned().map(File::from)
}

#[cfg(windows)]
fn file_of(stream: &impl std::os::windows::io::AsHandle) -> io::Result<File> {
    stream.as_handle().try_clone_to_owned().map(File::from)
}

impl Outlet {
    fn new(
        name: &'static str,
        form: LogFormat,
        to: io::Result<impl Write + Send + 'static>,
    ) -> Self {
        let (lines, said) = bounded(LINES_MAX);
        let state = Arc::new(State {
            name,
            form,
            lost: AtomicU64::new(0),
            failing: Mutex::default(),
            writing: Mutex::default(),
        });
        let writer = Arc::clone(&state);
        let started = to.and_then(|to| {
            let thread = std::thread::Builder::new().name("annals-console".to_owned());
            thread.spawn(move || writer.write_all(to, &said))
        });
        if let Err(error) = started {
            state.fails(Some(error.to_string()));
        }
        Self { lines, state }
    }

    /// Queues one or more whole lines; never waits.
    pub(crate) fn say(&self, text: impl Into<Vec<u8>>) {
        if self.lines.try_send(Said::Line(text.into())).is_err() {
            self.state.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn trouble(&self) -> Option<String> {
        let name = self.state.name;
        let failing = self
            .state
            .failing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let writing = self
            .state
            .writing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let unread = writing.filter(|since| since.elapsed() > UNREAD_AFTER);
        let why = match (&*failing, unread) {
            (Some(why), _) => why.clone(),
            (None, Some(since)) => {
                format!("nobody has read it for {} s", since.elapsed().as_secs())
            }
            (None, None) => return None,
        };
        let lost = self.state.lost.load(Ordering::Relaxed);
        Some(format!(
            "{name} cannot be written to: {why}; {lost} lines are lost"
        ))
    }

    fn ask_for_end(&self) -> Option<Receiver<()>> {
        let (done, end) = bounded(1);
        match self.lines.try_send(Said::Finish(done)) {
            Ok(()) => Some(end),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => None,
        }
    }
}

impl State {
    fn fails(&self, why: Option<String>) {
        *self.failing.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }

    fn is_writing(&self, since: Option<Stopwatch>) {
        *self.writing.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }

    fn remark(&self, lost: u64) -> String {
        match self.form {
            LogFormat::Text => format!("annals: {lost} lines before this one were lost\n"),
            LogFormat::Json => format!("{{\"lost_lines\":{lost}}}\n"),
        }
    }

    fn write_all(&self, mut to: impl Write, said: &Receiver<Said>) {
        for said in said {
            let line = match said {
                Said::Line(line) => line,
                Said::Finish(done) => {
                    let _ = done.try_send(());
                    continue;
                }
            };
            let lost = self.lost.swap(0, Ordering::Relaxed);
            self.is_writing(Some(Stopwatch::start()));
            let mut written = Ok(());
            if lost > 0 {
                written = write(&mut to, self.remark(lost).as_bytes());
            }
            let written = written.and_then(|()| write(&mut to, &line));
            self.is_writing(None);
            match written {
                Ok(()) => self.fails(None),
                Err(error) => {
                    self.lost.fetch_add(lost + 1, Ordering::Relaxed);
                    self.fails(Some(error.to_string()));
                }
            }
        }
    }
}

/// Writes all bytes, also to a nonblocking pipe.
fn write(to: &mut impl Write, mut text: &[u8]) -> io::Result<()> {
    while !text.is_empty() {
        match to.write(text) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => text = &text[written..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::sleep(BUSY),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Accepts a line only when the test allows it, and fails when the test says so.
    struct Gate {
        open: Receiver<io::Result<()>>,
        written: Sender<Vec<u8>>,
    }

    impl Write for Gate {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            self.open.recv().map_err(io::Error::other)??;
            let _ = self.written.send(text.to_vec());
            Ok(text.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn outlet() -> (Outlet, Sender<io::Result<()>>, Receiver<Vec<u8>>) {
        let (let_through, open) = crossbeam_channel::unbounded();
        let (written, read) = crossbeam_channel::unbounded();
        let outlet = Outlet::new(
            "standard output",
            LogFormat::Text,
            Ok(Gate { open, written }),
        );
        (outlet, let_through, read)
    }

    /// A log collector that stops reading must not stop the host when the pipe and the queue are
    /// full.
    #[test]
    fn a_reader_that_does_not_read_costs_lines_and_never_time() {
        let (outlet, let_through, read) = outlet();
        outlet.say("0\n");
        let is_writing = || outlet.state.writing.lock().expect("no panic").is_some();
        while !is_writing() {
            std::thread::sleep(Duration::from_millis(1));
        }
        let began = Stopwatch::start();
        for number in 1..LINES_MAX + 100 {
            outlet.say(format!("{number}\n"));
        }
        assert!(began.elapsed() < UNREAD_AFTER, "{:?}", began.elapsed());
        let lost = outlet.state.lost.load(Ordering::Relaxed);
        assert!(lost >= 99, "{lost}");
        for _ in 0..3 * LINES_MAX {
            let _ = let_through.send(Ok(()));
        }
        assert_eq!(read.recv().expect("the first"), b"0\n");
        let second = String::from_utf8(read.recv().expect("the second")).expect("text");
        assert!(
            second.contains("lines before this one were lost"),
            "{second}"
        );
        let end = loop {
            match outlet.ask_for_end() {
                Some(end) => break end,
                None => std::thread::sleep(Duration::from_millis(1)),
            }
        };
        end.recv_timeout(Duration::from_secs(30))
            .expect("all is written");
        assert_eq!(outlet.trouble(), None);
    }

    #[test]
    fn a_full_disk_is_told_until_a_line_gets_through_again() {
        let (outlet, let_through, read) = outlet();
        let full = || Err(io::ErrorKind::StorageFull.into());
        let wait = Duration::from_secs(30);
        for answer in [full(), full()] {
            let _ = let_through.send(answer);
            outlet.say("lost\n");
            let end = outlet.ask_for_end().expect("room");
            end.recv_timeout(wait).expect("tried");
        }
        let trouble = outlet.trouble().expect("told");
        assert!(
            trouble.starts_with("standard output cannot be written to: "),
            "{trouble}"
        );
        assert!(trouble.ends_with("2 lines are lost"), "{trouble}");
        for _ in 0..2 {
            let _ = let_through.send(Ok(()));
        }
        outlet.say("there\n");
        let remark = read.recv_timeout(wait).expect("written");
        assert_eq!(remark, b"annals: 2 lines before this one were lost\n");
        assert_eq!(read.recv_timeout(wait).expect("written"), b"there\n");
        let end = outlet.ask_for_end().expect("room");
        end.recv_timeout(wait).expect("written");
        assert_eq!(outlet.trouble(), None);
    }
}
