//! The file `PLACE`: where a store was last written. It reveals that a store was copied.
//!
//! ```text
//! annals place
//! store 0123456789abcdef0123456789abcdef
//! machine 32 hexadecimal digits, or -
//! folder 16 hexadecimal digits-decimal digits, or -
//! host "line3"
//! path "/var/lib/annals"
//! crc32c 1a2b3c4d
//! ```
//!
//! It is never synced and never required: a file that is missing, torn or of another store is
//! ignored.

use std::path::{Path, PathBuf};

use crate::id::StoreId;

/// The largest file; a longer file is ignored.
pub(crate) const PLACE_BYTES_MAX: u64 = 16 << 10;

/// The location of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The machine id, if the system has one.
    pub(crate) machine: Option<[u8; 16]>,
    /// File system and number of the folder, if the system has them.
    pub(crate) folder: Option<(u64, u64)>,
    /// Host name of the machine.
    pub(crate) host: String,
    /// Path of the folder.
    pub(crate) path: PathBuf,
}

/// Encodes the content of the file; `None` when the path cannot be written as text.
pub(crate) fn encode(store: &StoreId, place: &Place) -> Option<String> {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let machine = place.machine.map_or_else(
        || "-".to_owned(),
        |bytes| format!("{:032x}", u128::from_be_bytes(bytes)),
    );
    let folder = place.folder.map_or_else(
        || "-".to_owned(),
        |(system, number)| format!("{system:016x}-{number}"),
    );
    let body = format!(
        "annals place\nstore {store}\nmachine {machine}\nfolder {folder}\nhost {}\npath {}\n",
        quoted(&place.host),
        quoted(place.path.to_str()?)
    );
    let crc = crc32c::crc32c(body.as_bytes());
    Some(format!("{body}crc32c {crc:08x}\n"))
}

/// Returns the location in the file, if the file is intact and belongs to this store.
pub(crate) fn decode(bytes: &[u8], store: &StoreId) -> Option<Place> {
    let text = str::from_utf8(bytes).ok()?;
    let mut lines = text.lines().skip(2);
    let mut value = |name: &str| lines.next()?.strip_prefix(name);
    let machine = match value("machine ")? {
        "-" => None,
        digits => Some(u128::from_str_radix(digits, 16).ok()?.to_be_bytes()),
    };
    let folder = match value("folder ")? {
        "-" => None,
        text => {
            let (system, number) = text.split_once('-')?;
            Some((u64::from_str_radix(system, 16).ok()?, number.parse().ok()?))
        }
    };
    let host = serde_json::from_str(value("host ")?).ok()?;
    let path: String = serde_json::from_str(value("path ")?).ok()?;
    let place = Place {
        machine,
        folder,
        host,
        path: Path::new(&path).to_owned(),
    };
    // There is only one valid spelling, which includes the checksum.
    (encode(store, &place).as_deref() == Some(text)).then_some(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_was_written_and_a_damaged_one_says_nothing() {
        let store = StoreId::from_bytes([0x5a; 16]);
        let known = Place {
            machine: Some([0xab; 16]),
            folder: Some((0x1234, 99)),
            host: "line3".to_owned(),
            path: PathBuf::from("/data/\"Prüf\"\nstand"),
        };
        let unknown = Place {
            machine: None,
            folder: None,
            ..known.clone()
        };
        for place in [known, unknown] {
            let text = encode(&store, &place).expect("text");
            assert_eq!(decode(text.as_bytes(), &store), Some(place));
            let other = StoreId::from_bytes([0x5b; 16]);
            assert_eq!(decode(text.as_bytes(), &other), None);
            let mut bytes = text.into_bytes();
            for bit in 0..bytes.len() * 8 {
                bytes[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(decode(&bytes, &store), None, "bit {bit}");
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
        }
    }
}
