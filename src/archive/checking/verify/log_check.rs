//! Verifies the log: segments, the tree over their events, and every event.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::evidence_check::EvidenceCheck;
use super::report::{Depth, VerifyReport};
use crate::Error;
use crate::archive::files::event_line::decode;
use crate::archive::files::lost_event::is_lost;
use crate::archive::options::Progress;
use crate::evidence::tree::Frontier;
use crate::id::EventSeq;
use crate::log::{LogError, LogFiles, LogReader};

/// Events that cannot be read, with the repair that says so.
pub(super) type Unreadable = BTreeMap<EventSeq, Option<EventSeq>>;

/// How many events pass between two reports of progress.
const EVENTS_BETWEEN: u64 = 1_000;

/// The check of a log, and what it found so far.
pub(super) struct LogCheck<'a> {
    log: &'a Arc<LogFiles>,
    progress: Progress,
    pub(super) report: VerifyReport,
}

impl<'a> LogCheck<'a> {
    pub(super) const fn new(log: &'a Arc<LogFiles>, progress: Progress) -> Self {
        Self {
            log,
            progress,
            report: VerifyReport::new(),
        }
    }

    /// Checks every segment's footer, and that its tree continues the one before.
    pub(super) fn segments(&mut self, depth: Depth) {
        let mut frontier = Some(Frontier::new());
        let segments = self.log.segments();
        let total = segments.len() as u64;
        for (done, segment) in segments.into_iter().enumerate() {
            self.progress.report(done as u64, total, "checking events");
            let place = segment.path().display().to_string();
            let footer = match segment.footer() {
                Ok(footer) => footer,
                Err(error) => {
                    self.report.find("log", place, error);
                    frontier = None;
                    continue;
                }
            };
            if footer.tree_size != segment.last_seq().0 {
                let detail = format!(
                    "its tree has {} leaves at event {}",
                    footer.tree_size,
                    segment.last_seq()
                );
                self.report.find("log", &place, detail);
            }
            if depth == Depth::Quick {
                self.report.events += segment.last_seq().0 + 1 - segment.first_seq().0;
                continue;
            }
            let mut stands = false;
            for block in &footer.blocks {
                match segment.block(block) {
                    Ok(plain) => {
                        self.report.checked_bytes += plain.len() as u64;
                        let leaves = plain[..plain.len() - 1].split(|byte| *byte == b'\n');
                        for leaf in leaves {
                            stands |= is_lost(leaf);
                            if let Some(tree) = &mut frontier {
                                tree.push(leaf);
                            }
                        }
                    }
                    Err(error) => {
                        self.report.find("log", &place, error);
                        frontier = None;
                    }
                }
            }
            match &mut frontier {
                Some(tree) => {
                    if tree.root() != footer.tree_root || tree.size() != footer.tree_size {
                        // A segment that a repair made has the tree over the original leaves.
                        if !stands {
                            self.report.find(
                                "log",
                                &place,
                                "its events are not the ones its tree was made over",
                            );
                        }
                        frontier = segment.frontier().ok();
                    }
                }
                // After damage the tree continues from what this segment states.
                None => frontier = segment.frontier().ok(),
            }
        }
    }

    /// Reads every event up to `last`, and compares every live one with its frame.
    pub(super) fn events(
        &mut self,
        last: EventSeq,
        unreadable: &Unreadable,
        evidence: &mut EvidenceCheck,
    ) {
        let mut reader = LogReader::new(Arc::clone(self.log), EventSeq(1), last);
        while let Some(leaf) = reader.next_leaf() {
            match leaf {
                Ok((seq, line)) => {
                    if seq.0.is_multiple_of(EVENTS_BETWEEN) {
                        self.progress.report(seq.0, last.0, "checking events");
                    }
                    self.report.events += 1;
                    self.report.known_losses.events += u64::from(is_lost(&line));
                    let event = decode(seq, &line);
                    evidence.event(seq, &line, event.as_ref().ok(), &mut self.report);
                    if let Err(error) = event {
                        self.unreadable_event(seq, error.message(), unreadable);
                    }
                }
                Err(LogError::Missing { seq }) => {
                    evidence.missing();
                    self.report
                        .find("log", format!("event {seq}"), "it is missing");
                }
                Err(error) => self.report.find("log", "events", error),
            }
        }
    }

    /// Reports the events that the index knows to be unreadable.
    pub(super) fn unreadable(&mut self, unreadable: &Unreadable) {
        for seq in unreadable.keys() {
            let mut reader = LogReader::new(Arc::clone(self.log), *seq, *seq);
            let why = match reader.next_leaf() {
                Some(Ok((_, line))) => decode(*seq, &line).err(),
                Some(Err(error)) => Some(error.into()),
                None => None,
            };
            let why = why
                .as_ref()
                .map_or("the index cannot read it", Error::message);
            self.unreadable_event(*seq, why, unreadable);
        }
    }

    /// Counts an unreadable event as known if a repair recorded it; otherwise it is a finding.
    fn unreadable_event(&mut self, seq: EventSeq, why: &str, unreadable: &Unreadable) {
        if unreadable.get(&seq).is_some_and(Option::is_some) {
            self.report.known_losses.events += 1;
        } else {
            self.report.find("log", format!("event {seq}"), why);
        }
    }
}
