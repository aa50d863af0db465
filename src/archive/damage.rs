//! What is known to be damaged of an open store: found when it was opened, without a look at every
//! byte as `verify` takes.

use serde::Serialize;

use crate::Result;
use crate::archive::rebuild::PackFiles;
use crate::archive::shared::{Shared, pack_path};
use crate::archive::{Archive, Snapshot, compact};
use crate::id::PackId;

/// What is known to be damaged of an open store. Answers are as true as what is left; they may lack
/// what was lost.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct KnownDamage {
    /// Places in the log, one line each. While there is one, the store is open for reading only.
    pub log: Vec<String>,
    /// Content that entries need and that is missing, one line for each cause that is known.
    pub content: Vec<String>,
}

impl KnownDamage {
    /// True when nothing is known to be damaged.
    pub fn is_empty(&self) -> bool {
        self.log.is_empty() && self.content.is_empty()
    }

    /// Every line, the log's first.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.log.iter().chain(&self.content).map(String::as_str)
    }
}

impl Archive {
    /// Returns what is known to be damaged. Every answer of this store is to be read with it: what an
    /// entry or an event is not found in may be lost.
    ///
    /// The log's damage is that of the moment the store was opened. Missing content that came back
    /// since, because it was archived again, is not told any more.
    pub fn known_damage(&self) -> Result<KnownDamage> {
        known(self.shared())
    }
}

impl Snapshot {
    /// Returns what is known to be damaged of the store; see [`Archive::known_damage`].
    pub fn known_damage(&self) -> Result<KnownDamage> {
        known(self.shared())
    }
}

fn known(shared: &Shared) -> Result<KnownDamage> {
    let mut content = Vec::new();
    if let Some(found) = shared.content_damage.get() {
        let view = shared.view();
        for (id, line) in &found.cut_packs {
            if view.pack(*id)?.is_some_and(|row| row.live_blobs > 0) {
                content.push(line.clone());
            }
        }
        if found.is_missing {
            content.extend(told(missing(shared)?, found.has_packs));
        }
    }
    Ok(KnownDamage {
        log: shared.damage.clone(),
        content,
    })
}

fn told(missing: u64, has_packs: bool) -> Option<String> {
    let what = match missing {
        0 => return None,
        1 => "1 content that entries need is".to_owned(),
        more => format!("{more} contents that entries need are"),
    };
    let why = if has_packs {
        "a pack is missing or cannot be read"
    } else {
        "the folder packs is missing or holds no pack"
    };
    Some(format!("{what} nowhere in the store: {why}"))
}

/// Content that was found damaged when the store was opened.
#[derive(Default)]
pub(super) struct ContentDamage {
    /// Packs that are not as long as they were written.
    cut_packs: Vec<(PackId, String)>,
    is_missing: bool,
    has_packs: bool,
}

/// Compares what the index needs with the pack files and the journal. Called while the store is being
/// opened, before anything in it moves.
pub(super) fn look(shared: &Shared, packs: &PackFiles) -> Result<ContentDamage> {
    let mut cut_packs = Vec::new();
    for row in shared.view().packs()? {
        if let Some(file) = packs.get(&row.id)
            && file.bytes != row.bytes
            && row.live_blobs > 0
        {
            let line = format!(
                "{}: it has {} bytes, and was written with {}",
                pack_path(&row.class, row.id).display(),
                file.bytes,
                row.bytes
            );
            cut_packs.push((row.id, line));
        }
    }
    Ok(ContentDamage {
        cut_packs,
        is_missing: missing(shared)? > 0,
        has_packs: !packs.is_empty(),
    })
}

/// Counts the blobs that are needed, and neither in a pack, nor in the journal, nor given up.
fn missing(shared: &Shared) -> Result<u64> {
    let inline = shared.inline_blobs();
    let view = shared.view();
    let needed = view.needed_in_no_pack()?;
    let given_up = view.losses()?;
    // What is in the journal is needed, unless something was purged since it was recorded.
    let all_are_needed = view.plans_stale_since() <= shared.files.sealed();
    if needed == inline.len() as u64 && given_up.is_empty() && all_are_needed {
        return Ok(0);
    }
    let found = compact::accounted_for(shared, &view, &inline, &given_up)?;
    Ok(needed.saturating_sub(found))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::archive::{Archive, NewEntry, Options};
    use crate::disk::sim::SimDisk;

    fn put(archive: &Archive, content: &[u8]) {
        let new = NewEntry {
            converter: "ICT".into(),
            ..NewEntry::default()
        };
        archive.put(new, content).expect("archived");
    }

    /// A store with one pack in which this lies.
    fn sealed(content: &[u8]) -> (SimDisk, String) {
        let disk = SimDisk::new();
        let archive = Archive::create_on(Arc::new(disk.clone()), Options::default());
        let archive = archive.expect("a store");
        put(&archive, content);
        archive.seal().expect("sealed");
        archive.close().expect("closed");
        let paths = disk.files().into_iter().map(|(path, _)| path);
        let mut packs = paths.filter(|path| path.starts_with("packs/"));
        let pack = packs.next().expect("one");
        (disk, pack)
    }

    fn open(disk: &SimDisk) -> Archive {
        Archive::open_on(Arc::new(disk.clone()), Options::default()).expect("opens")
    }

    /// `stats` of a store without its packs was as sure of itself as that of a whole one. Archiving goes
    /// on, and what is archived again is not missing any more.
    #[test]
    fn content_that_is_missing_is_known_until_it_is_archived_again() {
        let (disk, pack) = sealed(b"in a pack");
        assert!(open(&disk).known_damage().expect("asked").is_empty());
        disk.lose(&pack).expect("lost");
        // Once when the index still knows the pack, and once when it does not.
        for _ in 0..2 {
            let archive = open(&disk);
            let known = archive.known_damage().expect("asked");
            assert_eq!(known.content.len(), 1, "{known:?}");
            assert!(known.log.is_empty() && archive.damage().is_empty());
            put(&archive, b"something else");
            archive.close().expect("closed");
        }
        let archive = open(&disk);
        put(&archive, b"in a pack");
        assert!(archive.known_damage().expect("asked").is_empty());
    }

    /// A pack of another store was copied over one: it was all dead, and compacted away.
    #[test]
    fn a_pack_of_another_store_is_not_taken_in_and_not_compacted_away() {
        let (disk, pack) = sealed(b"in a pack");
        let (other, others) = sealed(b"of another store");
        assert_eq!(pack, others);
        let foreign = other.content(&others).expect("there");
        disk.plant(&pack, &foreign).expect("planted");
        disk.lose("index.redb").expect("lost");
        let archive = open(&disk);
        let known = archive.known_damage().expect("asked");
        assert_eq!(known.content.len(), 1, "{known:?}");
        put(&archive, b"in a pack");
        archive.compact(None).expect("nothing to compact");
        assert_eq!(disk.content(&pack).expect("there"), foreign);
    }
}
