//! A plant of some years asks for all of its evidence: time and memory are bounded.

use std::cell::Cell;
use std::fs;

use super::sample::{Plant, STORE};
use crate::evidence::checkpoint::{Checkpoint, SignedCheckpoint};
use crate::evidence::note::KeyName;
use crate::evidence::tree::Frontier;
use crate::export::{Exported, NewBundle, Tally, Verdict, What, WithContents, verify, write};
use crate::id::{BlobId, EventSeq, Sha256};
use crate::time::Stopwatch;

const EVENTS: u64 = 1_000_000;
const PEAK_KIB_MAX: u64 = 200 << 10;

fn line(seq: u64, kind: &str, data: &str) -> Vec<u8> {
    let seconds = seq % 60;
    let minutes = seq / 60 % 60;
    let day = 1 + seq / 86_400 % 28;
    let hours = seq / 3_600 % 24;
    format!(
        "{{\"specversion\":\"1.0\",\"id\":\"{seq}\",\"source\":\"urn:annals:{STORE}\",\
         \"type\":\"{kind}\",\"time\":\"2026-03-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.000000+01:00\",\
         \"sequence\":\"{seq:020}\",\"authtype\":\"service_account\",\"authid\":\"host\",\
         \"bootid\":\"b1\",\"monotonicms\":\"{seq}000\",\"data\":{data}}}"
    )
    .into_bytes()
}

/// Every other event archives an entry, and the next one converts it.
fn event(seq: u64) -> Vec<u8> {
    if seq == 1 {
        let data = format!("{{\"store\":\"{STORE}\",\"format\":1,\"program\":\"0.1.0\"}}");
        return line(seq, "annals.store.created.v1", &data);
    }
    let content = seq.to_le_bytes();
    let (blake3, sha256) = (BlobId::of(&content), Sha256::of(&content));
    let blob = format!("{{\"blake3\":\"{blake3}\",\"sha256\":\"{sha256}\",\"size\":8}}");
    if seq.is_multiple_of(2) {
        let data = format!(
            "{{\"converter\":\"ICT CSV\",\"source\":{{\"name\":\"SN{seq}.csv\",\"path\":\
             \"/data/ict/in/SN{seq}.csv\"}},\"blob\":{blob},\"stored_size\":8,\"duplicate\":false,\
             \"unit\":{{\"serial\":\"SN{seq}\"}},\"retention\":\"90d\"}}"
        );
        line(seq, "annals.archived.v1", &data)
    } else {
        let entry = seq - 1;
        let data = format!(
            "{{\"entry\":{entry},\"attempt\":1,\"outcome\":\"success\",\"converter\":\"ICT CSV\",\
             \"unit\":{{\"part\":\"PCB-7\"}},\"reports\":[{blob}]}}"
        );
        line(seq, "annals.converted.v1", &data)
    }
}

fn peak_kib() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

#[test]
#[ignore = "a measurement: cargo test --release --lib million -- --ignored --nocapture"]
fn a_million_events__take_bounded_time_and_memory() {
    let key = Plant::new().key();
    let dir = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).expect("a folder");
    let generating = Stopwatch::start();
    (1..EVENTS).for_each(|seq| drop(std::hint::black_box(event(seq))));
    println!("generating alone {:?}", generating.elapsed());
    let counting = Stopwatch::start();
    let mut tally = Tally::new(What::Whole, WithContents::No);
    let mut tree = Frontier::new();
    for seq in 1..EVENTS {
        let line = event(seq);
        tree.push(&line);
        tally.add(EventSeq(seq), &line).expect("in order");
    }
    let counted = tally.finish();
    println!("counting {:?}, with generating", counting.elapsed());
    let payload = serde_json::to_string(&counted.exported).expect("plain");
    let last = line(EVENTS, Exported::KIND, &payload);
    tree.push(&last);
    let checkpoint = Checkpoint::of((&KeyName::of_store(&STORE)).into(), &tree);
    let checkpoint = SignedCheckpoint::sign(checkpoint, &[&key]).expect("signed");
    let told = Cell::new(0);
    let new = NewBundle {
        counted: &counted,
        checkpoint: &checkpoint,
        vkeys: &[key.verifier().clone()],
        derived: &[],
        read: &|_, _| Ok(()),
        disclose: None,
        progress: &|done, _| told.set(done),
    };
    let writing = Stopwatch::start();
    let to = dir.path().join("evidence");
    let lines = (1..EVENTS).map(event).chain([last]);
    let bundled = write(&to, &new, (1..).map(EventSeq).zip(lines).map(Ok)).expect("written");
    println!("writing {:?}, {bundled:?}", writing.elapsed());
    println!("peak after writing {:?} KiB", peak_kib());
    assert_eq!((bundled.events, told.get()), (EVENTS, EVENTS));
    let verifying = Stopwatch::start();
    let found = verify(&to, &Plant::new().trust(), &|done, _| told.set(done));
    println!("verifying {:?}, {found:?}", verifying.elapsed());
    println!("peak {:?} KiB", peak_kib());
    assert_eq!((found.verdict, found.events), (Verdict::Intact, EVENTS));
    assert!(peak_kib().is_none_or(|peak| peak < PEAK_KIB_MAX));
}
