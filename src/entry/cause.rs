//! The cause of a trouble: an error without what differs from entry to entry.
//!
//! Numbers, paths, serials, hexadecimal, times, and quoted names are taken out of an error, so that
//! `line 12: no serial` and `line 14: no serial` have one cause. A cause belongs to one converter.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::outcome::Outcome;
use super::word::ParseWordError;

/// Domain of the hashes behind the ids.
const CONTEXT: &str = "annals 2026-11 failure cause v1";
/// Bytes of an error that are looked at.
const READ_BYTES_MAX: usize = 8 << 10;
/// Bytes of a cause's text.
const TEXT_BYTES_MAX: usize = 300;
/// The longest quoted name, in characters.
const QUOTED_CHARS_MAX: usize = 200;
/// The shortest value of an entry that is taken out of its error.
const NAME_BYTES_MIN: usize = 4;
/// The shortest run of hexadecimal letters that counts as a number.
const HEX_LETTERS_MIN: usize = 8;
/// Stands for everything that was taken out.
const ANY: &str = "*";

/// The id of a [`Cause`]: ten hexadecimal digits. It depends on the converter, the kind, and the
/// text only, so it is the same in every store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CauseId([u8; 5]);

impl CauseId {
    pub(crate) const fn as_bytes(&self) -> &[u8; 5] {
        &self.0
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Display for CauseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for CauseId {
    type Err = ParseWordError;

    fn from_str(text: &str) -> Result<Self, ParseWordError> {
        let refused = || {
            ParseWordError::new(
                text,
                ["ten digits such as 3f09a1b2c4, as `annals failures` shows"],
            )
        };
        let mut bytes = [0; 5];
        if text.len() != 2 * bytes.len() || !text.is_ascii() {
            return Err(refused());
        }
        for (byte, at) in bytes.iter_mut().zip((0..).step_by(2)) {
            *byte = u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| refused())?;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for CauseId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for CauseId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// What kind of trouble a cause is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum CauseKind {
    /// The converter failed.
    Failed,
    /// The converter, or the server, refused the content.
    Rejected,
    /// The converter asked to be tried again later.
    Suspended,
    /// The converter says success, and yet its result is suspicious.
    Suspicious,
    /// The server refused the report.
    Refused,
}

impl CauseKind {
    /// Returns the stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Rejected => "rejected",
            Self::Suspended => "suspended",
            Self::Suspicious => "suspicious",
            Self::Refused => "refused",
        }
    }
}

impl fmt::Display for CauseKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Why something went wrong, in the words that all entries with this trouble have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Cause {
    /// Its id.
    #[serde(rename = "cause")]
    pub id: CauseId,
    /// What kind of trouble it is.
    pub kind: CauseKind,
    /// The error, with `*` for each part that differs from entry to entry.
    pub text: String,
}

impl Cause {
    /// Returns the cause of an error of a converter. `names` are texts that belong to one entry,
    /// such as its serial; they are taken out like numbers.
    pub fn of(converter: &str, kind: CauseKind, error: &str, names: &[&str]) -> Self {
        Self::with(converter, kind, normalised(error, names))
    }

    fn with(converter: &str, kind: CauseKind, mut text: String) -> Self {
        text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
        let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
        for part in [converter, kind.name(), &text] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        let mut id = [0; 5];
        hasher.finalize_xof().fill(&mut id);
        Self {
            id: CauseId(id),
            kind,
            text,
        }
    }
}

/// What is known of an attempt and its entry where the causes of its trouble are looked for.
pub(crate) struct Trouble<'a> {
    pub(crate) converter: &'a str,
    pub(crate) status: Outcome,
    pub(crate) error: Option<&'a str>,
    pub(crate) serial: Option<&'a str>,
    pub(crate) part: Option<&'a str>,
    pub(crate) source_name: &'a str,
}

