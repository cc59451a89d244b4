//! What rights a command keeps once its first source is open, and what it says of the others.

use std::io::{self, Write};
use std::path::PathBuf;

use super::Error;
use super::args::Common;
#[cfg(feature = "live")]
use super::args::Device;
use crate::sandbox::Plan;
#[cfg(feature = "live")]
use crate::sandbox::User;

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
        let plan = Plan { confine: !common.sandbox.no_sandbox, ..Plan::default() };
        Self { plan, own_process: common.sandbox.own_process, verbose, live: false }
    }

    /// With files to read. A single one is open when rights are given up; several are opened in
    /// their turn, and only they can be.
    pub(super) fn with_files(mut self, paths: &[PathBuf]) -> Self {
        if paths.len() > 1 {
            self.plan.read.extend_from_slice(paths);
        }
        self
    }

    /// With host names to look up.
    pub(super) fn with_resolver(mut self, resolve: bool) -> Self {
        self.plan.resolve = resolve;
        self
    }

    /// With a service manager that is told how things are.
    #[cfg(feature = "live")]
    pub(super) const fn with_service(mut self, notify: bool) -> Self {
        self.plan.notify = notify;
        self
    }

    /// With a user to become, and devices.
    #[cfg(feature = "live")]
    pub(super) fn with_devices(mut self, device: &Device) -> Self {
        self.live = !device.interfaces.is_empty();
        self.plan.devices.clone_from(&device.interfaces);
        self.plan.chroot.clone_from(&device.relinquish.chroot);
        self.plan.user = match &device.relinquish.user {
            Some(user) => User::Named(user.clone()),
            None if self.live => User::Unprivileged,
            None => User::Same,
        };
        self
    }

    /// Gives up the others, before the first thread is started. What is not in force is told where
    /// somebody listens at a device for months; for files with -v. What is in force is told with -v
    /// of devices.
    pub(super) fn enter(self, err: &mut dyn Write) -> Result<(), Error> {
        if !self.own_process {
            return Ok(());
        }
        let report = self.plan.enter()?;
        // Nobody is left to tell if standard error is gone.
        let _ = self.tell(&report, err);
        Ok(())
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
            writeln!(err, "pfscope: --resolve: {open}")?;
        }
        for missing in report.missing.iter().filter(|_| self.verbose || self.live) {
            writeln!(err, "pfscope: not confined by {missing}")?;
        }
        Ok(())
    }
}
