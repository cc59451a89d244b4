//! `pfscope ipsec report`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, ValueEnum};

#[cfg(feature = "live")]
use super::Device;
use super::{Common, Format};
use crate::vici::{DEFAULT, Uri};

/// The journal that is read where none is named: 'pfscope ipsec record' is to write it there.
pub(in crate::cli) const JOURNAL: &str = "/var/log/sas.ndjson";

/// Report SAs, policies, tunnels, interfaces, the cache and the audit trail, as ipsec_report(1M)
///
/// Asks strongSwan's IKE daemon over VICI, or reads what it told at a time from a journal. Options
/// may be written as ipsec_report has them (-sa ike, -host active, -all) or with two dashes;
/// without one that names a report all are printed.
///
/// A value that is followed by (derived) is concluded from something else; n/a has no source.
/// --explain tells how, and why. -v adds what ipsec_report does not have. Exit status: 0, or 1 if
/// anything failed, wrong usage too.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pfscope ipsec report -sa all
  pfscope ipsec report -host active --explain
  pfscope ipsec report -cache -r /var/log/pflog
  pfscope ipsec report -audit /var/log/sas.ndjson -entity net-net --since 12:00
  pfscope ipsec report -sa ipsec --sas /var/log/sas.ndjson --at '2026-11-21 12:00'
  pfscope ipsec report --format json > old.json; pfscope ipsec report --diff old.json
  pfscope ipsec report -sa all --watch 2s
  pfscope ipsec report -all -file /var/tmp/ipsec.txt")]
pub(in crate::cli) struct Report {
    /// All reports; so it is too without one
    #[arg(long)]
    pub(in crate::cli) all: bool,
    /// IKE_SAs, or IPsec SAs (two a CHILD_SA), or both
    #[arg(long, value_enum, value_name = "KIND", num_args = 0..=1, default_missing_value = "all")]
    pub(in crate::cli) sa: Option<SaKind>,
    /// IKE policies: the connections that are configured
    #[arg(long)]
    pub(in crate::cli) ike: bool,
    /// Policies that are in force with their SAs, or those that are configured
    #[arg(long, value_enum, value_name = "KIND", action = ArgAction::Append)]
    pub(in crate::cli) host: Vec<HostKind>,
    /// Policies of tunnel mode with their SAs
    #[arg(long)]
    pub(in crate::cli) tunnel: bool,
    /// The interfaces of the daemon's host, and whether IPsec is used there
    #[arg(long)]
    pub(in crate::cli) ip: bool,
    /// What passes in the clear, and what is discarded, by policy
    #[arg(long)]
    pub(in crate::cli) bypass: bool,
    /// What became of each flow, from pf: states of pfsync and packets of pflog (-r or -i)
    #[arg(long)]
    pub(in crate::cli) cache: bool,
    /// The events of a journal, a record each
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = JOURNAL)]
    pub(in crate::cli) audit: Option<PathBuf>,
    /// -audit: of this connection or child, or of this group of the daemon's log (IKE, CHD, ...)
    #[arg(long, value_name = "NAME", requires = "audit")]
    pub(in crate::cli) entity: Option<String>,
    /// Connections and children that are configured, and have no SA
    #[arg(long)]
    pub(in crate::cli) down: bool,
    /// What the daemon counts of IKE
    #[arg(long)]
    pub(in crate::cli) counters: bool,
    /// The daemon's threads, queues, memory
    #[arg(long)]
    pub(in crate::cli) stats: bool,
    /// What each tunnel has carried over rekeys, by the journal (--sas)
    #[arg(long)]
    pub(in crate::cli) totals: bool,
    /// Write the report to a file, whole or not at all
    #[arg(long, value_name = "REPORT", conflicts_with = "watch")]
    pub(in crate::cli) file: Option<PathBuf>,
    /// The IKE daemon's VICI socket
    #[arg(long, value_name = "URI", default_value = DEFAULT, conflicts_with = "sas")]
    pub(in crate::cli) vici: Uri,
    /// Read what the daemon told from a journal; may be given several times
    #[arg(long, value_name = "JOURNAL")]
    pub(in crate::cli) sas: Vec<PathBuf>,
    /// --sas: at this time (default: at the journal's end)
    #[arg(long, value_name = "TIME", requires = "sas")]
    pub(in crate::cli) at: Option<String>,
    /// -cache: read a capture of pflog or pfsync; may be given several times
    #[arg(short = 'r', long = "read", value_name = "FILE")]
    pub(in crate::cli) read: Vec<PathBuf>,
    #[cfg(feature = "live")]
    #[command(flatten)]
    pub(in crate::cli) device: Device,
    /// -cache -i: read the device for so long
    #[arg(long = "for", value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub(in crate::cli) time: Duration,
    /// How to print
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(in crate::cli) format: Format,
    /// Print what ipsec_report does not have too
    #[arg(short = 'v', long)]
    pub(in crate::cli) verbose: bool,
    /// Say how derived values were found, and why others are not available
    #[arg(long)]
    pub(in crate::cli) explain: bool,
    /// Print again so often, until SIGINT: on a terminal in place, with changes marked
    #[arg(long, value_name = "TIME", num_args = 0..=1, default_missing_value = "2s",
        value_parser = duration, conflicts_with = "diff")]
    pub(in crate::cli) watch: Option<Duration>,
    /// Print what has changed since a report of --format json
    #[arg(long, value_name = "OLD.json")]
    pub(in crate::cli) diff: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) common: Common,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum SaKind {
    /// IKE_SAs
    Ike,
    /// IPsec SAs
    Ipsec,
    /// Both
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum HostKind {
    /// In force
    Active,
    /// In the configuration
    Configured,
}

/// `2s`, `500ms`, `1m`, or seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let units = [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("", 1.0)];
    let read = units.iter().find_map(|(unit, seconds)| {
        let number: f64 = text.strip_suffix(unit)?.parse().ok()?;
        Duration::try_from_secs_f64(number * seconds).ok()
    });
    read.filter(|time| (Duration::from_millis(100)..=Duration::from_secs(86_400)).contains(time))
        .ok_or_else(|| "a time is meant, 100ms to 24h: 2s, 500ms, 1m".to_owned())
}
