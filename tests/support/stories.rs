//! What the fuzzers of whole stores begin with: the inputs committed in `fuzz/corpus`, as the words
//! they stand for.

/// Inputs of `store_moves`, each a short story of moves.
pub const MOVES: &[(&str, &[[u8; 4]])] = {
    use super::moves::kind::{
        ATTEMPT, BURST, COMPACT, CONFIGURE, CUT, FINISH_JOB, HOLD, JUMP, KEYED, LONG, LOSE_INDEX,
        NOISE, PURGE_EXPIRED, PURGE_TO, REBUILD, REGISTER, RELEASE, REOPEN, SEAL, START_JOB,
        SUBMIT, TEXT, VERIFY,
    };
    &[
        (
            "cut-after-each-fact",
            &[
                [TEXT, 1, 1, 20],
                [CUT, 0, 0, 0],
                [KEYED, 1, 1, 0],
                [CUT, 0, 0, 0],
                [ATTEMPT, 0, 2, 9],
                [CUT, 0, 0, 0],
                [SUBMIT, 0, 0, 0],
                [CUT, 0, 0, 0],
                [HOLD, 1, 0, 0],
                [CUT, 0, 0, 0],
                [REGISTER, 1, 0, 0],
                [CUT, 0, 0, 0],
                [CONFIGURE, 1, 0, 0],
                [CUT, 0, 0, 0],
                [START_JOB, 0, 0, 0],
                [CUT, 0, 0, 0],
                [FINISH_JOB, 0, 0, 0],
                [CUT, 0, 0, 0],
            ],
        ),
        (
            "reports-wait-are-refused-and-purged",
            &[
                [TEXT, 1, 0, 20],
                [ATTEMPT, 0, 4, 9],
                [SUBMIT, 0, 0, 0],
                [CUT, 0, 0, 0],
                [SUBMIT, 0, 0, 0],
                [TEXT, 2, 0, 20],
                [ATTEMPT, 1, 4, 9],
                [ATTEMPT, 0, 1, 0],
                [ATTEMPT, 0, 5, 1],
                [SUBMIT, 1, 0, 0],
                [CUT, 0, 0, 0],
                [SUBMIT, 1, 0, 0],
                [SEAL, 0, 0, 0],
                [LOSE_INDEX, 0, 0, 0],
                [SUBMIT, 1, 0, 0],
                [TEXT, 3, 0, 20],
                [ATTEMPT, 2, 4, 9],
                [SUBMIT, 2, 0, 0],
                [PURGE_TO, 0, 0, 0],
                [CUT, 1, 0, 0],
                [REBUILD, 0, 0, 0],
            ],
        ),
        (
            "seal-then-cut",
            &[
                [TEXT, 1, 0, 90],
                [NOISE, 2, 0, 40],
                [SEAL, 0, 0, 0],
                [CUT, 0, 0, 0],
                [TEXT, 3, 0, 30],
                [SEAL, 0, 0, 0],
                [CUT, 1, 0, 0],
                [SEAL, 0, 0, 0],
                [CUT, 2, 0, 0],
            ],
        ),
        (
            "long-content-then-cut",
            &[
                [LONG, 1, 0, 0],
                [CUT, 0, 0, 0],
                [LONG, 1, 0, 0],
                [LONG, 2, 99, 0],
                [SEAL, 0, 0, 0],
                [CUT, 0, 0, 0],
                [VERIFY, 0, 0, 0],
            ],
        ),
        (
            "journals-fill-and-are-used-again",
            &[
                [NOISE, 0, 0, 70],
                [NOISE, 1, 0, 70],
                [NOISE, 2, 0, 70],
                [NOISE, 3, 0, 70],
                [CUT, 0, 0, 0],
                [NOISE, 4, 0, 70],
                [NOISE, 5, 0, 70],
                [NOISE, 6, 0, 70],
                [NOISE, 7, 0, 70],
                [CUT, 3, 0, 0],
                [NOISE, 8, 0, 70],
                [REOPEN, 0, 0, 0],
            ],
        ),
        (
            "purge-beside-a-hold",
            &[
                [TEXT, 1, 1, 30],
                [TEXT, 2, 1, 30],
                [NOISE, 3, 0, 40],
                [HOLD, 1, 0, 0],
                [SEAL, 0, 0, 0],
                [PURGE_TO, 0, 0, 0],
                [CUT, 0, 0, 0],
                [RELEASE, 1, 0, 0],
                [PURGE_TO, 0, 0, 0],
                [CUT, 5, 0, 0],
                [COMPACT, 0, 0, 0],
                [CUT, 0, 0, 0],
            ],
        ),
        (
            "the-clock-jumps-and-retention-follows",
            &[
                [TEXT, 1, 1, 30],
                [TEXT, 2, 2, 30],
                [JUMP, 1, 0, 0],
                [PURGE_EXPIRED, 0, 0, 0],
                [JUMP, 2, 0, 0],
                [PURGE_EXPIRED, 0, 0, 0],
                [JUMP, 3, 0, 0],
                [PURGE_EXPIRED, 0, 0, 0],
                [CUT, 0, 0, 0],
                [TEXT, 1, 1, 30],
                [VERIFY, 0, 0, 0],
            ],
        ),
        (
            "the-index-is-lost-and-rebuilt",
            &[
                [TEXT, 1, 1, 20],
                [ATTEMPT, 0, 4, 9],
                [SEAL, 0, 0, 0],
                [HOLD, 0, 0, 0],
                [LOSE_INDEX, 0, 0, 0],
                [TEXT, 2, 0, 20],
                [REBUILD, 0, 0, 0],
                [CUT, 0, 0, 0],
                [LOSE_INDEX, 0, 0, 0],
                [REOPEN, 0, 0, 0],
            ],
        ),
        (
            "a-burst-then-cut",
            &[
                [BURST, 1, 3, 20],
                [CUT, 0, 0, 0],
                [BURST, 2, 3, 250],
                [BURST, 2, 3, 250],
                [CUT, 7, 0, 0],
                [SEAL, 0, 0, 0],
                [BURST, 1, 3, 20],
                [CUT, 0, 0, 0],
            ],
        ),
        (
            "shared-content-is-purged-and-comes-again",
            &[
                [TEXT, 1, 1, 30],
                [TEXT, 1, 1, 30],
                [LONG, 1, 0, 0],
                [SEAL, 0, 0, 0],
                [PURGE_TO, 1, 0, 0],
                [TEXT, 1, 1, 30],
                [LONG, 1, 0, 0],
                [PURGE_TO, 0, 0, 0],
                [COMPACT, 0, 0, 0],
                [LONG, 1, 0, 0],
                [CUT, 0, 0, 0],
            ],
        ),
        (
            "cuts-without-end",
            &[
                [CUT, 0, 0, 0],
                [TEXT, 1, 0, 10],
                [CUT, 0, 0, 0],
                [CUT, 1, 0, 0],
                [CUT, 2, 0, 0],
                [TEXT, 2, 0, 10],
                [CUT, 3, 0, 0],
                [CUT, 4, 0, 0],
                [SEAL, 0, 0, 0],
                [CUT, 5, 0, 0],
                [CUT, 6, 0, 0],
            ],
        ),
    ]
};

