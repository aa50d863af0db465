//! The answers to the questions, and the configuration that follows from them.

use std::path::{Path, PathBuf};

use crate::convert::missing_program;
use crate::entry::Retention;
use crate::host::Config;
use crate::service::words::{parse_retention, path_text};
use crate::{Error, ErrorKind, Result};

/// The converter to begin with. It is written where the default is taken.
pub(super) const STARTER: &str = "convert.sh";
/// What it says.
pub(super) const STARTER_TEXT: &str = r#"# Converts one file: reads "$1", prints one JSON object, and exits with 0.
# Whatever it prints to standard error is the reason of a failure. Make it yours.
lines=$(wc -l < "$1") || exit 1
printf '{"file":"%s","lines":%d}\n' "$(basename "$ANNALS_NAME" | tr -d '"\\')" "$lines"
"#;

/// The questions, in the order in which they are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    Folder,
    Pattern,
    Converter,
    Reports,
    Keep,
}

impl Question {
    pub(super) const ALL: [Self; 5] = [
        Self::Folder,
        Self::Pattern,
        Self::Converter,
        Self::Reports,
        Self::Keep,
    ];

    /// Returns the flag that answers it.
    pub(super) fn flag(self) -> &'static str {
        match self {
            Self::Folder => "--folder",
            Self::Pattern => "--pattern",
            Self::Converter => "--converter",
            Self::Reports => "--reports",
            Self::Keep => "--keep",
        }
    }

    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Folder => "Which folder is watched?",
            Self::Pattern => "Which files in it are taken?",
            Self::Converter => "Which command converts a file?",
            Self::Reports => "Where do reports go: store, or a URL?",
            Self::Keep => "How long are they kept?",
        }
    }

    pub(super) fn default(self) -> &'static str {
        match self {
            Self::Folder => "in",
            Self::Pattern => "*.csv",
            Self::Converter => "sh convert.sh {input}",
            Self::Reports => "store",
            Self::Keep => "forever",
        }
    }
}

/// One answer for each question, and what is known before.
#[derive(Debug, Clone)]
pub(super) struct Answers {
    /// The configuration to write.
    pub(super) file: PathBuf,
    /// The folder that it lies in.
    pub(super) dir: PathBuf,
    pub(super) store: PathBuf,
    texts: [String; 5],
}

impl Answers {
    /// Returns the defaults.
    pub(super) fn new(file: PathBuf, dir: PathBuf, store: PathBuf) -> Self {
        Self {
            file,
            dir,
            store,
            texts: Question::ALL.map(|question| question.default().to_owned()),
        }
    }

    fn text(&self, question: Question) -> &str {
        &self.texts[question as usize]
    }

    /// Takes an answer if the configuration is valid with it.
    pub(super) fn take(&mut self, question: Question, answer: &str) -> Result<()> {
        let mut with = self.clone();
        answer.trim().clone_into(&mut with.texts[question as usize]);
        with.check(question)?;
        *self = with;
        Ok(())
    }

    /// Checks one answer, as `host check` would.
    fn check(&self, question: Question) -> Result<()> {
        let wrong = |why: String| Error::new(ErrorKind::Invalid, why);
        let text = self.text(question);
        match question {
            Question::Folder => {
                let folder = self.watch_folder();
                if folder.exists() && !folder.is_dir() {
                    return Err(wrong(format!("{} is no folder", folder.display())));
                }
            }
            Question::Pattern => {
                if self.patterns().is_empty() {
                    return Err(wrong("a pattern is needed, such as *.csv".to_owned()));
                }
            }
            Question::Converter => {
                let words = self.command().map_err(wrong)?;
                if words.is_empty() {
                    return Err(wrong("a command is needed".to_owned()));
                }
            }
            Question::Reports => {
                let is_url = text.starts_with("http://") || text.starts_with("https://");
                if text != "store" && !is_url {
                    return Err(wrong(format!(
                        "'{text}' is neither store nor a URL such as https://wats.example/api/Report"
                    )));
                }
            }
            Question::Keep => {
                parse_retention(text).map_err(|why| wrong(format!("'{text}': {why}")))?;
            }
        }
        let config = self.config()?;
        config.check_folders(Some(&self.store))?;
        if question == Question::Converter {
            self.check_program(&config)?;
        }
        Ok(())
    }

