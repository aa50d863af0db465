//! Records facts about entries: attempts, submissions, converters, configuration.

use crate::archive::appending::decide::living;
use crate::archive::handle::Archive;
use crate::archive::messages::{Draft, Receipt};
use crate::archive::state::inline_record::inline_record;
use crate::archive::state::pins::Pin;
use crate::blob::compression::Level;
use crate::blob::digests::Digests;
use crate::entry::{Extent, Meta, Outcome, Retention, Unit};
use crate::event::{
    BlobRef, Body, BundleFile, ConfigChanged, Converted, ConverterRegistered, Reported,
};
use crate::id::{AttemptNo, BlobId, ConverterId, EntryId, JobId};
use crate::setters::setters;
use crate::{Error, ErrorKind, Result};

/// The longest error text that is recorded, in bytes. The rest is cut off.
const ERROR_BYTES_MAX: usize = 8 << 10;
/// Warnings that are recorded; the rest are counted.
const WARNINGS_MAX: usize = 50;
/// The most bytes that all reports of an attempt, or all files of a bundle, take of a journal
/// frame. The rest goes through packs.
const INLINE_BYTES_MAX: usize = 8 << 20;

/// One run of a converter, to be recorded.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NewAttempt {
    /// How it ended.
    pub outcome: Outcome,
    /// The converter's name.
    pub converter: String,
    /// The version it claims.
    pub converter_version: Option<String>,
    /// What it really was.
    pub converter_id: Option<ConverterId>,
    /// Its arguments, secret ones masked.
    pub arguments: Meta,
    /// How long it ran.
    pub duration_ms: Option<u64>,
    /// Why it did not succeed. What is longer than 8 KiB is cut.
    pub error: Option<String>,
    /// Its warnings.
    pub warnings: Vec<String>,
    /// What was enforced on its processes, in a few words each.
    pub sandbox: Vec<String>,
    /// What it found out about the unit.
    pub unit: Unit,
    /// The content of each report, in order.
    pub reports: Vec<Vec<u8>>,
    /// Where its reports are to be sent, without secrets; `None` when they are not to be sent.
    pub submit: Option<String>,
    /// The reprocess job it belongs to.
    pub job: Option<JobId>,
    /// How much its reports hold, if that was measured.
    pub extent: Option<Extent>,
    /// Why its result is suspicious, in words.
    pub suspicious: Vec<String>,
}

impl NewAttempt {
    /// Makes an attempt of which only its outcome and its converter are known.
    pub fn new(outcome: Outcome, converter: impl Into<String>) -> Self {
        Self {
            outcome,
            converter: converter.into(),
            converter_version: None,
            converter_id: None,
            arguments: Meta::new(),
            duration_ms: None,
            error: None,
            warnings: Vec::new(),
            sandbox: Vec::new(),
            unit: Unit::default(),
            reports: Vec::new(),
            submit: None,
            job: None,
            extent: None,
            suspicious: Vec::new(),
        }
    }
}

setters! { NewAttempt {
    /// Sets the version that the converter claims.
    converter_version: some [String];
    /// Sets what the converter really was.
    converter_id: opt [ConverterId];
    /// Sets its arguments, secret ones masked.
    arguments: [Meta];
    /// Sets how long it ran.
    duration_ms: opt [u64];
    /// Sets why it did not succeed.
    error: some [String];
    /// Sets what it complained about.
    warnings: [Vec<String>];
    /// Sets what it found out about the unit.
    unit: [Unit];
    /// Sets the content of each report, in order.
    reports: [Vec<Vec<u8>>];
    /// Sets where its reports are to be sent, without secrets.
    submit: some [String];
    /// Sets the reprocess job it belongs to.
    job: opt [JobId];
    /// Sets how much its reports hold.
    extent: opt [Extent];
    /// Sets why its result is suspicious, in words.
    suspicious: [Vec<String>];
} }

/// A converter to be recorded: what it is, and the bytes of its bundle.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NewConverter {
    /// What it really is.
    pub converter_id: ConverterId,
    /// Its name.
    pub name: String,
    /// The version it claims.
    pub version: Option<String>,
    /// How it is called.
    pub command: Vec<String>,
    /// "oneshot" or "worker", with "-folder" where it takes folders.
    pub mode: String,
    /// What it ran on.
    pub environment: String,
    /// File names, with `/` between parts, and contents.
    pub bundle: Vec<(String, Vec<u8>)>,
}

