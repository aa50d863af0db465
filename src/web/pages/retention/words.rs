//! Rules, periods and plans in the words of the visitor's language.

use crate::entry::{Period, Retention};
use crate::host::ConverterConfig;
use crate::retention::{Base, Class, Keep, Keeps, PurgePlan, Until};
use crate::web::pages::frame::Frame;

/// Tells a period: `1 year 90 days`.
pub(super) fn period(period: Period, frame: &Frame) -> String {
    let counted = |number: u32, one: &str, many: &str| {
        let text = frame.count(u64::from(number));
        match number {
            0 => None,
            1 => Some(frame.say(one).to_owned()),
            _ => Some(frame.fill(many, &[("n", &text)])),
        }
    };
    let units = [
        counted(
            period.months / 12,
            "retention.year_one",
            "retention.year_many",
        ),
        counted(
            period.months % 12,
            "retention.month_one",
            "retention.month_many",
        ),
        counted(period.days, "retention.day_one", "retention.day_many"),
    ];
    units.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// Tells what a rule of the log says, where it is one of a few: the log itself is in English.
fn keep(keep: Keep, frame: &Frame) -> String {
    match keep {
        Keep::Forever => frame.say("retention.for_ever").to_owned(),
        Keep::Recorded => frame.say("retention.as_recorded").to_owned(),
        Keep::For(of) => period(of, frame),
    }
}

/// Tells the rules of a class, one each line.
pub(super) fn class_rules(class: &Class, frame: &Frame) -> Vec<String> {
    let Keeps {
        sources,
        reports,
        superseded,
    } = class.keep;
    let base = match &class.from {
        Base::Archived => frame.say("retention.from_archived").to_owned(),
        Base::SourceTime => frame.say("retention.from_source_time").to_owned(),
        Base::LastAttempt => frame.say("retention.from_last_attempt").to_owned(),
        Base::Reported => frame.say("retention.from_reported").to_owned(),
        Base::Label(name) => frame.fill("retention.from_label", &[("name", name)]),
    };
    let end = match class.until {
        Until::Exactly => "",
        Until::EndOfDay => frame.say("retention.until_day"),
        Until::EndOfMonth => frame.say("retention.until_month"),
        Until::EndOfYear => frame.say("retention.until_year"),
    };
    let kept = |what: Keep, key: &str| {
        let mut text = frame.fill(key, &[("period", &keep(what, frame))]);
        if matches!(what, Keep::For(_)) {
            text = format!("{text} {base}");
            if !end.is_empty() {
                text = format!("{text}, {end} ({})", class.zone);
            }
        }
        text
    };
    let mut rules = if sources == reports {
        vec![kept(sources, "retention.kept")]
    } else {
        vec![
            kept(sources, "retention.sources_kept"),
            kept(reports, "retention.reports_kept"),
        ]
    };
    rules.extend(superseded.map(|superseded| {
        let period = keep(superseded, frame);
        frame.fill("retention.superseded_kept", &[("period", &period)])
    }));
    rules.extend(limits(class.max_size, class.max_count, frame));
    rules.extend(
        class
            .min_free_disk
            .map(|free| frame.fill("retention.min_free", &[("size", &frame.size(free))])),
    );
    rules
}

/// Tells the keys of a converter as rules.
pub(super) fn converter_rules(converter: &ConverterConfig, frame: &Frame) -> Vec<String> {
    let archive = &converter.archive;
    let kept = match archive.retention {
        Retention::Forever => frame.say("retention.new_for_ever").to_owned(),
        Retention::Period { days, years } => {
            let mut of = Period::years(years.into());
            of.days = days.into();
            frame.fill("retention.new_kept", &[("period", &period(of, frame))])
        }
    };
    let limits = limits(archive.max_size, archive.max_count, frame);
    std::iter::once(kept).chain(limits).collect()
}

fn limits(size: Option<u64>, count: Option<u64>, frame: &Frame) -> Vec<String> {
    let size =
        size.map(|size| frame.fill("retention.at_most_size", &[("size", &frame.size(size))]));
    let count =
        count.map(|count| frame.fill("retention.at_most_count", &[("n", &frame.count(count))]));
    size.into_iter().chain(count).collect()
}

/// Tells how many entries and parts of entries a plan takes.
pub(super) fn things(entries: u64, parts: u64, frame: &Frame) -> String {
    let whole = match entries {
        1 => frame.say("retention.entry_one").to_owned(),
        _ => frame.fill("retention.entry_many", &[("n", &frame.count(entries))]),
    };
    let of_others = match parts {
        1 => frame.say("retention.part_one").to_owned(),
        _ => frame.fill("retention.part_many", &[("n", &frame.count(parts))]),
    };
    match (entries, parts) {
        (_, 0) => whole,
        (0, _) => of_others,
        _ => format!("{whole} {} {of_others}", frame.say("retention.and")),
    }
}

/// Tells which entries the rules select and something keeps, and why: number, why, list.
pub(super) fn kept(plan: &PurgePlan, frame: &Frame) -> Vec<Kept> {
    let reasons = [
        (plan.held_skipped, "retention.kept_by_holds", "/holds"),
        (
            plan.locked_skipped,
            "retention.kept_by_locks",
            "/retention#locks",
        ),
        (plan.waiting_skipped, "retention.kept_waiting", ""),
        (plan.undated_skipped, "retention.kept_undated", ""),
    ];
    let reasons = reasons.into_iter().filter(|(entries, _, _)| *entries > 0);
    reasons
        .map(|(entries, why, href)| Kept {
            entries: frame.count(entries),
            why: frame.say(why),
            href,
        })
        .collect()
}

/// Entries that stay although a rule selects them.
pub(super) struct Kept {
    pub(super) entries: String,
    pub(super) why: &'static str,
    /// The page that says more; may be empty.
    pub(super) href: &'static str,
}

/// Returns a share in percent with the decimal mark of the language.
pub(super) fn percent(share: f64, frame: &Frame) -> String {
    let text = format!("{share} %");
    match frame.language {
        crate::web::texts::Language::English => text,
        crate::web::texts::Language::German => text.replace('.', ","),
    }
}
