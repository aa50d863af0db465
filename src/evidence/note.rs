//! Signed notes: text with signature lines, as [C2SP signed-note](https://c2sp.org/signed-note)
//! defines them.
//!
//! A note is a text, an empty line, and one line for each signature. A reader trusts the text only
//! after [`Note::verify`], with keys that came another way. Signatures of other keys are ignored,
//! so that new kinds of signatures can be added beside old ones.

use std::fmt;
use std::str::FromStr;

use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest, Sha256};

use super::text::{decode_base64, encode_base64};
use crate::id::StoreId;

/// The largest note that is read. It has room for all signatures in their largest known form.
pub const NOTE_BYTES_MAX: usize = 512 << 10;

/// How many signature lines a note may have. Logs with many witnesses have a dozen.
pub const SIGNATURES_MAX: usize = 64;

/// The byte that says in a verifier key that it is an Ed25519 key.
const ED25519: u8 = 1;

/// What a signature line begins with.
const DASH: &str = "\u{2014} ";

/// A line that may stand in the text of a note: not empty, without control characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TextLine(String);

/// The text is not a [`TextLine`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TextLineError {
    /// The line is empty.
    #[error("the line is empty")]
    Empty,
    /// The line has a control character, for example a line feed.
    #[error("the line has a control character")]
    Control,
}

impl TextLine {
    /// Returns the line, if it may stand in a note.
    pub fn new(line: impl Into<String>) -> Result<Self, TextLineError> {
        let line = line.into();
        if line.is_empty() {
            Err(TextLineError::Empty)
        } else if line.bytes().any(is_control) {
            Err(TextLineError::Control)
        } else {
            Ok(Self(line))
        }
    }

    /// Returns the line as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TextLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl From<&KeyName> for TextLine {
    fn from(name: &KeyName) -> Self {
        Self(name.0.clone())
    }
}

const fn is_control(byte: u8) -> bool {
    byte < b' '
}

/// The name of a key: whose key it is. For the key of a log it is the log's origin.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyName(String);

/// The text is not a [`KeyName`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key's name must not be empty and must have no blanks, '+' or control characters")]
pub struct KeyNameError;

impl KeyName {
    /// Returns the name, if it can be one.
    pub fn new(name: impl Into<String>) -> Result<Self, KeyNameError> {
        let name = name.into();
        let allowed = |c: char| !c.is_whitespace() && !c.is_control() && c != '+';
        if name.is_empty() || !name.chars().all(allowed) {
            return Err(KeyNameError);
        }
        Ok(Self(name))
    }

    /// Returns the name of a store's keys, which is also the origin of its checkpoints:
    /// `annals/<store id>`.
    pub fn of_store(store: &StoreId) -> Self {
        Self(format!("annals/{store}"))
    }

    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A short number that finds a key among those of one name. It proves nothing: another key can
/// have the same id.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(u32);

impl KeyId {
    /// Returns the id of the key with this name, kind and public part.
    fn of(name: &KeyName, kind: u8, public: &[u8]) -> Self {
        let digest = Sha256::new()
            .chain_update(name.as_str())
            .chain_update([b'\n', kind])
            .chain_update(public)
            .finalize();
        Self(u32::from_be_bytes([
            digest[0], digest[1], digest[2], digest[3],
        ]))
    }

    fn parse(text: &str) -> Option<Self> {
        let plain = text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if text.len() != 8 || !plain {
            return None;
        }
        u32::from_str_radix(text, 16).ok().map(Self)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

/// The public part of an Ed25519 key, with its name. Its text form is
/// `<name>+<id>+<base64 of 0x01 and the key>`.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: KeyName,
    id: KeyId,
    key: VerifyingKey,
}

/// Why a text is not a verifier key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifierKeyError {
    /// The text does not have the three parts of a key.
    #[error("a verifier key has the form NAME+ID+KEY")]
    Shape,
    /// The name cannot be one.
    #[error(transparent)]
    Name(#[from] KeyNameError),
    /// The id is not eight hexadecimal digits in lower case.
    #[error("a key's id has eight hexadecimal digits in lower case")]
    Id,
    /// The key is not base64.
    #[error("the key's last part is not base64")]
    Base64,
    /// The key is of a kind that is not read here.
    #[error("the key is of kind {0}; only kind 1, Ed25519, is known")]
    Kind(u8),
    /// The key does not have 32 bytes, or they are no point of the curve, or a weak one.
    #[error("the key is not an Ed25519 public key")]
    Key,
    /// The id does not belong to the name and the key.
    #[error("the key's id is {found}, but its name and key give {computed}; a part was changed")]
    Mismatch {
        /// The id in the text.
        found: KeyId,
        /// The id of the name and the key.
        computed: KeyId,
    },
}

impl VerifierKey {
    /// Returns the key with this name and these public bytes.
    pub fn new(name: KeyName, public: &[u8; 32]) -> Result<Self, VerifierKeyError> {
        let key = VerifyingKey::from_bytes(public).map_err(|_| VerifierKeyError::Key)?;
        // Signatures that hold for many texts can be made for a weak key.
        if key.is_weak() {
            return Err(VerifierKeyError::Key);
        }
        let id = KeyId::of(&name, ED25519, public);
        Ok(Self { name, id, key })
    }

