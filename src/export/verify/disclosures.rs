//! Personal values: each has the digest of its leaf, and none of them was erased.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use super::bundle::Bundle;
use super::log::Authentic;
use super::outcome::{Verdict, Verified};
use crate::event::{Body, Event, digest_of, entry_with_values};
use crate::export::bag;
use crate::export::disclosed::DisclosedLine;
use crate::export::lines::{Lines, Next, event_of};
use crate::format::disclosure;
use crate::id::{EventSeq, Sha256};

/// Checks the personal values of a bundle that has any.
pub(super) fn check(bundle: &Bundle<'_>, log: &Authentic<'_>, found: &mut Verified) {
    if !bundle.files.contains_key(bag::DISCLOSURES) {
        return;
    }
    if let Err(error) = compare(bundle, log, found) {
        let told = format!("it cannot be read: {error}");
        found.find(Verdict::Unreadable, "disclosure", bag::DISCLOSURES, told);
    }
}

/// Goes through events and values side by side: both are in the order of the events.
fn compare(bundle: &Bundle<'_>, log: &Authentic<'_>, found: &mut Verified) -> io::Result<()> {
    let erased = erased(bundle)?;
    let mut events = Lines::open(bundle.disk, Path::new(bag::EVENTS))?;
    let mut values = Lines::open(bundle.disk, Path::new(bag::DISCLOSURES))?;
    let (mut text, mut line) = (Vec::new(), Vec::new());
    let mut event: Option<Event> = None;
    // How many values of the event were passed.
    let mut passed = 0;
    for number in 1_u64.. {
        match values.next(&mut text)? {
            Next::Line(_) => {}
            Next::End => break,
            Next::Cut | Next::NoLine => {
                let place = format!("{} line {number}", bag::DISCLOSURES);
                found.find(Verdict::Tampered, "disclosure", place, "it is no line");
                break;
            }
        }
        let place = format!("{} line {number}", bag::DISCLOSURES);
        let Ok(value) = serde_json::from_slice::<DisclosedLine>(&text) else {
            found.find(
                Verdict::Tampered,
                "disclosure",
                place,
                "it is no disclosure",
            );
            continue;
        };
        while event.as_ref().is_none_or(|event| event.seq < value.event) {
            let Next::Line(_) = events.next(&mut line)? else {
                event = None;
                break;
            };
            event = event_of(&line);
            passed = 0;
        }
        let told = match &event {
            Some(event) if event.seq == value.event => {
                let of_event = event.sealed.iter().enumerate().skip(passed);
                let at = of_event.filter(|(_, sealed)| {
                    Some(sealed.digest) == digest_of(&value.digest) && sealed.field == value.field
                });
                match at.map(|(at, _)| at).next() {
                    Some(at) => {
                        passed = at + 1;
                        wrong(&value, event, log, &erased)
                    }
                    None => Some("its event has no such digest, or it is out of order".to_owned()),
                }
            }
            _ => Some("its event is not in the bundle, or it is out of order".to_owned()),
        };
        match told {
            Some(told) => found.find(Verdict::Tampered, "disclosure", place, told),
            None => found.disclosures += 1,
        }
    }
    Ok(())
}

/// Returns what is wrong with a value whose digest is in its leaf.
fn wrong(
    value: &DisclosedLine,
    event: &Event,
    log: &Authentic<'_>,
    erased: &HashMap<String, EventSeq>,
) -> Option<String> {
    let bytes = value.disclosure.as_bytes();
    if Some(Sha256::of(bytes)) != digest_of(&value.digest) {
        return Some("it has not the digest of its leaf".to_owned());
    }
    match disclosure::parse(bytes) {
        Some((field, _)) if field == value.field => {}
        _ => return Some("it does not state the value of its field".to_owned()),
    }
    if let Some(by) = erased.get(&value.digest) {
        return Some(format!(
            "it was erased by event {by}, and should not be here"
        ));
    }
    let entry = entry_with_values(event.seq, &event.body)?;
    let purge = log
        .facts
        .entry(entry)
        .and_then(|entry| log.facts.purge_of(entry));
    purge.map(|purge| {
        format!(
            "its entry was purged by event {}, and it should not be here",
            purge.seq
        )
    })
}

/// Returns the digests that events erase, each with the event.
fn erased(bundle: &Bundle<'_>) -> io::Result<HashMap<String, EventSeq>> {
    let mut lines = Lines::open(bundle.disk, Path::new(bag::EVENTS))?;
    let mut erased = HashMap::new();
    let mut line = Vec::new();
    while let Next::Line(_) = lines.next(&mut line)? {
        if let Some(event) = event_of(&line)
            && let Body::Erased(fact) = event.body
        {
            erased.extend(fact.digests.into_iter().map(|digest| (digest, event.seq)));
        }
    }
    Ok(erased)
}
