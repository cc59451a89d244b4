//! `pfscope summary`.

use std::path::PathBuf;

use clap::Args;

use super::{Common, Format, RulesFrom};

/// Count what is in pf logs: actions, reasons, interfaces, rules, addresses, ports, over time
///
/// Reads the files to their end and prints one page, or with --format json one object.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pfscope summary /var/log/pflog
  pfscope summary /var/log/pflog*.gz -f 'action block and inbound' --top 20
  pfscope summary --format json pflog | jq '.rules[0]'")]
pub(in crate::cli) struct Summary {
    /// Capture files, as for -r; '-' is standard input
    #[arg(value_name = "FILE", required = true)]
    pub(in crate::cli) files: Vec<PathBuf>,
    /// Count only what this filter matches
    #[arg(short = 'f', long, value_name = "FILTER")]
    pub(in crate::cli) filter: Option<String>,
    /// Lines in each table of addresses, ports and rules
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(in crate::cli) top: usize,
    /// How to print
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(in crate::cli) format: Format,
    #[command(flatten)]
    pub(in crate::cli) from: RulesFrom,
    #[command(flatten)]
    pub(in crate::cli) common: Common,
}
