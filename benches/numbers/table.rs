//! The printed result: what was measured, what lies beside it, and what it has to be.

pub(crate) use crate::figures::{count, median, mib, ms, percentile, seconds};

use crate::figures::aligned;

/// What was measured, what lies beside it, and what it has to be.
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) ours: String,
    pub(crate) beside: String,
    pub(crate) ratio: String,
    pub(crate) target: Target,
}

/// What a number has to be.
pub(crate) enum Target {
    /// Stated by nobody; shown for context.
    None,
    /// Stated, and met or not.
    Stated(String, bool),
}

impl Target {
    /// At most `limit`, in the unit of `what`.
    pub(crate) fn at_most(value: f64, limit: f64, what: &str) -> Self {
        Self::Stated(format!("<= {limit} {what}"), value <= limit)
    }

    /// At least `limit`, in the unit of `what`.
    pub(crate) fn at_least(value: f64, limit: f64, what: &str) -> Self {
        Self::Stated(format!(">= {limit} {what}"), value >= limit)
    }
}

/// A Markdown table that grows row by row.
#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
}

impl Table {
    pub(crate) fn push(&mut self, row: Row) {
        eprintln!("  {}: {}", row.what, row.ours);
        self.rows.push(row);
    }

    /// A number with nothing beside it.
    pub(crate) fn plain(&mut self, what: impl Into<String>, ours: String, target: Target) {
        self.push(Row {
            what: what.into(),
            ours,
            beside: String::new(),
            ratio: String::new(),
            target,
        });
    }

    /// The table as text, columns aligned.
    pub(crate) fn render(&self) -> String {
        let head = [
            "what",
            "annals",
            "beside it, same run",
            "ratio",
            "target",
            "met",
        ];
        let mut lines = vec![head.map(str::to_owned).to_vec()];
        for row in &self.rows {
            let (target, met) = match &row.target {
                Target::None => (String::new(), String::new()),
                Target::Stated(text, met) => {
                    (text.clone(), if *met { "yes" } else { "NO" }.to_owned())
                }
            };
            lines.push(vec![
                row.what.clone(),
                row.ours.clone(),
                row.beside.clone(),
                row.ratio.clone(),
                target,
                met,
            ]);
        }
        aligned(&lines)
    }
}
