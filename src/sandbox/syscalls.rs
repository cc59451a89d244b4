//! Linux: which system calls there still are, by seccomp(2), in all threads (TSYNC).
//!
//! The list is of what is allowed, and three filters make it robust. The first refuses with EPERM
//! what opens, starts or connects: programs and libraries take that for an answer. The last answers
//! all that nobody foresaw with ENOSYS, as a kernel does that lacks it, since that is the
//! answer for which every C library has a second way: a newer one that asks for a system call of
//! its own (clone3, whose flags no filter can see, is one) falls back to those allowed here. No
//! call ends the process: a monitor that runs for months is not to die of a library's update.
//!
//! The one between them says of families of sockets that nobody foresaw that the kernel has none of
//! them: libpcap asks for Bluetooth's where it lists devices, and takes no other answer for a no.
//!
//! Of all filters' answers the kernel takes the first in the order kill, trap, errno, allow. What
//! another refuses the last has to allow, so that the answer is the other's.

use std::error::Error;

use libc::c_long;
use seccompiler::{
    SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompRule, TargetArch,
    apply_filter_all_threads,
};

use super::program::{Rules, program};
use super::{Peer, Plan};

/// What memory, threads, clocks, signals and open descriptors need: glibc's and musl's calls, the
/// Rust library's, libpcap's for a device that is open.
const ALWAYS: &[c_long] = &[
    libc::SYS_brk,
    libc::SYS_clock_getres,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_close,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_eventfd2,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_fcntl,
    libc::SYS_fstat,
    libc::SYS_futex,
    libc::SYS_getegid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getpid,
    libc::SYS_getrandom,
    libc::SYS_getsockopt,
    libc::SYS_gettid,
    libc::SYS_gettimeofday,
    libc::SYS_getuid,
    libc::SYS_lseek,
    libc::SYS_madvise,
    libc::SYS_membarrier,
    libc::SYS_mprotect,
    libc::SYS_mmap,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_nanosleep,
    libc::SYS_newfstatat,
    libc::SYS_pipe2,
    libc::SYS_ppoll,
    libc::SYS_pread64,
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_restart_syscall,
    libc::SYS_rseq,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_set_robust_list,
    libc::SYS_sigaltstack,
    libc::SYS_statx,
    libc::SYS_sysinfo,
    libc::SYS_uname,
    libc::SYS_write,
    libc::SYS_writev,
];

/// Those of them that only the oldest of the architectures has.
#[cfg(target_arch = "x86_64")]
const OLD: &[c_long] = &[
    libc::SYS_arch_prctl,
    libc::SYS_dup2,
    libc::SYS_epoll_wait,
    libc::SYS_lstat,
    libc::SYS_poll,
    libc::SYS_stat,
    libc::SYS_time,
];
#[cfg(not(target_arch = "x86_64"))]
const OLD: &[c_long] = &[];

/// What files need that are opened later; Landlock says which these are.
const FILES: &[c_long] = &[
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_fadvise64,
    libc::SYS_getcwd,
    libc::SYS_getdents64,
    libc::SYS_inotify_add_watch,
    libc::SYS_inotify_init1,
    libc::SYS_inotify_rm_watch,
    libc::SYS_openat,
    libc::SYS_readlinkat,
];
#[cfg(target_arch = "x86_64")]
const OLD_FILES: &[c_long] = &[libc::SYS_access, libc::SYS_open, libc::SYS_readlink];
#[cfg(not(target_arch = "x86_64"))]
const OLD_FILES: &[c_long] = &[];

