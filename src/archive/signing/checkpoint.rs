//! Makes checkpoints: the root over everything acknowledged, signed, and recorded as an event.

use std::sync::Arc;

use crossbeam_channel::bounded;

use crate::archive::handle::{Archive, Channels};
use crate::archive::messages::{Draft, Receipt, Request};
use crate::archive::options::Cadence;
use crate::archive::signing::{declared, outside};
use crate::archive::state::signing::{RecordedCheckpoint, SigningWork};
use crate::archive::state::store::Store;
use crate::event::{Actor, Body, CheckpointCadence, CheckpointSigned, Exported, KeyCreated};
use crate::evidence::checkpoint::{Checkpoint, SignedCheckpoint};
use crate::evidence::key::{SignError, Signer};
use crate::evidence::note::{KeyName, VerifierKey};
use crate::evidence::tree::Frontier;
use crate::id::EventSeq;
use crate::log::{LogFiles, LogReader};
use crate::{Error, ErrorKind, Result};

impl Archive {
    /// Signs everything that is acknowledged, and records that. When nothing was recorded since
    /// the newest checkpoint, returns that one.
    ///
    /// Checkpoints are made by themselves as well: see [`Cadence`], and around every purge, and
    /// when the store is closed.
    ///
    /// ```
    /// use annals::archive::{Archive, NewEntry};
    /// use annals::evidence::{key::SecretKey, note::KeyName};
    /// use std::sync::Arc;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let dir = tempfile::tempdir()?;
    /// # let archive = Archive::builder().create(dir.path().join("store"))?;
    /// let key = SecretKey::generate(KeyName::of_store(&archive.store_id()))?;
    /// archive.begin_signing(Arc::new(key))?;
    /// archive.put(NewEntry::new("ICT"), &b"content"[..])?;
    /// let checkpoint = archive.checkpoint()?;
    /// assert_eq!(checkpoint.signed.checkpoint().size, checkpoint.event.0 - 1);
    /// assert_eq!(archive.checkpoint()?, checkpoint);
    /// # archive.close()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `Refused` when this handle has no key to sign with, or another one than the log names.
    pub fn checkpoint(&self) -> Result<RecordedCheckpoint> {
        self.recorder()?.checkpoint()?.ok_or_else(no_key)
    }

    /// Records that events were exported, and signs the log up to exactly that record.
    ///
    /// # Errors
    ///
    /// `Refused` when this handle has no key to sign with: then nothing is recorded.
    pub fn record_export(&self, exported: Exported) -> Result<RecordedCheckpoint> {
        let body = Body::Exported(exported);
        self.recorder()?.record_signed(body)?.ok_or_else(no_key)
    }

    /// Returns the newest checkpoint in the log. Only its signature is verified, with the key that
    /// the log names.
    pub fn newest_checkpoint(&self) -> Result<Option<RecordedCheckpoint>> {
        match declared::current_key(self.store())? {
            Some(key) => declared::newest_checkpoint(self.store(), &[key]),
            None => Ok(None),
        }
    }

    /// Returns the key that the log is signed with. `None` when it is not signed.
    pub fn signing_key(&self) -> Result<Option<VerifierKey>> {
        declared::current_key(self.store())
    }

    /// Returns true when this handle, or another one of the same open store, has a key to sign
    /// with.
    pub fn signs(&self) -> bool {
        self.store().signing.signer().is_some()
    }

    /// Returns why the last checkpoint was not made or not published, and what to do; `None` when
    /// it was.
    pub fn signing_failure(&self) -> Option<String> {
        self.store().signing.failure()
    }

    /// Signs the log if this handle has a key. What goes wrong is kept for
    /// [`Archive::signing_failure`].
    pub(in crate::archive) fn checkpoint_if_signed(&self) {
        if let Ok(recorder) = self.recorder() {
            // It is noted there.
            let _ = recorder.checkpoint();
        }
    }

    pub(super) fn recorder(&self) -> Result<Recorder<'_>> {
        Ok(Recorder {
            store: self.store(),
            channels: self.channels()?,
            actor: self.actor().cloned(),
        })
    }
}

