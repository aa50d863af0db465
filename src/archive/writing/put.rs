//! Archives content: reads it once, names it by its hash, and hands it to the writer. Small content
//! goes inline, large content through packs.

use std::collections::HashSet;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use crate::archive::appending::decide::no_entry;
use crate::archive::files::pack_error::write_error;
use crate::archive::files::pack_files::pack_class;
use crate::archive::handle::Archive;
use crate::archive::messages::{Draft, Receipt};
use crate::archive::state::inline_record::inline_record;
use crate::archive::state::layers::LayeredIndex;
use crate::archive::state::pins::Pin;
use crate::archive::state::store::Store;
use crate::archive::writing::facts_only::{Keep, facts_draft};
use crate::archive::writing::head::{USUAL_BYTES, give_back, read_head};
use crate::archive::writing::key::Key;
use crate::archive::writing::regular_file::{Unchanging, open_regular};
use crate::blob::compression::Level;
use crate::blob::digests::Digests;
use crate::blob::pack_writer::PackSeries;
use crate::blob::stream::{StreamError, StreamedBlob, stream_into_packs};
use crate::entry::{Meta, Retention, Unit};
use crate::event::{Archived as ArchivedFact, BlobRef, Body, Source};
use crate::format::pack::PackOrigin;
use crate::id::{BlobId, EntryId, EventSeq};
use crate::setters::setters;
use crate::{Error, ErrorKind, Result};

/// The longest file name or path that is recorded, in bytes of UTF-8.
pub const NAME_BYTES_MAX: usize = 8 << 10;

/// What is known of a source when it is archived.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct NewEntry {
    /// The converter that the source is meant for; must not be empty.
    pub converter: String,
    /// The version that converter claims.
    pub converter_version: Option<String>,
    /// Where the source came from. [`Archive::put_file`] fills in what is empty.
    pub source: Source,
    /// What is known of the unit.
    pub unit: Unit,
    /// Facts of any kind.
    pub meta: Meta,
    /// The converter's arguments, secret ones masked.
    pub arguments: Meta,
    /// How long the entry is kept.
    pub retention: Retention,
    /// Idempotency key. With a key that is known, the earlier entry is returned instead of a new
    /// one.
    pub key: Option<Key>,
    /// Compression level for sealing, 1 (quick) to 9 (smallest); `None` is 6. Content that bypasses
    /// the journal is compressed at this zstd level while the caller waits.
    pub compression_level: Option<u8>,
    /// Whether the content is stored.
    pub keep: Keep,
}

setters! { NewEntry {
    /// Sets the converter it is meant for.
    converter: into [String];
    /// Sets the version that the converter claims.
    converter_version: some [String];
    /// Sets where it came from.
    source: [Source];
    /// Sets what is known of the unit.
    unit: [Unit];
    /// Sets the converter's arguments, secret ones masked.
    arguments: [Meta];
    /// Sets how long it is kept.
    retention: [Retention];
    /// Sets the idempotency key: text, or [`Key::from_digest`].
    key: some [Key];
    /// Sets how hard sealing tries to make content small, 1 to 9.
    compression_level: opt [u8];
} }

impl NewEntry {
    /// Returns a source for this converter, of which nothing else is known.
    pub fn new(converter: impl Into<String>) -> Self {
        Self {
            converter: converter.into(),
            ..Self::default()
        }
    }

    /// Keeps only facts and hashes: the content is read to its end, and not stored.
    ///
    /// ```
    /// use annals::archive::{Archive, NewEntry};
    ///
    /// # fn main() -> annals::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let archive = Archive::builder().create(dir.path().join("store"))?;
    /// let new = NewEntry::new("ICT").name("huge.bin").facts_only();
    /// let archived = archive.put(new, &b"content"[..])?;
    /// assert!(archived.facts_only);
    /// assert!(archive.read(&archived.blob.blake3).is_err());
    /// # archive.close()
    /// # }
    /// ```
    #[must_use]
    pub fn facts_only(mut self) -> Self {
        self.keep = Keep::FactsOnly;
        self
    }

    /// Sets the file name.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.source.name = name.into();
        self
    }

    /// Sets the serial number of the unit.
    #[must_use]
    pub fn serial(mut self, serial: impl Into<String>) -> Self {
        self.unit.serial = Some(serial.into());
        self
    }

    /// Sets the part number of the unit.
    #[must_use]
    pub fn part(mut self, part: impl Into<String>) -> Self {
        self.unit.part = Some(part.into());
        self
    }

    /// Adds a free fact.
    #[must_use]
    pub fn meta(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.meta.insert(name.into(), value.into());
        self
    }
}

