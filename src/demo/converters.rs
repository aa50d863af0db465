//! Which converters the plant uses: the Python examples where there is a Python, else the same ones
//! in this program.

use std::path::Path;
use std::process::{Command, Stdio};

use super::builtin::Kind;

/// The folder of the plant that the Python converters are put in.
pub(crate) const FOLDER: &str = "converters";

/// The Python examples: name and content.
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

/// The files every Python converter needs besides its own.
const PYTHON_SHARED: [&str; 2] = ["annals_converter.py", "wsjf.py"];

/// What runs the plant's converters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Runner {
    /// A Python interpreter of version 3.8 or newer, by its path.
    Python(String),
    /// This program, by its path: `annals demo-converter KIND FILE`.
    BuiltIn(String),
}

impl Runner {
    /// A Python of this machine if there is one, else the program at `annals`.
    ///
    /// The interpreter is named by its own path: the first `python3` may be a launcher that needs
    /// variables which converters do not get.
    pub(crate) fn find(annals: &Path) -> Self {
        ["python3", "python"]
            .into_iter()
            .find_map(interpreter)
            .map_or_else(|| Self::BuiltIn(annals.display().to_string()), Self::Python)
    }

    /// The `command` of a converter.
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

    /// The `bundle` of a converter.
    pub(super) fn bundle(&self, kind: Kind) -> Vec<String> {
        match self {
            Self::Python(_) => std::iter::once(script(kind))
                .chain(PYTHON_SHARED)
                .map(|name| format!("{FOLDER}/{name}"))
                .collect(),
            Self::BuiltIn(_) => Vec::new(),
        }
    }

    /// The `mode` of every converter.
    pub(super) const fn mode(&self) -> &'static str {
        match self {
            Self::Python(_) => "worker",
            Self::BuiltIn(_) => "oneshot",
        }
    }

    /// How the configuration names the ICT converter of this kind; what the story's correction
    /// replaces.
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

/// The path of the interpreter that `name` starts, if it is new enough and works without the
/// caller's variables.
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
