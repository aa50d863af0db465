//! The owner's side: lets in who may ask, and runs what they ask for, each on a thread of its own.

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

use super::protocol::{Ask, FromAsker, FromOwner, Greeting, PIECE_BYTES, PROTOCOL, Refusal, Why};
use super::socket;
use crate::archive::Archive;
use crate::cli::caller::{Stdin, Streams, Surroundings};
use crate::cli::run::RunForClient;
use crate::cli::store::{Borrowed, State};
use crate::convert::Cancel;

/// Who asks beside so many is told to come again. Each takes two threads and a few buffers.
const CLIENTS_MAX: usize = 32;
/// How long who was let in may take to say what it wants, and to leave when it has been told.
const MANNERS: Duration = Duration::from_secs(5);

/// Answers for a store as long as it lives.
pub(crate) struct Endpoint {
    desk: Arc<Desk>,
    accepting: Option<JoinHandle<()>>,
}

struct Desk {
    dir: PathBuf,
    borrowed: Borrowed,
    run: RunForClient,
    closing: AtomicBool,
    /// Who is being served, so that they can be cut off.
    clients: Mutex<HashMap<u64, UnixStream>>,
    left: Condvar,
}

impl Endpoint {
    /// Answers for `archive`, whose lock the caller holds by having it open.
    pub(crate) fn open(
        archive: &Archive,
        state: &Arc<State>,
        run: RunForClient,
    ) -> io::Result<Self> {
        let dir = std::path::absolute(archive.dir())?;
        let listener = socket::listen(&dir)?;
        let desk = Arc::new(Desk {
            dir,
            borrowed: Borrowed {
                archive: archive.clone(),
                state: Arc::clone(state),
            },
            run,
            closing: AtomicBool::new(false),
            clients: Mutex::default(),
            left: Condvar::new(),
        });
        let at_desk = Arc::clone(&desk);
        let accepting = thread::Builder::new()
            .name("annals-owner".to_owned())
            .spawn(move || accept(&at_desk, &listener))?;
        Ok(Self {
            desk,
            accepting: Some(accepting),
        })
    }
}

impl Drop for Endpoint {
    /// Lets nobody in any more, ends what is being done for others, and waits a moment for that.
    fn drop(&mut self) {
        self.desk.closing.store(true, Ordering::Relaxed);
        // Wakes the thread that waits for somebody.
        let woken = socket::connect(&self.desk.dir).is_ok();
        socket::remove(&self.desk.dir);
        if let Some(accepting) = self.accepting.take()
            && woken
        {
            // Where it panicked there is nobody to wait for.
            let _ = accepting.join();
        }
        let clients = self.desk.clients();
        for stream in clients.values() {
            // One that is gone already is as good.
            let _ = stream.shutdown(Shutdown::Both);
        }
        let _ = self
            .desk
            .left
            .wait_timeout_while(clients, MANNERS, |clients| !clients.is_empty());
    }
}

impl Desk {
    fn clients(&self) -> MutexGuard<'_, HashMap<u64, UnixStream>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of a client; nothing when there are too many.
    fn let_in(self: &Arc<Self>, number: u64, stream: &UnixStream) -> Option<Client> {
        let mut clients = self.clients();
        if clients.len() >= CLIENTS_MAX {
            return None;
        }
        clients.insert(number, stream.try_clone().ok()?);
        Some(Client {
            desk: Arc::clone(self),
            number,
        })
    }
}

/// Somebody who is being served, until it is dropped.
struct Client {
    desk: Arc<Desk>,
    number: u64,
}

impl Drop for Client {
    fn drop(&mut self) {
        self.desk.clients().remove(&self.number);
        self.desk.left.notify_all();
    }
}

