//! The host that runs here: what it has in hand, its folders and workers, what is stuck.

use super::fact::Fact;
use crate::host::{ConverterStatus, HostStatus};
use crate::service::status::OwnerStatus;
use crate::service::words::path_text;
use crate::web::pages::frame::Frame;
use crate::web::pages::jobs::address;
use crate::web::pages::parts::Moment;

/// Stuck files that are named.
const STUCK_SHOWN: usize = 10;

/// A host that runs.
pub(super) struct Station {
    pub(super) facts: Vec<Fact>,
    pub(super) lines: Vec<Line>,
    pub(super) stuck: Vec<StuckLine>,
    /// How many more are stuck, in words.
    pub(super) more_stuck: String,
}

/// A converter with its folder and workers.
pub(super) struct Line {
    pub(super) name: String,
    pub(super) href: String,
    pub(super) folder: String,
    pub(super) archived: String,
    pub(super) successful: String,
    pub(super) others: String,
    pub(super) suspicious: String,
    pub(super) stuck: String,
    pub(super) workers: String,
    pub(super) per_minute: String,
    /// Why it cannot run, or a folder does not answer.
    pub(super) trouble: String,
}

/// A file that is stuck.
pub(super) struct StuckLine {
    pub(super) path: String,
    pub(super) reason: String,
    pub(super) since: Moment,
}

impl Station {
    pub(super) fn of(owner: &OwnerStatus, host: &HostStatus, frame: &Frame) -> Self {
        let stuck = host.stuck.files.iter().take(STUCK_SHOWN);
        let more = host.stuck.count.saturating_sub(STUCK_SHOWN as u64);
        Self {
            facts: facts(owner, host, frame),
            lines: host
                .converters
                .iter()
                .map(|converter| line(converter, host, frame))
                .collect(),
            stuck: stuck
                .map(|file| StuckLine {
                    path: file.path.clone(),
                    reason: file.reason.clone(),
                    since: frame.moment(file.since),
                })
                .collect(),
            more_stuck: if more > 0 {
                frame.fill("host.stuck_more", &[("n", &frame.count(more))])
            } else {
                String::new()
            },
        }
    }
}

fn facts(owner: &OwnerStatus, host: &HostStatus, frame: &Frame) -> Vec<Fact> {
    let queue = &host.queue;
    let sent = &host.submissions;
    let numbers = [
        ("archive", frame.count(queue.to_archive)),
        ("convert", frame.count(queue.to_convert)),
        ("converting", frame.count(queue.converting)),
        ("record", frame.count(queue.to_record)),
        ("left", frame.count(queue.left)),
    ];
    let reports = [
        ("submitted", frame.count(sent.submitted)),
        ("rejected", frame.count(sent.rejected)),
        ("waiting", frame.count(sent.waiting)),
    ];
    let purged = [
        ("n", frame.count(host.retention.purged)),
        ("bytes", frame.size(host.retention.bytes_freed)),
    ];
    let pid = owner.pid.to_string();
    let process = [("pid", pid.as_str()), ("version", owner.version)];
    let applied = host.retention.applied_at.map(|at| frame.moment(at));
    vec![
        Fact::new(
            frame.say("host.in_hand"),
            filled(frame, "host.in_hand_text", &numbers),
        ),
        Fact::new(
            frame.say("host.reports"),
            filled(frame, "host.reports_text", &reports),
        ),
        Fact::new(
            frame.say("host.retention"),
            if applied.is_some() {
                filled(frame, "host.retention_text", &purged)
            } else {
                frame.say("host.retention_never").to_owned()
            },
        )
        .at(applied),
        Fact::new(frame.say("host.last_look"), "").at(host.scanned_at.map(|at| frame.moment(at))),
        Fact::new(
            frame.say("host.process"),
            format!(
                "{} {}",
                frame.fill("host.process_text", &process),
                frame.say("host.since")
            ),
        )
        .at(Some(frame.moment(owner.since))),
        Fact::new(
            frame.say("host.configuration"),
            format!(
                "{} {}",
                path_text(&host.configuration.path),
                frame.say("host.since")
            ),
        )
        .at(Some(frame.moment(host.configuration.since))),
    ]
}

fn filled(frame: &Frame, key: &str, values: &[(&str, String)]) -> String {
    let values: Vec<(&str, &str)> = values.iter().map(|(name, text)| (*name, &**text)).collect();
    frame.fill(key, &values)
}

fn line(converter: &ConverterStatus, host: &HostStatus, frame: &Frame) -> Line {
    let others = converter.failed + converter.suspended + converter.skipped + converter.rejected;
    let folder = converter.watch_folder.as_deref();
    let silent = host
        .silent_folders
        .iter()
        .find(|silent| Some(&*silent.folder) == folder);
    let silent = silent.map(|silent| format!("{} s", silent.seconds));
    let stopped = converter.stopped.as_ref().map(|line| line.reason.clone());
    Line {
        href: address("/entries", [("converter", converter.name.as_str())]),
        name: converter.name.clone(),
        folder: folder.map_or_else(|| frame.say("host.without_folder").to_owned(), path_text),
        archived: frame.count(converter.archived),
        successful: frame.count(converter.successful),
        others: frame.count(others),
        suspicious: frame.count(converter.suspicious),
        stuck: frame.count(converter.stuck),
        workers: format!("{}/{}", converter.workers, converter.max_concurrent),
        per_minute: frame.count(converter.converted_per_minute),
        trouble: stopped.or(silent).unwrap_or_default(),
    }
}
