//! Archives content: reads it once, names it by its hash, and hands it to the writer. Small content
//! goes inline, large content through packs.

use std::collections::HashSet;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use crate::archive::appending::decide::no_entry;
use crate::archive::files::pack_error::write_error;
use crate::archive::files::pack_files::pack_class;
use crate::archive::handle::Archive;
use crate::archive::messages::{Draft, Receipt};
use crate::archive::state::pins::Pin;
use crate::archive::state::store::Store;
use crate::blob::compression::Level;
use crate::blob::digests::Digests;
use crate::blob::pack_writer::PackSeries;
use crate::blob::stream::{StreamError, StreamedBlob, stream_into_packs};
use crate::entry::{Meta, Retention, Unit};
use crate::event::{Archived as ArchivedFact, BlobRef, Body, Source};
use crate::format::pack::PackOrigin;
use crate::format::record::{RECORD_HEADER_BYTES, RecordKind, encode_into};
use crate::id::{BlobId, EntryId, EventSeq};
use crate::{Error, ErrorKind, Result};

/// Extra room in the buffer for content of a known length, so that its end is found without growing
/// it.
const END_ROOM_BYTES: usize = 64;
/// The longest file name or path that is recorded, in bytes of UTF-8.
pub const NAME_BYTES_MAX: usize = 8 << 10;

/// What is known of a source when it is archived.
#[derive(Debug, Clone, Default)]
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
    pub key: Option<String>,
    /// Compression level for sealing, 1 (quick) to 9 (smallest); `None` is 6. Content that bypasses
    /// the journal is compressed at this zstd level while the caller waits.
    pub compression_level: Option<u8>,
}

/// The receipt of an archived source. Its entry and content survive a power cut.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
}

impl Archive {
    /// Archives all that `content` yields.
    ///
    /// On `Ok` it is durable. On an error nothing was recorded, except for the kinds `Poisoned` and
    /// `Io`: then the store must be opened again to learn whether it was.
    pub fn put(&self, new: NewEntry, content: impl Read) -> Result<Archived> {
        self.put_some(new, content, 0)
    }

    /// Archives content whose length is about `about` bytes.
    fn put_some(&self, new: NewEntry, mut content: impl Read, about: u64) -> Result<Archived> {
        check(&new)?;
        let level = level(&new)?;
        let store = self.writable()?;
        let stream_bytes = store.options.cuts().stream_bytes();
        // With room to spare, the end is found without the buffer growing.
        let room = usize::try_from(about)
            .map_or(stream_bytes, |about| about.saturating_add(END_ROOM_BYTES));
        let mut head = Vec::with_capacity(room.min(stream_bytes));
        let read_head = content
            .by_ref()
            .take(stream_bytes as u64)
            .read_to_end(&mut head);
        read_head.map_err(|error| Error::io("read", &new.source.path, error))?;
        if head.len() < stream_bytes {
            put_small(self, &new, &head)
        } else {
            let rest = io::Cursor::new(head).chain(content);
            put_large(self, store, &new, level, rest)
        }
    }

    /// Archives a regular file, following a symbolic link that is named outright.
    ///
    /// Refuses directories, FIFOs, sockets and devices. A file that changes while it is read is an
    /// error of kind `Changed`, and nothing is recorded.
    pub fn put_file(&self, path: &Path, mut new: NewEntry) -> Result<Archived> {
        let (file, before) = open_regular(path)?;
        if new.source.name.is_empty() {
            let name = path.file_name().unwrap_or(path.as_os_str());
            new.source.name = name.to_string_lossy().into_owned();
            new.source.name_hex = raw_name(name);
        }
        if new.source.path.is_empty() {
            let full = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
            new.source.path = full.to_string_lossy().into_owned();
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

impl Archive {
    /// Makes the receipt of an archived source. `blob` is the content that was handed in.
    pub(in crate::archive) fn archived(&self, receipt: Receipt, blob: BlobRef) -> Result<Archived> {
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
            }),
            Receipt::Known(id) => self.known(id, blob),
            Receipt::Durable { archived: None, .. } | Receipt::ContentNeeded => Err(Error::new(
                ErrorKind::Invalid,
                "BUG: an archived source was answered as if it had been something else",
            )),
        }
    }

    fn known(&self, id: EntryId, blob: BlobRef) -> Result<Archived> {
        let entry = self
            .store()
            .index
            .view()
            .entry(id)?
            .ok_or_else(|| no_entry(id))?;
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
            duplicate: true,
            existing: true,
        })
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

/// Whether content is handed in that seems to be in the store.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::archive) enum Bring {
    /// Only if it is missing.
    IfMissing,
    /// Always: it was purged after an earlier look.
    Always,
}

