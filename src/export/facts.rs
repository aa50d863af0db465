//! What a log says of its entries and contents, in a few bytes each.

use serde::Deserialize;

use crate::entry::{Outcome, Part};
use crate::event::{BlobRef, Body, EntryRanges, Event, PurgedEntries};
use crate::export::lines::Place;
use crate::id::{AttemptNo, BlobId, EntryId, EventSeq, Sha256};

/// Stands for a source among the attempts of an entry.
const SOURCE: AttemptNo = AttemptNo(0);

/// The facts of a log, gathered event by event.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// By their id, ascending.
    entries: Vec<EntryFact>,
    /// Each time a line names a content; empty when contents are of no interest.
    named: Vec<Named>,
    names: Names,
    /// Contents that a repair recorded as lost.
    lost: Vec<(BlobId, EventSeq)>,
    holds: Vec<Hold>,
    /// The rules of purges, which few entries do not share.
    rules: Vec<String>,
    purged: u64,
    erased: u64,
    contradictions: Vec<Contradiction>,
}

/// Whether to remember which contents are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Names {
    /// Remember them.
    #[default]
    Kept,
    /// Forget them.
    Dropped,
}

/// One entry, as far as its later events say.
#[derive(Debug, Clone)]
pub(super) struct EntryFact {
    pub(super) id: EntryId,
    /// How many facts after its first conversion changed what is known of it.
    pub(super) changes: u32,
    pub(super) attempts: u32,
    pub(super) last_change: EventSeq,
    /// The line of its last attempt.
    pub(super) converted: Option<Place>,
    /// The line of its last submission.
    pub(super) reported: Option<Place>,
    /// Event 0 for an entry that was not purged.
    purged: EventSeq,
    rule: u16,
    /// Whether its source went before the rest.
    source_gone: bool,
    /// The newest attempt whose reports went before the rest; 0 for none.
    reports_gone: AttemptNo,
    pub(super) outcome: Option<Outcome>,
}

/// A purge of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Purge<'a> {
    pub(super) seq: EventSeq,
    pub(super) rule: &'a str,
}

/// One mention of a content.
#[derive(Debug, Clone, Copy)]
struct Named {
    blob: BlobRef,
    seq: EventSeq,
    /// The entry whose purge releases the content; entry 0 for none.
    entry: EntryId,
    /// The attempt that made it; 0 for a source.
    attempt: AttemptNo,
}

/// A content that some line names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) blob: BlobRef,
    pub(super) state: ContentState,
    /// The first event that names it.
    pub(super) seq: EventSeq,
}

/// What the log says of a content. One line that needs it outranks all others, so that comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ContentState {
    /// Some line needs it.
    Needed,
    /// All entries with it were purged.
    Erased,
    /// A repair recorded that it is gone.
    Lost,
    /// Two lines name the same SHA-256 digest with another BLAKE3 hash or length.
    Contradictory,
}

#[derive(Debug)]
struct Hold {
    name: String,
    entries: EntryRanges,
    released: bool,
}

/// Two events that cannot both be true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Contradiction {
    pub(super) seq: EventSeq,
    pub(super) what: String,
}

/// The most contradictions that are remembered.
const CONTRADICTIONS_MAX: usize = 100;

impl Facts {
    pub(super) fn new(names: Names) -> Self {
        Self {
            names,
            ..Self::default()
        }
    }

    pub(super) fn entries(&self) -> &[EntryFact] {
        &self.entries
    }

    pub(super) fn entry(&self, id: EntryId) -> Option<&EntryFact> {
        let at = self.entries.binary_search_by_key(&id, |entry| entry.id);
        at.ok().map(|at| &self.entries[at])
    }

    /// Returns how many entries were purged.
    pub(super) fn purged(&self) -> u64 {
        self.purged
    }

    /// Returns how many events erased a field.
    pub(super) fn erased(&self) -> u64 {
        self.erased
    }

