//! Puts this process into the sandbox: Landlock for files, signals and abstract sockets, then no capabilities, then the
//! filter of system calls.

use std::io;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope, path_beneath_rules,
};

use super::{Access, Calls, Confinement, Enforcement, privileges, system_calls};

/// The version whose rights are asked for, and its number.
const ASKED: (ABI, u8) = (ABI::V6, 6);
/// Older versions that can do something of it, the best first.
const OLDER: [(ABI, u8); 4] = [(ABI::V5, 5), (ABI::V3, 3), (ABI::V2, 2), (ABI::V1, 1)];
/// Devices that take and give without keeping anything.
const SINKS: [&str; 2] = ["/dev/full", "/dev/null"];

/// Restricts this process, and all it becomes or starts, as far as the kernel can. It must have a single thread.
pub(super) fn restrict(confinement: &Confinement) -> io::Result<()> {
    // The host has looked before and counts on it.
    let missing = || io::Error::from(rustix::io::Errno::OPNOTSUPP);
    let closes_network = confinement.calls == Calls::SandboxAndNetwork;
    if closes_network && !system_calls::can_be_filtered() {
        return Err(missing());
    }
    // Files are opened for the rules while this process still may.
    let access = confinement.access.as_ref();
    let files = access
        .map(|access| rules(access, closes_network))
        .transpose()
        .map_err(|_| missing())?;
    privileges::gain_none()?;
    if let Some((memory, file_size)) = confinement.limits {
        super::set_limits(None, memory, file_size)?;
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

fn rules(access: &Access, closes_network: bool) -> Result<RulesetCreated, RulesetError> {
    let read = AccessFs::from_read(ASKED.0);
    let sink = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::Truncate;
    let all = AccessFs::from_all(ASKED.0);
    let mut ruleset = ruleset(CompatLevel::BestEffort, ASKED.0)?;
    if closes_network {
        // The filter of system calls refuses every socket; this holds also for one that came from elsewhere.
        ruleset = ruleset.handle_access(AccessNet::from_all(ASKED.0))?;
    }
    ruleset
        .create()?
        .add_rules(path_beneath_rules(&access.read, read))?
        .add_rules(path_beneath_rules(&access.list, AccessFs::ReadDir))?
        .add_rules(path_beneath_rules(SINKS, sink))?
        .add_rules(path_beneath_rules(&access.write, all))
}

/// The rights of a version: files, and from version 6 on signals and sockets without a file.
fn ruleset(level: CompatLevel, abi: ABI) -> Result<Ruleset, RulesetError> {
    let ruleset = Ruleset::default()
        .set_compatibility(level)
        .handle_access(AccessFs::from_all(abi))?;
    let scopes = Scope::from_all(abi);
    if scopes.is_empty() {
        return Ok(ruleset);
    }
    ruleset.scope(scopes)
}

pub(super) fn enforcement() -> Enforcement {
    let knows = |abi| {
        ruleset(CompatLevel::HardRequirement, abi)
            .and_then(Ruleset::create)
            .is_ok()
    };
    if knows(ASKED.0) && system_calls::can_be_filtered() {
        return Enforcement::Enforced(ASKED.1);
    }
    let known = [ASKED].into_iter().chain(OLDER);
    match { known }.find(|(abi, _)| knows(*abi)) {
        Some((_, number)) => Enforcement::Partly(number),
        None => Enforcement::Not("the kernel has no Landlock, or it is switched off".to_owned()),
    }
}
