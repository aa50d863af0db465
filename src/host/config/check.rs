//! Checks a configuration as a whole: contradictions and likely mistakes.
use std::path::Path;

use super::companions;
use super::names::overlap;
use super::read::Reader;
use super::retention;
use super::scope::Values;
use super::settings::{Config, ConverterConfig, section_of};
use crate::convert::{PostAction, Takes};

impl ConverterConfig {
    /// Returns a pattern of each converter that one file name can match, if that is obvious.
    fn overlaps<'a>(&'a self, other: &'a Self) -> Option<(&'a str, &'a str)> {
        let theirs = other.patterns();
        let pairs = self
            .patterns()
            .iter()
            .flat_map(|ours| theirs.iter().map(move |theirs| (ours, theirs)));
        pairs
            .into_iter()
            .find(|(ours, theirs)| overlap(ours, theirs))
            .map(|(ours, theirs)| (ours.as_str(), theirs.as_str()))
    }
}

impl Reader<'_> {
    pub(super) fn cross_check(
        &mut self,
        config: &mut Config,
        lines: &[usize],
        converters: &[(usize, Values)],
    ) {
        let all = &config.converters;
        let mut warnings = retention::out_of_reach(&config.retention);
        for (index, one) in all.iter().enumerate() {
            let name = &one.converter.name;
            let section = section_of(name);
            let line = |key: &str| {
                converters[index]
                    .1
                    .get(key)
                    .map_or(lines[index], |(_, line)| *line)
            };
            if all[..index]
                .iter()
                .any(|other| other.converter.name == *name)
            {
                let why = format!("there are two converters '{name}'");
                self.problem_of(line("name"), &section, "name", why);
            }
            for (key, folder) in [
                ("done_folder", &one.done_folder),
                ("error_folder", &one.error_folder),
            ] {
                let Some(folder) = folder else { continue };
                for watched in all.iter().filter_map(|other| other.watch_folder.as_ref()) {
                    if folder.starts_with(watched) {
                        self.problem_of(
                            line(key),
                            &section,
                            key,
                            format!(
                                "converter '{name}': {key} {} is inside the watched folder {}",
                                folder.display(),
                                watched.display()
                            ),
                        );
                    }
                }
            }
            match one.post_process {
                PostAction::Archive if !one.archive.archives() => self.problem_of(
                    line("post_process"),
                    &section,
                    "post_process",
                    format!(
                        "converter '{name}': post_process = \"archive\" needs archive_enabled = true and archive_source_files = true"
                    ),
                ),
                action @ (PostAction::Move | PostAction::Zip) if one.done_folder.is_none() => {
                    self.problem_of(
                        line("post_process"),
                        &section,
                        "post_process",
                        format!("converter '{name}': post_process = \"{action}\" needs a done_folder"),
                    );
                }
                PostAction::Delete if !one.archive.archives() => warnings.push(format!(
                    "converter '{name}': sources are deleted and not archived: a wrong converter loses them"
                )),
                _ => {}
            }
            if one.archive.enabled && !one.archive.source_files {
                warnings.push(format!(
                    "converter '{name}': archive_source_files = false archives nothing, because reports belong to a source"
                ));
            }
            if let Some(submit) = one.submit.as_ref().filter(|submit| submit.tells_secrets()) {
                warnings.push(format!(
                    "converter '{name}': {} is not encrypted, and what stands in submit.url or submit.headers can be read on the way",
                    submit.endpoint()
                ));
            }
            warnings.extend(companions::taken_by_others(one, all));
            for other in &all[..index] {
                if one.watch_folder.is_some()
                    && one.watch_folder == other.watch_folder
                    && (one.converter.takes == Takes::Folders)
                        == (other.converter.takes == Takes::Folders)
                    && let Some((ours, theirs)) = one.overlaps(other)
                {
                    warnings.push(format!(
                        "converters '{}' and '{name}' both take files such as {theirs} and {ours} from {}; the one with the lower priority number, then the first, gets them",
                        other.converter.name,
                        one.watch_folder.as_deref().unwrap_or(Path::new("")).display()
                    ));
                }
            }
        }
        config.warnings = warnings;
    }
}
