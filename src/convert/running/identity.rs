//! Computes the identity of a converter: a hash over its files, command, mode and environment note.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::time::SystemTime;

use super::runs_on::environment_note;
use crate::archive::NewConverter;
use crate::convert::converter::{Converter, recorded_mode};
use crate::id::ConverterId;
use crate::{Error, ErrorKind, Result};

/// Domain of these hashes. Changing it, or the encoding below, gives every converter a new
/// identity.
const CONTEXT: &str = "annals 2026-01 converter identity v1";

/// Returns the identity of a converter with its current files. A program without a stated
/// environment is asked for its version.
///
/// # Errors
/// `Invalid` for a bundle file that is missing, not a regular file, or not below the converter's
/// folder.
pub fn identity_of(converter: &Converter) -> Result<ConverterId> {
    Identity::of(converter).map(|identity| identity.id)
}

/// A converter's identity, and the state of its files when they were hashed.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) id: ConverterId,
    pub(crate) environment: String,
    files: Vec<BundleStamp>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct BundleStamp {
    name: String,
    path: PathBuf,
    content: [u8; 32],
    size: u64,
    modified: Option<SystemTime>,
}

impl Identity {
    /// Reads and hashes the converter's files.
    ///
    /// # Errors
    /// `Invalid` for a bundle file that is missing, not a regular file, or not below the
    /// converter's folder.
    pub(crate) fn of(converter: &Converter) -> Result<Self> {
        let mut names = converter.bundle.clone();
        names.sort();
        names.dedup();
        let mut files = Vec::with_capacity(names.len());
        for name in names {
            let (path, mut file) = open(converter, &name)?;
            let metadata = file
                .metadata()
                .map_err(|error| Error::io("examine", &path, error))?;
            let mut hasher = blake3::Hasher::new();
            std::io::copy(&mut file, &mut hasher)
                .map_err(|error| Error::io("read", &path, error))?;
            files.push(BundleStamp {
                name,
                path,
                content: *hasher.finalize().as_bytes(),
                size: metadata.len(),
                modified: metadata.modified().ok(),
            });
        }
        let environment = match &converter.environment {
            Some(note) => note.clone(),
            None => environment_note(converter),
        };
        let contents = files.iter().map(|file| (file.name.as_str(), file.content));
        let id = hash(
            recorded_mode(converter.mode, &converter.takes),
            &converter.command,
            &environment,
            contents,
        );
        Ok(Self {
            id,
            environment,
            files,
        })
    }

    /// Returns false once a file of the bundle has changed since it was read.
    pub(crate) fn is_current(&self) -> bool {
        self.files.iter().all(|file| {
            std::fs::metadata(&file.path).is_ok_and(|metadata| {
                metadata.len() == file.size && metadata.modified().ok() == file.modified
            })
        })
    }

    /// Returns everything that an archive records of the converter.
    ///
    /// # Errors
    /// `Changed` when a file is no longer the one that was hashed.
    pub(crate) fn to_record(&self, converter: &Converter) -> Result<NewConverter> {
        let mut bundle = Vec::with_capacity(self.files.len());
        for stamp in &self.files {
            let (path, mut file) = open(converter, &stamp.name)?;
            let mut content = Vec::new();
            file.read_to_end(&mut content)
                .map_err(|error| Error::io("read", &path, error))?;
            if *blake3::hash(&content).as_bytes() != stamp.content {
                return Err(Error::new(
                    ErrorKind::Changed,
                    format!("{} changed while it was being recorded", path.display()),
                )
                .hint("try again once the converter's files are in place"));
            }
            bundle.push((stamp.name.clone(), content));
        }
        Ok(NewConverter {
            converter_id: self.id,
            name: converter.name.clone(),
            version: converter.version.clone(),
            command: converter.command.clone(),
            mode: recorded_mode(converter.mode, &converter.takes).to_owned(),
            environment: self.environment.clone(),
            bundle,
        })
    }
}

/// Returns true for a name that stays below the folder it is put in, on every system.
pub(crate) fn is_bundle_name(name: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty()
            && part != "."
            && part != ".."
            && !part.ends_with(['.', ' '])
            && !part.contains(['\\', ':'])
            && !part.chars().any(char::is_control)
    };
    name.split('/').all(is_part)
}

fn open(converter: &Converter, name: &str) -> Result<(PathBuf, File)> {
    let refused = |why: String| {
        Error::new(
            ErrorKind::Invalid,
            format!("converter '{}': bundle file '{name}' {why}", converter.name),
        )
    };
    if !is_bundle_name(name) {
        return Err(refused(
            "must be a file below the configuration's folder, written with '/'".to_owned(),
        ));
    }
    let path = converter.dir.join(name);
    // Checked before it is opened: opening a FIFO would block until somebody writes to it.
    let is_file = std::fs::metadata(&path).map(|metadata| metadata.is_file());
    match is_file.and_then(|is_file| Ok((is_file, File::open(&path)?))) {
        Ok((true, file)) => Ok((path, file)),
        Ok((false, _)) => Err(refused("is not a regular file".to_owned())),
        Err(error) => Err(refused(format!("cannot be read at {}", path.display()))
            .hint(
                "every file named in `bundle` must be there: it is what \"recorded version\" means",
            )
            .caused_by(error)),
    }
}

