//! Live devices.

use clap::Args;

use super::Relinquish;

/// Live capture.
#[derive(Debug, Args)]
pub(in crate::cli) struct Device {
    /// Read a device live: pflog0, pfsync0 or an interface, or its number in the list of -D; may be
    /// given several times. any-pf: all pflog and pfsync devices, also those that appear later. A
    /// device that disappears is waited for
    #[arg(short = 'i', long = "interface", value_name = "DEVICE", conflicts_with = "read")]
    pub(in crate::cli) interfaces: Vec<String>,
    /// List the devices that -i can name, and what they are
    #[arg(short = 'D', long = "list-interfaces", conflicts_with_all = ["read", "interfaces"])]
    pub(in crate::cli) list: bool,
    /// Take so many bytes of each packet (default, and 0: all)
    #[arg(short = 's', long = "snapshot-length", value_name = "BYTES", requires = "interfaces")]
    pub(in crate::cli) snaplen: Option<u32>,
    /// The kernel's capture buffer in KiB (default on Linux: 16384; 8192 with -w and
    /// no filter)
    #[arg(short = 'B', long = "buffer-size", value_name = "KIB", requires = "interfaces",
        value_parser = clap::value_parser!(i32).range(1..=2_000_000))]
    pub(in crate::cli) buffer: Option<i32>,
    /// Take at most so much memory for packets that wait to be decoded, in MiB, all devices
    /// together. What finds no room there is dropped and counted
    #[arg(long = "ring-size", value_name = "MIB", default_value_t = 64,
        value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub(in crate::cli) ring: u32,
    /// Hand on each packet as it comes: on Linux a packet may otherwise wait for 20 ms, which lets
    /// the kernel's buffer hold many times as many
    #[arg(long = "immediate-mode", requires = "interfaces")]
    pub(in crate::cli) immediate: bool,
    /// List the link types that the device can have
    #[arg(short = 'L', long = "list-data-link-types")]
    pub(in crate::cli) list_links: bool,
    /// Take this one of the device's link types
    #[arg(short = 'y', long = "linktype", value_name = "TYPE")]
    pub(in crate::cli) link_type: Option<String>,
    /// Print how the filter is divided and stop: the part that the kernel is given, as the program
    /// that it runs for the device's link type (-y's, or Ethernet's, without -i), and what is
    /// asked of the packets that pass it
    #[arg(short = 'd')]
    pub(in crate::cli) show_filter: bool,
    /// Do not take packets for other hosts (pfscope never does: tcpdump's flag is taken and
    /// changes nothing)
    #[arg(short = 'p', long = "no-promiscuous-mode")]
    pub(in crate::cli) no_promiscuous: bool,
    #[command(flatten)]
    pub(in crate::cli) relinquish: Relinquish,
}
