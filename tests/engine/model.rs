//! Property test of the whole store against a model: any steps in any order, with power cuts
//! between them. After each opening the store must equal the model, and its index must equal the
//! folded log.

use crate::support::moves::{Look, Move, cut, run, run_signed, same};
use crate::support::prove::{Size, seed, size};
use crate::support::{Random, Runner, Step, tiniest};
use annals::disk::sim::SimDisk;
use annals::entry::Outcome;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

fn moves() -> impl Strategy<Value = Move> {
    let outcome = prop_oneof![Just(Outcome::Success), Just(Outcome::Failed)];
    let step = prop_oneof![
        6 => (0..12_u64, 0..20_000_usize).prop_map(|(seed, len)| Step::Noise { seed, len }),
        6 => (0..6_u64, prop_oneof![Just(0_u16), Just(30)])
            .prop_map(|(seed, days)| Step::Text { seed, len: 700, days }),
        2 => (0..4_u64, 0..3_u8).prop_map(|(seed, key)| Step::Keyed { seed, key }),
        1 => (0..3_u64).prop_map(|seed| Step::Noise { seed, len: 50_000 }),
        4 => (0..8_usize, outcome, 0..3_usize).prop_map(|(entry, outcome, reports)| {
            Step::Attempt { entry, outcome, reports, len: 500 }
        }),
        2 => (0..8_usize).prop_map(|entry| Step::Submit { entry }),
        1 => (0..3_u8).prop_map(|seed| Step::Register { seed }),
        1 => prop_oneof![Just(Step::StartJob), Just(Step::FinishJob)],
        2 => (0..3_u8, 0..8_usize).prop_map(|(name, entry)| Step::Hold { name, entry }),
        1 => (0..3_u8).prop_map(|name| Step::Release { name }),
        2 => (0..6_u64).prop_map(|left| Step::PurgeTo { left }),
        3 => (0..6_u64).prop_map(|left| Step::PurgeWithGrace { left }),
        3 => Just(Step::UndoPurge),
        2 => Just(Step::PurgeExpired),
        2 => prop_oneof![Just(40_i16), Just(-400), Just(3_000)].prop_map(|days| Step::Jump { days }),
        1 => Just(Step::LoseIndex),
        1 => (0..50_u64).prop_map(|seed| Step::Burst { seed, callers: 3, len: 900 }),
        2 => (0..50_u64, 1..9_u64, prop_oneof![Just(300_usize), Just(20_000)])
            .prop_map(|(seed, count, len)| Step::Flight { seed, count, len }),
        1 => (0..5_u64).prop_map(|seed| Step::Forms { seed, count: 9 }),
        2 => Just(Step::Seal),
        1 => Just(Step::Compact),
        1 => Just(Step::Rebuild),
        2 => Just(Step::Reopen),
    ];
    prop_oneof![10 => step.prop_map(Move::Do), 1 => any::<u64>().prop_map(Move::Cut)]
}

/// The same steps for a store with a key, which also signs, hands over to new keys and exports.
fn signed_moves() -> impl Strategy<Value = Move> {
    let signing = prop_oneof![
        3 => Just(Step::Sign),
        1 => Just(Step::RotateKey),
        2 => Just(Step::Export),
    ];
    prop_oneof![5 => moves(), 1 => signing.prop_map(Move::Do)]
}

#[test]
fn any_steps_in_any_order_say_what_the_model_says() {
    let (cases, steps) = match size() {
        Size::Sample => (48, 40),
        Size::Short => (200, 60),
        Size::Long => (10_000, 100),
    };
    try_all(cases, steps, moves(), |moves, look| {
        run(SimDisk::new(), moves, look)
    });
}

/// A log that is signed loses nothing either, and never contradicts a checkpoint that was handed
/// out, not even the one that is kept on another disk.
#[test]
fn any_steps_of_a_signed_store_say_what_was_signed() {
    let (cases, steps) = match size() {
        Size::Sample => (16, 40),
        Size::Short => (100, 60),
        Size::Long => (3_000, 100),
    };
    try_all(cases, steps, signed_moves(), |moves, look| {
        run_signed(SimDisk::new(), moves, look)
    });
}

