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
    Index,
}

impl Question {
    const ALL: [Self; 8] = [
        Self::Ingest,
        Self::Latency,
        Self::Bytes,
        Self::Restore,
        Self::Purge,
        Self::Verify,
        Self::Written,
        Self::Index,
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
            Self::Index => 'L',
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
            Self::Index => "Bytes of the index",
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
    /// Only to make the generated files, and to print their folder.
    pub(crate) only_files: bool,
    /// Where the rows of the verdict go.
    pub(crate) verdict: Option<PathBuf>,
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
            only_files: false,
            verdict: None,
        };
        while let Some(word) = words.next() {
            if word == "--quick" {
                settings.size = Size::Quick;
                continue;
            }
            if word == "--only-files" {
                settings.only_files = true;
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
                "--verdict" => settings.verdict = Some(value.into()),
                "--corpus" => settings.corpus = Some(value.into()),
                _ => return Err(format!("{word} is not known").into()),
            }
        }
        settings.dir = std::path::absolute(&settings.dir)?;
        settings.rounds = rounds.unwrap_or(settings.size.pick(3, 1)).max(1);
        settings.files = files.unwrap_or(settings.size.pick(20_000, 2_000));
        if let Some(only) = only {
            settings.questions = questions(&only)?;
        }
        Ok(settings)
    }
}

fn questions(letters: &str) -> Result<Vec<Question>> {
    let mut questions = Vec::new();
    for letter in letters.split(',') {
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
