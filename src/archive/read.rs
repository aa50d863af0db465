//! What comes out: content, verified before it is handed over, and events, as they stand in the log.

use std::io::{self, Read};
use std::sync::Arc;

use crate::archive::shared::Shared;
use crate::archive::{Archive, rebuild};
use crate::blob::manifest::{ChunkRef, ManifestReader};
use crate::event::Event;
use crate::format::record::RecordKind;
use crate::id::{BlobId, EventSeq};
use crate::log::LogReader;
use crate::{Error, ErrorKind, Result};

impl Archive {
    /// A blob's content. Every chunk is compared with its hash before it is handed out, and the whole at its end: what is
    /// read without an error is what was archived.
    ///
    /// `NotFound` when the store has no such blob, or no longer.
    ///
    /// ```
    /// use annals::archive::{Archive, NewEntry};
    /// use std::io::Read;
    ///
    /// # fn main() -> annals::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let archive = Archive::builder().create(dir.path().join("store"))?;
    /// let archived = archive.put(NewEntry::new("ICT"), &b"content"[..])?;
    /// let mut text = String::new();
    /// archive.read(&archived.blob.blake3)?.read_to_string(&mut text).expect("whole");
    /// assert_eq!(text, "content");
    /// # archive.close()
    /// # }
    /// ```
    pub fn read(&self, blob: &BlobId) -> Result<BlobReader> {
        BlobReader::open(Arc::clone(self.shared()), *blob)
    }

    /// The same in one piece; content of more than `limit` bytes is refused.
    pub fn read_all(&self, blob: &BlobId, limit: u64) -> Result<Vec<u8>> {
        let mut reader = self.read(blob)?;
        if reader.size() > limit {
            return Err(Error::new(
                ErrorKind::Invalid,
                format!(
                    "blob {blob} has {} bytes, more than the {limit} asked for",
                    reader.size()
                ),
            ));
        }
        let mut content = Vec::new();
        reader
            .read_to_end(&mut content)
            .map_err(|error| io_error(blob, error))?;
        Ok(content)
    }

    /// The events from `from` to `to`, both included; `None` is the newest there is now.
    ///
    /// ```
    /// use annals::archive::Archive;
    /// use annals::id::EventSeq;
    ///
    /// # fn main() -> annals::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let archive = Archive::builder().create(dir.path().join("store"))?;
    /// for leaf in archive.events(EventSeq(1), None)? {
    ///     println!("{}", leaf?.line);
    /// }
    /// # archive.close()
    /// # }
    /// ```
    pub fn events(&self, from: EventSeq, to: Option<EventSeq>) -> Result<Events> {
        let newest = self.newest();
        let first = EventSeq(from.0.max(1));
        let last = to.map_or(newest, |to| to.min(newest));
        Ok(Events::between(self.shared(), first, last))
    }
}

/// An error met inside `Read`, as the error it was.
pub(super) fn io_error(blob: &BlobId, error: io::Error) -> Error {
    match error.downcast::<Error>() {
        Ok(error) => error,
        Err(error) => Error::io("read", format!("blob {blob}"), error),
    }
}

/// Reads a blob from its start to its end, one chunk in memory.
///
/// Errors carry an [`Error`]; after one, nothing more comes.
pub struct BlobReader {
    shared: Arc<Shared>,
    blob: BlobId,
    size: u64,
    chunk: Vec<u8>,
    at: usize,
    /// The chunks still to come, and the hash of those that came; nothing for content in one piece.
    rest: Option<Chunks>,
}

struct Chunks {
    reader: ManifestReader<Fetch>,
    whole: blake3::Hasher,
}

type Fetch = Box<dyn FnMut(&BlobId) -> Result<Vec<u8>> + Send>;

impl BlobReader {
    fn open(shared: Arc<Shared>, blob: BlobId) -> Result<Self> {
        let Some(plain) = shared.plain(&blob)? else {
            return Err(if shared.is_live(&blob)? {
                damaged(&blob, "it is nowhere in the store")
            } else {
                missing(&blob)
            });
        };
        let (size, chunk, rest) = match plain.kind {
            RecordKind::Content | RecordKind::Dictionary => {
                (plain.bytes.len() as u64, plain.bytes, None)
            }
            RecordKind::Manifest => {
                let nodes = Arc::clone(&shared);
                let fetch: Fetch = Box::new(move |id| fetch(&nodes, id));
                let reader = ManifestReader::new(&plain.bytes, fetch)
                    .map_err(|error| damaged(&blob, &error.to_string()))?;
                let size = reader.total_len();
                let chunks = Chunks {
                    reader,
                    whole: blake3::Hasher::new(),
                };
                (size, Vec::new(), Some(chunks))
            }
        };
        Ok(Self {
            shared,
            blob,
            size,
            chunk,
            at: 0,
            rest,
        })
    }

