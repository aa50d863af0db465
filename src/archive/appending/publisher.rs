//! Lets readers see a group of events that is durable.

use std::sync::Arc;

use crate::archive::state::journal_blobs::JournalBlobs;
use crate::archive::state::layers::LayeredIndex;
use crate::archive::state::signing::Signing;
use crate::archive::state::watermark::Watermark;
use crate::id::BlobId;
use crate::index::Overlay;
use crate::log::{JournalPlace, LiveFrame, LogFiles};

/// What the writer changes for readers: log, journal, index and watermark.
pub(in crate::archive) struct Publisher {
    pub(in crate::archive) log: Arc<LogFiles>,
    pub(in crate::archive) index: Arc<LayeredIndex>,
    pub(in crate::archive) journal: Arc<JournalBlobs>,
    pub(in crate::archive) watermark: Arc<Watermark>,
    pub(in crate::archive) signing: Arc<Signing>,
}

impl Publisher {
    /// Publishes a durable group: bytes first, then the rows that name them.
    ///
    /// The watermark changes together with the rows. So a plan that was made of rows is never told
    /// that this store has not come as far, and whoever was told of an event finds its rows.
    pub(in crate::archive) fn publish(
        &self,
        active: Arc<Overlay>,
        frames: Vec<LiveFrame>,
        in_journal: Vec<(BlobId, JournalPlace)>,
    ) {
        self.journal.add(in_journal);
        let last = frames.last().map(|frame| frame.seq);
        self.log.add_live(frames);
        let mut woken = None;
        self.index.publish(active, || {
            woken = last.map(|last| self.watermark.raise(last));
        });
        if let Some(woken) = woken {
            woken.wake();
        }
        if let Some(last) = last {
            self.signing.reached(last);
        }
    }
}
