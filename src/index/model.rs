//! The index against a model that keeps whole entries in a map and answers every question by looking at all of them.
//!
//! Clocks jump, contents come back after they were purged, events name what does not exist, checkpoints fall anywhere:
//! whatever happens, the index must answer as the model does, and be the same as one made anew from the events.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::select;

use super::queue_model::Queue;
use super::text::fold;
use super::*;
use crate::disk::sim::SimDisk;
use crate::disk::{Disk, OpenMode};
use crate::entry::{
    Attempt, Entry, Meta, Outcome, Report, Retention, Status, Submission, Unit, UnitGiven,
};
use crate::event::{
    Actor, Archived, BlobRef, Body, BundleFile, ClockReading, ConfigChanged, Converted,
    ConverterRegistered, EntryRanges, Event, HoldPlaced, HoldReleased, JobFinished, JobStarted,
    PurgedEntries, Reported, Source, SubmitIntended, SubmitRejected, Unknown,
};
use crate::id::{AttemptNo, BlobId, ConverterId, EntryId, JobId, PackId, Sha256};
use crate::query::{Direction, Filter, Purged, Query, Sort, SortField};
use crate::time::Timestamp;

const STORE: StoreId = StoreId::from_bytes([7; 16]);
const CONTENTS: u8 = 12;

fn blob(content: u8) -> BlobRef {
    BlobRef {
        blake3: BlobId::of(&[content]),
        sha256: Sha256::of(&[content]),
        size: u64::from(content) * 100 + 1,
    }
}

/// One thing that happens.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "most of them are the large one")]
enum Op {
    Record(Body),
    /// Numbers pass that the index sees nothing of.
    Skip(u64),
    Clock(i64),
    Place {
        content: u8,
        pack: u64,
    },
    DropPack(u64),
    /// What was folded in becomes a layer of its own.
    Freeze,
    Checkpoint,
}

fn text(words: &'static [&'static str]) -> impl Strategy<Value = String> {
    select(words).prop_map(str::to_owned)
}

const CONVERTERS: &[&str] = &["ICT CSV", "ict csv", "FCT XML", "Ärger"];
const SERIALS: &[&str] = &["SN-1", "sn-1", "SN-10", "SN-2", "X", "ΟΔΟΣ", ""];
const PARTS: &[&str] = &["P-77", "P-78", "Board A"];
const STATIONS: &[&str] = &["ST1", "st2"];
const ERRORS: &[&str] = &["no such limit", "Timeout!", "x"];
const MAKERS: &[&str] = &["c", "c\0", "d"];
const ENDPOINTS: &[&str] = &["http://a/wsjf", "http://b/wsjf"];
const REPORT_IDS: &[&str] = &["r-1", "R-2", "r-10"];
const LONG: &str = "a-very-long-name-that-goes-on-and-on-and-on-until-it-is-longer-than-the-part-of-a-text-that-counts-\
                    for-order-and-for-terms";

