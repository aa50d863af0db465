//! Pack files on disk: where a pack lies, which class it belongs to, and which packs there are.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::archive::files::folders::PACKS_DIR;
use crate::disk::Disk;
use crate::entry::Retention;
use crate::format::pack::PackClass;
use crate::id::PackId;
use crate::time::Timestamp;
use crate::{Error, Result};

/// A pack file on disk.
pub(in crate::archive) struct PackFile {
    pub(in crate::archive) path: PathBuf,
    pub(in crate::archive) class: String,
    pub(in crate::archive) bytes: u64,
}

/// Pack files by number.
pub(in crate::archive) type PackFiles = BTreeMap<PackId, PackFile>;

/// Lists every pack file, by number.
pub(in crate::archive) fn pack_files(disk: &dyn Disk) -> Result<PackFiles> {
    let list = |dir: &Path| match disk.list(dir) {
        Ok(entries) => Ok(entries),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(Error::io("list", dir, error)),
    };
    let mut files = BTreeMap::new();
    let root = Path::new(PACKS_DIR);
    for retention in list(root)?.into_iter().filter(|entry| entry.is_dir) {
        let folder = root.join(&retention.name);
        for bucket in list(&folder)?.into_iter().filter(|entry| entry.is_dir) {
            let folder = folder.join(&bucket.name);
            for file in list(&folder)? {
                if let Some(id) = pack_of(&file.name) {
                    let pack = PackFile {
                        path: folder.join(&file.name),
                        class: format!("{}/{}", retention.name, bucket.name),
                        bytes: file.len,
                    };
                    files.insert(id, pack);
                }
            }
        }
    }
    Ok(files)
}

/// Returns the class of packs that a blob goes to. Content that may be purged at the same time
/// shares a class, so that whole packs go.
pub(in crate::archive) fn pack_class(retention: Retention, archived_at: Timestamp) -> PackClass {
    let name = match retention.expires_at(archived_at) {
        None => "forever/none".to_owned(),
        Some(expires) => {
            let short = matches!(
                retention,
                Retention::Period {
                    days: ..=31,
                    years: 0
                }
            );
            let bucket = if short { "%Y-%m-%d" } else { "%Y-%m" };
            format!(
                "{retention}/{}",
                expires.to_chrono().to_utc().format(bucket)
            )
        }
    };
    PackClass::new(name).expect("a retention and a date make a short name")
}

/// The end of the bucket of packs that hold personal values.
const PERSONAL: &str = "_personal";

/// Returns the class of packs for the personal values that come with content of another class. They
/// lie by themselves, so that little is copied when one of them is erased.
pub(in crate::archive) fn personal_class(class: &PackClass) -> PackClass {
    let name = format!("{}{PERSONAL}", class.as_str());
    PackClass::new(name).expect("a class has room for a few more letters")
}

/// Returns true when packs of a class hold personal values.
pub(in crate::archive) fn is_personal(class: &str) -> bool {
    class.ends_with(PERSONAL)
}

/// Returns the path of a pack.
pub(in crate::archive) fn pack_path(class: &str, pack: PackId) -> PathBuf {
    Path::new(PACKS_DIR)
        .join(class)
        .join(format!("{:016}.pack", pack.0))
}

/// Returns the number that a pack's file name stands for.
pub(in crate::archive) fn pack_of(name: &str) -> Option<PackId> {
    let digits = name.strip_suffix(".pack")?;
    (digits.len() == 16).then(|| digits.parse().ok().map(PackId))?
}
