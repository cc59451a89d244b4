//! `pfscope feed`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use super::rights::Sandbox;
use crate::vici::Uri;

/// Deliver events to a SIEM, at least once: files, syslog, Elasticsearch, Splunk, Loki, HTTP, NATS
///
/// Each output has its own format, filter and pace: one that is down holds up no other. What an
/// output has acknowledged is remembered in the state folder, so that the next run goes on behind
/// it, whatever ended this one. What cannot be read again (devices, standard input, the events of an
/// IKE daemon) waits there, too, in a bounded spool for each output. Several sources and outputs,
/// logins and TLS stand in feed.toml; a source or two and where to can be given as options.
///
/// SIGTERM and SIGINT deliver what is in memory (two seconds at most) and end; SIGHUP reads
/// feed.toml again, and outputs that it does not change go on as they are.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "\
Examples:
  pfscope feed --config /etc/pfscope/feed.toml
  pfscope feed --config feed.toml --check           parses, connects, sends nothing
  pfscope feed -r /var/log/pflog --follow --state-dir /var/db/pfscope --to tcp://siem:601
  pfscope feed -i pflog0 -i pfsync0 --state-dir /var/db/pfscope --to https://siem/pf
  pfscope feed -r pflog.0.gz -r pflog --once --format ecs --to file:pflog.ndjson
  pfscope feed -r pflog --once --to nats://127.0.0.1:4222/pf.events 'action block'

Exit status: 0 all was delivered, or the end was asked for; 1 something was refused (see
NAME.dead.ndjson in the state folder), lost or could not be read; 2 wrong usage."
)]
pub(in crate::cli) struct Feed {
    /// What to read and where to deliver it (contrib/feed.toml is an example with all keys)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["read", "to"])]
    pub(in crate::cli) config: Option<PathBuf>,
    /// End at the end of the files, also of those that are followed, once all is acknowledged
    #[arg(long)]
    pub(in crate::cli) once: bool,
    /// Only say whether it would work: read the configuration, connect, send nothing
    #[arg(long)]
    pub(in crate::cli) check: bool,
    /// Folder that remembers what was delivered, and keeps what waits and what was refused
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) state_dir: Option<PathBuf>,
    /// Serve the counters there in Prometheus's format: 127.0.0.1:9108
    #[arg(long, value_name = "ADDR:PORT")]
    pub(in crate::cli) metrics: Option<SocketAddr>,
    /// Read a capture file; may be given several times, '-' is standard input
    #[arg(short = 'r', long = "read", value_name = "FILE")]
    pub(in crate::cli) read: Vec<PathBuf>,
    /// Read a device live, as 'pfscope -i' does; may be given several times
    #[cfg(feature = "live")]
    #[arg(short = 'i', long = "interface", value_name = "DEVICE", conflicts_with_all = ["once", "config"])]
    pub(in crate::cli) interfaces: Vec<String>,
    /// Read on as the files grow, through rotation
    #[arg(long, requires = "read")]
    pub(in crate::cli) follow: bool,
    /// With --follow: begin with the files that were rotated away
    #[arg(long, requires = "follow")]
    pub(in crate::cli) from_start: bool,
    /// Deliver to: stdout, file:PATH, unix:PATH, udp://, tcp:// or tls://HOST:PORT (syslog),
    /// http(s)://HOST/PATH (lines of JSON), nats://HOST:PORT/SUBJECT; may be given several times
    #[arg(long, value_name = "WHERE")]
    pub(in crate::cli) to: Vec<String>,
    /// With --to: ecs, ecs-8.11, ocsf, json, text, filterlog or filterlog-opnsense
    #[arg(long, value_name = "FORMAT", requires = "to")]
    pub(in crate::cli) format: Option<String>,
    /// The firewall's name (default: this machine's name)
    #[arg(long, value_name = "NAME", conflicts_with = "config",
        value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(in crate::cli) observer: Option<String>,
    /// The firewall's inside networks
    #[arg(
        long = "internal-net",
        value_name = "NET,NET",
        value_delimiter = ',',
        conflicts_with = "config"
    )]
    pub(in crate::cli) internal: Vec<String>,
    /// Name the rules, as 'pfscope --rules' does
    #[arg(long, value_name = "FILE|DIR", conflicts_with = "config")]
    pub(in crate::cli) rules: Option<PathBuf>,
    /// Name the tunnels, from the IKE daemon at this VICI socket
    #[arg(long, value_name = "URI", conflicts_with_all = ["config", "sas"])]
    pub(in crate::cli) vici: Option<Uri>,
    /// Name the tunnels, from a journal of 'pfscope ipsec record'
    #[arg(long, value_name = "JOURNAL", conflicts_with = "config")]
    pub(in crate::cli) sas: Option<PathBuf>,
    /// Send a heartbeat so often: 60s, 5m; 0s: never (default: every minute)
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) heartbeat: Option<String>,
    /// Send events only, nothing about the feed itself: no start, stop or heartbeat
    #[arg(long)]
    pub(in crate::cli) no_notices: bool,
    /// Become this user once the address of --metrics is taken: one who can read the sources, the
    /// secrets and feed.toml, and write the state folder
    #[arg(short = 'Z', long = "relinquish-privileges", value_name = "USER")]
    pub(in crate::cli) user: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) sandbox: Sandbox,
    /// What to deliver: words of the filter language (see 'Filter' in 'pfscope man')
    #[arg(value_name = "FILTER", conflicts_with = "config")]
    pub(in crate::cli) filter: Vec<String>,
}
