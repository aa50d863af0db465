//! The list of chunks of a long content, as a tree of nodes. Writing and reading it needs only a
//! part of it in memory.
//!
//! | node | bytes | field |
//! |---:|---:|---|
//! | 0 | 4 | magic `ANMF` |
//! | 4 | 1 | level: 0 lists chunks, others list nodes of the level below |
//! | 5 | 3 | reserved, 0 |
//! | 8 | 4 | number of children, 1 to 16,384 |
//! | 12 | 8 | bytes of content below this node |
//! | 20 | | the children |
//!
//! | child | bytes | field |
//! |---:|---:|---|
//! | 0 | 32 | blob id of the chunk or node |
//! | 32 | 8 | bytes of content it stands for, never 0 |
//!
//! Chunks and inner nodes are ordinary content, named by their own hash. Only the root is a record
//! of kind manifest. Its id is the hash of the whole content.

use crate::format::bytes::{Put, Reader, Truncated};
use crate::format::record::RECORD_RAW_BYTES_MAX;
use crate::id::BlobId;

/// The largest number of children of one node.
pub const MANIFEST_FAN_OUT_MAX: usize = 16_384;
/// The highest level of a node; with chunks of half a megabyte, level 1 already reaches 128 TiB.
pub const MANIFEST_LEVEL_MAX: u8 = 7;

const MAGIC: [u8; 4] = *b"ANMF";
const HEADER_BYTES: usize = 20;
const CHILD_BYTES: usize = 40;

const _: () = assert!(
    HEADER_BYTES + MANIFEST_FAN_OUT_MAX * CHILD_BYTES <= RECORD_RAW_BYTES_MAX as usize,
    "a full node fits a record"
);

/// One chunk of a content, or the part of the content below one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkRef {
    /// The blob that holds it.
    pub id: BlobId,
    /// Bytes of content.
    pub len: u64,
}

/// Why bytes are not a manifest, or not the expected part of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// The bytes end too early.
    #[error("the manifest is cut short: {0}")]
    Truncated(#[from] Truncated),
    /// The bytes are something else.
    #[error("this is not a manifest")]
    NotAManifest,
    /// Something that no writer would have written.
    #[error("the manifest contradicts itself: {0}")]
    Contradiction(&'static str),
    /// A node does not match what its parent states.
    #[error("manifest node {0} is not what its parent says")]
    Misplaced(BlobId),
}

/// One node, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Node {
    level: u8,
    total_len: u64,
    children: Vec<ChunkRef>,
}

impl Node {
    fn encode(level: u8, children: &[ChunkRef]) -> Vec<u8> {
        let count = u32::try_from(children.len()).expect("at most MANIFEST_FAN_OUT_MAX");
        let mut out = Vec::with_capacity(HEADER_BYTES + children.len() * CHILD_BYTES);
        out.put(&MAGIC);
        out.put_u8(level);
        out.put(&[0; 3]);
        out.put_u32(count);
        out.put_u64(children.iter().map(|child| child.len).sum());
        for child in children {
            out.put(child.id.as_bytes());
            out.put_u64(child.len);
        }
        out
    }

    fn decode(bytes: &[u8]) -> Result<Self, ManifestError> {
        let mut reader = Reader::new(bytes);
        if reader.take_array()? != MAGIC {
            return Err(ManifestError::NotAManifest);
        }
        let level = reader.take_u8()?;
        let reserved: [u8; 3] = reader.take_array()?;
        let count = reader.take_u32()? as usize;
        let total_len = reader.take_u64()?;
        if level > MANIFEST_LEVEL_MAX || reserved != [0; 3] {
            return Err(ManifestError::Contradiction("unknown level"));
        }
        if !(1..=MANIFEST_FAN_OUT_MAX).contains(&count) {
            return Err(ManifestError::Contradiction(
                "an impossible number of children",
            ));
        }
        let mut list = Reader::new(reader.take(count * CHILD_BYTES)?);
        if !reader.is_empty() {
            return Err(ManifestError::Contradiction("bytes after its end"));
        }
        let mut children = Vec::with_capacity(count);
        let mut sum = 0_u64;
        while !list.is_empty() {
            let child = ChunkRef {
                id: BlobId::from_bytes(list.take_array()?),
                len: list.take_u64()?,
            };
            sum = match sum.checked_add(child.len) {
                Some(sum) if child.len > 0 => sum,
                _ => return Err(ManifestError::Contradiction("an impossible length")),
            };
            children.push(child);
        }
        if sum != total_len {
            return Err(ManifestError::Contradiction("its lengths do not add up"));
        }
        Ok(Self {
            level,
            total_len,
            children,
        })
    }
}

