//! `annals host check`: checks a configuration, and that the folders and files it names exist.

use std::path::Path;

use serde::Serialize;

use super::arguments::Check;
use super::configuration::follow_file;
use crate::ErrorKind;
use crate::archive::Archive;
use crate::cli::render::{Cell, Column, Table, escape, path_text};
use crate::cli::run::{Context, Exit, Failure};
use crate::cli::store;
use crate::convert::{Companions, Mode, Network, Sandbox, missing_program};
use crate::host::{Config, ConverterConfig, Subfolders, Submit};
use crate::service::words::in_shell;

#[cfg(unix)]
pub(super) fn runs_as_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[cfg(not(unix))]
pub(super) fn runs_as_root() -> bool {
    false
}

#[derive(Serialize)]
struct Checked<'a> {
    ok: bool,
    path: String,
    store: Option<String>,
    converters: Vec<CheckedConverter<'a>>,
    warnings: &'a [String],
    missing: &'a [String],
}

#[derive(Serialize)]
struct CheckedConverter<'a> {
    name: &'a str,
    version: Option<&'a str>,
    watch_folder: Option<String>,
    patterns: &'a [String],
    recursive: bool,
    /// The file that marks a folder as complete; set for converters that take folders.
    complete_marker: Option<&'a str>,
    /// Patterns of the companions that belong to a file.
    companions: Vec<&'a str>,
    mode: &'static str,
    max_concurrent: usize,
    /// Set for workers only.
    worker_idle_s: Option<f64>,
    post_process: &'static str,
    archives: bool,
    retention: String,
    sandbox: String,
    /// The sandbox rules in force, which each attempt is recorded with.
    enforced: Vec<String>,
    submits_to: Option<String>,
}

/// Said to root.
const AS_ROOT: &str = "as root the host and its converters without a sandbox may do everything: \
                       give it a user of its own";

pub(super) fn check(args: &Check, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let config = store::load(&args.file)?;
    let mut warnings = follow_file(&args.file, &config, context);
    let are_others = |config: &ConverterConfig| config.converter.bounds.run_as.is_some();
    if runs_as_root() && !config.converters.iter().all(are_others) {
        warnings.push(AS_ROOT.to_owned());
    }
    warnings.extend(config.warnings.iter().cloned());
    warnings.extend(config.doubts());
    let mut missing = config.survey();
    missing.extend(config.converters.iter().filter_map(|config| {
        let why = missing_program(&config.converter)?;
        Some(format!("converter '{}': {why}", config.converter.name))
    }));
    let archives = config
        .converters
        .iter()
        .any(|converter| converter.archive.archives() && converter.archive.folder.is_none());
    let shared = match context.locate() {
        Ok(dir) => Some(dir),
        Err(error) if error.kind() == ErrorKind::NoStore => None,
        Err(error) => return Err(error.into()),
    };
    let own = config
        .converters
        .iter()
        .filter_map(|converter| converter.archive.folder.as_deref());
    config.check_folders(shared.as_deref().map(|dir| context.path(dir)).as_deref())?;
    for dir in shared.as_deref().into_iter().chain(own) {
        match Archive::id_of(dir) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NoStore => {
                let named = path_text(dir);
                let named = in_shell(&named);
                missing.push(format!(
                    "{} is no store yet: make it with `annals init {named}`",
                    dir.display()
                ));
            }
            Err(error) => missing.push(error.message().to_owned()),
        }
    }
    if archives && shared.is_none() {
        missing.push("no store is named, and some converters archive: set store.path".to_owned());
    }
    if context.json() {
        context.print_json(&Checked {
            ok: missing.is_empty(),
            path: path_text(&config.path),
            store: shared.as_deref().map(path_text),
            converters: config.converters.iter().map(checked).collect(),
            warnings: &warnings,
            missing: &missing,
        })?;
    } else {
        let text = check_page(&config, shared.as_deref(), context);
        context.print(text)?;
        for remark in warnings.iter().chain(&missing) {
            context.warn(remark);
        }
    }
    Ok(if missing.is_empty() {
        Exit::Done
    } else {
        Exit::Failed
    })
}

