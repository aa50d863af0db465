//! Statements about keys: a new key takes over, with the old key's consent or without it.
//!
//! Both are signed notes. A [`Rotation`] is signed by both keys, so that who trusts the old key can
//! trust the new one. A [`LostKey`] is signed by the new key alone: it tells why there is no other
//! signature, and trust in the new key has to come another way.

use std::fmt;

use super::checkpoint::sign_text;
use super::key::{SignError, Signer};
use super::note::{Note, NoteError, TextLine, VerifierKey, VerifierKeyError, VerifyError};

/// The first line of a rotation.
const ROTATION: &str = "annals key rotation v1";
/// The first line of a statement about a lost key.
const LOST: &str = "annals lost key v1";

/// Why a statement is not made.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The two keys cannot follow each other.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// A key did not sign.
    #[error(transparent)]
    Sign(#[from] SignError),
}

/// Why one key cannot follow another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    /// The keys have different names, so they are of different logs.
    #[error("the old and the new key have different names")]
    Names,
    /// Both are one key.
    #[error("the new key is the old one")]
    Same,
}

/// Why a statement is not to be believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// The bytes are not a signed note.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The text does not have the lines of such a statement.
    #[error("line {0} of the statement is not the one that belongs there")]
    Line(usize),
    /// A key in the text is malformed.
    #[error("line {0} of the statement: {1}")]
    Key(usize, VerifierKeyError),
    /// The two keys cannot follow each other.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The key that has to be trusted for this statement is not.
    #[error("the key {0} is not among the trusted keys")]
    NotTrusted(Box<VerifierKey>),
    /// A signature is missing or wrong.
    #[error("the statement is not signed as it has to be: {0}")]
    Verify(#[from] VerifyError),
    /// One of the two keys did not sign.
    #[error("the key {0} did not sign the statement")]
    Unsigned(Box<VerifierKey>),
}

/// A new key that takes over from an old one, signed by both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    old: VerifierKey,
    new: VerifierKey,
    note: Note,
}

impl Rotation {
    /// States that `new` takes over from `old`. Both sign.
    pub fn sign(old: &dyn Signer, new: &dyn Signer) -> Result<Self, StateError> {
        let keys = (old.vkey(), new.vkey());
        check_keys(keys.0, keys.1)?;
        let text = format!("{ROTATION}\nold {}\nnew {}\n", keys.0, keys.1);
        let (note, _) = sign_text(&text, &[old, new])?;
        Ok(Self {
            old: keys.0.clone(),
            new: keys.1.clone(),
            note,
        })
    }

    /// Verifies a rotation. The old key must be one of `trusted`; the new key can be trusted then.
    pub fn verify(bytes: &[u8], trusted: &[VerifierKey]) -> Result<Self, StatementError> {
        let note = Note::parse(bytes)?;
        let mut lines = Lines::of(note.text());
        lines.exactly(ROTATION)?;
        let (old, new) = (lines.key("old ")?, lines.key("new ")?);
        lines.end()?;
        check_keys(&old, &new)?;
        if !trusted.contains(&old) {
            return Err(StatementError::NotTrusted(Box::new(old)));
        }
        check_signed(&note, &[&old, &new])?;
        Ok(Self { old, new, note })
    }

    /// Returns the key that was used until then.
    pub const fn old(&self) -> &VerifierKey {
        &self.old
    }

    /// Returns the key that is used from then on.
    pub const fn new_key(&self) -> &VerifierKey {
        &self.new
    }
}

impl fmt::Display for Rotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.note.fmt(f)
    }
}

/// A new key that is used because the old one is lost, signed by the new key alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostKey {
    old: VerifierKey,
    new: VerifierKey,
    reason: TextLine,
    note: Note,
}

