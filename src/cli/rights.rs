//! What rights a command keeps once its first source is open, and what it says of the others.

use std::io::{self, Write};
#[cfg(feature = "live")]
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::Error;
#[cfg(feature = "live")]
use super::args::Device;
#[cfg(feature = "feed")]
use super::args::Feed;
use super::args::{Common, Sandbox};
#[cfg(feature = "feed")]
use super::reach::Reach;
use crate::ipsec::services::Services;
use crate::sandbox::{Peer, Plan, User};
#[cfg(feature = "live")]
use crate::text::escaped;
use crate::vici::Uri;

/// The rights of a command, until they are given up.
#[derive(Debug)]
pub(super) struct Rights {
    plan: Plan,
    own_process: bool,
    verbose: bool,
    live: bool,
}

impl Rights {
    /// Those of a command that opens one source and no more.
    pub(super) fn new(common: &Common, verbose: bool) -> Self {
        Self { verbose, ..Self::of(&common.sandbox) }
    }

    /// The same of a command without the common options.
    pub(super) fn of(sandbox: &Sandbox) -> Self {
        let plan = Plan { confine: !sandbox.no_sandbox, ..Plan::default() };
        Self { plan, own_process: sandbox.own_process, verbose: false, live: false }
    }

    /// Those of a process that has given up what it does not need.
    pub(super) fn given_up() -> Self {
        let plan = Plan { confine: true, ..Plan::default() };
        Self { plan, own_process: false, verbose: false, live: false }
    }

    /// Those of a feed, which opens, connects and lets itself be asked (`accept`) as long as it
    /// runs.
    #[cfg(feature = "feed")]
    pub(super) fn of_feed(args: &Feed, reach: Reach, accept: bool, err: &mut dyn Write) -> Self {
        let Reach { read, write, connect, names: resolve } = reach;
        let user = args.user.clone().map_or(User::Same, User::Named);
        let confine = !args.sandbox.no_sandbox;
        let plan = Plan { user, confine, read, write, connect, resolve, accept, ..Plan::default() };
        let own_process = args.sandbox.own_process;
        // What runs for months is told of; what ends by itself, if it asks.
        let lasts = !args.once && !args.check;
        if own_process && lasts && plan.user == User::Same && rustix::process::geteuid().is_root() {
            // Nobody is left to tell if standard error is gone.
            let _ = writeln!(err, "pfscope: feed: stays root (-Z USER: become another user)");
        }
        Self { plan, own_process, verbose: false, live: lasts }
    }

    /// With files to read. A single one is open when rights are given up; several are opened in
    /// their turn, and only they can be.
    pub(super) fn with_files(mut self, paths: &[PathBuf]) -> Self {
        if paths.len() > 1 {
            self.plan.read.extend_from_slice(paths);
        }
        self
    }

