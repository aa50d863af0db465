//! Drops every capability of this process.
//!
//! A host that runs as root would otherwise give its converters the means to look past Landlock:
//! into the memory and the environment of others, at raw devices, at files of all owners.

use std::io;

use rustix::io::Errno;
use rustix::thread::{
    CapabilitySet, CapabilitySets, clear_ambient_capability_set,
    remove_capability_from_bounding_set, set_capabilities, set_no_new_privs,
};

/// Takes care that no program that is executed from now on brings capabilities, or another user,
/// with it.
pub(super) fn gain_none() -> io::Result<()> {
    for bit in 0..u64::BITS {
        match remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(1 << bit)) {
            // There is none of this number, or none of this process may be given away, so it has
            // none to lose.
            Ok(()) | Err(Errno::INVAL | Errno::PERM) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(set_no_new_privs(true)?)
}

/// Drops all capabilities for good: also a program that belongs to root brings none back.
pub(super) fn drop_all() -> io::Result<()> {
    match clear_ambient_capability_set() {
        // Kernels before 4.3 have no such set.
        Ok(()) | Err(Errno::INVAL) => {}
        Err(error) => return Err(error.into()),
    }
    let none = CapabilitySet::empty();
    Ok(set_capabilities(
        None,
        CapabilitySets {
            effective: none,
            permitted: none,
            inheritable: none,
        },
    )?)
}
