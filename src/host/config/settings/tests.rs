//! Tests reading a configuration: unknown keys and values out of range are refused by name, and
//! nothing is guessed.

use std::path::Path;

use super::*;
use crate::convert::Mode;

const MINIMAL: &str = "[[converter]]\nname = \"ICT\"\ncommand = [\"ict\", \"{input}\"]\n";

fn parse(text: &str) -> Result<Config, ConfigErrors> {
    Config::parse(text, Path::new("/etc/annals/host.toml"))
}

fn problems(text: &str) -> Vec<(usize, String)> {
    let errors = parse(text).expect_err("refused");
    let of = |problem: Problem| (problem.line, problem.message);
    errors.problems.into_iter().map(of).collect()
}

#[test]
fn the_documented_example_loads() {
    let config = parse(include_str!("../../../../docs/host.example.toml")).expect("valid");
    let one = &config.converters[0];
    assert_eq!(one.converter.mode, Mode::Worker);
    assert_eq!(one.archive.retention, Retention::days(365));
    assert_eq!(one.retry.max_attempts, 3);
    assert_eq!(config.min_free_disk, 5 << 30);
    assert!(one.takes("a.CSV") && !one.takes("a.tmp") && !one.takes(".a.csv"));
}

#[test]
fn the_template_loads() {
    let config = parse(Config::TEMPLATE).expect("valid");
    assert!(config.converters[0].archive.archives());
    assert_eq!(config.warnings, [""; 0]);
}

/// Two converters would take the same file, or a folder would be a source and a way to sources.
#[test]
fn subfolders_are_read_only_where_that_is_clear() {
    let recursive = format!("{MINIMAL}recursive = true\n");
    let config = parse(&recursive).expect("valid");
    assert_eq!(config.converters[0].subfolders, Subfolders::Read);
    for (more, told) in [
        (
            "complete_marker = \"DONE\"",
            "recursive and complete_marker do not go together",
        ),
        (
            "companions = [\"{stem}.*\"]",
            "recursive and companions do not go together",
        ),
    ] {
        let told_is = problems(&format!("{recursive}{more}\n"));
        assert!(
            told_is.iter().any(|(_, is)| is.contains(told)),
            "{told_is:?}"
        );
    }
}

#[test]
fn what_other_machines_can_reach_must_be_allowed_and_nothing_listens_unasked() {
    assert_eq!(parse(MINIMAL).expect("valid").listen, None);
    let open = "[host]\nlisten = \"0.0.0.0:9100\"\n";
    let told = problems(open);
    assert!(told[0].1.contains("listen_openly = true"), "{told:?}");
    let allowed = parse(&format!("{open}listen_openly = true\n")).expect("valid");
    assert_eq!(allowed.listen.map(|address| address.port()), Some(9100));
}

/// A limit purges entries that a retention would keep, so a limit that nobody wrote must not apply.
#[test]
fn a_limit_on_size_counts_only_where_the_file_states_it() {
    let limit = |text: &str| parse(text).expect("valid").converters[0].archive.max_size;
    assert_eq!(limit(MINIMAL), None);
    let stated = format!("{MINIMAL}max_archive_size_gb = 10.0\n");
    assert_eq!(limit(&stated), Some(10 << 30));
    let for_all = format!("[defaults]\nmax_archive_size_gb = 10.0\n{MINIMAL}");
    assert_eq!(limit(&for_all), Some(10 << 30));
    assert_eq!(limit(&format!("{for_all}max_archive_size_gb = 0\n")), None);
}

#[test]
fn no_size_is_a_limit_too_small_to_be_meant_and_zero_is_none() {
    let sized = |size: &str| parse(&format!("{MINIMAL}max_archive_size_gb = {size}\n"));
    let limit = |config: Config| config.converters[0].archive.max_size;
    assert_eq!(limit(sized("0").expect("valid")), None);
    let told = sized("0.05").expect_err("refused").problems;
    assert!(
        told[0].message.contains("0, or a number from 0.1 to 1000"),
        "{told:?}"
    );
}

