//! `feed.toml`: what is read, and what is delivered where.
//!
//! Every key is known, or it is an error with its line. What a key means stands in the example,
//! `contrib/feed.toml`, which a test reads.

mod output;
mod source;
mod value;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

pub use output::{Common, Elastic, File, Http, Login, Loki, Nats, Outputs, Splunk, Stdout, Syslog};
pub use source::Source;
pub use value::{Bytes, Span};

/// A configuration.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where checkpoints and dead letters are kept.
    pub state_dir: Option<PathBuf>,
    /// The firewall's name; the host's own by default.
    pub observer: Option<String>,
    /// The firewall's inside networks, as `--internal-net`.
    #[serde(default)]
    pub internal_nets: Vec<String>,
    /// pf's rules, as `--rules`.
    pub rules: Option<PathBuf>,
    /// The IKE daemon, as `--vici`.
    pub vici: Option<String>,
    /// A journal of IPsec SAs, as `--sas`.
    pub sas: Option<PathBuf>,
    /// Where the counters are served in Prometheus's format.
    pub metrics: Option<SocketAddr>,
    /// How often a heartbeat is sent; 0: never.
    pub heartbeat: Option<Span>,
    /// Whether the feed tells the outputs of itself: when it starts and ends, and heartbeats.
    #[serde(default = "yes")]
    pub notices: bool,
    /// What is read.
    #[serde(default, rename = "source")]
    pub sources: Vec<Source>,
    /// Where it goes.
    #[serde(default, rename = "output")]
    pub outputs: Outputs,
}

/// How often a heartbeat is sent unless it is said otherwise.
const HEARTBEAT: Duration = Duration::from_secs(60);

/// What can be divided into segments that hold something.
const LEAST_SPOOL: u64 = 1 << 20;

const fn yes() -> bool {
    true
}

impl Config {
    /// Reads a configuration.
    ///
    /// # Errors
    /// What is wrong, with line and column.
    pub fn parse(text: &str) -> Result<Self, String> {
        let config: Self = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            let before = text.get(..at).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            let column = before.len() - before.rfind('\n').map_or(0, |end| end + 1) + 1;
            format!("line {line}, column {column}: {}", error.message().trim())
        })?;
        config.check()?;
        Ok(config)
    }

    /// How often a heartbeat is sent, if at all.
    pub fn heartbeat(&self) -> Option<Duration> {
        let every = self.heartbeat.map_or(HEARTBEAT, |span| span.0);
        (self.notices && !every.is_zero()).then_some(every)
    }

    /// What no single key shows.
    ///
    /// # Errors
    /// What does not go together.
    pub fn check(&self) -> Result<(), String> {
        if self.sources.is_empty() {
            return Err("nothing to read: no [[source]]".to_owned());
        }
        let mut names = Vec::new();
        for source in &self.sources {
            source.check()?;
            names.push(format!("source {}", source.name()));
        }
        let outputs: Vec<_> = self.outputs.common().collect();
        if outputs.is_empty() {
            return Err("nowhere to deliver to: no [[output.…]]".to_owned());
        }
        for Common { name, spool, .. } in outputs {
            if let Some(Bytes(bytes)) = spool.filter(|&Bytes(bytes)| bytes < LEAST_SPOOL) {
                return Err(format!(
                    "output {name}: spool: {bytes} bytes are too few: 1MiB at least"
                ));
            }
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            if name.is_empty() || name.starts_with('.') || !name.chars().all(plain) {
                // Names of files are made of it.
                return Err(format!(
                    "output '{name}': a name has letters, digits, '-', '_' and '.'"
                ));
            }
            names.push(format!("output {name}"));
        }
        names.sort_unstable();
        let twice = names.iter().zip(names.iter().skip(1)).find(|(one, next)| one == next);
        twice.map_or(Ok(()), |(name, _)| Err(format!("{name} is there twice: give each a name")))
    }
}

#[cfg(test)]
mod tests;
