//! Records that a store was verified, and with which result.

use super::report::{Depth, VerifyReport};
use crate::Result;
use crate::archive::handle::Archive;
use crate::archive::messages::Draft;
use crate::event::{Body, EvidenceList, Verified};
use crate::id::EventSeq;
use crate::time::Timestamp;

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

    /// Returns the newest check for damage that is on record, with the time of its event.
    pub fn newest_verification(&self) -> Result<Option<(Timestamp, Verified)>> {
        let checks = [EvidenceList::Verifications];
        let Some(&seq) = self.snapshot()?.evidence(&checks, None, 1)?.first() else {
            return Ok(None);
        };
        let event = self.leaf(seq)?.map(|leaf| leaf.event()).transpose()?;
        Ok(event.and_then(|event| match event.body {
            Body::Verified(fact) => Some((event.time, fact)),
            _ => None,
        }))
    }
}

#[cfg(test)]
mod tests {
    use crate::archive::{Archive, Depth, NewEntry};

    /// What came since, a checkpoint of the index and a rebuild do not hide the last check.
    #[test]
    fn the_newest_check_is_known_however_much_came_since() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("store");
        let archive = Archive::builder().create(&path).expect("a store");
        assert_eq!(archive.newest_verification().expect("read"), None);
        for (number, depth) in [Depth::Deep, Depth::Quick].into_iter().enumerate() {
            let content = number.to_string();
            let new = NewEntry::new("ICT");
            archive.put(new, content.as_bytes()).expect("archived");
            let (_, recorded) = archive.verify_and_record(depth).expect("verified");
            recorded.expect("recorded");
        }
        archive
            .put(NewEntry::new("ICT"), &b"later"[..])
            .expect("archived");
        let last = |archive: &Archive| {
            let found = archive
                .newest_verification()
                .expect("read")
                .expect("a check");
            (found.1.depth, found.1.findings)
        };
        assert_eq!(last(&archive), ("quick".to_owned(), 0));
        archive.seal().expect("sealed");
        archive.close().expect("closed");
        let archive = Archive::builder().open(&path).expect("opened");
        assert_eq!(last(&archive), ("quick".to_owned(), 0));
        archive.close().expect("closed");
    }
}
