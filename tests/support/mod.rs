//! A model of what a store promises, and a runner that carries out the same steps on a store and on
//! the model.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test program uses the part of the workload it needs"
)]

pub mod damages;
pub mod golden;
pub mod look;
pub mod mend;
pub mod moves;
pub mod prove;
pub mod signing;
pub mod stories;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;
use std::time::Duration;

use annals::archive::{
    Archive, Depth, NewAttempt, NewConverter, NewEntry, Options, PendingSubmission,
};
use annals::disk::sim::SimDisk;
use annals::entry::{Outcome, Retention, Submission, Unit};
use annals::event::{Body, ConfigChanged, JobFinished, JobStarted, Source};
use annals::evidence::checkpoint::SignedCheckpoint;
use annals::id::{AttemptNo, BlobId, ConverterId, EntryId, JobId};
use annals::query::{Filter, Purged, Query};
use annals::retention::{AsOf, Policy, Unsubmitted};
use annals::time::{Clock, Timestamp};
use annals::{Error, Result};

/// The smallest journal file there is, so that a short workload fills, seals and recycles several.
pub const JOURNAL_BYTES: u64 = 64 << 10;
/// Content from which on [`tiniest`] stores cut.
pub const STREAM_BYTES: usize = 16 << 10;
const DAY_MICROS: i64 = 86_400_000_000;

/// A clock that goes on by an hour each time it is asked.
pub struct Hourly(AtomicI64);

impl Hourly {
    pub fn new() -> Arc<Self> {
        Self::at(Timestamp::from_micros(20_000 * DAY_MICROS))
    }

    pub fn at(now: Timestamp) -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(now.micros())))
    }

    /// Moves it by so many days, also back.
    pub fn jump(&self, days: i64) {
        self.0.fetch_add(days * DAY_MICROS, Ordering::Relaxed);
    }

    /// The time without moving it.
    pub fn peek(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::Relaxed))
    }
}

impl Clock for Hourly {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.fetch_add(DAY_MICROS / 24, Ordering::Relaxed))
    }

    fn monotonic_ms(&self) -> u64 {
        u64::try_from(self.0.load(Ordering::Relaxed) / 1_000).unwrap_or(0)
    }

    fn boot(&self) -> &'static str {
        "test"
    }
}

/// Options of a store whose files are as small as they can be.
pub fn tiny(clock: &Arc<Hourly>) -> Options {
    Options::default()
        .journal_bytes(JOURNAL_BYTES)
        .pack_bytes(256 << 10)
        .dictionary_from(1 << 10)
        .quick_from(2 << 10)
        .journal_kept_bytes(8 << 10)
        .index_cache_bytes(1 << 20)
        .clock(Arc::clone(clock) as Arc<dyn Clock>)
}

/// [`tiny`], with chunks so small that a few pages of content are several.
pub fn tiniest(clock: &Arc<Hourly>) -> Options {
    tiny(clock).stream_bytes(STREAM_BYTES)
}

/// splitmix64: small, seedable, and the same everywhere.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).expect("below a usize")
    }
}

/// Bytes that do not compress, the same for the same seed.
pub fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut random = Random::new(seed);
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        bytes.extend_from_slice(&random.next().to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// What a test station writes, the same for the same seed.
pub fn measurements(seed: u64, len: usize) -> Vec<u8> {
    let mut text = format!("serial;SN{seed:06}\n").into_bytes();
    let mut row = seed;
    while text.len() < len {
        row = row
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        text.extend_from_slice(format!("R{};{};PASS\n", row % 97, row >> 40).as_bytes());
    }
    text.truncate(len);
    text
}

/// A form that a station fills in: alike from one to the next, so that a pack with several gets a
/// dictionary.
pub fn form(seed: u64) -> Vec<u8> {
    let mut text = format!("serial;SN{seed:06}\n").into_bytes();
    for (nth, limit) in noise(1, 80).chunks(4).enumerate() {
        let measured = if nth == 3 { seed } else { 0 };
        text.extend_from_slice(format!("R{nth};{limit:02x?};{measured}\n").as_bytes());
    }
    text
}

/// The forms of one step.
fn forms(seed: u64, count: u64) -> impl Iterator<Item = Vec<u8>> {
    (0..count).map(move |nth| form(seed * 100 + nth))
}

/// How many copies of dictionaries there are in packs.
pub fn dictionaries(disk: &SimDisk) -> usize {
    let packs = disk.files().into_iter().map(|(path, _)| path);
    packs
        .filter(|path| path.starts_with("packs/"))
        .map(|path| dictionaries_in(&disk.content(&path).expect("there")).len())
        .sum()
}

/// Where the records of dictionaries begin in a pack.
pub fn dictionaries_in(pack: &[u8]) -> Vec<usize> {
    let starts = pack.windows(5).enumerate();
    starts
        .filter(|(_, bytes)| bytes == b"ANBR\x03")
        .map(|(at, _)| at)
        .collect()
}

/// What the callers of a burst bring.
fn burst(seed: u64, callers: u64, len: usize) -> impl Iterator<Item = Vec<u8>> {
    (0..callers).map(move |caller| noise(seed * 100 + caller, len))
}

/// What an entry must look like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryState {
    /// The hash of the content that was handed in; when observed, the hash of the bytes that came
    /// out.
    pub content: Option<BlobId>,
    pub size: u64,
    pub key: Option<String>,
    pub holds: BTreeSet<String>,
    pub purged: bool,
    pub attempts: Vec<AttemptState>,
}

