//! Chooses names: free ones where a name is taken, and hidden ones for unfinished files.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;

use super::dir::Dir;
use crate::{Error, ErrorKind, Result};

/// Maximum number of tries for a free name while other programs keep taking it.
const TRIES_MAX: u32 = 1000;
/// The longest extension in bytes that a shortened name keeps.
const EXTENSION_BYTES_MAX: usize = 40;

/// Returns a distinct name: `unit.csv`, `unit (2).csv`, `unit (3).csv` ..., in at most `bytes_max`
/// bytes.
///
/// A name that is too long is cut in its stem; the extension stays.
pub(crate) fn distinct(name: &OsStr, number: u64, bytes_max: usize) -> OsString {
    let addition = match number {
        1 => String::new(),
        number => format!(" ({number})"),
    };
    let path = Path::new(name);
    let (stem, extension) = match (path.file_stem(), path.extension()) {
        (Some(stem), Some(extension)) if extension.len() < EXTENSION_BYTES_MAX => {
            let mut dotted = OsString::from(".");
            dotted.push(extension);
            (stem, dotted)
        }
        _ => (name, OsString::new()),
    };
    let room = bytes_max.saturating_sub(addition.len() + extension.len());
    let mut out = shortened(stem, room);
    out.push(addition);
    out.push(extension);
    out
}

/// Returns the name with `.zip` at its end, in at most `bytes_max` bytes.
pub(super) fn zipped(name: &OsStr, bytes_max: usize) -> OsString {
    let ending = ".zip";
    let mut out = distinct(name, 1, bytes_max.saturating_sub(ending.len()));
    out.push(ending);
    out
}

/// Returns at most the first `bytes_max` bytes of a name, without cutting a character.
#[cfg(unix)]
pub(super) fn shortened(name: &OsStr, bytes_max: usize) -> OsString {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    let bytes = name.as_bytes();
    if bytes.len() <= bytes_max {
        return name.to_owned();
    }
    let mut end = bytes_max;
    if str::from_utf8(bytes).is_ok() {
        // A continuation byte of a UTF-8 character.
        while end > 0 && bytes[end] & 0b1100_0000 == 0b1000_0000 {
            end -= 1;
        }
    }
    OsString::from_vec(bytes[..end].to_owned())
}

#[cfg(not(unix))]
pub(super) fn shortened(name: &OsStr, bytes_max: usize) -> OsString {
    let text = name.to_string_lossy();
    if text.len() <= bytes_max {
        return name.to_owned();
    }
    let mut end = bytes_max;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].into()
}

/// Gives an item in `folder` a free name: `name` or a distinct one.
///
/// `give` returns `AlreadyExists` when another program took the name meanwhile; then another name
/// is tried.
pub(super) fn give_free_name(
    folder: &Dir,
    name: &OsStr,
    mut give: impl FnMut(&OsStr) -> io::Result<()>,
) -> Result<OsString> {
    let bytes_max = folder.name_bytes_max(name);
    let mut from = 1;
    for _ in 0..TRIES_MAX {
        let number = first_free(folder, name, from)
            .map_err(|error| Error::io("look into", folder.path(), error))?;
        let chosen = distinct(name, number, bytes_max);
        match give(&chosen) {
            Ok(()) => return Ok(chosen),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => from = number + 1,
            Err(error) => return Err(Error::io("create", folder.at(&chosen), error)),
        }
    }
    Err(Error::new(
        ErrorKind::Refused,
        format!(
            "other programs take every name like {} in {}; the file was left",
            name.display(),
            folder.path().display()
        ),
    )
    .hint("see which program writes there"))
}

/// Returns a number, at least `from`, whose name is free while the name of the number before is
/// taken.
///
/// It takes few checks however many names are taken: the steps first double, and then halve.
pub(super) fn first_free(folder: &Dir, name: &OsStr, from: u64) -> io::Result<u64> {
    let bytes_max = folder.name_bytes_max(name);
    first_free_number(from, |number| {
        folder.has(&distinct(name, number, bytes_max))
    })
}

/// Returns a number, at least `from`, that is free while the number before is taken; see
/// [`first_free`].
pub(super) fn first_free_number(
    from: u64,
    is_taken: impl Fn(u64) -> io::Result<bool>,
) -> io::Result<u64> {
    if !is_taken(from)? {
        return Ok(from);
    }
    let (mut taken, mut step) = (from, 1);
    let mut free = loop {
        let next = taken + step;
        if !is_taken(next)? {
            break next;
        }
        (taken, step) = (next, step * 2);
    };
    while free - taken > 1 {
        let middle = taken + (free - taken) / 2;
        if is_taken(middle)? {
            taken = middle;
        } else {
            free = middle;
        }
    }
    Ok(free)
}

/// The purpose of a hidden name, which is the end of the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A file or folder that is being written.
    Partial,
    /// A source that was set aside, followed by its own name; or a folder that holds one.
    Aside,
    /// A folder into which earlier versions of the host moved folders to remove them.
    Removing,
}

impl Purpose {
    const fn ending(self) -> &'static str {
        match self {
            Self::Partial => "partial",
            Self::Aside => "aside",
            Self::Removing => "removing",
        }
    }
}

const PREFIX: &str = ".annals-";
const DIGITS: usize = 16;

/// Returns a random name that no converter takes.
pub(super) fn hidden(purpose: Purpose) -> io::Result<OsString> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    let number = u64::from_le_bytes(bytes);
    Ok(format!("{PREFIX}{number:016x}.{}", purpose.ending()).into())
}

