//! What a change of the configuration would purge, before it is saved. The form of another page may
//! be posted here as it is: fields that are not about retention are passed over.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use axum_extra::extract::Form;

use super::plan::unmet;
use super::words::{percent, period, things};
use crate::entry::Period;
use crate::service::retention::{Compared, Scalar, Side, WhatIf, compare, is_about_retention};
use crate::service::words::in_shell;
use crate::web::pages::fragment::is_part;
use crate::web::pages::frame::{Frame, Place, page};
use crate::web::pages::jobs::{address, refused, told};
use crate::web::problem::Problem;
use crate::web::state::Web;
use crate::web::visitor::Visitor;
use crate::{Error, ErrorKind, Result};

#[derive(Template)]
#[template(path = "retention/what_if.html", config = "src/web/askama.toml")]
struct Part {
    frame: Frame,
    changes: Vec<(String, String, String)>,
    /// Whether both would purge the same.
    is_same: bool,
    sides: Vec<SideRow>,
    rows: Vec<Row>,
    longer: Vec<LongerRow>,
    unmet: Vec<String>,
    commands: Vec<String>,
}

#[derive(Template)]
#[template(path = "retention/what_if_page.html", config = "src/web/askama.toml")]
struct Page {
    frame: Frame,
    part: Option<Part>,
    error: Option<(String, String)>,
}

struct SideRow {
    name: &'static str,
    things: String,
    content: String,
    frees: String,
    share: String,
    kept: String,
}

struct Row {
    converter: String,
    today: String,
    today_frees: String,
    then: String,
    then_frees: String,
}

struct LongerRow {
    text: String,
    href: String,
}

/// Answers `POST /retention/what-if`.
pub(in crate::web) async fn what_if(
    State(web): State<Web>,
    visitor: Visitor,
    headers: HeaderMap,
    Form(fields): Form<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    let frame = Frame::new(Place::Retention, &visitor);
    let compared = web.work(&visitor, move |desk| {
        let service = desk.service();
        let compared = asked(fields).and_then(|asked| {
            let compared = desk.purges.in_turn(|| compare(&service, &asked))?;
            Ok(compared)
        });
        let config = service.config_text();
        Ok(match compared {
            Ok(compared) => Ok(Part::of(&compared, config.as_deref(), frame)),
            Err(error) => Err((error, frame)),
        })
    });
    let compared = compared.await?;
    if is_part(&headers) {
        return Ok(match compared {
            Ok(part) => page(&part),
            Err((error, _)) => refused(&error),
        });
    }
    let title = visitor.language.say("retention.what_if_title");
    let whole = Frame::new(Place::Retention, &visitor).titled(title);
    Ok(page(&match compared {
        Ok(part) => Page {
            frame: whole,
            part: Some(part),
            error: None,
        },
        Err((error, _)) => Page {
            frame: whole,
            part: None,
            error: Some(told(&error)),
        },
    }))
}

/// Reads the fields of a form. Those of the small form have the name of the key alone and a field
/// `converter`; those of a settings page are `CONVERTER.KEY`. Empty ones are no change.
fn asked(fields: Vec<(String, String)>) -> Result<WhatIf> {
    let is_converter = |(key, _): &&(String, String)| key == "converter";
    let converter = fields.iter().find(is_converter);
    let converter = converter.map(|(_, value)| value.clone());
    let mut changes = BTreeMap::new();
    for (key, value) in fields {
        let value = value.trim();
        let key = match &converter {
            Some(name) if !name.is_empty() && !key.contains('.') => format!("{name}.{key}"),
            _ => key,
        };
        if value.is_empty() || !is_about_retention(&key) {
            continue;
        }
        // A box that is ticked is sent as `on` where nothing else is said.
        let value = if value == "on" { "true" } else { value };
        changes.insert(key, Scalar::Text(value.to_owned()));
    }
    if changes.is_empty() {
        let told = "nothing about retention would change";
        return Err(Error::new(ErrorKind::Invalid, told).hint("fill in at least one field"));
    }
    Ok(WhatIf {
        changes,
        ..WhatIf::default()
    })
}

