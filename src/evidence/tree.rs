//! The RFC 6962 Merkle tree (SHA-256) over event leaves. Appending needs memory that grows with the
//! logarithm of the log.

use sha2::{Digest, Sha256};

use crate::format::bytes::{Put, Reader, Truncated};

/// The hash of a leaf, of an inner node or of a whole tree.
pub type TreeHash = [u8; 32];

/// Returns the hash of one leaf: its exact line, without a newline.
pub fn leaf_hash(leaf: &[u8]) -> TreeHash {
    Sha256::new()
        .chain_update([0])
        .chain_update(leaf)
        .finalize()
        .into()
}

/// The largest tree that is decoded. Appending to it cannot overflow in practice.
const SIZE_MAX: u64 = u64::MAX / 2;

/// Returns the hash of an inner node.
pub(crate) fn node_hash(left: &TreeHash, right: &TreeHash) -> TreeHash {
    Sha256::new()
        .chain_update([1])
        .chain_update(left)
        .chain_update(right)
        .finalize()
        .into()
}

/// Everything about a tree that is needed to append to it: the roots of its perfect subtrees,
/// largest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    /// One peak for each one-bit of `size`.
    peaks: Vec<TreeHash>,
}

/// Why bytes are not a frontier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrontierError {
    /// The bytes end too early.
    #[error("the tree's frontier is cut short: {0}")]
    Truncated(#[from] Truncated),
    /// More bytes follow the frontier.
    #[error("{0} bytes follow the tree's frontier")]
    Trailing(usize),
    /// No log can have that many leaves.
    #[error("a tree of {0} leaves is out of reach")]
    Size(u64),
}

impl Frontier {
    /// Returns the tree of no leaves.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the number of leaves.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Returns the roots of the perfect subtrees, largest first.
    pub(super) fn peaks(&self) -> &[TreeHash] {
        &self.peaks
    }

    /// Appends a leaf.
    pub fn push(&mut self, leaf: &[u8]) {
        self.push_hash(leaf_hash(leaf));
    }

    /// Appends a leaf by its [`leaf_hash`].
    pub fn push_hash(&mut self, leaf: TreeHash) {
        let mut node = leaf;
        for _ in 0..self.size.trailing_ones() {
            let left = self
                .peaks
                .pop()
                .expect("a peak for each one-bit of the size");
            node = node_hash(&left, &node);
        }
        self.peaks.push(node);
        self.size += 1;
    }

    /// Returns the hash of the whole tree. For no leaves it is the hash of the empty string.
    pub fn root(&self) -> TreeHash {
        let mut peaks = self.peaks.iter().rev();
        match peaks.next() {
            Some(last) => peaks.fold(*last, |right, left| node_hash(left, &right)),
            None => Sha256::digest([]).into(),
        }
    }

    /// Encodes the frontier: the size (eight bytes, little-endian) and the peaks (32 bytes each),
    /// largest first.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(8 + self.peaks.len() * 32);
        out.put_u64(self.size);
        for peak in &self.peaks {
            out.put(peak);
        }
        out
    }

    /// Decodes the bytes of [`Frontier::to_bytes`]. The hashes have no checksum, so the caller must
    /// compare [`Frontier::root`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FrontierError> {
        let mut reader = Reader::new(bytes);
        let size = reader.take_u64()?;
        if size > SIZE_MAX {
            return Err(FrontierError::Size(size));
        }
        let peaks = (0..size.count_ones())
            .map(|_| reader.take_array())
            .collect::<Result<_, _>>()?;
        match reader.rest().len() {
            0 => Ok(Self { size, peaks }),
            trailing => Err(FrontierError::Trailing(trailing)),
        }
    }
}

/// Returns the hash of the tree over these leaf hashes.
pub fn root_of(leaves: &[TreeHash]) -> TreeHash {
    let mut tree = Frontier::new();
    for leaf in leaves {
        tree.push_hash(*leaf);
    }
    tree.root()
}

/// Returns the proof that leaf `index` (from 0) is in the tree over `leaves`; `None` when there is
/// no such leaf.
pub fn inclusion_proof(leaves: &[TreeHash], index: usize) -> Option<Vec<TreeHash>> {
    if index >= leaves.len() {
        return None;
    }
    let mut proof = Vec::new();
    let (mut part, mut index) = (leaves, index);
    while part.len() > 1 {
        let (left, right) = part.split_at(split_point(part.len()));
        if index < left.len() {
            proof.push(root_of(right));
            part = left;
        } else {
            proof.push(root_of(left));
            index -= left.len();
            part = right;
        }
    }
    proof.reverse();
    Some(proof)
}

/// Returns whether `proof` shows that the tree of `size` leaves with this `root` has the leaf hash
/// `leaf` at `index`.
#[must_use]
pub fn verify_inclusion(
    leaf: &TreeHash,
    index: u64,
    size: u64,
    proof: &[TreeHash],
    root: &TreeHash,
) -> bool {
    if index >= size {
        return false;
    }
    let mut path = Path::new(index, size - 1);
    let mut hash = *leaf;
    for sibling in proof {
        hash = match path.step() {
            Some(Side::Left) => node_hash(sibling, &hash),
            Some(Side::Right) => node_hash(&hash, sibling),
            None => return false,
        };
    }
    path.last == 0 && hash == *root
}

