//! Targets for what is handed to strangers: proofs of entries, certificates, in-toto statements.

use super::{STORE, signer};
use crate::entry::{Meta, Outcome, Retention, Unit};
use crate::event::{
    Actor, ActorKind, Archived, BlobRef, Body, ClockReading, Converted, Event, Source,
};
use crate::evidence::checkpoint::{Checkpoint, SignedCheckpoint};
use crate::evidence::dsse::{Envelope, IN_TOTO};
use crate::evidence::entry_proof::{EntryProof, ProvenEvent};
use crate::evidence::proof::ProofBuilder;
use crate::evidence::tlog_proof::TlogProof;
use crate::evidence::tree::{Frontier, leaf_hash};
use crate::export::certificate::{
    ProvenLine, RestoreCertificate, RestoredAs, conversion, read_conversion,
};
use crate::format::leaf;
use crate::id::{AttemptNo, BlobId, EntryId, EventSeq, Sha256};
use crate::time::Timestamp;

pub(super) fn entry_proof(bytes: &[u8]) {
    if let Ok(proof) = EntryProof::parse(bytes) {
        assert_eq!(proof.to_string().as_bytes(), bytes);
        // Also when the signature holds, any lines and hashes have to be verified without a panic.
        let trusted = [signer().verifier().clone()];
        if let Ok(signed) = proof.verify(&trusted) {
            let size = signed.checkpoint().size;
            assert!(proof.events().iter().all(|event| event.index < size));
        }
    }
}

pub(super) fn envelope(bytes: &[u8]) {
    if let Ok(envelope) = Envelope::parse(bytes) {
        let again = envelope.to_string();
        assert_eq!(Envelope::parse(again.as_bytes()), Ok(envelope.clone()));
        let trusted = [signer().verifier().clone()];
        if let Ok((statement, _)) = envelope.verify(IN_TOTO, &trusted) {
            let _ = read_conversion(statement);
        }
    }
}

pub(super) fn restore_certificate(bytes: &[u8]) {
    let trusted = [signer().verifier().clone()];
    if let Ok(read) = RestoreCertificate::verify(bytes, &trusted) {
        let again = read.sign(&signer()).expect("what was read can be written");
        let again = RestoreCertificate::verify(again.to_string().as_bytes(), &trusted);
        assert_eq!(again, Ok(read));
    }
}

/// The log of the samples: an entry of two events, and another one.
struct Sample {
    events: Vec<Event>,
    lines: Vec<String>,
    signed: SignedCheckpoint,
}

impl Sample {
    fn new() -> Self {
        let archived = |name: &str| {
            Body::Archived(Archived {
                converter: "ICT".into(),
                converter_version: None,
                source: Source::default().name(name).path(format!("/in/{name}")),
                blob: blob(b"source"),
                stored_size: 6,
                duplicate: false,
                unit: Unit::default().serial("SN1042"),
                meta: Meta::new(),
                arguments: Meta::new(),
                retention: Retention::days(90),
                key: None,
                facts_only: false,
            })
        };
        let converted = Body::Converted(Converted {
            entry: EntryId(1),
            attempt: AttemptNo(1),
            outcome: Outcome::Success,
            converter: "ICT".into(),
            converter_version: None,
            converter_id: None,
            arguments: Meta::new(),
            duration_ms: None,
            error: None,
            warnings: Vec::new(),
            sandbox: Vec::new(),
            unit: Unit::default(),
            reports: vec![blob(b"report")],
            submit: None,
            job: None,
            extent: None,
            suspicious: Vec::new(),
        });
        let bodies = [archived("SN1042.csv"), archived("SN1043.csv"), converted];
        let events = (1..).zip(bodies).map(|(seq, body)| Event {
            seq: EventSeq(seq),
            time: Timestamp::from_micros(1_772_355_600_000_000),
            actor: Actor::new(ActorKind::User, "kari"),
            clock: ClockReading {
                boot: "b1".into(),
                mono_ms: seq,
            },
            body,
            sealed: Vec::new(),
        });
        let events: Vec<Event> = events.collect();
        let line = |event: &Event| leaf::encode(&STORE, event).expect("a sound event");
        let lines: Vec<String> = events.iter().map(line).collect();
        let mut tree = Frontier::new();
        for line in &lines {
            tree.push(line.as_bytes());
        }
        let checkpoint = Checkpoint::of(signer().verifier().name().into(), &tree);
        let signed = SignedCheckpoint::sign(checkpoint, &[&signer()]).expect("a sound key");
        Self {
            events,
            lines,
            signed,
        }
    }

    fn proven(&self, indices: &[u64]) -> Vec<ProvenEvent> {
        let mut builder = ProofBuilder::new(self.lines.len() as u64);
        for index in indices {
            builder.want_inclusion(*index).expect("in range");
        }
        let hashes = self.lines.iter().map(|line| leaf_hash(line.as_bytes()));
        for hash in hashes {
            builder.push_hash(hash);
        }
        let mut proofs = builder.finish().expect("complete");
        let proven = indices.iter().zip(&self.lines).map(|(index, _)| {
            let hashes = proofs.inclusion.remove(index).expect("asked for");
            let line = &self.lines[usize::try_from(*index).expect("few")];
            ProvenEvent::new(*index, line.clone(), hashes)
        });
        proven.collect()
    }
}

fn blob(content: &[u8]) -> BlobRef {
    BlobRef {
        blake3: BlobId::of(content),
        sha256: Sha256::of(content),
        size: content.len() as u64,
    }
}

pub(super) fn sample_entry_proof() -> Vec<u8> {
    let sample = Sample::new();
    let proof = EntryProof::new(EntryId(1), sample.proven(&[0, 2]), &sample.signed);
    proof.to_string().into_bytes()
}

pub(super) fn sample_envelope() -> Vec<u8> {
    let sample = Sample::new();
    let statement = conversion(&sample.events[0], &sample.events[2], None).expect("a report");
    let signed = Envelope::sign(IN_TOTO, statement.as_bytes(), &signer()).expect("a sound key");
    signed.to_string().into_bytes()
}

pub(super) fn sample_restore_certificate() -> Vec<u8> {
    let sample = Sample::new();
    let proven = sample.proven(&[0]).remove(0);
    let made = RestoreCertificate {
        origin: sample.signed.checkpoint().origin.clone(),
        by: "kari".into(),
        at: sample.events[0].time,
        file: "1_SN1042.csv".into(),
        form: RestoredAs::File,
        checks: vec!["read back".into()],
        archived: ProvenLine {
            line: proven.line,
            proof: TlogProof::new(proven.index, proven.hashes, &sample.signed),
        },
    };
    let note = made.sign(&signer()).expect("a sound key");
    note.to_string().into_bytes()
}
