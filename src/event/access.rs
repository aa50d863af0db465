//! Facts about who got at contents, and who was not let in.

use serde::{Deserialize, Serialize};

use crate::event::retention::EntryRanges;
use crate::id::AttemptNo;

/// See [`Body::Accessed`](crate::event::Body::Accessed). Words that are absent are those of earlier
/// versions: contents, allowed, at the command line.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Accessed {
    /// The entries whose contents were handed out.
    #[serde(default, skip_serializing_if = "EntryRanges::is_empty")]
    pub entries: EntryRanges,
    /// How many they are; of refused sign-ins, for how many the event stands.
    pub count: u64,
    /// How: "cat", "restore", "export" or "download"; of a sign-in, with what.
    pub how: String,
    /// The folder or file they went to; absent for standard output, and for a browser.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// What it was: the name of a [`Handed`], or `sign_in`. Later versions may know more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub what: Option<String>,
    /// The attempt whose report it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<AttemptNo>,
    /// Which report of that attempt, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<u32>,
    /// `refused`; absent when it was allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// The name of the [`Door`] it was asked at; absent for the command line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub door: Option<String>,
    /// The addresses that asked, some of them when they are many.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<String>,
}

impl Accessed {
    /// What a sign-in is called.
    pub const SIGN_IN: &'static str = "sign_in";
    /// How an access ended that was not allowed.
    pub const REFUSED: &'static str = "refused";

    /// Returns true when it was not allowed.
    pub fn is_refused(&self) -> bool {
        self.outcome.as_deref() == Some(Self::REFUSED)
    }
}

/// What is handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Handed {
    /// Contents of the entries, whichever.
    Contents,
    /// The source.
    Source,
    /// A report of an attempt.
    Report {
        /// The attempt.
        attempt: AttemptNo,
        /// Which of its reports, from 0.
        report: u32,
    },
    /// An evidence bundle.
    Export,
}

impl Handed {
    /// Returns the stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Contents => "contents",
            Self::Source => "source",
            Self::Report { .. } => "report",
            Self::Export => "export",
        }
    }
}

/// Where somebody asks for something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Door {
    /// The command line, or a program that uses the library.
    #[default]
    CommandLine,
    /// The web page and the HTTP API.
    Web,
}

impl Door {
    /// Returns the stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CommandLine => "command_line",
            Self::Web => "web",
        }
    }
}