impl Trouble<'_> {
    /// Returns the causes: of the outcome, of each suspicion, and of each refusal by a server,
    /// which is given with its HTTP status. None is returned twice. An attempt that failed because
    /// it is suspicious has its suspicions as causes.
    pub(crate) fn causes<'b>(
        &self,
        suspicious: impl Iterator<Item = &'b str>,
        refusals: impl Iterator<Item = (u16, &'b str)>,
    ) -> Vec<Cause> {
        let suspicions =
            suspicious.map(|why| Cause::of(self.converter, CauseKind::Suspicious, why, &[]));
        let mut causes: Vec<Cause> = suspicions.collect();
        let kind = match self.status {
            Outcome::Success | Outcome::Skipped => None,
            Outcome::Failed => Some(CauseKind::Failed),
            Outcome::Suspended => Some(CauseKind::Suspended),
            Outcome::Rejected => Some(CauseKind::Rejected),
        };
        let stem = self.source_name.rsplit_once('.').map(|(stem, _)| stem);
        let named = [self.serial, self.part, Some(self.source_name), stem];
        let names: Vec<&str> = named.into_iter().flatten().collect();
        if let Some(kind) = kind.filter(|_| causes.is_empty()) {
            let error = self.error.unwrap_or_default();
            causes.push(Cause::of(self.converter, kind, error, &names));
        }
        causes.extend(refusals.map(|(status, said)| {
            let words = format!("{status}: {}", normalised(said, &names));
            Cause::with(self.converter, CauseKind::Refused, words)
        }));
        let mut known = BTreeSet::new();
        causes.retain(|cause| known.insert(cause.id));
        causes
    }
}

/// Returns a text with `*` for each part that differs from entry to entry.
fn normalised(text: &str, names: &[&str]) -> String {
    let text = &text[..text.floor_char_boundary(READ_BYTES_MAX)];
    let plain = without_quoted(&without_frames(text));
    let mut out = String::with_capacity(plain.len());
    for word in plain.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        put_word(&mut out, word, names);
    }
    let merged = without_repeats(&out);
    if merged.is_empty() {
        "no reason was given".to_owned()
    } else {
        merged
    }
}

/// Leaves out the frames of tracebacks: they name lines and files, and the error follows them.
fn without_frames(text: &str) -> String {
    const PYTHON: &str = "Traceback (most recent call last):";
    let mut kept = Vec::new();
    let mut in_frames = false;
    for line in text.lines() {
        let is_indented = line.starts_with([' ', '\t']);
        if is_indented && (in_frames || line.trim_start().starts_with("at ")) {
            continue;
        }
        in_frames = false;
        match line.find(PYTHON) {
            Some(at) => {
                kept.push(&line[..at]);
                in_frames = true;
            }
            None => kept.push(line),
        }
    }
    kept.join("\n")
}

/// Replaces what stands between quotes.
fn without_quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before: Option<char> = None;
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        out.push(c);
        let closing = match c {
            '\'' | '"' | '`' => Some(c),
            '‘' => Some('’'),
            '“' => Some('”'),
            '«' => Some('»'),
            _ => None,
        };
        // An apostrophe within a word is no quote.
        let opens = before.is_none_or(|before| !before.is_alphanumeric());
        before = Some(c);
        if let Some(closing) = closing.filter(|_| opens)
            && let Some(after) = behind_quoted(rest.as_str(), closing)
        {
            out.push_str(ANY);
            out.push(closing);
            rest = after.chars();
            before = Some(closing);
        }
    }
    out
}

/// Returns what follows a quoted name of which `text` begins with the first character; `None` when
/// the quote is not closed.
fn behind_quoted(text: &str, closing: char) -> Option<&str> {
    let ends = text.char_indices().take(QUOTED_CHARS_MAX);
    for (at, c) in ends {
        if c == '\n' {
            return None;
        }
        if c == closing && at > 0 {
            let after = &text[at + c.len_utf8()..];
            let continues = after.chars().next().is_some_and(char::is_alphanumeric);
            if !continues {
                return Some(after);
            }
        }
    }
    None
}

fn put_word(out: &mut String, word: &str, names: &[&str]) {
    let is_edge = |c: char| c.is_ascii_punctuation() && !matches!(c, '/' | '\\' | '~' | '*');
    let core = word.trim_matches(is_edge);
    let begin = word.find(core).unwrap_or_default();
    if core.contains("://") || is_path(core) || is_one_of(core, names) {
        out.push_str(&word[..begin]);
        out.push_str(ANY);
        out.push_str(&word[begin + core.len()..]);
        return;
    }
    // `line=12` and `x:12` are looked at piece by piece.
    let is_border = |c: char| {
        matches!(
            c,
            '=' | ','
                | ';'
                | ':'
                | '|'
                | '('
                | ')'
                | '['
                | ']'
                | '{'
                | '}'
                | '<'
                | '>'
                | '"'
                | '\''
                | '`'
        )
    };
    let mut rest = word;
    while !rest.is_empty() {
        let border = rest.find(is_border).unwrap_or(rest.len());
        let (piece, after) = rest.split_at(border);
        put_piece(out, piece, names);
        let next = after.chars().next().map_or(0, char::len_utf8);
        out.push_str(&after[..next]);
        rest = &after[next..];
    }
}

