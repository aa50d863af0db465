//! Tests the order of the queues, and their limits.

use std::time::{Duration, SystemTime};

use super::*;

type Names = Queue<&'static str, &'static str, &'static str>;

fn position(priority: u8, seconds: u64, path: &str) -> QueuePosition {
    QueuePosition {
        priority,
        in_order: None,
        modified: SystemTime::UNIX_EPOCH + Duration::from_secs(seconds),
        path: path.into(),
        folder: Path::new(path).parent().unwrap_or(Path::new("")).into(),
        converter: "T".into(),
        patience: Duration::from_secs(60),
    }
}

fn in_all(conversions: usize) -> ConverterLimits {
    ConverterLimits {
        in_all: conversions,
        ..ConverterLimits::default()
    }
}

#[test]
fn the_urgent_come_first_then_the_old_and_each_file_is_in_hand_once() {
    let queue = Names::default();
    for (priority, seconds, name) in [(5, 2, "b"), (5, 1, "a"), (1, 9, "urgent"), (5, 1, "a")] {
        assert!(queue.take(position(priority, seconds, name), name));
    }
    queue.close();
    let mut order = Vec::new();
    while let Some((name, _at_work)) = queue.next_to_archive() {
        order.push(name);
    }
    assert_eq!(order, ["urgent", "a", "b"]);
    assert!(queue.contains(Path::new("a")));
    queue.release(Path::new("a"));
    assert!(!queue.contains(Path::new("a")));
}

#[test]
fn a_stage_ends_only_when_nothing_can_come_from_the_one_before() {
    let queue = Names::default();
    queue.open(in_all(1), 16);
    queue.take(position(1, 1, "a"), "a");
    queue.close();
    let (name, at_work) = queue.next_to_archive().expect("one");
    assert!(queue.next_to_archive().is_none());
    std::thread::scope(|scope| {
        let later = scope.spawn(|| queue.next_to_convert().map(|(name, _)| name));
        queue.push_archived(position(1, 1, name), name);
        drop(at_work);
        assert_eq!(later.join().expect("no panic"), Some("a"));
    });
    assert!(queue.next_to_convert().is_none());
    assert!(queue.next_to_record().is_none());
    assert!(queue.wait_until_idle(Instant::now()));
}

#[test]
fn no_conversion_is_begun_while_too_much_waits_to_be_recorded() {
    let queue = Names::default();
    queue.open(in_all(4), 16);
    queue.push_converted(UNRECORDED_BYTES_MAX, "large");
    queue.push_archived(position(1, 1, "a"), "a");
    assert!(!queue.lock().may_convert());
    queue.next_to_record().expect("one");
    assert!(queue.lock().may_convert());
}

#[test]
fn what_nobody_is_at_work_on_is_let_go_and_what_was_converted_is_kept() {
    let queue = Names::default();
    queue.open(in_all(1), 16);
    queue.take(position(1, 1, "a"), "a");
    queue.push_archived(position(1, 1, "b"), "b");
    queue.push_converted(1, "c");
    assert_eq!(queue.drop_waiting().len(), 2);
    assert!(!queue.contains(Path::new("a")));
    assert_eq!(
        queue.next_to_record().map(|(job, _)| job),
        Some(RecordingJob::Record("c"))
    );
}

#[test]
fn there_is_no_room_for_more_files_than_so_many() {
    let queue = Names::default();
    for number in 0..IN_HAND_MAX {
        assert!(queue.take(position(1, 1, &number.to_string()), ""));
    }
    assert!(!queue.take(position(1, 1, "one more"), ""));
}

/// A program that only one process may use was started twice: for a file, and for a job.
#[test]
fn conversions_of_files_and_of_jobs_share_the_limits() {
    let queue = Names::default();
    let limits = ConverterLimits {
        in_all: 3,
        each: [("T".to_owned(), 1)].into(),
    };
    queue.open(limits, 16);
    let (limited, other) = (Arc::from("T"), Arc::from("other"));
    assert!(queue.begin_from_history(&limited, Precedence::BehindFiles));
    assert!(!queue.begin_from_history(&limited, Precedence::BehindFiles));
    assert!(queue.begin_from_history(&other, Precedence::BehindFiles));
    // The last place is for files, and the one of the limited converter is taken.
    assert!(!queue.begin_from_history(&other, Precedence::BehindFiles));
    queue.push_archived(position(1, 1, "a"), "a");
    std::thread::scope(|scope| {
        let file = scope.spawn(|| queue.next_to_convert());
        std::thread::sleep(Duration::from_millis(50));
        assert!(!file.is_finished());
        queue.end_from_history("T");
        let of_file = file.join().expect("no panic").expect("a file");
        assert!(!queue.begin_from_history(&limited, Precedence::BehindFiles));
        drop(of_file);
    });
    assert!(queue.begin_from_history(&limited, Precedence::BehindFiles));
}

/// A job beside a backlog that never ends would never end either.
#[test]
fn a_conversion_of_a_job_waits_for_files_until_it_claims_to_be_next() {
    let queue = Names::default();
    queue.open(in_all(1), 16);
    queue.push_archived(position(1, 1, "a"), "a");
    queue.push_archived(position(1, 2, "b"), "b");
    let converter = Arc::from("T");
    assert!(!queue.begin_from_history(&converter, Precedence::BehindFiles));
    let (_, first) = queue.next_to_convert().expect("a");
    assert!(queue.claim_next(&converter));
    assert!(!queue.claim_next(&converter), "one at a time");
    assert!(!queue.begin_from_history(&converter, Precedence::Next));
    drop(first);
    std::thread::scope(|scope| {
        let file = scope.spawn(|| queue.next_to_convert().map(|(name, _)| name));
        std::thread::sleep(Duration::from_millis(50));
        assert!(!file.is_finished(), "the place is kept for the job");
        assert!(queue.begin_from_history(&converter, Precedence::Next));
        queue.end_from_history(&converter);
        assert_eq!(file.join().expect("no panic"), Some("b"));
    });
    queue.push_archived(position(1, 3, "c"), "c");
    assert!(queue.claim_next(&converter));
    queue.give_up_claim();
    assert!(queue.next_to_convert().is_some());
}

/// A claim beside a running conversion of a job took the place that is left to files.
#[test]
fn a_claim_of_a_job_leaves_one_place_to_files() {
    let queue = Names::default();
    queue.open(in_all(2), 16);
    let converter = Arc::from("T");
    assert!(queue.begin_from_history(&converter, Precedence::BehindFiles));
    assert!(!queue.claim_next(&converter), "it waits for the other job");
    queue.push_archived(position(1, 1, "a"), "a");
    assert!(queue.next_to_convert().is_some());
    queue.end_from_history(&converter);
    assert!(queue.claim_next(&converter));
    assert!(
        !queue.begin_from_history(&converter, Precedence::BehindFiles),
        "the place of jobs is claimed"
    );
    assert!(queue.begin_from_history(&converter, Precedence::Next));
}
