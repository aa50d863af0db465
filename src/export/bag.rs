//! The text files that make a folder a BagIt bag (RFC 8493).

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::export::scope::{BUNDLE_FORMAT, Exported, Scope};
use crate::id::Sha256;
use crate::time::Timestamp;

pub(super) const BAGIT: &str = "bagit.txt";
pub(super) const BAG_INFO: &str = "bag-info.txt";
pub(super) const MANIFEST: &str = "manifest-sha256.txt";
pub(super) const TAG_MANIFEST: &str = "tagmanifest-sha256.txt";
pub(super) const EVENTS: &str = "data/events.jsonl";
pub(super) const DISCLOSURES: &str = "data/disclosures.jsonl";
pub(super) const CHECKPOINT: &str = "data/checkpoint";
pub(super) const VKEYS: &str = "data/vkeys";
pub(super) const REPORT_CSV: &str = "data/report.csv";
pub(super) const REPORT_HTML: &str = "data/report.html";
pub(super) const PROOFS: &str = "data/proofs";
pub(super) const BLOBS: &str = "data/blobs";

/// The content of `bagit.txt`.
pub(super) const BAGIT_TEXT: &str = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n";

/// The label in `bag-info.txt` that says which layout a bundle has.
const FORMAT_LABEL: &str = "Annals-Bundle-Format";

/// The largest manifest that is read: one line for each of some millions of files.
pub(super) const MANIFEST_BYTES_MAX: u64 = 1 << 30;

/// Files and their digests, sorted by path.
pub(crate) type Digests = BTreeMap<String, Sha256>;

/// Writes a manifest, one line a file, as `sha256sum` writes it.
pub(crate) fn manifest(files: &Digests) -> String {
    let mut text = String::new();
    for (path, sha256) in files {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{sha256}  {path}");
    }
    text
}

/// Why a text is not a manifest that was written here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ManifestError {
    #[error("it is not UTF-8 text")]
    Utf8,
    #[error("its lines end with a carriage return")]
    CarriageReturn,
    #[error("line {0} is not a digest, two blanks and the path of a file in the bundle")]
    Line(usize),
    #[error("its last line does not end")]
    Cut,
    #[error("line {0} is not in order")]
    Order(usize),
}

/// Parses a manifest. Only the exact form that [`manifest`] writes is accepted.
pub(crate) fn parse_manifest(bytes: &[u8]) -> Result<Digests, ManifestError> {
    let text = str::from_utf8(bytes).map_err(|_| ManifestError::Utf8)?;
    if text.contains('\r') {
        return Err(ManifestError::CarriageReturn);
    }
    let mut files = Digests::new();
    if text.is_empty() {
        return Ok(files);
    }
    let lines = text.strip_suffix('\n').ok_or(ManifestError::Cut)?;
    for (number, line) in (1..).zip(lines.split('\n')) {
        let parts = line.split_once("  ");
        let (digest, path) = parts.ok_or(ManifestError::Line(number))?;
        let sha256: Sha256 = digest.parse().map_err(|_| ManifestError::Line(number))?;
        if !is_inside(path) || sha256.to_string() != digest {
            return Err(ManifestError::Line(number));
        }
        let is_next = files
            .last_key_value()
            .is_none_or(|(last, _)| **last < *path);
        if !is_next {
            return Err(ManifestError::Order(number));
        }
        files.insert(path.to_owned(), sha256);
    }
    Ok(files)
}

/// Returns whether a path can be one of a file in a bundle: it stays inside, and is spelt plainly.
fn is_inside(path: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    let named = |part: &str| !matches!(part, "" | "." | "..");
    path.chars().all(plain) && path.split('/').all(named)
}

/// What `bag-info.txt` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BagInfo<'a> {
    pub(super) origin: &'a str,
    pub(super) tree_size: u64,
    pub(super) at: Timestamp,
    pub(super) exported: &'a Exported,
    /// Bytes and number of the files in `data`.
    pub(super) payload: (u64, u64),
}

