//! All nodes of a hash tree, to prove many of its leaves.

use crate::evidence::tree::{TreeHash, root_of};

/// The roots of all perfect subtrees, by their height. It takes 64 bytes a leaf.
#[derive(Debug, Default)]
pub(super) struct Nodes(Vec<Vec<TreeHash>>);

impl Nodes {
    /// Appends the hash of a leaf.
    pub(super) fn push(&mut self, leaf: TreeHash) {
        let mut node = leaf;
        for height in 0.. {
            if self.0.len() == height {
                self.0.push(Vec::new());
            }
            let level = &mut self.0[height];
            level.push(node);
            if level.len() % 2 == 1 {
                return;
            }
            node = root_of(&level[level.len() - 2..]);
        }
    }

    fn size(&self) -> usize {
        self.0.first().map_or(0, Vec::len)
    }

    /// Returns the proof that leaf `index` (from 0) is in the tree; `None` when there is no such
    /// leaf.
    pub(super) fn path(&self, index: usize) -> Option<Vec<TreeHash>> {
        let size = self.size();
        let mut path = Vec::new();
        let mut height = 0;
        while size.checked_sub(1)? >> height > 0 {
            let sibling = (index >> height) ^ 1;
            if sibling << height < size {
                path.push(self.root_from(sibling, height));
            }
            height += 1;
        }
        (index < size).then_some(path)
    }

    /// Returns the root over the leaves below node `node` of this height, as far as there are any.
    fn root_from(&self, node: usize, height: usize) -> TreeHash {
        if let Some(whole) = self.0.get(height).and_then(|level| level.get(node)) {
            return *whole;
        }
        // Cut off by the end of the tree: its left half is there, and perhaps some of the right.
        let (left, right) = (node * 2, node * 2 + 1);
        let below = height - 1;
        if right << below < self.size() {
            root_of(&[self.root_from(left, below), self.root_from(right, below)])
        } else {
            self.root_from(left, below)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::tree::{inclusion_proof, leaf_hash};

    #[test]
    fn each_path_is_the_one_of_the_definition() {
        let mut nodes = Nodes::default();
        assert_eq!(nodes.path(0), None);
        let mut leaves = Vec::new();
        for size in 1..=70_usize {
            let leaf = leaf_hash(&size.to_le_bytes());
            leaves.push(leaf);
            nodes.push(leaf);
            for index in 0..size {
                assert_eq!(nodes.path(index), inclusion_proof(&leaves, index));
            }
            assert_eq!(nodes.path(size), None);
        }
    }
}