/// Inputs of `store_open`: whether the journal is used again, and what is damaged. Files are
/// numbered by name: 0 is `FORMAT`, 2 `NEWEST`, 3 the segment, 4 the index, 5 and 6 the journal
/// files, 7 the pack.
pub const DAMAGES: &[(&str, u8, &[[u8; 8]])] = {
    use super::damages::kind::{
        BLANK, CUT, DOUBLE, EXCHANGE, FLIP, LOSE, MISPLACE, SET, SWAP, TAKE_BACK, ZERO,
    };
    const NEWEST: u8 = 2;
    const SEGMENT: u8 = 3;
    const INDEX: u8 = 4;
    const SEALED: u8 = 5;
    const JOURNAL: u8 = 6;
    const PACK: u8 = 7;
    &[
        (
            "a-bit-of-the-segment",
            1,
            &[[SEGMENT, FLIP, 120, 0, 0, 3, 0, 0]],
        ),
        (
            "a-bit-of-the-pack-and-of-the-segment",
            1,
            &[
                [PACK, FLIP, 200, 0, 0, 0, 0, 0],
                [SEGMENT, FLIP, 120, 0, 0, 0, 0, 0],
            ],
        ),
        (
            "no-index-and-a-torn-journal",
            0,
            &[
                [INDEX, LOSE, 0, 0, 0, 0, 0, 0],
                [JOURNAL, CUT, 80, 17, 0, 0, 0, 0],
            ],
        ),
        (
            "the-log-taken-back",
            0,
            &[
                [JOURNAL, TAKE_BACK, 0, 0, 0, 4, 0, 0],
                [NEWEST, LOSE, 0, 0, 0, 0, 0, 0],
            ],
        ),
        (
            "the-log-and-both-witnesses-taken-back",
            0,
            &[
                [JOURNAL, TAKE_BACK, 0, 0, 0, 4, 0, 0],
                [NEWEST, TAKE_BACK, 0, 0, 0, 4, 0, 0],
                [INDEX, TAKE_BACK, 0, 0, 0, 4, 0, 0],
            ],
        ),
        (
            "all-events-lost-twice",
            0,
            &[
                [SEGMENT, LOSE, 0, 0, 0, 0, 0, 0],
                [SEALED, BLANK, 0, 0, 0, 0, 0, 0],
            ],
        ),
        (
            "journals-exchanged",
            0,
            &[
                [SEALED, EXCHANGE, 0, 0, 0, JOURNAL, 0, 0],
                [INDEX, FLIP, 0, 16, 0, 0, 0, 0],
            ],
        ),
        (
            "the-pack-is-zeros-and-the-header-gone",
            1,
            &[
                [PACK, ZERO, 128, 0, 0, 255, 3, 0],
                [0, LOSE, 0, 0, 0, 0, 0, 0],
            ],
        ),
        (
            "a-block-of-the-pack-in-the-journal",
            0,
            &[
                [JOURNAL, MISPLACE, 0, 16, 0, PACK, 0, 1],
                [INDEX, LOSE, 0, 0, 0, 0, 0, 0],
            ],
        ),
        (
            "the-header-of-the-journal-and-a-frame",
            0,
            &[
                [JOURNAL, SET, 28, 0, 0, 9, 0, 0],
                [JOURNAL, FLIP, 100, 17, 0, 1, 0, 0],
            ],
        ),
        (
            "blocks-swapped-and-doubled",
            1,
            &[
                [PACK, SWAP, 0, 0, 0, 0, 2, 1],
                [SEGMENT, DOUBLE, 64, 0, 0, 0, 1, 0],
                [NEWEST, SET, 60, 0, 0, 57, 0, 0],
            ],
        ),
    ]
};
