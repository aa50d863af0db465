//! Generators of events, contents and packs: every kind of input of an index.

use crate::id::StoreId;
use proptest::prelude::*;
use proptest::sample::select;

use crate::entry::{Extent, Meta, Outcome, Period, Retention, Unit};
use crate::event::{
    Annotated, Archived, BlobRef, Body, BundleFile, Clearing, ClockStepped, ConfigChanged,
    Converted, ConverterEnvironment, ConverterPromoted, ConverterRegistered, ConverterWaived,
    EntryRanges, Grounds, HoldPlaced, HoldReleased, HoldReviewed, JobFinished, JobResumed,
    JobSelected, JobStarted, JobStop, JobStopped, LockMode, PartName, PurgeFinalized, PurgeUndone,
    PurgedEntries, Reported, RetentionLocked, RetentionUnlocked, Source, SourceCleared,
    SubmitIntended, SubmitRejected, Unknown, ViewDropped, ViewSaved, WaiverRevoked,
};
use crate::id::{AttemptNo, BlobId, ConverterId, EntryId, EventSeq, JobId, PackId, Sha256};
use crate::index::*;
use crate::query::Filter;
use crate::time::Timestamp;

use super::questions::filters;

pub(super) const STORE: StoreId = StoreId::from_bytes([7; 16]);
pub(super) const CONTENTS: u8 = 12;

pub(super) fn blob(content: u8) -> BlobRef {
    BlobRef {
        blake3: BlobId::of(&[content]),
        sha256: Sha256::of(&[content]),
        size: u64::from(content) * 100 + 1,
    }
}

/// One operation on the index.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "most of them are the large one")]
pub(super) enum Op {
    Record(Body),
    /// Skips event numbers that the index gets no event for.
    Skip(u64),
    Clock(i64),
    Place {
        content: u8,
        pack: u64,
    },
    DropPack(u64),
    /// Freezes the current overlay into a layer.
    Freeze,
    Checkpoint,
}

pub(super) fn text(words: &'static [&'static str]) -> impl Strategy<Value = String> {
    select(words).prop_map(str::to_owned)
}

pub(super) const CONVERTERS: &[&str] = &["ICT CSV", "ict csv", "FCT XML", "Ärger"];
pub(super) const SERIALS: &[&str] = &["SN-1", "sn-1", "SN-10", "SN-2", "X", "ΟΔΟΣ", ""];
pub(super) const PARTS: &[&str] = &["P-77", "P-78", "Board A"];
pub(super) const STATIONS: &[&str] = &["ST1", "st2"];
pub(super) const ERRORS: &[&str] = &["no such limit", "Timeout!", "x"];
pub(super) const MAKERS: &[&str] = &["c", "c\0", "d"];
pub(super) const ENDPOINTS: &[&str] = &["http://a/wsjf", "http://b/wsjf"];
pub(super) const REPORT_IDS: &[&str] = &["r-1", "R-2", "r-10"];
pub(super) const LONG: &str = "a-very-long-name-that-goes-on-and-on-and-on-until-it-is-longer-than-the-part-of-a-text-that-counts-\
                    for-order-and-for-terms";

pub(super) fn names() -> impl Strategy<Value = String> {
    prop_oneof![
        text(&[
            "a.csv",
            "A.CSV",
            "b.xml",
            "SN-1_2026.csv",
            "ü.txt",
            "[x]",
            ""
        ]),
        (0_u8..40).prop_map(|n| format!("unit-{n:04}.csv")),
        (0_u8..3).prop_map(|n| format!("{LONG}{n}")),
    ]
}

pub(super) fn unit() -> impl Strategy<Value = Unit> {
    let maybe = |words| proptest::option::of(text(words));
    let serial = prop_oneof![
        3 => maybe(SERIALS),
        1 => (0_u16..300).prop_map(|n| Some(format!("SN-{n}"))),
    ];
    (serial, maybe(PARTS), maybe(STATIONS), maybe(&["10", "20"])).prop_map(
        |(serial, part, station, process)| Unit {
            serial,
            part,
            station,
            process,
        },
    )
}

pub(super) fn meta() -> impl Strategy<Value = Meta> {
    proptest::collection::btree_map(text(&["line", "Shift"]), text(&["1", "2", "Night"]), 0..3)
}

/// An entry id that may exist. Events get low numbers, so a low id often exists.
pub(super) fn some_id() -> impl Strategy<Value = EntryId> {
    prop_oneof![4 => 1_u64..60, 1 => 60_u64..200_000].prop_map(EntryId)
}

