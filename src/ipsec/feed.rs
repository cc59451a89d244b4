//! A running daemon as records: its events, and lists of all SAs at each beginning and from time to
//! time.
//!
//! charon discards a list's event of more than 512 KiB without a word (an IKE_SA with some 1340
//! CHILD_SAs). Its number of IKE_SAs tells that one is missing; then they are asked for child by
//! child, by the names in its configuration.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use super::journal::Record;
use super::report::interface;
use crate::time::Timestamp;
use crate::vici::message::Section;
use crate::vici::views::{self, Stats};
use crate::vici::{Connection, Error, Monitor, Options, Update, Uri, Watch};

/// The events that change SAs.
const EVENTS: [&str; 5] = ["ike-updown", "child-updown", "ike-rekey", "child-rekey", "ike-update"];
/// The events of an audit trail besides.
const AUDIT: [&str; 2] = ["alert", "log"];

/// How long CHILD_SAs are asked for one by one, at most.
const ONE_BY_ONE: Duration = Duration::from_secs(20);

/// Waits of the feed's connection. A daemon that does not answer is as good as gone.
pub(super) fn options() -> Options {
    Options { connect: Duration::from_secs(5), ..Options::default() }
}

/// All SAs.
#[derive(Debug)]
pub(super) struct List {
    pub(super) sas: Vec<Section>,
    pub(super) complete: bool,
    /// What else was asked for, with its name.
    snapshots: Vec<(&'static str, Vec<Section>)>,
}

/// A daemon that is followed.
#[derive(Debug)]
pub struct Feed(Monitor<List>);

impl Feed {
    /// Follows a daemon, and lists its SAs so often.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn start(uri: Uri, refresh: Duration) -> std::io::Result<Self> {
        let events = EVENTS.map(str::to_owned).to_vec();
        let watch = Watch { uri, options: options(), events, refresh: Some(refresh) };
        Monitor::start(watch, list).map(Self)
    }

    /// The same with all that a journal keeps: the log, alerts, and with each list the
    /// configuration, policies, counters and the host's interfaces.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn recording(uri: Uri, refresh: Duration) -> std::io::Result<Self> {
        let events = EVENTS.iter().chain(&AUDIT).map(|&event| event.to_owned()).collect();
        let is_here = uri.warning().is_none();
        let watch = Watch { uri, options: options(), events, refresh: Some(refresh) };
        Monitor::start(watch, move |connection| {
            let mut list = list(connection)?;
            list.snapshots =
                vec![("list-conns", conns(connection)?), ("list-policies", policies(connection)?)];
            let counters = counters(connection)?.into_iter().collect();
            let stats = optional(connection, "stats", &Section::new())?.into_iter().collect();
            list.snapshots.extend([("get-counters", counters), ("stats", stats)]);
            if is_here {
                let interfaces = interface::of_system().unwrap_or_default();
                let sections = interfaces.iter().map(interface::Interface::section).collect();
                list.snapshots.push(("interfaces", sections));
            }
            Ok(list)
        })
        .map(Self)
    }

    /// What comes next, within so long: one thing may be several records.
    pub fn next_within(&self, limit: Duration) -> Vec<(Timestamp, Record)> {
        match self.0.next_within(limit) {
            None => Vec::new(),
            Some(Update::Event(event)) => match event.message() {
                Ok(message) => vec![(event.at, Record::Event(event.name, message))],
                // What it told is in the next list, unless that has the same fault.
                Err(_) => vec![(event.at, Record::Dropped(1))],
            },
            Some(other) => {
                let now = now();
                records(other).into_iter().map(|record| (now, record)).collect()
            }
        }
    }

    /// Asks for a list soon.
    pub fn refresh(&self) {
        self.0.refresh();
    }
}

/// This host's clock.
pub fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let nanos = since.ok().and_then(|since| i64::try_from(since.as_nanos()).ok());
    Timestamp(nanos.unwrap_or(0))
}

fn records(update: Update<List>) -> Vec<Record> {
    match update {
        Update::Up { .. } => vec![Record::Up],
        Update::Down(error) => vec![Record::Down(error.to_string())],
        Update::Dropped(count) => vec![Record::Dropped(count)],
        Update::Undecodable(_) => vec![Record::Dropped(1)],
        Update::Synced(List { sas, complete, snapshots }) => {
            let told = sas.into_iter().map(|sa| Record::Event(b"list-sa".to_vec(), sa));
            let kept = snapshots
                .into_iter()
                .map(|(name, sections)| Record::Snapshot(name.as_bytes().to_vec(), sections));
            told.chain([Record::Listed { complete }]).chain(kept).collect()
        }
        Update::Event(_) => Vec::new(),
    }
}

