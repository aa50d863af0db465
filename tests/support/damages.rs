//! Damage to several places of a store, read from any bytes, and what must come of it.

use super::golden::{Damage, Golden, SEALED_STEPS};
use super::look::{self, look};
use super::mend::{self, repair};

/// Bytes of one damage.
pub const DAMAGE_BYTES: usize = 8;
/// What comes after so many is not read.
pub const DAMAGES_MAX: usize = 4;

/// What the second byte of a damage says, modulo how many there are. The first says which file, the
/// next three where, and the last three how much or what else.
pub mod kind {
    pub const FLIP: u8 = 0;
    pub const SET: u8 = 1;
    pub const CUT: u8 = 2;
    pub const ZERO: u8 = 3;
    pub const SWAP: u8 = 4;
    pub const DOUBLE: u8 = 5;
    pub const MISPLACE: u8 = 6;
    pub const LOSE: u8 = 7;
    pub const BLANK: u8 = 8;
    pub const EXCHANGE: u8 = 9;
    pub const TAKE_BACK: u8 = 10;
    pub const KINDS: u8 = 11;
}

/// Whether the store that the first byte asks for is the worn one.
pub fn asks_for_worn(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|byte| byte % 2 == 1)
}

/// The damage to `golden` that any bytes stand for: eight bytes each behind the first, the last
/// filled up with zeros.
pub fn decode(bytes: &[u8], golden: &Golden) -> Vec<(String, Damage)> {
    let files = golden.files();
    let damages = bytes.get(1..).unwrap_or_default().chunks(DAMAGE_BYTES);
    damages
        .take(DAMAGES_MAX)
        .map(|chunk| {
            let mut bytes = [0; DAMAGE_BYTES];
            bytes[..chunk.len()].copy_from_slice(chunk);
            one(bytes, golden, &files)
        })
        .collect()
}

fn one(
    [file, kind, at, at_1, at_2, more, more_1, more_2]: [u8; DAMAGE_BYTES],
    golden: &Golden,
    files: &[(String, u64)],
) -> (String, Damage) {
    let nth = |byte: u8| &files[usize::from(byte) % files.len()];
    let (path, len) = nth(file);
    let within = |number: u64| number % len.max(&1);
    let at = within(u64::from_le_bytes([at, at_1, at_2, 0, 0, 0, 0, 0]));
    let number = u64::from_le_bytes([more, more_1, more_2, 0, 0, 0, 0, 0]);
    let block = [64, 512, 4096][usize::from(more_2) % 3];
    let other = || nth(more).0.clone();
    let damage = match kind % kind::KINDS {
        kind::FLIP if *len > 0 => Damage::Flip {
            bit: at * 8 + number % 8,
        },
        kind::SET if *len > 0 => Damage::Set { at, byte: more },
        kind::CUT => Damage::Cut { len: at },
        kind::ZERO => Damage::Zero {
            at,
            len: 1 + number,
        },
        kind::SWAP => Damage::Swap {
            at: at / block * block,
            with: within(number) / block * block,
            len: block,
        },
        kind::DOUBLE => Damage::Double {
            from: within(number) / block * block,
            to: at / block * block,
            len: block,
        },
        kind::MISPLACE => Damage::Misplace {
            at: at / block * block,
            len: block,
            meant: other(),
        },
        kind::BLANK => Damage::Blank,
        kind::EXCHANGE => Damage::Exchange { other: other() },
        kind::TAKE_BACK => Damage::TakeBack {
            step: usize::from(more) % golden.before.len(),
        },
        _ => Damage::Lose,
    };
    (path.clone(), damage)
}

/// Damages a copy of `golden`, opens it, reads and verifies all of it, and repairs it. An error
/// says what went wrong.
///
/// Damage to several files must be told as damage to one must. Only when the witnesses outside of
/// the log are damaged as well may the log have been taken back without a word: then the store is
/// the older one, and a whole one. `NEWEST` witnesses all of it, the index what was sealed.
pub fn judge(
    golden: &Golden,
    damages: &[(String, Damage)],
) -> Result<(look::Fate, mend::Fate), String> {
    let disk = golden.disk.snapshot();
    for (path, damage) in damages {
        // An earlier damage may have left nothing to strike.
        let _ = damage.strike(golden, &disk, path);
    }
    disk.settle();
    let touched = |file: &str| {
        damages.iter().any(|(path, damage)| {
            path == file || matches!(damage, Damage::Exchange { other } if other == file)
        })
    };
    let mut sound = vec![&golden.state];
    if touched("NEWEST") {
        let witnessed = if touched("index.redb") {
            0
        } else {
            SEALED_STEPS
        };
        sound.extend(golden.states[witnessed..].iter().rev());
    }
    let seen = look(&disk.snapshot(), &sound)?;
    let mut why = String::new();
    for state in sound {
        match repair(&disk.snapshot(), state) {
            Ok(mended) => return Ok((seen, mended)),
            Err(wrong) if why.is_empty() => why = wrong,
            Err(_) => {}
        }
    }
    if touched("NEWEST") && touched("index.redb") {
        // Nothing is left that could say which events there were: the log may end between any two
        // of them.
        return Ok((seen, mend::Fate::Less));
    }
    Err(format!("repaired: {why}"))
}
