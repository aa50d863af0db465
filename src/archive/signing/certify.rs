//! Signs statements about single facts: what a conversion made, that a restored file is what came
//! in, and what a purge destroyed.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::archive::files::event_line::decode;
use crate::archive::handle::Archive;
use crate::archive::purging::traces::{Traces, search};
use crate::archive::signing::checkpoint::{cannot_sign, no_key};
use crate::archive::signing::prove::EventProof;
use crate::entry::{Attempt, Entry, Part};
use crate::event::{Body, Event};
use crate::evidence::dsse::{Envelope, IN_TOTO};
use crate::evidence::key::Signer;
use crate::evidence::note::{KeyName, Note, TextLine};
use crate::export::certificate::{
    CertificateError, ContentFate, DestroyedContent, DestructionCertificate, Looked, ProvenLine,
    RestoreCertificate, RestoredAs, SignCertificateError, conversion,
};
use crate::id::{AttemptNo, BlobId, EntryId, EventSeq};
use crate::time::Timestamp;
use crate::{Error, ErrorKind, Result};

/// The most entries that a certificate of destruction describes one by one.
const DESCRIBED_MAX: u64 = 1_000;

/// A file that was restored, for [`Archive::certify_restored`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RestoredFile {
    /// The entry.
    pub entry: EntryId,
    /// The name under which it was restored.
    pub name: String,
    /// In which form.
    pub form: RestoredAs,
    /// When.
    pub at: Timestamp,
    /// The checks that were made of it, in words.
    pub checks: Vec<String>,
}

impl RestoredFile {
    /// Returns the description of a file that was restored at `at`.
    pub fn new(
        entry: EntryId,
        name: impl Into<String>,
        form: RestoredAs,
        at: Timestamp,
        checks: Vec<String>,
    ) -> Self {
        Self {
            entry,
            name: name.into(),
            form,
            at,
            checks,
        }
    }
}

impl Archive {
    /// Signs a certificate for each of some restored files: it is what came in. The caller has
    /// compared each with the hashes of its entry, and says how.
    ///
    /// # Errors
    ///
    /// `Refused` when this handle has no key to sign with.
    pub fn certify_restored(&self, files: &[RestoredFile]) -> Result<Vec<Note>> {
        let signer = self.certifier()?;
        let events: Vec<EventSeq> = files.iter().map(|file| file.entry.event()).collect();
        let proofs = self.prove_events(&events)?;
        let signed = files.iter().zip(proofs).map(|(file, proof)| {
            let certificate = RestoreCertificate {
                origin: self.origin(),
                by: self.who(),
                at: file.at,
                file: file.name.clone(),
                form: file.form,
                checks: file.checks.clone(),
                archived: proven(proof),
            };
            certificate.sign(&*signer).map_err(not_certified)
        });
        signed.collect()
    }

    /// Signs the in-toto statement about a conversion, in a DSSE envelope: these reports were made
    /// of that source, by that converter. `attempt` is the last one with a report if `None`.
    ///
    /// # Errors
    ///
    /// `NotFound` when there is no such entry or attempt, `Refused` when there is no key to sign
    /// with, `Invalid` when the attempt made no report.
    pub fn attest_conversion(
        &self,
        entry: EntryId,
        attempt: Option<AttemptNo>,
    ) -> Result<Envelope> {
        let signer = self.certifier()?;
        let missing = |said: String| Error::new(ErrorKind::NotFound, said);
        let known = self.snapshot()?.entry(entry)?;
        let known = known.ok_or_else(|| missing(format!("there is no entry {entry}")))?;
        let chosen = match attempt {
            Some(number) => known.attempts.iter().find(|one| one.attempt == number),
            None => known
                .attempts
                .iter()
                .rev()
                .find(|one| !one.reports.is_empty()),
        };
        let chosen = chosen.ok_or_else(|| match attempt {
            Some(number) => missing(format!("entry {entry} has no attempt {number}")),
            None => missing(format!("no attempt over entry {entry} made a report")),
        })?;
        let (source, made) = self.events_of_attempt(entry, chosen.attempt)?;
        let converter = match chosen.converter_id {
            Some(id) => self.converter(&id)?,
            None => None,
        };
        let statement = conversion(&source, &made, converter.as_ref())
            .map_err(|error| Error::new(ErrorKind::Invalid, error.to_string()))?;
        Envelope::sign(IN_TOTO, statement.as_bytes(), &*signer).map_err(cannot_sign)
    }

