//! Applies a confinement to this process. The order of the steps matters.

use std::io;

use landlock::RulesetStatus;

use super::calls::Calls;
use super::confinement::Confinement;
use super::{files, limits, privileges, system_calls};

/// Restricts this process, and all it becomes or starts, as far as the kernel can.
///
/// The process must have a single thread.
pub(super) fn restrict(confinement: &Confinement) -> io::Result<()> {
    // The host has checked that this is possible, and relies on it.
    let missing = || io::Error::from(rustix::io::Errno::OPNOTSUPP);
    let closes_network = confinement.calls == Calls::SandboxAndNetwork;
    if closes_network && !system_calls::can_be_filtered() {
        return Err(missing());
    }
    // The rules need open files, and this process can no longer open them later.
    let access = confinement.access.as_ref();
    let files = access
        .map(|access| files::rules(access, closes_network))
        .transpose()
        .map_err(|_| missing())?;
    privileges::gain_none()?;
    if let Some((memory, file_size)) = confinement.limits {
        limits::set_limits(None, memory, file_size)?;
    }
    if let Some(account) = confinement.account {
        account.become_it()?;
    }
    privileges::drop_all()?;
    if let Some(account) = confinement.account {
        account.verify()?;
    }
    if let Some(files) = files {
        let status = files.restrict_self().map_err(|_| missing())?;
        if status.ruleset == RulesetStatus::NotEnforced {
            return Err(missing());
        }
    }
    system_calls::filter(confinement.calls)
}
