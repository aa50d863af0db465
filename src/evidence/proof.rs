//! Proofs over the tree of a log, made in one pass over its leaf hashes.
//!
//! A proof is a list of hashes, the lowest first (RFC 6962, section 2.1). The memory that
//! [`ProofBuilder`] needs grows with the number of proofs and the logarithm of the log, never with
//! the log.

use std::collections::BTreeMap;

use super::tree::{Frontier, TreeHash, node_hash};
pub use super::tree::{verify_consistency, verify_inclusion};

/// A subtree of 2^`level` leaves whose number among those of its level is `index`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Subtree {
    pub(crate) level: u32,
    pub(crate) index: u64,
}

/// One hash of a proof: the root over adjoining perfect subtrees, the largest first.
type Part = Vec<Subtree>;

/// Why a proof cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The tree has no such leaf.
    #[error("a log of {size} events has no event at index {index}")]
    NoLeaf {
        /// The leaf that was asked for.
        index: u64,
        /// The size of the tree.
        size: u64,
    },
    /// The tree is smaller than the tree it should extend.
    #[error("a log of {size} events cannot continue one of {old} events")]
    Smaller {
        /// The size of the older tree.
        old: u64,
        /// The size of the tree.
        size: u64,
    },
    /// A proof was asked for after the first leaf hash, which it may need.
    #[error("a proof has to be asked for before the first leaf hash")]
    TooLate,
    /// The number of leaf hashes is not the size of the tree.
    #[error("{found} leaf hashes for a log of {size} events")]
    Leaves {
        /// How many there are; one more than the size when there are too many.
        found: u64,
        /// The size of the tree.
        size: u64,
    },
    /// A proof needs single leaves of a tree whose leaves were taken at once.
    #[error("a proof needs single ones of the first {0} leaves, which were not given")]
    Passed(u64),
}

/// Makes any number of proofs for the tree of one size, in one pass over its leaf hashes.
///
/// ```
/// use annals::evidence::proof::{ProofBuilder, verify_inclusion};
/// use annals::evidence::tree::leaf_hash;
///
/// let lines = [&b"first"[..], b"second", b"third"];
/// let mut builder = ProofBuilder::new(3);
/// builder.want_inclusion(1)?;
/// for line in lines {
///     builder.push_hash(leaf_hash(line));
/// }
/// let proofs = builder.finish()?;
/// let hash = leaf_hash(b"second");
/// assert!(verify_inclusion(&hash, 1, 3, &proofs.inclusion[&1], &proofs.root));
/// # Ok::<(), annals::evidence::proof::ProofError>(())
/// ```
#[derive(Debug, Clone)]
pub struct ProofBuilder {
    size: u64,
    inclusion: BTreeMap<u64, Vec<Part>>,
    consistency: BTreeMap<u64, Vec<Part>>,
    /// Hashes of the subtrees that proofs need, as soon as they are known.
    wanted: BTreeMap<Subtree, Option<TreeHash>>,
    /// Roots of the perfect subtrees of the leaves so far, largest first.
    peaks: Vec<TreeHash>,
    pushed: u64,
}

/// The proofs that a [`ProofBuilder`] made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proofs {
    /// The root of the tree.
    pub root: TreeHash,
    /// By index of the leaf: the proof that the leaf is in the tree.
    pub inclusion: BTreeMap<u64, Vec<TreeHash>>,
    /// By older size: the proof that the tree extends the older tree.
    pub consistency: BTreeMap<u64, Vec<TreeHash>>,
}

impl ProofBuilder {
    /// Returns a builder for the tree of `size` leaves.
    pub const fn new(size: u64) -> Self {
        Self {
            size,
            inclusion: BTreeMap::new(),
            consistency: BTreeMap::new(),
            wanted: BTreeMap::new(),
            peaks: Vec::new(),
            pushed: 0,
        }
    }

    /// Asks for the proof that leaf `index` (from 0) is in the tree. It has to be asked for before
    /// the first hash.
    pub fn want_inclusion(&mut self, index: u64) -> Result<(), ProofError> {
        let size = self.size;
        if index >= size {
            return Err(ProofError::NoLeaf { index, size });
        }
        let parts = inclusion_parts(index, size);
        self.want(&parts)?;
        self.inclusion.insert(index, parts);
        Ok(())
    }

