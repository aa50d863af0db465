//! Reads what a host needs from its configuration before it starts.

use std::path::Path;

use crate::cli::render::{counted, path_text};
use crate::cli::run::Context;
use crate::cli::store;
use crate::host::{Config, ConverterConfig};
use crate::service::status::Watch;

fn watched(config: &Config) -> impl Iterator<Item = &Path> {
    config
        .converters
        .iter()
        .filter_map(|converter| converter.watch_folder.as_deref())
}

/// Selects `file` and its store for the host.
///
/// Returns a remark for each other name that was given and is ignored.
pub(super) fn follow_file(file: &Path, config: &Config, context: &mut Context<'_>) -> Vec<String> {
    let given = context.globals.config.replace(file.to_owned());
    let ignored = given.filter(|given| given != file).map(|given| {
        format!(
            "--config names {}, which is ignored: the host follows {}",
            given.display(),
            file.display()
        )
    });
    let caller_env = context.caller_env().clone();
    let store = store::follow_file(&mut context.globals, &caller_env, config);
    ignored.into_iter().chain(store).collect()
}

/// Describes what the host watches: `watching 3 folders`.
pub(super) fn watching(config: &Config) -> String {
    let folders = watched(config).count() as u64;
    format!("watching {}", counted(folders, "folder", "folders"))
}

pub(super) fn watches(config: &Config) -> Vec<Watch> {
    let watched = |converter: &ConverterConfig| {
        Some(Watch {
            converter: converter.converter.name.clone(),
            folder: path_text(converter.watch_folder.as_deref()?),
        })
    };
    config.converters.iter().filter_map(watched).collect()
}
