//! `-w` and what goes with it.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

/// Packets into files.
#[derive(Debug, Args)]
pub(in crate::cli) struct Save {
    /// Write packets to a file, not lines: pcap, of the input's link type and precision
    #[arg(
        short = 'w',
        long = "write",
        value_name = "FILE",
        conflicts_with_all = ["count_only", "format", "fields"],
        long_help = "Write packets to a file, not lines: pcap, of the input's link type and \
            precision (nanoseconds with --nano). '-' is standard output. Without a filter, times or \
            --strict packets are written as they come and not decoded. A file that is there is \
            appended to if its header fits (a last record that is not whole is cut off), and \
            moved to FILE.bad.XXXXXXXX if not; tcpdump would overwrite it. SIGHUP opens the file \
            again, after newsyslog or logrotate have renamed it. While the file cannot be \
            written, as on a full disk, packets are counted; the exit status is then 1."
    )]
    pub(in crate::cli) write: Option<PathBuf>,
    /// Write pcapng: several link types in one file, names of interfaces, drop counters
    #[arg(long, requires = "write")]
    pub(in crate::cli) pcapng: bool,
    /// Write packets as they come
    #[arg(short = 'U', long = "packet-buffered", requires = "write")]
    pub(in crate::cli) at_once: bool,
    /// A packet waits so many seconds at most to be written
    #[arg(long, value_name = "SECONDS", default_value = "1", requires = "write",
        value_parser = interval)]
    pub(in crate::cli) flush_interval: Duration,
    /// Go on in FILE1, FILE2 and so on when a file has more than so many million bytes (k, m or
    /// g behind the number: KiB, MiB, GiB)
    #[arg(short = 'C', value_name = "SIZE", requires = "write", value_parser = size)]
    pub(in crate::cli) size: Option<u64>,
    /// Begin a new file after so many seconds; FILE is then a name for strftime(3): log.%H%M
    #[arg(short = 'G', value_name = "SECONDS", requires = "write",
        value_parser = clap::value_parser!(u64).range(1..))]
    pub(in crate::cli) seconds: Option<u64>,
    /// With -C: overwrite the first of so many files when the last is full; with -G alone: stop
    /// after so many
    #[arg(short = 'W', value_name = "FILES", requires = "write",
        value_parser = clap::value_parser!(u32).range(1..))]
    pub(in crate::cli) files: Option<u32>,
    /// Compress files that -C and -G have finished: FILE becomes FILE.zst. What is not compressed
    /// when the end is asked for is left as it is
    #[arg(long, value_enum, value_name = "FORMAT", requires = "write")]
    pub(in crate::cli) compress: Option<Compress>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Compress {
    /// Zstandard
    Zstd,
}

/// Seconds with a fraction, from a hundredth to an hour.
fn interval(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|seconds| (0.01..=3600.0).contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| "not from 0.01 to 3600".to_owned())
}

/// A number of millions, or of the binary unit behind it, as tcpdump 5 reads it.
fn size(text: &str) -> Result<u64, String> {
    let unit = match text.as_bytes().last() {
        Some(b'k' | b'K') => 1 << 10,
        Some(b'm' | b'M') => 1 << 20,
        Some(b'g' | b'G') => 1 << 30,
        _ => 1_000_000,
    };
    let digits = if unit == 1_000_000 { text } else { text.get(..text.len() - 1).unwrap_or(text) };
    let number = digits.parse::<u64>().ok().filter(|&number| number > 0);
    let size = number.and_then(|number| number.checked_mul(unit));
    size.ok_or_else(|| "not a size: write 10, 512k, 10m or 1g".to_owned())
}

#[cfg(test)]
mod tests {
    #[test]
    fn sizes_are_tcpdump_s() {
        let sizes = ["1", "20", "3k", "3K", "2m", "1g"].map(|text| super::size(text).unwrap());
        assert_eq!(sizes, [1_000_000, 20_000_000, 3072, 3072, 2 << 20, 1 << 30]);
        for wrong in ["", "0", "k", "-1", "1x", "1.5", "1kk", "99999999999999999999", "1é"] {
            super::size(wrong).unwrap_err();
        }
        super::size("18446744073709551615g").unwrap_err();
    }

    #[test]
    fn intervals_have_a_range() {
        assert_eq!(super::interval("0.25").unwrap().as_millis(), 250);
        for wrong in ["", "0", "nan", "inf", "-1", "4000"] {
            super::interval(wrong).unwrap_err();
        }
    }
}
