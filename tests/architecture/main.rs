//! Who may know whom, and what no file may contain. Layers that nothing checks are gone within a
//! year: one import upward is convenient, the second is precedent. Each check is also run on a bad
//! example that it must catch.

mod circles;
mod lengths;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use circles::{circles, circles_of_folders};
use lengths::{COLUMNS_MAX, FILE_LINES_MAX, FUNCTION_LINES_MAX};
use source::{Complaint, Source, Used, is_rust, root_paths, use_tree};

/// Plain values; everybody may know them.
const VOCABULARY: &[&str] = &[
    "complete", "error", "id", "time", "entry", "event", "query", "setters",
];

/// A room may know the rooms on the lines above its own.
const ROOMS: &[&[&str]] = &[
    &["disk", "format", "index", "retention", "evidence"],
    &["blob", "log", "export"],
    &["archive"],
    &["convert"],
    &["host", "demo"],
    &["service"],
    &["web"],
    &["cli", "fuzz"],
];

/// What the table does not say: who, whom, why.
const NEIGHBOURS: &[(&str, &str, &str)] = &[
    (
        "index",
        "disk",
        "redb keeps its pages in a file of the disk",
    ),
    (
        "evidence",
        "format",
        "trees are kept in bytes like all else",
    ),
];

/// Rooms that only some files of the rooms above may name, and which.
const CALLERS: &[(&str, &str)] = &[("demo", "src/cli/commands/demo")];

/// Crates that only some places may name.
const FOREIGN: &[(&str, &[&str])] = &[
    ("redb", &["src/index/"]),
    ("bincode", &["src/index/"]),
    (
        "base64",
        &[
            "src/evidence/text.rs",
            "src/event/personal.rs",
            "src/format/disclosure.rs",
            "src/archive/privacy/erase/tests.rs",
        ],
    ),
    ("ed25519_dalek", &["src/evidence/"]),
    ("zeroize", &["src/evidence/"]),
    (
        "clap",
        &[
            "src/cli/",
            "src/main.rs",
            "src/service/entries/",
            "src/service/objects/stats.rs",
            "src/service/retention/rules.rs",
        ],
    ),
    ("clap_complete", &["src/cli/", "src/main.rs"]),
    ("clap_mangen", &["src/cli/", "src/main.rs"]),
    ("ureq", &["src/host/submit/http.rs"]),
    ("rustls", &["src/host/submit/http.rs"]),
    ("rustls_native_certs", &["src/host/submit/http.rs"]),
    ("indicatif", &["src/cli/", "src/main.rs"]),
    (
        "parquet",
        &["src/export/derived/tables.rs", "src/export/tests/tables.rs"],
    ),
    ("notify", &["src/host/sources/watcher.rs"]),
    ("quick_xml", &["src/convert/compare/xml.rs"]),
    (
        "flate2",
        &["src/host/sources/clear/zip_archive.rs", "src/web/assets/"],
    ),
    (
        "tar",
        &[
            "src/convert/folder/",
            "src/web/exports.rs",
            "src/web/preview/",
            "src/web/sources.rs",
            "src/web/tests/evidence.rs",
        ],
    ),
    ("close_fds", &["src/convert/sandbox/"]),
    ("zip", &["src/host/sources/clear/zip_archive.rs"]),
    ("landlock", &["src/convert/sandbox/"]),
    ("seccompiler", &["src/convert/sandbox/"]),
    ("libc", &["src/convert/sandbox/"]),
    (
        "signal_hook",
        &["src/cli/daemon/signals.rs", "src/cli/run/interrupt.rs"],
    ),
    ("tracing", &["src/cli/daemon/log.rs"]),
    ("tracing_subscriber", &["src/cli/daemon/log.rs"]),
    (
        "jiff",
        &["src/service/time/zone.rs", "src/retention/zone.rs"],
    ),
    ("unicode_normalization", &["src/index/text.rs"]),
];

/// Rooms whose bytes go through the disk room, so that a simulated disk sees all of them.
const ON_DISK_ONLY: &[&str] = &[
    "format",
    "index",
    "retention",
    "evidence",
    "export",
    "blob",
    "log",
];