fn put_piece(out: &mut String, piece: &str, names: &[&str]) {
    let core = piece.trim_end_matches(['.', '!', '?']);
    let end = &piece[core.len()..];
    let is_hex = core.len() >= HEX_LETTERS_MIN && core.bytes().all(|byte| byte.is_ascii_hexdigit());
    let differs = core.chars().any(char::is_numeric)
        || is_hex
        || is_path(core)
        || is_file_name(core)
        || is_address(core)
        || is_one_of(core, names);
    out.push_str(if differs { ANY } else { core });
    out.push_str(end);
}

fn is_one_of(core: &str, names: &[&str]) -> bool {
    core.len() >= NAME_BYTES_MIN && names.iter().any(|name| name.eq_ignore_ascii_case(core))
}

/// Returns true for the name of a file of data: another entry has another one.
fn is_file_name(word: &str) -> bool {
    const ENDINGS: [&str; 24] = [
        "atd", "bin", "css", "csv", "dat", "gz", "htm", "html", "js", "json", "log", "pdf", "png",
        "std", "stdf", "tar", "tdms", "tmp", "tsv", "txt", "xlsx", "xml", "xspc", "zip",
    ];
    let ending = word.rsplit_once('.').filter(|(stem, _)| !stem.is_empty());
    ending.is_some_and(|(_, ending)| {
        ENDINGS
            .iter()
            .any(|known| known.eq_ignore_ascii_case(ending))
    })
}

/// Returns true for the address of a mailbox.
fn is_address(word: &str) -> bool {
    let parts = word.split_once('@');
    parts.is_some_and(|(account, host)| !account.is_empty() && host.contains('.'))
}

/// Returns true for a word that looks like the path of a file.
fn is_path(word: &str) -> bool {
    let begins = ["/", "./", "../", "~/"]
        .iter()
        .any(|begin| word.starts_with(begin));
    let slashes = word.matches('/').count();
    let bytes = word.as_bytes();
    let has_drive = bytes.len() > 2
        && bytes[0].is_ascii_alphabetic()
        && bytes[1] == b':'
        && matches!(bytes[2], b'/' | b'\\');
    word.len() > 1 && (begins || slashes > 1 || has_drive || word.contains('\\'))
}

/// Makes one `*` of several with nothing but punctuation between them, and a singular of the plural
/// behind a number: neither three missing steps nor one make another cause.
fn without_repeats(text: &str) -> String {
    let is_between =
        |c: char| c == ' ' || matches!(c, ',' | ';' | ':' | '/' | '-' | '+' | '.' | '|');
    let mut out = String::with_capacity(text.len());
    let mut pieces = text.split(ANY);
    out.push_str(pieces.next().unwrap_or_default());
    let mut pieces = pieces.peekable();
    while let Some(piece) = pieces.next() {
        if !out.ends_with(ANY) {
            out.push_str(ANY);
        }
        let is_last = pieces.peek().is_none();
        if is_last || !piece.chars().all(is_between) {
            put_singular(&mut out, piece);
        }
    }
    out
}

