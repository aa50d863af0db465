//! The recipes that need none of this code agree with it: they accept what is intact, and never
//! what was changed.

use std::path::Path;
use std::process::Command;

use super::sample::{Plant, lines_of, look, only, replace, reseal, set_lines};
use crate::disk::sim::SimDisk;
use crate::export::{What, WithContents};

/// Copies folder `b` to a real folder, and runs both recipes on it. `None` where a tool that they
/// need is missing.
pub(super) fn recipes(disk: &SimDisk, vkey: &str) -> Option<[bool; 2]> {
    let has = |tool: &str| Command::new(tool).arg("--version").output().is_ok();
    if !["bash", "xxd", "openssl", "python3"]
        .iter()
        .all(|tool| has(tool))
    {
        return None;
    }
    let dir = tempfile::tempdir().expect("a folder");
    for (path, _) in disk.files() {
        let to = dir.path().join(&path);
        std::fs::create_dir_all(to.parent().expect("inside")).expect("made");
        std::fs::write(to, disk.content(&path).expect("there")).expect("written");
    }
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/evidence");
    let run = |program: &str, script: &str| {
        let mut command = Command::new(program);
        command
            .arg(tools.join(script))
            .arg(dir.path().join("b"))
            .arg(vkey);
        let output = command.output().expect("run");
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        let is_green = output.status.success();
        assert_eq!(
            is_green,
            told.starts_with("VERIFIED"),
            "{script}: {output:?}"
        );
        is_green
    };
    Some([run("bash", "recipe.sh"), run("python3", "recipe.py")])
}

#[test]
fn both_recipes__accept_what_is_intact() {
    let mut plant = Plant::busy();
    let vkey = plant.vkey().to_string();
    for (what, with) in [
        (What::Whole, WithContents::Yes),
        (What::Whole, WithContents::No),
        (only(&[2]), WithContents::Yes),
        (only(&[3, 4]), WithContents::No),
    ] {
        let disk = plant.export(what, with);
        assert!(look(&disk, &plant.trust()).ok);
        let Some(green) = recipes(&disk, &vkey) else {
            return;
        };
        assert_eq!(green, [true, true]);
    }
}

#[test]
fn no_recipe__accepts_what_was_changed() {
    let mut plant = Plant::busy();
    let vkey = plant.vkey().to_string();
    let mut stranger = Plant::busy();
    stranger.seed = 9;
    let foreign = stranger.export(What::Whole, WithContents::Yes);
    assert!(recipes(&foreign, &vkey).is_none_or(|green| green == [false, false]));
    for what in [What::Whole, only(&[2])] {
        let sound = plant.export(what, WithContents::Yes);
        let lines = lines_of(&sound);
        let last = lines.len() - 1;
        type Change<'a> = Box<dyn Fn(&SimDisk) + 'a>;
        let edit = |change: &dyn Fn(&mut Vec<String>), disk: &SimDisk| {
            let mut lines = lines.clone();
            change(&mut lines);
            set_lines(disk, &lines);
        };
        let mut blob = sound.files().into_iter().map(|(path, _)| path);
        let blob = blob.rfind(|path| path.contains("blobs/")).expect("one");
        let changes: Vec<(&str, Change<'_>)> = vec![
            (
                "changed",
                Box::new(|disk| edit(&|l| l[1] = l[1].replace("kari", "nora"), disk)),
            ),
            ("removed", Box::new(|disk| edit(&|l| _ = l.remove(1), disk))),
            ("cut", Box::new(|disk| edit(&|l| _ = l.remove(last), disk))),
            ("swapped", Box::new(|disk| edit(&|l| l.swap(1, 2), disk))),
            (
                "doubled",
                Box::new(|disk| edit(&|l| l.insert(1, l[1].clone()), disk)),
            ),
            ("content", Box::new(|disk| replace(disk, &blob, b"another"))),
            ("lost", Box::new(|disk| disk.lose(&blob).expect("lost"))),
            (
                "added",
                Box::new(|disk| replace(disk, "b/data/blobs/x", b"x")),
            ),
            (
                "keys",
                Box::new(|disk| {
                    let key = format!("{}\n", stranger.vkey());
                    replace(disk, "b/data/vkeys", key.as_bytes());
                }),
            ),
            (
                "note",
                Box::new(|disk| {
                    let note = foreign.content("b/data/checkpoint").expect("there");
                    replace(disk, "b/data/checkpoint", &note);
                }),
            ),
            (
                "version",
                Box::new(|disk| {
                    let info = disk.content("b/bag-info.txt").expect("there");
                    let info = String::from_utf8(info)
                        .expect("text")
                        .replace("Format: 1", "Format: 2");
                    replace(disk, "b/bag-info.txt", info.as_bytes());
                }),
            ),
        ];
        for (change, make) in changes {
            let disk = sound.snapshot();
            make(&disk);
            reseal(&disk);
            assert!(!look(&disk, &plant.trust()).ok, "{change}");
            let Some(green) = recipes(&disk, &vkey) else {
                return;
            };
            assert_eq!(green, [false, false], "{change}");
        }
        // Without new manifests, any changed byte of any file is enough.
        for (path, _) in sound.files().into_iter().step_by(3) {
            let disk = sound.snapshot();
            disk.flip_bit(&path, 9).expect("flipped");
            assert_eq!(
                recipes(&disk, &vkey).unwrap_or_default(),
                [false, false],
                "{path}"
            );
        }
    }
}
