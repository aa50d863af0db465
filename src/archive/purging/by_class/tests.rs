//! The planner against a naive model: days are numbers, and each entry is looked at by itself.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use proptest::prelude::*;

use super::*;
use crate::archive::checking::verify::Depth;
use crate::archive::{Annotation, NewAttempt, NewEntry, NewLock, Options};
use crate::disk::sim::SimDisk;
use crate::entry::{Outcome, Period};
use crate::event::LockMode;
use crate::id::AttemptNo;
use crate::query::Filter;
use crate::retention::{AsOf, Base, Keep, Keeps};
use crate::time::Clock;

/// Days since 1970, as somebody sets them.
struct Set(AtomicI64);

impl Clock for Set {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(0).plus_days(self.0.load(Ordering::Relaxed))
    }

    fn monotonic_ms(&self) -> u64 {
        0
    }

    fn boot(&self) -> &'static str {
        "test"
    }
}

const START: i64 = 20_000;
const LABEL: &str = "end_of_service";
const CONVERTERS: [&str; 2] = ["ICT", "FCT"];

/// What happens to one entry, and on which day.
#[derive(Debug, Clone)]
struct Story {
    converter: usize,
    archived: i64,
    /// The days of its attempts, and whether each made a report.
    attempts: Vec<(i64, bool)>,
    labelled: Option<i64>,
    held: bool,
}

#[derive(Debug, Clone)]
struct Rule {
    converter: Option<usize>,
    sources: Option<i64>,
    reports: Option<i64>,
    superseded: Option<i64>,
    base: Base,
    max_count: Option<u64>,
}

fn stories() -> impl Strategy<Value = Vec<Story>> {
    let attempts = proptest::collection::vec((0_i64..20, any::<bool>()), 0..4);
    let labelled = proptest::option::of(0_i64..30);
    let story = (0..2_usize, 0_i64..30, attempts, labelled, 0..6_u8).prop_map(
        |(converter, archived, attempts, labelled, held)| {
            let mut day = archived;
            let attempts = attempts.into_iter().map(|(later, made)| {
                day += later;
                (day, made)
            });
            Story {
                converter,
                archived,
                attempts: attempts.collect(),
                labelled: labelled.map(|later| archived + later),
                held: held == 0,
            }
        },
    );
    proptest::collection::vec(story, 1..8)
}

fn rules() -> impl Strategy<Value = Vec<Rule>> {
    let days = || proptest::option::of(1_i64..60);
    let base = prop_oneof![
        Just(Base::Archived),
        Just(Base::LastAttempt),
        Just(Base::Label(LABEL.into())),
    ];
    let count = proptest::option::of(1..4_u64);
    let rule = (
        proptest::option::of(0..2_usize),
        days(),
        days(),
        days(),
        base,
        count,
    )
        .prop_map(
            |(converter, sources, reports, superseded, base, max_count)| Rule {
                converter,
                sources,
                reports,
                superseded,
                base,
                max_count,
            },
        );
    proptest::collection::vec(rule, 1..4)
}

fn class(nth: usize, rule: &Rule) -> Class {
    let keep = |days: Option<i64>| match days {
        Some(days) => Keep::For(Period::days(u32::try_from(days).expect("small"))),
        None => Keep::Forever,
    };
    let mut class = Class::new(format!("class {nth}")).from(rule.base.clone());
    class.filter.converter = rule
        .converter
        .iter()
        .map(|at| CONVERTERS[*at].into())
        .collect();
    class.keep = Keeps {
        sources: keep(rule.sources),
        reports: keep(rule.reports),
        superseded: rule.superseded.map(|days| keep(Some(days))),
    };
    class.max_count = rule.max_count;
    class
}

/// What goes of an entry: all of it, or parts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Goes {
    All,
    Source,
    ReportsThrough(usize),
}

