//! Examines a damaged store: what can still be read, and so what has to be repaired.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::account;
use super::plan::{Findings, Mend, MendKind, PackMend, RepairPlan};
use crate::archive::checking::verify::index_check::check_index;
use crate::archive::files::backup_marker::holds_backup;
use crate::archive::files::folders::{HEADER_FILE, INDEX_FILE};
use crate::archive::files::header::read_header;
use crate::archive::files::pack_error::read_error;
use crate::archive::files::pack_files::{PackFile, PackFiles, pack_files};
use crate::archive::opening::identity::{StoreNames, Verdict};
use crate::archive::opening::open::open_locked;
use crate::archive::options::{Access, Options};
use crate::archive::state::index_file::{IndexAccess, IndexFile};
use crate::archive::state::watermark;
use crate::blob::pack_reader::{PackReadError, PackReader, blobs};
use crate::disk::{Disk, OpenMode};
use crate::format::pack::{self, PackClass, PackEffort, PackHeader, PackOrigin};
use crate::id::{BlobId, EventSeq, PackId, StoreId};
use crate::log::{EVENTS_DIR, JOURNAL_DIR, LogMend, Remains, SpareEvents};
use crate::{Error, ErrorKind, Result};

/// Refuses a folder in which nothing looks like a store, before even its lock is made.
pub(super) fn refuse_strangers(disk: &dyn Disk, dir: &Path) -> Result<()> {
    let header = read_header(disk, dir);
    match header {
        // What a backup lacks is not lost.
        Err(error) if error.kind() == ErrorKind::NoStore && holds_backup(disk) => Err(error),
        Err(error) if error.kind() == ErrorKind::NoStore => {
            let known = [JOURNAL_DIR, EVENTS_DIR];
            let is_one = known
                .iter()
                .any(|folder| disk.list(Path::new(folder)).is_ok());
            if is_one { Ok(()) } else { Err(error) }
        }
        Err(error) if error.kind() == ErrorKind::Damaged => Ok(()),
        other => other.map(drop),
    }
}

pub(super) fn examine(
    disk: &Arc<dyn Disk>,
    dir: &Path,
    options: &Options,
) -> Result<(Findings, RepairPlan)> {
    let mut plan = RepairPlan::default();
    let pack_files = pack_files(&**disk)?;
    let store = judge_identity(&**disk, dir, &pack_files, &mut plan)?;
    let header = !plan.mends.is_empty();
    let (packs, newest_sealed) = packs(disk, &store, &pack_files, options)?;
    let remains = Remains::survey(&**disk, &store)?;
    if let Some(journal) = remains.journals.iter().find(|one| one.holds_more) {
        return Err(Error::new(
            ErrorKind::Damaged,
            format!(
                "journal file {} has {} bytes, and something lies where no journal file has \
                 anything: what that is cannot be told",
                journal.slot, journal.bytes
            ),
        )
        .hint("nothing was changed; bring the file back from a copy"));
    }
    let index_file = IndexFile::new(Arc::clone(disk), store, options.index_cache_bytes);
    let index = index_file.open(IndexAccess::ReadOnly);
    let applied = match &index {
        Ok(Some(index)) => index.applied().ok(),
        _ => None,
    };
    let witness = [applied, watermark::read(&**disk, &store), newest_sealed];
    let witness = witness.into_iter().flatten().max();
    let log = LogMend::plan(&**disk, &store, &remains, witness, options.journal_bytes)?;
    tell_log(&log, &mut plan);
    for pack in &packs {
        plan.mends.push(Mend {
            kind: MendKind::Pack,
            r#where: pack.path.display().to_string(),
            detail: pack.why.clone(),
            action: match pack.kept.len() {
                0 => "take it out: nothing in it can be read".to_owned(),
                1 => "rebuild it from the one blob that can be read".to_owned(),
                kept => format!("rebuild it from the {kept} blobs that can be read"),
            },
        });
    }
    let doubtful_packs = if log.is_empty() {
        Vec::new()
    } else {
        doubtful(&**disk, &pack_files, log.sealed)
    };
    // A missing index is no damage: it is made when it is needed.
    let unusable =
        !matches!(index, Ok(Some(_))) && disk.open(Path::new(INDEX_FILE), OpenMode::Read).is_ok();
    let mut findings = Findings {
        store,
        header,
        remains,
        index: unusable || !log.is_empty() || !packs.is_empty(),
        log,
        packs,
        doubtful_packs,
    };
    drop(index);
    if unusable {
        plan.mends.push(Mend {
            kind: MendKind::Index,
            r#where: INDEX_FILE.to_owned(),
            detail: "it cannot be read".to_owned(),
            action: "rebuild it from the log".to_owned(),
        });
    } else if plan.mends.is_empty() {
        // All files are sound. They may still contradict each other.
        look_inside(disk, dir, options, &mut findings, &mut plan)?;
    }
    plan.lost_events.clone_from(&findings.log.lost);
    plan.end_is_lost = findings.log.end.is_some();
    Ok((findings, plan))
}

