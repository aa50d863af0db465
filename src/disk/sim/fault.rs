//! Which calls fail, and how often each kind of call was made.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::Arc;

/// A kind of call on a disk or an open file. Every one of them can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Call {
    /// Opening an existing file to read.
    Open,
    /// Opening an existing file to write.
    OpenToWrite,
    /// Making a file.
    Create,
    /// Making a directory.
    MakeDir,
    /// Listing a directory.
    List,
    /// Renaming.
    Rename,
    /// Removing a file.
    Remove,
    /// Making the names of a directory durable.
    SyncDir,
    /// Taking a lock.
    Lock,
    /// Asking how much space is left.
    FreeBytes,
    /// Asking the length of a file.
    Size,
    /// Reading.
    Read,
    /// Writing.
    Write,
    /// Cutting or extending a file.
    SetLen,
    /// Extending a file by zeros that have their place.
    Reserve,
    /// Making zeros of a part of a file.
    Erase,
    /// Making the content of a file durable.
    Sync,
}

impl Call {
    const fn needs_space(self) -> bool {
        matches!(
            self,
            Self::Create
                | Self::MakeDir
                | Self::Rename
                | Self::Write
                | Self::SetLen
                | Self::Reserve
                | Self::Sync
                | Self::SyncDir
        )
    }

    const fn changes(self) -> bool {
        self.needs_space() || matches!(self, Self::OpenToWrite | Self::Lock | Self::Remove)
    }
}

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// With this kind of error and nothing done. A full disk or quota strikes only calls that need
    /// space, a read-only file system only calls that change something or want to be able to; any
    /// other kind strikes every call.
    Kind(io::ErrorKind),
    /// With this error number of the system, and nothing done. It strikes every call.
    Os(i32),
    /// With an input/output error. It strikes only what makes durable: [`Call::Sync`] and
    /// [`Call::SyncDir`].
    Sync,
    /// A write does its first so many bytes, then finds the disk full. It strikes writes only.
    ShortWrite(usize),
}

impl Fault {
    /// Returns whether a call of this kind can fail with it.
    pub fn strikes(self, call: Call) -> bool {
        match self {
            Self::Kind(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => {
                call.needs_space()
            }
            Self::Kind(io::ErrorKind::ReadOnlyFilesystem) => call.changes(),
            Self::Kind(_) | Self::Os(_) => true,
            Self::Sync => matches!(call, Call::Sync | Call::SyncDir),
            Self::ShortWrite(_) => call == Call::Write,
        }
    }

    pub(super) fn error(self) -> io::Error {
        match self {
            Self::Kind(kind) => kind.into(),
            Self::Os(number) => io::Error::from_raw_os_error(number),
            Self::Sync => io::Error::from_raw_os_error(5),
            Self::ShortWrite(_) => io::ErrorKind::StorageFull.into(),
        }
    }
}

/// How long a fault lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// One call fails and the next succeeds.
    Once,
    /// Every call it can strike fails from then on.
    Sticky,
}

pub(super) struct Planned {
    pub(super) from_call: u64,
    pub(super) fault: Fault,
    pub(super) repeat: Repeat,
}

/// How often each kind of call was made, by the pattern of the file's path: numbers and long
/// hexadecimal names are shown as `#`, so that `journal/00000007` counts as `journal/#`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Census(BTreeMap<(Call, Arc<str>), u64>);

impl Census {
    pub(super) fn count(&mut self, call: Call, pattern: &Arc<str>) {
        *self.0.entry((call, Arc::clone(pattern))).or_default() += 1;
    }

    /// Adds what another one counted.
    pub fn add(&mut self, other: &Self) {
        for ((call, pattern), count) in &other.0 {
            *self.0.entry((*call, Arc::clone(pattern))).or_default() += count;
        }
    }

    /// Calls of this kind on files of this pattern.
    pub fn on(&self, call: Call, pattern: &str) -> u64 {
        self.0.get(&(call, pattern.into())).copied().unwrap_or(0)
    }

    /// Calls of this kind on all files.
    pub fn of(&self, call: Call) -> u64 {
        self.iter()
            .filter(|(of, _, _)| *of == call)
            .map(|(_, _, count)| count)
            .sum()
    }

    /// Returns all calls.
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// Each kind of call with each pattern of path, and how often.
    pub fn iter(&self) -> impl Iterator<Item = (Call, &str, u64)> {
        self.0
            .iter()
            .map(|((call, pattern), count)| (*call, &**pattern, *count))
    }
}

impl fmt::Display for Census {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (call, pattern, count) in self.iter() {
            writeln!(f, "{count:>9}  {:<9}  {pattern}", format!("{call:?}"))?;
        }
        write!(f, "{:>9}  calls", self.total())
    }
}

/// Returns the path with its numbers and long hexadecimal words shown as `#`.
pub(super) fn pattern(path: &str) -> Arc<str> {
    if path.is_empty() {
        return ".".into();
    }
    let mut out = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(first) = rest.chars().next() {
        let word = rest
            .find(|c: char| !c.is_ascii_alphanumeric())
            .unwrap_or(rest.len());
        let (now, later) = rest.split_at(word.max(first.len_utf8()));
        let number = now.bytes().all(|b| b.is_ascii_digit());
        let digest = now.len() >= 8 && now.bytes().all(|b| b.is_ascii_hexdigit());
        out.push_str(if number || digest { "#" } else { now });
        rest = later;
    }
    out.into()
}