/// Files of these rooms that touch files outside of every store, and why.
const OUTSIDE_THE_STORE: &[(&str, &str)] = &[(
    "src/evidence/key_file.rs",
    "a copy of the store must not be able to sign",
)];

/// Files beside `src/time.rs` that may ask the machine for the time, and why nothing recorded
/// depends on it.
const CLOCKS: &[(&str, &str)] = &[
    (
        "src/archive/state/running_jobs.rs",
        "how long a job has been running",
    ),
    (
        "src/cli/render/progress.rs",
        "when to redraw a progress bar",
    ),
    ("src/convert/process/child.rs", "deadlines of a subprocess"),
    ("src/convert/process/run.rs", "deadlines of a subprocess"),
    (
        "src/convert/scratch.rs",
        "whether a folder was left by a killed process",
    ),
    ("src/convert/reprocess/job.rs", "how long a job takes"),
    ("src/convert/reprocess/pace.rs", "the pace of a job"),
    (
        "src/convert/running/worker.rs",
        "deadlines of a worker's answer",
    ),
    (
        "src/host/observe/counters.rs",
        "rates, and whether the host hangs",
    ),
    ("src/host/observe/listen.rs", "deadlines of a request"),
    ("src/host/observe/stuck.rs", "since when a file is stuck"),
    (
        "src/host/pipeline/clearing.rs",
        "when a file is cleared away again",
    ),
    (
        "src/host/pipeline/stopped_converters.rs",
        "when a converter is tried again",
    ),
    (
        "src/host/pipeline/scan_folders.rs",
        "how old a file is, and when to look at it again",
    ),
    (
        "src/host/pipeline/memory.rs",
        "when a file is looked at again",
    ),
    ("src/host/pipeline/queue.rs", "how long a step has taken"),
    (
        "src/host/pipeline/threads.rs",
        "when to look for steps that hang",
    ),
    ("src/host/pipeline/waiting.rs", "how long a file has waited"),
    (
        "src/host/pipeline/turns.rs",
        "how long a conversion of a job has waited",
    ),
    ("src/host/pipeline/worker.rs", "when a file is tried again"),
    (
        "src/host/sources/scanners.rs",
        "how long a folder has not answered",
    ),
    (
        "src/host/submit/outbox.rs",
        "when an endpoint is asked again",
    ),
    (
        "src/host/supervise/configure.rs",
        "how old the remains of killed hosts are",
    ),
    (
        "src/host/supervise/retention_worker.rs",
        "when the next purge is due",
    ),
    (
        "src/host/supervise/run.rs",
        "pauses between looks, and deadlines at the end",
    ),
    ("src/web/selections.rs", "how long a selection was not used"),
];

/// Files of the command line that may ask the process they run in for its folder and variables, and
/// why. All others would answer otherwise when the owner of a store runs them for somebody else.
const PROCESS: &[(&str, &str)] = &[
    ("src/cli/caller/env.rs", "they are made there"),
    (
        "src/cli/commands/demo.rs",
        "no owner runs it: it makes its own store",
    ),
    (
        "src/cli/commands/demo_converter.rs",
        "a converter, started by a host",
    ),
    (
        "src/cli/daemon/supervisor.rs",
        "no owner runs a host: the supervisor is its own",
    ),
    (
        "src/cli/daemon/memory.rs",
        "a host that runs on asks how much its C library is to keep",
    ),
];

/// Names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] = &[
    "manager", "helper", "helpers", "util", "utils", "misc", "common",
];

/// Which room the names of the crate root come from.
fn reexports(sources: &[Source]) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for source in sources.iter().filter(|source| source.path == "src/lib.rs") {
        for i in 0..source.tokens.len() {
            if source.tokens[i].text == "use" {
                for used in use_tree(&source.tokens, &mut (i + 1), &[]) {
                    if let [room, _, ..] = &*used.path {
                        found.insert(used.name, room.clone());
                    }
                }
            }
        }
    }
    found
}

