//! What goes over the owner's socket: a greeting each way, then frames of a kind, a length and so many bytes. `docs/format.md`
//! has the same as a table.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use crate::ErrorKind;

/// Changes whenever an owner and a program of different versions would misunderstand each other.
pub(super) const PROTOCOL: u32 = 1;
/// Bytes of data in one frame.
pub(super) const PIECE_BYTES: usize = 64 << 10;
/// An argument list is bounded by the system, mostly at 2 MiB.
const FRAME_BYTES_MAX: u32 = 4 << 20;
const GREETING_BYTES_MAX: usize = 128;
const MAGIC: &str = "annals";

/// The first line either side sends; it stays as it is in every protocol: `annals 1 0.1.0 4711`.
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
                return Err(nonsense("a greeting without an end"));
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
            _ => Err(nonsense("something that is no greeting")),
        }
    }
}

/// A verb, and where and how it is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Ask {
    /// With the program's name.
    pub(super) arguments: Vec<OsString>,
    pub(super) folder: Option<PathBuf>,
    pub(super) variables: Vec<(String, OsString)>,
    /// TZ.
    pub(super) zone: Option<OsString>,
    /// Columns of the window; 0 is unknown.
    pub(super) window: u32,
    pub(super) stdin_is_terminal: bool,
    pub(super) stdout_is_terminal: bool,
    pub(super) stderr_is_terminal: bool,
}

/// What who asks sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FromAsker {
    Ask(Ask),
    /// A piece of what is handed in, as many bytes as were wanted or fewer; none is its end.
    Input(Vec<u8>),
    /// It cannot be read.
    InputFailed(String),
    /// Nobody reads stdout any more.
    OutputClosed,
}

/// What the owner sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FromOwner {
    /// For stdout.
    Output(Vec<u8>),
    /// For stderr.
    Remark(Vec<u8>),
    /// So many bytes of what is handed in are wanted.
    Pull(u32),
    /// The verb has ended with this exit code.
    End(u8),
    /// The verb is not run.
    Refused(Refusal),
}

/// Why an owner runs no verb for somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) why: Why,
    pub(super) message: String,
    pub(super) hint: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// Whoever it is may not.
    Forbidden = 1,
    /// There are too many already.
    Busy = 2,
    /// It was not understood.
    Strange = 3,
}

impl Why {
    pub(super) const fn kind(self) -> ErrorKind {
        match self {
            Self::Forbidden => ErrorKind::Refused,
            Self::Busy => ErrorKind::Locked,
            Self::Strange => ErrorKind::Unsupported,
        }
    }
}

const ASK: u8 = b'A';
const INPUT: u8 = b'I';
const INPUT_FAILED: u8 = b'F';
const OUTPUT_CLOSED: u8 = b'C';
const OUTPUT: u8 = b'O';
const REMARK: u8 = b'R';
const PULL: u8 = b'P';
const END: u8 = b'E';
const REFUSED: u8 = b'X';

impl FromAsker {
    pub(super) fn write(&self, to: impl Write) -> io::Result<()> {
        match self {
            Self::Ask(ask) => write_frame(to, ASK, &ask.encode()),
            Self::Input(bytes) => write_frame(to, INPUT, bytes),
            Self::InputFailed(why) => write_frame(to, INPUT_FAILED, why.as_bytes()),
            Self::OutputClosed => write_frame(to, OUTPUT_CLOSED, &[]),
        }
    }

    pub(super) fn read(from: impl Read) -> io::Result<Self> {
        let (kind, bytes) = read_frame(from)?;
        match kind {
            ASK => Ask::decode(&bytes).map(Self::Ask),
            INPUT => Some(Self::Input(bytes)),
            INPUT_FAILED => Some(Self::InputFailed(text(&bytes))),
            OUTPUT_CLOSED => Some(Self::OutputClosed),
            _ => None,
        }
        .ok_or_else(|| nonsense("a frame that means nothing"))
    }
}