/// Collects chunks in order and builds the tree. Holds one unfinished node for each level, less
/// than 1 MiB each.
#[derive(Debug)]
pub struct ManifestBuilder {
    fan_out: usize,
    /// Children of the unfinished node of each level.
    levels: Vec<Vec<ChunkRef>>,
}

impl Default for ManifestBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl ManifestBuilder {
    /// Starts with no chunks.
    pub const fn new() -> Self {
        Self::with_fan_out(MANIFEST_FAN_OUT_MAX)
    }

    const fn with_fan_out(fan_out: usize) -> Self {
        Self {
            fan_out,
            levels: Vec::new(),
        }
    }

    /// Adds the next chunk, which must not be empty. Every inner node that becomes full is passed
    /// to `store`, to be stored as content.
    pub fn push<E>(
        &mut self,
        chunk: ChunkRef,
        store: &mut impl FnMut(BlobId, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        debug_assert!(chunk.len > 0, "an empty chunk is no part of anything");
        let mut child = chunk;
        for level in 0_u8.. {
            let Some(siblings) = self.levels.get_mut(usize::from(level)) else {
                self.levels.push(vec![child]);
                break;
            };
            if siblings.len() < self.fan_out {
                siblings.push(child);
                break;
            }
            // A node is closed only when it gets a sibling, so no root has a single inner child.
            let full = std::mem::replace(siblings, vec![child]);
            child = store_node(level, &full, store)?;
        }
        Ok(())
    }

    /// Returns the bytes of the root, to be stored as a manifest; `None` when there were no chunks.
    pub fn finish<E>(
        self,
        store: &mut impl FnMut(BlobId, &[u8]) -> Result<(), E>,
    ) -> Result<Option<Vec<u8>>, E> {
        let mut below = None;
        let top = self.levels.len().saturating_sub(1);
        for (level, mut children) in (0_u8..).zip(self.levels) {
            children.extend(below.take());
            if usize::from(level) == top {
                return Ok(Some(Node::encode(level, &children)));
            }
            below = Some(store_node(level, &children, store)?);
        }
        Ok(None)
    }
}

fn store_node<E>(
    level: u8,
    children: &[ChunkRef],
    store: &mut impl FnMut(BlobId, &[u8]) -> Result<(), E>,
) -> Result<ChunkRef, E> {
    let bytes = Node::encode(level, children);
    let id = BlobId::of(&bytes);
    store(id, &bytes)?;
    Ok(ChunkRef {
        id,
        len: children.iter().map(|child| child.len).sum(),
    })
}

/// Why the next chunk of a manifest cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ManifestReadError<E: std::error::Error + 'static> {
    /// A node is damaged.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A node could not be fetched.
    #[error(transparent)]
    Fetch(E),
}

/// Iterates over the chunks of a manifest in order. Holds one node for each level. It ends after an
/// error.
#[derive(Debug)]
pub struct ManifestReader<F> {
    fetch: F,
    total_len: u64,
    /// The nodes from the root to the current chunk, each with the index of its next child.
    path: Vec<(Node, usize)>,
}

impl<F> ManifestReader<F> {
    /// Reads the tree below `root`, the plaintext of a manifest record. `fetch` must return the
    /// verified plaintext of a content.
    pub fn new(root: &[u8], fetch: F) -> Result<Self, ManifestError> {
        let root = Node::decode(root)?;
        Ok(Self {
            fetch,
            total_len: root.total_len,
            path: vec![(root, 0)],
        })
    }

    /// Returns the length of the whole content, which equals the sum of the chunks.
    pub const fn total_len(&self) -> u64 {
        self.total_len
    }
}

impl<F, E> ManifestReader<F>
where
    F: FnMut(&BlobId) -> Result<Vec<u8>, E>,
    E: std::error::Error + 'static,
{
    fn advance(&mut self) -> Result<Option<ChunkRef>, ManifestReadError<E>> {
        while let Some((node, next)) = self.path.last_mut() {
            let Some(child) = node.children.get(*next).copied() else {
                self.path.pop();
                continue;
            };
            *next += 1;
            let Some(level_below) = node.level.checked_sub(1) else {
                return Ok(Some(child));
            };
            let bytes = (self.fetch)(&child.id).map_err(ManifestReadError::Fetch)?;
            let below = Node::decode(&bytes)?;
            if below.level != level_below || below.total_len != child.len {
                return Err(ManifestError::Misplaced(child.id).into());
            }
            self.path.push((below, 0));
        }
        Ok(None)
    }
}

