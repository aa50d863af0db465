//! The lines of a bundle: against the signed root first, and what they say only then.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use super::bundle::Bundle;
use super::files::small;
use super::outcome::{Verdict, Verified};
use super::stamps::Stamps;
use super::trust::Trust;
use crate::event::Event;
use crate::evidence::tlog_proof::TlogProof;
use crate::evidence::tree::{Frontier, TreeHash};
use crate::export::bag;
use crate::export::facts::{Facts, Names};
use crate::export::lines::{Head, Lines, Next, event_of};
use crate::export::scope::{Counts, Exported, Scope};
use crate::export::tally::kind_in_counts;
use crate::export::write::proof_name;
use crate::id::{EventSeq, Sha256};
use crate::time::Timestamp;

/// How many events pass between two reports of progress.
const PROGRESS_EVENTS: u64 = 4_096;

/// What the lines say, now that they are known to be those that were signed.
pub(super) struct Authentic<'a> {
    pub(super) facts: Facts,
    pub(super) last: &'a Event,
    pub(super) exported: &'a Exported,
}

/// Checks all lines. Returns `None` when they are not those that were signed.
pub(super) fn check<'a>(
    bundle: &'a Bundle<'_>,
    trust: &Trust,
    progress: &dyn Fn(u64, u64),
    found: &mut Verified,
) -> Option<Authentic<'a>> {
    let is_selection = match &bundle.exported {
        Some(exported) => exported.scope == Scope::Selection,
        None => bundle
            .files
            .keys()
            .any(|path| path.starts_with(bag::PROOFS)),
    };
    let read = if is_selection {
        selection(bundle, progress, found)
    } else {
        whole(bundle, trust, progress, found)
    };
    let read = match read {
        Ok(read) => read?,
        Err(error) => {
            let told = format!("it cannot be read: {error}");
            found.find(Verdict::Unreadable, "log", bag::EVENTS, told);
            return None;
        }
    };
    if bundle.events_differ {
        let told = format!("its bytes are not those that {} lists", bag::MANIFEST);
        found.find(Verdict::Tampered, "file", bag::EVENTS, told);
    }
    older(bundle, trust, is_selection, found);
    let (last, exported) = payload(bundle, found)?;
    found.scope = Some(exported.scope);
    if read.counts != exported.counts || Sha256::from_bytes(read.root) != exported.root {
        let told = "the lines are not those that its last event counted";
        found.find(Verdict::Tampered, "log", bag::EVENTS, told);
    }
    if is_selection {
        let told = "a selection: nothing proves that the log has no other lines about its entries";
        found.notes.push(told.to_owned());
        if exported.counts.entries == 0 {
            let told = "it has no entry, so it proves nothing";
            found.find(Verdict::Incomplete, "log", bag::EVENTS, told);
        }
    }
    match facts(bundle, exported, found) {
        Ok(facts) => Some(Authentic {
            facts,
            last,
            exported,
        }),
        Err(error) => {
            let told = format!("it cannot be read: {error}");
            found.find(Verdict::Unreadable, "log", bag::EVENTS, told);
            None
        }
    }
}

/// Returns the last event and its payload. A later version may have written another one.
fn payload<'a>(bundle: &'a Bundle<'_>, found: &mut Verified) -> Option<(&'a Event, &'a Exported)> {
    let (verdict, told) = match (&bundle.last, &bundle.exported) {
        (Some(last), Some(exported)) => return Some((last, exported)),
        (Some(_), None) => (
            Verdict::Unreadable,
            "this version cannot read what it says of the export; a later one wrote it",
        ),
        (None, _) => (Verdict::Tampered, "it is no record of an export"),
    };
    let place = format!("event {}", bundle.checkpoint.size);
    found.find(verdict, "log", place, told);
    None
}

/// The lines that the `exported` event counted.
struct ReadLines {
    counts: Counts,
    root: TreeHash,
}

/// Looks for the first line that is not in its place.
struct Places {
    source: String,
    suspect: Option<(EventSeq, &'static str)>,
    unreadable: Option<EventSeq>,
}

impl Places {
    fn of(bundle: &Bundle<'_>) -> Self {
        let origin = bundle.checkpoint.origin.as_str();
        let store = origin.strip_prefix("annals/").unwrap_or(origin);
        Self {
            source: format!("urn:annals:{store}"),
            suspect: None,
            unreadable: None,
        }
    }

