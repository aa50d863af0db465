//! The demonstration's script: the plant's configuration, and each command with what to look at.
//! Data only.

use crate::id::EntryId;
use crate::query::Filter;

use super::builtin::Kind;
use super::converters::Runner;
use super::plant::{self, STORY_SERIAL};

/// Units in the demonstration's plant, which make 575 files and 5 MB.
pub(crate) const UNITS: usize = 240;
/// The plant's seed. The numbers in the remarks hold for this seed.
pub(crate) const SEED: u64 = 1;
/// Name of the configuration file, in the plant's folder.
pub(crate) const CONFIG: &str = "host.toml";
/// Name of the store, in the plant's folder.
pub(crate) const STORE: &str = "store";

const ICT: &str = "ICT CSV";
const FUNCTIONAL: &str = "Functional log";
const FIRMWARE: &str = "Firmware JUnit";

/// Placeholder for the followed entry, whose id is known once the host has run.
const ENTRY: &str = "{entry}";

/// Returns the filter for the entry that the demonstration follows: the unit's only ICT file.
pub(crate) fn story_entry() -> Filter {
    Filter {
        converter: vec![ICT.to_owned()],
        serial: Some(STORY_SERIAL.to_owned()),
        ..Filter::default()
    }
}

/// One step: its title, the action, and what to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) title: &'static str,
    pub(crate) action: Action,
    /// What to look at in the output.
    pub(crate) look: &'static str,
    /// Expected exit codes. 3 is expected where some files are bad on purpose.
    pub(crate) exits: &'static [u8],
}

/// The action of a step. All paths are relative to the plant's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// An annals command: the words after the program's name.
    Annals(Vec<&'static str>),
    /// An edit of a text file: every occurrence of each first text becomes the second.
    Edit {
        file: &'static str,
        replace: Vec<(String, String)>,
    },
}

impl Action {
    /// Returns the command line that a user would type for it.
    pub(crate) fn typed(&self, entry: Option<EntryId>) -> String {
        match self {
            Self::Annals(words) => {
                let words: Vec<String> = filled(words, entry)
                    .iter()
                    .map(|word| quoted(word))
                    .collect();
                format!("annals {}", words.join(" "))
            }
            Self::Edit { file, replace } if cfg!(windows) => {
                let replace: Vec<String> = replace
                    .iter()
                    .map(|(from, to)| format!(".Replace('{from}', '{to}')"))
                    .collect();
                let replace = replace.concat();
                format!("(Get-Content -Raw {file}){replace} | Set-Content -NoNewline {file}")
            }
            Self::Edit { file, replace } => {
                let replace: Vec<String> = replace
                    .iter()
                    .map(|(from, to)| format!(" -e 's|{}|{to}|g'", from.replace('.', "\\.")))
                    .collect();
                format!("sed -i.bak{} {file}", replace.concat())
            }
        }
    }
}

/// Returns the words of an annals command, with the placeholder replaced once the entry is known.
pub(crate) fn filled(words: &[&str], entry: Option<EntryId>) -> Vec<String> {
    let entry = entry.map_or(ENTRY.to_owned(), |entry| entry.to_string());
    words
        .iter()
        .map(|word| word.replace(ENTRY, &entry))
        .collect()
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("\"{word}\"")
    }
}

/// Returns the plant's configuration, with the first version of the ICT converter.
pub(crate) fn host_toml(runner: &Runner) -> String {
    let host = format!(
        r#"# The demonstration's plant: three kinds of stations, three converters, one store.

[store]
path = "{STORE}"

[host]
max_concurrent = 4
min_free_disk_gb = 0.5

[defaults]
archive_enabled = true
retention_days = 730
"#
    );
    let converters = [
        (ICT, Kind::IctV1, plant::ICT_FOLDER, "*.csv", "1.0.0", 3),
        (
            FUNCTIONAL,
            Kind::Jsonl,
            plant::FUNCTIONAL_FOLDER,
            "*.jsonl",
            "1.4.1",
            5,
        ),
        (
            FIRMWARE,
            Kind::Junit,
            plant::FIRMWARE_FOLDER,
            "*.xml",
            "2.3.0",
            7,
        ),
    ]
    .map(|(name, kind, folder, pattern, version, priority)| {
        let station = folder.trim_end_matches("/in");
        format!(
            r#"
[[converter]]
name = "{name}"
version = "{version}"
watch_folder = "{folder}"
patterns = ["{pattern}"]
command = {}
bundle = {}
mode = "{}"
timeout_s = 60
arguments = {{ location = "Hall 2" }}
priority = {priority}
post_process = "archive"
done_folder = "{station}/done"
error_folder = "{station}/error"
"#,
            array(runner.command(kind)),
            array(runner.bundle(kind)),
            runner.mode(),
        )
    });
    host + &converters.concat()
}

fn array(words: Vec<String>) -> String {
    let words: Vec<String> = words
        .into_iter()
        .map(|word| toml::Value::String(word).to_string())
        .collect();
    format!("[{}]", words.join(", "))
}

