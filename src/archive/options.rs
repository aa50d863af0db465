//! How a store is opened: options, access, and progress reports.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::blob::chunker::{Cuts, STREAM_BYTES_MAX};
use crate::event::{Actor, PersonalField};
use crate::evidence::key::Signer;
use crate::time::{Clock, SystemClock};

/// How a store is opened.
#[derive(Clone)]
#[non_exhaustive]
pub struct Options {
    /// Who causes the events recorded through this handle.
    pub actor: Actor,
    /// Whether the handle may write.
    pub access: Access,
    /// How long to wait for another process to close the store.
    pub lock_wait: Duration,
    /// Bytes of one journal file, 64 KiB to 1 GiB. An event with its inline content must fit one.
    pub journal_bytes: u64,
    /// A pack is closed before it would grow past this many bytes, 4 KiB to 1 TiB.
    pub pack_bytes: u64,
    /// Content at least this long bypasses the journal and is stored in content-defined chunks.
    /// Rounded down to a power of two between 4 KiB and 1 MiB.
    ///
    /// The chunk boundaries depend on this value: with another one, new long content shares no
    /// chunks with old content.
    pub stream_bytes: usize,
    /// A family of content gets a dictionary from this many bytes on, where that makes it smaller.
    /// A family is the content of one converter with one file name extension that is sealed
    /// together. `u64::MAX` turns dictionaries off.
    pub dictionary_from: u64,
    /// Content of one class that is sealed together is first packed quickly, from this many bytes
    /// on. [`Archive::compact`](super::Archive::compact) and
    /// [`Archive::compact_while_idle`](super::Archive::compact_while_idle) pack it again, as small
    /// as was asked. `u64::MAX` has everything made small at once.
    pub quick_from: u64,
    /// Bytes of events and content that may stay in the journal when the store is closed. With
    /// more, it is sealed.
    pub journal_kept_bytes: u64,
    /// Memory for dictionaries of packs that are read, in bytes, at most 1 TiB. A dictionary takes
    /// up to 150 KiB, and each pack has its own.
    pub dictionary_cache_bytes: usize,
    /// Memory the index may take for pages, in bytes, at most 1 TiB.
    pub index_cache_bytes: usize,
    /// Content that `begin_put` has taken and that is not durable yet, in bytes, at most 1 TiB.
    ///
    /// When so much is in flight, or 1,024 records, the next call waits.
    pub in_flight_bytes: usize,
    /// Signs the log. `None`: it is not signed by this handle.
    ///
    /// The first time, the log says that it is signed with this key from then on. A store that is
    /// signed with another key is not opened.
    pub signer: Option<Arc<dyn Signer>>,
    /// How often the log is signed. `None`: as often as the log says, or by default.
    pub cadence: Option<Cadence>,
    /// A folder outside of the store that keeps a copy of the newest checkpoint, if one is named.
    ///
    /// It must exist. With it, an opening for writing notices that the log was taken back or
    /// changed.
    pub checkpoint_copies: Option<PathBuf>,
    /// A file, on a share or another disk, that every checkpoint is appended to.
    pub publish_checkpoints: Option<PathBuf>,
    /// The fields that a store is made with as personal ones. An opening declares none: see
    /// [`Archive::declare_personal`](super::Archive::declare_personal).
    pub personal: Vec<PersonalField>,
    /// The clock that events get their time from.
    pub clock: Arc<dyn Clock>,
    /// Receives the progress of long work.
    pub progress: Progress,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            actor: Actor::system(),
            access: Access::ReadWrite,
            lock_wait: Duration::ZERO,
            journal_bytes: 32 << 20,
            pack_bytes: 128 << 20,
            stream_bytes: STREAM_BYTES_MAX,
            dictionary_from: 64 << 10,
            quick_from: 1 << 20,
            journal_kept_bytes: 4 << 20,
            dictionary_cache_bytes: 16 << 20,
            index_cache_bytes: 32 << 20,
            in_flight_bytes: 64 << 20,
            signer: None,
            cadence: None,
            checkpoint_copies: None,
            publish_checkpoints: None,
            personal: Vec::new(),
            clock: Arc::new(SystemClock),
            progress: Progress::default(),
        }
    }
}

impl Options {
    /// Returns from which length on content is cut into chunks, and where.
    pub(in crate::archive) fn cuts(&self) -> Cuts {
        Cuts::from(self.stream_bytes)
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("actor", &self.actor)
            .field("access", &self.access)
            .finish_non_exhaustive()
    }
}

/// How often checkpoints are signed, while something is recorded. Without events there are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cadence {
    /// After so many events.
    pub every_events: u64,
    /// When the oldest event that no checkpoint covers is so old. Counted in whole seconds.
    pub every: Duration,
}

impl Cadence {
    /// Returns the cadence of so many events or so much time, whichever comes first.
    ///
    /// The lowest are one event and one second.
    pub fn new(every_events: u64, every: Duration) -> Self {
        Self {
            every_events: every_events.max(1),
            every: every.max(Duration::from_secs(1)),
        }
    }
}

impl Default for Cadence {
    /// Every 10,000 events or every hour.
    fn default() -> Self {
        Self::new(10_000, Duration::from_hours(1))
    }
}

/// What a handle may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Access {
    /// Reading and writing. One process at a time.
    ReadWrite,
    /// Reading only. Log and packs are not touched. The index, which holds nothing the log does
    /// not, may be brought up to date.
    ReadOnly,
}

/// Receives the progress of long work: done, total, and what the work is.
#[derive(Clone, Default)]
pub struct Progress(Option<Arc<ProgressFn>>);

type ProgressFn = dyn Fn(u64, u64, &str) + Send + Sync;

impl Progress {
    /// Calls `receive` now and then, from any thread.
    pub fn to(receive: impl Fn(u64, u64, &str) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(receive)))
    }

    /// Reports the progress of the work.
    pub fn report(&self, done: u64, total: u64, what: &str) {
        if let Some(receive) = &self.0 {
            receive(done, total, what);
        }
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Progress").field(&self.0.is_some()).finish()
    }
}