fn height(room: &str) -> Option<usize> {
    if VOCABULARY.contains(&room) {
        return Some(0);
    }
    let line = ROOMS.iter().position(|line| line.contains(&room))?;
    Some(line + 1)
}

fn upward_imports(sources: &[Source]) -> Vec<Complaint> {
    let reexports = reexports(sources);
    let mut found = Vec::new();
    for source in sources.iter().filter(|source| source.in_src()) {
        let Some(room) = source.room() else { continue };
        let Some(own) = height(&room) else {
            found.push(source.complain(1, format!("'{room}' is not in the table of rooms")));
            continue;
        };
        for Used { line, path, .. } in root_paths(source) {
            let Some(first) = path.first() else { continue };
            let named = match height(first) {
                Some(_) => first,
                None => reexports.get(first).unwrap_or(first),
            };
            let Some(theirs) = height(named) else {
                found.push(source.complain(
                    line,
                    format!("'{room}' names crate::{first}, which is no room"),
                ));
                continue;
            };
            let neighbour = NEIGHBOURS
                .iter()
                .any(|(who, whom, _)| *who == room && whom == named);
            if *named != room && theirs > 0 && theirs >= own && !neighbour {
                found.push(source.complain(line, format!("'{room}' must not know '{named}'")));
            }
            let callers = CALLERS.iter().find(|(called, _)| named == called);
            if let Some((_, callers)) = callers
                && *named != room
                && !source.path.starts_with(callers)
            {
                found.push(source.complain(line, format!("only {callers} may know '{named}'")));
            }
        }
    }
    found
}

fn foreign_crates(sources: &[Source]) -> Vec<Complaint> {
    let mut found = Vec::new();
    for source in sources.iter().filter(|source| source.in_src()) {
        let text = |i: usize| source.tokens.get(i).map_or("", |token| &*token.text);
        for (i, token) in source.tokens.iter().enumerate() {
            let Some((name, places)) = FOREIGN.iter().find(|(name, _)| *name == token.text) else {
                continue;
            };
            let before = if i == 0 { "" } else { text(i - 1) };
            let is_path = text(i + 1) == "::" || before == "use";
            let is_start = before != "::" && before != ".";
            if is_path && is_start && !places.iter().any(|place| source.path.starts_with(place)) {
                found.push(source.complain(token.line, format!("only {places:?} may name {name}")));
            }
        }
    }
    found
}

fn file_operations(sources: &[Source]) -> Vec<Complaint> {
    let mut found = Vec::new();
    for source in sources.iter().filter(|source| source.in_src()) {
        let room = source.room();
        if !room.is_some_and(|room| ON_DISK_ONLY.contains(&&*room)) {
            continue;
        }
        let excepted = OUTSIDE_THE_STORE
            .iter()
            .any(|(path, _)| *path == source.path);
        let mut touched = false;
        for (i, token) in source.tokens.iter().enumerate() {
            if token.text != "std" || token.is_test() {
                continue;
            }
            for Used { line, path, .. } in use_tree(&source.tokens, &mut i.clone(), &[]) {
                if path.get(1).is_some_and(|second| second == "fs") {
                    touched = true;
                    if !excepted {
                        found.push(source.complain(line, "files are touched by src/disk only"));
                    }
                }
            }
        }
        if excepted && !touched {
            let what = "is excepted from the rule for files and needs it no more";
            found.push(source.complain(1, what));
        }
    }
    found
}

fn clocks(sources: &[Source]) -> Vec<Complaint> {
    let mut found = Vec::new();
    for source in sources.iter().filter(|source| source.in_src()) {
        let excepted = CLOCKS.iter().any(|(path, _)| *path == source.path);
        let mut asked = false;
        for three in source.tokens.windows(3) {
            let [clock, colons, now] = three else {
                continue;
            };
            let is_clock = matches!(&*clock.text, "SystemTime" | "Instant" | "Local" | "Utc");
            if !(is_clock && colons.text == "::" && now.text == "now") || clock.is_test() {
                continue;
            }
            asked = true;
            if source.path != "src/time.rs" && !excepted {
                let what = format!("{}::now() outside src/time.rs: take a Clock", clock.text);
                found.push(source.complain(clock.line, what));
            }
        }
        if excepted && !asked {
            found.push(source.complain(1, "is excepted from the clock rule and needs it no more"));
        }
    }
    found
}

