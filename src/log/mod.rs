//! The log: append-only, ordered, never rewritten in place.
//!
//! New events go to the *journal* (recycled files, one sync a group); a full journal file is later sealed into a
//! *segment*. The journal is the only thing synced before an acknowledgement.

mod appender;
mod journal;
mod mend;
mod reader;
mod recovery;
mod salvage;
mod segment;

use std::io;
use std::path::{Path, PathBuf};

use crate::disk::{DirEntry, Disk};
use crate::format::frame::FrameError;
use crate::format::leaf::LeafError;
use crate::format::segment::SegmentError;
use crate::id::EventSeq;
use crate::{Error, ErrorKind};

pub(crate) use appender::{Appender, FrameDraft, FullJournal, Staged};
pub(crate) use journal::{
    JOURNAL_BYTES_MAX, JOURNAL_BYTES_MIN, Journal, JournalPlace, journal_path,
};
pub(crate) use mend::{LogMend, SpareEvents};
pub(crate) use reader::{LiveFrame, LogFiles, LogReader, OwnedFrame, read_frame};
pub(crate) use recovery::{Found, TornTail, cut, recover};
pub(crate) use salvage::Remains;
pub(crate) use segment::{SegmentReader, SegmentWriter, first_seq_of};

/// The folder of journal files.
pub(crate) const JOURNAL_DIR: &str = "journal";
/// The folder of segments.
pub(crate) const EVENTS_DIR: &str = "events";

/// Lists a folder of the log. A folder that is missing is empty: copies made without empty folders
/// lack it, and what it should have held is missed by number.
fn list_or_nothing(disk: &dyn Disk, dir: &Path) -> Result<Vec<DirEntry>, LogError> {
    match disk.list(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        other => other.map_err(LogError::io("list", dir)),
    }
}

/// What can go wrong in the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogError {
    #[error("cannot {action} {path}: {source}", path = path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("whether {path} has its name is not known: {source}", path = path.display())]
    Unsure { path: PathBuf, source: io::Error },
    #[error("{path} is damaged at byte {offset}: {why}", path = path.display())]
    Frame {
        path: PathBuf,
        offset: u64,
        why: FrameError,
    },
    #[error("{path} is damaged: {why}", path = path.display())]
    Segment { path: PathBuf, why: SegmentError },
    #[error("{path} does not open: {why}", path = path.display())]
    Unpack { path: PathBuf, why: String },
    #[error("event {seq} is not in the log")]
    Missing { seq: EventSeq },
    #[error(transparent)]
    Leaf(#[from] LeafError),
    #[error(
        "a write to the journal failed earlier; nothing more is written until the store is opened again"
    )]
    Poisoned,
    #[error("one event with its content takes {bytes} bytes, more than a journal file holds")]
    TooLarge { bytes: usize },
}

impl LogError {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }

    pub(crate) fn segment(path: &Path) -> impl FnOnce(SegmentError) -> Self {
        let path = path.to_owned();
        move |why| Self::Segment { path, why }
    }
}

