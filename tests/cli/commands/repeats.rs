//! Tests what is done twice: archiving and restoring again, after a stop, a kill or by mistake.

use std::fs;

use super::Plant;

/// A script archives the results of a line each night. Only what is new may become an entry.
#[test]
fn archiving_again_skips_what_is_known_and_counts_it() {
    let plant = Plant::new();
    plant.file("in/a.csv", "SN1");
    plant.file("in/b/a.csv", "SN1");
    let known = ["archive", "in", "-c", "T", "--skip-known"];
    let first = plant.run(&known).expect(0);
    assert!(
        first.stderr.contains("2 files archived"),
        "{}",
        first.stderr
    );

    plant.file("in/c.csv", "SN2");
    let again = plant.run(&known).expect(0);
    assert!(again.stderr.contains("1 file archived"), "{}", again.stderr);
    assert!(
        again.stderr.contains("2 skipped, archived before"),
        "{}",
        again.stderr
    );
    assert_eq!(again.text().lines().count(), 1, "{}", again.text());

    // Each file still has a receipt for a script, which names the entry that it is.
    let receipts = plant
        .run(&[&known[..], &["--json"]].concat())
        .expect(0)
        .objects();
    let ids: Vec<u64> = receipts
        .iter()
        .map(|one| one["id"].as_u64().expect("an id"))
        .collect();
    assert_eq!(receipts.len(), 3);
    assert!(
        receipts.iter().all(|one| one["skipped"] == true),
        "{receipts:?}"
    );
    let listed = plant.run(&["list", "--json"]).expect(0).objects();
    assert_eq!(listed.len(), 3);
    assert!(
        listed
            .iter()
            .all(|entry| ids.contains(&entry["id"].as_u64().expect("an id")))
    );

    // Other content, another converter, and another path are new.
    plant.file("in/c.csv", "SN3");
    let changed = plant.run(&known).expect(0);
    assert!(
        changed.stderr.contains("1 file archived"),
        "{}",
        changed.stderr
    );
    let other = plant
        .run(&["archive", "in", "-c", "U", "--skip-known"])
        .expect(0);
    assert!(
        other.stderr.contains("3 files archived"),
        "{}",
        other.stderr
    );
    let stdin = plant.run_with(
        &["archive", "-", "--name", "x", "-c", "T", "--skip-known"],
        b"x",
    );
    assert!(stdin.expect(2).stderr.contains("--skip-known is for files"));
}

/// What was purged is not in the store any more, so it is not known.
#[test]
fn a_purged_file_is_archived_again() {
    let plant = Plant::new();
    plant.file("in/a.csv", "SN1");
    let known = ["archive", "in", "-c", "T", "--skip-known"];
    plant.run(&known).expect(0);
    let purge = [
        "retention",
        "apply",
        "--max-count",
        "0",
        "--reason",
        "test",
        "-y",
    ];
    plant.run(&purge).expect(0);
    let again = plant.run(&known).expect(0);
    assert!(again.stderr.contains("1 file archived"), "{}", again.stderr);
}

/// A restore of a thousand files was stopped, and is started again.
#[test]
fn restoring_again_leaves_what_is_there_and_says_so_in_one_line() {
    let plant = Plant::new();
    for (name, content) in [
        ("in/1/a.csv", "SN1"),
        ("in/2/a.csv", "SN2"),
        ("in/b.csv", "SN3"),
    ] {
        plant.file(name, content);
    }
    plant.run(&["archive", "in", "-c", "T"]).expect(0);
    for more in [&["--original-names"][..], &[]] {
        let restore = [&["restore", "-c", "T", "--to", "back"][..], more].concat();
        plant.run(&restore).expect(0);
        let names = fs::read_dir(plant.path("back")).expect("listed").flatten();
        let ends = if more.is_empty() { "_b.csv" } else { "b.csv" };
        let mut ended = names.filter(|item| item.file_name().to_string_lossy().ends_with(ends));
        fs::remove_file(ended.next().expect("restored").path()).expect("removed");
        let again = plant.run(&restore).expect(0);
        assert_eq!(again.text().lines().count(), 1, "{}", again.text());
        let told = "1 file restored, 3 B; 2 there already with the same content";
        assert!(again.stderr.contains(told), "{}", again.stderr);
        let json = plant
            .run(&[&restore[..], &["--json"]].concat())
            .expect(0)
            .objects();
        assert!(
            json.len() == 3 && json.iter().all(|one| one["unchanged"] == true),
            "{json:?}"
        );
    }
}

#[test]
fn an_entry_that_is_named_twice_is_restored_once() {
    let plant = Plant::new();
    let id = plant.archive(&plant.file("a.csv", "SN1"), &[]).to_string();
    let restore = ["restore", &id, &id, "--to", "back", "--original-names"];
    let restored = plant.run(&restore).expect(0);
    assert!(
        restored.stderr.contains("1 file restored"),
        "{}",
        restored.stderr
    );
    assert_eq!(fs::read_dir(plant.path("back")).expect("listed").count(), 1);
}

/// A killed restore leaves its partial file. The next one removes it, and nothing of anybody else.
#[test]
fn what_a_killed_restore_left_is_removed_by_the_next() {
    let plant = Plant::new();
    let id = plant.archive(&plant.file("a.csv", "SN1"), &[]).to_string();
    plant.file("back/.annals-4711-0-3.partial", "half of a fi");
    plant.file("back/.annals-4711-1-4.unpacked/a.csv", "companion");
    plant.file("back/.annals-0123456789abcdef.partial", "a host's");
    plant.file("back/mine.partial", "somebody's");
    let used = plant.file("back/.annals-4712-0-3.partial", "of a run that works");
    let held = fs::File::open(used).expect("there");
    held.lock().expect("locked");
    plant.run(&["restore", &id, "--to", "back"]).expect(0);
    let mut names: Vec<String> = fs::read_dir(plant.path("back"))
        .expect("listed")
        .map(|item| {
            item.expect("an item")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    let expected = [
        ".annals-0123456789abcdef.partial",
        ".annals-4712-0-3.partial",
        &format!("{id}_a.csv"),
        "mine.partial",
    ];
    assert_eq!(names, expected);
}

/// Whoever types 5 means gigabytes or days, and never five bytes or nothing at all.
#[test]
fn a_size_or_a_period_without_a_unit_is_asked_for_it() {
    let plant = Plant::new();
    plant.file("a.csv", "SN1");
    for (args, told) in [
        (
            &["retention", "preview", "--max-size", "5"][..],
            "'5' has no unit",
        ),
        (&["compact", "--max-bytes", "5"], "'5' has no unit"),
        (
            &["compact", "--journal-size", "65536"],
            "'65536' has no unit",
        ),
        (
            &["retention", "preview", "--older-than", "0d"],
            "write for example 90d",
        ),
        (
            &["retention", "preview", "--older-than", "10"],
            "write for example 90d",
        ),
        (
            &["archive", "a.csv", "-c", "T", "--retention", "10"],
            "such as 90d, 10y",
        ),
        (
            &["archive", "a.csv", "-c", "T", "--retention", "0d"],
            "such as 90d, 10y",
        ),
        (
            &["retention", "lock", "x", "--keep", "10", "--reason", "r"],
            "90d",
        ),
        (
            &["retention", "lock", "x", "--keep", "0d", "--reason", "r"],
            "90d",
        ),
    ] {
        let said = plant.run(args).expect(2).stderr;
        assert!(said.contains(told), "{args:?}: {said}");
    }
    plant.run(&["compact", "--max-bytes", "5MB"]).expect(0);
}
