//! Tests changing one value of a configuration: comments, order and line ends must stay.

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
        assert_ne!(edit.old, edit.new);
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
    let told = format!("{:?} {:?}", edit.old, edit.new);
    assert!(!told.contains("s3cret") && !told.contains("n3w"), "{told}");
    assert!(edit.changes() && edit.text().contains("n3w"));
    let edit = bench
        .edit("a.b.submit.headers.Authorization", "Basic x")
        .expect("valid");
    assert!(!format!("{:?}", edit.new).contains("Basic"));
    let edit = bench
        .edit("defaults.submit.headers.Authorization", "Basic x")
        .expect("valid");
    assert!(!format!("{:?}", edit.new).contains("Basic"));
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
    assert!(!same.changes());
}