/// The receipt of an archived source. Its entry and content survive a power cut.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Archived {
    /// The entry.
    pub id: EntryId,
    /// Its content.
    #[serde(flatten)]
    pub blob: BlobRef,
    /// Bytes the content takes in the store, as first written.
    pub stored_size: u64,
    /// True when the content was there already and no bytes were added.
    pub duplicate: bool,
    /// True when the idempotency key was known and this is the earlier entry.
    pub existing: bool,
    /// True when only facts are kept of it: its content is not in the store.
    pub facts_only: bool,
}

impl Archived {
    /// Returns what archiving again would answer about an entry that is there.
    #[cfg(feature = "cli")]
    pub(crate) fn before(entry: &crate::entry::Entry) -> Self {
        Self {
            id: entry.id,
            blob: BlobRef {
                blake3: entry.blake3,
                sha256: entry.sha256,
                size: entry.size,
            },
            stored_size: 0,
            duplicate: true,
            existing: true,
            facts_only: entry.facts_only,
        }
    }
}

impl Archive {
    /// Archives all that `content` yields. On `Ok` it is durable.
    ///
    /// It does what `begin_put(new, content)?.wait()` does, and is faster for a caller who is
    /// alone.
    ///
    /// ```
    /// use annals::archive::{Archive, NewEntry};
    ///
    /// # fn main() -> annals::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let archive = Archive::builder().create(dir.path().join("store"))?;
    /// let archived = archive.put(NewEntry::new("ICT").name("a.csv"), &b"content"[..])?;
    /// assert_eq!(archived.blob.size, 7);
    /// # archive.close()
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// On an error nothing was recorded, except for the kinds `Poisoned` and `Io`: then the store
    /// must be opened again to learn whether it was.
    pub fn put(&self, new: NewEntry, content: impl Read) -> Result<Archived> {
        self.put_some(new, content, USUAL_BYTES)
    }

    /// Archives content whose length is about `about` bytes.
    fn put_some(&self, new: NewEntry, mut content: impl Read, about: u64) -> Result<Archived> {
        check(&new)?;
        let store = self.writable()?;
        if new.keep == Keep::FactsOnly {
            let (blob, draft) = facts_draft(&new, content)?;
            let receipt = self.append(vec![draft])?;
            return receipt_of(&store.index, receipt, blob, &new.source.path);
        }
        let stream_bytes = store.options.cuts().stream_bytes();
        let head = read_head(&new.source.path, &mut content, about, stream_bytes)?;
        let (blob, draft, _pin) = if head.len() < stream_bytes {
            let (blob, draft) = small_draft(store, &new, &head)?;
            give_back(head);
            (blob, draft, None)
        } else {
            let rest = io::Cursor::new(head).chain(content);
            let (blob, draft, pin) = large_draft(self, &new, rest)?;
            (blob, draft, Some(pin))
        };
        let receipt = self.append(vec![draft])?;
        receipt_of(&store.index, receipt, blob, &new.source.path)
    }

    /// Archives a regular file, following a symbolic link that is named outright.
    ///
    /// Refuses directories, FIFOs, sockets and devices. A file that changes while it is read is an
    /// error of kind `Changed`, and nothing is recorded.
    ///
    /// ```
    /// use annals::archive::{Archive, NewEntry};
    ///
    /// # fn main() -> annals::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let archive = Archive::builder().create(dir.path().join("store"))?;
    /// let path = dir.path().join("a.csv");
    /// std::fs::write(&path, "content").expect("written");
    /// let archived = archive.put_file(&path, NewEntry::new("ICT"))?;
    /// let entry = archive.snapshot()?.entry(archived.id)?.expect("there");
    /// assert_eq!(entry.source_name, "a.csv");
    /// # archive.close()
    /// # }
    /// ```
    pub fn put_file(&self, path: &Path, mut new: NewEntry) -> Result<Archived> {
        let (file, before) = open_regular(path)?;
        if new.source.name.is_empty() {
            let name = path.file_name().unwrap_or(path.as_os_str());
            new.source.name = name.to_string_lossy().into_owned();
            new.source.name_hex = raw_name(name);
        }
        if new.source.path.is_empty() {
            new.source.path = full_path(path);
        }
        if new.source.modified.is_none()
            && let Ok(modified) = before.modified()
        {
            new.source.set_modified(modified);
        }
        let mut guarded = Unchanging {
            file: &file,
            before: &before,
            read: 0,
            changed: None,
        };
        let put = self.put_some(new, &mut guarded, before.len());
        match guarded.changed {
            Some(how) => Err(Error::new(
                ErrorKind::Changed,
                format!(
                    "{} {how} while it was read; nothing was archived",
                    path.display()
                ),
            )
            .hint("wait until it is complete and archive it again")),
            None => put,
        }
    }
}

