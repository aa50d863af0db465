//! A proof that convinces of something that is not so is worse than none. The builder is compared
//! with the recursive definition, for every leaf and every older size of all small trees; then each
//! proof is changed in every way, and nobody may believe it.

use proptest::prelude::*;

use super::*;
use crate::evidence::tree::{Frontier, consistency_proof, inclusion_proof, leaf_hash, root_of};

fn leaves(count: u64) -> Vec<TreeHash> {
    (0..count)
        .map(|number| leaf_hash(&number.to_le_bytes()))
        .collect()
}

fn at(number: u64) -> usize {
    usize::try_from(number).expect("small trees only")
}

/// Every proof that there is for the tree over `leaves`, made in one pass.
fn all_proofs(leaves: &[TreeHash]) -> Proofs {
    let size = leaves.len() as u64;
    let mut builder = ProofBuilder::new(size);
    for index in 0..size {
        builder.want_inclusion(index).expect("in range");
    }
    for old in 0..=size {
        builder.want_consistency(old).expect("in range");
    }
    for leaf in leaves {
        builder.push_hash(*leaf);
    }
    builder.finish().expect("all leaves")
}

#[test]
fn all_proofs_of_all_trees_up_to_70_leaves_are_those_of_the_definition() {
    let leaves = leaves(70);
    for size in 0..=70 {
        let leaves = &leaves[..size];
        let proofs = all_proofs(leaves);
        let mut frontier = Frontier::new();
        for leaf in leaves {
            frontier.push_hash(*leaf);
        }
        assert_eq!(proofs.root, frontier.root(), "{size}");
        assert_eq!(proofs.inclusion.len(), size);
        assert_eq!(proofs.consistency.len(), size + 1);
        for (index, proof) in &proofs.inclusion {
            let expected = inclusion_proof(leaves, at(*index)).expect("in range");
            assert_eq!(*proof, expected, "{index} of {size}");
        }
        for (old, proof) in &proofs.consistency {
            let expected = consistency_proof(leaves, at(*old)).expect("in range");
            assert_eq!(*proof, expected, "{old} to {size}");
        }
    }
}

#[test]
fn every_proof_of_inclusion_holds_for_one_leaf_at_one_place_only() {
    let leaves = leaves(34);
    for size in 1..=34_u64 {
        let proofs = all_proofs(&leaves[..at(size)]);
        for (&index, proof) in &proofs.inclusion {
            let leaf = &leaves[at(index)];
            let holds = |leaf, index, size, proof: &[TreeHash]| {
                verify_inclusion(leaf, index, size, proof, &proofs.root)
            };
            assert!(holds(leaf, index, size, proof), "{index} of {size}");
            for other in (0..=size + 1).filter(|other| *other != index) {
                assert!(
                    !holds(leaf, other, size, proof),
                    "{index} as {other} of {size}"
                );
            }
            for place in 0..proof.len() {
                for bit in 0..256 {
                    let mut changed = proof.clone();
                    changed[place][bit / 8] ^= 1 << (bit % 8);
                    assert!(!holds(leaf, index, size, &changed));
                }
                let mut shorter = proof.clone();
                shorter.remove(place);
                assert!(!holds(leaf, index, size, &shorter));
                let mut longer = proof.clone();
                longer.insert(place, proofs.root);
                assert!(!holds(leaf, index, size, &longer));
            }
            let mut root = proofs.root;
            root[31] ^= 1;
            assert!(!verify_inclusion(leaf, index, size, proof, &root));
        }
    }
}

#[test]
fn every_proof_of_consistency_holds_for_its_two_sizes_and_roots_only() {
    let leaves = leaves(34);
    let roots: Vec<_> = (0..=34).map(|size| root_of(&leaves[..size])).collect();
    for size in 1..=34_u64 {
        let proofs = all_proofs(&leaves[..at(size)]);
        let new = proofs.root;
        for (&old, proof) in &proofs.consistency {
            let root = roots[at(old)];
            assert!(
                verify_consistency(old, &root, size, &new, proof),
                "{old} to {size}"
            );
            for other in (0..=size).filter(|other| *other != old) {
                let other_root = roots[at(other)];
                assert!(!verify_consistency(old, &other_root, size, &new, proof));
                if other != 0 {
                    assert!(!verify_consistency(other, &root, size, &new, proof));
                }
            }
            for place in 0..proof.len() {
                for byte in 0..32 {
                    let mut changed = proof.clone();
                    changed[place][byte] ^= 1;
                    assert!(!verify_consistency(old, &root, size, &new, &changed));
                }
                let mut shorter = proof.clone();
                shorter.remove(place);
                assert!(!verify_consistency(old, &root, size, &new, &shorter));
            }
            let mut longer = proof.clone();
            longer.push(new);
            assert!(!verify_consistency(old, &root, size, &new, &longer));
        }
    }
}

#[test]
fn a_proof_needs_exactly_the_leaves_of_its_tree() {
    let leaves = leaves(5);
    let proof = |size, index| inclusion_at(size, index, leaves.iter().copied());
    assert!(proof(5, 4).is_ok());
    assert_eq!(proof(5, 5), Err(ProofError::NoLeaf { index: 5, size: 5 }));
    assert_eq!(proof(0, 0), Err(ProofError::NoLeaf { index: 0, size: 0 }));
    assert_eq!(proof(6, 0), Err(ProofError::Leaves { found: 5, size: 6 }));
    assert_eq!(proof(4, 0), Err(ProofError::Leaves { found: 5, size: 4 }));
    let mut late = ProofBuilder::new(5);
    late.push_hash(leaves[0]);
    assert_eq!(late.want_inclusion(0), Err(ProofError::TooLate));
    assert_eq!(late.want_consistency(1), Err(ProofError::TooLate));
    let from = |old, size| consistency_at(old, size, leaves.iter().copied());
    assert!(from(5, 5).is_ok());
    assert_eq!(from(6, 5), Err(ProofError::Smaller { old: 6, size: 5 }));
}

/// The plan of a proof in a log of any size is short, and nothing overflows.
#[test]
fn a_proof_in_the_largest_log_is_short() {
    let size = u64::MAX / 2;
    for index in [0, 1, size / 2, size - 1] {
        assert!(inclusion_parts(index, size).len() <= 63);
        assert!(consistency_parts(index + 1, size).len() <= 64);
    }
    for size in [u64::MAX, u64::MAX - 1, (1 << 63) + 1] {
        assert!(inclusion_parts(size - 1, size).len() <= 64);
    }
}

proptest! {
    #[test]
    fn proofs_of_larger_trees_hold((size, index, old) in (1_u64..3000).prop_flat_map(|size| (Just(size), 0..size, 0..=size))) {
        let leaves = leaves(size);
        let mut builder = ProofBuilder::new(size);
        builder.want_inclusion(index).expect("in range");
        builder.want_consistency(old).expect("in range");
        for leaf in &leaves {
            builder.push_hash(*leaf);
        }
        // What is kept does not grow with the tree.
        prop_assert!(builder.wanted.len() + builder.peaks.len() <= 12 * 12);
        let proofs = builder.finish().expect("all leaves");
        let root = root_of(&leaves);
        prop_assert_eq!(proofs.root, root);
        prop_assert!(verify_inclusion(&leaves[at(index)], index, size, &proofs.inclusion[&index], &root));
        let old_root = root_of(&leaves[..at(old)]);
        prop_assert!(verify_consistency(old, &old_root, size, &root, &proofs.consistency[&old]));
    }
}
