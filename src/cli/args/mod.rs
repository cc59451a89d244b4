//! The command line as clap takes it apart. tcpdump's letters mean what they mean there.

#[cfg(feature = "live")]
mod device;
#[cfg(feature = "feed")]
mod feed;
mod ipsec;
mod report;
mod rights;
mod rules;
mod save;
mod schemas;
mod sources;
mod states;
mod summary;
mod vici;

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;

use clap::{ArgAction, Args, FromArgMatches, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

#[cfg(feature = "live")]
pub(super) use device::Device;
#[cfg(feature = "feed")]
pub(super) use feed::Feed;
pub(super) use ipsec::{Ipsec, IpsecCommand, Record, Sas, Totals};
pub(super) use report::{HostKind, JOURNAL, Report, SaKind};
#[cfg(feature = "live")]
use rights::Relinquish;
pub(super) use rights::Sandbox;
pub(super) use rules::{Explain, Rules, RulesFrom};
pub(super) use save::Save;
pub(super) use schemas::{EventFormat, Reporter, Schemas};
pub(super) use sources::Sources;
pub(super) use states::{SortBy, States};
pub(super) use summary::Summary;
pub(super) use vici::{Vici, ViciFormat};

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
pub(in crate::cli) struct Cli {
    #[command(subcommand)]
    pub(in crate::cli) command: Option<Command>,
    #[command(flatten)]
    pub(in crate::cli) print: Print,
}

impl Cli {
    /// Takes a command line apart, which begins with the program's name. Behind an option there is
    /// no command (`args_conflicts_with_subcommands`): those are then not made, with all their
    /// options, unless something is wrong and the message is to show what there is.
    pub(in crate::cli) fn of(args: Vec<OsString>) -> Result<Self, clap::Error> {
        if args.get(1).is_some_and(|first| first.as_encoded_bytes().starts_with(b"-")) {
            let alone = Print::augment_args(clap::Command::new(env!("CARGO_PKG_NAME")));
            let print = alone.try_get_matches_from(&args);
            if let Ok(print) = print.and_then(|matches| Print::from_arg_matches(&matches)) {
                return Ok(Self { command: None, print });
            }
        }
        Self::try_parse_from(args)
    }

    /// Lets the command give up rights of the process.
    pub(in crate::cli) const fn own_process(&mut self) {
        let sandbox = match &mut self.command {
            None => &mut self.print.common.sandbox,
            Some(Command::Summary(args)) => &mut args.common.sandbox,
            Some(Command::States(args)) => &mut args.common.sandbox,
            Some(Command::Explain(args)) => &mut args.common.sandbox,
            Some(Command::Rules(args)) => &mut args.sandbox,
            Some(Command::Vici(args)) => &mut args.sandbox,
            Some(Command::Ipsec(args)) => match &mut args.command {
                IpsecCommand::Report(args) => &mut args.common.sandbox,
                IpsecCommand::Record(args) => &mut args.sandbox,
                IpsecCommand::Totals(args) => &mut args.sandbox,
            },
            #[cfg(feature = "feed")]
            Some(Command::Feed(args)) => &mut args.sandbox,
            // They read nothing.
            Some(Command::Schema { .. } | Command::Man | Command::Completions { .. }) => return,
        };
        sandbox.own_process = true;
    }
}

const SHORT_EXAMPLES: &str = "'pfscope --help' says more and shows examples.";

pub(in crate::cli) const EXAMPLES: &str = "\
Examples:
  pfscope -n -e -ttt -r /var/log/pflog             as 'tcpdump -n -e -ttt -r' shows it
  pfscope -n -e -r pflog.1.gz -r pflog 'action block and on em0'
  pfscope -n -e -i pflog0 'reason short or action block'
  pfscope -n -e -r pflog -r pfsync.pcap            each logged packet with its state and NAT
  pfscope -n -e --rules fw.rules -r pflog 'label web*'    with the rules' names
  pfscope explain -r pflog --frame 7 --rules fw.rules      what happened to a packet, in words
  pfscope -n -i em3 pfsync
  pfscope -n -i em0 --vici unix:///var/run/charon.vici 'tunnel net-net'
  pfscope -w /var/log/pflog -i pflog0              keep a log, as pflogd does
  pfscope -w day.%F -G 86400 --compress zstd --pcapng -i pflog0 -i em3
  pfscope -n -e --follow --from-start -r /var/log/pflog
  pfscope -n -e --merge -r fw1.pcap -r fw2.pcap --offset fw2.pcap=-1.5s
  ssh fw tcpdump -U -w - -i pflog0 | pfscope -n -e -r -
  pfscope --format json -r pflog | jq -c 'select(.pflog.action == \"block\") | .net'
  pfscope --format ecs --observer fw1 --internal-net 10.0.0.0/8 -r pflog > pflog.ndjson
  pfscope --fields ts,pflog.rulenr,net.src,net.dport -r pflog 'inbound and tcp'
  pfscope summary /var/log/pflog*
  pfscope feed --config /etc/pfscope/feed.toml     to a SIEM, at least once
  pfscope ipsec report -host active                as ipsec_report(1M) prints it
  pfscope vici list-sas                            what swanctl --list-sas asks for

Signals: SIGUSR1 (SIGINFO, ^T, on BSD) prints a live capture's counters; SIGINT and SIGTERM end it
within two seconds, a second one at once.

Exit status: 0 done; 1 something could not be read or written (what could be read was printed);
2 wrong usage.";

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Command {
    Summary(Summary),
    States(States),
    Explain(Explain),
    Rules(Rules),
    #[cfg(feature = "feed")]
    Feed(Box<Feed>),
    Ipsec(Ipsec),
    Vici(Vici),
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
pub(in crate::cli) struct Print {
    /// Read packets from a capture file; may be given several times, '-' is standard input
    #[arg(
        short = 'r',
        long = "read",
        value_name = "FILE",
        long_help = "Read packets from a capture file: pcap or pcapng, plain or packed by gzip, \
            zstd or bzip2 (told by content, not by name). May be given several times; '-' is \
            standard input, which may be a pipe that is still being written."
    )]
    pub(in crate::cli) read: Vec<PathBuf>,
    #[cfg(feature = "live")]
    #[command(flatten)]
    pub(in crate::cli) device: Device,
    #[command(flatten)]
    pub(in crate::cli) from: RulesFrom,
    #[command(flatten)]
    pub(in crate::cli) save: Save,
    #[command(flatten)]
    pub(in crate::cli) sources: Sources,
    /// Addresses of the firewalls that speak pfsync: what is suspicious about a packet of others,
    /// or sent otherwise than a firewall does, is printed as a notice
    #[arg(long = "pfsync-peers", value_name = "ADDR,ADDR", value_delimiter = ',')]
    pub(in crate::cli) peers: Vec<IpAddr>,
    #[command(flatten)]
    pub(in crate::cli) tunnels: Sas,
    /// What to print: words of the filter language (see 'Filter' in 'pfscope man')
    #[arg(value_name = "FILTER")]
    pub(in crate::cli) filter: Vec<String>,
    /// Read the filter from a file; words on the command line are then not used
    #[arg(short = 'F', value_name = "FILE")]
    pub(in crate::cli) filter_file: Option<PathBuf>,
    /// Stop after so many packets
    #[arg(short = 'c', value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    pub(in crate::cli) count: Option<u64>,
    /// Print only how many packets match
    #[arg(long = "count")]
    pub(in crate::cli) count_only: bool,
    /// Print pf's rule, reason, action, direction and interface, or the link header
    #[arg(short = 'e')]
    pub(in crate::cli) link: bool,
    /// Do not turn ports and protocols into names
    #[arg(short = 'n', action = ArgAction::Count)]
    pub(in crate::cli) numeric: u8,
    /// Turn addresses into host names by the system's resolver (slow, and seen on the network)
    #[arg(long, conflicts_with = "numeric")]
    pub(in crate::cli) resolve: bool,
    /// Print less of each protocol
    #[arg(short = 'q')]
    pub(in crate::cli) quiet: bool,
    /// Print more: IP details and checksums, pf's owners, ridentifier and other addresses
    #[arg(short = 'v', action = ArgAction::Count)]
    pub(in crate::cli) verbose: u8,
    /// Print no time (-t), seconds since 1970 (-tt), the time since the packet before (-ttt),
    /// date and time (-tttt), the time since the first packet (-ttttt)
    #[arg(short = 't', action = ArgAction::Count)]
    pub(in crate::cli) time: u8,
    /// Print nine digits of a second
    #[arg(long)]
    pub(in crate::cli) nano: bool,
    /// Print TCP sequence numbers as they are, not relative to the connection's first
    #[arg(short = 'S')]
    pub(in crate::cli) absolute: bool,
    /// Print the packet in hex; twice: with its link header
    #[arg(short = 'x', action = ArgAction::Count)]
    pub(in crate::cli) hex: u8,
    /// Print the packet in hex and ASCII; twice: with its link header
    #[arg(short = 'X', action = ArgAction::Count)]
    pub(in crate::cli) hex_ascii: u8,
    /// Print the packet in ASCII
    #[arg(short = 'A', action = ArgAction::Count)]
    pub(in crate::cli) ascii: u8,
    /// Write each line as it comes (pfscope always does: tcpdump's flag is taken and changes
    /// nothing)
    #[arg(short = 'l')]
    pub(in crate::cli) line_buffered: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(in crate::cli) format: EventFormat,
    #[command(flatten)]
    pub(in crate::cli) schemas: Schemas,
    /// Print these values of the JSON, tab separated: ts,pflog.action,net.src
    #[arg(long, value_name = "A,B,C", conflicts_with = "format")]
    pub(in crate::cli) fields: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) common: Common,
}

