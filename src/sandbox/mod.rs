//! Giving up rights once the devices and files of a run are open: root's, by a change of user and
//! of root directory, and then those of every process, by what the system has for it. The code that
//! takes packets apart can then open no file and no socket that it was not given.
//!
//! | System  | Mechanism                                   | Man pages                       |
//! |---------|---------------------------------------------|---------------------------------|
//! | Linux   | Landlock, seccomp, capabilities             | landlock(7), seccomp(2), capabilities(7) |
//! | OpenBSD | pledge and unveil                           | pledge(2), unveil(2)            |
//! | FreeBSD | Capsicum                                    | capsicum(4), cap_enter(2)       |
//! | others  | the user and the root directory alone       | setuid(2), chroot(2)            |
//!
//! A [`Plan`] is entered once, before the first thread is started: on Linux before 7.0 Landlock and
//! capabilities hold for the calling thread and those it starts. What the system lacks is told in
//! the [`Report`], and does not end the run.

#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")
))]
mod program;
#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")
))]
mod syscalls;
#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(target_os = "openbsd", path = "openbsd.rs")]
#[cfg_attr(target_os = "freebsd", path = "freebsd.rs")]
#[cfg_attr(
    not(any(target_os = "linux", target_os = "openbsd", target_os = "freebsd")),
    path = "other.rs"
)]
mod system;
mod user;

use std::fmt;
use std::io;
use std::path::PathBuf;

pub use user::User;

/// What a run needs when its devices and first files are open, and nothing more.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// Who the process becomes.
    pub user: User,
    /// The directory that becomes its root. The paths below are then those inside.
    pub chroot: Option<PathBuf>,
    /// False: the user and the root directory change, nothing else.
    pub confine: bool,
    /// Files, and directories with all in them, that are still opened to read.
    pub read: Vec<PathBuf>,
    /// Directories in which files and directories are made, files renamed and removed, and files that
    /// are written.
    pub write: Vec<PathBuf>,
    /// Sockets that are still connected to.
    pub connect: Vec<Peer>,
    /// The addresses of this host's interfaces are listed.
    pub interfaces: bool,
    /// Host names are looked up: the resolver's files and any network address are within reach, by
    /// TCP at the resolver's port alone.
    pub resolve: bool,
    /// Network devices that are open.
    pub devices: Vec<String>,
    /// Devices that have gone or come are looked for and opened. On Linux the process keeps
    /// CAP_NET_RAW for it, and may open packet and netlink sockets; elsewhere the sandbox does not
    /// let them be opened.
    pub reopen: bool,
    /// A connection is open, whose options change.
    pub connected: bool,
    /// Messages go to a socket that is connected already (a service manager's).
    pub notify: bool,
    /// Connections are taken by a socket that listens already.
    pub accept: bool,
}

/// Who is connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peer {
    /// A socket in the file system. On Linux before 7.1 any such socket can then be connected to
    /// that the user may: Landlock knows none of them.
    Unix(PathBuf),
    /// A TCP port, of any host.
    Tcp(u16),
    /// UDP. Any port of any host can then be sent to: no sandbox knows these.
    Udp,
}

/// What came of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// What holds now: "user nobody", "Landlock", …
    pub in_force: Vec<String>,
    /// What was wanted and is not there, each with the reason.
    pub missing: Vec<String>,
    /// The user that the process has become.
    pub user: Option<String>,
}

/// Why a plan was not entered; the process may have lost some of its rights.
#[derive(Debug)]
pub enum Error {
    /// There is no such user.
    NoUser(String),
    /// The process cannot become this user.
    User(String, io::Error),
    /// The process has become this user and can still become root.
    StillRoot(String),
    /// The root directory cannot be changed to this one.
    Chroot(PathBuf, io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoUser(user) => write!(f, "-Z {user}: there is no such user"),
            Self::User(user, error) => {
                write!(f, "-Z {user}: cannot become this user: {error}{}", advice(error))
            }
            Self::StillRoot(user) => {
                write!(f, "-Z {user}: root's rights could be taken back, so nothing is read")
            }
            Self::Chroot(dir, error) => {
                write!(f, "--chroot {}: {error}{}", dir.display(), advice(error))
            }
        }
    }
}

/// What to do about it.
fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => ": start pfscope as root for this",
        _ => "",
    }
}

impl std::error::Error for Error {}

impl Plan {
    /// Gives up all rights but those of the plan, for good.
    ///
    /// # Errors
    /// The user or the root directory cannot be had. That a system has no sandbox is no error.
    pub fn enter(&self) -> Result<Report, Error> {
        let mut report = Report::default();
        // Its name is looked up in files that may lie outside of the new root.
        let user = self.user.account(&mut report)?;
        if let Some(dir) = &self.chroot {
            let changed = nix::unistd::chroot(dir).and_then(|()| nix::unistd::chdir("/"));
            changed.map_err(|error| Error::Chroot(dir.clone(), error.into()))?;
            report.in_force.push(format!("root directory {}", dir.display()));
        }
        if let Some(account) = user {
            account.become_it(
                || system::keep(self),
                |report| system::trim(self, report),
                &mut report,
            )?;
        } else if !nix::unistd::geteuid().is_root() {
            system::trim(self, &mut report);
        }
        if self.confine {
            system::confine(self, &mut report);
        }
        Ok(report)
    }

    /// True if files are still opened by their paths.
    #[cfg(any(target_os = "linux", target_os = "openbsd", target_os = "freebsd"))]
    fn opens_files(&self) -> bool {
        !self.read.is_empty() || !self.write.is_empty() || self.resolve
    }
}
