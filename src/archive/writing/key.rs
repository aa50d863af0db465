//! Idempotency keys: given as text, or made from the digests of the content.

use std::fmt;
use std::sync::Arc;

use crate::event::BlobRef;

/// Names a source, so that archiving it again returns the first entry.
///
/// ```
/// use annals::archive::{Archive, Key, NewEntry};
///
/// # fn main() -> annals::Result<()> {
/// # let dir = tempfile::tempdir().expect("a temporary folder");
/// let archive = Archive::builder().create(dir.path().join("store"))?;
/// let key = Key::from_digest(|blob| format!("unit-7.csv {}", blob.blake3));
/// let first = archive.put(NewEntry::new("ICT").key(key.clone()), &b"content"[..])?;
/// let again = archive.put(NewEntry::new("ICT").key(key), &b"content"[..])?;
/// assert!(again.existing && again.id == first.id);
/// # archive.close()
/// # }
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub enum Key {
    /// This text.
    Text(String),
    /// Made from the digests after the content was read, so it is read only once.
    FromDigest(Arc<KeyOf>),
}

/// Makes a key from the digests and the size of the content.
pub type KeyOf = dyn Fn(&BlobRef) -> String + Send + Sync;

impl Key {
    /// Makes the key from the digests and the size of the content, once they are known.
    pub fn from_digest(make: impl Fn(&BlobRef) -> String + Send + Sync + 'static) -> Self {
        Self::FromDigest(Arc::new(make))
    }

    /// Returns the key for content with these digests.
    pub fn of(&self, blob: &BlobRef) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::FromDigest(make) => make(blob),
        }
    }
}

impl From<String> for Key {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Key {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.debug_tuple("Text").field(text).finish(),
            Self::FromDigest(_) => f.debug_tuple("FromDigest").finish_non_exhaustive(),
        }
    }
}
