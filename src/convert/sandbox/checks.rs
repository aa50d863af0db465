//! Reports which bounds of a converter this machine enforces, and which it cannot.

#[cfg(target_os = "linux")]
use std::ffi::OsString;
use std::path::PathBuf;

use super::account::Account;
#[cfg(target_os = "linux")]
use super::confinement::Confinement;
use super::enforcement::{Enforcement, filters_calls};
use super::this_program::launcher;
use crate::convert::converter::{Bounds, Converter, Network, Sandbox, find_program, program};

impl Bounds {
    /// Returns why a converter with these bounds must not be started here; `None` when it may.
    ///
    /// A sandbox that is only partly enforced is no reason: each attempt records what was enforced.
    pub fn unenforceable(&self) -> Option<String> {
        unenforceable(self)
    }

    /// Returns the words that each attempt records about what was enforced.
    pub fn enforced(&self) -> Vec<String> {
        enforced(self)
    }
}

impl Converter {
    /// Returns the first of its files that the account of `run_as` may not read, or of its folders
    /// that it may not enter.
    pub fn unreadable(&self) -> Option<PathBuf> {
        unreadable(self)
    }
}

fn unenforceable(bounds: &Bounds) -> Option<String> {
    let no_launcher = || {
        launcher().is_none().then(|| {
            "the program that runs the converters is no launcher (convert::be_launcher)".to_owned()
        })
    };
    if let Some(run_as) = &bounds.run_as
        && let Some(why) = no_launcher().or_else(|| Account::find(run_as).err())
    {
        return Some(format!("run_as = \"{run_as}\": {why}"));
    }
    if bounds.network == Network::None {
        let why = if bounds.sandbox == Sandbox::Off {
            Some(
                "it needs sandbox = \"enforce\", without which it has another process open its connections"
                    .to_owned(),
            )
        } else if !filters_calls() {
            Some("this system cannot filter system calls".to_owned())
        } else {
            no_launcher()
        };
        return why.map(|why| format!("network = \"none\": {why}"));
    }
    None
}

fn unreadable(converter: &Converter) -> Option<PathBuf> {
    let run_as = converter.bounds.run_as.as_ref()?;
    let account = Account::find(run_as).ok()?;
    let word = converter.command.first().map_or("", String::as_str);
    let program = find_program(&program(word, &converter.dir, &converter.bundle));
    let bundle = converter.bundle.iter().map(|name| converter.dir.join(name));
    let reads: Vec<PathBuf> = [converter.dir.clone()]
        .into_iter()
        .chain(bundle)
        .chain(program)
        .collect();
    first_unreadable(account, &reads)
}

#[cfg(target_os = "linux")]
fn first_unreadable(account: Account, reads: &[PathBuf]) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStringExt;
    let confinement = Confinement {
        account: Some(account),
        ..Confinement::default()
    };
    let mut command = confinement.launcher(None)?;
    command.arg("probe").args(reads).env_clear();
    let said = command.output().ok()?;
    let path = said.stdout;
    (!path.is_empty()).then(|| PathBuf::from(OsString::from_vec(path)))
}

#[cfg(not(target_os = "linux"))]
fn first_unreadable(account: Account, _: &[PathBuf]) -> Option<PathBuf> {
    match account {}
}

fn enforced(bounds: &Bounds) -> Vec<String> {
    let mut words = Vec::new();
    let none = bounds.network == Network::None;
    let files = match bounds.sandbox.enforcement() {
        Enforcement::Enforced(abi) | Enforcement::Partly(abi) => {
            Some(format!("files:landlock-{abi}"))
        }
        Enforcement::Not(_) => None,
    };
    let has_launcher = launcher().is_some();
    let is_filtered = has_launcher && filters_calls() && (files.is_some() || none);
    let is_account = has_launcher && bounds.run_as.is_some();
    let is_confined = files.is_some() || is_filtered || is_account;
    words.extend(files);
    words.extend(is_filtered.then(|| "system-calls".to_owned()));
    words.extend(is_confined.then(|| "capabilities".to_owned()));
    words.extend((is_filtered && none).then(|| "network".to_owned()));
    if let Some(run_as) = bounds.run_as.as_ref().filter(|_| is_account) {
        words.push(format!("user:{run_as}"));
    }
    words
}
