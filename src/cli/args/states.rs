//! `pfscope states`.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{ArgAction, Args, ValueEnum};

#[cfg(feature = "live")]
use super::Device;
use super::{Common, Format};

/// Follow pfsync and print the state table that it tells of
///
/// Reads pfsync from captures of a pfsync device or of the wire between two firewalls, keeps the
/// table (inserts, updates, compressed updates, deletes, clears, bulk updates, expiry), and prints
/// it at the end as 'pfctl -ss -vv' does. FILTER chooses among the states.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pfscope states -r pfsync.pcap
  pfscope states -r pfsync.pcap --sort bytes -q 'host 10.1.2.3 and tcp'
  pfscope states -r pfsync.pcap --at '2026-11-21 12:00'
  pfscope states --health --pfsync-peers 10.255.0.1,10.255.0.2 -r sync.pcap
  pfscope states --format json -r sync.pcap | jq .state.wire")]
pub(in crate::cli) struct States {
    /// Read a capture file, as -r without a command; may be given several times
    #[arg(short = 'r', long = "read", value_name = "FILE")]
    pub(in crate::cli) read: Vec<PathBuf>,
    #[cfg(feature = "live")]
    #[command(flatten)]
    pub(in crate::cli) device: Device,
    /// Which states to print
    #[arg(value_name = "FILTER")]
    pub(in crate::cli) filter: Vec<String>,
    /// In which order
    #[arg(long, value_enum, default_value_t, value_name = "BY")]
    pub(in crate::cli) sort: SortBy,
    /// The table as it was at this time
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) at: Option<String>,
    /// Print one line a state; with -v also its windows and counters
    #[arg(short = 'q')]
    pub(in crate::cli) quiet: bool,
    /// With -q: print more
    #[arg(short = 'v', action = ArgAction::Count)]
    pub(in crate::cli) verbose: u8,
    /// Print not the states but how well the firewalls tell each other of them: who sends what, how
    /// often, bulk updates, and what is wrong, in words
    #[arg(long, conflicts_with_all = ["sort", "quiet", "filter", "at"])]
    pub(in crate::cli) health: bool,
    /// Addresses of the firewalls: whatever else sends pfsync is suspected in --health
    #[arg(
        long = "pfsync-peers",
        requires = "health",
        value_name = "ADDR,ADDR",
        value_delimiter = ','
    )]
    pub(in crate::cli) peers: Vec<IpAddr>,
    /// Keep at most so many states; beyond that the least recently updated are dropped
    #[arg(long, value_name = "N", default_value_t = 1_000_000,
        value_parser = clap::value_parser!(u32).range(1..))]
    pub(in crate::cli) max_states: u32,
    /// How to print
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(in crate::cli) format: Format,
    #[command(flatten)]
    pub(in crate::cli) common: Common,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(in crate::cli) enum SortBy {
    /// By creator and id
    #[default]
    None,
    /// The oldest first
    Age,
    /// Most bytes first
    Bytes,
    /// Most packets first
    Packets,
    /// Most bytes a second first
    Rate,
}
