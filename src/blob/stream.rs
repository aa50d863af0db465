//! Writes long content into packs. Cuts it into chunks, skips chunks that are already stored, and
//! compresses the others on two threads in bounded memory.

use std::collections::{HashSet, VecDeque};
use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::{Builder, Scope};

use crate::blob::chunker::{Chunker, Cuts};
use crate::blob::compression::{Compressor, Level};
use crate::blob::digests::Digests;
use crate::blob::manifest::{ChunkRef, ManifestBuilder};
use crate::blob::pack_writer::{PackPlace, PackSeries, PackWriteError, SyncedPack};
use crate::event::BlobRef;
use crate::format::record::{Codec, Record, RecordKind};
use crate::id::BlobId;

/// Number of chunks in memory: one that is read, one at the second thread, and one that waits for
/// that thread.
const SLOTS: usize = 3;

/// A content that is durable in packs.
#[derive(Debug)]
pub struct StreamedBlob {
    /// The content's digests and length.
    pub blob: BlobRef,
    /// Bytes of the records written for it; 0 when all of it was already stored.
    pub stored_bytes: u64,
    /// The new packs. The event that names the blob must come after them in the log.
    pub packs: Vec<SyncedPack>,
}

/// Why a content could not be stored. Nothing refers to the packs written so far.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// The source could not be read to its end.
    #[error("cannot read the source")]
    Source(#[source] io::Error),
    /// A pack could not be written.
    #[error(transparent)]
    Pack(#[from] PackWriteError),
}

/// Reads `reader` to its end and writes what is not `known` yet into `packs`.
///
/// Content of one chunk or less becomes one content record. Longer content becomes its chunks, and
/// a manifest under the id of the whole.
///
/// The packs' bytes depend only on the content and on `known`, not on timing. Memory: three chunks,
/// two compression contexts, a write buffer, and 32 bytes for each chunk.
pub fn stream_into_packs<P: FnMut() -> PackPlace>(
    reader: impl Read,
    cuts: Cuts,
    packs: PackSeries<P>,
    level: Level,
    known: &dyn Fn(&BlobId) -> bool,
) -> Result<StreamedBlob, StreamError> {
    std::thread::scope(|scope| {
        let helper = Helper::spawn(scope, level);
        stream(reader, cuts, packs, level, known, helper)
    })
}

fn stream<P: FnMut() -> PackPlace>(
    reader: impl Read,
    cuts: Cuts,
    packs: PackSeries<P>,
    level: Level,
    known: &dyn Fn(&BlobId) -> bool,
    helper: Option<Helper>,
) -> Result<StreamedBlob, StreamError> {
    let mut ingest = Ingest {
        store: Store {
            packs,
            known,
            written: HashSet::new(),
            compressor: Compressor::new(level),
            scratch: Vec::new(),
            stored_bytes: 0,
        },
        helper,
        queue: VecDeque::new(),
        spare: (0..SLOTS).map(|_| Slot::default()).collect(),
    };
    let mut chunker = Chunker::new(reader, cuts);
    let mut digests = Digests::new();
    let mut manifest = ManifestBuilder::new();
    let mut chunk_count = 0_u64;
    loop {
        let mut slot = ingest.free_slot()?;
        if !chunker
            .next_into(&mut slot.raw)
            .map_err(StreamError::Source)?
        {
            break;
        }
        digests.update(&slot.raw);
        slot.id = BlobId::of(&slot.raw);
        chunk_count += 1;
        let chunk = ChunkRef {
            id: slot.id,
            len: slot.raw.len() as u64,
        };
        ingest.take(slot)?;
        manifest.push(chunk, &mut |id, node: &[u8]| {
            ingest.store.put(RecordKind::Content, id, node)
        })?;
    }
    ingest.settle()?;
    let blob = digests.finish();
    let mut store = ingest.store;
    match chunk_count {
        0 => store.put(RecordKind::Content, blob.blake3, &[])?,
        // The only chunk is the blob itself.
        1 => {}
        _ => {
            let root =
                manifest.finish(&mut |id, node: &[u8]| store.put(RecordKind::Content, id, node))?;
            if let Some(root) = root {
                store.put(RecordKind::Manifest, blob.blake3, &root)?;
            }
        }
    }
    Ok(StreamedBlob {
        blob,
        stored_bytes: store.stored_bytes,
        packs: store.packs.finish()?,
    })
}

/// Decides whether a blob is written, and writes it.
struct Store<'a, P> {
    packs: PackSeries<P>,
    known: &'a dyn Fn(&BlobId) -> bool,
    /// Blobs of this content that were written or are about to be.
    written: HashSet<BlobId>,
    compressor: Compressor,
    scratch: Vec<u8>,
    stored_bytes: u64,
}

