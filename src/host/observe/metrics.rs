//! Writes a host's status as Prometheus metrics, in text format 0.0.4.

use std::fmt::{Display, Write as _};

use super::space::Space;
use super::status::{ARCHIVE_SECONDS, ConverterStatus, HostState, HostStatus};
use crate::time::Timestamp;

pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The text being written; writing into a `String` cannot fail.
#[derive(Default)]
struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.0 += name;
        for (place, (label, text)) in labels.iter().enumerate() {
            let open = if place == 0 { '{' } else { ',' };
            let _ = write!(self.0, "{open}{label}=\"{}\"", escaped(text));
        }
        if !labels.is_empty() {
            self.0.push('}');
        }
        let _ = writeln!(self.0, " {value}");
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.family(name, kind, help);
        self.sample(name, &[], value);
    }

    fn by_converter(
        &mut self,
        (name, kind, help): (&str, &str, &str),
        status: &HostStatus,
        value: impl Fn(&ConverterStatus) -> u64,
    ) {
        self.family(name, kind, help);
        for converter in &status.converters {
            let labels = [("converter", converter.name.as_str())];
            self.sample(name, &labels, value(converter));
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

fn seconds(at: Timestamp) -> f64 {
    at.micros() as f64 / 1e6
}

/// Returns all numbers of a status as metrics.
pub(crate) fn text(status: &HostStatus) -> String {
    let mut page = Page::default();
    // The order of the metric families is part of the output format.
    health(&mut page, status);
    conversions(&mut page, status);
    folders_and_purges(&mut page, status);
    queue(&mut page, status);
    submissions(&mut page, status);
    disks_and_stores(&mut page, status);
    signing(&mut page, status);
    rules_and_configuration(&mut page, status);
    page.0
}

/// Writes whether the host runs, and how often it scanned.
fn health(page: &mut Page, status: &HostStatus) {
    page.one(
        "annals_up",
        "gauge",
        "1 while nothing keeps the host from its work.",
        u8::from(status.reasons.is_empty()),
    );
    page.one(
        "annals_stopping",
        "gauge",
        "1 while the host is stopping.",
        u8::from(status.state == HostState::Stopping),
    );
    page.one(
        "annals_scans_total",
        "counter",
        "Looks into the watch folders.",
        status.scans,
    );
    if let Some(at) = status.scanned_at {
        page.one(
            "annals_last_scan_timestamp_seconds",
            "gauge",
            "When the last look ended.",
            seconds(at),
        );
    }
}

/// Writes the numbers of files by converter.
fn conversions(page: &mut Page, status: &HostStatus) {
    let files = "annals_files_converted_total";
    page.family(files, "counter", "Conversions by converter and outcome.");
    for converter in &status.converters {
        for (outcome, number) in [
            ("success", converter.successful),
            ("failed", converter.failed),
            ("suspended", converter.suspended),
            ("skipped", converter.skipped),
            ("rejected", converter.rejected),
        ] {
            let labels = [("converter", converter.name.as_str()), ("outcome", outcome)];
            page.sample(files, &labels, number);
        }
    }
    page.by_converter(
        (
            "annals_suspicious_total",
            "counter",
            "Conversions with a suspicious result.",
        ),
        status,
        |converter| converter.suspicious,
    );
    page.by_converter(
        ("annals_files_archived_total", "counter", "Files archived."),
        status,
        |converter| converter.archived,
    );
    page.by_converter(
        (
            "annals_archive_failures_total",
            "counter",
            "Files that were to be archived and could not be.",
        ),
        status,
        |converter| converter.archive_failed,
    );
    page.by_converter(
        (
            "annals_files_stuck",
            "gauge",
            "Files that stay in their folder for another reason than waiting for their turn.",
        ),
        status,
        |converter| converter.stuck,
    );
    page.by_converter(
        (
            "annals_converter_stopped",
            "gauge",
            "1 while a converter cannot run and its files wait.",
        ),
        status,
        |converter| u64::from(converter.stopped.is_some()),
    );
    page.by_converter(
        (
            "annals_converter_candidate_waiting",
            "gauge",
            "1 while a new identity of a converter waits to be promoted.",
        ),
        status,
        |converter| {
            let promotion = converter.promotion.as_ref();
            u64::from(promotion.is_some_and(|status| status.candidate.is_some()))
        },
    );
    page.by_converter(
        (
            "annals_converter_candidate_broken",
            "gauge",
            "Entries that worked and break with the new identity, and are not waived.",
        ),
        status,
        |converter| {
            let promotion = converter.promotion.as_ref();
            let evidence = promotion.and_then(|status| status.evidence.as_ref());
            evidence.map_or(0, |found| found.broken - found.waived)
        },
    );
}

/// Writes the folders that do not answer, and the numbers of purged entries.
fn folders_and_purges(page: &mut Page, status: &HostStatus) {
    page.one(
        "annals_folders_silent",
        "gauge",
        "Folders that do not answer.",
        status.silent_folders.len(),
    );
    page.by_converter(
        (
            "annals_entries_purged_total",
            "counter",
            "Entries purged by the rules.",
        ),
        status,
        |converter| converter.purged,
    );
}

/// Writes the lengths of the queues, and how long archiving took.
fn queue(page: &mut Page, status: &HostStatus) {
    let queue = "annals_queue_files";
    page.family(queue, "gauge", "Files in hand by what they wait for.");
    for (stage, number) in [
        ("archive", status.queue.to_archive),
        ("convert", status.queue.to_convert),
        ("converting", status.queue.converting),
        ("record", status.queue.to_record),
        ("left", status.queue.left),
    ] {
        page.sample(queue, &[("stage", stage)], number);
    }
    page.one(
        "annals_queue_oldest_seconds",
        "gauge",
        "How long the next file in a queue has waited there.",
        status.queue.oldest_ms as f64 / 1e3,
    );
    let took = "annals_archive_seconds";
    page.family(
        took,
        "histogram",
        "From a file's being taken until it is durable.",
    );
    let mut sum = 0;
    let bucket = format!("{took}_bucket");
    for (bound, count) in ARCHIVE_SECONDS.iter().zip(&status.archive_seconds.counts) {
        sum += count;
        page.sample(&bucket, &[("le", &bound.to_string())], sum);
    }
    let all: u64 = status.archive_seconds.counts.iter().sum();
    page.sample(&bucket, &[("le", "+Inf")], all);
    page.sample(&format!("{took}_sum"), &[], status.archive_seconds.sum_s);
    page.sample(&format!("{took}_count"), &[], all);
}

/// Writes the numbers of reports by their state.
fn submissions(page: &mut Page, status: &HostStatus) {
    let submissions = &status.submissions;
    page.one(
        "annals_submissions_waiting",
        "gauge",
        "Reports that wait to be sent.",
        submissions.waiting,
    );
    if let Some(oldest) = submissions.oldest {
        page.one(
            "annals_submissions_oldest_timestamp_seconds",
            "gauge",
            "Since when the oldest of them waits.",
            seconds(oldest),
        );
    }
    page.one(
        "annals_submissions_sent_total",
        "counter",
        "Reports that servers took.",
        submissions.submitted,
    );
    page.one(
        "annals_submissions_rejected_total",
        "counter",
        "Reports that servers refused.",
        submissions.rejected,
    );
}

/// Writes the free space of the disks, and the sizes of the stores.
fn disks_and_stores(page: &mut Page, status: &HostStatus) {
    page.one(
        "annals_disk_low",
        "gauge",
        "1 while no files are taken because a disk is nearly full.",
        u8::from(matches!(status.disk, Space::Low { .. })),
    );
    for (name, help) in [
        (
            "annals_store_free_bytes",
            "Bytes free on the disk of a store.",
        ),
        (
            "annals_store_stored_bytes",
            "Bytes the content of a store takes.",
        ),
        (
            "annals_store_entries",
            "Entries of a store that are not purged.",
        ),
    ] {
        page.family(name, "gauge", help);
        for store in &status.stores {
            let dir = store.dir.to_string_lossy();
            let value = match name {
                "annals_store_free_bytes" => store.free_bytes,
                "annals_store_stored_bytes" => Some(store.stored_bytes),
                _ => Some(store.entries),
            };
            if let Some(value) = value {
                page.sample(name, &[("store", &dir)], value);
            }
        }
    }
}

/// Writes which logs could not be signed the last time.
fn signing(page: &mut Page, status: &HostStatus) {
    let name = "annals_signing_failed";
    let help = "1 when the last checkpoint of a store was not signed or not published.";
    page.family(name, "gauge", help);
    for store in &status.stores {
        let dir = store.dir.to_string_lossy();
        let failed = u8::from(store.signing_error.is_some());
        page.sample(name, &[("store", &dir)], failed);
    }
}

/// Writes the state of retention and of the active configuration.
fn rules_and_configuration(page: &mut Page, status: &HostStatus) {
    page.one(
        "annals_retention_bytes_freed_total",
        "counter",
        "Bytes freed by purges.",
        status.retention.bytes_freed,
    );
    page.one(
        "annals_retention_failed",
        "gauge",
        "1 when the rules could not be applied the last time.",
        u8::from(status.retention.error.is_some()),
    );
    let retention = &status.retention;
    page.one(
        "annals_retention_waiting",
        "gauge",
        "Purges by rule that wait for a person.",
        retention.waiting.len(),
    );
    page.one(
        "annals_retention_pending_entries",
        "gauge",
        "Purged entries whose purge can be undone.",
        retention.pending_entries,
    );
    page.one(
        "annals_holds_overdue",
        "gauge",
        "Holds whose review is overdue.",
        retention.holds_overdue,
    );
    page.one(
        "annals_holds_over_limit",
        "gauge",
        "Limits on size or number that cannot be met because of holds.",
        retention.limits_unmet,
    );
    page.one(
        "annals_config_refused",
        "gauge",
        "1 when the newest configuration was refused and an older one is in force.",
        u8::from(status.configuration.refused.is_some()),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_keeps_to_its_quotes() {
        let mut page = Page::default();
        page.sample("x", &[("a", "b\"c\\d\ne"), ("f", "g")], 1);
        assert_eq!(page.0, "x{a=\"b\\\"c\\\\d\\ne\",f=\"g\"} 1\n");
    }
}
