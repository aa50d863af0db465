//! Refuses system calls for what Landlock does not cover: modes, owners and times of files, sockets
//! with a file, other processes, mounts, and the kernel itself.
//!
//! Calls are refused by number, so a call that is not listed is allowed. Converters are ordinary
//! programs, and Landlock and their account decide what they may do. A program of another
//! architecture than this one's is killed.

use std::collections::BTreeMap;
use std::io;

use super::calls::Calls;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter,
};

/// System calls that `libc` does not list yet. Their numbers are equal on all architectures.
mod newer {
    pub(super) const MOUNT_SETATTR: i64 = 442;
    pub(super) const FCHMODAT2: i64 = 452;
    pub(super) const SETXATTRAT: i64 = 463;
    pub(super) const REMOVEXATTRAT: i64 = 466;
    pub(super) const OPEN_TREE_ATTR: i64 = 467;
    pub(super) const FILE_SETATTR: i64 = 469;
}

/// The result that a converter gets for a listed call.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Answer {
    /// Success, although nothing has happened.
    ///
    /// Copying and unpacking files ends with setting modes and times. Programs fail where that
    /// fails, although nobody relies on the result.
    Pretended,
    /// The error "not permitted".
    Refused,
    /// The error "no such call". The C library then uses an older call, which the filter can
    /// inspect.
    Unknown,
}

impl Answer {
    fn action(self) -> SeccompAction {
        SeccompAction::Errno(match self {
            Self::Pretended => 0,
            Self::Refused => libc::EPERM.unsigned_abs(),
            Self::Unknown => libc::ENOSYS.unsigned_abs(),
        })
    }

    /// Returns the calls with this result, whatever their arguments.
    fn calls(self, closed: Calls) -> Vec<i64> {
        if closed == Calls::Terminal {
            return Vec::new();
        }
        let network: &[i64] = match closed {
            Calls::SandboxAndNetwork => &[libc::SYS_socket],
            Calls::Sandbox | Calls::Terminal => &[],
        };
        match self {
            Self::Pretended => [
                &[
                    libc::SYS_fchmod,
                    libc::SYS_fchmodat,
                    newer::FCHMODAT2,
                    libc::SYS_fchown,
                    libc::SYS_fchownat,
                    libc::SYS_utimensat,
                    libc::SYS_setxattr,
                    libc::SYS_lsetxattr,
                    libc::SYS_fsetxattr,
                    newer::SETXATTRAT,
                    libc::SYS_removexattr,
                    libc::SYS_lremovexattr,
                    libc::SYS_fremovexattr,
                    newer::REMOVEXATTRAT,
                    newer::FILE_SETATTR,
                ][..],
                OLD_PRETENDED,
            ]
            .concat(),
            Self::Refused => [
                &[
                    // Access to other processes.
                    libc::SYS_ptrace,
                    libc::SYS_process_vm_readv,
                    libc::SYS_process_vm_writev,
                    libc::SYS_process_madvise,
                    libc::SYS_pidfd_getfd,
                    libc::SYS_kcmp,
                    libc::SYS_setpriority,
                    libc::SYS_ioprio_set,
                    libc::SYS_migrate_pages,
                    libc::SYS_move_pages,
                    // Mounts and namespaces.
                    libc::SYS_mount,
                    libc::SYS_umount2,
                    libc::SYS_move_mount,
                    libc::SYS_open_tree,
                    newer::OPEN_TREE_ATTR,
                    libc::SYS_fsopen,
                    libc::SYS_fsconfig,
                    libc::SYS_fsmount,
                    libc::SYS_fspick,
                    newer::MOUNT_SETATTR,
                    libc::SYS_pivot_root,
                    libc::SYS_chroot,
                    libc::SYS_setns,
                    libc::SYS_unshare,
                    libc::SYS_open_by_handle_at,
                    // The kernel, and what it keeps for other processes.
                    libc::SYS_bpf,
                    libc::SYS_perf_event_open,
                    libc::SYS_userfaultfd,
                    libc::SYS_add_key,
                    libc::SYS_request_key,
                    libc::SYS_keyctl,
                    libc::SYS_kexec_load,
                    libc::SYS_init_module,
                    libc::SYS_finit_module,
                    libc::SYS_delete_module,
                    libc::SYS_swapon,
                    libc::SYS_swapoff,
                    libc::SYS_reboot,
                    libc::SYS_acct,
                    libc::SYS_quotactl,
                    libc::SYS_syslog,
                    libc::SYS_sethostname,
                    libc::SYS_setdomainname,
                    libc::SYS_settimeofday,
                    libc::SYS_clock_settime,
                    libc::SYS_clock_adjtime,
                    libc::SYS_adjtimex,
                ][..],
                OLD_REFUSED,
                network,
            ]
            .concat(),
            Self::Unknown => vec![
                // Passes in memory the flags that `clone` passes in a register, where the filter
                // cannot see them.
                libc::SYS_clone3,
                // Runs calls through a queue, past the filter.
                libc::SYS_io_uring_setup,
                libc::SYS_io_uring_enter,
                libc::SYS_io_uring_register,
            ],
        }
    }

