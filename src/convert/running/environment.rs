//! Distinguishes a converter that cannot run at all from one that fails over a file.
//!
//! A converter whose program, interpreter or module is missing fails over every file. That is no
//! fault of the files, so they must not each get a failed attempt.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use crate::convert::converter;
use crate::convert::converter::Converter;

/// Exit codes of a shell, `env` and the sandbox launcher when a program is not executable or
/// missing.
const NOT_RUN: [i32; 2] = [126, 127];
/// Bytes of a script's first line that are read.
const FIRST_LINE_BYTES_MAX: u64 = 256;

/// Messages of interpreters that cannot start: (how a line begins, what it contains).
const COMPLAINTS: [(&str, &str); 14] = [
    ("ModuleNotFoundError: ", ""),
    ("ImportError: ", ""),
    ("Fatal Python error: ", ""),
    ("", ": can't open file "),
    ("Error: Cannot find module ", ""),
    ("Error: Could not find or load main class ", ""),
    ("Error: Unable to access jarfile ", ""),
    ("", "java.lang.UnsupportedClassVersionError"),
    ("Can't locate ", " in @INC"),
    ("Can't open perl script ", ""),
    ("", "cannot load such file -- "),
    ("", "error while loading shared libraries: "),
    ("You must install or update .NET", ""),
    ("", "Could not open input file: "),
];

/// Whether a process that gave no answer died over its source or before its own code began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::convert) enum Died {
    /// Over the source, as far as can be seen.
    Running,
    /// Before the converter's own code began.
    Starting,
}

/// Judges a process by its exit code and its standard error.
pub(in crate::convert) fn judge(status: Option<ExitStatus>, stderr: &str) -> Died {
    let code = status.and_then(|status| status.code());
    if code.is_some_and(|code| NOT_RUN.contains(&code)) || stderr.lines().any(is_complaint) {
        return Died::Starting;
    }
    // A script that Python cannot parse gives a location but no traceback: nothing of it has run.
    let is_unreadable = |line: &str| {
        ["SyntaxError: ", "IndentationError: ", "TabError: "]
            .iter()
            .any(|begins| line.starts_with(begins))
    };
    if stderr.lines().last().is_some_and(is_unreadable) && !stderr.contains("Traceback (most ") {
        return Died::Starting;
    }
    Died::Running
}

fn is_complaint(line: &str) -> bool {
    let complains = |(begins, has): &(&str, &str)| line.starts_with(begins) && line.contains(has);
    COMPLAINTS.iter().any(complains)
}

/// Returns why a converter's program cannot be started on this machine, as far as can be seen
/// without starting it.
pub fn missing_program(converter: &Converter) -> Option<String> {
    missing(&converter.command, &converter.dir, &converter.bundle)
}

/// Does the work of [`missing_program`] for a command whose files are in `dir`.
pub(in crate::convert) fn missing(
    command: &[String],
    dir: &Path,
    bundle: &[String],
) -> Option<String> {
    let word = command.first().map_or("", String::as_str);
    let program = converter::program(word, dir, bundle);
    // The files of a bundle are checked when the bundle is read.
    if bundle.iter().any(|name| name == word) {
        return None;
    }
    let Some(file) = find(&program) else {
        return Some(format!("there is no program '{word}'"));
    };
    if !is_executable(&file) {
        return Some(format!("'{word}' may not be executed"));
    }
    let interpreter = interpreter(&file).ok().flatten()?;
    let missing = find(Path::new(&interpreter)).is_none();
    missing.then(|| format!("'{word}' is for {interpreter}, which is not there"))
}

/// Returns the file of a program: a path, or the first match in PATH.
pub(super) fn find(program: &Path) -> Option<PathBuf> {
    if program.components().count() > 1 {
        return program.is_file().then(|| program.to_owned());
    }
    let path = std::env::var_os("PATH")?;
    let is_there = |file: &PathBuf| file.is_file() || file.with_extension("exe").is_file();
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(is_there)
}

#[cfg(unix)]
fn is_executable(file: &Path) -> bool {
    rustix::fs::access(file, rustix::fs::Access::EXEC_OK).is_ok()
}

#[cfg(not(unix))]
fn is_executable(_file: &Path) -> bool {
    true
}

/// Returns the program that runs a script, as its first line says. For `env`, returns the program
/// that `env` looks up.
pub(super) fn interpreter(file: &Path) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    let file = File::open(file)?;
    BufReader::new(file.take(FIRST_LINE_BYTES_MAX)).read_until(b'\n', &mut line)?;
    let Some(line) = line.strip_prefix(b"#!") else {
        return Ok(None);
    };
    let line = String::from_utf8_lossy(line);
    let mut words = line.split_whitespace();
    let first = words.next();
    let is_env = first.is_some_and(|word| Path::new(word).file_name() == Some(OsStr::new("env")));
    let looked_for = words.next().filter(|word| is_env && !word.starts_with('-'));
    Ok(looked_for.or(first).map(str::to_owned))
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    fn judged(code: i32, stderr: &str) -> Died {
        judge(Some(ExitStatus::from_raw(code << 8)), stderr)
    }

    /// A missing module must not send every file of a backlog to the error folder.
    #[test]
    fn what_interpreters_say_before_they_begin_is_no_fault_of_the_file() {
        let python = "Traceback (most recent call last):\n  File \"<string>\", line 1, in <module>\n\
                      ModuleNotFoundError: No module named 'nosuch'\n";
        let unreadable =
            "  File \"ict.py\", line 3\n    if x\n        ^\nSyntaxError: expected ':'\n";
        for (code, stderr) in [
            (1, python),
            (1, unreadable),
            (
                2,
                "python3: can't open file '/a/ict.py': [Errno 2] No such file or directory",
            ),
            (127, "sh: 1: python9: not found"),
            (126, ""),
            (1, "Error: Could not find or load main class Ict"),
            (
                2,
                "Can't locate XML/Twig.pm in @INC (you may need to install it)",
            ),
        ] {
            assert_eq!(judged(code, stderr), Died::Starting, "{stderr}");
        }
        let trace = "Traceback (most recent call last):\n  File \"ict.py\", line 9\n\
                     SyntaxError: malformed node or string\n";
        for (code, stderr) in [(1, "no header"), (3, ""), (1, trace), (139, "")] {
            assert_eq!(judged(code, stderr), Died::Running, "{stderr}");
        }
        assert_eq!(judge(None, ""), Died::Running);
    }

    /// A program that cannot be started must be found before the first file is converted.
    #[test]
    fn a_program_that_cannot_be_started_is_found_without_starting_it() {
        let dir = tempfile::tempdir().expect("folder");
        let script = dir.path().join("ict");
        let told = |word: &str| {
            let converter = Converter::new("T", [word], dir.path());
            missing_program(&converter)
        };
        assert_eq!(told("sh"), None);
        assert_eq!(
            told("python9").as_deref(),
            Some("there is no program 'python9'")
        );
        assert_eq!(
            told("./ict").as_deref(),
            Some("there is no program './ict'")
        );
        fs::write(&script, "#!/usr/bin/env python9\n").expect("written");
        assert_eq!(
            told("./ict").as_deref(),
            Some("'./ict' may not be executed")
        );
        fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).expect("set");
        let why = "'./ict' is for python9, which is not there";
        assert_eq!(told("./ict").as_deref(), Some(why));
        fs::write(&script, "#!/bin/sh -e\n").expect("written");
        assert_eq!(told("./ict"), None);
    }
}
