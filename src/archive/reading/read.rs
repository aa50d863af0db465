//! Reads content, verified before it is returned, and events as they stand in the log.

use std::io::{self, Read};
use std::sync::Arc;

use crate::archive::files::event_line::decode;
use crate::archive::handle::Archive;
use crate::archive::state::contents::Contents;
use crate::blob::manifest::{ChunkRef, ManifestReader};
use crate::event::Event;
use crate::format::record::RecordKind;
use crate::id::{BlobId, EventSeq};
use crate::log::{LogFiles, LogReader};
use crate::{Error, ErrorKind, Result};

impl Archive {
    /// Opens a blob for reading. Every chunk is compared with its hash before it is returned, and
    /// the whole at its end: what is read without an error is what was archived.
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
        BlobReader::open(self.store().contents.clone(), *blob)
    }

    /// Reads a blob in one piece. Content of more than `limit` bytes is refused.
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

    /// Returns the events from `from` to `to`, both included. `None` is the newest event now.
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
        Ok(Events::between(&self.store().log, first, last))
    }
}

/// Returns the error that was met inside `Read` as it was.
pub(in crate::archive) fn io_error(blob: &BlobId, error: io::Error) -> Error {
    match error.downcast::<Error>() {
        Ok(error) => error,
        Err(error) => Error::io("read", format!("blob {blob}"), error),
    }
}

/// Reads a blob from its start to its end, one chunk in memory.
///
/// Errors carry an [`Error`]. After one, nothing more is read.
pub struct BlobReader {
    contents: Contents,
    blob: BlobId,
    size: u64,
    chunk: Vec<u8>,
    at: usize,
    /// The chunks still to come, and the hash of those read; `None` for content in one piece.
    rest: Option<Chunks>,
}

struct Chunks {
    reader: ManifestReader<Fetch>,
    /// The hash of what was read; `None` once something was passed over.
    whole: Option<blake3::Hasher>,
}

type Fetch = Box<dyn FnMut(&BlobId) -> Result<Vec<u8>> + Send>;

impl BlobReader {
    fn open(contents: Contents, blob: BlobId) -> Result<Self> {
        let Some(plain) = contents.plain(&blob)? else {
            return Err(if contents.is_live(&blob)? {
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
                let nodes = contents.clone();
                let fetch: Fetch = Box::new(move |id| fetch(&nodes, id));
                let reader = ManifestReader::new(&plain.bytes, fetch)
                    .map_err(|error| damaged(&blob, &error.to_string()))?;
                let size = reader.total_len();
                let chunks = Chunks {
                    reader,
                    whole: Some(blake3::Hasher::new()),
                };
                (size, Vec::new(), Some(chunks))
            }
        };
        Ok(Self {
            contents,
            blob,
            size,
            chunk,
            at: 0,
            rest,
        })
    }

    /// Returns the bytes of the whole content.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Passes over the next `bytes` bytes, or what is left of them.
    ///
    /// Chunks that lie in between are not read. Each chunk that is read afterwards is still
    /// compared with its hash, but no longer the whole at its end.
    ///
    /// ```
    /// use annals::archive::{Archive, NewEntry};
    /// use std::io::Read;
    ///
    /// # fn main() -> annals::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let archive = Archive::builder().create(dir.path().join("store"))?;
    /// let archived = archive.put(NewEntry::new("ICT"), &b"content"[..])?;
    /// let mut reader = archive.read(&archived.blob.blake3)?;
    /// reader.skip(3)?;
    /// let mut text = String::new();
    /// reader.read_to_string(&mut text).expect("whole");
    /// assert_eq!(text, "tent");
    /// # archive.close()
    /// # }
    /// ```
    pub fn skip(&mut self, bytes: u64) -> Result<()> {
        let skipped = self.pass_over(bytes);
        if skipped.is_err() {
            self.end();
        }
        skipped
    }

    fn pass_over(&mut self, bytes: u64) -> Result<()> {
        let mut left = bytes;
        loop {
            let here = self.chunk.len() - self.at;
            if let Ok(left) = usize::try_from(left)
                && left <= here
            {
                self.at += left;
                return Ok(());
            }
            left -= here as u64;
            self.at = self.chunk.len();
            let Some(next) = self.next_ref()? else {
                return Ok(());
            };
            if next.len <= left {
                left -= next.len;
                if let Some(chunks) = &mut self.rest {
                    chunks.whole = None;
                }
            } else {
                self.load(next)?;
            }
        }
    }

    /// Returns the next chunk of the list. `None` at the end.
    fn next_ref(&mut self) -> Result<Option<ChunkRef>> {
        let Some(chunks) = &mut self.rest else {
            return Ok(None);
        };
        let next = chunks.reader.next().transpose();
        next.map_err(|error| damaged(&self.blob, &error.to_string()))
    }

    /// Reads a chunk.
    fn load(&mut self, ChunkRef { id, len }: ChunkRef) -> Result<()> {
        self.chunk = fetch(&self.contents, &id)?;
        self.at = 0;
        if self.chunk.len() as u64 != len {
            return Err(damaged(
                &self.blob,
                &format!("chunk {id} is not as long as it should be"),
            ));
        }
        if let Some(Chunks {
            whole: Some(whole), ..
        }) = &mut self.rest
        {
            whole.update(&self.chunk);
        }
        Ok(())
    }

    /// Ends reading after an error.
    fn end(&mut self) {
        self.chunk.clear();
        self.at = 0;
        self.rest = None;
    }

    /// Reads the next chunk. False at the end.
    fn next_chunk(&mut self) -> Result<bool> {
        if let Some(next) = self.next_ref()? {
            self.load(next)?;
            return Ok(true);
        }
        let Some(Chunks {
            whole: Some(whole), ..
        }) = self.rest.take()
        else {
            return Ok(false);
        };
        if BlobId::from_bytes(*whole.finalize().as_bytes()) == self.blob {
            Ok(false)
        } else {
            Err(damaged(
                &self.blob,
                "its chunks do not make the content it is named by",
            ))
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
                    self.end();
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

fn fetch(contents: &Contents, id: &BlobId) -> Result<Vec<u8>> {
    match contents.plain(id)? {
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
    /// Its number.
    pub seq: EventSeq,
    /// One line of JSON, without the newline: the very bytes that were acknowledged.
    pub line: String,
    /// The bytes of an event that is not UTF-8, which annals never writes; `line` shows U+FFFD in
    /// their place.
    pub raw: Option<Vec<u8>>,
}

impl Leaf {
    /// Returns the exact bytes of the line.
    pub fn bytes(&self) -> &[u8] {
        self.raw.as_deref().unwrap_or(self.line.as_bytes())
    }

    /// Decodes the line.
    ///
    /// # Errors
    ///
    /// When this version cannot read the line.
    pub fn event(&self) -> Result<Event> {
        decode(self.seq, self.bytes())
    }
}

/// Events in order. The iterator ends after an error: events are never skipped silently.
pub struct Events {
    reader: LogReader,
}

impl Events {
    /// Returns the events from `first` to `last`, both included.
    pub(super) fn between(log: &Arc<LogFiles>, first: EventSeq, last: EventSeq) -> Self {
        Self {
            reader: LogReader::new(Arc::clone(log), first, last),
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
