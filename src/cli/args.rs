//! The command line as clap takes it apart. tcpdump's letters mean what they mean there.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

/// Shows what a pf firewall says about itself.
///
/// Without a command it prints packets, as tcpdump does: from the pf logs of OpenBSD, FreeBSD,
/// pfSense, OPNsense, NetBSD, DragonFly and macOS alike, and from captures of the wires around
/// them.
#[derive(Debug, Parser)]
#[command(
    name = "pfscope",
    version,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true,
    after_help = SHORT_EXAMPLES,
    after_long_help = EXAMPLES,
    max_term_width = 100
)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    #[command(flatten)]
    pub(super) print: Print,
}

const SHORT_EXAMPLES: &str = "'pfscope --help' says more and shows examples.";

pub(super) const EXAMPLES: &str = "\
Examples:
  pfscope -n -e -ttt -r /var/log/pflog             as 'tcpdump -n -e -ttt -r' shows it
  pfscope -n -e -r pflog.1.gz -r pflog 'action block and on em0'
  pfscope -n -e -i pflog0 'reason short or action block'
  pfscope -n -e -r pflog -r pfsync.pcap            each logged packet with its state and NAT
  pfscope -n -i em3 pfsync
  ssh fw tcpdump -U -w - -i pflog0 | pfscope -n -e -r -
  pfscope --format json -r pflog | jq -c 'select(.pflog.action == \"block\") | .net'
  pfscope --fields ts,pflog.rulenr,net.src,net.dport -r pflog 'inbound and tcp'
  pfscope summary /var/log/pflog*

Exit status: 0 done; 1 something could not be read or written (what could be read was printed);
2 wrong usage.";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Summary(Summary),
    States(States),
    /// Print the JSON Schema of an output format
    Schema {
        /// The format
        #[arg(value_enum)]
        format: SchemaOf,
    },
    /// Print the manual page (roff): pfscope man > pfscope.1
    Man,
    /// Print a shell's completions: pfscope completions bash > /etc/bash_completion.d/pfscope
    Completions {
        /// The shell
        #[arg(value_enum)]
        shell: Shell,
    },
}

/// What to print, and how.
#[derive(Debug, Args)]
pub(super) struct Print {
    /// Read packets from a capture file; may be given several times, '-' is standard input
    #[arg(
        short = 'r',
        long = "read",
        value_name = "FILE",
        long_help = "Read packets from a capture file: pcap or pcapng, plain or packed by gzip, \
            zstd or bzip2 (told by content, not by name). May be given several times; '-' is \
            standard input, which may be a pipe that is still being written."
    )]
    pub(super) read: Vec<PathBuf>,
    #[cfg(feature = "live")]
    #[command(flatten)]
    pub(super) device: Device,
    /// Addresses of the firewalls that speak pfsync: what is suspicious about a packet of others,
    /// or sent otherwise than a firewall does, is printed as a notice
    #[arg(long = "pfsync-peers", value_name = "ADDR,ADDR", value_delimiter = ',')]
    pub(super) peers: Vec<IpAddr>,
    /// What to print: words of the filter language (see 'Filter' in 'pfscope man')
    #[arg(value_name = "FILTER")]
    pub(super) filter: Vec<String>,
    /// Read the filter from a file; words on the command line are then not used
    #[arg(short = 'F', value_name = "FILE")]
    pub(super) filter_file: Option<PathBuf>,
    /// Stop after so many packets
    #[arg(short = 'c', value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) count: Option<u64>,
    /// Print only how many packets match
    #[arg(long = "count")]
    pub(super) count_only: bool,
    /// Print pf's rule, reason, action, direction and interface, or the link header
    #[arg(short = 'e')]
    pub(super) link: bool,
    /// Do not turn ports and protocols into names
    #[arg(short = 'n', action = ArgAction::Count)]
    pub(super) numeric: u8,
    /// Turn addresses into host names by the system's resolver (slow, and seen on the network)
    #[arg(long, conflicts_with = "numeric")]
    pub(super) resolve: bool,
    /// Print less of each protocol
    #[arg(short = 'q')]
    pub(super) quiet: bool,
    /// Print more: IP details and checksums, pf's owners, ridentifier and other addresses
    #[arg(short = 'v', action = ArgAction::Count)]
    pub(super) verbose: u8,
    /// Print no time (-t), seconds since 1970 (-tt), the time since the packet before (-ttt),
    /// date and time (-tttt), the time since the first packet (-ttttt)
    #[arg(short = 't', action = ArgAction::Count)]
    pub(super) time: u8,
    /// Print nine digits of a second
    #[arg(long)]
    pub(super) nano: bool,
    /// Print TCP sequence numbers as they are, not relative to the connection's first
    #[arg(short = 'S')]
    pub(super) absolute: bool,
    /// Print the packet in hex; twice: with its link header
    #[arg(short = 'x', action = ArgAction::Count)]
    pub(super) hex: u8,
    /// Print the packet in hex and ASCII; twice: with its link header
    #[arg(short = 'X', action = ArgAction::Count)]
    pub(super) hex_ascii: u8,
    /// Print the packet in ASCII
    #[arg(short = 'A', action = ArgAction::Count)]
    pub(super) ascii: u8,
    /// Write each line as it comes (pfscope always does: tcpdump's flag is taken and changes
    /// nothing)
    #[arg(short = 'l')]
    pub(super) line_buffered: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(super) format: Format,
    /// Print these values of the JSON, tab separated: ts,pflog.action,net.src
    #[arg(long, value_name = "A,B,C", conflicts_with = "format")]
    pub(super) fields: Option<String>,
    #[command(flatten)]
    pub(super) common: Common,
}

