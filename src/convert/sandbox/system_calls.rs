//! Refuses the system calls by which a process reaches what Landlock does not hold: modes, owners
//! and times of files, sockets with a file, other processes, mounts, the kernel itself.
//!
//! Calls are refused by number, so a call that is not listed is allowed: converters are ordinary
//! programs, and what they may do is decided by Landlock and by their account. A program of another
//! architecture than this one's is ended.

use std::collections::BTreeMap;
use std::io;

use super::calls::Calls;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter,
};

/// Calls of the system that the list of `libc` does not have yet. They have one number everywhere.
mod newer {
    pub(super) const MOUNT_SETATTR: i64 = 442;
    pub(super) const FCHMODAT2: i64 = 452;
    pub(super) const SETXATTRAT: i64 = 463;
    pub(super) const REMOVEXATTRAT: i64 = 466;
    pub(super) const OPEN_TREE_ATTR: i64 = 467;
    pub(super) const FILE_SETATTR: i64 = 469;
}

/// What a converter is told that calls one of them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Answer {
    /// Success, and nothing has happened. Copying and unpacking files ends with setting modes and
    /// times, and programs fail where that fails, though nobody ever looks at them.
    Pretended,
    /// It is not permitted.
    Refused,
    /// There is no such call; the C library then takes an older way, which can be looked at.
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

    /// The calls that are answered so whatever their arguments are.
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
                    // Other processes.
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
                    // The kernel and what it keeps for others.
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
                // Says in memory what `clone` says in a register.
                libc::SYS_clone3,
                // Does by a queue what is refused by its number.
                libc::SYS_io_uring_setup,
                libc::SYS_io_uring_enter,
                libc::SYS_io_uring_register,
            ],
        }
    }

    /// The calls that are answered so only with certain arguments: which argument, its bits that
    /// count, and what they are.
    fn calls_with(self, closed: Calls) -> Vec<(i64, Vec<Condition>)> {
        if self != Self::Refused {
            return Vec::new();
        }
        // The kernel looks at 32 bits of the number of a request, and so do conditions.
        let mut calls = vec![(
            libc::SYS_ioctl,
            vec![Condition::is(1, TIOCSTI), Condition::is(1, TIOCLINUX)],
        )];
        if closed == Calls::Terminal {
            return calls;
        }
        let new_user = libc::CLONE_NEWUSER.unsigned_abs();
        calls.extend([
            // In a namespace of its own a process has all capabilities.
            (libc::SYS_clone, vec![Condition::has(0, new_user)]),
            // Limits of others. One's own go by number 0.
            (libc::SYS_prlimit64, vec![Condition::is_not(0, 0)]),
        ]);
        if closed == Calls::Sandbox {
            let unix = libc::AF_UNIX.unsigned_abs();
            // A socket with a file: the owner's endpoint of a store, the system's bus, a database.
            // A pair of sockets is another call.
            calls.push((libc::SYS_socket, vec![Condition::is(0, unix)]));
        }
        calls
    }
}

/// Requests by which a process types into a terminal what whoever sits there has not typed.
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

/// By this bit a 64-bit x86 process names the same calls once more.
#[cfg(target_arch = "x86_64")]
const NAMES: [i64; 2] = [0, 0x4000_0000];
#[cfg(not(target_arch = "x86_64"))]
const NAMES: [i64; 1] = [0];

/// What an argument of a call must be for the answer to hold.
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

    /// All bits of `value` are set.
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

/// Filters the system calls of this process, and of all it becomes or starts. Where this
/// architecture is not known to the compiler of filters nothing is filtered; [`can_be_filtered`]
/// says so beforehand.
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

/// True where filters can be made for this architecture and the kernel takes them.
pub(super) fn can_be_filtered() -> bool {
    TargetArch::try_from(std::env::consts::ARCH).is_ok()
        && rustix::thread::secure_computing_mode().is_ok()
}

/// A filter gives one answer, so there is one for each. `None` where no call has this answer.
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