#[test]
fn an_old_file_without_archive_keys_gets_the_plans_defaults() {
    let config = parse(MINIMAL).expect("valid");
    let expected = ArchiveSettings {
        enabled: false,
        unarchivable: Unarchivable::Waits,
        source_files: true,
        output_reports: true,
        folder: None,
        retention: Retention::days(90),
        max_size: None,
        max_count: None,
        compression_level: 6,
        facts_above: None,
        delete_facts_only: false,
    };
    assert_eq!(config.converters[0].archive, expected);
    assert_eq!(config.defaults, expected);
    assert_eq!(config.converters[0].post_process, PostAction::Keep);
}

#[test]
fn a_key_is_refused_just_outside_its_range_and_taken_at_its_ends() {
    let below = |key: &schema::Key, value: &str| {
        let (section, name) = (key.section, key.name);
        let body = match name.split_once('.') {
            _ if section == "retention" => {
                let other = if name == "max_count" {
                    "keep = 'forever'"
                } else {
                    "max_count = 1"
                };
                format!("[[retention]]\nname = 'x'\n{other}\n{name} = {value}\n")
            }
            Some(("submit", key)) => {
                format!("{MINIMAL}[converter.submit]\nurl = \"http://x\"\n{key} = {value}\n")
            }
            Some((table, key)) => format!("{MINIMAL}{table} = {{ {key} = {value} }}\n"),
            None if section == "converter" => {
                // A converter has at most the conversions of the host.
                format!("[host]\nmax_concurrent = 64\n{MINIMAL}{name} = {value}\n")
            }
            None => format!("[{section}]\n{name} = {value}\n"),
        };
        parse(&body)
    };
    let mut checked = 0;
    for key in KEYS {
        let (good, bad): (Vec<String>, Vec<String>) = match key.kind {
            schema::Kind::Whole(min, max) => (
                vec![min.to_string(), max.to_string()],
                vec![
                    (min - 1).to_string(),
                    (max + 1).to_string(),
                    "\"x\"".into(),
                    "1.5".into(),
                ],
            ),
            schema::Kind::Days(min, max) => (
                vec![min.to_string(), max.to_string(), "\"forever\"".into()],
                vec![
                    (min - 1).to_string(),
                    (max + 1).to_string(),
                    "\"never\"".into(),
                ],
            ),
            schema::Kind::NumberOrZero(min, max) => (
                vec!["0".into(), format!("{min:?}"), format!("{max:?}")],
                vec![
                    "-1".into(),
                    format!("{:?}", min - 0.01),
                    format!("{:?}", max + 0.01),
                ],
            ),
            schema::Kind::Number(min, max) => (
                vec![format!("{min:?}"), format!("{max:?}")],
                vec![
                    format!("{:?}", min - 0.01),
                    format!("{:?}", max + 0.01),
                    "nan".into(),
                    "inf".into(),
                    "true".into(),
                ],
            ),
            schema::Kind::Flag => (
                vec!["true".into(), "false".into()],
                vec!["\"yes\"".into(), "1".into()],
            ),
            schema::Kind::Words(_) => (Vec::new(), vec!["\"burn\"".into(), "3".into()]),
            schema::Kind::Texts => (Vec::new(), vec!["\"x\"".into(), "[1]".into()]),
            schema::Kind::TextOrTexts => (Vec::new(), vec!["7".into(), "[1]".into()]),
            schema::Kind::Address => (
                vec!["\"[::1]:80\"".into()],
                vec!["\"localhost\"".into(), "80".into()],
            ),
            schema::Kind::Text if key.name != "name" => (Vec::new(), vec!["7".into()]),
            schema::Kind::TextMap => (Vec::new(), vec!["[]".into()]),
            schema::Kind::Expected => (
                ["true", "false", "\"always\"", "\"/sn\""]
                    .map(str::to_owned)
                    .into(),
                vec!["\"sn\"".into(), "1".into()],
            ),
            schema::Kind::ReportPath => (
                vec!["\"/a/*/b\"".into(), "\"\"".into()],
                vec!["\"steps\"".into(), "true".into()],
            ),
            schema::Kind::Text | schema::Kind::Url => continue,
        };
        // The minimal converter has these keys already.
        if matches!(key.name, "command" | "name") {
            continue;
        }
        for value in good {
            let read = below(key, &value);
            assert!(read.is_ok(), "{} = {value}: {read:?}", key.name);
        }
        for value in bad {
            let errors = below(key, &value).expect_err(key.name);
            let message = &errors.problems[0].message;
            assert!(
                message.contains(key.name) && message.contains(&key.kind.words()),
                "{message}"
            );
        }
        checked += 1;
    }
    assert!(checked > 25, "{checked}");
}