impl EntryState {
    /// Whether a report of it waits to be submitted.
    fn waits(&self) -> bool {
        let mut reports = self.attempts.iter().flat_map(|attempt| &attempt.reports);
        reports.any(|(_, standing)| standing.as_deref() == Some(WAITING))
    }
}

/// What an attempt must look like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptState {
    pub outcome: Outcome,
    pub error: Option<String>,
    /// Of each report the hash of its bytes, unless they were purged, and the id a server gave it,
    /// or how else its submission stands.
    pub reports: Vec<(Option<BlobId>, Option<String>)>,
}

/// Where reports go, of attempts that make two or more.
const ENDPOINT: &str = "http://wats.example/api/Report/WSJF";
/// How a report stands that waits to be submitted.
const WAITING: &str = "waiting";
/// How the standing of one begins that a server refused.
const REJECTED: &str = "rejected: ";

fn rejected(text: &str) -> String {
    format!("{REJECTED}{text}")
}

/// Everything a caller was promised.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct State {
    pub entries: BTreeMap<u64, EntryState>,
    pub holds: BTreeMap<String, u64>,
    pub converters: BTreeSet<String>,
    pub jobs: BTreeMap<u64, bool>,
    pub config: Option<String>,
}

impl State {
    /// What a store says, with every content read to its end.
    pub fn observe(archive: &Archive) -> Result<Self> {
        let mut state = Self::default();
        let query = Query::default().filter(Filter::default().purged(Purged::Include));
        let read = |blob: &BlobId| {
            archive
                .read_all(blob, 64 << 20)
                .map(|bytes| BlobId::of(&bytes))
        };
        for entry in archive.snapshot()?.query(&query)?.entries {
            let purged = entry.purged_at.is_some();
            let mut attempts = Vec::new();
            for attempt in &entry.attempts {
                let mut reports = Vec::new();
                for report in &attempt.reports {
                    let content = if purged {
                        None
                    } else {
                        Some(read(&report.blake3)?)
                    };
                    let standing = match &report.submission {
                        None => report.report_id.clone(),
                        // It waits for the undoing of the purge at most.
                        Some(Submission::Waiting { .. }) if purged => None,
                        Some(Submission::Waiting { .. }) => Some(WAITING.to_owned()),
                        Some(Submission::Rejected { text, .. }) => Some(rejected(text)),
                        Some(other) => panic!("an unknown standing: {other:?}"),
                    };
                    reports.push((content, standing));
                }
                attempts.push(AttemptState {
                    outcome: attempt.status,
                    error: attempt.error.clone(),
                    reports,
                });
            }
            let observed = EntryState {
                content: if purged {
                    None
                } else {
                    Some(read(&entry.blake3)?)
                },
                size: entry.size,
                key: entry.key,
                holds: entry.holds.into_iter().collect(),
                purged,
                attempts,
            };
            state.entries.insert(entry.id.0, observed);
        }
        for hold in archive.holds()? {
            state.holds.insert(hold.name, hold.entries);
        }
        for converter in archive.converters()? {
            for file in &converter.bundle {
                read(&file.blob.blake3)?;
            }
            state.converters.insert(converter.name);
        }
        for job in archive.jobs()? {
            state.jobs.insert(job.id.0, job.finished.is_some());
        }
        state.config = archive.recorded_config("host.toml")?;
        Ok(state)
    }

    /// The first thing two states disagree about, in words.
    pub fn difference(&self, other: &Self) -> String {
        for id in self.entries.keys().chain(other.entries.keys()) {
            let (ours, theirs) = (self.entries.get(id), other.entries.get(id));
            if ours != theirs {
                return format!("entry {id}: expected {ours:?}, found {theirs:?}");
            }
        }
        format!(
            "expected holds {:?}, converters {:?}, jobs {:?}, {:?}; found {:?}, {:?}, {:?}, {:?}",
            self.holds,
            self.converters,
            self.jobs,
            self.config,
            other.holds,
            other.converters,
            other.jobs,
            other.config
        )
    }
}

/// What was asked for and refused: it may have been recorded all the same, or not.
#[derive(Debug, Clone, Default)]
pub struct Doubt {
    pub contents: BTreeSet<BlobId>,
    pub purge: bool,
    pub undo: bool,
    pub holds: bool,
    pub submissions: bool,
    pub jobs: bool,
}

