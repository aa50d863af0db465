//! An auditor asked for the proofs of ten units, and each took as long as reading the log. Now a
//! file sums the log up; these tests delete it, damage it and exchange it, and ask again.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::*;
use crate::archive::state::tree_file::TREE_FILE;
use crate::archive::{Access, NewAttempt, NewEntry, Options};
use crate::disk::sim::SimDisk;
use crate::entry::Outcome;
use crate::evidence::key::SecretKey;
use crate::evidence::note::{KeyName, VerifierKey};

/// Entries of the sample, with their attempts more than four groups of 256 events.
const ENTRIES: u64 = 400;

fn key_of(archive: &Archive) -> SecretKey {
    SecretKey::from_seed(KeyName::of_store(&archive.store_id()), &[5; 32])
}

/// Archives entries, with attempts that come long after most of them.
fn fill(archive: &Archive, entries: u64) -> Vec<EntryId> {
    let put = |number: u64| {
        let content = number.to_le_bytes();
        archive
            .put(NewEntry::new("ICT"), &content[..])
            .expect("archived")
            .id
    };
    let ids: Vec<EntryId> = (0..entries).map(put).collect();
    for id in &ids {
        let attempt = NewAttempt::new(Outcome::Success, "ICT").reports(vec![b"made".to_vec()]);
        archive.record_attempt(*id, attempt).expect("recorded");
    }
    ids
}

fn store(disk: &SimDisk) -> (Archive, Vec<EntryId>, Vec<VerifierKey>) {
    let archive = Archive::create_on(Arc::new(disk.clone()), Options::default()).expect("a store");
    let key = key_of(&archive);
    let trusted = vec![key.verifier().clone()];
    archive.begin_signing(Arc::new(key)).expect("signs");
    let ids = fill(&archive, ENTRIES / 2);
    archive.seal().expect("sealed");
    let ids = ids.into_iter().chain(fill(&archive, ENTRIES / 2)).collect();
    (archive, ids, trusted)
}

/// Proves some entries, and that each proof holds and has both events of its entry.
fn prove_some(archive: &Archive, ids: &[EntryId], trusted: &[VerifierKey]) {
    for id in ids.iter().step_by(37).chain(ids.last()) {
        let proof = archive.prove(*id).expect("proven");
        let signed = proof.verify(trusted).expect("holds");
        assert_eq!(proof.events().len(), 2, "entry {id}");
        let seqs: Vec<EventSeq> = proof
            .events()
            .iter()
            .map(|event| EventSeq(event.index + 1))
            .collect();
        assert_eq!(seqs[0], id.event());
        // One pass over the leaves makes the same hashes.
        let made = from_leaves(&archive.store().log, &signed, &seqs).expect("made");
        for event in proof.events() {
            assert_eq!(made[&EventSeq(event.index + 1)], event.hashes);
        }
    }
}

fn summed(disk: &SimDisk) -> Vec<u8> {
    disk.content(TREE_FILE).expect("there")
}

#[test]
fn proofs_from_the_summed_up_tree__are_those_from_the_log() {
    let disk = SimDisk::new();
    let (archive, ids, trusted) = store(&disk);
    prove_some(&archive, &ids, &trusted);
    let before = summed(&disk);
    // What comes later is added to it.
    let more = fill(&archive, ENTRIES);
    prove_some(&archive, &more, &trusted);
    prove_some(&archive, &ids, &trusted);
    let after = summed(&disk);
    assert!(after.len() > before.len() && after.starts_with(&before));
}

#[test]
fn a_file_that_is_gone_damaged_or_of_another_history__is_made_again() {
    let disk = SimDisk::new();
    let (archive, ids, trusted) = store(&disk);
    prove_some(&archive, &ids, &trusted);
    let good = summed(&disk);
    let (other, more, _) = store(&SimDisk::new());
    let _ = other.prove(more[0]).expect("proven");
    let exchange = |bytes: Option<&[u8]>| {
        archive.store().tree.lock().expect("free").take();
        disk.lose(TREE_FILE).expect("there");
        if let Some(bytes) = bytes {
            disk.plant(TREE_FILE, bytes).expect("planted");
        }
        prove_some(&archive, &ids, &trusted);
        assert_eq!(summed(&disk), good);
    };
    exchange(None);
    exchange(Some(&good[..good.len() - 100]));
    exchange(Some(b"no tree"));
    let mut cut_header = good.clone();
    cut_header[9] ^= 1;
    exchange(Some(&cut_header));
    // A node, at the end of the first group.
    let mut node = good.clone();
    node[64 + 1024] ^= 1;
    exchange(Some(&node));
    // The file of a copy that went on in another way.
    let mut foreign = good.clone();
    let length = foreign.len();
    foreign[64..].rotate_left(1);
    assert_eq!(foreign.len(), length);
    exchange(Some(&foreign));
}

