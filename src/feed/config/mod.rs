//! `feed.toml`: what is read, and what is delivered where.
//!
//! Every key is known, or it is an error with its line. What a key means stands in the example,
//! `contrib/feed.toml`, which a test reads.

mod output;
mod source;
mod value;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

pub use output::{
    Common, Compress, Elastic, File, Http, Login, Loki, Nats, Outputs, Requests, Splunk, Stdout,
    Syslog,
};
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
        if let Some((name, _)) = twice {
            return Err(format!("{name} is there twice: give each a name"));
        }
        self.check_files()
    }

    /// A file is read by one source, or written by one output.
    fn check_files(&self) -> Result<(), String> {
        let sources = self.sources.iter().filter_map(|source| {
            let path = source.file.as_deref()?;
            Some((format!("source {}", source.name()), found(path)))
        });
        let files = self
            .outputs
            .file
            .iter()
            .map(|output| (format!("output {}", output.name), found(&output.path)));
        let mut users: BTreeMap<PathBuf, String> = BTreeMap::new();
        for (user, path) in sources.chain(files) {
            // A device or a pipe is not torn by two.
            if path.exists() && !path.is_file() {
                continue;
            }
            if let Some(other) = users.insert(path.clone(), user.clone()) {
                let path = path.display();
                return Err(format!(
                    "{other} and {user} share {path}: give each a file of its own"
                ));
            }
        }
        match self.outputs.stdout.as_slice() {
            [one, other, ..] => Err(format!(
                "output {} and output {} share standard output: leave one out",
                one.name, other.name
            )),
            _ => Ok(()),
        }
    }
}

/// Where a file is, by whatever way it is named: it need not be there yet.
fn found(path: &Path) -> PathBuf {
    let there = |path: &Path| path.canonicalize().ok();
    let beside = || {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        Some(there(folder.unwrap_or_else(|| Path::new(".")))?.join(path.file_name()?))
    };
    there(path).or_else(beside).unwrap_or_else(|| path.to_owned())
}

#[cfg(test)]
mod tests;
