//! Stands in for `account` on systems other than Linux, which do not support changing the account.

use crate::convert::converter::RunAs;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::convert) enum Account {}

impl Account {
    pub(in crate::convert) fn find(_: &RunAs) -> Result<Self, String> {
        Err("only on Linux a converter can run as another user".to_owned())
    }
}
