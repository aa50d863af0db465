//! Tests clearing a file with its companions: all of them go, or none, also when the host is
//! killed.

use super::*;
use crate::convert::{Companions, Need, Pattern};
use crate::host::sources::clear::aside::PrivateFolder;
use crate::host::sources::clear::dir::Dir;
use crate::host::sources::clear::group_names::GROUP;
use crate::host::sources::clear::recover::recover;
use crate::host::sources::shape::Shape;

type Change<'a> = &'a dyn Fn(&Path) -> io::Result<()>;

/// Creates a unit of a text, a folder and another file, whose names begin with `stem`.
fn group(bench: &Bench, stem: &str) -> Taken {
    let at = |name: String| bench.at("in").join(name);
    fs::create_dir(at(stem.to_owned())).expect("made");
    fs::write(at(format!("{stem}.txt")), "text").expect("written");
    fs::write(at(format!("{stem}.wav")), "sound").expect("written");
    fs::write(at(stem.to_owned()).join("values"), "values").expect("written");
    Taken::of(at(format!("{stem}.txt")), shape())
}

fn shape() -> Shape {
    let patterns = ["{stem}*/", "{stem}.*"].map(|text| Pattern::parse(text, Need::Optional));
    let patterns = patterns.into_iter().collect::<std::result::Result<_, _>>();
    let none = globset::GlobSet::default;
    Shape::WithCompanions(Companions::new(patterns.expect("valid"), none(), none()))
}

/// Creates what a host leaves that is killed while it gathers a unit: the text in the holder.
fn half_gathered(bench: &Bench, folder: &str) -> PathBuf {
    let watched = Dir::open(&bench.at(folder)).expect("open");
    let holder = PrivateFolder::make(&watched).expect("made");
    let group = bench.at(folder).join(&holder.name).join(GROUP);
    fs::create_dir(&group).expect("made");
    fs::rename(bench.at("in/unit.txt"), group.join("unit.txt")).expect("moved");
    group
}

const ALL: [&str; 3] = ["unit", "unit.txt", "unit.wav"];

#[test]
fn a_group_is_removed_moved_and_zipped_whole() {
    for (act, there) in ACTIONS
        .into_iter()
        .zip([&[][..], &ALL, &["unit.txt.zip"], &ALL])
    {
        let bench = Bench::new();
        let unit = group(&bench, "unit");
        act(unit.source(), &bench.at("done")).expect("done");
        assert!(bench.names("in").is_empty());
        assert_eq!(bench.names("done"), there);
        if there == ALL {
            assert_eq!(bench.text("done/unit/values"), "values");
            assert_eq!(bench.text("done/unit.wav"), "sound");
        }
    }
}

#[test]
fn a_group_of_which_anything_changed_is_left_as_it_is() {
    let same_time = |path: &Path, content: &str| {
        let time = fs::metadata(path)?.modified()?;
        fs::write(path, content)?;
        set_modified(path, time);
        Ok(())
    };
    let changes: [Change<'_>; 8] = [
        &|at| same_time(&at.join("unit/values"), "VALUES"),
        &|at| same_time(&at.join("unit.wav"), "SOUND"),
        &|at| same_time(&at.join("unit.txt"), "TEXT"),
        &|at| fs::write(at.join("unit/more"), "more"),
        &|at| fs::create_dir(at.join("unit-2")),
        &|at| fs::remove_file(at.join("unit.wav")),
        &|at| fs::remove_file(at.join("unit.txt")),
        // Another file of equal content and time is not what was read, either.
        &|at| {
            let (wav, other) = (at.join("unit.wav"), at.join("other"));
            fs::write(&other, "sound")?;
            set_modified(&other, fs::metadata(&wav)?.modified()?);
            fs::rename(other, wav)
        },
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let bench = Bench::new();
        let unit = group(&bench, "unit");
        change(&bench.at("in")).expect("changed");
        let before = bench.names("in");
        for act in ACTIONS {
            let told = kind(act(unit.source(), &bench.at("done")));
            assert_eq!(told, Err(ErrorKind::Changed), "change {number}");
        }
        assert_eq!(bench.names("in"), before, "change {number}");
        assert!(bench.names("done").is_empty(), "change {number}");
    }
}