/// Records facts about evidence.
pub(super) struct Recorder<'a> {
    pub(super) store: &'a Arc<Store>,
    pub(super) channels: &'a Channels,
    /// Who causes them; `None` for whoever opened the store.
    pub(super) actor: Option<Arc<Actor>>,
}

impl Recorder<'_> {
    /// Records a fact and waits until it is durable.
    pub(super) fn append(&self, body: Body) -> Result<EventSeq> {
        let mut draft = Draft::fact(body);
        draft.actor.clone_from(&self.actor);
        let (reply, answer) = bounded(1);
        let request = Request::Append(
            vec![draft],
            Box::new(move |receipt| drop(reply.send(receipt))),
        );
        let ended = |_| Err(self.store.health.ended());
        let receipt = if self.channels.hand_in(request) {
            answer.recv().unwrap_or_else(ended)
        } else {
            // It may have been answered just before.
            answer
                .try_recv()
                .unwrap_or_else(|_| Err(self.store.health.ended()))
        };
        match receipt? {
            Receipt::Durable { events, .. } if !events.is_empty() => Ok(events[events.len() - 1]),
            Receipt::Durable { .. } | Receipt::Known(_) | Receipt::ContentNeeded => {
                Err(self.store.health.ended())
            }
        }
    }

    /// Signs everything that is acknowledged. `None` when there is no key to sign with.
    pub(super) fn checkpoint(&self) -> Result<Option<RecordedCheckpoint>> {
        let mut work = self.store.signing.work();
        let Some(signer) = self.store.signing.signer() else {
            return Ok(None);
        };
        let made = self.make(&mut work, &*signer);
        let failure = match &made {
            Ok(_) => work.unpublished.take(),
            Err(error) => Some(match error.next_step() {
                Some(next) => format!("{}; {next}", error.message()),
                None => error.message().to_owned(),
            }),
        };
        self.store.signing.set_failure(failure);
        made.map(Some)
    }

    fn make(&self, work: &mut SigningWork, signer: &dyn Signer) -> Result<RecordedCheckpoint> {
        self.declare(work, signer)?;
        if work.newest.is_none() {
            let trusted = [signer.vkey().clone()];
            work.newest = declared::newest_checkpoint(self.store, &trusted)?;
        }
        let last = self.store.watermark.newest();
        let covers_all = |made: &&RecordedCheckpoint| made.event == last && made.covers_all();
        if let Some(newest) = work.newest.as_ref().filter(covers_all) {
            self.store.signing.set_covered(newest);
            return Ok(newest.clone());
        }
        self.sign_up_to(work, signer, last)
    }

    /// Records a fact, and signs the log up to exactly that event. `None` when there is no key to
    /// sign with.
    pub(super) fn record_signed(&self, body: Body) -> Result<Option<RecordedCheckpoint>> {
        let mut work = self.store.signing.work();
        let Some(signer) = self.store.signing.signer() else {
            return Ok(None);
        };
        self.declare(&mut work, &*signer)?;
        let event = self.append(body)?;
        self.sign_up_to(&mut work, &*signer, event).map(Some)
    }

    /// Signs the first `last` events.
    fn sign_up_to(
        &self,
        work: &mut SigningWork,
        signer: &dyn Signer,
        last: EventSeq,
    ) -> Result<RecordedCheckpoint> {
        let tree = advance(&self.store.log, work.tree.take(), last)?;
        let checkpoint = Checkpoint::of(signer.vkey().name().into(), &tree);
        work.tree = Some(tree);
        let signed = SignedCheckpoint::sign(checkpoint, &[signer]).map_err(cannot_sign)?;
        let event = self.append(Body::CheckpointSigned(CheckpointSigned {
            note: signed.to_string(),
        }))?;
        let made = RecordedCheckpoint { event, signed };
        self.store.signing.set_covered(&made);
        work.newest = Some(made.clone());
        if let Some(folder) = &self.store.options.checkpoint_copies {
            outside::keep(folder, &self.store.id, &*self.store.disk, &made.signed);
        }
        if let Some(file) = &self.store.options.publish_checkpoints {
            let published = outside::publish(file, &made.signed);
            let failed = |error| {
                let error = Error::io("append to", file, error);
                let next = "it is recorded; publish it with 'annals checkpoint --publish FILE'";
                format!("{}; {next}", error.message())
            };
            work.unpublished = published.err().map(failed);
        }
        Ok(made)
    }

    /// Lets the log say by which key it is signed, and how often, where it does not yet.
    pub(super) fn declare(&self, work: &mut SigningWork, signer: &dyn Signer) -> Result<Cadence> {
        if let Some(cadence) = work.declared {
            return Ok(cadence);
        }
        check_key(self.store, signer.vkey())?;
        if declared::current_key(self.store)?.is_none() {
            self.append(Body::KeyCreated(KeyCreated {
                vkey: signer.vkey().to_string(),
            }))?;
        }
        let stated = declared::cadence(self.store)?;
        let asked = self.store.options.cadence.or_else(|| stated.map(read));
        let cadence = asked.unwrap_or_default();
        if stated != Some(written(cadence)) {
            self.append(Body::CheckpointCadence(written(cadence)))?;
        }
        work.declared = Some(cadence);
        Ok(cadence)
    }
}

