//! What Landlock closes: files, and in newer versions signals, sockets without a file, and
//! connections.

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, RulesetError, Scope, path_beneath_rules,
};

use super::access::Access;

/// The version whose rights are asked for, and its number.
const ASKED: (ABI, u8) = (ABI::V6, 6);
/// Older versions that can do something of it, the best first.
const OLDER: [(ABI, u8); 4] = [(ABI::V5, 5), (ABI::V3, 3), (ABI::V2, 2), (ABI::V1, 1)];
/// Devices that take and give without keeping anything.
const SINKS: [&str; 2] = ["/dev/full", "/dev/null"];

/// The rules by which what `access` does not name is closed.
pub(super) fn rules(access: &Access, closes_network: bool) -> Result<RulesetCreated, RulesetError> {
    let read = AccessFs::from_read(ASKED.0);
    let sink = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::Truncate;
    let all = AccessFs::from_all(ASKED.0);
    let mut ruleset = ruleset(CompatLevel::BestEffort, ASKED.0)?;
    if closes_network {
        // The filter of system calls refuses every socket; this holds also for one that came from
        // elsewhere.
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

/// The version that this kernel knows, and whether it is all that is asked for.
pub(super) fn known_version() -> Option<(u8, bool)> {
    let knows = |abi| {
        ruleset(CompatLevel::HardRequirement, abi)
            .and_then(Ruleset::create)
            .is_ok()
    };
    let mut all = [ASKED].into_iter().chain(OLDER);
    let (_, number) = all.find(|(abi, _)| knows(*abi))?;
    Some((number, number == ASKED.1))
}
