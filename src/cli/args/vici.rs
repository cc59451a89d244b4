//! `pfscope vici`.

use std::fmt::Write;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::{Reporter, Sandbox};
use crate::vici::commands::{COMMANDS, EVENTS};
use crate::vici::{DEFAULT, Uri};

/// Ask strongSwan's IKE daemon over VICI, or listen to its events
///
/// Sends a command and prints what the daemon answers: as 'swanctl --pretty' does, or as JSON.
/// 'pfscope vici listen [EVENT...]' prints events as they come, one a line, and goes on when the
/// daemon is started again; without EVENT all that tell of changes, not the log.
///
/// Arguments are key=value; the names of sections stand in front with dots, lists are in
/// brackets: children.net.local_ts=[10.0.0.0/8,10.1.0.0/16]. Names and values may be quoted:
/// 'children."my net".mode=tunnel'. A single '-' reads the request from standard input as a JSON
/// object.
///
/// Values and names are escaped (\xNN) where they are not printable, certificates are hex. In
/// JSON one object a line has the event's or the reply's message; of several entries of one name
/// in a section the second is NAME#2, and so on.
#[derive(Debug, Args)]
#[command(after_help = after_help())]
pub(in crate::cli) struct Vici {
    /// A command of the daemon, or 'listen'
    #[arg(value_name = "COMMAND")]
    pub(in crate::cli) command: String,
    /// The command's arguments, '-' for standard input, or the events to listen to
    #[arg(value_name = "KEY=VALUE")]
    pub(in crate::cli) arguments: Vec<String>,
    /// The daemon's socket: unix:///PATH or tcp://HOST:PORT
    #[arg(long, value_name = "URI", default_value = DEFAULT)]
    pub(in crate::cli) uri: Uri,
    /// Let the command change the daemon, its SAs or its configuration
    #[arg(long)]
    pub(in crate::cli) write: bool,
    /// Seconds to wait for the daemon
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub(in crate::cli) timeout: Duration,
    /// listen: stop after so many events
    #[arg(short = 'c', value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    pub(in crate::cli) count: Option<u64>,
    /// Print times in UTC, not in local time
    #[arg(long)]
    pub(in crate::cli) utc: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(in crate::cli) format: ViciFormat,
    #[command(flatten)]
    pub(in crate::cli) reporter: Reporter,
    #[command(flatten)]
    pub(in crate::cli) sandbox: Sandbox,
}

/// How messages are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(in crate::cli) enum ViciFormat {
    /// For people: as swanctl does, an event on one line
    #[default]
    Text,
    /// For programs: pfscope's own JSON, one object a line
    Json,
    /// listen: Elastic Common Schema, a document for each SA that an event tells of
    Ecs,
    /// listen: Open Cybersecurity Schema Framework 1.8, an event for each SA
    Ocsf,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds
        .filter(|seconds| {
            (Duration::from_millis(1)..=Duration::from_secs(86_400)).contains(seconds)
        })
        .ok_or_else(|| "seconds are meant, 0.001 to 86400".to_owned())
}

fn after_help() -> String {
    let mut help = String::new();
    let heads =
        [(false, "Commands that read:"), (true, "Commands that change something (--write):")];
    for (writes, head) in heads {
        // Writing to a string does not fail.
        let _ = writeln!(help, "{head}");
        for command in COMMANDS.iter().filter(|command| command.writes == writes) {
            let _ = writeln!(help, "  {:17} {}", command.name, command.about);
        }
        help.push('\n');
    }
    let events: Vec<&str> = EVENTS.iter().map(|(name, _)| *name).collect();
    let _ = write!(
        help,
        "Events:\n  {}\n  {}\n
Examples:
  pfscope vici list-sas
  pfscope vici list-sas --format json | jq '.message[].\"child-sas\"'
  pfscope vici listen child-updown child-rekey
  pfscope vici listen --format ecs --observer fw1
  pfscope vici initiate --write child=net1 --timeout 30
  pfscope vici load-conn --write - < conn.json",
        events.get(..6).unwrap_or_default().join(" "),
        events.get(6..).unwrap_or_default().join(" "),
    );
    help
}