/// Content in packs that no event names yet.
pub(in crate::archive) struct Streamed {
    blob: BlobRef,
    /// Bytes written for it; 0 when all of it was known.
    stored_bytes: u64,
    /// Blobs that it shares with earlier content.
    pub(in crate::archive) relies_on: Vec<BlobId>,
    /// Blobs that were written for it.
    pub(in crate::archive) placed: Vec<BlobId>,
    /// Keeps compaction away from its packs until the event is recorded.
    pub(in crate::archive) pin: Pin,
}

impl Archive {
    /// Writes long content into packs of its own, in bounded memory. It is garbage until an event
    /// names it.
    pub(in crate::archive) fn stream(
        &self,
        retention: Retention,
        level: Level,
        content: impl Read,
    ) -> Result<Streamed> {
        let store = self.store();
        let class = pack_class(retention, store.options.clock.now());
        store.packs.make_class_dir(&class)?;
        let none = EventSeq(0);
        let place = || {
            store
                .packs
                .next_place(&class, PackOrigin::Streamed, (none, none))
        };
        let pack_bytes = store.options.pack_bytes;
        let series = PackSeries::new(Arc::clone(&store.disk), pack_bytes, place);
        let known = |id: &BlobId| store.contents.is_stored(id).unwrap_or(false);
        let StreamedBlob {
            blob,
            stored_bytes,
            packs,
        } = stream_into_packs(content, store.options.cuts(), series, level, &known).map_err(
            |error| match error {
                StreamError::Source(error) => Error::io("read", "the source", error),
                StreamError::Pack(error) => write_error(error),
            },
        )?;
        let mut relies_on = Vec::new();
        let mut placed = Vec::new();
        let pin = store.pins.pin(packs.iter().map(|pack| pack.id).collect());
        if packs.is_empty() {
            relies_on.push(blob.blake3);
        } else {
            let inside = packs.iter().flat_map(|pack| &pack.entries);
            placed.extend(inside.map(|entry| entry.id));
            self.place_packs(packs)?;
            // Blobs that were in the store already are not ours yet: the entries that name them may
            // be purged before our event is recorded. Only what was written just now is there
            // because of us.
            let ours: HashSet<BlobId> = placed.iter().copied().collect();
            let view = store.index.view();
            let parts = view.children(&blob.blake3)?;
            let whole = std::iter::once(&blob.blake3);
            relies_on.extend(whole.chain(&*parts).filter(|id| !ours.contains(*id)));
        }
        Ok(Streamed {
            blob,
            stored_bytes,
            relies_on,
            placed,
            pin,
        })
    }
}

/// Names the source in an error of reading it.
fn at_source(error: Error, path: &str) -> Error {
    match std::error::Error::source(&error).and_then(|source| source.downcast_ref::<io::Error>()) {
        Some(source) if error.message().starts_with("cannot read the source") => {
            Error::new(error.kind(), format!("cannot read {path}: {source}"))
        }
        _ => error,
    }
}

/// Makes the fact for content that is too short to be cut into chunks.
pub(super) fn small_draft(
    store: &Store,
    new: &NewEntry,
    content: &[u8],
) -> Result<(BlobRef, Draft)> {
    check(new)?;
    let level = level(new)?;
    let blob = Digests::of(content);
    let mut fact = fact(new, blob, 0);
    let (mut records, mut relies_on, mut kept) = (Vec::new(), Vec::new(), None);
    if store.contents.is_stored(&blob.blake3)? {
        fact.stored_size = store.contents.stored_bytes(&blob.blake3)?;
        relies_on.push(blob.blake3);
        kept = Some(content.to_owned());
    } else {
        let (record, stored_size) = inline_record(&store.for_journal, blob.blake3, content)?;
        fact.stored_size = stored_size;
        records.push((blob.blake3, record));
    }
    let draft = Draft {
        body: Body::Archived(fact),
        records,
        relies_on,
        placed: Vec::new(),
        retention: new.retention,
        level: level.get(),
        actor: None,
        kept,
    };
    Ok((blob, draft))
}

/// Writes long content into packs, and makes the fact that names it. The pin keeps the packs until
/// the writer has answered.
pub(super) fn large_draft(
    archive: &Archive,
    new: &NewEntry,
    content: impl Read,
) -> Result<(BlobRef, Draft, Pin)> {
    let level = level(new)?;
    let Streamed {
        blob,
        stored_bytes,
        relies_on,
        placed,
        pin,
    } = archive
        .stream(new.retention, level, content)
        .map_err(|error| at_source(error, &new.source.path))?;
    let mut fact = fact(new, blob, stored_bytes);
    if stored_bytes == 0 {
        fact.stored_size = archive.store().contents.stored_bytes(&blob.blake3)?;
    }
    let mut draft = Draft::fact(Body::Archived(fact));
    draft.retention = new.retention;
    draft.relies_on = relies_on;
    draft.placed = placed;
    Ok((blob, draft, pin))
}

