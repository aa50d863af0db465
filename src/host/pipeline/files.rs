//! A file on its way through the stages of the host.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::disposition::{Disposition, Safety};
use super::history::entry;
use super::waiting::{QueuePosition, SerialPlace};
use crate::Result;
use crate::archive::Archive;
use crate::convert::{Conversion, Runner, Session};
use crate::entry::Entry;
use crate::host::active_config::ActiveConfig;
use crate::host::config::settings::{ConverterConfig, Subfolders};
use crate::host::file_id::FileId;
use crate::host::sources::candidate::Candidate;
use crate::host::sources::clear::is_below;
use crate::host::sources::fingerprint::Fingerprint;
use crate::host::sources::source::Source;
use crate::id::{BlobId, ConverterId, EntryId};

/// The pause before a file is read again, unless it waits for a retry.
pub(super) const LOOK_AGAIN: Duration = Duration::from_secs(5);

pub(super) const STOPPING: &str = "the host is stopping";

pub(super) const PARKED: &str = "its converter cannot run";

/// How long a step on a file may take before its folder counts as silent.
///
/// A conversion may take its `timeout_s` in addition, and a long file a second for each
/// [`BYTES_A_SECOND`].
const PATIENCE: Duration = Duration::from_secs(10);

const CONVERTER_START: Duration = Duration::from_secs(30);

const BYTES_A_SECOND: u64 = 2 << 20;

/// A file that the host has taken.
pub(in crate::host) struct TakenFile {
    pub(in crate::host) candidate: Candidate,
    pub(in crate::host) active: Arc<ActiveConfig>,
    /// Number of failed conversions that no entry counts.
    pub(in crate::host) failures: u32,
    /// How often the file was left because its converter could not run.
    pub(in crate::host) trials: u32,
    pub(in crate::host) since: Instant,
}

impl TakenFile {
    pub(in crate::host) fn config(&self) -> &ConverterConfig {
        &self.active.config.converters[self.candidate.converter]
    }

    /// Returns the source as it was when it was read.
    pub(super) fn source<'a>(&'a self, seen: &'a Fingerprint) -> Source<'a> {
        Source {
            path: &self.candidate.path,
            seen,
            within: self.tree(),
            marker: self.config().complete_marker.as_deref(),
        }
    }

    /// Returns the watch folder, if it is read with its subfolders.
    fn tree(&self) -> Option<&Path> {
        let config = self.config();
        let is_tree = config.subfolders == Subfolders::Read;
        config.watch_folder.as_deref().filter(|_| is_tree)
    }

    /// Returns true when a file that was opened by the source's path lies in its watch folder.
    ///
    /// Whoever writes into the watch folder may replace a subfolder by a link to elsewhere.
    pub(super) fn is_in_its_folder(&self, opened: &FileId) -> Result<bool> {
        let Some(tree) = self.tree() else {
            return Ok(true);
        };
        is_below(tree, &self.candidate.path, opened)
    }

    /// Returns where the source goes in a done or error folder: to the subfolder of the name of
    /// its own, so that equal names of two subfolders stay apart.
    pub(super) fn beside(&self, outlet: &Path) -> PathBuf {
        let own = self.tree().and_then(|tree| {
            let folder = self.candidate.path.parent()?;
            folder.strip_prefix(tree).ok()
        });
        match own {
            Some(own) if own != Path::new("") => outlet.join(own),
            _ => outlet.to_owned(),
        }
    }

    pub(in crate::host) fn position(&self) -> QueuePosition {
        let path = self.candidate.path.clone();
        let config = self.config();
        let folder = config.watch_folder.as_deref().or(path.parent());
        QueuePosition {
            priority: config.priority,
            in_order: None,
            modified: self.candidate.meta.modified,
            folder: folder.unwrap_or(Path::new("")).into(),
            path,
            converter: config.converter.name.as_str().into(),
            patience: PATIENCE + Duration::from_secs(self.candidate.meta.size / BYTES_A_SECOND),
        }
    }

    /// Returns the position in the queue of files to convert. A conversion may also wait for a
    /// worker to start. `known` is the entry of the file, where its order matters.
    pub(super) fn position_to_convert(&self, known: Option<&Entry>) -> QueuePosition {
        let position = self.position();
        let converter = &self.config().converter;
        let in_order = known.map(|entry| {
            let serial = entry.unit.serial.as_deref();
            let serial = converter.order.serial_of(serial, &entry.source_name);
            SerialPlace {
                entry: entry.id,
                serial: serial.map(Into::into),
                queued_after: 0,
            }
        });
        QueuePosition {
            in_order,
            patience: position.patience + converter.bounds.timeout + CONVERTER_START,
            ..position
        }
    }
}

/// A file that is archived, or need not be.
pub(in crate::host) struct ArchivedFile {
    pub(in crate::host) taken: TakenFile,
    pub(in crate::host) seen: Fingerprint,
    pub(super) safety: Safety,
    pub(in crate::host) entry: Option<EntryId>,
}

/// A file whose conversion is over.
pub(in crate::host) enum FinalJob {
    /// The result of the conversion is to be recorded.
    Record(Box<ConvertedFile>),
    /// The result was recorded before; the file is to be cleared away.
    Clear(Box<TakenFile>, Box<Cleanup>),
}

impl FinalJob {
    pub(in crate::host) fn taken(&self) -> &TakenFile {
        match self {
            Self::Record(ran) => &ran.ready.taken,
            Self::Clear(taken, _) => taken,
        }
    }
}

pub(in crate::host) struct ConvertedFile {
    pub(super) ready: ArchivedFile,
    /// The runner and session to record for; `None` when nothing is archived.
    pub(super) recorder: Option<(Arc<Runner>, Arc<Session>)>,
    pub(super) conversion: Conversion,
}

/// How a file is cleared away.
#[derive(Debug, Clone)]
pub(in crate::host) struct Cleanup {
    pub(in crate::host) seen: Fingerprint,
    pub(super) disposition: Disposition,
    /// The entry that holds the file; `None` when nothing is archived.
    pub(in crate::host) entry: Option<EntryId>,
    /// The converter identity that could not convert the file, if that is recorded.
    pub(super) failed_by: Option<ConverterId>,
}

impl Cleanup {
    /// Returns whether a purge took the source, with its entry or alone.
    pub(super) fn is_purged(&self, archive: &Archive) -> Result<bool> {
        let Some(id) = self.entry else {
            return Ok(false);
        };
        let entry = entry(archive, id)?;
        Ok(entry.purged_at.is_some() || entry.source_purge().is_some())
    }

    pub(super) fn is_facts_only(&self, archive: &Archive) -> Result<bool> {
        self.entry
            .map_or(Ok(false), |id| Ok(entry(archive, id)?.facts_only))
    }

    /// Returns the reports of the file in the archive.
    pub(in crate::host) fn reports(&self, archive: &Archive) -> Result<Vec<BlobId>> {
        let Some(id) = self.entry else {
            return Ok(Vec::new());
        };
        let attempts = entry(archive, id)?.attempts;
        Ok(attempts
            .iter()
            .flat_map(|attempt| attempt.reports.iter().map(|report| report.blake3))
            .collect())
    }
}

/// The result of one stage.
pub(in crate::host) enum StageResult<T> {
    Next(T),
    CleanUp(Box<Cleanup>),
    /// The file is left for a later scan, for this reason.
    Left(&'static str),
}