    /// Looks for the contents of purged entries wherever the store may have them, and signs what
    /// was found: a certificate of destruction. `plan` is that of the newest purge if `None`.
    ///
    /// Contents that other entries share are named as such. What is not freed yet is named, too:
    /// [`Archive::free_purged_by`] frees it first.
    ///
    /// # Errors
    ///
    /// `NotFound` when there is no such purge, `Refused` when there is no key to sign with.
    pub fn certify_destruction(
        &self,
        plan: Option<&str>,
    ) -> Result<(DestructionCertificate, Note)> {
        let signer = self.certifier()?;
        let purges = self.purges(plan)?;
        self.refuse_undestroyed(&purges)?;
        let entries = self.purged_entries(&purges)?;
        let view = self.store().index.view();
        let all: Vec<BlobId> = entries.iter().flat_map(Going::blobs).collect();
        let traces = search(self.store(), &view, &all)?;
        let seqs: Vec<EventSeq> = purges.iter().map(|event| event.seq).collect();
        let certificate = DestructionCertificate {
            origin: self.origin(),
            by: self.who(),
            at: self.store().options.clock.now(),
            purged: self.prove_events(&seqs)?.into_iter().map(proven).collect(),
            entries: entries
                .iter()
                .map(|going| self.event(going.entry.id.event()))
                .collect::<Result<_>>()?,
            contents: entries
                .iter()
                .flat_map(|going| fates(going, &traces))
                .collect(),
            looked: traces
                .places
                .iter()
                .map(|place| Looked {
                    place: place.name.to_owned(),
                    files: place.files,
                    found: place.found,
                })
                .collect(),
        };
        let note = certificate.sign(&*signer).map_err(not_certified)?;
        Ok((certificate, note))
    }

    /// Returns the contents of the entries that a purge took. `plan` is that of the newest purge if
    /// `None`.
    pub(in crate::archive) fn contents_purged_by(&self, plan: Option<&str>) -> Result<Vec<BlobId>> {
        let purges = self.purges(plan)?;
        self.refuse_undestroyed(&purges)?;
        let entries = self.purged_entries(&purges)?;
        Ok(entries.iter().flat_map(Going::blobs).collect())
    }

    /// Refuses a purge that can be undone, or that was.
    fn refuse_undestroyed(&self, purges: &[Event]) -> Result<()> {
        let Some(Body::PurgedEntries(fact)) = purges.first().map(|event| &event.body) else {
            return Ok(());
        };
        self.refuse_pending(&fact.plan_id)?;
        let view = self.store().index.view();
        for event in purges {
            // Only whole entries come back, and only where the purge had a grace period.
            let Body::PurgedEntries(fact) = &event.body else {
                continue;
            };
            if fact.final_at.is_none() {
                continue;
            }
            for id in fact
                .entries
                .iter()
                .take(usize::try_from(DESCRIBED_MAX).unwrap_or(usize::MAX))
            {
                if view
                    .entry(id)?
                    .is_some_and(|entry| entry.purged_at.is_none())
                {
                    let told = format!("the purge by plan {} was undone", fact.plan_id);
                    return Err(Error::new(ErrorKind::Refused, told));
                }
            }
        }
        Ok(())
    }

    fn certifier(&self) -> Result<Arc<dyn Signer>> {
        let signer = self.store().signing.signer();
        signer.filter(|_| self.is_writable()).ok_or_else(no_key)
    }

    fn origin(&self) -> TextLine {
        (&KeyName::of_store(&self.store().id)).into()
    }

    fn who(&self) -> String {
        let actor = self.actor().map(|actor| &**actor);
        actor.unwrap_or(&self.store().options.actor).id.clone()
    }

    fn event(&self, seq: EventSeq) -> Result<Event> {
        let missing = || Error::new(ErrorKind::Damaged, format!("event {seq} is missing"));
        let leaf = self.events(seq, Some(seq))?.next().ok_or_else(missing)??;
        decode(seq, leaf.bytes())
    }

    fn events_of_attempt(&self, entry: EntryId, attempt: AttemptNo) -> Result<(Event, Event)> {
        let source = self.event(entry.event())?;
        let spelled = format!("\"entry\":{entry}");
        for leaf in self.events(entry.event(), None)? {
            let leaf = leaf?;
            if !leaf.line.contains(&spelled) {
                continue;
            }
            let event = decode(leaf.seq, leaf.bytes());
            if let Ok(event) = event
                && let Body::Converted(fact) = &event.body
                && (fact.entry, fact.attempt) == (entry, attempt)
            {
                return Ok((source, event));
            }
        }
        let said = format!("the event of attempt {attempt} over entry {entry} is missing");
        Err(Error::new(ErrorKind::Damaged, said))
    }