    fn look(&mut self, head: Option<&Head>, expected: EventSeq) {
        let what = match head {
            None => {
                self.unreadable.get_or_insert(expected);
                return;
            }
            Some(head) if head.seq != expected => "it has the number of another event",
            Some(head) if head.source != self.source => "it is an event of another store",
            Some(_) => return,
        };
        self.suspect.get_or_insert((expected, what));
    }
}

/// Checks the lines of a whole log: they give the root, so none is missing, added or changed.
fn whole(
    bundle: &Bundle<'_>,
    trust: &Trust,
    progress: &dyn Fn(u64, u64),
    found: &mut Verified,
) -> io::Result<Option<ReadLines>> {
    let size = bundle.checkpoint.size;
    let upto = bundle
        .exported
        .as_ref()
        .map_or(0, |exported| exported.upto.0);
    let mut lines = Lines::open(bundle.disk, Path::new(bag::EVENTS))?;
    let (mut tree, mut places) = (Frontier::new(), Places::of(bundle));
    let (mut counts, mut counted_root) = (Counts::default(), Frontier::new().root());
    let mut line = Vec::new();
    let end = loop {
        match lines.next(&mut line)? {
            Next::Line(_) if tree.size() < size => {}
            end => break end,
        }
        tree.push(&line);
        let seq = EventSeq(tree.size());
        let head = Head::of(&line);
        places.look(head.as_ref(), seq);
        if seq.0 <= upto {
            counts.add(kind_in_counts(head.as_ref()), line.len() as u64);
        }
        if seq.0 == upto {
            counted_root = tree.root();
        }
        seen_before(bundle, trust, &tree, found);
        if seq.0.is_multiple_of(PROGRESS_EVENTS) || seq.0 == size {
            progress(seq.0, size);
        }
    };
    found.events = tree.size();
    let is_cut = matches!(end, Next::End | Next::Cut) && tree.size() < size;
    if is_cut && places.suspect.is_none() && places.unreadable.is_none() {
        let told = format!("it ends after {} of {size} events", tree.size());
        found.find(Verdict::Incomplete, "log", bag::EVENTS, told);
        return Ok(None);
    }
    if let Some((seq, what)) = places.suspect {
        found.find(Verdict::Tampered, "log", format!("event {seq}"), what);
    }
    if let Some(seq) = places.unreadable {
        // An authentic log may have such lines; see docs/format.md.
        let told = format!("event {seq} is no event that this version can read");
        found.notes.push(told);
    }
    if end != Next::End || tree.size() != size || tree.root() != bundle.checkpoint.root {
        let told = match end {
            Next::Line(_) => format!("it has more than the {size} events of the checkpoint"),
            _ => "its lines do not give the root of the checkpoint".to_owned(),
        };
        found.find(Verdict::Tampered, "log", bag::EVENTS, told);
        return Ok(None);
    }
    let root = counted_root;
    Ok(Some(ReadLines { counts, root }))
}

/// Compares the tree with the checkpoints that were seen before.
fn seen_before(bundle: &Bundle<'_>, trust: &Trust, tree: &Frontier, found: &mut Verified) {
    for older in &trust.older {
        let older = older.checkpoint();
        let is_here = older.size == tree.size() && older.origin == bundle.checkpoint.origin;
        if is_here && older.root != tree.root() {
            let told = "a checkpoint seen before has another history up to here";
            let place = format!("event {}", tree.size());
            found.find(Verdict::Forked, "log", place, told);
        }
    }
}

/// Checks the lines of a selection: each has a proof.
fn selection(
    bundle: &Bundle<'_>,
    progress: &dyn Fn(u64, u64),
    found: &mut Verified,
) -> io::Result<Option<ReadLines>> {
    let size = bundle.checkpoint.size;
    let upto = bundle
        .exported
        .as_ref()
        .map_or(size, |exported| exported.upto.0);
    let mut lines = Lines::open(bundle.disk, Path::new(bag::EVENTS))?;
    let mut proofs: BTreeSet<&str> = {
        let names = bundle.files.keys().map(|name| &**name);
        names.filter(|name| name.starts_with(bag::PROOFS)).collect()
    };
    let mut places = Places::of(bundle);
    let (mut counts, mut tree) = (Counts::default(), Frontier::new());
    let (mut line, mut before) = (Vec::new(), EventSeq(0));
    let end = loop {
        match lines.next(&mut line)? {
            Next::Line(_) => {}
            end => break end,
        }
        found.events += 1;
        let Some(head) = Head::of(&line) else {
            break Next::NoLine;
        };
        places.look(Some(&head), head.seq);
        let proof = proof_name(head.seq);
        let wrong = if head.seq <= before {
            Some((Verdict::Tampered, "it is not in the order of the log"))
        } else {
            prove(bundle, &head, &line, &proof)
        };
        if let Some((verdict, what)) = wrong {
            found.find(verdict, "log", format!("event {}", head.seq), what);
        }
        proofs.remove(&*proof);
        if head.seq.0 <= upto {
            counts.add(&head.kind, line.len() as u64);
            tree.push(&line);
        }
        before = head.seq;
        if found.events.is_multiple_of(PROGRESS_EVENTS) {
            progress(found.events, found.events);
        }
    };
    let mut sound = end == Next::End;
    if let Some((seq, what)) = places.suspect {
        found.find(Verdict::Tampered, "log", format!("event {seq}"), what);
    }
    if end == Next::NoLine {
        let told = "a line is no event that can be read";
        found.find(Verdict::Tampered, "log", bag::EVENTS, told);
    }
    // The proofs tell which lines there were.
    for proof in proofs {
        let is_one = proof.ends_with(".tlog-proof");
        let (verdict, told) = if is_one {
            (Verdict::Incomplete, "the event that it proves is missing")
        } else {
            (Verdict::Tampered, "it is no proof of an event")
        };
        found.find(verdict, "log", proof, told);
        sound = false;
    }
    if end == Next::Cut {
        found.find(
            Verdict::Incomplete,
            "log",
            bag::EVENTS,
            "its last line is cut short",
        );
    }
    let is_sound = sound && found.findings.iter().all(|finding| finding.kind != "log");
    let root = tree.root();
    Ok(is_sound.then_some(ReadLines { counts, root }))
}

/// Checks the proof of a line. Returns what is wrong.
fn prove(
    bundle: &Bundle<'_>,
    head: &Head,
    line: &[u8],
    name: &str,
) -> Option<(Verdict, &'static str)> {
    let Some(bytes) = small(bundle.disk, name) else {
        return Some((Verdict::Incomplete, "its proof is missing"));
    };
    let Ok(proof) = TlogProof::parse(&bytes) else {
        return Some((Verdict::Tampered, "its proof is none"));
    };
    if proof.checkpoint().to_string().as_bytes() != bundle.note {
        return Some((Verdict::Tampered, "its proof is of another checkpoint"));
    }
    let is_of_event = proof.index().checked_add(1) == Some(head.seq.0);
    if !is_of_event || proof.verify(line, &bundle.keys).is_err() {
        return Some((Verdict::Tampered, "its proof does not prove it"));
    }
    None
}

/// Compares the size with those of checkpoints that were seen before.
fn older(bundle: &Bundle<'_>, trust: &Trust, is_selection: bool, found: &mut Verified) {
    let newest = &bundle.checkpoint;
    for signed in &trust.older {
        let older = signed.checkpoint();
        let place = format!("checkpoint of {} events", older.size);
        if signed.note().verify(&trust.vkeys).is_err() {
            let told = "no trusted key signed this older checkpoint, so it says nothing";
            found.find(Verdict::UntrustedKey, "signature", place, told);
        } else if older.origin != newest.origin {
            let told = "it is of another log";
            found.find(Verdict::Tampered, "signature", place, told);
        } else if older.size > newest.size {
            let told = format!(
                "the bundle has only {}, and was seen with more",
                newest.size
            );
            found.find(Verdict::RolledBack, "log", place, told);
        } else if is_selection && older.size == newest.size {
            if older.root != newest.root {
                let told = "the bundle has another history up to here";
                found.find(Verdict::Forked, "log", place, told);
            }
        } else if is_selection && older.size > 0 {
            let told = "a selection cannot be compared with it; ask for the whole log";
            found.find(Verdict::Incomplete, "log", place, told);
        }
    }
}

/// Reads what the lines say.
fn facts(bundle: &Bundle<'_>, exported: &Exported, found: &mut Verified) -> io::Result<Facts> {
    let names = match exported.contents {
        Some(_) => Names::Kept,
        None => Names::Dropped,
    };
    let (mut facts, mut clock) = (Facts::new(names), Clock::default());
    let mut stamps = Stamps::default();
    let mut lines = Lines::open(bundle.disk, Path::new(bag::EVENTS))?;
    let mut line = Vec::new();
    while let Next::Line(place) = lines.next(&mut line)? {
        if let Some(event) = event_of(&line) {
            clock.look(&event);
            stamps.look(&event, found);
            facts.apply(&event, Some(place));
        }
    }
    facts.sort_contents();
    found.entries = facts.entries().len() as u64;
    found.erased = facts.purged() + facts.erased();
    for wrong in facts.contradictions() {
        let place = format!("event {}", wrong.seq);
        found.find(Verdict::Tampered, "log", place, &wrong.what);
    }
    found.notes.extend(clock.told());
    stamps.finish(bundle, found)?;
    Ok(facts)
}

/// Looks for times that go back. Order is by number alone, so it is nothing wrong; but a reader of
/// times should know.
///
/// Only the recorded times count. The readings of the monotonic clock are no help: older versions
/// rounded them down to a second in each process, so they went back where no clock did.
#[derive(Default)]
struct Clock {
    before: Option<Timestamp>,
    first: Option<EventSeq>,
    steps: u64,
}

/// Times that go back by less are the work of a time server.
const STEP_MICROS: i64 = 1_000_000;

impl Clock {
    fn look(&mut self, event: &Event) {
        if let Some(before) = self.before
            && event.time.micros() < before.micros() - STEP_MICROS
        {
            self.steps += 1;
            self.first.get_or_insert(event.seq);
        }
        self.before = Some(event.time);
    }

    fn told(&self) -> Option<String> {
        let first = self.first?;
        let steps = self.steps;
        Some(format!(
            "the clock goes back at event {first} ({steps} times in all): times are not in order there"
        ))
    }
}