impl<P: FnMut() -> PackPlace> Store<'_, P> {
    /// Returns true for a blob that must be written; only the first time for each blob.
    fn wants(&mut self, id: &BlobId) -> bool {
        !(self.known)(id) && self.written.insert(*id)
    }

    fn append(&mut self, record: &Record<'_>) -> Result<(), PackWriteError> {
        self.packs.append(record)?;
        self.stored_bytes += record.len() as u64;
        Ok(())
    }

    /// Compresses and writes a blob on this thread.
    fn put(&mut self, kind: RecordKind, id: BlobId, raw: &[u8]) -> Result<(), PackWriteError> {
        if !self.wants(&id) {
            return Ok(());
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        let record = self
            .compressor
            .compress(raw, &mut scratch)
            .record(kind, id, raw_len(raw));
        self.append(&record)?;
        self.scratch = scratch;
        Ok(())
    }
}

/// A chunk and its compressed form, in reusable buffers.
struct Slot {
    raw: Vec<u8>,
    id: BlobId,
    codec: Codec,
    scratch: Vec<u8>,
}

impl Default for Slot {
    fn default() -> Self {
        Self {
            raw: Vec::new(),
            id: BlobId::from_bytes([0; 32]),
            codec: Codec::Raw,
            scratch: Vec::new(),
        }
    }
}

impl Slot {
    fn compress(&mut self, compressor: &mut Compressor) {
        self.codec = compressor.compress(&self.raw, &mut self.scratch).codec;
    }

    fn record(&self) -> Record<'_> {
        Record {
            kind: RecordKind::Content,
            codec: self.codec,
            dictionary: None,
            raw_len: raw_len(&self.raw),
            id: self.id,
            stored: match self.codec {
                Codec::Raw => &self.raw,
                Codec::Zstd => &self.scratch,
            },
        }
    }
}

fn raw_len(raw: &[u8]) -> u32 {
    u32::try_from(raw.len()).expect("chunks and nodes are a few megabytes at most")
}

/// The second thread, which compresses one chunk at a time.
struct Helper {
    jobs: SyncSender<Slot>,
    done: Receiver<Slot>,
}

impl Helper {
    /// Starts the thread. Returns `None` when the system refuses one; then one thread does
    /// everything.
    fn spawn<'scope>(scope: &'scope Scope<'scope, '_>, level: Level) -> Option<Self> {
        let (jobs, todo) = sync_channel::<Slot>(1);
        let (finished, done) = sync_channel(1);
        Builder::new()
            .name("annals-compress".into())
            .stack_size(256 << 10)
            .spawn_scoped(scope, move || {
                let mut compressor = Compressor::new(level);
                for mut slot in todo {
                    slot.compress(&mut compressor);
                    if finished.send(slot).is_err() {
                        break;
                    }
                }
            })
            .ok()
            .map(|_| Self { jobs, done })
    }

    fn give(&self, slot: Slot) {
        self.jobs.send(slot).expect(HELPER_LIVES);
    }

    /// Returns the chunk that was given to the thread. Returns `None` when it is not finished and
    /// `patience` is not to wait.
    fn take(&self, patience: Patience) -> Option<Slot> {
        match patience {
            Patience::Wait => Some(self.done.recv().expect(HELPER_LIVES)),
            Patience::Try => match self.done.try_recv() {
                Err(TryRecvError::Empty) => None,
                finished => Some(finished.expect(HELPER_LIVES)),
            },
        }
    }
}

/// The state of a chunk in the queue. Chunks are written in the order of the content.
enum Turn {
    AtHelper,
    Ready(Slot),
}

struct Ingest<'a, P> {
    store: Store<'a, P>,
    helper: Option<Helper>,
    /// Chunks that are not written yet. At most one of them is at the second thread.
    queue: VecDeque<Turn>,
    spare: Vec<Slot>,
}

