//! The client of an owner: finds the owner, has it run the verb, and prints the output it sends.

use std::ffi::OsString;
use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, unbounded};

use super::protocol::{
    ClientMessage, Greeting, OwnerMessage, PIECE_BYTES, PROTOCOL, Refusal, RefusalReason, Request,
};
use super::socket;
use super::terminal::TerminalFilter;
use crate::archive::Archive;
use crate::cli::caller::{Stdin, zone_name};
use crate::cli::run::{Context, Failure};
use crate::time::Stopwatch;
use crate::{Error, ErrorKind, Result};

/// How long an owner may take to greet. The time of the verb is not limited.
const ANSWER_WAIT: Duration = Duration::from_secs(10);

/// A connection to an owner, before the first message.
pub(crate) struct Owner {
    dir: PathBuf,
    stream: UnixStream,
}

impl Owner {
    /// Returns true when the owner greets in time.
    ///
    /// When a host is killed while it starts a converter, the new process holds the host's socket
    /// for a moment, and does not greet.
    pub(crate) fn answers(&self, within: Duration) -> bool {
        self.stream.set_read_timeout(Some(within)).is_ok() && Greeting::read(&self.stream).is_ok()
    }
}

/// Returns a connection to the owner of the store in `dir`, if the store has one.
///
/// While a process has the store open and does not accept connections, this waits for at most
/// `patience`. That process may become an owner, or end.
pub(crate) fn find(dir: &Path, patience: Duration) -> Result<Option<Owner>> {
    const PAUSE: Duration = Duration::from_millis(20);
    let waited = Stopwatch::start();
    loop {
        match socket::connect(dir) {
            Ok(stream) => {
                check_answering(dir, &stream)?;
                let dir = dir.to_owned();
                return Ok(Some(Owner { dir, stream }));
            }
            Err(error)
                if error.kind() == io::ErrorKind::PermissionDenied && Archive::is_store(dir) =>
            {
                return Err(Error::new(
                    ErrorKind::Refused,
                    format!(
                        "the store in {} is owned by another user's host",
                        dir.display()
                    ),
                )
                .hint("ask as the user it runs as")
                .caused_by(error));
            }
            // There is no socket, or it was left by a dead owner. The lock tells whether the store
            // is open.
            Err(_) => {}
        }
        if waited.left_of(patience).is_zero() || !Archive::is_open(dir) {
            return Ok(None);
        }
        thread::sleep(PAUSE);
    }
}

/// Refuses a process at the owner's socket that runs as an unexpected user.
///
/// It must run as this user, as root, or as the user that the store's folder belongs to.
fn check_answering(dir: &Path, stream: &UnixStream) -> Result<()> {
    let peer = socket::peer(stream).map_err(|error| no_answer(dir, error))?;
    let answers = peer.map(|peer| peer.uid);
    if socket::may_answer(answers, socket::owner_of(dir)) {
        return Ok(());
    }
    let said = format!(
        "a process of another user answers for the store in {}",
        dir.display()
    );
    Err(Error::new(ErrorKind::Refused, said)
        .hint("look who may write into the store's folder: only its owner should"))
}

/// Has `owner` run the verb in `arguments` and returns its exit code.
///
/// While the owner is busy, the request is repeated for `patience`.
pub(crate) fn ask(
    owner: Owner,
    arguments: &[OsString],
    patience: Duration,
    context: &mut Context<'_>,
) -> std::result::Result<u8, Failure> {
    const PAUSE: Duration = Duration::from_millis(100);
    let waited = Stopwatch::start();
    let Owner { dir, mut stream } = owner;
    loop {
        match request_once(&dir, stream, arguments, context)? {
            Answer::Ended(code) => return Ok(code),
            Answer::Refused(refusal) => {
                if refusal.reason != RefusalReason::Busy || waited.left_of(patience).is_zero() {
                    return Err(refused(refusal).into());
                }
            }
        }
        thread::sleep(PAUSE);
        stream = socket::connect(&dir).map_err(|error| no_answer(&dir, error))?;
    }
}

/// How a request ended.
enum Answer {
    Ended(u8),
    /// The owner refused to start the verb.
    Refused(Refusal),
}

fn request_once(
    dir: &Path,
    stream: UnixStream,
    arguments: &[OsString],
    context: &mut Context<'_>,
) -> std::result::Result<Answer, Failure> {
    let greeting = greet(&stream).map_err(|error| no_answer(dir, error))?;
    if greeting.protocol != PROTOCOL {
        return Err(other_protocol(&greeting).into());
    }
    let mut to_owner = ToOwner {
        stream: Arc::new(Mutex::new(
            stream.try_clone().map_err(|error| no_answer(dir, error))?,
        )),
        wanted: None,
    };
    // If sending fails, the owner has already sent a refusal, which is read below.
    to_owner.send(&ClientMessage::Request(request(arguments, context)));
    let free = stream
        .set_read_timeout(None)
        .and_then(|()| stream.set_write_timeout(None));
    free.map_err(|error| no_answer(dir, error))?;

    let mut closed = false;
    let mut problem = None;
    let (mut stdout_filter, mut stderr_filter) = {
        let streams = context.streams();
        let on_terminal = |is_terminal: bool| is_terminal.then(TerminalFilter::default);
        (
            on_terminal(streams.stdout_is_terminal),
            on_terminal(streams.stderr_is_terminal),
        )
    };
    loop {
        match OwnerMessage::read(&stream) {
            Ok(OwnerMessage::Stdout(_)) if closed => {}
            Ok(OwnerMessage::Stdout(bytes)) => {
                let bytes = printable(&mut stdout_filter, bytes);
                let stdout = context.streams().stdout;
                if let Err(error) = stdout.write_all(&bytes).and_then(|()| stdout.flush()) {
                    closed = true;
                    if error.kind() != io::ErrorKind::BrokenPipe {
                        problem = Some(Failure::stdout(error));
                    }
                    to_owner.send(&ClientMessage::StdoutClosed);
                }
            }
            Ok(OwnerMessage::Stderr(bytes)) => {
                let bytes = printable(&mut stderr_filter, bytes);
                let stderr = context.streams().stderr;
                // When stderr fails too, only the exit code reports the result.
                let _ = stderr.write_all(&bytes).and_then(|()| stderr.flush());
            }
            Ok(OwnerMessage::StdinWanted(bytes)) => to_owner.send_stdin(bytes, context),
            Ok(OwnerMessage::Ended(code)) => return problem.map_or(Ok(Answer::Ended(code)), Err),
            Ok(OwnerMessage::Refused(refusal)) => return Ok(Answer::Refused(refusal)),
            Err(error) => return Err(ended(dir, &greeting, error).into()),
        }
    }
}