    /// Parses the text form.
    pub fn parse(text: &str) -> Result<Self, VerifierKeyError> {
        let mut parts = text.splitn(3, '+');
        let mut part = || parts.next().ok_or(VerifierKeyError::Shape);
        let (name, id, key) = (part()?, part()?, part()?);
        let name = KeyName::new(name)?;
        let found = KeyId::parse(id).ok_or(VerifierKeyError::Id)?;
        let bytes = decode_base64(key).ok_or(VerifierKeyError::Base64)?;
        let public = match bytes.split_first() {
            Some((&ED25519, public)) => public.try_into().map_err(|_| VerifierKeyError::Key)?,
            Some((kind, _)) => return Err(VerifierKeyError::Kind(*kind)),
            None => return Err(VerifierKeyError::Key),
        };
        let key = Self::new(name, public)?;
        if key.id != found {
            let computed = key.id;
            return Err(VerifierKeyError::Mismatch { found, computed });
        }
        Ok(key)
    }

    /// Returns whose key it is.
    pub const fn name(&self) -> &KeyName {
        &self.name
    }

    /// Returns the short number that signature lines name the key by.
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// Returns the 32 public bytes (RFC 8032).
    pub fn public(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    /// Returns whether `signature` is the key's signature of `text`.
    #[must_use]
    pub fn verify(&self, text: &[u8], signature: &[u8]) -> bool {
        // Strict: no signature holds for two keys, and nobody can make a second one of a first.
        Signature::from_slice(signature)
            .is_ok_and(|signature| self.key.verify_strict(text, &signature).is_ok())
    }

    /// Returns whether a signature line names this key.
    fn is_named_by(&self, line: &SignatureLine) -> bool {
        self.id == line.key_id && self.name == line.name
    }
}

impl FromStr for VerifierKey {
    type Err = VerifierKeyError;

    fn from_str(text: &str) -> Result<Self, VerifierKeyError> {
        Self::parse(text)
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [ED25519; 33];
        bytes[1..].copy_from_slice(self.public());
        write!(f, "{}+{}+{}", self.name, self.id, encode_base64(&bytes))
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifierKey({self})")
    }
}

/// One signature of a note, by a key that may be unknown here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureLine {
    name: KeyName,
    key_id: KeyId,
    signature: Vec<u8>,
}

impl SignatureLine {
    /// Returns the line for a signature by `key`. Nothing is verified.
    pub fn new(key: &VerifierKey, signature: &[u8]) -> Self {
        Self {
            name: key.name.clone(),
            key_id: key.id,
            signature: signature.to_vec(),
        }
    }

    /// Returns the name of the key that signed, as the line claims.
    pub const fn name(&self) -> &KeyName {
        &self.name
    }

    /// Returns the id of the key that signed, as the line claims.
    pub const fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// Returns the bytes of the signature.
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    fn parse(line: &str) -> Option<Self> {
        let (name, base64) = line.strip_prefix(DASH)?.split_once(' ')?;
        let name = KeyName::new(name).ok()?;
        let bytes = decode_base64(base64)?;
        let (id, signature) = bytes.split_first_chunk::<4>()?;
        if signature.is_empty() {
            return None;
        }
        Some(Self {
            name,
            key_id: KeyId(u32::from_be_bytes(*id)),
            signature: signature.to_vec(),
        })
    }
}

impl fmt::Display for SignatureLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = self.key_id.0.to_be_bytes().to_vec();
        bytes.extend_from_slice(&self.signature);
        write!(f, "{DASH}{} {}", self.name, encode_base64(&bytes))
    }
}

/// A text and its signatures, of which none is verified yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<SignatureLine>,
}

