//! Tests folders as sources: removed whole or not at all, and only what was read of them.

use super::*;
use crate::host::sources::clear::aside::{Compare, PrivateFolder};
use crate::host::sources::clear::dir::Dir;
use crate::host::sources::clear::recover::{lock_soon, recover};
use crate::host::sources::file_meta::FileMeta;
use crate::host::sources::shape::Shape;

#[test]
fn a_folder_that_changed_is_left_whole_by_every_action() {
    for change in [
        |path: &Path| fs::write(path.join("late.txt"), "late"),
        |path: &Path| fs::write(path.join("images/late.txt"), "late"),
        |path: &Path| fs::create_dir(path.join("images/late")),
        |path: &Path| fs::remove_file(path.join("log.txt")),
        |path: &Path| {
            let file = path.join("log.txt");
            let time = fs::metadata(&file)?.modified()?;
            fs::write(&file, "failed")?;
            File::options().write(true).open(&file)?.set_modified(time)
        },
    ] {
        let bench = Bench::new();
        let unit = bench.unit("unit");
        change(&unit.path).expect("changed");
        let before = FileMeta::inside(&unit.path).expect("read").0;
        for act in ACTIONS {
            assert_eq!(
                kind(act(unit.source(), &bench.at("done"))),
                Err(ErrorKind::Changed)
            );
        }
        assert!(
            FileMeta::inside(&unit.path)
                .expect("read")
                .0
                .is_unchanged_from(&before)
        );
        assert_eq!(bench.names("in"), ["unit"]);
        assert!(bench.names("done").is_empty());
    }
}

/// Creates what a killed host leaves: the folder in its holder, with its list.
fn condemned(bench: &Bench, unit: &Taken) -> PathBuf {
    let holder = aside::with(unit.source(), Compare::Content, |aside, files| {
        removal::condemn(aside, unit.source(), files)
    });
    bench.at("in").join(&holder.expect("moved").name)
}

#[test]
fn what_appears_while_a_folder_is_removed_stays_and_goes_back_with_what_is_around_it() {
    let bench = Bench::new();
    let unit = bench.unit("unit");
    let holder = condemned(&bench, &unit);
    fs::write(holder.join("folder/images/late.txt"), "late").expect("written");
    // A station has begun another unit under the name meanwhile.
    fs::create_dir(&unit.path).expect("made");
    let troubles = recover(&bench.at("in")).expect("listed");
    assert_eq!(troubles.len(), 1, "{troubles:?}");
    assert_eq!(bench.names("in"), ["unit", "unit (2)"]);
    assert_eq!(bench.text("in/unit (2)/images/late.txt"), "late");
    assert!(bench.at("in/unit (2)/log.txt").exists());
}

#[test]
fn a_removal_is_ended_from_wherever_it_was_broken_off() {
    for files_gone in 0..=3 {
        let bench = Bench::new();
        let holder = condemned(&bench, &bench.unit("unit"));
        for file in ["DONE", "log.txt", "images/front.png"]
            .iter()
            .take(files_gone)
        {
            fs::remove_file(holder.join("folder").join(file)).expect("there");
        }
        let troubles = recover(&bench.at("in")).expect("listed");
        assert!(troubles.is_empty(), "{troubles:?}");
        assert!(bench.names("in").is_empty());
    }
    // The host was killed before the folder was moved, or after it was removed.
    for write in [false, true] {
        let bench = Bench::new();
        let watched = Dir::open(&bench.at("in")).expect("open");
        let holder = PrivateFolder::make(&watched).expect("made");
        if write {
            let list = bench.at("in").join(&holder.name).join("list");
            fs::write(list, "half").expect("written");
        }
        drop(holder);
        let troubles = recover(&bench.at("in")).expect("listed");
        assert!(troubles.is_empty(), "{troubles:?}");
        assert!(bench.names("in").is_empty());
    }
}

/// A converter that was being started when its host was killed keeps the locks of the host until it
/// has become another program. The next host passed the removal over, for as long as it ran.
#[cfg(unix)]
#[test]
fn a_removal_is_ended_as_soon_as_its_lock_is_free() {
    let bench = Bench::new();
    let holder = condemned(&bench, &bench.unit("unit"));
    let watched = Dir::open(&bench.at("in")).expect("open");
    let name = holder.file_name().expect("named");
    let folder = watched.open_folder(name).expect("open");
    // What other tests are starting holds locks of this process in the same way.
    let lock = lock_soon(&folder).expect("asked").expect("free");
    drop(folder);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(std::time::Duration::from_millis(50));
            drop(lock);
        });
        let troubles = recover(&bench.at("in")).expect("listed");
        assert!(troubles.is_empty(), "{troubles:?}");
    });
    assert!(bench.names("in").is_empty());
}