    /// Returns the calls that have this result only with certain arguments, with those conditions.
    fn calls_with(self, closed: Calls) -> Vec<(i64, Vec<Condition>)> {
        if self != Self::Refused {
            return Vec::new();
        }
        // The kernel uses 32 bits of a request's number, and so do the conditions.
        let mut calls = vec![(
            libc::SYS_ioctl,
            vec![Condition::is(1, TIOCSTI), Condition::is(1, TIOCLINUX)],
        )];
        if closed == Calls::Terminal {
            return calls;
        }
        let new_user = libc::CLONE_NEWUSER.unsigned_abs();
        calls.extend([
            // In a user namespace of its own a process has all capabilities.
            (libc::SYS_clone, vec![Condition::has(0, new_user)]),
            // Limits of other processes; number 0 is the process itself.
            (libc::SYS_prlimit64, vec![Condition::is_not(0, 0)]),
        ]);
        if closed == Calls::Sandbox {
            let unix = libc::AF_UNIX.unsigned_abs();
            // Sockets with a file: the owner's socket of a store, the system bus, a database.
            // `socketpair` is another call.
            calls.push((libc::SYS_socket, vec![Condition::is(0, unix)]));
        }
        calls
    }
}

/// Requests that put input into a terminal as if its user had typed it.
const TIOCSTI: u32 = 0x5412;
const TIOCLINUX: u32 = 0x541C;

/// Older calls, which newer architectures never had.
#[cfg(target_arch = "x86_64")]
const OLD_PRETENDED: &[i64] = &[
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_lchown,
    libc::SYS_utime,
    libc::SYS_utimes,
    libc::SYS_futimesat,
];
#[cfg(not(target_arch = "x86_64"))]
const OLD_PRETENDED: &[i64] = &[];
#[cfg(target_arch = "x86_64")]
const OLD_REFUSED: &[i64] = &[libc::SYS_iopl, libc::SYS_ioperm, libc::SYS_kexec_file_load];
#[cfg(not(target_arch = "x86_64"))]
const OLD_REFUSED: &[i64] = &[];

/// Offsets of call numbers. With this bit set, a 64-bit x86 process can make each call under a
/// second number.
#[cfg(target_arch = "x86_64")]
const NAMES: [i64; 2] = [0, 0x4000_0000];
#[cfg(not(target_arch = "x86_64"))]
const NAMES: [i64; 1] = [0];

/// A condition on an argument of a call.
struct Condition {
    argument: u8,
    value: u32,
    compare: SeccompCmpOp,
}

impl Condition {
    fn is(argument: u8, value: u32) -> Self {
        Self {
            argument,
            value,
            compare: SeccompCmpOp::Eq,
        }
    }

    fn is_not(argument: u8, value: u32) -> Self {
        Self {
            argument,
            value,
            compare: SeccompCmpOp::Ne,
        }
    }

    /// Requires that all bits of `value` are set.
    fn has(argument: u8, value: u32) -> Self {
        Self {
            argument,
            value,
            compare: SeccompCmpOp::MaskedEq(u64::from(value)),
        }
    }

    fn rule(&self) -> Result<SeccompRule, seccompiler::BackendError> {
        SeccompRule::new(vec![SeccompCondition::new(
            self.argument,
            SeccompCmpArgLen::Dword,
            self.compare.clone(),
            u64::from(self.value),
        )?])
    }
}

/// Filters the system calls of this process, and of all it becomes or starts.
///
/// Nothing is filtered on an architecture that the filter compiler does not support;
/// [`can_be_filtered`] returns false there.
pub(super) fn filter(closed: Calls) -> io::Result<()> {
    if !can_be_filtered() {
        return Ok(());
    }
    for answer in [Answer::Pretended, Answer::Refused, Answer::Unknown] {
        let Some(program) = program(answer, closed).map_err(io::Error::other)? else {
            continue;
        };
        apply_filter(&program).map_err(|error| match error {
            seccompiler::Error::Prctl(error) | seccompiler::Error::Seccomp(error) => error,
            other => io::Error::other(other),
        })?;
    }
    Ok(())
}

/// Returns true where the compiler supports this architecture and the kernel accepts filters.
pub(super) fn can_be_filtered() -> bool {
    TargetArch::try_from(std::env::consts::ARCH).is_ok()
        && rustix::thread::secure_computing_mode().is_ok()
}

/// Compiles the filter for one result, because a filter can give only one. `None` where no call has
/// this result.
fn program(answer: Answer, closed: Calls) -> Result<Option<BpfProgram>, seccompiler::BackendError> {
    let architecture = std::env::consts::ARCH.try_into()?;
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    for name in NAMES {
        for call in answer.calls(closed) {
            rules.insert(call | name, Vec::new());
        }
        for (call, conditions) in answer.calls_with(closed) {
            let each = conditions.iter().map(Condition::rule);
            rules.insert(call | name, each.collect::<Result<_, _>>()?);
        }
    }
    if rules.is_empty() {
        return Ok(None);
    }
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, answer.action(), architecture)?;
    filter.try_into().map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_call_has_one_answer_and_its_filter_can_be_made() {
        for closed in Calls::ALL {
            let mut seen = std::collections::BTreeSet::new();
            for answer in [Answer::Pretended, Answer::Refused, Answer::Unknown] {
                let with = answer.calls_with(closed);
                let with = with.iter().map(|(call, _)| *call);
                for call in answer.calls(closed).into_iter().chain(with) {
                    assert!(seen.insert(call), "call {call} has two answers");
                }
                if can_be_filtered() {
                    program(answer, closed).expect("made");
                }
            }
        }
    }
}
