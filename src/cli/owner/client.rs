//! The side of who asks: finds the owner, hands it the verb, prints what it says.

use std::ffi::OsString;
use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, unbounded};

use super::protocol::{Ask, FromAsker, FromOwner, Greeting, PIECE_BYTES, PROTOCOL, Refusal, Why};
use super::socket;
use super::terminal::Shown;
use crate::archive::Archive;
use crate::cli::caller::{Stdin, zone_name};
use crate::cli::run::{Context, Failure};
use crate::time::Stopwatch;
use crate::{Error, ErrorKind, Result};

/// How long an owner may take to say that it is there. What the verb takes after that is its own affair.
const ANSWER_WAIT: Duration = Duration::from_secs(10);

/// An owner that let us in, and has not said anything yet.
pub(crate) struct Owner {
    dir: PathBuf,
    stream: UnixStream,
}

impl Owner {
    /// True when it says that it is there. A converter that was just being started when its host was killed has the host's socket for a
    /// moment, and says nothing.
    pub(crate) fn answers(&self, within: Duration) -> bool {
        self.stream.set_read_timeout(Some(within)).is_ok() && Greeting::read(&self.stream).is_ok()
    }
}

/// The owner of the store in `dir`, if it has one. While somebody who is none has the store open, it waits for `patience` at the
/// most: it may become one, or be done.
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
            // No socket, or that of a dead owner: the lock says who has the store.
            Err(_) => {}
        }
        if waited.left_of(patience).is_zero() || !Archive::is_open(dir) {
            return Ok(None);
        }
        thread::sleep(PAUSE);
    }
}

/// Refuses a process at the owner's socket that is neither one's own nor root's, nor the store's owner's.
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

/// Has `owner` run the verb in `arguments`; answers its exit code. One that is busy with others is asked again for `patience`.
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
        match ask_once(&dir, stream, arguments, context)? {
            Told::Ended(code) => return Ok(code),
            Told::Refused(refusal) => {
                if refusal.why != Why::Busy || waited.left_of(patience).is_zero() {
                    return Err(refused(refusal).into());
                }
            }
        }
        thread::sleep(PAUSE);
        stream = socket::connect(&dir).map_err(|error| no_answer(&dir, error))?;
    }
}

/// What became of a verb.
enum Told {
    Ended(u8),
    /// Nothing was begun.
    Refused(Refusal),
}

fn ask_once(
    dir: &Path,
    stream: UnixStream,
    arguments: &[OsString],
    context: &mut Context<'_>,
) -> std::result::Result<Told, Failure> {
    let greeting = greet(&stream).map_err(|error| no_answer(dir, error))?;
    if greeting.protocol != PROTOCOL {
        return Err(other_protocol(&greeting).into());
    }
    let mut line = Line {
        stream: Arc::new(Mutex::new(
            stream.try_clone().map_err(|error| no_answer(dir, error))?,
        )),
        wanted: None,
    };
    // What the owner has to say about it is read in any case.
    line.send(&FromAsker::Ask(asked(arguments, context)));
    let free = stream
        .set_read_timeout(None)
        .and_then(|()| stream.set_write_timeout(None));
    free.map_err(|error| no_answer(dir, error))?;

    let mut closed = false;
    let mut problem = None;
    let (mut output, mut remarks) = {
        let streams = context.streams();
        let on_terminal = |is_terminal: bool| is_terminal.then(Shown::default);
        (
            on_terminal(streams.stdout_is_terminal),
            on_terminal(streams.stderr_is_terminal),
        )
    };
    loop {
        match FromOwner::read(&stream) {
            Ok(FromOwner::Output(_)) if closed => {}
            Ok(FromOwner::Output(bytes)) => {
                let bytes = shown(&mut output, bytes);
                let stdout = context.streams().stdout;
                if let Err(error) = stdout.write_all(&bytes).and_then(|()| stdout.flush()) {
                    closed = true;
                    if error.kind() != io::ErrorKind::BrokenPipe {
                        problem = Some(Failure::stdout(error));
                    }
                    line.send(&FromAsker::OutputClosed);
                }
            }
            Ok(FromOwner::Remark(bytes)) => {
                let bytes = shown(&mut remarks, bytes);
                let stderr = context.streams().stderr;
                // When even stderr is gone there is nobody left to tell; the exit code still speaks.
                let _ = stderr.write_all(&bytes).and_then(|()| stderr.flush());
            }
            Ok(FromOwner::Pull(bytes)) => line.pull(bytes, context),
            Ok(FromOwner::End(code)) => return problem.map_or(Ok(Told::Ended(code)), Err),
            Ok(FromOwner::Refused(refusal)) => return Ok(Told::Refused(refusal)),
            Err(error) => return Err(ended(dir, &greeting, error).into()),
        }
    }
}

/// What of `bytes` is printed: on a terminal, nothing that acts on it.
fn shown(terminal: &mut Option<Shown>, bytes: Vec<u8>) -> Vec<u8> {
    match terminal {
        Some(terminal) => terminal.pass(&bytes),
        None => bytes,
    }
}

fn greet(stream: &UnixStream) -> io::Result<Greeting> {
    stream.set_read_timeout(Some(ANSWER_WAIT))?;
    stream.set_write_timeout(Some(ANSWER_WAIT))?;
    // An owner that refuses at once may not read it, and has still said why.
    let sent = Greeting::own().write(stream);
    Greeting::read(stream).map_err(|error| sent.err().unwrap_or(error))
}

fn asked(arguments: &[OsString], context: &mut Context<'_>) -> Ask {
    let surroundings = context.surroundings().clone();
    let streams = context.streams();
    Ask {
        arguments: arguments.to_vec(),
        folder: surroundings.folder,
        variables: surroundings.variables,
        zone: zone_name(),
        window: surroundings.window.unwrap_or(0),
        stdin_is_terminal: streams.stdin.is_terminal(),
        stdout_is_terminal: streams.stdout_is_terminal,
        stderr_is_terminal: streams.stderr_is_terminal,
    }
}

/// What goes to the owner, from two threads: one prints and one reads what is handed in.
struct Line {
    stream: Arc<Mutex<UnixStream>>,
    wanted: Option<crossbeam_channel::Sender<u32>>,
}

impl Line {
    /// An owner that hears nothing any more says so itself, by saying nothing.
    fn send(&self, frame: &FromAsker) {
        send(&self.stream, frame);
    }

    /// Reads what is handed in on a thread of its own: it may be long in coming, and the owner may end meanwhile.
    fn pull(&mut self, bytes: u32, context: &Context<'_>) {
        let wanted = self.wanted.get_or_insert_with(|| {
            let (wanted, wants) = unbounded();
            let (stdin, stream) = (context.stdin(), Arc::clone(&self.stream));
            thread::spawn(move || hand_in(stdin, &wants, &stream));
            wanted
        });
        // That thread ends with this one.
        let _ = wanted.send(bytes);
    }
}

fn send(stream: &Mutex<UnixStream>, frame: &FromAsker) {
    let mut stream = stream.lock().unwrap_or_else(PoisonError::into_inner);
    let _ = frame.write(&mut *stream);
}

fn hand_in(mut stdin: Stdin, wants: &Receiver<u32>, stream: &Mutex<UnixStream>) {
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
                FromAsker::Input(piece)
            }
            Err(error) => FromAsker::InputFailed(error.to_string()),
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
    .hint("use the annals the host was started with, or start the host anew with this one")
}

fn refused(refusal: Refusal) -> Error {
    Error::new(refusal.why.kind(), refusal.message).hint(refusal.hint)
}
