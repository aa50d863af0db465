//! Two bundles of one store: does one continue the other, or has the log two histories?

use std::io;
use std::path::Path;

use serde::Serialize;

use super::outcome::{Verdict, Verified};
use super::trust::Trust;
use super::{signed, verify_on};
use crate::disk::{Disk, FsDisk};
use crate::evidence::checkpoint::SignedCheckpoint;
use crate::evidence::tree::leaf_hash;
use crate::export::bag;
use crate::export::lines::{Head, Lines, Next};
use crate::id::EventSeq;

/// The result of comparing two bundles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PairVerified {
    /// True when both are sound and one continues the other.
    pub ok: bool,
    /// The more severe verdict of both, or what the comparison gave.
    pub verdict: Verdict,
    /// The first bundle.
    pub first: Verified,
    /// The second bundle.
    pub second: Verified,
    /// The first event that is not the same in both.
    pub forked_at: Option<EventSeq>,
}

/// Verifies two bundles of one store, and that one continues the other. Both may be sound, and
/// signed by the same key, and yet contradict each other: then the store has two histories.
pub fn verify_pair(
    first: impl AsRef<Path>,
    second: impl AsRef<Path>,
    trust: &Trust,
    progress: &dyn Fn(u64, u64),
) -> PairVerified {
    let (first, second) = (FsDisk::new(first.as_ref()), FsDisk::new(second.as_ref()));
    verify_pair_on(&first, &second, trust, progress)
}

/// Like [`verify_pair`], for the roots of any two disks.
pub fn verify_pair_on(
    first: &dyn Disk,
    second: &dyn Disk,
    trust: &Trust,
    progress: &dyn Fn(u64, u64),
) -> PairVerified {
    // The older bundle may be of the time before a key rotation, which only the newer one has.
    let (trust, _) = trust.clone().follow_lines(first);
    let (trust, _) = trust.follow_lines(second);
    let checkpoints = [first, second].map(|disk| signed(disk, &trust));
    let with = |other: &Option<SignedCheckpoint>, own: &Option<SignedCheckpoint>| {
        let mut trust = trust.clone();
        // Only the larger tree can be compared with the smaller one.
        if let (Some(other), Some(own)) = (other, own)
            && other.checkpoint().size <= own.checkpoint().size
        {
            trust.older.push(other.clone());
        }
        trust
    };
    let [of_first, of_second] = &checkpoints;
    let mut first_found = verify_on(first, &with(of_second, of_first), progress);
    let mut second_found = verify_on(second, &with(of_first, of_second), progress);
    let mut forked_at = None;
    let both_read = first_found.scope.is_some() && second_found.scope.is_some();
    if both_read && first_found.origin == second_found.origin {
        match first_difference(first, second) {
            Ok(seq) => forked_at = seq,
            Err(error) => {
                let told = format!("it cannot be compared: {error}");
                second_found.find(Verdict::Unreadable, "log", bag::EVENTS, told);
            }
        }
    }
    if let Some(seq) = forked_at {
        for found in [&mut first_found, &mut second_found] {
            let told = "the other bundle has another event of this number";
            found.find(Verdict::Forked, "log", format!("event {seq}"), told);
        }
    }
    let (first, second) = (first_found.finish(), second_found.finish());
    let verdict = first.verdict.max(second.verdict);
    PairVerified {
        ok: verdict.is_ok(),
        verdict,
        first,
        second,
        forked_at,
    }
}

/// Returns the first number that both have, with different lines.
fn first_difference(first: &dyn Disk, second: &dyn Disk) -> io::Result<Option<EventSeq>> {
    let mut sides = [Side::open(first)?, Side::open(second)?];
    loop {
        let [Some((a, line_a)), Some((b, line_b))] = sides.each_ref().map(|side| side.now) else {
            return Ok(None);
        };
        if a == b && line_a != line_b {
            return Ok(Some(a));
        }
        if a <= b {
            sides[0].step()?;
        }
        if b <= a {
            sides[1].step()?;
        }
    }
}

struct Side {
    lines: Lines,
    line: Vec<u8>,
    /// The current event, and the hash of its line.
    now: Option<(EventSeq, [u8; 32])>,
}

impl Side {
    fn open(disk: &dyn Disk) -> io::Result<Self> {
        let mut side = Self {
            lines: Lines::open(disk, Path::new(bag::EVENTS))?,
            line: Vec::new(),
            now: None,
        };
        side.step()?;
        Ok(side)
    }

    /// Goes on to the next line that has a number.
    fn step(&mut self) -> io::Result<()> {
        while let Next::Line(_) = self.lines.next(&mut self.line)? {
            if let Some(head) = Head::of(&self.line) {
                self.now = Some((head.seq, leaf_hash(&self.line)));
                return Ok(());
            }
        }
        self.now = None;
        Ok(())
    }
}
