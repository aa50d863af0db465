//! Builds a store: options one call at a time, then the opening or the making.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::archive::bounds;
use crate::archive::handle::Archive;
use crate::archive::opening::{create, open};
use crate::archive::options::{Access, Cadence, Options, Progress};
use crate::disk::{Disk, FsDisk};
use crate::event::{Actor, PersonalField};
use crate::evidence::key::Signer;
use crate::time::Clock;
use crate::{ErrorKind, Result};

/// Opens or makes a store; see [`Archive::builder`].
///
/// Every option has a default that suits a converter host on one machine.
#[derive(Clone, Default)]
#[must_use = "nothing is opened before `open`, `create` or `open_or_create`"]
pub struct Builder {
    options: Options,
    disk: Option<Arc<dyn Disk>>,
}

impl Archive {
    /// Returns a builder that opens or makes stores.
    ///
    /// ```
    /// use annals::Archive;
    /// use std::time::Duration;
    ///
    /// # fn main() -> annals::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let dir = dir.path().join("store");
    /// let archive = Archive::builder()
    ///     .lock_wait(Duration::from_secs(5))
    ///     .index_cache_bytes(64 << 20)
    ///     .open_or_create(&dir)?;
    /// archive.close()?;
    /// let reader = Archive::builder().read_only().open(&dir)?;
    /// assert!(reader.snapshot()?.query(&Default::default())?.entries.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder() -> Builder {
        Builder::default()
    }
}

/// # Opening
impl Builder {
    /// Opens the store in `dir`.
    ///
    /// What a crash left half-done is repaired and recorded. A store whose log is damaged opens for
    /// reading only; [`Archive::damage`] says what was found.
    ///
    /// ```
    /// # fn main() -> annals::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// let missing = annals::Archive::builder().open(dir.path()).expect_err("no store");
    /// assert_eq!(missing.kind(), annals::ErrorKind::NoStore);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `NoStore` where there is none, `Locked` while another process has it open, `Invalid` for an
    /// option out of bounds. The store stays as it was.
    pub fn open(self, dir: impl AsRef<Path>) -> Result<Archive> {
        let dir = dir.as_ref();
        let disk = self.disk.unwrap_or_else(|| Arc::new(FsDisk::new(dir)));
        open::open(disk, dir.to_owned(), self.options)
    }

    /// Makes a store in `dir`, which must be missing or empty, and opens it.
    ///
    /// On `Ok` the store survives a power cut. What an error or a crash left is cleared away by the
    /// next try.
    ///
    /// # Errors
    ///
    /// `Refused` where something else lies in `dir`, `Invalid` for an option out of bounds.
    pub fn create(self, dir: impl AsRef<Path>) -> Result<Archive> {
        let dir = dir.as_ref();
        bounds::check(&self.options)?;
        let disk = match self.disk {
            Some(disk) => disk,
            None => Arc::new(create::new_dir(dir)?),
        };
        create::create(disk, dir.to_owned(), self.options)
    }

    /// Opens the store in `dir`, and makes it first where there is none.
    ///
    /// # Errors
    ///
    /// Those of [`Builder::open`] and [`Builder::create`].
    pub fn open_or_create(self, dir: impl AsRef<Path>) -> Result<Archive> {
        let dir = dir.as_ref();
        match self.clone().open(dir) {
            Err(error) if error.kind() == ErrorKind::NoStore => self.create(dir),
            opened => opened,
        }
    }

    /// Returns the options set so far.
    pub fn options(self) -> Options {
        self.options
    }
}

/// # Environment: disk, clock, actor, progress
impl Builder {
    /// Keeps the store on this disk. Its root is the store, and the `dir` that is opened only names
    /// it in messages.
    pub fn disk(mut self, disk: Arc<dyn Disk>) -> Self {
        self.disk = Some(disk);
        self
    }
}

impl From<Options> for Builder {
    fn from(options: Options) -> Self {
        Self {
            options,
            disk: None,
        }
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// Writes setters for [`Options`] and for [`Builder`], which passes them on.
macro_rules! options {
    ($topic:literal { $($(#[doc = $doc:literal])+ $name:ident: $type:ty;)+ }) => {
        #[doc = $topic]
        impl Options {
            $(
                $(#[doc = $doc])+
                #[must_use]
                pub fn $name(mut self, $name: $type) -> Self {
                    self.$name = $name;
                    self
                }
            )+
        }

        #[doc = $topic]
        impl Builder {
            $(
                $(#[doc = $doc])+
                pub fn $name(mut self, $name: $type) -> Self {
                    self.options.$name = $name;
                    self
                }
            )+
        }
    };
}

options! { "# Access" {
    /// Sets whether the handle may write.
    access: Access;
    /// Sets how long to wait for another process to close the store.
    lock_wait: Duration;
} }

options! { "# Durability and sizes" {
    /// Sets the size of one journal file, in bytes; see
    /// [`Options::journal_bytes`](field@Options::journal_bytes).
    journal_bytes: u64;
    /// Sets how large a pack grows, in bytes; see
    /// [`Options::pack_bytes`](field@Options::pack_bytes).
    pack_bytes: u64;
    /// Sets from which size on content goes straight into packs; see
    /// [`Options::stream_bytes`](field@Options::stream_bytes).
    stream_bytes: usize;
    /// Sets from how many bytes of a kind on there are dictionaries; see
    /// [`Options::dictionary_from`](field@Options::dictionary_from).
    dictionary_from: u64;
    /// Sets from how many bytes on content is first packed quickly; see
    /// [`Options::quick_from`](field@Options::quick_from).
    quick_from: u64;
    /// Sets how many bytes may stay in the journal of a closed store; see
    /// [`Options::journal_kept_bytes`](field@Options::journal_kept_bytes).
    journal_kept_bytes: u64;
    /// Sets the memory for dictionaries, in bytes.
    dictionary_cache_bytes: usize;
    /// Sets the memory for pages of the index, in bytes.
    index_cache_bytes: usize;
    /// Sets how much content `begin_put` keeps in flight, in bytes; see
    /// [`Options::in_flight_bytes`](field@Options::in_flight_bytes).
    in_flight_bytes: usize;
} }

options! { "# Evidence: who signs, and how often" {
    /// Sets who signs the log; see [`Options::signer`](field@Options::signer).
    signer: Option<Arc<dyn Signer>>;
    /// Sets how often the log is signed; see [`Options::cadence`](field@Options::cadence).
    cadence: Option<Cadence>;
    /// Sets the folder of the copies of checkpoints; see
    /// [`Options::checkpoint_copies`](field@Options::checkpoint_copies).
    checkpoint_copies: Option<PathBuf>;
    /// Sets the file that every checkpoint is appended to.
    publish_checkpoints: Option<PathBuf>;
} }

options! { "# Privacy" {
    /// Sets the fields that a store is made with as personal ones; see
    /// [`Options::personal`](field@Options::personal).
    personal: Vec<PersonalField>;
} }

options! { "# Environment: disk, clock, actor, progress" {
    /// Sets who causes the events recorded through the handle.
    actor: Actor;
    /// Sets the clock that events get their time from.
    clock: Arc<dyn Clock>;
    /// Sets what receives the progress of long work.
    progress: Progress;
} }

impl Options {
    /// Opens for reading only.
    #[must_use]
    pub fn read_only(self) -> Self {
        self.access(Access::ReadOnly)
    }
}

impl Builder {
    /// Opens for reading only. Log and packs are not touched.
    pub fn read_only(self) -> Self {
        self.access(Access::ReadOnly)
    }
}
