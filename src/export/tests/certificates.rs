//! Statements that are handed to customers and authorities.

use super::sample::{Plant, STORE};
use crate::entry::{Meta, Outcome, Unit};
use crate::event::{Body, BundleFile, Converted, ConverterRegistered, Event};
use crate::evidence::dsse::{Envelope, IN_TOTO};
use crate::evidence::note::{KeyName, TextLine};
use crate::evidence::proof::inclusion_at;
use crate::evidence::tlog_proof::TlogProof;
use crate::evidence::tree::leaf_hash;
use crate::export::certificate::{
    self, CertificateError, CertificateRefused, ContentFate, DestroyedContent,
    DestructionCertificate, Looked, ProvenLine, RestoreCertificate, RestoredAs,
    SignCertificateError,
};
use crate::export::lines::event_of;
use crate::id::{AttemptNo, BlobId, ConverterId, EntryId, Sha256};
use crate::time::Timestamp;

fn event(plant: &Plant, seq: usize) -> Event {
    event_of(plant.lines[seq - 1].as_bytes()).expect("an event")
}

fn origin() -> TextLine {
    (&KeyName::of_store(&STORE)).into()
}

fn proven(plant: &Plant, seq: usize) -> ProvenLine {
    let (size, index) = (plant.lines.len() as u64, seq as u64 - 1);
    let hashes = plant.lines.iter().map(|line| leaf_hash(line.as_bytes()));
    let hashes = inclusion_at(size, index, hashes).expect("in the log");
    ProvenLine {
        line: plant.lines[seq - 1].clone(),
        proof: TlogProof::new(index, hashes, &plant.sign()),
    }
}

fn restored(plant: &Plant, seq: usize, file: &str) -> RestoreCertificate {
    RestoreCertificate {
        origin: origin(),
        by: "kari".into(),
        at: event(plant, plant.lines.len()).time,
        file: file.into(),
        form: RestoredAs::File,
        checks: vec!["sha256".into(), "read back".into()],
        archived: proven(plant, seq),
    }
}

/// A customer asks what a report was made of.
#[test]
fn a_conversion__is_an_in_toto_statement() {
    let plant = Plant::busy();
    let text = certificate::conversion(&event(&plant, 2), &event(&plant, 6), None).expect("made");
    let read: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(read["_type"], "https://in-toto.io/Statement/v1");
    assert_eq!(read["predicateType"], certificate::CONVERSION_PREDICATE);
    let report = Sha256::of(b"{\"sn\":\"SN1\"}");
    assert_eq!(
        read["subject"][0]["digest"]["sha256"],
        *report.to_string().as_str()
    );
    assert_eq!(read["subject"][0]["name"], "entry-2-attempt-2-report-0");
    let source = Sha256::of(b"serial,SN1\n");
    assert_eq!(
        read["predicate"]["source"]["digest"]["sha256"],
        *source.to_string().as_str()
    );
    assert_eq!(read["predicate"]["events"]["converted"], 6);
    let named = certificate::read_conversion(text.as_bytes()).expect("a statement");
    let named: Vec<Sha256> = named.iter().map(|named| named.sha256).collect();
    assert_eq!(named, [report, source]);
    let envelope = Envelope::sign(IN_TOTO, text.as_bytes(), &plant.key()).expect("signed");
    assert!(envelope.verify(IN_TOTO, &[plant.vkey()]).is_ok());
    let wrong = certificate::conversion(&event(&plant, 3), &event(&plant, 6), None);
    assert!(
        matches!(wrong, Err(CertificateError::Entry { .. })),
        "{wrong:?}"
    );
    let wrong = certificate::conversion(&event(&plant, 6), &event(&plant, 6), None);
    assert!(
        matches!(wrong, Err(CertificateError::Kind { .. })),
        "{wrong:?}"
    );
}

