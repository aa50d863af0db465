//! Lists the keys of the configuration in one table, for reading, checking and documentation.

use std::fmt::Write as _;
use std::net::SocketAddr;

use toml::de::DeValue;

pub(in crate::host) use crate::convert::suggest;
use crate::entry::{Meta, ReportPath};

/// One key of the configuration.
#[derive(Debug)]
pub(in crate::host) struct Key {
    /// `store`, `evidence`, `privacy`, `host`, `converter` or `retention`.
    pub(in crate::host) section: &'static str,
    /// The name; it contains a dot for a key of an inner table.
    pub(in crate::host) name: &'static str,
    pub(in crate::host) kind: Kind,
    /// The default, as it would be written in the file.
    pub(in crate::host) default: Option<&'static str>,
    /// Whether the key is allowed in `[defaults]`.
    pub(super) inherited: Inherited,
    pub(in crate::host) about: &'static str,
}

/// Whether a converter inherits a key from `[defaults]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::host) enum Inherited {
    Yes,
    No,
}

/// The kind of value that a key takes.
#[derive(Debug, Clone, Copy)]
pub(in crate::host) enum Kind {
    Text,
    Words(&'static [&'static str]),
    Flag,
    Whole(i64, i64),
    Number(f64, f64),
    /// A number in a range, or 0.
    NumberOrZero(f64, f64),
    Texts,
    /// One text or a list of texts.
    TextOrTexts,
    /// A table of texts; numbers and booleans are taken as they are spelled.
    TextMap,
    /// Whole days in a range, or `"forever"`.
    Days(i64, i64),
    Address,
    Url,
    /// `true`, `false`, `"always"`, or the place of something in a report.
    Expected,
    /// A place in a report, or an empty text.
    ReportPath,
}

/// A value that was checked against its key.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::host) enum Value {
    Text(String),
    Flag(bool),
    Whole(i64),
    Number(f64),
    Texts(Vec<String>),
    TextMap(Meta),
    Forever,
}

impl Key {
    /// Returns what the number of the key counts, which its name ends with.
    pub(super) fn unit(&self) -> Option<&'static str> {
        let units = [
            ("_s", "s"),
            ("_h", "h"),
            ("_days", "days"),
            ("_years", "years"),
            ("_mb", "MiB"),
            ("_gb", "GiB"),
            ("_percent", "%"),
            ("bytes_min", "bytes"),
        ];
        self.kind.range()?;
        let found = units.into_iter().find(|(end, _)| self.name.ends_with(end));
        found.map(|(_, unit)| unit)
    }

    /// Returns true for keys that only the file itself changes: those that decide which programs
    /// run and with which rights, and who may look. A visitor's session must not reach so far.
    pub(super) fn is_by_hand(&self) -> bool {
        BY_HAND.contains(&(self.section, self.name))
    }
}

/// What only the file itself changes.
const BY_HAND: &[(&str, &str)] = &[
    ("store", "path"),
    ("evidence", "key_file"),
    ("evidence", "publish"),
    ("evidence", "timestamp_url"),
    ("evidence", "record_access"),
    ("privacy", "personal"),
    ("host", "listen"),
    ("host", "listen_names"),
    ("host", "listen_openly"),
    ("host", "tls_certificate"),
    ("host", "tls_key"),
    ("host", "token_file"),
    ("converter", "name"),
    ("converter", "command"),
    ("converter", "bundle"),
    ("converter", "secret_arguments"),
    ("converter", "sandbox"),
    ("converter", "read_paths"),
    ("converter", "write_paths"),
    ("converter", "network"),
    ("converter", "run_as"),
    ("converter", "submit.url"),
    ("converter", "submit.headers"),
];

use Inherited::{No, Yes};

const fn key(
    section: &'static str,
    name: &'static str,
    kind: Kind,
    default: Option<&'static str>,
    inherited: Inherited,
    about: &'static str,
) -> Key {
    Key {
        section,
        name,
        kind,
        default,
        inherited,
        about,
    }
}

