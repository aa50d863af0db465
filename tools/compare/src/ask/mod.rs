//! The questions. Each answer is one table and the targets that it decides.

pub(crate) mod bytes;
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
struct Target {
    what: String,
    measured: String,
    met: bool,
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

    fn at_least(&mut self, what: &str, measured: f64, limit: f64) {
        self.target(
            what,
            measured,
            format!("at least {limit}"),
            measured >= limit,
        );
    }

    fn at_most(&mut self, what: &str, measured: f64, limit: f64) {
        self.target(
            what,
            measured,
            format!("at most {limit}"),
            measured <= limit,
        );
    }

    fn target(&mut self, what: &str, measured: f64, limit: String, met: bool) {
        self.targets.push(Target {
            what: format!("{what}, {limit}"),
            measured: format!("{measured:.3}"),
            met,
        });
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
        for Target {
            what,
            measured,
            met,
        } in &self.targets
        {
            let met = if *met { "met" } else { "**not met**" };
            write!(f, "\n- {what}: {measured}, {met}")?;
        }
        f.write_str("\n")
    }
}