impl Story {
    /// Returns what is due on day `now`, by a rule.
    fn due(&self, rule: &Rule, now: i64) -> Vec<Goes> {
        let base = match rule.base {
            Base::Archived => Some(self.archived),
            Base::LastAttempt => self.attempts.iter().map(|(day, _)| *day).max(),
            _ => self.labelled.filter(|day| *day <= now),
        };
        let over = |keep: Option<i64>, base: Option<i64>| match (keep, base) {
            (Some(keep), Some(base)) => base + keep <= now,
            _ => false,
        };
        let made: Vec<usize> = (0..self.attempts.len())
            .filter(|at| self.attempts[*at].1)
            .collect();
        let source = over(rule.sources, base);
        let reports = over(rule.reports, base);
        if source && (made.is_empty() || reports) {
            return vec![Goes::All];
        }
        let mut goes = Vec::new();
        if source {
            goes.push(Goes::Source);
        }
        if let Some(last) = made.last().filter(|_| reports) {
            goes.push(Goes::ReportsThrough(last + 1));
        } else {
            let mut through = None;
            for pair in made.windows(2) {
                if !over(rule.superseded, Some(self.attempts[pair[1]].0)) {
                    break;
                }
                through = Some(pair[0] + 1);
            }
            goes.extend(through.map(Goes::ReportsThrough));
        }
        goes
    }
}

/// Returns what a policy takes on day `now`: entries by their place, oldest first.
fn expected(stories: &[Story], rules: &[Rule], now: i64) -> BTreeSet<(usize, Goes)> {
    let rule_of = |story: &Story| {
        let fits = |rule: &Rule| rule.converter.is_none_or(|name| name == story.converter);
        rules.iter().position(fits)
    };
    let mut takes = BTreeSet::new();
    let mut left: Vec<u64> = vec![0; rules.len()];
    let mut undecided = Vec::new();
    for (at, story) in stories.iter().enumerate() {
        let Some(nth) = rule_of(story) else { continue };
        left[nth] += 1;
        let due = story.due(&rules[nth], now);
        if due.is_empty() {
            undecided.push((at, nth));
        } else if !story.held {
            left[nth] -= u64::from(due.contains(&Goes::All));
            takes.extend(due.into_iter().map(|goes| (at, goes)));
        }
    }
    for (at, nth) in undecided {
        let most = rules[nth].max_count;
        if most.is_some_and(|most| left[nth] > most) && !stories[at].held {
            left[nth] -= 1;
            takes.insert((at, Goes::All));
        }
    }
    takes
}

struct Plant {
    disk: SimDisk,
    archive: Archive,
    clock: Arc<Set>,
    ids: Vec<EntryId>,
}

/// Lets stories happen, in the order of their days.
fn plant(stories: &[Story], until: i64) -> Plant {
    let clock = Arc::new(Set(AtomicI64::new(START)));
    let options = Options {
        clock: Arc::clone(&clock) as Arc<dyn Clock>,
        ..Options::default()
    };
    let disk = SimDisk::new();
    let archive = Archive::create_on(Arc::new(disk.clone()), options).expect("made");
    let mut ids: Vec<Option<EntryId>> = vec![None; stories.len()];
    for day in 0..=until {
        clock.0.store(START + day, Ordering::Relaxed);
        for (at, story) in stories.iter().enumerate() {
            if story.archived == day {
                let content = format!("source {at} of {day}").repeat(20);
                let new = NewEntry::new(CONVERTERS[story.converter]);
                ids[at] = Some(archive.put(new, content.as_bytes()).expect("archived").id);
            }
            let Some(id) = ids[at] else { continue };
            for (nth, (on, made)) in story.attempts.iter().enumerate() {
                if *on == day {
                    let report = format!("report {nth} of {at}").repeat(30).into_bytes();
                    let reports = if *made { vec![report] } else { Vec::new() };
                    let outcome = if *made {
                        Outcome::Success
                    } else {
                        Outcome::Failed
                    };
                    let attempt = NewAttempt::new(outcome, "ICT").reports(reports);
                    archive.record_attempt(id, attempt).expect("recorded");
                }
            }
            if story.labelled == Some(day) {
                let note = Annotation::new("told").labels(vec![LABEL.into()]);
                archive.annotate(id, note).expect("noted");
            }
        }
    }
    let ids: Vec<EntryId> = ids.into_iter().flatten().collect();
    let held = ids.iter().zip(stories).filter(|(_, story)| story.held);
    let held: Vec<EntryId> = held.map(|(id, _)| *id).collect();
    if !held.is_empty() {
        archive.place_hold("audit", "why", held).expect("placed");
    }
    Plant {
        disk,
        archive,
        clock,
        ids,
    }
}

