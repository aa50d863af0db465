//! `annals job watch`: follows a job until it stops.

use std::time::Duration;

use super::show::show;
use crate::archive::{Archive, JobState};
use crate::cli::run::{Context, Exit, Failure};
use crate::id::JobId;

/// How often the progress is looked at.
const EVERY: Duration = Duration::from_millis(200);

/// Shows the progress of a job while it runs, and then what came of it.
///
/// The exit code is that of the job: partial if entries failed or it did not come to its end.
pub(super) fn watch(
    archive: &Archive,
    id: JobId,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let ended = loop {
        context.check_cancelled()?;
        let job = archive.existing_job(id)?;
        let Some(progress) = job.progress else {
            break job;
        };
        let (done, total) = (progress.done, progress.total);
        context.meter.report(done, total, "converting");
        std::thread::sleep(EVERY);
    };
    context.meter.clear();
    show(archive, id, context)?;
    let failed = ended.finished.as_ref().is_some_and(|end| end.failed > 0);
    Ok(if ended.state() == JobState::Finished && !failed {
        Exit::Done
    } else {
        Exit::Partial
    })
}
