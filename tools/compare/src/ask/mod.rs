//! The questions. Each answer is one table and the targets that it decides.

pub(crate) mod bytes;
pub(crate) mod index;
pub(crate) mod ingest;
pub(crate) mod latency;
pub(crate) mod purge;
pub(crate) mod restore;
pub(crate) mod verify;
pub(crate) mod written;

use std::fmt;

use crate::figures::aligned;
use crate::keep::Keeper;

/// What a question came to.
pub(crate) struct Answer {
    table: Vec<Vec<String>>,
    /// What the columns or rows mean, where that is not plain.
    notes: Vec<String>,
    targets: Vec<Target>,
}

/// Something that has to hold.
pub(crate) struct Target {
    what: String,
    /// What annals came to, and what stands beside it, where a ratio alone says too little.
    annals: String,
    beside: String,
    measured: f64,
    limit: String,
    met: bool,
}

impl Target {
    /// Says which two measurements the ratio is of.
    fn of(&mut self, annals: impl Into<String>, beside: impl Into<String>) {
        self.annals = annals.into();
        self.beside = beside.into();
    }

    fn met(&self) -> &'static str {
        if self.met { "yes" } else { "**no**" }
    }
}

impl Answer {
    fn new(head: &[&str]) -> Self {
        Self {
            table: vec![head.iter().map(|&cell| cell.to_owned()).collect()],
            notes: Vec::new(),
            targets: Vec::new(),
        }
    }

    fn row<const N: usize>(&mut self, cells: [String; N]) {
        eprintln!("  {}", cells.join(" | "));
        self.table.push(cells.to_vec());
    }

    fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    fn at_least(&mut self, what: &str, measured: f64, limit: f64) -> &mut Target {
        let text = format!("at least {limit}");
        self.target(what, measured, text, measured >= limit)
    }

    fn at_most(&mut self, what: &str, measured: f64, limit: f64) -> &mut Target {
        let text = format!("at most {limit}");
        self.target(what, measured, text, measured <= limit)
    }

    fn target(&mut self, what: &str, measured: f64, limit: String, met: bool) -> &mut Target {
        self.targets.push(Target {
            what: what.to_owned(),
            annals: String::new(),
            beside: String::new(),
            measured,
            limit,
            met,
        });
        let newest = self.targets.len() - 1;
        &mut self.targets[newest]
    }

    /// The targets as rows of the verdict: cells with tabs between them.
    pub(crate) fn verdict(&self, letter: char) -> String {
        let mut rows = String::new();
        for target in &self.targets {
            let cells = [
                letter.to_string(),
                target.what.clone(),
                target.annals.clone(),
                target.beside.clone(),
                short(target.measured),
                target.limit.clone(),
                target.met().to_owned(),
            ];
            rows.push_str(&cells.join("\t"));
            rows.push('\n');
        }
        rows
    }

    /// Says who cannot be tried, and answers who can.
    fn present<'a>(&mut self, keepers: &'a [Box<dyn Keeper>]) -> Vec<&'a dyn Keeper> {
        let mut present = Vec::new();
        for keeper in keepers {
            match keeper.missing() {
                None => present.push(&**keeper),
                Some(why) => self.note(format!("skipped: {}: {why}", keeper.name())),
            }
        }
        present
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&aligned(&self.table))?;
        for note in &self.notes {
            write!(f, "\n- {note}")?;
        }
        if !self.notes.is_empty() {
            f.write_str("\n")?;
        }
        for target in &self.targets {
            let (what, measured, limit) = (&target.what, short(target.measured), &target.limit);
            write!(f, "\n- {what}: {measured}, {limit}: {}", target.met())?;
        }
        f.write_str("\n")
    }
}

/// A number with as many digits as mean something.
fn short(number: f64) -> String {
    match number.abs() {
        small if small < 10.0 => format!("{number:.2}"),
        middle if middle < 100.0 => format!("{number:.1}"),
        _ => crate::figures::count(number),
    }
}
