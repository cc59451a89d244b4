//! The SAs as the daemon's messages tell of them, one message after the other: the same for a
//! running daemon and for a journal.
//!
//! Events are `ike-updown`, `child-updown`, `ike-rekey`, `child-rekey`, `ike-update` and
//! `list-sa`, whose messages between two [`Table::listed`] are one list. Their order cannot be relied on between
//! connections, and each may be lost, so every one of them is taken for what it says of an SA,
//! and a complete list ends what is not in it.

use std::collections::HashMap;
use std::sync::Arc;

use super::index::{Entry, IkeEntry, Index};
use super::sa::{Child, Ike, Phase, Told};
use super::services::Services;
use super::totals::Totals;
use crate::time::Timestamp;
use crate::vici::message::Section;
use crate::vici::views::{self, ChildSa, IkeSa};

/// The end of what has not ended.
const OPEN: Timestamp = Timestamp(i64::MAX);
const SECOND: i64 = 1_000_000_000;

/// What tells IKE_SAs apart: numbers start again with the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct IkeKey {
    uniqueid: u32,
    initiator_spi: u64,
}

/// What tells CHILD_SAs apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct ChildKey {
    uniqueid: u32,
    spi_in: Option<u32>,
    spi_out: Option<u32>,
}

#[derive(Debug)]
struct KnownIke {
    entry: IkeEntry,
    round: u64,
}

#[derive(Debug)]
struct Known {
    entry: Entry,
    of: IkeKey,
    /// The list it was last told of in, or since.
    round: u64,
    /// Rekeyed or deleted: no later message brings it back.
    leaving: bool,
}

/// All SAs that are known.
#[derive(Debug)]
pub struct Table {
    ikes: HashMap<IkeKey, KnownIke>,
    children: HashMap<ChildKey, Known>,
    /// What was replaced: an SA at the addresses it had before.
    past: Vec<Entry>,
    past_ikes: Vec<IkeEntry>,
    totals: Totals,
    services: Services,
    /// Nanoseconds that packets of an SA may still come after it has ended.
    grace: i64,
    /// Lists so far.
    round: u64,
    changed: bool,
}

impl Table {
    /// An empty table; packets may come for so long after their SA has ended.
    pub fn new(grace: std::time::Duration, services: Services) -> Self {
        Self {
            ikes: HashMap::new(),
            children: HashMap::new(),
            past: Vec::new(),
            past_ikes: Vec::new(),
            totals: Totals::default(),
            services,
            grace: i64::try_from(grace.as_nanos()).unwrap_or(i64::MAX),
            round: 1,
            changed: true,
        }
    }

    /// An event of the daemon.
    pub fn event(&mut self, at: Timestamp, name: &[u8], root: &Section) {
        let up = views::is_up(root);
        for sa in views::ike_sas(root) {
            match name {
                b"list-sa" => self.told(at, &sa),
                b"ike-updown" if up => _ = self.ike(at, &sa),
                b"ike-updown" => self.ike_down(at, &sa),
                b"child-updown" if up => self.told(at, &sa),
                b"child-updown" => self.child_down(at, &sa),
                b"ike-rekey" => self.ike_rekey(at, &sa),
                b"child-rekey" => self.child_rekey(at, &sa),
                b"ike-update" => self.ike_update(at, &sa, root),
                _ => {}
            }
        }
    }

    /// The end of a list. A complete one ends what was not told of since the last one.
    pub fn listed(&mut self, at: Timestamp, complete: bool) {
        if complete {
            let end = self.end(at);
            for known in self.ikes.values_mut() {
                if known.round < self.round {
                    self.changed |= close(&mut known.entry.to, end);
                }
            }
            for known in self.children.values_mut() {
                if known.round < self.round {
                    self.changed |= close(&mut known.entry.to, end);
                }
            }
            let round = self.round;
            let listed = self.children.values().filter(|known| known.round >= round);
            self.totals.keep(listed.map(|known| &*known.entry.child));
        }
        self.round += 1;
    }

    /// The daemon is gone, or the connection to it: whether its SAs are there cannot be known.
    pub fn gone(&mut self, at: Timestamp) {
        let end = self.end(at);
        for known in self.ikes.values_mut() {
            self.changed |= close(&mut known.entry.to, end);
        }
        for known in self.children.values_mut() {
            self.changed |= close(&mut known.entry.to, end);
        }
    }

