//! Statements that are handed to customers and authorities.

use super::sample::Plant;
use crate::event::Event;
use crate::evidence::note::{KeyName, TextLine};
use crate::export::certificate::{self, CertificateError};
use crate::export::lines::event_of;
use crate::id::Sha256;

fn event(plant: &Plant, seq: usize) -> Event {
    event_of(plant.lines[seq - 1].as_bytes()).expect("an event")
}

fn origin() -> TextLine {
    (&KeyName::of_store(&super::sample::STORE)).into()
}

/// A customer asks what a report was made of.
#[test]
fn a_conversion__is_an_in_toto_statement() {
    let plant = Plant::busy();
    let text = certificate::conversion(&event(&plant, 2), &event(&plant, 6)).expect("made");
    let read: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(read["_type"], "https://in-toto.io/Statement/v1");
    assert_eq!(read["predicateType"], certificate::CONVERSION_PREDICATE);
    let report = Sha256::of(b"{\"sn\":\"SN1\"}").to_string();
    assert_eq!(read["subject"][0]["digest"]["sha256"], report);
    assert_eq!(read["subject"][0]["name"], "entry-2-attempt-2-report-0");
    let source = Sha256::of(b"serial,SN1\n").to_string();
    assert_eq!(read["predicate"]["source"]["digest"]["sha256"], source);
    assert_eq!(read["predicate"]["events"]["converted"], 6);
    let note = certificate::sign(&text, &plant.key()).expect("signed");
    assert!(note.verify(&[plant.vkey()]).is_ok());
    let wrong = certificate::conversion(&event(&plant, 3), &event(&plant, 6));
    assert!(
        matches!(wrong, Err(CertificateError::Entry { .. })),
        "{wrong:?}"
    );
    let wrong = certificate::conversion(&event(&plant, 6), &event(&plant, 6));
    assert!(
        matches!(wrong, Err(CertificateError::Kind { .. })),
        "{wrong:?}"
    );
}

#[test]
fn what_was_given_back_or_destroyed__is_told_line_by_line() {
    let plant = Plant::busy();
    let at = event(&plant, 10).time;
    let text = certificate::restore(&origin(), &[event(&plant, 2)], "kari", at).expect("made");
    let expected = format!(
        "annals restore certificate v1\nlog {}\nrestored by \"kari\"\nrestored at {at}\n\
         entries 1\nentry 2 archived at {}\n  name \"SN1.csv\"\n  size 11\n  sha256 {}\n",
        origin(),
        event(&plant, 2).time,
        Sha256::of(b"serial,SN1\n")
    );
    assert_eq!(text, expected);
    let purge = event(&plant, 10);
    let text =
        certificate::destruction(&origin(), std::slice::from_ref(&purge), &[event(&plant, 3)]);
    let text = text.expect("made");
    for line in [
        "event 10 at ",
        "  rule \"older than 90d\"\n",
        "  from 3 to 3\n",
        "entry 3 ",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let wrong = certificate::destruction(&origin(), &[purge], &[event(&plant, 2)]);
    assert_eq!(wrong, Err(CertificateError::NotPurged(2)));
    let nothing = certificate::restore(&origin(), &[], "kari", at);
    assert_eq!(nothing, Err(CertificateError::Nothing));
    let note = certificate::sign(&text, &plant.key()).expect("signed");
    let mut other = plant.clone();
    other.seed = 8;
    assert!(note.verify(&[plant.vkey()]).is_ok() && note.verify(&[other.vkey()]).is_err());
}

/// A file name with a line feed must not become a line of a certificate.
#[test]
fn a_name__never_becomes_a_line() {
    let mut plant = Plant::new();
    plant.archive("a\n  sha256 0000.csv", b"1");
    let at = event(&plant, 2).time;
    let text = certificate::restore(&origin(), &[event(&plant, 2)], "x\ny", at).expect("made");
    assert!(text.contains("restored by \"x\\ny\"\n"), "{text}");
    assert_eq!(text.matches("\n  sha256").count(), 1, "{text}");
    assert!(certificate::sign(&text, &plant.key()).is_ok());
}