/// Makes the fact for content that is too short to be cut into chunks.
pub(in crate::archive) fn small_draft(
    store: &Store,
    new: &NewEntry,
    content: &[u8],
    bring: Bring,
) -> Result<(BlobRef, Draft)> {
    check(new)?;
    let level = level(new)?;
    let blob = Digests::of(content);
    let (records, relies_on, stored_size) =
        if bring == Bring::IfMissing && store.contents.is_stored(&blob.blake3)? {
            let stored_size = store.contents.stored_bytes(&blob.blake3)?;
            (Vec::new(), vec![blob.blake3], stored_size)
        } else {
            let (record, stored_size) = inline_record(store, blob.blake3, content)?;
            (vec![(blob.blake3, record)], Vec::new(), stored_size)
        };
    let draft = Draft {
        body: Body::Archived(fact(new, blob, stored_size)),
        records,
        relies_on,
        placed: Vec::new(),
        retention: new.retention,
        level: level.get(),
        actor: None,
    };
    Ok((blob, draft))
}

fn put_small(archive: &Archive, new: &NewEntry, content: &[u8]) -> Result<Archived> {
    let mut bring = Bring::IfMissing;
    loop {
        let (blob, draft) = small_draft(archive.store(), new, content, bring)?;
        match archive.append(vec![draft])? {
            Receipt::ContentNeeded => bring = Bring::Always,
            receipt => return archive.archived(receipt, blob),
        }
    }
}

fn put_large(
    archive: &Archive,
    store: &Arc<Store>,
    new: &NewEntry,
    level: Level,
    content: impl Read,
) -> Result<Archived> {
    let Streamed {
        blob,
        stored_bytes,
        relies_on,
        placed,
        pin: _pin,
    } = archive
        .stream(new.retention, level, content)
        .map_err(|error| at_source(error, &new.source.path))?;
    let mut fact = fact(new, blob, stored_bytes);
    if stored_bytes == 0 {
        fact.stored_size = store.contents.stored_bytes(&blob.blake3)?;
    }
    let mut draft = Draft::fact(Body::Archived(fact));
    draft.retention = new.retention;
    draft.relies_on = relies_on;
    draft.placed = placed;
    match archive.append(vec![draft])? {
        Receipt::ContentNeeded => Err(Error::new(
            ErrorKind::Changed,
            format!(
                "content that {} shares with other entries was purged while it was read; nothing \
                 was archived",
                new.source.path
            ),
        )
        .hint("archive it again")),
        receipt => archive.archived(receipt, blob),
    }
}

/// Compresses `content` for the journal. Returns the encoded record, and how many bytes it stores.
pub(in crate::archive) fn inline_record(
    store: &Store,
    id: BlobId,
    content: &[u8],
) -> Result<(Vec<u8>, u64)> {
    let raw_len = u32::try_from(content.len()).expect("inline content is below the chunk size");
    store.for_journal.compress(content, |packed| {
        let stored_bytes = packed.stored.len() as u64;
        let mut record = Vec::with_capacity(RECORD_HEADER_BYTES + packed.stored.len());
        encode_into(
            &mut record,
            &packed.record(RecordKind::Content, id, raw_len),
        )
        .map_err(|error| Error::new(ErrorKind::Invalid, error.to_string()))?;
        Ok((record, stored_bytes))
    })
}

fn fact(new: &NewEntry, blob: BlobRef, stored_size: u64) -> ArchivedFact {
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
        key: new.key.clone(),
    }
}

fn check(new: &NewEntry) -> Result<()> {
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

fn open_regular(path: &Path) -> Result<(File, Metadata)> {
    let found = std::fs::metadata(path).map_err(|error| Error::io("read", path, error))?;
    let kind = found.file_type();
    if !kind.is_file() {
        let what = if kind.is_dir() {
            "a directory"
        } else {
            "neither a file nor a directory"
        };
        return Err(Error::new(
            ErrorKind::Invalid,
            format!(
                "{} is {what}; only regular files can be archived",
                path.display()
            ),
        ));
    }
    let file = File::open(path).map_err(|error| Error::io("open", path, error))?;
    let before = file
        .metadata()
        .map_err(|error| Error::io("read", path, error))?;
    if !before.is_file() {
        return Err(Error::new(
            ErrorKind::Changed,
            format!("{} was replaced while it was opened", path.display()),
        ));
    }
    Ok((file, before))
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

/// A file that must not change until its end was read.
struct Unchanging<'a> {
    file: &'a File,
    before: &'a Metadata,
    read: u64,
    changed: Option<&'static str>,
}

impl Read for Unchanging<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = (&mut &*self.file).read(out)?;
        self.read += read as u64;
        if read == 0 && !out.is_empty() {
            // Checked before anything is recorded: the writer waits for the end of the content.
            let after = self.file.metadata()?;
            self.changed = if self.read < self.before.len() {
                Some("shrank")
            } else if self.read > self.before.len() || after.len() != self.before.len() {
                Some("grew")
            } else if after.modified().ok() != self.before.modified().ok() {
                Some("changed")
            } else {
                None
            };
            if self.changed.is_some() {
                return Err(io::Error::other("the file changed while it was read"));
            }
        }
        Ok(read)
    }
}