/// A station may write the text first, and a companion a moment later.
#[test]
fn a_file_whose_companion_comes_before_it_is_cleared_away_stays_with_it() {
    for act in ACTIONS {
        let bench = Bench::new();
        let path = bench.at("in/unit.txt");
        fs::write(&path, "text").expect("written");
        let alone = Taken::of(path, shape());
        fs::write(bench.at("in/unit.wav"), "sound").expect("written");
        let told = kind(act(alone.source(), &bench.at("done")));
        assert_eq!(told, Err(ErrorKind::Changed));
        assert_eq!(bench.names("in"), ["unit.txt", "unit.wav"]);
        assert!(bench.names("done").is_empty());
    }
}

#[test]
fn names_that_are_taken_get_one_number_for_all_of_a_group() {
    for act in [ACTIONS[1], ACTIONS[3]] {
        let bench = Bench::new();
        for number in 1..=40 {
            let name = match number {
                1 => "unit".to_owned(),
                number => format!("unit ({number})"),
            };
            fs::create_dir(bench.at("done").join(name)).expect("made");
        }
        let unit = group(&bench, "unit");
        act(unit.source(), &bench.at("done")).expect("done");
        for name in ["unit (41).txt", "unit (41).wav", "unit (41)/values"] {
            assert!(bench.at("done").join(name).exists(), "{name}");
        }
        assert!(bench.names("in").is_empty());
    }
}

#[test]
fn names_at_the_limit_are_cut_alike_and_still_belong_together() {
    let bench = Bench::new();
    let stem = "x".repeat(251);
    fs::create_dir(bench.at("done").join(&stem)).expect("made");
    let unit = group(&bench, &stem);
    unit.source().move_into(&bench.at("done")).expect("moved");
    let cut = format!("{} (2)", "x".repeat(247));
    for name in [cut.clone(), format!("{cut}.txt"), format!("{cut}.wav")] {
        assert!(bench.at("done").join(&name).exists(), "{name}");
    }
    assert!(bench.names("in").is_empty());
}

#[test]
fn what_was_gathered_when_a_host_was_killed_gets_its_names_back() {
    let bench = Bench::new();
    group(&bench, "unit");
    half_gathered(&bench, "in");
    assert!(recover(&bench.at("in")).expect("listed").is_empty());
    assert_eq!(bench.names("in"), ALL);
    // The station has written the next unit of that name meanwhile.
    half_gathered(&bench, "in");
    fs::write(bench.at("in/unit.txt"), "next").expect("written");
    let told = recover(&bench.at("in")).expect("listed");
    assert_eq!(told.len(), 1);
    assert!(told[0].to_string().contains("unit (2).txt"), "{}", told[0]);
    assert_eq!(bench.text("in/unit.txt"), "next");
    assert_eq!(bench.text("in/unit (2).txt"), "text");
}

#[test]
fn what_was_on_its_way_when_a_host_was_killed_goes_all_the_way() {
    let bench = Bench::new();
    group(&bench, "unit");
    let there = half_gathered(&bench, "done");
    for name in ["unit", "unit.wav"] {
        fs::rename(bench.at("in").join(name), there.join(name)).expect("moved");
    }
    assert!(recover(&bench.at("done")).expect("listed").is_empty());
    assert!(bench.names("in").is_empty());
    assert_eq!(bench.names("done"), ALL);
}

