//! The archive for programs that run on tokio: awaitable operations that do not block the runtime.

use std::future::poll_fn;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::task::spawn_blocking;

use crate::archive::checking::verify::Depth;
use crate::archive::handle::Archive;
use crate::archive::options::Options;
use crate::archive::state::compact_outcome::CompactOutcome;
use crate::archive::writing::pending::Pending;
use crate::archive::writing::put::NewEntry;
use crate::archive::{
    Annotation, Archived, BackupOptions, BackupOutcome, KnownDamage, NewAttempt, Page,
    PurgeOutcome, Stats, VerifyReport,
};
use crate::entry::Entry;
use crate::id::{AttemptNo, BlobId, EntryId, EventSeq};
use crate::query::Query;
use crate::retention::{AsOf, Policy, PurgePlan};
use crate::{Error, ErrorKind, Result};

/// A store whose operations are futures. Cheap to clone; it shares the writer with the [`Archive`]
/// it was made from.
///
/// Hashing, compression and reading run on tokio's blocking threads. No thread waits while an
/// acknowledgement is awaited. A future that is dropped before it is ready may or may not have
/// recorded its fact.
#[derive(Debug, Clone)]
pub struct AsyncArchive {
    archive: Archive,
}

impl From<Archive> for AsyncArchive {
    fn from(archive: Archive) -> Self {
        Self { archive }
    }
}

impl AsyncArchive {
    /// See [`Archive::create`].
    pub async fn create(dir: impl Into<PathBuf>, options: Options) -> Result<Self> {
        let dir = dir.into();
        blocking(move || Archive::create(dir, options).map(Self::from)).await
    }

    /// See [`Archive::open`].
    pub async fn open(dir: impl Into<PathBuf>, options: Options) -> Result<Self> {
        let dir = dir.into();
        blocking(move || Archive::open(dir, options).map(Self::from)).await
    }

    /// Returns the store for calls that block.
    pub fn blocking(&self) -> &Archive {
        &self.archive
    }

    /// See [`Archive::put`]; the content is in memory. No thread waits for the disk meanwhile.
    pub async fn put(&self, new: NewEntry, content: impl Into<Arc<[u8]>>) -> Result<Archived> {
        self.begin_put(new, content).await?.await
    }

    /// See [`Archive::begin_put`]; the content is in memory. Waits as a task until there is room.
    pub async fn begin_put(
        &self,
        new: NewEntry,
        content: impl Into<Arc<[u8]>>,
    ) -> Result<Pending<Archived>> {
        let content = content.into();
        let in_flight = Arc::clone(&self.archive.channels()?.in_flight);
        let is_small = content.len() < self.archive.store().options.cuts().stream_bytes();
        let charged = if is_small { content.len() } else { 0 };
        let permit = poll_fn(|context| in_flight.poll_take(charged, context)).await;
        self.run(move |archive| archive.begin_with(&new, &content, permit))
            .await
    }

    /// See [`Archive::put_file`].
    pub async fn put_file(&self, path: impl Into<PathBuf>, new: NewEntry) -> Result<Archived> {
        let path = path.into();
        self.run(move |archive| archive.put_file(&path, new)).await
    }

    /// See [`Archive::record_attempt`].
    pub async fn record_attempt(&self, entry: EntryId, attempt: NewAttempt) -> Result<AttemptNo> {
        self.run(move |archive| archive.record_attempt(entry, attempt))
            .await
    }

    /// See [`Archive::annotate`].
    pub async fn annotate(&self, entry: EntryId, annotation: Annotation) -> Result<EventSeq> {
        self.run(move |archive| archive.annotate(entry, annotation))
            .await
    }

    /// See [`Archive::record_submission`].
    pub async fn record_submission(
        &self,
        entry: EntryId,
        attempt: AttemptNo,
        report: u32,
        report_id: String,
        endpoint: Option<String>,
    ) -> Result<()> {
        self.run(move |archive| {
            archive.record_submission(entry, attempt, report, &report_id, endpoint.as_deref())
        })
        .await
    }

    /// See [`Snapshot::entry`](crate::archive::Snapshot::entry).
    pub async fn entry(&self, id: EntryId) -> Result<Option<Entry>> {
        self.run(move |archive| archive.snapshot()?.entry(id)).await
    }

    /// See [`Snapshot::query`](crate::archive::Snapshot::query).
    pub async fn query(&self, query: Query) -> Result<Page> {
        self.run(move |archive| archive.snapshot()?.query(&query))
            .await
    }

    /// See [`Snapshot::find`](crate::archive::Snapshot::find).
    pub async fn find(&self, text: String, limit: usize) -> Result<Vec<Entry>> {
        self.run(move |archive| archive.snapshot()?.find(&text, limit))
            .await
    }

    /// See [`Snapshot::stats`](crate::archive::Snapshot::stats).
    pub async fn stats(&self) -> Result<Stats> {
        self.run(|archive| archive.snapshot()?.stats()).await
    }

    /// See [`Archive::known_damage`].
    pub async fn known_damage(&self) -> Result<KnownDamage> {
        self.run(Archive::known_damage).await
    }

    /// See [`Archive::read_all`].
    pub async fn read_all(&self, blob: BlobId, limit: u64) -> Result<Vec<u8>> {
        self.run(move |archive| archive.read_all(&blob, limit))
            .await
    }

    /// See [`Archive::plan_purge`].
    pub async fn plan_purge(&self, policy: Policy, as_of: AsOf) -> Result<PurgePlan> {
        self.run(move |archive| archive.plan_purge(&policy, as_of))
            .await
    }

    /// See [`Archive::purge`].
    pub async fn purge(&self, plan: PurgePlan, reason: String) -> Result<PurgeOutcome> {
        self.run(move |archive| archive.purge(&plan, &reason)).await
    }

    /// See [`Archive::compact`].
    pub async fn compact(&self, max_bytes: Option<u64>) -> Result<CompactOutcome> {
        self.run(move |archive| archive.compact(max_bytes)).await
    }

    /// See [`Archive::backup`].
    pub async fn backup(
        &self,
        dir: impl Into<PathBuf>,
        options: BackupOptions,
    ) -> Result<BackupOutcome> {
        let dir = dir.into();
        self.run(move |archive| archive.backup(dir, &options)).await
    }

    /// See [`Archive::seal`].
    pub async fn seal(&self) -> Result<()> {
        self.run(Archive::seal).await
    }

    /// See [`Archive::verify`].
    pub async fn verify(&self, depth: Depth) -> Result<VerifyReport> {
        self.run(move |archive| archive.verify(depth)).await
    }

    /// See [`Archive::rebuild`].
    pub async fn rebuild(&self) -> Result<EventSeq> {
        self.run(Archive::rebuild).await
    }

    /// See [`Archive::close`].
    pub async fn close(self) -> Result<()> {
        blocking(move || self.archive.close()).await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Archive) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let archive = self.archive.clone();
        blocking(move || work(&archive)).await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    spawn_blocking(work).await.map_err(|_| ended())?
}

pub(super) fn ended() -> Error {
    Error::new(
        ErrorKind::Poisoned,
        "the runtime or the writer ended before the answer came",
    )
    .hint("open the store again to learn whether it was recorded")
}
