//! The server of an owner: accepts clients and runs the verb of each on a separate thread.

use std::collections::HashMap;
use std::io::{self, BufWriter, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::protocol::{
    ClientMessage, Greeting, OwnerMessage, PIECE_BYTES, PROTOCOL, Refusal, RefusalReason, Request,
};
use super::socket;
use crate::archive::Archive;
use crate::cli::caller::{CallerEnv, Stdin, Streams};
use crate::cli::run::RunForClient;
use crate::cli::store::{LentStore, State};
use crate::convert::Cancel;

/// Most clients at a time; further clients get the answer that the owner is busy. Each client takes
/// two threads and a few buffers.
const CLIENTS_MAX: usize = 32;
/// How long a client may take to send its request, and to disconnect after the answer.
const CLIENT_WAIT: Duration = Duration::from_secs(5);

/// Serves a store to clients, until it is dropped.
pub(crate) struct Endpoint {
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

/// State shared by the threads of a server.
struct Shared {
    dir: PathBuf,
    lent: LentStore,
    run: RunForClient,
    closing: AtomicBool,
    /// The connections of clients, kept so that a server that ends can close them.
    clients: Mutex<HashMap<u64, UnixStream>>,
    left: Condvar,
}

impl Endpoint {
    /// Starts to serve `archive`, which is open, so this process holds the store's lock.
    pub(crate) fn open(
        archive: &Archive,
        state: &Arc<State>,
        run: RunForClient,
    ) -> io::Result<Self> {
        let dir = std::path::absolute(archive.dir())?;
        let listener = socket::listen(&dir)?;
        let shared = Arc::new(Shared {
            dir,
            lent: LentStore {
                archive: archive.clone(),
                state: Arc::clone(state),
            },
            run,
            closing: AtomicBool::new(false),
            clients: Mutex::default(),
            left: Condvar::new(),
        });
        let acceptor = Arc::clone(&shared);
        let accepting = thread::Builder::new()
            .name("annals-owner".to_owned())
            .spawn(move || accept(&acceptor, &listener))?;
        Ok(Self {
            shared,
            accepting: Some(accepting),
        })
    }
}

impl Drop for Endpoint {
    /// Stops accepting clients, closes their connections, and waits a moment for their verbs to
    /// end.
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::Relaxed);
        // Wakes the accepting thread.
        let woken = socket::connect(&self.shared.dir).is_ok();
        socket::remove(&self.shared.dir);
        if let Some(accepting) = self.accepting.take()
            && woken
        {
            // An error means that the thread panicked. There is nothing else to wait for.
            let _ = accepting.join();
        }
        let clients = self.shared.clients();
        for stream in clients.values() {
            // An error means that the client has already disconnected.
            let _ = stream.shutdown(Shutdown::Both);
        }
        let _ = self
            .shared
            .left
            .wait_timeout_while(clients, CLIENT_WAIT, |clients| !clients.is_empty());
    }
}

impl Shared {
    fn clients(&self) -> MutexGuard<'_, HashMap<u64, UnixStream>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers a client; returns `None` when too many are connected.
    fn register(self: &Arc<Self>, number: u64, stream: &UnixStream) -> Option<Client> {
        let mut clients = self.clients();
        if clients.len() >= CLIENTS_MAX {
            return None;
        }
        clients.insert(number, stream.try_clone().ok()?);
        Some(Client {
            shared: Arc::clone(self),
            number,
        })
    }
}

/// A registered client. Dropping it ends the registration.
struct Client {
    shared: Arc<Shared>,
    number: u64,
}

impl Drop for Client {
    fn drop(&mut self) {
        self.shared.clients().remove(&self.number);
        self.shared.left.notify_all();
    }
}