fn names() -> impl Strategy<Value = String> {
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

fn unit() -> impl Strategy<Value = Unit> {
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

fn meta() -> impl Strategy<Value = Meta> {
    proptest::collection::btree_map(text(&["line", "Shift"]), text(&["1", "2", "Night"]), 0..3)
}

/// An entry id that may exist: events get low numbers, so low ones often do.
fn some_id() -> impl Strategy<Value = EntryId> {
    prop_oneof![4 => 1_u64..60, 1 => 60_u64..200_000].prop_map(EntryId)
}

fn some_ranges() -> impl Strategy<Value = EntryRanges> {
    prop_oneof![
        6 => proptest::collection::vec(some_id(), 0..6).prop_map(EntryRanges::of),
        1 => Just(serde_json::from_str("[[3,18446744073709551615]]").expect("ranges")),
    ]
}

fn archived() -> impl Strategy<Value = Body> {
    let key = proptest::option::weighted(0.2, text(&["k1", "k2"]));
    (
        text(CONVERTERS),
        names(),
        0..CONTENTS,
        unit(),
        meta(),
        key,
        any::<bool>(),
    )
        .prop_map(|(converter, name, content, unit, meta, key, versioned)| {
            Body::Archived(Archived {
                converter,
                converter_version: versioned.then(|| "1.4".to_owned()),
                source: Source {
                    path: format!("/in/{name}"),
                    name,
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
            })
        })
}

fn converted() -> impl Strategy<Value = Body> {
    let outcome = select(vec![Outcome::Success, Outcome::Failed, Outcome::Suspended]);
    let reports = proptest::collection::vec((0..CONTENTS).prop_map(blob), 0..3);
    let job = proptest::option::of((1_u64..20).prop_map(JobId));
    let error = proptest::option::of(text(ERRORS));
    let submit = proptest::option::of(text(ENDPOINTS));
    let by = (text(MAKERS), job, submit);
    (some_id(), 0_u32..4, outcome, reports, unit(), by, error).prop_map(
        |(entry, attempt, outcome, reports, unit, (converter, job, submit), error)| {
            Body::Converted(Converted {
                entry,
                attempt: AttemptNo(attempt),
                outcome,
                converter,
                converter_version: None,
                converter_id: None,
                arguments: Meta::new(),
                duration_ms: Some(3),
                error,
                warnings: vec!["w".into()],
                unit,
                reports,
                submit,
                job,
            })
        },
    )
}

fn other_bodies() -> impl Strategy<Value = Body> {
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
    let purged = some_ranges().prop_map(|entries| {
        Body::PurgedEntries(PurgedEntries {
            plan_id: "p".into(),
            rule: "older than 90d".into(),
            reason: "r".into(),
            entries,
            count: 0,
            bytes_logical: 0,
        })
    });
    let held = (text(&["audit", "Q7"]), some_ranges()).prop_map(|(name, entries)| {
        Body::HoldPlaced(HoldPlaced {
            name,
            reason: "because".into(),
            entries,
        })
    });
    let released = text(&["audit", "Q7"]).prop_map(|name| {
        let reason = String::new();
        Body::HoldReleased(HoldReleased { name, reason })
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
    let config = proptest::option::of(text(&["5", "6"])).prop_map(|new| {
        let (what, old) = ("limit".to_owned(), None);
        Body::ConfigChanged(ConfigChanged { what, old, new })
    });
    let job = Just(Body::JobStarted(JobStarted {
        kind: "reprocess".into(),
        selection: "all".into(),
        converter_version: "current".into(),
        params: "recorded".into(),
        total: 4,
        reason: None,
    }));
    let finished = (1_u64..40).prop_map(|job| {
        Body::JobFinished(JobFinished {
            job: JobId(job),
            processed: 4,
            ..JobFinished::default()
        })
    });
    let unknown = Just(Body::Unknown(Unknown {
        kind: "annals.moved.v9".into(),
        data: "{}".into(),
    }));
    prop_oneof![
        4 => reported, 4 => intended, 3 => rejected, 2 => purged, 1 => held, 1 => released, 1 => registered, 1 => config, 1 => job, 1 => finished,
        1 => unknown,
    ]
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
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

/// The larger contents are cut into two smaller ones each.
fn children(content: u8) -> Vec<BlobId> {
    match content {
        8.. => vec![blob(content - 4).blake3, blob(content - 8).blake3],
        _ => Vec::new(),
    }
}

fn placement(content: u8, pack: u64) -> Placement {
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

fn pack_row(pack: u64) -> PackRow {
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

/// What the log and the packs say, in the plainest form.
#[derive(Default)]
struct Model {
    seq: u64,
    micros: i64,
    entries: BTreeMap<EntryId, Entry>,
    keys: BTreeMap<String, EntryId>,
    bundles: BTreeMap<ConverterId, Vec<BlobId>>,
    jobs: BTreeMap<JobId, Option<JobFinished>>,
    config: Option<String>,
    holds: BTreeMap<String, Vec<(u64, EntryRanges)>>,
    plans_stale_since: u64,
    places: BTreeMap<u8, u64>,
    packs: BTreeSet<u64>,
    queue: Queue,
}

impl Model {
    fn event(&mut self, body: &Body) -> Event {
        self.seq += 1;
        self.micros += 1_000_000;
        Event {
            seq: EventSeq(self.seq),
            time: Timestamp::from_micros(self.micros).at_offset(3600),
            actor: Actor::system(),
            clock: ClockReading::default(),
            body: body.clone(),
        }
    }

    fn fold(&mut self, event: &Event) {
        let id = EntryId(event.seq.0);
        match &event.body {
            Body::Archived(body) => {
                if let Some(key) = &body.key {
                    self.keys.entry(key.clone()).or_insert(id);
                }
                self.entries.insert(id, entry(id, event.time, body));
            }
            Body::Converted(body) => {
                let Some(entry) = self.entries.get_mut(&body.entry) else {
                    return;
                };
                let newest = entry.attempts.last().map_or(0, |attempt| attempt.attempt.0);
                if body.attempt.0 > newest {
                    entry.unit_given.merge(&mut entry.unit, &body.unit);
                    entry.status = body.outcome.into();
                    let mut made = attempt(event.time, body);
                    let purged = entry.purged_at.is_some();
                    self.queue.made(event, body, &mut made, purged);
                    entry.attempts.push(made);
                }
            }
            Body::SubmitIntended(body) => self.queue.intend(event, body, &mut self.entries),
            Body::SubmitRejected(body) => self.queue.reject(event.time, body, &mut self.entries),
            Body::Reported(body) => self.report(event.time, body),
            Body::PurgedEntries(body) => {
                self.plans_stale_since = event.seq.0;
                for (id, entry) in &mut self.entries {
                    if body.entries.contains(*id) && entry.purged_at.is_none() {
                        entry.purged_at = Some(event.time);
                        entry.purged_by = Some(body.rule.clone());
                        self.queue.purge(entry);
                        // What is made from here on is not counted.
                        entry
                            .meta
                            .insert("#purged".into(), entry.attempts.len().to_string());
                    }
                }
            }
            Body::ConverterRegistered(body) => {
                let files = body.bundle.iter().map(|file| file.blob.blake3).collect();
                self.bundles.entry(body.converter_id).or_insert(files);
            }
            Body::ConfigChanged(body) => self.config = body.new.clone(),
            Body::HoldPlaced(body) => {
                self.plans_stale_since = event.seq.0;
                let placements = self.holds.entry(body.name.clone()).or_default();
                placements.push((event.seq.0, body.entries.clone()));
            }
            Body::HoldReleased(body) => {
                self.plans_stale_since = event.seq.0;
                self.holds.remove(&body.name);
            }
            Body::JobStarted(_) => drop(self.jobs.insert(JobId(event.seq.0), None)),
            Body::JobFinished(body) => {
                if let Some(job) = self.jobs.get_mut(&body.job) {
                    *job = Some(body.clone());
                }
            }
            _ => {}
        }
    }

    fn report(&mut self, time: Timestamp, body: &Reported) {
        self.queue.leave((body.entry, body.attempt.0, body.report));
        let Some(entry) = self.entries.get_mut(&body.entry) else {
            return;
        };
        let place = body.report as usize;
        let mut at = None;
        for (index, attempt) in entry.attempts.iter_mut().enumerate() {
            if attempt.attempt == body.attempt
                && let Some(report) = attempt.reports.get_mut(place)
            {
                report.report_id = Some(body.report_id.clone());
                report.reported_at = Some(time);
                report.submission = None;
                at = Some(index);
            }
        }
        if let Some(at) = at {
            let later = entry.attempts[at + 1..]
                .iter()
                .flat_map(|attempt| &attempt.reports);
            if later.into_iter().all(|report| report.report_id.is_none()) {
                entry.report_id = Some(body.report_id.clone());
            }
        }
    }

    /// Every entry as the index should show it.
    fn all(&self) -> Vec<Entry> {
        let held = |id: EntryId| {
            let on = |placements: &Vec<(u64, EntryRanges)>| {
                placements
                    .iter()
                    .any(|(placed, ranges)| id.0 < *placed && ranges.contains(id))
            };
            let holds = self.holds.iter().filter(|(_, placements)| on(placements));
            holds.map(|(name, _)| name.clone()).collect()
        };
        let shown = |entry: &Entry| {
            let mut shown = entry.clone();
            shown.meta.remove("#purged");
            shown.holds = held(entry.id);
            shown
        };
        self.entries.values().map(shown).collect()
    }

    /// How many facts name each blob.
    fn named(&self) -> BTreeMap<BlobId, u32> {
        let mut named = BTreeMap::new();
        for files in self.bundles.values() {
            for id in files {
                *named.entry(*id).or_default() += 1;
            }
        }
        for entry in self
            .entries
            .values()
            .filter(|entry| entry.purged_at.is_none())
        {
            *named.entry(entry.blake3).or_default() += 1;
            for report in entry.attempts.iter().flat_map(|attempt| &attempt.reports) {
                *named.entry(report.blake3).or_default() += 1;
            }
        }
        named
    }

    /// How many facts and live blobs need each content; the larger ones first, since they hold the smaller.
    fn refs(&self) -> BTreeMap<u8, u32> {
        let named = self.named();
        let mut refs: BTreeMap<u8, u32> = (0..CONTENTS)
            .map(|content| {
                (
                    content,
                    named.get(&blob(content).blake3).copied().unwrap_or(0),
                )
            })
            .collect();
        for parent in (8..CONTENTS).rev() {
            if refs[&parent] > 0 && self.places.contains_key(&parent) {
                for child in [parent - 4, parent - 8] {
                    *refs.entry(child).or_default() += 1;
                }
            }
        }
        refs
    }
}

fn entry(id: EntryId, at: Timestamp, body: &Archived) -> Entry {
    Entry {
        id,
        converter: body.converter.clone(),
        converter_version: body.converter_version.clone(),
        source_name: body.source.name.clone(),
        source_path: body.source.path.clone(),
        source_name_hex: None,
        source_modified: None,
        archived_at: at,
        status: Status::Pending,
        size: body.blob.size,
        stored_size: body.stored_size,
        blake3: body.blob.blake3,
        sha256: body.blob.sha256,
        unit: body.unit.clone(),
        unit_given: UnitGiven::of(&body.unit),
        meta: body.meta.clone(),
        arguments: Meta::new(),
        retention: body.retention,
        key: body.key.clone(),
        report_id: None,
        attempts: Vec::new(),
        holds: Vec::new(),
        purged_at: None,
        purged_by: None,
    }
}

fn attempt(at: Timestamp, body: &Converted) -> Attempt {
    let report = |made: &BlobRef| Report {
        blake3: made.blake3,
        sha256: made.sha256,
        size: made.size,
        report_id: None,
        reported_at: None,
        submission: body.submit.as_ref().map(|endpoint| Submission::Waiting {
            since: at,
            endpoint: endpoint.clone(),
        }),
    };
    Attempt {
        attempt: body.attempt,
        status: body.outcome,
        at,
        converter: body.converter.clone(),
        converter_version: None,
        converter_id: None,
        arguments: Meta::new(),
        duration_ms: body.duration_ms,
        error: body.error.clone(),
        warnings: body.warnings.clone(),
        job: body.job,
        reports: body.reports.iter().map(report).collect(),
    }
}

/// The index as a program uses it: an overlay that is written, layers that are not, and the tables.
struct Live {
    index: Index,
    below: View,
    top: Overlay,
}

impl Live {
    fn new() -> Self {
        let index = Index::in_memory(STORE).expect("memory");
        let below = index.view(Vec::new()).expect("memory");
        let top = below.overlay();
        Self { index, below, top }
    }

    fn view(&self) -> View {
        self.below.under(self.top.clone())
    }

    fn freeze(&mut self) {
        self.below = self.below.under(self.top.clone());
        self.top = self.below.overlay();
    }

    fn checkpoint(&mut self) {
        self.freeze();
        for layer in self.below.layers.iter().rev() {
            self.index.commit(layer).expect("memory");
        }
        self.below = self.index.view(Vec::new()).expect("memory");
        self.top = self.below.overlay();
    }
}

/// What happened: the model, the index it was told to at the same time, and the events.
fn run(ops: &[Op]) -> (Model, Live, Vec<Event>) {
    let (mut model, mut live, mut events) = (Model::default(), Live::new(), Vec::new());
    for op in ops {
        let Live { below, top, .. } = &mut live;
        match op {
            Op::Record(body) => {
                let event = model.event(body);
                model.fold(&event);
                top.apply(&event, below).expect("sound");
                top.apply(&event, below)
                    .expect("a second time changes nothing");
                events.push(event);
            }
            Op::Skip(events) => model.seq += events,
            Op::Clock(micros) => model.micros += micros,
            Op::Place { content, pack } => {
                model.places.insert(*content, *pack);
                top.place(&placement(*content, *pack), below)
                    .expect("sound");
                if model.packs.insert(*pack) {
                    top.add_pack(&pack_row(*pack), below).expect("sound");
                }
            }
            Op::DropPack(pack) => {
                model.places.retain(|_, of| of != pack);
                model.packs.remove(pack);
                top.drop_pack(PackId(*pack), None, below).expect("sound");
            }
            Op::Freeze => live.freeze(),
            Op::Checkpoint => live.checkpoint(),
        }
    }
    (model, live, events)
}

fn dump(view: &View) -> Vec<String> {
    let mut lines = Vec::new();
    view.dump(|line| lines.push(line)).expect("sound");
    lines
}

fn filters() -> impl Strategy<Value = Filter> {
    let one = prop_oneof![
        proptest::collection::vec(some_id(), 1..5).prop_map(|ids| Filter {
            ids,
            ..Filter::default()
        }),
        proptest::collection::vec(text(CONVERTERS), 1..3).prop_map(|converter| Filter {
            converter,
            ..Filter::default()
        }),
        text(&["1.4", "1.5"]).prop_map(|version| Filter {
            converter_version: Some(version),
            ..Filter::default()
        }),
        proptest::collection::vec(select(Status::ALL.to_vec()), 1..3).prop_map(|status| Filter {
            status,
            ..Filter::default()
        }),
        (-5_000_000_000_i64..200_000_000_000).prop_map(|micros| Filter {
            from: Some(Timestamp::from_micros(micros)),
            ..Filter::default()
        }),
        prop_oneof![-5_000_000_000_i64..200_000_000_000, Just(i64::MIN)].prop_map(|micros| {
            Filter {
                to: Some(Timestamp::from_micros(micros)),
                ..Filter::default()
            }
        }),
        text(SERIALS).prop_map(|serial| Filter {
            serial: Some(serial),
            ..Filter::default()
        }),
        text(PARTS).prop_map(|part| Filter {
            part: Some(part),
            ..Filter::default()
        }),
        text(STATIONS).prop_map(|station| Filter {
            station: Some(station),
            ..Filter::default()
        }),
        text(&["10", "30"]).prop_map(|process| Filter {
            process: Some(process),
            ..Filter::default()
        }),
        text(&[
            "*.csv",
            "a*",
            "*",
            "?.CSV",
            "unit-00[0-2]?.csv",
            "*sn*26*",
            "",
            "*[!v]",
            "[[]x]",
            "*that*1"
        ])
        .prop_map(|file| Filter {
            file: Some(file),
            ..Filter::default()
        }),
        (text(&["line", "Shift"]), text(&["1", "Night", "night"])).prop_map(|pair| Filter {
            meta: vec![pair],
            ..Filter::default()
        }),
        (1_u64..20).prop_map(|job| Filter {
            job: Some(JobId(job)),
            ..Filter::default()
        }),
        text(REPORT_IDS).prop_map(|id| Filter {
            report_id: Some(id),
            ..Filter::default()
        }),
        text(&[
            "sn", "SN-1", "limit", "x", "ärg", "ü", "night", "", "26.", "time", "\0", "οσ", "0001"
        ])
        .prop_map(|text| Filter {
            text: Some(text),
            ..Filter::default()
        }),
        Just(Filter::default()),
    ];
    let purged = select(vec![Purged::Exclude, Purged::Include, Purged::Only]);
    (one.clone(), proptest::option::of(one), purged).prop_map(|(first, second, purged)| {
        let second = second.unwrap_or_default();
        let either = |a: Option<String>, b| a.or(b);
        Filter {
            ids: [first.ids, second.ids].concat(),
            converter: [first.converter, second.converter].concat(),
            converter_version: either(first.converter_version, second.converter_version),
            status: [first.status, second.status].concat(),
            from: first.from.or(second.from),
            to: first.to.or(second.to),
            serial: either(first.serial, second.serial),
            part: either(first.part, second.part),
            station: either(first.station, second.station),
            process: either(first.process, second.process),
            file: either(first.file, second.file),
            meta: [first.meta, second.meta].concat(),
            job: first.job.or(second.job),
            report_id: either(first.report_id, second.report_id),
            text: either(first.text, second.text),
            purged,
        }
    })
}

fn same(a: Option<&str>, b: &str) -> bool {
    a.is_some_and(|a| fold(a) == fold(b))
}

/// Fits by trying everything.
fn fits(pattern: &[char], name: &[char]) -> bool {
    match (pattern, name) {
        ([], []) => true,
        (['*', rest @ ..], _) => {
            fits(rest, name) || (!name.is_empty() && fits(pattern, &name[1..]))
        }
        (['?', rest @ ..], [_, name @ ..]) => fits(rest, name),
        (['[', '!', a, ']', rest @ ..], [n, name @ ..]) => a != n && fits(rest, name),
        (['[', a, '-', b, ']', rest @ ..], [n, name @ ..]) => {
            (a..=b).contains(&n) && fits(rest, name)
        }
        (['[', a, ']', rest @ ..] | [a, rest @ ..], [n, name @ ..]) => a == n && fits(rest, name),
        _ => false,
    }
}

fn selects(filter: &Filter, entry: &Entry) -> bool {
    let unit = &entry.unit;
    let is = |wanted: &Option<String>, has: Option<&str>| {
        wanted.as_ref().is_none_or(|wanted| same(has, wanted))
    };
    let letters = |text: &str| fold(text).chars().collect::<Vec<_>>();
    let mut texts = vec![
        Some(&entry.source_name),
        unit.serial.as_ref(),
        unit.part.as_ref(),
    ];
    texts.extend(entry.attempts.iter().map(|attempt| attempt.error.as_ref()));
    texts.extend(entry.meta.values().map(Some));
    let mut reports = entry.attempts.iter().flat_map(|attempt| &attempt.reports);
    (match filter.purged {
        Purged::Exclude => entry.purged_at.is_none(),
        Purged::Include => true,
        Purged::Only => entry.purged_at.is_some(),
    }) && (filter.ids.is_empty() || filter.ids.contains(&entry.id))
        && (filter.converter.is_empty()
            || filter
                .converter
                .iter()
                .any(|name| same(Some(&entry.converter), name)))
        && is(
            &filter.converter_version,
            entry.converter_version.as_deref(),
        )
        && (filter.status.is_empty() || filter.status.contains(&entry.status))
        && filter
            .from
            .is_none_or(|from| entry.archived_at.micros() >= from.micros())
        && filter
            .to
            .is_none_or(|to| entry.archived_at.micros() < to.micros())
        && is(&filter.serial, unit.serial.as_deref())
        && is(&filter.part, unit.part.as_deref())
        && is(&filter.station, unit.station.as_deref())
        && is(&filter.process, unit.process.as_deref())
        && filter
            .file
            .as_ref()
            .is_none_or(|file| fits(&letters(file), &letters(&entry.source_name)))
        && filter
            .meta
            .iter()
            .all(|(name, value)| entry.meta.get(name) == Some(value))
        && filter.job.is_none_or(|job| {
            entry
                .attempts
                .iter()
                .any(|attempt| attempt.job == Some(job))
        })
        && filter
            .report_id
            .as_ref()
            .is_none_or(|wanted| reports.any(|report| same(report.report_id.as_deref(), wanted)))
        && filter.text.as_ref().is_none_or(|wanted| {
            wanted.is_empty()
                || texts
                    .iter()
                    .flatten()
                    .any(|text| fold(text).contains(&*fold(wanted)))
        })
}

fn in_order(mut entries: Vec<Entry>, sort: Sort) -> Vec<Entry> {
    let text = |text: Option<&str>| match text {
        None => (true, 0, Vec::new()),
        Some(text) => {
            let mut bytes = fold(text).into_owned().into_bytes();
            bytes.truncate(terms::TERM_BYTES_MAX);
            (false, 0, bytes)
        }
    };
    entries.sort_by_cached_key(|entry| {
        let value = match sort.field {
            SortField::Id => text(None),
            SortField::ArchivedAt => (false, i128::from(entry.archived_at.micros()), Vec::new()),
            SortField::Converter => text(Some(&entry.converter)),
            SortField::SourceName => text(Some(&entry.source_name)),
            SortField::Status => text(Some(entry.status.name())),
            SortField::Size => (false, i128::from(entry.size), Vec::new()),
            SortField::Serial => text(entry.unit.serial.as_deref()),
            SortField::Part => text(entry.unit.part.as_deref()),
            SortField::Station => text(entry.unit.station.as_deref()),
            SortField::Process => text(entry.unit.process.as_deref()),
        };
        (value, entry.id)
    });
    if sort.direction == Direction::Desc {
        entries.reverse();
    }
    entries
}

/// How well an entry answers to a word: wholly, at the beginning, or not.
fn answers(entry: &Entry, word: &str) -> Option<bool> {
    let word = fold(word);
    let reports = || entry.attempts.iter().flat_map(|attempt| &attempt.reports);
    let mut texts = vec![
        Some(entry.source_name.clone()),
        entry.unit.serial.clone(),
        entry.unit.part.clone(),
    ];
    texts.extend(reports().map(|report| report.report_id.clone()));
    if word.len() >= 6 {
        texts.extend(reports().map(|report| Some(report.sha256.to_string())));
        texts.push(Some(entry.blake3.to_string()));
        texts.push(Some(entry.sha256.to_string()));
        texts.extend(reports().map(|report| Some(report.blake3.to_string())));
    }
    let texts: Vec<String> = texts
        .iter()
        .flatten()
        .map(|text| fold(text).into_owned())
        .collect();
    if texts.iter().any(|text| *text == word) || entry.id.to_string() == word {
        Some(true)
    } else {
        texts
            .iter()
            .any(|text| text.starts_with(&*word))
            .then_some(false)
    }
}

fn sorts() -> impl Strategy<Value = Sort> {
    (
        select(SortField::ALL.to_vec()),
        select(vec![Direction::Asc, Direction::Desc]),
    )
        .prop_map(|(field, direction)| Sort { field, direction })
}

fn whole(view: &View, filter: &Filter, sort: Sort) -> Vec<Entry> {
    let query = Query {
        filter: filter.clone(),
        sort,
        limit: None,
        ..Query::default()
    };
    let page = view.query(&query).expect("sound");
    assert_eq!(page.next, None, "a listing without a limit has one page");
    page.entries
}

fn paged(view: &View, filter: &Filter, sort: Sort, limit: usize) -> Vec<Entry> {
    let mut query = Query {
        filter: filter.clone(),
        sort,
        limit: Some(limit),
        ..Query::default()
    };
    let mut all = Vec::new();
    loop {
        let page = view.query(&query).expect("sound");
        assert!(page.entries.len() <= limit);
        all.extend(page.entries);
        match page.next {
            None => return all,
            next => query.after = next,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn the_index_answers_as_a_look_at_every_entry_does(
        ops in ops(),
        queries in proptest::collection::vec((filters(), sorts(), 1_usize..7), 12),
        words in proptest::collection::vec(
            text(&["sn-1", "SN-10", "unit-00", "a.csv", "P-7", "r-1", "3", "ΟΔ", "17", LONG, "a-very"]), 4),
    ) {
        let (model, live, _) = run(&ops);
        let view = live.view();
        let all = model.all();
        let mut walked = Vec::new();
        view.walk_oldest(|entry| {
            walked.push(entry);
            std::ops::ControlFlow::Continue(())
        }).expect("sound");
        let alive = all.iter().filter(|entry| entry.purged_at.is_none()).cloned();
        prop_assert_eq!(walked, alive.collect::<Vec<_>>());
        for entry in &all {
            let found = view.entry(entry.id).expect("sound");
            prop_assert_eq!(found.as_ref(), Some(entry));
        }
        for (filter, sort, limit) in &queries {
            let expected: Vec<Entry> = all.iter().filter(|entry| selects(filter, entry)).cloned().collect();
            prop_assert_eq!(view.count(filter).expect("sound"), expected.len() as u64, "{:?}", filter);
            let expected = in_order(expected, *sort);
            let ids = |entries: &[Entry]| entries.iter().map(|entry| entry.id.0).collect::<Vec<_>>();
            prop_assert_eq!(ids(&whole(&view, filter, *sort)), ids(&expected), "{:?} {:?}", filter, sort);
            prop_assert_eq!(ids(&paged(&view, filter, *sort, *limit)), ids(&expected), "{:?} {:?}", filter, sort);
            let rest = view.query(&Query {
                filter: filter.clone(), sort: *sort, limit: Some(*limit), offset: 3, after: None,
            }).expect("sound");
            let from = expected.len().min(3);
            let to = expected.len().min(3 + limit);
            prop_assert_eq!(ids(&rest.entries), ids(&expected[from..to]));
        }
        let hash = blob(5).sha256.to_string();
        for word in words.iter().map(String::as_str).chain([&hash[..], &hash[..7], &hash[..20]]) {
            let (mut exact, mut begun) = (Vec::new(), Vec::new());
            for entry in all.iter().rev() {
                match answers(entry, word) {
                    Some(true) => exact.push(entry.id.0),
                    Some(false) => begun.push(entry.id.0),
                    None => {}
                }
            }
            exact.extend(begun);
            for limit in [3, 1000] {
                let found: Vec<u64> = view.find(word, limit).expect("sound").iter().map(|entry| entry.id.0).collect();
                prop_assert_eq!(&found[..], &exact[..exact.len().min(limit)], "{} {}", word, limit);
            }
        }
    }

    #[test]
    fn what_blobs_packs_and_counters_say_can_be_counted_anew(ops in ops()) {
        let (model, live, _) = run(&ops);
        let view = live.view();
        let (named, refs) = (model.named(), model.refs());
        let mut packs: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
        for content in 0..CONTENTS {
            let id = blob(content).blake3;
            let row = view.blob(&id).expect("sound");
            let place = model.places.get(&content);
            prop_assert_eq!(row.map_or(0, |row| row.refs), refs[&content]);
            prop_assert_eq!(row.map_or(0, |row| row.named), named.get(&id).copied().unwrap_or(0));
            prop_assert_eq!(row.and_then(|row| row.place).map(|place| place.pack.0), place.copied());
            prop_assert_eq!(row.is_some(), refs[&content] > 0 || place.is_some());
            let cut = if place.is_some() { children(content) } else { Vec::new() };
            prop_assert_eq!(&*view.children(&id).expect("sound"), &cut[..]);
            if let (Some(pack), true) = (place, refs[&content] > 0) {
                let live = packs.entry(*pack).or_default();
                live.0 += u64::from(content) + 5;
                live.1 += 1;
            }
        }
        let expected: Vec<PackRow> = model.packs.iter().map(|pack| {
            let (live_bytes, live_blobs) = packs.get(pack).copied().unwrap_or_default();
            PackRow { live_bytes, live_blobs, ..pack_row(*pack) }
        }).collect();
        prop_assert_eq!(view.packs().expect("sound"), expected);
        let in_no_pack = (0..CONTENTS).filter(|content| refs[content] > 0 && !model.places.contains_key(content));
        prop_assert_eq!(view.needed_in_no_pack().expect("sound"), in_no_pack.count() as u64);

        let stats = view.stats().expect("sound");
        let all = model.all();
        let alive = || all.iter().filter(|entry| entry.purged_at.is_none());
        let unique: u64 = (0..CONTENTS).map(blob).filter(|blob| named.contains_key(&blob.blake3)).map(|blob| blob.size).sum();
        prop_assert_eq!(stats.unique_bytes, unique);
        prop_assert_eq!(stats.oldest.map(Timestamp::micros), alive().map(|entry| entry.archived_at.micros()).min());
        prop_assert_eq!(stats.newest.map(Timestamp::micros), alive().map(|entry| entry.archived_at.micros()).max());
        let mut groups: BTreeMap<(String, i64, Status, bool), (u64, u64)> = BTreeMap::new();
        for entry in &all {
            let key = (entry.converter.clone(), entry.archived_at.day(), entry.status, entry.purged_at.is_some());
            let group = groups.entry(key).or_default();
            group.0 += 1;
            group.1 += entry.size;
        }
        let counted: BTreeMap<_, _> = stats.groups.into_iter().map(|group| {
            ((group.converter, group.day, group.status, group.purged), (group.entries, group.bytes))
        }).collect();
        prop_assert_eq!(counted, groups);

        for (key, id) in &model.keys {
            prop_assert_eq!(view.key(key).expect("sound"), Some(*id));
        }
        for (id, finished) in &model.jobs {
            prop_assert_eq!(view.job(*id).expect("sound").map(|job| job.1), Some(finished.clone()));
        }
        prop_assert_eq!(view.config("limit").expect("sound"), model.config.clone());
        prop_assert_eq!(view.converters().expect("sound").len(), model.bundles.len());
        prop_assert_eq!(view.converter_named("ict").expect("sound").is_some(), !model.bundles.is_empty());
        prop_assert_eq!(view.waiting(), model.queue.len() as u64);
        prop_assert_eq!(view.plans_stale_since().0, model.plans_stale_since);
        let mut queues = BTreeSet::new();
        for converter in MAKERS {
            let expected = model.queue.of(converter, &model.entries);
            let queue = |after, limit| view.queue(converter, after, limit).expect("sound");
            let whole = queue(None, usize::MAX);
            let told: Vec<_> = whole.iter().map(|(place, row)| {
                ((row.entry, row.attempt.0, place.report), row.since, row.rejections, row.intended)
            }).collect();
            prop_assert_eq!(told, &expected[..]);
            let (mut paged, mut after) = (Vec::new(), None);
            while let Some(last) = { paged.extend(queue(after, 2)); paged.last() }.filter(|last| Some(last.0) != after) {
                after = Some(last.0);
            }
            prop_assert_eq!(paged, whole);
            queues.extend((!expected.is_empty()).then(|| (*converter).to_owned()));
        }
        prop_assert_eq!(view.queues().expect("sound"), queues);
        prop_assert!(view.holds().keys().eq(model.holds.keys()));
        for (name, hold) in view.holds() {
            let held = all.iter().filter(|entry| entry.holds.contains(&name)).count() as u64;
            prop_assert_eq!(view.held_entries(&hold).expect("sound"), held);
        }
    }

    #[test]
    fn an_index_made_anew_is_the_same_to_the_last_byte(ops in ops()) {
        let (model, mut live, events) = run(&ops);
        let in_memory = dump(&live.view());
        live.checkpoint();
        let mut anew = Live::new();
        // Placements first: a rebuild reads the packs before the log.
        for (content, pack) in &model.places {
            anew.top.place(&placement(*content, *pack), &anew.below).expect("sound");
        }
        for pack in &model.packs {
            anew.top.add_pack(&pack_row(*pack), &anew.below).expect("sound");
        }
        for event in &events {
            anew.top.apply(event, &anew.below).expect("sound");
        }
        prop_assert_eq!(&in_memory, &dump(&anew.view()));
        anew.checkpoint();
        prop_assert_eq!(&in_memory, &dump(&anew.view()));
        prop_assert_eq!(live.below.raw(), anew.below.raw());
    }

    /// A rebuild writes the rows of blobs as seldom as it can, and places packs between the events.
    #[test]
    fn an_index_made_in_parts_is_the_same_to_the_last_byte(
        ops in ops(),
        every in 1_usize..9,
        keep_bytes in select(vec![0, 700, usize::MAX]),
    ) {
        let (model, mut live, events) = run(&ops);
        live.checkpoint();
        let Live { index, mut below, mut top } = Live::new();
        let mut places = model.places.iter();
        for (nth, event) in events.iter().enumerate() {
            top.apply(event, &below).expect("sound");
            if let Some((content, pack)) = places.next() {
                top.place(&placement(*content, *pack), &below).expect("sound");
            }
            if nth % every == 0 {
                (below, top) = index.commit_half_made(&mut top, keep_bytes).expect("memory");
            }
        }
        for (content, pack) in places {
            top.place(&placement(*content, *pack), &below).expect("sound");
        }
        for pack in &model.packs {
            top.add_pack(&pack_row(*pack), &below).expect("sound");
        }
        index.commit(&top).expect("memory");
        let whole = index.view(Vec::new()).expect("memory");
        prop_assert_eq!(live.below.raw(), whole.raw());
    }
}

/// A rebuild that the power ended left an index that lacked the blobs written last, and called itself whole.
#[test]
fn a_half_made_index_is_not_opened() {
    let disk = SimDisk::new();
    let path = std::path::Path::new("index");
    let open = |mode| disk.open(path, mode).expect("a file");
    let index = Index::create(open(OpenMode::CreateNew), STORE, super::CACHE_BYTES).expect("empty");
    let mut top = index.view(Vec::new()).expect("empty").overlay();
    let event = Model::default().event(&Body::Unknown(Unknown {
        kind: "x".into(),
        data: String::new(),
    }));
    top.apply(&event, &index.view(Vec::new()).expect("empty"))
        .expect("sound");
    let (_, top) = index
        .commit_half_made(&mut top, usize::MAX)
        .expect("written");
    drop(index);
    let reopen = || Index::open(open(OpenMode::Write), STORE, super::CACHE_BYTES);
    let refused = reopen().expect_err("half made");
    assert!(refused.calls_for_rebuild(), "{refused}");

    disk.remove(path).expect("gone");
    let index = Index::create(open(OpenMode::CreateNew), STORE, super::CACHE_BYTES).expect("empty");
    index.commit(&top).expect("written");
    drop(index);
    assert_eq!(
        reopen().expect("whole").applied().expect("read"),
        EventSeq(1)
    );
}

#[test]
fn a_commit_that_was_made_already_changes_nothing() {
    let mut live = Live::new();
    let mut model = Model::default();
    let first = model.event(&Body::JobStarted(JobStarted {
        kind: "reprocess".into(),
        selection: String::new(),
        converter_version: "current".into(),
        params: "current".into(),
        total: 0,
        reason: None,
    }));
    live.top.apply(&first, &live.below).expect("sound");
    let old = Arc::new(live.top.clone());
    live.checkpoint();
    let mut second = first.clone();
    second.seq = first.seq.next();
    live.top.apply(&second, &live.below).expect("sound");
    live.checkpoint();
    let before = dump(&live.view());
    live.index.commit(&old).expect("harmless");
    live.below = live.index.view(Vec::new()).expect("memory");
    assert_eq!(dump(&live.below), before);
    assert_eq!(live.index.applied().expect("memory"), EventSeq(2));
}

#[test]
fn readers_and_the_writer_may_be_on_different_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Index>();
    shared::<View>();
    shared::<Overlay>();
}

#[test]
fn a_cursor_of_another_order_is_refused() {
    let live = Live::new();
    for text in ["size:desc", "archived_at", "id"] {
        let cursor = crate::query::Cursor {
            sort: text.parse().expect("a sort"),
            value: vec![1, 2, 3],
            id: EntryId(1),
        };
        let query = Query {
            sort: match text {
                "size:desc" => Sort::default(),
                _ => cursor.sort,
            },
            after: Some(cursor),
            ..Query::default()
        };
        let refused = live.below.query(&query).expect_err("refused");
        assert!(matches!(refused, IndexError::OtherOrder), "{text}");
        assert_eq!(Error::from(refused).kind(), ErrorKind::Invalid);
    }
}

#[test]
fn an_event_numbered_beyond_the_index_is_refused_and_not_mistaken() {
    let mut live = Live::new();
    let mut event = Model::default().event(&Body::Unknown(Unknown {
        kind: "x".into(),
        data: String::new(),
    }));
    event.seq = EventSeq(u64::MAX);
    let refused = live.top.apply(&event, &live.below).expect_err("too large");
    assert!(matches!(refused, IndexError::TooManyEvents(_)));
    assert!(
        live.below
            .entry(EntryId(u64::MAX))
            .expect("sound")
            .is_none()
    );
}

/// Numbers that look random and are always the same.
fn scatter(n: u64) -> u64 {
    let n = (n ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0xff51_afd7_ed55_8ccd);
    (n ^ (n >> 29)).wrapping_mul(0xc4ce_b9fe_1a85_ec53) >> 20
}

/// A plant's week: some thousand entries over three spans, clocks set back, a part of it converted and purged.
fn plant() -> (Model, Live) {
    let mut ops = Vec::new();
    for n in 0..3000 {
        let pick = |words: &[&str], salt: u64| {
            let at = scatter(n * 7 + salt) % (words.len() as u64 + 1);
            words
                .get(usize::try_from(at).expect("small"))
                .map(|word| (*word).to_owned())
        };
        let converter = pick(CONVERTERS, 1).unwrap_or_else(|| "AOI".into());
        // One converter's files come last by name: asked for alone, it lies far behind the others.
        let late = if fold(&converter) == "ict csv" {
            "z"
        } else {
            ""
        };
        ops.push(Op::Record(Body::Archived(Archived {
            converter,
            converter_version: None,
            source: Source {
                name: format!("{late}unit-{:05}.csv", scatter(n) % 100_000),
                path: "/in".into(),
                ..Source::default()
            },
            blob: BlobRef {
                size: scatter(n + 9) % 500,
                ..blob(u8::try_from(n % u64::from(CONTENTS)).expect("small"))
            },
            stored_size: 10,
            duplicate: false,
            unit: Unit {
                serial: (n % 9 != 0).then(|| format!("SN-{:04}", scatter(n + 3) % 2500)),
                part: pick(PARTS, 2),
                station: pick(STATIONS, 3),
                process: None,
            },
            meta: Meta::new(),
            arguments: Meta::new(),
            retention: Retention::Forever,
            key: None,
        })));
        match n {
            900 | 2100 => ops.push(Op::Skip(65_000)),
            700 | 1500 | 2950 => ops.push(Op::Checkpoint),
            _ if n % 150 == 0 => ops.push(Op::Clock(-400_000_000)),
            _ => {}
        }
    }
    ops.push(Op::Record(Body::PurgedEntries(PurgedEntries {
        plan_id: "p".into(),
        rule: "too many".into(),
        reason: String::new(),
        entries: EntryRanges::of((100..700).step_by(3).map(EntryId)),
        count: 200,
        bytes_logical: 0,
    })));
    let (model, live, _) = run(&ops);
    (model, live)
}

#[test]
fn pages_join_to_the_whole_list_in_every_order() {
    let (model, mut live) = plant();
    let all = model.all();
    let filters = [
        Filter::default(),
        Filter {
            converter: vec!["ict csv".into()],
            ..Filter::default()
        },
        Filter {
            converter: vec!["AOI".into()],
            ..Filter::default()
        },
        Filter {
            serial: Some("sn-0007".into()),
            purged: Purged::Include,
            ..Filter::default()
        },
        Filter {
            file: Some("*1*2*.csv".into()),
            ..Filter::default()
        },
    ];
    for layered in [true, false] {
        for filter in &filters {
            for field in SortField::ALL {
                for direction in [Direction::Asc, Direction::Desc] {
                    let sort = Sort { field, direction };
                    let matching = all.iter().filter(|entry| selects(filter, entry));
                    let expected = in_order(matching.cloned().collect(), sort);
                    let expected: Vec<_> = expected.iter().map(|entry| entry.id).collect();
                    let listed = whole(&live.view(), filter, sort);
                    let listed: Vec<_> = listed.iter().map(|entry| entry.id).collect();
                    assert_eq!(listed, expected, "{filter:?} {sort:?}");
                    let pages = paged(&live.view(), filter, sort, 301);
                    let pages: Vec<_> = pages.iter().map(|entry| entry.id).collect();
                    assert_eq!(pages, expected, "{filter:?} {sort:?}");
                }
            }
        }
        if layered {
            live.checkpoint();
        }
    }
}

#[test]
fn a_pattern_that_fits_few_of_many_names_is_answered_like_any_other() {
    let (model, live) = plant();
    let filter = Filter {
        file: Some("*7?7?7.csv".into()),
        ..Filter::default()
    };
    let expected: Vec<Entry> = model
        .all()
        .into_iter()
        .filter(|entry| selects(&filter, entry))
        .collect();
    assert!(
        expected.len() > 1 && expected.len() < 40,
        "{}",
        expected.len()
    );
    assert_eq!(
        live.view().count(&filter).expect("sound"),
        expected.len() as u64
    );
    for field in SortField::ALL {
        let sort = Sort {
            field,
            direction: Direction::Desc,
        };
        let listed = whole(&live.view(), &filter, sort);
        assert_eq!(listed, in_order(expected.clone(), sort), "{sort:?}");
    }
}

#[test]
fn an_index_on_disk_is_opened_again_only_for_its_own_store() {
    use crate::disk::{Disk, FsDisk, OpenMode};
    let dir = tempfile::tempdir().expect("a folder");
    let disk = FsDisk::new(dir.path());
    let open = |mode| {
        disk.open(std::path::Path::new("index.redb"), mode)
            .expect("the file")
    };
    {
        let index = Index::create(open(OpenMode::CreateNew), STORE, CACHE_BYTES).expect("made");
        let below = index.view(Vec::new()).expect("sound");
        let mut top = below.overlay();
        let mut model = Model::default();
        let unknown = Body::Unknown(Unknown {
            kind: "x".into(),
            data: "{}".into(),
        });
        for _ in 0..50 {
            top.apply(&model.event(&unknown), &below).expect("sound");
        }
        index.commit(&top).expect("written");
    }
    let index = Index::open(open(OpenMode::Write), STORE, CACHE_BYTES).expect("opened");
    assert_eq!(index.applied().expect("sound"), EventSeq(50));
    drop(index);

    let other = Index::open(
        open(OpenMode::Write),
        StoreId::from_bytes([8; 16]),
        CACHE_BYTES,
    );
    let error = other.expect_err("another store");
    assert!(matches!(error, IndexError::OtherStore(STORE)) && error.calls_for_rebuild());

    let file = open(OpenMode::Write);
    file.set_len(4096 + 100).expect("cut");
    let error = Index::open(file, STORE, CACHE_BYTES).expect_err("cut short");
    assert!(error.calls_for_rebuild(), "{error:?}");

    let file = open(OpenMode::Write);
    file.set_len(0).expect("cut");
    file.write_all_at(&[0x5a; 9000], 0).expect("written");
    let error = Index::open(file, STORE, CACHE_BYTES).expect_err("no index");
    assert!(error.calls_for_rebuild(), "{error:?}");
    assert_eq!(Error::from(error).kind(), ErrorKind::Damaged);
}
