//! Linux: capabilities(7), landlock(7) and, in syscalls.rs, seccomp(2).
//!
//! Landlock says which files may be opened, seccomp which system calls there are at all. Landlock
//! comes first, since seccomp takes its system calls away.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use caps::{CapSet, Capability, CapsHashSet, securebits};
use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, NetPort, PathBeneath, PathFd, RestrictSelfAttr,
    Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};

use super::{Peer, Plan, Report};

/// The newest Landlock that is known here; of an older one its part is used.
const NEWEST: ABI = ABI::V9;

/// Where the kernel tells of network devices: libpcap adds what is counted there to its own
/// counters. The entries are links into the second folder, or to the hardware.
const DEVICES: [&str; 2] = ["/sys/class/net", "/sys/devices/virtual/net"];

/// What the C library's resolver reads and loads: its settings, its modules, its cache's socket.
const RESOLVER: [&str; 5] = ["/etc", "/lib", "/lib64", "/usr/lib", "/run"];
/// The same for root, who may read all that is in /etc and /run. One that is replaced is not read
/// again.
const ROOTS_RESOLVER: [&str; 18] = [
    "/etc/gai.conf",
    "/etc/host.conf",
    "/etc/hostname",
    "/etc/hosts",
    "/etc/ld.so.cache",
    "/etc/nsswitch.conf",
    "/etc/protocols",
    "/etc/resolv.conf",
    "/etc/services",
    "/lib",
    "/lib64",
    "/usr/lib",
    "/run/avahi-daemon",
    "/run/NetworkManager",
    "/run/nscd",
    "/run/resolvconf",
    "/run/systemd/machines",
    "/run/systemd/resolve",
];
/// Where a resolver listens (RFC 1035, 4.2).
const DOMAIN: u16 = 53;

/// Lets a device be opened again after the change of user.
pub(super) fn keep(plan: &Plan) -> io::Result<()> {
    if plan.reopen { securebits::set_keepcaps(true).map_err(io::Error::other) } else { Ok(()) }
}

/// Gives up all capabilities but CAP_NET_RAW, and that too unless a device is to be opened again.
pub(super) fn trim(plan: &Plan, report: &mut Report) {
    match capabilities(plan.reopen) {
        Ok(true) => report.in_force.push("capability CAP_NET_RAW alone".to_owned()),
        Ok(false) => {}
        Err(error) => report.missing.push(format!("giving up capabilities: {error}")),
    }
    if plan.reopen
        && !caps::has_cap(None, CapSet::Effective, Capability::CAP_NET_RAW).unwrap_or(false)
    {
        let why = "this user has no CAP_NET_RAW";
        report.missing.push(format!("opening again a device that has gone: {why}"));
    }
}

/// True if CAP_NET_RAW is left.
fn capabilities(keep_raw: bool) -> Result<bool, caps::errors::CapsError> {
    let mut left = caps::read(None, CapSet::Permitted)?;
    left.retain(|&capability| keep_raw && capability == Capability::CAP_NET_RAW);
    caps::set(None, CapSet::Effective, &left)?;
    caps::set(None, CapSet::Permitted, &left)?;
    // The ambient set is a part of this one.
    caps::set(None, CapSet::Inheritable, &CapsHashSet::new())?;
    Ok(!left.is_empty())
}

/// Enters Landlock and seccomp.
pub(super) fn confine(plan: &Plan, report: &mut Report) {
    match landlock(plan) {
        Ok(Landlock::All) => report.in_force.push("Landlock".to_owned()),
        Ok(Landlock::ThisThread(others)) => report.missing.push(format!(
            "Landlock for what ran before ({others} threads): this kernel's is for new threads"
        )),
        Ok(Landlock::None) => report.missing.push("Landlock: this kernel has none".to_owned()),
        Err(error) => report.missing.push(format!("Landlock: {error}")),
    }
    match seccomp(plan) {
        Ok(()) => report.in_force.push("seccomp".to_owned()),
        Err(error) => report.missing.push(format!("seccomp: {error}")),
    }
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64"))]
fn seccomp(plan: &Plan) -> Result<(), Box<dyn std::error::Error>> {
    super::syscalls::enter(plan)
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")))]
fn seccomp(_: &Plan) -> Result<(), Box<dyn std::error::Error>> {
    Err(format!("pfscope has no filter for {}", std::env::consts::ARCH).into())
}

/// For whom Landlock holds.
enum Landlock {
    All,
    /// Not for so many threads that ran before.
    ThisThread(usize),
    None,
}

fn landlock(plan: &Plan) -> Result<Landlock, RulesetError> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    // An existing file is read for its header before it is appended to.
    let made = AccessFs::MakeReg | AccessFs::MakeDir | AccessFs::RemoveFile;
    let write = read | AccessFs::WriteFile | AccessFs::Truncate | made;
    let wanted = Ruleset::default()
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?;
    let mut rules = wanted.create()?.all_threads(true)?;
    let devices = device_folders(plan);
    for path in plan.read.iter().chain(&devices) {
        allow(&mut rules, path, read)?;
    }
    for path in &plan.write {
        allow(&mut rules, path, write)?;
    }
    let root = nix::unistd::geteuid().is_root();
    let resolver: &[_] = if root { &ROOTS_RESOLVER } else { &RESOLVER };
    for path in resolver.iter().filter(|_| plan.resolve) {
        let access = read | AccessFs::Execute | AccessFs::ResolveUnix;
        allow(&mut rules, Path::new(path), access)?;
    }
    for peer in plan.connect.iter().chain(plan.resolve.then_some(&Peer::Tcp(DOMAIN))) {
        match peer {
            Peer::Unix(path) => allow(&mut rules, path, AccessFs::ResolveUnix.into())?,
            Peer::Tcp(port) => {
                (&mut rules).add_rule(NetPort::new(*port, AccessNet::ConnectTcp))?;
            }
            Peer::Udp => {}
        }
    }
    let others = fs::read_dir("/proc/self/task").map_or(0, |tasks| tasks.count().saturating_sub(1));
    let status = rules.restrict_self()?;
    Ok(match status.ruleset {
        RulesetStatus::NotEnforced => Landlock::None,
        _ if others > 0 && !status.all_threads => Landlock::ThisThread(others),
        _ => Landlock::All,
    })
}

/// Allows what is there. What is not, or cannot be reached, cannot be opened later on either, and
/// whoever tries says so. A pipe in /dev/fd has no place in the file system and needs no rule.
fn allow(
    rules: &mut RulesetCreated,
    path: &Path,
    access: BitFlags<AccessFs>,
) -> Result<(), RulesetError> {
    let (Ok(metadata), Ok(opened)) = (path.metadata(), PathFd::new(path)) else { return Ok(()) };
    let access = if metadata.is_dir() { access } else { access & AccessFs::from_file(NEWEST) };
    match rules.add_rule(PathBeneath::new(opened, access)) {
        Err(error) if metadata.is_file() || metadata.is_dir() => Err(error),
        _ => Ok(()),
    }
}

/// The folders of [`DEVICES`], and where the plan's devices are in the tree of the hardware.
fn device_folders(plan: &Plan) -> Vec<PathBuf> {
    let [links, _] = DEVICES;
    let folder = |device: &String| fs::canonicalize(Path::new(links).join(device)).ok();
    let common = DEVICES.iter().filter(|_| !plan.devices.is_empty()).map(PathBuf::from);
    common.chain(plan.devices.iter().filter_map(folder)).collect()
}
