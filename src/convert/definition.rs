//! A converter as it is configured: its program, its files, its arguments.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use super::companions::Companions;
use crate::entry::{Meta, ParseWordError};

/// What stands for a secret wherever one would be recorded or shown.
pub const MASK: &str = "***";

/// One converter: any program that turns one source into a report.
#[derive(Debug, Clone, PartialEq)]
pub struct Converter {
    /// Its name, which entries are archived for.
    pub name: String,
    /// The version it claims. Shown to people, never trusted as identity.
    pub version: Option<String>,
    /// Program and arguments, started without a shell. `{input}` stands for the source's path.
    pub command: Vec<String>,
    /// Where its files are; relative names in `command` and `bundle` are relative to it, and it is the program's
    /// current folder.
    pub dir: PathBuf,
    /// The files that make it what it is, relative to `dir`, with `/` between parts.
    pub bundle: Vec<String>,
    /// How processes and conversions relate.
    pub mode: Mode,
    /// What it is given.
    pub takes: Takes,
    /// What its processes are held to. No part of its identity.
    pub bounds: Bounds,
    /// What it is told besides the source.
    pub arguments: Arguments,
    /// What it runs on, in words; `None` asks the program for its `--version`.
    pub environment: Option<String>,
}

/// What a converter's processes are held to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// How long one conversion may take before its processes are killed.
    pub timeout: Duration,
    /// Bytes of memory of its own that each of its processes may have. On Linux.
    pub memory: u64,
    /// Bytes of the longest file they may write. On Linux.
    pub file_size: u64,
    /// The files they may touch.
    pub sandbox: Sandbox,
    /// Whether they may use the network.
    pub network: Network,
    /// The account they run as; `None` is the host's own.
    pub run_as: Option<RunAs>,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(120),
            memory: 4 << 30,
            file_size: 1 << 30,
            sandbox: Sandbox::Off,
            network: Network::Allowed,
            run_as: None,
        }
    }
}

impl Bounds {
    /// These bounds with a network and an account as the configuration says them; and which keys say what cannot be.
    pub(crate) fn restricted(
        mut self,
        network: &str,
        run_as: &str,
    ) -> (Self, Vec<(&'static str, String)>) {
        let mut wrong = Vec::new();
        if network == "none" {
            self.network = Network::None;
            if self.sandbox == Sandbox::Off {
                let why = "network: \"none\" needs sandbox = \"enforce\": without it a converter has another process open its connections";
                wrong.push(("network", why.to_owned()));
            }
        }
        if !run_as.is_empty() {
            match run_as.parse() {
                Ok(run_as) => self.run_as = Some(run_as),
                Err(error @ ParseRunAsError) => wrong.push(("run_as", format!("run_as: {error}"))),
            }
        }
        (self, wrong)
    }
}

/// The files a converter may touch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Sandbox {
    /// All that its account may touch.
    #[default]
    Off,
    /// As far as the system can enforce it: the system's programs and libraries, its own program and bundle and the
    /// source for reading; its temporary folder for writing.
    Enforce {
        /// What else it may read and execute, with all that is below.
        read: Vec<PathBuf>,
        /// What else it may read and write, with all that is below.
        write: Vec<PathBuf>,
    },
}

/// Whether a converter may use the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Network {
    /// As far as its account may.
    #[default]
    Allowed,
    /// Not at all. A converter for which this cannot be enforced is not started.
    None,
}

/// The account a converter runs as, as it is configured: a user, and a group where it is not the user's own. Each is a name or
/// a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunAs {
    pub(super) user: String,
    pub(super) group: Option<String>,
}

impl fmt::Display for RunAs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.group {
            Some(group) => write!(f, "{}:{group}", self.user),
            None => f.write_str(&self.user),
        }
    }
}

impl FromStr for RunAs {
    type Err = ParseRunAsError;

    fn from_str(text: &str) -> Result<Self, ParseRunAsError> {
        let (user, group) = match text.split_once(':') {
            Some((user, group)) => (user, Some(group)),
            None => (text, None),
        };
        // What stands in a line of the system's lists of users cannot have one of these in a name.
        let is_name = |name: &str| {
            !name.is_empty() && !name.contains(|c: char| c == ':' || c == '/' || c.is_control())
        };
        if is_name(user) && group.is_none_or(is_name) {
            Ok(Self {
                user: user.to_owned(),
                group: group.map(str::to_owned),
            })
        } else {
            Err(ParseRunAsError)
        }
    }
}