impl State {
    /// What of this, which was acknowledged, `observed` lacks or has otherwise, and what it has
    /// that nobody asked for.
    pub fn lost_in(&self, observed: &Self, doubt: &Doubt) -> Option<String> {
        for (id, ours) in &self.entries {
            let Some(theirs) = observed.entries.get(id) else {
                return Some(format!("entry {id} is gone"));
            };
            if doubt.undo && ours.purged && !theirs.purged {
                continue;
            }
            let kept = theirs.size == ours.size
                && theirs.key == ours.key
                && (theirs.purged == ours.purged || theirs.purged && doubt.purge)
                && (theirs.content == ours.content || theirs.purged)
                && (theirs.holds == ours.holds || doubt.holds)
                && theirs.attempts.len() >= ours.attempts.len()
                && ours
                    .attempts
                    .iter()
                    .zip(&theirs.attempts)
                    .all(|(ours, theirs)| {
                        let mut pairs = ours.reports.iter().zip(&theirs.reports);
                        ours.outcome == theirs.outcome
                            && ours.error == theirs.error
                            && ours.reports.len() == theirs.reports.len()
                            && pairs.all(|(ours, theirs)| {
                                (ours.0 == theirs.0 || theirs.0.is_none() && doubt.purge)
                                    && (ours.1 == theirs.1 || doubt.submissions)
                            })
                    });
            if !kept {
                return Some(format!("entry {id}: expected {ours:?}, found {theirs:?}"));
            }
        }
        for (id, theirs) in &observed.entries {
            let asked = theirs
                .content
                .is_none_or(|content| doubt.contents.contains(&content));
            if !self.entries.contains_key(id) && !asked {
                return Some(format!("nobody asked for entry {id}: {theirs:?}"));
            }
        }
        if self.holds != observed.holds && !doubt.holds
            || !self.converters.is_subset(&observed.converters)
            || self.jobs != observed.jobs && !doubt.jobs
        {
            return Some(self.difference(observed));
        }
        None
    }
}

/// One thing a user does. Entries are named by how many were archived before them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Archive bytes that do not compress.
    Noise {
        seed: u64,
        len: usize,
    },
    /// Archive text, kept for so many days, or for ever with 0.
    Text {
        seed: u64,
        len: usize,
        days: u16,
    },
    /// Archive so many forms, which are alike.
    Forms {
        seed: u64,
        count: u64,
    },
    /// Archive under an idempotency key.
    Keyed {
        seed: u64,
        key: u8,
    },
    /// Record an attempt with so many reports of this length.
    Attempt {
        entry: usize,
        outcome: Outcome,
        reports: usize,
        len: usize,
    },
    /// Record that a server took the first report of the first attempt.
    Submit {
        entry: usize,
    },
    /// Record a converter with a bundle.
    Register {
        seed: u8,
    },
    /// Archive as many sources of this length at once, each from a thread of its own.
    Burst {
        seed: u64,
        callers: u64,
        len: usize,
    },
    /// Hand in as many sources of this length from one thread before the first is waited for; every
    /// third is given up.
    Flight {
        seed: u64,
        count: u64,
        len: usize,
    },
    /// Record another configuration.
    Configure {
        seed: u8,
    },
    /// Begin a job.
    StartJob,
    /// End the newest job.
    FinishJob,
    /// Put an entry on hold.
    Hold {
        name: u8,
        entry: usize,
    },
    /// Lift a hold.
    Release {
        name: u8,
    },
    /// Purge the oldest until so many are left, and free their bytes.
    PurgeTo {
        left: u64,
    },
    /// Purge the oldest until so many are left, in a way that can be undone for ten days.
    PurgeWithGrace {
        left: u64,
    },
    /// Bring back what the newest purge took that can be undone.
    UndoPurge,
    /// Purge what is past its retention, and free its bytes.
    PurgeExpired,
    /// The clock jumps by so many days, forward or back.
    Jump {
        days: i16,
    },
    /// The index is gone when the store is opened again.
    LoseIndex,
    Seal,
    Compact,
    Rebuild,
    /// Look at everything; a finding is a failure.
    Verify,
    /// Sign the log, where the runner has a key.
    Sign,
    /// Hand over to a new key, where the runner has one.
    RotateKey,
    /// Write an evidence bundle to a disk of its own and verify it, where the runner has a key.
    Export,
    /// Close the store and open it again.
    Reopen,
}

/// A step that was acknowledged.
#[derive(Debug, Clone)]
pub struct Moment {
    /// After so many operations of the disk.
    pub ops: usize,
    /// What the store had to say from then on.
    pub state: State,
    /// Of several entries acknowledged one by one, which, and after how many operations each.
    pub one_by_one: Vec<(usize, u64)>,
    /// The newest checkpoint that was on record then.
    pub signed: Option<SignedCheckpoint>,
}