fn taken_by(plan: &PurgePlan, ids: &[EntryId]) -> BTreeSet<(usize, Goes)> {
    let items = plan.items.iter().map(|item| {
        let at = ids.iter().position(|id| *id == item.id).expect("known");
        let goes = match item.part {
            Part::Entry => Goes::All,
            Part::Source => Goes::Source,
            Part::Reports { through } | Part::Superseded { through } => {
                Goes::ReportsThrough(through.0 as usize)
            }
        };
        (at, goes)
    });
    items.collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_plan_takes_what_the_model_takes_and_the_store_agrees_afterwards(
        mut stories in stories(),
        rules in rules(),
        later in 0_i64..80,
    ) {
        stories.sort_by_key(|story| story.archived);
        let until = 95;
        let plant = plant(&stories, until);
        let now = until + later;
        let classes = rules.iter().enumerate().map(|(nth, rule)| class(nth, rule)).collect();
        let policy = Policy::default().classes(classes);
        prop_assume!(policy.rules().is_ok());
        let day = AsOf::Vouched(Timestamp::from_micros(0).plus_days(START + now));
        let plan = plant.archive.plan_purge(&policy, day).expect("a plan");
        let expected = expected(&stories, &rules, now);
        prop_assert_eq!(taken_by(&plan, &plant.ids), expected);
        if plan.items.is_empty() {
            return Ok(());
        }
        let before = plant.archive.snapshot().expect("there").stats().expect("counted");
        let done = plant.archive.purge(&plan, "asked for").expect("recorded");
        prop_assert!(done.reclaim.is_ok());
        // Nothing is due a second time, but for limits that parts were no help for.
        let again = plant.archive.plan_purge(&policy, day).expect("a plan");
        let due = again.items.iter().filter(|item| !item.rule.starts_with("max-count"));
        prop_assert_eq!(due.count(), 0);
        let report = plant.archive.verify(Depth::Deep).expect("checked");
        prop_assert!(report.ok, "{report:?}");
        let after = plant.archive.snapshot().expect("there").stats().expect("counted");
        prop_assert_eq!(before.entries - after.entries, plan.count);
        // What went cannot be read, and what stayed can.
        let snapshot = plant.archive.snapshot().expect("there");
        for id in &plant.ids {
            let entry = snapshot.entry(*id).expect("sound").expect("there");
            for (blob, _) in entry.contents_left() {
                prop_assert!(plant.archive.read_all(&blob, 1 << 20).is_ok());
            }
            if !entry.has_source() {
                prop_assert!(plant.archive.read_all(&entry.blake3, 1 << 20).is_err());
            }
        }
    }
}

fn one_story() -> Vec<Story> {
    vec![Story {
        converter: 0,
        archived: 0,
        attempts: vec![(1, true), (3, true)],
        labelled: None,
        held: false,
    }]
}

fn all(keep: &str) -> Policy {
    let keep: Keep = keep.parse().expect("valid");
    Policy::default().classes(vec![Class::new("all").keep(keep)])
}

/// Raw files are kept for seven years, and what is made of them is made again when it is needed.
#[test]
fn a_source_stays_while_its_reports_go_and_every_door_says_so() {
    let plant = plant(&one_story(), 5);
    let keeps = Keeps::default()
        .reports("30d".parse().expect("valid"))
        .superseded("4d".parse().expect("valid"));
    let policy = Policy::default().classes(vec![Class::new("raw").keep(keeps)]);
    let on = |day: i64| AsOf::Vouched(Timestamp::from_micros(0).plus_days(START + day));
    let parts = |day: i64| {
        let plan = plant.archive.plan_purge(&policy, on(day)).expect("a plan");
        let items = plan.items.iter();
        let told: Vec<_> = items.map(|item| (item.part, item.rule.clone())).collect();
        (plan, told)
    };
    assert_eq!(parts(6).1, []);
    let (first, told) = parts(7);
    let through = AttemptNo(1);
    let superseded = Part::Superseded { through };
    assert_eq!(told, [(superseded, "keep superseded 4d".to_owned())]);
    assert_eq!((first.count, first.parts), (0, 1));
    plant.archive.purge(&first, "superseded").expect("purged");
    let (second, told) = parts(30);
    let through = AttemptNo(2);
    assert_eq!(
        told,
        [(Part::Reports { through }, "keep reports 30d".to_owned())]
    );
    plant.archive.purge(&second, "reports").expect("purged");
    let entry = plant.archive.snapshot().expect("there").entry(plant.ids[0]);
    let entry = entry.expect("sound").expect("there");
    assert!(entry.has_source() && entry.purged_at.is_none());
    assert_eq!(entry.attempts_with_reports().count(), 0);
    assert_eq!(
        entry.reports_purge(AttemptNo(1)).expect("gone").by,
        "keep superseded 4d"
    );
    assert_eq!(
        entry.reports_purge(AttemptNo(2)).expect("gone").by,
        "keep reports 30d"
    );
    // The same from the log alone.
    let before = plant
        .archive
        .snapshot()
        .expect("there")
        .stats()
        .expect("counted");
    plant.archive.close().expect("closed");
    let rebuilt = Archive::open_on(Arc::new(plant.disk.clone()), Options::default());
    let rebuilt = rebuilt.expect("opens");
    let after = rebuilt.snapshot().expect("there").stats().expect("counted");
    assert_eq!(
        (before.entries, before.purged),
        (after.entries, after.purged)
    );
    assert!(rebuilt.verify(Depth::Deep).expect("checked").ok);
}

