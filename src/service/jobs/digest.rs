//! What a job changed, entry by entry and summed up, from the archived reports.
//!
//! Comparing the reports of a large job takes minutes, so it is done once, in the background.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use crate::archive::{Archive, Job};
use crate::convert::{
    Cancel, ChangeSummary, Difference, RuleBook, Verdict, job_changes, judge_attempts,
};
use crate::entry::Outcome;
use crate::event::{EntryRanges, JobFinished};
use crate::id::{AttemptNo, EntryId, JobId};
use crate::time::Stopwatch;
use crate::{Error, ErrorKind, Result};

/// The most digests that are kept.
const KEPT_MAX: usize = 4;
/// The most comparisons that run at a time.
const RUNNING_MAX: usize = 2;

/// What became of one entry in a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum VerdictWord {
    /// Outcome and reports are those of the attempt before.
    Unchanged,
    /// They are others.
    Changed,
    /// It succeeds now and did not before.
    Fixed,
    /// It succeeded before and does not now.
    Broken,
    /// It did not succeed.
    Failing,
    /// It succeeds, but its result is suspicious.
    Suspicious,
    /// There was no attempt to compare with.
    First,
}

impl VerdictWord {
    /// All words, in the order in which they are told.
    pub const ALL: [Self; 7] = [
        Self::Unchanged,
        Self::Changed,
        Self::Fixed,
        Self::Broken,
        Self::Failing,
        Self::Suspicious,
        Self::First,
    ];

    /// Returns the word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Changed => "changed",
            Self::Fixed => "fixed",
            Self::Broken => "broken",
            Self::Failing => "failing",
            Self::Suspicious => "suspicious",
            Self::First => "first",
        }
    }
}

impl FromStr for VerdictWord {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let named = Self::ALL.into_iter().find(|word| word.name() == text);
        named.ok_or_else(|| {
            let words = Self::ALL.map(Self::name).join(", ");
            Error::new(ErrorKind::Invalid, format!("there is no verdict '{text}'"))
                .hint(format!("one of {words}"))
        })
    }
}

/// An attempt of a job, with how it compares with the attempt before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JudgedAttempt {
    /// The entry.
    pub entry: EntryId,
    /// The attempt of the job.
    pub attempt: AttemptNo,
    /// The attempt that it was compared with.
    pub before: Option<AttemptNo>,
    /// How they compare; `None` where nothing can be compared.
    pub verdict: Option<Verdict>,
    /// How it ended.
    pub status: Outcome,
    /// True if its result is suspicious.
    pub is_suspicious: bool,
}

impl JudgedAttempt {
    /// Returns true if the word holds for the attempt. Several may.
    pub fn is(&self, word: VerdictWord) -> bool {
        match word {
            VerdictWord::Unchanged => self.verdict == Some(Verdict::Unchanged),
            VerdictWord::Changed => self.verdict == Some(Verdict::Changed),
            VerdictWord::Fixed => self.verdict == Some(Verdict::Fixed),
            VerdictWord::Broken => self.verdict == Some(Verdict::Broken),
            VerdictWord::Failing => self.status != Outcome::Success,
            VerdictWord::Suspicious => self.is_suspicious,
            VerdictWord::First => self.before.is_none(),
        }
    }
}

/// What a job changed.
#[derive(Debug)]
pub struct Digest {
    job: JobId,
    /// The state of the job that this is about.
    of: (Option<JobFinished>, u64),
    total: u64,
    done: AtomicU64,
    cancel: Cancel,
    end: OnceLock<Result<Found>>,
}

#[derive(Debug)]
struct Found {
    summary: ChangeSummary,
    attempts: Vec<JudgedAttempt>,
}

impl Digest {
    /// Returns how many of how many entries are compared.
    pub fn progress(&self) -> (u64, u64) {
        (self.done.load(Ordering::Relaxed), self.total)
    }

    /// Returns the differences summed up by place, once all reports are compared.
    ///
    /// # Errors
    /// The error that ended the comparison.
    pub fn summary(&self) -> Result<Option<&ChangeSummary>> {
        Ok(self.found()?.map(|found| &found.summary))
    }

    /// Returns every attempt of the job in the order of the entries, once they are compared.
    ///
    /// # Errors
    /// The error that ended the comparison.
    pub fn attempts(&self) -> Result<Option<&[JudgedAttempt]>> {
        Ok(self.found()?.map(|found| found.attempts.as_slice()))
    }

    /// Returns the entries for which a word holds, once they are compared.
    ///
    /// # Errors
    /// The error that ended the comparison.
    pub fn entries(&self, word: VerdictWord) -> Result<Option<EntryRanges>> {
        let attempts = self.attempts()?;
        Ok(attempts.map(|all| {
            let those = all.iter().filter(|attempt| attempt.is(word));
            EntryRanges::of(those.map(|attempt| attempt.entry))
        }))
    }