/// Hashes the canonical encoding: each text and list is preceded by its length, little-endian.
fn hash<'a>(
    mode: &str,
    command: &[String],
    environment: &str,
    files: impl ExactSizeIterator<Item = (&'a str, [u8; 32])>,
) -> ConverterId {
    let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
    let count = |hasher: &mut blake3::Hasher, n: usize| {
        hasher.update(&(n as u64).to_le_bytes());
    };
    let text = |hasher: &mut blake3::Hasher, text: &str| {
        count(hasher, text.len());
        hasher.update(text.as_bytes());
    };
    text(&mut hasher, mode);
    count(&mut hasher, command.len());
    for word in command {
        text(&mut hasher, word);
    }
    text(&mut hasher, environment);
    count(&mut hasher, files.len());
    for (name, content) in files {
        text(&mut hasher, name);
        hasher.update(&content);
    }
    ConverterId::from_bytes(*hasher.finalize().as_bytes())
}

#[cfg(test)]
mod tests {
    //! Checks that a changed converter gets a new identity although its claimed version stays.

    use std::path::Path;

    use super::*;

    fn converter(dir: &Path) -> Converter {
        Converter::new("ICT", ["python3", "ict.py", "{input}"], dir)
            .version("1.0.0")
            .bundle(["ict.py", "lib/limits.json"])
            .environment("Python 3.12.1")
    }

    fn folder() -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("folder");
        std::fs::create_dir(dir.path().join("lib")).expect("made");
        std::fs::write(dir.path().join("ict.py"), "print(1)").expect("written");
        std::fs::write(dir.path().join("lib/limits.json"), "{}").expect("written");
        dir
    }

    #[test]
    fn the_same_version_with_other_files_is_another_converter() {
        let dir = folder();
        let first = Identity::of(&converter(dir.path())).expect("identity");
        let mut renumbered = converter(dir.path());
        renumbered.version = Some("2.0.0".into());
        renumbered.bundle.reverse();
        let same = Identity::of(&renumbered).expect("identity");
        assert_eq!(first.id, same.id);

        std::fs::write(dir.path().join("ict.py"), "print(22)").expect("written");
        assert!(!first.is_current());
        let second = Identity::of(&converter(dir.path())).expect("identity");
        assert_ne!(first.id, second.id);
        let changed = first.to_record(&converter(dir.path()));
        assert_eq!(
            changed.map(|_| ()).map_err(|e| e.kind()),
            Err(ErrorKind::Changed)
        );
    }

    #[test]
    fn the_encoding_of_an_identity_never_changes() {
        let id = hash(
            "oneshot",
            &["python3".into(), "{input}".into()],
            "Python 3.12.1",
            [("a.py", [7; 32])].into_iter(),
        );
        assert_eq!(
            id.to_string(),
            "85578f847add33a91928f99ccfc46aebbc46d78b3d8013aea3568e7f5a28e7f7"
        );
    }

    #[test]
    fn words_cannot_be_shifted_between_fields() {
        let none = || std::iter::empty::<(&str, [u8; 32])>();
        let a = hash("m", &["ab".into(), "c".into()], "", none());
        let b = hash("m", &["a".into(), "bc".into()], "", none());
        let c = hash("m", &["ab".into()], "c", none());
        assert!(a != b && b != c && a != c);
    }

    #[test]
    fn a_missing_bundle_file_is_named_with_its_place() {
        let dir = folder();
        std::fs::remove_file(dir.path().join("ict.py")).expect("removed");
        let error = Identity::of(&converter(dir.path())).expect_err("missing");
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.message().contains("'ict.py'"), "{error}");
        for outside in ["../x", "/etc/passwd", "a/../b", "a\\b", "C:x", "", "a//b"] {
            assert!(!is_bundle_name(outside), "{outside}");
        }
    }

    #[test]
    fn what_is_recorded_is_what_was_hashed() {
        let dir = folder();
        let converter = converter(dir.path());
        let identity = Identity::of(&converter).expect("identity");
        let record = identity.to_record(&converter).expect("unchanged");
        assert_eq!(record.converter_id, identity.id);
        assert_eq!(
            record.bundle[1],
            ("lib/limits.json".to_owned(), b"{}".to_vec())
        );
        assert_eq!(record.mode, "oneshot");
    }

    #[cfg(unix)]
    #[test]
    fn an_interpreter_is_asked_for_its_version_and_silence_is_an_empty_note() {
        let dir = tempfile::tempdir().expect("folder");
        let mut converter = converter(dir.path());
        converter.bundle.clear();
        converter.environment = None;
        converter.command = vec!["tar".into()];
        assert!(environment_note(&converter).contains("tar"));
        converter.command = vec!["no-such-program-of-annals".into()];
        assert_eq!(environment_note(&converter), "");
    }
}