setters! { NewConverter {
    /// Sets the version it claims.
    version: some [String];
    /// Sets how it is called.
    command: [Vec<String>];
    /// Sets its mode.
    mode: into [String];
    /// Sets what it ran on.
    environment: into [String];
    /// Sets file names, with `/` between parts, and contents.
    bundle: [Vec<(String, Vec<u8>)>];
} }

impl NewConverter {
    /// Returns a one-shot converter without a command and a bundle.
    pub fn new(converter_id: ConverterId, name: impl Into<String>) -> Self {
        Self {
            converter_id,
            name: name.into(),
            version: None,
            command: Vec::new(),
            mode: "oneshot".to_owned(),
            environment: String::new(),
            bundle: Vec::new(),
        }
    }
}

impl Archive {
    /// Records one run of a converter over `entry`, with its reports. Durable on `Ok`. Returns the
    /// number of the attempt.
    ///
    /// ```
    /// use annals::archive::{Archive, NewAttempt, NewEntry};
    /// use annals::entry::{Outcome, Status};
    ///
    /// # fn main() -> annals::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let archive = Archive::builder().create(dir.path().join("store"))?;
    /// let id = archive.put(NewEntry::new("ICT"), &b"content"[..])?.id;
    /// let attempt = NewAttempt::new(Outcome::Success, "ICT").reports(vec![b"{}".to_vec()]);
    /// assert_eq!(archive.record_attempt(id, attempt)?.0, 1);
    /// let entry = archive.snapshot()?.entry(id)?.expect("there");
    /// assert_eq!(entry.status, Status::Success);
    /// # archive.close()
    /// # }
    /// ```
    pub fn record_attempt(&self, entry: EntryId, attempt: NewAttempt) -> Result<AttemptNo> {
        let store = self.writable()?;
        let source = living(entry, &store.index.view())?;
        let NewAttempt {
            outcome,
            converter,
            converter_version,
            converter_id,
            arguments,
            duration_ms,
            error,
            mut warnings,
            sandbox,
            unit,
            reports,
            submit,
            job,
            extent,
            suspicious,
        } = attempt;
        if warnings.len() > WARNINGS_MAX {
            let more = warnings.len() - WARNINGS_MAX;
            warnings.truncate(WARNINGS_MAX);
            warnings.push(format!("... and {more} more warnings"));
        }
        let contents: Vec<&[u8]> = reports.iter().map(Vec::as_slice).collect();
        let mut bring = Bring::new(self, &contents)?;
        loop {
            let fact = Converted {
                entry,
                // The writer sets the number.
                attempt: AttemptNo(0),
                outcome,
                converter: converter.clone(),
                converter_version: converter_version.clone(),
                converter_id,
                arguments: arguments.clone(),
                duration_ms,
                error: error.clone().map(|text| cut(text, ERROR_BYTES_MAX)),
                warnings: warnings
                    .iter()
                    .cloned()
                    .map(|text| cut(text, 512))
                    .collect(),
                sandbox: sandbox.clone(),
                unit: unit.clone(),
                reports: bring.blobs.clone(),
                submit: submit.clone(),
                job,
                extent: extent.clone(),
                suspicious: suspicious
                    .iter()
                    .cloned()
                    .map(|text| cut(text, 512))
                    .collect(),
            };
            let draft = Draft {
                body: Body::Converted(fact),
                records: bring.records.clone(),
                relies_on: bring.relies_on.clone(),
                placed: bring.placed.clone(),
                retention: source.retention,
                level: Level::DEFAULT.get(),
                actor: None,
                kept: None,
            };
            match self.append(vec![draft])? {
                Receipt::Durable { attempt, .. } => {
                    return attempt.ok_or_else(|| {
                        Error::new(
                            ErrorKind::Invalid,
                            "BUG: an attempt was recorded without a number",
                        )
                    });
                }
                _ => bring = Bring::all(self, &contents)?,
            }
        }
    }

    /// Records that a server took a report, `report` counting from 0 within the attempt.
    pub fn record_submission(
        &self,
        entry: EntryId,
        attempt: AttemptNo,
        report: u32,
        report_id: &str,
        endpoint: Option<&str>,
    ) -> Result<()> {
        self.append_fact(Draft::fact(Body::Reported(Reported {
            entry,
            attempt,
            report,
            report_id: report_id.to_owned(),
            endpoint: endpoint.map(str::to_owned),
            key: None,
        })))?;
        Ok(())
    }

