//! Property test of extreme values. Whatever a caller, a file system or a clock passes in is
//! refused before it is acknowledged, or it is there when the store is opened again and in a
//! rebuilt index.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use crate::support::prove::{Size, size};
use crate::support::{Hourly, tiny};
use annals::archive::{Archive, Depth, NewAttempt, NewConverter, NewEntry};
use annals::disk::sim::SimDisk;
use annals::entry::{Entry, Outcome, Retention, Unit};
use annals::event::{ConfigChanged, JobFinished, JobStarted, Source};
use annals::id::{AttemptNo, ConverterId, EntryId};
use annals::retention::{AsOf, Policy};
use annals::time::{Clock, Timestamp};
use annals::{Error, ErrorKind, Result};
use proptest::collection::{btree_map, vec};
use proptest::option::of;
use proptest::prelude::*;

/// A clock that may show any time.
struct AnyClock(AtomicI64);

impl Clock for AnyClock {
    fn now(&self) -> Timestamp {
        let micros = self.0.load(Ordering::Relaxed);
        // Any zone offset.
        let offset_s = i32::try_from(micros.rem_euclid(200_000)).expect("small") - 100_000;
        Timestamp::from_micros(micros).at_offset(offset_s)
    }

    fn monotonic_ms(&self) -> u64 {
        self.0.load(Ordering::Relaxed).unsigned_abs()
    }

    fn boot(&self) -> &'static str {
        "\u{0}\"boot\n"
    }
}

fn micros() -> impl Strategy<Value = i64> {
    prop_oneof![
        Just(i64::MIN),
        Just(-62_135_596_800_000_000),
        Just(-1),
        Just(253_402_300_799_999_999),
        Just(316_516_000_000_000_000),
        Just(i64::MAX),
        any::<i64>(),
    ]
}

/// Text of any characters, sometimes longer than an event may be.
fn text() -> BoxedStrategy<String> {
    let short = vec(
        prop_oneof![Just('\0'), Just('"'), Just('\n'), any::<char>()],
        0..8,
    );
    let short = short.prop_map(String::from_iter);
    prop_oneof![20 => short, 1 => Just("\u{1}".repeat(12_000)), 1 => Just("x".repeat(9_000))]
        .boxed()
}

fn retention() -> BoxedStrategy<Retention> {
    let period = (any::<u16>(), any::<u8>());
    let period = period.prop_map(|(days, years)| Retention::Period { days, years });
    prop_oneof![
        Just(Retention::Forever),
        Just(Retention::days(0)),
        Just(Retention::Period {
            days: u16::MAX,
            years: u8::MAX
        }),
        period,
    ]
    .boxed()
}

fn file_time() -> BoxedStrategy<Option<SystemTime>> {
    let distance = prop_oneof![
        Just(i64::MAX.unsigned_abs()),
        any::<u64>(),
        0..400_000_000_000_u64
    ];
    (any::<bool>(), distance, 0..1_000_000_000_u32)
        .prop_map(|(later, seconds, nanos)| {
            let distance = Duration::new(seconds, nanos);
            if later {
                SystemTime::UNIX_EPOCH.checked_add(distance)
            } else {
                SystemTime::UNIX_EPOCH.checked_sub(distance)
            }
        })
        .boxed()
}

fn unit() -> BoxedStrategy<Unit> {
    let unit = (of(text()), of(text()), of(text()), of(text()));
    unit.prop_map(|(serial, part, station, process)| {
        let mut unit = Unit::default();
        unit.serial = serial;
        unit.part = part;
        unit.station = station;
        unit.process = process;
        unit
    })
    .boxed()
}

fn new_entry() -> BoxedStrategy<NewEntry> {
    let source = (text(), text(), of(text()), file_time());
    let facts = (
        unit(),
        btree_map(text(), text(), 0..3),
        retention(),
        of(text()),
        of(0..12_u8),
    );
    (text(), of(text()), source, facts)
        .prop_map(|(converter, converter_version, of_file, facts)| {
            let (name, path, name_hex, modified) = of_file;
            let mut source = {
                let mut source = Source::default().name(name).path(path);
                source.name_hex = name_hex;
                source
            };
            if let Some(time) = modified {
                source.set_modified(time);
            }
            let (unit, meta, retention, key, compression_level) = facts;
            {
                let mut new = NewEntry::new(converter)
                    .source(source)
                    .unit(unit)
                    .arguments(meta.clone())
                    .retention(retention);
                new.converter_version = converter_version;
                new.meta = meta;
                new.key = key.map(Into::into);
                new.compression_level = compression_level;
                new
            }
        })
        .boxed()
}

fn new_attempt() -> BoxedStrategy<NewAttempt> {
    let what = (
        text(),
        of(text()),
        of(any::<u64>()),
        of(text()),
        vec(text(), 0..3),
    );
    (what, unit(), vec(any::<u8>(), 0..9), of(text()))
        .prop_map(|(what, unit, report, submit)| {
            let (converter, converter_version, duration_ms, error, warnings) = what;
            {
                let mut attempt = NewAttempt::new(Outcome::Failed, converter)
                    .warnings(warnings)
                    .unit(unit)
                    .reports(vec![report]);
                attempt.converter_version = converter_version;
                attempt.duration_ms = duration_ms;
                attempt.error = error;
                attempt.submit = submit;
                attempt
            }
        })
        .boxed()
}

