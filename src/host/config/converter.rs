//! Reads the section of one converter.

use std::fmt::Display;
use std::path::Path;

use super::companions;
use super::endpoint::{Relation, Submit};
use super::names::Names;
use super::promotion::Promotion;
use super::read::Reader;
use super::schema::Value;
use super::scope::{Scope, archive_settings, bounds, expect};
use super::settings::{ConverterConfig, Links, Retry, Subfolders, Writers, section_of};
use crate::convert::{
    Arguments, Companions, CompareRules, Converter, Mode, Order, PostAction, Takes, is_bundle_name,
};

/// The section of one converter, with its position in the file.
struct Section<'a> {
    name: &'a str,
    scope: &'a Scope<'a>,
    /// The line at which the section begins.
    line: usize,
}

impl Reader<'_> {
    /// Reads one converter. Each mistake becomes a problem, and reading goes on.
    pub(super) fn converter(
        &mut self,
        scope: &Scope<'_>,
        in_host: &Scope<'_>,
        line: usize,
    ) -> ConverterConfig {
        let name = scope.text("name");
        if name.trim().is_empty() || name.chars().any(char::is_control) || name.len() > 200 {
            self.problem(
                line,
                "a converter needs a name of at most 200 bytes without control characters",
            );
        }
        let section = Section {
            name: &name,
            scope,
            line,
        };
        let mode = scope.text("mode").parse::<Mode>().unwrap_or_default();
        let bundle = self.bundle(&section);
        let command = self.command(&section, mode);
        let command = by_bundle_names(command, &bundle, scope.dir);
        let complete_marker = self.complete_marker(&section);
        let names = Names::new(scope.texts("patterns"), &scope.texts("ignore"));
        let names = names.unwrap_or_else(|bad| {
            self.wrong(&section, bad.key, format!("{}: {}", bad.key, bad.why));
            Names::default()
        });
        let companions = self.companions(&section, &names, complete_marker.is_some());
        let submit = self.submit(&section);
        let compare = self.compare(&section);
        let (bounds, wrong) = bounds(scope);
        for (key, why) in wrong {
            self.wrong(&section, key, why);
        }
        let promotion = self.promotion(&section);
        ConverterConfig {
            converter: Converter {
                version: scope.optional_text("version"),
                command,
                dir: scope.dir.to_owned(),
                bundle,
                mode,
                takes: if complete_marker.is_some() {
                    Takes::Folders
                } else if companions.is_empty() {
                    Takes::Files
                } else {
                    Takes::WithCompanions(companions)
                },
                order: self.order(&section),
                bounds,
                arguments: Arguments::new(
                    scope.text_map("arguments"),
                    scope.texts("secret_arguments"),
                ),
                environment: scope.optional_text("environment"),
                compare,
                expect: expect(scope),
                name: name.clone(),
            },
            watch_folder: scope.folder("watch_folder"),
            max_concurrent: self.max_concurrent(&section, in_host),
            worker_idle: match scope.get("worker_idle_s") {
                Some(_) => scope.seconds("worker_idle_s"),
                None => in_host.seconds("worker_idle_s"),
            },
            priority: scope.whole("priority"),
            links: if scope.flag("follow_symlinks") {
                Links::Follow
            } else {
                Links::Skip
            },
            subfolders: self.subfolders(&section),
            complete_marker,
            settle: scope.seconds("settle_s"),
            empty_after: scope.seconds("empty_after_s"),
            writers: if scope.flag("wait_for_writers") {
                Writers::WaitFor
            } else {
                Writers::Ignore
            },
            post_process: scope
                .text("post_process")
                .parse()
                .unwrap_or(PostAction::Keep),
            done_folder: scope.folder("done_folder"),
            error_folder: scope.folder("error_folder"),
            promotion,
            retry: Retry {
                max_attempts: scope.whole("retry.max_attempts"),
                delay: scope.seconds("retry.delay_s"),
            },
            archive: archive_settings(scope),
            submit,
            names,
        }
    }

    /// Reads the limit on parallel conversions, which cannot be above that of all converters.
    fn max_concurrent(&mut self, section: &Section<'_>, in_host: &Scope<'_>) -> usize {
        let in_all: usize = in_host.whole("max_concurrent");
        if section.scope.get("max_concurrent").is_none() {
            return in_all;
        }
        let own: usize = section.scope.whole("max_concurrent");
        if own > in_all {
            let key = "max_concurrent";
            self.wrong(
                section,
                key,
                format!("{key} = {own} is more than all converters together may run: raise {key} in [host], which is {in_all}, or write at most {in_all} here"),
            );
        }
        own.min(in_all)
    }

    /// Reads whether subfolders are read. Where folders are sources or companions, they are not.
    fn subfolders(&mut self, section: &Section<'_>) -> Subfolders {
        let scope = section.scope;
        if !scope.flag("recursive") {
            return Subfolders::Skip;
        }
        let clash = [
            (
                "complete_marker",
                scope.optional_text("complete_marker").is_some(),
            ),
            ("companions", !scope.texts("companions").is_empty()),
        ];
        for (key, _) in clash.into_iter().filter(|(_, is_set)| *is_set) {
            let why = format!("recursive and {key} do not go together; set one of them");
            self.wrong(section, "recursive", why);
        }
        Subfolders::Read
    }

    /// Records a problem with a key of a converter, at the line of the key.
    fn wrong(&mut self, section: &Section<'_>, key: &str, message: impl Display) {
        let line = section.scope.line(key).unwrap_or(section.line);
        let why = format!("converter '{}': {message}", section.name);
        self.problem_of(line, &section_of(section.name), key, why);
    }

    fn command(&mut self, section: &Section<'_>, mode: Mode) -> Vec<String> {
        let command = section.scope.texts("command");
        let has_input = || command[1..].iter().any(|word| word.contains("{input}"));
        if command.first().is_none_or(String::is_empty) {
            self.wrong(section, "command", "command must name a program");
        } else if mode == Mode::OneShot && !has_input() {
            self.wrong(
                section,
                "command",
                "command must have an {input} among its arguments, which stands for the file",
            );
        }
        command
    }

    fn bundle(&mut self, section: &Section<'_>) -> Vec<String> {
        let bundle = section.scope.texts("bundle");
        let bundle: Vec<String> = bundle
            .into_iter()
            .map(|file| inside(section.scope.dir, &file).unwrap_or(file))
            .collect();
        for file in bundle.iter().filter(|file| !is_bundle_name(file)) {
            let message = format!(
                "bundle file {file:?} must be below the configuration's folder, written with '/'"
            );
            self.wrong(section, "bundle", message);
        }
        bundle
    }

    fn complete_marker(&mut self, section: &Section<'_>) -> Option<String> {
        let marker = section.scope.optional_text("complete_marker")?;
        if marker.contains('/') || !is_bundle_name(&marker) {
            let message = format!(
                "complete_marker: {marker:?} must be the plain name of a file in the folder"
            );
            self.wrong(section, "complete_marker", message);
        }
        Some(marker)
    }

    /// Reads whether a new identity must be promoted.
    fn promotion(&mut self, section: &Section<'_>) -> Promotion {
        let scope = section.scope;
        let promotion = Promotion::of(
            scope.text("promotion") == "gated",
            archive_settings(scope).archives(),
            scope.optional_text("gate.over").as_deref(),
            scope.whole("gate.sample"),
        );
        promotion.unwrap_or_else(|(key, why)| {
            self.wrong(section, key, why);
            Promotion::Free
        })
    }

    /// Reads in which order sources are converted.
    fn order(&mut self, section: &Section<'_>) -> Order {
        let scope = section.scope;
        let pattern = scope.optional_text("serial_in_name");
        let is_ordered = scope.text("order") == "serial";
        if !is_ordered {
            if pattern.is_some() {
                let why = "serial_in_name says nothing without order = \"serial\"";
                self.wrong(section, "serial_in_name", why);
            }
            return Order::Free;
        }
        if !archive_settings(scope).archives() {
            let why = "order = \"serial\" is the order of archiving, and needs archive_enabled = true and archive_source_files = true";
            self.wrong(section, "order", why);
        }
        Order::Serial(pattern.and_then(|pattern| match pattern.parse() {
            Ok(pattern) => Some(pattern),
            Err(error) => {
                self.wrong(
                    section,
                    "serial_in_name",
                    format!("serial_in_name = {error}"),
                );
                None
            }
        }))
    }

    fn companions(&mut self, section: &Section<'_>, names: &Names, has_marker: bool) -> Companions {
        let scope = section.scope;
        let texts = scope.texts("companions");
        let required = scope.texts("companions_required");
        let (companions, wrong) = companions::read(&texts, &required, names);
        for (key, why) in wrong {
            self.wrong(section, key, format!("{key}: {why}"));
        }
        if !companions.is_empty() {
            let clash = [
                ("complete_marker", has_marker),
                ("follow_symlinks", scope.flag("follow_symlinks")),
            ];
            for (key, _) in clash.into_iter().filter(|(_, is_set)| *is_set) {
                let why = format!("{key} and companions do not go together; set one of them");
                self.wrong(section, key, why);
            }
        }
        companions
    }

    /// Reads what counts when reports are compared. Each rule that cannot be used is a problem.
    fn compare(&mut self, section: &Section<'_>) -> CompareRules {
        let scope = section.scope;
        let rules = CompareRules::parse(
            &scope.texts("compare.ignore"),
            &scope.text_map("compare.tolerance"),
            &scope.text_map("compare.keys"),
        );
        rules.unwrap_or_else(|wrong| {
            for rule in wrong {
                self.wrong(
                    section,
                    &format!("compare.{}", rule.key),
                    format!("compare.{rule}"),
                );
            }
            CompareRules::default()
        })
    }

    fn submit(&mut self, section: &Section<'_>) -> Option<Submit> {
        let scope = section.scope;
        let Value::Text(url) = scope.get("submit.url")? else {
            unreachable!("the schema has submit.url as a text")
        };
        let submit = Submit {
            url,
            timeout: scope.seconds("submit.timeout_s"),
            relation: match scope.text("submit.relation").as_str() {
                "none" => Relation::None,
                _ => Relation::Header,
            },
            headers: scope.text_map("submit.headers"),
            dir: scope.dir.to_owned(),
        };
        for (header, value) in &submit.headers {
            if !is_header(header, value) {
                let message = format!(
                    "submit.headers: {header:?} is no header, or its value has a control character or an open '${{'"
                );
                self.wrong(section, "submit.headers", message);
            }
        }
        Some(submit)
    }
}