    /// Records what a converter is, with its bundle, unless that is known already.
    pub fn register_converter(&self, converter: NewConverter) -> Result<()> {
        self.writable()?;
        if self.converter(&converter.converter_id)?.is_some() {
            return Ok(());
        }
        let contents: Vec<&[u8]> = converter.bundle.iter().map(|(_, bytes)| &**bytes).collect();
        let mut bring = Bring::new(self, &contents)?;
        loop {
            let names = converter.bundle.iter().map(|(name, _)| name.clone());
            let bundle = names
                .zip(&bring.blobs)
                .map(|(name, blob)| BundleFile { name, blob: *blob })
                .collect();
            let draft = Draft {
                body: Body::ConverterRegistered(ConverterRegistered {
                    converter_id: converter.converter_id,
                    name: converter.name.clone(),
                    version: converter.version.clone(),
                    command: converter.command.clone(),
                    mode: converter.mode.clone(),
                    environment: converter.environment.clone(),
                    bundle,
                }),
                records: bring.records.clone(),
                relies_on: bring.relies_on.clone(),
                placed: bring.placed.clone(),
                retention: Retention::Forever,
                level: Level::DEFAULT.get(),
                actor: None,
                kept: None,
            };
            match self.append(vec![draft])? {
                Receipt::ContentNeeded => bring = Bring::all(self, &contents)?,
                _ => return Ok(()),
            }
        }
    }

    /// Returns what is recorded of a converter.
    pub fn converter(&self, id: &ConverterId) -> Result<Option<ConverterRegistered>> {
        Ok(self.store().index.view().converter(id)?)
    }

    /// Returns the converter that was recorded last under `name`.
    pub fn converter_named(&self, name: &str) -> Result<Option<ConverterRegistered>> {
        Ok(self.store().index.view().converter_named(name)?)
    }

    /// Returns every converter that is recorded.
    pub fn converters(&self) -> Result<Vec<ConverterRegistered>> {
        Ok(self.store().index.view().converters()?)
    }

    /// Records that the configuration changed.
    pub fn record_config_change(&self, change: ConfigChanged) -> Result<()> {
        self.append_fact(Draft::fact(Body::ConfigChanged(change)))?;
        Ok(())
    }

    /// Returns the newest recorded value of a configuration item.
    pub fn recorded_config(&self, what: &str) -> Result<Option<String>> {
        Ok(self.store().index.view().config(what)?)
    }
}

/// Contents of one event: the missing ones as records, the others by name.
struct Bring {
    blobs: Vec<BlobRef>,
    records: Vec<(BlobId, Vec<u8>)>,
    relies_on: Vec<BlobId>,
    placed: Vec<BlobId>,
    pins: Vec<Pin>,
}

impl Bring {
    /// Prepares contents, and leaves out those that the store has.
    fn new(archive: &Archive, contents: &[&[u8]]) -> Result<Self> {
        Self::with(archive, contents, true)
    }

    /// Prepares contents, all of them as records.
    fn all(archive: &Archive, contents: &[&[u8]]) -> Result<Self> {
        Self::with(archive, contents, false)
    }

    fn with(archive: &Archive, contents: &[&[u8]], rely: bool) -> Result<Self> {
        let store = archive.store();
        let mut bring = Self {
            blobs: contents
                .iter()
                .map(|content| Digests::of(content))
                .collect(),
            records: Vec::new(),
            relies_on: Vec::new(),
            placed: Vec::new(),
            pins: Vec::new(),
        };
        let mut room = INLINE_BYTES_MAX;
        for (blob, content) in bring.blobs.iter().zip(contents) {
            if rely && store.contents.is_stored(&blob.blake3)? {
                bring.relies_on.push(blob.blake3);
                continue;
            }
            if content.len() >= store.options.cuts().stream_bytes() || content.len() > room {
                let streamed = archive.stream(Retention::Forever, Level::DEFAULT, *content)?;
                bring.relies_on.extend(streamed.relies_on);
                bring.placed.extend(streamed.placed);
                bring.pins.push(streamed.pin);
                continue;
            }
            room -= content.len();
            let (record, _) = inline_record(&store.for_journal, blob.blake3, content)?;
            bring.records.push((blob.blake3, record));
        }
        Ok(bring)
    }
}

/// Shortens `text` to at most `bytes` bytes, and notes how many are cut off.
pub(in crate::archive) fn cut(mut text: String, bytes: usize) -> String {
    if text.len() > bytes {
        let end = text.floor_char_boundary(bytes);
        let more = text.len() - end;
        text.truncate(end);
        text = format!("{text} [{more} more bytes]");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_error__is_cut_between_characters() {
        assert_eq!(cut("short".into(), 8), "short");
        assert_eq!(cut("äääää".into(), 5), "ää [6 more bytes]");
    }
}
