//! The report and the description of the bag, made again from the evidence and compared.

use std::io;
use std::path::Path;

use super::bundle::Bundle;
use super::files::small;
use super::log::Authentic;
use super::outcome::{BundleFinding, Verdict, Verified};
use crate::export::bag::{self, BagInfo};
use crate::export::output::Compared;
use crate::export::report::{Context, write_report};

/// Compares what people read with what the evidence gives.
pub(super) fn check(bundle: &Bundle<'_>, log: &Authentic<'_>, found: &mut Verified) {
    for path in [bag::REPORT_CSV, bag::REPORT_HTML] {
        if !bundle.files.contains_key(path) {
            found.find(Verdict::Incomplete, "report", path, "it is missing");
            return;
        }
    }
    match report(bundle, log) {
        Ok(differing) => {
            for path in differing {
                let told = "it is not the report that the evidence gives";
                found.find(Verdict::Tampered, "report", path, told);
            }
        }
        Err(error) => {
            let told = format!("it cannot be compared: {error}");
            found.find(Verdict::Unreadable, "report", bag::REPORT_HTML, told);
        }
    }
    let is_missing = |finding: &BundleFinding| finding.verdict == Verdict::Incomplete;
    if found.findings.iter().any(is_missing) {
        // It counts the files, so it would only tell once more that some are missing.
        return;
    }
    let payload = bundle
        .files
        .iter()
        .filter(|(path, _)| path.starts_with("data/"));
    let payload = payload.fold((0_u64, 0_u64), |(bytes, files), (_, file)| {
        (bytes.saturating_add(file.bytes), files + 1)
    });
    let info = bag::bag_info(&BagInfo {
        origin: bundle.checkpoint.origin.as_str(),
        tree_size: bundle.checkpoint.size,
        at: log.last.time,
        exported: log.exported,
        payload,
    });
    if small(bundle.disk, bag::BAG_INFO).is_some_and(|bytes| bytes != info.as_bytes()) {
        let told = "it does not describe this bundle";
        found.find(Verdict::Tampered, "file", bag::BAG_INFO, told);
    }
}

/// Returns the files that differ.
fn report(bundle: &Bundle<'_>, log: &Authentic<'_>) -> io::Result<Vec<&'static str>> {
    let open = |path| Compared::open(bundle.disk, Path::new(path));
    let (mut table, mut page) = (open(bag::REPORT_CSV)?, open(bag::REPORT_HTML)?);
    let context = Context {
        dir: Path::new(""),
        facts: &log.facts,
        exported: log.exported,
        last: log.last,
        origin: bundle.checkpoint.origin.as_str(),
        root: bundle.checkpoint.root,
    };
    write_report(&context, bundle.disk, &mut table, &mut page)?;
    let mut differing = Vec::new();
    for (path, compared) in [(bag::REPORT_CSV, table), (bag::REPORT_HTML, page)] {
        if !compared.finish_same()? {
            differing.push(path);
        }
    }
    Ok(differing)
}