/// Appends what follows a number, with the first word in the singular.
fn put_singular(out: &mut String, after: &str) {
    let Some(words) = after.strip_prefix(' ') else {
        out.push_str(after);
        return;
    };
    let end = words
        .find(|c: char| !c.is_alphabetic())
        .unwrap_or(words.len());
    let (word, rest) = words.split_at(end);
    let is_plural = word.len() > 3
        && word.ends_with('s')
        && !["ss", "us", "is"].iter().any(|end| word.ends_with(end));
    out.push(' ');
    match word.strip_suffix("ies") {
        Some(stem) if is_plural => {
            out.push_str(stem);
            out.push('y');
        }
        _ => out.push_str(&word[..word.len() - usize::from(is_plural)]),
    }
    out.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(error: &str) -> String {
        Cause::of(
            "ICT",
            CauseKind::Failed,
            error,
            &["Widget-A", "night shift.csv"],
        )
        .text
    }

    /// Ten thousand files fail for one reason, and each says so with its own line and serial.
    #[test]
    fn what_differs_from_entry_to_entry_is_taken_out() {
        for (error, cause) in [
            ("line 12: no serial", "line *: no serial"),
            ("line=12: no serial", "line=*: no serial"),
            ("no serial in /data/in/a b.csv", "no serial in *"),
            (r"cannot read C:\in\x.csv: locked", "cannot read *: locked"),
            (r"cannot read \\share\in\x.csv.", "cannot read *."),
            ("see https://wats/api?x=1 for more", "see * for more"),
            ("chunk index-DbQxYzPp.js is gone", "chunk * is gone"),
            ("no user pan@hb.io there", "no user * there"),
            ("call call_edLiisyOJybNZLouC6 failed", "call * failed"),
            (
                "json.load: CONNECTION_CLOSED 1f462de3.local:5432",
                "json.load: CONNECTION_CLOSED *",
            ),
            ("unit K2510-00012 is unknown", "unit * is unknown"),
            ("unit widget-a is unknown", "unit * is unknown"),
            ("KeyError: 'Limits'", "KeyError: '*'"),
            (
                "step \"Vin test\" has no limits",
                "step \"*\" has no limits",
            ),
            ("it can't be read, isn't it", "it can't be read, isn't it"),
            ("at 2026-03-01T08:30:00.5+01:00 or 08:31", "at * or *"),
            ("3 rows are missing: 4, 5, 6", "* row are missing: *"),
            ("1 row are missing: 4", "* row are missing: *"),
            ("7 entries, 1 status", "* entry, * status"),
            ("object 0x7ffe12 at deadbeef", "object * at *"),
            (
                "id 0b67c2a1-8f9e-4c11-9a55-0f1e2d3c4b5a is known",
                "id * is known",
            ),
            ("ratio -1.5e-3% (max 2)", "ratio * (max *)"),
            ("wrong   spacing\nand lines", "wrong spacing and lines"),
            ("input/output error", "input/output error"),
            ("", "no reason was given"),
            (" \n", "no reason was given"),
        ] {
            assert_eq!(text(error), cause, "{error}");
        }
    }

    /// The frames of a traceback change with each release of the converter, the error does not.
    #[test]
    fn of_a_traceback_only_the_error_counts() {
        let python = "exit code 1: Traceback (most recent call last):\n  File \"/x/a.py\", line 3, in <module>\n    main()\nValueError: no serial in line 7";
        assert_eq!(text(python), "exit code *: ValueError: no serial in line *");
        let java = "Exception in thread \"main\" java.lang.RuntimeException: no serial\n\tat A.main(A.java:3)\n\tat B.c(B.java:9)";
        assert_eq!(
            text(java),
            "Exception in thread \"*\" java.lang.RuntimeException: no serial"
        );
    }

    #[test]
    fn a_cause_has_a_stable_short_id_for_each_converter_and_kind() {
        let cause = Cause::of("ICT", CauseKind::Failed, "line 12: no serial", &[]);
        assert_eq!(cause.id.to_string(), "d091858daf");
        assert_eq!(cause.id.to_string().parse(), Ok(cause.id));
        let others = [
            Cause::of("FCT", CauseKind::Failed, "line 12: no serial", &[]),
            Cause::of("ICT", CauseKind::Rejected, "line 12: no serial", &[]),
            Cause::of("ICT", CauseKind::Failed, "line 12: no part", &[]),
        ];
        assert!(others.iter().all(|other| other.id != cause.id));
        for wrong in ["", "3f09", "3f09a1b2cx", "3f09a1b2c4d", "3f09a1b2ä"] {
            assert!(wrong.parse::<CauseId>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_long_error_has_a_short_cause_and_no_text_makes_it_fail() {
        for long in [
            "ä\"'`«".repeat(9000),
            "a ' b \" ".repeat(3000),
            "1,".repeat(20_000),
        ] {
            assert!(text(&long).len() <= TEXT_BYTES_MAX);
        }
    }

    #[test]
    fn each_trouble_of_an_attempt_is_a_cause() {
        let trouble = Trouble {
            converter: "ICT",
            status: Outcome::Success,
            error: None,
            serial: None,
            part: None,
            source_name: "x.csv",
        };
        let suspicious = ["1 step; entries have 77", "2 steps; entries have 70"];
        let causes = trouble.causes(suspicious.into_iter(), [(400, "no unit 7")].into_iter());
        let told: Vec<_> = causes
            .iter()
            .map(|cause| (cause.kind, cause.text.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                (CauseKind::Suspicious, "* step; entries have *"),
                (CauseKind::Refused, "400: no unit *"),
            ]
        );
    }
}
