//! Finds out what a converter runs on: interpreter, packages, system and machine.
//!
//! None of it is in the bundle, and each may change a report. So it is recorded, and compared when
//! a recorded converter runs again.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;

use super::environment::{find, interpreter};
use crate::archive::host_name;
use crate::convert::converter::{Bounds, Converter, program};
use crate::convert::process::{self, Cancel, End, Invocation};
use crate::convert::sandbox::{self, Confinement};
use crate::convert::scratch::{Scratch, make_private};
use crate::entry::Meta;

/// How long a program may take to say its version or its packages.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of such an answer that are read.
const ANSWER_BYTES_MAX: usize = 1 << 18;
/// Bytes of a program's version line that are kept.
const VERSION_BYTES_MAX: usize = 200;
/// Bytes of a list of packages; of a longer one only its digest is kept, because an event has room
/// for 64 KiB.
const PACKAGES_BYTES_MAX: usize = 16 << 10;
/// Bytes of a program up to which its digest tells it from others that print no version.
const PROGRAM_BYTES_MAX: u64 = 64 << 20;
/// Packages that a sentence about a difference names.
const NAMED_MAX: usize = 3;

const INTERPRETER: &str = "interpreter";
const PACKAGES: &str = "packages";
const SYSTEM: &str = "system";
const MACHINE: &str = "machine";

/// Prints the packages that a Python interpreter finds.
const PYTHON_PACKAGES: &str = "import importlib.metadata as m
print('\\n'.join(sorted({d.metadata['Name'] + '==' + d.version for d in m.distributions()})))";

/// Whether a recorded converter ran again on what it ran on before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EnvironmentCheck {
    /// It ran on the same interpreter, packages, system and machine, as far as they are known.
    Same,
    /// What differs, in words: `Python 3.11.2 then, 3.12.1 now`.
    Differs(String),
    /// It is not recorded what it ran on before.
    NotRecorded,
}

impl EnvironmentCheck {
    /// Returns what there is to say of it; `None` when nothing differs.
    pub fn sentence(&self) -> Option<String> {
        match self {
            Self::Same => None,
            Self::Differs(what) => Some(format!("environment differs: {what}")),
            Self::NotRecorded => Some("environment not recorded".to_owned()),
        }
    }
}

/// Returns what the program prints for `--version`, which is part of a converter's identity.
///
/// Empty when the program is a file of the bundle, which is hashed anyway, or prints nothing.
pub(super) fn environment_note(converter: &Converter) -> String {
    match outside_program(converter) {
        Some(program) => version_line(&program, converter),
        None => String::new(),
    }
}

/// Returns true when the environment note of a recorded converter was stated by a person, and not
/// asked of its program. Such a note is part of the identity wherever the converter runs.
pub(super) fn is_stated(note: &str, ran_on: Option<&Meta>, converter: &Converter) -> bool {
    if let Some(interpreter) = ran_on.and_then(|ran_on| ran_on.get(INTERPRETER)) {
        return interpreter != note;
    }
    // Older records do not say it. A program that tells no version was not asked for this one.
    note != environment_note(converter) && environment_note(converter).is_empty()
}

/// Returns what a converter runs on in this process, by name. What cannot be found out is absent.
pub(in crate::convert) fn runs_on(converter: &Converter) -> Meta {
    let mut found = Meta::new();
    if let Some(program) = interpreter_of(converter) {
        // Where a person states the note, an unknown program is not run with arguments of annals.
        let may_ask = converter.environment.is_none() || is_python(&program);
        let mut version = String::new();
        if may_ask {
            version = version_line(&program, converter);
        }
        if version.is_empty() {
            version = digest_line(&program).unwrap_or_default();
        }
        if !version.is_empty() {
            found.insert(INTERPRETER.to_owned(), version);
        }
        if is_python(&program)
            && let Some(packages) = ask(&program, converter, &["-c", PYTHON_PACKAGES])
        {
            found.insert(PACKAGES.to_owned(), package_list(&packages));
        }
    }
    found.insert(SYSTEM.to_owned(), system());
    found.insert(MACHINE.to_owned(), host_name());
    found
}