fn process(sources: &[Source]) -> Vec<Complaint> {
    const ASKED: [&str; 5] = ["var", "var_os", "vars", "current_dir", "stdin"];
    let mut found = Vec::new();
    for source in sources {
        if !source.path.starts_with("src/cli/") || !is_rust(&source.path) {
            continue;
        }
        let excepted = PROCESS.iter().any(|(path, _)| *path == source.path);
        let mut asked = false;
        for three in source.tokens.windows(3) {
            let [room, colons, what] = three else {
                continue;
            };
            let is_asked = matches!(&*room.text, "env" | "io") && ASKED.contains(&&*what.text);
            if !is_asked || colons.text != "::" || room.is_test() {
                continue;
            }
            asked = true;
            // The process's own stdin is wrapped where streams are.
            let is_stream = what.text == "stdin" && source.path == "src/cli/caller/streams.rs";
            if !excepted && !is_stream {
                let what = format!("{}::{}: ask the CallerEnv", room.text, what.text);
                found.push(source.complain(colons.line, what));
            }
        }
        if excepted && !asked {
            found
                .push(source.complain(1, "is excepted from the process rule and needs it no more"));
        }
    }
    found
}

fn beginnings(sources: &[Source]) -> Vec<Complaint> {
    sources
        .iter()
        .filter(|source| is_rust(&source.path))
        .filter(|source| !source.text.starts_with("//! "))
        .map(|source| source.complain(1, "the first line does not say what the file is for"))
        .collect()
}

fn names(sources: &[Source]) -> Vec<Complaint> {
    let mut found = Vec::new();
    for source in sources {
        let stem = |part: &str| part.split('.').next().unwrap_or(part).to_owned();
        for part in source.path.split('/').map(stem) {
            if EMPTY_NAMES.contains(&&*part) {
                found.push(source.complain(1, format!("'{part}' does not say what is inside")));
            }
        }
    }
    found
}

fn leftovers(sources: &[Source]) -> Vec<Complaint> {
    let mut found = Vec::new();
    for source in sources.iter().filter(|source| source.in_src()) {
        for pair in source.tokens.windows(2) {
            let [name, bang] = pair else { continue };
            if matches!(&*name.text, "todo" | "unimplemented" | "dbg") && bang.text == "!" {
                found.push(source.complain(name.line, format!("{}! is left over", name.text)));
            }
        }
        for (line, text) in (1..).zip(source.text.lines()) {
            for mark in ["FIXME", "XXX"] {
                if text.contains(mark) {
                    found.push(source.complain(line, format!("{mark} is left over")));
                }
            }
        }
    }
    found
}

fn untidy(sources: &[Source]) -> Vec<Complaint> {
    let mut found = Vec::new();
    for source in sources {
        for (line, text) in (1..).zip(source.text.split('\n')) {
            if text.ends_with('\r') {
                found.push(source.complain(line, "ends in CR LF"));
            } else if text.ends_with([' ', '\t']) {
                found.push(source.complain(line, "ends in blanks"));
            }
            if text.contains('\t') && is_rust(&source.path) {
                found.push(source.complain(line, "has a tab"));
            }
        }
        if !source.text.is_empty() && !source.text.ends_with('\n') {
            found.push(source.complain(source.text.lines().count(), "does not end in a newline"));
        }
    }
    found
}

struct Check {
    name: &'static str,
    run: fn(&[Source]) -> Vec<Complaint>,
    /// Files it must complain about.
    bad: &'static [(&'static str, &'static str)],
    /// Where, exactly.
    places: &'static [(&'static str, usize)],
}