/// Returns the id of the store, by what all files say. Adds to `plan` that `FORMAT` must be
/// replaced, if so. Nothing is moved before the files agree.
fn judge_identity(
    disk: &dyn Disk,
    dir: &Path,
    packs: &PackFiles,
    plan: &mut RepairPlan,
) -> Result<StoreId> {
    let format = read_header(disk, dir);
    let names = StoreNames::read(disk, packs);
    let verdict = names.judge(format.as_ref().ok().copied());
    let (id, why) = match (verdict, format) {
        (Verdict::AsFormatSays, format) => return format,
        (Verdict::Other(id, _), Err(error)) => (id, error.message().to_owned()),
        (Verdict::Other(id, files), Ok(other)) => (
            id,
            format!("it names store {other}, and {files} other files name store {id}"),
        ),
        (Verdict::Unclear(why), format) => {
            let header = format.err().map(|error| format!("{}; ", error.message()));
            return Err(Error::new(
                ErrorKind::Damaged,
                format!(
                    "{}the files do not agree on which store it is: {why}; nothing was moved",
                    header.unwrap_or_default()
                ),
            )
            .hint(
                "restore the file FORMAT from a copy, or move the files of the other store out of \
                 the folder, and repair again",
            ));
        }
    };
    plan.mends.push(Mend {
        kind: MendKind::Header,
        r#where: HEADER_FILE.to_owned(),
        detail: why,
        action: format!("write it again: the other files name store {id}"),
    });
    Ok(id)
}

fn tell_log(log: &LogMend, plan: &mut RepairPlan) {
    let action = |lost: u64, first: EventSeq, last: EventSeq| {
        let events = (last.0 + 1).saturating_sub(first.0);
        match lost {
            0 => format!("rebuild it with all {events} events"),
            1 => format!(
                "rebuild it with {} of {events} events; one is lost",
                events - 1
            ),
            lost => format!(
                "rebuild it with {} of {events} events; {lost} are lost",
                events - lost
            ),
        }
    };
    let missing = || "it is missing".to_owned();
    for mend in &log.segments {
        plan.mends.push(Mend {
            kind: MendKind::Log,
            r#where: mend.path.display().to_string(),
            detail: mend.why.clone().unwrap_or_else(missing),
            action: action(mend.lost, mend.first_seq, mend.last_seq),
        });
    }
    for mend in &log.journals {
        plan.mends.push(Mend {
            kind: MendKind::Log,
            r#where: mend.path.display().to_string(),
            detail: mend
                .why
                .clone()
                .unwrap_or_else(|| "the journal file that was written last is gone".to_owned()),
            action: match mend.why {
                Some(_) => action(mend.lost, mend.first_seq(), mend.last_seq),
                None => format!(
                    "make one; what was recorded from event {} on, if anything, is lost",
                    mend.last_seq
                ),
            },
        });
    }
    for spare in &log.spare {
        let why = match spare.events {
            SpareEvents::InJournal => "the journal holds its events",
            SpareEvents::Unreadable => "nothing in it can be read",
            SpareEvents::Sealed => "what it held is sealed",
        };
        plan.mends.push(Mend {
            kind: MendKind::Log,
            r#where: spare.path.display().to_string(),
            detail: spare.why.clone(),
            action: format!("take it out: {why}"),
        });
    }
}

/// Returns every damaged pack, and the newest event that the sound ones were sealed from.
fn packs(
    disk: &Arc<dyn Disk>,
    store: &StoreId,
    files: &BTreeMap<PackId, PackFile>,
    options: &Options,
) -> Result<(Vec<PackMend>, Option<EventSeq>)> {
    let mut mends = Vec::new();
    let mut newest = None;
    for (done, (id, file)) in files.iter().enumerate() {
        let progress = &options.progress;
        progress.report(done as u64, files.len() as u64, "checking packs");
        match check_pack(&**disk, store, *id, file) {
            Ok(header) => newest = newest.max(Some(header.last_seq)),
            Err(PackReadError::Io(error)) if error.kind() != io::ErrorKind::UnexpectedEof => {
                return Err(Error::io("read", &file.path, error));
            }
            Err(why) => mends.push(salvage_pack(&**disk, store, *id, file, why.to_string())?),
        }
    }
    Ok((mends, newest))
}

fn check_pack(
    disk: &dyn Disk,
    store: &StoreId,
    id: PackId,
    file: &PackFile,
) -> Result<PackHeader, PackReadError> {
    let reader = PackReader::open(disk, &file.path)?;
    let header = reader.header();
    let named = header.pack == id && header.class.as_str() == file.class && header.store == *store;
    if !named {
        return Err(pack::PackError::Contradiction {
            part: pack::PackPart::Header,
            what: "it is another pack, or another store's",
        }
        .into());
    }
    for entry in reader.listed()? {
        reader.read_plain(entry.offset, entry.len, &entry.id)?;
    }
    Ok(header.clone())
}

