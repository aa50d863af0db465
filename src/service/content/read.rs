//! Reads the bytes of archived sources and reports.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::archive::{Archive, BlobReader};
use crate::entry::{Entry, PurgedPart};
use crate::id::{AttemptNo, BlobId};
use crate::service::time::Zone;
use crate::{Error, ErrorKind, Result};

const CHUNK_BYTES: usize = 64 << 10;

/// Returns the hash of what a file holds.
pub fn content_of(path: &Path) -> io::Result<BlobId> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(path)?)?;
    Ok(BlobId::from_bytes(*hasher.finalize().as_bytes()))
}

/// Opens the source of `entry`, unless it is not there.
pub fn open_source(archive: &Archive, entry: &Entry, zone: &Zone) -> Result<BlobReader> {
    refuse_without_source(entry, zone)?;
    archive.read(&entry.blake3)
}

/// Fails when the source of `entry` is not there, and says why.
pub fn refuse_without_source(entry: &Entry, zone: &Zone) -> Result<()> {
    refuse_purged(entry, zone)?;
    refuse_facts_only(entry)?;
    let Some(gone) = entry.source_purge() else {
        return Ok(());
    };
    let left = entry.attempts_with_reports().count();
    let said = format!("the source of entry {}", entry.id);
    let hint = if left > 0 {
        "its reports are there: see `annals cat ID --report`"
    } else {
        "its facts are kept: see `annals show`"
    };
    Err(part_purged(&said, gone, zone).hint(hint))
}

/// Fails when the reports of an attempt were purged, and says when and by which rule.
pub fn refuse_purged_reports(entry: &Entry, attempt: AttemptNo, zone: &Zone) -> Result<()> {
    refuse_purged(entry, zone)?;
    let Some(gone) = entry.reports_purge(attempt) else {
        return Ok(());
    };
    let said = format!("the report of attempt {attempt} of entry {}", entry.id);
    Err(part_purged(&said, gone, zone).hint("its facts are kept: see `annals show`"))
}

fn part_purged(what: &str, gone: &PurgedPart, zone: &Zone) -> Error {
    let (at, by) = (zone.long(gone.at), &gone.by);
    let said = format!("{what} was purged on {at} by: {by}");
    Error::new(ErrorKind::NotFound, said)
}

/// Fails when only facts are kept of `entry`.
fn refuse_facts_only(entry: &Entry) -> Result<()> {
    if !entry.facts_only {
        return Ok(());
    }
    let told = format!(
        "entry {} has facts only: its {} bytes were hashed and not stored",
        entry.id, entry.size
    );
    Err(Error::new(ErrorKind::NotFound, told).hint(format!(
        "'annals find {}' looks for the same content in other entries",
        entry.sha256
    )))
}

/// Fails when `entry` was purged, and says when and by which rule.
pub fn refuse_purged(entry: &Entry, zone: &Zone) -> Result<()> {
    let Some(purged_at) = entry.purged_at else {
        return Ok(());
    };
    let rule = entry.purged_by.as_deref().unwrap_or("a rule not recorded");
    let error = Error::new(
        ErrorKind::NotFound,
        format!(
            "the bytes of entry {} were purged on {} by: {rule}",
            entry.id,
            zone.long(purged_at)
        ),
    );
    Err(match entry.final_at {
        None => error.hint("its facts are kept: see `annals show`"),
        Some(until) => error.hint(format!(
            "that can be undone until {}: see `annals retention pending`",
            zone.long(until)
        )),
    })
}

/// Passes the content to `sink` chunk by chunk. Each chunk was verified before.
pub fn copy<E: From<Error>>(
    mut content: impl Read,
    mut sink: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        match content.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(read) => sink(&chunk[..read])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(read_error(error).into()),
        }
    }
}

/// Returns the archive's error when an `io::Error` carries one.
fn read_error(error: io::Error) -> Error {
    match error.downcast::<Error>() {
        Ok(error) => error,
        Err(error) => Error::io("read", "the stored content", error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::entries::sample;

    #[test]
    fn a_purged_entry_says_when_and_by_which_rule_its_bytes_went() {
        let mut entry = sample();
        assert!(refuse_purged(&entry, &Zone::Utc).is_ok());
        entry.purged_at = Some("2026-06-01T00:00:00Z".parse().expect("valid"));
        entry.purged_by = Some("older than 90d".into());
        let error = refuse_purged(&entry, &Zone::Utc).expect_err("purged");
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!(
            error.message(),
            "the bytes of entry 4711 were purged on 2026-06-01 00:00:00Z by: older than 90d"
        );
    }

    #[test]
    fn damage_met_while_reading_is_told_as_damage() {
        struct Bad;
        impl Read for Bad {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other(Error::new(ErrorKind::Damaged, "pack 3")))
            }
        }
        let error = copy::<Error>(Bad, |_| Ok(())).expect_err("damaged");
        assert_eq!(
            (error.kind(), error.message()),
            (ErrorKind::Damaged, "pack 3")
        );
    }
}