/// Returns a hidden name that contains `name`; [`name_in`] extracts it.
pub(super) fn hidden_with(purpose: Purpose, name: &OsStr) -> io::Result<OsString> {
    let mut out = hidden(purpose)?;
    out.push(".");
    out.push(name);
    Ok(out)
}

/// Returns true for a name that [`hidden`] returns.
pub(super) fn is_hidden(name: &OsStr, purpose: Purpose) -> bool {
    after_hidden(name, purpose).is_some_and(<[u8]>::is_empty)
}

/// Returns the name contained in a name that [`hidden_with`] returns.
pub(super) fn name_in(hidden: &OsStr, purpose: Purpose) -> Option<OsString> {
    let name = after_hidden(hidden, purpose)?.strip_prefix(b".")?;
    // Sources never begin with a dot.
    if name.is_empty() || name.starts_with(b".") {
        return None;
    }
    os_string(name)
}

/// Returns what follows the hidden part of a name.
fn after_hidden(name: &OsStr, purpose: Purpose) -> Option<&[u8]> {
    let rest = name.as_encoded_bytes().strip_prefix(PREFIX.as_bytes())?;
    let (number, rest) = rest.split_at_checked(DIGITS)?;
    let rest = rest.strip_prefix(b".")?;
    let rest = rest.strip_prefix(purpose.ending().as_bytes())?;
    number.iter().all(u8::is_ascii_hexdigit).then_some(rest)
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere names are Unicode")]
pub(super) fn os_string(bytes: &[u8]) -> Option<OsString> {
    use std::os::unix::ffi::OsStringExt;
    Some(OsString::from_vec(bytes.to_owned()))
}

#[cfg(not(unix))]
pub(super) fn os_string(bytes: &[u8]) -> Option<OsString> {
    String::from_utf8(bytes.to_owned()).ok().map(OsString::from)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A taken name at the length limit must be cut, or its file could never get a distinct name.
    #[test]
    fn a_name_at_the_limit_is_cut_in_its_stem_and_keeps_its_extension() {
        let long = format!("{}.csv", "x".repeat(251));
        for number in [1, 2, 10_000] {
            let name = distinct(OsStr::new(&long), number, 255);
            assert_eq!(name.len(), 255);
            assert!(name.to_string_lossy().ends_with(".csv"));
        }
        let zip = zipped(OsStr::new(&long), 255);
        assert_eq!(zip.len(), 255);
        assert!(zip.to_string_lossy().ends_with("x.csv.zip"));
        let wide = format!("{}.csv", "é".repeat(125));
        assert_eq!(wide.len(), 254);
        let name = distinct(OsStr::new(&wide), 2, 255);
        assert!(
            name.to_str()
                .is_some_and(|name| name.ends_with("é (2).csv"))
        );
        let all = "y".repeat(255);
        assert_eq!(distinct(OsStr::new(&all), 2, 255).len(), 255);
        let odd = format!("a.{}", "z".repeat(253));
        assert_eq!(distinct(OsStr::new(&odd), 2, 255).len(), 255);
        assert_eq!(distinct(OsStr::new("a.b.csv"), 3, 255), "a.b (3).csv");
        assert_eq!(zipped(OsStr::new("a.csv"), 255), "a.csv.zip");
    }

    /// A station may always write one name, so that thousands of numbered names are taken.
    #[test]
    fn ten_thousand_equal_names_leave_a_free_one_that_is_found_in_few_looks() {
        let dir = tempfile::tempdir().expect("folder");
        for number in 1..=10_000 {
            let name = distinct(OsStr::new("result.csv"), number, 255);
            fs::write(dir.path().join(name), "").expect("written");
        }
        let folder = Dir::open(dir.path()).expect("open");
        let name = OsStr::new("result.csv");
        assert_eq!(first_free(&folder, name, 1).expect("read"), 10_001);
        let began = std::time::Instant::now();
        for _ in 0..100 {
            let found = first_free(&folder, name, 1).expect("read");
            assert_eq!(found, 10_001);
        }
        // A linear search would need a million checks.
        assert!(began.elapsed() < std::time::Duration::from_millis(500));
        // A name that another program takes at this moment is skipped.
        let mut given = Vec::new();
        let chosen = give_free_name(&folder, name, |name| {
            given.push(name.to_owned());
            if given.len() < 3 {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            Ok(())
        });
        assert_eq!(chosen.expect("given"), "result (10003).csv");
    }

    #[test]
    fn a_hidden_name_tells_its_purpose_and_the_name_in_it() {
        let plain = hidden(Purpose::Partial).expect("named");
        assert!(is_hidden(&plain, Purpose::Partial) && !is_hidden(&plain, Purpose::Aside));
        let with = hidden_with(Purpose::Aside, OsStr::new("a.csv")).expect("named");
        assert!(!is_hidden(&with, Purpose::Aside));
        assert_eq!(name_in(&with, Purpose::Aside), Some("a.csv".into()));
        for other in [
            ".annals-0123456789abcdef.aside",
            ".annals-0123456789abcdef.aside.",
            ".annals-0123456789abcdef.aside..hidden",
            ".annals-0123456789abcde.aside.a.csv",
            ".annals-0123456789abcdefg.aside.a.csv",
            "annals-0123456789abcdef.aside.a.csv",
        ] {
            assert_eq!(name_in(OsStr::new(other), Purpose::Aside), None, "{other}");
        }
    }
}
