//! Property test: any event with any values encodes to a line that decodes to an equal event.

use proptest::collection::{btree_map, vec};
use proptest::option::of;
use proptest::prelude::*;

use crate::entry::{Extent, Meta, Outcome, Period, Retention, Unit};
use crate::event::{
    Accessed, Actor, ActorKind, ActorNamed, Annotated, Archived, BlobRef, Body, BundleFile,
    CheckpointCadence, CheckpointSigned, CheckpointTimestamped, Clearing, ClockReading,
    ClockStepped, Compacted, ConfigChanged, ContentsCount, ContinuedFrom, Converted,
    ConverterEnvironment, ConverterPromoted, ConverterRegistered, ConverterWaived, Corrected,
    Counts, EntryRanges, Erased, Event, Exported, GateEvidence, Grounds, HoldPlaced, HoldReleased,
    HoldReviewed, JobError, JobFinished, JobPriority, JobResumed, JobSelected, JobStarted, JobStop,
    JobStopped, JudgedBy, KeyCreated, KeyLost, KeyRotated, LockMode, Lost, PartName, PersonalField,
    PrivacyDeclared, PurgeFinalized, PurgePlanned, PurgeRefused, PurgeUndone, PurgedEntries,
    Recovered, Repaired, RepairedFile, Reported, RetentionLocked, RetentionUnlocked, Reviewed,
    Scope, Sealed, Source, SourceCleared, StoreContinued, StoreCreated, StoreOpened,
    SubmitIntended, SubmitRejected, Unknown, Verified, ViewDropped, ViewSaved, WaiverRevoked,
};
use crate::format::disclosure;
use crate::format::leaf::{LeafError, decode, encode};
use crate::id::{
    AttemptNo, BlobId, ConverterId, EntryId, EventSeq, JobId, PackId, Sha256, StoreId,
};
use crate::query::Filter;
use crate::time::Timestamp;

/// Text as programs, file systems and servers may produce it, with control characters, quotes, and
/// characters of every Unicode plane.
fn text() -> BoxedStrategy<String> {
    let odd = prop_oneof![
        Just('\0'),
        Just('"'),
        Just('\\'),
        Just('\n'),
        Just('\u{7f}'),
        Just('\u{fffd}'),
        Just('\u{feff}'),
        Just('\u{2028}'),
        Just('\u{10ffff}'),
        any::<char>(),
    ];
    vec(odd, 0..12).prop_map(String::from_iter).boxed()
}

fn texts() -> impl Strategy<Value = Vec<String>> {
    vec(text(), 0..3)
}

/// Numbers, including the limits, where errors are most likely.
fn number() -> BoxedStrategy<u64> {
    prop_oneof![
        Just(0),
        Just(1 << 53),
        Just((1 << 53) + 1),
        Just(u64::MAX),
        any::<u64>()
    ]
    .boxed()
}

fn time() -> BoxedStrategy<Timestamp> {
    let micros = prop_oneof![
        Just(i64::MIN),
        Just(Timestamp::MIN.micros()),
        Just(-1),
        Just(Timestamp::MAX.micros()),
        Just(316_516_000_000_000_000),
        Just(i64::MAX),
        any::<i64>(),
        -62_200_000_000_000_000_i64..253_500_000_000_000_000,
    ];
    (micros, any::<i32>(), -100_000..100_000_i32, any::<bool>())
        .prop_map(|(micros, any, near, is_near)| {
            Timestamp::from_micros(micros).at_offset(if is_near { near } else { any })
        })
        .boxed()
}

fn retention() -> impl Strategy<Value = Retention> {
    // A retention of zero is refused before it gets here.
    (any::<u16>(), any::<u8>()).prop_map(|(days, years)| match (days, years) {
        (0, 0) => Retention::Forever,
        (days, years) => Retention::Period { days, years },
    })
}

fn extent() -> BoxedStrategy<Extent> {
    let numbers = (number(), of(number()), number(), number());
    (numbers, any::<(bool, bool)>(), of(text()))
        .prop_map(|(numbers, (serial, part), counted_at)| {
            let (bytes, steps, values, empty) = numbers;
            Extent {
                bytes,
                steps,
                values,
                empty,
                serial,
                part,
                counted_at,
            }
        })
        .boxed()
}

fn unit() -> BoxedStrategy<Unit> {
    (of(text()), of(text()), of(text()), of(text()))
        .prop_map(|(serial, part, station, process)| Unit {
            serial,
            part,
            station,
            process,
        })
        .boxed()
}

fn meta() -> BoxedStrategy<Meta> {
    btree_map(text(), text(), 0..3).boxed()
}

fn blob() -> BoxedStrategy<BlobRef> {
    (any::<[u8; 32]>(), any::<[u8; 32]>(), number())
        .prop_map(|(blake3, sha256, size)| BlobRef {
            blake3: BlobId::from_bytes(blake3),
            sha256: Sha256::from_bytes(sha256),
            size,
        })
        .boxed()
}

fn blobs() -> impl Strategy<Value = Vec<BlobRef>> {
    vec(blob(), 0..3)
}

fn blob_ids() -> impl Strategy<Value = Vec<BlobId>> {
    vec(any::<[u8; 32]>().prop_map(BlobId::from_bytes), 0..3)
}

