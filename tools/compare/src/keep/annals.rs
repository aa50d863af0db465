//! annals, through its library.

use std::collections::VecDeque;
use std::path::Path;
use std::time::Instant;

use annals::Archive;
use annals::archive::{NewEntry, Options, Pending};
use annals::id::BlobId;

use super::{Ingested, Keeper, Size};
use crate::Result;
use crate::files::{Set, Source};
use crate::measure::taken;
use crate::put::put_all;

const CONTENT_BYTES_MAX: u64 = 1 << 30;

/// annals with a number of callers, each of whom waits for its receipt.
pub(crate) struct Annals {
    pub(crate) callers: usize,
    pub(crate) files_max: usize,
}

impl Keeper for Annals {
    fn name(&self) -> String {
        match self.callers {
            1 => "annals, 1 caller".to_owned(),
            callers => format!("annals, {callers} callers"),
        }
    }

    fn how(&self) -> String {
        "`put_file`; the receipt comes after the fdatasync of its group. BLAKE3 and SHA-256, facts searchable".to_owned()
    }

    fn files_max(&self) -> usize {
        self.files_max
    }

    fn ingest(&self, dir: &Path, set: &Set) -> Result<Ingested> {
        let archive = Archive::create(dir, Options::default())?;
        let began = Instant::now();
        put_all(&archive, &set.paths(), self.callers, |nth| {
            entry(&set.files[nth])
        })?;
        let acknowledged = began.elapsed();
        archive.seal()?;
        let settled = began.elapsed();
        archive.close()?;
        Ok(Ingested {
            acknowledged,
            settled,
        })
    }

    fn check(&self, dir: &Path, set: &Set) -> Result<()> {
        check(dir, set)
    }

    fn size(&self, dir: &Path) -> Result<Size> {
        size(dir)
    }
}

/// annals with one thread that begins a file before it has the receipts of those before it.
pub(crate) struct OneThread {
    /// How many receipts it waits for at the most.
    pub(crate) in_flight: usize,
}

impl Keeper for OneThread {
    fn name(&self) -> String {
        format!("annals, one thread, {} in flight", self.in_flight)
    }

    fn how(&self) -> String {
        "`begin_put`; each file has a receipt of its own, which comes after the fdatasync of its group"
            .to_owned()
    }

    fn ingest(&self, dir: &Path, set: &Set) -> Result<Ingested> {
        let archive = Archive::create(dir, Options::default())?;
        let began = Instant::now();
        let mut pending = VecDeque::with_capacity(self.in_flight);
        for file in &set.files {
            if pending.len() == self.in_flight
                && let Some(oldest) = pending.pop_front()
            {
                Pending::wait(oldest)?;
            }
            let content = std::fs::read(&file.path)?;
            pending.push_back(archive.begin_put(entry(file), content.as_slice())?);
        }
        for pending in pending {
            pending.wait()?;
        }
        let acknowledged = began.elapsed();
        archive.seal()?;
        let settled = began.elapsed();
        archive.close()?;
        Ok(Ingested {
            acknowledged,
            settled,
        })
    }

    fn check(&self, dir: &Path, set: &Set) -> Result<()> {
        check(dir, set)
    }

    fn size(&self, dir: &Path) -> Result<Size> {
        size(dir)
    }
}

fn check(dir: &Path, set: &Set) -> Result<()> {
    let archive = Archive::open(dir, Options::default())?;
    for (nth, file) in set.files.iter().enumerate() {
        set.compare(nth, &archive.read_all(&blob(file), CONTENT_BYTES_MAX)?)?;
    }
    archive.close()?;
    Ok(())
}

fn size(dir: &Path) -> Result<Size> {
    let is_index = |path: &Path| path.starts_with(dir.join("index.redb"));
    let is_journal = |path: &Path| path.starts_with(dir.join("journal"));
    Ok(Size {
        kept: taken(dir, &|path| !is_index(path) && !is_journal(path))?,
        index: taken(dir, &is_index)?,
        recycled: taken(dir, &is_journal)?,
    })
}

/// The facts that a converter host would give.
pub(crate) fn entry(file: &Source) -> NewEntry {
    let stem = file.path.file_stem().unwrap_or_default();
    let mut new = NewEntry::new(file.converter.clone()).converter_version("1.4.0");
    new.unit.serial = Some(format!("K2510-{}", stem.to_string_lossy()));
    new.unit.process = Some("10".to_owned());
    new
}

pub(crate) fn blob(file: &Source) -> BlobId {
    BlobId::from_bytes(*file.hash.as_bytes())
}
