//! Writes what the answers lead to: store, folder, converter, configuration and unit file.

use std::fs;
use std::path::{Path, PathBuf};

use super::answers::{Answers, STARTER, STARTER_TEXT};
use super::ask::fill;
use super::unit::{Places, unit};
use crate::archive::Archive;
use crate::cli::commands::host::arguments::{Check, Init};
use crate::cli::commands::host::check::{check, runs_as_root};
use crate::cli::commands::init::make_signed;
use crate::cli::commands::prove::write_new;
use crate::cli::render::{escape, path_text};
use crate::cli::run::{Context, Exit, Failure};
use crate::cli::store::keys::OwnFolders;
use crate::service::words::in_shell;
use crate::{Error, ErrorKind};

/// The name of the unit file.
const UNIT: &str = "annals.service";

pub(in crate::cli::commands::host) fn init(
    args: Init,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let file = context.path(&args.file);
    let dir = file.parent().unwrap_or(Path::new("/")).to_owned();
    let unit_file = dir.join(UNIT);
    refuse_to_replace(&[&file, &unit_file])?;
    let store = match &context.globals.store {
        Some(store) => context.path(store),
        None => dir.join("store"),
    };
    let mut answers = Answers::new(file.clone(), dir.clone(), store);
    fill(&mut answers, &args, context)?;

    // All of it was checked. What is made here may be there already, and each file is new.
    let text = answers.toml()?;
    let watched = answers.watch_folder();
    for folder in [&dir, &watched] {
        fs::create_dir_all(folder)
            .map_err(|error| Failure::plain(Error::io("create", folder, error)))?;
    }
    let mut made = Vec::new();
    if !Archive::is_store(&answers.store) {
        make_signed(&answers.store, context)?;
        made.push(answers.store.clone());
    }
    if answers.needs_starter() {
        write_new(&dir.join(STARTER), STARTER_TEXT)?;
        made.push(dir.join(STARTER));
    }
    let program =
        std::env::current_exe().unwrap_or_else(|_| PathBuf::from("/usr/local/bin/annals"));
    let is_root = runs_as_root();
    let account = context.caller_env().account();
    // Those of root are of no use to the account that the service runs as.
    let own = OwnFolders::of(context.caller_env()).filter(|_| !is_root);
    let unit = unit(&Places {
        account: (!is_root).then_some(&account),
        program: &program,
        config: &file,
        written: [&answers.store, &watched],
        own: own.as_ref(),
    });
    write_new(&unit_file, &unit)?;
    // The configuration comes last: where it is, all that it needs is there.
    write_new(&file, &text)?;
    let unit_path = unit_file.clone();
    made.extend([unit_file, file]);

    for path in made {
        context.note(format_args!("wrote {}", escape(&path_text(&path))));
    }
    let checked = check(
        &Check {
            file: args.file.clone(),
        },
        context,
    )?;
    let name = path_text(&args.file);
    let shown = in_shell(&name);
    let watched = path_text(&watched);
    context.note(format_args!(
        "next: put a file into {} and run `annals host run {shown} --once`",
        escape(&watched)
    ));
    if is_root {
        context.warn(
            "as root the store and its key are root's, and a service should run as an account of \
             its own: make one (`useradd --system --create-home annals`), and run this as that \
             account before you enable the unit",
        );
    }
    let unit = path_text(&unit_path);
    context.note(format_args!(
        "as a service: copy {} to /etc/systemd/system/, then `systemctl enable --now annals`",
        escape(&unit)
    ));
    Ok(checked)
}

fn refuse_to_replace(files: &[&Path]) -> Result<(), Failure> {
    let there = files.iter().find(|file| file.symlink_metadata().is_ok());
    there.map_or(Ok(()), |file| {
        let told = format!("{} is there already, and is not replaced", file.display());
        Err(Error::new(ErrorKind::Refused, told)
            .hint("name another file, or move that one away")
            .into())
    })
}
