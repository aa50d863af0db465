//! Records that a store was verified, and with which result.

use super::report::{Depth, VerifyReport};
use crate::Result;
use crate::archive::handle::Archive;
use crate::archive::messages::Draft;
use crate::event::{Body, Verified};
use crate::id::EventSeq;

impl Archive {
    /// Verifies the store as [`Archive::verify`] does, and records the result. The record is
    /// durable when its event is returned.
    ///
    /// The report is returned even when it cannot be recorded: a log that is damaged takes no
    /// events.
    ///
    /// ```
    /// use annals::archive::{Archive, Depth};
    ///
    /// # fn main() -> annals::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let archive = Archive::builder().create(dir.path().join("store"))?;
    /// let (report, recorded) = archive.verify_and_record(Depth::Deep)?;
    /// assert!(report.ok);
    /// assert_eq!(recorded?, archive.newest());
    /// # archive.close()
    /// # }
    /// ```
    pub fn verify_and_record(&self, depth: Depth) -> Result<(VerifyReport, Result<EventSeq>)> {
        let upto = self.newest();
        let report = self.verify(depth)?;
        let recorded = self.append_fact(Draft::fact(Body::Verified(Verified {
            depth: match depth {
                Depth::Quick => "quick".to_owned(),
                Depth::Deep => "deep".to_owned(),
            },
            upto,
            events: report.events,
            packs: report.packs,
            blobs: report.blobs,
            checked_bytes: report.checked_bytes,
            findings: report.findings.len() as u64,
        })));
        Ok((report, recorded))
    }
}