#[test]
fn an_explicit_zero_false_or_empty_wins_over_the_defaults() {
    let text = "[defaults]\narchive_enabled = true\nmax_archive_count = 5\nsettle_s = 9\nerror_folder = \"e\"\nretention_years = 10\n\
                [[converter]]\nname = \"a\"\ncommand = [\"x\", \"{input}\"]\n\
                [[converter]]\nname = \"b\"\ncommand = [\"x\", \"{input}\"]\narchive_enabled = false\nmax_archive_count = 0\nsettle_s = 0\nerror_folder = \"\"\nretention_years = 0\n";
    let config = parse(text).expect("valid");
    let [a, b] = &config.converters[..] else {
        panic!("two converters")
    };
    assert!(a.archive.enabled && !b.archive.enabled);
    assert_eq!((a.archive.max_count, b.archive.max_count), (Some(5), None));
    assert_eq!((a.settle.as_secs(), b.settle.as_secs()), (9, 0));
    assert_eq!(a.error_folder.as_deref(), Some(Path::new("/etc/annals/e")));
    assert_eq!(b.error_folder, None);
    assert_eq!(a.archive.retention.to_string(), "90d10y");
    assert_eq!(b.archive.retention.to_string(), "90d");
    let origin = |section: &str| {
        let of = |setting: &&Setting| setting.section == section && setting.key == "settle_s";
        config.settings().iter().find(of).map(|s| s.origin)
    };
    assert_eq!(origin("converter \"a\""), Some(Origin::Defaults(4)));
    assert_eq!(origin("converter \"b\""), Some(Origin::Line(15)));
}

#[test]
fn unknown_keys_are_told_with_their_line_and_what_was_meant() {
    let text = format!(
        "[hots]\n[host]\nmax_concurent = 2\n{MINIMAL}watch_foldr = \"x\"\nstop_within_s = 3\nretry = {{ delay = 3 }}\ncolour = 1\n[defaults]\nname = \"x\"\n"
    );
    assert_eq!(
        problems(&text),
        [
            (1, "there is no [hots]; did you mean [host]?".to_owned()),
            (
                3,
                "[host]: there is no 'max_concurent'; did you mean 'max_concurrent'?".to_owned()
            ),
            (
                7,
                "converter 'ICT': there is no 'watch_foldr'; did you mean 'watch_folder'?"
                    .to_owned()
            ),
            (
                8,
                "converter 'ICT': 'stop_within_s' belongs in [host]".to_owned()
            ),
            (
                9,
                "converter 'ICT': there is no 'retry.delay'; did you mean 'retry.delay_s'?"
                    .to_owned()
            ),
            (10, "converter 'ICT': there is no 'colour'".to_owned()),
            (
                12,
                "[defaults]: name must be given for each converter".to_owned()
            ),
        ]
    );
}

/// A mistyped scheme must not reveal the address: it may contain a password or a key, and the error
/// appears on the terminal, in the log and in the host's status.
#[test]
fn a_value_that_may_hold_a_secret_is_refused_without_being_told() {
    for wrong in [
        "[converter.submit]\nurl = \"htps://me:PASSWORD-77@wats.example/api?key=PASSWORD-77\"\n",
        "[converter.submit]\nurl = \"me:PASSWORD-77@wats.example\"\n",
        "[converter.submit]\nurl = \"http://me:PASSWORD-77@wats.example/a b\"\n",
        "[converter.submit]\nurl = [\"PASSWORD-77\"]\n",
        "[converter.submit]\nurl = \"http://x\"\nheaders = \"Basic PASSWORD-77\"\n",
        "[converter.submit]\nurl = \"http://x\"\nheaders = { a = [\"PASSWORD-77\"] }\n",
        "[converter.submit]\nurl = \"http://x\"\nheaders = { a = \"${PASSWORD-77\" }\n",
        "[converter.submit]\nurl = \"http://me:PASSWORD-77@x\n",
        "arguments = \"token=PASSWORD-77\"\nsecret_arguments = [\"token\"]\n",
    ] {
        let told = problems(&format!("{MINIMAL}{wrong}"));
        assert!(!told.is_empty(), "{wrong}");
        assert!(!format!("{told:?}").contains("PASSWORD-77"), "{told:?}");
    }
}