fn read(stated: CheckpointCadence) -> Cadence {
    Cadence::new(
        stated.every_events,
        std::time::Duration::from_secs(stated.every_s),
    )
}

const fn written(cadence: Cadence) -> CheckpointCadence {
    CheckpointCadence {
        every_events: cadence.every_events,
        every_s: cadence.every.as_secs(),
    }
}

/// Returns the tree over the first `last` events. `from` is an earlier one, if there is one.
pub(in crate::archive) fn advance(
    log: &Arc<LogFiles>,
    from: Option<Frontier>,
    last: EventSeq,
) -> Result<Frontier> {
    let mut tree = from
        .filter(|tree| tree.size() <= last.0)
        .unwrap_or_default();
    // A segment states the tree up to its end. Of a repaired one it may be unknown.
    let sealed = log.segments().into_iter().rev();
    let sealed = sealed.filter(|segment| segment.last_seq() <= last);
    let mut sealed = sealed.take_while(|segment| segment.last_seq().0 > tree.size());
    if let Some(sealed) = sealed.find_map(|segment| segment.frontier().ok()) {
        tree = sealed;
    }
    let mut reader = LogReader::new(Arc::clone(log), EventSeq(tree.size() + 1), last);
    while let Some(hash) = reader.next_hash() {
        tree.push_hash(hash?);
    }
    Ok(tree)
}

/// Refuses a key of another store, and one that the log does not name.
pub(super) fn check_key(store: &Store, given: &VerifierKey) -> Result<()> {
    let own = KeyName::of_store(&store.id);
    if *given.name() != own {
        let said = format!(
            "the key is of '{}', and this store is '{own}'",
            given.name()
        );
        return Err(Error::new(ErrorKind::Refused, said)
            .hint("each store has a key of its own; make one with 'annals key init'"));
    }
    match declared::current_key(store)? {
        Some(named) if named != *given => Err(other_key(&named, given)),
        _ => Ok(()),
    }
}

/// The error of a key that the log does not name.
fn other_key(named: &VerifierKey, given: &VerifierKey) -> Error {
    Error::new(
        ErrorKind::Refused,
        format!(
            "the store is signed with the key {}, and the one given here is {}",
            named.id(),
            given.id()
        ),
    )
    .hint(
        "name the right one with --key-file FILE; if it is gone, 'annals key lost --reason TEXT' \
         makes a new one",
    )
}

pub(super) fn no_key() -> Error {
    Error::new(
        ErrorKind::Refused,
        "there is no key here to sign the log with",
    )
    .hint("make one with 'annals key init', or name it with --key-file FILE")
}

pub(super) fn cannot_sign(error: SignError) -> Error {
    Error::new(ErrorKind::Io, error.to_string()).caused_by(error)
}
