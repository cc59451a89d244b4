//! Rights that are given up.

#[cfg(feature = "live")]
use std::path::PathBuf;

use clap::Args;

/// The sandbox.
#[derive(Debug, Args)]
pub(in crate::cli) struct Sandbox {
    /// Keep all rights of this process, for debugging: neither Landlock, seccomp, pledge nor
    /// Capsicum confines the code that takes packets apart
    #[arg(long)]
    pub(in crate::cli) no_sandbox: bool,
    /// The process is pfscope's own, to change as it likes; not so in a test or another program.
    #[arg(skip)]
    pub(in crate::cli) own_process: bool,
}

/// Who the process becomes.
#[cfg(feature = "live")]
#[derive(Debug, Args)]
pub(in crate::cli) struct Relinquish {
    /// Become this user once the devices, or the only file, are open; with -i and started as root
    /// the default is _pfscope or nobody, and '-Z root' stays root
    #[arg(short = 'Z', long = "relinquish-privileges", value_name = "USER")]
    pub(in crate::cli) user: Option<String>,
    /// Make this directory the root directory once the devices are open (needs root)
    #[arg(long, value_name = "DIR", requires = "interfaces", conflicts_with = "read")]
    pub(in crate::cli) chroot: Option<PathBuf>,
}