#[rustfmt::skip]
pub(super) const KEYS: &[Key] = &[
    key("store", "path", Kind::Text, None, No, "the store; relative to the configuration's folder"),
    key("evidence", "key_file", Kind::Text, None, No, "the file of the key that signs the log; without it the one of the account, if it has one"),
    key("evidence", "publish", Kind::Text, None, No, "a file on a share or another disk that every checkpoint is appended to"),
    key("evidence", "timestamp_url", Kind::Url, None, No, "a time-stamp server (RFC 3161) that is asked for a stamp over new checkpoints, at most every hour"),
    key("evidence", "record_access", Kind::Flag, Some("false"), No, "cat, restore and export --with-blobs record whose contents they hand out, where to and for whom"),
    key("privacy", "personal", Kind::Texts, Some("[]"), No, "fields whose values can be erased: actor, source_path, source_name, key, serial, part, station, process, error, meta.NAME, arguments.NAME; a host declares them in its stores"),
    key("host", "listen", Kind::Address, None, No, "where the web page, the HTTP API, /healthz and /metrics are answered; without it nowhere"),
    key("host", "listen_names", Kind::Texts, Some("[]"), No, "names beside its addresses and its own that the host is asked by, as they stand in a URL"),
    key("host", "listen_openly", Kind::Flag, Some("false"), No, "listen may be an address that other machines reach, without TLS: only /healthz and /metrics are answered there"),
    key("host", "tls_certificate", Kind::Text, None, No, "the file of a certificate chain as PEM, with which listen may be an address that other machines reach"),
    key("host", "tls_key", Kind::Text, None, No, "the file of its key as PEM"),
    key("host", "token_file", Kind::Text, None, No, "the file of the token that programs send, such as Prometheus; made if it is missing; without it the token is another one at each start"),
    key("host", "max_concurrent", Kind::Whole(1, 64), Some("4"), No, "conversions at a time, of all converters"),
    key("host", "worker_idle_s", Kind::Number(0.0, 604_800.0), Some("300"), No, "seconds a worker process is kept without work, for converters that do not say it themselves; 0: it ends with its conversion"),
    key("host", "min_free_disk_gb", Kind::Number(0.0, 10_000.0), Some("1.0"), No, "GiB; with less on the store's disk no files are taken"),
    key("host", "scan_every_s", Kind::Number(0.1, 3_600.0), Some("1"), No, "seconds between two looks into the watch folders; more for network shares"),
    key("host", "stop_within_s", Kind::Number(0.0, 3_600.0), Some("20"), No, "seconds that running conversions get to end when the host is told to stop"),
    key("host", "retention_every_h", Kind::Number(0.0, 8_760.0), Some("1"), No, "hours between two purges of what may go; 0: never"),
    key("host", "retention_grace_days", Kind::Number(0.0, 3_650.0), Some("0"), No, "days that a purge by the host can be undone; 0: it is final at once"),
    key("host", "retention_ask_above_percent", Kind::Whole(1, 100), Some("20"), No, "a purge of 100 entries or more, and of more than this share of a store's entries or bytes, waits for a person; 100: none does"),
    key("host", "retention_ask_after_days", Kind::Whole(0, 3_650), Some("30"), No, "days without an event before the host started after which its first purges wait; 0: they never do"),
    key("host", "retention_wait_h", Kind::Number(0.0, 8_760.0), Some("24"), No, "hours that they wait, unless a person purges before"),
    key("host", "log", Kind::Words(&["text", "json"]), Some("\"text\""), No, "what the log on standard error looks like"),
    key("converter", "name", Kind::Text, None, No, "required; entries are archived for this name"),
    key("converter", "version", Kind::Text, None, No, "what it claims to be; never its identity"),
    key("converter", "command", Kind::Texts, None, No, "required; program and arguments, no shell, {input} is the source"),
    key("converter", "bundle", Kind::Texts, Some("[]"), No, "its files below the configuration's folder, archived by content"),
    key("converter", "environment", Kind::Text, None, Yes, "what it runs on; asked of the program with --version when not given"),
    key("converter", "mode", Kind::Words(&["oneshot", "worker"]), Some("\"oneshot\""), Yes, "a process for each conversion, or a long-lived one"),
    key("converter", "worker_idle_s", Kind::Number(0.0, 604_800.0), None, Yes, "seconds its worker processes are kept without work; as in [host] when not given; 0: they end with their conversion"),
    key("converter", "max_concurrent", Kind::Whole(1, 64), None, Yes, "conversions of this converter at a time, at most those of [host], which is also the default"),
    key("converter", "order", Kind::Words(&["free", "serial"]), Some("\"free\""), Yes, "serial: files of one serial number are converted one after the other, in the order they were archived"),
    key("converter", "serial_in_name", Kind::Text, Some("\"\""), Yes, "where a file name has the serial, such as \"{serial}_*.csv\"; a file that does not tell it is converted alone"),
    key("converter", "timeout_s", Kind::Number(0.1, 86_400.0), Some("120"), Yes, "seconds one conversion may take"),
    key("converter", "memory_mb", Kind::Whole(16, 1_048_576), Some("4096"), Yes, "MiB of memory each of its processes may have for itself"),
    key("converter", "file_size_mb", Kind::Whole(1, 1_048_576), Some("1024"), Yes, "MiB of the longest file it may write"),
    key("converter", "sandbox", Kind::Words(&["off", "enforce"]), Some("\"off\""), Yes, "enforce: it reads its bundle and the source and writes its temporary folder, and nothing else"),
    key("converter", "read_paths", Kind::Texts, Some("[]"), Yes, "what it may also read in its sandbox: an interpreter, limits, a share"),
    key("converter", "write_paths", Kind::Texts, Some("[]"), Yes, "what it may also write in its sandbox"),
    key("converter", "network", Kind::Words(&["allowed", "none"]), Some("\"allowed\""), Yes, "none: it opens no socket; needs sandbox = \"enforce\", and it is not started where that cannot be enforced"),
    key("converter", "run_as", Kind::Text, Some("\"\""), Yes, "user or user:group, each a name or a number, that it runs as; empty: as the host does; needs a host that runs as root"),
    key("converter", "arguments", Kind::TextMap, Some("{}"), No, "given to the converter; secret ones may be ${VAR}, ${file:PATH} or ${credential:NAME}"),
    key("converter", "secret_arguments", Kind::Texts, Some("[]"), Yes, "names of arguments never recorded in clear"),
    key("converter", "compare.ignore", Kind::Texts, Some("[]"), Yes, "places in reports that may differ when runs are compared, such as \"/id\", \"/steps/*/id\" or \"*/uuid\" (at any depth)"),
    key("converter", "compare.tolerance", Kind::TextMap, Some("{}"), Yes, "by how much numbers may differ, by place: 1e-9 or \"0.5%\""),
    key("converter", "compare.keys", Kind::TextMap, Some("{}"), Yes, "the member that tells the items of a list apart, by place of the list: \"/steps\" = \"name\"; then their order does not count"),
    key("converter", "promotion", Kind::Words(&["free", "gated"]), Some("\"free\""), Yes, "gated: changed files, command or environment convert live files only once they are promoted; until then those before do, from the archive"),
    key("converter", "gate.over", Kind::Text, Some("\"\""), Yes, "for promotion = \"gated\": how far back the entries lie over which the host itself tests a change, such as \"90d\", or \"all\"; empty: it does not"),
    key("converter", "gate.sample", Kind::Whole(1, 1_000_000), Some("200"), Yes, "how many of these entries it tries, every class among them"),
    key("converter", "watch_folder", Kind::Text, None, No, "where files appear; without it the converter is only run by hand"),
    key("converter", "patterns", Kind::Texts, Some("[\"*\"]"), Yes, "file names taken, in any letter case"),
    key("converter", "ignore", Kind::Texts, Some("[]"), Yes, "file names not taken, besides hidden ones and those of unfinished transfers such as *.part"),
    key("converter", "follow_symlinks", Kind::Flag, Some("false"), Yes, "take a link for the file it leads to; only the link is cleared away"),
    key("converter", "recursive", Kind::Flag, Some("false"), Yes, "take files in subfolders too; done and error folders get the same subfolders"),
    key("converter", "complete_marker", Kind::Text, Some("\"\""), Yes, "name of the file that says that a folder is complete: such folders are taken, and no files; empty: files are"),
    key("converter", "companions", Kind::Texts, Some("[]"), Yes, "what belongs to a file beside it, such as \"{stem}/\" and \"{stem}.*\": archived, converted and cleared away with it"),
    key("converter", "companions_required", Kind::Texts, Some("[]"), Yes, "those of companions without which a file is not complete"),
    key("converter", "priority", Kind::Whole(1, 10), Some("5"), Yes, "1 first .. 10 last"),
    key("converter", "settle_s", Kind::Number(0.0, 3_600.0), Some("2"), Yes, "seconds a file must stay the same before it is taken"),
    key("converter", "empty_after_s", Kind::Number(0.0, 604_800.0), Some("600"), Yes, "seconds an empty file must stay empty before it is taken"),
    key("converter", "wait_for_writers", Kind::Flag, Some("true"), Yes, "a file that a program of this machine has open for writing is not taken yet, where Linux tells"),
    key("converter", "post_process", Kind::Words(&["delete", "move", "zip", "keep", "archive"]), Some("\"keep\""), Yes, "what becomes of a converted file"),
    key("converter", "done_folder", Kind::Text, Some("\"\""), Yes, "for move and zip; no watch folder or store, nor in one or around one"),
    key("converter", "error_folder", Kind::Text, Some("\"\""), Yes, "for files that failed; empty: they stay"),
    key("converter", "retry.max_attempts", Kind::Whole(1, 100), Some("1"), Yes, "attempts before a failure is final"),
    key("converter", "retry.delay_s", Kind::Number(0.0, 86_400.0), Some("60"), Yes, "seconds between attempts"),
    key("converter", "expect.serial", Kind::Expected, Some("true"), Yes, "a result has a serial number: true: where the attempt before or nearly all others have one; always; or here in the report"),
    key("converter", "expect.part", Kind::Expected, Some("true"), Yes, "a result has a part number, as for expect.serial"),
    key("converter", "expect.values", Kind::Flag, Some("true"), Yes, "a result has measured values where the attempt before or nearly all others have them"),
    key("converter", "expect.steps", Kind::ReportPath, Some("\"\""), Yes, "where the steps of a report are; empty: the list with the most objects"),
    key("converter", "expect.steps_min", Kind::Whole(0, 1_000_000_000), None, Yes, "fewest steps of a result"),
    key("converter", "expect.steps_of_siblings", Kind::Number(0.0, 1.0), Some("0.5"), Yes, "the part of the steps of the attempt before and of others that a result has at least; 0: not compared"),
    key("converter", "expect.report_bytes_min", Kind::Whole(0, 1_000_000_000), None, Yes, "fewest bytes of a report; 200 when not given, where the attempt before or nearly all others have as many"),
    key("converter", "on_suspicious", Kind::Words(&["warn", "keep", "fail"]), Some("\"warn\""), Yes, "what becomes of a result that is not as expected: warn: flagged; keep: and the source is kept; fail: the attempt fails"),
    key("converter", "archive_enabled", Kind::Flag, Some("false"), Yes, "archive at all"),
    key("converter", "archive_required", Kind::Flag, Some("true"), Yes, "a file that cannot be archived waits; false: it is converted and kept"),
    key("converter", "archive_source_files", Kind::Flag, Some("true"), Yes, "archive what is converted; without it nothing is archived"),
    key("converter", "archive_output_reports", Kind::Flag, Some("true"), Yes, "archive the reports too"),
    key("converter", "archive_folder", Kind::Text, Some("\"\""), Yes, "a store of its own; empty: the shared store"),
    key("converter", "retention_days", Kind::Days(1, 3650), Some("90"), Yes, "days entries are kept"),
    key("converter", "retention_years", Kind::Whole(0, 100), Some("0"), Yes, "calendar years added to the days"),
    key("converter", "max_archive_size_gb", Kind::NumberOrZero(0.1, 1_000.0), Some("10.0"), Yes, "GiB on disk of the converter's sources and reports before the oldest may go, where the file states it; 0: any size"),
    key("converter", "max_archive_count", Kind::Whole(0, 1_000_000_000), Some("0"), Yes, "entries before the oldest may go; 0: any number"),
    key("converter", "archive_max_mb", Kind::Whole(0, 1_000_000), Some("0"), Yes, "MiB; of a larger source only facts and hashes are kept; 0: any size is archived"),
    key("converter", "delete_facts_only", Kind::Flag, Some("false"), Yes, "post_process may also remove a source of which only facts are kept"),
    key("converter", "compression_level", Kind::Whole(1, 9), Some("6"), Yes, "1 fast .. 9 small"),
    key("converter", "submit.url", Kind::Url, None, Yes, "where reports are sent"),
    key("converter", "submit.headers", Kind::TextMap, Some("{}"), Yes, "sent along; values may hold ${VAR}, ${file:PATH} or ${credential:NAME}"),
    key("converter", "submit.relation", Kind::Words(&["header", "none"]), Some("\"header\""), Yes, "header: a report that corrects an earlier one names it in Annals-Corrects"),
    key("converter", "submit.timeout_s", Kind::Number(0.1, 3_600.0), Some("30"), Yes, "seconds one submission may take"),
    key("retention", "name", Kind::Text, None, No, "required; recorded with everything that the class takes"),
    key("retention", "converter", Kind::TextOrTexts, None, No, "entries of any of these converters"),
    key("retention", "status", Kind::TextOrTexts, None, No, "entries of any of these statuses"),
    key("retention", "label", Kind::TextOrTexts, None, No, "entries with all of these labels"),
    key("retention", "meta", Kind::TextMap, None, No, "entries with all of this metadata"),
    key("retention", "serial", Kind::Text, None, No, "entries with this serial number"),
    key("retention", "part", Kind::Text, None, No, "entries with this part number"),
    key("retention", "station", Kind::Text, None, No, "entries of this test station"),
    key("retention", "process", Kind::Text, None, No, "entries of this test process"),
    key("retention", "file", Kind::Text, None, No, "entries with such a file name; * and ? stand for any text and any character"),
    key("retention", "keep", Kind::Text, None, No, "how long, such as 90d, 18mo or 2y; forever; or recorded: as was recorded with each entry. Or a table of the three keys below"),
    key("retention", "keep.sources", Kind::Text, None, No, "how long sources are kept; for ever when not given"),
    key("retention", "keep.reports", Kind::Text, None, No, "how long reports are kept; for ever when not given"),
    key("retention", "keep.superseded", Kind::Text, None, No, "how long reports are kept once a later attempt replaced them; as other reports when not given"),
    key("retention", "from", Kind::Text, Some("\"archived\""), No, "what keep counts from: archived, source_time, last_attempt, reported, or label:NAME for what a label or metadata tells"),
    key("retention", "until", Kind::Words(&["end_of_day", "end_of_month", "end_of_year"]), None, No, "what is due goes at the end of that day, month or year"),
    key("retention", "zone", Kind::Text, Some("\"UTC\""), No, "the time zone of days, months and years, such as Europe/Berlin"),
    key("retention", "max_size", Kind::Text, None, No, "bytes on disk before the oldest of the class may go, such as 500GB, whatever keep says"),
    key("retention", "max_count", Kind::Whole(1, 1_000_000_000), None, No, "entries before the oldest of the class may go, whatever keep says"),
    key("retention", "min_free_disk", Kind::Text, None, No, "the oldest of the class may go while less than this is free on the store's disk, whatever keep says"),
];

