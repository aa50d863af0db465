//! Tests what people see on terminals of 40, 80 and 120 columns.
//!
//! `find K2510-00117` once showed the very serial as `K2510-0…`, and wide tables wrapped in the
//! middle of words. The program runs on a pseudo-terminal here, because it cuts nothing in a pipe.
#![cfg(feature = "cli")]

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcgetwinsize, tcsetwinsize};

const WIDTHS: [u16; 3] = [40, 80, 120];
const SERIAL: &str = "K2510-00117";

/// A sign that the program never prints. It ends what is read from the terminal.
const END: u8 = 0x1e;

/// What a run on a terminal left on the screen, and its exit code.
pub(super) struct Screen {
    pub(super) code: i32,
    pub(super) text: String,
}

/// Runs the program on a terminal of so many columns.
fn on_terminal(columns: u16, dir: &Path, args: &[&str]) -> Screen {
    let mut command = Command::new(env!("CARGO_BIN_EXE_annals"));
    command
        .args(["--color", "never", "--utc"])
        .args(args)
        .current_dir(dir)
        .env("HOME", dir)
        .env_remove("COLUMNS")
        .env_remove("XDG_DATA_HOME")
        .env_remove("ANNALS_STORE")
        .env_remove("ANNALS_CONFIG");
    show_on_terminal(columns, command)
}

/// Runs a command whose stdout and stderr are a terminal of so many columns.
pub(super) fn show_on_terminal(columns: u16, mut command: Command) -> Screen {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    grantpt(&ours).expect("granted");
    unlockpt(&ours).expect("unlocked");
    let name = ptsname(&ours, Vec::new()).expect("a name");
    let theirs = rustix::fs::open(&name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty());
    let mut theirs = File::from(theirs.expect("the other end"));
    let size = Winsize {
        ws_col: columns,
        ..tcgetwinsize(&theirs).expect("a size")
    };
    tcsetwinsize(&theirs, size).expect("sized");
    let other = || Stdio::from(theirs.try_clone().expect("a handle"));
    command.stdin(Stdio::null()).stdout(other()).stderr(other());
    let mut child = command.spawn().expect("the program starts");
    drop(command);
    let mut ours = File::from(ours);
    let reader = thread::spawn(move || {
        let mut seen = Vec::new();
        let mut piece = [0; 4096];
        while !seen.contains(&END) {
            let read = ours.read(&mut piece).expect("readable");
            seen.extend_from_slice(&piece[..read]);
        }
        seen.retain(|byte| *byte != END);
        String::from_utf8(seen).expect("UTF-8").replace('\r', "")
    });
    let code = child.wait().expect("ends").code().unwrap_or(-1);
    // A terminal that nobody holds any more may forget what was not read yet.
    theirs.write_all(&[END]).expect("written");
    let text = reader.join().expect("read");
    Screen { code, text }
}

/// A store with files of two converters in which one entry failed and one is held.
fn plant() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    let annals = |args: &[&str]| {
        let screen = on_terminal(200, dir.path(), args);
        assert_eq!(screen.code, 0, "{args:?}: {}", screen.text);
        screen.text
    };
    annals(&["init", "store", "--no-key"]);
    let mut newest = String::new();
    for (name, converter, serial) in [
        (
            "K2510-00117_20250303_083458.csv",
            "ICT CSV of hall 2",
            SERIAL,
        ),
        ("TEST-K2510-00334.xml", "Firmware JUnit", "K2510-00334"),
    ] {
        fs::write(dir.path().join(name), name).expect("written");
        let unit = ["--serial", serial, "--part", "118-4402", "--meta", "line=3"];
        let args = [
            &["-s", "store", "archive", name, "-c", converter][..],
            &unit,
        ]
        .concat();
        let printed = annals(&args);
        newest.clear();
        newest.push_str(printed.split_whitespace().next().expect("an id"));
    }
    let error = "the log is cut short: line 54 breaks off, there is no 'end' and no result";
    let report = ["report", &newest, "--status", "failed", "--error", error];
    annals(&[&["-s", "store"][..], &report].concat());
    let reason = "a return of the customer that is under investigation";
    let hold = [
        "hold",
        "add",
        &newest,
        "--name",
        "return-0815",
        "--reason",
        reason,
    ];
    annals(&[&["-s", "store"][..], &hold].concat());
    dir
}

