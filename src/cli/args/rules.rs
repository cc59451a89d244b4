//! `--rules`, `pfscope rules` and `pfscope explain`.

use std::path::PathBuf;

use clap::Args;

use super::{Common, Format, Sandbox};

/// The firewall's ruleset.
#[derive(Debug, Args)]
pub(in crate::cli) struct RulesFrom {
    /// Name the rules that packets were logged by: a file that holds what "pfctl -vvsr -a '*'"
    /// printed (or rules.debug), or a folder of such files, one for each time it was kept
    #[arg(
        long = "rules",
        value_name = "FILE|DIR",
        long_help = "Name the rules that packets were logged by. FILE holds what \"pfctl -vvsr -a \
            '*'\" printed on the firewall, or pfSense's rules.debug, whose rules are found by their \
            tracker only. DIR holds such files of several times (the time is in the file's name, \
            as in 2026-11-21T12:00:00Z.txt, or is when it was last written). A rule that \
            contradicts the packet is never named; one that may have changed since is marked as \
            stale."
    )]
    pub(in crate::cli) rules: Option<PathBuf>,
}

/// List the rules of a firewall, as --rules knows them
///
/// Prints number, anchor, ridentifier, label and text of every rule. Of a folder the rulesets
/// stand in the order of their times.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ssh fw pfctl -vvsr -a \"'*'\" > fw.rules && pfscope rules fw.rules
  pfscope rules --format json /var/db/rules/ | jq -r 'select(.label) | [.number, .label] | @tsv'")]
pub(in crate::cli) struct Rules {
    /// What "pfctl -vvsr -a '*'" printed, rules.debug, or a folder of such files
    #[arg(value_name = "FILE|DIR")]
    pub(in crate::cli) path: PathBuf,
    /// How to print
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(in crate::cli) format: Format,
    /// Print and read times in UTC, not in local time
    #[arg(long)]
    pub(in crate::cli) utc: bool,
    #[command(flatten)]
    pub(in crate::cli) sandbox: Sandbox,
}

/// Say in plain words what pf did with one packet, by which rule and why
///
/// FRAME is the number that --format json shows as 'frame': records count from 1.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pfscope explain -r /var/log/pflog --frame 7
  pfscope explain -r pflog --frame 7 --rules fw.rules
  pfscope explain -r pflog -r pfsync.pcap --frame 7    with the state it belongs to")]
pub(in crate::cli) struct Explain {
    /// The capture file with the packet; more that are given tell of states (pfsync)
    #[arg(short = 'r', long = "read", value_name = "FILE", required = true)]
    pub(in crate::cli) read: Vec<PathBuf>,
    /// Number of the packet's record in the first file, from 1
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(in crate::cli) frame: u64,
    #[command(flatten)]
    pub(in crate::cli) from: RulesFrom,
    #[command(flatten)]
    pub(in crate::cli) common: Common,
}