    /// Bytes of the whole content.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Gets the next chunk; `false` at the end.
    fn next_chunk(&mut self) -> Result<bool> {
        let Some(chunks) = &mut self.rest else {
            return Ok(false);
        };
        match chunks.reader.next() {
            Some(next) => {
                let ChunkRef { id, len } =
                    next.map_err(|error| damaged(&self.blob, &error.to_string()))?;
                self.chunk = fetch(&self.shared, &id)?;
                self.at = 0;
                if self.chunk.len() as u64 != len {
                    return Err(damaged(
                        &self.blob,
                        &format!("chunk {id} is not as long as it should be"),
                    ));
                }
                chunks.whole.update(&self.chunk);
                Ok(true)
            }
            None => {
                let whole = BlobId::from_bytes(*chunks.whole.finalize().as_bytes());
                self.rest = None;
                if whole == self.blob {
                    Ok(false)
                } else {
                    Err(damaged(
                        &self.blob,
                        "its chunks do not make the content it is named by",
                    ))
                }
            }
        }
    }
}

impl Read for BlobReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        while self.at == self.chunk.len() {
            match self.next_chunk() {
                Ok(true) => {}
                Ok(false) => return Ok(0),
                Err(error) => {
                    self.chunk.clear();
                    self.at = 0;
                    self.rest = None;
                    return Err(io::Error::other(error));
                }
            }
        }
        let part = &self.chunk[self.at..];
        let count = part.len().min(out.len());
        out[..count].copy_from_slice(&part[..count]);
        self.at += count;
        Ok(count)
    }
}

fn fetch(shared: &Shared, id: &BlobId) -> Result<Vec<u8>> {
    match shared.plain(id)? {
        Some(plain) => Ok(plain.bytes),
        None => Err(damaged(id, "it is missing")),
    }
}

fn missing(blob: &BlobId) -> Error {
    Error::new(
        ErrorKind::NotFound,
        format!("the store has no content {blob}, or it was purged"),
    )
}

fn damaged(blob: &BlobId, why: &str) -> Error {
    Error::new(
        ErrorKind::Damaged,
        format!("content {blob} is damaged: {why}"),
    )
    .hint("run 'annals verify --deep' for the whole picture")
}

/// One event as it stands in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Leaf {
    /// Its place.
    pub seq: EventSeq,
    /// One line of JSON, without the newline: the very bytes that were acknowledged.
    pub line: String,
    /// The bytes of an event that is not UTF-8, which annals never writes; `line` shows U+FFFD in
    /// their place.
    pub raw: Option<Vec<u8>>,
}

impl Leaf {
    /// The exact bytes of the line.
    pub fn bytes(&self) -> &[u8] {
        self.raw.as_deref().unwrap_or(self.line.as_bytes())
    }

    /// Returns what the line says.
    ///
    /// # Errors
    ///
    /// When it says nothing that this version knows how to read.
    pub fn event(&self) -> Result<Event> {
        rebuild::decode(self.seq, self.bytes())
    }
}

/// Events in order. After an error it ends: events are never skipped silently.
pub struct Events {
    reader: LogReader,
}

impl Events {
    /// The events from `first` to `last`, both included.
    pub(super) fn between(shared: &Shared, first: EventSeq, last: EventSeq) -> Self {
        Self {
            reader: LogReader::new(Arc::clone(&shared.files), first, last),
        }
    }
}

impl Iterator for Events {
    type Item = Result<Leaf>;

    fn next(&mut self) -> Option<Self::Item> {
        let (seq, line) = match self.reader.next_leaf()? {
            Ok(leaf) => leaf,
            Err(error) => return Some(Err(error.into())),
        };
        Some(Ok(match String::from_utf8(line) {
            Ok(line) => Leaf {
                seq,
                line,
                raw: None,
            },
            Err(error) => Leaf {
                seq,
                line: String::from_utf8_lossy(error.as_bytes()).into_owned(),
                raw: Some(error.into_bytes()),
            },
        }))
    }
}