    /// With files, or folders of them, that are all opened later.
    pub(super) fn with_read<'p>(mut self, paths: impl IntoIterator<Item = &'p PathBuf>) -> Self {
        self.plan.read.extend(paths.into_iter().cloned());
        self
    }

    /// With the list of this host's addresses.
    pub(super) const fn with_interfaces(mut self) -> Self {
        self.plan.interfaces = true;
        self
    }

    /// As nobody, if as root, with a connection: all that takes root is open.
    pub(super) fn connected(mut self) -> Self {
        self.plan.user = User::Unprivileged;
        self.plan.connected = true;
        self
    }

    /// With files that are followed: what they are renamed to and what takes their place stands
    /// beside them.
    pub(super) fn with_followed(mut self, paths: &[PathBuf]) -> Self {
        self.plan.read.extend(paths.iter().map(|path| folder(path)));
        self
    }

    /// With a file to write, and others beside it as it is rotated.
    pub(super) fn with_saved(mut self, path: Option<&Path>) -> Self {
        let file = path.filter(|path| path.as_os_str() != "-");
        self.plan.write.extend(file.map(folder));
        self
    }

    /// With an IKE daemon that is asked again when it was restarted.
    pub(super) fn with_daemon(mut self, uri: Option<&Uri>) -> Self {
        let Some(uri) = uri else { return self };
        // Kept: /etc/services is out of reach later on.
        let _ = Services::of_system();
        // A name is looked up each time.
        self.plan.resolve |= uri.has_name();
        self.plan.connect.push(match uri {
            Uri::Unix(path) => Peer::Unix(path.clone()),
            Uri::Tcp { port, .. } => Peer::Tcp(*port),
        });
        self
    }

    /// With host names to look up.
    pub(super) fn with_resolver(mut self, resolve: bool) -> Self {
        self.plan.resolve |= resolve;
        self
    }

    /// With a service manager that is told how things are.
    #[cfg(feature = "live")]
    pub(super) const fn with_service(mut self, notify: bool) -> Self {
        self.plan.notify = notify;
        self
    }

    /// With a user to become, and devices. What root alone can write or ask later is a reason to
    /// stay root, where no user is named; that is said.
    #[cfg(feature = "live")]
    pub(super) fn with_devices(mut self, device: &Device, err: &mut dyn Write) -> Self {
        self.live = !device.interfaces.is_empty();
        self.plan.devices.clone_from(&device.interfaces);
        self.plan.reopen = self.live;
        self.plan.chroot.clone_from(&device.relinquish.chroot);
        let keeps = self.for_root_alone().filter(|_| self.live && self.own_process);
        self.plan.user = match (&device.relinquish.user, keeps) {
            (Some(user), _) => User::Named(user.clone()),
            (None, Some(what)) => {
                let name = escaped(what.as_os_str().as_encoded_bytes());
                // Nobody is left to tell if standard error is gone.
                let _ = writeln!(
                    err,
                    "pfscope: stays root, to whom {name} belongs (-Z USER: become another user)"
                );
                User::Same
            }
            (None, None) if self.live => User::Unprivileged,
            (None, None) => User::Same,
        };
        self
    }

    /// What is written or connected to later, and belongs to the root that we are.
    #[cfg(feature = "live")]
    fn for_root_alone(&self) -> Option<PathBuf> {
        let sockets = self.plan.connect.iter().filter_map(|peer| match peer {
            Peer::Unix(path) => Some(path),
            Peer::Tcp(_) | Peer::Udp => None,
        });
        let is_roots = |path: &&PathBuf| path.metadata().is_ok_and(|metadata| metadata.uid() == 0);
        let root = rustix::process::geteuid().is_root();
        self.plan.write.iter().chain(sockets).find(is_roots).filter(|_| root).cloned()
    }

    /// Gives up the others, before the first thread is started. What is not in force is told where
    /// somebody listens at a device for months; for files with -v. What is in force is told with -v
    /// of devices. The user that the process has become comes back.
    pub(super) fn enter(self, err: &mut dyn Write) -> Result<Option<String>, Error> {
        if !self.own_process {
            return Ok(None);
        }
        let report = self.plan.enter()?;
        // Nobody is left to tell if standard error is gone.
        let _ = self.tell(&report, err);
        Ok(report.user)
    }

    /// True if the command opens files by their names after rights are given up.
    pub(super) const fn opens_files(&self) -> bool {
        !self.plan.read.is_empty()
    }

    /// Says at the start that nothing will confine the command.
    pub(super) fn announce(&self, err: &mut dyn Write) {
        if self.own_process && !self.plan.confine {
            let kept = "the code that takes packets apart keeps all rights of this process";
            // Nobody is left to tell if standard error is gone.
            let _ = writeln!(err, "pfscope: --no-sandbox: {kept}");
        }
    }

    fn tell(&self, report: &crate::sandbox::Report, err: &mut dyn Write) -> io::Result<()> {
        if self.verbose && self.live && !report.in_force.is_empty() {
            writeln!(err, "pfscope: confined by {}", report.in_force.join(", "))?;
        }
        if self.verbose && self.plan.resolve {
            let open = "the network and the resolver's files stay within reach";
            writeln!(err, "pfscope: for names of hosts {open}")?;
        }
        for missing in report.missing.iter().filter(|_| self.verbose || self.live) {
            writeln!(err, "pfscope: not confined by {missing}")?;
        }
        Ok(())
    }
}

/// The folder that a file is in.
pub(super) fn folder(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}
