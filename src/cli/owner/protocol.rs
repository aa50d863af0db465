//! The protocol of the owner's socket: a greeting from each side, then frames of kind, length and
//! data.
//!
//! `docs/format.md` describes the protocol as a table.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use crate::ErrorKind;

/// Version of the protocol. It must change when two versions would misunderstand each other.
pub(super) const PROTOCOL: u32 = 1;
/// Most bytes of input or output in one frame.
pub(super) const PIECE_BYTES: usize = 64 << 10;
/// Most bytes of a frame. Operating systems bound an argument list, mostly at 2 MiB.
const FRAME_BYTES_MAX: u32 = 4 << 20;
const GREETING_BYTES_MAX: usize = 128;
const MAGIC: &str = "annals";

/// The first line that each side sends, such as `annals 1 0.1.0 4711`.
///
/// Every version of the protocol uses this format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Greeting {
    pub(super) protocol: u32,
    pub(super) version: String,
    pub(super) pid: u32,
}

impl Greeting {
    pub(super) fn own() -> Self {
        Self {
            protocol: PROTOCOL,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
        }
    }

    pub(super) fn write(&self, mut to: impl Write) -> io::Result<()> {
        let Self {
            protocol,
            version,
            pid,
        } = self;
        to.write_all(format!("{MAGIC} {protocol} {version} {pid}\n").as_bytes())
    }

    pub(super) fn read(mut from: impl Read) -> io::Result<Self> {
        let mut line = Vec::new();
        let mut byte = [0];
        loop {
            from.read_exact(&mut byte)?;
            if byte == *b"\n" {
                break;
            }
            line.extend(byte);
            if line.len() > GREETING_BYTES_MAX {
                return Err(not_protocol("a greeting without an end"));
            }
        }
        let text = String::from_utf8_lossy(&line);
        let mut words = text.split(' ');
        let mut word = || words.next().unwrap_or_default();
        let is_ours = word() == MAGIC;
        let (protocol, version, pid) = (word(), word(), word());
        match (protocol.parse(), pid.parse()) {
            (Ok(protocol), Ok(pid)) if is_ours => Ok(Self {
                protocol,
                version: version.to_owned(),
                pid,
            }),
            _ => Err(not_protocol("something that is no greeting")),
        }
    }
}

/// A request to run a verb, with what the verb needs to know about the client's process.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Request {
    /// The command line, including the program's name.
    pub(super) arguments: Vec<OsString>,
    pub(super) folder: Option<PathBuf>,
    pub(super) variables: Vec<(String, OsString)>,
    /// The variable `TZ`.
    pub(super) zone: Option<OsString>,
    /// Columns of the terminal; 0 when unknown.
    pub(super) window: u32,
    pub(super) stdin_is_terminal: bool,
    pub(super) stdout_is_terminal: bool,
    pub(super) stderr_is_terminal: bool,
}

/// Messages from client to owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ClientMessage {
    Request(Request),
    /// Bytes of stdin, at most as many as the owner wanted. An empty message means the end of
    /// stdin.
    Stdin(Vec<u8>),
    /// Reading stdin failed, for this reason.
    StdinFailed(String),
    /// The reader of the client's stdout has closed it.
    StdoutClosed,
}

/// Messages from owner to client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum OwnerMessage {
    /// Bytes to print on stdout.
    Stdout(Vec<u8>),
    /// Bytes to print on stderr.
    Stderr(Vec<u8>),
    /// The verb wants to read up to this many bytes of stdin.
    StdinWanted(u32),
    /// The verb has ended with this exit code.
    Ended(u8),
    /// The owner refuses to run the verb.
    Refused(Refusal),
}

/// A refusal to run a verb, for the error that the client prints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) reason: RefusalReason,
    pub(super) message: String,
    pub(super) hint: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RefusalReason {
    /// This client may not use the store.
    Forbidden = 1,
    /// Too many clients are connected.
    Busy = 2,
    /// The request could not be read.
    NotUnderstood = 3,
}

impl RefusalReason {
    pub(super) const fn kind(self) -> ErrorKind {
        match self {
            Self::Forbidden => ErrorKind::Refused,
            Self::Busy => ErrorKind::Locked,
            Self::NotUnderstood => ErrorKind::Unsupported,
        }
    }
}

const REQUEST: u8 = b'A';
const STDIN: u8 = b'I';
const STDIN_FAILED: u8 = b'F';
const STDOUT_CLOSED: u8 = b'C';
const STDOUT: u8 = b'O';
const STDERR: u8 = b'R';
const STDIN_WANTED: u8 = b'P';
const ENDED: u8 = b'E';
const REFUSED: u8 = b'X';

impl ClientMessage {
    pub(super) fn write(&self, to: impl Write) -> io::Result<()> {
        match self {
            Self::Request(ask) => write_frame(to, REQUEST, &ask.encode()),
            Self::Stdin(bytes) => write_frame(to, STDIN, bytes),
            Self::StdinFailed(why) => write_frame(to, STDIN_FAILED, why.as_bytes()),
            Self::StdoutClosed => write_frame(to, STDOUT_CLOSED, &[]),
        }
    }

