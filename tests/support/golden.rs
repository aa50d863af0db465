//! A small store, and everything that can happen to its files.

use std::fmt;
use std::io;
use std::sync::Arc;

use annals::archive::Options;
use annals::disk::sim::SimDisk;
use annals::entry::Outcome;

use super::{Hourly, Runner, State, Step, dictionaries, tiny};

/// Chunks as small as they get, so that every bit of a chunked content can be flipped.
pub fn smallest(clock: &Arc<Hourly>) -> Options {
    tiny(clock).stream_bytes(0)
}

/// The first journal file of the golden store, all of which is in a segment.
pub const SEALED_JOURNAL: &str = "journal/0000.journal";
/// Its only segment.
pub const SEGMENT: &str = "events/00000000000000000001.seg";
/// The second one, which holds two events.
pub const JOURNAL: &str = "journal/0001.journal";

/// After so many of its steps all there was had been sealed.
pub const SEALED_STEPS: usize = 4;

/// A small store with a sealed segment, packs and a journal with two events in it, and what it must
/// say.
pub struct Golden {
    pub disk: SimDisk,
    pub state: State,
    /// The same store as it was earlier, oldest first.
    pub before: Vec<SimDisk>,
    /// What it had to say then.
    pub states: Vec<State>,
}

impl Golden {
    pub fn new() -> Self {
        let mut runner = Runner::create_as(SimDisk::new(), smallest).expect("made");
        let text = |seed, len| Step::Text { seed, len, days: 0 };
        let mut before = Vec::new();
        for step in [
            text(1, 600),
            Step::Noise {
                seed: 2,
                len: 4_200,
            },
            Step::Attempt {
                entry: 0,
                outcome: Outcome::Success,
                reports: 1,
                len: 300,
            },
            Step::Forms { seed: 1, count: 8 },
            Step::Seal,
            text(3, 600),
            Step::Hold { name: 1, entry: 2 },
        ] {
            before.push(runner.disk.snapshot());
            runner.run(&step).expect("a sound disk");
        }
        // As a killed process leaves it, because closing gives unused journal files back. Only the
        // watermark is that of a store that was closed.
        let disk = runner.disk.snapshot();
        if let Some(archive) = runner.archive.take() {
            archive.close().expect("closed");
        }
        let newest = runner.disk.content("NEWEST").expect("closed");
        disk.plant("NEWEST", &newest).expect("planted");
        disk.settle();
        assert_eq!(dictionaries(&disk), 2, "the two copies of one dictionary");
        let history = runner.history.into_iter();
        Self {
            disk,
            state: runner.state,
            states: history
                .map(|moment| moment.state)
                .take(before.len())
                .collect(),
            before,
        }
    }

    /// The same after its first journal file was used again: what is in the segment is nowhere
    /// else.
    pub fn worn() -> Self {
        let golden = Self::new();
        let len = golden.content(SEALED_JOURNAL).len();
        golden
            .disk
            .overwrite(SEALED_JOURNAL, 0, &vec![0; len])
            .expect("there");
        golden.disk.settle();
        golden
    }

    pub fn files(&self) -> Vec<(String, u64)> {
        self.disk.files()
    }

    pub fn content(&self, path: &str) -> Vec<u8> {
        self.disk.content(path).expect("there")
    }

    /// Bytes of a file up to the last that is not zero.
    pub fn used(&self, path: &str) -> u64 {
        let content = self.content(path);
        let zeros = content.iter().rev().take_while(|byte| **byte == 0).count();
        (content.len() - zeros) as u64
    }
}

/// What happens to a file.
#[derive(Debug, Clone)]
pub enum Damage {
    Flip {
        bit: u64,
    },
    Set {
        at: u64,
        byte: u8,
    },
    Cut {
        len: u64,
    },
    Zero {
        at: u64,
        len: u64,
    },
    /// Two blocks change places.
    Swap {
        at: u64,
        with: u64,
        len: u64,
    },
    /// A block is written over another of the same file.
    Double {
        from: u64,
        to: u64,
        len: u64,
    },
    /// A block that was meant for another file lands here.
    Misplace {
        at: u64,
        len: u64,
        meant: String,
    },
    Lose,
    /// All zeros, as long as before.
    Blank,
    /// Another file's content, and the other way round.
    Exchange {
        other: String,
    },
    /// As it was so many steps after the store was made.
    TakeBack {
        step: usize,
    },
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl Damage {
    /// The first byte it changes.
    pub fn at(&self) -> u64 {
        match self {
            Self::Flip { bit } => bit / 8,
            Self::Set { at, .. }
            | Self::Zero { at, .. }
            | Self::Swap { at, .. }
            | Self::Misplace { at, .. } => *at,
            Self::Double { to, .. } => *to,
            Self::Cut { len } => *len,
            Self::Lose | Self::Blank | Self::Exchange { .. } | Self::TakeBack { .. } => 0,
        }
    }

    /// Does it to a disk that has the file; one that hasn't is left as it is.
    pub fn strike(&self, golden: &Golden, disk: &SimDisk, path: &str) -> io::Result<()> {
        let read = |path: &str, at: u64, len: u64| -> Vec<u8> {
            let content = golden.content(path);
            let start = usize::try_from(at).expect("small").min(content.len());
            let end = usize::try_from(at + len).expect("small").min(content.len());
            content[start..end].to_vec()
        };
        let write = |path: &str, at: u64, bytes: &[u8]| disk.overwrite(path, at, bytes);
        match self {
            Self::Flip { bit } => disk.flip_bit(path, *bit),
            Self::Set { at, byte } => write(path, *at, &[*byte]),
            Self::Cut { len } => disk.truncate(path, *len),
            Self::Zero { at, len } => write(path, *at, &vec![0; read(path, *at, *len).len()]),
            Self::Swap { at, with, len } => {
                let (here, there) = (read(path, *at, *len), read(path, *with, *len));
                let both = here.len().min(there.len());
                write(path, *at, &there[..both])?;
                write(path, *with, &here[..both])
            }
            Self::Double { from, to, len } => {
                let room = read(path, *to, *len).len();
                let bytes = read(path, *from, *len);
                write(path, *to, &bytes[..bytes.len().min(room)])
            }
            Self::Misplace { at, len, meant } => write(path, *at, &read(meant, *at, *len)),
            Self::Lose => disk.lose(path),
            Self::Blank => write(path, 0, &vec![0; golden.content(path).len()]),
            Self::Exchange { other } => {
                disk.plant(path, &golden.content(other))?;
                disk.plant(other, &golden.content(path))
            }
            Self::TakeBack { step } => match golden.before[*step].content(path) {
                Ok(old) => disk.plant(path, &old),
                Err(_) => disk.lose(path),
            },
        }
    }
}