/// Records everything else that a caller can record, with these words and numbers.
fn record_the_rest(
    archive: &Archive,
    id: EntryId,
    words: &[String; 4],
    number: u64,
) -> Vec<Result<()>> {
    let [a, b, c, d] = words.clone();
    let job = JobStarted::new(a.clone(), number)
        .selection(b.clone())
        .converter_version(c.clone())
        .params(d.clone())
        .reason(a.clone());
    let started = archive.start_job(job, &[id]);
    let finished = started
        .as_ref()
        .map(|job| JobFinished::default().job(job.job()).processed(number));
    let mut all = vec![
        archive.record_submission(id, AttemptNo(1), 0, &a, Some(&b)),
        archive.place_hold(&a, &b, vec![id]),
        archive.release_hold(&a, &c),
        archive.record_config_change(ConfigChanged::of(a.clone()).old(b.clone()).new(c.clone())),
        archive.register_converter(
            NewConverter::new(ConverterId::from_bytes([7; 32]), a.clone())
                .version(b.clone())
                .command(vec![c.clone()])
                .mode(d.clone())
                .environment(d.clone())
                .bundle(vec![(a, b.into_bytes())]),
        ),
    ];
    all.extend(finished.into_iter().map(|job| archive.finish_job(job)));
    all.push(started.map(drop));
    all
}

fn is_refused_well(error: &Error) {
    let allowed = [ErrorKind::Invalid, ErrorKind::NotFound, ErrorKind::Refused];
    assert!(allowed.contains(&error.kind()), "{error:?}");
}

/// The operations on a store in one case.
#[derive(Debug, Clone)]
struct Case {
    clocks: Vec<i64>,
    entry: NewEntry,
    attempt: NewAttempt,
    words: [String; 4],
    number: u64,
}

fn case() -> impl Strategy<Value = Case> {
    let words = [text(), text(), text(), text()];
    (
        vec(micros(), 3),
        new_entry(),
        new_attempt(),
        words,
        any::<u64>(),
    )
        .prop_map(|(clocks, entry, attempt, words, number)| Case {
            clocks,
            entry,
            attempt,
            words,
            number,
        })
}

fn survives(case: &Case) {
    let clock = Arc::new(AnyClock(AtomicI64::new(case.clocks[0])));
    let options = tiny(&Hourly::new()).clock(Arc::<AnyClock>::clone(&clock));
    let disk = SimDisk::new();
    let open = || Archive::open_on(Arc::new(disk.clone()), options.clone()).expect("opens");
    let archive = Archive::create_on(Arc::new(disk.clone()), options.clone()).expect("made");
    let good = NewEntry::new("ICT");
    let good = archive.put(good, &b"good"[..]).expect("archived").id;
    let tick = |nth: usize| clock.0.store(case.clocks[nth], Ordering::Relaxed);
    tick(1);
    let mut ids = vec![good];
    match archive.put(case.entry.clone(), &b"odd"[..]) {
        Ok(put) => ids.push(put.id),
        Err(error) => is_refused_well(&error),
    }
    for id in &ids {
        if let Err(error) = archive.record_attempt(*id, case.attempt.clone()) {
            is_refused_well(&error);
        }
    }
    for result in record_the_rest(&archive, good, &case.words, case.number) {
        result.unwrap_or_else(|error| is_refused_well(&error));
    }
    let entries = |archive: &Archive| -> Vec<Option<Entry>> {
        let snapshot = archive.snapshot().expect("readable");
        ids.iter()
            .map(|id| snapshot.entry(*id).expect("readable"))
            .collect()
    };
    let before = entries(&archive);
    // As after a kill: only the log says what the store holds.
    let killed = disk.snapshot();
    for witness in ["index.redb", "NEWEST"] {
        let _ = killed.lose(witness);
    }
    let again = Archive::open_on(Arc::new(killed), options.clone()).expect("opens");
    assert_eq!(entries(&again), before);
    drop(again);
    tick(2);
    archive.seal().expect("sealed");
    let as_of = AsOf::Vouched(Timestamp::from_micros(case.clocks[0]));
    let policy = Policy::default().max_count(1);
    let purged = archive
        .plan_purge(&policy, as_of)
        .and_then(|plan| archive.purge(&plan, &case.words[0]));
    purged.map_or_else(|error| is_refused_well(&error), drop);
    let before = entries(&archive);
    archive.close().expect("closed");
    let archive = open();
    assert!(archive.damage().is_empty());
    assert_eq!(entries(&archive), before);
    let report = archive.verify(Depth::Deep).expect("looked at");
    assert!(report.ok, "{:?}", report.findings);
    archive.rebuild().expect("made anew");
    assert_eq!(entries(&archive), before);
}

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: match size() {
            Size::Sample => 24,
            Size::Short => 500,
            Size::Long => 20_000,
        },
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    /// A retention of zero, or a file of the year 11999, was acknowledged but made the store
    /// unreadable from its next open on.
    #[test]
    fn whatever_is_handed_over_is_refused_or_comes_back(case in case()) {
        survives(&case);
    }
}