/// A converter may answer with a report although it failed.
#[test]
fn a_report_of_a_failed_attempt_supersedes_none() {
    let plant = plant(&one_story(), 5);
    let attempt = NewAttempt::new(Outcome::Failed, "ICT").reports(vec![b"in part".to_vec()]);
    plant
        .archive
        .record_attempt(plant.ids[0], attempt)
        .expect("recorded");
    let keeps = Keeps::default().superseded("4d".parse().expect("valid"));
    let policy = Policy::default().classes(vec![Class::new("raw").keep(keeps)]);
    let later = AsOf::Vouched(Timestamp::from_micros(0).plus_days(START + 20));
    let plan = plant.archive.plan_purge(&policy, later).expect("a plan");
    let parts: Vec<Part> = plan.items.iter().map(|item| item.part).collect();
    let through = AttemptNo(1);
    assert_eq!(parts, [Part::Superseded { through }]);
}

/// A report that was made between the plan and the purge is not of the plan.
#[test]
fn a_report_that_is_made_after_the_plan_stays() {
    let plant = plant(&one_story(), 5);
    let keeps = Keeps::default().reports("1d".parse().expect("valid"));
    let policy = Policy::default().classes(vec![Class::new("raw").keep(keeps)]);
    let plan = plant
        .archive
        .plan_purge(&policy, AsOf::Clock)
        .expect("a plan");
    let attempt = NewAttempt::new(Outcome::Success, "ICT").reports(vec![b"newer".to_vec()]);
    plant
        .archive
        .record_attempt(plant.ids[0], attempt)
        .expect("made");
    plant.archive.purge(&plan, "reports").expect("purged");
    let entry = plant.archive.snapshot().expect("there").entry(plant.ids[0]);
    let entry = entry.expect("sound").expect("there");
    let left: Vec<_> = entry
        .attempts_with_reports()
        .map(|left| left.attempt.0)
        .collect();
    assert_eq!(left, [3]);
    assert_eq!(
        plant
            .archive
            .read_all(&crate::id::BlobId::of(b"newer"), 9)
            .expect("there"),
        b"newer"
    );
}

/// "Life of the part plus one year": nobody knows the end when the file comes in.
#[test]
fn what_has_not_happened_keeps_an_entry_and_a_note_starts_the_period() {
    let plant = plant(&one_story(), 5);
    let mut class = Class::new("service").from(Base::Label(LABEL.into()));
    class.keep = "1y".parse::<Keep>().expect("valid").into();
    let policy = Policy::default().classes(vec![class]);
    let on = |text: &str| AsOf::Vouched(text.parse().expect("valid"));
    let planned = |day: &str| {
        let plan = plant.archive.plan_purge(&policy, on(day)).expect("a plan");
        (plan.count, plan.undated_skipped)
    };
    assert_eq!(planned("2090-01-01T00:00:00Z"), (0, 1));
    let note = Annotation::new("told by sales").labels(vec![format!("{LABEL}=2031-05-01")]);
    plant.archive.annotate(plant.ids[0], note).expect("noted");
    assert_eq!(planned("2032-04-30T23:00:00Z"), (0, 0));
    assert_eq!(planned("2032-05-01T00:00:00Z"), (1, 0));
    // A date that nobody can read must not count as one that has passed.
    let note = Annotation::new("typo").labels(vec![format!("{LABEL}=2o33-05-01")]);
    plant.archive.annotate(plant.ids[0], note).expect("noted");
    assert_eq!(planned("2090-01-01T00:00:00Z"), (0, 1));
}

