//! How a store is opened: options, access, and progress reports.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::blob::chunker::{Cuts, STREAM_BYTES_MAX};
use crate::event::Actor;
use crate::time::{Clock, SystemClock};

/// How a store is opened.
#[derive(Clone)]
pub struct Options {
    /// Who causes the events recorded through this handle.
    pub actor: Actor,
    /// For writing, or only to look.
    pub access: Access,
    /// How long to wait for another process to let go of the store.
    pub lock_wait: Duration,
    /// Bytes of one journal file, 64 KiB to 1 GiB. An event with its inline content must fit one.
    pub journal_bytes: u64,
    /// A pack is closed before it would grow past this many bytes, 4 KiB to 1 TiB.
    pub pack_bytes: u64,
    /// Content of this size and more goes straight into packs, in chunks of which a change in the
    /// middle spares the others; rounded down to a power of two between 4 KiB and 1 MiB. Where
    /// chunks are cut follows from it: another value shares nothing with long content that was
    /// stored before.
    pub stream_bytes: usize,
    /// Small content of one kind (of one converter, with one file name extension) that is sealed
    /// together is compressed with a dictionary made of some of it, from so many bytes on and where
    /// that makes it smaller. `u64::MAX` is never.
    pub dictionary_from: u64,
    /// Memory for dictionaries that were used to read, in bytes, at most 1 TiB; one takes up to 150
    /// KiB or so, and each pack has its own.
    pub dictionary_cache_bytes: usize,
    /// Memory the index may take for pages, in bytes, at most 1 TiB.
    pub index_cache_bytes: usize,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// Told how far long work has come.
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
            dictionary_cache_bytes: 16 << 20,
            index_cache_bytes: 32 << 20,
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

/// What a handle may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everything. One process at a time.
    ReadWrite,
    /// Only look. Log and packs are not touched; the index, which holds nothing the log does not,
    /// may be brought up to date.
    ReadOnly,
}

/// Receives how far long work has come: done, total, and what it is.
#[derive(Clone, Default)]
pub struct Progress(Option<Arc<ProgressFn>>);

type ProgressFn = dyn Fn(u64, u64, &str) + Send + Sync;

impl Progress {
    /// Calls `receive` now and then, from any thread.
    pub fn to(receive: impl Fn(u64, u64, &str) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(receive)))
    }

    /// Says how far the work has come.
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