fn accept(desk: &Arc<Desk>, listener: &UnixListener) {
    const PAUSE: Duration = Duration::from_millis(50);
    for number in 0.. {
        let accepted = listener.accept();
        if desk.closing.load(Ordering::Relaxed) {
            return;
        }
        let Ok((stream, _)) = accepted else {
            // Out of handles, mostly: that passes.
            thread::sleep(PAUSE);
            continue;
        };
        let Some(client) = desk.let_in(number, &stream) else {
            refuse(
                &stream,
                Why::Busy,
                "the owner of the store is busy with others",
                "ask again in a moment",
            );
            continue;
        };
        let serving = thread::Builder::new().name("annals-asked".to_owned());
        // Who cannot be served sees the line go dead.
        let _ = serving.spawn(move || {
            // Whatever is wrong with the line, its other end knows.
            let _ = converse(&client.desk, &stream);
            let _ = stream.shutdown(Shutdown::Both);
        });
    }
}

fn refuse(stream: &UnixStream, why: Why, message: &str, hint: &str) {
    let refusal = Refusal {
        why,
        message: message.to_owned(),
        hint: hint.to_owned(),
    };
    // These few bytes fit an empty line, so nobody waits here.
    let _ = Greeting::own()
        .write(stream)
        .and_then(|()| FromOwner::Refused(refusal).write(stream));
}

fn converse(desk: &Desk, stream: &UnixStream) -> io::Result<()> {
    stream.set_read_timeout(Some(MANNERS))?;
    stream.set_write_timeout(Some(MANNERS))?;
    let peer = socket::peer(stream)?;
    let uid = peer.map(|peer| peer.uid);
    if peer.is_some_and(|peer| socket::is_descendant(peer.pid)) {
        // What a converter may do is decided by its sandbox; asked for by it, a verb would run outside of that.
        refuse(
            stream,
            Why::Forbidden,
            "a converter asks the host that runs it",
            "tell what it needs in its arguments or its bundle",
        );
        return Ok(());
    }
    if !socket::may_ask(uid, rustix::process::getuid().as_raw()) {
        let hint = "ask as the user the host runs as, or as root";
        refuse(
            stream,
            Why::Forbidden,
            "the store belongs to another user",
            hint,
        );
        return Ok(());
    }
    Greeting::own().write(stream)?;
    // Who speaks another protocol knows by our greeting.
    if Greeting::read(stream)?.protocol != PROTOCOL {
        return Ok(());
    }
    let Ok(FromAsker::Ask(ask)) = FromAsker::read(stream) else {
        let refusal = Refusal {
            why: Why::Strange,
            message: "the owner of the store did not understand".to_owned(),
            hint: "use the annals the host was started with".to_owned(),
        };
        return FromOwner::Refused(refusal).write(stream);
    };
    stream.set_read_timeout(None)?;
    // A person may look at a page for hours.
    stream.set_write_timeout(None)?;
    run(desk, ask, uid, stream)
}