/// Returns an absolute path as the name that a bundle file in `dir` has, if it lies there.
fn inside(dir: &Path, file: &str) -> Option<String> {
    let path = Path::new(file);
    if !path.is_absolute() {
        return None;
    }
    let real = || {
        let (path, dir) = (path.canonicalize().ok()?, dir.canonicalize().ok()?);
        path.strip_prefix(dir).ok().map(Path::to_owned)
    };
    let within = path.strip_prefix(dir).ok().map(Path::to_owned);
    let within = within.or_else(real)?;
    let parts: Option<Vec<&str>> = within.iter().map(|part| part.to_str()).collect();
    Some(parts?.join("/"))
}

/// Returns the command with the bundle's own names instead of absolute paths of its files.
///
/// A recorded version runs from a folder of its own, where an absolute path would lead to the
/// files of today.
fn by_bundle_names(command: Vec<String>, bundle: &[String], dir: &Path) -> Vec<String> {
    let named = |word: String| match inside(dir, &word) {
        Some(name) if bundle.contains(&name) => name,
        _ => word,
    };
    command.into_iter().map(named).collect()
}

fn is_header(name: &str, value: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let is_closed = |value: &str| {
        let mut parts = value.split("${");
        parts.next();
        parts.all(|part| part.contains('}'))
    };
    !name.is_empty()
        && name.bytes().all(is_token)
        && !value.chars().any(char::is_control)
        && is_closed(value)
}