/// Why bytes are not a signed note.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// The note is larger than any that is needed.
    #[error("the note has {0} bytes, which is more than {NOTE_BYTES_MAX}")]
    TooLarge(usize),
    /// The note is not UTF-8.
    #[error("the note is not UTF-8 text")]
    Utf8,
    /// The note has a control character.
    #[error("the note has a control character at byte {0}")]
    Control(usize),
    /// The text does not end with a line feed.
    #[error("the note's text does not end with a line feed")]
    Unended,
    /// No empty line separates text and signatures, or no signature follows it.
    #[error("the note has no signatures after an empty line")]
    Unsigned,
    /// A signature line is malformed.
    #[error("signature line {0} of the note is malformed")]
    SignatureLine(usize),
    /// The note has more signatures than any that is needed.
    #[error("the note has more than {SIGNATURES_MAX} signatures")]
    TooManySignatures,
}

/// Why a note is not to be believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// No trusted key signed the note.
    #[error("no trusted key signed it")]
    NoTrustedKey,
    /// A line claims to be the signature of a trusted key, and is not.
    #[error("the signature of '{0}' (key {1}) does not belong to this text")]
    WrongSignature(KeyName, KeyId),
    /// Two of the trusted keys have one name and one id, so that a line cannot tell them apart.
    #[error("two different trusted keys are called '{0}' and have the id {1}")]
    AmbiguousKey(KeyName, KeyId),
}

impl Note {
    /// Returns the note of a text that nobody has signed yet.
    pub fn new(text: impl Into<String>) -> Result<Self, NoteError> {
        let text = text.into();
        check_characters(&text)?;
        if !text.ends_with('\n') {
            return Err(NoteError::Unended);
        }
        Ok(Self {
            text,
            signatures: Vec::new(),
        })
    }

    /// Parses a signed note. Nothing is verified.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > NOTE_BYTES_MAX {
            return Err(NoteError::TooLarge(bytes.len()));
        }
        let whole = str::from_utf8(bytes).map_err(|_| NoteError::Utf8)?;
        check_characters(whole)?;
        // The text may have empty lines itself, so the last one counts.
        let end = whole.rfind("\n\n").ok_or(NoteError::Unsigned)?;
        let (text, lines) = (&whole[..=end], &whole[end + 2..]);
        let lines = match lines.strip_suffix('\n') {
            Some(lines) => lines,
            None if lines.is_empty() => return Err(NoteError::Unsigned),
            None => return Err(NoteError::SignatureLine(lines.lines().count())),
        };
        let mut signatures = Vec::new();
        for (number, line) in lines.split('\n').enumerate() {
            if number == SIGNATURES_MAX {
                return Err(NoteError::TooManySignatures);
            }
            let line = SignatureLine::parse(line).ok_or(NoteError::SignatureLine(number + 1))?;
            signatures.push(line);
        }
        let text = text.to_owned();
        Ok(Self { text, signatures })
    }

    /// Returns the text, with its last line feed. Nobody should act on it before
    /// [`Note::verify`].
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the signatures in their order.
    pub fn signatures(&self) -> &[SignatureLine] {
        &self.signatures
    }

    /// Adds a signature. Nothing is verified.
    pub fn add(&mut self, signature: SignatureLine) -> Result<(), NoteError> {
        if self.signatures.len() == SIGNATURES_MAX {
            return Err(NoteError::TooManySignatures);
        }
        self.signatures.push(signature);
        Ok(())
    }

    /// Verifies the signatures of all trusted keys and returns the keys that signed, each once.
    ///
    /// Signatures of other keys are ignored. One wrong signature that claims to be of a trusted key
    /// is an error even if another one is right: somebody changed the note.
    pub fn verify<'k>(
        &self,
        trusted: &'k [VerifierKey],
    ) -> Result<Vec<&'k VerifierKey>, VerifyError> {
        let mut found: Vec<&VerifierKey> = Vec::new();
        for line in &self.signatures {
            let mut named = trusted.iter().filter(|key| key.is_named_by(line));
            let Some(key) = named.next() else { continue };
            if named.any(|other| other != key) {
                return Err(VerifyError::AmbiguousKey(line.name.clone(), line.key_id));
            }
            if !key.verify(self.text.as_bytes(), &line.signature) {
                return Err(VerifyError::WrongSignature(line.name.clone(), line.key_id));
            }
            if !found.contains(&key) {
                found.push(key);
            }
        }
        if found.is_empty() {
            return Err(VerifyError::NoTrustedKey);
        }
        Ok(found)
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures
            .iter()
            .try_for_each(|line| writeln!(f, "{line}"))
    }
}

fn check_characters(text: &str) -> Result<(), NoteError> {
    let wrong = |byte| is_control(byte) && byte != b'\n';
    match text.bytes().position(wrong) {
        Some(at) => Err(NoteError::Control(at)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
