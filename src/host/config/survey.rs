//! Looks at this machine for a configuration: what it lacks, and what is probably not meant.

use std::fs;
use std::path::Path;

use super::settings::{Config, ConverterConfig, Origin, Setting, Subfolders, section_of};
use crate::convert::{Mode, PostAction, Sandbox, Takes};

impl Config {
    /// Lists what this machine lacks for the configuration to work: folders and bundle files that
    /// do not exist.
    pub fn survey(&self) -> Vec<String> {
        let mut missing = self.unmet_bounds();
        for config in &self.converters {
            let name = &config.converter.name;
            if let Some(folder) = &config.watch_folder
                && !folder.is_dir()
            {
                missing.push(format!(
                    "converter '{name}': watch_folder {} is not there",
                    folder.display()
                ));
            }
            if let Sandbox::Enforce { read, write } = &config.converter.bounds.sandbox {
                for path in read.iter().chain(write).filter(|path| !path.exists()) {
                    missing.push(format!(
                        "converter '{name}': {}, which its sandbox is to open, is not there",
                        path.display()
                    ));
                }
            }
            for file in &config.converter.bundle {
                let path = config.converter.dir.join(file);
                if !path.is_file() {
                    missing.push(format!(
                        "converter '{name}': bundle file {} is not there",
                        path.display()
                    ));
                }
            }
        }
        missing
    }

    /// Lists what is allowed and probably not meant, in the configuration and on this machine.
    pub fn doubts(&self) -> Vec<String> {
        if self.converters.is_empty() {
            let why = "there is no [[converter]]: nothing is watched, archived or converted";
            return vec![why.to_owned()];
        }
        let mut doubts = Vec::new();
        for config in &self.converters {
            let name = &config.converter.name;
            let mut add = |why: String| doubts.push(format!("converter '{name}': {why}"));
            if !config.archive.enabled && !self.states(name, "archive_enabled") {
                add(
                    "nothing is archived: add archive_enabled = true, or archive_enabled = false \
                     if that is meant"
                        .to_owned(),
                );
            }
            if config.converter.mode == Mode::Worker
                && config
                    .converter
                    .command
                    .iter()
                    .any(|word| word.contains("{input}"))
            {
                add(
                    "mode = \"worker\" reads requests from its standard input, and {input} in \
                     its command stands for no file: take it out, or set mode = \"oneshot\""
                        .to_owned(),
                );
            }
            for word in missing_scripts(config) {
                add(format!(
                    "its command names {word}, which is not in {}",
                    config.converter.dir.display()
                ));
            }
            if let Some(why) = config.missing_secret() {
                add(why);
            }
            for (key, folder) in config.written_folders() {
                if let Some(at) = unwritable(folder) {
                    add(format!(
                        "{key} {} is to be written, and this account may not write to {}",
                        folder.display(),
                        at.display()
                    ));
                }
            }
            if let Some((number, first)) = config.unread_subfolders() {
                let folders = if number == 1 {
                    "subfolder"
                } else {
                    "subfolders"
                };
                add(format!(
                    "watch_folder has {number} {folders}, such as {first}, which are not read: \
                     set recursive = true to read them"
                ));
            }
        }
        doubts
    }

    /// Returns true when the file says the value of a converter's key.
    fn states(&self, converter: &str, key: &str) -> bool {
        let section = section_of(converter);
        let is_it = |setting: &&Setting| setting.section == section && setting.key == key;
        let setting = self.settings().iter().find(is_it);
        setting.is_some_and(|setting| setting.origin != Origin::BuiltIn)
    }
}

impl ConverterConfig {
    /// Returns why the secrets that its arguments and its server need are not there.
    fn missing_secret(&self) -> Option<String> {
        let dir = &self.converter.dir;
        if let Err(missing) = self.converter.arguments.reveal(dir) {
            return Some(format!("arguments: {missing}"));
        }
        let missing = self.submit.as_ref()?.reveal().err()?;
        Some(format!("submit: {missing}"))
    }

    /// Returns the folders that the host writes into, with their keys.
    fn written_folders(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        let clears = self.post_process != PostAction::Keep || self.error_folder.is_some();
        let watched = self.watch_folder.as_deref().filter(|_| clears);
        let done = self
            .done_folder
            .as_deref()
            .filter(|_| matches!(self.post_process, PostAction::Move | PostAction::Zip));
        [
            ("watch_folder", watched.filter(|folder| folder.is_dir())),
            ("done_folder", done),
            ("error_folder", self.error_folder.as_deref()),
        ]
        .into_iter()
        .filter_map(|(key, folder)| Some((key, folder?)))
    }

    /// Counts the subfolders that are passed over though their files may be meant. Returns their
    /// number and the first name.
    fn unread_subfolders(&self) -> Option<(usize, String)> {
        if self.converter.takes != Takes::Files || self.subfolders == Subfolders::Read {
            return None;
        }
        let items = fs::read_dir(self.watch_folder.as_deref()?).ok()?.flatten();
        let mut names: Vec<String> = items
            .filter(|item| item.file_type().is_ok_and(|kind| kind.is_dir()))
            .map(|item| item.file_name().to_string_lossy().into_owned())
            .filter(|name| self.names.reads_folder(name))
            .collect();
        names.sort();
        let number = names.len();
        names.into_iter().next().map(|first| (number, first))
    }
}

/// Endings of files that interpreters run.
const SCRIPTS: &[&str] = &[
    ".bat", ".cjs", ".cmd", ".jar", ".js", ".lua", ".mjs", ".php", ".pl", ".ps1", ".py", ".r",
    ".rb", ".sh", ".ts", ".vbs",
];

/// Returns the words after the program of a command that name a script beside the configuration
/// that is not there.
fn missing_scripts(config: &ConverterConfig) -> impl Iterator<Item = &str> {
    let converter = &config.converter;
    let words = converter.command.iter().skip(1).map(String::as_str);
    words.filter(|word| {
        let lower = word.to_lowercase();
        let is_script = SCRIPTS.iter().any(|ending| lower.ends_with(ending));
        let is_plain = !word.contains(['{', ' ']) && !word.starts_with('-');
        // What the bundle lacks is told as missing.
        let is_bundled = converter.bundle.iter().any(|file| file == word);
        is_script && is_plain && !is_bundled && !converter.dir.join(word).exists()
    })
}

/// Returns the folder that keeps this account from writing into `folder`: itself, or the one that
/// it would be made in.
#[cfg(unix)]
fn unwritable(folder: &Path) -> Option<&Path> {
    use rustix::fs::{Access, access};
    let there = folder.ancestors().find(|folder| folder.exists())?;
    let may_write = access(there, Access::WRITE_OK | Access::EXEC_OK).is_ok();
    (!may_write).then_some(there)
}

#[cfg(not(unix))]
fn unwritable(folder: &Path) -> Option<&Path> {
    let there = folder.ancestors().find(|folder| folder.exists())?;
    let is_readonly = there
        .metadata()
        .is_ok_and(|found| found.permissions().readonly());
    is_readonly.then_some(there)
}