/// The list of a unit that is being removed says what may go; what is not on it goes back.
#[test]
fn a_removal_that_a_killed_host_began_is_ended_and_what_came_since_stays() {
    for late in [false, true] {
        let bench = Bench::new();
        let unit = group(&bench, "unit");
        let watched = Dir::open(&bench.at("in")).expect("open");
        let group = half_gathered(&bench, "in");
        for name in ["unit", "unit.wav"] {
            fs::rename(bench.at("in").join(name), group.join(name)).expect("moved");
        }
        let from = Dir::open(group.parent().expect("in a holder")).expect("open");
        let hash = |text: &str| BlobId::of(text.as_bytes());
        let files = [
            ("unit.txt", "text"),
            ("unit.wav", "sound"),
            ("unit/values", "values"),
        ];
        let files = files.map(|(path, text)| (PathBuf::from(path), hash(text)));
        let holder = removal::condemn_group(unit.source(), (&watched, &from), files.into());
        let group = holder.expect("moved").dir.at(std::ffi::OsStr::new(GROUP));
        // The host was killed at this point.
        fs::remove_file(group.join("unit.txt")).expect("removed");
        if late {
            fs::write(group.join("unit/late"), "late").expect("written");
        }
        let told = recover(&bench.at("in")).expect("listed");
        if late {
            assert_eq!(told.len(), 1, "{told:?}");
            assert_eq!(bench.names("in"), ["unit", "unit.wav"]);
            assert_eq!(bench.text("in/unit/late"), "late");
        } else {
            assert!(told.is_empty(), "{told:?}");
            assert!(bench.names("in").is_empty());
        }
    }
}

/// A host that was killed after it made the zip file must not make another one at each start.
#[test]
fn a_zip_that_a_killed_host_had_made_is_not_made_twice() {
    for is_group in [true, false] {
        let bench = Bench::new();
        let unit = if is_group {
            group(&bench, "unit")
        } else {
            bench.unit("unit")
        };
        let saved = bench.at("saved");
        let mut copy = std::process::Command::new("cp");
        let copied = copy.arg("-a").arg(bench.at("in")).arg(&saved).status();
        assert!(copied.is_ok_and(|status| status.success()));
        let first = unit.source().zip_into(&bench.at("done")).expect("zipped");
        let there = bench.names("done");
        fs::remove_dir(bench.at("in")).expect("empty");
        fs::rename(&saved, bench.at("in")).expect("put back");
        let again = Taken::of(unit.path.clone(), unit.seen.shape().clone());
        let second = again.source().zip_into(&bench.at("done")).expect("zipped");
        assert_eq!(second, first);
        assert!(bench.names("in").is_empty());
        assert_eq!(bench.names("done"), there);
    }
}

/// Somebody who can write to the watch folder could plant such a folder, to make the host rename
/// files of others.
#[test]
fn a_hidden_group_that_others_can_write_to_is_left_alone() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new();
    group(&bench, "unit");
    let group = half_gathered(&bench, "in");
    let holder = group.parent().expect("in a holder");
    fs::set_permissions(holder, fs::Permissions::from_mode(0o777)).expect("set");
    assert_eq!(recover(&bench.at("in")).expect("listed").len(), 1);
    assert!(group.join("unit.txt").exists());
}

/// A zip file must not be readable for anybody who could not read all that is in it.
#[test]
fn a_zip_of_a_group_is_readable_for_those_only_who_can_read_all_of_it() {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    let bench = Bench::new();
    let unit = group(&bench, "unit");
    let wav = bench.at("in/unit.wav");
    fs::set_permissions(&wav, fs::Permissions::from_mode(0o600)).expect("set");
    let zip = unit.source().zip_into(&bench.at("done")).expect("zipped");
    assert_eq!(mode(&zip), 0o600);
    let unit = group(&bench, "unit");
    fs::set_permissions(&wav, fs::Permissions::from_mode(0o640)).expect("set");
    actions::copy_into(unit.source(), &bench.at("done")).expect("copied");
    assert_eq!(mode(&bench.at("done/unit.wav")), 0o640);
}
