//! How long the room lasts, in words.

use super::fact::Fact;
use crate::service::status::{Figures, Forecast, LimitForecast, QuotaForecast, RateOrWhy};
use crate::time::Timestamp;
use crate::web::pages::frame::Frame;

/// Room that is used up sooner than this is told as a warning.
const SOON_DAYS: u64 = 14;

/// Tells when the disk is full, and when converters reach their sizes.
pub(super) fn facts(figures: &Figures, frame: &Frame) -> Vec<Fact> {
    let mut facts = vec![match &figures.disk {
        Some(disk) => of_disk(disk, frame),
        None => Fact::new(frame.say("host.disk"), frame.say("host.free_unknown")),
    }];
    facts.extend(figures.quotas.iter().map(|quota| of_quota(quota, frame)));
    facts
}

fn of_disk(disk: &LimitForecast, frame: &Frame) -> Fact {
    let (free, keep) = (frame.size(disk.free), frame.size(disk.keep_free));
    let room = frame.fill("host.disk_room", &[("free", &free), ("keep", &keep)]);
    let key = match disk.forecast {
        Forecast::Full => "host.forecast_full",
        Forecast::In { days: 0, .. } => "host.forecast_today",
        Forecast::In { days: 1, .. } => "host.forecast_one",
        Forecast::In { .. } => "host.forecast_in",
        Forecast::Far => "host.forecast_far",
        Forecast::Unknown => "host.forecast_unknown",
    };
    let told = told(key, disk.forecast, disk.rate, frame);
    Fact::new(frame.say("host.disk"), format!("{room} {told}")).tone(tone(disk.forecast))
}

fn of_quota(quota: &QuotaForecast, frame: &Frame) -> Fact {
    let (used, limit) = (frame.size(quota.used), frame.size(quota.limit));
    let room = frame.fill("host.quota_room", &[("used", &used), ("limit", &limit)]);
    let key = match quota.forecast {
        Forecast::Full => "host.quota_reached",
        Forecast::In { .. } => "host.quota_in",
        Forecast::Far => "host.forecast_far",
        Forecast::Unknown => "host.forecast_unknown",
    };
    let told = told(key, quota.forecast, quota.rate, frame);
    let name = frame.fill("host.quota", &[("converter", &quota.converter)]);
    Fact::new(name, format!("{room} {told}"))
}

fn tone(forecast: Forecast) -> &'static str {
    match forecast {
        Forecast::Full => "bad",
        Forecast::In { days, .. } if days < SOON_DAYS => "odd",
        _ => "",
    }
}

/// Tells a forecast in the words of `key`, and how little it may mean.
fn told(key: &str, forecast: Forecast, rate: RateOrWhy, frame: &Frame) -> String {
    let (left, on) = match forecast {
        Forecast::In { days, on } => (days, on),
        _ => (0, Timestamp::MIN),
    };
    let (bytes, days, is_uneven) = match rate {
        RateOrWhy::Rate(rate) => (rate.bytes, rate.days, rate.is_uneven),
        RateOrWhy::TooEarly { days } | RateOrWhy::Still { days } => (0.0, days, false),
    };
    let key = match (forecast, rate) {
        (Forecast::Far, RateOrWhy::Still { .. }) => "host.forecast_still",
        _ => key,
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate is above zero, and casts of floats stop at the ends"
    )]
    let bytes = frame.size(bytes as u64);
    let mut told = frame.fill(
        key,
        &[
            ("rate", &bytes),
            ("days", &frame.count(days as u64)),
            ("left", &frame.count(left)),
            ("date", &frame.date(on)),
        ],
    );
    if is_uneven && matches!(forecast, Forecast::In { .. }) {
        told += " ";
        told += frame.say("host.forecast_uneven");
    }
    told
}