impl LostKey {
    /// States that `old` is lost and that `new` is used from now on.
    pub fn sign(old: &VerifierKey, new: &dyn Signer, reason: TextLine) -> Result<Self, StateError> {
        check_keys(old, new.vkey())?;
        let text = format!("{LOST}\nold {old}\nnew {}\nreason {reason}\n", new.vkey());
        let (note, _) = sign_text(&text, &[new])?;
        Ok(Self {
            old: old.clone(),
            new: new.vkey().clone(),
            reason,
            note,
        })
    }

    /// Verifies the statement. The new key must be one of `trusted`, which nothing in the
    /// statement can replace: anybody can claim that a key is lost.
    pub fn verify(bytes: &[u8], trusted: &[VerifierKey]) -> Result<Self, StatementError> {
        let note = Note::parse(bytes)?;
        let mut lines = Lines::of(note.text());
        lines.exactly(LOST)?;
        let (old, new) = (lines.key("old ")?, lines.key("new ")?);
        let reason = lines.after("reason ")?;
        let reason = TextLine::new(reason).map_err(|_| StatementError::Line(lines.number))?;
        lines.end()?;
        check_keys(&old, &new)?;
        if !trusted.contains(&new) {
            return Err(StatementError::NotTrusted(Box::new(new)));
        }
        check_signed(&note, &[&new])?;
        Ok(Self {
            old,
            new,
            reason,
            note,
        })
    }

    /// Returns the key that is lost.
    pub const fn old(&self) -> &VerifierKey {
        &self.old
    }

    /// Returns the key that is used from then on.
    pub const fn new_key(&self) -> &VerifierKey {
        &self.new
    }

    /// Returns how the key was lost.
    pub const fn reason(&self) -> &TextLine {
        &self.reason
    }
}

impl fmt::Display for LostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.note.fmt(f)
    }
}

/// Returns the key that a statement says is used from then on. Nothing is verified.
pub fn stated_key(statement: &str) -> Result<VerifierKey, StatementError> {
    let note = Note::parse(statement.as_bytes())?;
    let mut lines = Lines::of(note.text());
    if lines.exactly(ROTATION).is_err() {
        lines = Lines::of(note.text());
        lines.exactly(LOST)?;
    }
    lines.key("old ")?;
    lines.key("new ")
}

fn check_keys(old: &VerifierKey, new: &VerifierKey) -> Result<(), KeysError> {
    if old.name() != new.name() {
        return Err(KeysError::Names);
    }
    if old == new {
        return Err(KeysError::Same);
    }
    Ok(())
}

/// Checks that each of `keys` signed the note.
fn check_signed(note: &Note, keys: &[&VerifierKey]) -> Result<(), StatementError> {
    let owned: Vec<VerifierKey> = keys.iter().copied().cloned().collect();
    let signed = note.verify(&owned)?;
    match keys.iter().find(|key| !signed.contains(key)) {
        Some(missing) => Err(StatementError::Unsigned(Box::new((*missing).clone()))),
        None => Ok(()),
    }
}

/// Reads the lines of a statement one after the other.
struct Lines<'t> {
    rest: &'t str,
    number: usize,
}

impl<'t> Lines<'t> {
    const fn of(text: &'t str) -> Self {
        Self {
            rest: text,
            number: 0,
        }
    }

    /// Returns what follows `label` in the next line.
    fn after(&mut self, label: &str) -> Result<&'t str, StatementError> {
        self.number += 1;
        let wrong = StatementError::Line(self.number);
        let (line, rest) = self.rest.split_once('\n').ok_or(wrong.clone())?;
        self.rest = rest;
        line.strip_prefix(label).ok_or(wrong)
    }

    fn exactly(&mut self, line: &str) -> Result<(), StatementError> {
        match self.after(line)? {
            "" => Ok(()),
            _ => Err(StatementError::Line(self.number)),
        }
    }

    fn key(&mut self, label: &str) -> Result<VerifierKey, StatementError> {
        let text = self.after(label)?;
        VerifierKey::parse(text).map_err(|error| StatementError::Key(self.number, error))
    }

    fn end(&self) -> Result<(), StatementError> {
        if !self.rest.is_empty() {
            return Err(StatementError::Line(self.number + 1));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