/// Text that names no account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an account is written user or user:group, each a name or a number")]
pub struct ParseRunAsError;

/// How processes and conversions relate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Mode {
    /// One process for each conversion; the report comes on standard output.
    #[default]
    OneShot,
    /// A long-lived process that answers one JSON line for each JSON line it is given.
    Worker,
}

impl Mode {
    /// The name used in the configuration and in events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OneShot => "oneshot",
            Self::Worker => "worker",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Mode {
    type Err = ParseWordError;

    fn from_str(text: &str) -> Result<Self, ParseWordError> {
        match text {
            "oneshot" => Ok(Self::OneShot),
            "worker" => Ok(Self::Worker),
            _ => Err(ParseWordError::new(text, ["oneshot", "worker"])),
        }
    }
}

/// What a converter is given as its source.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Takes {
    /// A file.
    #[default]
    Files,
    /// A folder, put back from the tar file that is archived of it.
    Folders,
    /// A file with what belongs to it beside it, put back from the tar file that is archived of
    /// them.
    WithCompanions(Companions),
}

/// Mode and source in one word, as it is recorded: a converter of folders is another one than the same program of files.
pub(crate) const fn recorded_mode(mode: Mode, takes: &Takes) -> &'static str {
    match (mode, takes) {
        (mode, Takes::Files) => mode.name(),
        (Mode::OneShot, Takes::Folders) => "oneshot-folder",
        (Mode::Worker, Takes::Folders) => "worker-folder",
        (Mode::OneShot, Takes::WithCompanions(_)) => "oneshot-companions",
        (Mode::Worker, Takes::WithCompanions(_)) => "worker-companions",
    }
}

/// What [`recorded_mode`] was told. Which companions there were, each entry knows for itself.
pub(crate) fn read_mode(recorded: &str) -> Result<(Mode, Takes), ParseWordError> {
    if let Some(mode) = recorded.strip_suffix("-folder") {
        return Ok((mode.parse()?, Takes::Folders));
    }
    if let Some(mode) = recorded.strip_suffix("-companions") {
        return Ok((mode.parse()?, Takes::WithCompanions(Companions::default())));
    }
    Ok((recorded.parse()?, Takes::Files))
}

/// A converter's arguments. Secret ones never show in what is recorded or printed.
///
/// A secret value may be written `${NAME}` (an environment variable) or `${file:PATH}` (the content of a file,
/// without its line end), so that configurations hold no secret themselves.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Arguments {
    values: Meta,
    secret: BTreeSet<String>,
}

impl Arguments {
    /// Arguments of which those named in `secret` are never recorded in clear.
    pub fn new(values: Meta, secret: impl IntoIterator<Item = String>) -> Self {
        Self {
            values,
            secret: secret.into_iter().collect(),
        }
    }

    /// What may be recorded: every value, secret ones masked.
    pub fn recorded(&self) -> Meta {
        self.values
            .iter()
            .map(|(name, value)| {
                let value = if self.secret.contains(name) {
                    MASK
                } else {
                    value
                };
                (name.clone(), value.to_owned())
            })
            .collect()
    }

    /// The names of secret arguments.
    pub fn secret_names(&self) -> impl Iterator<Item = &str> {
        self.secret.iter().map(String::as_str)
    }

    /// The arguments an earlier run `recorded`, with secrets, which no record holds, taken from here.
    ///
    /// # Errors
    /// Names a secret argument that was recorded but is not configured here.
    pub(crate) fn recalled(&self, recorded: &Meta) -> Result<Self, String> {
        let mut values = Meta::new();
        let mut secret = self.secret.clone();
        for (name, value) in recorded {
            if value == MASK {
                let current = self.values.get(name).ok_or_else(|| name.clone())?;
                values.insert(name.clone(), current.clone());
                secret.insert(name.clone());
            } else {
                values.insert(name.clone(), value.clone());
            }
        }
        Ok(Self { values, secret })
    }

    /// The values as the converter gets them. `dir` is what `${file:PATH}` is relative to.
    pub(crate) fn reveal(&self, dir: &Path) -> Result<Revealed, MissingSecret> {
        let mut values = Meta::new();
        let mut secrets = Vec::new();
        for (name, value) in &self.values {
            if self.secret.contains(name) {
                let clear = expand(value, dir)?;
                secrets.push(clear.clone());
                values.insert(name.clone(), clear);
            } else {
                values.insert(name.clone(), value.clone());
            }
        }
        Ok(Revealed {
            values,
            secrets: Secrets::new(secrets),
        })
    }
}

