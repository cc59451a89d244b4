//! What each tunnel has carried, over rekeys, new connections and restarts of the daemon.
//!
//! Counters are those of a CHILD_SA and start again at 0 with each. The last ones that were told
//! of every CHILD_SA are added up by tunnel: connection, name of the child and `reqid`, which
//! stay. What an SA carried after it was last told of is not in them.

use std::collections::{BTreeMap, HashMap};

use super::sa::{Child, Counters};
use super::table::spis;
use crate::time::Timestamp;

/// Tunnels that are told apart. Names are the peers' to choose where one connection serves many.
const MAX_TUNNELS: usize = 100_000;
/// CHILD_SAs whose counters are not yet final.
const MAX_OPEN: usize = 200_000;

/// A tunnel.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name {
    /// Name of the connection: untrusted bytes.
    pub ike: Box<[u8]>,
    /// Name of the child: untrusted bytes.
    pub child: Box<[u8]>,
    /// Number of its policy.
    pub reqid: Option<u32>,
}

/// A tunnel's account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Total {
    /// The sum of its CHILD_SAs.
    pub counters: Counters,
    /// CHILD_SAs it has had.
    pub sas: u64,
    /// When one of them was first told of.
    pub first: Timestamp,
    /// When one of them was last told of.
    pub last: Timestamp,
}

/// A CHILD_SA whose counters may still rise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// Its tunnel.
    pub tunnel: Name,
    /// Its SPI of packets to the host.
    pub spi_in: Option<u32>,
    /// Its SPI of packets from the host.
    pub spi_out: Option<u32>,
    /// The last counters.
    pub counters: Counters,
}

/// The accounts of all tunnels.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// Of CHILD_SAs that are no longer there.
    ended: BTreeMap<Name, Total>,
    running: HashMap<(Option<u32>, Option<u32>), Running>,
    /// CHILD_SAs that were not counted for want of room.
    uncounted: u64,
}

impl Totals {
    /// The accounts in the order of their names, those of running CHILD_SAs included.
    pub fn tunnels(&self) -> BTreeMap<Name, Total> {
        let mut all = self.ended.clone();
        for running in self.running.values() {
            if let Some(total) = all.get_mut(&running.tunnel) {
                total.counters = total.counters.plus(running.counters);
            }
        }
        all
    }

    /// CHILD_SAs that were not counted: there were too many tunnels.
    pub const fn uncounted(&self) -> u64 {
        self.uncounted
    }

    /// What [`Totals::restore`] takes: the accounts without, and those of, running CHILD_SAs.
    pub fn parts(&self) -> (impl Iterator<Item = (&Name, &Total)>, impl Iterator<Item = &Running>) {
        (self.ended.iter(), self.running.values())
    }

    /// The totals that have these parts.
    pub fn restore(
        ended: impl IntoIterator<Item = (Name, Total)>,
        running: impl IntoIterator<Item = Running>,
    ) -> Self {
        let ended: BTreeMap<_, _> = ended.into_iter().take(MAX_TUNNELS).collect();
        let known = running.into_iter().filter(|running| ended.contains_key(&running.tunnel));
        let running = known.take(MAX_OPEN).map(|r| ((r.spi_in, r.spi_out), r)).collect();
        Self { ended, running, uncounted: 0 }
    }

    /// The counters of a CHILD_SA at a time.
    pub(super) fn count(&mut self, at: Timestamp, ike: &[u8], child: &Child, counters: Counters) {
        let key = spis(child);
        if let Some(running) = self.running.get_mut(&key) {
            running.counters = running.counters.max(counters);
            if let Some(total) = self.ended.get_mut(&running.tunnel) {
                total.last = total.last.max(at);
            }
            return;
        }
        let tunnel = Name { ike: ike.into(), child: child.name.clone(), reqid: child.reqid };
        let room = self.ended.len() < MAX_TUNNELS || self.ended.contains_key(&tunnel);
        if !room || self.running.len() >= MAX_OPEN {
            self.uncounted = self.uncounted.saturating_add(1);
            return;
        }
        let empty = Total { counters: Counters::default(), sas: 0, first: at, last: at };
        let total = self.ended.entry(tunnel.clone()).or_insert(empty);
        total.sas = total.sas.saturating_add(1);
        total.last = total.last.max(at);
        let (spi_in, spi_out) = key;
        self.running.insert(key, Running { tunnel, spi_in, spi_out, counters });
    }

    /// Settles the accounts of all CHILD_SAs but these.
    pub(super) fn keep<'c>(&mut self, there: impl Iterator<Item = &'c Child>) {
        let there: std::collections::HashSet<_> = there.map(spis).collect();
        let ended = &mut self.ended;
        self.running.retain(|key, running| {
            let stays = there.contains(key);
            if let Some(total) = ended.get_mut(&running.tunnel).filter(|_| !stays) {
                total.counters = total.counters.plus(running.counters);
            }
            stays
        });
    }
}
