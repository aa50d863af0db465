//! Whether all is well: the owner of a store, the figures of its content, how long its room lasts.

mod figures;
mod forecast;
mod glance;
mod health;
mod owner;
mod span;

pub use figures::{Figures, HeldFigures, LimitForecast, QuotaForecast, saved_per_cent};
pub use forecast::{Forecast, Rate, RateOrWhy, forecast};
pub use glance::Glance;
pub use health::{Health, Remark};
pub use owner::{Owner, OwnerStatus, Role, StatusObject, Watch, Work};
pub use span::Span;