    pub(super) fn purge_of(&self, entry: &EntryFact) -> Option<Purge<'_>> {
        (entry.purged > EventSeq(0)).then(|| Purge {
            seq: entry.purged,
            rule: &self.rules[usize::from(entry.rule)],
        })
    }

    /// Returns the names of the holds on an entry, in the order in which they were placed.
    pub(super) fn holds_on(&self, id: EntryId) -> impl Iterator<Item = &str> {
        let on = self.holds.iter().filter(move |hold| !hold.released);
        on.filter(move |hold| hold.entries.contains(id))
            .map(|hold| &*hold.name)
    }

    pub(super) fn contradictions(&self) -> &[Contradiction] {
        &self.contradictions
    }

    /// Adds an event; `place` is where its line is.
    pub(super) fn apply(&mut self, event: &Event, place: Option<Place>) {
        let seq = event.seq;
        match &event.body {
            Body::Archived(fact) => {
                let id = EntryId::from(seq);
                self.entries.push(EntryFact {
                    id,
                    changes: 0,
                    attempts: 0,
                    last_change: EventSeq(0),
                    converted: None,
                    reported: None,
                    purged: EventSeq(0),
                    rule: 0,
                    source_gone: false,
                    reports_gone: SOURCE,
                    outcome: None,
                });
                if !fact.facts_only {
                    self.name(seq, id, SOURCE, &fact.blob);
                }
            }
            Body::Converted(fact) => {
                for report in &fact.reports {
                    self.name(seq, fact.entry, fact.attempt, report);
                }
                if let Some(entry) = self.entry_mut(fact.entry) {
                    entry.attempts = entry.attempts.saturating_add(1);
                    entry.outcome = Some(fact.outcome);
                    entry.converted = place;
                    if entry.attempts > 1 {
                        entry.change(seq);
                    }
                }
            }
            Body::Reported(fact) => {
                if let Some(entry) = self.entry_mut(fact.entry) {
                    entry.reported = place;
                }
            }
            // Whoever reads contents, or clears a source away, changes nothing that is known.
            Body::SubmitIntended(_)
            | Body::SubmitRejected(_)
            | Body::SourceCleared(_)
            | Body::Accessed(_) => {}
            Body::ConverterRegistered(fact) => {
                for file in &fact.bundle {
                    self.name(seq, EntryId(0), SOURCE, &file.blob);
                }
            }
            Body::HoldPlaced(fact) => self.holds.push(Hold {
                name: fact.name.clone(),
                entries: fact.entries.clone(),
                released: false,
            }),
            Body::HoldReleased(fact) => {
                let of_name = |hold: &&mut Hold| hold.name == fact.name;
                for hold in self.holds.iter_mut().filter(of_name) {
                    hold.released = true;
                }
            }
            Body::PurgedEntries(fact) => self.purge(seq, fact),
            Body::PurgeUndone(fact) => self.unpurge(seq, &fact.entries),
            Body::Repaired(fact) => {
                let lost = fact.contents.iter().map(|blob| (*blob, seq));
                self.lost.extend(lost);
            }
            body => self.other(seq, body),
        }
    }

    /// Applies an event of another type: what it says of entries changes what is known of them.
    fn other(&mut self, seq: EventSeq, body: &Body) {
        self.erased += u64::from(body.kind().starts_with("annals.erased."));
        let touched = touched(body);
        if let Some(entry) = touched.entry.and_then(|id| self.entry_mut(id)) {
            entry.change(seq);
        }
        for entry in self.in_ranges(&touched.entries) {
            self.entries[entry].change(seq);
        }
    }

    fn name(&mut self, seq: EventSeq, entry: EntryId, attempt: AttemptNo, blob: &BlobRef) {
        if self.names == Names::Kept {
            let blob = *blob;
            self.named.push(Named {
                blob,
                seq,
                entry,
                attempt,
            });
        }
    }

    fn purge(&mut self, seq: EventSeq, fact: &PurgedEntries) {
        let (ranges, rule) = (&fact.entries, &fact.rule);
        let known = self.rules.iter().position(|known| known == rule);
        let rule = known.unwrap_or_else(|| {
            self.rules.push(rule.clone());
            self.rules.len() - 1
        });
        // Past 65,535 different rules, the last one stands for the rest.
        let rule = u16::try_from(rule).unwrap_or(u16::MAX);
        if ranges.ranges().iter().any(|(_, last)| last.event() >= seq) {
            self.contradict(seq, "it purges entries that were not archived yet");
        }
        for at in self.in_ranges(ranges) {
            let id = self.entries[at].id;
            let held = self.holds_on(id).next().map(str::to_owned);
            if let Some(hold) = held {
                let what = format!("it purges entry {id}, which the hold '{hold}' protects");
                self.contradict(seq, &what);
            }
            let entry = &mut self.entries[at];
            match fact.what() {
                Part::Entry if entry.purged == EventSeq(0) => {
                    entry.purged = seq;
                    entry.rule = rule;
                    self.purged += 1;
                }
                Part::Entry => {}
                Part::Source => entry.source_gone = true,
                // An attempt that is made after the purge may have any number.
                Part::Reports { through } | Part::Superseded { through } => {
                    let made = AttemptNo(entry.attempts).min(through);
                    entry.reports_gone = entry.reports_gone.max(made);
                }
            }
            entry.change(seq);
        }
    }

    fn unpurge(&mut self, seq: EventSeq, ranges: &EntryRanges) {
        for at in self.in_ranges(ranges) {
            let entry = &mut self.entries[at];
            if entry.purged > EventSeq(0) {
                entry.purged = EventSeq(0);
                self.purged -= 1;
            }
            entry.change(seq);
        }
    }

    fn contradict(&mut self, seq: EventSeq, what: &str) {
        if self.contradictions.len() < CONTRADICTIONS_MAX {
            let what = what.to_owned();
            self.contradictions.push(Contradiction { seq, what });
        }
    }

    fn entry_mut(&mut self, id: EntryId) -> Option<&mut EntryFact> {
        let at = self.entries.binary_search_by_key(&id, |entry| entry.id);
        at.ok().map(|at| &mut self.entries[at])
    }

    /// Returns the places of the entries in `ranges`. Ranges may be absurdly wide, so the known
    /// entries are walked instead.
    fn in_ranges(&self, ranges: &EntryRanges) -> Vec<usize> {
        let mut found = Vec::new();
        let mut from = 0;
        for (first, last) in ranges.ranges() {
            let start = self.entries.partition_point(|entry| entry.id < *first);
            let end = self.entries.partition_point(|entry| entry.id <= *last);
            found.extend(start.max(from)..end.max(from));
            from = from.max(end);
        }
        found
    }

    /// Puts the named contents in order. Call it once, before [`Facts::contents`].
    pub(super) fn sort_contents(&mut self) {
        self.lost.sort_unstable();
        let by = |named: &Named| (named.blob.sha256, named.seq);
        self.named.sort_unstable_by_key(by);
    }

    /// Returns every content that a line names, by its SHA-256 digest.
    pub(super) fn contents(&self) -> impl Iterator<Item = Content> {
        let groups = self
            .named
            .chunk_by(|a, b| a.blob.sha256 == b.blob.sha256)
            .filter_map(|group| group.first().map(|first| (group, first)));
        groups.map(move |(group, first)| {
            let states = group.iter().map(|named| self.state_of(named));
            let mut state = states.min().unwrap_or(ContentState::Needed);
            if group.iter().any(|other| other.blob != first.blob) {
                state = ContentState::Contradictory;
            }
            Content {
                blob: first.blob,
                state,
                seq: first.seq,
            }
        })
    }

    fn state_of(&self, named: &Named) -> ContentState {
        let entry = self.entry(named.entry);
        let purged = entry.map(|entry| entry.purged);
        let part_gone = entry.is_some_and(|entry| {
            if named.attempt == SOURCE {
                entry.source_gone
            } else {
                named.attempt <= entry.reports_gone
            }
        });
        let after = |lost: &(BlobId, EventSeq)| lost.0 == named.blob.blake3 && lost.1 > named.seq;
        let from = self
            .lost
            .partition_point(|(blob, _)| *blob < named.blob.blake3);
        let of_blob = self.lost[from..].iter();
        if part_gone || purged.is_some_and(|purged| purged > named.seq) {
            ContentState::Erased
        } else if of_blob
            .take_while(|(blob, _)| *blob == named.blob.blake3)
            .any(after)
        {
            ContentState::Lost
        } else {
            ContentState::Needed
        }
    }
}

impl EntryFact {
    fn change(&mut self, seq: EventSeq) {
        self.changes = self.changes.saturating_add(1);
        self.last_change = seq;
    }
}

/// The entries that an event of any type names in its members `entry` and `entries`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Touched {
    pub(super) entry: Option<EntryId>,
    pub(super) entries: EntryRanges,
}

/// Returns which entries an event of any type names.
pub(super) fn touched(body: &Body) -> Touched {
    let data = body.data_json();
    let read = data.ok().and_then(|data| serde_json::from_str(&data).ok());
    read.unwrap_or_default()
}

/// Returns the file name of a content in `data/blobs`.
pub(super) fn file_name(sha256: &Sha256) -> String {
    sha256.to_string()
}