/// Lists all SAs. That one cannot be decoded, or was dropped, makes the list incomplete.
pub(super) fn list(connection: &mut Connection) -> Result<List, Error> {
    let (mut complete, snapshots) = (true, Vec::new());
    let mut sas = stream(connection, "list-sas", "list-sa", &Section::new(), &mut complete)?;
    let expected = match connection.request("stats", &Section::new()) {
        // Half-open ones come and go between the two requests.
        Ok(stats) => {
            Stats { section: &stats }.ike_sas().map(|(all, half)| all.saturating_sub(half))
        }
        Err(error) if error.is_harmless() => None,
        Err(error) => return Err(error),
    };
    let Some(expected) = expected.filter(|&expected| numbers(&sas) < expected) else {
        return Ok(List { sas, complete, snapshots });
    };
    sas.extend(one_by_one(connection, &sas, &mut complete)?);
    complete &= numbers(&sas) >= expected;
    Ok(List { sas, complete, snapshots })
}

/// All connections of the configuration.
pub(super) fn conns(connection: &mut Connection) -> Result<Vec<Section>, Error> {
    stream(connection, "list-conns", "list-conn", &Section::new(), &mut true)
}

/// The policies that wait for packets (trap) or are without IKE: charon lists none unless it is
/// asked for a kind.
pub(super) fn policies(connection: &mut Connection) -> Result<Vec<Section>, Error> {
    let kinds = Section::new().with("trap", "yes").with("drop", "yes").with("pass", "yes");
    stream(connection, "list-policies", "list-policy", &kinds, &mut true)
}

/// The counters of all connections; `None` without the plugin.
pub(super) fn counters(connection: &mut Connection) -> Result<Option<Section>, Error> {
    optional(connection, "get-counters", &Section::new().with("all", "yes"))
}

/// The reply of a command that a daemon may lack.
pub(super) fn optional(
    connection: &mut Connection,
    command: &str,
    request: &Section,
) -> Result<Option<Section>, Error> {
    match connection.request(command, request) {
        Ok(reply) => Ok(Some(reply)),
        Err(error) if error.is_harmless() => Ok(None),
        Err(error) => Err(error),
    }
}

/// How many IKE_SAs there are in a list.
fn numbers(sas: &[Section]) -> u64 {
    let ids = sas.iter().flat_map(views::ike_sas).filter_map(|ike| ike.uniqueid());
    ids.collect::<HashSet<_>>().len() as u64
}

/// The CHILD_SAs of connections that a list lacks, each asked for by its configured name.
fn one_by_one(
    connection: &mut Connection,
    sas: &[Section],
    complete: &mut bool,
) -> Result<Vec<Section>, Error> {
    let conns = stream(connection, "list-conns", "list-conn", &Section::new(), complete)?;
    let listed: HashSet<&[u8]> = sas.iter().flat_map(views::ike_sas).map(|ike| ike.name).collect();
    let (mut found, begin) = (Vec::new(), Instant::now());
    for (conn, section) in conns.iter().flat_map(Section::sections) {
        if listed.contains(conn) {
            continue;
        }
        let children = section.section("children").into_iter().flat_map(Section::sections);
        for (child, _) in children {
            if begin.elapsed() > ONE_BY_ONE {
                *complete = false;
                return Ok(found);
            }
            let one = Section::new().with("ike", conn).with("child", child);
            found.extend(stream(connection, "list-sas", "list-sa", &one, complete)?);
        }
    }
    Ok(found)
}

pub(super) fn stream(
    connection: &mut Connection,
    command: &str,
    event: &str,
    request: &Section,
    complete: &mut bool,
) -> Result<Vec<Section>, Error> {
    let mut all = Vec::new();
    for item in connection.stream(command, event, request)? {
        match item {
            Ok(item) => all.push(item),
            Err(error) if error.is_harmless() => *complete = false,
            Err(error) => return Err(error),
        }
    }
    Ok(all)
}
