//! Closes files with Landlock; newer versions also close signals, sockets without a file, and
//! connections.

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, RulesetError, Scope, path_beneath_rules,
};

use super::access::Access;

/// The Landlock version whose rights are requested, and its number.
const ASKED: (ABI, u8) = (ABI::V6, 6);
/// Older versions with a part of these rights, the best first.
const OLDER: [(ABI, u8); 4] = [(ABI::V5, 5), (ABI::V3, 3), (ABI::V2, 2), (ABI::V1, 1)];
/// Devices that take and give data without keeping any.
const SINKS: [&str; 2] = ["/dev/full", "/dev/null"];

/// Returns the rules that close everything `access` does not name.
pub(super) fn rules(access: &Access, closes_network: bool) -> Result<RulesetCreated, RulesetError> {
    let read = AccessFs::from_read(ASKED.0);
    let sink = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::Truncate;
    let all = AccessFs::from_all(ASKED.0);
    let mut ruleset = ruleset(CompatLevel::BestEffort, ASKED.0)?;
    if closes_network {
        // The system call filter refuses every new socket. This also closes one that came from
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

/// Returns the rights of a version: files, and from version 6 on signals and sockets without a
/// file.
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

/// Returns the version that this kernel knows, and whether it has all that is requested.
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