/// Makes the receipt of an archived source. `blob` is the content that was handed in, `path` where
/// it came from.
pub(super) fn receipt_of(
    index: &LayeredIndex,
    receipt: Receipt,
    blob: BlobRef,
    path: &str,
) -> Result<Archived> {
    match receipt {
        Receipt::Durable {
            archived: Some(archived),
            ..
        } => Ok(Archived {
            id: archived.id,
            blob,
            stored_size: archived.stored_size,
            duplicate: archived.duplicate,
            existing: false,
            facts_only: archived.facts_only,
        }),
        Receipt::Known(id) => known(index, id, blob),
        Receipt::ContentNeeded => Err(Error::new(
            ErrorKind::Changed,
            format!(
                "content that {path} shares with other entries was purged while it was read; \
                 nothing was archived"
            ),
        )
        .hint("archive it again")),
        Receipt::Durable { archived: None, .. } => Err(Error::new(
            ErrorKind::Invalid,
            "BUG: an archived source was answered as if it had been something else",
        )),
    }
}

/// Makes the receipt of a source whose key is known.
fn known(index: &LayeredIndex, id: EntryId, blob: BlobRef) -> Result<Archived> {
    let entry = index.view().entry(id)?.ok_or_else(|| no_entry(id))?;
    if entry.blake3 != blob.blake3 {
        return Err(Error::new(
            ErrorKind::Refused,
            format!(
                "the key '{}' was used for other content: entry {id}",
                entry.key.as_deref().unwrap_or_default()
            ),
        )
        .hint("use one key for one source; nothing was archived"));
    }
    Ok(Archived {
        id,
        blob,
        stored_size: entry.stored_size,
        duplicate: !entry.facts_only,
        existing: true,
        facts_only: entry.facts_only,
    })
}

pub(super) fn fact(new: &NewEntry, blob: BlobRef, stored_size: u64) -> ArchivedFact {
    ArchivedFact {
        converter: new.converter.clone(),
        converter_version: new.converter_version.clone(),
        source: new.source.clone(),
        blob,
        stored_size,
        duplicate: false,
        unit: new.unit.clone(),
        meta: new.meta.clone(),
        arguments: new.arguments.clone(),
        retention: new.retention,
        key: new.key.as_ref().map(|key| key.of(&blob)),
        facts_only: false,
    }
}

pub(super) fn check(new: &NewEntry) -> Result<()> {
    if new.converter.trim().is_empty() {
        return Err(Error::new(
            ErrorKind::Invalid,
            "the converter's name is empty",
        ));
    }
    if new.retention == Retention::days(0) {
        return Err(Error::new(
            ErrorKind::Invalid,
            "a retention of 0 days and 0 years keeps nothing",
        )
        .hint("keep it for a day or more, or for ever"));
    }
    for (what, text) in [("name", &new.source.name), ("path", &new.source.path)] {
        if text.len() > NAME_BYTES_MAX {
            return Err(Error::new(
                ErrorKind::Invalid,
                format!(
                    "the source's {what} has {} bytes; at most {NAME_BYTES_MAX} are recorded",
                    text.len()
                ),
            ));
        }
    }
    Ok(())
}

fn level(new: &NewEntry) -> Result<Level> {
    let Some(level) = new.compression_level else {
        return Ok(Level::DEFAULT);
    };
    Level::new(level).ok_or_else(|| {
        Error::new(
            ErrorKind::Invalid,
            format!("compression level {level} is not between 1 and 9"),
        )
    })
}

/// Returns a path as events state it: absolute, and with U+FFFD for bytes that are not UTF-8.
pub(crate) fn full_path(path: &Path) -> String {
    let full = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    full.to_string_lossy().into_owned()
}

/// Returns the bytes of a file name that is not UTF-8, in hexadecimal.
#[cfg(unix)]
pub(crate) fn raw_name(name: &std::ffi::OsStr) -> Option<String> {
    use std::os::unix::ffi::OsStrExt;
    name.to_str().is_none().then(|| {
        let bytes = name.as_bytes();
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    })
}

/// Returns the code units of a file name that is not Unicode, in hexadecimal.
#[cfg(not(unix))]
pub(crate) fn raw_name(name: &std::ffi::OsStr) -> Option<String> {
    name.to_str().is_none().then(|| {
        name.as_encoded_bytes()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    })
}