/// The file says which events are about an entry. A flipped bit there must not hide one of them.
#[test]
fn a_damaged_list_of_events__hides_none() {
    let disk = SimDisk::new();
    let (archive, ids, trusted) = store(&disk);
    prove_some(&archive, &ids, &trusted);
    let good = summed(&disk);
    for at in [64, 64 + 512, 64 + 1023] {
        let mut damaged = good.clone();
        damaged[at] ^= 4;
        archive.store().tree.lock().expect("free").take();
        disk.lose(TREE_FILE).expect("there");
        disk.plant(TREE_FILE, &damaged).expect("planted");
        prove_some(&archive, &ids, &trusted);
        assert_eq!(summed(&disk), good, "it is made again");
    }
}

#[test]
fn a_store_that_is_only_read__is_proven_with_the_file_and_without_it() {
    let disk = SimDisk::new();
    let (archive, ids, trusted) = store(&disk);
    archive.checkpoint().expect("signed");
    archive.close().expect("closed");
    let options = || Options::default().access(Access::ReadOnly);
    let open = || Archive::open_on(Arc::new(disk.clone()), options()).expect("opens");
    prove_some(&open(), &ids, &trusted);
    assert!(disk.content(TREE_FILE).is_err(), "reading writes nothing");
    let writing = Archive::open_on(Arc::new(disk.clone()), Options::default()).expect("opens");
    let key = key_of(&writing);
    writing.begin_signing(Arc::new(key)).expect("signs");
    prove_some(&writing, &ids, &trusted);
    writing.close().expect("closed");
    prove_some(&open(), &ids, &trusted);
}

/// Measures proofs and a checkpoint on a log of a million events. Run it with `--ignored` and
/// `--release`.
#[test]
#[ignore = "makes a log of a million events"]
fn a_proof_of_a_million_events__takes_a_millisecond() {
    const EVENTS: u64 = 1_000_000;
    let dir = tempfile::tempdir().expect("a folder");
    let archive = Archive::builder()
        .create(dir.path().join("store"))
        .expect("a store");
    let key = key_of(&archive);
    archive.begin_signing(Arc::new(key)).expect("signs");
    let mut pending = Vec::new();
    for _ in 0..EVENTS {
        pending.push(
            archive
                .begin_put(NewEntry::new("ICT"), &b"content"[..])
                .expect("taken"),
        );
        if pending.len() == 1_000 {
            for one in pending.drain(..) {
                one.wait().expect("archived");
            }
        }
    }
    let time = |what: &str, limit: Duration, work: &mut dyn FnMut(u64)| {
        let mut took: Vec<Duration> = (0..21)
            .map(|turn| {
                let begun = Instant::now();
                work(turn);
                begun.elapsed()
            })
            .collect();
        took.sort_unstable();
        println!("{what}: median {:?}, worst {:?}", took[10], took[20]);
        assert!(took[10] < limit, "{what}: {:?}", took[10]);
    };
    let begun = Instant::now();
    let _ = archive.prove_events(&[EventSeq(7)]).expect("proven");
    println!("first proof: {:?}", begun.elapsed());
    time("proof of an event", Duration::from_millis(1), &mut |turn| {
        let seq = EventSeq(10 + turn * 47_000);
        let _ = archive.prove_events(&[seq]).expect("proven");
    });
    time("proof of an entry", Duration::from_millis(4), &mut |turn| {
        let _ = archive.prove(EntryId(10 + turn * 47_000)).expect("proven");
    });
    let _ = archive
        .put(NewEntry::new("ICT"), &b"one"[..])
        .expect("archived");
    time("checkpoint", Duration::from_millis(5), &mut |_| {
        let _ = archive
            .put(NewEntry::new("ICT"), &b"one"[..])
            .expect("archived");
        let _ = archive.checkpoint().expect("signed");
    });
    assert!(Path::new(&dir.path().join("store").join(TREE_FILE)).is_file());
    archive.close().expect("closed");
}
