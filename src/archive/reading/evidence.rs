//! Lists of events about evidence, newest first.

use crate::Result;
use crate::archive::handle::Archive;
use crate::archive::reading::read::Leaf;
use crate::archive::reading::snapshot::Snapshot;
use crate::archive::signing::declared::key_of;
use crate::event::EvidenceList;
use crate::evidence::note::VerifierKey;
use crate::id::EventSeq;
use crate::query::Count;

impl Snapshot {
    /// Returns the events of some lists, the newest first: at most `limit`, all of them older than
    /// `before`. Reads no other events, however long the log is.
    ///
    /// ```
    /// use annals::archive::{Archive, NewEntry};
    /// use annals::event::EvidenceList;
    ///
    /// # fn main() -> annals::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let archive = Archive::builder().create(dir.path().join("store"))?;
    /// let id = archive.put(NewEntry::new("ICT"), &b"content"[..])?.id;
    /// archive.record_access(&[id], "cat", None)?;
    /// let lists = [EvidenceList::CommandLineAccesses, EvidenceList::WebAccesses];
    /// let accesses = archive.snapshot()?.evidence(&lists, None, 10)?;
    /// assert_eq!(accesses, [archive.newest()]);
    /// # archive.close()
    /// # }
    /// ```
    pub fn evidence(
        &self,
        lists: &[EvidenceList],
        before: Option<EventSeq>,
        limit: usize,
    ) -> Result<Vec<EventSeq>> {
        let mut newest = Vec::new();
        for list in lists {
            newest.extend(self.view().evidence_list(*list, before, limit)?);
        }
        newest.sort_unstable_by(|a, b| b.cmp(a));
        newest.dedup();
        newest.truncate(limit);
        Ok(newest)
    }

    /// Counts the events of some lists, no further than `limit`.
    pub fn count_evidence(&self, lists: &[EvidenceList], limit: usize) -> Result<Count> {
        let mut n = 0;
        for list in lists {
            n += self.view().evidence_list(*list, None, limit + 1)?.len();
        }
        Ok(Count {
            n: n.min(limit) as u64,
            more: n > limit,
        })
    }
}

impl Archive {
    /// Returns an event; `None` when there is none of that number yet.
    pub fn leaf(&self, seq: EventSeq) -> Result<Option<Leaf>> {
        self.events(seq, Some(seq))?.next().transpose()
    }

    /// Returns every key that the log names, the oldest first, each with the event that says from
    /// when on it is used. A statement that cannot be read names none; `verify` reports it.
    pub fn keys_of_log(&self) -> Result<Vec<(EventSeq, VerifierKey)>> {
        let events = self
            .snapshot()?
            .evidence(&[EvidenceList::Keys], None, usize::MAX)?;
        let mut keys = Vec::new();
        for seq in events.into_iter().rev() {
            let event = self.leaf(seq)?.and_then(|leaf| leaf.event().ok());
            let key = event.and_then(|event| key_of(&event.body)?.ok());
            keys.extend(key.map(|key| (seq, key)));
        }
        Ok(keys)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::archive::{NewEntry, Options};
    use crate::disk::sim::SimDisk;
    use crate::event::Door;

    /// What lies in the tables and what is still in memory make one list: no page lacks an event
    /// of either, and none has one twice.
    #[test]
    fn a_list_goes_on_from_memory_into_the_tables() {
        let disk = SimDisk::new();
        let make = |archive: &Archive, nth: u64| {
            let content = nth.to_string();
            let id = archive.put(NewEntry::new("ICT"), content.as_bytes());
            let id = id.expect("archived").id;
            archive.record_access(&[id], "cat", None).expect("recorded");
            if nth.is_multiple_of(3) {
                let refused = archive.record_refused_sign_in(Door::Web, "10.0.0.9", "token");
                refused.expect("recorded");
            }
        };
        let archive = Archive::create_on(Arc::new(disk.clone()), Options::default());
        let archive = archive.expect("a store");
        (0..7).for_each(|nth| make(&archive, nth));
        archive.close().expect("closed");
        let archive = Archive::open_on(Arc::new(disk), Options::default()).expect("opened");
        (7..12).for_each(|nth| make(&archive, nth));
        let lists = [
            EvidenceList::CommandLineAccesses,
            EvidenceList::RefusedSignIns,
        ];
        let expected = archive.events(EventSeq(1), None).expect("readable");
        let expected = expected.map(|leaf| leaf.expect("whole").event().expect("known"));
        let is_listed = |event: &crate::event::Event| {
            EvidenceList::of(&event.body).is_some_and(|list| lists.contains(&list))
        };
        let mut expected: Vec<EventSeq> =
            expected.filter(is_listed).map(|event| event.seq).collect();
        expected.reverse();
        assert_eq!(expected.len(), 16);
        let snapshot = archive.snapshot().expect("a snapshot");
        for limit in 1..=17 {
            let (mut found, mut before) = (Vec::new(), None);
            loop {
                let page = snapshot.evidence(&lists, before, limit).expect("readable");
                let Some(last) = page.last() else { break };
                before = Some(*last);
                found.extend(page);
            }
            assert_eq!(found, expected, "{limit}");
        }
        for (limit, n, more) in [(16, 16, false), (15, 15, true), (100, 16, false)] {
            let count = snapshot.count_evidence(&lists, limit).expect("counted");
            assert_eq!((count.n, count.more), (n, more));
        }
    }
}
