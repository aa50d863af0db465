//! What `--json` prints is what docs/json.md says. A script that reads a field must find it, of the
//! type that is stated, in every answer of every verb.

#![cfg(unix)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

/// `OBJECT: COMMAND` for every verb.
const STEPS: &str = include_str!("json/steps.txt");

/// The heading below which objects stand that a healthy store never prints.
const RARE: &str = "## Objects of rare cases";

/// Verbs that print data of their own form rather than objects.
const PRINT_DATA: &[&str] = &["cat", "completions", "events", "help", "man"];

/// Types of fields, by name.
type Fields = BTreeMap<String, String>;

/// The objects of the page.
#[derive(Default)]
struct Page {
    objects: BTreeMap<String, Fields>,
    rare: BTreeSet<String>,
}

impl Page {
    /// Reads the tables of docs/json.md.
    fn read() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/json.md");
        Self::of(&fs::read_to_string(path).expect("the page"))
    }

    fn of(text: &str) -> Self {
        let mut page = Self::default();
        let mut name = String::new();
        let mut is_rare = false;
        for line in text.lines() {
            if line.starts_with("## ") {
                is_rare = line == RARE;
                name.clear();
            } else if let Some(heading) = line.strip_prefix("### ") {
                heading.clone_into(&mut name);
                page.objects.insert(name.clone(), Fields::new());
                if is_rare {
                    page.rare.insert(name.clone());
                }
            } else if let Some(row) = line.strip_prefix("| `") {
                let (field, rest) = row.split_once("` | ").expect("a row");
                let (kind, _) = rest.split_once(" | ").expect("a type");
                let fields = page.objects.get_mut(&name).expect("a heading");
                fields.insert(field.to_owned(), kind.to_owned());
            } else if let Some(row) = line.strip_prefix("| all of [") {
                let (base, _) = row.split_once(']').expect("a name");
                let base = page.objects[base].clone();
                page.objects.get_mut(&name).expect("a heading").extend(base);
            }
        }
        page
    }

    /// Complains about everything in which a value is not the object `name`.
    fn check(&self, name: &str, value: &Value, seen: &mut BTreeSet<String>) -> Vec<String> {
        seen.insert(name.to_owned());
        let Some(fields) = self.objects.get(name) else {
            return vec![format!("{name} has no heading")];
        };
        let Value::Object(object) = value else {
            return vec![format!("{name} is no object: {value}")];
        };
        let mut wrong = Vec::new();
        for field in object.keys().filter(|field| !fields.contains_key(*field)) {
            wrong.push(format!("{name}: `{field}` is not documented"));
        }
        for (field, kind) in fields {
            match object.get(field) {
                None => wrong.push(format!("{name}: `{field}` is missing")),
                Some(value) => {
                    let found = self.fits(kind, value, seen);
                    wrong.extend(found.iter().map(|what| format!("{name}.{field}: {what}")));
                }
            }
        }
        wrong
    }

    fn fits(&self, kind: &str, value: &Value, seen: &mut BTreeSet<String>) -> Vec<String> {
        if let Some(kind) = kind.strip_suffix(" or null") {
            return match value {
                Value::Null => Vec::new(),
                _ => self.fits(kind, value, seen),
            };
        }
        if let Some(name) = kind.strip_prefix('[') {
            let (name, _) = name.split_once(']').expect("a link");
            return self.check(name, value, seen);
        }
        let all: Option<Vec<&Value>> = match (kind.split_once(" of "), value) {
            (Some(("list", _)), Value::Array(items)) => Some(items.iter().collect()),
            (Some(("map", _)), Value::Object(object)) => Some(object.values().collect()),
            _ => None,
        };
        if let (Some((_, kind)), Some(all)) = (kind.split_once(" of "), all) {
            return all
                .into_iter()
                .flat_map(|one| self.fits(kind, one, seen))
                .collect();
        }
        let fits = match (kind, value) {
            ("any", Value::String(text)) => return packed(text).into_iter().collect(),
            ("any" | "event", _) | ("boolean", Value::Bool(_)) | ("number", Value::Number(_)) => {
                true
            }
            ("integer" | "bytes", Value::Number(number)) => number.is_u64() || number.is_i64(),
            ("time", Value::String(text)) => is_time(text),
            ("text", Value::String(text)) if is_time(text) => {
                return vec![format!("a time is documented as text: {text}")];
            }
            ("text", Value::String(text)) => return packed(text).into_iter().collect(),
            _ => false,
        };
        if fits {
            return Vec::new();
        }
        vec![format!("no {kind}: {value}")]
    }
}