impl<P: FnMut() -> PackPlace> Ingest<'_, P> {
    /// Returns an unused slot. Waits for the second thread if necessary.
    fn free_slot(&mut self) -> Result<Slot, PackWriteError> {
        self.write_ready(Patience::Try)?;
        if self.spare.is_empty() {
            self.write_ready(Patience::Wait)?;
        }
        Ok(self.spare.pop().expect("what is written frees its slot"))
    }

    /// Takes a filled slot. Drops a chunk that is already stored, and compresses any other on a
    /// free thread.
    fn take(&mut self, mut slot: Slot) -> Result<(), PackWriteError> {
        if !self.store.wants(&slot.id) {
            self.spare.push(slot);
            return Ok(());
        }
        self.write_ready(Patience::Try)?;
        let helper_is_free = !self.queue.iter().any(|turn| matches!(turn, Turn::AtHelper));
        match &self.helper {
            Some(helper) if helper_is_free => {
                helper.give(slot);
                self.queue.push_back(Turn::AtHelper);
            }
            _ => {
                slot.compress(&mut self.store.compressor);
                self.queue.push_back(Turn::Ready(slot));
            }
        }
        Ok(())
    }

    /// Writes all remaining chunks.
    fn settle(&mut self) -> Result<(), PackWriteError> {
        self.write_ready(Patience::Wait)
    }

    /// Writes finished chunks in order. Stops at a chunk that the second thread still has, or waits
    /// for it, as `patience` says.
    fn write_ready(&mut self, patience: Patience) -> Result<(), PackWriteError> {
        while let Some(turn) = self.queue.pop_front() {
            let slot = match (turn, &self.helper) {
                (Turn::Ready(slot), _) => Some(slot),
                (Turn::AtHelper, Some(helper)) => helper.take(patience),
                (Turn::AtHelper, None) => None,
            };
            let Some(slot) = slot else {
                self.queue.push_front(Turn::AtHelper);
                return Ok(());
            };
            self.store.append(&slot.record())?;
            self.spare.push(slot);
        }
        Ok(())
    }
}

const HELPER_LIVES: &str = "the helper ends only after its jobs do";

#[derive(Clone, Copy)]
enum Patience {
    Try,
    Wait,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::manifest::ManifestReader;
    use crate::blob::pack_reader::{PackReadError, PackReader, Plain};
    use crate::blob::pack_writer::tests::{new_disk, places};
    use crate::disk::Disk;
    use std::collections::HashMap;
    use std::sync::Arc;

    const PACK_BYTES: u64 = 1 << 20;

    /// Text with noise in it, so that it is cut into chunks and zstd can shorten it.
    fn report(seed: &str, len: usize) -> Vec<u8> {
        let mut noise = vec![0; len / 4];
        blake3::Hasher::new()
            .update(seed.as_bytes())
            .finalize_xof()
            .fill(&mut noise);
        let mut text: Vec<u8> = noise
            .iter()
            .flat_map(|byte| [b'=', b'0' + byte / 32, *byte, b'\n'])
            .collect();
        text.resize(len, b'.');
        text
    }

    /// Returns all blobs of all packs, read back and verified.
    fn plains(
        disk: &dyn Disk,
        packs: &[SyncedPack],
    ) -> Result<HashMap<BlobId, Plain>, PackReadError> {
        let mut plains = HashMap::new();
        for pack in packs {
            let reader = PackReader::open(disk, &pack.path)?;
            assert_eq!(reader.entries()?, pack.entries);
            for entry in &pack.entries {
                let plain = reader.read_plain(entry.offset, entry.len, &entry.id)?;
                assert_eq!(plain.kind, entry.kind);
                assert!(
                    plains.insert(entry.id, plain).is_none(),
                    "a blob is written once"
                );
            }
        }
        Ok(plains)
    }

    fn joined(blob: &BlobRef, plains: &HashMap<BlobId, Plain>) -> Vec<u8> {
        let whole = &plains[&blob.blake3];
        if whole.kind == RecordKind::Content {
            return whole.bytes.clone();
        }
        let fetch = |id: &BlobId| {
            plains
                .get(id)
                .map(|plain| plain.bytes.clone())
                .ok_or(io::Error::other("gone"))
        };
        let chunks = ManifestReader::new(&whole.bytes, fetch).expect("a manifest");
        assert_eq!(chunks.total_len(), blob.size);
        chunks
            .flat_map(|chunk| {
                let chunk = chunk.expect("whole");
                let bytes = plains[&chunk.id].bytes.clone();
                assert_eq!(bytes.len() as u64, chunk.len);
                bytes
            })
            .collect()
    }

