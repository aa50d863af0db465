//! The proof of one event in one text file that needs nothing else, as
//! [C2SP tlog-proof](https://c2sp.org/tlog-proof) defines it.

use std::fmt;

use super::checkpoint::{OpenError, SignedCheckpoint};
use super::note::{NOTE_BYTES_MAX, Note, NoteError, VerifierKey};
use super::text::{decode_base64, decode_hash, decode_number, encode_base64};
use super::tree::{TreeHash, leaf_hash, verify_inclusion};

/// The first line.
const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// How many hashes a proof can have: one for each level of the largest tree.
pub const HASHES_MAX: usize = 63;

/// The largest file that is read.
pub const TLOG_PROOF_BYTES_MAX: usize = NOTE_BYTES_MAX + (128 << 10);

/// Where an event is in a log, the hashes from it to the root, and a signed checkpoint. Nothing is
/// verified before [`TlogProof::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlogProof {
    extra: Option<Vec<u8>>,
    index: u64,
    hashes: Vec<TreeHash>,
    checkpoint: Note,
}

/// Why bytes are not a proof.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlogProofError {
    /// The file is larger than any that is needed.
    #[error("the proof has {0} bytes, which is more than {TLOG_PROOF_BYTES_MAX}")]
    TooLarge(usize),
    /// The file is not UTF-8.
    #[error("the proof is not UTF-8 text")]
    Utf8,
    /// The first line does not say that it is a proof.
    #[error("the first line is not '{HEADER}'")]
    Header,
    /// The line `extra` is not followed by base64.
    #[error("the line 'extra' of the proof has no base64")]
    Extra,
    /// The line `index` is missing, or has no plain decimal number.
    #[error("the line 'index' of the proof is missing or has no plain decimal number")]
    Index,
    /// A hash is not the base64 of 32 bytes.
    #[error("hash {0} of the proof is not the base64 of 32 bytes")]
    Hash(usize),
    /// The proof has more hashes than any tree has levels.
    #[error("the proof has more than {HASHES_MAX} hashes")]
    TooManyHashes,
    /// No empty line follows the hashes.
    #[error("the proof has no checkpoint after an empty line")]
    NoCheckpoint,
    /// The checkpoint is not a signed note.
    #[error("in the checkpoint of the proof: {0}")]
    Checkpoint(#[from] NoteError),
}

/// Why a proof does not convince.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofRefused {
    /// The checkpoint is not to be believed.
    #[error(transparent)]
    Checkpoint(#[from] OpenError),
    /// The hashes do not lead from the event to the root.
    #[error("the proof does not show this event at index {index} of the log of {size} events")]
    NotIncluded {
        /// Where the event should be.
        index: u64,
        /// The size of the log.
        size: u64,
    },
}

impl TlogProof {
    /// Returns a proof without extra data. The hashes come from
    /// [`ProofBuilder`](super::proof::ProofBuilder), for the size of the checkpoint.
    pub fn new(index: u64, hashes: Vec<TreeHash>, checkpoint: &SignedCheckpoint) -> Self {
        Self {
            extra: None,
            index,
            hashes,
            checkpoint: checkpoint.note().clone(),
        }
    }

    /// Adds data for the reader. Nothing in the proof protects it from changes.
    #[must_use]
    pub fn with_extra(mut self, extra: Vec<u8>) -> Self {
        self.extra = Some(extra);
        self
    }

    /// Parses a file. Nothing is verified.
    pub fn parse(bytes: &[u8]) -> Result<Self, TlogProofError> {
        if bytes.len() > TLOG_PROOF_BYTES_MAX {
            return Err(TlogProofError::TooLarge(bytes.len()));
        }
        let text = str::from_utf8(bytes).map_err(|_| TlogProofError::Utf8)?;
        let rest = text
            .strip_prefix(HEADER)
            .and_then(|rest| rest.strip_prefix('\n'))
            .ok_or(TlogProofError::Header)?;
        let (extra, rest) = match rest.strip_prefix("extra ") {
            Some(rest) => {
                let (line, rest) = rest.split_once('\n').ok_or(TlogProofError::Extra)?;
                let extra = decode_base64(line).ok_or(TlogProofError::Extra)?;
                (Some(extra), rest)
            }
            None => (None, rest),
        };
        let rest = rest.strip_prefix("index ").ok_or(TlogProofError::Index)?;
        let (line, mut rest) = rest.split_once('\n').ok_or(TlogProofError::Index)?;
        let index = decode_number(line).ok_or(TlogProofError::Index)?;
        let mut hashes = Vec::new();
        loop {
            let (line, after) = rest.split_once('\n').ok_or(TlogProofError::NoCheckpoint)?;
            rest = after;
            if line.is_empty() {
                break;
            }
            if hashes.len() == HASHES_MAX {
                return Err(TlogProofError::TooManyHashes);
            }
            hashes.push(decode_hash(line).ok_or(TlogProofError::Hash(hashes.len() + 1))?);
        }
        Ok(Self {
            extra,
            index,
            hashes,
            checkpoint: Note::parse(rest.as_bytes())?,
        })
    }

    /// Returns the extra data. Anybody can have changed it.
    pub fn extra(&self) -> Option<&[u8]> {
        self.extra.as_deref()
    }

    /// Returns where the event should be, from 0.
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// Returns the checkpoint, of which nothing is verified.
    pub const fn checkpoint(&self) -> &Note {
        &self.checkpoint
    }

    /// Verifies that the event with this exact line, without its line feed, is in the log. Needs
    /// no network and no log: only keys that came another way.
    pub fn verify(
        &self,
        line: &[u8],
        trusted: &[VerifierKey],
    ) -> Result<SignedCheckpoint, ProofRefused> {
        let signed = SignedCheckpoint::from_note(self.checkpoint.clone(), trusted)?;
        let (index, size) = (self.index, signed.checkpoint().size);
        let root = &signed.checkpoint().root;
        if !verify_inclusion(&leaf_hash(line), index, size, &self.hashes, root) {
            return Err(ProofRefused::NotIncluded { index, size });
        }
        Ok(signed)
    }
}

impl fmt::Display for TlogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", encode_base64(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        for hash in &self.hashes {
            writeln!(f, "{}", encode_base64(hash))?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

#[cfg(test)]
mod tests;