pub(in crate::host) fn find(section: &str, name: &str) -> Option<&'static Key> {
    KEYS.iter()
        .find(|key| key.section == section && key.name == name)
}

impl Kind {
    /// Describes the allowed values in words.
    pub(in crate::host) fn words(self) -> String {
        match self {
            Self::Text => "a text".to_owned(),
            Self::Words(words) => format!("one of {}", words.join(", ")),
            Self::Flag => "true or false".to_owned(),
            Self::Whole(min, max) => format!("a whole number from {min} to {max}"),
            Self::Number(min, max) => format!("a number from {min} to {max}"),
            Self::NumberOrZero(min, max) => format!("0, or a number from {min} to {max}"),
            Self::Texts => "a list of texts".to_owned(),
            Self::TextOrTexts => "a text or a list of texts".to_owned(),
            Self::TextMap => "a table of texts".to_owned(),
            Self::Days(min, max) => format!("a whole number from {min} to {max}, or \"forever\""),
            Self::Address => "an address and port such as \"127.0.0.1:7878\"".to_owned(),
            Self::Url => "a URL that begins with http:// or https://".to_owned(),
            Self::Expected => "true, false, \"always\", or a place such as \"/sn\"".to_owned(),
            Self::ReportPath => "a place such as \"/steps\" or \"/groups/*/steps\"".to_owned(),
        }
    }

