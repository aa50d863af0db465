//! `annals job retry-failed`: runs a new job over what did not succeed in an old one.

use crate::archive::{Access, Archive};
use crate::cli::commands::reprocess::{self, Speed};
use crate::cli::run::{Context, Exit, Failure};
use crate::entry::Outcome;
use crate::id::{EntryId, JobId};
use crate::{Error, ErrorKind};

pub(super) fn retry(
    old: JobId,
    reason: Option<String>,
    speed: &Speed,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let archive = context.open(Access::ReadWrite)?;
    let mut started = archive.existing_job(old)?.started;
    let failed = failed(&archive, old)?;
    if failed.is_empty() {
        let told = format!("every entry of job {old} that is still here succeeded");
        return Err(Error::new(ErrorKind::NotFound, told).into());
    }
    started.retry_of = Some(old);
    started.reason = reason.or(started.reason);
    reprocess::retry(archive, &started, failed, speed, context)
}

/// Returns the entries of a job without a success in it, except for purged ones.
fn failed(archive: &Archive, job: JobId) -> Result<Vec<EntryId>, Error> {
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
    Ok(failed)
}