impl From<LogError> for Error {
    fn from(error: LogError) -> Self {
        match error {
            LogError::Io {
                action,
                path,
                source,
            } => Self::io(action, path, source),
            // Not to be tried again, whatever the reason was.
            LogError::Unsure { .. } => Self::new(ErrorKind::Io, error.to_string())
                .hint("close the store and open it again; what was acknowledged is safe"),
            LogError::Poisoned => Self::new(ErrorKind::Poisoned, error.to_string())
                .hint("close the store and open it again; what was acknowledged is safe"),
            LogError::Leaf(LeafError::TooLong(_)) => {
                Self::new(ErrorKind::Invalid, error.to_string())
                    .hint("shorten the metadata, arguments or error text")
            }
            LogError::Leaf(LeafError::Unfaithful { .. }) => {
                Self::new(ErrorKind::Invalid, error.to_string())
                    .hint("nothing was recorded; correct the value and try again")
            }
            LogError::TooLarge { .. } => Self::new(ErrorKind::Invalid, error.to_string()),
            LogError::Frame { .. }
            | LogError::Segment { .. }
            | LogError::Unpack { .. }
            | LogError::Missing { .. }
            | LogError::Leaf(_) => Self::new(ErrorKind::Damaged, error.to_string()).hint(
                "run 'annals verify' for the whole picture; the undamaged rest stays readable",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::sim::SimDisk;
    use crate::entry::Retention;
    use crate::event::{Actor, Body, ClockReading, Event, StoreCreated};
    use crate::evidence::tree::Frontier;
    use crate::format::frame::{JOURNAL_HEADER_BYTES, NewFrame};
    use crate::id::StoreId;
    use crate::time::Timestamp;
    use std::ops::RangeInclusive;
    use std::sync::Arc;

    pub(super) const STORE: StoreId = StoreId::from_bytes([7; 16]);

    /// A disk with the folders of a log, and no log.
    pub(super) fn disk() -> SimDisk {
        let disk = SimDisk::new();
        for folder in ["tmp", EVENTS_DIR, JOURNAL_DIR] {
            disk.make_dir(Path::new(folder)).expect("a folder");
        }
        disk
    }

    pub(super) fn leaf(seq: u64) -> Vec<u8> {
        let event = Event {
            seq: EventSeq(seq),
            time: Timestamp::from_micros(0),
            actor: Actor::system(),
            clock: ClockReading {
                boot: "b1".into(),
                mono_ms: 12,
            },
            body: Body::StoreCreated(StoreCreated {
                store: STORE,
                format: 1,
                program: "test".into(),
            }),
        };
        let line = crate::format::leaf::encode(&STORE, &event).expect("short");
        line.into_bytes()
    }

    /// The tree over these leaves.
    pub(super) fn tree(leaves: &[Vec<u8>]) -> Frontier {
        let mut tree = Frontier::new();
        for leaf in leaves {
            tree.push(leaf);
        }
        tree
    }

    /// Seals these events; those before them need not be there.
    pub(super) fn seal(disk: &SimDisk, seqs: RangeInclusive<u64>) -> SegmentReader {
        let before: Vec<_> = (1..*seqs.start()).map(leaf).collect();
        let first = EventSeq(*seqs.start());
        let tmp = PathBuf::from("tmp/segment");
        let disk = Arc::new(disk.clone());
        let mut writer =
            SegmentWriter::create(disk, tmp, &STORE, first, tree(&before)).expect("begun");
        for seq in seqs {
            writer.push(&leaf(seq)).expect("added");
        }
        let synced = writer.finish(Vec::new()).expect("durable");
        synced.publish().expect("published")
    }

    /// A journal file of the smallest size that was begun with the first of these events and holds them, each a group of its
    /// own; answers where each frame begins, and where the last one ends.
    pub(super) fn journal(
        disk: &SimDisk,
        slot: u32,
        generation: u64,
        seqs: RangeInclusive<u64>,
    ) -> Vec<u64> {
        journal_in_groups(disk, slot, generation, seqs, |seq| seq)
    }

    /// The same, each event in the group that begins with the one `group` names.
    pub(super) fn journal_in_groups(
        disk: &SimDisk,
        slot: u32,
        generation: u64,
        seqs: RangeInclusive<u64>,
        group: impl Fn(u64) -> u64,
    ) -> Vec<u64> {
        let made = Journal::create(disk, slot, STORE, JOURNAL_BYTES_MIN);
        let mut journal = made.expect("made");
        let first = EventSeq(*seqs.start());
        journal.start(generation, first).expect("started");
        let mut places = vec![JOURNAL_HEADER_BYTES as u64];
        let mut frames = Vec::new();
        for seq in seqs {
            let frame = NewFrame {
                generation,
                seq: EventSeq(seq),
                group: EventSeq(group(seq)),
                time: Timestamp::from_micros(0),
                retention: Retention::Forever,
                level: 6,
                leaf: &leaf(seq),
                records: &[],
            };
            frame.encode_into(&mut frames).expect("fits");
            places.push((JOURNAL_HEADER_BYTES + frames.len()) as u64);
        }
        disk.overwrite(journal_path(slot), places[0], &frames)
            .expect("written");
        places
    }

    /// What a caller does about an error hangs on its kind.
    #[test]
    fn each_error_of_the_log_is_of_the_kind_that_says_what_to_do() {
        let path = PathBuf::from("journal/0000.journal");
        let io = || io::Error::from_raw_os_error(5);
        let seq = EventSeq(7);
        let cases = [
            (LogError::io("read", &path)(io()), ErrorKind::Io),
            (
                LogError::Unsure {
                    path: path.clone(),
                    source: io(),
                },
                ErrorKind::Io,
            ),
            (LogError::Poisoned, ErrorKind::Poisoned),
            (
                LogError::Leaf(LeafError::TooLong(70_000)),
                ErrorKind::Invalid,
            ),
            (
                LogError::Leaf(LeafError::Unfaithful {
                    kind: "annals.archived.v1".into(),
                    why: String::new(),
                }),
                ErrorKind::Invalid,
            ),
            (LogError::TooLarge { bytes: 70_000 }, ErrorKind::Invalid),
            (LogError::Leaf(LeafError::Member("id")), ErrorKind::Damaged),
            (LogError::Missing { seq }, ErrorKind::Damaged),
            (
                LogError::segment(&path)(SegmentError::Order),
                ErrorKind::Damaged,
            ),
        ];
        for (error, kind) in cases {
            let told = error.to_string();
            let error = Error::from(error);
            assert_eq!(error.kind(), kind, "{told}");
            // The cause is told in the words of the system, or in ours.
            let fact = told.split(": ").next().unwrap_or(&told);
            assert!(error.message().starts_with(fact), "{told}");
        }
    }
}
