//! Bundles with personal values: what they must and must not have.

use std::convert::Infallible;

use super::recipes::recipes;
use super::sample::{Plant, look, replace, reseal};
use crate::disk::sim::SimDisk;
use crate::event::{Body, Erased, Event, PersonalField, Sealed};
use crate::export::{Verdict, Verified, What, WithContents};
use crate::format::disclosure::{self, Disclosure};
use crate::id::EventSeq;

const LINES: &str = "b/data/disclosures.jsonl";

/// A plant with a personal serial, its disclosure, and the event that states its digest.
fn plant() -> (Plant, Disclosure, EventSeq) {
    let mut plant = Plant::new();
    let mut body = plant.source("SN-KARI", b"x");
    let salt = || Ok::<_, Infallible>([3; disclosure::SALT_BYTES]);
    let Body::Archived(fact) = &mut body else {
        panic!("{body:?}");
    };
    fact.source = crate::event::Source::default();
    let mut made = disclosure::seal(&mut body, &[PersonalField::Serial], salt).expect("sealed");
    let made = made.pop().expect("one value");
    let seq = plant.record_sealed(body, vec![made.sealed()]);
    (plant, made, seq)
}

fn export(plant: &mut Plant, made: &Disclosure) -> SimDisk {
    let text = made.text.clone().into_bytes();
    let disclose = |event: &Event| {
        let values = event.sealed.iter().cloned();
        Ok(values
            .map(|sealed: Sealed| (sealed, text.clone()))
            .collect())
    };
    plant.export_disclosed(&disclose)
}

fn findings(found: &Verified) -> String {
    let told = found.findings.iter().map(|finding| finding.detail.as_str());
    told.collect::<Vec<_>>().join("; ")
}

#[test]
fn a_personal_value__has_the_digest_of_its_leaf() {
    let (mut plant, made, _) = plant();
    let disk = export(&mut plant, &made);
    let found = look(&disk, &plant.trust());
    assert_eq!(
        (found.verdict, found.disclosures),
        (Verdict::Intact, 1),
        "{}",
        findings(&found)
    );
    if let Some(green) = recipes(&disk, &plant.vkey().to_string()) {
        assert_eq!(green, [true, true]);
    }
    let lines = disk.content("b/data/events.jsonl").expect("there");
    assert!(!String::from_utf8_lossy(&lines).contains("SN-KARI"));
}

/// A bundle made with another value, with one twice, or with one of another event.
#[test]
fn a_value_that_was_changed__is_noticed() {
    let (mut plant, made, seq) = plant();
    let disk = export(&mut plant, &made);
    let line = String::from_utf8(disk.content(LINES).expect("there")).expect("text");
    let other = Disclosure::new([3; 16], PersonalField::Serial, &"SN-OLA".into());
    let event = format!("\"event\":{seq}");
    for wrong in [
        line.replace(&made.text, &other.text),
        line.replace(&event, "\"event\":1"),
        line.replace("\"serial\"", "\"part\""),
        format!("{line}{line}"),
        line.trim_end().to_owned(),
        "{}\n".to_owned(),
    ] {
        let disk = export(&mut plant, &made);
        replace(&disk, LINES, wrong.as_bytes());
        reseal(&disk);
        let found = look(&disk, &plant.trust());
        assert_eq!(found.verdict, Verdict::Tampered, "{wrong}");
    }
}

#[test]
fn an_erased_value__is_an_erasure_and_must_not_be_there() {
    let (mut plant, made, seq) = plant();
    plant.record(Body::Erased(Erased {
        field: "serial".into(),
        entries: crate::event::EntryRanges::of([seq.into()]),
        actor: None,
        digests: vec![crate::event::digest_text(&made.sealed().digest)],
        reason: "asked for".into(),
    }));
    let disk = plant.export(What::Whole, WithContents::No);
    let found = look(&disk, &plant.trust());
    assert_eq!(
        (found.verdict, found.erased),
        (Verdict::IntactWithErasures, 1)
    );
    if let Some(green) = recipes(&disk, &plant.vkey().to_string()) {
        assert_eq!(green, [true, true]);
    }
    let disk = export(&mut plant, &made);
    let found = look(&disk, &plant.trust());
    assert_eq!(found.verdict, Verdict::Tampered);
    assert!(
        findings(&found).contains("it was erased by event"),
        "{}",
        findings(&found)
    );
    if let Some(green) = recipes(&disk, &plant.vkey().to_string()) {
        assert_eq!(green, [false, false]);
    }
}