    pub(super) fn read(from: impl Read) -> io::Result<Self> {
        let (kind, bytes) = read_frame(from)?;
        match kind {
            REQUEST => Request::decode(&bytes).map(Self::Request),
            STDIN => Some(Self::Stdin(bytes)),
            STDIN_FAILED => Some(Self::StdinFailed(text(&bytes))),
            STDOUT_CLOSED => Some(Self::StdoutClosed),
            _ => None,
        }
        .ok_or_else(|| not_protocol("a frame of no known kind"))
    }
}

impl OwnerMessage {
    pub(super) fn write(&self, to: impl Write) -> io::Result<()> {
        match self {
            Self::Stdout(bytes) => write_frame(to, STDOUT, bytes),
            Self::Stderr(bytes) => write_frame(to, STDERR, bytes),
            Self::StdinWanted(bytes) => write_frame(to, STDIN_WANTED, &bytes.to_le_bytes()),
            Self::Ended(code) => write_frame(to, ENDED, &[*code]),
            Self::Refused(refusal) => {
                let mut bytes = vec![refusal.reason as u8];
                put(&mut bytes, refusal.message.as_bytes());
                put(&mut bytes, refusal.hint.as_bytes());
                write_frame(to, REFUSED, &bytes)
            }
        }
    }

    pub(super) fn read(from: impl Read) -> io::Result<Self> {
        let (kind, bytes) = read_frame(from)?;
        let rest = &mut &*bytes;
        match kind {
            STDOUT => Some(Self::Stdout(bytes)),
            STDERR => Some(Self::Stderr(bytes)),
            STDIN_WANTED => take_u32(rest).map(Self::StdinWanted),
            ENDED => take_u8(rest).map(Self::Ended),
            REFUSED => Refusal::decode(rest).map(Self::Refused),
            _ => None,
        }
        .ok_or_else(|| not_protocol("a frame of no known kind"))
    }
}

impl Refusal {
    fn decode(rest: &mut &[u8]) -> Option<Self> {
        let reason = match take_u8(rest)? {
            1 => RefusalReason::Forbidden,
            2 => RefusalReason::Busy,
            _ => RefusalReason::NotUnderstood,
        };
        Some(Self {
            reason,
            message: text(take(rest)?),
            hint: text(take(rest)?),
        })
    }
}

impl Request {
    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let terminals = [
            self.stdin_is_terminal,
            self.stdout_is_terminal,
            self.stderr_is_terminal,
        ];
        out.extend(terminals.map(u8::from));
        out.extend(self.window.to_le_bytes());
        put_maybe(
            &mut out,
            self.folder.as_ref().map(|folder| folder.as_os_str()),
        );
        put_maybe(&mut out, self.zone.as_deref());
        put_count(&mut out, self.variables.len());
        for (name, value) in &self.variables {
            put(&mut out, name.as_bytes());
            put(&mut out, value.as_bytes());
        }
        put_count(&mut out, self.arguments.len());
        for argument in &self.arguments {
            put(&mut out, argument.as_bytes());
        }
        out
    }

    /// Decodes a request; returns `None` for malformed bytes.
    fn decode(bytes: &[u8]) -> Option<Self> {
        let rest = &mut &*bytes;
        let mut flag = || Some(take_u8(rest)? != 0);
        let (stdin_is_terminal, stdout_is_terminal, stderr_is_terminal) =
            (flag()?, flag()?, flag()?);
        let window = take_u32(rest)?;
        let folder = take_maybe(rest)?.map(PathBuf::from);
        let zone = take_maybe(rest)?;
        // No memory is reserved, because the count comes from the client and may be too large.
        let mut variables = Vec::new();
        for _ in 0..take_u32(rest)? {
            let name = text(take(rest)?);
            variables.push((name, OsString::from_vec(take(rest)?.to_vec())));
        }
        let mut arguments = Vec::new();
        for _ in 0..take_u32(rest)? {
            arguments.push(OsString::from_vec(take(rest)?.to_vec()));
        }
        Some(Self {
            arguments,
            folder,
            variables,
            zone,
            window,
            stdin_is_terminal,
            stdout_is_terminal,
            stderr_is_terminal,
        })
        .filter(|_| rest.is_empty())
    }
}

fn write_frame(mut to: impl Write, kind: u8, bytes: &[u8]) -> io::Result<()> {
    let len = u32::try_from(bytes.len())
        .ok()
        .filter(|len| *len <= FRAME_BYTES_MAX)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "more than a frame holds"))?;
    // One write, because a process killed between two writes would leave half a frame.
    let mut frame = Vec::with_capacity(5 + bytes.len());
    frame.push(kind);
    frame.extend(len.to_le_bytes());
    frame.extend(bytes);
    to.write_all(&frame)
}

