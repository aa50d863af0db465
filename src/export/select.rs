//! Selects the lines of a log that some entries need.

use std::collections::{BTreeMap, BTreeSet};

use crate::event::{Body, EntryRanges, Event};
use crate::evidence::tree::{TreeHash, leaf_hash};
use crate::export::facts::{Facts, Names, touched};
use crate::export::scope::Counts;
use crate::id::{ConverterId, EventSeq, JobId};

/// A line of a selection. A selection may have as many of them as the log.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chosen {
    pub(super) seq: EventSeq,
    pub(super) hash: TreeHash,
    bytes: u32,
    /// Which of the types that were met.
    kind: u32,
}

/// A line that is chosen once another line names it. There are few of them.
#[derive(Debug)]
struct Waiting {
    line: Chosen,
    event: Event,
}

/// Selects lines as they stream by. What only a later line makes necessary waits.
#[derive(Debug)]
pub(super) struct Selector {
    entries: EntryRanges,
    chosen: Vec<Chosen>,
    /// The types of the lines that were met.
    kinds: Vec<String>,
    facts: Facts,
    /// Converters that no chosen line names yet.
    converters: BTreeMap<ConverterId, Vec<Waiting>>,
    /// Plans of purges that no chosen line names yet.
    plans: BTreeMap<String, Vec<Waiting>>,
    /// Jobs that no chosen line names yet.
    jobs: BTreeMap<JobId, Vec<Waiting>>,
    /// Holds that protect or protected an entry.
    holds: BTreeSet<String>,
}

impl Selector {
    pub(super) fn new(entries: EntryRanges, names: Names) -> Self {
        Self {
            entries,
            chosen: Vec::new(),
            kinds: Vec::new(),
            facts: Facts::new(names),
            converters: BTreeMap::new(),
            plans: BTreeMap::new(),
            jobs: BTreeMap::new(),
            holds: BTreeSet::new(),
        }
    }

    /// Looks at the next line.
    pub(super) fn add(&mut self, event: Event, line: &[u8]) {
        let is_chosen = match &event.body {
            Body::StoreCreated(_) | Body::StoreContinued(_) | Body::Repaired(_) => true,
            Body::Archived(_) => self.entries.contains(event.seq.into()),
            Body::Converted(fact) => {
                let is_chosen = self.entries.contains(fact.entry);
                if is_chosen {
                    let converter = fact.converter_id.and_then(|id| self.converters.remove(&id));
                    let job = fact.job.and_then(|id| self.jobs.remove(&id));
                    self.choose_all(converter.into_iter().chain(job).flatten());
                }
                is_chosen
            }
            Body::HoldPlaced(fact) => {
                // What comes under the hold later is not listed, so its filter is shown.
                let is_chosen = fact.future.is_some() || touch(&self.entries, &fact.entries);
                if is_chosen {
                    self.holds.insert(fact.name.clone());
                }
                is_chosen
            }
            Body::HoldReleased(fact) => self.holds.contains(&fact.name),
            Body::HoldReviewed(fact) => self.holds.contains(&fact.name),
            Body::PurgedEntries(fact) => {
                let is_chosen = touch(&self.entries, &fact.entries);
                if is_chosen && let Some(plan) = self.plans.remove(&fact.plan_id) {
                    self.choose_all(plan);
                }
                is_chosen
            }
            Body::ConverterRegistered(_) | Body::PurgePlanned(_) | Body::JobStarted(_) => {
                let line = self.line(&event, line);
                self.wait(Waiting { line, event });
                return;
            }
            // An event of a later version may be about an entry, or about the keys.
            body => {
                let touched = touched(body);
                let about = touched.entry.is_some_and(|id| self.entries.contains(id));
                about
                    || touch(&self.entries, &touched.entries)
                    || body.kind().starts_with("annals.key.")
            }
        };
        if is_chosen {
            let line = self.line(&event, line);
            self.choose_all([Waiting { line, event }]);
        }
    }

    fn line(&mut self, event: &Event, line: &[u8]) -> Chosen {
        let kind = event.body.kind();
        let known = self.kinds.iter().position(|known| known == kind);
        let kind = known.unwrap_or_else(|| {
            self.kinds.push(kind.to_owned());
            self.kinds.len() - 1
        });
        Chosen {
            seq: event.seq,
            hash: leaf_hash(line),
            bytes: u32::try_from(line.len()).unwrap_or(u32::MAX),
            kind: u32::try_from(kind).expect("there are fewer types than lines in memory"),
        }
    }

    fn choose_all(&mut self, lines: impl IntoIterator<Item = Waiting>) {
        for Waiting { line, event } in lines {
            self.chosen.push(line);
            self.facts.apply(&event, None);
        }
    }

    fn wait(&mut self, waiting: Waiting) {
        let list = match &waiting.event.body {
            Body::ConverterRegistered(fact) => {
                self.converters.entry(fact.converter_id).or_default()
            }
            Body::PurgePlanned(fact) => self.plans.entry(fact.plan_id.clone()).or_default(),
            _ => self.jobs.entry(JobId(waiting.event.seq.0)).or_default(),
        };
        list.push(waiting);
    }

    /// Returns the lines in the order of the log, their counts, and what they say.
    pub(super) fn finish(mut self) -> (Vec<Chosen>, Counts, Facts) {
        self.chosen.sort_unstable_by_key(|line| line.seq);
        let mut counts = Counts::default();
        for line in &self.chosen {
            counts.add(&self.kinds[line.kind as usize], u64::from(line.bytes));
        }
        (self.chosen, counts, self.facts)
    }
}

/// Returns whether two lists of ranges have an entry in common.
fn touch(a: &EntryRanges, b: &EntryRanges) -> bool {
    let (mut a, mut b) = (a.ranges(), b.ranges());
    while let (Some(first), Some(second)) = (a.first(), b.first()) {
        if first.1 < second.0 {
            a = &a[1..];
        } else if second.1 < first.0 {
            b = &b[1..];
        } else {
            return true;
        }
    }
    false
}
