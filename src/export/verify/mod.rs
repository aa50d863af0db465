//! Verifies a bundle offline, from nothing but its files and a key that came another way.
//!
//! Nothing is interpreted before it is known to be what was signed.

mod bundle;
mod contents;
mod disclosures;
mod files;
mod log;
mod outcome;
mod pair;
mod paper;
mod stamps;
mod trust;

use std::path::Path;

use crate::disk::{Disk, FsDisk};
use crate::evidence::checkpoint::SignedCheckpoint;
use crate::export::bag;
use bundle::Bundle;
use files::small;

pub use outcome::{BundleFinding, Verdict, Verified};
pub use pair::{PairVerified, verify_pair, verify_pair_on};
pub use trust::Trust;

/// Verifies the bundle in the folder `dir`. `progress` is told now and then how many of how many
/// events are checked.
///
/// What is wrong with the bundle is a finding, also when it cannot be read at all.
pub fn verify(dir: impl AsRef<Path>, trust: &Trust, progress: &dyn Fn(u64, u64)) -> Verified {
    verify_on(&FsDisk::new(dir.as_ref()), trust, progress)
}

/// Like [`verify`], for the root of any disk.
pub fn verify_on(disk: &dyn Disk, trust: &Trust, progress: &dyn Fn(u64, u64)) -> Verified {
    let mut found = Verified::new();
    match followed(disk, trust, &mut found) {
        Some(trust) => check(disk, &trust, progress, &mut found),
        None => check(disk, trust, progress, &mut found),
    };
    found.finish()
}

/// Returns the trust in the keys that took over from the trusted ones, if one of them is needed:
/// no trusted key signed the checkpoint.
fn followed(disk: &dyn Disk, trust: &Trust, found: &mut Verified) -> Option<Trust> {
    if trust.vkeys.is_empty() || signed(disk, trust).is_some() {
        return None;
    }
    let (trust, rotations) = trust.clone().follow_lines(disk);
    signed(disk, &trust)?;
    for rotation in rotations {
        found.notes.push(format!(
            "the key {} took over from {}, which signed that: it is trusted, too",
            rotation.new_key(),
            rotation.old()
        ));
    }
    Some(trust)
}

/// Returns the checkpoint of a bundle, if a trusted key signed it.
fn signed(disk: &dyn Disk, trust: &Trust) -> Option<SignedCheckpoint> {
    SignedCheckpoint::open(&small(disk, bag::CHECKPOINT)?, &trust.vkeys).ok()
}

/// Checks one thing after the other, and ends early when the rest would mean nothing.
fn check(
    disk: &dyn Disk,
    trust: &Trust,
    progress: &dyn Fn(u64, u64),
    found: &mut Verified,
) -> Option<()> {
    let files = files::check(disk, found)?;
    let bundle = Bundle::open(disk, files, trust, found)?;
    let facts = log::check(&bundle, trust, progress, found)?;
    contents::check(&bundle, &facts, found);
    disclosures::check(&bundle, &facts, found);
    paper::check(&bundle, &facts, found);
    Some(())
}