/// Returns the proof that the tree over `leaves` extends the tree over its first `old_size` leaves;
/// `None` when `old_size` is larger than the tree.
pub fn consistency_proof(leaves: &[TreeHash], old_size: usize) -> Option<Vec<TreeHash>> {
    if old_size > leaves.len() {
        return None;
    }
    let mut proof = Vec::new();
    let (mut part, mut old) = (leaves, old_size);
    // The verifier already knows the hash of a subtree at the left edge that equals the whole old
    // tree: it is the old root.
    let mut is_old_root = true;
    while old != 0 && old < part.len() {
        let (left, right) = part.split_at(split_point(part.len()));
        if old <= left.len() {
            proof.push(root_of(right));
            part = left;
        } else {
            proof.push(root_of(left));
            old -= left.len();
            part = right;
            is_old_root = false;
        }
    }
    if old != 0 && !is_old_root {
        proof.push(root_of(part));
    }
    proof.reverse();
    Some(proof)
}

/// Returns whether `proof` shows that the tree of `new_size` leaves extends the tree of `old_size`
/// leaves only by appending.
#[must_use]
pub fn verify_consistency(
    old_size: u64,
    old_root: &TreeHash,
    new_size: u64,
    new_root: &TreeHash,
    proof: &[TreeHash],
) -> bool {
    if old_size == new_size {
        return proof.is_empty() && old_root == new_root;
    }
    if old_size > new_size {
        return false;
    }
    if old_size == 0 {
        return proof.is_empty() && *old_root == Frontier::new().root();
    }
    let (first, rest) = if old_size.is_power_of_two() {
        (old_root, proof)
    } else {
        match proof.split_first() {
            Some(split) => split,
            None => return false,
        }
    };
    let mut path = Path::new(old_size - 1, new_size - 1);
    while path.index & 1 == 1 {
        path.up();
    }
    let (mut old, mut new) = (*first, *first);
    for sibling in rest {
        match path.step() {
            Some(Side::Left) => {
                old = node_hash(sibling, &old);
                new = node_hash(sibling, &new);
            }
            Some(Side::Right) => new = node_hash(&new, sibling),
            None => return false,
        }
    }
    path.last == 0 && old == *old_root && new == *new_root
}

/// Returns how many leaves the left subtree of a tree of `len` leaves has: the largest power of two
/// below `len`. `len` must be two or more.
fn split_point(len: usize) -> usize {
    1 << (len - 1).ilog2()
}

/// The path from a node to the root, as RFC 9162 describes it: the index of the node, and the index
/// of the last node of its level.
struct Path {
    index: u64,
    last: u64,
}

/// The side on which the sibling of a node is.
enum Side {
    Left,
    Right,
}

impl Path {
    const fn new(index: u64, last: u64) -> Self {
        Self { index, last }
    }

    const fn up(&mut self) {
        self.index >>= 1;
        self.last >>= 1;
    }

    /// Moves up past the next sibling and returns the side of that sibling; `None` at the root.
    const fn step(&mut self) -> Option<Side> {
        if self.last == 0 {
            return None;
        }
        let side = if self.index & 1 == 1 || self.index == self.last {
            // A last node without a sibling counts as its own parent, until a level where it has a
            // sibling.
            while self.index & 1 == 0 && self.index != 0 {
                self.up();
            }
            Side::Left
        } else {
            Side::Right
        };
        self.up();
        Some(side)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The test leaves that all Certificate Transparency implementations share.
    const LEAVES: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];
    const ROOTS: [&str; 9] = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    const NODE_1: &str = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7";
    const NODE_2_3: &str = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e";
    const NODE_4: &str = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b";
    const NODE_4_5: &str = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a";
    const NODE_4_7: &str = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4";
    const NODE_6_7: &str = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0";

    fn hex(hash: &TreeHash) -> String {
        crate::id::Sha256::from_bytes(*hash).to_string()
    }

    fn reference_hashes() -> Vec<TreeHash> {
        LEAVES.map(leaf_hash).to_vec()
    }

    #[test]
    fn the_tree_is_the_one_certificate_transparency_logs_grow() {
        let mut tree = Frontier::new();
        assert_eq!(hex(&tree.root()), ROOTS[0]);
        for (leaf, root) in LEAVES.iter().zip(&ROOTS[1..]) {
            tree.push(leaf);
            assert_eq!(hex(&tree.root()), *root);
        }
        assert_eq!(tree.size(), 8);
    }

