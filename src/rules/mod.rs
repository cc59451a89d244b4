//! Rule numbers into names: rulesets as pfctl(8) prints them, one file or one for each time that a
//! ruleset was kept, and the rule in them that a logged packet's header means.
//!
//! A rule is never named that contradicts the packet in action, interface, direction, family,
//! protocol or ports, that does not log, or whose tracker (`ridentifier`) is another one than the header's. One that fits is
//!
//! * `exact` where the header says that it was loaded by the pfctl that loaded the ruleset (user and
//!   process, which the counters of `pfctl -vvsr` have too); or, where one of the two does not tell,
//!   if the ruleset was kept before the packet was logged, and the next one that was kept has the
//!   same rule;
//! * else `stale`. So is a rule that was only found by its tracker, one whose number was counted
//!   (`pfctl -sr`), and every rule of a file in pf.conf's form.

mod line;
mod listing;
mod ruleset;
mod stamp;

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use jiff::tz::TimeZone;

pub use line::{Kind, Line, On, Ports, Verb};
pub use listing::{Anchor, Entry, Listing, MAX_LEN, Numbers};
pub use ruleset::{Found, Ruleset};

use crate::event::{Event, Join, Rule};
use crate::pf::Systems;
use crate::time::Timestamp;
use crate::wire::pflog::Pflog;

/// A folder may hold so many files.
const MAX_SNAPSHOTS: usize = 10_000;

/// A ruleset and when it was kept.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The file.
    pub path: PathBuf,
    /// The time in its name, or when it was last written.
    pub ts: Timestamp,
    /// What is in it; files that differ in counters only share it where they follow each other and
    /// were loaded together.
    pub ruleset: Arc<Ruleset>,
}

/// Rulesets in the order of time.
#[derive(Debug, Default)]
pub struct Rules {
    snapshots: Vec<Snapshot>,
    /// Files of a folder that have no rule in them.
    pub without_rules: Vec<PathBuf>,
}

/// Why there are no rules.
#[derive(Debug)]
pub enum Error {
    /// It cannot be read.
    Io(PathBuf, io::Error),
    /// It has more than [`MAX_LEN`] bytes.
    TooLong(PathBuf),
    /// A folder has more than 10,000 files.
    TooMany(PathBuf),
    /// It has no rule in it.
    NoRules(PathBuf),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
            Self::TooLong(path) => {
                write!(f, "{}: more than {} MiB, no ruleset", path.display(), MAX_LEN >> 20)
            }
            Self::TooMany(path) => {
                write!(f, "{}: more than {MAX_SNAPSHOTS} files, keep fewer", path.display())
            }
            Self::NoRules(path) => write!(
                f,
                "{}: no rule in it, give what \"pfctl -vvsr -a '*'\" prints",
                path.display()
            ),
        }
    }
}

impl std::error::Error for Error {}

impl Rules {
    /// Reads a file, or every file of a folder but hidden ones. A time in a file's name is of
    /// `zone`, unless it says otherwise.
    ///
    /// # Errors
    /// When something cannot be read, is too long, or has no rule in it (a folder: none at all).
    pub fn load(path: &Path, zone: &TimeZone) -> Result<Self, Error> {
        let io = |error| Error::Io(path.to_owned(), error);
        let mut rules = Self::default();
        if !path.metadata().map_err(io)?.is_dir() {
            rules.snapshots.push(snapshot(path.to_owned(), zone)?);
            return Ok(rules);
        }
        for entry in fs::read_dir(path).map_err(io)? {
            let entry = entry.map_err(io)?;
            let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
            let file = entry.path();
            if is_hidden || !file.is_file() {
                continue;
            }
            if rules.snapshots.len() >= MAX_SNAPSHOTS {
                return Err(Error::TooMany(path.to_owned()));
            }
            match snapshot(file, zone) {
                Ok(snapshot) => rules.snapshots.push(snapshot),
                Err(Error::NoRules(path)) => rules.without_rules.push(path),
                Err(error) => return Err(error),
            }
        }
        if rules.snapshots.is_empty() {
            return Err(Error::NoRules(path.to_owned()));
        }
        rules.without_rules.sort();
        rules.sort();
        Ok(rules)
    }

    /// The rulesets of these snapshots.
    pub fn of(snapshots: Vec<Snapshot>) -> Self {
        let mut rules = Self { snapshots, without_rules: Vec::new() };
        rules.sort();
        rules
    }

    fn sort(&mut self) {
        self.snapshots.sort_by(|a, b| (a.ts, &a.path).cmp(&(b.ts, &b.path)));
        let mut before: Option<Arc<Ruleset>> = None;
        for snapshot in &mut self.snapshots {
            match &before {
                Some(before) if before.is_same(&snapshot.ruleset) => {
                    snapshot.ruleset = Arc::clone(before);
                }
                _ => before = Some(Arc::clone(&snapshot.ruleset)),
            }
        }
    }

    /// The rulesets, the oldest first.
    pub fn snapshots(&self) -> &[Snapshot] {
        &self.snapshots
    }

