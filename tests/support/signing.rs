//! A runner with a key: it signs, hands over to new keys and exports, and knows what was signed.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use annals::archive::{Archive, Cadence, Options};
use annals::disk::Disk;
use annals::disk::sim::SimDisk;
use annals::evidence::checkpoint::SignedCheckpoint;
use annals::evidence::key::SecretKey;
use annals::evidence::note::{KeyName, VerifierKey};
use annals::evidence::tree::Frontier;
use annals::export::{self, NewBundle, Tally, Trust, What, WithContents};
use annals::id::{EventSeq, StoreId};
use annals::{Error, ErrorKind, Result};

use super::Runner;

const CENTURY: Duration = Duration::from_secs(100 * 365 * 86_400);

/// The keys of a store, one after the other, and the folder that keeps its checkpoints.
#[derive(Debug, Clone)]
pub struct Keys {
    pub store: StoreId,
    /// The number of the key that is in use.
    pub nth: u8,
    /// Copies of checkpoints, which a power cut does not take back: another disk has them.
    pub copies: Arc<tempfile::TempDir>,
}

impl Keys {
    /// Key `nth` of the store.
    pub fn key(&self, nth: u8) -> Arc<SecretKey> {
        let name = KeyName::of_store(&self.store);
        Arc::new(SecretKey::from_seed(name, &[nth; 32]))
    }

    /// Every key that was in use so far.
    fn used(&self) -> Vec<VerifierKey> {
        let keys = (1..=self.nth).map(|nth| self.key(nth).verifier().clone());
        keys.collect()
    }

    /// Adds to options of opening: who signs, and where copies of checkpoints are kept.
    pub fn signing(&self, options: Options, key: Option<Arc<SecretKey>>) -> Options {
        options
            .signer(key.map(|key| key as _))
            // The clock goes on by an hour each time it is asked.
            .cadence(Some(Cadence::new(10_000, CENTURY)))
            .checkpoint_copies(Some(self.copies.path().to_owned()))
    }

    /// The files in the folder of copies.
    pub fn kept(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let entries = fs::read_dir(self.copies.path()).expect("readable");
        let files = entries.map(|entry| entry.expect("readable").path());
        files
            .map(|path| (path.clone(), fs::read(path).expect("readable")))
            .collect()
    }

    /// Makes the folder of copies what it was.
    pub fn put_back(&self, kept: &[(PathBuf, Vec<u8>)]) {
        for (path, _) in self.kept() {
            fs::remove_file(path).expect("removed");
        }
        for (path, content) in kept {
            fs::write(path, content).expect("written");
        }
    }
}

/// What is wrong with a log that is to continue the one that was signed.
pub fn contradiction(archive: &Archive, signed: &SignedCheckpoint) -> Option<String> {
    let signed = signed.checkpoint();
    let mut tree = Frontier::new();
    let events = archive.events(EventSeq(1), Some(EventSeq(signed.size)));
    for leaf in events.into_iter().flatten() {
        match leaf {
            Ok(leaf) => tree.push(leaf.bytes()),
            Err(error) => return Some(error.to_string()),
        }
    }
    (tree.size() != signed.size || tree.root() != signed.root).then(|| {
        format!(
            "{} events were signed, and the log has {} that give another root, or fewer",
            signed.size,
            tree.size()
        )
    })
}

impl Runner {
    /// Lets the store be signed from here on.
    pub fn sign_from_here(&mut self) -> Result<()> {
        let archive = self.archive()?;
        let keys = Keys {
            store: archive.store_id(),
            nth: 1,
            copies: Arc::new(tempfile::tempdir().expect("a folder")),
        };
        self.signer = Some(keys);
        // The key and the folder of copies are options of opening.
        self.run(&super::Step::Reopen)
    }

    /// How the store is opened.
    pub fn opened_like(&self) -> Options {
        let options = (self.options)(&self.clock);
        match &self.signer {
            None => options,
            Some(keys) => keys.signing(options, Some(keys.key(keys.nth))),
        }
    }

    pub(super) fn remember_signed(&mut self) -> Result<()> {
        if self.signer.is_some() {
            let newest = self.archive()?.newest_checkpoint()?;
            self.signed = newest.map(|newest| newest.signed);
        }
        Ok(())
    }

    pub(super) fn sign(&self) -> Result<()> {
        if self.signer.is_some() {
            let made = self.archive()?.checkpoint()?;
            let recorded = self.archive()?.newest_checkpoint()?;
            assert_eq!(recorded, Some(made), "what is handed out is on record");
        }
        Ok(())
    }

    pub(super) fn rotate_key(&mut self) -> Result<()> {
        let Some(mut keys) = self.signer.clone() else {
            return Ok(());
        };
        let rotated = self.archive()?.rotate_key(keys.key(keys.nth + 1));
        keys.nth += 1;
        if rotated.is_ok() {
            self.signer = Some(keys);
        }
        rotated.map(drop)
    }

    pub(super) fn export(&self) -> Result<()> {
        let Some(keys) = &self.signer else {
            return Ok(());
        };
        let archive = self.archive()?;
        let mut tally = Tally::new(What::Whole, WithContents::Yes);
        for leaf in archive.events(EventSeq(1), None)? {
            let leaf = leaf?;
            tally.add(leaf.seq, leaf.bytes())?;
        }
        let counted = tally.finish();
        let recorded = archive.record_export(counted.exported.clone())?;
        let new = NewBundle {
            counted: &counted,
            checkpoint: &recorded.signed,
            vkeys: recorded.signed.signed_by(),
            derived: &[],
            read: &|blob, out| {
                let content = archive.read_all(&blob.blake3, 64 << 20)?;
                let written = out.write_all(&content);
                written.map_err(|error| Error::io("write", "a content", error))
            },
            disclose: None,
            progress: &|_, _| {},
        };
        let upto = EventSeq(recorded.signed.checkpoint().size);
        let lines = archive.events(EventSeq(1), Some(upto))?.map(|leaf| {
            let leaf = leaf?;
            Ok((leaf.seq, leaf.bytes().to_vec()))
        });
        let bundles = SimDisk::new();
        export::write_on(&bundles, "bundle", &new, lines)?;
        let files = bundles.files().into_iter();
        let root = SimDisk::new();
        for (path, _) in files {
            let inside = path.strip_prefix("bundle/").expect("in the bundle");
            let content = bundles.content(&path).expect("there");
            let mut folders: Vec<_> = Path::new(inside).ancestors().skip(1).collect();
            folders.pop();
            for folder in folders.into_iter().rev() {
                root.make_dir(folder)
                    .map_err(|error| Error::io("make", folder, error))?;
            }
            root.plant(inside, &content).expect("planted");
        }
        let trust = Trust::in_keys(keys.used());
        let found = export::verify_on(&root, &trust, &|_, _| {});
        if found.ok {
            return Ok(());
        }
        let told = format!("{}: {:?}", found.verdict, found.findings);
        Err(Error::new(ErrorKind::Damaged, told))
    }
}