fn run(desk: &Desk, ask: Ask, uid: Option<u32>, stream: &UnixStream) -> io::Result<()> {
    let cancel = Cancel::default();
    let output_closed = Arc::new(AtomicBool::new(false));
    let (hand_in, handed_in) = bounded(1);
    let (gone, is_gone) = bounded::<()>(0);
    let ear = Ear {
        stream: stream.try_clone()?,
        hand_in,
        output_closed: Arc::clone(&output_closed),
        cancel: cancel.clone(),
        _gone: gone,
    };
    thread::Builder::new()
        .name("annals-heard".to_owned())
        .spawn(move || ear.listen())?;

    let line = Arc::new(Mutex::new(stream.try_clone()?));
    let outgoing = |frame: fn(Vec<u8>) -> FromOwner| Outgoing {
        line: Arc::clone(&line),
        frame,
        closed: Arc::clone(&output_closed),
    };
    let mut stdout = BufWriter::with_capacity(PIECE_BYTES, outgoing(FromOwner::Output));
    let mut stderr = Outgoing {
        closed: Arc::default(),
        ..outgoing(FromOwner::Remark)
    };
    let pulled = Pulled {
        line: Arc::clone(&line),
        handed_in,
    };
    let window = Some(ask.window).filter(|columns| *columns > 0);
    let surroundings =
        Surroundings::of_another(ask.folder, ask.variables, window, ask.zone.as_deref(), uid);
    let streams = Streams {
        stdout: &mut stdout,
        stderr: &mut stderr,
        stdin: Stdin::new(pulled, ask.stdin_is_terminal),
        stdout_is_terminal: ask.stdout_is_terminal,
        stderr_is_terminal: ask.stderr_is_terminal,
    };
    let borrowed = desk.borrowed.clone();
    let verb = || (desk.run)(&ask.arguments, streams, surroundings, borrowed, cancel);
    // A verb that panics must not take the host along. The store guards itself: a lock that was held makes it refuse to go on.
    let ended = catch_unwind(AssertUnwindSafe(verb));
    let code = ended.unwrap_or_else(|_| {
        let told = b"error: BUG: the owner of the store panicked at this; it goes on\n";
        let _ = stderr.write_all(told);
        crate::cli::run::Exit::Failed.code()
    });
    drop(stdout);
    send(&line, &FromOwner::End(code))?;
    // Who was told leaves first: a line that is closed with something unread on it loses what was sent.
    let _ = is_gone.recv_timeout(MANNERS);
    Ok(())
}

fn send(line: &Mutex<UnixStream>, frame: &FromOwner) -> io::Result<()> {
    let mut line = line.lock().unwrap_or_else(PoisonError::into_inner);
    frame.write(&mut *line)
}

/// Hears what who asked has to say while the verb runs.
struct Ear {
    stream: UnixStream,
    hand_in: Sender<io::Result<Vec<u8>>>,
    output_closed: Arc<AtomicBool>,
    cancel: Cancel,
    /// Says by being dropped that nobody is there any more.
    _gone: Sender<()>,
}

impl Ear {
    fn listen(self) {
        loop {
            let handed_in = match FromAsker::read(&self.stream) {
                Ok(FromAsker::Input(bytes)) => Ok(bytes),
                Ok(FromAsker::InputFailed(why)) => Err(io::Error::other(why)),
                Ok(FromAsker::OutputClosed) => {
                    self.output_closed.store(true, Ordering::Relaxed);
                    continue;
                }
                Ok(FromAsker::Ask(_)) | Err(_) => break,
            };
            // One piece for each that was wanted; who sends more has lost the thread.
            if self.hand_in.try_send(handed_in).is_err() {
                break;
            }
        }
        self.cancel.cancel();
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

/// What a verb prints, on its way.
struct Outgoing {
    line: Arc<Mutex<UnixStream>>,
    frame: fn(Vec<u8>) -> FromOwner,
    closed: Arc<AtomicBool>,
}

impl Write for Outgoing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.closed.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let piece = &bytes[..bytes.len().min(PIECE_BYTES)];
        // Whatever ails the line, to the verb its reader is gone.
        send(&self.line, &(self.frame)(piece.to_vec())).map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(piece.len())
    }

    /// Fails where a pipe of one's own would have: who follows events prints nothing for hours.
    fn flush(&mut self) -> io::Result<()> {
        if self.closed.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        Ok(())
    }
}

/// What who asked hands in, piece by piece as it is wanted.
struct Pulled {
    line: Arc<Mutex<UnixStream>>,
    handed_in: Receiver<io::Result<Vec<u8>>>,
}

impl Read for Pulled {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let wanted = out.len().min(PIECE_BYTES);
        send(
            &self.line,
            &FromOwner::Pull(u32::try_from(wanted).unwrap_or(u32::MAX)),
        )?;
        let piece = self
            .handed_in
            .recv()
            .map_err(|_| io::Error::new(io::ErrorKind::BrokenPipe, "who asked has gone away"))??;
        let room = out.get_mut(..piece.len()).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                "more was handed in than was wanted",
            )
        })?;
        room.copy_from_slice(&piece);
        Ok(piece.len())
    }
}