impl Moment {
    /// What is wrong with `observed`, found after a power cut that came after operation `cut`,
    /// between this moment and the `next`: it must be this state or the next one, or have some of
    /// the entries that were acknowledged one by one.
    pub fn contradicts(&self, next: Option<&Self>, cut: usize, observed: &State) -> Option<String> {
        let none = Vec::new();
        let (one_by_one, after) =
            next.map_or((&none, None), |next| (&next.one_by_one, Some(&next.state)));
        if after == Some(observed) {
            return None;
        }
        let is_there = |id: &u64| observed.entries.contains_key(id);
        let mut so_far = self.state.clone();
        for (_, id) in one_by_one {
            if let Some(entry) = after.and_then(|after| after.entries.get(id))
                && is_there(id)
            {
                so_far.entries.insert(*id, entry.clone());
            }
        }
        if so_far != *observed {
            return Some(so_far.difference(observed));
        }
        let mut acknowledged = one_by_one.iter().filter(|(ops, _)| *ops <= cut);
        acknowledged
            .find(|(_, id)| !is_there(id))
            .map(|(_, id)| format!("entry {id} was acknowledged and is gone"))
    }
}

/// A store, what it must say, and what it had to say at each moment before.
pub struct Runner {
    pub disk: SimDisk,
    pub clock: Arc<Hourly>,
    pub archive: Option<Archive>,
    pub state: State,
    /// Entries in the order they were archived.
    pub ids: Vec<u64>,
    /// What was acknowledged, and when.
    pub history: Vec<Moment>,
    /// What failed.
    pub doubt: Doubt,
    /// What purges took that could be undone, by plan.
    pending: BTreeMap<String, BTreeMap<u64, EntryState>>,
    /// When each entry may go by its retention.
    expires: BTreeMap<u64, Timestamp>,
    options: fn(&Arc<Hourly>) -> Options,
    one_by_one: Vec<(usize, u64)>,
    counter: u64,
    /// Who signs, with the key that is in use.
    pub signer: Option<signing::Keys>,
    /// The newest checkpoint on record.
    pub signed: Option<SignedCheckpoint>,
}

impl fmt::Debug for Runner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runner").finish_non_exhaustive()
    }
}

impl Runner {
    /// Makes a store on `disk`.
    pub fn create(disk: SimDisk) -> Result<Self> {
        Self::create_as(disk, tiny)
    }

    /// Makes a store on `disk` that is always opened like this.
    pub fn create_as(disk: SimDisk, options: fn(&Arc<Hourly>) -> Options) -> Result<Self> {
        let clock = Hourly::new();
        let archive = Archive::create_on(Arc::new(disk.clone()), options(&clock))?;
        let made = Moment {
            ops: disk.ops(),
            state: State::default(),
            one_by_one: Vec::new(),
            signed: None,
        };
        Ok(Self {
            disk,
            clock,
            archive: Some(archive),
            state: State::default(),
            ids: Vec::new(),
            history: vec![made],
            doubt: Doubt::default(),
            pending: BTreeMap::new(),
            expires: BTreeMap::new(),
            options,
            one_by_one: Vec::new(),
            counter: 0,
            signer: None,
            signed: None,
        })
    }

    /// The same store, let go of, on a disk of its own: to go on from here in several ways.
    pub fn fork(&self) -> Self {
        let disk = self.disk.snapshot();
        Self {
            clock: Hourly::at(self.clock.peek()),
            archive: None,
            state: self.state.clone(),
            ids: self.ids.clone(),
            history: self.history.clone(),
            doubt: self.doubt.clone(),
            pending: self.pending.clone(),
            expires: self.expires.clone(),
            options: self.options,
            one_by_one: Vec::new(),
            counter: self.counter,
            signer: self.signer.clone(),
            signed: self.signed.clone(),
            disk,
        }
    }

    /// The store.
    pub fn archive(&self) -> Result<&Archive> {
        self.archive.as_ref().ok_or_else(|| {
            Error::new(
                annals::ErrorKind::NoStore,
                "the store could not be opened again",
            )
        })
    }

    /// Carries out `steps`, each of which must succeed.
    pub fn run_all(&mut self, steps: &[Step]) -> Result<()> {
        for step in steps {
            self.run(step)?;
        }
        Ok(())
    }

    /// Carries out one step on the store and, when it succeeds, on the model. A step that makes no
    /// sense now (there is no such entry) is passed over.
    pub fn run(&mut self, step: &Step) -> Result<()> {
        let done = self.attempt(step).and_then(|()| self.remember_signed());
        if done.is_ok() {
            self.history.push(Moment {
                ops: self.disk.ops(),
                state: self.state.clone(),
                one_by_one: std::mem::take(&mut self.one_by_one),
                signed: self.signed.clone(),
            });
        } else {
            self.note(step);
        }
        done
    }

