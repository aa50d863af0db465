//! Files that are in the way, and names that are equal.

use std::path::Path;

use super::target::exists;
use super::*;
use crate::id::BlobId;

fn target(dir: &Path, overwrite: Overwrite) -> Target {
    Target {
        dir: dir.to_owned(),
        overwrite,
        taken: HashSet::new(),
    }
}

/// Returns the path for an entry, if nothing is in its way.
fn choose(target: &mut Target, name: &str, id: EntryId) -> Result<PathBuf> {
    let path = target.name(Path::new(""), name.into());
    if target.is_in_the_way(&path) {
        return Err(exists(&path, id));
    }
    Ok(path)
}

fn restore(target: &mut Target, name: &str, content: &[u8]) -> Result<PathBuf> {
    let id = EntryId(7);
    let path = choose(target, name, id)?;
    let mut partial = Partial::create(&target.dir, id)?;
    partial.write(content)?;
    partial.sync()?;
    partial.compare(BlobId::of(content))?;
    target.place(partial, &path, id)?;
    Ok(path)
}

#[test]
fn a_file_that_was_there_before_is_not_replaced_unless_that_is_asked_for() {
    let dir = tempfile::tempdir().expect("temp dir");
    let there = dir.path().join("SN1.csv");
    fs::write(&there, "precious").expect("write");

    let error =
        restore(&mut target(dir.path(), Overwrite::Never), "SN1.csv", b"new").expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert_eq!(fs::read(&there).expect("read"), b"precious");

    restore(
        &mut target(dir.path(), Overwrite::Always),
        "SN1.csv",
        b"new",
    )
    .expect("replaced");
    assert_eq!(fs::read(&there).expect("read"), b"new");
}

#[test]
fn a_file_that_appears_while_we_write_is_not_replaced_either() {
    let dir = tempfile::tempdir().expect("temp dir");
    let mut target = target(dir.path(), Overwrite::Never);
    let path = choose(&mut target, "SN1.csv", EntryId(7)).expect("free");
    let partial = Partial::create(dir.path(), EntryId(7)).expect("partial");
    fs::write(&path, "faster").expect("write");
    assert!(target.place(partial, &path, EntryId(7)).is_err());
    assert_eq!(fs::read(&path).expect("read"), b"faster");
    assert_eq!(fs::read_dir(dir.path()).expect("list").count(), 1);
}

/// A restored file must not be readable by more accounts than the original.
#[cfg(unix)]
#[test]
fn a_restored_file_is_for_its_account_alone() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().expect("temp dir");
    for (overwrite, name) in [(Overwrite::Never, "a"), (Overwrite::Always, "b")] {
        let path = restore(&mut target(dir.path(), overwrite), name, b"x").expect("restored");
        let mode = fs::metadata(path).expect("there").permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
    }
}

#[test]
fn two_entries_of_one_name_both_come_back() {
    let dir = tempfile::tempdir().expect("temp dir");
    for overwrite in [Overwrite::Never, Overwrite::Always] {
        let dir = dir.path().join(format!("{overwrite:?}"));
        fs::create_dir(&dir).expect("dir");
        let mut target = target(&dir, overwrite);
        for (name, content, expected) in [
            ("SN1.csv", "a", "SN1.csv"),
            ("sn1.CSV", "b", "sn1 (2).CSV"),
            ("SN1.csv", "c", "SN1 (3).csv"),
        ] {
            let path = restore(&mut target, name, content.as_bytes()).expect("restored");
            assert_eq!(path, dir.join(expected));
            assert_eq!(fs::read_to_string(path).expect("read"), content);
        }
        assert_eq!(fs::read_dir(&dir).expect("list").count(), 3);
    }
}
