//! Live devices.

use clap::Args;

use super::Relinquish;

/// Live capture.
#[derive(Debug, Args)]
pub(in crate::cli) struct Device {
    /// Read a device live: pflog0, pfsync0 or an interface; may be given several times
    #[arg(short = 'i', long = "interface", value_name = "DEVICE", conflicts_with = "read")]
    pub(in crate::cli) interfaces: Vec<String>,
    /// List the devices that -i can name
    #[arg(short = 'D', long = "list-interfaces", conflicts_with_all = ["read", "interfaces"])]
    pub(in crate::cli) list: bool,
    /// Take so many bytes of each packet (default, and 0: all)
    #[arg(short = 's', long = "snapshot-length", value_name = "BYTES", requires = "interfaces")]
    pub(in crate::cli) snaplen: Option<u32>,
    /// The kernel's capture buffer in KiB
    #[arg(short = 'B', long = "buffer-size", value_name = "KIB", requires = "interfaces",
        value_parser = clap::value_parser!(i32).range(1..=2_000_000))]
    pub(in crate::cli) buffer: Option<i32>,
    /// Do not take packets for other hosts (pfscope never does: tcpdump's flag is taken and
    /// changes nothing)
    #[arg(short = 'p', long = "no-promiscuous-mode")]
    pub(in crate::cli) no_promiscuous: bool,
    #[command(flatten)]
    pub(in crate::cli) relinquish: Relinquish,
}