impl<F, E> Iterator for ManifestReader<F>
where
    F: FnMut(&BlobId) -> Result<Vec<u8>, E>,
    E: std::error::Error + 'static,
{
    type Item = Result<ChunkRef, ManifestReadError<E>>;

    fn next(&mut self) -> Option<Self::Item> {
        let step = self.advance();
        if step.is_err() {
            self.path.clear();
        }
        step.transpose()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("no such blob")]
    struct Missing;

    fn chunk(number: u64) -> ChunkRef {
        ChunkRef {
            id: BlobId::of(&number.to_le_bytes()),
            len: number % 7 + 1,
        }
    }

    fn built(fan_out: usize, chunks: &[ChunkRef]) -> (Option<Vec<u8>>, HashMap<BlobId, Vec<u8>>) {
        let mut nodes = HashMap::new();
        let mut store = |id, bytes: &[u8]| {
            nodes.insert(id, bytes.to_vec());
            Ok::<_, Infallible>(())
        };
        let mut builder = ManifestBuilder::with_fan_out(fan_out);
        for chunk in chunks {
            builder.push(*chunk, &mut store).expect("infallible");
        }
        let root = builder.finish(&mut store).expect("infallible");
        (root, nodes)
    }

    fn read(
        root: &[u8],
        nodes: &HashMap<BlobId, Vec<u8>>,
    ) -> Result<Vec<ChunkRef>, ManifestReadError<Missing>> {
        let fetch = |id: &BlobId| nodes.get(id).cloned().ok_or(Missing);
        ManifestReader::new(root, fetch)?.collect()
    }

    #[test]
    fn the_bytes_of_a_manifest_never_change() {
        let chunks = [
            ChunkRef {
                id: BlobId::from_bytes([1; 32]),
                len: 0x0102,
            },
            ChunkRef {
                id: BlobId::from_bytes([2; 32]),
                len: 3,
            },
        ];
        let mut golden = b"ANMF\0\0\0\0\x02\0\0\0\x05\x01\0\0\0\0\0\0".to_vec();
        golden.extend([1; 32]);
        golden.extend(b"\x02\x01\0\0\0\0\0\0");
        golden.extend([2; 32]);
        golden.extend(b"\x03\0\0\0\0\0\0\0");
        assert_eq!(built(3, &chunks).0, Some(golden));
    }

    #[test]
    fn a_node_that_contradicts_itself_or_its_parent_is_refused() {
        let chunks: Vec<_> = (0..7).map(chunk).collect();
        let (root, nodes) = built(3, &chunks);
        let root = root.expect("there are chunks");
        assert!(read(&root, &nodes).is_ok());
        for len in 0..root.len() {
            assert!(read(&root[..len], &nodes).is_err(), "{len} bytes");
        }
        // Not checked here: ids, which the hash tree protects, and a root of level 1 taken for
        // level 0, whose children then have the wrong lengths as chunks. All other fields of a node
        // are.
        let checked = (0..root.len()).filter(|at| match at {
            0..20 => *at != 4,
            _ => (at - 20) % 40 >= 32,
        });
        for at in checked {
            for flip in [1, 0x80] {
                let mut damaged = root.clone();
                damaged[at] ^= flip;
                assert!(read(&damaged, &nodes).is_err(), "byte {at}");
            }
        }
        for id in nodes.keys() {
            let mut without = nodes.clone();
            without.remove(id);
            assert!(matches!(
                read(&root, &without),
                Err(ManifestReadError::Fetch(Missing))
            ));
            // Without the check a node that names itself as its child would be read for ever.
            let mut looped = nodes.clone();
            looped.insert(*id, root.clone());
            assert!(matches!(
                read(&root, &looped),
                Err(ManifestReadError::Manifest(ManifestError::Misplaced(_)))
            ));
        }
    }

    #[test]
    fn a_content_of_nothing_has_no_manifest() {
        assert_eq!(built(3, &[]).0, None);
    }

    proptest! {
        #[test]
        fn the_chunks_come_back_in_order_however_many_there_are(count in 0_u64..300, fan_out in 2_usize..6) {
            let chunks: Vec<_> = (0..count).map(chunk).collect();
            let (root, nodes) = built(fan_out, &chunks);
            prop_assert_eq!(root.is_none(), chunks.is_empty());
            if let Some(root) = root {
                prop_assert_eq!(read(&root, &nodes).expect("whole"), chunks.clone());
                let root = Node::decode(&root).expect("valid");
                prop_assert_eq!(root.total_len, chunks.iter().map(|chunk| chunk.len).sum::<u64>());
                prop_assert!(root.level == 0 || root.children.len() > 1);
            }
        }

        #[test]
        fn any_bytes_at_all_are_a_node_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let bytes = [&MAGIC[..], &bytes].concat();
            if let Ok(node) = Node::decode(&bytes) {
                prop_assert_eq!(Node::encode(node.level, &node.children), bytes);
            }
        }
    }
}