    #[test]
    fn content_of_any_length_comes_back_from_its_packs() {
        for len in [0, 1, 1000, 300_000, 5_000_000] {
            let content = report("any length", len);
            let (_dir, disk) = new_disk();
            let packs = PackSeries::new(Arc::clone(&disk), PACK_BYTES, places());
            let streamed = stream_into_packs(
                &content[..],
                Cuts::default(),
                packs,
                Level::DEFAULT,
                &|_| false,
            )
            .expect("written");
            assert_eq!(streamed.blob, Digests::of(&content));
            let plains = plains(&*disk, &streamed.packs).expect("readable");
            assert_eq!(joined(&streamed.blob, &plains), content, "{len} bytes");
            assert_eq!(
                plains.len() > 1,
                len > 1_000_000,
                "only long content has chunks"
            );
            for pack in &streamed.packs {
                let records: u64 = pack.entries.iter().map(|entry| u64::from(entry.len)).sum();
                assert!(
                    records <= PACK_BYTES || pack.entries.len() == 1,
                    "a pack is closed when it is full"
                );
            }
            assert_eq!(streamed.packs.len() > 1, len > 1_000_000);
        }
    }

    #[test]
    fn a_content_that_grew_costs_its_new_chunks_and_a_known_one_nothing() {
        let old = report("log", 5_000_000);
        let mut grown = old.clone();
        grown.extend(report("more", 100_000));
        let (_dir, disk) = new_disk();
        let mut place = places();
        let first = PackSeries::new(Arc::clone(&disk), u64::MAX, &mut place);
        let first = stream_into_packs(&old[..], Cuts::default(), first, Level::DEFAULT, &|_| false)
            .expect("written");
        let mut known: HashMap<BlobId, Plain> = plains(&*disk, &first.packs).expect("readable");

        let second = PackSeries::new(Arc::clone(&disk), u64::MAX, &mut place);
        let second =
            stream_into_packs(&grown[..], Cuts::default(), second, Level::DEFAULT, &|id| {
                known.contains_key(id)
            })
            .expect("written");
        assert!(
            second.stored_bytes * 2 < first.stored_bytes,
            "{} of {}",
            second.stored_bytes,
            first.stored_bytes
        );
        known.extend(plains(&*disk, &second.packs).expect("readable"));
        assert_eq!(joined(&second.blob, &known), grown);

        let third = PackSeries::new(Arc::clone(&disk), u64::MAX, &mut place);
        let third = stream_into_packs(&grown[..], Cuts::default(), third, Level::DEFAULT, &|id| {
            known.contains_key(id)
        })
        .expect("written");
        assert_eq!((third.stored_bytes, third.packs.len()), (0, 0));
    }

    #[test]
    fn a_content_that_repeats_itself_is_stored_once() {
        let (_dir, disk) = new_disk();
        let packs = PackSeries::new(Arc::clone(&disk), u64::MAX, places());
        let streamed = stream_into_packs(
            io::repeat(b'0').take(20 << 20),
            Cuts::default(),
            packs,
            Level::DEFAULT,
            &|_| false,
        )
        .expect("written");
        assert!(streamed.stored_bytes < 4000, "{}", streamed.stored_bytes);
        assert_eq!(plains(&*disk, &streamed.packs).expect("readable").len(), 2);
    }

    #[test]
    fn the_packs_are_the_same_with_and_without_a_second_thread() {
        let content = report("threads", 6_000_000);
        let written = |helped: bool| {
            let (_dir, disk) = new_disk();
            let packs = PackSeries::new(Arc::clone(&disk), PACK_BYTES, places());
            let streamed = std::thread::scope(|scope| {
                let helper = Helper::spawn(scope, Level::DEFAULT).filter(|_| helped);
                stream(
                    &content[..],
                    Cuts::default(),
                    packs,
                    Level::DEFAULT,
                    &|_| false,
                    helper,
                )
            });
            streamed.expect("written").packs
        };
        assert_eq!(written(true), written(false));
    }

    #[test]
    fn a_source_that_fails_names_no_blob() {
        struct Failing(usize);
        impl Read for Failing {
            fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
                self.0 = self
                    .0
                    .checked_sub(1)
                    .ok_or(io::Error::other("the share is gone"))?;
                out.fill(b'x');
                Ok(out.len())
            }
        }
        let (_dir, disk) = new_disk();
        let packs = PackSeries::new(Arc::clone(&disk), PACK_BYTES, places());
        let failed =
            stream_into_packs(Failing(60), Cuts::default(), packs, Level::DEFAULT, &|_| {
                false
            });
        assert!(matches!(failed, Err(StreamError::Source(_))));
        let published = disk
            .list(std::path::Path::new("packs"))
            .expect("a directory");
        assert_eq!(published, []);
    }
}
