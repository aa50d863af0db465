//! Moves: steps with power cuts between them, read from any bytes, and a run of them against the
//! model.

use std::sync::Arc;

use annals::archive::{Archive, Depth};
use annals::disk::sim::{SimDisk, Variants};
use annals::entry::Outcome;

use super::signing::{Keys, contradiction};
use super::{Runner, State, Step, tiniest};

/// Bytes of one move.
pub const MOVE_BYTES: usize = 4;
/// What comes after so many moves is not read, so that no run takes long.
pub const MOVES_MAX: usize = 24;

/// One thing that happens to a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Move {
    Do(Step),
    /// The power goes; of what was not synced everything, or nothing, or some is left.
    Cut(u64),
}

/// What the first byte of a move says, modulo how many there are; the other three are its numbers.
pub mod kind {
    pub const NOISE: u8 = 0;
    pub const TEXT: u8 = 1;
    pub const KEYED: u8 = 2;
    pub const LONG: u8 = 3;
    pub const ATTEMPT: u8 = 4;
    pub const SUBMIT: u8 = 5;
    pub const REGISTER: u8 = 6;
    pub const CONFIGURE: u8 = 7;
    pub const START_JOB: u8 = 8;
    pub const FINISH_JOB: u8 = 9;
    pub const HOLD: u8 = 10;
    pub const RELEASE: u8 = 11;
    pub const PURGE_TO: u8 = 12;
    pub const PURGE_EXPIRED: u8 = 13;
    pub const JUMP: u8 = 14;
    pub const LOSE_INDEX: u8 = 15;
    pub const BURST: u8 = 16;
    pub const SEAL: u8 = 17;
    pub const COMPACT: u8 = 18;
    pub const REBUILD: u8 = 19;
    pub const VERIFY: u8 = 20;
    pub const REOPEN: u8 = 21;
    pub const CUT: u8 = 22;
    pub const FLIGHT: u8 = 23;
    pub const KINDS: u8 = 24;
}

/// The moves that any bytes stand for: four bytes each, the last filled up with zeros.
pub fn decode(bytes: &[u8]) -> Vec<Move> {
    let moves = bytes.chunks(MOVE_BYTES).take(MOVES_MAX);
    moves
        .map(|chunk| {
            let mut bytes = [0; MOVE_BYTES];
            bytes[..chunk.len()].copy_from_slice(chunk);
            one(bytes)
        })
        .collect()
}

fn one([kind, a, b, c]: [u8; MOVE_BYTES]) -> Move {
    let small = |byte: u8, end: u8| byte % end;
    let nth = |byte: u8| usize::from(byte % 8);
    let number = u64::from_le_bytes([a, b, c, 0, 0, 0, 0, 0]);
    let step = match kind % kind::KINDS {
        kind::NOISE => Step::Noise {
            seed: small(a, 12).into(),
            len: usize::from(u16::from_le_bytes([b, c])) % 20_000,
        },
        kind::TEXT => Step::Text {
            seed: small(a, 6).into(),
            days: [0, 30, 365, 1_000][usize::from(b % 4)],
            len: usize::from(c) * 40,
        },
        kind::KEYED => Step::Keyed {
            seed: small(a, 4).into(),
            key: small(b, 3),
        },
        kind::LONG => Step::Noise {
            seed: small(a, 3).into(),
            len: 20_000 + usize::from(b) * 200,
        },
        kind::ATTEMPT => Step::Attempt {
            entry: nth(a),
            outcome: [Outcome::Success, Outcome::Failed][usize::from(b % 2)],
            reports: usize::from(b / 2 % 3),
            len: usize::from(c) * 40,
        },
        kind::SUBMIT => Step::Submit { entry: nth(a) },
        kind::REGISTER => Step::Register { seed: small(a, 3) },
        kind::CONFIGURE => Step::Configure { seed: small(a, 3) },
        kind::START_JOB => Step::StartJob,
        kind::FINISH_JOB => Step::FinishJob,
        kind::HOLD => Step::Hold {
            name: small(a, 3),
            entry: nth(b),
        },
        kind::RELEASE => Step::Release { name: small(a, 3) },
        kind::PURGE_TO => Step::PurgeTo {
            left: small(a, 6).into(),
        },
        kind::PURGE_EXPIRED => Step::PurgeExpired,
        kind::JUMP => Step::Jump {
            days: [1, 40, -400, 3_000][usize::from(a % 4)],
        },
        kind::LOSE_INDEX => Step::LoseIndex,
        kind::BURST => Step::Burst {
            seed: small(a, 50).into(),
            callers: 1 + u64::from(small(b, 4)),
            len: usize::from(c) * 40,
        },
        kind::FLIGHT => Step::Flight {
            seed: small(a, 50).into(),
            count: 1 + u64::from(small(b, 12)),
            len: usize::from(c) * 40,
        },
        kind::SEAL => Step::Seal,
        kind::COMPACT => Step::Compact,
        kind::REBUILD => Step::Rebuild,
        kind::VERIFY => Step::Verify,
        kind::REOPEN => Step::Reopen,
        _ => return Move::Cut(number),
    };
    Move::Do(step)
}

