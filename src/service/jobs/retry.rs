//! What did not succeed in a job.

use crate::archive::Archive;
use crate::entry::Outcome;
use crate::id::{EntryId, JobId};
use crate::{Error, ErrorKind, Result};

/// Returns the entries of a job without a success in it, except for purged ones.
///
/// # Errors
/// `NotFound` if there are none, or if there is no such job.
pub fn failed_entries(archive: &Archive, job: JobId) -> Result<Vec<EntryId>> {
    let snapshot = archive.snapshot()?;
    let mut failed = Vec::new();
    for id in archive.job_entries(job)? {
        let Some(entry) = snapshot.entry(id)? else {
            continue;
        };
        let mut attempts = entry.attempts.iter();
        let succeeded =
            attempts.any(|tried| tried.job == Some(job) && tried.status == Outcome::Success);
        if !succeeded && entry.has_source() {
            failed.push(id);
        }
    }
    if failed.is_empty() {
        let told = format!("every entry of job {job} that is still here succeeded");
        return Err(Error::new(ErrorKind::NotFound, told));
    }
    Ok(failed)
}