fn lock(archive: &Archive, keep: &str, mode: Option<LockMode>) -> Result<()> {
    let keep = keep.parse().expect("valid");
    archive.lock_retention(NewLock {
        mode,
        ..NewLock::new("law", keep, "because of it")
    })
}

#[test]
fn a_lock_keeps_what_is_younger_from_every_rule_and_every_day_that_is_asked_for() {
    let plant = plant(&one_story(), 5);
    let far = AsOf::Vouched("2090-01-01T00:00:00Z".parse().expect("valid"));
    let before = plant.archive.plan_purge(&all("1d"), far).expect("a plan");
    assert_eq!(before.count, 1);
    lock(&plant.archive, "60d", Some(LockMode::Compliance)).expect("locked");
    let refused = plant.archive.purge(&before, "quickly").expect_err("stale");
    assert_eq!(refused.kind(), crate::ErrorKind::Refused);
    for policy in [
        all("1d"),
        Policy::default().max_count(0),
        Policy::default().older_than_micros(0),
        all("1d").governance_locks(crate::retention::GovernanceLocks::Bypass),
    ] {
        let plan = plant.archive.plan_purge(&policy, far).expect("a plan");
        assert_eq!(
            (plan.items.len(), plan.locked_skipped),
            (0, 1),
            "{policy:?}"
        );
    }
    // A plan that somebody made by hand meets the lock as well.
    let mut forged = before;
    forged.at_seq = plant.archive.newest();
    forged.plan_id = forged.digest();
    let refused = plant.archive.purge(&forged, "quickly").expect_err("locked");
    assert!(
        refused.message().contains("compliance lock 'law'"),
        "{refused}"
    );
    plant.clock.0.store(START + 60, Ordering::Relaxed);
    let plan = plant
        .archive
        .plan_purge(&all("1d"), AsOf::Clock)
        .expect("a plan");
    assert_eq!(plan.count, 1);
    plant.archive.purge(&plan, "old enough").expect("purged");
}

#[test]
fn a_compliance_lock_gets_longer_only_and_nobody_removes_it() {
    let plant = plant(&one_story(), 5);
    let archive = &plant.archive;
    let kind = |done: Result<()>| done.map_err(|error| error.kind()).err();
    let refused = Some(crate::ErrorKind::Refused);
    assert_eq!(
        kind(lock(archive, "1y", None)),
        Some(crate::ErrorKind::Invalid)
    );
    lock(archive, "1y", Some(LockMode::Governance)).expect("locked");
    assert_eq!(kind(lock(archive, "364d", None)), refused);
    lock(archive, "2y", Some(LockMode::Compliance)).expect("stricter");
    assert_eq!(
        kind(lock(archive, "2y", Some(LockMode::Governance))),
        refused
    );
    assert_eq!(kind(lock(archive, "1y", None)), refused);
    lock(archive, "12y", None).expect("longer");
    assert_eq!(kind(archive.unlock_retention("law", "in the way")), refused);
    assert_eq!(
        kind(archive.unlock_retention("other", "x")),
        Some(crate::ErrorKind::NotFound)
    );
    let locks = archive.retention_locks();
    assert_eq!(
        (locks[0].keep, locks[0].mode),
        (Period::years(12), LockMode::Compliance)
    );
}