/// When a run compares the store with the model, beside at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Each time the store is opened again.
    AtOpens,
    /// After every move.
    AtMoves,
}

/// Makes a store on `disk` and moves it. An error says how it came to differ from the model.
pub fn run(disk: SimDisk, moves: &[Move], look: Look) -> Result<(), String> {
    go(Runner::create_as(disk, tiniest).map_err(told)?, moves, look)
}

/// Like [`run`], for a store whose log is signed from its first event on.
pub fn run_signed(disk: SimDisk, moves: &[Move], look: Look) -> Result<(), String> {
    let mut runner = Runner::create_as(disk, tiniest).map_err(told)?;
    runner.sign_from_here().map_err(told)?;
    go(runner, moves, look)
}

fn go(mut runner: Runner, moves: &[Move], look: Look) -> Result<(), String> {
    for step in moves {
        match step {
            Move::Do(step) => {
                runner.run(step).map_err(told)?;
                let opened = matches!(step, Step::Reopen | Step::Rebuild | Step::LoseIndex);
                if opened || look == Look::AtMoves {
                    same(&runner, "after a step")?;
                }
            }
            Move::Cut(seed) => cut(&mut runner, *seed)?,
        }
    }
    runner.run(&Step::Reopen).map_err(told)?;
    same(&runner, "at last")
}

/// Whether the store says what the model says, and is sound: verifying deeply folds the whole log
/// into an index of its own and compares the two.
pub fn same(runner: &Runner, when: &str) -> Result<(), String> {
    let archive = runner.archive().map_err(told)?;
    let observed = State::observe(archive).map_err(told)?;
    if observed != runner.state {
        return Err(format!("{when}: {}", runner.state.difference(&observed)));
    }
    if !archive.damage().is_empty() {
        return Err(format!("{when}: {:?}", archive.damage()));
    }
    if let Some(signed) = &runner.signed
        && let Some(why) = contradiction(archive, signed)
    {
        return Err(format!("{when}: {why}"));
    }
    let report = archive.verify(Depth::Deep).map_err(told)?;
    if report.ok {
        Ok(())
    } else {
        Err(format!("{when}: {:?}", report.findings))
    }
}

/// Goes on with what a power cut left. It goes when all callers have been answered: what was not
/// synced may be lost, and the model still says what is there.
pub fn cut(runner: &mut Runner, seed: u64) -> Result<(), String> {
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
    let kept = runner.signer.as_ref().map(Keys::kept);
    drop(runner.archive.take());
    if let (Some(keys), Some(kept)) = (&runner.signer, kept) {
        keys.put_back(&kept);
    }
    runner.disk = images[nth].disk.clone();
    let opened = Archive::open_on(Arc::new(runner.disk.clone()), runner.opened_like());
    runner.archive = Some(opened.map_err(told)?);
    same(runner, &images[nth].to_string())
}

fn told(error: annals::Error) -> String {
    error.to_string()
}
