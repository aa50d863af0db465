//! Defines which calls fail and how, and counts calls.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::Arc;

/// A kind of call on a disk or an open file. Each kind can fail.
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
    /// Reading the free space.
    FreeBytes,
    /// Reading the length of a file.
    Size,
    /// Reading.
    Read,
    /// Writing.
    Write,
    /// Truncating or extending a file.
    SetLen,
    /// Allocating space for the first bytes of a file.
    Reserve,
    /// Turning a part of a file into zeros.
    Erase,
    /// Giving back the space of a part of a file.
    Release,
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
    /// Fails with this kind of error and does nothing. A full disk or quota strikes only calls that
    /// need space. A read-only file system strikes only calls that change something or open for
    /// writing. Any other kind strikes every call.
    Kind(io::ErrorKind),
    /// Fails with this error number of the system and does nothing. It strikes every call.
    Os(i32),
    /// Fails with an input/output error. It strikes only [`Call::Sync`] and [`Call::SyncDir`].
    Sync,
    /// Writes this many bytes and then finds the disk full. It strikes writes only.
    ShortWrite(usize),
}

impl Fault {
    /// Returns whether this fault can strike a call of this kind.
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
    /// Every suitable call fails from then on.
    Sticky,
}

pub(super) struct Planned {
    pub(super) from_call: u64,
    pub(super) fault: Fault,
    pub(super) repeat: Repeat,
}

/// Counts calls by kind and by pattern of path. Numbers and long hexadecimal names are replaced by
/// `#`, so `journal/00000007` counts as `journal/#`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Census(BTreeMap<(Call, Arc<str>), u64>);

impl Census {
    pub(super) fn count(&mut self, call: Call, pattern: &Arc<str>) {
        *self.0.entry((call, Arc::clone(pattern))).or_default() += 1;
    }

    /// Adds the counts of another census.
    pub fn add(&mut self, other: &Self) {
        for ((call, pattern), count) in &other.0 {
            *self.0.entry((*call, Arc::clone(pattern))).or_default() += count;
        }
    }

    /// Returns the number of calls of this kind on paths of this pattern.
    pub fn on(&self, call: Call, pattern: &str) -> u64 {
        self.0.get(&(call, pattern.into())).copied().unwrap_or(0)
    }

    /// Returns the number of calls of this kind on all paths.
    pub fn of(&self, call: Call) -> u64 {
        self.iter()
            .filter(|(of, _, _)| *of == call)
            .map(|(_, _, count)| count)
            .sum()
    }

    /// Returns the number of all calls.
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// Returns each kind of call with each pattern of path and the count.
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

/// Returns the path with numbers and long hexadecimal words replaced by `#`.
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
