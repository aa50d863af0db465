//! The key that signs the log: the first one, one that takes over, and one in place of a lost one.

use std::sync::Arc;

use crate::archive::handle::Archive;
use crate::archive::signing::checkpoint::{cannot_sign, check_key};
use crate::archive::signing::declared;
use crate::event::{Body, KeyLost, KeyRotated};
use crate::evidence::key::Signer;
use crate::evidence::note::TextLine;
use crate::evidence::rotation::{LostKey, Rotation, StateError};
use crate::id::EventSeq;
use crate::{Error, ErrorKind, Result};

impl Archive {
    /// Signs the log from here on, and records with which key.
    ///
    /// # Errors
    ///
    /// `Refused` when the log is signed with another key already, or the key's name is not that of
    /// the store.
    pub fn begin_signing(&self, signer: Arc<dyn Signer>) -> Result<()> {
        check_key(self.store(), signer.vkey())?;
        let recorder = self.recorder()?;
        let mut work = self.store().signing.work();
        recorder.declare(&mut work, &*signer)?;
        self.store().signing.set_signer(&mut work, signer);
        drop(work);
        self.start_signing()
    }

    /// Hands over to a new key, with the consent of the one in use. Returns the event.
    ///
    /// From here on the new key signs.
    ///
    /// # Errors
    ///
    /// `Refused` when this handle does not sign, or the new key has another name.
    pub fn rotate_key(&self, new: Arc<dyn Signer>) -> Result<EventSeq> {
        let recorder = self.recorder()?;
        // The old key signs all that was recorded while it was in use.
        self.checkpoint()?;
        let mut work = self.store().signing.work();
        let old = self.store().signing.signer().ok_or_else(unsigned)?;
        let rotation = Rotation::sign(&*old, &*new).map_err(not_stated)?;
        let event = recorder.append(Body::KeyRotated(KeyRotated {
            statement: rotation.to_string(),
        }))?;
        self.store().signing.set_signer(&mut work, new);
        drop(work);
        recorder.checkpoint()?;
        Ok(event)
    }

    /// Records that the key in use is lost, and signs with a new one from here on. Returns the
    /// event.
    ///
    /// Nobody has to believe this who does not trust the new key for another reason.
    ///
    /// # Errors
    ///
    /// `Refused` when the log is not signed, the new key has another name, or no reason is given.
    pub fn replace_lost_key(&self, new: Arc<dyn Signer>, reason: &str) -> Result<EventSeq> {
        let recorder = self.recorder()?;
        let old = declared::current_key(self.store())?.ok_or_else(unsigned)?;
        let reason = TextLine::new(reason.trim()).map_err(|why| {
            Error::new(ErrorKind::Refused, format!("this is no reason: {why}"))
                .hint("state it in one line; it is recorded for good")
        })?;
        let lost = LostKey::sign(&old, &*new, reason).map_err(not_stated)?;
        let mut work = self.store().signing.work();
        let event = recorder.append(Body::KeyLost(KeyLost {
            statement: lost.to_string(),
        }))?;
        self.store().signing.set_signer(&mut work, new);
        drop(work);
        self.start_signing()?;
        recorder.checkpoint()?;
        Ok(event)
    }
}

fn unsigned() -> Error {
    Error::new(ErrorKind::Refused, "the store is not signed")
        .hint("make a key with 'annals key init'")
}

fn not_stated(error: StateError) -> Error {
    match error {
        StateError::Keys(why) => Error::new(ErrorKind::Refused, why.to_string()),
        StateError::Sign(why) => cannot_sign(why),
    }
}
