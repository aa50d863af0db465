//! Checkpoints: the size and the root of a log at one time, signed, as
//! [C2SP tlog-checkpoint](https://c2sp.org/tlog-checkpoint) defines them.

use std::fmt;

use super::key::{SignError, Signer};
use super::note::{Note, NoteError, TextLine, VerifierKey, VerifyError};
use super::text::{decode_hash, decode_number, encode_base64};
use super::tree::{Frontier, TreeHash, verify_consistency};

/// What a log claims about itself: so many leaves, with this root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log it is. The log's keys have this name.
    pub origin: TextLine,
    /// How many leaves the tree has.
    pub size: u64,
    /// The root of the tree.
    pub root: TreeHash,
    /// More lines, with a meaning that origin and reader agree on. annals writes none.
    pub extensions: Vec<TextLine>,
}

/// Why a text is not a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// A line is missing or empty, has a control character, or has no line feed.
    #[error("line {0} of the checkpoint is missing or is no line of text")]
    Line(usize),
    /// The second line is not a plain decimal number.
    #[error("the checkpoint's size is not a plain decimal number")]
    Size,
    /// The third line is not the base64 of 32 bytes.
    #[error("the checkpoint's root is not the base64 of 32 bytes")]
    Root,
    /// The tree of no leaves has only one root, and it is another one.
    #[error("the checkpoint of an empty log has the root of another tree")]
    EmptyRoot,
}

impl Checkpoint {
    /// Returns a checkpoint without extension lines.
    pub const fn new(origin: TextLine, size: u64, root: TreeHash) -> Self {
        Self {
            origin,
            size,
            root,
            extensions: Vec::new(),
        }
    }

    /// Returns the checkpoint of the tree that `frontier` describes.
    pub fn of(origin: TextLine, frontier: &Frontier) -> Self {
        Self::new(origin, frontier.size(), frontier.root())
    }

    /// Parses the text of a checkpoint, without signatures.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let mut lines = text.split_inclusive('\n').enumerate().map(|(at, line)| {
            line.strip_suffix('\n')
                .and_then(|line| TextLine::new(line).ok())
                .ok_or(CheckpointError::Line(at + 1))
        });
        let mut line = |number| lines.next().ok_or(CheckpointError::Line(number))?;
        let (origin, size, root) = (line(1)?, line(2)?, line(3)?);
        let extensions = lines.collect::<Result<_, _>>()?;
        let size = decode_number(size.as_str()).ok_or(CheckpointError::Size)?;
        let root = decode_hash(root.as_str()).ok_or(CheckpointError::Root)?;
        if size == 0 && root != Frontier::new().root() {
            return Err(CheckpointError::EmptyRoot);
        }
        Ok(Self {
            origin,
            size,
            root,
            extensions,
        })
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let root = encode_base64(&self.root);
        write!(f, "{}\n{}\n{root}\n", self.origin, self.size)?;
        self.extensions
            .iter()
            .try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// A checkpoint with at least one signature that was verified. Its text form is a signed note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCheckpoint {
    checkpoint: Checkpoint,
    note: Note,
    signed_by: Vec<VerifierKey>,
}

/// Why a signed checkpoint is not to be believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The bytes are not a signed note.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The signatures do not hold.
    #[error("the checkpoint cannot be trusted: {0}")]
    Verify(#[from] VerifyError),
    /// The signed text is not a checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The trusted keys that signed are not keys of this log.
    #[error("the checkpoint is of '{0}', and no trusted key of that name signed it")]
    OtherName(TextLine),
    /// The checkpoint is of another log than the reader asked for.
    #[error("the checkpoint is of '{found}', not of '{wanted}'")]
    OtherOrigin {
        /// The log it is of.
        found: TextLine,
        /// The log it should be of.
        wanted: TextLine,
    },
}

impl SignedCheckpoint {
    /// Signs a checkpoint with each of `signers`. Every signature is verified before it is used:
    /// a signer may be another program.
    pub fn sign(checkpoint: Checkpoint, signers: &[&dyn Signer]) -> Result<Self, SignError> {
        let (note, signed_by) = sign_text(&checkpoint.to_string(), signers)?;
        Ok(Self {
            checkpoint,
            note,
            signed_by,
        })
    }

    /// Opens a signed checkpoint and verifies it with keys that came another way. At least one of
    /// the keys that signed must have the name of the log.
    pub fn open(bytes: &[u8], trusted: &[VerifierKey]) -> Result<Self, OpenError> {
        Self::from_note(Note::parse(bytes)?, trusted)
    }

    /// Opens a signed checkpoint of a log whose keys have another name than the log.
    pub fn open_of(
        origin: &TextLine,
        bytes: &[u8],
        trusted: &[VerifierKey],
    ) -> Result<Self, OpenError> {
        let opened = Self::verified(Note::parse(bytes)?, trusted)?;
        if opened.checkpoint.origin != *origin {
            return Err(OpenError::OtherOrigin {
                found: opened.checkpoint.origin,
                wanted: origin.clone(),
            });
        }
        Ok(opened)
    }