#[test]
fn what_contradicts_itself_is_refused() {
    for (more, said) in [
        ("post_process = \"archive\"\n", "needs archive_enabled"),
        ("post_process = \"move\"\n", "needs a done_folder"),
        (
            "watch_folder = \"in\"\ndone_folder = \"in/done\"\n",
            "inside the watched folder",
        ),
        (
            "watch_folder = \"in\"\nerror_folder = \"x/../in\"\n",
            "inside the watched folder",
        ),
        ("bundle = [\"../x\"]\n", "below the configuration's folder"),
        ("patterns = [\"[\"]\n", "is no pattern"),
        (
            "[[converter]]\nname = \"ICT\"\ncommand = [\"x\", \"{input}\"]\n",
            "two converters 'ICT'",
        ),
        (
            "[[converter]]\nname = \"b\"\ncommand = [\"x\"]\n",
            "{input}",
        ),
        ("[[converter]]\nname = \"b\"\n", "must name a program"),
        (
            "[[converter]]\ncommand = [\"x\", \"{input}\"]\n",
            "needs a name",
        ),
        ("[converter.submit]\nurl = \"ftp://x\"\n", "http://"),
        (
            "[converter.submit]\nurl = \"http://x\"\nheaders = { \"a b\" = \"c\" }\n",
            "is no header",
        ),
        (
            "[converter.submit]\nurl = \"http://x\"\nheaders = { a = \"${X\" }\n",
            "open",
        ),
    ] {
        let found = problems(&format!("{MINIMAL}{more}"));
        assert!(
            found.iter().any(|(_, text)| text.contains(said)),
            "{more}: {found:?}"
        );
    }
}

#[test]
fn broken_toml_is_one_problem_at_its_line() {
    let found = problems("[host]\nmax_concurrent = \n[store]\n");
    assert_eq!(found[0].0, 2);
    assert!(found[0].1.contains("not TOML"), "{found:?}");
    assert!(
        problems("[converter]\nname = \"x\"\n")[0]
            .1
            .contains("[[converter]]")
    );
}

#[test]
fn a_marker_is_a_plain_name_and_makes_its_converter_one_of_folders() {
    let config = parse(&format!("{MINIMAL}complete_marker = \"COMPLETE.marker\"\n"));
    let one = &config.expect("valid").converters[0];
    assert_eq!(one.converter.takes, Takes::Folders);
    assert_eq!(one.complete_marker.as_deref(), Some("COMPLETE.marker"));
    let none = &parse(&format!("{MINIMAL}complete_marker = \"\"\n"))
        .expect("valid")
        .converters[0];
    assert_eq!(
        (&none.converter.takes, &none.complete_marker),
        (&Takes::Files, &None)
    );
    for wrong in ["..", ".", "a/b", "/done", "a\\\\b", "done "] {
        let told = problems(&format!("{MINIMAL}complete_marker = \"{wrong}\"\n"));
        assert_eq!(told[0].0, 4);
        assert!(
            told[0].1.contains("converter 'ICT': complete_marker:"),
            "{told:?}"
        );
    }
    let inherited = parse(&format!("[defaults]\ncomplete_marker = \"x\"\n{MINIMAL}"));
    let one = &inherited.expect("valid").converters[0];
    assert_eq!(one.complete_marker.as_deref(), Some("x"));
}