#[test]
fn the_converter_of_a_statement__is_named_with_its_files() {
    let mut plant = Plant::busy();
    let identity = ConverterId::from_bytes([9; 32]);
    let failed = Converted {
        entry: EntryId(2),
        attempt: AttemptNo(3),
        outcome: Outcome::Failed,
        converter: "ICT".into(),
        converter_version: None,
        converter_id: Some(identity),
        arguments: Meta::new(),
        duration_ms: None,
        error: Some("no".into()),
        warnings: Vec::new(),
        sandbox: Vec::new(),
        unit: Unit::default(),
        reports: Vec::new(),
        submit: None,
        job: None,
        extent: None,
        suspicious: Vec::new(),
    };
    let blob = plant.content(b"print()");
    let known = ConverterRegistered {
        converter_id: identity,
        name: "ICT".into(),
        version: None,
        command: vec!["python3".into(), "ict.py".into()],
        mode: "oneshot".into(),
        environment: "python 3.13".into(),
        bundle: vec![BundleFile {
            name: "ict.py".into(),
            blob,
        }],
    };
    let made = Converted {
        reports: vec![plant.content(b"{}")],
        ..failed.clone()
    };
    let seq = plant.record(Body::Converted(made)).0;
    let attempt = event(&plant, usize::try_from(seq).expect("few"));
    let of = |known| {
        let text = certificate::conversion(&event(&plant, 2), &attempt, known).expect("made");
        let read: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        read["predicate"]["converter"].clone()
    };
    let converter = of(Some(&known));
    assert_eq!(
        converter["bundle"][0]["digest"]["sha256"],
        *blob.sha256.to_string().as_str()
    );
    assert_eq!(converter["command"][1], "ict.py");
    // Another converter's record says nothing about this attempt.
    let other = ConverterRegistered {
        converter_id: ConverterId::from_bytes([8; 32]),
        ..known.clone()
    };
    assert_eq!(of(Some(&other))["bundle"], serde_json::Value::Null);
    let seq = plant.record(Body::Converted(failed)).0;
    let failed = event(&plant, usize::try_from(seq).expect("few"));
    let none = certificate::conversion(&event(&plant, 2), &failed, None);
    assert_eq!(none, Err(CertificateError::NoReport(3)));
}

/// An authority has a file and its certificate, and no store.
#[test]
fn a_restored_file__is_certified_to_be_what_came_in() {
    let plant = Plant::busy();
    let made = restored(&plant, 2, "2_SN1.csv");
    let note = made.sign(&plant.key()).expect("signed").to_string();
    assert!(certificate::is_certificate(&note));
    let beginning = format!(
        "annals restore certificate v1\nlog {}\nrestored by \"kari\"\nrestored at {}\n\
         file \"2_SN1.csv\"\nform file\nchecked \"sha256\"\nchecked \"read back\"\nentry 2\n\
         archived at {}\nname \"SN1.csv\"\nsize 11\nsha256 {}\nblake3 {}\nevent ",
        origin(),
        made.at,
        event(&plant, 2).time,
        Sha256::of(b"serial,SN1\n"),
        BlobId::of(b"serial,SN1\n"),
    );
    assert!(note.starts_with(&beginning), "{note}");
    let trusted = [plant.vkey()];
    let read = RestoreCertificate::verify(note.as_bytes(), &trusted).expect("holds");
    assert_eq!(read, made);
    for (from, to) in [
        ("kari", "mia"),
        ("size 11", "size 12"),
        ("entry 2", "entry 3"),
    ] {
        let changed = note.replacen(from, to, 1);
        assert!(RestoreCertificate::verify(changed.as_bytes(), &trusted).is_err());
    }
    let mut thief = plant.clone();
    thief.seed = 8;
    let note = made.sign(&thief.key()).expect("signed").to_string();
    assert!(RestoreCertificate::verify(note.as_bytes(), &trusted).is_err());
}