/// What files need that are written, renamed and removed.
const WRITTEN: &[c_long] = &[
    libc::SYS_copy_file_range,
    libc::SYS_fallocate,
    libc::SYS_fchmod,
    libc::SYS_fdatasync,
    libc::SYS_flock,
    libc::SYS_fstatfs,
    libc::SYS_fsync,
    libc::SYS_ftruncate,
    libc::SYS_mkdirat,
    libc::SYS_pwrite64,
    libc::SYS_renameat2,
    libc::SYS_sendfile,
    libc::SYS_statfs,
    libc::SYS_unlinkat,
];
#[cfg(not(target_arch = "riscv64"))]
const OLD_WRITTEN: &[c_long] = &[libc::SYS_renameat];
#[cfg(target_arch = "riscv64")]
const OLD_WRITTEN: &[c_long] = &[];
#[cfg(target_arch = "x86_64")]
const OLDER_WRITTEN: &[c_long] = &[libc::SYS_mkdir, libc::SYS_rename, libc::SYS_unlink];
#[cfg(not(target_arch = "x86_64"))]
const OLDER_WRITTEN: &[c_long] = &[];

/// What a socket needs that is connected to later.
const SOCKETS: &[c_long] = &[
    libc::SYS_connect,
    libc::SYS_getpeername,
    libc::SYS_getsockname,
    libc::SYS_setsockopt,
    libc::SYS_shutdown,
];

/// What a socket needs that listens.
const ACCEPTED: &[c_long] = &[
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_getpeername,
    libc::SYS_getsockname,
    libc::SYS_setsockopt,
    libc::SYS_shutdown,
];

/// What a datagram socket needs before it is connected.
const DATAGRAMS: &[c_long] = &[libc::SYS_bind, libc::SYS_getsockname];

/// What the resolver sends its questions by.
const QUESTIONS: &[c_long] = &[libc::SYS_sendmmsg, libc::SYS_sendmsg, libc::SYS_sendto];

/// What a connection needs that is open.
const CONNECTED: &[c_long] =
    &[libc::SYS_getpeername, libc::SYS_getsockname, libc::SYS_setsockopt, libc::SYS_shutdown];

/// What a device needs that is closed.
const OPTIONS: &[c_long] = &[libc::SYS_setsockopt];

/// What a device needs that is opened again, and netlink sockets, which are the only ones that a
/// message can be sent to then.
const BOUND: &[c_long] = &[libc::SYS_bind, libc::SYS_getsockname, libc::SYS_sendto];

/// What is refused with EPERM unless the plan needs it.
const REFUSED: &[c_long] = &[
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_bind,
    libc::SYS_bpf,
    libc::SYS_connect,
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_io_uring_setup,
    libc::SYS_kill,
    libc::SYS_listen,
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_ptrace,
    libc::SYS_sendmsg,
    libc::SYS_sendto,
    libc::SYS_unlinkat,
];
#[cfg(target_arch = "x86_64")]
const OLD_REFUSED: &[c_long] = &[libc::SYS_creat, libc::SYS_fork, libc::SYS_open, libc::SYS_vfork];
#[cfg(not(target_arch = "x86_64"))]
const OLD_REFUSED: &[c_long] = &[];

/// ioctl(2): is it a terminal and how wide, what can be read, non-blocking.
const IOCTLS: &[libc::Ioctl] = &[libc::TCGETS, libc::TIOCGWINSZ, libc::FIONREAD, libc::FIONBIO];

/// ioctl(2) of libpcap for a device that it opens: index, flags, type, MTU, name, what the driver
/// offers (time stamps).
const DEVICE_IOCTLS: &[libc::Ioctl] = &[
    libc::SIOCGIFINDEX,
    libc::SIOCGIFFLAGS,
    libc::SIOCGIFHWADDR,
    libc::SIOCGIFMTU,
    libc::SIOCGIFNAME,
    libc::SIOCETHTOOL,
];

/// The bits of socket(2)'s type that are not flags (linux/net.h).
const SOCK_TYPE_MASK: i64 = 0xf;