impl FromOwner {
    pub(super) fn write(&self, to: impl Write) -> io::Result<()> {
        match self {
            Self::Output(bytes) => write_frame(to, OUTPUT, bytes),
            Self::Remark(bytes) => write_frame(to, REMARK, bytes),
            Self::Pull(bytes) => write_frame(to, PULL, &bytes.to_le_bytes()),
            Self::End(code) => write_frame(to, END, &[*code]),
            Self::Refused(refusal) => {
                let mut bytes = vec![refusal.why as u8];
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
            OUTPUT => Some(Self::Output(bytes)),
            REMARK => Some(Self::Remark(bytes)),
            PULL => take_u32(rest).map(Self::Pull),
            END => take_u8(rest).map(Self::End),
            REFUSED => Refusal::decode(rest).map(Self::Refused),
            _ => None,
        }
        .ok_or_else(|| nonsense("a frame that means nothing"))
    }
}

impl Refusal {
    fn decode(rest: &mut &[u8]) -> Option<Self> {
        let why = match take_u8(rest)? {
            1 => Why::Forbidden,
            2 => Why::Busy,
            _ => Why::Strange,
        };
        Some(Self {
            why,
            message: text(take(rest)?),
            hint: text(take(rest)?),
        })
    }
}

impl Ask {
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

    /// `None` for bytes that say nothing.
    fn decode(bytes: &[u8]) -> Option<Self> {
        let rest = &mut &*bytes;
        let mut flag = || Some(take_u8(rest)? != 0);
        let (stdin_is_terminal, stdout_is_terminal, stderr_is_terminal) =
            (flag()?, flag()?, flag()?);
        let window = take_u32(rest)?;
        let folder = take_maybe(rest)?.map(PathBuf::from);
        let zone = take_maybe(rest)?;
        // Nothing is reserved by what a count claims.
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
    // In one write, so that a frame is whole or not begun when a process is killed between two.
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
        return Err(nonsense("a frame without an end"));
    }
    // Grows with what comes, not with what is claimed.
    let mut bytes = Vec::new();
    from.take(u64::from(len)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 != u64::from(len) {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok((kind, bytes))
}

fn nonsense(what: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("the other side sent {what}"),
    )
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn put_count(out: &mut Vec<u8>, count: usize) {
    // What does not fit does not fit a frame either.
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
    reason = "the outer one is for bytes that say nothing, as in all that take"
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

    fn ask() -> Ask {
        Ask {
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
        let from_asker = [
            FromAsker::Ask(ask()),
            FromAsker::Ask(Ask::default()),
            FromAsker::Input(vec![1; PIECE_BYTES]),
            FromAsker::Input(Vec::new()),
            FromAsker::InputFailed("is a directory".to_owned()),
            FromAsker::OutputClosed,
        ];
        for sent in &from_asker {
            sent.write(&mut bytes).expect("fits");
        }
        let read = &mut &*bytes;
        for sent in &from_asker {
            assert_eq!(&FromAsker::read(&mut *read).expect("whole"), sent);
        }
        let from_owner = [
            FromOwner::Output(vec![2; PIECE_BYTES]),
            FromOwner::Remark(b"note\n".to_vec()),
            FromOwner::Pull(4096),
            FromOwner::End(6),
            FromOwner::Refused(Refusal {
                why: Why::Busy,
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
            assert_eq!(&FromOwner::read(&mut *read).expect("whole"), sent);
        }
    }

    #[test]
    fn bytes_that_are_cut_wrong_or_too_many_are_refused_and_reserve_nothing() {
        let mut frame = Vec::new();
        FromAsker::Ask(ask()).write(&mut frame).expect("fits");
        for len in 0..frame.len() {
            assert!(FromAsker::read(&frame[..len]).is_err(), "{len}");
        }
        for at in 0..frame.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut wrong = frame.clone();
                wrong[at] = value;
                // Whatever it says, it is read without a panic.
                let _ = FromAsker::read(&*wrong);
            }
        }
        let endless = [[b'I'].as_slice(), &u32::MAX.to_le_bytes()].concat();
        assert!(FromAsker::read(&*endless).is_err());
        assert!(FromOwner::read(&b"E\0\0\0\0"[..]).is_err());
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
