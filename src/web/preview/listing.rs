//! The files in a tar file: an archived folder, or a file with its companions.

use std::io::Read as _;
use std::time::{Duration, SystemTime};

use super::content::{Content, read_error};
use super::visible::{cut, visible};
use crate::Result;
use crate::time::Timestamp;

/// The most files that are listed.
const FILES_MAX: usize = 1_000;
/// The most bytes of an extended header that are read.
const EXTENSION_BYTES_MAX: u64 = 64 << 10;
/// The most characters of a name that are shown.
const NAME_CHARS: usize = 500;

/// The files in a tar file.
#[derive(Debug, Default)]
pub(in crate::web) struct Listing {
    pub(in crate::web) files: Vec<Listed>,
    /// There are more, which were not counted.
    pub(in crate::web) has_more: bool,
    /// Why the list ends early, where the tar file is broken.
    pub(in crate::web) broken: Option<String>,
}

#[derive(Debug)]
pub(in crate::web) struct Listed {
    pub(in crate::web) name: String,
    pub(in crate::web) is_folder: bool,
    pub(in crate::web) size: u64,
    pub(in crate::web) modified: Option<Timestamp>,
}

/// Lists the files. What they hold is passed over.
pub(super) fn list(content: &dyn Content) -> Result<Listing> {
    let mut tar = tar::Archive::new(content.reader()?);
    let mut listing = Listing::default();
    // Raw, because long names would be read whole, however long they are.
    let entries = tar.entries_with_seek().map_err(read_error)?.raw(true);
    let mut long_name = None;
    for entry in entries {
        let mut entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                listing.broken = Some(visible(&error.to_string()).into_owned());
                break;
            }
        };
        let kind = entry.header().entry_type();
        if kind.is_pax_global_extensions() || kind.is_gnu_longlink() {
            continue;
        }
        if kind.is_pax_local_extensions() || kind.is_gnu_longname() {
            let mut extension = Vec::new();
            let mut first = (&mut entry).take(EXTENSION_BYTES_MAX);
            first.read_to_end(&mut extension).map_err(read_error)?;
            long_name = if kind.is_gnu_longname() {
                Some(
                    extension
                        .split(|byte| *byte == 0)
                        .next()
                        .unwrap_or(b"")
                        .to_vec(),
                )
            } else {
                path_of(&extension).or(long_name)
            };
            continue;
        }
        if listing.files.len() == FILES_MAX {
            listing.has_more = true;
            break;
        }
        let name = long_name.take();
        let name = name.unwrap_or_else(|| entry.path_bytes().into_owned());
        let name = String::from_utf8_lossy(&name);
        let (name, _) = cut(&name, NAME_CHARS);
        let seconds = entry.header().mtime().unwrap_or(0);
        let modified = (seconds > 0).then(|| Duration::from_secs(seconds));
        let modified = modified.and_then(|after| SystemTime::UNIX_EPOCH.checked_add(after));
        listing.files.push(Listed {
            name: visible(name).into_owned(),
            is_folder: kind.is_dir(),
            size: entry.size(),
            modified: modified.map(Timestamp::from),
        });
    }
    Ok(listing)
}

/// Returns the path that the records of an extended header name.
fn path_of(records: &[u8]) -> Option<Vec<u8>> {
    let mut rest = records;
    while let Some(space) = rest.iter().position(|byte| *byte == b' ') {
        let length: usize = str::from_utf8(&rest[..space]).ok()?.parse().ok()?;
        let record = rest.get(space + 1..length)?;
        if let Some(path) = record.strip_prefix(b"path=") {
            return Some(path.strip_suffix(b"\n").unwrap_or(path).to_vec());
        }
        rest = &rest[length..];
    }
    None
}