    fn note(&mut self, step: &Step) {
        let doubt = &mut self.doubt;
        match *step {
            Step::Noise { seed, len } => {
                doubt.contents.insert(BlobId::of(&noise(seed, len)));
            }
            Step::Text { seed, len, .. } => {
                doubt.contents.insert(BlobId::of(&measurements(seed, len)));
            }
            Step::Forms { seed, count } => {
                let contents = forms(seed, count);
                doubt
                    .contents
                    .extend(contents.map(|content| BlobId::of(&content)));
            }
            Step::Keyed { seed, .. } => {
                doubt.contents.insert(BlobId::of(&measurements(seed, 300)));
            }
            Step::Burst {
                seed,
                callers: count,
                len,
            }
            | Step::Flight { seed, count, len } => {
                doubt.contents.insert(BlobId::of(b"last of a flight"));
                let contents = burst(seed, count, len);
                doubt
                    .contents
                    .extend(contents.map(|content| BlobId::of(&content)));
            }
            Step::Submit { .. } => doubt.submissions = true,
            Step::StartJob | Step::FinishJob => doubt.jobs = true,
            Step::Hold { .. } | Step::Release { .. } => doubt.holds = true,
            Step::PurgeTo { .. } | Step::PurgeWithGrace { .. } | Step::PurgeExpired => {
                doubt.purge = true;
            }
            Step::UndoPurge => doubt.undo = true,
            Step::Attempt { .. }
            | Step::Register { .. }
            | Step::Configure { .. }
            | Step::Jump { .. }
            | Step::LoseIndex
            | Step::Seal
            | Step::Compact
            | Step::Rebuild
            | Step::Verify
            | Step::Sign
            | Step::RotateKey
            | Step::Export
            | Step::Reopen => {}
        }
    }

    fn attempt(&mut self, step: &Step) -> Result<()> {
        match *step {
            Step::Noise { seed, len } => self.put(&noise(seed, len), 0, None),
            Step::Text { seed, len, days } => self.put(&measurements(seed, len), days, None),
            Step::Forms { seed, count } => {
                forms(seed, count).try_for_each(|content| {
                    self.put(&content, 0, None)?;
                    // The power may go between two of them.
                    let id = self.ids.last().copied().expect("just put");
                    self.one_by_one.push((self.disk.ops(), id));
                    Ok(())
                })
            }
            Step::Keyed { seed, key } => {
                self.put(&measurements(seed, 300), 0, Some(format!("key-{key}")))
            }
            Step::Attempt {
                entry,
                outcome,
                reports,
                len,
            } => self.record(entry, outcome, reports, len),
            Step::Submit { entry } => self.submit(entry),
            Step::Register { seed } => self.register(seed),
            Step::Burst { seed, callers, len } => self.burst(seed, callers, len),
            Step::Flight { seed, count, len } => self.flight(seed, count, len),
            Step::Configure { seed } => {
                self.archive()?.record_config_change(
                    ConfigChanged::of("host.toml").new(format!("workers = {seed}")),
                )?;
                self.state.config = Some(format!("workers = {seed}"));
                Ok(())
            }
            Step::StartJob => {
                let job = JobStarted::new("reprocess", 1)
                    .selection("all")
                    .converter_version("current")
                    .params("recorded");
                let id = self.archive()?.start_job(job, &[])?.job();
                self.state.jobs.insert(id.0, false);
                Ok(())
            }
            Step::FinishJob => {
                let Some((id, _)) = self.state.jobs.iter().next_back() else {
                    return Ok(());
                };
                let id = *id;
                self.archive()?
                    .finish_job(JobFinished::default().job(JobId(id)).processed(1))?;
                self.state.jobs.insert(id, true);
                Ok(())
            }
            Step::Hold { name, entry } => self.hold(&format!("hold-{name}"), entry),
            Step::Release { name } => self.release(&format!("hold-{name}")),
            Step::PurgeTo { left } => self.purge(
                &Policy::default()
                    .max_count(left)
                    .unsubmitted(Unsubmitted::Take),
                None,
            ),
            Step::PurgeWithGrace { left } => {
                let policy = Policy::default().max_count(left);
                let ten_days = Duration::from_secs(10 * 86_400);
                self.purge(&policy.unsubmitted(Unsubmitted::Take), Some(ten_days))
            }
            Step::UndoPurge => self.undo_purge(),
            Step::PurgeExpired => self.purge(&Policy::default().expired(true), None),
            Step::Jump { days } => {
                self.clock.jump(i64::from(days));
                Ok(())
            }
            Step::LoseIndex => {
                let closed = self.archive.take().map_or(Ok(()), Archive::close);
                let _ = self.disk.lose("index.redb");
                self.reopen()?;
                closed
            }
            Step::Seal => self.archive()?.seal(),
            Step::Compact => self.archive()?.compact(None).map(|_| ()),
            Step::Rebuild => self.archive()?.rebuild().map(|_| ()),
            Step::Verify => {
                let report = self.archive()?.verify(Depth::Deep)?;
                let findings = || format!("{:?}", report.findings);
                if report.ok {
                    Ok(())
                } else {
                    Err(Error::new(annals::ErrorKind::Damaged, findings()))
                }
            }
            Step::Sign => self.sign(),
            Step::RotateKey => self.rotate_key(),
            Step::Export => self.export(),
            Step::Reopen => self.reopen(),
        }
    }

    /// An entry that is not purged.
    fn living(&self, nth: usize) -> Option<u64> {
        let id = *self.ids.get(nth % self.ids.len().max(1))?;
        (!self.state.entries[&id].purged).then_some(id)
    }