const CHECKS: &[Check] = &[
    Check {
        name: "imports go downward",
        run: upward_imports,
        bad: &[
            (
                "src/lib.rs",
                "//! x\npub use archive::{Archive as Store};\npub use error::Error;\n",
            ),
            (
                "src/log/mod.rs",
                "//! x\nuse crate::{disk, Error, archive::Archive};\nuse crate::event::Event;\n",
            ),
            (
                "src/log/reader.rs",
                "//! x\n// crate::cli\nfn f() {\n    super::super::host::run();\n}\n",
            ),
            (
                "src/blob/mod.rs",
                "//! x\nmod tests {\n    use super::super::index;\n    use super::super::log;\n}\n",
            ),
            (
                "src/disk/mod.rs",
                "//! x\nuse crate::Store;\nuse crate::surprise::X;\n",
            ),
            (
                "src/index/mod.rs",
                "//! x\nuse crate::disk::Disk;\nuse crate::format::Frame;\n",
            ),
            ("src/drawer/mod.rs", "//! x\n"),
            ("src/id.rs", "//! x\nuse crate::disk::Disk;\n"),
            ("src/cli/run.rs", "//! x\nuse crate::demo::Kind;\n"),
            (
                "src/cli/commands/demo.rs",
                "//! x\nuse crate::demo::Kind;\n",
            ),
        ],
        places: &[
            ("src/log/mod.rs", 2),
            ("src/log/reader.rs", 4),
            ("src/blob/mod.rs", 4),
            ("src/disk/mod.rs", 2),
            ("src/disk/mod.rs", 3),
            ("src/index/mod.rs", 3),
            ("src/drawer/mod.rs", 1),
            ("src/id.rs", 2),
            ("src/cli/run.rs", 2),
        ],
    },
    Check {
        name: "files form no circle of more than two",
        run: circles,
        bad: &[
            (
                "src/log/mod.rs",
                "//! x\nmod a;\nmod b;\nmod c;\npub use c::{C, D as E};\n",
            ),
            ("src/log/a.rs", "//! x\nuse super::b::B;\n"),
            ("src/log/b.rs", "//! x\nuse crate::log::E;\n"),
            ("src/log/c.rs", "//! x\nfn f() {\n    super::a::f();\n}\n"),
            // Two may need each other, and tests may need whatever they test.
            (
                "src/disk/a.rs",
                "//! x\nuse super::b::B;\nuse super::c::C;\n",
            ),
            ("src/disk/b.rs", "//! x\nuse super::a::A;\n"),
            (
                "src/disk/c.rs",
                "//! x\nmod tests {\n    use super::super::a::A;\n}\n",
            ),
        ],
        places: &[("src/log/a.rs", 1)],
    },
    Check {
        name: "folders of a room form no circle",
        run: circles_of_folders,
        bad: &[
            ("src/log/mod.rs", "//! x\nmod a;\nmod b;\npub use a::A;\n"),
            (
                "src/log/a/mod.rs",
                "//! x\nmod c;\npub use c::A;\nuse super::b::B;\n",
            ),
            ("src/log/a/c.rs", "//! x\n"),
            ("src/log/b.rs", "//! x\nuse super::A;\n"),
            ("src/disk/a.rs", "//! x\nuse super::b::B;\n"),
            ("src/disk/b.rs", "//! x\nuse super::a::A;\n"),
        ],
        places: &[("src/log/a/mod.rs", 1)],
    },
    Check {
        name: "files are short enough to hold one idea",
        run: lengths::files,
        bad: &[],
        places: &[],
    },
    Check {
        name: "functions are short enough to do one thing",
        run: lengths::functions,
        bad: &[],
        places: &[],
    },
    Check {
        name: "comments keep to the right margin",
        run: lengths::lines,
        bad: &[],
        places: &[],
    },
    Check {
        name: "foreign crates are named in their place",
        run: foreign_crates,
        bad: &[
            ("src/index/rows.rs", "//! x\nuse bincode::config;\n"),
            (
                "src/log/mod.rs",
                "//! redb::x\nuse redb::Database;\nlet redb = self.redb;\n",
            ),
            (
                "src/cli/mod.rs",
                "//! x\n#[derive(clap::Parser)]\nstruct A;\n",
            ),
            (
                "src/host/mod.rs",
                "//! x\n#[derive(clap::Parser)]\nstruct A;\n",
            ),
        ],
        places: &[("src/log/mod.rs", 2), ("src/host/mod.rs", 2)],
    },
    Check {
        name: "only the disk room touches a store's files",
        run: file_operations,
        bad: &[
            ("src/disk/fs.rs", "//! x\nuse std::fs::File;\n"),
            (
                "src/log/mod.rs",
                "//! x\nuse std::{io, fs::File};\nmod tests {\n    use std::fs;\n}\n",
            ),
            (
                "src/blob/mod.rs",
                "//! x\nfn f() {\n    std::fs::remove_file(\"x\");\n}\n",
            ),
        ],
        places: &[("src/log/mod.rs", 2), ("src/blob/mod.rs", 3)],
    },
    Check {
        name: "the time is asked in one place",
        run: clocks,
        bad: &[
            ("src/time.rs", "//! x\nfn f() { Utc::now() }\n"),
            (
                "src/log/mod.rs",
                "//! SystemTime::now\nfn f() {\n    std::time::SystemTime::now();\n}\n",
            ),
            (
                "src/host/mod.rs",
                "//! x\nfn f() {\n    let s = \"Utc::now\";\n    x.get_or_insert_with(Instant::now);\n}\n",
            ),
            ("src/cli/render/progress.rs", "//! x\nfn f() {}\n"),
        ],
        places: &[
            ("src/log/mod.rs", 3),
            ("src/host/mod.rs", 4),
            ("src/cli/render/progress.rs", 1),
        ],
    },
    Check {
        name: "verbs ask the process nothing",
        run: process,
        bad: &[
            (
                "src/cli/caller/env.rs",
                "//! x\nfn f() { std::env::var_os(\"A\") }\n",
            ),
            (
                "src/cli/store/locate.rs",
                "//! env::var\nfn f() {\n    std::env::current_dir();\n    std::env::temp_dir();\n}\n",
            ),
            (
                "src/cli/caller/streams.rs",
                "//! x\nfn f() { io::stdin() }\n",
            ),
            (
                "src/cli/commands/report.rs",
                "//! x\nfn f() { io::stdin() }\n",
            ),
            ("src/cli/commands/demo.rs", "//! x\nfn f() {}\n"),
            ("src/host/run.rs", "//! x\nfn f() { std::env::var(x) }\n"),
        ],
        places: &[
            ("src/cli/store/locate.rs", 3),
            ("src/cli/commands/report.rs", 2),
            ("src/cli/commands/demo.rs", 1),
        ],
    },
    Check {
        name: "each file says what it is for",
        run: beginnings,
        bad: &[
            ("tests/a.rs", "use x;\n"),
            ("src/b.rs", "//! For x.\n"),
            ("README.md", "x\n"),
        ],
        places: &[("tests/a.rs", 1)],
    },
    Check {
        name: "names say what is inside",
        run: names,
        bad: &[
            ("src/log/utils.rs", "//! x\n"),
            ("src/common/mod.rs", "//! x\n"),
            ("src/uncommon.rs", "//! x\n"),
        ],
        places: &[("src/log/utils.rs", 1), ("src/common/mod.rs", 1)],
    },
    Check {
        name: "nothing is left over",
        run: leftovers,
        bad: &[
            (
                "src/a.rs",
                "//! x\nfn f() { todo!() }\nfn todo() {}\n// FIXME later\n",
            ),
            (
                "src/b.rs",
                "//! x\nlet s = r#\"todo!()\"#;\nlet c = '\"';\ndbg!(c);\n",
            ),
        ],
        places: &[("src/a.rs", 2), ("src/a.rs", 4), ("src/b.rs", 4)],
    },
    Check {
        name: "text is tidy",
        run: untidy,
        bad: &[
            ("src/a.rs", "//! x\r\nlet a;\n\tlet b; \nend"),
            ("run", "if\n\tx\nfi\n"),
        ],
        places: &[
            ("src/a.rs", 1),
            ("src/a.rs", 3),
            ("src/a.rs", 3),
            ("src/a.rs", 4),
        ],
    },
];

