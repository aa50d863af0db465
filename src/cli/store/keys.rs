//! Finds the key that signs a store, and the folder that keeps copies of its checkpoints.
//!
//! Both lie outside of the store, in the home folder of who asks: a copy of the store must not be
//! able to sign, and must not bring the copies along that it is compared with.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::archive::{Access, Archive, Options};
use crate::cli::caller::CallerEnv;
use crate::evidence::key::SecretKey;
use crate::evidence::key_file::{self, KeyFileError};
use crate::evidence::note::KeyName;
use crate::id::StoreId;
use crate::{Error, ErrorKind, Result};

/// Where the key of a store lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeyPlace {
    /// In a file that was named.
    Named(PathBuf),
    /// In the file that is looked for when none is named.
    Usual(PathBuf),
    /// Nowhere: none is named, and no home folder is known.
    Nowhere,
}

impl KeyPlace {
    /// Returns the place of the key of `store`. `named` is the file that was named, if one was.
    pub(crate) fn of(store: &StoreId, named: Option<PathBuf>, from: &CallerEnv) -> Self {
        if let Some(named) = named {
            return Self::Named(named);
        }
        match keys_folder(from) {
            Some(keys) => Self::Usual(keys.join(format!("{store}.key"))),
            None => Self::Nowhere,
        }
    }

    /// Returns the file.
    pub(crate) fn file(&self) -> Result<&Path> {
        match self {
            Self::Named(file) | Self::Usual(file) => Ok(file),
            Self::Nowhere => Err(Error::new(
                ErrorKind::Refused,
                "there is no place for a key: HOME is not set",
            )
            .hint("name the file of the key with --key-file FILE")),
        }
    }

    /// Reads the key. `None` where there is no file, unless it was named.
    fn key(&self) -> Result<Option<SecretKey>> {
        let file = match self {
            Self::Named(file) => file,
            Self::Usual(file) if file.exists() => file,
            Self::Usual(_) | Self::Nowhere => return Ok(None),
        };
        key_file::read(file).map(Some).map_err(refused)
    }

    /// Makes a key for `store`, whose folder is `dir`, in a new file.
    pub(crate) fn make(&self, store: &StoreId, dir: &Path) -> Result<SecretKey> {
        let file = self.file()?;
        write_new(file, store, dir, matches!(self, Self::Usual(_)))
    }

    /// Makes a key beside the one in use. [`KeyPlace::take_over`] puts it in its place.
    pub(crate) fn make_next(&self, store: &StoreId, dir: &Path) -> Result<SecretKey> {
        let next = next_file(self.file()?);
        // One that is left of an earlier try was never used.
        if next.exists() {
            fs::remove_file(&next).map_err(|error| Error::io("remove", &next, error))?;
        }
        write_new(&next, store, dir, matches!(self, Self::Usual(_)))
    }

    /// Forgets the key that [`KeyPlace::make_next`] made, when nothing came of it.
    pub(crate) fn forget_next(&self) {
        if let Ok(file) = self.file() {
            // What is left is overwritten by the next try.
            let _ = fs::remove_file(next_file(file));
        }
    }

    /// Puts the next key in the place of the old one, which is kept beside it.
    pub(crate) fn take_over(&self) -> Result<()> {
        let file = self.file()?;
        let renamed = |from: &Path, to: &Path| {
            fs::rename(from, to).map_err(|error| Error::io("rename", from, error))
        };
        if let Ok(old) = key_file::read(file) {
            let kept = with_ending(file, &format!(".{}.old", old.verifier().id()));
            renamed(file, &kept)?;
        }
        renamed(&next_file(file), file)
    }
}

/// The folders that an account has beside its stores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OwnFolders {
    /// Where its keys lie.
    pub(crate) keys: PathBuf,
    /// Where checkpoints are kept that its stores are compared with.
    pub(crate) checkpoints: PathBuf,
}

impl OwnFolders {
    /// Returns the folders of an account with a home.
    pub(crate) fn of(from: &CallerEnv) -> Option<Self> {
        Some(Self {
            keys: keys_folder(from)?,
            checkpoints: checkpoints_folder(from)?,
        })
    }
}

