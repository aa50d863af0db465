//! Reports the damage that an opening found, without reading every byte as `verify` does.

use serde::Serialize;

use crate::Result;
use crate::archive::handle::Archive;
use crate::archive::reading::snapshot::Snapshot;
use crate::archive::state::missing::count_missing;
use crate::archive::state::store::Store;

/// The known damage of an open store. Answers are as complete as what is left: they may lack what
/// was lost.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct KnownDamage {
    /// Damage of the log, one line for each place. While there is any, the store is open for
    /// reading only.
    pub log: Vec<String>,
    /// Missing content that entries need, one line for each known cause.
    pub content: Vec<String>,
}

impl KnownDamage {
    /// Returns true when nothing is known to be damaged.
    pub fn is_empty(&self) -> bool {
        self.log.is_empty() && self.content.is_empty()
    }

    /// Returns every line, the ones about the log first.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.log.iter().chain(&self.content).map(String::as_str)
    }
}

impl Archive {
    /// Returns the known damage. Every answer of this store must be read with it: an entry or event
    /// that is not found may be lost.
    ///
    /// Damage of the log is as of the opening. Missing content that was archived again since is not
    /// listed.
    pub fn known_damage(&self) -> Result<KnownDamage> {
        known(self.store())
    }
}

impl Snapshot {
    /// Returns the known damage of the store; see [`Archive::known_damage`].
    pub fn known_damage(&self) -> Result<KnownDamage> {
        known(self.store())
    }
}

fn known(store: &Store) -> Result<KnownDamage> {
    let mut content = Vec::new();
    if let Some(found) = store.content_damage.get() {
        let view = store.index.view();
        for (id, line) in &found.cut_packs {
            if view.pack(*id)?.is_some_and(|row| row.live_blobs > 0) {
                content.push(line.clone());
            }
        }
        if found.is_missing {
            let sealed = store.log.sealed();
            let missing = count_missing(&store.index, &store.journal, sealed)?;
            content.extend(told(missing, found.has_packs));
        }
    }
    Ok(KnownDamage {
        log: store.log_damage.clone(),
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

    /// `stats` of a store without its packs was as sure of itself as that of a whole one. Archiving
    /// goes on, and what is archived again is not missing any more.
    #[test]
    fn missing_content__is_known_until_archived_again() {
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
    fn a_pack_of_another_store__is_left_alone() {
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