fn package() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    collect(root, "", &mut found);
    found
}

fn collect(root: &Path, folder: &str, found: &mut Vec<Source>) {
    let entries: BTreeSet<_> = fs::read_dir(root.join(folder))
        .expect("the package can be read")
        .map(|entry| entry.expect("the package can be read").file_name())
        .filter_map(|name| name.into_string().ok())
        .collect();
    for name in entries {
        let path = if folder.is_empty() {
            name.clone()
        } else {
            format!("{folder}/{name}")
        };
        let full = root.join(&path);
        let kind = fs::symlink_metadata(&full).expect("the package can be read");
        // What is built, or fed to fuzzers and golden tests, is not ours to tidy.
        let foreign = [
            "target",
            ".git",
            "corpus",
            "artifacts",
            "golden",
            "node_modules",
        ];
        if kind.is_dir() && !foreign.contains(&&*name) {
            collect(root, &path, found);
        } else if kind.is_file() && is_text(&name) {
            let text = fs::read_to_string(&full).unwrap_or_else(|error| panic!("{path}: {error}"));
            found.push(Source::new(&path, &text));
        }
    }
}

fn is_text(name: &str) -> bool {
    match Path::new(name).extension() {
        Some(extension) => ["rs", "toml", "md", "py", "sh", "yml"]
            .iter()
            .any(|e| extension == *e),
        None => name == "run" || name == "check",
    }
}