fn keys_folder(from: &CallerEnv) -> Option<PathBuf> {
    let home = home_folder(from, "XDG_DATA_HOME", ".local/share")?;
    Some(home.join("annals/keys"))
}

fn checkpoints_folder(from: &CallerEnv) -> Option<PathBuf> {
    let home = home_folder(from, "XDG_STATE_HOME", ".local/state")?;
    Some(home.join("annals/checkpoints"))
}

/// Adds to `options` the key in `place`, and where its checkpoints are kept.
pub(crate) fn add_to(options: &mut Options, place: &KeyPlace, from: &CallerEnv) -> Result<()> {
    if options.access == Access::ReadWrite {
        let key = place.key()?;
        options.signer = key.map(|key| Arc::new(key) as _);
    }
    let Some(folder) = checkpoints_folder(from) else {
        return Ok(());
    };
    if options.signer.is_some() {
        // Where it cannot be made, nothing is compared; signing does not depend on it.
        let _ = make_private(&folder);
    }
    options.checkpoint_copies = folder.is_dir().then_some(folder);
    Ok(())
}

/// Opens the store in `dir`. If a hand-over of its key was cut off after it was recorded, the new
/// key takes the place of the old one.
pub(crate) fn open(dir: &Path, options: Options, place: &KeyPlace) -> Result<Archive> {
    let refused = match Archive::open(dir, options.clone()) {
        Err(error) if error.kind() == ErrorKind::Refused && options.signer.is_some() => error,
        opened => return opened,
    };
    let Some(next) = place
        .file()
        .ok()
        .map(next_file)
        .filter(|next| next.exists())
    else {
        return Err(refused);
    };
    let key = key_file::read(&next).map_err(self::refused)?;
    let options = options.signer(Some(Arc::new(key)));
    let archive = Archive::open(dir, options).map_err(|_| refused)?;
    place.take_over()?;
    Ok(archive)
}

fn write_new(file: &Path, store: &StoreId, dir: &Path, may_make: bool) -> Result<SecretKey> {
    if may_make && let Some(folder) = file.parent() {
        make_private(folder).map_err(|error| Error::io("make", folder, error))?;
    }
    refuse_inside(file, dir)?;
    let key = SecretKey::generate(KeyName::of_store(store))
        .map_err(|error| Error::new(ErrorKind::Io, error.to_string()))?;
    key_file::write(file, &key).map_err(refused)?;
    Ok(key)
}

/// Refuses a key inside of the store: whoever copies the store would have it.
fn refuse_inside(file: &Path, dir: &Path) -> Result<()> {
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let (Ok(folder), Ok(dir)) = (folder.canonicalize(), dir.canonicalize()) else {
        return Ok(());
    };
    if !folder.starts_with(&dir) {
        return Ok(());
    }
    let said = format!(
        "'{}' lies in the store, whose copies could sign then",
        file.display()
    );
    Err(Error::new(ErrorKind::Refused, said).hint("name a file outside of the store"))
}

fn next_file(file: &Path) -> PathBuf {
    with_ending(file, ".next")
}

fn with_ending(file: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(file);
    name.push(ending);
    name.into()
}

/// Returns the folder that a variable names, or the one below the home folder.
fn home_folder(from: &CallerEnv, variable: &str, below_home: &str) -> Option<PathBuf> {
    let named = from.variable(variable).map(PathBuf::from);
    let named = named.filter(|folder| folder.is_absolute());
    let of_windows = || from.variable("LOCALAPPDATA").map(PathBuf::from);
    let of_home = || Some(Path::new(from.variable("HOME")?).join(below_home));
    named.or_else(of_windows).or_else(of_home)
}

fn make_private(folder: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)
}

fn refused(error: KeyFileError) -> Error {
    let kind = match &error {
        KeyFileError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            ErrorKind::NotFound
        }
        KeyFileError::Io { .. } => ErrorKind::Io,
        _ => ErrorKind::Refused,
    };
    Error::new(kind, error.to_string()).caused_by(error)
}