#[test]
fn a_governance_lock_is_bypassed_on_record_and_a_label_cannot_be_taken_off_to_leave_it() {
    let plant = plant(&one_story(), 5);
    let archive = &plant.archive;
    let label = |labels: &[&str], unlabels: &[&str]| {
        let owned = |all: &[&str]| all.iter().map(|&one| one.to_owned()).collect();
        let note = Annotation::new("x")
            .labels(owned(labels))
            .unlabels(owned(unlabels));
        archive.annotate(plant.ids[0], note).expect("noted");
    };
    let keep = "10y".parse().expect("valid");
    let new = NewLock::new("airbag", keep, "law")
        .mode(LockMode::Governance)
        .labels(vec!["airbag".into()]);
    archive.lock_retention(new).expect("locked");
    let count = |policy: &Policy| {
        archive
            .plan_purge(policy, AsOf::Clock)
            .expect("a plan")
            .count
    };
    assert_eq!(count(&all("1d")), 1);
    label(&["Airbag"], &[]);
    assert_eq!(count(&all("1d")), 0);
    label(&[], &["airbag"]);
    assert_eq!(count(&all("1d")), 0, "it had the label");
    let bypass = all("1d").governance_locks(crate::retention::GovernanceLocks::Bypass);
    let plan = archive.plan_purge(&bypass, AsOf::Clock).expect("a plan");
    archive.purge(&plan, "court order 7").expect("purged");
    let events = archive.events(crate::id::EventSeq(1), None).expect("sound");
    let bypassed: Vec<String> = events
        .filter_map(
            |leaf| match leaf.expect("sound").event().expect("readable").body {
                crate::event::Body::PurgedEntries(fact) => Some(fact.bypassed),
                _ => None,
            },
        )
        .flatten()
        .collect();
    assert_eq!(bypassed, ["airbag"]);
}

/// A wall clock and a monotonic clock, as somebody sets them, in days.
#[derive(Default)]
struct TwoClocks {
    wall: AtomicI64,
    passed: AtomicI64,
}

impl TwoClocks {
    /// Lets `days` pass, and sets the wall clock by `step` days besides.
    fn pass(&self, days: i64, step: i64) {
        self.passed.fetch_add(days, Ordering::Relaxed);
        self.wall.fetch_add(days + step, Ordering::Relaxed);
    }
}

impl Clock for TwoClocks {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(0).plus_days(START + self.wall.load(Ordering::Relaxed))
    }

    fn monotonic_ms(&self) -> u64 {
        let days = u64::try_from(self.passed.load(Ordering::Relaxed)).expect("positive");
        1 + days * 86_400_000
    }

    fn boot(&self) -> &'static str {
        "one"
    }
}

/// Whoever may set the clock could age a store over night.
#[test]
fn a_clock_that_is_set_ahead_does_not_open_a_lock_and_one_that_is_set_right_does_not_close_it() {
    let clock = Arc::new(TwoClocks::default());
    let options = Options {
        clock: Arc::clone(&clock) as Arc<dyn Clock>,
        ..Options::default()
    };
    let archive = Archive::create_on(Arc::new(SimDisk::new()), options).expect("made");
    let put = |text: &str| {
        archive
            .put(NewEntry::new("ICT"), text.as_bytes())
            .expect("archived")
            .id
    };
    let first = put("first");
    lock(&archive, "100d", Some(LockMode::Compliance)).expect("locked");
    let may_go = || {
        let plan = archive.plan_purge(&all("1d"), AsOf::Clock).expect("a plan");
        plan.items.iter().any(|item| item.id == first)
    };
    // Ahead by 200 days, which the next event shows.
    clock.pass(1, 200);
    put("second");
    assert!(!may_go());
    // Back again: nothing of it is left, so a day more than 100 days is enough.
    clock.pass(1, -200);
    put("third");
    clock.pass(97, 0);
    assert!(!may_go());
    clock.pass(1, 0);
    assert!(may_go());
    // A clock without a battery begins in the past, and is set right: that is no step ahead.
    clock.pass(0, -300);
    put("fourth");
    clock.pass(0, 300);
    put("fifth");
    assert!(may_go());
}

/// Limits on numbers are for entries that nothing else has decided about.
#[test]
fn a_class_of_several_converters_has_one_limit_and_another_class_is_not_touched() {
    let story = |converter: usize, archived: i64| Story {
        converter,
        archived,
        attempts: Vec::new(),
        labelled: None,
        held: false,
    };
    let stories: Vec<Story> = (0..6_i64)
        .map(|day| story(usize::from(day % 2 == 1), day))
        .collect();
    let plant = plant(&stories, 6);
    let filter = Filter::default().converter("fct");
    let shield = Class::new("shield").filter(filter);
    let policy = Policy::default().classes(vec![shield, Class::new("rest").max_count(1)]);
    let plan = plant
        .archive
        .plan_purge(&policy, AsOf::Clock)
        .expect("a plan");
    let ids: Vec<EntryId> = plan.items.iter().map(|item| item.id).collect();
    assert_eq!(ids, [plant.ids[0], plant.ids[2]]);
    assert!(
        plan.items
            .iter()
            .all(|item| item.class.as_deref() == Some("rest"))
    );
}