/// Digests, paths, and remarks with commands to copy are longer than a narrow terminal; nothing
/// else may be.
fn too_wide(line: &str, columns: u16) -> bool {
    let words = line.split_whitespace().count();
    let is_example = line
        .trim_start()
        .trim_start_matches("Usage: ")
        .starts_with("annals ");
    line.chars().count() > columns.into() && words > 1 && !is_example && !line.contains('`')
}

#[test]
fn tables_fit_the_terminal_and_show_what_was_searched_for() {
    let dir = plant();
    for columns in WIDTHS {
        for args in [
            &["list"][..],
            &["list", "-o", "wide"],
            &["list", "--status", "failed"],
            &["list", "--file", "TEST-K2510-00334.xml"],
            &["list", "--part", "118-4402"],
            &["list", "--part", "118-4402", "--status", "failed"],
            &["find", SERIAL],
            &["find", "118-4402"],
            &["find", "TEST-K2510"],
            &["stats"],
            &["stats", "--by", "day"],
            &["hold", "list"],
            &["show", "3"],
            &["config", "schema"],
            &["help"],
            &[],
        ] {
            let args = [&["-s", "store"], args].concat();
            let screen = on_terminal(columns, dir.path(), &args);
            assert_eq!(screen.code, 0, "{args:?}: {}", screen.text);
            for line in screen.text.lines() {
                assert!(!too_wide(line, columns), "{columns}, {args:?}: {line}");
            }
            let words: Vec<&str> = screen.text.split_whitespace().collect();
            let wanted = match args.last() {
                Some(&"TEST-K2510") => Some("TEST-K2510-00334.xml"),
                Some(&text) if args.contains(&"find") => Some(text),
                Some(&text) if args.contains(&"--file") || args.contains(&"--part") => Some(text),
                _ if args.contains(&"list") && !args.contains(&"hold") => Some("K2510-00334"),
                _ => None,
            };
            if let Some(wanted) = wanted.filter(|_| !args.contains(&"failed")) {
                assert!(
                    words.contains(&wanted),
                    "{columns}, {args:?}: {}",
                    screen.text
                );
            }
        }
    }
}

/// Hints ran over the edge of the terminal in the middle of words, and so did the help of a verb.
#[test]
fn remarks_and_help_wrap_between_words_and_are_whole_in_a_pipe() {
    let dir = plant();
    for columns in WIDTHS {
        for args in [
            &["list", "-o", "wide"][..],
            &["list", "--label", "nothing"],
            &["list", "--meta", "line=nothing"],
            &["find", "nothing"],
            &["show", "77"],
            &["list", "--failed"],
            &["frobnicate"],
            &["help", "retention", "preview"],
            &["help", "list"],
            &["list", "--help"],
        ] {
            let screen = on_terminal(columns, dir.path(), &[&["-s", "store"], args].concat());
            for line in screen.text.lines() {
                assert!(!too_wide(line, columns), "{columns}, {args:?}: {line}");
            }
        }
    }
    let piped = Command::new(env!("CARGO_BIN_EXE_annals"))
        .args(["-s", "store", "list", "--meta", "line=nothing"])
        .current_dir(dir.path())
        .env("HOME", dir.path())
        .env("COLUMNS", "40")
        .output()
        .expect("the program starts");
    let piped = String::from_utf8(piped.stderr).expect("UTF-8");
    assert_eq!(piped.lines().count(), 1, "{piped}");
}

