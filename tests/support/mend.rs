//! What a repair made of a damaged store: all that could be read is there, and what is gone is
//! recorded.

use std::collections::BTreeMap;
use std::sync::Arc;

use annals::ErrorKind;
use annals::archive::{Archive, Depth, NewEntry, RepairOutcome};
use annals::disk::sim::SimDisk;
use annals::id::{BlobId, EntryId};

use super::golden::smallest;
use super::{Hourly, State};

/// What a repair came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// There was nothing to repair.
    Sound,
    /// Nothing was lost.
    Whole,
    /// Something was, and the log says what.
    Less,
    /// It says why it can't be done, and has changed nothing.
    Refused,
}

/// Repairs `disk`, and looks whether the store is what it should be: `sound`, less what it says is
/// lost. An error says what is not.
pub fn repair(disk: &SimDisk, sound: &State) -> Result<Fate, String> {
    repair_within(disk, sound, |_| true)
}

/// The same, and whether what was lost is no more than `least` allows.
pub fn repair_within(
    disk: &SimDisk,
    sound: &State,
    least: impl Fn(&RepairOutcome) -> bool,
) -> Result<Fate, String> {
    let before = disk.snapshot();
    let open = || Archive::repair_on(Arc::new(disk.clone()), smallest(&Hourly::new()));
    let repair = match open() {
        Ok(repair) => repair,
        Err(error) if error.message().contains("BUG") => return Err(error.to_string()),
        Err(error) => {
            let about_header = ["annals header", "FORMAT", "which store it is", "no store"];
            let told = about_header
                .iter()
                .any(|what| error.message().contains(what));
            let refuses = [ErrorKind::NoStore, ErrorKind::Unsupported].contains(&error.kind());
            return if told || refuses {
                Ok(Fate::Refused)
            } else {
                Err(format!("refused: {error}"))
            };
        }
    };
    let unchanged = content_of(disk) == content_of(&before);
    if !unchanged {
        return Err("planning changed something".to_owned());
    }
    let plan = repair.plan().clone();
    let only_index = plan
        .mends
        .iter()
        .all(|mend| mend.r#where.starts_with("index"));
    let outcome = repair
        .apply()
        .map_err(|error| format!("{error}; planned {plan:?}"))?;
    let told = |why: String| format!("{why}; planned {plan:?}, did {outcome:?}");
    if only_index && outcome.ok {
        primary_is_unchanged(disk, &before).map_err(told)?;
    }
    is_whole(disk, sound, &outcome).map_err(told)?;
    if !least(&outcome) {
        return Err(told("more is lost than was damaged".to_owned()));
    }
    // What is lost is told before it is done, and in the same words.
    if plan.lost_events != outcome.lost_events {
        return Err(told(
            "the plan and the outcome speak of other losses".to_owned(),
        ));
    }
    kept_what_it_replaced(disk, &before, &outcome).map_err(told)?;
    let again = open().map_err(|error| told(format!("a second look: {error}")))?;
    if !again.plan().mends.is_empty() {
        return Err(told(format!("a second look finds {:?}", again.plan())));
    }
    Ok(match (plan.mends.is_empty(), outcome.ok) {
        (true, _) => Fate::Sound,
        (false, true) => Fate::Whole,
        (false, false) => Fate::Less,
    })
}

/// Every file but the lock.
pub fn content_of(disk: &SimDisk) -> BTreeMap<String, Vec<u8>> {
    let files = disk.files().into_iter().filter(|(path, _)| path != "LOCK");
    files
        .map(|(path, _)| {
            let content = disk.content(&path).expect("there");
            (path, content)
        })
        .collect()
}

/// Opens the store for writing and asks for everything that was in it.
pub fn is_whole(disk: &SimDisk, sound: &State, outcome: &RepairOutcome) -> Result<(), String> {
    let clock = Hourly::new();
    let archive = Archive::open_on(Arc::new(disk.clone()), smallest(&clock))
        .map_err(|error| format!("opening: {error}"))?;
    if !archive.damage().is_empty() {
        return Err(format!("it is still damaged: {:?}", archive.damage()));
    }
    let report = archive
        .verify(Depth::Deep)
        .map_err(|error| format!("verifying: {error}"))?;
    if !report.ok {
        return Err(format!("verify: {:?}", report.findings));
    }
    let lost_events: u64 = outcome
        .lost_events
        .iter()
        .map(|(first, last)| last.0 + 1 - first.0)
        .sum();
    if report.known_losses.events != lost_events {
        return Err(format!(
            "{lost_events} events are called lost, verify knows of {}",
            report.known_losses.events
        ));
    }
    let lost = |seq: u64| {
        let ranges = outcome.lost_events.iter();
        ranges
            .clone()
            .any(|(first, last)| (first.0..=last.0).contains(&seq))
    };
    let snapshot = archive.snapshot().map_err(|error| error.to_string())?;
    for (id, promised) in &sound.entries {
        let entry = snapshot
            .entry(EntryId(*id))
            .map_err(|error| format!("entry {id}: {error}"))?;
        let Some(entry) = entry else {
            if lost(*id) || outcome.end_is_lost {
                continue;
            }
            return Err(format!("entry {id} is gone, and no event says so"));
        };
        let given_up = |blob: &BlobId| {
            let parts_too = !outcome.lost_contents.is_empty() && entry.size > 4_096;
            outcome.lost_contents.contains(blob) || parts_too
        };
        match archive.read_all(&entry.blake3, 1 << 20) {
            Ok(bytes) if Some(BlobId::of(&bytes)) == promised.content => {}
            Ok(_) => return Err(format!("entry {id} reads as something else")),
            Err(error) if error.kind() == ErrorKind::Damaged && given_up(&entry.blake3) => {}
            Err(error) => return Err(format!("entry {id}: {error}")),
        }
        let nothing_lost = outcome.lost_events.is_empty() && !outcome.end_is_lost;
        if entry.attempts.len() < promised.attempts.len() && nothing_lost {
            return Err(format!("attempts of entry {id} are gone"));
        }
        for report in entry.attempts.iter().flat_map(|attempt| &attempt.reports) {
            match archive.read_all(&report.blake3, 1 << 20) {
                Ok(_) => {}
                Err(_) if given_up(&report.blake3) => {}
                Err(error) => return Err(format!("a report of entry {id}: {error}")),
            }
        }
    }
    if outcome.ok {
        let state = State::observe(&archive).map_err(|error| error.to_string())?;
        if state != *sound {
            return Err(sound.difference(&state));
        }
    }
    drop(snapshot);
    let new = NewEntry::new("ICT");
    let content = b"archived after the repair";
    let put = archive
        .put(new, &content[..])
        .map_err(|error| format!("the next file: {error}"))?;
    archive
        .seal()
        .map_err(|error| format!("sealing: {error}"))?;
    archive
        .compact(None)
        .map_err(|error| format!("compacting: {error}"))?;
    let read = archive.read_all(&put.blob.blake3, 1 << 20);
    if read.map_err(|error| error.to_string())? != content {
        return Err("the next file reads as something else".to_owned());
    }
    let report = archive
        .verify(Depth::Deep)
        .map_err(|error| format!("verifying: {error}"))?;
    if !report.ok {
        return Err(format!("verify, later: {:?}", report.findings));
    }
    archive.close().map_err(|error| format!("closing: {error}"))
}

fn kept_what_it_replaced(
    disk: &SimDisk,
    before: &SimDisk,
    outcome: &RepairOutcome,
) -> Result<(), String> {
    for file in &outcome.files {
        let was = before.content(&file.path).ok();
        let kept = match &file.quarantine {
            Some(kept) => Some(
                disk.content(kept)
                    .map_err(|error| format!("{kept}: {error}"))?,
            ),
            None => None,
        };
        if was != kept {
            return Err(format!("{} is not kept as it was", file.path));
        }
    }
    Ok(())
}

/// The log and the packs that were there are there, byte for byte: a bad index never condemns what
/// it is made of.
fn primary_is_unchanged(disk: &SimDisk, before: &SimDisk) -> Result<(), String> {
    for (path, content) in content_of(before) {
        let is_log = path.starts_with("events/") || path.starts_with("packs/") || path == "FORMAT";
        if is_log && disk.content(&path).ok() != Some(content) {
            return Err(format!("{path} was touched for the sake of the index"));
        }
    }
    Ok(())
}