/// What printing and counting have in common.
#[derive(Debug, Args)]
pub(in crate::cli) struct Common {
    /// Leave out packets before this time: 2026-11-21T12:00:00Z, '2026-11-21 12:00' (local, or
    /// UTC with --utc), 12:00 (today) or seconds since 1970
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) since: Option<String>,
    /// Leave out packets from this time on
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) until: Option<String>,
    /// Print and read times in UTC, not in local time
    #[arg(long)]
    pub(in crate::cli) utc: bool,
    /// Colour actions: block red, pass green, match yellow (auto: on a terminal, unless
    /// NO_COLOR is set)
    #[arg(long, value_enum, default_value_t, value_name = "WHEN")]
    pub(in crate::cli) color: When,
    /// End at the first frame that cannot be decoded
    #[arg(long)]
    pub(in crate::cli) strict: bool,
    /// Worker threads (as many as there are processors)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(in crate::cli) threads: Option<u8>,
    #[command(flatten)]
    pub(in crate::cli) sandbox: Sandbox,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(in crate::cli) enum Format {
    /// For people: a page, a table
    #[default]
    Text,
    /// For programs: JSON, one object a line
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum SchemaOf {
    /// The native JSON of --format json
    Json,
    /// --format ecs
    Ecs,
    /// --format ocsf
    Ocsf,
    /// 'pfscope ipsec report --format json'
    Report,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(in crate::cli) enum When {
    /// On a terminal
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}