    /// Forgets what has ended before a time.
    pub fn forget(&mut self, before: Timestamp) {
        let known = self.len();
        self.children.retain(|_, known| known.entry.to >= before);
        self.ikes.retain(|_, known| known.entry.to >= before);
        self.past.retain(|entry| entry.to >= before);
        self.past_ikes.retain(|entry| entry.to >= before);
        self.changed |= self.len() != known;
    }

    fn len(&self) -> usize {
        self.children.len() + self.ikes.len() + self.past.len() + self.past_ikes.len()
    }

    /// True if anything an index shows has changed since this was last asked.
    pub const fn has_changed(&mut self) -> bool {
        std::mem::replace(&mut self.changed, false)
    }

    /// What is known now, to be looked up.
    pub fn index(&self) -> Index {
        let children = self.children.values().map(|known| &known.entry).chain(&self.past);
        let ikes = self.ikes.values().map(|known| &known.entry).chain(&self.past_ikes);
        Index::new(children.cloned().collect(), ikes.cloned().collect())
    }

    /// What each tunnel has carried.
    pub const fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Takes totals that were written down, in place of those counted so far.
    pub fn set_totals(&mut self, totals: Totals) {
        self.totals = totals;
    }

    const fn end(&self, at: Timestamp) -> Timestamp {
        Timestamp(at.0.saturating_add(self.grace))
    }

    /// An IKE_SA is there.
    fn ike(&mut self, at: Timestamp, sa: &IkeSa<'_>) -> Option<(IkeKey, Arc<Ike>)> {
        let told = Ike::read(sa)?;
        let key = IkeKey { uniqueid: told.uniqueid, initiator_spi: told.initiator_spi };
        let round = self.round;
        let from = began(at, sa.established().unwrap_or(0));
        let known = self.ikes.entry(key).or_insert_with(|| {
            self.changed = true;
            let entry = IkeEntry { ike: Arc::clone(&told), from, to: OPEN };
            KnownIke { entry, round }
        });
        known.round = round;
        self.changed |= known.entry.to != OPEN;
        known.entry.to = OPEN;
        if known.entry.ike != told {
            self.changed = true;
            // The first answer brings the responder's SPI, which ends nothing.
            let moved =
                (known.entry.ike.local, known.entry.ike.remote) != (told.local, told.remote);
            let before = std::mem::replace(&mut known.entry.ike, Arc::clone(&told));
            if moved {
                self.moved(at, key, &before, &told);
            }
        }
        // One pointer for all of its CHILD_SAs.
        let ike = self.ikes.get(&key).map_or(told, |known| Arc::clone(&known.entry.ike));
        Some((key, ike))
    }

    /// The addresses of an IKE_SA have changed: its SAs are there at both for a while.
    fn moved(&mut self, at: Timestamp, key: IkeKey, before: &Arc<Ike>, now: &Arc<Ike>) {
        let to = self.end(at);
        if let Some(known) = self.ikes.get_mut(&key) {
            self.past_ikes.push(IkeEntry { ike: Arc::clone(before), from: known.entry.from, to });
            known.entry.from = at;
        }
        for known in self.children.values_mut().filter(|known| known.of == key) {
            self.past.push(Entry { to: to.min(known.entry.to), ..known.entry.clone() });
            known.entry.ike = Arc::clone(now);
            known.entry.from = at;
        }
    }

    /// What a section says of an IKE_SA and its CHILD_SAs.
    fn told(&mut self, at: Timestamp, sa: &IkeSa<'_>) {
        let Some((key, ike)) = self.ike(at, sa) else { return };
        for child in sa.children() {
            self.child(at, key, &ike, &child, None);
        }
    }

    /// A CHILD_SA is there, or in the phase that an event says.
    fn child(
        &mut self,
        at: Timestamp,
        of: IkeKey,
        ike: &Arc<Ike>,
        told: &ChildSa<'_>,
        phase: Option<Phase>,
    ) {
        let Some(Told { child, counters, phase: state, age_s }) = Told::read(told, &self.services)
        else {
            return;
        };
        self.totals.count(at, &ike.name, &child, counters);
        let end = self.end(at);
        let leaving = phase.unwrap_or(state) == Phase::Leaving;
        let key =
            ChildKey { uniqueid: child.uniqueid, spi_in: child.spi_in, spi_out: child.spi_out };
        let round = self.round;
        let known = self.children.entry(key).or_insert_with(|| {
            self.changed = true;
            let (ike, from) = (Arc::clone(ike), began(at, age_s));
            let entry = Entry { ike, child: Arc::new(child.clone()), from, to: OPEN };
            Known { entry, of, round, leaving }
        });
        known.round = round;
        known.leaving |= leaving;
        let to = if known.leaving { end } else { OPEN };
        self.changed |= known.entry.to != to || !Arc::ptr_eq(&known.entry.ike, ike);
        known.entry.to = to;
        (known.of, known.entry.ike) = (of, Arc::clone(ike));
        if *known.entry.child != child {
            self.changed = true;
            known.entry.child = Arc::new(child);
        }
    }