    /// Returns the events of the purge by a plan, or of the newest purge that was not undone.
    fn purges(&self, plan: Option<&str>) -> Result<Vec<Event>> {
        const KINDS: [&str; 2] = ["\"annals.purged.v1\"", "\"annals.purge.undone.v1\""];
        let mut purges: BTreeMap<String, Vec<Event>> = BTreeMap::new();
        let mut plans: Vec<String> = Vec::new();
        for leaf in self.events(EventSeq(1), None)? {
            let leaf = leaf?;
            if !KINDS.iter().any(|kind| leaf.line.contains(kind)) {
                continue;
            }
            let Ok(event) = decode(leaf.seq, leaf.bytes()) else {
                continue;
            };
            match &event.body {
                Body::PurgedEntries(fact) => {
                    let of = fact.plan_id.clone();
                    if plans.last() != Some(&of) {
                        plans.push(of.clone());
                    }
                    purges.entry(of).or_default().push(event);
                }
                Body::PurgeUndone(fact) => plans.retain(|plan| *plan != fact.plan_id),
                _ => {}
            }
        }
        let newest = plan.map(str::to_owned).or_else(|| plans.pop());
        let found = newest.and_then(|plan| purges.remove(&plan));
        found.ok_or_else(|| {
            let said = match plan {
                Some(plan) => format!("no purge was made by plan '{plan}'"),
                None => "nothing was purged in this store".to_owned(),
            };
            Error::new(ErrorKind::NotFound, said)
                .hint("'annals events --type purged' shows all purges")
        })
    }

    fn purged_entries(&self, purges: &[Event]) -> Result<Vec<Going>> {
        let snapshot = self.snapshot()?;
        let mut entries: Vec<Going> = Vec::new();
        for event in purges {
            let Body::PurgedEntries(fact) = &event.body else {
                continue;
            };
            if fact.count + entries.len() as u64 > DESCRIBED_MAX {
                let said = format!(
                    "a certificate names at most {DESCRIBED_MAX} entries, and this purge took {}",
                    fact.count
                );
                return Err(Error::new(ErrorKind::Invalid, said)
                    .hint("purge in smaller parts, or export the log as evidence"));
            }
            for id in fact.entries.iter() {
                // Several parts of an entry may have gone.
                if let Some(known) = entries.iter_mut().find(|going| going.entry.id == id) {
                    known.parts.push(fact.what());
                } else {
                    let parts = vec![fact.what()];
                    let entry = snapshot.entry(id)?;
                    entries.extend(entry.map(|entry| Going { entry, parts }));
                }
            }
        }
        Ok(entries)
    }
}

fn proven(proof: EventProof) -> ProvenLine {
    ProvenLine {
        line: proof.line,
        proof: proof.proof,
    }
}

/// An entry of which a purge took something.
struct Going {
    entry: Entry,
    parts: Vec<Part>,
}

impl Going {
    fn has_source(&self) -> bool {
        let with_source = |part: &Part| matches!(part, Part::Entry | Part::Source);
        !self.entry.facts_only && self.parts.iter().any(with_source)
    }

    fn attempts(&self) -> impl Iterator<Item = &Attempt> {
        let goes = |attempt: &&Attempt| {
            let takes = |part: &Part| match part.through() {
                Some(through) => attempt.attempt <= through,
                None => *part == Part::Entry,
            };
            self.parts.iter().any(takes)
        };
        self.entry.attempts.iter().filter(goes)
    }

    fn blobs(&self) -> impl Iterator<Item = BlobId> + '_ {
        let source = self.has_source().then_some(self.entry.blake3);
        let reports = self.attempts().flat_map(|attempt| &attempt.reports);
        source
            .into_iter()
            .chain(reports.map(|report| report.blake3))
    }
}

/// Returns what became of each content that went.
fn fates(going: &Going, traces: &Traces) -> Vec<DestroyedContent> {
    let fate = |blob: &BlobId| match (traces.needed.get(blob), traces.found.get(blob)) {
        (Some(needed), _) => ContentFate::Shared(*needed),
        (None, Some(places)) => ContentFate::Waiting(*places),
        (None, None) => ContentFate::Destroyed,
    };
    let entry = &going.entry;
    let mut fates = Vec::new();
    if going.has_source() {
        fates.push(DestroyedContent {
            entry: entry.id,
            what: "source".to_owned(),
            sha256: entry.sha256,
            size: entry.size,
            fate: fate(&entry.blake3),
        });
    }
    for attempt in going.attempts() {
        for (number, report) in attempt.reports.iter().enumerate() {
            fates.push(DestroyedContent {
                entry: entry.id,
                what: format!("report {number} of attempt {}", attempt.attempt),
                sha256: report.sha256,
                size: report.size,
                fate: fate(&report.blake3),
            });
        }
    }
    fates
}

fn not_certified(error: SignCertificateError) -> Error {
    match error {
        SignCertificateError::Sign(error) => cannot_sign(error),
        SignCertificateError::Certificate(error @ CertificateError::TooLong(_)) => {
            Error::new(ErrorKind::Invalid, error.to_string())
                .hint("'annals export' writes evidence of any length")
        }
        other => Error::new(ErrorKind::Damaged, other.to_string()),
    }
}