/// Systems encode accents in different ways, so a pattern typed on one system must fit names
/// written on another.
#[test]
fn a_pattern_takes_a_name_in_whichever_way_its_letters_are_written() {
    let of = |pattern: &str| {
        let config = parse(&format!("{MINIMAL}patterns = [\"{pattern}\"]\n")).expect("valid");
        config.converters[0].clone()
    };
    for pattern in ["Pr\u{fc}f*.csv", "Pru\u{308}f*.CSV"] {
        let config = of(pattern);
        assert!(config.takes("Pr\u{fc}f1.csv"), "{pattern}");
        assert!(config.takes("PRU\u{308}F1.csv"), "{pattern}");
        assert!(!config.takes("Pr\u{fc}f1.txt"), "{pattern}");
    }
}

#[test]
fn overlapping_patterns_in_one_folder_are_a_warning() {
    let text = format!(
        "{MINIMAL}watch_folder = \"in\"\npatterns = [\"*.csv\"]\n[[converter]]\nname = \"b\"\ncommand = [\"x\", \"{{input}}\"]\nwatch_folder = \"./in\"\npatterns = [\"*.log\", \"*\"]\n"
    );
    let config = parse(&text).expect("valid");
    assert_eq!(config.warnings.len(), 1, "{:?}", config.warnings);
}

#[test]
fn secrets_are_in_no_setting_and_a_missing_variable_matters_only_when_used() {
    let text = format!(
        "{MINIMAL}arguments = {{ token = \"s3cret\", operation = 10 }}\nsecret_arguments = [\"token\"]\n[converter.submit]\nurl = \"http://me:s3cret@x?k=s3cret\"\nheaders = {{ Authorization = \"Basic ${{ANNALS_TEST_NOT_SET}}\" }}\n"
    );
    let config = parse(&text).expect("valid");
    let shown = format!("{config:?} {}", config.section("converter \"ICT\""));
    assert!(
        !shown.contains("s3cret") && !shown.contains("Basic"),
        "{shown}"
    );
    assert!(shown.contains("operation"));
    let submit = config.converters[0].submit.as_ref().expect("given");
    let missing = submit.reveal().err().map(|error| error.to_string());
    assert!(missing.is_some_and(|error| error.contains("ANNALS_TEST_NOT_SET")));
}

#[test]
fn the_digest_follows_values_and_not_spelling() {
    let spaced = MINIMAL.replace(" = ", "   =   ");
    let digest = |text: &str| parse(text).expect("valid").digest();
    assert_eq!(
        digest(MINIMAL),
        digest(&format!("# comment\n{spaced}settle_s = 2.0\n"))
    );
    assert_ne!(digest(MINIMAL), digest(&format!("{MINIMAL}settle_s = 3\n")));
}

#[test]
fn no_bytes_make_it_panic() {
    for text in [
        "\u{feff}",
        "=",
        "[",
        "[[converter]]",
        "converter = 1",
        "a.b.c = 1",
        "\0",
    ] {
        let _ = parse(text);
    }
}

/// The limit of one converter and the time that idle workers are kept are inherited, and a limit
/// that no host could keep to is refused with its line and what to write.
#[test]
fn limits_of_a_converter_come_from_the_host_and_never_exceed_it() {
    let read = |text: &str| Config::parse(text, Path::new("host.toml"));
    let limits = |text: &str| {
        let config = read(text).expect("valid");
        let limits = config.converters.iter();
        limits
            .map(|one| (one.max_concurrent, one.worker_idle.as_secs()))
            .collect::<Vec<_>>()
    };
    let one = |more: &str| {
        format!("[[converter]]\nname = \"{more}\"\ncommand = [\"x\"]\nmode = \"worker\"\n")
    };
    assert_eq!(limits(&one("a")), [(4, 300)]);
    let text = format!(
        "[host]\nmax_concurrent = 8\nworker_idle_s = 60\n[defaults]\nmax_concurrent = 2\n{}{}worker_idle_s = 0\nmax_concurrent = 8\n",
        one("a"),
        one("b")
    );
    assert_eq!(limits(&text), [(2, 60), (8, 0)]);
    let text = format!(
        "[host]\nmax_concurrent = 2\n{}max_concurrent = 3\n",
        one("a")
    );
    let refused = problems(&text);
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].0, 7);
    assert_eq!(
        refused[0].1,
        "converter 'a': max_concurrent = 3 is more than all converters together may run: raise max_concurrent in [host], which is 2, or write at most 2 here"
    );
}
