//! Plans of jobs: a selection that does not change any more, and what would run over it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use super::request::{JobRequest, configured_converters};
use super::selection::refuse_unknown;
use crate::convert::{Reprocess, ReprocessPlan, Selection, plan};
use crate::event::EntryRanges;
use crate::id::{EventSeq, JobId};
use crate::service::desk::Desk;
use crate::time::Timestamp;
use crate::{Error, ErrorKind, Result};

/// How long a plan can be started.
const KEPT_FOR_MICROS: i64 = 30 * 60 * 1_000_000;
/// The most plans that are kept. The oldest go first.
const PLANS_MAX: usize = 32;

/// The plan of a dry run, as JSON output shows it.
#[derive(Debug, Serialize)]
pub struct Planned<'a> {
    dry_run: bool,
    #[serde(flatten)]
    plan: &'a ReprocessPlan,
}

impl<'a> Planned<'a> {
    /// Returns the object of a plan.
    pub fn of(plan: &'a ReprocessPlan) -> Self {
        Self {
            dry_run: true,
            plan,
        }
    }
}

/// A plan that can be started: which entries, and what would run over them.
#[derive(Debug)]
pub struct FrozenPlan {
    /// Names the plan. Equal plans of one state of the store have one id.
    pub plan_id: String,
    /// The newest event when it was made.
    pub at_seq: EventSeq,
    /// When it was made.
    pub made_at: Timestamp,
    /// Until when it can be started.
    pub expires: Timestamp,
    /// What was asked for.
    pub request: JobRequest,
    /// What would run.
    pub plan: ReprocessPlan,
    /// The selection as it was asked for; recorded with the job.
    pub description: String,
    entries: EntryRanges,
    /// The job that it became.
    started: Mutex<Option<JobId>>,
}

/// A plan as an object.
#[derive(Debug, Serialize)]
pub struct PlanObject<'a> {
    plan_id: &'a str,
    at_seq: EventSeq,
    expires: Timestamp,
    /// Number of selected entries.
    count: u64,
    #[serde(flatten)]
    planned: Planned<'a>,
    request: &'a JobRequest,
    /// The job that the plan became, if it was started.
    job: Option<JobId>,
}

impl FrozenPlan {
    /// Plans a job over a selection.
    ///
    /// # Errors
    /// For a request that cannot be run; see [`JobRequest::options`].
    pub fn make(desk: &Desk, request: JobRequest, selection: &Selection) -> Result<Self> {
        let options = request.options(desk.config())?;
        refuse_unknown(&options.which, &desk.archive, desk.config())?;
        let at_seq = desk.archive.newest();
        let entries = EntryRanges::of(selection.ids.iter().copied());
        let plan = planned(desk, selection, &options)?;
        Ok(Self {
            plan_id: id_of(at_seq, &request, &entries)?,
            at_seq,
            made_at: desk.now,
            expires: desk.now.plus_micros(KEPT_FOR_MICROS),
            request,
            plan,
            description: selection.description.clone(),
            entries,
            started: Mutex::default(),
        })
    }

