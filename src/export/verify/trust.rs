//! What a reader knows from outside of a bundle.

use crate::evidence::checkpoint::SignedCheckpoint;
use crate::evidence::note::VerifierKey;
use crate::evidence::rotation::{Rotation, StatementError};
use crate::setters::setters;

/// What a reader knows from outside of the bundle.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Trust {
    /// The keys that the reader trusts. Without any, no bundle is intact.
    pub vkeys: Vec<VerifierKey>,
    /// Checkpoints of the same log that the reader has seen before.
    pub older: Vec<SignedCheckpoint>,
}

setters! { Trust {
    /// Sets the checkpoints that were seen before.
    older: [Vec<SignedCheckpoint>];
} }

impl Trust {
    /// Returns the trust in some keys.
    pub fn in_keys(vkeys: impl IntoIterator<Item = VerifierKey>) -> Self {
        Self {
            vkeys: vkeys.into_iter().collect(),
            older: Vec::new(),
        }
    }

    /// Trusts the key, too, that a key rotation introduces. A trusted key must have signed the
    /// rotation.
    pub fn follow(mut self, rotation: &[u8]) -> Result<Self, StatementError> {
        let rotation = Rotation::verify(rotation, &self.vkeys)?;
        self.vkeys.push(rotation.new_key().clone());
        Ok(self)
    }
}