    fn found(&self) -> Result<Option<&Found>> {
        match self.end.get() {
            None => Ok(None),
            Some(Ok(found)) => Ok(Some(found)),
            Some(Err(error)) => Err(Error::new(error.kind(), error.message().to_owned())),
        }
    }

    /// Waits until all reports are compared, but not longer than stated.
    pub fn wait(&self, most: Duration) {
        let waited = Stopwatch::start();
        while self.end.get().is_none() && !waited.left_of(most).is_zero() {
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn run(&self, archive: &Archive) {
        let end = self.try_run(archive);
        // Run once.
        let _ = self.end.set(end);
    }

    fn try_run(&self, archive: &Archive) -> Result<Found> {
        let mut summary = ChangeSummary::default();
        let mut verdicts = BTreeMap::new();
        let whole = job_changes(archive, self.job, None, &self.cancel, &mut |found| {
            self.done.fetch_add(1, Ordering::Relaxed);
            let judged = found.judgement;
            summary.add(
                found.entry,
                &found.converter,
                Some(judged.verdict),
                &judged.difference,
            );
            verdicts.insert(found.entry, judged.verdict);
        })?;
        if !whole {
            return Err(Error::new(ErrorKind::Refused, "the comparison was ended"));
        }
        let snapshot = archive.snapshot()?;
        let mut attempts = Vec::new();
        for id in archive.job_entries(self.job)? {
            let Some(entry) = snapshot.entry(id)? else {
                continue;
            };
            let of_job = entry.attempts.iter();
            let Some(place) = of_job.clone().position(|tried| tried.job == Some(self.job)) else {
                continue;
            };
            let made = &entry.attempts[place];
            let before = place.checked_sub(1).map(|before| &entry.attempts[before]);
            attempts.push(JudgedAttempt {
                entry: id,
                attempt: made.attempt,
                before: before.map(|before| before.attempt),
                verdict: verdicts.get(&id).copied(),
                status: made.status,
                is_suspicious: !made.suspicious.is_empty(),
            });
        }
        Ok(Found { summary, attempts })
    }
}

/// Compares two attempts of an entry anew, by the rules that a job was judged with.
///
/// # Errors
/// When the entry cannot be read, or this version does not know the rules.
pub fn difference_of(archive: &Archive, job: &Job, of: &JudgedAttempt) -> Result<Difference> {
    let recorded = job.started.compare.as_deref().unwrap_or_default();
    let rules = RuleBook::of_recorded(recorded)?;
    let entry = archive.snapshot()?.entry(of.entry)?;
    let attempt = |wanted: AttemptNo| {
        let attempts = entry.iter().flat_map(|entry| &entry.attempts);
        attempts.into_iter().find(|tried| tried.attempt == wanted)
    };
    let pair = of
        .before
        .and_then(|before| Some((attempt(before)?, attempt(of.attempt)?)));
    let judged = pair.map(|(before, now)| judge_attempts(archive, &rules, before, now));
    Ok(judged.map(|judged| judged.difference).unwrap_or_default())
}

/// The digests of jobs that somebody looked at.
#[derive(Debug, Default)]
pub struct Digests(Mutex<Vec<Arc<Digest>>>);

impl Digests {
    /// Returns the digest of a job, which is begun when nobody asked for it before.
    ///
    /// # Errors
    /// `NotFound` for an unknown job; `Refused` when too many are compared at a time.
    pub fn of(&self, archive: &Archive, id: JobId) -> Result<Arc<Digest>> {
        let job = archive.existing_job(id)?;
        let of = (
            job.finished.clone(),
            job.progress.map_or(0, |progress| progress.done),
        );
        let mut kept = self.lock();
        // A job that went on has another digest.
        kept.retain(|digest| digest.job != id || digest.of == of);
        if let Some(known) = kept.iter().position(|digest| digest.job == id) {
            let known = kept.remove(known);
            kept.push(Arc::clone(&known));
            return Ok(known);
        }
        let running = kept.iter().filter(|digest| digest.end.get().is_none());
        if running.count() >= RUNNING_MAX {
            let told = "the reports of other jobs are being compared";
            return Err(Error::new(ErrorKind::Refused, told).hint("ask again in a minute"));
        }
        while kept.len() >= KEPT_MAX {
            kept.remove(0).cancel.cancel();
        }
        let digest = Arc::new(Digest {
            job: id,
            of,
            total: job.started.total,
            done: AtomicU64::new(0),
            cancel: Cancel::default(),
            end: OnceLock::new(),
        });
        kept.push(Arc::clone(&digest));
        let (archive, running) = (archive.clone(), Arc::clone(&digest));
        let thread = std::thread::Builder::new().name("annals-compare".to_owned());
        thread
            .spawn(move || running.run(&archive))
            .map_err(|error| Error::io("start", "a thread", error))?;
        Ok(digest)
    }

    /// Ends every comparison that runs.
    pub fn stop(&self) {
        for digest in self.lock().drain(..) {
            digest.cancel.cancel();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Digest>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
