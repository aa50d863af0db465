//! The limits that a converter's processes run under: time, memory, files, network and account.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// The limits that a converter's processes run under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// How long one conversion may take before its processes are killed.
    pub timeout: Duration,
    /// Bytes of private memory that each process may have. Enforced on Linux only.
    pub memory: u64,
    /// Bytes of the longest file that a process may write. Enforced on Linux only.
    pub file_size: u64,
    /// Which files the processes may touch.
    pub sandbox: Sandbox,
    /// Whether the processes may use the network.
    pub network: Network,
    /// The account that the processes run as; `None` is the host's own account.
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
    /// Returns these bounds with the configured network and account, and the keys whose values are
    /// invalid.
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

/// Which files a converter may touch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Sandbox {
    /// Every file that its account may touch.
    #[default]
    Off,
    /// Only the files it needs, as far as the system can enforce that.
    ///
    /// It may read the system's programs and libraries, its own program and bundle, and the source.
    /// It may write to its temporary folder.
    Enforce {
        /// Further files and folders that it may read and execute, with everything below them.
        read: Vec<PathBuf>,
        /// Further files and folders that it may read and write, with everything below them.
        write: Vec<PathBuf>,
    },
}

/// Whether a converter may use the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Network {
    /// The network may be used as far as the account allows.
    #[default]
    Allowed,
    /// No network. A converter is not started where this cannot be enforced.
    None,
}

/// The configured account that a converter runs as.
///
/// It is a user, and a group if that is not the user's own. Each is a name or a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunAs {
    pub(in crate::convert) user: String,
    pub(in crate::convert) group: Option<String>,
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
        // Names come from lines of the system's user lists, which cannot have these characters in a
        // name.
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

/// Error for text that cannot name an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an account is written user or user:group, each a name or a number")]
pub struct ParseRunAsError;
