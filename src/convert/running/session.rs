//! A converter with the files it had when they were last read, and its workers.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};

use super::identity::Identity;
use super::runs_on::runs_on;
use super::worker::Pool;
use crate::archive::Archive;
use crate::convert::converter::Converter;
use crate::convert::sandbox;
use crate::convert::scratch::{Scratch, Slot, make_private};
use crate::id::{ConverterId, StoreId};
use crate::{Error, ErrorKind, Result};

/// A converter with the files it had when they were last read.
pub(crate) struct Session {
    pub(crate) identity: Identity,
    pub(super) pool: Pool,
    /// The folder of the workers: they write to `home` and read sources in `in`.
    pub(super) folder: Scratch,
    registered: Mutex<BTreeSet<StoreId>>,
    /// True once a one-shot converter has reached its own code.
    pub(super) has_begun: AtomicBool,
}

impl Session {
    pub(in crate::convert) fn begin(
        converter: &Converter,
        workers: usize,
        scratch_root: &Path,
        owner: &str,
    ) -> Result<Self> {
        if let (Some(path), Some(run_as)) = (converter.unreadable(), &converter.bounds.run_as) {
            let why = format!("the user {run_as} may not read {}", path.display());
            return Err(unusable(converter, &why)
                .hint("give its files and the folders above them permissions by which it may"));
        }
        let identity = Identity::of(converter)?;
        let slot = Slot {
            owner,
            converter: &converter.name,
            entry: None,
        };
        let folder = Scratch::of_slot(scratch_root, slot)
            .map_err(|error| Error::io("make a folder below", scratch_root, error))?;
        for inner in ["home", "in"] {
            make_private(&folder.path().join(inner))
                .map_err(|error| Error::io("make a folder in", folder.path(), error))?;
        }
        // The folder of sources stays the host's, because the host creates a folder in it for each
        // source.
        sandbox::hand_over(&converter.bounds, &folder.path().join("in"), &[])
            .and_then(|()| sandbox::hand_over(&converter.bounds, folder.path(), &["home"]))
            .map_err(|error| Error::io("hand over", folder.path(), error))?;
        Ok(Self {
            identity,
            pool: Pool::new(workers),
            folder,
            registered: Mutex::default(),
            has_begun: AtomicBool::new(false),
        })
    }

    /// Records the converter's identity and files in `archive`, once.
    pub(crate) fn register(&self, archive: &Archive, converter: &Converter) -> Result<ConverterId> {
        let mut registered = self
            .registered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let store = archive.store_id();
        if !registered.contains(&store) {
            archive.register_converter(self.identity.to_record(converter)?)?;
            archive.record_environment(self.identity.id, runs_on(converter))?;
            registered.insert(store);
        }
        Ok(self.identity.id)
    }
}

/// Returns the error for a converter that cannot run.
pub(super) fn unusable(converter: &Converter, reason: &str) -> Error {
    Error::new(
        ErrorKind::Converter,
        format!("converter '{}': {reason}", converter.name),
    )
}