    /// Returns the name of the kind, for forms.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Words(_) => "choice",
            Self::Flag => "flag",
            Self::Whole(..) => "whole",
            Self::Number(..) => "number",
            Self::NumberOrZero(..) => "number_or_zero",
            Self::Texts | Self::TextOrTexts => "list",
            Self::TextMap => "table",
            Self::Days(..) => "days",
            Self::Address => "address",
            Self::Url => "url",
            Self::Expected => "expected",
            Self::ReportPath => "place",
        }
    }

    /// Returns the smallest and the largest number, for kinds that are numbers.
    #[expect(
        clippy::cast_precision_loss,
        reason = "no key's range goes beyond what is exact"
    )]
    pub(super) const fn range(self) -> Option<(f64, f64)> {
        match self {
            Self::Whole(min, max) | Self::Days(min, max) => Some((min as f64, max as f64)),
            Self::Number(min, max) | Self::NumberOrZero(min, max) => Some((min, max)),
            _ => None,
        }
    }

    /// Parses a value. The error says what the value is instead.
    pub(in crate::host) fn read(self, value: &DeValue<'_>) -> Result<Value, String> {
        let whole = || {
            let integer = value.as_integer()?;
            i64::from_str_radix(integer.as_str(), integer.radix()).ok()
        };
        let number = || {
            let float = value
                .as_float()
                .and_then(|float| float.as_str().parse().ok());
            float.or_else(|| i32::try_from(whole()?).ok().map(f64::from))
        };
        let text = || value.as_str().map(str::to_owned);
        let read = match self {
            Self::Text => text().map(Value::Text),
            Self::Words(words) => text()
                .filter(|text| words.contains(&text.as_str()))
                .map(Value::Text),
            Self::Flag => value.as_bool().map(Value::Flag),
            Self::Whole(min, max) => whole()
                .filter(|number| (min..=max).contains(number))
                .map(Value::Whole),
            Self::Days(min, max) => match value.as_str() {
                Some("forever") => Some(Value::Forever),
                _ => whole()
                    .filter(|number| (min..=max).contains(number))
                    .map(Value::Whole),
            },
            Self::NumberOrZero(min, max) => number()
                .filter(|number| *number == 0.0 || (min..=max).contains(number))
                .map(Value::Number),
            Self::Number(min, max) => number()
                .filter(|number| (min..=max).contains(number))
                .map(Value::Number),
            Self::Texts => texts(value).map(Value::Texts),
            Self::TextOrTexts => match text() {
                Some(text) => Some(Value::Texts(vec![text])),
                None => texts(value).map(Value::Texts),
            },
            Self::TextMap => value
                .as_table()
                .and_then(|table| {
                    table
                        .iter()
                        .map(|(name, value)| {
                            let text = scalar(value.get_ref())?;
                            Some((name.get_ref().to_string(), text))
                        })
                        .collect::<Option<Meta>>()
                })
                .map(Value::TextMap),
            Self::Address => text()
                .filter(|text| text.parse::<SocketAddr>().is_ok())
                .map(Value::Text),
            Self::Url => text().filter(|text| is_url(text)).map(Value::Text),
            Self::Expected => match value.as_bool() {
                Some(flag) => Some(Value::Flag(flag)),
                None => text()
                    .filter(|text| text == "always" || text.parse::<ReportPath>().is_ok())
                    .map(Value::Text),
            },
            Self::ReportPath => text()
                .filter(|text| text.is_empty() || text.parse::<ReportPath>().is_ok())
                .map(Value::Text),
        };
        read.ok_or_else(|| {
            if self.may_hold_secrets() {
                described(value)
            } else {
                spelled(value)
            }
        })
    }

    /// Returns true for values that may hold passwords and tokens, also when their form is wrong.
    pub(super) fn may_hold_secrets(self) -> bool {
        matches!(self, Self::Url | Self::TextMap)
    }
}

