//! Chooses the plant's converters: the Python examples when there is a Python, or else the built-in
//! ones.

use std::path::Path;
use std::process::{Command, Stdio};

use super::builtin::Kind;

/// The plant's folder for the Python converters.
pub(crate) const FOLDER: &str = "converters";

/// The Python examples, by name and content.
pub(crate) const PYTHON_FILES: [(&str, &str); 7] = [
    (
        "annals_converter.py",
        include_str!("../../tools/converters/annals_converter.py"),
    ),
    ("wsjf.py", include_str!("../../tools/converters/wsjf.py")),
    (
        "ict_csv_v1.py",
        include_str!("../../tools/converters/ict_csv_v1.py"),
    ),
    (
        "ict_csv.py",
        include_str!("../../tools/converters/ict_csv.py"),
    ),
    (
        "junit_xml.py",
        include_str!("../../tools/converters/junit_xml.py"),
    ),
    (
        "jsonl_log.py",
        include_str!("../../tools/converters/jsonl_log.py"),
    ),
    (
        "README.md",
        include_str!("../../tools/converters/README.md"),
    ),
];

/// Files that every Python converter needs besides its script.
const PYTHON_SHARED: [&str; 2] = ["annals_converter.py", "wsjf.py"];

/// The program that runs the plant's converters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Runner {
    /// A Python interpreter of version 3.8 or newer, by its path.
    Python(String),
    /// This program, by its path: `annals demo-converter KIND FILE`.
    BuiltIn(String),
}

impl Runner {
    /// Returns a Python of this machine, or else the program at `annals`.
    ///
    /// The interpreter's own path is used. The first `python3` may be a launcher that needs
    /// variables which converters do not get.
    pub(crate) fn find(annals: &Path) -> Self {
        ["python3", "python"]
            .into_iter()
            .find_map(interpreter)
            .map_or_else(|| Self::BuiltIn(annals.display().to_string()), Self::Python)
    }

    /// Returns the `command` of a converter, for the configuration.
    pub(super) fn command(&self, kind: Kind) -> Vec<String> {
        match self {
            Self::Python(python) => vec![
                python.clone(),
                "-B".to_owned(),
                format!("{FOLDER}/{}", script(kind)),
                "--worker".to_owned(),
            ],
            Self::BuiltIn(annals) => vec![
                annals.clone(),
                "demo-converter".to_owned(),
                kind.name().to_owned(),
                "{input}".to_owned(),
            ],
        }
    }

    /// Returns the `bundle` of a converter, for the configuration.
    pub(super) fn bundle(&self, kind: Kind) -> Vec<String> {
        match self {
            Self::Python(_) => std::iter::once(script(kind))
                .chain(PYTHON_SHARED)
                .map(|name| format!("{FOLDER}/{name}"))
                .collect(),
            Self::BuiltIn(_) => Vec::new(),
        }
    }

    /// Returns the `mode` of every converter, for the configuration.
    pub(super) const fn mode(&self) -> &'static str {
        match self {
            Self::Python(_) => "worker",
            Self::BuiltIn(_) => "oneshot",
        }
    }

    /// Returns the text that names this kind of ICT converter in the configuration.
    ///
    /// The demonstration's correction replaces this text.
    pub(super) const fn ict_name(&self, kind: Kind) -> &'static str {
        match self {
            Self::Python(_) => script(kind),
            Self::BuiltIn(_) => kind.name(),
        }
    }
}

const fn script(kind: Kind) -> &'static str {
    match kind {
        Kind::Ict => "ict_csv.py",
        Kind::IctV1 => "ict_csv_v1.py",
        Kind::Junit => "junit_xml.py",
        Kind::Jsonl => "jsonl_log.py",
    }
}

/// Returns the path of the interpreter behind `name`, which may be a launcher.
///
/// Returns `None` when there is no interpreter, or when it is older than Python 3.8.
fn interpreter(name: &str) -> Option<String> {
    let question = "import sys; assert sys.version_info >= (3, 8); print(sys.executable)";
    let answer = Command::new(name)
        .args(["-c", question])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let path = str::from_utf8(&answer.stdout).ok()?.trim();
    (answer.status.success() && !path.is_empty()).then(|| path.to_owned())
}
