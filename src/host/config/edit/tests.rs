//! Tests changing one value of a configuration: comments, order and line ends must stay.

use std::fs::File;

use super::*;
use crate::host::config::settings::Config;

const FILE: &str = "# plant 3
[defaults]
retention_days = 365   # customer contract

[[converter]]
name = \"ICT CSV\"   # the old line
command = [\"x\", \"{input}\"]
timeout_s = 60            # slow disks
retry = { max_attempts = 3, delay_s = 60 } # agreed
arguments = { operation = \"10\", token = \"s3cret\" }
secret_arguments = [\"token\"]

# the new line
[[converter]]
name = \"a.b\"
command = [\"y\", \"{input}\"]
[converter.submit]
url = \"http://x\"
";

struct Bench {
    dir: tempfile::TempDir,
}

impl Bench {
    fn new(text: &str) -> Self {
        let dir = tempfile::tempdir().expect("folder");
        fs::write(dir.path().join("host.toml"), text).expect("written");
        Self { dir }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("host.toml")
    }

    fn edit(&self, target: &str, value: &str) -> Result<Edit> {
        Config::load(self.path())?.edit(target, value)
    }
}

/// Returns the pairs of lines in which the two texts differ.
fn differing(a: &str, b: &str) -> Vec<(String, String)> {
    assert_eq!(a.lines().count(), b.lines().count(), "{b}");
    let pairs = a.lines().zip(b.lines());
    pairs
        .filter(|(a, b)| a != b)
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .collect()
}

#[test]
fn one_value_changes_and_every_comment_stays() {
    let bench = Bench::new(FILE);
    for (target, value, line) in [
        (
            "ICT CSV.timeout_s",
            "90",
            "timeout_s = 90            # slow disks",
        ),
        (
            "ICT CSV.retry.max_attempts",
            "5",
            "retry = { max_attempts = 5, delay_s = 60 } # agreed",
        ),
        (
            "ICT CSV.arguments.operation",
            "20",
            "arguments = { operation = \"20\", token = \"s3cret\" }",
        ),
        (
            "defaults.retention_days",
            "forever",
            "retention_days = \"forever\"   # customer contract",
        ),
        ("a.b.submit.url", "https://y", "url = \"https://y\""),
        (
            "a.b.command",
            "[\"z\", \"{input}\"]",
            "command = [\"z\", \"{input}\"]",
        ),
    ] {
        let edit = bench.edit(target, value).expect(target);
        let lines = differing(FILE, edit.text());
        assert_eq!(lines.len(), 1, "{target}: {lines:?}");
        assert_eq!(lines[0].1, line);
    }
}

#[test]
fn a_value_that_was_not_there_is_put_into_its_section() {
    let bench = Bench::new(FILE);
    for (target, value, added) in [
        ("a.b.memory_mb", "512", "memory_mb = 512"),
        ("a.b.retry.delay_s", "5", "retry.delay_s = 5"),
        ("host.max_concurrent", "2", "max_concurrent = 2"),
    ] {
        let edit = bench.edit(target, value).expect(target);
        assert!(
            edit.text().lines().any(|line| line == added),
            "{}",
            edit.text()
        );
        let kept = FILE.lines().filter(|line| line.contains('#'));
        for comment in kept {
            assert!(edit.text().contains(comment), "{comment}");
        }
        assert_ne!(edit.changes[0].old, edit.changes[0].new);
    }
}

#[test]
fn what_is_wrong_is_named_with_its_range_and_what_was_meant_and_nothing_is_written() {
    let bench = Bench::new(FILE);
    for (target, value, said) in [
        (
            "ICT CSV.compression_level",
            "12",
            "a whole number from 1 to 9, not 12",
        ),
        (
            "ICT CSV.timeout_s",
            "soon",
            "a number from 0.1 to 86400, not \"soon\"",
        ),
        (
            "ICT CSV.post_process",
            "burn",
            "one of delete, move, zip, keep, archive",
        ),
        ("ICT CSV.timeuot_s", "3", "did you mean 'timeout_s'?"),
        ("ICT CSV.stop_within_s", "3", "belongs in [host]"),
        ("ICT CVS.timeout_s", "3", "did you mean 'ICT CSV'?"),
        ("ICT CSV", "3", "is not CONVERTER.KEY"),
        ("ICT CSV.post_process", "move", "needs a done_folder"),
        ("a.b.name", "ICT CSV", "two converters 'ICT CSV'"),
        ("defaults.name", "x", "must be given for each converter"),
    ] {
        let error = bench.edit(target, value).expect_err(target);
        assert!(error.message().contains(said), "{target}: {error}");
    }
    assert_eq!(fs::read_to_string(bench.path()).expect("there"), FILE);
}

#[test]
fn no_secret_shows_in_what_is_told() {
    let bench = Bench::new(FILE);
    let edit = bench.edit("ICT CSV.arguments.token", "n3w").expect("valid");
    let told = format!("{:?} {:?}", edit.changes[0].old, edit.changes[0].new);
    assert!(!told.contains("s3cret") && !told.contains("n3w"), "{told}");
    assert!(edit.changes_file() && edit.text().contains("n3w"));
    let edit = bench
        .edit("a.b.submit.headers.Authorization", "Basic x")
        .expect("valid");
    assert!(!format!("{:?}", edit.changes[0].new).contains("Basic"));
    let edit = bench
        .edit("defaults.submit.headers.Authorization", "Basic x")
        .expect("valid");
    assert!(!format!("{:?}", edit.changes[0].new).contains("Basic"));
}

#[cfg(unix)]
#[test]
fn the_file_is_replaced_whole_with_its_permissions_and_behind_its_link() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new(FILE);
    fs::set_permissions(bench.path(), fs::Permissions::from_mode(0o640)).expect("set");
    let link = bench.dir.path().join("link.toml");
    std::os::unix::fs::symlink("host.toml", &link).expect("linked");
    let edit = Config::load(&link).and_then(|config| config.edit("a.b.timeout_s", "7"));
    edit.and_then(|edit| edit.write()).expect("written");
    assert!(link.is_symlink());
    let mode = fs::metadata(bench.path())
        .expect("there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o640);
    let read = Config::load(bench.path()).expect("valid");
    assert_eq!(read.converters[1].converter.bounds.timeout.as_secs(), 7);
    let names = fs::read_dir(bench.dir.path()).expect("folder").count();
    assert_eq!(names, 2, "nothing is left behind");
}

#[test]
fn a_file_that_changed_meanwhile_is_left_alone() {
    let bench = Bench::new(FILE);
    let edit = bench.edit("a.b.timeout_s", "7").expect("valid");
    let others = format!("{FILE}# somebody\n");
    fs::write(bench.path(), &others).expect("written");
    let error = edit.write().expect_err("changed");
    assert_eq!(error.kind(), ErrorKind::Changed);
    assert_eq!(fs::read_to_string(bench.path()).expect("there"), others);
}

#[test]
fn line_ends_and_a_byte_order_mark_stay_as_they_are() {
    let text = format!("\u{feff}{}", FILE.replace('\n', "\r\n"));
    let bench = Bench::new(&text);
    let edit = bench.edit("ICT CSV.timeout_s", "90").expect("valid");
    assert_eq!(
        edit.text(),
        text.replace("timeout_s = 60", "timeout_s = 90")
    );
    let same = bench.edit("ICT CSV.timeout_s", "60").expect("valid");
    assert!(!same.changes_file());
}

/// Of several changes, some were written when a later one was wrong.
#[test]
fn several_changes_are_made_together_or_not_at_all() {
    let bench = Bench::new(FILE);
    let draft = Draft::load(bench.path()).expect("valid");
    let changes = [
        Change::set("ICT CSV.timeout_s", "0"),
        Change::set("ICT CSV.priority", "11"),
        Change::set("ICT CSV.retention_days", "30"),
        Change::set("nobody.priority", "1"),
    ];
    let error = draft.edit(&changes).expect_err("wrong");
    let source = std::error::Error::source(&error).expect("a source");
    let errors: &ConfigErrors = source.downcast_ref().expect("problems");
    let told: Vec<_> = errors.problems.iter().map(Problem::target).collect();
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        told,
        [
            some("ICT CSV.timeout_s"),
            some("ICT CSV.priority"),
            some("nobody.priority")
        ]
    );
    assert_eq!(errors.problems[0].line, 8);
    let edit = draft.edit(&[changes[2].clone(), Change::set("a.b.priority", "2")]);
    let edit = edit.expect("valid");
    edit.write().expect("written");
    assert_eq!(edit.changes.len(), 2);
    let now = fs::read_to_string(bench.path()).expect("there");
    assert!(now.contains("retention_days = 30\n") && now.contains("priority = 2\n"));
}

/// Taking a value out took the comment above it along.
#[test]
fn a_value_is_taken_out_and_the_comments_around_it_stay() {
    let text = "# plant\r
[[converter]]\r
name = 'x'\r
command = ['y', '{input}']\r
# by contract\r
retention_days = 30 # 2024\r
patterns = [\r
  '*.csv', # old\r
]\r
retry = { max_attempts = 3, delay_s = 60 }\r
submit.url = 'http://x'\r
submit.timeout_s = 5\r
# the end\r
";
    let bench = Bench::new(text);
    let draft = Draft::load(bench.path()).expect("valid");
    let keys = [
        "retention_days",
        "patterns",
        "retry.delay_s",
        "submit.timeout_s",
        "priority",
    ];
    let changes = keys.map(|key| Change::unset(format!("x.{key}")));
    let edit = draft.edit(&changes).expect("valid");
    let expected = "# plant\r
[[converter]]\r
name = 'x'\r
command = ['y', '{input}']\r
# by contract\r
retry = { max_attempts = 3 }\r
submit.url = 'http://x'\r
# the end\r
";
    assert_eq!(edit.text(), expected);
    let changed: Vec<bool> = edit.changes.iter().map(|value| value.changed).collect();
    assert_eq!(changed, [true, true, true, true, false]);
    assert_eq!(edit.changes[0].new.as_deref(), Some("90"));
}

#[test]
fn unusual_ways_of_writing_are_changed_as_well() {
    for (text, target, value, expected) in [
        (
            "converter = [{ name = \"x\", command = [\"y\", \"{input}\"] }] # short\n",
            "x.priority",
            "2",
            "converter = [{ name = \"x\", command = [\"y\", \"{input}\"], priority = 2 }] # short\n",
        ),
        (
            "host.log = 'json' # for Loki\nhost.max_concurrent = 2\n",
            "host.max_concurrent",
            "3",
            "host.log = 'json' # for Loki\nhost.max_concurrent = 3\n",
        ),
        (
            "host = { log = 'json' }\n",
            "host.max_concurrent",
            "3",
            "host = { log = 'json', max_concurrent = 3 }\n",
        ),
        (
            "[[converter]]\nname = 'ä \"b\".c'\ncommand = ['y', '{input}']\n[converter.arguments]\n# the line\n'a b' = '1'\n",
            "ä \"b\".c.arguments",
            "{ \"a b\" = \"2\" }",
            "[[converter]]\nname = 'ä \"b\".c'\ncommand = ['y', '{input}']\n[converter.arguments]\n# the line\n'a b' = \"2\"\n",
        ),
    ] {
        let bench = Bench::new(text);
        let edit = bench.edit(target, value).expect(target);
        assert_eq!(edit.text(), expected);
    }
}

/// Saving what was shown wrote the mask into the file.
#[test]
fn a_secret_that_comes_back_masked_stays() {
    let text = FILE.replace(
        "url = \"http://x\"",
        "url = \"http://me:pw@x/in?key=1\"\nheaders = { A = \"b\" }",
    );
    let bench = Bench::new(&text);
    let draft = Draft::load(bench.path()).expect("valid");
    let shown = draft.config.settings().iter();
    let shown =
        shown.filter(|one| ["submit.url", "submit.headers", "arguments"].contains(&one.key));
    let back: Vec<Change> = shown
        .map(|one| {
            let converter = one
                .section
                .trim_start_matches("converter ")
                .trim_matches('"');
            let is_text = one.value.starts_with('"');
            let value = one.value.trim_matches(|c| is_text && c == '"');
            Change::set(format!("{converter}.{}", one.key), value)
        })
        .collect();
    assert_eq!(back.len(), 5, "{back:?}");
    let edit = draft.edit(&back).expect("valid");
    assert!(
        edit.text().contains("http://me:pw@x/in?key=1"),
        "{}",
        edit.text()
    );
    assert!(edit.text().contains("s3cret") && !edit.text().contains(MASK));
    let new = draft.edit(&[Change::set("a.b.arguments.token", MASK)]);
    assert!(new.expect_err("no secret").message().contains("not there"));
}

/// Two programs wrote at the same time, both were told that it worked, and one change was lost.
#[test]
fn of_many_writers_at_once_none_loses_a_change() {
    let bench = Bench::new(FILE);
    let drafts: Vec<Draft> = (0..8)
        .map(|_| Draft::load(bench.path()).expect("valid"))
        .collect();
    let written: Vec<Result<()>> = std::thread::scope(|scope| {
        let writers: Vec<_> = drafts
            .iter()
            .enumerate()
            .map(|(nth, draft)| {
                let value = (nth + 1).to_string();
                let edit = draft
                    .edit(&[Change::set("a.b.priority", value)])
                    .expect("valid");
                scope.spawn(move || edit.write())
            })
            .collect();
        let writers = writers.into_iter();
        writers
            .map(|writer| writer.join().expect("no panic"))
            .collect()
    });
    assert_eq!(written.iter().filter(|one| one.is_ok()).count(), 1);
    let kinds = written.iter().filter_map(|one| one.as_ref().err());
    assert!(
        kinds
            .map(Error::kind)
            .all(|kind| kind == ErrorKind::Changed)
    );
    let left = fs::read_dir(bench.dir.path()).expect("folder").count();
    assert_eq!(left, 1, "nothing is left behind");
}

#[cfg(unix)]
#[test]
fn a_file_that_cannot_be_replaced_is_written_to_and_a_failed_write_leaves_the_old_content() {
    use std::os::unix::fs::MetadataExt as _;
    let bench = Bench::new(FILE);
    let inode = || fs::metadata(bench.path()).expect("there").ino();
    let before = inode();
    for text in [format!("{FILE}# longer\n"), "[host]\n".to_owned()] {
        let mut file = replace::open(&bench.path()).expect("open");
        let old = fs::read(bench.path()).expect("there");
        replace::in_place(&mut file, &old, text.as_bytes()).expect("written");
        assert_eq!(fs::read_to_string(bench.path()).expect("there"), text);
        assert_eq!(inode(), before);
    }
    let mut reader = File::open(bench.path()).expect("open");
    let failed = replace::in_place(&mut reader, b"[host]\n", b"[store]\npath = 'x'\n");
    failed.expect_err("it is open for reading");
    assert_eq!(fs::read_to_string(bench.path()).expect("there"), "[host]\n");
}