fn checked(config: &ConverterConfig) -> CheckedConverter<'_> {
    CheckedConverter {
        name: &config.converter.name,
        version: config.converter.version.as_deref(),
        watch_folder: config.watch_folder.as_deref().map(path_text),
        patterns: config.patterns(),
        recursive: config.subfolders == Subfolders::Read,
        complete_marker: config.complete_marker.as_deref(),
        companions: config
            .companions()
            .into_iter()
            .flat_map(Companions::patterns)
            .collect(),
        mode: config.converter.mode.name(),
        max_concurrent: config.max_concurrent,
        worker_idle_s: (config.converter.mode == Mode::Worker)
            .then_some(config.worker_idle.as_secs_f64()),
        post_process: config.post_process.name(),
        archives: config.archive.archives(),
        retention: config.archive.retention.to_string(),
        sandbox: config.converter.bounds.sandbox.enforcement().to_string(),
        enforced: config.converter.bounds.enforced(),
        submits_to: config.submit.as_ref().map(Submit::endpoint),
    }
}

/// Describes what a converter takes: `*.csv *.log`, or `unit* with COMPLETE.marker`.
pub(super) fn taken(config: &ConverterConfig) -> String {
    let patterns = config.patterns().join(" ");
    if let Some(companions) = config.companions() {
        let companions: Vec<&str> = companions.patterns().collect();
        return format!("{patterns} with {}", companions.join(" "));
    }
    match &config.complete_marker {
        Some(marker) => format!("{patterns} with {marker}"),
        None => patterns,
    }
}

fn check_page(config: &Config, shared: Option<&Path>, context: &Context<'_>) -> String {
    let columns = [
        Column::clipped("CONVERTER"),
        Column::left("VERSION"),
        Column::clipped("WATCHES").kept(),
        Column::clipped("TAKES"),
        Column::left("MODE").dropped(1),
        Column::right("AT A TIME").dropped(2),
        Column::left("AFTERWARDS"),
        Column::left("KEPT"),
    ];
    // Paths are shown relative to the configuration's folder.
    let from_here = |path: &Path| {
        let inside = path.strip_prefix(&config.dir).unwrap_or(path);
        path_text(inside)
    };
    let rows: Vec<_> = config
        .converters
        .iter()
        .map(|converter| {
            let retention = converter.archive.retention.to_string();
            vec![
                Cell::new(&converter.converter.name),
                Cell::maybe(converter.converter.version.as_deref()),
                Cell::maybe(converter.watch_folder.as_deref().map(|folder| {
                    match converter.subfolders {
                        Subfolders::Read => format!("{}/**", from_here(folder)),
                        _ => from_here(folder),
                    }
                })),
                Cell::new(taken(converter)),
                Cell::new(converter.converter.mode.name()),
                Cell::new(converter.max_concurrent.to_string()),
                Cell::new(converter.post_process.name()),
                Cell::maybe(converter.archive.archives().then_some(retention)),
            ]
        })
        .collect();
    let mut text = Table::new(&columns, context.canvas()).page(&rows);
    if let Some(store) = shared {
        let line = format!("store: {}\n", escape(&from_here(store)));
        text += &line;
    }
    for converter in &config.converters {
        let sandbox = &converter.converter.bounds.sandbox;
        if *sandbox != Sandbox::Off {
            let name = escape(&converter.converter.name);
            let line = format!("sandbox of {name}: {}\n", sandbox.enforcement());
            text += &line;
        }
        let bounds = &converter.converter.bounds;
        if bounds.network == Network::None || bounds.run_as.is_some() {
            let name = escape(&converter.converter.name);
            let held = bounds.enforced().join(" ");
            let line = format!("enforced on {name}: {}\n", escape(&held));
            text += &line;
        }
    }
    text
}