fn entry() -> impl Strategy<Value = EntryId> {
    number().prop_map(EntryId)
}

fn attempt() -> impl Strategy<Value = AttemptNo> {
    any::<u32>().prop_map(AttemptNo)
}

fn seq() -> impl Strategy<Value = EventSeq> {
    number().prop_map(EventSeq)
}

fn packs() -> impl Strategy<Value = Vec<PackId>> {
    vec(number().prop_map(PackId), 0..3)
}

fn ranges() -> impl Strategy<Value = EntryRanges> {
    vec(entry(), 0..5).prop_map(EntryRanges::of)
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(Outcome::Success),
        Just(Outcome::Failed),
        Just(Outcome::Suspended),
        Just(Outcome::Skipped),
        Just(Outcome::Rejected),
    ]
}

fn converter_id() -> impl Strategy<Value = ConverterId> {
    any::<[u8; 32]>().prop_map(ConverterId::from_bytes)
}

fn of_the_store() -> impl Strategy<Value = Body> {
    let created = (any::<[u8; 16]>(), any::<u16>(), text()).prop_map(|(store, format, program)| {
        Body::StoreCreated(StoreCreated {
            store: StoreId::from_bytes(store),
            format,
            program,
        })
    });
    let opened = (text(), text(), any::<u32>(), text()).prop_map(|(program, host, pid, sync)| {
        Body::StoreOpened(StoreOpened {
            program,
            host,
            pid,
            sync,
        })
    });
    let from = prop_oneof![Just(ContinuedFrom::Backup), Just(ContinuedFrom::Copy)];
    let places = (text(), text(), text(), text());
    let continued = (from, seq(), of(any::<[u8; 32]>()), places).prop_map(
        |(from, event, root, (host, folder, at_host, at_folder))| {
            Body::StoreContinued(StoreContinued {
                from,
                event,
                root: root.map(Sha256::from_bytes),
                host,
                folder,
                at_host,
                at_folder,
            })
        },
    );
    let recovered = (text(), number(), number(), any::<[u8; 32]>(), of(text())).prop_map(
        |(journal, offset, bytes, sha256, quarantine)| {
            Body::Recovered(Recovered {
                journal,
                offset,
                bytes,
                sha256: Sha256::from_bytes(sha256),
                quarantine,
            })
        },
    );
    let lost =
        (text(), any::<bool>()).prop_map(|(file, and_later)| Body::Lost(Lost { file, and_later }));
    let file =
        (text(), of(text())).prop_map(|(path, quarantine)| RepairedFile { path, quarantine });
    let repaired = (
        vec(file, 0..3),
        vec((seq(), seq()), 0..3),
        any::<bool>(),
        blob_ids(),
        ranges(),
    )
        .prop_map(|(files, events, end_is_lost, contents, found)| {
            Body::Repaired(Repaired {
                files,
                events,
                end_is_lost,
                contents,
                found,
            })
        });
    let changed =
        (text(), of(text()), of(text()), of(text())).prop_map(|(what, old, new, reason)| {
            Body::ConfigChanged(ConfigChanged {
                what,
                old,
                new,
                reason,
            })
        });
    let compacted = (packs(), packs(), number()).prop_map(|(removed, written, bytes_freed)| {
        Body::Compacted(Compacted {
            removed,
            written,
            bytes_freed,
        })
    });
    // An event of a later version is any JSON that fits one line.
    let unknown = (text(), meta()).prop_map(|(kind, data)| {
        Body::Unknown(Unknown {
            kind: format!("annals.{kind}.v9"),
            data: serde_json::to_string(&data).expect("text"),
        })
    });
    prop_oneof![
        created.boxed(),
        opened.boxed(),
        continued.boxed(),
        recovered.boxed(),
        lost.boxed(),
        repaired.boxed(),
        changed.boxed(),
        compacted.boxed(),
        unknown.boxed()
    ]
}