    /// The rule that the event was logged by; `None` for what is not logged, for the default rule,
    /// and where nothing is known of the number. Allocates nothing.
    pub fn join<'a>(&'a self, event: &Event<'_>) -> Option<Rule<'a>> {
        // What ipfw logs with pf's header has no rule of pf.
        let header = event.pflog.as_ref().filter(|header| header.systems != Systems::IPFW)?;
        let later = self.snapshots.partition_point(|snapshot| snapshot.ts <= event.frame.ts);
        let at = |at: Option<usize>| at.and_then(|at| self.snapshots.get(at));
        let before = at(later.checked_sub(1)).map(|s| Hit::of(&s.ruleset, event, header));
        let after = at(Some(later)).map(|s| Hit::of(&s.ruleset, event, header));
        for hit in [&before, &after].into_iter().flatten() {
            if let (Some(true), Found::Rule { .. }) = (hit.loaded_together, hit.found) {
                return hit.rule(Join::Exact);
            }
        }
        match (before, after) {
            (Some(before), after) => match before.found {
                Found::Rule { entry, .. } => {
                    let kept = after.is_none_or(|after| after.is_of(entry));
                    let exact = kept && before.loaded_together.is_none() && before.is_sure();
                    before.rule(if exact { Join::Exact } else { Join::Stale })
                }
                Found::Implausible | Found::Nothing => {
                    let after = after.and_then(|after| after.rule(Join::Stale));
                    let named = after.filter(|rule| rule.join != Join::Implausible);
                    named.or_else(|| before.rule(Join::Stale)).or(after)
                }
            },
            (None, after) => after?.rule(Join::Stale),
        }
    }
}

/// What a ruleset says of a packet.
#[derive(Clone, Copy)]
struct Hit<'a> {
    ruleset: &'a Ruleset,
    found: Found<'a>,
    /// The packet's rule and this one were loaded by the same pfctl; `None` if that is not told.
    loaded_together: Option<bool>,
}

impl<'a> Hit<'a> {
    fn of(ruleset: &'a Ruleset, event: &Event<'_>, header: &Pflog<'_>) -> Self {
        let found = ruleset.find(event, header);
        let loaded_together = match found {
            Found::Rule { entry, moved: false } => loaded_together(entry, header),
            // A rule at another place is of another load.
            _ => None,
        };
        Self { ruleset, found, loaded_together }
    }

    /// True if the place is certain.
    fn is_sure(&self) -> bool {
        matches!(self.found, Found::Rule { moved: false, .. }) && self.ruleset.is_numbered()
    }

    /// True if it is the same rule as one of another ruleset.
    fn is_of(&self, other: &Entry) -> bool {
        matches!(self.found, Found::Rule { entry, moved: false } if entry.line == other.line)
    }

    fn rule(&self, join: Join) -> Option<Rule<'a>> {
        match self.found {
            Found::Rule { entry, .. } => Some(Rule {
                labels: &entry.line.labels,
                text: &entry.line.text,
                anchor: self.ruleset.path(entry),
                number: entry.number,
                ridentifier: entry.line.ridentifier,
                ruleset: Some(self.ruleset.checksum()),
                join,
            }),
            Found::Implausible => Some(Rule::IMPLAUSIBLE),
            Found::Nothing => None,
        }
    }
}

/// Whether header and listing name the same user and process as who loaded the rule.
fn loaded_together(entry: &Entry, header: &Pflog<'_>) -> Option<bool> {
    let owner = header.owner.filter(|owner| owner.rule_pid > 0)?;
    Some(entry.inserted? == (owner.rule_uid, owner.rule_pid))
}

fn snapshot(path: PathBuf, zone: &TimeZone) -> Result<Snapshot, Error> {
    let read = || {
        let file = File::open(&path)?;
        let written = file.metadata()?.modified()?;
        let mut bytes = Vec::new();
        file.take(MAX_LEN as u64 + 1).read_to_end(&mut bytes)?;
        Ok((bytes, written))
    };
    let (bytes, written) = match read() {
        Ok(read) => read,
        Err(error) => return Err(Error::Io(path, error)),
    };
    if bytes.len() > MAX_LEN {
        return Err(Error::TooLong(path));
    }
    let listing = Listing::parse(&bytes);
    if listing.entries.is_empty() {
        return Err(Error::NoRules(path));
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let ts = stamp::of_name(&name, zone).unwrap_or_else(|| stamp::of_file(written));
    Ok(Snapshot { path, ts, ruleset: Arc::new(Ruleset::new(listing)) })
}

/// Rules that are in use, and can be read again while they are.
#[derive(Debug)]
pub struct Current {
    path: PathBuf,
    zone: TimeZone,
    rules: RwLock<Arc<Rules>>,
}

impl Current {
    /// Reads them for the first time, as [`Rules::load`].
    ///
    /// # Errors
    /// As [`Rules::load`].
    pub fn load(path: &Path, zone: &TimeZone) -> Result<Self, Error> {
        let rules = RwLock::new(Arc::new(Rules::load(path, zone)?));
        Ok(Self { path: path.to_owned(), zone: zone.clone(), rules })
    }

    /// Those that were read last.
    pub fn get(&self) -> Arc<Rules> {
        Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads them again. Who has the old ones keeps them.
    ///
    /// # Errors
    /// As [`Rules::load`]; the old ones stay in use.
    pub fn reload(&self) -> Result<(), Error> {
        let rules = Arc::new(Rules::load(&self.path, &self.zone)?);
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = rules;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
