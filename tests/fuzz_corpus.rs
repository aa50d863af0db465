//! What a fuzzer once found must stay found: every committed input of every target is replayed, and so are its cuts and
//! flipped bits, which is where a fuzzer begins.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use annals::fuzz::{TARGETS, run, samples};

fn corpus(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target)
}

#[test]
fn every_target_has_a_file_a_name_and_a_sound_sample_in_its_corpus() {
    let samples = samples();
    let sampled: BTreeSet<_> = samples.iter().map(|(name, _)| *name).collect();
    let named: BTreeSet<_> = TARGETS.iter().map(|(name, _)| *name).collect();
    assert_eq!(sampled, named);
    for (name, bytes) in samples {
        let target = format!("fuzz/fuzz_targets/{name}.rs");
        assert!(
            Path::new(env!("CARGO_MANIFEST_DIR"))
                .join(&target)
                .is_file(),
            "{target}"
        );
        let path = corpus(name).join("sound");
        if std::env::var_os("ANNALS_WRITE_CORPUS").is_some() {
            std::fs::create_dir_all(corpus(name)).expect("a folder");
            std::fs::write(&path, &bytes).expect("written");
        }
        assert_eq!(
            std::fs::read(&path).expect(name),
            bytes,
            "{name}: the format changed"
        );
    }
}

#[test]
fn no_committed_input_and_nothing_near_it_makes_a_decoder_panic() {
    let mut inputs = 0;
    let mut tried = 0;
    for (name, _) in TARGETS {
        for file in std::fs::read_dir(corpus(name)).expect(name) {
            let bytes = std::fs::read(file.expect("readable").path()).expect("readable");
            inputs += 1;
            run(name, &bytes);
            for cut in 0..bytes.len() {
                run(name, &bytes[..cut]);
            }
            for bit in 0..bytes.len() * 8 {
                let mut flipped = bytes.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                run(name, &flipped);
            }
            tried += 1 + bytes.len() * 9;
        }
    }
    println!("{} targets, {inputs} inputs, {tried} tries", TARGETS.len());
    assert!(inputs >= TARGETS.len());
}