pub(super) fn some_ranges() -> impl Strategy<Value = EntryRanges> {
    prop_oneof![
        6 => proptest::collection::vec(some_id(), 0..6).prop_map(EntryRanges::of),
        1 => Just(serde_json::from_str("[[3,18446744073709551615]]").expect("ranges")),
    ]
}

/// When a file was changed: long before, or after it was archived where clocks differ.
pub(super) fn file_time() -> impl Strategy<Value = Timestamp> {
    prop_oneof![-5_000_000_000_i64..200_000_000_000, 0_i64..9].prop_map(Timestamp::from_micros)
}

pub(super) fn archived() -> impl Strategy<Value = Body> {
    let key = proptest::option::weighted(0.2, text(&["k1", "k2"]));
    let changed = proptest::option::weighted(0.7, file_time());
    (
        text(CONVERTERS),
        names(),
        0..CONTENTS,
        unit(),
        meta(),
        key,
        (any::<bool>(), proptest::bool::weighted(0.1), changed),
    )
        .prop_map(
            |(converter, name, content, unit, meta, key, (versioned, facts_only, modified))| {
                Body::Archived(Archived {
                    converter,
                    converter_version: versioned.then(|| "1.4".to_owned()),
                    source: Source {
                        path: format!("/in/{name}"),
                        name,
                        modified,
                        ..Source::default()
                    },
                    blob: blob(content),
                    stored_size: 10,
                    duplicate: false,
                    unit,
                    meta,
                    arguments: Meta::new(),
                    retention: Retention::days(90),
                    key,
                    facts_only,
                })
            },
        )
}

pub(super) fn converted() -> impl Strategy<Value = Body> {
    let outcome = select(vec![Outcome::Success, Outcome::Failed, Outcome::Suspended]);
    let reports = proptest::collection::vec((0..CONTENTS).prop_map(blob), 0..3);
    let job = proptest::option::of((1_u64..20).prop_map(JobId));
    let error = proptest::option::of(text(ERRORS));
    let submit = proptest::option::of(text(ENDPOINTS));
    let id = proptest::option::of((0_u8..3).prop_map(|byte| ConverterId::from_bytes([byte; 32])));
    let suspicious = proptest::collection::vec(text(ERRORS), 0..2);
    let by = (text(MAKERS), job, submit, id, suspicious);
    (some_id(), 0_u32..4, outcome, reports, unit(), by, error).prop_map(
        |(entry, attempt, outcome, reports, unit, by, error)| {
            let (converter, job, submit, converter_id, suspicious) = by;
            Body::Converted(Converted {
                entry,
                attempt: AttemptNo(attempt),
                outcome,
                converter,
                converter_version: None,
                converter_id,
                arguments: Meta::new(),
                duration_ms: Some(3),
                error,
                warnings: vec!["w".into()],
                sandbox: vec!["system-calls".into()],
                unit,
                reports,
                submit,
                job,
                extent: Some(extent(7)),
                suspicious,
            })
        },
    )
}

pub(super) fn extent(steps: u64) -> Extent {
    Extent {
        steps: Some(steps),
        counted_at: Some("/steps".into()),
        ..Extent::default()
    }
}

pub(super) const LABELS: &[&str] = &["Recall", "recall", "checked", "ΟΔΟΣ"];
pub(super) const TEXTS: &[&str] = &["retested, good", "limit was wrong"];

pub(super) fn annotated() -> impl Strategy<Value = Body> {
    let labels = || proptest::collection::vec(text(LABELS), 0..3);
    let said = proptest::option::of(text(TEXTS));
    (some_id(), said, labels(), labels(), unit(), meta()).prop_map(
        |(entry, text, labels, unlabels, unit, meta)| {
            Body::Annotated(Annotated {
                entry,
                text,
                labels,
                unlabels,
                unit,
                meta,
                reason: "because".into(),
            })
        },
    )
}