/// Enters the filters of a plan.
pub(super) fn enter(plan: &Plan) -> Result<(), Box<dyn Error>> {
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    let errno = |number: i32| SeccompAction::Errno(number.unsigned_abs());
    let (refused, foreign, allowed) = (refused(plan)?, foreign()?, allowed(plan)?);
    let all = [
        (refused, SeccompAction::Allow, errno(libc::EPERM)),
        (foreign, SeccompAction::Allow, errno(libc::EAFNOSUPPORT)),
        (allowed, errno(libc::ENOSYS), SeccompAction::Allow),
    ];
    for (rules, others, these) in all {
        apply_filter_all_threads(&program(rules, others, these, arch)?)?;
    }
    Ok(())
}

/// The calls that the plan needs whatever their arguments.
fn needed(plan: &Plan) -> Vec<c_long> {
    let groups = [
        (true, ALWAYS),
        (true, OLD),
        // libpcap reads its counters in /sys.
        (plan.opens_files() || !plan.devices.is_empty(), FILES),
        (plan.opens_files() || !plan.devices.is_empty(), OLD_FILES),
        (!plan.write.is_empty(), WRITTEN),
        (!plan.write.is_empty(), OLD_WRITTEN),
        (!plan.write.is_empty(), OLDER_WRITTEN),
        (plan.resolve || !plan.connect.is_empty(), SOCKETS),
        (plan.reopen || !plan.devices.is_empty(), OPTIONS),
        (plan.connected, CONNECTED),
        (plan.resolve || plan.reopen || plan.interfaces, BOUND),
        (plan.connect.contains(&Peer::Udp), DATAGRAMS),
        (plan.accept, ACCEPTED),
        (plan.resolve, QUESTIONS),
    ];
    groups.into_iter().filter(|&(wanted, _)| wanted).flat_map(|(_, calls)| calls.to_vec()).collect()
}

/// Families of sockets that a plan can need, or something that breaks out of it.
const FAMILIES: [i32; 5] =
    [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK, libc::AF_PACKET];

/// Those that the plan needs.
fn families(plan: &Plan) -> Vec<i32> {
    let is_unix = |peer: &Peer| matches!(peer, Peer::Unix(_));
    let inet = plan.resolve || !plan.connect.iter().all(is_unix);
    let wanted = [
        // libpcap asks a device's driver through a socket of this family; it connects to nothing.
        (plan.resolve || plan.reopen || plan.connect.iter().any(is_unix), libc::AF_UNIX),
        (inet, libc::AF_INET),
        (inet, libc::AF_INET6),
        // The list of devices, by getifaddrs(3).
        (plan.resolve || plan.reopen || plan.interfaces, libc::AF_NETLINK),
        (plan.reopen, libc::AF_PACKET),
    ];
    wanted.into_iter().filter_map(|(wanted, family)| wanted.then_some(family)).collect()
}

fn refused(plan: &Plan) -> Result<Rules, Box<dyn Error>> {
    let needed = needed(plan);
    let unneeded = REFUSED.iter().chain(OLD_REFUSED).filter(|call| !needed.contains(call));
    let mut rules: Rules = unneeded.map(|&call| (call, Vec::new())).collect();
    let granted = families(plan);
    let mut sockets = Vec::new();
    for &family in FAMILIES.iter().filter(|family| !granted.contains(family)) {
        let is = argument(0, SeccompCmpOp::Eq, family.into())?;
        sockets.push(SeccompRule::new(vec![is])?);
    }
    // A connection is a stream, unless it is said otherwise: Landlock knows the ports of no other.
    let datagrams = plan.resolve || plan.connect.contains(&Peer::Udp);
    for family in [libc::AF_INET, libc::AF_INET6] {
        for kind in [libc::SOCK_DGRAM, libc::SOCK_RAW] {
            if granted.contains(&family) && !(datagrams && kind == libc::SOCK_DGRAM) {
                let is = argument(0, SeccompCmpOp::Eq, family.into())?;
                let of_kind = argument(1, masked(SOCK_TYPE_MASK), kind.into())?;
                sockets.push(SeccompRule::new(vec![is, of_kind])?);
            }
        }
    }
    if !sockets.is_empty() {
        rules.insert(libc::SYS_socket, sockets);
    }
    // What is sent by a connection names no address: a service manager's, a signal's own.
    if let Some(rule) = rules.get_mut(&libc::SYS_sendto) {
        let to_address = SeccompCondition::new(4, SeccompCmpArgLen::Qword, SeccompCmpOp::Ne, 0)?;
        *rule = vec![SeccompRule::new(vec![to_address])?];
    }
    // No code is loaded or made, but the resolver's modules.
    if !plan.resolve {
        let exec = libc::PROT_EXEC.into();
        for call in [libc::SYS_mmap, libc::SYS_mprotect] {
            let executable = argument(2, masked(exec), exec)?;
            rules.insert(call, vec![SeccompRule::new(vec![executable])?]);
        }
    }
    Ok(rules)
}