/// Compares what a recorded converter ran on with what it runs on now.
///
/// `note` is the environment note of its identity, which is all that older records say.
pub(in crate::convert) fn check(
    then: Option<&Meta>,
    note: &str,
    converter: &Converter,
) -> EnvironmentCheck {
    let mut converter = converter.clone();
    if is_stated(note, then, &converter) {
        converter.environment = Some(note.to_owned());
    }
    let now = runs_on(&converter);
    let Some(then) = then else {
        let asked = environment_note(&converter);
        return if note.is_empty() || asked.is_empty() || note == asked {
            EnvironmentCheck::NotRecorded
        } else {
            let differs = then_and_now(note, &asked);
            EnvironmentCheck::Differs(format!("{differs}; packages and machine not recorded"))
        };
    };
    let mut parts = Vec::new();
    for name in [INTERPRETER, PACKAGES, SYSTEM, MACHINE] {
        let (Some(then), Some(now)) = (then.get(name), now.get(name)) else {
            continue;
        };
        if then == now {
            continue;
        }
        parts.push(match name {
            INTERPRETER => then_and_now(then, now),
            PACKAGES => other_packages(then, now),
            name => format!("{name} {}", then_and_now(then, now)),
        });
    }
    if parts.is_empty() {
        EnvironmentCheck::Same
    } else {
        EnvironmentCheck::Differs(parts.join("; "))
    }
}

/// Returns `Python 3.11.2 then, 3.12.1 now`: the name that both begin with is said once.
fn then_and_now(then: &str, now: &str) -> String {
    let rest = |text: &str| {
        text.split_once(' ')
            .map(|(name, rest)| (name.len(), rest.len()))
    };
    match (rest(then), rest(now)) {
        (Some((a, _)), Some((b, left))) if then[..a] == now[..b] => {
            format!("{then} then, {} now", &now[now.len() - left..])
        }
        _ => format!("{then} then, {now} now"),
    }
}

/// Names the packages that differ between two lists.
fn other_packages(then: &str, now: &str) -> String {
    let read = |list: &str| -> Option<BTreeMap<String, String>> {
        let pair = |item: &str| {
            let (name, version) = item.split_once("==")?;
            Some((name.to_owned(), version.to_owned()))
        };
        list.split(", ").map(pair).collect()
    };
    let (Some(then), Some(now)) = (read(then), read(now)) else {
        return format!("{then} then, {now} now");
    };
    let mut differ = Vec::new();
    for (name, version) in &then {
        match now.get(name) {
            Some(other) if other == version => {}
            Some(other) => differ.push(format!("{name} {version} then, {other} now")),
            None => differ.push(format!("{name} {version} then, gone now")),
        }
    }
    for (name, version) in now.iter().filter(|(name, _)| !then.contains_key(*name)) {
        differ.push(format!("no {name} then, {version} now"));
    }
    let more = differ.len().saturating_sub(NAMED_MAX);
    differ.truncate(NAMED_MAX);
    let mut told = differ.join("; ");
    if more > 0 {
        let _ = write!(told, "; {more} more packages");
    }
    told
}

/// Returns a list of packages on one line, or its digest when it is too long.
fn package_list(answer: &str) -> String {
    let lines = answer
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty());
    let packages: Vec<&str> = lines.collect();
    let list = packages.join(", ");
    if list.len() <= PACKAGES_BYTES_MAX {
        return list;
    }
    let digest = blake3::hash(list.as_bytes()).to_hex();
    format!("{} packages, blake3 {:.16}", packages.len(), digest)
}

/// Returns the program, unless it is a file of the bundle.
fn outside_program(converter: &Converter) -> Option<PathBuf> {
    let word = converter.command.first()?;
    let is_own = |name: &String| name == word.trim_start_matches("./");
    if converter.bundle.iter().any(is_own) {
        return None;
    }
    Some(program(word, &converter.dir, &converter.bundle))
}

/// Returns the program outside of the bundle that runs the converter. For a script of the bundle it
/// is the one that its first line names.
fn interpreter_of(converter: &Converter) -> Option<PathBuf> {
    if let Some(program) = outside_program(converter) {
        return Some(program);
    }
    let word = converter.command.first()?;
    let script = program(word, &converter.dir, &converter.bundle);
    interpreter(&script).ok().flatten().map(PathBuf::from)
}

fn is_python(program: &Path) -> bool {
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with("python") || name.starts_with("pypy")
}

/// Returns what tells a program that prints no version from others: its file and its content.
fn digest_line(program: &Path) -> Option<String> {
    let file = find(program)?.canonicalize().ok()?;
    if file.metadata().ok()?.len() > PROGRAM_BYTES_MAX {
        return None;
    }
    let content = std::fs::read(&file).ok()?;
    let digest = blake3::hash(&content).to_hex();
    Some(format!("{} blake3 {digest:.16}", file.display()))
}