impl fmt::Debug for Arguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.recorded().fmt(f)
    }
}

/// Arguments in clear, for the converter's eyes only.
pub(crate) struct Revealed {
    pub(crate) values: Meta,
    pub(crate) secrets: Secrets,
}

/// Secret values, to be kept out of whatever a converter says.
#[derive(Default)]
pub(crate) struct Secrets(Vec<String>);

impl Secrets {
    pub(crate) fn new(values: Vec<String>) -> Self {
        let mut spellings: Vec<String> = values
            .into_iter()
            .flat_map(|value| {
                // Converters quote what they were given: the JSON spelling hides a secret with a quote in it.
                let quoted = serde_json::Value::from(value.as_str()).to_string();
                let inner = quoted[1..quoted.len() - 1].to_owned();
                [value, inner]
            })
            .filter(|spelling| !spelling.is_empty())
            .collect();
        // Longest first, so that a secret that contains another leaves no rest.
        spellings.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        spellings.dedup();
        Self(spellings)
    }

    pub(crate) fn mask(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |masked, spelling| {
            masked.replace(spelling.as_str(), MASK)
        })
    }
}

/// A secret that is not where the configuration says it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MissingSecret {
    /// `${NAME}` of a variable that is not set, or not UTF-8.
    #[error("the environment variable {0} is not set")]
    Variable(String),
    /// `${file:PATH}` of a file that cannot be read.
    #[error("the secret file {path} cannot be read: {reason}")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        reason: String,
    },
    /// `${credential:NAME}` that the service manager has not given, or that cannot be read.
    #[error("the credential {name} is not there: {reason}")]
    Credential {
        /// Its name.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// `${` without its `}`.
    #[error("a '${{' has no closing '}}'")]
    Unclosed,
}

/// Replaces each `${NAME}` by an environment variable, each `${file:PATH}` by a file's content, and each
/// `${credential:NAME}` by what the service manager keeps under that name.
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

/// What a placeholder stands for.
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

/// A credential of systemd's, which lies in a folder that it names to the service.
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

/// The content of a file, without the line feeds at its end; or what the system says.
fn read_secret(path: &Path) -> Result<String, String> {
    let content = std::fs::read_to_string(path).map_err(|error| error.kind().to_string())?;
    Ok(content.trim_end_matches(['\r', '\n']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(pairs: &[(&str, &str)], secret: &[&str]) -> Arguments {
        let values = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Arguments::new(values, secret.iter().map(|name| (*name).to_owned()))
    }

    /// Names come from a configuration that several people may write to; what they name is read by the host.
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
    fn a_recorded_mode_says_what_the_converter_is_given() {
        for mode in [Mode::OneShot, Mode::Worker] {
            for takes in [
                Takes::Files,
                Takes::Folders,
                Takes::WithCompanions(Companions::default()),
            ] {
                assert_eq!(read_mode(recorded_mode(mode, &takes)), Ok((mode, takes)));
            }
        }
        assert!(read_mode("folder").is_err());
    }

    #[test]
    fn a_secret_shows_neither_in_records_nor_in_debug_output() {
        let given = arguments(&[("operation", "10"), ("token", "s3cret")], &["token"]);
        assert_eq!(given.recorded()["token"], MASK);
        assert_eq!(given.recorded()["operation"], "10");
        assert!(!format!("{given:?}").contains("s3cret"));
    }

    #[test]
    fn a_recorded_secret_is_taken_from_the_configuration_or_refused_by_name() {
        let configured = arguments(&[("token", "new"), ("operation", "20")], &["token"]);
        let recorded = arguments(&[("token", "old"), ("operation", "10")], &["token"]).recorded();
        let recalled = configured.recalled(&recorded).expect("configured");
        assert_eq!(recalled.values["token"], "new");
        assert_eq!(recalled.values["operation"], "10");
        assert_eq!(
            Arguments::default().recalled(&recorded),
            Err("token".to_owned())
        );
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

    #[test]
    fn a_secret_is_masked_in_each_of_its_spellings() {
        let secrets = Secrets::new(vec!["ab".into(), "ab\"cd".into()]);
        assert_eq!(secrets.mask(r#"got ab"cd and ab\"cd"#), "got *** and ***");
    }
}