    /// Returns the plan as an object.
    pub fn object(&self) -> PlanObject<'_> {
        PlanObject {
            plan_id: &self.plan_id,
            at_seq: self.at_seq,
            expires: self.expires,
            count: self.plan.total,
            planned: Planned::of(&self.plan),
            request: &self.request,
            job: *self.started(),
        }
    }

    /// Returns the entries that the job runs over.
    pub fn selection(&self) -> Selection {
        Selection::of(self.description.clone(), self.entries.iter().collect())
    }

    /// Returns how many of the entries have a converter that can run.
    pub fn runnable(&self) -> u64 {
        let numbers = |of: &mut dyn Iterator<Item = u64>| of.sum::<u64>();
        let run = numbers(&mut self.plan.runs.iter().map(|run| run.entries));
        let blocked = numbers(&mut self.plan.blocked.iter().map(|skip| skip.entries));
        run.saturating_sub(blocked)
    }

    /// Returns the job that the plan became. Held while it is being started.
    pub(super) fn started(&self) -> MutexGuard<'_, Option<JobId>> {
        self.started.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses a plan that says something else now.
    ///
    /// # Errors
    /// `Refused` when it expired, or when its entries or converters are others than they were.
    pub fn refuse_stale(&self, desk: &Desk, options: &Reprocess) -> Result<()> {
        let made_anew = "make the plan again, and look at what changed";
        if desk.now >= self.expires {
            let told = format!("plan {} has expired", self.plan_id);
            return Err(Error::new(ErrorKind::Refused, told).hint(made_anew));
        }
        let again = planned(desk, &self.selection(), options)?;
        if again == self.plan {
            return Ok(());
        }
        let told = format!(
            "plan {} is stale: {} since event {}",
            self.plan_id,
            what_changed(&self.plan, &again),
            self.at_seq
        );
        Err(Error::new(ErrorKind::Refused, told).hint(made_anew))
    }
}

fn planned(desk: &Desk, selection: &Selection, options: &Reprocess) -> Result<ReprocessPlan> {
    let converters = configured_converters(desk.config());
    plan(&desk.archive, selection, &converters, options)
}

/// Says in which part two plans differ.
fn what_changed(old: &ReprocessPlan, new: &ReprocessPlan) -> &'static str {
    if old.skipped != new.skipped {
        "other entries would be passed over than"
    } else if old.blocked != new.blocked {
        "other converters cannot run than"
    } else {
        "another converter would run than, or over entries that were converted"
    }
}

fn id_of(at: EventSeq, request: &JobRequest, entries: &EntryRanges) -> Result<String> {
    let asked = serde_json::to_vec(request).map_err(|error| {
        Error::new(ErrorKind::Invalid, "the request cannot be written down").caused_by(error)
    })?;
    let mut digest = blake3::Hasher::new_derive_key("annals reprocess plan v1");
    digest.update(&at.0.to_le_bytes());
    digest.update(&asked);
    for (first, last) in entries.ranges() {
        digest.update(&first.0.to_le_bytes());
        digest.update(&last.0.to_le_bytes());
    }
    Ok(digest.finalize().to_hex()[..16].to_owned())
}

/// The plans that were made and can be started.
#[derive(Debug, Default)]
pub struct Plans(Mutex<BTreeMap<String, Arc<FrozenPlan>>>);

impl Plans {
    /// Keeps a plan. One that was made and kept before stays, with the job that it became.
    pub fn keep(&self, made: FrozenPlan) -> Arc<FrozenPlan> {
        let now = made.made_at;
        let mut plans = self.lock();
        // A started plan answers again with its job, so it is kept as long as the others.
        plans.retain(|_, plan| now < plan.expires);
        if let Some(known) = plans.get(&made.plan_id) {
            return Arc::clone(known);
        }
        while plans.len() >= PLANS_MAX {
            let oldest = plans.values().min_by_key(|plan| plan.made_at);
            let Some(oldest) = oldest.map(|plan| plan.plan_id.clone()) else {
                break;
            };
            plans.remove(&oldest);
        }
        let made = Arc::new(made);
        plans.insert(made.plan_id.clone(), Arc::clone(&made));
        made
    }

    /// Returns a plan.
    ///
    /// # Errors
    /// `NotFound` for one that was never made, or that is not kept any more.
    pub fn get(&self, plan_id: &str) -> Result<Arc<FrozenPlan>> {
        let plan = self.lock().get(plan_id).map(Arc::clone);
        plan.ok_or_else(|| {
            let told = format!("there is no plan '{plan_id}'");
            Error::new(ErrorKind::NotFound, told)
                .hint("plans are kept for half an hour, and not across a restart: make it again")
        })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Arc<FrozenPlan>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