/// Complains about a text that holds a value of another language.
fn packed(text: &str) -> Option<String> {
    let is_json = matches!(
        serde_json::from_str(text),
        Ok(Value::Object(_) | Value::Array(_) | Value::String(_))
    );
    let is_toml = text.contains('=') && toml::from_str::<toml::Table>(text).is_ok();
    (is_json || is_toml).then(|| format!("a value is packed into text: {text}"))
}

/// Returns true for the one form of times.
fn is_time(text: &str) -> bool {
    let pattern = "dddd-dd-ddTdd:dd:dd.dddddd?dd:dd";
    text.len() == pattern.len()
        && pattern
            .chars()
            .zip(text.chars())
            .all(|(kind, c)| match kind {
                'd' => c.is_ascii_digit(),
                '?' => matches!(c, '+' | '-'),
                sign => sign == c,
            })
}

/// Makes the files that the steps work on.
pub(super) fn prepare(dir: &Path) {
    let config = r#"[store]
path = "store"
[host]
min_free_disk_gb = 0
[[converter]]
name = "ICT CSV"
version = "1.0.0"
watch_folder = "watch"
patterns = ["*.csv"]
command = ["sh", "ict.sh", "{input}"]
bundle = ["ict.sh"]
environment = "a POSIX shell"
settle_s = 0
archive_enabled = true
post_process = "archive"
promotion = "gated"
compare = { ignore = ["/run"] }
submit = { url = "http://127.0.0.1:9/reports" }
"#;
    let classes = r#"[[retention]]
name = "failed"
status = ["failed"]
keep = "30d"
[[retention]]
name = "rest"
keep = { sources = "7y", reports = "2y", superseded = "90d" }
"#;
    let converter = r#"serial=$(sed -n 's/^serial,//p' "$1")
volts=$(sed -n 's/^volts,//p' "$1")
printf '{"status":"success","serial":"%s","warnings":["w"],' "$serial"
printf '"report":{"sn":"%s","volts":%s}}' "$serial" "$volts"
"#;
    for folder in ["in", "watch", "home"] {
        fs::create_dir(dir.join(folder)).expect("made");
    }
    for (name, content) in [
        ("host.toml", config),
        ("classes.toml", classes),
        ("ict.sh", converter),
        ("in/SN1042.csv", "serial,SN1042\nvolts,4.98\n"),
        ("in/SN1043.csv", "serial,SN1043\nvolts,5.31\n"),
        ("watch/SN1044.csv", "serial,SN1044\nvolts,5.02\n"),
        ("watch/SN1045.csv", "serial,SN1045\nvolts,\n"),
        ("report.json", r#"{"sn":"SN1042","result":"P"}"#),
    ] {
        fs::write(dir.join(name), content).expect("written");
    }
}

/// Returns the lines that a command of the steps prints.
fn run(dir: &Path, command: &str, exit: i32) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_annals"));
    let folder = program.parent().expect("a folder").display();
    let output = Command::new("bash")
        .args(["-c", command])
        .current_dir(dir)
        .env_clear()
        .env("PATH", format!("{folder}:/usr/local/bin:/usr/bin:/bin"))
        .env("HOME", dir.join("home"))
        .env("USER", "mia")
        .env("ANNALS_STORE", dir.join("store"))
        .stdin(Stdio::null())
        .output()
        .expect("starts");
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(exit), "{command}: {told}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Returns the object that a step prints, its exit code and the command.
fn step(line: &str) -> (Option<&str>, i32, &str) {
    if let Some(command) = line.strip_prefix("$ ") {
        return (None, 0, command);
    }
    let (head, command) = line.split_once(": ").expect("an object and a command");
    match head.split_once(", exit ") {
        Some((name, exit)) => (Some(name), exit.parse().expect("a code"), command),
        None => (Some(head), 0, command),
    }
}

fn steps() -> impl Iterator<Item = (Option<&'static str>, i32, &'static str)> {
    let lines = STEPS.lines();
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(step)
}

#[test]
fn every_verb_prints_the_objects_of_the_page() {
    let tools = Command::new("jq").arg("--version").output();
    if !tools.is_ok_and(|ran| ran.status.success()) {
        println!("skipped: no jq, which the steps read ids with");
        return;
    }
    let page = Page::read();
    let dir = tempfile::tempdir().expect("a folder");
    prepare(dir.path());
    let mut seen = BTreeSet::new();
    let mut wrong = BTreeSet::new();
    for (name, exit, command) in steps() {
        let printed = run(dir.path(), command, exit);
        let Some(name) = name.filter(|name| *name != "log") else {
            continue;
        };
        assert!(!printed.is_empty(), "{command} printed nothing");
        for line in printed.lines() {
            let object = serde_json::from_str(line).unwrap_or_else(|error| {
                panic!("{command}: {error}: {line}");
            });
            let found = page.check(name, &object, &mut seen);
            wrong.extend(found.into_iter().map(|what| format!("{what} ({command})")));
        }
    }
    let wrong: Vec<String> = wrong.into_iter().collect();
    assert!(
        wrong.is_empty(),
        "docs/json.md and --json differ:\n{}",
        wrong.join("\n")
    );
    let common = page
        .objects
        .keys()
        .filter(|name| !page.rare.contains(*name));
    let unseen: Vec<&String> = common.filter(|name| !seen.contains(*name)).collect();
    assert!(
        unseen.is_empty(),
        "documented and never printed: {unseen:?}"
    );
}

#[test]
fn every_verb_has_a_step() {
    let help = Command::new(env!("CARGO_BIN_EXE_annals"))
        .arg("--help")
        .output();
    let help = String::from_utf8(help.expect("runs").stdout).expect("UTF-8");
    // The verbs stand indented below their headings.
    let (_, below) = help.split_once("\nFind\n").expect("a list of verbs");
    let verbs: Vec<&str> = below
        .lines()
        .take_while(|line| !line.starts_with("Global") && !line.starts_with("Options"))
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(verbs.len() > 35, "{verbs:?}");
    let commands: Vec<(bool, &str)> = steps()
        .map(|(name, _, command)| (name.is_some(), command))
        .collect();
    for verb in verbs {
        let call = format!("annals --json {verb}");
        let prints = |(is_read, command): &(bool, &str)| {
            command.contains(&call) && (*is_read || PRINT_DATA.contains(&verb))
        };
        assert!(commands.iter().any(prints), "no step runs '{call}'");
    }
}

/// Each way in which an answer can be wrong, on a page of its own.
#[test]
fn a_wrong_answer_is_noticed() {
    let page = Page::of(
        "### job\n\
         | `id` | integer | Its number. |\n\
         | `at` | time | When. |\n\
         | `selection` | [filter](#filter) or null | What. |\n\
         | `names` | list of text | Names. |\n\
         | `value` | any | Something. |\n\
         ### filter\n\
         | `serial` | text or null | A serial. |\n",
    );
    let right = serde_json::json!({
        "id": 3,
        "at": "2026-03-01T08:30:00.000000+01:00",
        "selection": {"serial": null},
        "names": ["a b", "{not json"],
        "value": [1, null],
    });
    let check = |value: &Value| page.check("job", value, &mut BTreeSet::new());
    let twin = |field: &str, value: Value| {
        let mut twin = right.clone();
        twin[field] = value;
        check(&twin)
    };
    let mut without = right.clone();
    without["names"] = serde_json::json!([]);
    assert_eq!(check(&without), Vec::<String>::new());
    for (field, value) in [
        ("id", Value::from("3")),
        ("id", Value::from(3.5)),
        ("id", Value::Null),
        ("at", Value::from("2026-03-01T08:30:00Z")),
        ("at", Value::from("2026-03-01")),
        ("selection", Value::from(r#"{"serial":"SN1"}"#)),
        ("selection", serde_json::json!({})),
        ("selection", serde_json::json!({"serial": 7})),
        ("names", Value::Null),
        ("names", serde_json::json!([r#"["a"]"#])),
        ("names", serde_json::json!(["a = 3"])),
        (
            "names",
            serde_json::json!(["2026-03-01T08:30:00.000000+01:00"]),
        ),
        ("value", Value::from("\"text\"")),
        ("more", Value::from(1)),
    ] {
        let told = twin(field, value.clone());
        assert!(!told.is_empty(), "{field}: {value} was not noticed");
    }
    let mut missing = right;
    missing.as_object_mut().expect("an object").remove("at");
    assert_eq!(check(&missing), ["job: `at` is missing"]);
}
