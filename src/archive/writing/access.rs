//! Records which contents were handed out, and who was not let in.

use crate::archive::handle::Archive;
use crate::archive::messages::Draft;
use crate::archive::state::sign_ins::RefusedSignIns;
use crate::event::{Accessed, Body, Door, EntryRanges, Handed};
use crate::id::EntryId;
use crate::setters::setters;
use crate::{Error, ErrorKind, Result};

/// The most entries one event lists: so many ids always fit one leaf, however scattered they are.
const ACCESSED_PER_EVENT: usize = 1_000;
/// The longest destination that is recorded, in bytes.
const TO_BYTES_MAX: usize = 4 << 10;
/// The longest address that is recorded, in bytes.
const FROM_BYTES_MAX: usize = 100;

/// The item of the recorded configuration that says whether accesses are recorded.
pub(crate) const RECORD_ACCESS: &str = "evidence.record_access";

/// Contents that are about to be handed out.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HandingOut {
    /// What it is.
    pub what: Handed,
    /// Of which entries.
    pub entries: Vec<EntryId>,
    /// By what: a verb, or "download".
    pub how: String,
    /// The folder or file it goes to.
    pub to: Option<String>,
    /// Where it was asked for.
    pub door: Door,
    /// The address that asked.
    pub from: Option<String>,
}

setters! { HandingOut {
    /// Sets the folder or file it goes to.
    to: some [String];
    /// Sets where it was asked for.
    door: [Door];
    /// Sets the address that asked.
    from: some [String];
} }

impl HandingOut {
    /// Returns what is handed out of entries at the command line, and by what.
    pub fn new(what: Handed, entries: Vec<EntryId>, how: impl Into<String>) -> Self {
        Self {
            what,
            entries,
            how: how.into(),
            to: None,
            door: Door::CommandLine,
            from: None,
        }
    }
}

impl Archive {
    /// Records that the contents of entries are handed out: `how` says by what, `to` where they go.
    /// Durable on `Ok`. Call it before the first byte is handed out.
    ///
    /// A large list is recorded as several events.
    pub fn record_access(&self, entries: &[EntryId], how: &str, to: Option<&str>) -> Result<()> {
        let mut out = HandingOut::new(Handed::Contents, entries.to_vec(), how);
        out.to = to.map(str::to_owned);
        self.record_handing_out(&out)
    }

    /// Records that contents are handed out, whether or not the store asks for it. Durable on `Ok`.
    /// Call it before the first byte is handed out.
    ///
    /// A large list is recorded as several events.
    pub fn record_handing_out(&self, out: &HandingOut) -> Result<()> {
        if out.how.trim().is_empty() {
            return Err(Error::new(
                ErrorKind::Invalid,
                "an access needs to say how the contents were handed out",
            ));
        }
        let (attempt, report) = match out.what {
            Handed::Report { attempt, report } => (Some(attempt), Some(report)),
            _ => (None, None),
        };
        for part in out.entries.chunks(ACCESSED_PER_EVENT) {
            self.append_fact(Draft::fact(Body::Accessed(Accessed {
                entries: EntryRanges::of(part.iter().copied()),
                count: part.len() as u64,
                how: out.how.clone(),
                to: out.to.as_deref().map(|to| clipped(to, TO_BYTES_MAX)),
                what: Some(out.what.name().to_owned()),
                attempt,
                report,
                outcome: None,
                door: door(out.door),
                from: Vec::from_iter(
                    out.from
                        .as_deref()
                        .map(|from| clipped(from, FROM_BYTES_MAX)),
                ),
            })))?;
        }
        Ok(())
    }

    /// Returns whether the store asks that reads are recorded: a host noted `record_access` in it.
    pub fn records_access(&self) -> Result<bool> {
        let recorded = self.recorded_config(RECORD_ACCESS)?;
        Ok(recorded.as_deref() == Some("true"))
    }

    /// Records that contents are handed out where the store asks for that. Returns whether it did.
    /// Call it before the first byte is handed out.
    ///
    /// ```
    /// use annals::archive::{Archive, HandingOut, NewEntry};
    /// use annals::event::{Door, Handed};
    ///
    /// # fn main() -> annals::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let archive = Archive::builder().create(dir.path().join("store"))?;
    /// let id = archive.put(NewEntry::new("ICT"), &b"content"[..])?.id;
    /// let out = HandingOut::new(Handed::Source, vec![id], "download").door(Door::Web);
    /// assert!(!archive.note_handing_out(&out)?, "a new store does not ask for that");
    /// # archive.close()
    /// # }
    /// ```
    pub fn note_handing_out(&self, out: &HandingOut) -> Result<bool> {
        if !self.records_access()? {
            return Ok(false);
        }
        self.record_handing_out(out)?;
        Ok(true)
    }