/// A killed host leaves a source under its own name, or set aside for the next host to put back.
#[test]
fn what_was_set_aside_is_put_back_under_its_name_or_beside_it() {
    let bench = Bench::new();
    let hidden = |name: &str| {
        let name = name::hidden_with(name::Purpose::Aside, name.as_ref());
        bench.at("in").join(name.expect("named"))
    };
    fs::write(hidden("a.csv"), "a").expect("written");
    fs::write(hidden("b.csv"), "b").expect("written");
    fs::write(bench.at("in/b.csv"), "next").expect("written");
    fs::create_dir_all(hidden("unit").join("images")).expect("made");
    let watched = Dir::open(&bench.at("in")).expect("open");
    let holder = PrivateFolder::make(&watched).expect("made");
    let long = format!("{}.csv", "x".repeat(251));
    fs::write(bench.at("in").join(&holder.name).join(&long), "long").expect("written");
    // Another host is working in it.
    assert!(recover(&bench.at("in")).expect("listed").len() == 1);
    assert!(bench.at("in").join(&holder.name).exists());
    drop(holder);
    let troubles = recover(&bench.at("in")).expect("listed");
    assert!(troubles.is_empty(), "{troubles:?}");
    assert_eq!(
        bench.names("in"),
        ["a.csv", "b (2).csv", "b.csv", "unit", long.as_str()]
    );
    assert_eq!(bench.text("in/b.csv"), "next");
    assert_eq!(bench.text("in/b (2).csv"), "b");
}

/// Somebody who can write to a watch folder could plant files that look like those of a killed
/// host. The host must not rename or remove files elsewhere because of them.
#[test]
fn what_others_planted_for_remains_is_never_followed() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let bench = Bench::new();
    let known = bench.at("known.conf");
    fs::write(&known, "known").expect("written");
    let planted = |name: &str, list: &str| {
        let at = bench.at("in").join(name);
        fs::create_dir(&at).expect("made");
        fs::write(at.join("list"), list).expect("written");
        at
    };
    let hash = BlobId::of(b"known");
    let list = format!("x\0DONE\0{hash}\0known.conf\0");
    // From an earlier version, from another account, and with a link in place of the folder.
    let old = planted(".annals-0123456789abcdef.removing", &list);
    symlink(bench.dir.path(), old.join("folder")).expect("made");
    let open = planted(".annals-0123456789abcdef.aside", &list);
    symlink(bench.dir.path(), open.join("folder")).expect("made");
    let troubles = recover(&bench.at("in")).expect("listed");
    assert_eq!(troubles.len(), 2, "{troubles:?}");
    assert!(known.exists() && old.join("list").exists() && open.join("list").exists());
    // Even for this account's files, no link is followed, and no name leads elsewhere.
    let private = fs::Permissions::from_mode(0o700);
    fs::set_permissions(&open, private).expect("set");
    assert_eq!(recover(&bench.at("in")).expect("listed").len(), 2);
    assert!(known.exists() && bench.at("in/x").is_symlink() && !open.exists());
    planted(".annals-0123456789abcdef.aside", "");
    let private = fs::Permissions::from_mode(0o700);
    fs::set_permissions(&open, private).expect("set");
    fs::create_dir(open.join("folder")).expect("made");
    for wrong in [
        format!("../moved\0\0{hash}\0a\0"),
        format!("a/b\0\0{hash}\0a\0"),
        format!("x\0\0{hash}\0../known.conf\0"),
        format!("x\0\0{hash}\0/etc/passwd\0"),
        String::new(),
        "x\0DONE".to_owned(),
        "x\0DONE\0nohash\0log.txt\0".to_owned(),
    ] {
        fs::write(open.join("list"), &wrong).expect("written");
        assert_eq!(
            recover(&bench.at("in")).expect("listed").len(),
            2,
            "{wrong:?}"
        );
        assert!(known.exists() && open.join("folder").exists());
        assert!(!bench.at("moved").exists());
    }
}