fn texts(value: &DeValue<'_>) -> Option<Vec<String>> {
    let items = value.as_array()?.iter();
    items
        .map(|item| item.get_ref().as_str().map(str::to_owned))
        .collect()
}

/// Describes the type of a value without showing the value.
fn described(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => match text.split_once("://") {
            Some((scheme, _)) if scheme.chars().all(|c| c.is_ascii_alphanumeric()) => {
                format!("one that begins with {scheme}://")
            }
            _ => "the text that stands there".to_owned(),
        },
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table that does not fit".to_owned(),
        other => other.type_str().to_owned(),
    }
}

fn is_url(text: &str) -> bool {
    let rest = text
        .strip_prefix("http://")
        .or_else(|| text.strip_prefix("https://"));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
        && !text.chars().any(|c| c.is_control() || c.is_whitespace())
}

fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Float(number) => Some(number.to_string()),
        DeValue::Boolean(flag) => Some(flag.to_string()),
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    }
}

/// Returns a value as it stands in the file, or its type if it is no simple value.
fn spelled(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) if text.chars().count() > 60 => "a long text".to_owned(),
        DeValue::String(text) => format!("{text:?}"),
        DeValue::Array(_) => "a list that does not fit".to_owned(),
        DeValue::Table(_) => "a table that does not fit".to_owned(),
        other => scalar(other).unwrap_or_else(|| other.type_str().to_owned()),
    }
}