    /// Asks for the proof that the tree extends the tree of its first `old` leaves. It has to be
    /// asked for before the first hash.
    pub fn want_consistency(&mut self, old: u64) -> Result<(), ProofError> {
        let size = self.size;
        if old > size {
            return Err(ProofError::Smaller { old, size });
        }
        let parts = consistency_parts(old, size);
        self.want(&parts)?;
        self.consistency.insert(old, parts);
        Ok(())
    }

    fn want(&mut self, parts: &[Part]) -> Result<(), ProofError> {
        if self.pushed != 0 {
            return Err(ProofError::TooLate);
        }
        for subtree in parts.iter().flatten() {
            self.wanted.insert(*subtree, None);
        }
        Ok(())
    }

    /// Takes all leaves of `tree` at once, as the first ones. Proofs of later leaves need no more
    /// of them.
    ///
    /// # Errors
    ///
    /// When a proof was asked for that needs single leaves of `tree`, or leaves were taken already.
    pub fn push_tree(&mut self, tree: &Frontier) -> Result<(), ProofError> {
        if self.pushed != 0 {
            return Err(ProofError::TooLate);
        }
        let (size, mut start) = (tree.size(), 0);
        let levels = (0..u64::BITS).rev().filter(|level| size >> level & 1 == 1);
        for (level, peak) in levels.zip(tree.peaks()) {
            let index = start >> level;
            self.found(Subtree { level, index }, *peak);
            self.peaks.push(*peak);
            start += 1 << level;
        }
        self.pushed = size;
        let is_passed = |subtree: &Subtree| (subtree.index + 1) << subtree.level <= size;
        let mut wanted = self.wanted.iter();
        if wanted.any(|(subtree, hash)| hash.is_none() && is_passed(subtree)) {
            return Err(ProofError::Passed(size));
        }
        Ok(())
    }

    /// Takes the hash of the next leaf.
    pub fn push_hash(&mut self, leaf: TreeHash) {
        // A leaf too many is counted and otherwise ignored; `finish` refuses it.
        if self.pushed >= self.size {
            self.pushed = self.size.saturating_add(1);
            return;
        }
        let mut subtree = Subtree {
            level: 0,
            index: self.pushed,
        };
        let mut node = leaf;
        self.found(subtree, node);
        while subtree.index & 1 == 1 {
            let left = self.peaks.pop().expect("a right subtree has a left one");
            node = node_hash(&left, &node);
            subtree = Subtree {
                level: subtree.level + 1,
                index: subtree.index >> 1,
            };
            self.found(subtree, node);
        }
        self.peaks.push(node);
        self.pushed += 1;
    }

    fn found(&mut self, subtree: Subtree, hash: TreeHash) {
        if let Some(wanted) = self.wanted.get_mut(&subtree) {
            *wanted = Some(hash);
        }
    }

    /// Returns the proofs, if exactly the leaves of the tree were pushed.
    pub fn finish(self) -> Result<Proofs, ProofError> {
        if self.pushed != self.size {
            return Err(ProofError::Leaves {
                found: self.pushed,
                size: self.size,
            });
        }
        let hash = |part: &Part| {
            let hashes = part.iter().map(|subtree| {
                self.wanted[subtree].expect("every subtree of the tree was completed")
            });
            fold(hashes.rev()).expect("a part has a subtree")
        };
        let proofs = |wanted: &BTreeMap<u64, Vec<Part>>| {
            let proof = |(at, parts): (&u64, &Vec<Part>)| (*at, parts.iter().map(hash).collect());
            wanted.iter().map(proof).collect()
        };
        Ok(Proofs {
            root: fold(self.peaks.iter().rev().copied()).unwrap_or_else(|| Frontier::new().root()),
            inclusion: proofs(&self.inclusion),
            consistency: proofs(&self.consistency),
        })
    }
}

/// Returns the root over adjoining perfect subtrees, given the smallest first.
fn fold(mut hashes: impl Iterator<Item = TreeHash>) -> Option<TreeHash> {
    let last = hashes.next()?;
    Some(hashes.fold(last, |right, left| node_hash(&left, &right)))
}

