//! Reports how much of a sandbox this system enforces.

use std::fmt;
use std::sync::OnceLock;

use super::this_program::launcher;
#[cfg(target_os = "linux")]
use super::{files, system_calls};
use crate::convert::converter::Sandbox;

/// How much of a sandbox is enforced.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Enforcement {
    /// All of it, by a kernel that knows at least this version of Landlock.
    Enforced(u8),
    /// What this version of Landlock can do. System calls are filtered where the system can.
    Partly(u8),
    /// Nothing, with the reason.
    Not(String),
}

impl fmt::Display for Enforcement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Enforced(abi) => write!(f, "enforced (Landlock {abi})"),
            Self::Partly(abi) => write!(f, "partly enforced (Landlock {abi})"),
            Self::Not(reason) => write!(f, "not enforced: {reason}"),
        }
    }
}

impl Sandbox {
    /// Returns how much of it is enforced for converters that this process starts.
    pub fn enforcement(&self) -> Enforcement {
        match self {
            Self::Off => Enforcement::Not("sandbox = \"off\"".to_owned()),
            Self::Enforce { .. } if launcher().is_none() => Enforcement::Not(
                "the program that runs the converters is no launcher (convert::be_launcher)"
                    .to_owned(),
            ),
            Self::Enforce { .. } => by_kernel().clone(),
        }
    }
}

/// Returns what the kernel can enforce; determined once.
fn by_kernel() -> &'static Enforcement {
    static KERNEL: OnceLock<Enforcement> = OnceLock::new();
    KERNEL.get_or_init(|| {
        #[cfg(target_os = "linux")]
        {
            match files::known_version() {
                Some((version, true)) if filters_calls() => Enforcement::Enforced(version),
                Some((version, _)) => Enforcement::Partly(version),
                None => {
                    Enforcement::Not("the kernel has no Landlock, or it is switched off".to_owned())
                }
            }
        }
        #[cfg(not(target_os = "linux"))]
        {
            Enforcement::Not("only Linux has Landlock".to_owned())
        }
    })
}

/// Returns true where system calls can be refused.
#[cfg(target_os = "linux")]
pub(super) fn filters_calls() -> bool {
    system_calls::can_be_filtered()
}

#[cfg(not(target_os = "linux"))]
pub(super) fn filters_calls() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_launcher_nothing_claims_to_be_enforced() {
        let sandbox = Sandbox::Enforce {
            read: Vec::new(),
            write: Vec::new(),
        };
        let said = sandbox.enforcement().to_string();
        assert!(said.starts_with("not enforced: "), "{said}");
        assert!(said.contains("no launcher"), "{said}");
        let off = Sandbox::Off.enforcement().to_string();
        assert_eq!(off, "not enforced: sandbox = \"off\"");
    }
}
