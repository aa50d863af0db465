//! Lists the sealed files of a store at one moment.

use std::path::Path;
use std::sync::Arc;

use crate::archive::checking::verify::report::Finding;
use crate::archive::files::pack_files::pack_files;
use crate::archive::handle::Archive;
use crate::archive::state::missing::missing_contents;
use crate::archive::state::store::Store;
use crate::evidence::tree::Frontier;
use crate::id::{EventSeq, Sha256, StoreId};
use crate::log::{LogReader, SegmentReader};
use crate::{Error, ErrorKind, Result};

/// The most findings of one kind that are listed. The rest is counted.
const LISTED_MAX: usize = 100;
/// How often a purge may interrupt a run before it gives up.
const TRIES_MAX: u32 = 16;
/// The types of the events after which content is taken away.
const PURGED_KINDS: [&[u8]; 2] = [b"annals.purged.v1", b"annals.purge.finalized.v1"];

/// The sealed files of a store, which together hold every event up to one of them.
pub(super) struct StoreFiles {
    pub(super) store: StoreId,
    /// The last event in them.
    pub(super) event: EventSeq,
    /// The root of the tree over all events up to that one.
    pub(super) root: Sha256,
    /// Contents that repairs gave up.
    pub(super) lost: u64,
    /// Ascending by path.
    pub(super) files: Vec<SourceFile>,
    pub(super) segments: Vec<Arc<SegmentReader>>,
    /// Contents that are needed and missing.
    pub(super) findings: Vec<Finding>,
}

/// A sealed file of a store.
pub(super) struct SourceFile {
    /// Its path below the store, with `/`.
    pub(super) path: String,
    pub(super) bytes: u64,
}

impl StoreFiles {
    /// Seals the journal and lists the sealed files.
    pub(super) fn freeze(archive: &Archive) -> Result<Self> {
        for _ in 0..TRIES_MAX {
            archive.seal()?;
            let store = Arc::clone(archive.store());
            let listed = archive.run_in_background(move |_| {
                let files = list(&store)?;
                Ok((!is_purged_after(&store, files.event)?).then_some(files))
            })?;
            if let Some(files) = listed {
                return Ok(files);
            }
        }
        Err(Error::new(
            ErrorKind::Refused,
            "entries were purged each time the store was looked at",
        )
        .hint("back up again when the purge has ended; the backup is as it was"))
    }

    /// Lists the files that are sealed now.
    pub(super) fn sealed(archive: &Archive) -> Result<Self> {
        let store = Arc::clone(archive.store());
        archive.run_in_background(move |_| list(&store))
    }

    /// Returns the root of the tree over the first `event` events; `None` when the log does not
    /// say.
    pub(super) fn root_at(&self, event: EventSeq) -> Result<Option<Sha256>> {
        let Some(segment) = self
            .segments
            .iter()
            .find(|segment| segment.last_seq() >= event)
        else {
            return Ok(None);
        };
        let footer = segment.footer()?;
        if segment.last_seq() == event {
            return Ok(Some(Sha256::from_bytes(footer.tree_root)));
        }
        let Some(mut tree) = self.tree_before(segment.first_seq()) else {
            return Ok(None);
        };
        for block in &footer.blocks {
            let plain = segment.block(block)?;
            for leaf in plain[..plain.len() - 1].split(|byte| *byte == b'\n') {
                if tree.size() < event.0 {
                    tree.push(leaf);
                }
            }
        }
        Ok(Some(Sha256::from_bytes(tree.root())))
    }

    /// Returns the tree over all events before `first`.
    pub(super) fn tree_before(&self, first: EventSeq) -> Option<Frontier> {
        if first == EventSeq(1) {
            return Some(Frontier::new());
        }
        let at = self
            .segments
            .partition_point(|segment| segment.last_seq() < first);
        let before = self.segments.get(at.checked_sub(1)?)?;
        (before.last_seq().next() == first).then(|| before.frontier().ok())?
    }
}

/// Lists the sealed files. Runs on the background thread, so no file comes or goes meanwhile,
/// except packs that no sealed event names.
fn list(store: &Store) -> Result<StoreFiles> {
    let segments = store.log.segments();
    let mut files: Vec<SourceFile> = segments
        .iter()
        .map(|segment| SourceFile {
            path: slashed(segment.path()),
            bytes: segment.bytes(),
        })
        .collect();
    let packs = pack_files(&*store.disk)?;
    files.extend(packs.into_values().map(|pack| SourceFile {
        path: slashed(&pack.path),
        bytes: pack.bytes,
    }));
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let (event, root) = match segments.last() {
        Some(last) => (last.last_seq(), last.footer()?.tree_root),
        None => (EventSeq(0), Frontier::new().root()),
    };
    Ok(StoreFiles {
        store: store.id,
        event,
        root: Sha256::from_bytes(root),
        lost: store.index.view().losses()?.len() as u64,
        files,
        segments,
        findings: missing(store)?,
    })
}

fn missing(store: &Store) -> Result<Vec<Finding>> {
    let missing = missing_contents(&store.index, &store.journal)?;
    let finding = |place: String, detail: &str| Finding {
        kind: "blob".to_owned(),
        r#where: place,
        detail: detail.to_owned(),
    };
    let mut findings: Vec<Finding> = missing
        .iter()
        .take(LISTED_MAX)
        .map(|id| finding(format!("content {id}"), "it is nowhere in the store"))
        .collect();
    if let Some(more) = missing
        .len()
        .checked_sub(LISTED_MAX)
        .filter(|more| *more > 0)
    {
        findings.push(finding(
            format!("{more} more contents"),
            "they are nowhere in the store",
        ));
    }
    Ok(findings)
}

/// Returns true when a purge, or the end of its grace period, was recorded after `sealed`. Its
/// content may be gone already, and a backup up to `sealed` would lack it without a reason.
fn is_purged_after(store: &Store, sealed: EventSeq) -> Result<bool> {
    let files = Arc::clone(&store.log);
    let mut reader = LogReader::new(files, sealed.next(), store.watermark.newest());
    while let Some(leaf) = reader.next_leaf() {
        let (_, leaf) = leaf?;
        let head = &leaf[..leaf.len().min(256)];
        let is_of = |kind: &&[u8]| head.windows(kind.len()).any(|part| part == *kind);
        if PURGED_KINDS.iter().any(is_of) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns a path with `/` on every system.
fn slashed(path: &Path) -> String {
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    parts.join("/")
}