fn read_frame(mut from: impl Read) -> io::Result<(u8, Vec<u8>)> {
    let mut head = [0; 5];
    from.read_exact(&mut head)?;
    let [kind, len @ ..] = head;
    let len = u32::from_le_bytes(len);
    if len > FRAME_BYTES_MAX {
        return Err(not_protocol("a frame without an end"));
    }
    // The buffer grows with the bytes that arrive, because the claimed length may be wrong.
    let mut bytes = Vec::new();
    from.take(u64::from(len)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 != u64::from(len) {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok((kind, bytes))
}

fn not_protocol(what: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("the other side sent {what}"),
    )
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn put_count(out: &mut Vec<u8>, count: usize) {
    // A count that does not fit u32 means more data than a frame holds, so sending fails later.
    out.extend(u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes());
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    put_count(out, bytes.len());
    out.extend(bytes);
}

fn put_maybe(out: &mut Vec<u8>, value: Option<&OsStr>) {
    out.push(u8::from(value.is_some()));
    if let Some(value) = value {
        put(out, value.as_bytes());
    }
}

fn take_u8(rest: &mut &[u8]) -> Option<u8> {
    let (first, tail) = rest.split_first()?;
    *rest = tail;
    Some(*first)
}

fn take_u32(rest: &mut &[u8]) -> Option<u32> {
    let (first, tail) = rest.split_first_chunk()?;
    *rest = tail;
    Some(u32::from_le_bytes(*first))
}

fn take<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = usize::try_from(take_u32(rest)?).ok()?;
    let (first, tail) = rest.split_at_checked(len)?;
    *rest = tail;
    Some(first)
}

#[expect(
    clippy::option_option,
    reason = "the outer one says that the bytes are no value, as in all take_ functions"
)]
fn take_maybe(rest: &mut &[u8]) -> Option<Option<OsString>> {
    if take_u8(rest)? == 0 {
        return Some(None);
    }
    Some(Some(OsString::from_vec(take(rest)?.to_vec())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask() -> Request {
        Request {
            arguments: vec![
                "annals".into(),
                "list".into(),
                OsString::from_vec(vec![0xff, b'x']),
            ],
            folder: Some(PathBuf::from("/data/in")),
            variables: vec![("USER".to_owned(), "mia".into())],
            zone: Some(OsString::new()),
            window: 132,
            stdin_is_terminal: true,
            stdout_is_terminal: false,
            stderr_is_terminal: true,
        }
    }

    #[test]
    fn what_is_sent_is_what_is_read() {
        let mut bytes = Vec::new();
        let from_client = [
            ClientMessage::Request(ask()),
            ClientMessage::Request(Request::default()),
            ClientMessage::Stdin(vec![1; PIECE_BYTES]),
            ClientMessage::Stdin(Vec::new()),
            ClientMessage::StdinFailed("is a directory".to_owned()),
            ClientMessage::StdoutClosed,
        ];
        for sent in &from_client {
            sent.write(&mut bytes).expect("fits");
        }
        let read = &mut &*bytes;
        for sent in &from_client {
            assert_eq!(&ClientMessage::read(&mut *read).expect("whole"), sent);
        }
        let from_owner = [
            OwnerMessage::Stdout(vec![2; PIECE_BYTES]),
            OwnerMessage::Stderr(b"note\n".to_vec()),
            OwnerMessage::StdinWanted(4096),
            OwnerMessage::Ended(6),
            OwnerMessage::Refused(Refusal {
                reason: RefusalReason::Busy,
                message: "no".to_owned(),
                hint: "later".to_owned(),
            }),
        ];
        let mut bytes = Vec::new();
        Greeting::own().write(&mut bytes).expect("written");
        for sent in &from_owner {
            sent.write(&mut bytes).expect("fits");
        }
        let read = &mut &*bytes;
        assert_eq!(Greeting::read(&mut *read).expect("whole"), Greeting::own());
        for sent in &from_owner {
            assert_eq!(&OwnerMessage::read(&mut *read).expect("whole"), sent);
        }
    }

    #[test]
    fn bytes_that_are_cut_wrong_or_too_many_are_refused_and_reserve_nothing() {
        let mut frame = Vec::new();
        ClientMessage::Request(ask())
            .write(&mut frame)
            .expect("fits");
        for len in 0..frame.len() {
            assert!(ClientMessage::read(&frame[..len]).is_err(), "{len}");
        }
        for at in 0..frame.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut wrong = frame.clone();
                wrong[at] = value;
                // Reading must not panic, whatever the bytes are.
                let _ = ClientMessage::read(&*wrong);
            }
        }
        let endless = [[b'I'].as_slice(), &u32::MAX.to_le_bytes()].concat();
        assert!(ClientMessage::read(&*endless).is_err());
        assert!(OwnerMessage::read(&b"E\0\0\0\0"[..]).is_err());
        for line in [
            "annals\n",
            "annals x 0.1.0 3\n",
            "other 1 0.1.0 3\n",
            "annals 1 0.1.0",
        ] {
            assert!(Greeting::read(line.as_bytes()).is_err(), "{line}");
        }
        assert!(Greeting::read(&[b'a'; 500][..]).is_err());
    }
}