impl Value {
    /// Returns the value as it would be written in the file.
    pub(super) fn to_toml(&self) -> String {
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        match self {
            Self::Text(text) => quoted(text),
            Self::Flag(flag) => flag.to_string(),
            Self::Whole(number) => number.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Texts(texts) => {
                let texts: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
                format!("[{}]", texts.join(", "))
            }
            Self::TextMap(map) if map.is_empty() => "{}".to_owned(),
            Self::TextMap(map) => {
                let pairs: Vec<String> = map
                    .iter()
                    .map(|(name, value)| format!("{} = {}", quoted(name), quoted(value)))
                    .collect();
                format!("{{ {} }}", pairs.join(", "))
            }
            Self::Forever => quoted("forever"),
        }
    }
}

/// Returns the table of keys as Markdown.
pub(super) fn markdown() -> String {
    let mut out = String::new();
    let sections = [
        ("store", "[store]"),
        ("evidence", "[evidence]"),
        ("privacy", "[privacy]"),
        ("host", "[host]"),
        ("converter", "[[converter]]"),
        ("retention", "[[retention]]"),
    ];
    for (section, title) in sections {
        let _ = writeln!(
            out,
            "## {title}\n\n| key | value | default | in [defaults] | meaning |\n|---|---|---|---|---|"
        );
        for key in KEYS.iter().filter(|key| key.section == section) {
            let _ = writeln!(
                out,
                "| `{}` | {} | {} | {} | {} |",
                key.name,
                key.kind.words(),
                key.default
                    .map_or_else(String::new, |text| format!("`{text}`")),
                match key.inherited {
                    Yes => "yes",
                    No => "",
                },
                key.about
            );
        }
        out.push('\n');
    }
    out
}

