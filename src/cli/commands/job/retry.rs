//! `annals job retry-failed`: runs a new job over what did not succeed in an old one.

use crate::archive::Access;
use crate::cli::commands::reprocess::{self, Speed};
use crate::cli::run::{Context, Exit, Failure};
use crate::id::JobId;
use crate::service::jobs::failed_entries;

pub(super) fn retry(
    old: JobId,
    reason: Option<String>,
    speed: &Speed,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let archive = context.open(Access::ReadWrite)?;
    let mut started = archive.existing_job(old)?.started;
    let failed = failed_entries(&archive, old)?;
    started.retry_of = Some(old);
    started.reason = reason.or(started.reason);
    reprocess::retry(archive, &started, failed, speed, context)
}