/// Returns the bytes to print. For a terminal, control sequences that act on it are escaped.
fn printable(terminal: &mut Option<TerminalFilter>, bytes: Vec<u8>) -> Vec<u8> {
    match terminal {
        Some(terminal) => terminal.pass(&bytes),
        None => bytes,
    }
}

fn greet(stream: &UnixStream) -> io::Result<Greeting> {
    stream.set_read_timeout(Some(ANSWER_WAIT))?;
    stream.set_write_timeout(Some(ANSWER_WAIT))?;
    // An owner that refuses may close the connection before it reads. Its reason can still be read.
    let sent = Greeting::own().write(stream);
    Greeting::read(stream).map_err(|error| sent.err().unwrap_or(error))
}

fn request(arguments: &[OsString], context: &mut Context<'_>) -> Request {
    let caller_env = context.caller_env().clone();
    let streams = context.streams();
    Request {
        arguments: arguments.to_vec(),
        folder: caller_env.folder,
        variables: caller_env.variables,
        zone: zone_name(),
        window: caller_env.window.unwrap_or(0),
        stdin_is_terminal: streams.stdin.is_terminal(),
        stdout_is_terminal: streams.stdout_is_terminal,
        stderr_is_terminal: streams.stderr_is_terminal,
    }
}

/// The sending side of the connection. The main thread and the thread that reads stdin both send.
struct ToOwner {
    stream: Arc<Mutex<UnixStream>>,
    wanted: Option<crossbeam_channel::Sender<u32>>,
}

impl ToOwner {
    /// Sends a message. When the owner is gone, the next read from it reports the error.
    fn send(&self, frame: &ClientMessage) {
        send(&self.stream, frame);
    }

    /// Sends bytes of stdin. A separate thread reads them, because the verb may end while nobody
    /// types.
    fn send_stdin(&mut self, bytes: u32, context: &Context<'_>) {
        let wanted = self.wanted.get_or_insert_with(|| {
            let (wanted, wants) = unbounded();
            let (stdin, stream) = (context.stdin(), Arc::clone(&self.stream));
            thread::spawn(move || forward_stdin(stdin, &wants, &stream));
            wanted
        });
        // The thread ends with the process.
        let _ = wanted.send(bytes);
    }
}

fn send(stream: &Mutex<UnixStream>, frame: &ClientMessage) {
    let mut stream = stream.lock().unwrap_or_else(PoisonError::into_inner);
    let _ = frame.write(&mut *stream);
}

fn forward_stdin(mut stdin: Stdin, wants: &Receiver<u32>, stream: &Mutex<UnixStream>) {
    for bytes in wants {
        let mut piece = vec![0; PIECE_BYTES.min(usize::try_from(bytes).unwrap_or(PIECE_BYTES))];
        let read = loop {
            match stdin.read(&mut piece) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        let frame = match read {
            Ok(len) => {
                piece.truncate(len);
                ClientMessage::Stdin(piece)
            }
            Err(error) => ClientMessage::StdinFailed(error.to_string()),
        };
        send(stream, &frame);
    }
}

fn no_answer(dir: &Path, error: io::Error) -> Error {
    Error::new(
        ErrorKind::Locked,
        format!("the owner of the store in {} does not answer", dir.display()),
    )
    .hint("look at the host's process: it may be stopped, or hang; while it lives nobody else can open the store")
    .caused_by(error)
}

fn ended(dir: &Path, owner: &Greeting, error: io::Error) -> Error {
    Error::new(
        ErrorKind::Locked,
        format!(
            "the owner of the store in {}, process {}, went away before this was done",
            dir.display(),
            owner.pid
        ),
    )
    .hint("what was printed as done is done; ask again, with or without a host")
    .caused_by(error)
}

fn other_protocol(owner: &Greeting) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        format!(
            "the owner of the store is annals {} in process {} and speaks protocol {}; this is annals {} with protocol {PROTOCOL}",
            owner.version,
            owner.pid,
            owner.protocol,
            env!("CARGO_PKG_VERSION"),
        ),
    )
    .hint("use the annals the host was started with, or restart the host with this one")
}

fn refused(refusal: Refusal) -> Error {
    Error::new(refusal.reason.kind(), refusal.message).hint(refusal.hint)
}
