//! Describes a converter as it is configured: its program, files, arguments and bounds.

pub(super) mod arguments;
pub(super) mod bounds;
pub(super) mod companions;
pub(super) mod definition;
pub(super) mod expect;
pub(super) mod order;
pub(super) mod program;
pub(super) mod secret;

pub use arguments::{Arguments, MASK};
pub(crate) use arguments::{Revealed, Secrets};
pub use bounds::{Bounds, Network, ParseRunAsError, RunAs, Sandbox};
pub use companions::Companions;
pub(crate) use companions::{Beside, Listing, Need, Pattern};
pub use definition::{Converter, Mode, Takes};
pub(super) use definition::{read_mode, recorded_mode};
pub use expect::{Expect, Expected, OnSuspicious};
pub use order::{Order, ParseSerialInNameError, SerialInName};
pub(super) use program::{find_program, program};
pub use secret::MissingSecret;
pub(crate) use secret::expand;