pub(super) fn unknown_section(name: &str) -> String {
    let known = [
        "store",
        "evidence",
        "privacy",
        "host",
        "defaults",
        "converter",
        "retention",
    ];
    if let Some(key) = KEYS.iter().find(|key| key.name == name) {
        return format!("'{name}' must stand below [{}]", key.section);
    }
    match suggest(name, known.into_iter()) {
        Some(meant) => format!("there is no [{name}]; did you mean [{meant}]?"),
        None => {
            format!(
                "there is no [{name}]; there are [store], [evidence], [privacy], [host], [defaults], [[converter]] and [[retention]]"
            )
        }
    }
}

pub(super) fn unknown_key(section: &str, place: &str, name: &str) -> String {
    let known = KEYS
        .iter()
        .filter(|key| key.section == section)
        .flat_map(|key| {
            let group = key.name.split('.').next().unwrap_or_default();
            [key.name, group]
        });
    if let Some(meant) = suggest(name, known) {
        return format!("{place}: there is no '{name}'; did you mean '{meant}'?");
    }
    match KEYS.iter().find(|key| key.name == name) {
        Some(key) => format!("{place}: '{name}' belongs in [{}]", key.section),
        None => format!("{place}: there is no '{name}'"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_fits_its_own_key() {
        for key in KEYS {
            let Some(default) = key.default else { continue };
            let value = DeValue::parse(default).expect(key.name);
            assert!(key.kind.read(value.get_ref()).is_ok(), "{}", key.name);
        }
    }

    #[test]
    fn a_misspelled_word_finds_the_one_that_was_meant() {
        let known = || ["watch_folder", "done_folder", "timeout_s"].into_iter();
        assert_eq!(suggest("watch_foler", known()), Some("watch_folder"));
        assert_eq!(suggest("timeuot_s", known()), Some("timeout_s"));
        assert_eq!(suggest("Watch_Folder", known()), Some("watch_folder"));
        assert_eq!(suggest("colour", known()), None);
    }

    #[test]
    fn the_schema_lists_every_key() {
        let text = markdown();
        for key in KEYS {
            assert!(text.contains(&format!("`{}`", key.name)), "{}", key.name);
        }
    }
}
