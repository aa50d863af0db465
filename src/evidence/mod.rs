//! Proves to strangers what was recorded, and that it was not changed since.
//!
//! The log is a Merkle tree ([`tree`]). A key ([`key`], [`key_file`]) signs its size and root: a
//! [`checkpoint`]. Whoever has the key's public part and a checkpoint can verify a [`proof`] of one
//! event, or that a later log continues an older one, without the store and without annals. The
//! text forms are those of transparency logs; [`docs::evidence`](crate::docs::evidence) specifies
//! them.
//!
//! Nothing here proves that an event tells the truth, or that events were not left out before they
//! were recorded. And a log that was signed only by the machine it lies on can be written anew by
//! whoever owns the machine: give checkpoints away.
//!
//! ```
//! use annals::evidence::checkpoint::{Checkpoint, SignedCheckpoint};
//! use annals::evidence::key::SecretKey;
//! use annals::evidence::note::{KeyName, VerifierKey};
//! use annals::evidence::proof::inclusion_at;
//! use annals::evidence::tlog_proof::TlogProof;
//! use annals::evidence::tree::{Frontier, leaf_hash};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // The plant has the log and the secret key.
//! let key = SecretKey::generate(KeyName::new("example.com/line3")?)?;
//! let leaves = [&b"one"[..], b"two", b"three"].map(leaf_hash);
//! let mut tree = Frontier::new();
//! for leaf in &leaves {
//!     tree.push_hash(*leaf);
//! }
//! let checkpoint = Checkpoint::of(key.verifier().name().into(), &tree);
//! let signed = SignedCheckpoint::sign(checkpoint, &[&key])?;
//! let proof = TlogProof::new(1, inclusion_at(3, 1, leaves)?, &signed).to_string();
//! let vkey = key.verifier().to_string();
//!
//! // The customer has the line, the proof, and the verifier key from an earlier contract.
//! let trusted = [VerifierKey::parse(&vkey)?];
//! let verified = TlogProof::parse(proof.as_bytes())?.verify(b"two", &trusted)?;
//! assert_eq!(verified.checkpoint().size, 3);
//! assert!(TlogProof::parse(proof.as_bytes())?.verify(b"2", &trusted).is_err());
//! # Ok(())
//! # }
//! ```

pub mod checkpoint;
mod der;
pub mod dsse;
pub mod entry_proof;
pub mod key;
pub mod key_file;
pub mod note;
pub mod proof;
pub mod rotation;
mod text;
pub mod timestamp;
pub mod tlog_proof;
pub mod tree;

#[cfg(test)]
mod tests;
