//! The printed result: Markdown tables, and the few statistics they need.

use std::fmt::Write as _;
use std::time::Duration;

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
        let mut lines = vec![head.map(str::to_owned)];
        for row in &self.rows {
            let (target, met) = match &row.target {
                Target::None => (String::new(), String::new()),
                Target::Stated(text, met) => {
                    (text.clone(), if *met { "yes" } else { "NO" }.to_owned())
                }
            };
            lines.push([
                row.what.clone(),
                row.ours.clone(),
                row.beside.clone(),
                row.ratio.clone(),
                target,
                met,
            ]);
        }
        let mut widths = [0; 6];
        for line in &lines {
            for (width, cell) in widths.iter_mut().zip(line) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let mut text = String::new();
        for (nth, line) in lines.iter().enumerate() {
            for (width, cell) in widths.iter().zip(line) {
                let _ = write!(text, "| {cell:width$} ");
            }
            text.push_str("|\n");
            if nth == 0 {
                for width in widths {
                    let _ = write!(text, "|{}", "-".repeat(width + 2));
                }
                text.push_str("|\n");
            }
        }
        text
    }
}

/// The value in the middle.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    percentile(values, 50)
}

/// The value that `percent` of all are at or below.
pub(crate) fn percentile(values: &mut [f64], percent: usize) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let at = (values.len() * percent / 100).min(values.len().saturating_sub(1));
    values.get(at).copied().unwrap_or(f64::NAN)
}

/// Milliseconds, with as many digits as mean something.
pub(crate) fn ms(seconds: f64) -> String {
    match seconds * 1e3 {
        small if small < 1.0 => format!("{small:.3} ms"),
        middle if middle < 100.0 => format!("{middle:.2} ms"),
        large => format!("{large:.0} ms"),
    }
}

/// `time` in seconds.
pub(crate) fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}

/// A count with thousands set apart.
pub(crate) fn count(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (nth, digit) in digits.chars().enumerate() {
        if nth > 0 && (digits.len() - nth).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes in MiB.
pub(crate) fn mib(bytes: f64) -> String {
    format!("{:.1} MiB", bytes / f64::from(1 << 20))
}
