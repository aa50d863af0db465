//! The file of a secret key. It does not lie in the store: a copy of the store must not be able to
//! sign.
//!
//! The file has two lines: [`FIRST_LINE`], and the text form of the key.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::key::{SecretKey, SecretKeyError};

/// The first line of a key file: says to who finds it what it is.
pub const FIRST_LINE: &str =
    "annals secret key v1: whoever has this file can sign as its owner; show it to nobody";

/// The largest file that is read. A key needs some 250 bytes.
const BYTES_MAX: usize = 4096;

/// Why a key file was not written or read.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// A file of that name is there already. Keys are never overwritten.
    #[error(
        "'{}' is there already, and a key is never overwritten; choose another name",
        .0.display()
    )]
    Exists(PathBuf),
    /// The name is a link: another place than the one that was checked.
    #[error("'{}' is a link; name the key file itself", .0.display())]
    Link(PathBuf),
    /// The name is of a folder, a pipe or a device.
    #[error("'{}' is not a file", .0.display())]
    NotFile(PathBuf),
    /// Other accounts may write into the folder, and so replace the key.
    #[error(
        "other accounts may write into the folder '{}' (mode {mode:o}); run: chmod go-w '{}'",
        .folder.display(), .folder.display()
    )]
    OpenFolder {
        /// The folder.
        folder: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The folder belongs to another account, which can replace the key.
    #[error("the folder '{}' belongs to another account; use a folder of your own", .0.display())]
    OtherOwner(PathBuf),
    /// Other accounts may read the file, so the key may not be secret any more.
    #[error(
        "other accounts may read the key '{}' (mode {mode:o}); run: chmod 600 '{}', and rotate \
         the key if somebody may have read it",
        .path.display(), .path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The file does not begin as a key file does.
    #[error("'{}' is not a key file: its first line is another one", .0.display())]
    NotKeyFile(PathBuf),
    /// The key in the file is malformed.
    #[error("in the key file '{}': {source}", .path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with the key.
        source: SecretKeyError,
    },
    /// The system refused.
    #[error("the key file '{}' cannot be {what}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// What the system answered.
        source: io::Error,
    },
}

/// Writes a key to a new file that only its owner can read, and makes it durable.
///
/// When it fails, no file is left behind.
pub fn write(path: &Path, key: &SecretKey) -> Result<(), KeyFileError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    check_folder(folder)?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path).map_err(|error| {
        if error.kind() != io::ErrorKind::AlreadyExists {
            return failed(path, "made", error);
        }
        match fs::symlink_metadata(path) {
            Ok(found) if found.is_symlink() => KeyFileError::Link(path.to_owned()),
            _ => KeyFileError::Exists(path.to_owned()),
        }
    })?;
    let written = write_text(file, key).and_then(|()| sync_folder(folder));
    written.map_err(|error| {
        // The first error tells more than one of the removal would.
        let _ = fs::remove_file(path);
        failed(path, "written", error)
    })
}