impl Part {
    fn of(compared: &Compared, config: Option<&str>, frame: Frame) -> Self {
        let rows = compared.converters.iter().map(|row| Row {
            converter: row.converter.clone(),
            today: frame.count(row.today),
            today_frees: frame.size(row.today_freed),
            then: frame.count(row.then),
            then_frees: frame.size(row.then_freed),
        });
        let longer = compared.longer.iter().map(|one| {
            let of = one.period.parse::<Period>().unwrap_or(Period::days(0));
            let values = [
                ("things", things(one.entries, 0, &frame)),
                ("size", frame.size(one.bytes)),
                ("period", period(of, &frame)),
                ("converter", one.converter.clone()),
            ];
            let values = values
                .each_ref()
                .map(|(name, value)| (*name, value.as_str()));
            let pairs = [
                ("converter", one.converter.as_str()),
                ("older_than", one.period.as_str()),
            ];
            LongerRow {
                text: frame.fill("retention.longer", &values),
                href: address("/retention", pairs) + "#other",
            }
        });
        let change = |change: &crate::service::retention::Change| {
            let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "–".to_owned());
            (change.key.clone(), shown(&change.old), shown(&change.new))
        };
        let named = config.map(|file| format!("--config {} ", in_shell(file)));
        let command = |change: &crate::service::retention::Change| {
            let value = change.new.clone().unwrap_or_default();
            format!(
                "annals {}config set {} {}",
                named.clone().unwrap_or_default(),
                in_shell(&change.key),
                in_shell(&value)
            )
        };
        Self {
            changes: compared.changes.iter().map(change).collect(),
            is_same: compared.today == compared.then,
            sides: vec![
                SideRow::of(frame.say("retention.today"), &compared.today, &frame),
                SideRow::of(frame.say("retention.then"), &compared.then, &frame),
            ],
            rows: rows.collect(),
            longer: longer.collect(),
            unmet: compared
                .limits_unmet
                .iter()
                .map(|one| unmet(one, &frame))
                .collect(),
            commands: compared.changes.iter().map(command).collect(),
            frame,
        }
    }
}

impl SideRow {
    fn of(name: &'static str, side: &Side, frame: &Frame) -> Self {
        let kept = [
            (side.held_skipped, "retention.kept_by_holds"),
            (side.locked_skipped, "retention.kept_by_locks"),
            (side.waiting_skipped, "retention.kept_waiting"),
        ];
        let kept = kept.into_iter().filter(|(entries, _)| *entries > 0);
        let kept =
            kept.map(|(entries, why)| format!("{} {}", frame.count(entries), frame.say(why)));
        Self {
            name,
            things: things(side.count, side.parts, frame),
            content: frame.size(side.bytes_logical),
            frees: frame.size(side.bytes_freed),
            share: percent(side.percent, frame),
            kept: kept.collect::<Vec<_>>().join(", "),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(of: &[(&str, &str)]) -> Vec<(String, String)> {
        of.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect()
    }

    /// The form of the settings page has fields that are not about retention, and empty ones.
    #[test]
    fn a_settings_form_is_read_as_it_is() {
        let form = [
            ("ICT CSV.retention_days", "30"),
            ("ICT CSV.timeout_s", "300"),
            ("ICT CSV.max_archive_count", ""),
            ("tag", "abc"),
        ];
        let read = asked(fields(&form)).expect("a change");
        let changes: Vec<String> = read.changes.into_keys().collect();
        assert_eq!(changes, ["ICT CSV.retention_days"]);
        let own = [("converter", "ICT CSV"), ("max_archive_size_gb", "0.5")];
        let read = asked(fields(&own)).expect("a change");
        assert!(read.changes.contains_key("ICT CSV.max_archive_size_gb"));
        assert!(asked(fields(&[("converter", "ICT CSV")])).is_err());
    }
}
