//! Drops every capability of this process.
//!
//! The converters of a host that runs as root could otherwise bypass Landlock: through the memory
//! and environment of other processes, raw devices, and files of all owners.

use std::io;

use rustix::io::Errno;
use rustix::thread::{
    CapabilitySet, CapabilitySets, clear_ambient_capability_set,
    remove_capability_from_bounding_set, set_capabilities, set_no_new_privs,
};

/// Ensures that no program executed from now on gains capabilities, or another user.
pub(super) fn gain_none() -> io::Result<()> {
    for bit in 0..u64::BITS {
        match remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(1 << bit)) {
            // No capability has this number, or this process may not drop capabilities and so has
            // none to lose.
            Ok(()) | Err(Errno::INVAL | Errno::PERM) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(set_no_new_privs(true)?)
}

/// Drops all capabilities for good: even a program that belongs to root regains none.
pub(super) fn drop_all() -> io::Result<()> {
    match clear_ambient_capability_set() {
        // Kernels before 4.3 have no ambient set.
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
