//! What a reader knows from outside of a bundle.

use std::path::Path;

use crate::disk::{Disk, FsDisk};
use crate::event::Body;
use crate::evidence::checkpoint::SignedCheckpoint;
use crate::evidence::note::VerifierKey;
use crate::evidence::rotation::{Rotation, StatementError};
use crate::export::bag;
use crate::export::lines::{Lines, Next, event_of};
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

    /// Trusts the keys, too, that the rotations in the lines of a bundle introduce, one after the
    /// other. Each must be signed by the old key, which is trusted already, and by the new one, so
    /// it does not matter who wrote the lines.
    #[must_use]
    pub fn follow_bundle(self, dir: impl AsRef<Path>) -> Self {
        self.follow_lines(&FsDisk::new(dir.as_ref())).0
    }

    /// Like [`Trust::follow_bundle`]. Also returns the rotations that were believed.
    pub(super) fn follow_lines(mut self, disk: &dyn Disk) -> (Self, Vec<Rotation>) {
        let mut followed = Vec::new();
        let Ok(mut lines) = Lines::open(disk, Path::new(bag::EVENTS)) else {
            return (self, followed);
        };
        let mut line = Vec::new();
        while let Ok(Next::Line(_)) = lines.next(&mut line) {
            if !is_rotation(&line) {
                continue;
            }
            if let Some(Body::KeyRotated(fact)) = event_of(&line).map(|event| event.body)
                && let Ok(rotation) = Rotation::verify(fact.statement.as_bytes(), &self.vkeys)
                && !self.vkeys.contains(rotation.new_key())
            {
                self.vkeys.push(rotation.new_key().clone());
                followed.push(rotation);
            }
        }
        (self, followed)
    }
}

/// Returns true when a line may record a key rotation. Most lines need not be parsed.
fn is_rotation(line: &[u8]) -> bool {
    const KIND: &[u8] = b"annals.key.rotated.v1";
    line.windows(KIND.len()).any(|part| part == KIND)
}