fn accept(shared: &Arc<Shared>, listener: &UnixListener) {
    const PAUSE: Duration = Duration::from_millis(50);
    for number in 0.. {
        let accepted = listener.accept();
        if shared.closing.load(Ordering::Relaxed) {
            return;
        }
        let Ok((stream, _)) = accepted else {
            // Usually the process has run out of file handles for a moment.
            thread::sleep(PAUSE);
            continue;
        };
        let Some(client) = shared.register(number, &stream) else {
            refuse(
                &stream,
                RefusalReason::Busy,
                "the owner of the store is busy with others",
                "ask again in a moment",
            );
            continue;
        };
        let serving = thread::Builder::new().name("annals-client".to_owned());
        // When no thread can be started, the connection closes.
        let _ = serving.spawn(move || {
            // An error means that the client has disconnected.
            let _ = converse(&client.shared, &stream);
            let _ = stream.shutdown(Shutdown::Both);
        });
    }
}

fn refuse(stream: &UnixStream, reason: RefusalReason, message: &str, hint: &str) {
    let refusal = Refusal {
        reason,
        message: message.to_owned(),
        hint: hint.to_owned(),
    };
    // These few bytes fit the empty send buffer, so this does not block.
    let _ = Greeting::own()
        .write(stream)
        .and_then(|()| OwnerMessage::Refused(refusal).write(stream));
}

fn converse(shared: &Shared, stream: &UnixStream) -> io::Result<()> {
    stream.set_read_timeout(Some(CLIENT_WAIT))?;
    stream.set_write_timeout(Some(CLIENT_WAIT))?;
    let peer = socket::peer(stream)?;
    let uid = peer.map(|peer| peer.uid);
    if peer.is_some_and(|peer| socket::is_descendant(peer.pid)) {
        // A verb that a converter requests would run outside of the converter's sandbox.
        refuse(
            stream,
            RefusalReason::Forbidden,
            "a converter asks the host that runs it",
            "tell what it needs in its arguments or its bundle",
        );
        return Ok(());
    }
    if !socket::may_use(uid, rustix::process::getuid().as_raw()) {
        let hint = "ask as the user the host runs as, or as root";
        refuse(
            stream,
            RefusalReason::Forbidden,
            "the store belongs to another user",
            hint,
        );
        return Ok(());
    }
    Greeting::own().write(stream)?;
    // A client with another protocol version learns it from the greeting just sent.
    if Greeting::read(stream)?.protocol != PROTOCOL {
        return Ok(());
    }
    let Ok(ClientMessage::Request(request)) = ClientMessage::read(stream) else {
        let refusal = Refusal {
            reason: RefusalReason::NotUnderstood,
            message: "the owner of the store did not understand".to_owned(),
            hint: "use the annals the host was started with".to_owned(),
        };
        return OwnerMessage::Refused(refusal).write(stream);
    };
    stream.set_read_timeout(None)?;
    // No timeout: a person may read one page of a pager for hours.
    stream.set_write_timeout(None)?;
    run(shared, request, uid, stream)
}

fn run(shared: &Shared, request: Request, uid: Option<u32>, stream: &UnixStream) -> io::Result<()> {
    let cancel = Cancel::default();
    let output_closed = Arc::new(AtomicBool::new(false));
    let (stdin_sender, stdin_pieces) = bounded(1);
    let (gone, is_gone) = bounded::<()>(0);
    let reader = ClientReader {
        stream: stream.try_clone()?,
        stdin_sender,
        output_closed: Arc::clone(&output_closed),
        cancel: cancel.clone(),
        _gone: gone,
    };
    thread::Builder::new()
        .name("annals-reader".to_owned())
        .spawn(move || reader.read_all())?;

    let line = Arc::new(Mutex::new(stream.try_clone()?));
    let to_client = |frame: fn(Vec<u8>) -> OwnerMessage| MessageWriter {
        line: Arc::clone(&line),
        frame,
        closed: Arc::clone(&output_closed),
    };
    let mut stdout = BufWriter::with_capacity(PIECE_BYTES, to_client(OwnerMessage::Stdout));
    let mut stderr = MessageWriter {
        closed: Arc::default(),
        ..to_client(OwnerMessage::Stderr)
    };
    let client_stdin = ClientStdin {
        line: Arc::clone(&line),
        stdin_pieces,
    };
    let window = Some(request.window).filter(|columns| *columns > 0);
    let caller_env = CallerEnv::of_client(
        request.folder,
        request.variables,
        window,
        request.zone.as_deref(),
        uid,
    );
    let streams = Streams {
        stdout: &mut stdout,
        stderr: &mut stderr,
        stdin: Stdin::new(client_stdin, request.stdin_is_terminal),
        stdout_is_terminal: request.stdout_is_terminal,
        stderr_is_terminal: request.stderr_is_terminal,
    };
    let lent = shared.lent.clone();
    let verb = || (shared.run)(&request.arguments, streams, caller_env, lent, cancel);
    // A verb that panics must not end the host. The store protects itself: a panic under one of its
    // locks poisons the lock.
    let ended = catch_unwind(AssertUnwindSafe(verb));
    let code = ended.unwrap_or_else(|_| {
        let told = b"error: BUG: the owner of the store panicked at this; it goes on\n";
        let _ = stderr.write_all(told);
        crate::cli::run::Exit::Failed.code()
    });
    drop(stdout);
    send(&line, &OwnerMessage::Ended(code))?;
    // The client disconnects first. Closing a connection with unread input would discard sent
    // output.
    let _ = is_gone.recv_timeout(CLIENT_WAIT);
    Ok(())
}