    fn ike_down(&mut self, at: Timestamp, sa: &IkeSa<'_>) {
        let Some((key, _)) = self.ike(at, sa) else { return };
        self.close_ike(at, key);
        let end = self.end(at);
        for known in self.children.values_mut().filter(|known| known.of == key) {
            known.leaving = true;
            self.changed |= close(&mut known.entry.to, end);
        }
    }

    fn close_ike(&mut self, at: Timestamp, key: IkeKey) {
        let end = self.end(at);
        if let Some(known) = self.ikes.get_mut(&key) {
            self.changed |= close(&mut known.entry.to, end);
        }
    }

    /// Of an IKE_SA that is down already too: its own event comes first.
    fn child_down(&mut self, at: Timestamp, sa: &IkeSa<'_>) {
        let Some(told) = Ike::read(sa) else { return };
        let key = IkeKey { uniqueid: told.uniqueid, initiator_spi: told.initiator_spi };
        let ike = self.ikes.get(&key).map_or(told, |known| Arc::clone(&known.entry.ike));
        for child in sa.children() {
            self.child(at, key, &ike, &child, Some(Phase::Leaving));
        }
    }

    /// The CHILD_SAs move to the new IKE_SA; no event says so of each.
    fn ike_rekey(&mut self, at: Timestamp, sa: &IkeSa<'_>) {
        let Some((old, new)) = sa.rekeyed() else { return };
        let Some((new, ike)) = self.ike(at, &new) else { return };
        let Some((old, _)) = self.ike(at, &old).filter(|(old, _)| *old != new) else { return };
        self.close_ike(at, old);
        for known in self.children.values_mut().filter(|known| known.of == old) {
            self.changed = true;
            known.of = new;
            known.entry.ike = Arc::clone(&ike);
        }
    }

    fn child_rekey(&mut self, at: Timestamp, sa: &IkeSa<'_>) {
        let Some((key, ike)) = self.ike(at, sa) else { return };
        for (old, new) in sa.children().filter_map(|child| child.rekeyed()) {
            self.child(at, key, &ike, &old, Some(Phase::Leaving));
            self.child(at, key, &ike, &new, None);
        }
    }

    /// The event's section has the old addresses, its root the new ones.
    fn ike_update(&mut self, at: Timestamp, sa: &IkeSa<'_>, root: &Section) {
        let Some(told) = Ike::read(sa) else { return };
        let key = IkeKey { uniqueid: told.uniqueid, initiator_spi: told.initiator_spi };
        let now = told.moved(root);
        let round = self.round;
        let Some(known) = self.ikes.get_mut(&key) else {
            let entry = IkeEntry { ike: now, from: at, to: OPEN };
            self.ikes.insert(key, KnownIke { entry, round });
            self.changed = true;
            return;
        };
        known.round = round;
        if known.entry.ike != now {
            self.changed = true;
            let before = std::mem::replace(&mut known.entry.ike, Arc::clone(&now));
            self.moved(at, key, &before, &now);
        }
    }
}

/// When something began that is so old: seconds are whole ones, so up to one more.
fn began(at: Timestamp, age_s: u64) -> Timestamp {
    let age = i64::try_from(age_s).unwrap_or(i64::MAX).saturating_mul(SECOND);
    if age_s == 0 { at } else { Timestamp(at.0.saturating_sub(age).saturating_sub(SECOND)) }
}

/// Ends what has not ended; true if so.
fn close(to: &mut Timestamp, end: Timestamp) -> bool {
    let open = *to == OPEN;
    *to = (*to).min(end);
    open
}

/// The CHILD_SA's identity in totals.
pub(super) const fn spis(child: &Child) -> (Option<u32>, Option<u32>) {
    (child.spi_in, child.spi_out)
}