    /// Records that somebody at an address was not let in; `how` says with what they tried, such as
    /// "token" or "login link". Never give it what they typed.
    ///
    /// Whoever tries often must not fill the log: of one minute, the first five are recorded when
    /// they happen. Later ones are counted, and become one event with their number when the minute
    /// is over: with the next one, by [`record_sign_ins_waiting`](Self::record_sign_ins_waiting),
    /// or when the store is closed. So there are never more than six events a minute.
    pub fn record_refused_sign_in(&self, door: Door, from: &str, how: &str) -> Result<()> {
        self.channels()?;
        let now = self.store().options.clock.monotonic_ms();
        let (from, how) = (clipped(from, FROM_BYTES_MAX), clipped(how, FROM_BYTES_MAX));
        let due = {
            let mut sign_ins = self.store().sign_ins.lock().expect("no panic while held");
            sign_ins.refuse(door, from, how, now)
        };
        self.record_refused(due)
    }

    /// Records the refused sign-ins that wait since a minute or longer. Call it now and then.
    pub fn record_sign_ins_waiting(&self) -> Result<()> {
        let now = self.store().options.clock.monotonic_ms();
        let due = {
            let mut sign_ins = self.store().sign_ins.lock().expect("no panic while held");
            sign_ins.due(now)
        };
        self.record_refused(due)
    }

    /// Records all refused sign-ins that wait.
    pub(in crate::archive) fn record_sign_ins_left(&self) -> Result<()> {
        let left = {
            let mut sign_ins = self.store().sign_ins.lock().expect("no panic while held");
            sign_ins.take()
        };
        self.record_refused(left)
    }

    fn record_refused(&self, refused: Option<RefusedSignIns>) -> Result<()> {
        let Some(refused) = refused else {
            return Ok(());
        };
        self.append_fact(Draft::fact(Body::Accessed(Accessed {
            count: refused.count,
            how: refused.how.into_iter().collect::<Vec<_>>().join(", "),
            what: Some(Accessed::SIGN_IN.to_owned()),
            outcome: Some(Accessed::REFUSED.to_owned()),
            door: door(refused.door),
            from: refused.from.into_iter().collect(),
            ..Accessed::default()
        })))?;
        Ok(())
    }
}

fn clipped(text: &str, bytes: usize) -> String {
    text[..text.floor_char_boundary(bytes)].to_owned()
}

/// Returns the name of a door; the command line goes without saying.
fn door(door: Door) -> Option<String> {
    (door != Door::CommandLine).then(|| door.name().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::{NewEntry, Options};
    use crate::disk::sim::SimDisk;
    use crate::id::{AttemptNo, EventSeq};
    use std::sync::Arc;

    fn accessed(archive: &Archive) -> Vec<Accessed> {
        let events = archive.events(EventSeq(1), None).expect("readable");
        let bodies = events.map(|leaf| leaf.expect("whole").event().expect("known").body);
        let facts = bodies.filter_map(|body| match body {
            Body::Accessed(fact) => Some(fact),
            _ => None,
        });
        facts.collect()
    }

    #[test]
    fn a_download_is_recorded__with_what_where_and_who_asked() {
        let disk = Arc::new(SimDisk::new());
        let archive = Archive::create_on(disk, Options::default()).expect("a store");
        let id = archive
            .put(NewEntry::new("ICT"), &b"x"[..])
            .expect("there")
            .id;
        let what = Handed::Report {
            attempt: AttemptNo(2),
            report: 1,
        };
        let out = HandingOut::new(what, vec![id], "download");
        let out = out.door(Door::Web).from("127.0.0.1");
        assert!(!archive.note_handing_out(&out).expect("asked"));
        archive.record_handing_out(&out).expect("recorded");
        let facts = accessed(&archive);
        let [fact] = &facts[..] else {
            panic!("one event: {facts:?}");
        };
        assert!(fact.entries.contains(id) && !fact.is_refused());
        assert_eq!(fact.what.as_deref(), Some("report"));
        assert_eq!((fact.attempt, fact.report), (Some(AttemptNo(2)), Some(1)));
        assert_eq!(fact.door.as_deref(), Some("web"));
        assert_eq!(fact.from, ["127.0.0.1"]);
    }

    /// Whoever guesses tokens in a loop would have filled the disk with events about it.
    #[test]
    fn thousands_of_refused_sign_ins__are_six_events_that_count_them_all() {
        let disk = SimDisk::new();
        let archive =
            Archive::create_on(Arc::new(disk.clone()), Options::default()).expect("a store");
        for n in 0..5_000 {
            archive
                .record_refused_sign_in(Door::Web, &format!("10.0.0.{}", n % 200), "token")
                .expect("counted");
        }
        archive.record_sign_ins_waiting().expect("nothing is due");
        assert_eq!(accessed(&archive).len(), 5);
        archive.close().expect("closed");
        let archive = Archive::open_on(Arc::new(disk), Options::default()).expect("opened");
        let facts = accessed(&archive);
        assert_eq!(facts.len(), 6);
        assert!(facts.iter().all(Accessed::is_refused));
        assert_eq!(facts.iter().map(|fact| fact.count).sum::<u64>(), 5_000);
        assert_eq!(facts[5].from.len(), 16);
        assert_eq!(facts[5].how, "token");
    }
}
