//! Every number the project promises, measured side by side in one run, printed as Markdown tables.
//!
//! `cargo bench --bench numbers` runs all of it; `cargo bench --bench numbers -- one many` only the
//! parts named. Parts: `one`, `many`, `read`, `ask`, `open`, `crash`, `rebuild`, `memory`.
//! `ANNALS_BENCH_DIR` names the folder to work in, which must be on the disk to be measured;
//! default is `target/`. What is compared runs in turns, and medians are shown.

mod bare;
mod callers;
mod figures;
mod million;
mod put;
mod reading;
mod table;

#[path = "../../src/demo/plant/mod.rs"]
#[allow(dead_code, reason = "only the endless plant is asked for files here")]
mod plant;

use std::path::{Path, PathBuf};

use crate::table::Table;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// How often each measurement is repeated.
const ROUNDS: usize = 5;
/// Threads of the bare loop: the machine the targets are stated for has two cores.
const THREADS: usize = 2;
const FILES: usize = 20_000;

fn main() -> Result<()> {
    // Cargo adds flags of its own; without `--bench` this is a test run of all targets, and no time
    // for minutes of work.
    let (flags, words): (Vec<String>, Vec<String>) = std::env::args()
        .skip(1)
        .partition(|word| word.starts_with("--"));
    if words.is_empty() && !flags.iter().any(|flag| flag == "--bench") {
        return Ok(());
    }
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["hold", store, files] => million::hold(Path::new(store), Path::new(files)),
        ["die", store, files] => million::die(Path::new(store), Path::new(files)),
        _ => measure(&words),
    }
}

fn measure(parts: &[String]) -> Result<()> {
    let dir = match std::env::var_os("ANNALS_BENCH_DIR") {
        Some(dir) => PathBuf::from(dir),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("target"),
    }
    .join("bench-numbers");
    std::fs::create_dir_all(&dir)?;
    let wanted = |part: &str| parts.is_empty() || parts.iter().any(|named| named == part);
    let mut table = Table::default();
    let mut questions = Table::default();
    let files_dir = dir.join("files");
    let files = if ["many", "flight", "read", "crash", "memory"]
        .into_iter()
        .any(wanted)
    {
        ict_files(&files_dir)?
    } else {
        Vec::new()
    };
    if wanted("one") {
        callers::one(&dir, &mut table)?;
    }
    if wanted("many") || wanted("read") {
        let store = callers::many(&dir, &files, &mut table)?;
        reading::back(&store, &files, &mut table)?;
    }
    if wanted("flight") {
        callers::in_flight(&dir, &files, &mut table)?;
    }
    if ["ask", "open", "crash", "rebuild", "memory"]
        .into_iter()
        .any(wanted)
    {
        let store = million::store(&dir)?;
        if wanted("open") {
            million::open(&store, &mut table)?;
        }
        if wanted("crash") {
            million::crash(&store, &dir, &files_dir, &mut table)?;
        }
        if wanted("ask") {
            million::ask(&store, &mut questions)?;
        }
        if wanted("rebuild") {
            million::rebuild(&store, &mut table)?;
        }
        if wanted("memory") {
            million::memory(&store, &dir, &files_dir, &mut table)?;
        }
    }
    println!("{}", table.render());
    if wanted("ask") {
        let entries = table::count(*million::ENTRIES as f64);
        println!("Over {entries} entries:\n\n{}", questions.render());
    }
    Ok(())
}

/// An empty folder.
fn fresh_dir(path: &Path) -> Result<PathBuf> {
    if path.exists() {
        std::fs::remove_dir_all(path)?;
    }
    std::fs::create_dir_all(path)?;
    Ok(path.to_owned())
}

/// The source files, written once.
fn ict_files(dir: &Path) -> Result<Vec<PathBuf>> {
    std::fs::create_dir_all(dir)?;
    for nth in 0..FILES {
        let path = dir.join(format!("{nth:06}.csv"));
        if !path.exists() {
            std::fs::write(path, plant::ict_file(2, nth))?;
        }
    }
    listed(dir)
}

/// The files in a folder, by name.
fn listed(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut files = std::fs::read_dir(dir)?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?;
    files.sort();
    Ok(files)
}