#[test]
fn a_wider_terminal_shows_more_columns_and_a_pipe_all() {
    let dir = plant();
    let wide = ["-s", "store", "list", "-o", "wide"];
    let titles = |columns| {
        let screen = on_terminal(columns, dir.path(), &wide);
        let first = screen.text.lines().next().expect("titles").to_owned();
        first.split_whitespace().count()
    };
    let shown = WIDTHS.map(titles);
    assert!(shown[0] < shown[1] && shown[1] < shown[2], "{shown:?}");
    assert_eq!(titles(300), 17, "ID to PATH, one of them of two words");
    let screen = on_terminal(80, dir.path(), &wide);
    assert!(screen.text.contains("no room for"), "{}", screen.text);
}

/// `annals` alone printed forty lines of help, whatever was wrong in the store.
#[test]
fn alone_it_shows_a_glance_and_what_to_do_next() {
    let dir = plant();
    let glance = |args: &[&str]| on_terminal(80, dir.path(), args);
    let screen = glance(&["-s", "store"]);
    assert_eq!(screen.code, 0, "{}", screen.text);
    for told in [
        "entries   2",
        "failed    1",
        "holds     1, on 1 entry",
        "never",
    ] {
        assert!(screen.text.contains(told), "{told}: {}", screen.text);
    }
    assert!(
        screen.text.ends_with("  annals -s store failures\n"),
        "{}",
        screen.text
    );
    let object = glance(&["-s", "store", "--json"]);
    let object: serde_json::Value = serde_json::from_str(&object.text).expect("an object");
    assert_eq!(
        (&object["entries"], &object["failed"]),
        (&2.into(), &1.into())
    );
    assert_eq!(object["next"], "annals -s store failures");
    let config = "[store]\npath = \"store\"\n";
    fs::write(dir.path().join("a.toml"), config).expect("written");
    let screen = glance(&["--config", "a.toml"]);
    assert!(
        screen.text.ends_with("annals --config a.toml failures\n"),
        "{}",
        screen.text
    );
    let inside = on_terminal(80, &dir.path().join("store"), &[]);
    assert!(
        inside.text.ends_with("  annals failures\n"),
        "{}",
        inside.text
    );
    let outside = glance(&[]);
    assert_eq!(outside.code, 10);
    assert!(outside.text.contains("annals init DIR"), "{}", outside.text);
    glance(&["init", "empty", "--no-key"]);
    let empty = glance(&["-s", "empty"]);
    assert!(
        empty.text.ends_with("archive PATH -c CONVERTER\n"),
        "{}",
        empty.text
    );
}

/// A hint named `annals failures`, which looked for a store where there was none; the cursor of a
/// list stood between words; a store that had lost FORMAT was no store at all.
#[test]
fn what_is_printed_to_be_run_runs() {
    let dir = plant();
    let run = |args: &[&str]| on_terminal(80, dir.path(), args);
    let nothing = run(&["-s", "store", "find", "nothing-of-that-name"]);
    assert!(
        (nothing.text).contains("`annals -s store list --text nothing-of-that-name`"),
        "{}",
        nothing.text
    );
    let page = run(&["-s", "store", "list", "--limit", "1"]);
    let cursor = page.text.lines().last().expect("a cursor");
    let rest = run(&["-s", "store", "list", "--limit", "1", "--after", cursor]);
    assert!(
        rest.code == 0 && rest.text.contains(SERIAL),
        "{}",
        rest.text
    );
    let cat = run(&["-s", "store", "cat", "99", "--report", "1"]);
    assert_eq!(cat.code, 4, "{}", cat.text);
    fs::remove_file(dir.path().join("store/FORMAT")).expect("gone");
    let inside = on_terminal(80, &dir.path().join("store"), &["list"]);
    assert!(
        inside.code == 6 && inside.text.contains("repair"),
        "{}",
        inside.text
    );
    let status = run(&["-s", "store", "host", "status"]);
    assert!(
        status.code == 6 && status.text.contains("repair"),
        "{}",
        status.text
    );
}
