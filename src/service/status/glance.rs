//! What a store holds at a glance, from counters of its index and without a walk over entries.

use super::figures::held;
use crate::Result;
use crate::entry::{CauseKind, Status};
use crate::query::Filter;
use crate::service::desk::Desk;
use crate::time::Timestamp;

/// A store at a glance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glance {
    /// Entries that are not purged.
    pub entries: u64,
    /// How many of them have each status.
    pub by_status: Vec<(Status, u64)>,
    /// Entries that were purged.
    pub purged: u64,
    /// Reports that wait to be submitted.
    pub waiting: u64,
    /// How many entries have a report that the server refused.
    pub refused: u64,
    /// Bytes that the store takes on its disk.
    pub disk_bytes: u64,
    /// Bytes that are free there, where the system says so.
    pub free_bytes: Option<u64>,
    /// The last check for damage that is on record: when, and how many findings it had.
    pub verified: Option<(Timestamp, u64)>,
    /// How many holds there are.
    pub holds: u64,
    /// How many entries they are on.
    pub held: u64,
}

impl Glance {
    /// Reads what a store holds.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn read(desk: &Desk) -> Result<Self> {
        let archive = &desk.archive;
        let snapshot = archive.snapshot()?;
        let stats = snapshot.stats()?;
        let held = held(archive, &snapshot, desk.now)?;
        let by_status = Status::ALL.map(|status| {
            let groups = stats.statuses.iter();
            let of_it = groups.filter(|group| group.name == status.to_string());
            (status, of_it.map(|group| group.entries).sum())
        });
        let causes = snapshot.failures(&Filter::default())?;
        let refused = causes
            .iter()
            .filter(|of| of.cause.kind == CauseKind::Refused);
        let verified = archive.newest_verification()?;
        Ok(Self {
            entries: stats.entries,
            by_status: by_status.to_vec(),
            purged: stats.purged,
            waiting: snapshot.pending_submissions()?.count,
            refused: refused.map(|of| of.entries).sum(),
            disk_bytes: stats.stored_bytes + stats.log_bytes + stats.index_bytes,
            free_bytes: archive.free_bytes(),
            verified: verified.map(|(at, fact)| (at, fact.findings)),
            holds: held.holds,
            held: held.entries,
        })
    }

    /// Returns how many entries have a status.
    pub fn of(&self, status: Status) -> u64 {
        let counts = self.by_status.iter().filter(|(of, _)| *of == status);
        counts.map(|(_, entries)| entries).sum()
    }

    /// Returns the command to run next, and why.
    pub fn next(&self) -> (&'static str, &'static str) {
        if self.entries + self.purged == 0 {
            return (
                "annals archive PATH -c CONVERTER",
                "nothing is archived yet",
            );
        }
        if self.verified.is_some_and(|(_, findings)| findings > 0) {
            return ("annals repair --dry-run", "the last check found damage");
        }
        if self.of(Status::Failed) + self.of(Status::Rejected) + self.refused > 0 {
            return ("annals failures", "what went wrong, by cause");
        }
        if self.waiting > 0 {
            return ("annals host status", "why reports wait");
        }
        if self.verified.is_none() {
            return ("annals verify --record", "no check is on record");
        }
        (
            "annals find TEXT",
            "by serial, part, file name, report id or hash",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quiet() -> Glance {
        Glance {
            entries: 7,
            by_status: vec![(Status::Success, 7)],
            purged: 0,
            waiting: 0,
            refused: 0,
            disk_bytes: 1,
            free_bytes: None,
            verified: Some((Timestamp::from_micros(0), 0)),
            holds: 0,
            held: 0,
        }
    }

    #[test]
    fn the_next_command_is_about_what_is_most_urgent() {
        let next = |change: fn(&mut Glance)| {
            let mut glance = quiet();
            change(&mut glance);
            glance.next().0
        };
        assert_eq!(next(|_| {}), "annals find TEXT");
        assert_eq!(next(|it| it.verified = None), "annals verify --record");
        assert_eq!(next(|it| it.waiting = 1), "annals host status");
        let failed = |it: &mut Glance| {
            it.waiting = 1;
            it.by_status.push((Status::Failed, 1));
        };
        assert_eq!(next(failed), "annals failures");
        assert_eq!(next(|it| it.refused = 1), "annals failures");
        let damaged = |it: &mut Glance| it.verified = Some((Timestamp::from_micros(0), 2));
        assert_eq!(next(damaged), "annals repair --dry-run");
        assert_eq!(
            next(|it| (it.entries, it.verified) = (0, None)),
            "annals archive PATH -c CONVERTER"
        );
    }
}