fn write_text(mut file: File, key: &SecretKey) -> io::Result<()> {
    let secret = key.to_secret_text();
    for part in [FIRST_LINE, "\n", &secret, "\n"] {
        file.write_all(part.as_bytes())?;
    }
    file.sync_all()
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Reads the key of a file that only its owner can read.
pub fn read(path: &Path) -> Result<SecretKey, KeyFileError> {
    let file = open(path)?;
    let mut text = Zeroizing::new(Vec::with_capacity(BYTES_MAX));
    file.take(BYTES_MAX as u64)
        .read_to_end(&mut text)
        .map_err(|error| failed(path, "read", error))?;
    let not_key_file = || KeyFileError::NotKeyFile(path.to_owned());
    let text = str::from_utf8(&text).map_err(|_| not_key_file())?;
    let (first, rest) = text.split_once('\n').ok_or_else(not_key_file)?;
    if first.trim_end_matches('\r') != FIRST_LINE {
        return Err(not_key_file());
    }
    // Editors add and remove line ends.
    SecretKey::parse(rest.trim_end_matches(['\r', '\n'])).map_err(|source| KeyFileError::Key {
        path: path.to_owned(),
        source,
    })
}

fn failed(path: &Path, what: &'static str, source: io::Error) -> KeyFileError {
    KeyFileError::Io {
        path: path.to_owned(),
        what,
        source,
    }
}

#[cfg(unix)]
fn check_folder(folder: &Path) -> Result<(), KeyFileError> {
    use std::os::unix::fs::MetadataExt;

    let found = fs::metadata(folder).map_err(|error| failed(folder, "looked at", error))?;
    let mode = found.mode() & 0o7777;
    if mode & 0o022 != 0 {
        let folder = folder.to_owned();
        return Err(KeyFileError::OpenFolder { folder, mode });
    }
    let own = rustix::process::geteuid().as_raw();
    if found.uid() != own && found.uid() != 0 {
        return Err(KeyFileError::OtherOwner(folder.to_owned()));
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_folder(_: &Path) -> Result<(), KeyFileError> {
    Ok(())
}

/// Opens the file and checks what was opened, so that nobody can exchange it in between.
#[cfg(unix)]
fn open(path: &Path) -> Result<File, KeyFileError> {
    use std::os::unix::fs::{MetadataExt, OpenOptionsExt};

    // Without NONBLOCK, opening a pipe would wait for its other end.
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let flags = flags.bits().cast_signed();
    let opened = OpenOptions::new().read(true).custom_flags(flags).open(path);
    let file = opened.map_err(|error| match fs::symlink_metadata(path) {
        Ok(found) if found.is_symlink() => KeyFileError::Link(path.to_owned()),
        _ => failed(path, "opened", error),
    })?;
    let found = file
        .metadata()
        .map_err(|error| failed(path, "looked at", error))?;
    if !found.is_file() {
        return Err(KeyFileError::NotFile(path.to_owned()));
    }
    let mode = found.mode() & 0o7777;
    if mode & 0o077 != 0 {
        let path = path.to_owned();
        return Err(KeyFileError::Exposed { path, mode });
    }
    Ok(file)
}

#[cfg(not(unix))]
fn open(path: &Path) -> Result<File, KeyFileError> {
    let file = File::open(path).map_err(|error| failed(path, "opened", error))?;
    let found = file
        .metadata()
        .map_err(|error| failed(path, "looked at", error))?;
    if !found.is_file() {
        return Err(KeyFileError::NotFile(path.to_owned()));
    }
    Ok(file)
}

#[cfg(all(test, unix))]
mod tests {
    //! A key that others can read or replace is no key. Each test sets up one such place and asks
    //! for the error that says so, beside a place where all is well.

    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;
    use crate::evidence::note::KeyName;

    fn key() -> SecretKey {
        SecretKey::from_seed(KeyName::new("annals/test").expect("a name"), &[7; 32])
    }

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        allow(folder.path(), 0o700);
        folder
    }

    fn allow(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("own file");
    }

    #[test]
    fn a_written_key_is_private_and_comes_back() {
        let folder = folder();
        let path = folder.path().join("key");
        write(&path, &key()).expect("written");
        let mode = fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
        assert_eq!(
            fs::read_to_string(&path).expect("readable"),
            format!("{FIRST_LINE}\n{}\n", *key().to_secret_text())
        );
        assert_eq!(read(&path).expect("read").verifier(), key().verifier());
    }

    #[test]
    fn a_key_is_never_overwritten() {
        let folder = folder();
        let path = folder.path().join("key");
        fs::write(&path, "other").expect("written");
        let error = write(&path, &key()).expect_err("there already");
        assert!(matches!(error, KeyFileError::Exists(_)), "{error}");
        assert_eq!(fs::read(&path).expect("readable"), b"other");
    }

    #[test]
    fn a_link_is_refused_for_writing_and_reading() {
        let folder = folder();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        symlink(&real, &link).expect("linked");
        let error = write(&link, &key()).expect_err("a link to nothing");
        assert!(matches!(error, KeyFileError::Link(_)), "{error}");
        assert!(!real.exists());
        write(&real, &key()).expect("written");
        let error = read(&link).expect_err("a link to a key");
        assert!(matches!(error, KeyFileError::Link(_)), "{error}");
        read(&real).expect("the key itself");
    }

    #[test]
    fn a_folder_that_others_may_write_is_refused() {
        for (mode, allowed) in [
            (0o770, false),
            (0o707, false),
            (0o1777, false),
            (0o755, true),
        ] {
            let folder = folder();
            allow(folder.path(), mode);
            let path = folder.path().join("key");
            match write(&path, &key()) {
                Ok(()) => assert!(allowed, "{mode:o}"),
                Err(KeyFileError::OpenFolder { mode: said, .. }) => {
                    assert!(!allowed && said == mode && !path.exists(), "{mode:o}");
                }
                Err(error) => panic!("{mode:o}: {error}"),
            }
        }
    }

    #[test]
    fn a_key_that_others_may_read_is_refused() {
        let folder = folder();
        let path = folder.path().join("key");
        write(&path, &key()).expect("written");
        for (mode, allowed) in [
            (0o640, false),
            (0o604, false),
            (0o620, false),
            (0o400, true),
        ] {
            allow(&path, mode);
            match read(&path) {
                Ok(_) => assert!(allowed, "{mode:o}"),
                Err(error @ KeyFileError::Exposed { .. }) => {
                    assert!(
                        !allowed && error.to_string().contains("chmod 600"),
                        "{error}"
                    );
                }
                Err(error) => panic!("{mode:o}: {error}"),
            }
        }
    }

    #[test]
    fn what_is_no_key_file_is_refused_without_waiting() {
        let folder = folder();
        let path = folder.path().join("key");
        assert!(
            matches!(read(&path), Err(KeyFileError::Io { .. })),
            "nothing there"
        );
        assert!(matches!(read(folder.path()), Err(KeyFileError::NotFile(_))));

        let secret = key().to_secret_text();
        let endless = format!("{FIRST_LINE}\n{}", "A".repeat(BYTES_MAX * 2));
        for text in [
            "",
            "\n",
            "-----BEGIN PRIVATE KEY-----\n",
            &*secret,
            FIRST_LINE,
        ] {
            fs::write(&path, text).expect("written");
            allow(&path, 0o600);
            assert!(
                matches!(read(&path), Err(KeyFileError::NotKeyFile(_))),
                "{text}"
            );
        }
        for text in [
            format!("{FIRST_LINE}\n"),
            endless,
            format!("{FIRST_LINE}\n{}x", *secret),
        ] {
            fs::write(&path, &text).expect("written");
            assert!(
                matches!(read(&path), Err(KeyFileError::Key { .. })),
                "{text}"
            );
        }
        fs::write(&path, format!("{FIRST_LINE}\r\n{}\r\n", *secret)).expect("written");
        read(&path).expect("line ends of another system");
    }

    #[test]
    fn a_pipe_is_refused_without_waiting_for_its_other_end() {
        let folder = folder();
        let path = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.expect("mkfifo runs").success());
        allow(&path, 0o600);
        assert!(matches!(read(&path), Err(KeyFileError::NotFile(_))));
    }

    #[test]
    fn no_error_shows_the_secret() {
        let folder = folder();
        let path = folder.path().join("key");
        let secret = key().to_secret_text();
        let last = secret.rsplit('+').next().expect("a part");
        for text in [
            format!("{FIRST_LINE}\n{}x", *secret),
            format!("{FIRST_LINE}\nPRIVATE+KEY+annals/other+00000000+{last}"),
            secret.to_string(),
        ] {
            fs::write(&path, text).expect("written");
            allow(&path, 0o600);
            let error = read(&path).expect_err("malformed");
            assert!(!format!("{error} {error:?}").contains(last), "{error:?}");
        }
    }
}