fn send(line: &Mutex<UnixStream>, frame: &OwnerMessage) -> io::Result<()> {
    let mut line = line.lock().unwrap_or_else(PoisonError::into_inner);
    frame.write(&mut *line)
}

/// Reads the messages of a client while the client's verb runs.
struct ClientReader {
    stream: UnixStream,
    stdin_sender: Sender<io::Result<Vec<u8>>>,
    output_closed: Arc<AtomicBool>,
    cancel: Cancel,
    /// Dropping it tells the server that the client has disconnected.
    _gone: Sender<()>,
}

impl ClientReader {
    fn read_all(self) {
        loop {
            let stdin_pieces = match ClientMessage::read(&self.stream) {
                Ok(ClientMessage::Stdin(bytes)) => Ok(bytes),
                Ok(ClientMessage::StdinFailed(why)) => Err(io::Error::other(why)),
                Ok(ClientMessage::StdoutClosed) => {
                    self.output_closed.store(true, Ordering::Relaxed);
                    continue;
                }
                Ok(ClientMessage::Request(_)) | Err(_) => break,
            };
            // The owner wants one piece at a time. A client that sends more violates the protocol.
            if self.stdin_sender.try_send(stdin_pieces).is_err() {
                break;
            }
        }
        self.cancel.cancel();
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

/// An output stream of a verb. Each write becomes a message to the client.
struct MessageWriter {
    line: Arc<Mutex<UnixStream>>,
    frame: fn(Vec<u8>) -> OwnerMessage,
    closed: Arc<AtomicBool>,
}

impl Write for MessageWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.closed.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let piece = &bytes[..bytes.len().min(PIECE_BYTES)];
        // Whatever the error of the connection is, nobody reads the verb's output any more.
        send(&self.line, &(self.frame)(piece.to_vec())).map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(piece.len())
    }

    /// Fails once the client has closed its output.
    ///
    /// A verb such as `events --follow` may print nothing for hours, and learns of it only here.
    fn flush(&mut self) -> io::Result<()> {
        if self.closed.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        Ok(())
    }
}

/// The stdin of a client. Each read requests bytes from the client.
struct ClientStdin {
    line: Arc<Mutex<UnixStream>>,
    stdin_pieces: Receiver<io::Result<Vec<u8>>>,
}

impl Read for ClientStdin {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let wanted = out.len().min(PIECE_BYTES);
        send(
            &self.line,
            &OwnerMessage::StdinWanted(u32::try_from(wanted).unwrap_or(u32::MAX)),
        )?;
        let piece = self
            .stdin_pieces
            .recv()
            .map_err(|_| io::Error::new(io::ErrorKind::BrokenPipe, "the client has gone"))??;
        let room = out.get_mut(..piece.len()).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                "the client sent more than was asked for",
            )
        })?;
        room.copy_from_slice(&piece);
        Ok(piece.len())
    }
}