    /// Refuses a converter whose program or script is not there.
    fn check_program(&self, config: &Config) -> Result<()> {
        let Some(config) = config.converters.first() else {
            return Ok(());
        };
        if let Some(why) = missing_program(&config.converter) {
            return Err(
                Error::new(ErrorKind::Invalid, why).hint("install it, or name it with its path")
            );
        }
        let words = self.command().unwrap_or_default();
        let missing = words.iter().skip(1).find(|word| {
            let is_script = Path::new(word).extension().is_some() && !word.contains('{');
            is_script
                && !word.starts_with('-')
                && !self.is_starter(word)
                && !self.dir.join(word).exists()
        });
        match missing {
            None => Ok(()),
            Some(word) => {
                let path = self.dir.join(word);
                let why = format!("there is no {}", path.display());
                Err(Error::new(ErrorKind::Invalid, why)
                    .hint("paths are relative to the configuration's folder"))
            }
        }
    }

    fn is_starter(&self, word: &str) -> bool {
        word == STARTER && self.text(Question::Converter) == Question::Converter.default()
    }

    /// Returns true when the starter converter is wanted and not there yet.
    pub(super) fn needs_starter(&self) -> bool {
        self.is_starter(STARTER) && !self.dir.join(STARTER).exists()
    }

    pub(super) fn watch_folder(&self) -> PathBuf {
        self.dir.join(self.text(Question::Folder))
    }

    fn patterns(&self) -> Vec<&str> {
        let text = self.text(Question::Pattern);
        let parts = text.split([' ', ',']).filter(|part| !part.is_empty());
        parts.collect()
    }

    /// Returns the words of the command, with the file at the end if nothing stands for it.
    fn command(&self) -> Result<Vec<String>, String> {
        let mut words = words_of(self.text(Question::Converter))?;
        if !words.is_empty() && !words.iter().skip(1).any(|word| word.contains("{input}")) {
            words.push("{input}".to_owned());
        }
        Ok(words)
    }

    /// Returns the configuration as it is checked before anything is written.
    pub(super) fn config(&self) -> Result<Config> {
        Ok(Config::parse(&self.toml()?, &self.file)?)
    }

    /// Returns the text of the configuration.
    pub(super) fn toml(&self) -> Result<String> {
        let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
        let list = |texts: &[&str]| {
            let texts: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
            format!("[{}]", texts.join(", "))
        };
        let command = self
            .command()
            .map_err(|why| Error::new(ErrorKind::Invalid, why))?;
        let bundle: Vec<&str> = command
            .iter()
            .map(String::as_str)
            .filter(|word| self.is_starter(word) || self.is_bundled(word))
            .collect();
        let folder = self.watch_folder();
        let name = folder.file_name().map(|name| name.to_string_lossy());
        let name = name.filter(|name| name != "in").unwrap_or("Tester".into());
        let command_words: Vec<&str> = command.iter().map(String::as_str).collect();
        let keep = match parse_retention(self.text(Question::Keep)) {
            Ok(Retention::Period { days, years }) => {
                format!(
                    "retention_days = {}\nretention_years = {years}",
                    days.max(1)
                )
            }
            _ => "retention_days = \"forever\"".to_owned(),
        };
        let submit = match self.text(Question::Reports) {
            "store" => String::new(),
            url => format!(
                "\n[converter.submit]\nurl = {}\n\
                 # headers = {{ Authorization = \"Basic ${{WATS_TOKEN}}\" }}\n",
                quoted(url)
            ),
        };
        Ok(format!(
            "# Written by annals host init. `annals config schema` lists every key; paths are relative to\n\
             # this file.\n\
             [store]\npath = {store}\n\n\
             [host]\n\
             max_concurrent = 4                 # conversions at a time\n\
             # listen = \"127.0.0.1:7878\"        # the web page, /healthz and /metrics\n\n\
             [[converter]]\nname = {name}\n\
             watch_folder = {folder}\npatterns = {patterns}\n\
             # recursive = true                 # take files in subfolders too\n\
             command = {command}\n\
             bundle = {bundle}                # archived with each version, so that it can run again\n\
             archive_enabled = true\n{keep}\n\
             post_process = \"keep\"              # \"archive\": remove a file once the store has it\n\
             # error_folder = \"error\"           # for files that failed; without it they stay\n{submit}",
            store = quoted(&self.relative(&self.store)),
            name = quoted(&name),
            folder = quoted(&self.relative(&folder)),
            patterns = list(&self.patterns()),
            command = list(&command_words),
            bundle = list(&bundle),
        ))
    }

