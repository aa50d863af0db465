//! Replaces the placeholders for secrets in a configuration by the secrets.

use std::path::{Path, PathBuf};

/// Why a secret that the configuration refers to could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MissingSecret {
    /// `${NAME}` of a variable that is not set, or not UTF-8.
    #[error("the environment variable {0} is not set")]
    Variable(String),
    /// `${file:PATH}` of a file that cannot be read.
    #[error("the secret file {path} cannot be read: {reason}")]
    File {
        /// The path of the file.
        path: String,
        /// The error of the system.
        reason: String,
    },
    /// `${credential:NAME}` that the service manager has not passed, or that cannot be read.
    #[error("the credential {name} is not there: {reason}")]
    Credential {
        /// The name of the credential.
        name: String,
        /// What went wrong.
        reason: String,
    },
    /// `${` without its `}`.
    #[error("a '${{' has no closing '}}'")]
    Unclosed,
}

/// Replaces each placeholder by the secret it refers to.
///
/// `${NAME}` is an environment variable, `${file:PATH}` the content of a file, and
/// `${credential:NAME}` a credential that the service manager passes.
pub(crate) fn expand(text: &str, dir: &Path) -> Result<String, MissingSecret> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        out.push_str(&rest[..start]);
        let inside = &rest[start + 2..];
        let end = inside.find('}').ok_or(MissingSecret::Unclosed)?;
        out.push_str(&secret(&inside[..end], dir)?);
        rest = &inside[end + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

/// Returns the secret that a placeholder refers to.
fn secret(name: &str, dir: &Path) -> Result<String, MissingSecret> {
    if let Some(file) = name.strip_prefix("file:") {
        let path = dir.join(file);
        return read_secret(&path).map_err(|reason| MissingSecret::File {
            path: path.display().to_string(),
            reason,
        });
    }
    if let Some(name) = name.strip_prefix("credential:") {
        let folder = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
        return credential(name, folder.as_deref());
    }
    std::env::var(name).map_err(|_| MissingSecret::Variable(name.to_owned()))
}

/// Reads a credential that systemd passes. It lies in a folder that systemd names to the service.
fn credential(name: &str, folder: Option<&Path>) -> Result<String, MissingSecret> {
    let missing = |reason: &str| MissingSecret::Credential {
        name: name.to_owned(),
        reason: reason.to_owned(),
    };
    let folder =
        folder.ok_or_else(|| missing("this process was given none (CREDENTIALS_DIRECTORY)"))?;
    if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\\', '\0']) {
        return Err(missing("this is no name of a credential"));
    }
    read_secret(&folder.join(name)).map_err(|reason| missing(&reason))
}

/// Returns the content of a file without the line feeds at its end, or the error of the system.
fn read_secret(path: &Path) -> Result<String, String> {
    let content = std::fs::read_to_string(path).map_err(|error| error.kind().to_string())?;
    Ok(content.trim_end_matches(['\r', '\n']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Several people may edit the configuration, but the host reads the files. A credential's name
    /// must therefore not lead out of the folder of credentials.
    #[test]
    fn a_credential_is_read_from_its_folder_and_from_nowhere_else() {
        let dir = tempfile::tempdir().expect("folder");
        std::fs::create_dir(dir.path().join("given")).expect("made");
        std::fs::write(dir.path().join("given/token"), "s3cret\n").expect("written");
        std::fs::write(dir.path().join("other"), "s3cret").expect("written");
        let given = dir.path().join("given");
        assert_eq!(credential("token", Some(&given)), Ok("s3cret".to_owned()));
        for name in ["../other", "..", "", "token/x", "missing"] {
            assert!(credential(name, Some(&given)).is_err(), "{name}");
        }
        assert!(credential("token", None).is_err());
    }

    #[test]
    fn a_secret_file_is_read_without_its_line_end() {
        let dir = tempfile::tempdir().expect("folder");
        std::fs::write(dir.path().join("token"), "abc\r\n").expect("written");
        assert_eq!(
            expand("Basic ${file:token}!", dir.path()),
            Ok("Basic abc!".to_owned())
        );
        let missing = expand("${ANNALS_TEST_NO_SUCH_VARIABLE}", dir.path());
        assert_eq!(
            missing,
            Err(MissingSecret::Variable(
                "ANNALS_TEST_NO_SUCH_VARIABLE".into()
            ))
        );
        assert_eq!(expand("${open", dir.path()), Err(MissingSecret::Unclosed));
    }
}