pub(super) fn other_bodies() -> impl Strategy<Value = Body> {
    let reported = (some_id(), 0_u32..4, 0_u32..3, text(REPORT_IDS)).prop_map(
        |(entry, attempt, report, report_id)| {
            Body::Reported(Reported {
                entry,
                attempt: AttemptNo(attempt),
                report,
                report_id,
                endpoint: None,
                key: None,
            })
        },
    );
    let place = || (some_id(), 0_u32..4, 0_u32..3, text(ENDPOINTS));
    let intended = place().prop_map(|(entry, attempt, report, endpoint)| {
        Body::SubmitIntended(SubmitIntended {
            entry,
            attempt: AttemptNo(attempt),
            report,
            key: "k".into(),
            endpoint,
            corrects: None,
        })
    });
    let rejected = (place(), text(ERRORS)).prop_map(|(place, text)| {
        let (entry, attempt, report, endpoint) = place;
        Body::SubmitRejected(SubmitRejected {
            entry,
            attempt: AttemptNo(attempt),
            report,
            key: "k".into(),
            endpoint,
            status: 400,
            text,
        })
    });
    let plan = || text(&["p", "q"]);
    let final_at = proptest::option::of((0_i64..9).prop_map(Timestamp::from_micros));
    let what = prop_oneof![
        3 => Just((None, None)),
        1 => Just((Some(PartName::Source), None)),
        1 => proptest::option::of(0..4_u32).prop_map(|last| (Some(PartName::Reports), last)),
        1 => (0..4_u32).prop_map(|last| (Some(PartName::Superseded), Some(last))),
    ];
    let purged = (some_ranges(), what, plan(), final_at);
    let purged = purged.prop_map(|(entries, (part, through), plan_id, final_at)| {
        Body::PurgedEntries(PurgedEntries {
            plan_id,
            rule: "older than 90d".into(),
            class: None,
            bypassed: Vec::new(),
            part,
            through: through.map(AttemptNo),
            reason: "r".into(),
            entries,
            count: 0,
            bytes_logical: 0,
            final_at,
        })
    });
    let undone = (some_ranges(), plan()).prop_map(|(entries, plan_id)| {
        Body::PurgeUndone(PurgeUndone {
            plan_id,
            reason: "needed".into(),
            entries,
            count: 0,
        })
    });
    let finalized = (some_ranges(), plan()).prop_map(|(entries, plan_id)| {
        Body::PurgeFinalized(PurgeFinalized {
            plan_id,
            reason: None,
            entries,
            count: 0,
        })
    });
    let hold_name = || text(&["audit", "Q7"]);
    let review = || (0_i64..9).prop_map(Timestamp::from_micros);
    let future = proptest::option::of(filters().prop_map(|filter| Filter {
        // Times at the ends of what an i64 holds have no text form.
        from: None,
        to: None,
        // A hold that asks for holds is refused.
        hold: None,
        ..filter
    }));
    let held = (
        hold_name(),
        some_ranges(),
        proptest::option::of(review()),
        future,
    )
        .prop_map(|(name, entries, review, future)| {
            Body::HoldPlaced(HoldPlaced {
                name,
                reason: "because".into(),
                entries,
                review,
                future,
            })
        });
    let looked_at = (hold_name(), review()).prop_map(|(name, review)| {
        Body::HoldReviewed(HoldReviewed {
            name,
            reason: "still open".into(),
            review,
        })
    });
    let released = text(&["audit", "Q7"]).prop_map(|name| {
        let reason = String::new();
        Body::HoldReleased(HoldReleased { name, reason })
    });
    let mode = prop_oneof![Just(LockMode::Governance), Just(LockMode::Compliance)];
    let locked = (text(&["law", "contract"]), 1_u16..5, mode).prop_map(|(name, years, mode)| {
        Body::RetentionLocked(RetentionLocked {
            name,
            keep: Period::years(years),
            mode,
            converter: Vec::new(),
            label: Vec::new(),
            reason: "because".into(),
        })
    });
    let unlocked = text(&["law", "contract"]).prop_map(|name| {
        let reason = String::new();
        Body::RetentionUnlocked(RetentionUnlocked { name, reason })
    });
    let stepped = (-9_i64..9, 0_i64..9).prop_map(|(by, at)| {
        Body::ClockStepped(ClockStepped {
            after: EventSeq(1),
            expected: Timestamp::from_micros(at * 1_000_000),
            found: Timestamp::from_micros((at + by) * 1_000_000),
            step_ms: by * 1_000,
        })
    });
    let registered = (0_u8..3, 0..CONTENTS).prop_map(|(id, content)| {
        Body::ConverterRegistered(ConverterRegistered {
            converter_id: ConverterId::from_bytes([id; 32]),
            name: "ict".into(),
            version: Some("1".into()),
            command: vec!["x".into()],
            mode: "oneshot".into(),
            environment: String::new(),
            bundle: vec![BundleFile {
                name: "x".into(),
                blob: blob(content),
            }],
        })
    });
    let environment = (0_u8..4, text(&["3.11", "3.12"])).prop_map(|(id, version)| {
        Body::ConverterEnvironment(ConverterEnvironment {
            converter_id: ConverterId::from_bytes([id; 32]),
            runs_on: [("interpreter".to_owned(), version)].into(),
        })
    });
    let promoted = (text(&["ict", "fct"]), 0_u8..3).prop_map(|(converter, id)| {
        Body::ConverterPromoted(ConverterPromoted {
            converter,
            converter_id: ConverterId::from_bytes([id; 32]),
            before: None,
            grounds: Grounds::Person,
            reason: "r".into(),
            evidence: None,
        })
    });
    let waived = text(&["ict", "fct"])
        .prop_map(|converter| Body::ConverterWaived(ConverterWaived::new(converter, "r")));
    let revoked = (text(&["ict", "fct"]), 1_u64..60).prop_map(|(converter, waiver)| {
        Body::WaiverRevoked(WaiverRevoked {
            converter,
            waiver: EventSeq(waiver),
            reason: "r".into(),
        })
    });
    let view = (text(&["mine", "all"]), text(&["", "status=failed"]))
        .prop_map(|(name, query)| Body::ViewSaved(ViewSaved { name, query }));
    let dropped = text(&["mine", "all"]).prop_map(|name| Body::ViewDropped(ViewDropped { name }));
    let config = proptest::option::of(text(&["5", "6"])).prop_map(|new| {
        let mut changed = ConfigChanged::of("limit");
        changed.new = new;
        Body::ConfigChanged(changed)
    });
    let job = Just(Body::JobStarted(JobStarted::new("reprocess", 4)));
    let selected = (1_u64..40, 1_u64..40).prop_map(|(job, entry)| {
        let (job, entries) = (JobId(job), EntryRanges::of([EntryId(entry)]));
        Body::JobSelected(JobSelected { job, entries })
    });
    let stopped = (1_u64..40, any::<bool>()).prop_map(|(job, pause)| {
        let how = if pause {
            JobStop::Paused
        } else {
            JobStop::Cancelled
        };
        Body::JobStopped(JobStopped {
            job: JobId(job),
            how,
        })
    });
    let resumed = (1_u64..40).prop_map(|job| Body::JobResumed(JobResumed { job: JobId(job) }));
    let finished = (1_u64..40).prop_map(|job| {
        Body::JobFinished(JobFinished {
            job: JobId(job),
            processed: 4,
            ..JobFinished::default()
        })
    });
    let cleared = some_id().prop_map(|entry| {
        Body::SourceCleared(SourceCleared {
            entry,
            how: Clearing::Removed,
            path: None,
        })
    });
    let unknown = Just(Body::Unknown(Unknown {
        kind: "annals.moved.v9".into(),
        data: "{}".into(),
    }));
    prop_oneof![
        4 => reported, 4 => annotated(), 4 => intended, 3 => rejected, 3 => purged, 2 => undone, 2 => finalized, 1 => held, 1 => released, 1 => looked_at,
        1 => locked, 1 => unlocked, 1 => stepped, 1 => registered, 1 => config, 1 => job, 1 => finished,
        1 => selected, 1 => stopped, 1 => resumed,
        1 => environment, 1 => promoted, 1 => waived, 1 => revoked, 1 => view, 1 => dropped,
        1 => unknown, 2 => cleared,
    ]
}