/// A folder inside the source may be replaced by a link while the host removes what it has listed.
#[test]
fn a_link_in_a_condemned_folder_is_not_followed() {
    let bench = Bench::new();
    let unit = bench.unit("unit");
    let holder = condemned(&bench, &unit);
    let images = holder.join("folder/images");
    fs::create_dir(bench.at("elsewhere")).expect("made");
    fs::rename(images.join("front.png"), bench.at("elsewhere/front.png")).expect("moved");
    fs::remove_dir(&images).expect("empty");
    std::os::unix::fs::symlink(bench.at("elsewhere"), &images).expect("made");
    assert_eq!(recover(&bench.at("in")).expect("listed").len(), 1);
    assert!(bench.at("elsewhere/front.png").exists());
    assert!(bench.at("in/unit/log.txt").exists(), "it went back whole");
}

#[test]
fn two_folders_of_one_name_are_both_kept_and_an_empty_one_is_not_replaced() {
    let bench = Bench::new();
    fs::create_dir_all(bench.at("done/unit")).expect("made");
    for _ in 0..2 {
        let unit = bench.unit("unit");
        unit.source().move_into(&bench.at("done")).expect("moved");
        assert!(bench.names("in").is_empty());
    }
    assert_eq!(bench.names("done"), ["unit", "unit (2)", "unit (3)"]);
    assert!(bench.names("done/unit").is_empty());
}

/// Some file systems have no rename that fails for a taken name.
#[test]
fn what_is_renamed_where_names_cannot_be_refused_replaces_nothing() {
    let bench = Bench::new();
    let unit = bench.unit("unit");
    fs::create_dir_all(bench.at("done/unit")).expect("made");
    fs::write(bench.at("in/a.csv"), "a").expect("written");
    fs::write(bench.at("done/a.csv"), "other").expect("written");
    let open = |name: &str| Dir::open(&bench.at(name)).expect("open");
    let (from, to) = (open("in"), open("done"));
    let rename = |name: &str, to_name: &str| {
        let renamed = from.rename_claimed(name.as_ref(), &to, to_name.as_ref());
        renamed.map_err(|error| error.kind())
    };
    assert_eq!(rename("unit", "unit"), Err(io::ErrorKind::AlreadyExists));
    assert_eq!(rename("a.csv", "a.csv"), Err(io::ErrorKind::AlreadyExists));
    assert_eq!(bench.text("done/a.csv"), "other");
    assert_eq!(rename("unit", "unit (2)"), Ok(()));
    assert_eq!(rename("a.csv", "b.csv"), Ok(()));
    assert!(bench.names("in").is_empty());
    let moved = Taken {
        path: bench.at("done/unit (2)"),
        seen: unit.seen,
    };
    moved.source().remove().expect("unchanged by its moves");
}

#[test]
fn a_copy_to_another_file_system_is_compared_and_the_source_goes() {
    let bench = Bench::new();
    fs::create_dir_all(bench.at("done/unit")).expect("made");
    let unit = bench.unit("unit");
    let to = actions::copy_into(unit.source(), &bench.at("done")).expect("copied");
    assert_eq!(to, bench.at("done/unit (2)"));
    assert!(bench.names("in").is_empty());
    assert_eq!(bench.names("done"), ["unit", "unit (2)"]);
    let copy = Taken::of(to, Shape::Folder);
    assert_eq!(copy.seen.content, unit.seen.content);
    assert!(
        copy.seen.meta.is_unchanged_from(&unit.seen.meta),
        "with its times"
    );
}

#[test]
fn a_zip_takes_the_folders_place_and_another_program_reads_it() {
    let bench = Bench::new();
    let unit = bench.unit("unit");
    let to = unit.source().zip_into(&bench.at("done")).expect("zipped");
    assert_eq!(to, bench.at("done/unit.zip"));
    assert!(bench.names("in").is_empty());
    let script = "import sys, zipfile\n\
                  z = zipfile.ZipFile(sys.argv[1])\n\
                  assert z.testzip() is None\n\
                  print(sorted(z.namelist()), z.read('images/front.png').decode())";
    let said = std::process::Command::new("python3")
        .args(["-c", script])
        .arg(&to)
        .output();
    let Ok(said) = said else { return };
    assert_eq!(
        String::from_utf8_lossy(&said.stdout).trim(),
        "['DONE', 'empty/', 'images/', 'images/front.png', 'log.txt'] front"
    );
}