/// Returns system and processor: `Debian GNU/Linux 12 (bookworm), x86_64`.
fn system() -> String {
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let named = release
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="));
    let name = named.map_or(std::env::consts::OS, |name| name.trim_matches(['"', '\'']));
    let name = &name[..name.floor_char_boundary(VERSION_BYTES_MAX)];
    format!("{name}, {}", std::env::consts::ARCH)
}

/// Returns the first line that a program prints for `--version`.
///
/// Some programs, such as Java, print it on standard error.
fn version_line(program: &Path, converter: &Converter) -> String {
    let answer = ask(program, converter, &["--version"]).unwrap_or_default();
    let mut lines = answer.lines().map(str::trim);
    let line = lines.find(|line| !line.is_empty()).unwrap_or_default();
    line[..line.floor_char_boundary(VERSION_BYTES_MAX)].to_owned()
}

/// Returns what a program prints. Each program is asked each question once per process.
fn ask(program: &Path, converter: &Converter, question: &[&str]) -> Option<String> {
    type Asked = (PathBuf, Vec<String>, String);
    static KNOWN: Mutex<BTreeMap<Asked, Option<String>>> = Mutex::new(BTreeMap::new());
    let held_to = Bounds {
        timeout: ANSWER_TIMEOUT,
        sandbox: converter.bounds.sandbox.clone(),
        network: converter.bounds.network,
        run_as: converter.bounds.run_as.clone(),
        ..Bounds::default()
    };
    let words = question.iter().map(|word| (*word).to_owned()).collect();
    let asked = (program.to_owned(), words, format!("{held_to:?}"));
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let answer = known
        .entry(asked)
        .or_insert_with(|| answer_of(program, converter, &held_to, question));
    answer.clone()
}

/// Runs a program under the bounds of a conversion, because it is not trusted. Returns what it
/// printed, standard output first; `None` unless it ended well.
fn answer_of(
    program: &Path,
    converter: &Converter,
    held_to: &Bounds,
    question: &[&str],
) -> Option<String> {
    let scratch = Scratch::new(&std::env::temp_dir()).ok()?;
    let home = scratch.path().join("home");
    make_private(&home).ok()?;
    sandbox::hand_over(held_to, scratch.path(), &["home"]).ok()?;
    let invocation = Invocation {
        program: program.to_owned(),
        arguments: question.iter().map(OsString::from).collect(),
        dir: &converter.dir,
        home: &home,
        variables: Vec::new(),
        bounds: held_to,
        confinement: Confinement::of(converter, &home, &home).ok()?,
    };
    let said = process::run(&invocation, ANSWER_BYTES_MAX, &Cancel::default()).ok()?;
    let End::Exited(Some(status)) = said.end else {
        return None;
    };
    if !status.success() {
        return None;
    }
    let stdout = String::from_utf8_lossy(&said.stdout);
    Some(format!("{stdout}\n{}", said.stderr))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever compares reports of two machines must see in one line what else differs.
    #[test]
    fn what_differs_is_said_once_and_in_few_words() {
        let told = then_and_now("Python 3.11.2", "Python 3.12.1");
        assert_eq!(told, "Python 3.11.2 then, 3.12.1 now");
        assert_eq!(then_and_now("lab-3", "lab-7"), "lab-3 then, lab-7 now");
        assert_eq!(
            then_and_now("Python 3", "node 3"),
            "Python 3 then, node 3 now"
        );
        let told = other_packages("lxml==4.9, numpy==1.24", "attrs==23.1, numpy==2.0");
        assert_eq!(
            told,
            "lxml 4.9 then, gone now; numpy 1.24 then, 2.0 now; no attrs then, 23.1 now"
        );
        let many: Vec<String> = (0..9).map(|number| format!("p{number}==1")).collect();
        let told = other_packages(&many.join(", "), "numpy==2.0");
        assert!(told.ends_with("; 7 more packages"), "{told}");
    }

    #[test]
    fn a_list_of_packages_that_an_event_has_no_room_for_becomes_a_digest() {
        assert_eq!(package_list("a==1\n\nb==2\n"), "a==1, b==2");
        let many: Vec<String> = (0..9_000).map(|number| format!("p{number}==1")).collect();
        let told = package_list(&many.join("\n"));
        assert!(told.starts_with("9000 packages, blake3 "), "{told}");
    }
}
