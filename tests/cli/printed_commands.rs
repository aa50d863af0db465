//! Every command that a run prints works as it is printed: it has the flags of the run, and parses.
//!
//! `to go on: annals job resume 99` once lacked the `-s` that the run was given. Pasted into the
//! same shell it found no store.
#![cfg(all(feature = "cli", unix))]

use std::env;
use std::path::Path;
use std::process::{Command, Stdio};

/// What verbs are run with. They fail, find nothing or succeed, and say how to go on.
const RUNS: &[&str] = &[
    "",
    "stats",
    "failures",
    "job list",
    "job show JOB",
    "job resume 1",
    "job watch 1",
    "list --serial nothing",
    "list --file nothing",
    "list --label nothing",
    "list --meta line=nothing",
    "list -c nothing",
    "list --view nothing",
    "list --status skipped --part nothing",
    "list --failed",
    "search K2510",
    "history 1",
    "hold ls",
    "frobnicate",
    "find nothing",
    "find 'nothing*'",
    "show 99999",
    "show SN1",
    "show 1 --why",
    "cat 99999",
    "cat 1 2",
    "cat 1 --report=99",
    "restore 1 .",
    "restore --serial nothing --to back",
    "diff 1 --attempt 77",
    "report 1 --resubmit",
    "view drop nothing",
    "hold release nothing --reason x",
    "hold add 99999 --name x --reason x",
    "note 99999 --serial x --reason x",
    "promotion show nothing",
    "convert test nothing --over all",
    "reprocess 99999",
    "reprocess --status failed --reason x --yes",
    "retention preview --max-count 300 --plan plan.json",
    "retention apply --plan missing.json",
    "retention apply --max-count 300 --yes",
    "retention unlock nothing --reason x",
    "retention undo nothing --reason x",
    "retention pending",
    "key init",
    "checkpoint",
    "export EXPORTED",
    "privacy show",
    "config set nothing 3",
    "host status",
    "backup plant/store",
];

/// Verbs that are about another store or about none, so that no flag names one.
const WITHOUT_STORE: [&str; 6] = [
    "init",
    "help",
    "verify-export",
    "verify-proof",
    "restore-store",
    "config init",
];

fn shell(line: &str, dir: &Path) -> (i32, String) {
    let program = Path::new(env!("CARGO_BIN_EXE_annals"));
    let own = program.parent().expect("a folder").to_owned();
    let others = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths([own].into_iter().chain(env::split_paths(&others)));
    let output = Command::new("sh")
        .args(["-c", line])
        .current_dir(dir)
        .env("PATH", path.expect("a path"))
        .env("HOME", dir)
        .env_remove("XDG_DATA_HOME")
        .env_remove("ANNALS_STORE")
        .env_remove("ANNALS_CONFIG")
        .stdin(Stdio::null())
        .output()
        .expect("a shell");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    (output.status.code().unwrap_or(-1), said)
}

/// Returns the commands in what a run printed.
fn commands(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("annals ") {
        let (before, rest) = text.split_at(at);
        if before.ends_with("Usage: ") {
            continue;
        }
        let end = match before.chars().next_back() {
            Some(mark @ ('`' | '\'')) => rest.find(mark),
            Some('(') => rest.find(')'),
            _ if before.ends_with(": ") || before.ends_with("\n  ") => rest.find(['\n', ';']),
            _ => panic!("a command that nothing marks: {text}"),
        };
        found.push(rest[..end.unwrap_or(rest.len())].to_owned());
    }
    found
}

#[test]
fn every_printed_command_has_the_flags_of_the_run_and_parses() {
    let dir = tempfile::tempdir().expect("a folder");
    let (code, said) = shell("annals demo plant", dir.path());
    assert_eq!(code, 0, "{said}");
    let (_, jobs) = shell("annals -s plant/store job list --json", dir.path());
    let job: serde_json::Value =
        serde_json::from_str(jobs.lines().next().expect("a job")).expect("JSON");
    let mut seen = 0;
    for (nth, flags) in ["-s plant/store", "--config plant/host.toml"]
        .iter()
        .enumerate()
    {
        for run in RUNS {
            let run = run.replace("JOB", &job["id"].to_string());
            let run = run.replace("EXPORTED", &format!("exported-{nth}"));
            let (_, said) = shell(&format!("annals {flags} {run}"), dir.path());
            for command in commands(&said) {
                let verb = &command["annals ".len()..];
                let is_without = WITHOUT_STORE.iter().any(|other| verb.starts_with(other));
                let names_file = flags.contains("--config") && verb.contains("plant/host.toml");
                assert!(
                    verb.starts_with(flags) || is_without || names_file,
                    "annals {flags} {run}: {command}"
                );
                let filled = command
                    .replace(" ID", " 1")
                    .replace(" FILE", " plant/host.toml")
                    .replace(" ...", "");
                let (code, told) = shell(&format!("{filled} --help"), dir.path());
                assert_eq!(code, 0, "annals {flags} {run}: {command}: {told}");
                seen += 1;
            }
        }
    }
    assert!(seen > 50, "{seen} commands were printed");
}

/// What finds nothing says why: a wrong name leads to the nearest one, and a pattern or a short end
/// to the listing that takes it.
#[test]
fn what_finds_nothing_leads_on() {
    let dir = tempfile::tempdir().expect("a folder");
    let annals = |line: &str| shell(&format!("annals -s store {line}"), dir.path());
    let (code, said) = annals("init --no-key");
    assert_eq!(code, 0, "{said}");
    std::fs::write(dir.path().join("K2510-00117.csv"), "x").expect("written");
    let archive = "archive K2510-00117.csv -c 'ICT CSV' --serial K2510-00117 --station ICT-04";
    let (code, archived) = annals(archive);
    assert_eq!(code, 0, "{archived}");
    let id = archived.split_whitespace().next().expect("an id");
    for line in [
        format!("hold add {id} --name recall-26-04 --reason x"),
        format!("note {id} --label returned --reason x"),
    ] {
        let (code, said) = annals(&line);
        assert_eq!(code, 0, "{line}: {said}");
    }
    for (line, code, told) in [
        (
            "list --hold recall-26-05",
            0,
            "did you mean 'recall-26-04'?",
        ),
        ("list --label retrned", 0, "did you mean 'returned'?"),
        ("list --station ict-05", 0, "did you mean 'ICT-04'?"),
        ("list --station soldering", 0, "there are 'ICT-04'"),
        ("list -c ict", 0, "did you mean 'ICT CSV'?"),
        ("list -c 'ICT*'", 0, "did you mean 'ICT CSV'?"),
        ("find K2510 --limit 0", 0, "--limit 0 lists nothing"),
        (
            "find 'K2510-001*'",
            4,
            "`annals -s store list --serial 'K2510-001*'`",
        ),
        (
            "find '*117.csv'",
            4,
            "`annals -s store list --file '*117.csv'`",
        ),
        ("find 117", 4, "`annals -s store list --serial '*117'`"),
    ] {
        let (ended, said) = annals(line);
        assert!(
            ended == code && said.contains(told),
            "{line}: {ended}: {said}"
        );
    }
}
