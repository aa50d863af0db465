//! Jobs as objects.

use serde::Serialize;

use super::job_failures::Failures;
use crate::archive::{Archive, Job, JobState};
use crate::complete::Complete;
use crate::event::{Actor, JobFinished, JobPriority, JobStarted, JudgedBy};
use crate::id::{EventSeq, JobId};
use crate::query::recorded_filter;
use crate::service::time::Zone;
use crate::time::Timestamp;
use crate::{Error, ErrorKind};

/// A job as one object.
#[derive(Debug, Serialize)]
pub struct JobObject<'a> {
    /// Its number: that of the event that began it.
    job: JobId,
    /// Whether it runs, and how it ended.
    state: JobState,
    /// When it began.
    started_at: Timestamp,
    /// The account that started it.
    started_by: &'a str,
    /// What it was started with.
    #[serde(flatten)]
    started: WholeStart<'a>,
    /// How many entries it tried.
    processed: Option<u64>,
    /// How many were converted.
    successful: Option<u64>,
    /// How many failed.
    failed: Option<u64>,
    /// How many it could not try.
    skipped: Option<u64>,
    /// How many reports are as before.
    unchanged: Option<u64>,
    /// How many reports differ from before.
    changed: Option<u64>,
    /// How many failed before and are converted now.
    fixed: Option<u64>,
    /// How many were converted before and fail now.
    broken: Option<u64>,
    /// How many entries a running job has finished.
    done: Option<u64>,
    /// How long the rest of a running job takes at its rate so far.
    left_s: Option<u64>,
}

/// All fields of the rules by which a job compares.
const RULES_FIELDS: &[&str] = &["converter", "strict", "ignore", "tolerance", "keys"];

/// What a job was started with; every field is there, and the selection is an object.
#[derive(Debug, Serialize)]
struct WholeStart<'a> {
    kind: &'a str,
    #[serde(serialize_with = "recorded_filter")]
    selection: &'a str,
    converter_version: &'a str,
    params: &'a str,
    total: u64,
    reason: Option<&'a str>,
    submit: Option<&'a str>,
    on_error: Option<&'a str>,
    retry_of: Option<JobId>,
    priority: JobPriority,
    compare: Option<Vec<Complete<&'a JudgedBy>>>,
}

impl<'a> WholeStart<'a> {
    fn of(started: &'a JobStarted) -> Self {
        Self {
            kind: &started.kind,
            selection: &started.selection,
            converter_version: &started.converter_version,
            params: &started.params,
            total: started.total,
            reason: started.reason.as_deref(),
            submit: started.submit.as_deref(),
            on_error: started.on_error.as_deref(),
            retry_of: started.retry_of,
            priority: started.priority,
            compare: started.compare.as_ref().map(|all| {
                let whole = |judged| Complete::new(judged, RULES_FIELDS);
                all.iter().map(whole).collect()
            }),
        }
    }
}

/// A job and its failures.
#[derive(Debug, Serialize)]
pub struct JobWithFailures<'a> {
    /// The job.
    #[serde(flatten)]
    pub job: JobObject<'a>,
    /// What did not succeed.
    #[serde(flatten)]
    pub failures: &'a Failures,
}

/// A job, with the time when it began.
#[derive(Debug)]
pub struct ShownJob {
    /// The job.
    pub job: Job,
    /// When it began.
    pub at: Timestamp,
    /// Who began it.
    pub by: Actor,
}

impl ShownJob {
    /// Looks up who began a job, and when.
    pub fn of(job: Job, archive: &Archive, zone: &Zone) -> Result<Self, Error> {
        let (at, by) = begun(archive, job.id)?;
        Ok(Self {
            job,
            at: zone.exact(at),
            by,
        })
    }

    /// Returns the object of the job.
    pub fn object(&self) -> JobObject<'_> {
        let Job {
            id,
            started,
            finished,
            progress,
            ..
        } = &self.job;
        let number = |of: fn(&JobFinished) -> u64| finished.as_ref().map(of);
        JobObject {
            job: *id,
            state: self.job.state(),
            started_at: self.at,
            started_by: &self.by.id,
            started: WholeStart::of(started),
            processed: number(|job| job.processed),
            successful: number(|job| job.successful),
            failed: number(|job| job.failed),
            skipped: number(|job| job.skipped),
            unchanged: number(|job| job.unchanged),
            changed: number(|job| job.changed),
            fixed: number(|job| job.fixed),
            broken: number(|job| job.broken),
            done: progress.map(|progress| progress.done),
            left_s: progress
                .and_then(|progress| progress.time_left())
                .map(|left| left.as_secs()),
        }
    }
}

/// Returns when the first event of a job was recorded, and who caused it. The number of a job is
/// that of this event.
fn begun(archive: &Archive, id: JobId) -> Result<(Timestamp, Actor), Error> {
    let seq = EventSeq(id.0);
    let leaf = archive
        .events(seq, Some(seq))?
        .next()
        .ok_or_else(|| Error::new(ErrorKind::Damaged, format!("the event {seq} is not there")))??;
    let event = leaf.event()?;
    Ok((event.time, event.actor))
}
