//! The list of a backup: the file `BACKUP`, which names every file that belongs to the backup.
//!
//! ```text
//! # annals backup 1
//! # store 0123456789abcdef0123456789abcdef
//! # event 1042
//! # root 64 hexadecimal digits
//! # lost 0
//! # made 2026-11-29T10:00:00.000000+00:00
//! # host "line3"
//! # folder "/var/lib/annals"
//! # file 8123 bytes, tail a5f67310
//! 64 hexadecimal digits  events/00000000000000000001.seg
//! # end 64 hexadecimal digits
//! ```
//!
//! The command `sha256sum --check BACKUP` can read this text, so a backup can be checked without
//! this program. The digest in the last line covers every byte before that line.

use std::fmt::Write as _;
use std::path::{Component, Path};

use crate::id::{EventSeq, Sha256, StoreId};
use crate::time::Timestamp;

/// The version that this program writes.
const VERSION: &str = "1";
/// Length of the trailer of a sealed file. The trailer holds the checksum of the file's footer.
pub(crate) const TAIL_BYTES: usize = 64;
/// The longest file in a list. The limit keeps sums of lengths from overflowing.
const FILE_BYTES_MAX: u64 = 1 << 40;
/// Separates the file's name in the store from the suffix that makes it unique in the backup.
const UNIQUE: char = '~';

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Catalog {
    /// The store that was backed up.
    pub(crate) store: StoreId,
    /// The last event in the backup; 0 until a first run is complete.
    pub(crate) event: EventSeq,
    /// The root of the hash tree over all events up to that one.
    pub(crate) root: Sha256,
    /// Number of contents that repairs of the store had given up by then.
    pub(crate) lost: u64,
    /// When the backup run ended.
    pub(crate) made: Timestamp,
    /// Name of the machine of the store.
    pub(crate) host: String,
    /// Folder of the store.
    pub(crate) folder: String,
    /// Every file of the backup, ascending by path.
    pub(crate) files: Vec<CatalogFile>,
}

/// One file of a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CatalogFile {
    /// Its path in the backup, with `/` as separator.
    pub(crate) path: String,
    /// Its length in bytes.
    pub(crate) bytes: u64,
    /// A checksum of its end, see [`tail_checksum`].
    pub(crate) tail: u32,
    /// Digest of the whole file.
    pub(crate) sha256: Sha256,
    /// True when the file was copied although it is damaged.
    pub(crate) damaged: bool,
}

/// Why a list cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CatalogError {
    #[error("it is not the list of a backup")]
    NotABackup,
    #[error("it is of version {0}, which this version of annals does not know")]
    Version(String),
    #[error("its checksum does not match")]
    Checksum,
    #[error("line {0} is not as it should be")]
    Line(usize),
}

/// Returns a checksum that tells sealed files with equal names and lengths apart without reading
/// them.
///
/// It covers the last [`TAIL_BYTES`] except the final four. Those are a checksum of the bytes
/// before them, and the CRC of bytes followed by their own CRC is a constant.
pub(crate) fn tail_checksum(tail: &[u8]) -> u32 {
    crc32c::crc32c(&tail[..tail.len().saturating_sub(4)])
}

/// Returns the path in the store of the file that is at `path` in a backup.
pub(crate) fn store_path(path: &str) -> &str {
    path.split(UNIQUE).next().unwrap_or(path)
}

impl CatalogFile {
    /// Returns the path of this file in the store.
    pub(crate) fn store_path(&self) -> &str {
        store_path(&self.path)
    }

    /// Returns the path in the backup for a different content of a file in the store.
    pub(crate) fn unique_path(store_path: &str, sha256: &Sha256) -> String {
        let digits = sha256.to_string();
        format!(
            "{store_path}{UNIQUE}{}",
            digits.get(..16).unwrap_or(&digits)
        )
    }
}

/// Encodes a list as text.
pub(crate) fn encode(catalog: &Catalog) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let mut text = format!(
        "# annals backup {VERSION}\n# store {}\n# event {}\n# root {}\n# lost {}\n# made {}\n\
         # host {}\n# folder {}\n",
        catalog.store,
        catalog.event,
        catalog.root,
        catalog.lost,
        catalog.made,
        quoted(&catalog.host),
        quoted(&catalog.folder),
    );
    for file in &catalog.files {
        let damaged = if file.damaged { ", damaged" } else { "" };
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "# file {} bytes, tail {:08x}{damaged}\n{}  {}\n",
            file.bytes, file.tail, file.sha256, file.path
        );
    }
    let end = Sha256::of(text.as_bytes());
    let _ = writeln!(text, "# end {end}");
    text
}

/// Decodes and checks a list.
pub(crate) fn decode(bytes: &[u8]) -> Result<Catalog, CatalogError> {
    let text = str::from_utf8(bytes).map_err(|_| CatalogError::NotABackup)?;
    let version = text
        .lines()
        .next()
        .and_then(|line| line.strip_prefix("# annals backup "))
        .ok_or(CatalogError::NotABackup)?;
    if version != VERSION {
        return Err(CatalogError::Version(version.to_owned()));
    }
    let body = text
        .rfind("# end ")
        .filter(|at| text[*at..] == format!("# end {}\n", Sha256::of(&bytes[..*at])))
        .map(|at| &text[..at])
        .ok_or(CatalogError::Checksum)?;
    let mut lines = Lines {
        lines: body.lines(),
        number: 0,
    };
    lines.field::<String>("annals backup ")?;
    let catalog = Catalog {
        store: lines.field("store ")?,
        event: lines.field("event ")?,
        root: lines.field("root ")?,
        lost: lines.field("lost ")?,
        made: lines.field("made ")?,
        host: lines.quoted("host ")?,
        folder: lines.quoted("folder ")?,
        files: Vec::new(),
    };
    let mut files: Vec<CatalogFile> = Vec::new();
    while let Some(file) = lines.file()? {
        if files.last().is_some_and(|last| last.path >= file.path) {
            return Err(CatalogError::Line(lines.number));
        }
        files.push(file);
    }
    Ok(Catalog { files, ..catalog })
}