    fn put(&mut self, content: &[u8], days: u16, key: Option<String>) -> Result<()> {
        self.counter += 1;
        let name = format!("unit-{}.csv", self.counter);
        let new = {
            let mut new = NewEntry::new("ICT")
                .source(Source::default().path(format!("in/{name}")).name(name))
                .unit(Unit::default().serial(format!("SN{}", self.counter)))
                .retention(if days == 0 {
                    Retention::Forever
                } else {
                    Retention::days(days)
                });
            new.key = key.clone().map(Into::into);
            new
        };
        let known = key
            .as_ref()
            .and_then(|key| {
                let mut entries = self.state.entries.values();
                entries.find(|entry| entry.key.as_ref() == Some(key))
            })
            .cloned();
        let put = self.archive()?.put(new, content);
        if let Some(known) = known {
            let same = known.purged || known.content == Some(BlobId::of(content));
            match put {
                Ok(archived) => assert!(archived.existing && same, "a known key answers"),
                Err(error) if error.kind() == annals::ErrorKind::Refused => {
                    assert!(known.purged || !same, "{error}");
                }
                Err(error) => return Err(error),
            }
            return Ok(());
        }
        let archived = put?;
        assert!(!archived.existing, "a new entry is new");
        let entry = EntryState {
            content: Some(BlobId::of(content)),
            size: content.len() as u64,
            key,
            holds: BTreeSet::new(),
            purged: false,
            attempts: Vec::new(),
        };
        let before = self.state.entries.insert(archived.id.0, entry);
        assert_eq!(before, None, "an id is given once");
        self.ids.push(archived.id.0);
        if let Some(entry) = self.archive()?.snapshot()?.entry(archived.id)?
            && let Some(expires) = entry.retention.expires_at(entry.archived_at)
        {
            self.expires.insert(archived.id.0, expires);
        }
        Ok(())
    }

    fn record(&mut self, nth: usize, outcome: Outcome, reports: usize, len: usize) -> Result<()> {
        let Some(id) = self.living(nth) else {
            return Ok(());
        };
        self.counter += 1;
        let contents: Vec<Vec<u8>> = (0..reports)
            .map(|report| noise(self.counter * 1_000 + report as u64, len))
            .collect();
        let error = (outcome == Outcome::Failed).then(|| format!("failure {}", self.counter));
        let number = self.archive()?.record_attempt(EntryId(id), {
            let mut attempt = NewAttempt::new(outcome, "ICT")
                .converter_version("1.0")
                .duration_ms(7)
                .reports(contents.clone());
            attempt.error.clone_from(&error);
            attempt.submit = (reports >= 2).then(|| ENDPOINT.to_owned());
            attempt
        })?;
        let standing = (reports >= 2).then(|| WAITING.to_owned());
        let entry = self.state.entries.get_mut(&id).expect("it is there");
        entry.attempts.push(AttemptState {
            outcome,
            error,
            reports: contents
                .iter()
                .map(|content| (Some(BlobId::of(content)), standing.clone()))
                .collect(),
        });
        assert_eq!(number.0 as usize, entry.attempts.len(), "attempts count up");
        Ok(())
    }

    fn submit(&mut self, nth: usize) -> Result<()> {
        let Some(id) = self.living(nth) else {
            return Ok(());
        };
        let first = self.state.entries[&id].attempts.first();
        if first.is_none_or(|attempt| attempt.reports.is_empty()) {
            return Ok(());
        }
        self.counter += 1;
        let mut report_id = format!("report-{}", self.counter);
        let archive = self.archive()?;
        let pending = archive.snapshot()?.pending_of("ICT", None, usize::MAX)?;
        let ours = |pending: &&PendingSubmission| {
            pending.entry.0 == id && pending.attempt.0 == 1 && pending.report == 0
        };
        let attempts = &self.state.entries[&id].attempts;
        let standing = attempts[0].reports[0].1.as_deref().unwrap_or_default();
        match pending.iter().find(ours) {
            Some(pending) => {
                assert_eq!(standing, WAITING, "what waits is in the queue");
                archive.intend_submissions(std::slice::from_ref(pending), ENDPOINT)?;
                match self.counter % 3 {
                    0 => archive.record_taken(pending, &report_id, ENDPOINT)?,
                    1 => {
                        archive.record_rejection(pending, ENDPOINT, 400, &report_id)?;
                        report_id = rejected(&report_id);
                    }
                    _ => WAITING.clone_into(&mut report_id),
                }
            }
            None if standing.starts_with(REJECTED) && attempts.len() == 1 => {
                archive.resubmit(EntryId(id))?;
                WAITING.clone_into(&mut report_id);
            }
            None => {
                assert_ne!(standing, WAITING, "what waits is in the queue");
                archive.record_submission(EntryId(id), AttemptNo(1), 0, &report_id, None)?;
            }
        }
        let entry = self.state.entries.get_mut(&id).expect("it is there");
        entry.attempts[0].reports[0].1 = Some(report_id);
        Ok(())
    }