fn salvage_pack(
    disk: &dyn Disk,
    store: &StoreId,
    id: PackId,
    file: &PackFile,
    why: String,
) -> Result<PackMend> {
    let class = PackClass::new(file.class.as_str())
        .map_err(|error| Error::new(ErrorKind::Damaged, error.to_string()))?;
    let (origin, effort, first_seq, last_seq) = match PackReader::open(disk, &file.path) {
        Ok(reader) if reader.header().pack == id && reader.header().store == *store => {
            let header = reader.header();
            let (origin, effort) = (header.origin, header.effort);
            (origin, effort, header.first_seq, header.last_seq)
        }
        _ => (
            PackOrigin::Compacted,
            PackEffort::Small,
            EventSeq(0),
            EventSeq(0),
        ),
    };
    let header = PackHeader {
        origin,
        effort,
        store: *store,
        pack: id,
        first_seq,
        last_seq,
        class,
    };
    let failed = |error| read_error(&file.path, error);
    let remains = PackReader::open_remains(disk, &file.path, header.clone()).map_err(failed)?;
    let mut kept = Vec::new();
    // Dictionaries are copied with the records that name them.
    for entry in blobs(remains.salvage().map_err(failed)?) {
        match remains.read_plain(entry.offset, entry.len, &entry.id) {
            Ok(_) => kept.push((entry.offset, entry.len, entry.id)),
            Err(error @ PackReadError::Io(_)) => return Err(failed(error)),
            Err(_) => {}
        }
    }
    kept.sort_unstable_by_key(|(offset, ..)| *offset);
    Ok(PackMend {
        path: file.path.clone(),
        why,
        header,
        kept,
    })
}

/// Returns packs that an opening removes once the log ends at `sealed`, because the journal should
/// hold their content. After damage it may not.
fn doubtful(
    disk: &dyn Disk,
    files: &BTreeMap<PackId, PackFile>,
    sealed: EventSeq,
) -> Vec<std::path::PathBuf> {
    files
        .values()
        .filter(|file| {
            PackReader::open(disk, &file.path).is_ok_and(|pack| {
                pack.header().origin == PackOrigin::Sealed && pack.header().last_seq > sealed
            })
        })
        .map(|file| file.path.clone())
        .collect()
}

/// Compares index, log and packs of a store whose files are sound.
fn look_inside(
    disk: &Arc<dyn Disk>,
    dir: &Path,
    options: &Options,
    findings: &mut Findings,
    plan: &mut RepairPlan,
) -> Result<()> {
    let reading = Options {
        access: Access::ReadOnly,
        ..options.clone()
    };
    let archive = open_locked(
        Arc::clone(disk),
        dir.to_owned(),
        reading,
        findings.store,
        None,
    )?;
    // Bytes behind the end of a sound log are cut off by the next opening; none of them was
    // acknowledged.
    if let Some(line) = archive.damage().first() {
        return Err(
            Error::new(ErrorKind::Damaged, format!("cannot be repaired: {line}"))
                .hint("bring the file back from a copy"),
        );
    }
    let wrong = check_index(archive.store())?;
    if let Some(detail) = wrong {
        findings.index = true;
        plan.mends.push(Mend {
            kind: MendKind::Index,
            r#where: INDEX_FILE.to_owned(),
            detail,
            action: "rebuild it from the log".to_owned(),
        });
    }
    let undeclared = account::unrecorded_losses(&archive)?;
    let lost: Vec<BlobId> = undeclared.contents;
    if !lost.is_empty() {
        plan.mends.push(Mend {
            kind: MendKind::Content,
            r#where: format!("content {}", lost[0]),
            detail: match lost.len() {
                1 => "it is needed and is nowhere in the store".to_owned(),
                all => format!(
                    "it is needed and is nowhere in the store, and so are {} more",
                    all - 1
                ),
            },
            action: "look for it in the journal; record it as lost if it is not there".to_owned(),
        });
    }
    if let Some((first, _)) = undeclared.unreadable.first() {
        let count: u64 = undeclared
            .unreadable
            .iter()
            .map(|(first, last)| last.0 + 1 - first.0)
            .sum();
        plan.mends.push(Mend {
            kind: MendKind::Content,
            r#where: format!("event {first}"),
            detail: match count {
                1 => "it cannot be read, though its bytes are as they were recorded".to_owned(),
                all => format!(
                    "it cannot be read, though its bytes are as they were recorded, \
                     and so are {} more",
                    all - 1
                ),
            },
            action: "leave its line as it is, record that it cannot be read, \
                     and make an entry of what it brought along"
                .to_owned(),
        });
    }
    if !undeclared.events.is_empty() {
        plan.mends.push(Mend {
            kind: MendKind::Content,
            r#where: "the log".to_owned(),
            detail: "events are lost, and no event says so yet".to_owned(),
            action: "record it".to_owned(),
        });
    }
    Ok(())
}