pub(super) fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        12 => archived().prop_map(Op::Record),
        7 => converted().prop_map(Op::Record),
        7 => other_bodies().prop_map(Op::Record),
        1 => prop_oneof![1_u64..5, Just(900), Just(65_000), Just(140_000)].prop_map(Op::Skip),
        2 => prop_oneof![-4_000_000_000_i64..4_000_000_000, Just(90_000_000_000)].prop_map(Op::Clock),
        4 => (0..CONTENTS, 1_u64..4).prop_map(|(content, pack)| Op::Place { content, pack }),
        1 => (1_u64..4).prop_map(Op::DropPack),
        2 => Just(Op::Freeze),
        2 => Just(Op::Checkpoint),
    ];
    proptest::collection::vec(op, 1..120)
}

/// Returns the children of a content: each of the larger contents is cut into two smaller ones.
pub(super) fn children(content: u8) -> Vec<BlobId> {
    match content {
        8.. => vec![blob(content - 4).blake3, blob(content - 8).blake3],
        _ => Vec::new(),
    }
}

pub(super) fn placement(content: u8, pack: u64) -> Placement {
    Placement {
        id: blob(content).blake3,
        size: blob(content).size,
        place: Place {
            pack: PackId(pack),
            offset: 64,
            len: u32::from(content) + 5,
        },
        children: children(content),
    }
}

pub(super) fn pack_row(pack: u64) -> PackRow {
    PackRow {
        id: PackId(pack),
        class: "90d".into(),
        bytes: 1000 * pack,
        blobs: 3,
        dictionary_bytes: 10 * pack,
        live_bytes: 0,
        live_blobs: 0,
    }
}