fn of_an_entry() -> impl Strategy<Value = Body> {
    let source = (text(), text(), of(text()), of(time()), of(any::<i64>())).prop_map(
        |(name, path, name_hex, modified, modified_s)| Source {
            name,
            path,
            name_hex,
            modified,
            modified_s,
        },
    );
    let archived = (
        (text(), of(text()), source, blob(), number()),
        (any::<bool>(), unit(), meta(), meta(), retention()),
        (of(text()), any::<bool>()),
    )
        .prop_map(|(of_source, of_store, (key, facts_only))| {
            let (converter, converter_version, source, blob, stored_size) = of_source;
            let (duplicate, unit, meta, arguments, retention) = of_store;
            Body::Archived(Archived {
                converter,
                converter_version,
                source,
                blob,
                stored_size,
                duplicate,
                unit,
                meta,
                arguments,
                retention,
                key,
                facts_only,
            })
        });
    let converted = (
        (entry(), attempt(), outcome(), text(), of(text())),
        (
            of(converter_id()),
            meta(),
            of(number()),
            of(text()),
            texts(),
        ),
        (
            unit(),
            blobs(),
            of(text()),
            of(number()),
            texts(),
            of(extent()),
            texts(),
        ),
    )
        .prop_map(|(what, how, came)| {
            let (entry, attempt, outcome, converter, converter_version) = what;
            let (converter_id, arguments, duration_ms, error, warnings) = how;
            let (unit, reports, submit, job, sandbox, extent, suspicious) = came;
            Body::Converted(Converted {
                entry,
                attempt,
                outcome,
                converter,
                converter_version,
                converter_id,
                arguments,
                duration_ms,
                error,
                warnings,
                sandbox,
                unit,
                reports,
                submit,
                job: job.map(JobId),
                extent,
                suspicious,
            })
        });
    let corrected =
        of((attempt(), text()).prop_map(|(attempt, report_id)| Corrected { attempt, report_id }));
    let place = (entry(), attempt(), any::<u32>());
    let intended = (place, text(), text(), corrected).prop_map(
        |((entry, attempt, report), key, endpoint, corrects)| {
            Body::SubmitIntended(SubmitIntended {
                entry,
                attempt,
                report,
                key,
                endpoint,
                corrects,
            })
        },
    );
    let answer = (any::<u16>(), text());
    let rejected = (entry(), attempt(), any::<u32>(), text(), text(), answer).prop_map(
        |(entry, attempt, report, key, endpoint, (status, text))| {
            Body::SubmitRejected(SubmitRejected {
                entry,
                attempt,
                report,
                key,
                endpoint,
                status,
                text,
            })
        },
    );
    let annotated = (
        (entry(), of(text()), texts(), texts()),
        (unit(), meta(), text()),
    )
        .prop_map(|((entry, text, labels, unlabels), (unit, meta, reason))| {
            Body::Annotated(Annotated {
                entry,
                text,
                labels,
                unlabels,
                unit,
                meta,
                reason,
            })
        });
    let sent = (of(text()), of(text()));
    let reported = (entry(), attempt(), any::<u32>(), text(), sent).prop_map(
        |(entry, attempt, report, report_id, (endpoint, key))| {
            Body::Reported(Reported {
                entry,
                attempt,
                report,
                report_id,
                endpoint,
                key,
            })
        },
    );
    let how = prop_oneof![
        Just(Clearing::Moved),
        Just(Clearing::Zipped),
        Just(Clearing::Removed)
    ];
    let cleared = (entry(), how, of(text()))
        .prop_map(|(entry, how, path)| Body::SourceCleared(SourceCleared { entry, how, path }));
    prop_oneof![
        archived.boxed(),
        converted.boxed(),
        intended.boxed(),
        rejected.boxed(),
        annotated.boxed(),
        reported.boxed(),
        cleared.boxed()
    ]
}