fn try_all(
    cases: u32,
    steps: usize,
    moves: impl Strategy<Value = Move>,
    run: impl Fn(&[Move], Look) -> Result<(), String>,
) {
    let mut bytes = [7; 32];
    bytes[..8].copy_from_slice(&seed().to_le_bytes());
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 300,
        ..Config::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let look = if size() == Size::Sample {
        Look::AtOpens
    } else {
        Look::AtMoves
    };
    let ran = TestRunner::new_with_rng(config, rng)
        .run(&proptest::collection::vec(moves, 1..steps), |moves| {
            run(&moves, look).map_err(TestCaseError::fail)
        });
    if let Err(failed) = ran {
        panic!("{failed}");
    }
    println!(
        "sequences {cases} of up to {steps} steps, seed {}, wrong 0",
        seed()
    );
}

/// Every month files of three retentions arrive, and expired ones are purged: for ten years, with
/// holds, attempts, compactions, lost indexes and power cuts. Exactly what is due must be purged,
/// and the store must not grow for ever.
#[test]
fn ten_years_of_retention_take_what_is_due_and_nothing_else() {
    let lives = match size() {
        Size::Sample => 1,
        Size::Short => 8,
        Size::Long => 200,
    };
    let (mut purged, mut kept, mut cuts) = (0, 0, 0);
    for life in 0..lives {
        let mut random = Random::new(seed() + life);
        let mut runner = Runner::create_as(SimDisk::new(), tiniest).expect("made");
        let run = |runner: &mut Runner, step: Step| runner.run(&step).expect("a sound disk");
        for month in 0..120_u64 {
            for nth in 0..4 {
                let days = [0, 30, 365, 1_000][random.below(4)];
                // Few files are kept for ever, so that a failure to purge the others would fill the
                // disk.
                let days = if days == 0 && nth > 0 { 30 } else { days };
                let text = Step::Text {
                    seed: month * 10 + nth,
                    len: 200 + random.below(9_000),
                    days,
                };
                run(&mut runner, text);
            }
            let entry = random.below(runner.ids.len());
            match month % 6 {
                0 => run(&mut runner, Step::Hold { name: 1, entry }),
                1 => run(
                    &mut runner,
                    Step::Attempt {
                        entry,
                        outcome: Outcome::Success,
                        reports: 1,
                        len: 800,
                    },
                ),
                4 => run(&mut runner, Step::Release { name: 1 }),
                _ => {}
            }
            run(&mut runner, Step::Jump { days: 30 });
            run(&mut runner, Step::PurgeExpired);
            match month % 12 {
                3 => run(&mut runner, Step::Reopen),
                5 => run(&mut runner, Step::Compact),
                7 => run(&mut runner, Step::LoseIndex),
                9 => {
                    cut(&mut runner, random.next()).expect("nothing is lost");
                    cuts += 1;
                }
                11 => same(&runner, "at the end of a year").expect("the same"),
                _ => {}
            }
        }
        same(&runner, "after ten years").expect("the same");
        let living = runner.state.entries.values().filter(|entry| !entry.purged);
        let living_bytes: u64 = living.clone().map(|entry| entry.size).sum();
        kept += living.count();
        purged += runner
            .state
            .entries
            .values()
            .filter(|entry| entry.purged)
            .count();
        let packs: u64 = runner
            .disk
            .files()
            .iter()
            .filter(|(path, _)| path.starts_with("packs/"))
            .map(|(_, len)| len)
            .sum();
        assert!(
            packs < 3 * living_bytes + (64 << 10),
            "packs take {packs} bytes for {living_bytes} that are kept"
        );
    }
    println!(
        "lives of ten years: {lives}, purged {purged}, kept {kept}, power cuts {cuts}, wrong 0"
    );
}