/// Writes `bag-info.txt`. It depends on nothing but the evidence, so it can be written again.
pub(super) fn bag_info(info: &BagInfo<'_>) -> String {
    let exported = info.exported;
    let scope = match exported.scope {
        Scope::Whole => "the whole log up to this event; nothing is left out",
        Scope::Selection => "a selection; it cannot prove that nothing was left out",
    };
    let contents = match exported.contents {
        Some(contents) => format!("{} contents", contents.count),
        None => "no contents".to_owned(),
    };
    let date = info.at.to_utc_string();
    let date = date.get(..10).unwrap_or_default();
    let (bytes, files) = info.payload;
    format!(
        "Bag-Software-Agent: annals\n\
         {FORMAT_LABEL}: {BUNDLE_FORMAT}\n\
         Bagging-Date: {date}\n\
         External-Identifier: {}\n\
         External-Description: Evidence from an annals log: {} events, {contents}\n\
         Annals-Tree-Size: {}\n\
         Annals-Scope: {scope}\n\
         Payload-Oxum: {bytes}.{files}\n",
        info.origin, exported.counts.events, info.tree_size,
    )
}

/// Returns the version of the layout that `bag-info.txt` states.
pub(crate) fn bundle_format(bag_info: &[u8]) -> Option<u64> {
    let text = str::from_utf8(bag_info).ok()?;
    let mut lines = text.lines();
    let stated = lines.find_map(|line| line.strip_prefix(FORMAT_LABEL)?.strip_prefix(": "));
    stated?.trim_end().parse().ok()
}

/// Returns the version of BagIt that `bagit.txt` states.
pub(crate) fn bagit_version(bagit: &[u8]) -> Option<&str> {
    let text = str::from_utf8(bagit).ok()?;
    let first = text.lines().next()?;
    Some(first.strip_prefix("BagIt-Version: ")?.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Digests {
        let files = [("data/checkpoint", 1), ("data/events.jsonl", 2)];
        let digest = |byte| Sha256::from_bytes([byte; 32]);
        let files = files.map(|(path, byte)| (path.to_owned(), digest(byte)));
        files.into_iter().collect()
    }

    /// `sha256sum -c` reads this form and no other.
    #[test]
    fn a_manifest_is_what_sha256sum_reads() {
        let text = manifest(&some());
        let expected = format!(
            "{}  data/checkpoint\n{}  data/events.jsonl\n",
            "01".repeat(32),
            "02".repeat(32)
        );
        assert_eq!(text, expected);
        assert_eq!(parse_manifest(text.as_bytes()), Ok(some()));
    }

    /// An editor or a transfer changed a manifest, or somebody wrote one that leads out of the
    /// bundle.
    #[test]
    fn a_manifest_in_any_other_form_is_refused() {
        let sound = manifest(&some());
        let mut lines: Vec<&str> = sound.lines().collect();
        lines.reverse();
        let swapped = lines.join("\n") + "\n";
        let digest = "0a".repeat(32);
        for wrong in [
            sound.replace('\n', "\r\n"),
            sound.trim_end().to_owned(),
            swapped,
            sound.replace("  ", " "),
            sound.replace("  ", " *"),
            format!("{sound}\n"),
            format!("{sound}{sound}"),
            format!("{digest}  ../outside\n"),
            format!("{digest}  /etc/passwd\n"),
            format!("{digest}  data//x\n"),
            format!("{digest}  data/./x\n"),
            format!("{}  data/x\n", "0A".repeat(32)),
            "\n".to_owned(),
        ] {
            assert!(parse_manifest(wrong.as_bytes()).is_err(), "{wrong:?}");
        }
        assert_eq!(parse_manifest(&[0xff]), Err(ManifestError::Utf8));
    }

    #[test]
    fn versions_are_read_whatever_else_there_is() {
        assert_eq!(bundle_format(b"A: b\nAnnals-Bundle-Format: 7\n"), Some(7));
        assert_eq!(
            bundle_format(b"A: b\r\nAnnals-Bundle-Format: 1\r\n"),
            Some(1)
        );
        assert_eq!(bundle_format(b"Annals-Bundle-Format: x\n"), None);
        assert_eq!(bagit_version(BAGIT_TEXT.as_bytes()), Some("1.0"));
        assert_eq!(bagit_version(b"BagIt-Version: 2.0\r\n"), Some("2.0"));
        assert_eq!(bagit_version(b"\xff"), None);
    }
}