fn of_the_rest() -> impl Strategy<Value = Body> {
    let file = (text(), blob()).prop_map(|(name, blob)| BundleFile { name, blob });
    let registered = (
        (converter_id(), text(), of(text()), texts()),
        (text(), text(), vec(file, 0..3)),
    )
        .prop_map(
            |((converter_id, name, version, command), (mode, environment, bundle))| {
                Body::ConverterRegistered(ConverterRegistered {
                    converter_id,
                    name,
                    version,
                    command,
                    mode,
                    environment,
                    bundle,
                })
            },
        );
    let runs_on = (converter_id(), meta()).prop_map(|(converter_id, runs_on)| {
        Body::ConverterEnvironment(ConverterEnvironment {
            converter_id,
            runs_on,
        })
    });
    let future = of(text().prop_map(|serial| Filter::default().serial(serial)));
    let placed = (text(), text(), ranges(), of(time()), future).prop_map(
        |(name, reason, entries, review, future)| {
            Body::HoldPlaced(HoldPlaced {
                name,
                reason,
                entries,
                review,
                future,
            })
        },
    );
    let hold_reviewed = (text(), text(), time()).prop_map(|(name, reason, review)| {
        Body::HoldReviewed(HoldReviewed {
            name,
            reason,
            review,
        })
    });
    let undone =
        (text(), text(), ranges(), number()).prop_map(|(plan_id, reason, entries, count)| {
            Body::PurgeUndone(PurgeUndone {
                plan_id,
                reason,
                entries,
                count,
            })
        });
    let finalized =
        (text(), of(text()), ranges(), number()).prop_map(|(plan_id, reason, entries, count)| {
            Body::PurgeFinalized(PurgeFinalized {
                plan_id,
                reason,
                entries,
                count,
            })
        });
    let released = (text(), text())
        .prop_map(|(name, reason)| Body::HoldReleased(HoldReleased { name, reason }));
    let mode = prop_oneof![Just(LockMode::Governance), Just(LockMode::Compliance)];
    let keep = (1..100_u32).prop_map(Period::days);
    let locked = (text(), keep, mode, texts(), texts(), text()).prop_map(
        |(name, keep, mode, converter, label, reason)| {
            Body::RetentionLocked(RetentionLocked {
                name,
                keep,
                mode,
                converter,
                label,
                reason,
            })
        },
    );
    let unlocked = (text(), text())
        .prop_map(|(name, reason)| Body::RetentionUnlocked(RetentionUnlocked { name, reason }));
    let planned = (
        (text(), seq(), time(), texts()),
        (number(), number(), number(), number(), text()),
        (number(), number(), of(time())),
    )
        .prop_map(|(what, counts, (parts, locked_skipped, final_at))| {
            let (plan_id, at_seq, effective_now, rules) = what;
            let (count, bytes_logical, held_skipped, waiting_skipped, reason) = counts;
            Body::PurgePlanned(PurgePlanned {
                plan_id,
                at_seq,
                effective_now,
                rules,
                count,
                parts,
                bytes_logical,
                held_skipped,
                waiting_skipped,
                locked_skipped,
                reason,
                final_at,
            })
        });
    let part = prop_oneof![
        Just(PartName::Source),
        Just(PartName::Reports),
        Just(PartName::Superseded),
    ];
    let what = (of(text()), of(part), of(any::<u32>()), texts());
    let counts = (number(), number(), of(time()));
    let purged = (text(), text(), what, text(), ranges(), counts).prop_map(
        |(plan_id, rule, (class, part, through, bypassed), reason, entries, counts)| {
            let (count, bytes_logical, final_at) = counts;
            Body::PurgedEntries(PurgedEntries {
                plan_id,
                rule,
                class,
                bypassed,
                part,
                through: through.map(AttemptNo),
                reason,
                entries,
                count,
                bytes_logical,
                final_at,
            })
        },
    );
    let priority = (1..=10_u8).prop_map(|n| JobPriority::new(n).expect("in range"));
    let texts = || btree_map(text(), text(), 0..3);
    let rules = (text(), any::<bool>(), vec(text(), 0..3), texts(), texts());
    let rules = rules.prop_map(|(converter, strict, ignore, tolerance, keys)| {
        JudgedBy::new(converter)
            .strict(strict)
            .ignore(ignore)
            .tolerance(tolerance)
            .keys(keys)
    });
    let rules = (priority, of(vec(rules, 0..3)));
    let asked = (of(text()), of(text()), of(number()), rules);
    let started = (text(), text(), text(), text(), number(), of(text()), asked).prop_map(
        |(kind, selection, converter_version, params, total, reason, asked)| {
            let (submit, on_error, retry_of, (priority, compare)) = asked;
            Body::JobStarted(JobStarted {
                kind,
                selection,
                converter_version,
                params,
                total,
                reason,
                submit,
                on_error,
                retry_of: retry_of.map(JobId),
                priority,
                compare,
            })
        },
    );
    let selected = (number(), ranges()).prop_map(|(job, entries)| {
        let job = JobId(job);
        Body::JobSelected(JobSelected { job, entries })
    });
    let stopped = (number(), any::<bool>()).prop_map(|(job, pause)| {
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
    let resumed = number().prop_map(|job| Body::JobResumed(JobResumed { job: JobId(job) }));
    let job_error = (text(), ranges()).prop_map(|(error, entries)| JobError { error, entries });
    let job_errors = (vec(job_error, 0..3), number());
    let finished = (vec(number(), 9), any::<bool>(), job_errors).prop_map(
        |(counts, interrupted, (errors, more_errors))| {
            Body::JobFinished(JobFinished {
                job: JobId(counts[0]),
                processed: counts[1],
                successful: counts[2],
                failed: counts[3],
                skipped: counts[4],
                unchanged: counts[5],
                changed: counts[6],
                fixed: counts[7],
                broken: counts[8],
                interrupted,
                errors,
                more_errors,
            })
        },
    );
    prop_oneof![
        registered.boxed(),
        runs_on.boxed(),
        of_a_promotion().boxed(),
        placed.boxed(),
        released.boxed(),
        hold_reviewed.boxed(),
        undone.boxed(),
        finalized.boxed(),
        locked.boxed(),
        unlocked.boxed(),
        planned.boxed(),
        purged.boxed(),
        started.boxed(),
        selected.boxed(),
        stopped.boxed(),
        resumed.boxed(),
        finished.boxed()
    ]
}

fn of_a_promotion() -> impl Strategy<Value = Body> {
    let seq = || (0..=EventSeq::MAX.0).prop_map(EventSeq);
    let found = (
        text(),
        vec(number(), 10),
        any::<[u8; 32]>(),
        vec(seq(), 0..3),
    );
    let found = found.prop_map(|(selection, counts, verdicts, waivers)| GateEvidence {
        selection,
        selected: counts[0],
        tried: counts[1],
        unchanged: counts[2],
        changed: counts[3],
        fixed: counts[4],
        broken: counts[5],
        still_failing: counts[6],
        first: counts[7],
        untried: counts[8],
        waived: counts[9],
        verdicts: Sha256::from_bytes(verdicts),
        waivers,
    });
    let grounds = prop_oneof![
        Just(Grounds::First),
        Just(Grounds::Gate),
        Just(Grounds::Person)
    ];
    let ids = (converter_id(), of(converter_id()));
    let promoted = (text(), ids, grounds, text(), of(found));
    let promoted = promoted.prop_map(|(converter, ids, grounds, reason, evidence)| {
        Body::ConverterPromoted(ConverterPromoted {
            converter,
            converter_id: ids.0,
            before: ids.1,
            grounds,
            reason,
            evidence,
        })
    });
    let which = (of(converter_id()), of(time()), ranges());
    let waived = (text(), which, of(text()), of(text()), text());
    let waived = waived.prop_map(|(converter, which, filter, cause, reason)| {
        Body::ConverterWaived(ConverterWaived {
            converter,
            candidate: which.0,
            until: which.1,
            entries: which.2,
            filter,
            cause,
            reason,
        })
    });
    let revoked = (text(), seq(), text()).prop_map(|(converter, waiver, reason)| {
        Body::WaiverRevoked(WaiverRevoked {
            converter,
            waiver,
            reason,
        })
    });
    let saved =
        (text(), text()).prop_map(|(name, query)| Body::ViewSaved(ViewSaved { name, query }));
    let dropped = text().prop_map(|name| Body::ViewDropped(ViewDropped { name }));
    prop_oneof![
        promoted.boxed(),
        waived.boxed(),
        revoked.boxed(),
        saved.boxed(),
        dropped.boxed()
    ]
}

fn of_the_evidence() -> impl Strategy<Value = Body> {
    let created = text().prop_map(|vkey| Body::KeyCreated(KeyCreated { vkey }));
    let rotated = text().prop_map(|statement| Body::KeyRotated(KeyRotated { statement }));
    let lost = text().prop_map(|statement| Body::KeyLost(KeyLost { statement }));
    let cadence = (number(), number()).prop_map(|(every_events, every_s)| {
        Body::CheckpointCadence(CheckpointCadence {
            every_events,
            every_s,
        })
    });
    let signed = text().prop_map(|note| Body::CheckpointSigned(CheckpointSigned { note }));
    let seq = (0..=EventSeq::MAX.0).prop_map(EventSeq);
    let stamped = (seq, text(), text()).prop_map(|(checkpoint, server, token)| {
        Body::CheckpointTimestamped(CheckpointTimestamped {
            checkpoint,
            server,
            token,
        })
    });
    prop_oneof![
        created.boxed(),
        rotated.boxed(),
        lost.boxed(),
        cadence.boxed(),
        signed.boxed(),
        stamped.boxed()
    ]
}

fn of_an_audit() -> impl Strategy<Value = Body> {
    let counts = || btree_map(text(), number(), 0..3);
    let reviewed =
        (seq(), seq(), counts(), text(), text()).prop_map(|(from, to, counts, verdict, reason)| {
            Body::Reviewed(Reviewed {
                from,
                to,
                counts,
                verdict,
                reason,
            })
        });
    let verified = (text(), vec(number(), 6)).prop_map(|(depth, numbers)| {
        Body::Verified(Verified {
            depth,
            upto: EventSeq(numbers[0]),
            events: numbers[1],
            packs: numbers[2],
            blobs: numbers[3],
            checked_bytes: numbers[4],
            findings: numbers[5],
        })
    });
    let refused = (of(text()), texts(), number(), text(), text(), of(text())).prop_map(
        |(plan_id, rules, count, refusal, told, reason)| {
            Body::PurgeRefused(PurgeRefused {
                plan_id,
                rules,
                count,
                refusal,
                told,
                reason,
            })
        },
    );
    let of_report = of((1_u32..9, 0_u32..9));
    let words = (of(text()), of(text()), of(text()), of(text()));
    let accessed = (ranges(), number(), text(), words, of_report, texts()).prop_map(
        |(entries, count, how, (to, what, outcome, door), of_report, from)| {
            Body::Accessed(Accessed {
                entries,
                count,
                how,
                to,
                what,
                attempt: of_report.map(|(attempt, _)| AttemptNo(attempt)),
                report: of_report.map(|(_, report)| report),
                outcome,
                door,
                from,
            })
        },
    );
    let stepped =
        (seq(), time(), time(), any::<i64>()).prop_map(|(after, expected, found, step_ms)| {
            Body::ClockStepped(ClockStepped {
                after,
                expected,
                found,
                step_ms,
            })
        });
    prop_oneof![
        reviewed.boxed(),
        verified.boxed(),
        refused.boxed(),
        accessed.boxed(),
        stepped.boxed(),
        exported().boxed()
    ]
}

fn exported() -> impl Strategy<Value = Body> {
    let contents = (number(), number(), any::<[u8; 32]>());
    let scope = prop_oneof![Just(Scope::Whole), Just(Scope::Selection)];
    let counted = (vec(number(), 3), btree_map(text(), number(), 0..3));
    (
        (any::<u16>(), meta(), scope, seq()),
        (counted, any::<[u8; 32]>(), of(contents)),
    )
        .prop_map(|(what, how_much)| {
            let (format, filters, scope, upto) = what;
            let ((numbers, by_type), root, contents) = how_much;
            let contents = contents.map(|(count, bytes, list)| ContentsCount {
                count,
                bytes,
                list: Sha256::from_bytes(list),
            });
            Body::Exported(Exported {
                format,
                filters,
                scope,
                upto,
                counts: Counts {
                    events: numbers[0],
                    bytes: numbers[1],
                    entries: numbers[2],
                    by_type,
                },
                root: Sha256::from_bytes(root),
                contents,
            })
        })
}

fn of_privacy() -> impl Strategy<Value = Body> {
    let declared = (texts(), of(text()))
        .prop_map(|(fields, reason)| Body::PrivacyDeclared(PrivacyDeclared { fields, reason }));
    let named =
        (text(), of(text())).prop_map(|(actor, name)| Body::ActorNamed(ActorNamed { actor, name }));
    let erased = (text(), vec(number(), 0..4), of(text()), texts(), text()).prop_map(
        |(field, ids, actor, digests, reason)| {
            Body::Erased(Erased {
                field,
                entries: EntryRanges::of(ids.into_iter().map(EntryId)),
                actor,
                digests,
                reason,
            })
        },
    );
    prop_oneof![declared.boxed(), named.boxed(), erased.boxed()]
}

/// Stand-ins for personal values, under any names.
fn sealed() -> impl Strategy<Value = Vec<Sealed>> {
    let one =
        (text(), any::<[u8; 32]>(), any::<[u8; 32]>()).prop_map(|(field, digest, content)| {
            Sealed::new(
                field,
                Sha256::from_bytes(digest),
                BlobId::from_bytes(content),
            )
        });
    prop_oneof![3 => Just(Vec::new()), 1 => vec(one, 1..4)]
}

/// Fails to compile when there is an event type that the generators do not produce.
fn is_made(body: &Body) -> bool {
    match body {
        Body::StoreCreated(_)
        | Body::StoreOpened(_)
        | Body::StoreContinued(_)
        | Body::Recovered(_)
        | Body::Lost(_)
        | Body::Repaired(_)
        | Body::ConfigChanged(_)
        | Body::Compacted(_)
        | Body::Archived(_)
        | Body::Converted(_)
        | Body::SubmitIntended(_)
        | Body::SubmitRejected(_)
        | Body::Reported(_)
        | Body::SourceCleared(_)
        | Body::Annotated(_)
        | Body::ConverterRegistered(_)
        | Body::ConverterEnvironment(_)
        | Body::ConverterPromoted(_)
        | Body::ConverterWaived(_)
        | Body::WaiverRevoked(_)
        | Body::HoldPlaced(_)
        | Body::HoldReleased(_)
        | Body::HoldReviewed(_)
        | Body::ViewSaved(_)
        | Body::ViewDropped(_)
        | Body::PurgeUndone(_)
        | Body::PurgeFinalized(_)
        | Body::RetentionLocked(_)
        | Body::RetentionUnlocked(_)
        | Body::PurgePlanned(_)
        | Body::PurgedEntries(_)
        | Body::JobStarted(_)
        | Body::JobSelected(_)
        | Body::JobStopped(_)
        | Body::JobResumed(_)
        | Body::JobFinished(_)
        | Body::KeyCreated(_)
        | Body::KeyRotated(_)
        | Body::KeyLost(_)
        | Body::CheckpointCadence(_)
        | Body::CheckpointSigned(_)
        | Body::CheckpointTimestamped(_)
        | Body::PurgeRefused(_)
        | Body::Exported(_)
        | Body::Verified(_)
        | Body::Reviewed(_)
        | Body::Accessed(_)
        | Body::ClockStepped(_)
        | Body::PrivacyDeclared(_)
        | Body::ActorNamed(_)
        | Body::Erased(_)
        | Body::Unknown(_) => true,
    }
}

fn event() -> impl Strategy<Value = Event> {
    let actor = (
        prop_oneof![
            Just(ActorKind::User),
            Just(ActorKind::ServiceAccount),
            Just(ActorKind::System)
        ],
        text(),
    )
        .prop_map(|(kind, id)| Actor { kind, id });
    let clock = (text(), number()).prop_map(|(boot, mono_ms)| ClockReading { boot, mono_ms });
    let body = prop_oneof![
        of_the_store().boxed(),
        of_an_entry().boxed(),
        of_the_rest().boxed(),
        of_an_audit().boxed(),
        of_the_evidence().boxed(),
        of_privacy().boxed()
    ];
    // No event has a higher number.
    let seq = prop_oneof![Just(EventSeq::MAX.0), 1..=EventSeq::MAX.0].prop_map(EventSeq);
    (seq, time(), actor, clock, body, sealed()).prop_map(
        |(seq, time, actor, clock, body, sealed)| Event {
            // Of an event of an unknown type, the data are kept as they are.
            sealed: match body {
                Body::Unknown(_) => Vec::new(),
                _ => sealed,
            },
            seq,
            time,
            actor,
            clock,
            body,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// A file system dated a source to the year 11999. The event was acknowledged, but no reader
    /// could decode its line, and after the next open nothing in the store could be read.
    #[test]
    fn any_fact_of_any_values_reads_back_as_it_was_written(event in event()) {
        prop_assert!(is_made(&event.body));
        let line = encode(&StoreId::from_bytes([7; 16]), &event).expect("short and faithful");
        prop_assert!(!line.contains('\n'));
        prop_assert_eq!(decode(&line).expect("readable"), event);
    }
}

/// The personal fields that every kind of fact can have.
fn personal_fields() -> Vec<PersonalField> {
    let names = [
        "actor",
        "source_path",
        "source_name",
        "key",
        "serial",
        "part",
        "station",
        "process",
        "error",
    ];
    names
        .map(|name| name.parse().expect("a field"))
        .into_iter()
        .chain([PersonalField::Meta("m".into())])
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// A value that comes back changed would make a rebuilt index another one than the live one.
    #[test]
    fn any_fact_sealed_and_revealed_is_the_fact(
        event in event().prop_filter("has its data", |event| event.sealed.is_empty()),
    ) {
        let mut sealed = event.clone();
        let mut fields = personal_fields();
        if let Body::Archived(fact) = &event.body {
            let of = |prefix: &str, name: &String| format!("{prefix}.{name}").parse().ok();
            fields.extend(fact.meta.keys().filter_map(|name| of("meta", name)));
            fields.extend(fact.arguments.keys().filter_map(|name| of("arguments", name)));
        }
        let salt = || Ok::<_, std::convert::Infallible>([9; disclosure::SALT_BYTES]);
        let disclosures = disclosure::seal(&mut sealed.body, &fields, salt).expect("sealed");
        sealed.sealed = disclosures.iter().map(disclosure::Disclosure::sealed).collect();
        let line = encode(&StoreId::from_bytes([7; 16]), &sealed).expect("a line");
        let mut read = decode(&line).expect("readable");
        prop_assert_eq!(&read, &sealed);
        for (stands, disclosure) in sealed.sealed.iter().zip(&disclosures) {
            let text = disclosure.text.as_bytes();
            prop_assert!(disclosure::reveal(&mut read, stands, text));
            // A second time it would replace what is there.
            let before = read.clone();
            prop_assert!(!disclosure::reveal(&mut read, stands, text));
            prop_assert_eq!(&read, &before);
        }
        prop_assert_eq!(read.body, event.body);
    }
}

/// What an eraser of twenty years later finds. The data begin as those of any archived source.
#[test]
fn a_leaf_with_personal_fields_is_these_bytes() {
    let line = concat!(
        r#"{"specversion":"1.0","id":"3","source":"urn:annals:07070707070707070707070707070707","#,
        r#""type":"annals.actor.named.v1","time":"1970-01-01T00:00:00.000000+00:00","#,
        r#""sequence":"00000000000000000003","authtype":"user","authid":"a:5f","bootid":"b","#,
        r#""monotonicms":"0","data":{"actor":"a:5f","_sd_alg":"sha-256","#,
        r#""_sd":["nvSxUZ52zVMzRROZsIH6jtJBnPl49in8qlgEazipKsE"],"#,
        r#""_sd_content":[["actor","CONTENT"]]}}"#,
    );
    let mut event = Event {
        seq: EventSeq(3),
        time: Timestamp::from_micros(0),
        actor: Actor::new(ActorKind::User, "a:5f"),
        clock: ClockReading {
            boot: "b".into(),
            mono_ms: 0,
        },
        body: Body::ActorNamed(ActorNamed {
            actor: "a:5f".into(),
            name: Some("kari".into()),
        }),
        sealed: Vec::new(),
    };
    let salt = || Ok::<_, std::convert::Infallible>([5; disclosure::SALT_BYTES]);
    let made = disclosure::seal(&mut event.body, &[PersonalField::Actor], salt).expect("sealed");
    event.sealed = made.iter().map(disclosure::Disclosure::sealed).collect();
    let written = encode(&StoreId::from_bytes([7; 16]), &event).expect("a line");
    let line = line.replace("CONTENT", &BlobId::of(made[0].text.as_bytes()).to_string());
    assert_eq!(written, line);
    assert!(!written.contains("kari"));
}

/// The sandbox is the newest field of an attempt's event, so older lines lack it.
#[test]
fn an_attempt_with_and_without_a_sandbox_is_these_bytes() {
    let bare = r#"{"entry":7,"attempt":1,"outcome":"success","converter":"ICT","warnings":["w"]}"#;
    let held = r#"{"entry":7,"attempt":1,"outcome":"success","converter":"ICT","warnings":["w"],"sandbox":["files:landlock-6","system-calls","capabilities","network","user:conv"]}"#;
    for (line, words) in [(bare, 0), (held, 5)] {
        let event: Converted = serde_json::from_str(line).expect("readable");
        assert_eq!(event.sandbox.len(), words);
        assert_eq!(serde_json::to_string(&event).expect("JSON"), line);
    }
}

/// Verifiers of other people read these members by their names.
#[test]
fn facts_about_keys_and_checkpoints_are_these_bytes() {
    let kinds = [
        (
            "annals.key.created.v1",
            r#"{"vkey":"annals/5a+65a8c000+AQ=="}"#,
        ),
        (
            "annals.key.rotated.v1",
            r#"{"statement":"old\nnew\n\n— s\n"}"#,
        ),
        ("annals.key.lost.v1", r#"{"statement":"old\nnew\n\n— s\n"}"#),
        (
            "annals.checkpoint.cadence.v1",
            r#"{"every_events":10000,"every_s":3600}"#,
        ),
        (
            "annals.checkpoint.signed.v1",
            r#"{"note":"annals/5a\n3\nroot\n\n— s\n"}"#,
        ),
        (
            "annals.checkpoint.timestamped.v1",
            r#"{"checkpoint":4,"server":"https://tsa.example","token":"MAA="}"#,
        ),
    ];
    assert_forms(&kinds);
}

/// The forms of what people add to a log and of what they do with it.
#[test]
fn the_forms_of_notes_and_audits_are_pinned() {
    let zeros = "0".repeat(64);
    let exported = format!(
        r#"{{"format":1,"filters":{{"serial":"SN1"}},"scope":"selection","upto":2,"counts":{{"events":1,"bytes":9,"entries":1,"by_type":{{"annals.archived.v1":1}}}},"root":"{zeros}","contents":{{"count":1,"bytes":9,"list":"{zeros}"}}}}"#
    );
    assert_forms(&[
        (
            "annals.annotated.v1",
            r#"{"entry":3,"text":"retested","labels":["recall"],"unlabels":["new"],"unit":{"serial":"SN1"},"meta":{"line":"4"},"reason":"ticket 881"}"#,
        ),
        ("annals.annotated.v1", r#"{"entry":3,"reason":"seen"}"#),
        (
            "annals.reviewed.v1",
            r#"{"from":1,"to":9,"counts":{"annals.archived.v1":4},"verdict":"accepted","reason":"weekly"}"#,
        ),
        (
            "annals.verified.v1",
            r#"{"depth":"deep","upto":9,"events":9,"packs":1,"blobs":4,"checked_bytes":812,"findings":0}"#,
        ),
        (
            "annals.purge.refused.v1",
            r#"{"plan_id":"5f","rules":["older than 90d"],"count":4,"refusal":"hold","told":"plan 5f is stale","reason":"yearly"}"#,
        ),
        (
            "annals.hold.placed.v1",
            r#"{"name":"audit","reason":"IATF","entries":[[3,4]],"review":"2027-05-01T00:00:00.000000+00:00","future":{"serial":"SN1"}}"#,
        ),
        (
            "annals.hold.placed.v1",
            r#"{"name":"audit","reason":"IATF","entries":[[3,4]]}"#,
        ),
        (
            "annals.hold.reviewed.v1",
            r#"{"name":"audit","reason":"still open","review":"2027-11-01T00:00:00.000000+00:00"}"#,
        ),
        (
            "annals.purged.v1",
            r#"{"plan_id":"5f","rule":"expired","reason":"yearly","entries":[[3,4]],"count":2,"bytes_logical":80,"final_at":"2027-05-01T00:00:00.000000+00:00"}"#,
        ),
        (
            "annals.view.saved.v1",
            r#"{"name":"Failed today","query":"status=failed&from=today"}"#,
        ),
        ("annals.view.dropped.v1", r#"{"name":"Failed today"}"#),
        (
            "annals.purge.undone.v1",
            r#"{"plan_id":"5f","reason":"needed","entries":[[3,4]],"count":2}"#,
        ),
        (
            "annals.purge.finalized.v1",
            r#"{"plan_id":"5f","entries":[[3,4]],"count":2}"#,
        ),
        (
            "annals.purge.finalized.v1",
            r#"{"plan_id":"5f","reason":"full disk","entries":[[3,4]],"count":2}"#,
        ),
        (
            "annals.purge.refused.v1",
            r#"{"count":0,"refusal":"empty_policy","told":"empty policy"}"#,
        ),
        (
            "annals.accessed.v1",
            r#"{"entries":[[3,4],[9,9]],"count":3,"how":"restore","to":"/back"}"#,
        ),
        (
            "annals.accessed.v1",
            r#"{"entries":[[3,3]],"count":1,"how":"download","what":"report","attempt":2,"report":0,"door":"web","from":["127.0.0.1"]}"#,
        ),
        (
            "annals.accessed.v1",
            r#"{"count":41,"how":"token","what":"sign_in","outcome":"refused","door":"web","from":["10.0.0.7"]}"#,
        ),
        (
            "annals.clock.stepped.v1",
            r#"{"after":8,"expected":"2026-03-01T08:30:00.000001+01:00","found":"2026-03-01T07:30:00.000001+01:00","step_ms":-3600000}"#,
        ),
        ("annals.exported.v1", &exported),
    ]);
}

fn assert_forms(kinds: &[(&str, &str)]) {
    for &(kind, data) in kinds {
        let body = Body::from_json(kind, data).expect("readable");
        assert!(!matches!(body, Body::Unknown(_)), "{kind}");
        assert_eq!(
            (body.kind(), &*body.data_json().expect("JSON")),
            (kind, data)
        );
    }
}

/// The engine refuses such an entry with a message. If one gets past the engine, the encoder must
/// refuse it.
#[test]
fn a_fact_that_would_not_read_back_is_no_line() {
    let event = Event {
        seq: EventSeq(3),
        time: Timestamp::from_micros(0),
        actor: Actor::system(),
        clock: ClockReading::default(),
        body: Body::Archived(Archived {
            converter: "ICT".into(),
            converter_version: None,
            source: Source::default(),
            blob: BlobRef {
                blake3: BlobId::of(b""),
                sha256: Sha256::of(b""),
                size: 0,
            },
            stored_size: 0,
            duplicate: false,
            unit: Unit::default(),
            meta: Meta::new(),
            arguments: Meta::new(),
            retention: Retention::days(0),
            key: None,
            facts_only: false,
        }),
        sealed: Vec::new(),
    };
    let refused = encode(&StoreId::from_bytes([7; 16]), &event).expect_err("no event");
    assert!(matches!(refused, LeafError::Unfaithful { .. }), "{refused}");
    assert!(
        refused.to_string().contains("annals.archived.v1"),
        "{refused}"
    );
}
