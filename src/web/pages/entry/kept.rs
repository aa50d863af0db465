//! The tab that says why an entry is still here, and when it may go.

use askama::Template;

use super::address::Asked;
use crate::Result;
use crate::archive::{KeepReason, MayGo, OwnContent, UnneededPlace, WhyKept};
use crate::entry::Entry;
use crate::service::desk::Desk;
use crate::service::objects::why_kept;
use crate::web::pages::frame::Frame;
use crate::web::preview::visible;

/// Asks why an entry is kept. The rules of the host are asked about on demand: all entries are
/// read for that.
pub(super) fn read(desk: &Desk, entry: &Entry, asked: &Asked) -> Result<WhyKept> {
    if asked.get("rules").is_some() {
        why_kept(desk, entry)
    } else {
        desk.archive.why_kept(entry.id, None)
    }
}

/// The tab.
#[derive(Template)]
#[template(path = "entry/kept.html", config = "src/web/askama.toml")]
pub(super) struct KeptTab<'a> {
    frame: &'a Frame,
    conclusion: String,
    reasons: Vec<Reason>,
    /// Asks for the rules of the host as well.
    rules: Option<String>,
    command: String,
}

struct Reason {
    name: &'static str,
    words: String,
}

impl<'a> KeptTab<'a> {
    pub(super) fn new(frame: &'a Frame, asked: &Asked, entry: &Entry, why: &WhyKept) -> Self {
        let reasons = why.reasons.iter().map(|reason| named(reason, frame));
        Self {
            frame,
            conclusion: conclusion(why, frame),
            reasons: reasons.collect(),
            rules: asked
                .get("rules")
                .is_none()
                .then(|| asked.with(&[("rules", "1")])),
            command: format!("annals show {} --why", entry.id),
        }
    }
}

fn named(reason: &KeepReason, frame: &Frame) -> Reason {
    let time = |time| frame.moment(time).short;
    match reason {
        KeepReason::Retention {
            retention,
            until,
            passed,
        } => {
            let kept = retention.to_string();
            let until = until.map(time);
            let words = match &until {
                None => frame.say("entry.kept_for_ever").to_owned(),
                Some(until) => {
                    let pairs = [("kept", kept.as_str()), ("until", until)];
                    if *passed {
                        frame.fill("entry.kept_until_passed", &pairs)
                    } else {
                        frame.fill("entry.kept_until", &pairs)
                    }
                }
            };
            Reason {
                name: frame.say("entry.why_retention"),
                words,
            }
        }
        KeepReason::Hold {
            name,
            reason,
            placed_at,
        } => Reason {
            name: frame.say("entry.why_hold"),
            words: frame.fill(
                "entry.why_hold_words",
                &[
                    ("name", &visible(name)),
                    ("since", &time(*placed_at)),
                    ("reason", &visible(reason)),
                ],
            ),
        },
        KeepReason::Lock { name, mode, until } => {
            let until = until.map_or_else(|| frame.say("entry.for_ever").to_owned(), time);
            Reason {
                name: frame.say("entry.why_lock"),
                words: frame.fill(
                    "entry.why_lock_words",
                    &[
                        ("name", &visible(name)),
                        ("mode", mode.name()),
                        ("until", &until),
                    ],
                ),
            }
        }
        KeepReason::WaitingReport {
            attempt,
            endpoint,
            since,
            ..
        } => Reason {
            name: frame.say("entry.why_waiting"),
            words: frame.fill(
                "entry.why_waiting_words",
                &[
                    ("attempt", &attempt.to_string()),
                    ("endpoint", &visible(endpoint)),
                    ("since", &time(*since)),
                ],
            ),
        },
        other => named_other(other, frame),
    }
}

fn named_other(reason: &KeepReason, frame: &Frame) -> Reason {
    match reason {
        KeepReason::Policy { rules, selects } => {
            let rules = visible(&rules.join(", ")).into_owned();
            let words = match selects {
                Some(rule) => frame.fill(
                    "entry.why_rules_select",
                    &[("rules", &rules), ("rule", &visible(rule))],
                ),
                None => frame.fill("entry.why_rules_none", &[("rules", &rules)]),
            };
            Reason {
                name: frame.say("entry.why_rules"),
                words,
            }
        }
        KeepReason::Shared {
            content,
            bytes,
            references,
            entries,
            ..
        } => {
            let ids: Vec<String> = entries.iter().map(ToString::to_string).collect();
            Reason {
                name: frame.say("entry.why_shared"),
                words: frame.fill(
                    "entry.why_shared_words",
                    &[
                        ("what", &what(*content, frame)),
                        ("size", &frame.size(*bytes)),
                        ("n", &frame.count(*references)),
                        ("entries", &ids.join(", ")),
                    ],
                ),
            }
        }
        KeepReason::NotFreed { content, place, .. } => {
            let what = what(*content, frame);
            let words = match place {
                UnneededPlace::Pack { pack, is_next, .. } => {
                    let pairs = [("what", what.as_str()), ("pack", &pack.to_string())];
                    if *is_next {
                        frame.fill("entry.why_in_pack_next", &pairs)
                    } else {
                        frame.fill("entry.why_in_pack", &pairs)
                    }
                }
                _ => frame.fill("entry.why_in_journal", &[("what", &what)]),
            };
            Reason {
                name: frame.say("entry.why_not_freed"),
                words,
            }
        }
        // Said by the conclusion alone.
        _ => Reason {
            name: frame.say("entry.why_other"),
            words: String::new(),
        },
    }
}

fn what(content: OwnContent, frame: &Frame) -> String {
    match content {
        OwnContent::Report { attempt, .. } => {
            let attempt = attempt.to_string();
            frame.fill("entry.why_report", &[("attempt", &attempt)])
        }
        _ => frame.say("entry.why_source").to_owned(),
    }
}

fn conclusion(why: &WhyKept, frame: &Frame) -> String {
    let earliest = why.earliest.map(|time| frame.moment(time).short);
    match (why.may_go, earliest) {
        (MayGo::Gone, _) => frame.say("entry.go_gone").to_owned(),
        (MayGo::BeingFreed, _) => frame.say("entry.go_being_freed").to_owned(),
        (MayGo::Now, _) => frame.say("entry.go_now").to_owned(),
        (MayGo::Later, Some(time)) => frame.fill("entry.go_later", &[("time", &time)]),
        (MayGo::Blocked, Some(time)) => frame.fill("entry.go_blocked_until", &[("time", &time)]),
        (MayGo::Blocked, None) => frame.say("entry.go_blocked").to_owned(),
        _ => frame.say("entry.go_never").to_owned(),
    }
}
