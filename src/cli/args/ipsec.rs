//! `--vici`, `--sas` and `pfscope ipsec`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Format, Sandbox};
use crate::vici::{DEFAULT, Uri};

/// Where tunnels are known from.
#[derive(Debug, Args)]
pub(in crate::cli) struct Sas {
    /// Name the tunnel of each packet, from the IKE daemon (strongSwan) at this VICI socket:
    /// unix:///var/run/charon.vici or tcp://127.0.0.1:4502
    #[arg(long, value_name = "URI", conflicts_with = "sas")]
    pub(in crate::cli) vici: Option<Uri>,
    /// Name the tunnel of each packet at its time, from a journal that 'pfscope ipsec record'
    /// wrote; may be given several times
    #[arg(long, value_name = "JOURNAL")]
    pub(in crate::cli) sas: Vec<PathBuf>,
}

/// IPsec: reports, a journal of the IKE daemon's SAs, and what tunnels have carried
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "\
Examples:
  pfscope ipsec record --to /var/log/sas.ndjson
  pfscope -n -e -r /var/log/pflog --sas /var/log/sas.ndjson 'tunnel net-net'
  pfscope ipsec totals --sas /var/log/sas.ndjson
  pfscope ipsec report -host active"
)]
pub(in crate::cli) struct Ipsec {
    #[command(subcommand)]
    pub(in crate::cli) command: IpsecCommand,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum IpsecCommand {
    Report(Box<super::report::Report>),
    Record(Record),
    Totals(Totals),
}

/// Write what the IKE daemon tells of its SAs to a journal, until SIGINT or SIGTERM
///
/// The journal has all SAs at the start and from time to time, every event, the daemon's log (at
/// its usual level), and configuration, policies and counters as they change: an object a line,
/// each written at once. With it 'pfscope -r pflog --sas JOURNAL' names the tunnel of a packet at
/// the packet's time, over rekeys and restarts of the daemon. While the daemon does not answer it
/// is tried again.
#[derive(Debug, Args)]
pub(in crate::cli) struct Record {
    /// The journal; one that is there is gone on with
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) to: PathBuf,
    /// The daemon's VICI socket
    #[arg(long, value_name = "URI", default_value = DEFAULT)]
    pub(in crate::cli) vici: Uri,
    /// List all SAs so often
    #[arg(long, value_name = "SECONDS", default_value_t = 30,
        value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(in crate::cli) every: u64,
    /// Put the file aside (FILE.1, FILE.2, ...) when it has so many MB
    #[arg(short = 'C', long = "size", value_name = "MB",
        value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(in crate::cli) size: Option<u64>,
    /// Put the file aside when it is so old
    #[arg(short = 'G', long = "age", value_name = "SECONDS",
        value_parser = clap::value_parser!(u64).range(1..))]
    pub(in crate::cli) age: Option<u64>,
    /// Keep so many files beside the newest
    #[arg(short = 'W', long = "keep", value_name = "N", default_value_t = 10,
        value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub(in crate::cli) keep: u32,
    #[command(flatten)]
    pub(in crate::cli) sandbox: Sandbox,
}

/// Add up what each tunnel has carried, over rekeys and restarts
#[derive(Debug, Args)]
pub(in crate::cli) struct Totals {
    /// A journal of 'pfscope ipsec record'; may be given several times
    #[arg(long, value_name = "JOURNAL", required = true)]
    pub(in crate::cli) sas: Vec<PathBuf>,
    /// How to print
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(in crate::cli) format: Format,
    #[command(flatten)]
    pub(in crate::cli) sandbox: Sandbox,
}
