//! Counts what a bundle will contain, before the `exported` event is recorded.

use sha2::Digest;

use crate::entry::Meta;
use crate::event::{BlobRef, EntryRanges};
use crate::evidence::tree::Frontier;
use crate::export::facts::{Content, ContentState, Facts, Names, file_name};
use crate::export::lines::{Head, event_of};
use crate::export::scope::{BUNDLE_FORMAT, ContentsCount, Counts, Exported, Scope};
use crate::export::select::Selector;
use crate::id::{EventSeq, Sha256};
use crate::{Error, ErrorKind, Result};

/// What to export.
#[derive(Debug, Clone)]
pub enum What {
    /// The whole log.
    Whole,
    /// What the log says of these entries.
    Selection {
        /// The entries.
        entries: EntryRanges,
        /// The filters that selected them, in words, for the reader.
        filters: Meta,
    },
}

/// Whether a bundle has contents as well as events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WithContents {
    /// Every content that an exported line names and that was not erased.
    Yes,
    /// None.
    No,
}

/// Counts the lines of a log as they stream by. It does nothing else, and needs no disk.
#[derive(Debug)]
pub struct Tally {
    filters: Meta,
    with: WithContents,
    last: EventSeq,
    lines: Picked,
}

#[derive(Debug)]
enum Picked {
    All {
        counts: Counts,
        tree: Frontier,
        facts: Box<Facts>,
    },
    Some(Box<Selector>),
}

/// The result of a [`Tally`]: what [`write`](crate::export::write) needs to know in advance.
#[derive(Debug)]
pub struct Counted {
    /// The payload of the `exported` event that is to be recorded now.
    pub exported: Exported,
    /// The lines of a selection, ascending; `None` for the whole log.
    pub(super) chosen: Option<Vec<EventSeq>>,
    /// The contents, by their SHA-256 digest.
    pub(super) contents: Vec<BlobRef>,
}

impl Tally {
    /// Begins to count.
    pub fn new(what: What, with: WithContents) -> Self {
        let names = match with {
            WithContents::Yes => Names::Kept,
            WithContents::No => Names::Dropped,
        };
        let (filters, lines) = match what {
            What::Whole => (
                Meta::new(),
                Picked::All {
                    counts: Counts::default(),
                    tree: Frontier::new(),
                    facts: Box::new(Facts::new(names)),
                },
            ),
            What::Selection { entries, filters } => (
                filters,
                Picked::Some(Box::new(Selector::new(entries, names))),
            ),
        };
        Self {
            filters,
            with,
            last: EventSeq(0),
            lines,
        }
    }

    /// Counts the next line of the log. The lines must come in order, from event 1 on.
    pub fn add(&mut self, seq: EventSeq, line: &[u8]) -> Result<()> {
        if seq != self.last.next() {
            let told = format!("event {seq} came after event {} to be counted", self.last);
            return Err(Error::new(ErrorKind::Invalid, told));
        }
        self.last = seq;
        let event = || event_of(line).filter(|event| event.seq == seq);
        match &mut self.lines {
            Picked::All {
                counts,
                tree,
                facts,
            } => {
                counts.add(kind_in_counts(Head::of(line).as_ref()), line.len() as u64);
                tree.push(line);
                if self.with == WithContents::Yes
                    && let Some(event) = event()
                {
                    facts.apply(&event, None);
                }
            }
            Picked::Some(selector) => {
                if let Some(event) = event() {
                    selector.add(event, line);
                }
            }
        }
        Ok(())
    }

    /// Ends the count.
    pub fn finish(self) -> Counted {
        let (scope, counts, root, mut facts, chosen) = match self.lines {
            Picked::All {
                counts,
                tree,
                facts,
            } => (Scope::Whole, counts, tree.root(), *facts, None),
            Picked::Some(selector) => {
                let (lines, counts, facts) = selector.finish();
                let mut tree = Frontier::new();
                for line in &lines {
                    tree.push_hash(line.hash);
                }
                let seqs = lines.iter().map(|line| line.seq).collect();
                (Scope::Selection, counts, tree.root(), facts, Some(seqs))
            }
        };
        let needed = |content: &Content| content.state == ContentState::Needed;
        facts.sort_contents();
        let needed = facts.contents().filter(needed);
        let contents: Vec<BlobRef> = needed.map(|content| content.blob).collect();
        let counted = (self.with == WithContents::Yes).then(|| contents_count(&contents));
        Counted {
            exported: Exported {
                format: BUNDLE_FORMAT,
                filters: self.filters,
                scope,
                upto: self.last,
                counts,
                root: Sha256::from_bytes(root),
                contents: counted,
            },
            chosen,
            contents,
        }
    }
}

/// Returns the type under which a line is counted. It depends on no type that is known here.
pub(super) fn kind_in_counts(head: Option<&Head>) -> &str {
    head.map_or("unreadable", |head| &head.kind)
}

/// Counts contents that come by their SHA-256 digest, each once.
pub(super) fn contents_count(contents: &[BlobRef]) -> ContentsCount {
    let mut list = sha2::Sha256::new();
    let mut bytes = 0_u64;
    for blob in contents {
        list.update(file_name(&blob.sha256));
        list.update("\n");
        bytes = bytes.saturating_add(blob.size);
    }
    ContentsCount {
        count: contents.len() as u64,
        bytes,
        list: Sha256::from_bytes(list.finalize().into()),
    }
}
