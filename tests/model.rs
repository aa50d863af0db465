//! Steps in any order, with power cuts between them, against a model: after each time the store is opened again it says what
//! the model says, and its index is what folding the log makes of it.

mod support;

use std::sync::Arc;

use annals::archive::{Archive, Depth};
use annals::disk::sim::{SimDisk, Variants};
use annals::entry::Outcome;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use support::{Runner, State, Step, tiny};

#[derive(Debug, Clone)]
enum Move {
    Do(Step),
    /// The power goes; of what was not synced everything, or nothing, or some is left.
    Cut(u64),
}

fn moves() -> impl Strategy<Value = Move> {
    let outcome = prop_oneof![Just(Outcome::Success), Just(Outcome::Failed)];
    let step = prop_oneof![
        6 => (0..12_u64, 0..30_000_usize).prop_map(|(seed, len)| Step::Noise { seed, len }),
        6 => (0..6_u64, prop_oneof![Just(0_u16), Just(30)])
            .prop_map(|(seed, days)| Step::Text { seed, len: 700, days }),
        2 => (0..4_u64, 0..3_u8).prop_map(|(seed, key)| Step::Keyed { seed, key }),
        1 => (0..3_u64).prop_map(|seed| Step::Noise { seed, len: (1 << 20) + 11 }),
        4 => (0..8_usize, outcome, 0..3_usize).prop_map(|(entry, outcome, reports)| {
            Step::Attempt { entry, outcome, reports, len: 500 }
        }),
        2 => (0..8_usize).prop_map(|entry| Step::Submit { entry }),
        1 => (0..3_u8).prop_map(|seed| Step::Register { seed }),
        1 => prop_oneof![Just(Step::StartJob), Just(Step::FinishJob)],
        2 => (0..3_u8, 0..8_usize).prop_map(|(name, entry)| Step::Hold { name, entry }),
        1 => (0..3_u8).prop_map(|name| Step::Release { name }),
        2 => (0..6_u64).prop_map(|left| Step::PurgeTo { left }),
        2 => Just(Step::Seal),
        1 => Just(Step::Compact),
        1 => Just(Step::Rebuild),
        2 => Just(Step::Reopen),
    ];
    prop_oneof![10 => step.prop_map(Move::Do), 1 => any::<u64>().prop_map(Move::Cut)]
}

fn same(runner: &Runner, when: &str) -> Result<(), TestCaseError> {
    let archive = runner.archive().map_err(fail)?;
    let observed = State::observe(archive).map_err(fail)?;
    prop_assert!(
        observed == runner.state,
        "{when}: {}",
        runner.state.difference(&observed)
    );
    let report = archive.verify(Depth::Deep).map_err(fail)?;
    prop_assert!(report.ok, "{when}: {:?}", report.findings);
    Ok(())
}

fn fail(error: annals::Error) -> TestCaseError {
    TestCaseError::fail(error.to_string())
}

/// Goes on with what a power cut left.
fn cut(runner: &mut Runner, seed: u64) -> Result<(), TestCaseError> {
    let variants = Variants {
        each: 1,
        torn_at: vec![512],
        random: 2,
        seed,
    };
    let ops = runner.disk.ops();
    let images: Vec<_> = runner.disk.crash_images(ops..=ops, &variants).collect();
    let nth = usize::try_from(seed).unwrap_or(0) % images.len();
    // What the open store still does afterwards happens to a disk that nobody looks at any more.
    drop(runner.archive.take());
    runner.disk = images[nth].disk.clone();
    let opened = Archive::open_on(Arc::new(runner.disk.clone()), tiny(&runner.clock));
    runner.archive = Some(opened.map_err(fail)?);
    same(runner, &images[nth].to_string())
}

#[test]
fn any_steps_in_any_order_say_what_the_model_says() {
    let cases = std::env::var("ANNALS_MODEL_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok())
        .unwrap_or(48);
    let seed = [7; 32];
    println!("cases {cases}, seed {seed:?}");
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 300,
        ..Config::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let run = TestRunner::new_with_rng(config, rng).run(
        &proptest::collection::vec(moves(), 1..40),
        |moves| {
            let mut runner = Runner::create(SimDisk::new()).map_err(fail)?;
            for step in &moves {
                match step {
                    Move::Do(step) => {
                        runner.run(step).map_err(fail)?;
                        if matches!(step, Step::Reopen | Step::Rebuild) {
                            same(&runner, "opened again")?;
                        }
                    }
                    Move::Cut(seed) => cut(&mut runner, *seed)?,
                }
            }
            runner.run(&Step::Reopen).map_err(fail)?;
            same(&runner, "at last")
        },
    );
    if let Err(failed) = run {
        panic!("{failed}");
    }
}