/// Whoever has the key of a log could sign that a file came in that never did.
#[test]
fn a_certificate__needs_the_event_it_rests_on() {
    let plant = Plant::busy();
    let trusted = [plant.vkey()];
    let refused = |made: &RestoreCertificate| {
        let note = made.sign(&plant.key()).expect("signed").to_string();
        RestoreCertificate::verify(note.as_bytes(), &trusted).expect_err("refused")
    };
    let mut invented = restored(&plant, 2, "x");
    let other = Sha256::of(b"other").to_string();
    let own = Sha256::of(b"serial,SN1\n").to_string();
    invented.archived.line = invented.archived.line.replace(&own, &other);
    assert!(matches!(
        refused(&invented),
        CertificateRefused::NotProven(_)
    ));
    let mut moved = restored(&plant, 2, "x");
    moved.archived.proof = proven(&plant, 3).proof;
    assert!(matches!(refused(&moved), CertificateRefused::NotProven(_)));
    // Nor is it one of another event, or of another log.
    let purge = restored(&plant, 10, "x").sign(&plant.key());
    assert!(matches!(
        purge,
        Err(SignCertificateError::Certificate(
            CertificateError::Kind { .. }
        ))
    ));
    let mut elsewhere = restored(&plant, 2, "x");
    elsewhere.origin = TextLine::new("annals/other").expect("a line");
    assert!(matches!(
        refused(&elsewhere),
        CertificateRefused::OtherLog(_)
    ));
}

/// A file name with a line feed must not become a line of a certificate.
#[test]
fn a_name__never_becomes_a_line() {
    let mut plant = Plant::new();
    plant.archive("a\nsha256 0000.csv", b"1");
    let made = restored(&plant, 2, "x\nform companions");
    let note = made.sign(&plant.key()).expect("signed").to_string();
    assert_eq!(note.matches("\nsha256").count(), 1, "{note}");
    assert_eq!(note.matches("\nform").count(), 1, "{note}");
    let read = RestoreCertificate::verify(note.as_bytes(), &[plant.vkey()]);
    assert_eq!(read, Ok(made));
}

#[test]
fn what_was_destroyed__is_told_with_what_was_not_looked_at() {
    let plant = Plant::busy();
    let content = |fate| DestroyedContent {
        entry: EntryId(3),
        what: "source".into(),
        sha256: Sha256::of(b"serial,SN2\n"),
        size: 11,
        fate,
    };
    let made = |fate| DestructionCertificate {
        origin: origin(),
        by: "kari".into(),
        at: Timestamp::from_micros(1_772_355_600_000_000),
        purged: vec![proven(&plant, 10)],
        entries: vec![event(&plant, 3)],
        contents: vec![content(fate)],
        looked: vec![Looked {
            place: "packs".into(),
            files: 3,
            found: 0,
        }],
    };
    let trusted = [plant.vkey()];
    let signed = |made: &DestructionCertificate| {
        let note = made.sign(&plant.key()).expect("signed").to_string();
        DestructionCertificate::verify(note.as_bytes(), &trusted).expect("holds")
    };
    let gone = made(ContentFate::Destroyed);
    let text = signed(&gone);
    for line in [
        "purge 10 at ",
        "rule \"older than 90d\"\n",
        "from 3 to 3\n",
        "entry 3 ",
        ": destroyed\n",
        "looked at packs: 3 files, 0 found\n",
        "not looked at: backups",
        "result: all contents",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert!(signed(&made(ContentFate::Shared(2))).contains("result: all contents"));
    let left = signed(&made(ContentFate::Waiting(1)));
    assert!(left.contains("result: some contents are not freed yet"));
    let refused = |made: &DestructionCertificate| match made.sign(&plant.key()) {
        Err(SignCertificateError::Certificate(error)) => error,
        other => panic!("{other:?}"),
    };
    let mut other = gone.clone();
    other.entries = vec![event(&plant, 2)];
    assert_eq!(refused(&other), CertificateError::NotPurged(2));
    let mut none = gone.clone();
    none.purged.clear();
    assert_eq!(refused(&none), CertificateError::Nothing);
    let mut kind = gone.clone();
    kind.purged = vec![proven(&plant, 2)];
    assert!(matches!(refused(&kind), CertificateError::Kind { .. }));
    let mut moved = gone;
    moved.purged[0].proof = proven(&plant, 9).proof;
    let note = moved.sign(&plant.key()).expect("signed").to_string();
    assert!(DestructionCertificate::verify(note.as_bytes(), &trusted).is_err());
}