    /// Verifies a note that was parsed already; see [`SignedCheckpoint::open`].
    pub fn from_note(note: Note, trusted: &[VerifierKey]) -> Result<Self, OpenError> {
        let opened = Self::verified(note, trusted)?;
        let origin = &opened.checkpoint.origin;
        let of_log = |key: &VerifierKey| key.name().as_str() == origin.as_str();
        if !opened.signed_by.iter().any(of_log) {
            return Err(OpenError::OtherName(origin.clone()));
        }
        Ok(opened)
    }

    fn verified(note: Note, trusted: &[VerifierKey]) -> Result<Self, OpenError> {
        let signed_by = note.verify(trusted)?.into_iter().cloned().collect();
        let checkpoint = Checkpoint::parse(note.text())?;
        Ok(Self {
            checkpoint,
            note,
            signed_by,
        })
    }

    /// Returns what was signed.
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Returns the keys whose signatures were verified, each once.
    pub fn signed_by(&self) -> &[VerifierKey] {
        &self.signed_by
    }

    /// Returns the note, with all signatures, also those of unknown keys.
    pub const fn note(&self) -> &Note {
        &self.note
    }
}

impl fmt::Display for SignedCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.note.fmt(f)
    }
}

/// Signs `text` with each of `signers` and verifies what they gave.
pub(super) fn sign_text(
    text: &str,
    signers: &[&dyn Signer],
) -> Result<(Note, Vec<VerifierKey>), SignError> {
    let mut note = Note::new(text).expect("the text forms end with a line feed and have no others");
    let mut keys: Vec<VerifierKey> = Vec::new();
    for signer in signers {
        let key = signer.vkey();
        let line = signer.sign(text.as_bytes())?;
        let is_own = line.name() == key.name() && line.key_id() == key.id();
        if !is_own || !key.verify(text.as_bytes(), line.signature()) {
            return Err(SignError::WrongSignature(key.name().clone()));
        }
        note.add(line).map_err(|_| SignError::TooManySigners)?;
        if !keys.contains(key) {
            keys.push(key.clone());
        }
    }
    if keys.is_empty() {
        return Err(SignError::NoSigner);
    }
    Ok((note, keys))
}

/// What two checkpoints of a log say about the time between them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Comparison {
    /// The newer log begins with the whole older log: leaves were only appended.
    Consistent,
    /// The newer log is shorter: leaves that were there are gone.
    RolledBack {
        /// The size that was signed before.
        older: u64,
        /// The size that is shown now.
        newer: u64,
    },
    /// Both have one size and different roots: there are two histories.
    Forked {
        /// The size of both.
        size: u64,
    },
    /// The proof does not lead from the older root to the newer one. If the proof was made from
    /// the log, a leaf below the older size was changed, removed or inserted.
    Tampered {
        /// The size that was signed before.
        older: u64,
        /// The size that is shown now.
        newer: u64,
    },
    /// The checkpoints are of two logs, so that nothing can be said.
    OtherLog {
        /// The log of the older checkpoint.
        older: TextLine,
        /// The log of the newer checkpoint.
        newer: TextLine,
    },
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Consistent => write!(f, "the newer log continues the older one"),
            Self::RolledBack { older, newer } => {
                write!(f, "the log had {older} events and has only {newer} now")
            }
            Self::Forked { size } => {
                write!(f, "there are two different histories of {size} events")
            }
            Self::Tampered { older, newer } => write!(
                f,
                "the log of {newer} events does not begin with the {older} events that were signed"
            ),
            Self::OtherLog { older, newer } => {
                write!(f, "one checkpoint is of '{older}', the other of '{newer}'")
            }
        }
    }
}

/// Compares a checkpoint that was seen earlier with one that is shown now. `proof` is the
/// consistency proof between their sizes; it is not needed when the sizes are equal, or when the
/// newer log is shorter.
pub fn compare(older: &Checkpoint, newer: &Checkpoint, proof: &[TreeHash]) -> Comparison {
    if older.origin != newer.origin {
        return Comparison::OtherLog {
            older: older.origin.clone(),
            newer: newer.origin.clone(),
        };
    }
    let (old_size, new_size) = (older.size, newer.size);
    if new_size < old_size {
        return Comparison::RolledBack {
            older: old_size,
            newer: new_size,
        };
    }
    if new_size == old_size {
        if older.root != newer.root {
            return Comparison::Forked { size: new_size };
        }
    } else if !verify_consistency(old_size, &older.root, new_size, &newer.root, proof) {
        return Comparison::Tampered {
            older: old_size,
            newer: new_size,
        };
    }
    Comparison::Consistent
}

#[cfg(test)]
mod tests;
