//! Verifies a bundle offline, from nothing but its files and a key that came another way.
//!
//! Nothing is interpreted before it is known to be what was signed.

mod bundle;
mod contents;
mod files;
mod log;
mod outcome;
mod pair;
mod paper;
mod trust;

use std::path::Path;

use crate::disk::{Disk, FsDisk};
use bundle::Bundle;

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
    check(disk, trust, progress, &mut found);
    found.finish()
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
    paper::check(&bundle, &facts, found);
    Some(())
}