    #[test]
    fn proofs_are_those_of_the_reference_implementation() {
        let leaves = reference_hashes();
        let inclusion = |index, size| {
            let proof = inclusion_proof(&leaves[..size], index).expect("there");
            proof.iter().map(hex).collect::<Vec<_>>()
        };
        assert_eq!(inclusion(0, 1), [""; 0]);
        assert_eq!(inclusion(0, 8), [NODE_1, NODE_2_3, NODE_4_7]);
        assert_eq!(inclusion(5, 8), [NODE_4, NODE_6_7, ROOTS[4]]);
        assert_eq!(inclusion(2, 3), [ROOTS[2]]);
        assert_eq!(inclusion(1, 5), [ROOTS[1], NODE_2_3, NODE_4]);

        let consistency = |old, new| {
            let proof = consistency_proof(&leaves[..new], old).expect("there");
            proof.iter().map(hex).collect::<Vec<_>>()
        };
        assert_eq!(consistency(1, 1), [""; 0]);
        assert_eq!(consistency(1, 8), [NODE_1, NODE_2_3, NODE_4_7]);
        assert_eq!(consistency(6, 8), [NODE_4_5, NODE_6_7, ROOTS[4]]);
        assert_eq!(consistency(2, 5), [NODE_2_3, NODE_4]);
    }

    /// The definition of RFC 6962, taken literally.
    fn naive(leaves: &[TreeHash]) -> TreeHash {
        match leaves {
            [] => Sha256::digest([]).into(),
            [leaf] => *leaf,
            _ => {
                let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
                node_hash(&naive(left), &naive(right))
            }
        }
    }

    fn some_leaves(count: usize) -> Vec<TreeHash> {
        (0..count)
            .map(|number| leaf_hash(&number.to_le_bytes()))
            .collect()
    }

    proptest! {
        #[test]
        fn appending_one_by_one_gives_the_tree_of_the_definition(count in 0_usize..300, cut in 0_usize..300) {
            let leaves = some_leaves(count);
            let cut = cut.min(count);
            let mut tree = Frontier::new();
            for leaf in &leaves[..cut] {
                tree.push_hash(*leaf);
            }
            let mut tree = Frontier::from_bytes(&tree.to_bytes()).expect("just written");
            for leaf in &leaves[cut..] {
                tree.push_hash(*leaf);
            }
            prop_assert_eq!(tree.root(), naive(&leaves));
        }

        #[test]
        fn a_true_proof_convinces_and_a_changed_one_does_not(
            (count, index, old) in (1_usize..130).prop_flat_map(|count| (Just(count), 0..count, 0..=count)),
            flip in any::<prop::sample::Index>(),
        ) {
            let leaves = some_leaves(count);
            let root = naive(&leaves);
            let [count64, index64, old64] = [count, index, old].map(|number| number as u64);

            let proof = inclusion_proof(&leaves, index).expect("in range");
            prop_assert!(verify_inclusion(&leaves[index], index64, count64, &proof, &root));
            prop_assert!(!verify_inclusion(&leaf_hash(b"other"), index64, count64, &proof, &root));
            prop_assert!(!verify_inclusion(&leaves[index], index64 + 1, count64, &proof, &root));
            let mut longer = proof.clone();
            longer.push(root);
            prop_assert!(!verify_inclusion(&leaves[index], index64, count64, &longer, &root));
            if !proof.is_empty() {
                let mut changed = proof.clone();
                changed[flip.index(proof.len())][0] ^= 1;
                prop_assert!(!verify_inclusion(&leaves[index], index64, count64, &changed, &root));
                prop_assert!(!verify_inclusion(&leaves[index], index64, count64, &proof[1..], &root));
            }

            let old_root = naive(&leaves[..old]);
            let proof = consistency_proof(&leaves, old).expect("in range");
            prop_assert!(verify_consistency(old64, &old_root, count64, &root, &proof));
            prop_assert!(!verify_consistency(old64, &leaf_hash(b"other"), count64, &root, &proof));
            prop_assert!(!verify_consistency(count64 + 1, &old_root, count64, &root, &proof));
            if !proof.is_empty() {
                let mut changed = proof.clone();
                changed[flip.index(proof.len())][0] ^= 1;
                prop_assert!(!verify_consistency(old64, &old_root, count64, &root, &changed));
                prop_assert!(!verify_consistency(old64, &old_root, count64, &root, &proof[1..]));
            }
        }

        #[test]
        fn any_bytes_at_all_are_a_frontier_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            if let Ok(tree) = Frontier::from_bytes(&bytes) {
                prop_assert_eq!(tree.to_bytes(), bytes);
            }
        }
    }

    #[test]
    fn the_bytes_of_a_frontier_never_change() {
        let mut tree = Frontier::new();
        for leaf in &LEAVES[..3] {
            tree.push(leaf);
        }
        let mut golden = b"\x03\0\0\0\0\0\0\0".to_vec();
        golden.extend(root_of(&reference_hashes()[..2]));
        golden.extend(leaf_hash(LEAVES[2]));
        assert_eq!(tree.to_bytes(), golden);
        for len in 0..golden.len() {
            assert!(Frontier::from_bytes(&golden[..len]).is_err(), "{len} bytes");
        }
        let endless = [0xff; 8 + 64 * 32];
        assert_eq!(
            Frontier::from_bytes(&endless),
            Err(FrontierError::Size(u64::MAX))
        );
        golden.push(0);
        assert_eq!(
            Frontier::from_bytes(&golden),
            Err(FrontierError::Trailing(1))
        );
    }
}
