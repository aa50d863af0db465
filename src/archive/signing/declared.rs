//! What the log itself says about its key, its cadence and its newest checkpoint.

use std::sync::Arc;

use crate::archive::files::event_line::decode;
use crate::archive::state::signing::RecordedCheckpoint;
use crate::archive::state::store::Store;
use crate::event::{Body, CheckpointCadence};
use crate::evidence::checkpoint::SignedCheckpoint;
use crate::evidence::note::VerifierKey;
use crate::evidence::rotation::stated_key;
use crate::id::EventSeq;
use crate::log::{LogFiles, LogReader};
use crate::{Error, ErrorKind, Result};

/// Returns the fact that event `seq` states.
pub(in crate::archive) fn fact(log: &Arc<LogFiles>, seq: EventSeq) -> Result<Body> {
    let missing = || Error::new(ErrorKind::Damaged, format!("event {seq} is missing"));
    let mut reader = LogReader::new(Arc::clone(log), seq, seq);
    let (_, line) = reader.next_leaf().ok_or_else(missing)??;
    Ok(decode(seq, &line)?.body)
}

/// Returns the key that a fact says is used from then on; `None` for facts that are not about keys.
pub(in crate::archive) fn key_of(body: &Body) -> Option<Result<VerifierKey>> {
    let key = match body {
        Body::KeyCreated(fact) => VerifierKey::parse(&fact.vkey).map_err(|why| why.to_string()),
        Body::KeyRotated(fact) => stated_key(&fact.statement).map_err(|why| why.to_string()),
        Body::KeyLost(fact) => stated_key(&fact.statement).map_err(|why| why.to_string()),
        _ => return None,
    };
    Some(key.map_err(|why| Error::new(ErrorKind::Damaged, why)))
}

/// Returns the key that the log says it is signed with; `None` when it is not signed.
pub(in crate::archive) fn current_key(store: &Store) -> Result<Option<VerifierKey>> {
    let Some(seq) = store.index.view().evidence().key else {
        return Ok(None);
    };
    let key = key_of(&fact(&store.log, seq)?);
    key.transpose()
        .map_err(|error| error.hint(format!("'annals events --from {seq} --to {seq}' shows it")))
}

/// Returns the cadence that the log states.
pub(super) fn cadence(store: &Store) -> Result<Option<CheckpointCadence>> {
    let Some(seq) = store.index.view().evidence().cadence else {
        return Ok(None);
    };
    Ok(match fact(&store.log, seq)? {
        Body::CheckpointCadence(cadence) => Some(cadence),
        _ => None,
    })
}

/// Returns the newest checkpoint of the log, if it verifies with one of `trusted`.
pub(in crate::archive) fn newest_checkpoint(
    store: &Store,
    trusted: &[VerifierKey],
) -> Result<Option<RecordedCheckpoint>> {
    let Some(event) = store.index.view().evidence().checkpoint else {
        return Ok(None);
    };
    let Body::CheckpointSigned(fact) = fact(&store.log, event)? else {
        return Ok(None);
    };
    let opened = SignedCheckpoint::open(fact.note.as_bytes(), trusted);
    Ok(opened
        .ok()
        .map(|signed| RecordedCheckpoint { event, signed }))
}