/// The lines of a list, read one after the other.
struct Lines<'a> {
    lines: std::str::Lines<'a>,
    number: usize,
}

impl<'a> Lines<'a> {
    fn take(&mut self) -> Option<&'a str> {
        self.number += 1;
        self.lines.next()
    }

    fn value(&mut self, name: &str) -> Result<&'a str, CatalogError> {
        let line = self.take().and_then(|line| line.strip_prefix("# "));
        line.and_then(|line| line.strip_prefix(name))
            .ok_or(CatalogError::Line(self.number))
    }

    fn field<T: std::str::FromStr>(&mut self, name: &str) -> Result<T, CatalogError> {
        let value = self.value(name)?;
        value.parse().map_err(|_| CatalogError::Line(self.number))
    }

    fn quoted(&mut self, name: &str) -> Result<String, CatalogError> {
        let value = self.value(name)?;
        serde_json::from_str(value).map_err(|_| CatalogError::Line(self.number))
    }

    /// Reads the next file, which takes two lines.
    fn file(&mut self) -> Result<Option<CatalogFile>, CatalogError> {
        let Some(head) = self.take() else {
            return Ok(None);
        };
        let wrong = CatalogError::Line(self.number);
        let (rest, damaged) = match head.strip_suffix(", damaged") {
            Some(rest) => (rest, true),
            None => (head, false),
        };
        let numbers = rest
            .strip_prefix("# file ")
            .and_then(|rest| rest.split_once(" bytes, tail "))
            .and_then(|(bytes, tail)| {
                Some((bytes.parse().ok()?, u32::from_str_radix(tail, 16).ok()?))
            });
        let (bytes, tail) = numbers
            .filter(|(bytes, _)| *bytes <= FILE_BYTES_MAX)
            .ok_or(wrong)?;
        let line = self.take().unwrap_or_default();
        let named = line
            .split_once("  ")
            .and_then(|(sha256, path)| Some((sha256.parse().ok()?, path)))
            .filter(|(_, path)| is_plain(path));
        let (sha256, path) = named.ok_or(CatalogError::Line(self.number))?;
        Ok(Some(CatalogFile {
            path: path.to_owned(),
            bytes,
            tail,
            sha256,
            damaged,
        }))
    }
}

/// Returns true for a path that stays inside the backup. A list may come from an untrusted source.
fn is_plain(path: &str) -> bool {
    let mut parts = Path::new(path).components();
    let room = matches!(
        parts.next(),
        Some(Component::Normal(room)) if room == "events" || room == "packs"
    );
    let plain = path
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte));
    room && plain
        && parts.clone().next().is_some()
        && parts.all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalog() -> Catalog {
        let file = |path: &str, damaged| CatalogFile {
            path: path.to_owned(),
            bytes: 8123,
            tail: 0x00a5_f673,
            sha256: Sha256::of(path.as_bytes()),
            damaged,
        };
        Catalog {
            store: StoreId::from_bytes([0x5a; 16]),
            event: EventSeq(1042),
            root: Sha256::from_bytes([7; 32]),
            lost: 3,
            made: Timestamp::from_micros(1_700_000_000_000_000),
            host: "line \"3\"\n".to_owned(),
            folder: "/var/lib/Prüf\n# end".to_owned(),
            files: vec![
                file("events/00000000000000000001.seg", false),
                file("packs/forever/none/0000000000000001.pack", true),
            ],
        }
    }

    #[test]
    fn a_list_says_what_was_put_into_it_and_every_flipped_bit_is_noticed() {
        let text = encode(&catalog());
        assert_eq!(decode(text.as_bytes()), Ok(catalog()));
        let mut bytes = text.into_bytes();
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&bytes).is_err(), "bit {bit}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        for len in 0..bytes.len() {
            assert!(decode(&bytes[..len]).is_err(), "{len} bytes");
        }
    }

    /// A list may come from an untrusted source, and the files it names are written into a folder
    /// of the user.
    #[test]
    fn a_list_that_names_a_file_outside_of_the_backup_is_refused() {
        for path in [
            "events/../../etc/passwd",
            "/events/1.seg",
            "packs",
            "journal/0000.journal",
            "events/./../x",
            "events/a\\b",
            "events/a b",
        ] {
            let mut wrong = catalog();
            wrong.files.truncate(1);
            wrong.files[0].path = path.to_owned();
            let refused = decode(encode(&wrong).as_bytes());
            assert!(matches!(refused, Err(CatalogError::Line(_))), "{path}");
        }
        let mut endless = catalog();
        endless.files[0].bytes = u64::MAX;
        assert!(decode(encode(&endless).as_bytes()).is_err());
    }

    #[test]
    fn another_content_of_the_same_file_gets_a_path_of_its_own() {
        let sha256 = Sha256::from_bytes([0xab; 32]);
        let mut file = catalog().files.remove(0);
        let store_path = file.path.clone();
        file.path = CatalogFile::unique_path(&store_path, &sha256);
        assert_eq!(file.path, format!("{store_path}~abababababababab"));
        assert_eq!(file.store_path(), store_path);
        assert!(is_plain(&file.path));
    }
}
