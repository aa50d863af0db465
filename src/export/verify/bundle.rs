//! The signed checkpoint of a bundle, and the `exported` event that it covers.

use std::path::Path;

use super::files::{Files, Listed, small};
use super::outcome::{Verdict, Verified};
use super::trust::Trust;
use crate::disk::{Disk, OpenMode};
use crate::event::Event;
use crate::evidence::checkpoint::{Checkpoint, OpenError, SignedCheckpoint};
use crate::evidence::note::{Note, VerifierKey, VerifyError};
use crate::export::bag;
use crate::export::lines::event_of;
use crate::export::scope::{BUNDLE_FORMAT, Exported};
use crate::format::leaf::LEAF_BYTES_MAX;
use crate::id::Sha256;

/// A bundle whose checkpoint could be read.
pub(super) struct Bundle<'a> {
    pub(super) disk: &'a dyn Disk,
    pub(super) files: Files,
    /// The lines are not those that the manifest lists.
    pub(super) events_differ: bool,
    /// The keys that proofs are compared with.
    pub(super) keys: Vec<VerifierKey>,
    /// The exact bytes of the checkpoint.
    pub(super) note: Vec<u8>,
    pub(super) checkpoint: Checkpoint,
    /// The last line, if it is an `exported` event. It is not known yet whether it was signed.
    pub(super) last: Option<Event>,
    /// Its payload, if this version can read it.
    pub(super) exported: Option<Exported>,
}

impl<'a> Bundle<'a> {
    /// Reads the checkpoint and looks at the last line. Returns `None` when the rest would mean
    /// nothing.
    pub(super) fn open(
        disk: &'a dyn Disk,
        listed: Listed,
        trust: &Trust,
        found: &mut Verified,
    ) -> Option<Self> {
        if !listed.files.contains_key(bag::CHECKPOINT) || !listed.files.contains_key(bag::EVENTS) {
            return None;
        }
        let bytes = small(disk, bag::CHECKPOINT).unwrap_or_default();
        let note = match Note::parse(&bytes) {
            Ok(note) => note,
            Err(error) => {
                found.find(Verdict::Tampered, "signature", bag::CHECKPOINT, error);
                return None;
            }
        };
        let checkpoint = match Checkpoint::parse(note.text()) {
            Ok(checkpoint) => checkpoint,
            Err(error) => {
                found.find(Verdict::Tampered, "signature", bag::CHECKPOINT, error);
                return None;
            }
        };
        found.origin = checkpoint.origin.to_string();
        found.tree_size = checkpoint.size;
        found.root = Some(Sha256::from_bytes(checkpoint.root));
        let keys = signatures(disk, note.clone(), trust, found);
        let last = last_line(disk).and_then(|line| event_of(&line));
        let last = last.filter(|event| event.seq.0 == checkpoint.size);
        let last = last.filter(|event| event.body.kind() == Exported::KIND);
        let exported = last.as_ref().and_then(Exported::of);
        Some(Self {
            disk,
            files: listed.files,
            events_differ: listed.events_differ,
            keys,
            note: bytes,
            checkpoint,
            last,
            exported: exported.filter(|exported| exported.format <= BUNDLE_FORMAT),
        })
    }
}

/// Checks who signed the checkpoint. Returns the keys that proofs are compared with: the trusted
/// ones that signed, or else those that the bundle brings along, which tells at least whether it
/// agrees with itself.
fn signatures(
    disk: &dyn Disk,
    note: Note,
    trust: &Trust,
    found: &mut Verified,
) -> Vec<VerifierKey> {
    let listed = listed_keys(disk, found);
    match SignedCheckpoint::from_note(note, &trust.vkeys) {
        Ok(signed) => {
            let keys = signed.signed_by().to_vec();
            found.signed_by = keys.iter().map(ToString::to_string).collect();
            let is_listed = keys.iter().any(|key| listed.contains(key));
            if !is_listed && small(disk, bag::VKEYS).is_some() {
                let told = "it does not list the trusted key that signed the checkpoint";
                found.find(Verdict::Tampered, "signature", bag::VKEYS, told);
            }
            keys
        }
        Err(error) => {
            let verdict = if is_forged(&error) {
                Verdict::Tampered
            } else {
                Verdict::UntrustedKey
            };
            found.find(verdict, "signature", bag::CHECKPOINT, error);
            listed
        }
    }
}

/// Returns whether a signature claims to be of a trusted key and is not.
fn is_forged(error: &OpenError) -> bool {
    matches!(error, OpenError::Verify(VerifyError::WrongSignature(..)))
}

/// Reads the keys that the bundle brings along. They are for information only.
fn listed_keys(disk: &dyn Disk, found: &mut Verified) -> Vec<VerifierKey> {
    let Some(bytes) = small(disk, bag::VKEYS) else {
        return Vec::new();
    };
    let text = String::from_utf8_lossy(&bytes);
    let keys: Option<Vec<VerifierKey>> = text.lines().map(|line| line.parse().ok()).collect();
    let keys = keys.unwrap_or_default();
    let written: String = keys.iter().map(|key| format!("{key}\n")).collect();
    if written != *text {
        let told = "it is not a list of verifier keys, one a line";
        found.find(Verdict::Tampered, "signature", bag::VKEYS, told);
    }
    keys
}

/// Reads the last line of the events.
fn last_line(disk: &dyn Disk) -> Option<Vec<u8>> {
    let file = disk.open(Path::new(bag::EVENTS), OpenMode::Read).ok()?;
    let bytes = file.size().ok()?;
    let take = bytes.min(LEAF_BYTES_MAX as u64 + 2);
    let mut end = vec![0; usize::try_from(take).ok()?];
    file.read_exact_at(&mut end, bytes - take).ok()?;
    let line = end.strip_suffix(b"\n")?;
    let start = line.iter().rposition(|byte| *byte == b'\n');
    Some(line[start.map_or(0, |at| at + 1)..].to_vec())
}
