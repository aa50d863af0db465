//! annals beside what else could keep the same files: one run, in turns, one Markdown table for
//! each question.
//!
//! Started by `tools/compare/run`, which installs the programs it compares with. Tables go to
//! stdout, progress to stderr.

mod ask;
#[path = "../../../benches/numbers/bare.rs"]
mod bare;
#[path = "../../../benches/numbers/figures.rs"]
mod figures;
mod files;
mod keep;
mod measure;
#[path = "../../../src/demo/plant/mod.rs"]
#[allow(dead_code, reason = "only the endless plant is asked for files here")]
mod plant;
#[path = "../../../benches/numbers/put.rs"]
mod put;
mod reports;
mod settings;

use crate::ask::Answer;
use crate::files::Set;
use crate::reports::Format;
use crate::settings::{Question, Settings};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Threads of the bare loop and of the peers that compress outside of their store: the targets are
/// stated for two cores.
const THREADS: usize = 2;

fn main() -> Result<()> {
    let settings = Settings::parse(std::env::args().skip(1))?;
    std::fs::create_dir_all(&settings.dir)?;
    if settings.only_files {
        let set = Set::generated(&settings.dir, Format::Csv, settings.seed, settings.files)?;
        println!("{}", set.root.display());
        return Ok(());
    }
    println!("{settings}\n");
    let mut verdict = String::new();
    for question in &settings.questions {
        eprintln!("{} {}", question.letter(), question.title());
        let answers = ask(*question, &settings)?;
        println!("### {}. {}\n", question.letter(), question.title());
        for answer in answers {
            println!("{answer}");
            verdict.push_str(&answer.verdict(question.letter()));
        }
    }
    if let Some(file) = &settings.verdict {
        std::fs::write(file, verdict)?;
    }
    Ok(())
}

fn ask(question: Question, settings: &Settings) -> Result<Vec<Answer>> {
    Ok(vec![match question {
        Question::Ingest => ask::ingest::answer(settings)?,
        Question::Latency => ask::latency::answer(settings)?,
        Question::Bytes => ask::bytes::answer(settings)?,
        Question::Restore => ask::restore::answer(settings)?,
        Question::Purge => ask::purge::answer(settings)?,
        Question::Verify => ask::verify::answer(settings)?,
        Question::Written => ask::written::answer(settings)?,
        Question::Index => ask::index::answer(settings)?,
    }])
}