/// Live capture.
#[cfg(feature = "live")]
#[derive(Debug, Args)]
pub(super) struct Device {
    /// Read a device live: pflog0, pfsync0 or an interface; may be given several times
    #[arg(short = 'i', long = "interface", value_name = "DEVICE", conflicts_with = "read")]
    pub(super) interfaces: Vec<String>,
    /// List the devices that -i can name
    #[arg(short = 'D', long = "list-interfaces", conflicts_with_all = ["read", "interfaces"])]
    pub(super) list: bool,
    /// Take so many bytes of each packet (default, and 0: all)
    #[arg(short = 's', long = "snapshot-length", value_name = "BYTES", requires = "interfaces")]
    pub(super) snaplen: Option<u32>,
    /// The kernel's capture buffer in KiB
    #[arg(short = 'B', long = "buffer-size", value_name = "KIB", requires = "interfaces",
        value_parser = clap::value_parser!(i32).range(1..=2_000_000))]
    pub(super) buffer: Option<i32>,
    /// Do not take packets for other hosts (pfscope never does: tcpdump's flag is taken and
    /// changes nothing)
    #[arg(short = 'p', long = "no-promiscuous-mode")]
    pub(super) no_promiscuous: bool,
}

/// Count what is in pf logs: actions, reasons, interfaces, rules, addresses, ports, over time
///
/// Reads the files to their end and prints one page, or with --format json one object.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pfscope summary /var/log/pflog
  pfscope summary /var/log/pflog*.gz -f 'action block and inbound' --top 20
  pfscope summary --format json pflog | jq '.rules[0]'")]
pub(super) struct Summary {
    /// Capture files, as for -r; '-' is standard input
    #[arg(value_name = "FILE", required = true)]
    pub(super) files: Vec<PathBuf>,
    /// Count only what this filter matches
    #[arg(short = 'f', long, value_name = "FILTER")]
    pub(super) filter: Option<String>,
    /// Lines in each table of addresses, ports and rules
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(super) top: usize,
    /// How to print
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(super) format: Format,
    #[command(flatten)]
    pub(super) common: Common,
}

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
pub(super) struct States {
    /// Read a capture file, as -r without a command; may be given several times
    #[arg(short = 'r', long = "read", value_name = "FILE")]
    pub(super) read: Vec<PathBuf>,
    #[cfg(feature = "live")]
    #[command(flatten)]
    pub(super) device: Device,
    /// Which states to print
    #[arg(value_name = "FILTER")]
    pub(super) filter: Vec<String>,
    /// In which order
    #[arg(long, value_enum, default_value_t, value_name = "BY")]
    pub(super) sort: SortBy,
    /// The table as it was at this time
    #[arg(long, value_name = "TIME")]
    pub(super) at: Option<String>,
    /// Print one line a state; with -v also its windows and counters
    #[arg(short = 'q')]
    pub(super) quiet: bool,
    /// With -q: print more
    #[arg(short = 'v', action = ArgAction::Count)]
    pub(super) verbose: u8,
    /// Print not the states but how well the firewalls tell each other of them: who sends what, how
    /// often, bulk updates, and what is wrong, in words
    #[arg(long, conflicts_with_all = ["sort", "quiet", "filter", "at"])]
    pub(super) health: bool,
    /// Addresses of the firewalls: whatever else sends pfsync is suspected in --health
    #[arg(
        long = "pfsync-peers",
        requires = "health",
        value_name = "ADDR,ADDR",
        value_delimiter = ','
    )]
    pub(super) peers: Vec<IpAddr>,
    /// Keep at most so many states; beyond that the least recently updated are dropped
    #[arg(long, value_name = "N", default_value_t = 1_000_000,
        value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) max_states: u32,
    /// How to print
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(super) format: Format,
    #[command(flatten)]
    pub(super) common: Common,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum SortBy {
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

/// What printing and counting have in common.
#[derive(Debug, Args)]
pub(super) struct Common {
    /// Leave out packets before this time: 2026-11-21T12:00:00Z, '2026-11-21 12:00' (local, or
    /// UTC with --utc), 12:00 (today) or seconds since 1970
    #[arg(long, value_name = "TIME")]
    pub(super) since: Option<String>,
    /// Leave out packets from this time on
    #[arg(long, value_name = "TIME")]
    pub(super) until: Option<String>,
    /// Print and read times in UTC, not in local time
    #[arg(long)]
    pub(super) utc: bool,
    /// Colour actions: block red, pass green, match yellow (auto: on a terminal, unless
    /// NO_COLOR is set)
    #[arg(long, value_enum, default_value_t, value_name = "WHEN")]
    pub(super) color: When,
    /// End at the first frame that cannot be decoded
    #[arg(long)]
    pub(super) strict: bool,
    /// Worker threads (as many as there are processors)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(super) threads: Option<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum Format {
    /// For people: lines in tcpdump's manner, a page, a table
    #[default]
    Text,
    /// For programs: JSON, one object a line
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum SchemaOf {
    /// The native JSON of --format json
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum When {
    /// On a terminal
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}
