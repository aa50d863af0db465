//! What is asked, how much of it, and where.

use std::fmt;
use std::path::PathBuf;

use crate::Result;
use crate::figures::count;

/// One table of the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Question {
    Ingest,
    Latency,
    Bytes,
    Restore,
    Purge,
    Verify,
    Written,
}

impl Question {
    const ALL: [Self; 7] = [
        Self::Ingest,
        Self::Latency,
        Self::Bytes,
        Self::Restore,
        Self::Purge,
        Self::Verify,
        Self::Written,
    ];

    pub(crate) const fn letter(self) -> char {
        match self {
            Self::Ingest => 'A',
            Self::Latency => 'B',
            Self::Bytes => 'C',
            Self::Restore => 'D',
            Self::Purge => 'E',
            Self::Verify => 'F',
            Self::Written => 'G',
        }
    }

    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Ingest => "Durable ingest",
            Self::Latency => "One caller who waits",
            Self::Bytes => "Stored bytes",
            Self::Restore => "Restore",
            Self::Purge => "Purge",
            Self::Verify => "Verify everything",
            Self::Written => "Bytes written to the device",
        }
    }
}

/// How much is measured. The quick size proves that everything works; its numbers say little.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    Quick,
    Full,
}

impl Size {
    /// `full`, or what it shrinks to.
    pub(crate) fn pick(self, full: usize, quick: usize) -> usize {
        match self {
            Self::Full => full,
            Self::Quick => quick,
        }
    }
}

/// Everything the command line says.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) size: Size,
    pub(crate) questions: Vec<Question>,
    pub(crate) rounds: usize,
    pub(crate) files: usize,
    pub(crate) seed: u64,
    pub(crate) dir: PathBuf,
    pub(crate) corpus: Option<PathBuf>,
    /// A folder on a device that nobody else writes to.
    pub(crate) alone: Option<PathBuf>,
}

impl Settings {
    pub(crate) fn parse(words: impl IntoIterator<Item = String>) -> Result<Self> {
        let mut words = words.into_iter();
        let (mut only, mut rounds, mut files) = (None, None, None);
        let mut settings = Self {
            size: Size::Full,
            questions: Question::ALL.to_vec(),
            rounds: 0,
            files: 0,
            seed: 2,
            dir: PathBuf::from("target/compare"),
            corpus: None,
            alone: None,
        };
        while let Some(word) = words.next() {
            if word == "--quick" {
                settings.size = Size::Quick;
                continue;
            }
            let value = words.next().ok_or(format!("{word} needs a value"))?;
            match word.as_str() {
                "--only" => only = Some(value),
                "--rounds" => rounds = Some(value.parse()?),
                "--files" => files = Some(value.parse()?),
                "--seed" => settings.seed = value.parse()?,
                "--dir" => settings.dir = value.into(),
                "--alone" => settings.alone = Some(value.into()),
                "--corpus" => settings.corpus = Some(value.into()),
                _ => return Err(format!("{word} is not known").into()),
            }
        }
        settings.dir = std::path::absolute(&settings.dir)?;
        settings.rounds = rounds.unwrap_or(settings.size.pick(5, 2)).max(1);
        settings.files = files.unwrap_or(settings.size.pick(20_000, 2_000));
        if let Some(only) = only {
            settings.questions = questions(&only)?;
        }
        Ok(settings)
    }
}

/// H is measured by another program, so it is no mistake here.
fn questions(letters: &str) -> Result<Vec<Question>> {
    let mut questions = Vec::new();
    for letter in letters.split(',').filter(|letter| *letter != "H") {
        let question = Question::ALL
            .into_iter()
            .find(|question| letter.eq_ignore_ascii_case(&question.letter().to_string()))
            .ok_or(format!("there is no question {letter}"))?;
        questions.push(question);
    }
    Ok(questions)
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} generated files, seed {}, medians of {} rounds in turns{}.",
            count(self.files as f64),
            self.seed,
            self.rounds,
            match self.size {
                Size::Full => "",
                Size::Quick => "; QUICK: a proof that it works, no measurement",
            }
        )
    }
}