/// The step did all its work.
const DONE: &[u8] = &[0];
/// Some files of the plant are bad on purpose.
const SOME_FAILED: &[u8] = &[0, 3];

/// Returns a step that runs `annals`.
fn annals(
    title: &'static str,
    words: &[&'static str],
    look: &'static str,
    exits: &'static [u8],
) -> Step {
    Step {
        title,
        action: Action::Annals(words.to_vec()),
        look,
        exits,
    }
}

/// Returns the steps of the story, in order.
pub(crate) fn steps(runner: &Runner) -> Vec<Step> {
    [
        archiving(),
        customer_return(),
        correction(runner),
        retention(),
    ]
    .concat()
}

/// Archives and converts the files of the plant.
fn archiving() -> Vec<Step> {
    vec![
        annals(
            "Make a store",
            &["init", STORE, "--no-key"],
            "A store is one folder. Its event log is the truth; the index beside it can be deleted at any time.",
            DONE,
        ),
        annals(
            "Check the configuration",
            &["host", "check", CONFIG],
            "Three converters, each with its watch folder.",
            DONE,
        ),
        annals(
            "Convert what the stations left in their folders",
            &["host", "run", CONFIG, "--once"],
            "Every file is archived before it is converted. Some were cut short by their station: those fail, and stay in the archive too.",
            SOME_FAILED,
        ),
        annals(
            "What is in the store now",
            &["-s", STORE, "stats"],
            "Sources and reports, and what they take stored: what is stored twice takes no space twice.",
            DONE,
        ),
        annals(
            "Which files could not be converted",
            &[
                "-s",
                STORE,
                "list",
                "--status",
                "failed,rejected",
                "--limit",
                "8",
            ],
            "Each says what is missing from it. None became half a report.",
            DONE,
        ),
    ]
}

/// Finds the files of a unit that a customer sent back.
fn customer_return() -> Vec<Step> {
    vec![
        annals(
            "A customer sends a unit back: what do we know of it",
            &["-s", STORE, "find", STORY_SERIAL],
            "All three stations' files, found by the serial number.",
            DONE,
        ),
        annals(
            "Look at its board test",
            &["-s", STORE, "show", ENTRY],
            "The report says passed. The customer says its backup battery is flat.",
            DONE,
        ),
        annals(
            "Put the unit's files on hold while that is looked into",
            &[
                "-s",
                STORE,
                "hold",
                "add",
                "--serial",
                STORY_SERIAL,
                "--name",
                "return-0815",
                "--reason",
                "customer return under investigation",
            ],
            "No retention rule outranks a hold.",
            DONE,
        ),
    ]
}

/// Corrects the converter and runs it again.
fn correction(runner: &Runner) -> Vec<Step> {
    vec![
        Step {
            title: "The converter was wrong: use the corrected one",
            action: Action::Edit {
                file: CONFIG,
                replace: vec![
                    (
                        runner.ict_name(Kind::IctV1).to_owned(),
                        runner.ict_name(Kind::Ict).to_owned(),
                    ),
                    (
                        r#"version = "1.0.0""#.to_owned(),
                        r#"version = "1.1.0""#.to_owned(),
                    ),
                ],
            },
            look: "Testers with software 2.x end their files with one line less; version 1.0.0 lost the last measurement of each.",
            exits: DONE,
        },
        annals(
            "What would running it again mean",
            &[
                "--config",
                CONFIG,
                "reprocess",
                "-c",
                ICT,
                "--converter-version",
                "current",
                "--dry-run",
            ],
            "A plan; nothing was run and nothing recorded.",
            DONE,
        ),
        annals(
            "Run it again over every archived board test",
            &[
                "--config",
                CONFIG,
                "reprocess",
                "-c",
                ICT,
                "--converter-version",
                "current",
            ],
            "A third of the reports change, those of station ICT-03; nine units that had passed had in truth failed. The first attempts stay beside the new ones.",
            SOME_FAILED,
        ),
        annals(
            "What changed for the unit that came back",
            &["-s", STORE, "diff", ENTRY],
            "One measurement more, BT1 backup current, and it had failed: the unit should never have left the plant.",
            DONE,
        ),
        annals(
            "Get the tester's file back as it was",
            &[
                "-s",
                STORE,
                "restore",
                ENTRY,
                "--to",
                "restored",
                "--original-names",
            ],
            "Checked against its hash before it got its name.",
            DONE,
        ),
    ]
}

/// Lets old entries go, and verifies the rest.
fn retention() -> Vec<Step> {
    vec![
        annals(
            "What would go if only the newest 200 board tests were kept",
            &[
                "-s",
                STORE,
                "retention",
                "preview",
                "-c",
                ICT,
                "--max-count",
                "200",
            ],
            "The oldest, each with the rule that lets it go. The unit on hold is old enough and is not among them.",
            DONE,
        ),
        annals(
            "Let them go",
            &[
                "-y",
                "-s",
                STORE,
                "retention",
                "apply",
                "-c",
                ICT,
                "--max-count",
                "200",
                "--reason",
                "the demonstration keeps 200 board tests",
            ],
            "Their bytes go. That they existed, and who let them go, when and by which rule, stays.",
            DONE,
        ),
        annals(
            "Is everything that should be there still there, bit by bit",
            &["-s", STORE, "verify", "--deep"],
            "Every event, pack, blob and index row was read and checked.",
            DONE,
        ),
    ]
}

/// Returns commands to try next, and what each shows.
pub(crate) fn next() -> Vec<(Action, &'static str)> {
    let annals = |words: &[&'static str], why| (Action::Annals(words.to_vec()), why);
    vec![
        annals(
            &[
                "-s",
                STORE,
                "reprocess",
                ENTRY,
                "--converter-version",
                "recorded",
                "--compare-only",
            ],
            "run the very converter that was used, from the archive",
        ),
        annals(
            &[
                "-s", STORE, "list", "--purged", "--sort", "id", "--limit", "5",
            ],
            "what is still known of files that are gone",
        ),
        annals(
            &["-s", STORE, "events", "--from", "1", "--to", "5"],
            "the facts themselves, one JSON line each",
        ),
        annals(
            &["-s", STORE, "job", "list"],
            "every time converters were run again, and what came of it",
        ),
    ]
}

#[cfg(test)]
mod tests {
    //! The demonstration must do exactly what it prints.

    use serde_json::Value;
    use toml::Table;

    use super::super::builtin::{Arguments, convert};
    use super::*;

    fn runners() -> [Runner; 2] {
        [
            Runner::Python("/usr/bin/python3".to_owned()),
            Runner::BuiltIn(r#"C:\Program Files\"annals".exe"#.to_owned()),
        ]
    }

    fn ict(config: &str) -> Table {
        let config: Table = config.parse().expect("the configuration is TOML");
        let converters = config["converter"].as_array().expect("converters");
        assert_eq!(converters.len(), 3);
        converters[0].as_table().expect("a table").clone()
    }

    #[test]
    fn the_correction_changes_the_ict_converter_and_nothing_else() {
        for runner in runners() {
            let before = host_toml(&runner);
            let mut after = before.clone();
            for step in steps(&runner) {
                if let Action::Edit { replace, .. } = step.action {
                    for (from, to) in replace {
                        assert!(after.contains(&from), "{from}");
                        after = after.replace(&from, &to);
                    }
                }
            }
            let (wrong, right) = (ict(&before), ict(&after));
            assert_eq!(wrong["version"].as_str(), Some("1.0.0"));
            assert_eq!(right["version"].as_str(), Some("1.1.0"));
            let words = |converter: &Table| converter["command"].to_string();
            assert_eq!(words(&wrong), array(runner.command(Kind::IctV1)));
            assert_eq!(words(&right), array(runner.command(Kind::Ict)));
            let others = |text: &str| {
                text.split_once("[[converter]]\nname = \"Functional")
                    .map(|(_, tail)| tail.to_owned())
            };
            assert_eq!(others(&before), others(&after));
        }
    }

    #[test]
    fn every_command_is_printed_as_it_would_be_typed() {
        let runner = &runners()[0];
        let typed: Vec<String> = steps(runner)
            .iter()
            .map(|step| step.action.typed(Some(EntryId(17))))
            .collect();
        assert_eq!(typed[6], "annals -s store show 17");
        assert_eq!(
            typed[10],
            "annals --config host.toml reprocess -c \"ICT CSV\" --converter-version current"
        );
        assert!(!typed.concat().contains(ENTRY));
        #[cfg(unix)]
        assert_eq!(
            typed[8],
            r#"sed -i.bak -e 's|ict_csv_v1\.py|ict_csv.py|g' -e 's|version = "1\.0\.0"|version = "1.1.0"|g' host.toml"#
        );
    }

    #[test]
    fn the_unit_of_the_story_is_among_the_oldest_that_would_go_but_for_its_hold() {
        let mut board_tests: Vec<_> = plant::plant(SEED, UNITS)
            .into_iter()
            .filter(|file| file.folder == plant::ICT_FOLDER)
            .collect();
        board_tests.truncate(board_tests.len().saturating_sub(200));
        let of_unit = board_tests
            .iter()
            .filter(|file| file.name.contains(STORY_SERIAL));
        assert_eq!(of_unit.count(), 1);
    }

    #[test]
    fn the_correction_changes_a_third_of_the_board_tests_and_finds_nine_units_that_had_failed() {
        let report = |kind, data: &[u8]| -> Value {
            let answer = convert(kind, &Arguments::new(), data);
            let mut answer: Value = serde_json::from_str(&answer).expect("an answer is JSON");
            answer["report"].take()
        };
        let (mut all, mut changed, mut found) = (0, 0, 0);
        for file in plant::plant(SEED, UNITS) {
            if file.folder != plant::ICT_FOLDER {
                continue;
            }
            let before = report(Kind::IctV1, &file.bytes);
            let after = report(Kind::Ict, &file.bytes);
            all += 1;
            changed += usize::from(before != after);
            found += usize::from(before["result"] == "P" && after["result"] == "F");
        }
        assert_eq!((all, changed, found), (253, 81, 9));
    }
}
