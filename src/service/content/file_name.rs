//! Chooses the file name of a restored entry. A recorded name must not choose another folder.

use std::ffi::{OsStr, OsString};

use crate::entry::Entry;
use crate::service::words::escape;
use crate::{Error, ErrorKind, Result};

/// Longest name that is made, in bytes. File systems stop at 255, and a collision number needs
/// room.
const NAME_BYTES_MAX: usize = 200;

/// Returns `<id>_<name>`, which is legal on every system and unique to the entry.
pub fn numbered(entry: &Entry) -> String {
    let id = entry.id;
    match safe_name(&entry.source_name) {
        Some(name) => format!("{id}_{name}"),
        None => format!("{id}_source"),
    }
}

/// Returns the recorded name, byte for byte where the system allows it.
///
/// # Errors
/// When the recorded name is not a plain file name.
pub fn original(entry: &Entry) -> Result<OsString> {
    let refused = || {
        Error::new(
            ErrorKind::Refused,
            format!(
                "entry {}: '{}' is not a plain file name",
                entry.id, entry.source_name
            ),
        )
        .hint("restore it without --original-names; it then gets a safe name")
    };
    let name = recorded_name(entry).ok_or_else(refused)?;
    let bytes = name.as_encoded_bytes();
    let plain = !bytes.is_empty()
        && bytes != b"."
        && bytes != b".."
        && !bytes.iter().any(|byte| matches!(byte, b'/' | b'\\' | 0));
    // Windows opens a device or an alternate stream under some names.
    let legal = !cfg!(windows)
        || safe_name(&entry.source_name).is_some_and(|safe| safe == entry.source_name);
    if plain && legal {
        Ok(name)
    } else {
        Err(refused())
    }
}

#[cfg(unix)]
fn recorded_name(entry: &Entry) -> Option<OsString> {
    use std::os::unix::ffi::OsStringExt;
    match &entry.source_name_hex {
        None => Some(entry.source_name.clone().into()),
        Some(hex) => {
            let pairs = hex.as_bytes().chunks(2);
            let bytes: Option<Vec<u8>> = pairs
                .map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok())
                .collect();
            bytes.map(OsString::from_vec)
        }
    }
}

// Outside Unix, file names are not byte strings, so only the readable form exists.
#[cfg(not(unix))]
fn recorded_name(entry: &Entry) -> Option<OsString> {
    Some(entry.source_name.clone().into())
}

/// Returns the last component of `name`, with every character replaced that some system refuses or
/// misreads.
///
/// Returns `None` when nothing is left.
pub fn safe_name(name: &str) -> Option<String> {
    let last = name.rsplit(['/', '\\']).next().unwrap_or(name);
    let cleaned: String = last
        .chars()
        .map(|c| {
            let illegal = matches!(c, '<' | '>' | ':' | '"' | '|' | '?' | '*');
            if illegal || escape(c.encode_utf8(&mut [0; 4])).len() != c.len_utf8() {
                '_'
            } else {
                c
            }
        })
        .collect();
    let trimmed = shorten(cleaned.trim_end_matches(['.', ' ']));
    if trimmed.is_empty() {
        return None;
    }
    Some(if is_device(&trimmed) {
        format!("_{trimmed}")
    } else {
        trimmed
    })
}

/// Shortens a long name within its stem, so that its extension stays.
fn shorten(name: &str) -> String {
    if name.len() <= NAME_BYTES_MAX {
        return name.to_owned();
    }
    let extension = name.rfind('.').map_or("", |dot| &name[dot..]).to_owned();
    let extension = if extension.len() > 20 { "" } else { &extension };
    let mut end = NAME_BYTES_MAX - extension.len();
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{extension}", &name[..end])
}

/// Returns true for names that Windows gives to devices, with any extension.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name).trim_end();
    let stem = stem.to_uppercase();
    let numbered = |prefix: &str| {
        stem.strip_prefix(prefix).is_some_and(|rest| {
            let mut digits = rest.chars();
            matches!(digits.next(), Some('1'..='9' | '¹' | '²' | '³')) && digits.next().is_none()
        })
    };
    matches!(
        stem.as_str(),
        "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$"
    ) || numbered("COM")
        || numbered("LPT")
}

/// Returns `name` with a number that tells it apart from equal names: `SN1 (2).csv`.
///
/// A name that would be too long for a file system is shortened in its stem.
pub fn distinct(name: &OsStr, number: u32) -> OsString {
    const FILE_NAME_BYTES_MAX: usize = 255;
    crate::host::distinct_name(name, number.into(), FILE_NAME_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::entries::sample;

    fn named(name: &str) -> Entry {
        Entry {
            source_name: name.into(),
            ..sample()
        }
    }

    #[test]
    fn a_restored_file_lands_in_its_folder_whatever_its_name_says() {
        for (name, safe) in [
            ("SN1.csv", "4711_SN1.csv"),
            ("../../etc/passwd", "4711_passwd"),
            ("..\\..\\boot.ini", "4711_boot.ini"),
            ("C:evil", "4711_C_evil"),
            ("..", "4711_source"),
            ("", "4711_source"),
            ("a/", "4711_source"),
            ("nul", "4711__nul"),
            ("COM1.txt", "4711__COM1.txt"),
            ("COM10.txt", "4711_COM10.txt"),
            ("trailing. . ", "4711_trailing"),
            ("a\u{1b}[2Jb\n\0.csv", "4711_a_[2Jb__.csv"),
            ("exe.\u{202e}vsc", "4711_exe._vsc"),
            ("what?<>|*.csv", "4711_what_____.csv"),
            ("Prüfplatz 東京.csv", "4711_Prüfplatz 東京.csv"),
        ] {
            assert_eq!(numbered(&named(name)), safe, "{name:?}");
        }
    }

    #[test]
    fn a_name_too_long_for_a_file_system_keeps_its_extension() {
        let long = format!("{}.csv", "ü".repeat(300));
        let name = safe_name(&long).expect("a name");
        assert!(
            name.len() <= NAME_BYTES_MAX && name.ends_with("ü.csv"),
            "{name}"
        );
    }

    #[test]
    fn an_original_name_that_leads_elsewhere_is_refused() {
        assert_eq!(original(&named("SN1.csv")).expect("plain"), "SN1.csv");
        for name in ["", ".", "..", "../x", "a/b", "a\\b", "/etc/passwd", "a\0b"] {
            let error = original(&named(name)).expect_err(name);
            assert_eq!(error.kind(), ErrorKind::Refused, "{name:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn an_original_name_that_is_not_text_comes_back_byte_for_byte() {
        use std::os::unix::ffi::OsStrExt;
        let mut entry = named("SN\u{fffd}.csv");
        entry.source_name_hex = Some("534eff2e637376".into());
        let name = original(&entry).expect("plain");
        assert_eq!(name.as_bytes(), b"SN\xff.csv");
        for hex in ["2f", "2e2e", "00", "2e2e2f61", "zz", "53é"] {
            entry.source_name_hex = Some(hex.into());
            assert!(original(&entry).is_err(), "{hex}");
        }
    }

    #[test]
    fn equal_names_are_told_apart_before_the_extension() {
        assert_eq!(distinct("SN1.csv".as_ref(), 2), "SN1 (2).csv");
        assert_eq!(distinct("SN1".as_ref(), 3), "SN1 (3)");
        assert_eq!(distinct(".hidden".as_ref(), 2), ".hidden (2)");
        let long = format!("{}.csv", "x".repeat(251));
        let cut = distinct(long.as_ref(), 2);
        assert!(cut.len() == 255 && cut.to_string_lossy().ends_with("x (2).csv"));
    }
}
