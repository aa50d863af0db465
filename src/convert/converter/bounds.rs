//! What a converter's processes are held to.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

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
    /// These bounds with a network and an account as the configuration says them; and which keys
    /// say what cannot be.
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
    /// As far as the system can enforce it: the system's programs and libraries, its own program
    /// and bundle and the source for reading; its temporary folder for writing.
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

/// The account a converter runs as, as it is configured: a user, and a group where it is not the
/// user's own. Each is a name or a number.
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