    fn register(&mut self, seed: u8) -> Result<()> {
        let name = format!("converter-{seed}");
        self.archive()?.register_converter(
            NewConverter::new(ConverterId::from_bytes([seed; 32]), name.clone())
                .command(vec!["python3".to_owned(), "ict.py".to_owned()])
                .mode("oneshot")
                .environment(String::new())
                .bundle(vec![(
                    "ict.py".to_owned(),
                    measurements(u64::from(seed), 900),
                )]),
        )?;
        self.state.converters.insert(name);
        Ok(())
    }

    fn hold(&mut self, name: &str, nth: usize) -> Result<()> {
        let Some(id) = self.living(nth) else {
            return Ok(());
        };
        if self.state.holds.contains_key(name) {
            return Ok(());
        }
        self.archive()?
            .place_hold(name, "an audit", vec![EntryId(id)])?;
        self.state.holds.insert(name.to_owned(), 1);
        let entry = self.state.entries.get_mut(&id).expect("it is there");
        entry.holds.insert(name.to_owned());
        Ok(())
    }

    fn release(&mut self, name: &str) -> Result<()> {
        if !self.state.holds.contains_key(name) {
            return Ok(());
        }
        self.archive()?.release_hold(name, "the audit is over")?;
        self.state.holds.remove(name);
        for entry in self.state.entries.values_mut() {
            entry.holds.remove(name);
        }
        Ok(())
    }

    fn undo_purge(&mut self) -> Result<()> {
        let pending = self.archive()?.pending_purges()?;
        let Some(newest) = pending.last() else {
            return Ok(());
        };
        if newest.final_at <= self.clock.peek() {
            let late = self.archive()?.undo_purge(&newest.plan_id, "test");
            assert!(late.is_err(), "what is final stays purged");
            return Ok(());
        }
        let undone = match self.archive()?.undo_purge(&newest.plan_id, "test") {
            // The clock moves each time it is asked.
            Err(_) if newest.final_at <= self.clock.peek() => return Ok(()),
            undone => undone?,
        };
        let taken = self.pending.remove(&newest.plan_id).expect("recorded");
        assert_eq!(undone.entries, taken.len() as u64);
        self.state.entries.extend(taken);
        Ok(())
    }

    fn purge(&mut self, policy: &Policy, grace: Option<Duration>) -> Result<()> {
        let now = self.clock.peek();
        let plan = self.archive()?.plan_purge(policy, AsOf::Vouched(now))?;
        if policy.expired {
            let goes = |id: &u64| {
                let entry = &self.state.entries[id];
                let kept = !entry.holds.is_empty() || entry.waits();
                !entry.purged && !kept && self.expires[id] <= now
            };
            let expected: Vec<u64> = self.expires.keys().copied().filter(goes).collect();
            let planned: Vec<u64> = plan.items.iter().map(|item| item.id.0).collect();
            assert_eq!(planned, expected, "what is expired, and nothing else, goes");
        }
        if plan.items.is_empty() {
            return Ok(());
        }
        for item in &plan.items {
            let entry = &self.state.entries[&item.id.0];
            assert!(
                entry.holds.is_empty() && !entry.purged,
                "a hold beats every rule"
            );
        }
        let newest = self.archive()?.newest();
        let purged = match grace {
            None => self.archive()?.purge(&plan, "test"),
            Some(grace) => self.archive()?.purge_with_grace(&plan, "test", grace),
        };
        // The purge is durable before its bytes are freed; only the log tells which of the two
        // failed.
        let recorded = match (&purged, self.archive()) {
            (Ok(_), _) => true,
            (Err(_), Ok(archive)) => archive.newest() > newest,
            (Err(_), Err(_)) => false,
        };
        if recorded {
            if grace.is_some() {
                let taken = plan.items.iter().map(|item| item.id.0);
                let taken = taken.map(|id| (id, self.state.entries[&id].clone()));
                self.pending.insert(plan.plan_id.clone(), taken.collect());
            }
            for item in &plan.items {
                let entry = self.state.entries.get_mut(&item.id.0).expect("planned");
                entry.purged = true;
                entry.content = None;
                for attempt in &mut entry.attempts {
                    for report in &mut attempt.reports {
                        report.0 = None;
                        report.1.take_if(|standing| standing == WAITING);
                    }
                }
            }
        }
        purged.and_then(|done| done.reclaim).map(drop)
    }

    fn reopen(&mut self) -> Result<()> {
        let closed = self.archive.take().map_or(Ok(()), Archive::close);
        let archive = Archive::open_on(Arc::new(self.disk.clone()), self.opened_like())?;
        self.archive = Some(archive);
        closed
    }