#[test]
fn the_package_keeps_its_architecture() {
    let sources = package();
    let rust = sources.iter().filter(|source| source.in_src());
    let lines: usize = rust.clone().map(|source| source.text.lines().count()).sum();
    let paths: usize = rust.clone().map(|source| root_paths(source).len()).sum();
    let rooms: BTreeSet<_> = rust.clone().filter_map(Source::room).collect();
    println!(
        "{} texts; in src {} files, {lines} lines, {paths} paths from the crate root, {} of {} rooms",
        sources.len(),
        rust.count(),
        rooms.len(),
        VOCABULARY.len() + ROOMS.concat().len(),
    );
    assert!(paths > 20, "the check reads the imports");
    let mut complaints = Vec::new();
    for check in CHECKS {
        let found = (check.run)(&sources);
        println!("{:>4} complaints: {}", found.len(), check.name);
        complaints.extend(found);
    }
    let told: Vec<_> = complaints.iter().map(Complaint::to_string).collect();
    assert!(told.is_empty(), "\n{}", told.join("\n"));
}

#[test]
fn each_check_catches_its_bad_example_and_nothing_beside_it() {
    for check in CHECKS {
        let sources: Vec<_> = check
            .bad
            .iter()
            .map(|(path, text)| Source::new(path, text))
            .collect();
        let found = (check.run)(&sources);
        let places: Vec<_> = found
            .iter()
            .map(|found| (&*found.path, found.line))
            .collect();
        assert_eq!(places, check.places, "{}: {found:#?}", check.name);
    }
}

#[test]
fn a_length_at_its_limit_is_fine_and_one_more_is_not() {
    let of_lines = |n: usize| "let x;\n".repeat(n);
    let file = |text: &str| vec![Source::new("src/a.rs", text)];
    assert!(lengths::files(&file(&of_lines(FILE_LINES_MAX))).is_empty());
    assert_eq!(
        lengths::files(&file(&of_lines(FILE_LINES_MAX + 1))).len(),
        1
    );
    let tests = format!("mod tests {{\n{}}}\n", of_lines(FILE_LINES_MAX));
    assert!(
        lengths::files(&file(&tests)).is_empty(),
        "tests don't count"
    );

    let function = |n: usize| format!("fn f(a: [u8; 2]) {{\n{}}}\n", of_lines(n - 2));
    assert!(lengths::functions(&file(&function(FUNCTION_LINES_MAX))).is_empty());
    assert_eq!(
        lengths::functions(&file(&function(FUNCTION_LINES_MAX + 1))).len(),
        1
    );

    let comment = |n: usize| format!("    // {}\n", "x".repeat(n - 7));
    assert!(lengths::lines(&file(&comment(COLUMNS_MAX))).is_empty());
    assert_eq!(lengths::lines(&file(&comment(COLUMNS_MAX + 1))).len(), 1);
}
