//! What reports are made of: the answers of a daemon to `list-sas`, `list-conns`, `list-policies`,
//! `get-counters` and `stats`, and the interfaces of its host.

use std::collections::{HashMap, HashSet};

use super::interface::Interface;
use crate::ipsec::feed;
use crate::ipsec::services::Services;
use crate::ipsec::totals::Totals;
use crate::time::Timestamp;
use crate::vici::message::Section;
use crate::vici::views::{self, ChildConf, ChildSa, Conn, IkeSa};
use crate::vici::{Connection, Error, Options, Uri};

/// Bytes of a list that may wait: more than 10 000 SAs have.
const QUEUE: usize = 128 << 20;

/// The answers, each with what it is not known for.
#[derive(Debug, Clone)]
pub struct Answers {
    /// The time they are of.
    pub at: Timestamp,
    /// Whose they are: a socket, or a journal.
    pub from: String,
    /// The daemon's version.
    pub version: Option<Vec<u8>>,
    /// `list-sa` events.
    pub sas: Vec<Section>,
    /// All SAs are in them.
    pub complete: bool,
    /// `list-conn` events.
    pub conns: Option<Vec<Section>>,
    /// `list-policy` events of traps, drops and passes.
    pub policies: Option<Vec<Section>>,
    /// The reply of `get-counters` for all connections.
    pub counters: Option<Section>,
    /// The reply of `stats`.
    pub stats: Option<Section>,
    /// The interfaces of the daemon's host.
    pub interfaces: Option<Vec<Interface>>,
    /// What tunnels have carried over rekeys.
    pub totals: Option<Totals>,
    /// The last failure to set up a CHILD_SA of a connection, by the connection's name; of a
    /// journal, since a daemon tells it once.
    pub failures: HashMap<Vec<u8>, Failure>,
    /// Names of ports in traffic selectors.
    pub services: Services,
}

/// That a CHILD_SA did not come to be. The daemon tells of which connection, not of which child.
#[derive(Debug, Clone)]
pub struct Failure {
    /// When it was told.
    pub at: Timestamp,
    /// The alert's kind.
    pub kind: Vec<u8>,
    /// Children that have come up since then.
    pub up_since: HashSet<Vec<u8>>,
}

impl Answers {
    /// Of nobody.
    pub fn empty(at: Timestamp, from: String) -> Self {
        Self {
            at,
            from,
            version: None,
            sas: Vec::new(),
            complete: true,
            conns: None,
            policies: None,
            counters: None,
            stats: None,
            interfaces: None,
            totals: None,
            failures: HashMap::new(),
            services: Services::of_system(),
        }
    }

    /// Asks a daemon.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn ask(uri: &Uri) -> Result<Self, Error> {
        let options = Options { queue: QUEUE, ..feed::options() };
        let mut connection = Connection::open(uri, options)?;
        let version = connection.request("version", &Section::new())?;
        let list = feed::list(&mut connection)?;
        let mut answers = Self::empty(feed::now(), uri.to_string());
        (answers.sas, answers.complete) = (list.sas, list.complete);
        answers.version = version.value("version").map(<[u8]>::to_vec);
        answers.conns = Some(feed::conns(&mut connection)?);
        answers.policies = Some(feed::policies(&mut connection)?);
        answers.counters = feed::counters(&mut connection)?;
        answers.stats = feed::optional(&mut connection, "stats", &Section::new())?;
        // A daemon beyond the loopback has other interfaces.
        if uri.warning().is_none() {
            answers.interfaces = super::interface::of_system().ok();
        }
        Ok(answers)
    }

    /// Why a child of a connection may be down.
    pub fn failure(&self, ike: &[u8], child: &[u8]) -> Option<&Failure> {
        self.failures.get(ike).filter(|failure| !failure.up_since.contains(child))
    }

    /// The IKE_SAs.
    pub fn ikes(&self) -> impl Iterator<Item = IkeSa<'_>> {
        self.sas.iter().flat_map(views::ike_sas)
    }

    /// The CHILD_SAs that have SPIs, each with its IKE_SA.
    pub fn children(&self) -> impl Iterator<Item = (IkeSa<'_>, ChildSa<'_>)> {
        self.ikes().flat_map(|ike| ike.children().map(move |child| (ike, child)))
    }

    /// The configuration by its names.
    pub fn configuration(&self) -> Configuration<'_> {
        let sections = self.conns.iter().flatten();
        let mut known = Configuration { told: self.conns.is_some(), ..Configuration::default() };
        for conn in sections.flat_map(views::conns) {
            known.conns.entry(conn.name).or_insert(conn);
            for child in conn.children() {
                known.children.entry((conn.name, child.name)).or_insert(child);
            }
        }
        known
    }
}

/// Connections and their children by name.
#[derive(Debug, Default)]
pub struct Configuration<'a> {
    /// False if the configuration is not known at all.
    pub told: bool,
    conns: HashMap<&'a [u8], Conn<'a>>,
    children: HashMap<(&'a [u8], &'a [u8]), ChildConf<'a>>,
}

impl<'a> Configuration<'a> {
    /// The connection of a name.
    pub fn conn(&self, name: &'a [u8]) -> Option<Conn<'a>> {
        self.conns.get(name).copied()
    }

    /// A connection's child.
    pub fn child(&self, ike: &'a [u8], child: &'a [u8]) -> Option<ChildConf<'a>> {
        self.children.get(&(ike, child)).copied()
    }
}

/// A child's name: in `child-rekey` the section has it, else the key `name`.
pub(super) fn child_name<'a>(child: &ChildSa<'a>) -> &'a [u8] {
    child.name().unwrap_or(child.key)
}
