//! Times as people write and read them: zones, dates and ages.

mod ages;
mod dates;
mod periods;
mod zone;

pub use ages::parse_age;
pub use dates::parse_when;
pub use periods::Every;
pub use zone::{NoSuchTime, Rules, Zone};
