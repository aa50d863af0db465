//! What plans say they take, compared with what goes; and the bytes on disk afterwards.

use std::fmt::Write;
use std::sync::Arc;

use super::*;
use crate::archive::{NewAttempt, NewEntry, Options};
use crate::disk::sim::SimDisk;
use crate::entry::Outcome;
use crate::log::JOURNAL_BYTES_MIN;
use crate::retention::{AsOf, Policy};

fn store(disk: &SimDisk) -> Archive {
    let options = Options {
        journal_bytes: JOURNAL_BYTES_MIN,
        ..Options::default()
    };
    Archive::create_on(Arc::new(disk.clone()), options).expect("a store")
}

fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    let seed = seed.to_le_bytes();
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed).finalize_xof().fill(&mut bytes);
    bytes
}

/// Text as testers write it, which packs make small with a dictionary.
fn table(seed: u64, len: usize) -> Vec<u8> {
    let mut text = format!("serial,SN{seed:06}\nstation,ICT-{}\n", seed % 7);
    let mut step = 0;
    while text.len() < len {
        let value = noise(seed * 1_000 + step, 2)[0];
        writeln!(text, "R{step},resistance,{value}.{step},0.0,255.0,PASS").expect("a text");
        step += 1;
    }
    text.into_bytes()
}

fn pack_bytes(disk: &SimDisk) -> u64 {
    let files = disk.files();
    let packs = files.iter().filter(|(path, _)| path.starts_with("packs"));
    packs.map(|(_, bytes)| bytes).sum()
}

/// Fills a store: every fifth source came in twice, every third has a report, some are long.
fn fill(archive: &Archive, entries: u64, seed: u64) {
    for nth in 0..entries {
        let number = seed * 10_000 + nth;
        let content = match nth % 50 {
            7 => noise(number, 1_600_000),
            _ if nth % 5 == 4 => table(number - 1, 3_000),
            _ if nth % 2 == 0 => table(number, 3_000),
            _ => noise(number, 2_000),
        };
        let converter = if nth % 3 == 0 { "FCT" } else { "ICT" };
        let id = archive.put(NewEntry::new(converter), &content[..]);
        let id = id.expect("archived").id;
        if nth % 3 == 0 {
            let mut attempt = NewAttempt::new(Outcome::Success, converter);
            attempt.reports = vec![table(number + 5_000, 1_500)];
            archive.record_attempt(id, attempt).expect("recorded");
        }
    }
}

/// A size limit was computed from plans, and the disk disagreed by a third.
#[test]
fn what_a_plan_says_it_frees__is_what_the_disk_gains_within_two_percent() {
    let policies = [
        Policy::default().max_count(150),
        Policy::default().max_count(20),
        Policy::default().converter("FCT").max_count(10),
        Policy::default().max_size(2_000_000),
    ];
    for (nth, policy) in (1..).zip(policies) {
        let disk = SimDisk::new();
        let archive = store(&disk);
        fill(&archive, 200, nth);
        archive.seal().expect("sealed");
        archive.compact(None).expect("compacted");
        let before = pack_bytes(&disk);
        let plan = archive.plan_purge(&policy, AsOf::Clock).expect("a plan");
        assert!(plan.count > 0);
        archive
            .purge(&plan, "test")
            .expect("purged")
            .reclaim
            .expect("freed");
        // All of it, also in packs that are less than half dead.
        archive.free_purged_by(None).expect("freed");
        archive.compact(None).expect("compacted");
        let gained = before - pack_bytes(&disk);
        let off = gained.abs_diff(plan.bytes_freed) as f64 * 100.0 / plan.bytes_freed as f64;
        assert!(
            off <= 2.0,
            "policy {nth}: the plan said {} of {before}, the disk gained {gained}: {off:.1} %",
            plan.bytes_freed
        );
    }
}

#[test]
fn an_impact_adds_up_to_its_plan_in_each_of_its_tables() {
    let disk = SimDisk::new();
    let archive = store(&disk);
    fill(&archive, 60, 9);
    archive.seal().expect("sealed");
    let policy = Policy::default().max_count(15);
    let plan = archive.plan_purge(&policy, AsOf::Clock).expect("a plan");
    let impact = archive.impact(&plan).expect("counted");
    for groups in [&impact.by_rule, &impact.by_converter, &impact.by_month] {
        let sums = groups.iter().fold((0, 0, 0), |sum, group| {
            let (entries, logical, freed) = sum;
            (
                entries + group.entries,
                logical + group.bytes_logical,
                freed + group.bytes_freed,
            )
        });
        assert_eq!(sums, (plan.count, plan.bytes_logical, plan.bytes_freed));
    }
    assert!((impact.percent_of_entries - 75.0).abs() < 0.01);
    assert_eq!(impact.by_rule[0].name, "max-count 15");
}

/// Limits gave way to holds without a word, until the disk was full.
#[test]
fn holds_that_keep_more_than_a_limit_allows__are_told() {
    let disk = SimDisk::new();
    let archive = store(&disk);
    fill(&archive, 30, 3);
    let view = archive.snapshot().expect("there");
    let query = crate::query::Query::default();
    let ids = view.query(&query).expect("listed").entries;
    let ids = ids.iter().map(|entry| entry.id).collect();
    assert_eq!(
        archive
            .held_over_limit(None, Some(0), Some(0))
            .expect("none"),
        None
    );
    archive.place_hold("all", "recall", ids).expect("held");
    let held = archive.held_over_limit(None, Some(10_000), Some(40));
    let held = held.expect("counted").expect("over the limit");
    assert_eq!(
        (held.entries, held.over_size, held.over_count),
        (30, true, false)
    );
    assert!(held.bytes > 10_000);
    assert_eq!(
        archive.held_over_limit(None, None, Some(30)).expect("met"),
        None
    );
    let other = archive.held_over_limit(Some("other"), Some(1), Some(1));
    assert_eq!(other.expect("met"), None);
}