    /// Returns true for a word of the command that is a file in the configuration's folder.
    fn is_bundled(&self, word: &str) -> bool {
        let path = self.dir.join(word);
        path.is_file() && path.strip_prefix(&self.dir).is_ok() && !word.contains("..")
    }

    /// Returns a path relative to the configuration's folder, if it lies in it.
    fn relative(&self, path: &Path) -> String {
        let inside = path.strip_prefix(&self.dir).unwrap_or(path);
        if inside == Path::new("") {
            return ".".to_owned();
        }
        path_text(inside)
    }
}

/// Splits a command into its words. Quotes keep spaces, as in a shell.
fn words_of(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in text.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => word.get_or_insert_default().push(c),
            None if c == '"' || c == '\'' => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            None if c.is_whitespace() => words.extend(word.take()),
            None => word.get_or_insert_default().push(c),
        }
    }
    if quote.is_some() {
        return Err(format!("a quotation mark in {text} is not closed"));
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_split_as_in_a_shell() {
        let words = words_of(r#"python3  "my conv.py" --x='a b' {input}"#).expect("closed");
        assert_eq!(words, ["python3", "my conv.py", "--x=a b", "{input}"]);
        assert!(words_of("sh 'a").is_err());
    }

    /// Each answer is checked when it is given, and a wrong one is not taken.
    #[test]
    fn a_wrong_answer_is_told_and_not_taken() {
        let dir = tempfile::tempdir().expect("folder");
        let at = |name: &str| dir.path().join(name);
        let mut answers = Answers::new(at("host.toml"), dir.path().to_owned(), at("store"));
        std::fs::write(at("file"), "x").expect("written");
        for (question, wrong, told) in [
            (Question::Folder, "file", "is no folder"),
            (Question::Folder, ".", "watch folder"),
            (Question::Folder, "store/in", "the store"),
            (Question::Pattern, "", "a pattern is needed"),
            (Question::Pattern, "[", "is no pattern"),
            (Question::Converter, "python9000 a.py", "python9000"),
            (Question::Converter, "sh missing.sh", "missing.sh"),
            (Question::Reports, "ftp://x", "neither store nor a URL"),
            (Question::Keep, "10", "such as 90d"),
        ] {
            let error = answers.take(question, wrong).expect_err(wrong);
            assert!(error.to_string().contains(told), "{wrong}: {error}");
        }
        for (question, right) in [
            (Question::Pattern, "*.csv *.log"),
            (Question::Reports, "https://wats.example/api"),
            (Question::Keep, "10y"),
        ] {
            answers.take(question, right).expect(right);
        }
        let text = answers.toml().expect("a configuration");
        for part in [
            "[\"*.csv\", \"*.log\"]",
            "https://wats",
            "retention_years = 10",
        ] {
            assert!(text.contains(part), "{text}");
        }
    }
}