    /// What was given up is recorded all the same, in the order it was handed in.
    fn flight(&mut self, seed: u64, count: u64, len: usize) -> Result<()> {
        let archive = self.archive()?;
        let before = archive.newest();
        let mut contents = Vec::new();
        let mut pending = Vec::new();
        for (nth, content) in burst(seed, count, len).enumerate() {
            let begun = archive.begin_put(NewEntry::new("ICT"), &content[..])?;
            contents.push(content);
            // Every third is dropped.
            if nth % 3 != 2 {
                pending.push((nth, begun));
            }
        }
        let mut acknowledged = BTreeMap::new();
        for (nth, pending) in pending {
            let id = pending.wait()?.id;
            acknowledged.insert(nth, (self.disk.ops(), id));
        }
        // A put of one's own comes after what was handed in before, so that those are answered,
        // too.
        let last = archive.put(NewEntry::new("ICT"), &b"last of a flight"[..])?;
        contents.push(b"last of a flight".to_vec());
        acknowledged.insert(contents.len() - 1, (self.disk.ops(), last.id));
        let mut ids = Vec::new();
        for leaf in archive.events(before.next(), None)? {
            let event = leaf?.event()?;
            if let Body::Archived(fact) = &event.body {
                ids.push((EntryId(event.seq.0), fact.blob.blake3));
            }
        }
        assert_eq!(ids.len(), contents.len(), "nothing given up is lost");
        for (nth, (content, (id, blob))) in contents.iter().zip(ids).enumerate() {
            assert_eq!(blob, BlobId::of(content), "in the order it was handed in");
            if let Some((_, told)) = acknowledged.get(&nth) {
                assert_eq!(*told, id);
            }
            let entry = EntryState {
                content: Some(blob),
                size: content.len() as u64,
                key: None,
                holds: BTreeSet::new(),
                purged: false,
                attempts: Vec::new(),
            };
            let before = self.state.entries.insert(id.0, entry);
            assert_eq!(before, None, "an id is given once");
            self.ids.push(id.0);
            let ops = acknowledged.get(&nth).map_or(usize::MAX, |(ops, _)| *ops);
            self.one_by_one.push((ops, id.0));
        }
        Ok(())
    }

    fn burst(&mut self, seed: u64, callers: u64, len: usize) -> Result<()> {
        let archive = self.archive()?;
        let disk = &self.disk;
        let mut put: Vec<_> = thread::scope(|scope| {
            let callers: Vec<_> = burst(seed, callers, len)
                .map(|content| {
                    scope.spawn(move || {
                        let new = NewEntry::new("ICT");
                        let put = archive.put(new, &content[..]);
                        put.map(|archived| (disk.ops(), archived.id, content))
                    })
                })
                .collect();
            let puts = callers.into_iter().map(thread::ScopedJoinHandle::join);
            puts.map(|put| put.expect("a caller never panics"))
                .collect::<Result<_>>()
        })?;
        put.sort_by_key(|(_, id, _)| *id);
        for (ops, id, content) in put {
            let entry = EntryState {
                content: Some(BlobId::of(&content)),
                size: content.len() as u64,
                key: None,
                holds: BTreeSet::new(),
                purged: false,
                attempts: Vec::new(),
            };
            let before = self.state.entries.insert(id.0, entry);
            assert_eq!(before, None, "an id is given once");
            self.ids.push(id.0);
            self.one_by_one.push((ops, id.0));
        }
        Ok(())
    }
}

/// Every public operation at least once, with journal files that fill, are sealed and used again.
pub fn workload() -> Vec<Step> {
    let text = |seed, len, days| Step::Text { seed, len, days };
    let noise = |seed| Step::Noise { seed, len: 15_000 };
    let long = |seed| Step::Noise { seed, len: 40_000 };
    let attempt = |entry, outcome, reports, len| Step::Attempt {
        entry,
        outcome,
        reports,
        len,
    };
    vec![
        text(1, 900, 0),
        text(2, 0, 30),
        text(1, 900, 0),
        Step::Keyed { seed: 3, key: 1 },
        Step::Keyed { seed: 3, key: 1 },
        Step::Register { seed: 1 },
        Step::Configure { seed: 1 },
        attempt(0, Outcome::Success, 2, 700),
        attempt(1, Outcome::Failed, 0, 0),
        Step::Submit { entry: 0 },
        Step::StartJob,
        Step::FinishJob,
        Step::Hold { name: 1, entry: 0 },
        Step::Burst {
            seed: 1,
            callers: 4,
            len: 400,
        },
        long(4),
        Step::Flight {
            seed: 3,
            count: 7,
            len: 400,
        },
        Step::Forms { seed: 1, count: 10 },
        Step::Seal,
        long(4),
        noise(5),
        noise(6),
        noise(7),
        noise(8),
        noise(20),
        attempt(4, Outcome::Success, 1, 9_000),
        Step::Reopen,
        noise(9),
        noise(10),
        Step::Burst {
            seed: 2,
            callers: 12,
            len: 15_000,
        },
        Step::Release { name: 1 },
        Step::PurgeTo { left: 5 },
        noise(5),
        long(4),
        Step::Rebuild,
        attempt(9, Outcome::Success, 1, 30_000),
        Step::Reopen,
        noise(11),
        noise(21),
        Step::PurgeTo { left: 2 },
        Step::Compact,
        Step::Seal,
        text(12, 5_000, 90),
        Step::Forms { seed: 2, count: 20 },
        Step::Seal,
        Step::PurgeTo { left: 9 },
        text(13, 5_000, 90),
    ]
}