/// Returns the perfect subtrees of the leaves from `start` to `end`. `start` must be a multiple of
/// the least power of two that is not below their number.
fn perfect(start: u64, end: u64) -> Part {
    let mut part = Vec::new();
    let mut at = start;
    while at < end {
        let level = (end - at).ilog2();
        let index = at >> level;
        part.push(Subtree { level, index });
        at += 1 << level;
    }
    part
}

/// Returns where the tree over the leaves from `start` to `end`, two or more, is split.
const fn split(start: u64, end: u64) -> u64 {
    start + (1 << (end - start - 1).ilog2())
}

fn inclusion_parts(index: u64, size: u64) -> Vec<Part> {
    let mut parts = Vec::new();
    let (mut start, mut end) = (0, size);
    while end - start > 1 {
        let middle = split(start, end);
        if index < middle {
            parts.push(perfect(middle, end));
            end = middle;
        } else {
            parts.push(perfect(start, middle));
            start = middle;
        }
    }
    parts.reverse();
    parts
}

fn consistency_parts(old: u64, size: u64) -> Vec<Part> {
    let mut parts = Vec::new();
    if old == 0 || old == size {
        return parts;
    }
    let (mut start, mut end) = (0, size);
    while old < end {
        let middle = split(start, end);
        if old <= middle {
            parts.push(perfect(middle, end));
            end = middle;
        } else {
            parts.push(perfect(start, middle));
            start = middle;
        }
    }
    // A subtree at the left edge is the whole older tree: its root is known to the reader.
    if start != 0 {
        parts.push(perfect(start, end));
    }
    parts.reverse();
    parts
}

/// Returns the proof that leaf `index` is in the tree of `size` leaves. `node` returns the root of
/// a perfect subtree. Asks for few of them: about twice the logarithm of `size`.
pub(crate) fn inclusion_from<E>(
    size: u64,
    index: u64,
    mut node: impl FnMut(Subtree) -> Result<TreeHash, E>,
) -> Result<Vec<TreeHash>, E> {
    let parts = inclusion_parts(index, size).into_iter();
    parts.map(|part| root_over(&part, &mut node)).collect()
}

/// Returns the root of the tree of `size` leaves, one at least. `node` returns the root of a
/// perfect subtree.
pub(crate) fn root_from<E>(
    size: u64,
    mut node: impl FnMut(Subtree) -> Result<TreeHash, E>,
) -> Result<TreeHash, E> {
    root_over(&perfect(0, size), &mut node)
}

fn root_over<E>(
    part: &Part,
    node: &mut impl FnMut(Subtree) -> Result<TreeHash, E>,
) -> Result<TreeHash, E> {
    let hashes: Vec<TreeHash> = part
        .iter()
        .map(|subtree| node(*subtree))
        .collect::<Result<_, E>>()?;
    Ok(fold(hashes.into_iter().rev()).expect("a part has a subtree"))
}

/// Returns the proof that leaf `index` is in the tree over these `size` leaf hashes.
pub fn inclusion_at(
    size: u64,
    index: u64,
    hashes: impl IntoIterator<Item = TreeHash>,
) -> Result<Vec<TreeHash>, ProofError> {
    let mut builder = ProofBuilder::new(size);
    builder.want_inclusion(index)?;
    hashes.into_iter().for_each(|hash| builder.push_hash(hash));
    let mut proofs = builder.finish()?;
    Ok(proofs.inclusion.remove(&index).expect("it was asked for"))
}

/// Returns the proof that the tree over these `size` leaf hashes extends the tree over the first
/// `old` of them.
pub fn consistency_at(
    old: u64,
    size: u64,
    hashes: impl IntoIterator<Item = TreeHash>,
) -> Result<Vec<TreeHash>, ProofError> {
    let mut builder = ProofBuilder::new(size);
    builder.want_consistency(old)?;
    hashes.into_iter().for_each(|hash| builder.push_hash(hash));
    let mut proofs = builder.finish()?;
    Ok(proofs.consistency.remove(&old).expect("it was asked for"))
}

#[cfg(test)]
mod tests;