/// Sockets of all other families.
fn foreign() -> Result<Rules, Box<dyn Error>> {
    let mut others = Vec::new();
    for family in FAMILIES {
        others.push(argument(0, SeccompCmpOp::Ne, family.into())?);
    }
    Ok(Rules::from([(libc::SYS_socket, vec![SeccompRule::new(others)?])]))
}

fn allowed(plan: &Plan) -> Result<Rules, Box<dyn Error>> {
    let calls = needed(plan).into_iter().chain(REFUSED.iter().chain(OLD_REFUSED).copied());
    let mut rules: Rules = calls.map(|call| (call, Vec::new())).collect();
    // The other filters know which.
    rules.insert(libc::SYS_socket, Vec::new());
    // Threads, not processes.
    let thread = i64::from(libc::CLONE_THREAD);
    let is_thread = argument(0, masked(thread), thread)?;
    rules.insert(libc::SYS_clone, vec![SeccompRule::new(vec![is_thread])?]);
    // Signals to this process alone: abort(3), a second SIGINT.
    let own = argument(0, SeccompCmpOp::Eq, std::process::id().into())?;
    rules.insert(libc::SYS_tgkill, vec![SeccompRule::new(vec![own])?]);
    // musl's raise(3); Landlock's scope keeps it to this process.
    if cfg!(target_env = "musl") {
        rules.insert(libc::SYS_tkill, Vec::new());
    }
    // What signals are handed on by, inside of the process.
    let local = argument(0, SeccompCmpOp::Eq, libc::AF_UNIX.into())?;
    rules.insert(libc::SYS_socketpair, vec![SeccompRule::new(vec![local])?]);
    // Names of threads.
    let name = argument(0, SeccompCmpOp::Eq, libc::PR_SET_NAME.into())?;
    rules.insert(libc::SYS_prctl, vec![SeccompRule::new(vec![name])?]);
    // Limits are read (the size of a stack), not set.
    let unset = SeccompCondition::new(2, SeccompCmpArgLen::Qword, SeccompCmpOp::Eq, 0)?;
    rules.insert(libc::SYS_prlimit64, vec![SeccompRule::new(vec![unset])?]);
    let devices: &[libc::Ioctl] = if plan.reopen { DEVICE_IOCTLS } else { &[] };
    let mut requests = Vec::new();
    for &request in IOCTLS.iter().chain(devices) {
        let is = argument(1, SeccompCmpOp::Eq, i64::try_from(request)?)?;
        requests.push(SeccompRule::new(vec![is])?);
    }
    rules.insert(libc::SYS_ioctl, requests);
    Ok(rules)
}

const fn masked(bits: i64) -> SeccompCmpOp {
    SeccompCmpOp::MaskedEq(bits.cast_unsigned())
}

/// A condition on the lower half of an argument, which is all that the kernel looks at in an int.
fn argument(
    number: u8,
    is: SeccompCmpOp,
    value: i64,
) -> Result<SeccompCondition, seccompiler::BackendError> {
    SeccompCondition::new(number, SeccompCmpArgLen::Dword, is, value.cast_unsigned())
}
