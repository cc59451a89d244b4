//! Several sources as one, and files that still grow.

use clap::Args;

/// How sources are read.
#[derive(Debug, Args)]
pub(in crate::cli) struct Sources {
    /// Read on as the files grow, through rotation and truncation, until SIGINT or SIGTERM
    #[arg(
        long,
        long_help = "Read on as the files grow, until SIGINT or SIGTERM. A file is read from its \
            start, and then as it grows; one that is renamed is finished before the new one of its \
            name is begun; one that is truncated is read again from its start; one that is not \
            there yet is waited for. Several files are followed at once and printed as their \
            packets come, or with --merge by time. Pipes are read to their end."
    )]
    pub(in crate::cli) follow: bool,
    /// With --follow: first read the files rotated away, FILE.N.gz to FILE.0.gz, the oldest first
    #[arg(
        long,
        requires = "follow",
        long_help = "With --follow: first read the files that were rotated away, the oldest first: \
            FILE.N to FILE.0 of newsyslog or FILE.1 of logrotate, with .gz, .zst, .bz2 or without."
    )]
    pub(in crate::cli) from_start: bool,
    /// Merge the files by time; a file that is not in order itself is not put in order
    #[arg(long)]
    pub(in crate::cli) merge: bool,
    /// Add to the times of a file (as named by -r) or an interface: fw2.pcap=+1.5s, em0=-20ms
    #[arg(
        long = "offset",
        value_name = "NAME=OFFSET",
        long_help = "Add to the times of a file, named as for -r, or of an interface: \
            fw2.pcap=+1.5s, em0=-20ms. Units: ns, us, ms, s, m, h. May be given several times."
    )]
    pub(in crate::cli) offsets: Vec<String>,
}
