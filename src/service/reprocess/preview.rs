//! Runs a plan without recording anything, over a sample of its entries or over all of them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;

use super::findings::{Findings, OutcomeObject};
use super::plans::FrozenPlan;
use super::request::configured_converters;
use crate::convert::{Cancel, Reprocess, ReprocessResult, Resend, Selection, reprocess, sample};
use crate::service::desk::Desk;
use crate::time::Stopwatch;
use crate::{Error, Result};

/// A preview that nobody asked about for so long ends.
const LEFT_AFTER: Duration = Duration::from_secs(60);

/// A plan that is run without recording anything.
#[derive(Debug)]
pub struct Preview {
    /// Names the preview.
    pub id: u64,
    /// The plan.
    pub plan: Arc<FrozenPlan>,
    /// Number of entries that it runs over.
    pub total: u64,
    done: AtomicU64,
    cancel: Cancel,
    asked: Mutex<Stopwatch>,
    end: Mutex<Option<Arc<Result<PreviewEnd>>>>,
}

/// What came of a preview.
#[derive(Debug)]
pub struct PreviewEnd {
    /// The counts.
    pub result: ReprocessResult,
    /// The differences.
    pub findings: Findings,
}

/// A preview as an object; when it is over, with what `reprocess --compare-only` says.
#[derive(Debug, Serialize)]
pub struct PreviewObject<'a> {
    preview: u64,
    plan_id: &'a str,
    /// `running`, `finished`, `cancelled` or `failed`.
    state: &'static str,
    done: u64,
    total: u64,
    error: Option<&'a str>,
    outcome: Option<OutcomeObject<'a>>,
}

impl Preview {
    /// Chooses the entries of a preview: all, or a sample with every class among them.
    pub(super) fn new(
        id: u64,
        plan: Arc<FrozenPlan>,
        most: Option<usize>,
        desk: &Desk,
    ) -> Result<(Self, Selection)> {
        let mut selection = plan.selection();
        if let Some(most) = most {
            let against = Reprocess::default().against;
            selection.ids = sample(&desk.archive, &selection.ids, most, against)?;
        }
        let preview = Self {
            id,
            plan,
            total: selection.ids.len() as u64,
            done: AtomicU64::new(0),
            cancel: Cancel::default(),
            asked: Mutex::new(Stopwatch::start()),
            end: Mutex::default(),
        };
        Ok((preview, selection))
    }

    /// Runs the preview to its end.
    pub(super) fn run(&self, desk: &Desk, selection: &Selection) {
        let end = self.try_run(desk, selection);
        *lock(&self.end) = Some(Arc::new(end));
    }

    fn try_run(&self, desk: &Desk, selection: &Selection) -> Result<PreviewEnd> {
        let options = Reprocess {
            compare_only: true,
            resend: Resend::None,
            ..self.plan.request.options(desk.config())?
        };
        let converters = configured_converters(desk.config());
        let findings = Mutex::new(Findings::default());
        let on_step = |step: &crate::convert::Step| {
            lock(&findings).add(step);
            self.done.fetch_max(step.done, Ordering::Relaxed);
            if lock(&self.asked).elapsed() > LEFT_AFTER {
                self.cancel.cancel();
            }
        };
        let result = reprocess(
            &desk.archive,
            selection,
            &converters,
            &options,
            &self.cancel,
            &on_step,
        )?;
        let mut findings = findings
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        findings.sort();
        Ok(PreviewEnd { result, findings })
    }

    /// Returns how many entries are done.
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Ends the preview after the entries that it is working on are killed.
    pub fn cancel(&self) {
        self.cancel.cancel();
    }

    /// Returns what came of it, once it is over, and notes that somebody looks at it.
    pub fn end(&self) -> Option<Arc<Result<PreviewEnd>>> {
        *lock(&self.asked) = Stopwatch::start();
        lock(&self.end).clone()
    }

    /// Returns the preview as an object, with its end if it has one.
    pub fn object<'a>(&'a self, end: Option<&'a Result<PreviewEnd>>) -> PreviewObject<'a> {
        let state = match end {
            None => "running",
            Some(Ok(end)) if end.result.interrupted => "cancelled",
            Some(Ok(_)) => "finished",
            Some(Err(_)) => "failed",
        };
        let outcome = end.and_then(|end| end.as_ref().ok());
        PreviewObject {
            preview: self.id,
            plan_id: &self.plan.plan_id,
            state,
            done: self.done(),
            total: self.total,
            error: end.and_then(|end| end.as_ref().err()).map(Error::message),
            outcome: outcome.map(|end| OutcomeObject::of(&end.result, &end.findings, true)),
        }
    }

    pub(super) fn is_over(&self) -> bool {
        lock(&self.end).is_some()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
